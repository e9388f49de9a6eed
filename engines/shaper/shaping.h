/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The shaping of one port: its members' gates, the tree of classes in use, and how another one
 * takes its place while packets go through.
 *
 * A new policy is built here into a tree beside the old one. The shaper goes over to it through its
 * mailbox, which is the matter of one pointer, and moves the packets that wait, some at a time,
 * into the new tree; members go over by themselves between two bursts. Once all have given the old
 * tree back it is freed; until then there is no third one. No packet is lost or left behind, what
 * was saved up in a bucket stays with the class of that name, and so do its counters.
 *
 * Ownership: control's; it borrows the fan. The engine and the members end first. Threads:
 * control's, but for what is marked as the shaper's.
 */
#ifndef ENGINES_SHAPER_SHAPING_H
#define ENGINES_SHAPER_SHAPING_H

#include "engines/shaper/gate.h"
#include "engines/shaper/tree.h"
#include "engines/steer/fan.h"
#include "sched/engine.h"

struct shaping;

/* A packet pool has room for more than what waits here: for what flows keep until it is
 * acknowledged, and for what is received. */
#define SHAPING_POOL_PART 4u /* of a pool's packets one in so many may wait */

struct shaping_config {
    struct fan *fan;
    uint32_t members; /* the rest, if there is one, included */
    const struct shape *policy;
    uint8_t key[GATE_KEY_BYTES]; /* random, for the gates' tables */
};

/* How many packets of this pool may wait. */
uint32_t shaping_packets(uint32_t pool_packets);

/* 0, -EINVAL (no possible policy: shape_plan says why; or more leaves than a quarter of the pool
 * has packets for, one for each and each member; or a burst that no two frames of the port fit
 * into), -ENOMEM, or a negative errno. */
int shaping_create(struct shaping **shaping, const struct shaping_config *config);
/* NULL is fine. */
void shaping_destroy(struct shaping *shaping);

struct port *shaping_port(struct shaping *shaping, uint32_t member);
struct fan *shaping_fan(const struct shaping *shaping);
/* The tree that control has set last. */
const struct tree *shaping_tree(const struct shaping *shaping);

/* Has the engine go over to another policy. 0; or all is as it was: as shaping_create, or
 * -ETIMEDOUT: the engine does not answer within `timeout_ns`, or another engine on the port has not
 * taken up the policy before. */
int shaping_replace(struct shaping *shaping, struct engine *engine, const struct shape *policy,
                    uint64_t timeout_ns);
/* The same in steps, for whoever must not wait: a tree, which the engine then adopts (shaper.h) and
 * shaping_settle is told of, or which is given up. As shaping_create, or -EBUSY: an engine on the
 * port has not taken up the policy before. */
int shaping_prepare(struct shaping *shaping, const struct shape *policy, struct tree **tree);
void shaping_settle(struct shaping *shaping, struct tree *tree);
void shaping_give_up(struct shaping *shaping, struct tree *tree);

/* ---- The shaper's side ---- */

/* The tree that an engine begins with. */
struct tree *shaping_first(struct shaping *shaping);
/* Offers all members a tree. */
void shaping_offer(struct shaping *shaping, struct tree *tree);
/* The tree before is empty. */
void shaping_moved(struct shaping *shaping, struct tree *tree);
/* Rings those members whose bit is set. */
void shaping_turn(struct shaping *shaping, uint32_t members);
uint32_t shaping_members(const struct shaping *shaping);

#endif
