/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * ARP for IPv4 on Ethernet (RFC 826): the packet behind the Ethernet header, read and written.
 *
 * Plain functions; any thread. Trust: what is read may say anything; parsing tells whether it is
 * well formed, nothing more.
 */
#ifndef ENGINES_ELEMENTS_ARP_H
#define ENGINES_ELEMENTS_ARP_H

#include "engines/address.h"

#include <rte_arp.h>
#include <rte_ether.h>
#include <stdint.h>

#define ARP_BYTES 28u

_Static_assert(ARP_BYTES == sizeof(struct rte_arp_hdr), "six and four bytes an address");

struct arp {
    uint16_t operation; /* RTE_ARP_OP_REQUEST or RTE_ARP_OP_REPLY */
    struct rte_ether_addr sender_mac;
    struct rte_ether_addr target_mac; /* zero in a request */
    struct address sender;            /* 0.0.0.0 in a probe (RFC 5227) */
    struct address target;
};

/* 0, or -EINVAL: too short, another kind of ARP, or a sender that cannot be one station. Bytes
 * after the first ARP_BYTES are padding. */
int arp_parse(struct arp *arp, const uint8_t *bytes, uint32_t length);
/* Writes ARP_BYTES at `to`; returns their number. */
uint32_t arp_build(uint8_t *to, const struct arp *arp);

#endif
