/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree of classes at work: packets wait in its leaves, and it says which one leaves next.
 *
 * Going down from the root, at each class the children of the lowest priority number go first that
 * have something and may send. Among those the one whose start tag is least: start-time fair
 * queueing (Goyal, Vin and Cheng, SIGCOMM'96), by which a class that was short of packets for a
 * moment, since its sender is on another thread, does not lose what is due to it. A class may send
 * while its bucket holds a packet of the largest size; so it never exceeds its burst, and a parent
 * bounds the sum of its children. One that may not waits on the wheel.
 *
 *   root            may it? ----> priority 0: [control]
 *                                 priority 1: [gold: tag 7] [silver: tag 9]   <- least tag
 *
 * What outlives a tree lies in slots, one for each class by its name: the bucket and the counters.
 * The next tree's class of the same name has the same slot.
 *
 * Room. Each of `members` senders may have `quota` packets in a leaf: as many as leave in
 * TREE_WAIT_NS at the least rate on the way up. A leaf whose own bucket is empty is shut: what
 * cannot leave is not made. So packets wait for their turn here, and for their time where they come
 * from. The sender counts what it sent, the tree what left (negative for what was put in from an
 * older tree); each number has one writer.
 *
 * Ownership: control makes and frees trees and slots; the tree owns the packets in it. Nothing is
 * allocated while it works. Threads: the shaper's; tree_leaf, tree_room and tree_sent a member's at
 * the same time, each for itself. Counters of slots: any, relaxed.
 */
#ifndef ENGINES_SHAPER_TREE_H
#define ENGINES_SHAPER_TREE_H

#include "engines/shaper/shape.h"
#include "engines/shaper/token_bucket.h"
#include "engines/wheel.h"

#include <rte_mbuf.h>

#define TREE_SLOTS_MAX (2 * SHAPE_PLACES_MAX) /* classes of two trees without a common name */
#define TREE_WAIT_NS   500000u /* far below what flows take for loss, far above a wake-up */
#define TREE_QUOTA_MAX 32u     /* packets: two bursts */
#define TREE_QUOTA_MIN 2u      /* without a rate of its own: one leaves, one is behind it */

struct tree;

/* What is known of a class whatever becomes of the tree. */
struct tree_slot {
    /* Published by the shaper: of the name that it is for. Who sees it sees the name's counters. */
    uint64_t serial;
    /* The shaper's. */
    uint32_t generation;
    struct token_bucket bucket;
    uint64_t counted_ns;
    /* Shared, written by the shaper. */
    uint64_t packets, bytes; /* that left; bytes on the wire */
    uint64_t delayed_ns;     /* that they waited, summed */
    uint64_t shut;           /* how often the bucket was empty */
    uint64_t queued;         /* packets, now */
    uint64_t tokens;         /* bytes, when it last sent */
};

/* Where a class finds its slot. */
struct tree_lease {
    uint32_t slot;
    uint64_t serial;
};

struct tree_config {
    const struct shape *policy;
    const struct shape_plan *plan;
    const struct tree_lease *leases; /* by place */
    struct tree_slot *slots;
    uint32_t members;
    uint32_t packets_max; /* of all leaves and members together */
    uint32_t frame_max;   /* bytes on the wire of the largest frame */
    uint16_t generation;
};

/* 0, -EINVAL (fewer packets than leaves times members), or -ENOMEM. */
int tree_create(struct tree **tree, const struct tree_config *config);
/* Frees the packets in it too; no timer of it is on a wheel. NULL is fine. */
void tree_destroy(struct tree *tree);

uint16_t tree_generation(const struct tree *tree);
/* Its timers go on this wheel from now on, and it counts; until it ends. */
void tree_begin(struct tree *tree, struct wheel *wheel, uint64_t now);
void tree_end(struct tree *tree);

/* ---- A member's side ---- */

/* The leaf that a packet is for: a walk over all rules. */
uint16_t tree_leaf(const struct tree *tree, const struct packet_tag *tag,
                   const struct packet_way *way);
/* How many packets more the member may send to the leaf now. */
uint32_t tree_room(const struct tree *tree, uint32_t member, uint16_t leaf);
/* It sends one. */
void tree_sent(struct tree *tree, uint32_t member, uint16_t leaf);

/* ---- The shaper's ---- */

/* A packet whose tag says leaf, generation (else leaf is found anew) and member. */
void tree_push(struct tree *tree, struct rte_mbuf *packet, uint64_t now);
/* The next packet that may leave, or NULL. */
struct rte_mbuf *tree_pop(struct tree *tree, uint64_t now);
/* Something may leave. */
bool tree_pending(const struct tree *tree);
uint32_t tree_queued(const struct tree *tree);
/* Since it was last asked a leaf that was shut has opened. */
bool tree_opened(struct tree *tree);
/* Empties up to `max` classes of a tree that has ended into another one, in which their packets are
 * found their leaves anew; false once there is none left. */
bool tree_move(struct tree *from, struct tree *to, uint32_t max, uint64_t now);

/* ---- Anybody's, while it exists ---- */

uint32_t tree_places(const struct tree *tree);
uint32_t tree_frame_max(const struct tree *tree);
/* A class's slot, brought up to date by the shaper's thread alone. */
struct tree_slot *tree_touch(struct tree *tree, uint16_t place, uint64_t now);
/* The same for who must not write: what it would be. */
struct tree_slot tree_look(const struct tree *tree, uint16_t place, uint64_t now);
const char *tree_name(const struct tree *tree, uint16_t place);

/* What operators see of a class. */
struct tree_view {
    struct shape_class class;
    uint32_t level;
    bool leaf;
    uint32_t quota; /* of each member, packets; 0 of what is no leaf */
    uint64_t packets, bytes, delayed_ns, shut, queued, tokens;
};
void tree_view(const struct tree *tree, uint16_t place, struct tree_view *view);

/* Reads a packet's way from its frame. */
void tree_way(const struct rte_mbuf *packet, struct packet_way *way);

#endif
