/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of a share: `runtime` of each `period`, as a debt that time pays off.
 *
 * A CPU's debt is one word: the time at which all that was used on it is paid. Using `runtime` from
 * no debt puts it a period after the start, which leaves `period - runtime` to wait: the rest that
 * others get. So in any stretch of time no more than `runtime` and the share of that stretch is
 * used, whoever used it, in however many pieces, and users of one CPU may have different shares.
 * It is the generic cell rate algorithm (ITU-T I.371) with CPU time in the place of cells.
 *
 * Threads: pure. Times are in ns.
 */
#ifndef SCHED_BUDGET_H
#define SCHED_BUDGET_H

#include "sched/clock.h"

#include <stdint.h>

/* Debts beyond this, and beyond a period, are forgiven: a thread that hung has been dealt with. */
#define BUDGET_DEBT_MAX_NS (20 * NSEC_PER_MSEC)

struct budget {
    uint64_t runtime_ns, period_ns; /* 0 < runtime < period, the latter at most a second */
};

/* When the debt is paid, which before was `paid_ns`, after a use from `since_ns` to `now_ns`. */
uint64_t budget_charge(const struct budget *budget, uint64_t paid_ns, uint64_t since_ns,
                       uint64_t now_ns);
/* For how long, from `now_ns` on, there is something left to use; 0: the rest belongs to others
 * until `paid_ns`. */
uint64_t budget_left(const struct budget *budget, uint64_t paid_ns, uint64_t now_ns);

#endif
