/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between the versions of the wire: a table of functions for each.
 *
 *   1  the bitmap of ACK always has its full length
 *   2  it ends with the last byte that says something; SEARCH, FOUND, PART
 */
#include "engines/pony/wire.h"

#include <string.h>

/* Types that all versions have, and look the same in each. */
static bool fits_always(const struct wire_flow *flow, const uint8_t *body, uint32_t bytes)
{
    switch (flow->type) {
    case WIRE_DATA:
        return wire_operations_fit(body, bytes);
    case WIRE_PROBE:
        return bytes == 0;
    case WIRE_RESET:
        return bytes == 0 && flow->seq == 0 && flow->ack == 0;
    default:
        return false;
    }
}

static bool v1_fits(const struct wire_flow *flow, const uint8_t *body, uint32_t bytes)
{
    if (flow->type == WIRE_ACK)
        return bytes == WIRE_SACK_BYTES;
    return fits_always(flow, body, bytes);
}

static uint32_t v1_put_sack(const uint8_t sack[WIRE_SACK_BYTES], uint8_t *body)
{
    memcpy(body, sack, WIRE_SACK_BYTES);
    return WIRE_SACK_BYTES;
}

static void get_sack(const uint8_t *body, uint32_t bytes, uint8_t sack[WIRE_SACK_BYTES])
{
    memcpy(sack, body, bytes);
    memset(sack + bytes, 0, WIRE_SACK_BYTES - bytes);
}

static bool part_fits(const uint8_t *body, uint32_t bytes)
{
    struct wire_part part;
    uint32_t end;

    if (bytes <= WIRE_PART_BYTES)
        return false;
    wire_part_decode(&part, body);
    end = part.offset + (bytes - WIRE_PART_BYTES);
    return part.offset % WIRE_PART_UNIT == 0 &&
           (end == part.total || (end < part.total && end % WIRE_PART_UNIT == 0));
}

static bool v2_fits(const struct wire_flow *flow, const uint8_t *body, uint32_t bytes)
{
    switch (flow->type) {
    case WIRE_ACK:
        return bytes <= WIRE_SACK_BYTES && (bytes == 0 || body[bytes - 1] != 0);
    case WIRE_SEARCH:
        return true;
    case WIRE_FOUND:
        return bytes == 0;
    case WIRE_PART:
        return part_fits(body, bytes);
    default:
        return fits_always(flow, body, bytes);
    }
}

static uint32_t v2_put_sack(const uint8_t sack[WIRE_SACK_BYTES], uint8_t *body)
{
    uint32_t bytes = WIRE_SACK_BYTES;

    while (bytes > 0 && sack[bytes - 1] == 0)
        bytes--;
    memcpy(body, sack, bytes);
    return bytes;
}

static const struct wire_codec codecs[] = {
    [1] = {.fits = v1_fits, .put_sack = v1_put_sack, .get_sack = get_sack},
    [2] = {.fits = v2_fits, .put_sack = v2_put_sack, .get_sack = get_sack, .searches = true},
};

_Static_assert(sizeof(codecs) / sizeof(codecs[0]) == WIRE_VERSION_MAX + 1, "one for each version");

const struct wire_codec *wire_codec(uint8_t version)
{
    return version < WIRE_VERSION_MIN || version > WIRE_VERSION_MAX ? NULL : &codecs[version];
}
