/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything in front of a UDP payload, prepared once per path and then written before each packet:
 * Ethernet, an optional VLAN tag, IPv4 or IPv6, UDP with checksum 0.
 *
 * Ownership: plain data, embedded by its user. Threads: any, once built.
 *
 * Example:
 *     encap_build(&path, &config);
 *     encap_apply(&path, packet);   a packet that holds its UDP payload so far
 */
#ifndef ENGINES_ELEMENTS_ENCAP_H
#define ENGINES_ELEMENTS_ENCAP_H

#include "engines/address.h"
#include "engines/elements/ipv4.h"
#include "engines/elements/ipv6.h"
#include "engines/elements/udp.h"

#include <errno.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdbool.h>

/* Ethernet, one tag, IPv6, UDP: the headroom a packet needs. */
#define ENCAP_BYTES_MAX 66u

struct encap_config {
    struct rte_ether_addr src_mac;
    struct rte_ether_addr dst_mac;
    struct address src; /* of one family with dst */
    struct address dst;
    uint16_t src_port;
    uint16_t dst_port;
    uint16_t vlan; /* 1 to 4094; 0: untagged */
    uint8_t dscp;  /* 0 to 63 */
    uint8_t ecn;   /* 0 to 3 (RFC 3168): 2 is ECT(0) */
};

struct encap {
    uint64_t ip_sum; /* IPv4: checksum_add of the header without its length */
    uint8_t length;  /* used of bytes */
    uint8_t ip;      /* offsets */
    uint8_t udp;
    bool v4;
    uint8_t bytes[ENCAP_BYTES_MAX];
};

/* 0, or -EINVAL for a number out of its range or addresses of two families. */
int encap_build(struct encap *encap, const struct encap_config *config);

/* Another next hop from now on. What was written before: does it go there? Make it go there. */
static inline void encap_set_destination(struct encap *encap, const struct rte_ether_addr *mac)
{
    memcpy(encap->bytes, mac, sizeof(*mac));
}

static inline bool encap_same_destination(const struct encap *encap, const uint8_t *headers)
{
    return memcmp(encap->bytes, headers, sizeof(struct rte_ether_addr)) == 0;
}

static inline void encap_redirect(const struct encap *encap, uint8_t *headers)
{
    memcpy(headers, encap->bytes, sizeof(struct rte_ether_addr));
}

/* Writes the headers before a payload, which may be a chain; the headroom of its first segment must
 * be private memory. 0, -EMSGSIZE if the payload exceeds what the lengths can say, -ENOSPC if the
 * headroom does not suffice; then the packet is as before. */
static inline int encap_apply(const struct encap *encap, struct rte_mbuf *packet)
{
    uint32_t udp_length = rte_pktmbuf_pkt_len(packet) + (uint32_t)sizeof(struct rte_udp_hdr);
    uint32_t ip_length = udp_length + (encap->v4 ? IPV4_HEADER_MIN : 0);
    uint8_t *bytes;

    if (unlikely(ip_length > UINT16_MAX))
        return -EMSGSIZE;
    bytes = (uint8_t *)rte_pktmbuf_prepend(packet, encap->length);
    if (unlikely(!bytes))
        return -ENOSPC;
    memcpy(bytes, encap->bytes, encap->length);
    if (encap->v4)
        ipv4_set_length(bytes + encap->ip, (uint16_t)ip_length, encap->ip_sum);
    else
        ipv6_set_length(bytes + encap->ip, (uint16_t)ip_length);
    udp_set_length(bytes + encap->udp, (uint16_t)udp_length);
    return 0;
}

#endif
