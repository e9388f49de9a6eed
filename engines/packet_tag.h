/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A packet's tag: on whose behalf it is sent. It travels in the mbuf from the engine that makes the
 * packet to the one that decides when it leaves (engines/shaper), and ends there.
 *
 * Only packets to be sent through a port with tx_room_for have one; a clone has its original's. The
 * tag of any other packet is garbage.
 *
 * Ownership: it lies in the mbuf. Threads: of whoever has the packet. packet_tag_init is control's.
 * Trust: it is written by engines, never taken from the wire.
 */
#ifndef ENGINES_PACKET_TAG_H
#define ENGINES_PACKET_TAG_H

#include "engines/address.h"

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <stdint.h>

enum packet_kind {
    PACKET_CONTROL, /* no session's: acknowledgements, greetings, answers */
    PACKET_SESSION,
    PACKET_KERNEL, /* passed on for the kernel; their way does not matter */
};

struct packet_tag {
    struct rte_mbuf *next; /* behind it in the queue it is in */
    uint32_t session;      /* the low half of its number, which is never reused; 0: none */
    uint32_t uid;          /* of the session's user */
    uint16_t leaf;         /* where the port has it go, as of tx_room_for */
    uint16_t generation;   /* of the policy by which `leaf` was found */
    uint8_t kind;          /* enum packet_kind */
    uint8_t member;        /* of the fan, that sent it */
};

/* Where a packet goes, as far as it matters for who may send when. */
struct packet_way {
    struct address peer; /* all 0: not by IP */
    uint8_t dscp;
};

extern int packet_tag_offset; /* into the mbuf */

/* Reserves the place in every mbuf, once for the process; EAL is initialised. 0 or a negative
 * errno. */
int packet_tag_init(void);

static inline struct packet_tag *packet_tag(struct rte_mbuf *packet)
{
    return RTE_MBUF_DYNFIELD(packet, packet_tag_offset, struct packet_tag *);
}

#endif
