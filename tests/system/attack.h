/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the attacker's cases share. Each file of cases exports one table, ended by a NULL name.
 *
 * Threads: one, but for children that a case forks. Whatever ends otherwise than a case says it has
 * to ends the program (raw_die).
 */
#ifndef TESTS_SYSTEM_ATTACK_H
#define TESTS_SYSTEM_ATTACK_H

#include "tests/system/raw.h"

#include <stdint.h>

#define ATTACK_SERVICE  "attacker"
#define ATTACK_STORM    20000 /* doorbells, random commands */
#define ATTACK_CHILDREN 30    /* sessions that end suddenly */
#define ATTACK_SMALL    1000u /* bytes: too long to travel inline, arrives in a receive slot */
#define ATTACK_LARGE    (512u << 10) /* bytes: waits for a posted buffer */

struct attack {
    const char *name;
    void (*run)(void);
};

extern const struct attack attacks_on_handshake[];
extern const struct attack attacks_on_queues[];
extern const struct attack attacks_on_commands[];
extern const struct attack attacks_on_memory[];

/* The attach socket. */
extern const char *attack_path;

/* Two sessions that are joined: `a` attacks, `b` is its partner on the other host. */
struct attack_pair {
    struct raw a, b;
    uint32_t handles[2];
};
void attack_join(struct attack_pair *pair);
/* The same for a service of this name. */
void attack_join_by(struct attack_pair *pair, const char *service);
void attack_leave(struct attack_pair *pair);

/* The outcome of `what` has to be this one. */
void attack_want(const char *what, int got, int wanted);
/* The daemon hangs up. */
void attack_want_hang_up(struct raw *raw);
/* The lie that was just told ends the session, as a breach of the protocol. */
void attack_want_closed(struct raw *raw);

/* Exposes a quarter of the heap; returns the key. */
uint64_t attack_expose(struct raw *raw, uint64_t rights, int wanted);

/* The next of a fixed sequence of numbers. */
uint64_t attack_random(uint64_t *state);
#define ATTACK_SEED 0x9e3779b97f4a7c15ull

#endif
