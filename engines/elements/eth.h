/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: the Ethernet header (IEEE 802.3).
 *
 * Receive: contiguous packets; leaves both stations and the type in the metadata. Transmit: writes
 * a header.
 */
#ifndef ENGINES_ELEMENTS_ETH_H
#define ENGINES_ELEMENTS_ETH_H

#include "engines/elements/burst.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <string.h>

static inline enum refusal eth_step(struct rte_mbuf *packet, struct packet_meta *meta)
{
    struct rte_ether_hdr header;

    if (rte_pktmbuf_data_len(packet) < sizeof(header))
        return REFUSAL_ETH_SHORT;
    memcpy(&header, rte_pktmbuf_mtod(packet, const void *), sizeof(header));
    if (rte_is_multicast_ether_addr(&header.dst_addr))
        return REFUSAL_ETH_GROUP;
    if (!rte_is_valid_assigned_ether_addr(&header.src_addr))
        return REFUSAL_ETH_SOURCE;
    meta->src_mac = header.src_addr;
    meta->dst_mac = header.dst_addr;
    meta->ether_type = rte_be_to_cpu_16(header.ether_type);
    rte_pktmbuf_adj(packet, sizeof(header));
    return REFUSAL_NONE;
}

static inline uint16_t eth_batch(struct rte_mbuf **packets, struct packet_meta *metas,
                                 uint16_t count, struct refused *refused)
{
    return burst_filter(eth_step, packets, metas, count, refused);
}

/* Writes a header at `to`; returns its length. */
static inline uint32_t eth_build(uint8_t *to, const struct rte_ether_addr *src,
                                 const struct rte_ether_addr *dst, uint16_t ether_type)
{
    struct rte_ether_hdr header = {
        .dst_addr = *dst,
        .src_addr = *src,
        .ether_type = rte_cpu_to_be_16(ether_type),
    };

    memcpy(to, &header, sizeof(header));
    return sizeof(header);
}

#endif
