/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread of an engine group: it gives each of its engines a turn (mailbox, then run with its
 * budget), round after round, and sleeps when its mode lets it.
 *
 * Sleeping: the thread arms its own mailbox, then every engine and its mailbox; each looks at its
 * inputs once more. If any has work, all are disarmed and the round goes on. Otherwise it waits on
 * its epoll descriptor, which holds its mailbox and every engine's own epoll descriptor, until the
 * nearest deadline.
 *
 * Ownership: the group owns workers; a worker borrows its engines.
 * Threads: the functions here are for control. `engines`, `count` and
 * `stopping` are the thread's own, reached by control only as mailbox work. `stats` is written by
 * the thread and read by any.
 */
#ifndef SCHED_WORKER_H
#define SCHED_WORKER_H

#include "sched/group.h"
#include "sched/mode.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

struct worker {
    const struct group_config *config; /* the group's copy */
    struct mailbox mailbox;
    int epoll_fd;
    pthread_t thread;
    sem_t started; /* posted once thread_start has answered */
    int start_error;
    struct engine *engines[GROUP_ENGINES_MAX];
    uint32_t count;
    bool stopping;
    struct quanta quanta; /* the thread's, see there */
    struct {
        _Atomic int tid;
        _Atomic uint64_t sleeps;
        _Atomic uint64_t wakes_event;
        _Atomic uint64_t wakes_deadline;
        _Atomic uint64_t busy_ns;
        _Atomic uint32_t engines;
    } stats;
};

/* Starts a thread. `config` outlives it; `index` numbers it within its group. 0, or a negative
 * errno: also what config->thread_start said; then nothing is left. */
int worker_start(struct worker *worker, const struct group_config *config, uint32_t index);
/* Ends and joins it; it must have no engine left. */
void worker_stop(struct worker *worker);

/* Hands an engine to the thread: 0, -ENOSPC, what epoll_ctl said, or -ETIMEDOUT if the thread did
 * not come round. */
int worker_add(struct worker *worker, struct engine *engine);
/* Takes it away: 0, -ENOENT or -ETIMEDOUT. */
int worker_remove(struct worker *worker, struct engine *engine);

#endif
