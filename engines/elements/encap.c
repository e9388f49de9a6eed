/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/encap.h"

#include "engines/elements/eth.h"
#include "engines/elements/vlan.h"

_Static_assert(ENCAP_BYTES_MAX == sizeof(struct rte_ether_hdr) + sizeof(struct rte_vlan_hdr) +
                                      sizeof(struct rte_ipv6_hdr) + sizeof(struct rte_udp_hdr),
               "the longest template");

int encap_build(struct encap *encap, const struct encap_config *config)
{
    bool v4 = address_is_v4(&config->src);
    uint16_t type = v4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6;
    uint8_t traffic_class = (uint8_t)(config->dscp << IP_DSCP_SHIFT | config->ecn);
    uint8_t *next = encap->bytes;

    if (v4 != address_is_v4(&config->dst) || config->vlan > VLAN_ID_LAST ||
        config->dscp > IP_DSCP_LAST || config->ecn > IP_ECN_MASK)
        return -EINVAL;
    next += eth_build(next, &config->src_mac, &config->dst_mac,
                      config->vlan ? RTE_ETHER_TYPE_VLAN : type);
    if (config->vlan)
        next += vlan_build(next, config->vlan, type);
    encap->ip = (uint8_t)(next - encap->bytes);
    if (v4)
        next += ipv4_build(next, &config->src, &config->dst, traffic_class);
    else
        next += ipv6_build(next, &config->src, &config->dst, traffic_class);
    encap->udp = (uint8_t)(next - encap->bytes);
    next += udp_build(next, config->src_port, config->dst_port);
    encap->length = (uint8_t)(next - encap->bytes);
    encap->v4 = v4;
    encap->ip_sum = v4 ? checksum_add(0, encap->bytes + encap->ip, IPV4_HEADER_MIN) : 0;
    return 0;
}
