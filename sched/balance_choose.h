/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the two halves of the rebalancer share: balance.c says who is late and how loaded everybody
 * is, balance_choose.c what is to move. Nobody else includes this.
 */
#ifndef SCHED_BALANCE_CHOOSE_H
#define SCHED_BALANCE_CHOOSE_H

#include "sched/balance.h"

#define BALANCE_CORE 1000u /* the load of a core that is busy all the time */
/* The least time that a thread has after engines came or went: ten turns of a full budget, in which
 * it goes round and works off what waited during the hand-over. */
#define BALANCE_PASS_NS (10 * ENGINE_BUDGET_NS)

/* Lateness on a thread does not count for so long. */
void balance_pass(struct balance *balance, uint32_t thread, uint64_t now, uint64_t ns);
/* Whether two looks have said that the engine is late. */
bool balance_certain(const struct balance *balance, uint32_t engine);
/* Ends the short window, unless it has only just begun. */
void balance_measure(struct balance *balance, uint64_t now, uint32_t count);
/* Steady loads are new: says of merges that may have failed whether they have. */
void balance_judge(struct balance *balance, uint64_t now, uint32_t count);
/* The moves of this look, as balance_decide answers them. */
uint32_t balance_choose(struct balance *balance, uint64_t now, const struct balance_engine *engines,
                        uint32_t count, struct balance_move *moves, uint32_t max);

#endif
