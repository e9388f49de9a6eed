/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/decap.h"

#include "engines/elements/eth.h"
#include "engines/elements/ipv4.h"
#include "engines/elements/ipv6.h"
#include "engines/elements/linear.h"
#include "engines/elements/udp.h"
#include "engines/elements/vlan.h"

static inline enum refusal ip_step(struct rte_mbuf *packet, struct packet_meta *meta)
{
    switch (meta->ether_type) {
    case RTE_ETHER_TYPE_IPV4:
        return ipv4_step(packet, meta);
    case RTE_ETHER_TYPE_IPV6:
        return ipv6_step(packet, meta);
    default:
        return REFUSAL_ETH_TYPE;
    }
}

/* A link may hear what is meant for others: a switch that floods, a port that is promiscuous. */
static uint16_t station_batch(const struct decap *decap, struct rte_mbuf **packets,
                              struct packet_meta *metas, uint16_t count, struct refused *refused)
{
    uint16_t kept = 0;

    if (rte_is_zero_ether_addr(&decap->mac))
        return count;
    for (uint16_t i = 0; i < count; i++) {
        if (unlikely(!rte_is_same_ether_addr(&metas[i].dst_mac, &decap->mac))) {
            burst_refuse(refused, packets[i], REFUSAL_ETH_STATION);
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

uint16_t decap_batch(struct decap *decap, struct rte_mbuf **packets, struct packet_meta *metas,
                     uint16_t count)
{
    struct refused refused;

    refused.count = 0;
    count = linear_batch(packets, metas, count, &refused);
    count = eth_batch(packets, metas, count, &refused);
    count = station_batch(decap, packets, metas, count, &refused);
    count = vlan_batch(packets, metas, count, &refused);
    count = burst_filter(ip_step, packets, metas, count, &refused);
    count = udp_batch(packets, metas, count, &refused);
    for (uint16_t i = 0; i < refused.count; i++)
        decap->refused[refused.reasons[i]]++;
    rte_pktmbuf_free_bulk(refused.packets, refused.count);
    decap->accepted += count;
    return count;
}

const char *decap_refusal_name(enum refusal reason)
{
    static const char *const names[REFUSAL_COUNT] = {
        [REFUSAL_NONE] = "none",
        [REFUSAL_SEGMENTS] = "segments",
        [REFUSAL_ETH_SHORT] = "eth_short",
        [REFUSAL_ETH_GROUP] = "eth_group",
        [REFUSAL_ETH_STATION] = "eth_station",
        [REFUSAL_ETH_SOURCE] = "eth_source",
        [REFUSAL_ETH_TYPE] = "eth_type",
        [REFUSAL_VLAN_SHORT] = "vlan_short",
        [REFUSAL_VLAN_ID] = "vlan_id",
        [REFUSAL_VLAN_DEPTH] = "vlan_depth",
        [REFUSAL_IPV4_SHORT] = "ipv4_short",
        [REFUSAL_IPV4_VERSION] = "ipv4_version",
        [REFUSAL_IPV4_IHL] = "ipv4_ihl",
        [REFUSAL_IPV4_LENGTH] = "ipv4_length",
        [REFUSAL_IPV4_CHECKSUM] = "ipv4_checksum",
        [REFUSAL_IPV4_FRAGMENT] = "ipv4_fragment",
        [REFUSAL_IPV4_SOURCE] = "ipv4_source",
        [REFUSAL_IPV6_SHORT] = "ipv6_short",
        [REFUSAL_IPV6_VERSION] = "ipv6_version",
        [REFUSAL_IPV6_LENGTH] = "ipv6_length",
        [REFUSAL_IPV6_NEXT_HEADER] = "ipv6_next_header",
        [REFUSAL_IPV6_SOURCE] = "ipv6_source",
        [REFUSAL_IPV6_MAPPED] = "ipv6_mapped",
        [REFUSAL_IP_PROTOCOL] = "ip_protocol",
        [REFUSAL_UDP_SHORT] = "udp_short",
        [REFUSAL_UDP_LENGTH] = "udp_length",
        [REFUSAL_UDP_CHECKSUM] = "udp_checksum",
    };

    return reason < REFUSAL_COUNT ? names[reason] : "unknown";
}
