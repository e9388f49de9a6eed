/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/elements/icmp.h"

#include "engines/elements/ipv4.h"
#include "engines/elements/ipv6.h"

#include <errno.h>

#define ECHO_BYTES     8u /* type, code, checksum, identifier, number */
#define ECHO4_REPLY    0u
#define ECHO6_REPLY    129u
#define CHECKSUM_AT    2u
#define CHECKSUM_BYTES 2u

static uint64_t pseudo_sum(const struct address *source, const struct address *destination,
                           uint32_t length)
{
    uint64_t sum = checksum_add(0, source->bytes, sizeof(source->bytes));

    sum = checksum_add(sum, destination->bytes, sizeof(destination->bytes));
    return sum + rte_cpu_to_be_32(length) + rte_cpu_to_be_32(IPPROTO_ICMPV6);
}

uint64_t icmp6_sum(const struct address *source, const struct address *destination,
                   const uint8_t *message, uint32_t length)
{
    return checksum_add(pseudo_sum(source, destination, length), message, length);
}

/* A message of which all but the type stays. `pseudo` is the sum of what else the checksum covers.
 */
static void turn(uint8_t *message, uint32_t length, uint8_t type, uint64_t pseudo)
{
    uint16_t checksum = 0;

    message[0] = type;
    memcpy(message + CHECKSUM_AT, &checksum, CHECKSUM_BYTES);
    checksum = (uint16_t)~checksum_fold(checksum_add(pseudo, message, length));
    memcpy(message + CHECKSUM_AT, &checksum, CHECKSUM_BYTES);
}

static int echo4(uint8_t *packet, uint32_t length, struct address *asked)
{
    struct rte_ipv4_hdr header;
    uint8_t *message = packet + sizeof(header);
    uint32_t total, header_bytes, source;

    if (length < sizeof(header) + ECHO_BYTES)
        return -EINVAL;
    memcpy(&header, packet, sizeof(header));
    total = rte_be_to_cpu_16(header.total_length);
    if (ipv4_lengths(&header, length, &header_bytes) != REFUSAL_NONE ||
        header_bytes != sizeof(header) || total < sizeof(header) + ECHO_BYTES ||
        header.next_proto_id != IPPROTO_ICMP ||
        (header.fragment_offset & ~rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG)) ||
        ipv4_is_bad_source((const uint8_t *)&header.src_addr) ||
        !checksum_valid(checksum_add(0, &header, sizeof(header))))
        return -EINVAL;
    if (message[0] != ICMP_ECHO_REQUEST || message[1] != 0 ||
        !checksum_valid(checksum_add(0, message, total - sizeof(header))))
        return -EINVAL;
    address_from_v4(asked, (const uint8_t *)&header.dst_addr);
    source = header.src_addr;
    header.src_addr = header.dst_addr;
    header.dst_addr = source;
    header.time_to_live = IPV4_TTL;
    header.hdr_checksum = 0;
    header.hdr_checksum = (uint16_t)~checksum_fold(checksum_add(0, &header, sizeof(header)));
    memcpy(packet, &header, sizeof(header));
    turn(message, total - (uint32_t)sizeof(header), ECHO4_REPLY, 0);
    return (int)total;
}

static int echo6(uint8_t *packet, uint32_t length, struct address *asked)
{
    struct rte_ipv6_hdr header;
    uint8_t *message = packet + sizeof(header);
    struct address source, destination;
    uint32_t bytes;

    if (length < sizeof(header) + ECHO_BYTES)
        return -EINVAL;
    memcpy(&header, packet, sizeof(header));
    memcpy(&source, header.src_addr, sizeof(source));
    memcpy(&destination, header.dst_addr, sizeof(destination));
    bytes = rte_be_to_cpu_16(header.payload_len);
    if (bytes < ECHO_BYTES || bytes > length - sizeof(header) || header.proto != IPPROTO_ICMPV6 ||
        ipv6_is_bad_source(&source) || address_is_v4(&source) || address_is_v4(&destination))
        return -EINVAL;
    if (message[0] != ICMP6_ECHO_REQUEST || message[1] != 0 ||
        !checksum_valid(icmp6_sum(&source, &destination, message, bytes)))
        return -EINVAL;
    *asked = destination;
    memcpy(header.src_addr, &destination, sizeof(destination));
    memcpy(header.dst_addr, &source, sizeof(source));
    header.hop_limits = IPV6_HOP_LIMIT;
    memcpy(packet, &header, sizeof(header));
    turn(message, bytes, ECHO6_REPLY, pseudo_sum(&source, &destination, bytes));
    return (int)(sizeof(header) + bytes);
}

int icmp_echo(uint8_t *packet, uint32_t length, struct address *asked)
{
    if (length == 0)
        return -EINVAL;
    switch (packet[0] >> 4) {
    case IPVERSION:
        return echo4(packet, length, asked);
    case IPV6_VERSION:
        return echo6(packet, length, asked);
    default:
        return -EINVAL;
    }
}
