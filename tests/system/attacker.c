/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The attacker: an application that lies. Each case is one lie, told to a running daemon; the
 * program knows how that lie has to end for the session that told it. That nobody else feels it is
 * for the test around to see, with a victim beside it:
 *
 *     attacker --- [alpha] ===== [beta] --- attacker's own partner
 *     victim   --- [alpha] ===== [beta] --- victim's other end
 *
 * attacker --list
 * attacker --socket PATH --case NAME
 */
#include "tests/system/attack.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

const char *attack_path;

void attack_join_by(struct attack_pair *pair, const char *service)
{
    raw_attach(&pair->a, attack_path, "alpha");
    raw_attach(&pair->b, attack_path, "beta");
    raw_listen(&pair->b, service);
    raw_join(&pair->a, &pair->b, "beta", service, pair->handles);
}

void attack_join(struct attack_pair *pair)
{
    attack_join_by(pair, ATTACK_SERVICE);
}

void attack_leave(struct attack_pair *pair)
{
    raw_leave(&pair->a);
    raw_leave(&pair->b);
}

void attack_want(const char *what, int got, int wanted)
{
    if (got != wanted)
        raw_die("%s: %d (%s), not %d (%s)", what, got, strerror(abs(got)), wanted,
                strerror(abs(wanted)));
}

/* The daemon hangs up on a session it closed. */
void attack_want_hang_up(struct raw *raw)
{
    char byte;

    if (recv(raw->socket, &byte, sizeof(byte), 0) > 0)
        raw_die("the daemon sent something after the reply");
}

/* The lie that was just told ends the session. */
void attack_want_closed(struct raw *raw)
{
    struct saddle_event event;
    int error = raw_event(raw, &event);

    while (!error)
        error = raw_event(raw, &event);
    attack_want("session", error, -EPROTO);
    attack_want_hang_up(raw);
}

uint64_t attack_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Exposes a quarter of the partner's heap; returns the key. */
uint64_t attack_expose(struct raw *raw, uint64_t rights, int wanted)
{
    struct saddle_command *command = raw_command(raw);
    struct saddle_event event;

    command->op = SADDLE_CMD_EXPOSE;
    command->buf = raw->reply.heap_offset;
    command->len = RAW_HEAP / 4;
    command->key = rights;
    attack_want("expose", raw_call(raw, &event), wanted);
    return event.value;
}

static const struct attack *const tables[] = {attacks_on_handshake, attacks_on_queues,
                                              attacks_on_commands, attacks_on_memory};
#define TABLE_COUNT (sizeof(tables) / sizeof(tables[0]))

/* Runs the case of that name, or lists them all if it is NULL. */
static void find(const char *name)
{
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        for (const struct attack *attack = tables[i]; attack->name; attack++) {
            if (!name) {
                puts(attack->name);
            } else if (!strcmp(attack->name, name)) {
                attack->run();
                exit(EXIT_SUCCESS);
            }
        }
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        find(NULL);
        return EXIT_SUCCESS;
    }
    if (argc != 5 || strcmp(argv[1], "--socket") != 0 || strcmp(argv[3], "--case") != 0)
        raw_die("usage: attacker --list | attacker --socket PATH --case NAME");
    attack_path = argv[2];
    find(argv[4]);
    raw_die("there is no case \"%s\"", argv[4]);
}
