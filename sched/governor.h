/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The governor of real-time engine threads: one thread per process, one real-time priority above
 * them, that does what they cannot do for themselves.
 *
 * - One that has stepped back and gets no CPU is raised again when its time has come: each has a
 *   timer, which it sets itself.
 * - One that hangs in one turn, and so never looks at its budget, is put back until it comes round.
 *   For that the governor looks at threads that are awake, some times in ten milliseconds; as soon
 *   as all are asleep it sleeps as well, without any timer.
 *
 * Ownership: the first thread that joins makes the governor, the last that parts ends it. So it has
 * the capabilities and the blocked signals of an engine thread, and there is none where no thread
 * has a budget.
 * Threads: governor_join and governor_part on the thread in question, outside of turns; they wait
 * for a lock (with priority inheritance) that the governor holds for some system calls at a time.
 * The others take none.
 */
#ifndef SCHED_GOVERNOR_H
#define SCHED_GOVERNOR_H

#include "sched/quanta.h"

/* A turn takes 50 us, a round of the most engines on one thread 3.2 ms. */
#define GOVERNOR_GUARD_NS (10 * NSEC_PER_MSEC)

/* 0 or a negative errno: -EPERM if it may not have its priority. */
int governor_join(struct quanta *quanta);
void governor_part(struct quanta *quanta);
/* Raises the thread at a time, now if that is past. 0 or a negative errno. */
int governor_alarm(const struct quanta *quanta, uint64_t at_ns);
/* A thread is awake. */
void governor_guard(void);

/* What it does, apart from when: its thread alone calls these. */
void governor_ring(struct quanta *quanta);
/* Whether the thread has to be looked at again. */
bool governor_watch(struct quanta *quanta, uint64_t now_ns);

#endif
