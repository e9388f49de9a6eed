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

#define ADDRESS_TEXT_BYTES 46u /* longest text form, with the final NUL (INET6_ADDRSTRLEN) */

struct address {
    uint8_t bytes[16];
};

/* 0, or -EINVAL if `text` is no numeric address. */
int address_parse(struct address *address, const char *text);
/* Writes the usual text form, IPv4 without the mapping; returns `text`. */
const char *address_format(const struct address *address, char text[ADDRESS_TEXT_BYTES]);
bool address_is_v4(const struct address *address);
bool address_equal(const struct address *a, const struct address *b);

#endif
