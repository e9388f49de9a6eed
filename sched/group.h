/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine group: engines and the threads that run them.
 *
 * Ownership: the group borrows its engines; they outlive their membership. Control owns the group.
 * Threads: every function here but group_threads is for control, one thread at a time. Engines are
 * handed to and from a group's thread as mailbox work on that thread, never under a lock.
 *
 * A mode is a table of functions (struct group_mode, mode.h) that places engines on threads and
 * decides when a thread sleeps. Engines of a group live by the machine's clock.
 */
#ifndef SCHED_GROUP_H
#define SCHED_GROUP_H

#include "sched/engine.h"
#include "sched/quanta.h"

#include <sched.h>
#include <stdint.h>

#define GROUP_NAME_BYTES  32u
#define GROUP_ENGINES_MAX 64u
#define GROUP_THREADS_MAX 64u

struct group_mode;
/* Spins: engines share the group's threads, which never sleep. */
extern const struct group_mode group_mode_dedicated;
/* Sleeps when idle: a thread waits for doorbells, mailboxes and ports, until the next deadline. */
extern const struct group_mode group_mode_spreading;
/* By its configuration name ("dedicated", "spreading"); NULL if unknown. */
const struct group_mode *group_mode_by_name(const char *name);
const char *group_mode_name(const struct group_mode *mode);

struct group_config {
    char name[GROUP_NAME_BYTES];
    const struct group_mode *mode;
    cpu_set_t cpus;              /* where threads may run; empty: anywhere */
    uint32_t threads;            /* 0: one per CPU in `cpus`, 1 if that is empty */
    uint64_t idle_ns;            /* how long a thread finds nothing before it sleeps; 0: 20 us */
    struct quanta_config quanta; /* what threads ask of the kernel's scheduler */
    /* Called on each new thread before it runs engines, and before it ends: registers it with
     * whatever the engines use. May be NULL. Start answers 0 or a negative errno. */
    int (*thread_start)(void *arg);
    void (*thread_stop)(void *arg);
    void *arg;
};

struct group_thread_stats {
    int tid;
    uint64_t sleeps;
    uint64_t wakes_event;    /* a descriptor woke it */
    uint64_t wakes_deadline; /* its deadline passed */
    uint64_t busy_ns;
    uint32_t engines;
    struct quanta_stats quanta;
};

struct group;

/* Starts the threads. 0, -EINVAL, -ENOMEM, or what thread_start said. */
int group_create(struct group **group, const struct group_config *config);
/* Stops and joins the threads. All engines must be gone. NULL is fine. */
void group_destroy(struct group *group);

/* Puts an engine on a thread; it runs from now on. 0, -ENOSPC, -EEXIST, or -ETIMEDOUT if the thread
 * does not come round. */
int group_add(struct group *group, struct engine *engine);
/* Takes an engine off its thread: when this returns 0 it does not run any more. -ENOENT, or
 * -ETIMEDOUT if the thread does not come round. */
int group_remove(struct group *group, struct engine *engine);

/* Fills `stats` for up to `max` threads and returns how many there are. Any thread. */
uint32_t group_threads(const struct group *group, struct group_thread_stats *stats, uint32_t max);

#endif
