/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: the UDP header (RFC 768).
 *
 * Receive: behind ipv4 or ipv6, so that the packet is exactly the IP payload. Checksum 0 is
 * accepted over both families (RFC 6935, RFC 6936: what is carried here brings its own, stronger
 * one); any other is verified. Transmit: writes a header with checksum 0.
 */
#ifndef ENGINES_ELEMENTS_UDP_H
#define ENGINES_ELEMENTS_UDP_H

#include "engines/elements/burst.h"
#include "engines/elements/checksum.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_udp.h>
#include <string.h>

/* The sum of the pseudo-header (RFC 768; RFC 8200 section 8.1). A mapped address adds 0xffff, which
 * is zero in ones' complement, so both families are summed alike. */
static inline uint64_t udp_pseudo_sum(const struct packet_meta *meta, uint16_t length)
{
    uint64_t sum = checksum_add(0, meta->src.bytes, sizeof(meta->src.bytes));

    sum = checksum_add(sum, meta->dst.bytes, sizeof(meta->dst.bytes));
    return sum + rte_cpu_to_be_16(length) + rte_cpu_to_be_16(IPPROTO_UDP);
}

static inline enum refusal udp_step(struct rte_mbuf *packet, struct packet_meta *meta)
{
    const uint8_t *start = rte_pktmbuf_mtod(packet, const uint8_t *);
    uint32_t length = rte_pktmbuf_data_len(packet);
    struct rte_udp_hdr header;

    if (length < sizeof(header))
        return REFUSAL_UDP_SHORT;
    memcpy(&header, start, sizeof(header));
    if (rte_be_to_cpu_16(header.dgram_len) != length)
        return REFUSAL_UDP_LENGTH;
    if (header.dgram_cksum != 0 &&
        !checksum_valid(checksum_add(udp_pseudo_sum(meta, (uint16_t)length), start, length)))
        return REFUSAL_UDP_CHECKSUM;
    meta->src_port = rte_be_to_cpu_16(header.src_port);
    meta->dst_port = rte_be_to_cpu_16(header.dst_port);
    rte_pktmbuf_adj(packet, sizeof(header));
    return REFUSAL_NONE;
}

static inline uint16_t udp_batch(struct rte_mbuf **packets, struct packet_meta *metas,
                                 uint16_t count, struct refused *refused)
{
    return burst_filter(udp_step, packets, metas, count, refused);
}

/* Writes a header with length zero; returns its length. */
static inline uint32_t udp_build(uint8_t *to, uint16_t src_port, uint16_t dst_port)
{
    struct rte_udp_hdr header = {
        .src_port = rte_cpu_to_be_16(src_port),
        .dst_port = rte_cpu_to_be_16(dst_port),
    };

    memcpy(to, &header, sizeof(header));
    return sizeof(header);
}

static inline void udp_set_length(uint8_t *header, uint16_t length)
{
    uint16_t wire = rte_cpu_to_be_16(length);

    memcpy(header + offsetof(struct rte_udp_hdr, dgram_len), &wire, sizeof(wire));
}

#endif
