/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An IP address of either family, as 16 bytes: IPv4 is mapped (::ffff:a.b.c.d, RFC 4291 section
 * 2.5.5.2), so that everything above the packet elements knows one kind.
 *
 * Plain data; any thread.
 */
#ifndef ENGINES_ADDRESS_H
#define ENGINES_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ADDRESS_TEXT_BYTES 46u /* longest text form, with the final NUL (INET6_ADDRSTRLEN) */

struct address {
    uint8_t bytes[16];
};

/* 0, or -EINVAL if `text` is no numeric address. */
int address_parse(struct address *address, const char *text);
/* Writes the usual text form, IPv4 without the mapping; returns `text`. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_BYTES]);
bool address_equal(const struct address *a, const struct address *b);
/* Can it be another host's: neither a group, nor broadcast, nor this host, nor nobody (RFC 1122
 * section 3.2.1.3, RFC 4291 section 2.4)? */
bool address_is_host(const struct address *address);

/* The 12 bytes before a mapped IPv4 address. */
extern const uint8_t address_v4_prefix[12];

static inline bool address_is_v4(const struct address *address)
{
    return memcmp(address->bytes, address_v4_prefix, sizeof(address_v4_prefix)) == 0;
}

/* Maps four bytes in network order. */
static inline void address_from_v4(struct address *address, const uint8_t v4[4])
{
    memcpy(address->bytes, address_v4_prefix, sizeof(address_v4_prefix));
    memcpy(address->bytes + sizeof(address_v4_prefix), v4, 4);
}

/* The four bytes of a mapped address, in network order. */
static inline const uint8_t *address_v4(const struct address *address)
{
    return address->bytes + sizeof(address_v4_prefix);
}

#endif
