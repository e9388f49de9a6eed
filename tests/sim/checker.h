/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The checkers: what must be true of every run, whatever the seed and the faults.
 *
 * Exactly once: an accepted operation completes once, and with an error only for a reason that the
 * run gave it. Bytes: messages, reads and writes are what was sent; what a table points to is of
 * one region; words hold what all atomic operations on them make together (table.h). Order: each
 * stream in its order; a message is delivered once, and if its sender was told so, then really.
 * Conservation: at the end all is back.
 *
 * Ownership: the simulation's. Threads: one.
 */
#ifndef TESTS_SIM_CHECKER_H
#define TESTS_SIM_CHECKER_H

#include "tests/sim/ledger.h"

struct checker {
    struct sim *sim;
    struct ledger ledger;
    bool corrupting; /* a link has changed bits */
};

struct checker *checker_create(struct sim *sim);
void checker_destroy(struct checker *checker);

/* DONE: looks at the outcome, before the operation's buffer is freed. */
void checker_done(struct checker *checker, struct operation *operation,
                  const struct saddle_completion *event);
/* Bytes of a message reached the application at `end`. Returns the operation that sent them, or
 * NULL after a violation. */
struct operation *checker_message(struct checker *checker, struct connection_end *end,
                                  uint32_t stream, bool unordered, const void *bytes,
                                  size_t length);
/* The two hosts are apart for longer than a peer is waited for: what they have to do with each
 * other may fail from now on. */
void checker_apart(struct checker *checker, uint32_t a, uint32_t b);
/* The application is gone: what it had asked is dropped. */
void checker_killed(struct checker *checker, struct app *app);
/* Nothing is left to be done: everything accepted has ended, everything delivered is accounted. */
void checker_final(struct checker *checker);
/* Prints every operation that is not done. */
void checker_print(const struct checker *checker);
/* Operations not done yet, buffers posted left aside; the first of them in *first. */
uint32_t checker_outstanding(const struct checker *checker, const struct operation **first);

#endif
