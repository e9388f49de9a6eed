/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The leader of a compacting group: its first thread, which looks now and then how long the
 * engines' work waits, decides (balance.h) which engine is to go to which thread, and has the
 * threads do it.
 *
 * It works between two turns of its thread's own engines. What it looks at are words that others
 * write as they run; what it wants it says by message (worker.h), one at a time for each engine:
 * the message goes to the thread that has the engine, on with the engine to the thread that is to
 * have it, and back. So the leader knows where every engine is, and nobody waits for anybody.
 *
 * When control changes the group, it holds the leader: no move is begun, and those under way come
 * to their end. Until it is released the leader's state is control's. Releasing it takes nobody's
 * answer, so that a thread that hangs just then cannot leave it held.
 *
 * Ownership: the group owns it, and the worker that carries it ends first. It borrows threads and
 * engines. Threads: as marked.
 */
#ifndef SCHED_LEADER_H
#define SCHED_LEADER_H

#include "sched/balance.h"
#include "sched/decisions.h"
#include "sched/group.h"

#include <stdbool.h>
#include <stdint.h>

struct leader;
struct worker;

/* ---- Control ---- */

/* Without threads and engines, and held; it writes down what it decides. 0, -EINVAL or -ENOMEM.
 * `threads` of the configuration does not matter: it is as many as are added. */
int leader_create(struct leader **leader, const struct balance_config *config,
                  struct decisions *decisions);
/* Its thread has ended. NULL is fine. */
void leader_destroy(struct leader *leader);

/* Holds the leader on thread `first`: 0; or -ETIMEDOUT, and it is not held, if that thread or one
 * that takes part in a move does not come round. */
int leader_hold(struct worker *first);
/* It goes on, as soon as thread `first` comes round. */
void leader_release(struct worker *first);

/* Only while it is held. */
int leader_configure(struct leader *leader, const struct balance_config *config);
/* One more thread; the first one is that which carries the leader. */
void leader_add_thread(struct leader *leader, struct worker *worker);
/* One more engine, which is on the thread at this position. */
void leader_add(struct leader *leader, struct engine *engine, uint32_t thread);
void leader_remove(struct leader *leader, const struct engine *engine);
/* The thread that has it; NULL: it is not of this group. */
struct worker *leader_find(const struct leader *leader, const struct engine *engine);

/* ---- Its thread ---- */

/* Is it time to look? */
bool leader_due(const struct leader *leader, uint64_t now);
/* Between two turns: looks, if it is time, and returns how many engines are sent for. */
uint32_t leader_look(struct leader *leader, uint64_t now);
/* When its thread is to wake from a sleep for the sake of the others. */
uint64_t leader_deadline(const struct leader *leader, uint64_t now);
/* Its thread slept until now. */
void leader_woke(struct leader *leader, uint64_t now);
/* A move has come to its end; engine->move says how. */
void leader_moved(struct leader *leader, const struct engine *engine);

#endif
