/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The memory taken back, rewritten while it is read, and left in the middle of everything. */
#include "tests/system/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void case_shrinks(void)
{
    struct raw raw;

    raw_attach(&raw, attack_path, "alpha");
    if (ftruncate(raw.arena_fd, 0) == 0 || errno != EPERM)
        raw_die("the arena can be cut off");
    if (ftruncate(raw.arena_fd, (off_t)raw.reply.arena_bytes * 2) == 0 || errno != EPERM)
        raw_die("the arena can be drawn out");
    if (fcntl(raw.arena_fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) == 0)
        raw_die("the arena can be sealed further");
    attack_want("nop", raw_nop(&raw), 0);
    raw_leave(&raw);
}

static void punch(const struct raw *raw, uint64_t offset, uint64_t bytes)
{
    if (fallocate(raw->arena_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                  (off_t)bytes))
        raw_die("punch: %s", strerror(errno));
}

/* Holes read as zeroes: in the queues that is a lie, elsewhere it is nobody's business. */
static void case_punches_holes(void)
{
    struct attack_pair pair;
    struct saddle_command *command;

    attack_join(&pair);
    for (int i = 0; i < 8; i++) {
        command = raw_command(&pair.a);
        command->op = SADDLE_CMD_SEND;
        command->handle = pair.handles[0];
        command->buf = pair.a.reply.heap_offset;
        command->len = ATTACK_LARGE;
        raw_publish(&pair.a);
        punch(&pair.a, pair.a.reply.heap_offset, RAW_HEAP);
        punch(&pair.b, pair.b.reply.heap_offset, RAW_HEAP);
    }
    punch(&pair.a, 0, pair.a.reply.arena_bytes);
    raw_ring(&pair.a);
    attack_want_hang_up(&pair.a);
    attack_leave(&pair);
}

/* Scribbles over the commands of an arena for ever. */
static void __attribute__((noreturn)) scribble(const struct raw *raw)
{
    struct saddle_command *commands = (void *)(raw_command_queue(raw) + 1);
    uint64_t state = ATTACK_SEED;

    for (;;) {
        struct saddle_command *command = &commands[attack_random(&state) % RAW_ENTRIES];

        command->op = (uint8_t)(attack_random(&state) % SADDLE_CMD_COUNT);
        command->len = (uint32_t)attack_random(&state);
        command->buf = attack_random(&state);
        command->handle = (uint32_t)attack_random(&state);
    }
}

/* Rewrites commands while the engine reads them: whatever it copied, it checks. A command turned
 * into RELEASE ends the session, any other one completes. */
static void case_rewrites(void)
{
    for (int session = 0; session < ATTACK_CHILDREN; session++) {
        struct raw raw;
        struct saddle_event event;
        int error = 0;
        pid_t child;

        raw_attach(&raw, attack_path, "alpha");
        child = fork();
        if (child < 0)
            raw_die("fork: %s", strerror(errno));
        if (child == 0)
            scribble(&raw);
        for (int i = 0; i < ATTACK_STORM / ATTACK_CHILDREN && !error; i++) {
            raw_command(&raw);
            raw_publish(&raw);
            error = raw_event(&raw, &event);
        }
        if (error)
            attack_want("session", error, -EPROTO);
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        raw_leave(&raw);
    }
}

