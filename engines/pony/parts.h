/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets that arrive in parts: where they are put together.
 *
 * A sender sends a packet in parts only if it was made before the path became narrower, so this is
 * rare, and there are few places. An owner, which is a flow, has at most PARTS_SHARE of them: the
 * sender has no more such packets under way, and whoever exceeds that loses its own oldest. When no
 * place is free, the host whose flows have most gives way to one whose flows have at least two
 * less, so that a host cannot gain by having many; or else the packet that has waited longest, if
 * it has waited for PARTS_AGE_NS. A part without a place is dropped, as if the network had. What
 * has arrived of a packet stays when its sender repeats the rest.
 *
 * Ownership: embedded in the transport; memory is allocated by parts_init. Threads: the engine's.
 * Trust: the peer's word is checked by the wire's codec (slices of whole units, inside the whole)
 * and here (room, one length for each packet). Repeated and overlapping slices do no harm: they
 * are authentic, and what counts is which units are there. Loops are bounded by PARTS_PLACES.
 */
#ifndef ENGINES_PONY_PARTS_H
#define ENGINES_PONY_PARTS_H

#include "engines/pony/wire.h"

#define PARTS_PLACES 64u
#define PARTS_SHARE  8u            /* packets of one owner */
#define PARTS_AGE_NS 1000000000ull /* several of the longest retransmission time-outs */
#define PARTS_WORDS  (65536u / WIRE_PART_UNIT / 64u)

struct parts_place {
    const void *owner; /* NULL: free */
    const void *host;
    uint64_t since_ns;
    uint32_t seq;
    uint16_t total;             /* bytes */
    uint16_t missing;           /* units */
    uint64_t have[PARTS_WORDS]; /* a bit for each unit */
    uint8_t *bytes;
};

struct parts {
    uint32_t room; /* bytes of the largest whole */
    uint32_t used; /* places */
    uint8_t *memory;
    struct parts_place places[PARTS_PLACES];
};

/* 0 or -ENOMEM. */
int parts_init(struct parts *parts, uint32_t room);
void parts_fini(struct parts *parts);

/* Takes `bytes` of a slice from an owner of a host, which lies in the whole as the codec checked.
 * Returns the whole, of part->total bytes, if it is complete: its bytes stay until the next call,
 * also once it is dropped. */
const uint8_t *parts_take(struct parts *parts, const void *host, const void *owner, uint32_t seq,
                          const struct wire_part *part, const uint8_t *slice, uint32_t bytes,
                          uint64_t now);
/* Forgets what there is of a packet; of all of an owner. */
void parts_drop(struct parts *parts, const void *owner, uint32_t seq);
void parts_drop_all(struct parts *parts, const void *owner);

#endif
