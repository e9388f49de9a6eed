/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A shaping policy: classes that form a tree, and which packets each leaf is for.
 *
 * There are always a root, over all; `control`, for what belongs to no session, before all others
 * and bounded by the root alone; and `default`, for what no rule names. A policy may say what the
 * root and `default` may do.
 *
 * Plain data; any thread. Trust: the daemon's configuration, already checked; shape_plan checks
 * again all that memory depends on.
 */
#ifndef ENGINES_SHAPER_SHAPE_H
#define ENGINES_SHAPER_SHAPE_H

#include "engines/address.h"
#include "engines/packet_tag.h"

#include <stdbool.h>
#include <stdint.h>

#define SHAPE_NAME_BYTES 32u                                 /* with the final NUL */
#define SHAPE_DEPTH_MAX  4u                                  /* levels below the root */
#define SHAPE_LISTED_MAX 2048u                               /* classes of a policy */
#define SHAPE_PLACES_MAX (SHAPE_LISTED_MAX + SHAPE_BUILT_IN) /* and the built-in ones */
#define SHAPE_RULES_MAX  4096u
#define SHAPE_BANDS      8u /* priorities a policy may use, 0 the first */
#define SHAPE_WEIGHT_MAX 1000u

#define SHAPE_ROOT     0u /* places of the classes that are always there */
#define SHAPE_CONTROL  1u
#define SHAPE_DEFAULT  2u
#define SHAPE_BUILT_IN 3u

/* What an Ethernet link adds to each frame as DPDK counts it: checksum, preamble and the gap
 * between frames (IEEE 802.3); and how short no frame is. */
#define SHAPE_FRAME_CRC 4u
#define SHAPE_FRAME_GAP 20u
#define SHAPE_FRAME_MIN 64u

/* Bytes that a frame takes on the wire. */
static inline uint32_t shape_wire_bytes(uint32_t frame)
{
    uint32_t bytes = frame + SHAPE_FRAME_CRC;

    return (bytes < SHAPE_FRAME_MIN ? SHAPE_FRAME_MIN : bytes) + SHAPE_FRAME_GAP;
}

struct shape_class {
    char name[SHAPE_NAME_BYTES];
    char parent[SHAPE_NAME_BYTES]; /* "": the root */
    uint64_t rate;                 /* bytes per second; 0: no bound but those above it */
    uint64_t burst;                /* bytes, with a rate */
    uint32_t weight;               /* among siblings of its priority */
    uint8_t priority;              /* among siblings; the lower goes first */
};

/* All that are given have to be met. Packets of the kernel's are of one class, wherever they go:
 * room is asked for before they are seen. So they meet none with a peer or a DSCP. */
struct shape_rule {
    uint16_t entry; /* position of the class in the list that the packet is then of */
    bool has_session, has_uid, has_peer, has_dscp, has_kernel;
    uint32_t session, uid;
    struct address peer;
    uint8_t prefix; /* bits of the 128 */
    uint8_t dscp;
};

struct shape {
    const struct shape_class *classes;
    uint32_t class_count;
    const struct shape_rule *rules; /* the first that is met counts */
    uint32_t rule_count;
};

/* Where each class of a policy is: */
struct shape_plan {
    uint16_t place[SHAPE_LISTED_MAX];  /* of a listed class */
    uint16_t parent[SHAPE_PLACES_MAX]; /* by place: a place */
    uint8_t level[SHAPE_PLACES_MAX];   /* of the root 0 */
    bool inner[SHAPE_PLACES_MAX];      /* it has children */
    uint32_t places, leaves;
};

enum shape_fault {
    SHAPE_FINE,
    SHAPE_TOO_MANY,
    SHAPE_TWICE,     /* two of one name */
    SHAPE_RESERVED,  /* "control" */
    SHAPE_NO_PARENT, /* there is no class of that name, or it is a built-in one */
    SHAPE_ROOT_KEYS, /* the root has a parent, or rules */
    SHAPE_CYCLE,     /* it is below itself */
    SHAPE_TOO_DEEP,
    SHAPE_INNER_RULE, /* a class with children has rules */
};

/* Finds the places; at a fault *entry says which class of the list. */
enum shape_fault shape_plan(const struct shape *policy, struct shape_plan *plan, uint32_t *entry);
/* What the fault is, in words that follow the class's name. */
const char *shape_fault_text(enum shape_fault fault);

/* Whether a packet with this tag and way meets the rule. */
bool shape_rule_met(const struct shape_rule *rule, const struct packet_tag *tag,
                    const struct packet_way *way);

#endif
