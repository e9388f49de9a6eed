/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The networks a port is on, where Saddle owns the link: its addresses with their prefixes, and the
 * gateways to everything else.
 *
 * Plain data; any thread, while nobody changes it.
 */
#ifndef ENGINES_SUBNETS_H
#define ENGINES_SUBNETS_H

#include "engines/address.h"

#include <stdint.h>

#define SUBNETS_ADDRESSES_MAX 8u
#define SUBNETS_GATEWAYS_MAX  8u
#define PREFIX_V4_MAX         32u
#define PREFIX_V6_MAX         128u

struct subnet {
    struct address address; /* of this host */
    uint8_t prefix;         /* bits: up to PREFIX_V4_MAX or PREFIX_V6_MAX */
};

struct subnets {
    struct subnet list[SUBNETS_ADDRESSES_MAX];
    uint32_t count;
    struct address gateways[SUBNETS_GATEWAYS_MAX]; /* the first of a family is used */
    uint32_t gateway_count;
};

/* 0, or -EINVAL: no address, one that is no host's, a prefix too long, a gateway that no address
 * can speak to. */
int subnets_check(const struct subnets *subnets);
bool subnets_is_local(const struct subnets *subnets, const struct address *address);
/* Who on the link gets packets to an address, and from which local address it is asked for its
 * link-layer address. 0, or -ENETUNREACH: neither on a network of ours nor behind a gateway, or no
 * host's address. */
int subnets_next_hop(const struct subnets *subnets, const struct address *to,
                     struct address *neighbour, struct address *source);

#endif
