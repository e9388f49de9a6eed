/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/budget.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t budget_charge(const struct budget *budget, uint64_t paid_ns, uint64_t since_ns,
                       uint64_t now_ns)
{
    uint64_t used = now_ns > since_ns ? now_ns - since_ns : 0;
    uint64_t whole = used / budget->runtime_ns, part = used % budget->runtime_ns;
    uint64_t latest = now_ns + larger(BUDGET_DEBT_MAX_NS, budget->period_ns);
    uint64_t paid;

    /* In two steps, as the product of a long use and a period does not fit. */
    paid = larger(paid_ns, since_ns) + whole * budget->period_ns +
           part * budget->period_ns / budget->runtime_ns;
    return paid < latest ? paid : latest;
}

uint64_t budget_left(const struct budget *budget, uint64_t paid_ns, uint64_t now_ns)
{
    uint64_t debt = paid_ns > now_ns ? paid_ns - now_ns : 0;
    uint64_t rest = budget->period_ns - budget->runtime_ns;

    if (debt >= rest)
        return 0;
    return budget->runtime_ns - budget->runtime_ns * debt / rest;
}
