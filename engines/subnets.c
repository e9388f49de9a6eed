/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/subnets.h"

#include <errno.h>

#define BYTE_BITS   8u
#define MAPPED_BITS (8u * sizeof(address_v4_prefix))
#define V4_BROADCASTS                                                                              \
    31u /* a prefix of fewer bits has a broadcast and a network address (RFC 3021) */

static uint32_t prefix_bits(const struct subnet *subnet)
{
    return subnet->prefix + (address_is_v4(&subnet->address) ? MAPPED_BITS : 0);
}

/* Are the first `bits` alike? */
static bool alike(const struct address *a, const struct address *b, uint32_t bits)
{
    uint32_t whole = bits / BYTE_BITS, rest = bits % BYTE_BITS;

    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (BYTE_BITS - rest) == 0;
}

/* fe80::/10: on whatever link it is seen. */
static bool is_link_local(const struct address *address)
{
    static const struct address prefix = {{0xfe, 0x80}};

    return alike(address, &prefix, 10);
}

static bool contains(const struct subnet *subnet, const struct address *address)
{
    if (address_is_v4(&subnet->address) != address_is_v4(address))
        return false;
    return alike(&subnet->address, address, prefix_bits(subnet));
}

/* The two addresses of an IPv4 network that are no host's. */
static bool is_broadcast(const struct subnet *subnet, const struct address *address)
{
    uint32_t host_bits = PREFIX_V4_MAX - subnet->prefix, host = 0;

    if (!address_is_v4(address) || subnet->prefix >= V4_BROADCASTS)
        return false;
    for (uint32_t i = 0; i < 4; i++)
        host = host << BYTE_BITS | address_v4(address)[i];
    if (host_bits < PREFIX_V4_MAX)
        host &= (1u << host_bits) - 1;
    return host == 0 || host == (host_bits < PREFIX_V4_MAX ? (1u << host_bits) - 1 : UINT32_MAX);
}

static const struct subnet *subnet_of(const struct subnets *subnets, const struct address *address)
{
    const struct subnet *family = NULL;

    for (uint32_t i = 0; i < subnets->count; i++) {
        const struct subnet *subnet = &subnets->list[i];

        if (contains(subnet, address))
            return subnet;
        if (!family && address_is_v4(&subnet->address) == address_is_v4(address))
            family = subnet;
    }
    return is_link_local(address) ? family : NULL;
}

static const struct address *gateway_to(const struct subnets *subnets,
                                        const struct address *address)
{
    for (uint32_t i = 0; i < subnets->gateway_count; i++) {
        if (address_is_v4(&subnets->gateways[i]) == address_is_v4(address))
            return &subnets->gateways[i];
    }
    return NULL;
}

int subnets_check(const struct subnets *subnets)
{
    if (subnets->count == 0 || subnets->count > SUBNETS_ADDRESSES_MAX ||
        subnets->gateway_count > SUBNETS_GATEWAYS_MAX)
        return -EINVAL;
    for (uint32_t i = 0; i < subnets->count; i++) {
        const struct subnet *subnet = &subnets->list[i];

        if (!address_is_host(&subnet->address) ||
            subnet->prefix > (address_is_v4(&subnet->address) ? PREFIX_V4_MAX : PREFIX_V6_MAX))
            return -EINVAL;
    }
    for (uint32_t i = 0; i < subnets->gateway_count; i++) {
        const struct address *gateway = &subnets->gateways[i];

        if (!address_is_host(gateway) || subnets_is_local(subnets, gateway) ||
            !subnet_of(subnets, gateway))
            return -EINVAL;
    }
    return 0;
}

bool subnets_is_local(const struct subnets *subnets, const struct address *address)
{
    for (uint32_t i = 0; i < subnets->count; i++) {
        if (address_equal(&subnets->list[i].address, address))
            return true;
    }
    return false;
}

int subnets_next_hop(const struct subnets *subnets, const struct address *to,
                     struct address *neighbour, struct address *source)
{
    const struct subnet *subnet = subnet_of(subnets, to);

    if (!address_is_host(to) || subnets_is_local(subnets, to) ||
        (subnet && is_broadcast(subnet, to)))
        return -ENETUNREACH;
    if (!subnet) {
        to = gateway_to(subnets, to);
        subnet = to ? subnet_of(subnets, to) : NULL;
    }
    if (!subnet)
        return -ENETUNREACH;
    *neighbour = *to;
    *source = subnet->address;
    return 0;
}
