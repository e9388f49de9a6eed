/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Fair shares of a thread's time among its engines.
 *
 * Fair in time used, not in turns: the next turn is that of the engine that has used the least of
 * late. So one that spends its whole budget in each turn gets no more of the thread than one that
 * wants as much in small pieces; the latter has more turns.
 *
 * What an idle engine did not use is not saved up: a turn that finds nothing is not charged, and
 * brings the engine level with the one that has used the least among those that have work. So it is
 * looked at again after one turn of each other engine at most, and when work has come to it, it
 * gets ahead of nobody. Among equals it is the turn of whoever had none for longest; when all are
 * idle, all are equal.
 *
 * Pure: no clock, no memory of its own. Ownership: the caller's array. Threads: one.
 *
 * Source: start-time fair queueing, as in schedulers of processors, with equal weights.
 */
#ifndef SCHED_SHARE_H
#define SCHED_SHARE_H

#include <stdbool.h>
#include <stdint.h>

struct share {
    uint64_t used_ns; /* comparable with the others' alone */
    uint64_t turn;    /* the number of its last turn */
    bool hungry;      /* that found work, or it had none yet */
};

/* Whose turn it is, out of `count`, at least 1. */
uint32_t share_next(const struct share *shares, uint32_t count);

/* The engine at `at` had turn number `turn`, numbers of which grow: it used `used_ns` and found
 * work, or found none. */
void share_charge(struct share *shares, uint32_t count, uint32_t at, uint64_t turn,
                  uint64_t used_ns, bool work);

/* Fills in the last of `count`: an engine that has just come, level with those that have work. */
void share_join(struct share *shares, uint32_t count);

#endif
