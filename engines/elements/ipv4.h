/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: the IPv4 header (RFC 791; ECN and DSCP: RFC 2474, RFC 3168).
 *
 * Receive: contiguous packets that begin with the header; skips options, cuts off what lies behind
 * the total length (Ethernet padding). Fragments are refused: nothing here reassembles. The
 * checksum is always computed, whatever a device says of it. Transmit: writes a header without
 * options, with DF set and identification 0 (an atomic datagram, RFC 6864 section 4.1).
 */
#ifndef ENGINES_ELEMENTS_IPV4_H
#define ENGINES_ELEMENTS_IPV4_H

#include "engines/elements/burst.h"
#include "engines/elements/checksum.h"

#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <string.h>

#define IPV4_HEADER_MIN 20u
#define IPV4_IHL_UNIT   4u
#define IPV4_TTL        64u /* the default of RFC 1700 */
#define IP_DSCP_SHIFT   2u
#define IP_ECN_MASK     3u
#define IP_DSCP_LAST    63u

/* Whether nobody could be answered there: this network, a group, or broadcast (RFC 1122 section
 * 3.2.1.3). */
static inline int ipv4_is_bad_source(const uint8_t address[4])
{
    uint32_t value;

    memcpy(&value, address, sizeof(value));
    return address[0] == 0 || (address[0] & 0xf0) == 0xe0 || value == UINT32_MAX;
}

/* The parts of the ladder that concern lengths; on success the length of the header. */
static inline enum refusal ipv4_lengths(const struct rte_ipv4_hdr *header, uint32_t frame,
                                        uint32_t *header_bytes)
{
    uint32_t total = rte_be_to_cpu_16(header->total_length);
    uint32_t bytes = (header->version_ihl & RTE_IPV4_HDR_IHL_MASK) * IPV4_IHL_UNIT;

    if (header->version_ihl >> 4 != IPVERSION)
        return REFUSAL_IPV4_VERSION;
    if (bytes < IPV4_HEADER_MIN || bytes > frame)
        return REFUSAL_IPV4_IHL;
    if (total < bytes || total > frame)
        return REFUSAL_IPV4_LENGTH;
    *header_bytes = bytes;
    return REFUSAL_NONE;
}

static inline enum refusal ipv4_step(struct rte_mbuf *packet, struct packet_meta *meta)
{
    const uint8_t *start = rte_pktmbuf_mtod(packet, const uint8_t *);
    uint32_t frame = rte_pktmbuf_data_len(packet);
    uint8_t bytes[RTE_IPV4_HDR_IHL_MASK * IPV4_IHL_UNIT];
    struct rte_ipv4_hdr header;
    uint32_t header_bytes = 0;
    enum refusal reason;

    if (frame < IPV4_HEADER_MIN)
        return REFUSAL_IPV4_SHORT;
    memcpy(&header, start, sizeof(header));
    reason = ipv4_lengths(&header, frame, &header_bytes);
    if (reason != REFUSAL_NONE)
        return reason;
    memcpy(bytes, &header, sizeof(header));
    memcpy(bytes + sizeof(header), start + sizeof(header), header_bytes - sizeof(header));
    if (!checksum_valid(checksum_add(0, bytes, header_bytes)))
        return REFUSAL_IPV4_CHECKSUM;
    if (header.fragment_offset & ~rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG))
        return REFUSAL_IPV4_FRAGMENT;
    if (header.next_proto_id != IPPROTO_UDP)
        return REFUSAL_IP_PROTOCOL;
    if (ipv4_is_bad_source((const uint8_t *)&header.src_addr))
        return REFUSAL_IPV4_SOURCE;
    address_from_v4(&meta->src, (const uint8_t *)&header.src_addr);
    address_from_v4(&meta->dst, (const uint8_t *)&header.dst_addr);
    meta->protocol = header.next_proto_id;
    meta->dscp = header.type_of_service >> IP_DSCP_SHIFT;
    meta->ecn = header.type_of_service & IP_ECN_MASK;
    rte_pktmbuf_trim(packet, (uint16_t)(frame - rte_be_to_cpu_16(header.total_length)));
    rte_pktmbuf_adj(packet, (uint16_t)header_bytes);
    return REFUSAL_NONE;
}

static inline uint16_t ipv4_batch(struct rte_mbuf **packets, struct packet_meta *metas,
                                  uint16_t count, struct refused *refused)
{
    return burst_filter(ipv4_step, packets, metas, count, refused);
}

/* Writes a UDP packet's header with total length and checksum zero; returns its length. */
static inline uint32_t ipv4_build(uint8_t *to, const struct address *src, const struct address *dst,
                                  uint8_t traffic_class)
{
    struct rte_ipv4_hdr header = {
        .version_ihl = IPVERSION << 4 | IPV4_HEADER_MIN / IPV4_IHL_UNIT,
        .type_of_service = traffic_class,
        .fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
        .time_to_live = IPV4_TTL,
        .next_proto_id = IPPROTO_UDP,
    };

    memcpy(&header.src_addr, address_v4(src), sizeof(header.src_addr));
    memcpy(&header.dst_addr, address_v4(dst), sizeof(header.dst_addr));
    memcpy(to, &header, sizeof(header));
    return sizeof(header);
}

/* Completes a header made by ipv4_build, whose checksum_add is `sum`. */
static inline void ipv4_set_length(uint8_t *header, uint16_t total_length, uint64_t sum)
{
    uint16_t length = rte_cpu_to_be_16(total_length);
    uint16_t checksum = (uint16_t)~checksum_fold(sum + length);

    memcpy(header + offsetof(struct rte_ipv4_hdr, total_length), &length, sizeof(length));
    memcpy(header + offsetof(struct rte_ipv4_hdr, hdr_checksum), &checksum, sizeof(checksum));
}

#endif
