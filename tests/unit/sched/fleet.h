/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A compacting group in virtual time: engines with queues of items that arrive at random and cost
 * something, threads that give them turns, and the rebalancer on the first of them. From one seed a
 * run is always the same.
 *
 * It checks by itself, and aborts the test otherwise: an engine is on one thread at a time, items
 * are served in the order in which they came, and none is lost.
 */
#ifndef TESTS_UNIT_SCHED_FLEET_H
#define TESTS_UNIT_SCHED_FLEET_H

#include "sched/balance.h"
#include "sched/histogram.h"

#include <stdbool.h>
#include <stdint.h>

#define FLEET_ENGINES 16u
#define FLEET_THREADS 8u
#define FLEET_COST_NS 2500u /* of an item: that of some packets */

struct fleet_config {
    uint32_t engines, threads;
    uint32_t burst; /* items that arrive together; 1: each by itself */
    uint64_t seed;
    bool hasty;
};

/* What was counted since the last fleet_count. */
struct fleet_counts {
    struct histogram_view delays; /* of items: from arrival to service */
    uint64_t moves[BALANCE_ACTION_END];
    uint64_t moved; /* all of them */
    uint64_t late;  /* items that waited for longer than the SLO */
    uint64_t served;
    uint32_t threads_max; /* in use at a time */
};

struct fleet;

struct fleet *fleet_create(const struct fleet_config *config);
/* Checks that everything that arrived was served or waits. */
void fleet_destroy(struct fleet *fleet);
/* The load of one engine from now on, in thousandths of a core. */
void fleet_load(struct fleet *fleet, uint32_t engine, uint32_t load);
/* The thread is not run for so long from its next turn on; or from the middle of that turn. */
void fleet_stall(struct fleet *fleet, uint32_t thread, uint64_t ns, bool in_turn);
/* Lets time go on. */
void fleet_run(struct fleet *fleet, uint64_t ns);
uint64_t fleet_now(const struct fleet *fleet);
/* Threads that have engines, or to which some are on their way. */
uint32_t fleet_threads(const struct fleet *fleet);
uint32_t fleet_thread_of(const struct fleet *fleet, uint32_t engine);
/* Items that wait now. */
uint64_t fleet_waiting(const struct fleet *fleet);
uint64_t fleet_stalls(const struct fleet *fleet);
/* Begins to count anew. */
void fleet_count(struct fleet *fleet);
const struct fleet_counts *fleet_counts(struct fleet *fleet);

#endif
