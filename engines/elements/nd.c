/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/nd.h"

#include "engines/elements/icmp.h"
#include "engines/elements/ipv6.h"

#include <errno.h>

#define HOP_LIMIT      255u
#define OPTION_UNIT    8u /* bytes in which an option's length counts */
#define OPTION_SOURCE  1u /* link-layer address of the sender of a solicitation */
#define OPTION_TARGET  2u /* and of the target of an advertisement */
#define FLAG_SOLICITED 0x40u
#define FLAG_OVERRIDE  0x20u

struct message {
    uint8_t type, code;
    uint16_t checksum;
    uint8_t flags, reserved[3];
    uint8_t target[16];
};

struct option {
    uint8_t type, length; /* in OPTION_UNIT */
    uint8_t mac[RTE_ETHER_ADDR_LEN];
};

_Static_assert(ND_BYTES_MAX ==
                   sizeof(struct rte_ipv6_hdr) + sizeof(struct message) + sizeof(struct option),
               "the longest packet written");

const struct address nd_all_nodes = {{0xff, 0x02, [15] = 1}};

static const struct address unspecified;

static bool is_group(const struct address *address)
{
    return address->bytes[0] == IPV6_MULTICAST_FIRST;
}

/* Options that are not asked for are skipped; one of no length would never end. */
static int parse_options(struct nd *nd, const uint8_t *bytes, uint32_t length)
{
    uint8_t wanted = nd->type == ND_SOLICITATION ? OPTION_SOURCE : OPTION_TARGET;

    while (length > 0) {
        uint32_t size = length < 2 ? 0 : bytes[1] * OPTION_UNIT;

        if (size == 0 || size > length)
            return -EINVAL;
        if (bytes[0] == wanted) {
            memcpy(&nd->mac, bytes + offsetof(struct option, mac), sizeof(nd->mac));
            nd->has_mac = true;
        }
        bytes += size;
        length -= size;
    }
    return !nd->has_mac || rte_is_valid_assigned_ether_addr(&nd->mac) ? 0 : -EINVAL;
}

/* What the two kinds may say of themselves. */
static int check(const struct nd *nd)
{
    struct address group;

    if (is_group(&nd->target) || is_group(&nd->source) || address_is_v4(&nd->target) ||
        address_is_v4(&nd->source))
        return -EINVAL;
    if (nd->type == ND_ADVERTISEMENT)
        return nd->solicited && is_group(&nd->destination) ? -EINVAL : 0;
    nd_solicited_node(&group, &nd->target);
    if (address_equal(&nd->source, &unspecified))
        return nd->has_mac || !address_equal(&nd->destination, &group) ? -EINVAL : 0;
    return 0;
}

int nd_parse(struct nd *nd, const uint8_t *packet, uint32_t length)
{
    struct rte_ipv6_hdr header;
    struct message message;
    uint32_t bytes;

    if (length < sizeof(header) + sizeof(message))
        return -EINVAL;
    memcpy(&header, packet, sizeof(header));
    memcpy(&message, packet + sizeof(header), sizeof(message));
    bytes = rte_be_to_cpu_16(header.payload_len);
    if (packet[0] >> 4 != IPV6_VERSION || header.proto != IPPROTO_ICMPV6 ||
        header.hop_limits != HOP_LIMIT || bytes < sizeof(message) ||
        bytes > length - sizeof(header) || message.code != 0 ||
        (message.type != ND_SOLICITATION && message.type != ND_ADVERTISEMENT))
        return -EINVAL;
    *nd = (struct nd){
        .type = message.type,
        .solicited = message.flags & FLAG_SOLICITED,
        .override = message.flags & FLAG_OVERRIDE,
    };
    memcpy(&nd->source, header.src_addr, sizeof(nd->source));
    memcpy(&nd->destination, header.dst_addr, sizeof(nd->destination));
    memcpy(&nd->target, message.target, sizeof(nd->target));
    packet += sizeof(header);
    if (!checksum_valid(icmp6_sum(&nd->source, &nd->destination, packet, bytes)) ||
        parse_options(nd, packet + sizeof(message), bytes - (uint32_t)sizeof(message)) != 0)
        return -EINVAL;
    return check(nd);
}

uint32_t nd_build(uint8_t *to, const struct nd *nd)
{
    uint32_t bytes = sizeof(struct message) + (nd->has_mac ? sizeof(struct option) : 0);
    struct rte_ipv6_hdr header = {
        .vtc_flow = rte_cpu_to_be_32(IPV6_VERSION << IPV6_VERSION_SHIFT),
        .payload_len = rte_cpu_to_be_16((uint16_t)bytes),
        .proto = IPPROTO_ICMPV6,
        .hop_limits = HOP_LIMIT,
    };
    struct message message = {
        .type = nd->type,
        .flags =
            (uint8_t)((nd->solicited ? FLAG_SOLICITED : 0) | (nd->override ? FLAG_OVERRIDE : 0)),
    };
    struct option option = {
        .type = nd->type == ND_SOLICITATION ? OPTION_SOURCE : OPTION_TARGET,
        .length = sizeof(option) / OPTION_UNIT,
    };
    uint8_t *body = to + sizeof(header);

    memcpy(header.src_addr, &nd->source, sizeof(nd->source));
    memcpy(header.dst_addr, &nd->destination, sizeof(nd->destination));
    memcpy(message.target, &nd->target, sizeof(message.target));
    memcpy(option.mac, &nd->mac, sizeof(option.mac));
    memcpy(to, &header, sizeof(header));
    memcpy(body, &message, sizeof(message));
    if (nd->has_mac)
        memcpy(body + sizeof(message), &option, sizeof(option));
    message.checksum =
        (uint16_t)~checksum_fold(icmp6_sum(&nd->source, &nd->destination, body, bytes));
    memcpy(body, &message, sizeof(message));
    return (uint32_t)sizeof(header) + bytes;
}

void nd_solicited_node(struct address *group, const struct address *target)
{
    static const struct address prefix = {{0xff, 0x02, [11] = 1, [12] = 0xff}};

    *group = prefix;
    memcpy(group->bytes + 13, target->bytes + 13, 3);
}

void nd_group_mac(struct rte_ether_addr *mac, const struct address *group)
{
    mac->addr_bytes[0] = 0x33;
    mac->addr_bytes[1] = 0x33;
    memcpy(mac->addr_bytes + 2, group->bytes + 12, 4);
}
