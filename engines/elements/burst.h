/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What receive elements work on: an array of packets, and beside it one of what was read from them.
 *
 * An element is a step on one packet that either takes its header off (the data offset moves past
 * it, its fields go to the metadata) or refuses the packet for a reason. Over a burst it keeps what
 * it accepted at the front, in order, and gives the rest back.
 *
 * Ownership: the packets stay the caller's; refused ones are listed for it to count and to free.
 * Threads: one. Trust: every byte of a packet is hostile. Steps read a header by copying it once,
 * never write to a packet's data (it may be shared with its sender on an in-process wire), and
 * believe no length before comparing it with the bytes that are there.
 */
#ifndef ENGINES_ELEMENTS_BURST_H
#define ENGINES_ELEMENTS_BURST_H

#include "engines/address.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdint.h>

#define BURST_MAX       64u /* packets in one call of an element */
#define PACKET_VLAN_MAX 2u  /* tags of one packet: a customer's in a provider's (802.1ad) */

/* Why a packet is refused. */
enum refusal {
    REFUSAL_NONE,
    REFUSAL_SEGMENTS,         /* in several segments that do not fit into the first */
    REFUSAL_ETH_SHORT,        /* no whole Ethernet header */
    REFUSAL_ETH_GROUP,        /* sent to a link-layer group (RFC 1122 section 3.3.6) */
    REFUSAL_ETH_STATION,      /* sent to another station: the link hears more than its own */
    REFUSAL_ETH_SOURCE,       /* a link-layer source that cannot be answered: a group, or zero */
    REFUSAL_ETH_TYPE,         /* neither IPv4 nor IPv6 */
    REFUSAL_VLAN_SHORT,       /* no whole tag */
    REFUSAL_VLAN_ID,          /* the reserved number 4095 */
    REFUSAL_VLAN_DEPTH,       /* more than PACKET_VLAN_MAX tags */
    REFUSAL_IPV4_SHORT,       /* no whole header */
    REFUSAL_IPV4_VERSION,     /* not 4 */
    REFUSAL_IPV4_IHL,         /* header length below 20 or beyond the frame */
    REFUSAL_IPV4_LENGTH,      /* total length below the header's or beyond the frame */
    REFUSAL_IPV4_CHECKSUM,    /* header checksum */
    REFUSAL_IPV4_FRAGMENT,    /* a fragment, or the reserved flag set */
    REFUSAL_IPV4_SOURCE,      /* a source that cannot be answered */
    REFUSAL_IPV6_SHORT,       /* no whole header */
    REFUSAL_IPV6_VERSION,     /* not 6 */
    REFUSAL_IPV6_LENGTH,      /* payload length beyond the frame */
    REFUSAL_IPV6_NEXT_HEADER, /* an extension header, or a protocol that is not UDP */
    REFUSAL_IPV6_SOURCE,      /* a source that cannot be answered */
    REFUSAL_IPV6_MAPPED,      /* an IPv4-mapped address, which would pass for an IPv4 peer's */
    REFUSAL_IP_PROTOCOL,      /* IPv4 carrying something that is not UDP */
    REFUSAL_UDP_SHORT,        /* no whole header */
    REFUSAL_UDP_LENGTH,       /* not exactly the IP payload */
    REFUSAL_UDP_CHECKSUM,     /* present and wrong */
    REFUSAL_COUNT,
};

/* What the headers of an accepted packet said. */
struct packet_meta {
    struct address src;
    struct address dst;
    struct rte_ether_addr src_mac; /* of the last hop */
    struct rte_ether_addr dst_mac;
    uint16_t src_port;
    uint16_t dst_port;
    uint16_t ether_type;            /* host order, behind the tags */
    uint16_t vlan[PACKET_VLAN_MAX]; /* identifiers, outermost first */
    uint8_t vlan_tags;              /* how many of them */
    uint8_t protocol;               /* IPPROTO_UDP */
    uint8_t dscp;                   /* 0 to 63 */
    uint8_t ecn;                    /* 0 to 3 (RFC 3168) */
};

struct refused {
    uint16_t count;
    struct rte_mbuf *packets[BURST_MAX];
    uint8_t reasons[BURST_MAX]; /* enum refusal */
};

typedef enum refusal (*burst_step)(struct rte_mbuf *packet, struct packet_meta *meta);

static inline void burst_refuse(struct refused *refused, struct rte_mbuf *packet,
                                enum refusal reason)
{
    refused->packets[refused->count] = packet;
    refused->reasons[refused->count] = (uint8_t)reason;
    refused->count++;
}

/* Applies a step to each packet; returns how many it accepted. `refused` has room for all. */
static __rte_always_inline uint16_t burst_filter(burst_step step, struct rte_mbuf **packets,
                                                 struct packet_meta *metas, uint16_t count,
                                                 struct refused *refused)
{
    uint16_t kept = 0;

    for (uint16_t i = 0; i < count; i++) {
        enum refusal reason = step(packets[i], &metas[i]);

        if (unlikely(reason != REFUSAL_NONE)) {
            burst_refuse(refused, packets[i], reason);
            continue;
        }
        if (unlikely(kept != i)) {
            packets[kept] = packets[i];
            metas[kept] = metas[i];
        }
        kept++;
    }
    return kept;
}

#endif
