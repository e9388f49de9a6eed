/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine group: engines and the threads that run them.
 *
 * Its mode says how many threads there are and which engine runs where:
 *
 * - dedicated: threads pinned to a CPU each, which spin; engines are spread evenly over them and
 *   share a thread's time fairly (share.h).
 * - spreading: a thread for each engine, made when it joins and ended when it leaves, asleep until
 *   something wakes it.
 * - compacting: all engines on one thread, until their work waits too long; then on as many more as
 *   it takes (leader.h).
 *
 * Ownership: the group borrows its engines; they outlive their membership. Control owns the group.
 * Threads: every function here is for control, one thread at a time. Engines go from thread to
 * thread by message, never under a lock.
 *
 * A mode is a table of functions (struct group_mode, mode.h). Engines of a group live by the
 * machine's clock.
 */
#ifndef SCHED_GROUP_H
#define SCHED_GROUP_H

#include "sched/decisions.h"
#include "sched/engine.h"
#include "sched/quanta.h"

#include <sched.h>
#include <stdint.h>

#define GROUP_NAME_BYTES  32u
#define GROUP_ENGINES_MAX 64u
#define GROUP_THREADS_MAX 64u
#define GROUP_NEVER       UINT64_MAX /* an idle time: it does not sleep */

struct group_mode;
extern const struct group_mode group_mode_dedicated;
extern const struct group_mode group_mode_spreading;
extern const struct group_mode group_mode_compacting;
/* By its configuration name ("dedicated", "spreading", "compacting"); NULL if unknown. */
const struct group_mode *group_mode_by_name(const char *name);
const char *group_mode_name(const struct group_mode *mode);

struct group_config {
    char name[GROUP_NAME_BYTES];
    const struct group_mode *mode;
    cpu_set_t cpus; /* where threads may run; empty: anywhere */
    bool loose;     /* dedicated: each on all of `cpus`, which are only near, and not its own */
    /* Dedicated: how many; 0: one per CPU in `cpus`, 1 if that is empty. Compacting: at most so
     * many; 0: one per CPU in `cpus`, or of the machine. Spreading has one for each engine. */
    uint32_t threads;
    /* How long a thread finds nothing before it sleeps, or GROUP_NEVER; 0: as the mode has it,
     * which is never for dedicated and 20 us for the others. A thread without engines sleeps. */
    uint64_t idle_ns;
    /* What a thread sleeps without looking, while all its engines are in the midst of large
     * transfers and it finds nothing: as a NIC moderates its interrupts. 0: it looks on. Nor does
     * one that never sleeps. */
    uint64_t moderation_ns;
    uint64_t slo_ns;             /* compacting: what a queueing delay is to stay below; 0: 50 us */
    bool pause;                  /* spin with TPAUSE, where the processor has it (pause.h) */
    struct quanta_config quanta; /* what threads ask of the kernel's scheduler */
    /* Called on each new thread before it runs engines, and before it ends: registers it with
     * whatever the engines use. May be NULL. Start answers 0 or a negative errno. */
    int (*thread_start)(void *arg);
    void (*thread_stop)(void *arg);
    void *arg;
};

struct group_thread_stats {
    int tid;        /* as the kernel numbers it; engines on it have it as well (engine.h) */
    cpu_set_t cpus; /* where it may run; empty: anywhere */
    uint64_t sleeps;
    uint64_t wakes_event;    /* a descriptor woke it */
    uint64_t wakes_deadline; /* its deadline passed */
    uint64_t busy_ns;
    uint32_t engines;
    struct quanta_stats quanta;
};

struct group;

/* Starts the threads that there are without engines. 0, -EINVAL, -ENOMEM, or what thread_start
 * said. */
int group_create(struct group **group, const struct group_config *config);
/* Stops and joins the threads. All engines must be gone. NULL is fine. */
void group_destroy(struct group *group);

/* Has the group go on as another configuration says, under its engines, which miss no more than the
 * time it takes to hand them over: where threads have to be others, they are made first. The name
 * stays.
 *
 * 0, or everything is as it was: -EINVAL, -ENOMEM, what thread_start or the kernel said of a new
 * thread, or -ETIMEDOUT if one that runs does not come round. */
int group_configure(struct group *group, const struct group_config *config);
/* Has threads ask again for reservations (`class: deadline`) that they were refused because others
 * had taken too much: those others have ended. */
void group_ask_again(struct group *group);
/* As it is now, with the mode's defaults filled in. */
const struct group_config *group_configuration(const struct group *group);

/* Puts an engine on a thread; it runs from now on. 0, -ENOSPC, -EEXIST, -ENOMEM, what thread_start
 * or the kernel said of a new thread, or -ETIMEDOUT if a thread does not come round. */
int group_add(struct group *group, struct engine *engine);
/* Takes an engine off its thread: when this returns 0 it does not run any more. -ENOENT, or
 * -ETIMEDOUT if a thread does not come round. */
int group_remove(struct group *group, struct engine *engine);
/* The same for several, in the time that the slowest takes. The first error, and in `errors` what
 * became of each: those with 0 are on a thread now, or off it, whatever became of the others. At
 * most GROUP_ENGINES_MAX. */
int group_add_all(struct group *group, struct engine *const *engines, uint32_t count, int *errors);
int group_remove_all(struct group *group, struct engine *const *engines, uint32_t count,
                     int *errors);

/* For engines that are to miss no more than a message between threads when they come or go: threads
 * that group_remove would end stay, without an engine, and so do those made ahead, until
 * group_trim. */
void group_keep_threads(struct group *group);
/* Makes the threads now that so many more engines need, beside those that it has; group_add takes
 * them in this order. 0, or as of group_add. */
int group_prepare(struct group *group, struct engine *const *engines, uint32_t count);
/* Ends the threads that no engine needs. */
void group_trim(struct group *group);

/* Fills `stats` for up to `max` threads and returns how many there are. */
uint32_t group_threads(const struct group *group, struct group_thread_stats *stats, uint32_t max);

/* What the rebalancer of a compacting group has decided. Any thread. */
const struct decisions *group_decisions(const struct group *group);

#endif
