/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Echo, of ICMP (RFC 792) and ICMPv6 (RFC 4443), and the checksum of the latter.
 *
 * Plain functions; any thread. Trust: what is read may say anything.
 */
#ifndef ENGINES_ELEMENTS_ICMP_H
#define ENGINES_ELEMENTS_ICMP_H

#include "engines/address.h"

#include <stdint.h>

#define ICMP_ECHO_REQUEST  8u
#define ICMP6_ECHO_REQUEST 128u

/* The sum over an ICMPv6 message with its pseudo-header (RFC 8200 section 8.1). */
uint64_t icmp6_sum(const struct address *source, const struct address *destination,
                   const uint8_t *message, uint32_t length);

/* Turns an echo request, from its IP header on, into its answer, in place. On success the length of
 * the answer, at most `length`, and whose address it was sent to; -EINVAL for anything else but a
 * whole, right request with neither options nor fragments, from a source that can be answered; then
 * the bytes are as before. */
int icmp_echo(uint8_t *packet, uint32_t length, struct address *asked);

#endif
