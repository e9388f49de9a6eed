/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine small enough to reason about: it counts items. Items come in by a doorbell that is rung
 * only when the engine has armed it, by a port that interrupts at every item, and by deadlines.
 *
 * Ownership: the test's. Threads: toy_post and toy_arrive from any number of producers, as the
 * group's thread runs it.
 */
#ifndef TESTS_UNIT_SCHED_TOY_H
#define TESTS_UNIT_SCHED_TOY_H

#include "sched/engine.h"

#define TOY_BATCH 4u /* items a run handles */

struct toy {
    struct engine engine;
    _Atomic uint64_t posted;      /* by doorbell */
    _Atomic uint64_t arrived;     /* by port */
    _Atomic uint64_t handled;     /* of both */
    _Atomic uint64_t expired;     /* deadlines met */
    _Atomic uint64_t deadline;    /* of the next expiry; ENGINE_NEVER if none */
    _Atomic uint32_t running;     /* threads inside run: never two */
    _Atomic uint32_t overlaps;    /* times there were, or there was no budget */
    _Atomic uint64_t patience_ns; /* after what it handled; 0: none */
    _Atomic bool endless;         /* always finds something to do */
    _Atomic uint64_t cost_ns;     /* what a run that is endless takes */
    uint32_t armed;
    int bell_fd;
    int port_fd;
    int news_fd; /* written whenever handled or expired grew */
};

/* Aborts the test if it cannot be made. */
struct toy *toy_create(const char *name);
/* One more item by doorbell, or by port. */
void toy_post(struct toy *toy);
void toy_arrive(struct toy *toy);
/* Blocks until so many have been handled, or expired. */
void toy_await_handled(struct toy *toy, uint64_t count);
void toy_await_expired(struct toy *toy, uint64_t count);

#endif
