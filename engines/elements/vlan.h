/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: VLAN tags (IEEE 802.1Q, 802.1ad), at most PACKET_VLAN_MAX of them.
 *
 * Receive: behind eth; replaces the type in the metadata by the one behind the tags. Identifier 0
 * (a priority tag) counts as a tag. Transmit: writes one tag and the type behind it.
 */
#ifndef ENGINES_ELEMENTS_VLAN_H
#define ENGINES_ELEMENTS_VLAN_H

#include "engines/elements/burst.h"

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <string.h>

#define VLAN_ID_MASK     0x0fffu
#define VLAN_ID_RESERVED 0x0fffu
#define VLAN_ID_LAST     4094u

static inline int vlan_is_tag(uint16_t ether_type)
{
    return ether_type == RTE_ETHER_TYPE_VLAN || ether_type == RTE_ETHER_TYPE_QINQ;
}

static inline enum refusal vlan_step(struct rte_mbuf *packet, struct packet_meta *meta)
{
    meta->vlan_tags = 0;
    while (vlan_is_tag(meta->ether_type)) {
        struct rte_vlan_hdr header;
        uint16_t id;

        if (meta->vlan_tags == PACKET_VLAN_MAX)
            return REFUSAL_VLAN_DEPTH;
        if (rte_pktmbuf_data_len(packet) < sizeof(header))
            return REFUSAL_VLAN_SHORT;
        memcpy(&header, rte_pktmbuf_mtod(packet, const void *), sizeof(header));
        id = rte_be_to_cpu_16(header.vlan_tci) & VLAN_ID_MASK;
        if (id == VLAN_ID_RESERVED)
            return REFUSAL_VLAN_ID;
        meta->vlan[meta->vlan_tags++] = id;
        meta->ether_type = rte_be_to_cpu_16(header.eth_proto);
        rte_pktmbuf_adj(packet, sizeof(header));
    }
    return REFUSAL_NONE;
}

static inline uint16_t vlan_batch(struct rte_mbuf **packets, struct packet_meta *metas,
                                  uint16_t count, struct refused *refused)
{
    return burst_filter(vlan_step, packets, metas, count, refused);
}

/* Writes a tag at `to`, behind an Ethernet header of type RTE_ETHER_TYPE_VLAN; returns its length.
 */
static inline uint32_t vlan_build(uint8_t *to, uint16_t id, uint16_t ether_type)
{
    struct rte_vlan_hdr header = {
        .vlan_tci = rte_cpu_to_be_16(id),
        .eth_proto = rte_cpu_to_be_16(ether_type),
    };

    memcpy(to, &header, sizeof(header));
    return sizeof(header);
}

#endif