static void case_random_commands(void)
{
    struct raw raw;
    uint64_t state = ATTACK_SEED;
    uint32_t in_flight = 0;

    raw_attach(&raw, attack_path, "alpha");
    for (int i = 0; i < ATTACK_STORM; i++) {
        struct saddle_command *command = raw_command(&raw);
        struct saddle_event event;
        uint64_t words[SADDLE_ENTRY_BYTES / sizeof(uint64_t)];

        for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++)
            words[j] = attack_random(&state);
        memcpy((uint8_t *)command + sizeof(command->seq), words,
               sizeof(*command) - sizeof(command->seq));
        /* Likely enough to be taken seriously. */
        command->op %= SADDLE_CMD_COUNT + (attack_random(&state) % 64 == 0);
        command->flags &= attack_random(&state) % 64 ? SADDLE_ENTRY_INLINE : UINT8_MAX;
        command->len %= attack_random(&state) % 64 ? SADDLE_INLINE_BYTES + 1 : UINT32_MAX;
        command->reserved = 0;
        command->buf %= 2 * raw.reply.arena_bytes;
        command->timeout_ns = 1;
        raw_publish(&raw);
        if (++in_flight < RAW_ENTRIES / 2)
            continue;
        in_flight = 0;
        /* A RELEASE among them ended the session; else all complete. */
        for (uint32_t j = 0; j < RAW_ENTRIES / 2; j++) {
            if (raw_event(&raw, &event)) {
                raw_leave(&raw);
                raw_attach(&raw, attack_path, "alpha");
                break;
            }
        }
    }
    raw_leave(&raw);
}

/* Works until it is killed. Its name is taken until the daemon has seen it die. */
static void __attribute__((noreturn)) work(int started, int number)
{
    struct attack_pair pair;
    char service[SADDLE_NAME_BYTES];
    uint32_t turn = 0;

    snprintf(service, sizeof(service), ATTACK_SERVICE "-%d", number);
    attack_join_by(&pair, service);
    attack_expose(&pair.b, SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE, 0);
    if (write(started, "", 1) != 1)
        raw_die("started: %s", strerror(errno));
    for (;;) {
        struct saddle_command *command = raw_command(&pair.a);
        struct saddle_event event;

        command->op = turn % 4 == 3 ? SADDLE_CMD_POST_RECV : SADDLE_CMD_SEND;
        command->handle = pair.handles[0];
        command->buf = pair.a.reply.heap_offset;
        command->len = turn % 2 ? ATTACK_LARGE : ATTACK_SMALL;
        raw_publish(&pair.a);
        turn++;
        while (pair.a.commands -
                   __atomic_load_n(&raw_command_queue(&pair.a)->consumed, __ATOMIC_ACQUIRE) >=
               RAW_ENTRIES / 2)
            raw_poll(&pair.a, &event);
        while (raw_poll(&pair.b, &event)) {
            command = raw_command(&pair.b);
            command->op = event.flags & SADDLE_ENTRY_SLOT ? SADDLE_CMD_RELEASE : SADDLE_CMD_NOP;
            command->slot = event.slot;
            raw_publish(&pair.b);
        }
    }
}

static void case_killed(void)
{
    uint64_t state = ATTACK_SEED;

    for (int i = 0; i < ATTACK_CHILDREN; i++) {
        int started[2];
        char byte;
        pid_t child;

        if (pipe(started) || (child = fork()) < 0)
            raw_die("fork: %s", strerror(errno));
        if (child == 0)
            work(started[1], i);
        close(started[1]);
        if (read(started[0], &byte, 1) != 1)
            raw_die("the child did not start");
        for (uint64_t spin = attack_random(&state) % 200000; spin; spin--)
            __asm__ volatile("");
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(started[0]);
    }
}

static void case_stopped(void)
{
    struct attack_pair pair;

    attack_join(&pair);
    for (uint32_t i = 0; i < RAW_ENTRIES; i++) {
        struct saddle_command *command = raw_command(&pair.a);

        command->op = SADDLE_CMD_SEND;
        command->handle = pair.handles[0];
        command->buf = pair.a.reply.heap_offset;
        command->len = ATTACK_SMALL;
        raw_publish(&pair.a);
    }
    /* Neither end reaps, releases or rings any more; other sessions come and go meanwhile. */
    for (int i = 0; i < 20; i++) {
        struct raw raw;

        raw_attach(&raw, attack_path, "alpha");
        attack_want("nop", raw_nop(&raw), 0);
        raw_leave(&raw);
    }
    attack_leave(&pair);
}

const struct attack attacks_on_memory[] = {
    {"shrinks", case_shrinks},
    {"punches-holes", case_punches_holes},
    {"rewrites", case_rewrites},
    {"random-commands", case_random_commands},
    {"killed", case_killed},
    {"stopped", case_stopped},
    {NULL, NULL},
};
