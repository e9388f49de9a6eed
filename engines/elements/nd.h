/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Neighbour Solicitations and Advertisements (RFC 4861), from the IPv6 header on, read and written.
 *
 * Plain functions; any thread. Trust: what is read may say anything; what parsing accepts has
 * passed every check of RFC 4861 section 7.1, among them the hop limit that shows that no router
 * forwarded it.
 */
#ifndef ENGINES_ELEMENTS_ND_H
#define ENGINES_ELEMENTS_ND_H

#include "engines/address.h"

#include <rte_ether.h>
#include <stdint.h>

#define ND_BYTES_MAX 72u /* written: IPv6 header, message, one option */

enum nd_type {
    ND_SOLICITATION = 135,
    ND_ADVERTISEMENT = 136,
};

struct nd {
    uint8_t type;          /* enum nd_type */
    struct address source; /* unspecified in a probe for duplicates (RFC 4862) */
    struct address destination;
    struct address target;
    struct rte_ether_addr mac; /* source's of a solicitation, target's of an advertisement */
    bool has_mac;
    bool solicited; /* flags of an advertisement */
    bool override;
};

/* 0, or -EINVAL for what is malformed, or is neither of the two. */
int nd_parse(struct nd *nd, const uint8_t *packet, uint32_t length);
/* Writes a packet of up to ND_BYTES_MAX at `to`; returns its length. */
uint32_t nd_build(uint8_t *to, const struct nd *nd);

/* The group in which whoever has `target` listens (RFC 4291 section 2.7.1). */
void nd_solicited_node(struct address *group, const struct address *target);
/* All nodes of the link. */
extern const struct address nd_all_nodes;
/* The station address of a group (RFC 2464 section 7). */
void nd_group_mac(struct rte_ether_addr *mac, const struct address *group);

#endif
