/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: the IPv6 header (RFC 8200).
 *
 * Receive: contiguous packets that begin with the header; UDP must follow at once, so extension
 * headers (fragments, jumbograms, routing) are refused. Cuts off what lies behind the payload
 * length. An IPv4-mapped address on the wire would pass for that of an IPv4 peer above, so it is
 * refused too (RFC 4942 section 2.2). Transmit: writes a header with flow label 0.
 */
#ifndef ENGINES_ELEMENTS_IPV6_H
#define ENGINES_ELEMENTS_IPV6_H

#include "engines/elements/burst.h"
#include "engines/elements/ipv4.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <string.h>

#define IPV6_VERSION         6u
#define IPV6_VERSION_SHIFT   28u
#define IPV6_CLASS_SHIFT     20u
#define IPV6_HOP_LIMIT       64u  /* the usual default, as IPv4's */
#define IPV6_MULTICAST_FIRST 0xff /* first byte of a group's address */

/* Whether nobody could be answered there: the unspecified address or a group (RFC 4291 sections
 * 2.5.2 and 2.7). */
static inline int ipv6_is_bad_source(const struct address *address)
{
    static const struct address unspecified;

    return address->bytes[0] == IPV6_MULTICAST_FIRST || address_equal(address, &unspecified);
}

static inline enum refusal ipv6_step(struct rte_mbuf *packet, struct packet_meta *meta)
{
    uint32_t frame = rte_pktmbuf_data_len(packet);
    struct rte_ipv6_hdr header;
    uint32_t first;
    uint32_t payload;

    if (frame < sizeof(header))
        return REFUSAL_IPV6_SHORT;
    memcpy(&header, rte_pktmbuf_mtod(packet, const void *), sizeof(header));
    first = rte_be_to_cpu_32(header.vtc_flow);
    payload = rte_be_to_cpu_16(header.payload_len);
    if (first >> IPV6_VERSION_SHIFT != IPV6_VERSION)
        return REFUSAL_IPV6_VERSION;
    if (payload > frame - sizeof(header))
        return REFUSAL_IPV6_LENGTH;
    if (header.proto != IPPROTO_UDP)
        return REFUSAL_IPV6_NEXT_HEADER;
    memcpy(meta->src.bytes, header.src_addr, sizeof(meta->src.bytes));
    memcpy(meta->dst.bytes, header.dst_addr, sizeof(meta->dst.bytes));
    if (address_is_v4(&meta->src) || address_is_v4(&meta->dst))
        return REFUSAL_IPV6_MAPPED;
    if (ipv6_is_bad_source(&meta->src))
        return REFUSAL_IPV6_SOURCE;
    meta->protocol = header.proto;
    meta->dscp = (first >> (IPV6_CLASS_SHIFT + IP_DSCP_SHIFT)) & IP_DSCP_LAST;
    meta->ecn = (first >> IPV6_CLASS_SHIFT) & IP_ECN_MASK;
    rte_pktmbuf_trim(packet, (uint16_t)(frame - sizeof(header) - payload));
    rte_pktmbuf_adj(packet, sizeof(header));
    return REFUSAL_NONE;
}

static inline uint16_t ipv6_batch(struct rte_mbuf **packets, struct packet_meta *metas,
                                  uint16_t count, struct refused *refused)
{
    return burst_filter(ipv6_step, packets, metas, count, refused);
}

/* Writes a UDP packet's header with payload length zero; returns its length. */
static inline uint32_t ipv6_build(uint8_t *to, const struct address *src, const struct address *dst,
                                  uint8_t traffic_class)
{
    struct rte_ipv6_hdr header = {
        .vtc_flow = rte_cpu_to_be_32(IPV6_VERSION << IPV6_VERSION_SHIFT | (uint32_t)traffic_class
                                                                              << IPV6_CLASS_SHIFT),
        .proto = IPPROTO_UDP,
        .hop_limits = IPV6_HOP_LIMIT,
    };

    memcpy(header.src_addr, src->bytes, sizeof(header.src_addr));
    memcpy(header.dst_addr, dst->bytes, sizeof(header.dst_addr));
    memcpy(to, &header, sizeof(header));
    return sizeof(header);
}

static inline void ipv6_set_length(uint8_t *header, uint16_t payload_length)
{
    uint16_t length = rte_cpu_to_be_16(payload_length);

    memcpy(header + offsetof(struct rte_ipv6_hdr, payload_len), &length, sizeof(length));
}

#endif
