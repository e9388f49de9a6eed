/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/arp.h"

#include <errno.h>
#include <rte_byteorder.h>
#include <string.h>

#define IPV4_BYTES 4u

int arp_parse(struct arp *arp, const uint8_t *bytes, uint32_t length)
{
    struct rte_arp_hdr header;

    if (length < sizeof(header))
        return -EINVAL;
    memcpy(&header, bytes, sizeof(header));
    arp->operation = rte_be_to_cpu_16(header.arp_opcode);
    if (header.arp_hardware != rte_cpu_to_be_16(RTE_ARP_HRD_ETHER) ||
        header.arp_protocol != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) ||
        header.arp_hlen != RTE_ETHER_ADDR_LEN || header.arp_plen != IPV4_BYTES)
        return -EINVAL;
    if (arp->operation != RTE_ARP_OP_REQUEST && arp->operation != RTE_ARP_OP_REPLY)
        return -EINVAL;
    arp->sender_mac = header.arp_data.arp_sha;
    arp->target_mac = header.arp_data.arp_tha;
    address_from_v4(&arp->sender, (const uint8_t *)&header.arp_data.arp_sip);
    address_from_v4(&arp->target, (const uint8_t *)&header.arp_data.arp_tip);
    return rte_is_valid_assigned_ether_addr(&arp->sender_mac) ? 0 : -EINVAL;
}

uint32_t arp_build(uint8_t *to, const struct arp *arp)
{
    struct rte_arp_hdr header = {
        .arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER),
        .arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
        .arp_hlen = RTE_ETHER_ADDR_LEN,
        .arp_plen = IPV4_BYTES,
        .arp_opcode = rte_cpu_to_be_16(arp->operation),
        .arp_data = {.arp_sha = arp->sender_mac, .arp_tha = arp->target_mac},
    };

    memcpy(&header.arp_data.arp_sip, address_v4(&arp->sender), IPV4_BYTES);
    memcpy(&header.arp_data.arp_tip, address_v4(&arp->target), IPV4_BYTES);
    memcpy(to, &header, sizeof(header));
    return sizeof(header);
}
