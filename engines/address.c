/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* RFC 4291 section 2.5.5.2: 80 bits of zero, 16 of one, then the IPv4 address. */
const uint8_t address_v4_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

#define V4_LOOPBACK 127u  /* first byte: 127.0.0.0/8 */
#define V4_GROUPS   224u  /* first byte: from here on groups, reserved addresses and broadcast */
#define V6_GROUPS   0xffu /* first byte */

_Static_assert(ADDRESS_TEXT_BYTES == INET6_ADDRSTRLEN, "text size differs from libc's");

int address_parse(struct address *address, const char *text)
{
    struct address parsed;
    uint8_t v4[4];

    if (inet_pton(AF_INET, text, v4) == 1)
        address_from_v4(&parsed, v4);
    else if (inet_pton(AF_INET6, text, parsed.bytes) != 1)
        return -EINVAL;
    *address = parsed;
    return 0;
}

const char *address_format(const struct address *address, char text[ADDRESS_TEXT_BYTES])
{
    if (address_is_v4(address))
        inet_ntop(AF_INET, address_v4(address), text, ADDRESS_TEXT_BYTES);
    else
        inet_ntop(AF_INET6, address->bytes, text, ADDRESS_TEXT_BYTES);
    return text;
}

bool address_is_host(const struct address *address)
{
    static const struct address unspecified = {{0}}, loopback = {{[15] = 1}};
    const uint8_t *v4 = address_v4(address);

    if (address_is_v4(address))
        return v4[0] != 0 && v4[0] != V4_LOOPBACK && v4[0] < V4_GROUPS;
    return address->bytes[0] != V6_GROUPS && !address_equal(address, &unspecified) &&
           !address_equal(address, &loopback);
}

bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}
