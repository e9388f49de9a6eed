/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int parts_init(struct parts *parts, uint32_t room)
{
    memset(parts, 0, sizeof(*parts));
    parts->memory = calloc(PARTS_PLACES, room);
    if (!parts->memory)
        return -ENOMEM;
    parts->room = room;
    for (uint32_t i = 0; i < PARTS_PLACES; i++)
        parts->places[i].bytes = parts->memory + (size_t)i * room;
    return 0;
}

void parts_fini(struct parts *parts)
{
    free(parts->memory);
}

static uint32_t units(uint32_t bytes)
{
    return (bytes + WIRE_PART_UNIT - 1) / WIRE_PART_UNIT;
}

static void release(struct parts *parts, struct parts_place *place)
{
    place->owner = NULL;
    parts->used--;
}

static bool is_of(const struct parts_place *place, const void *owner)
{
    return place->owner == owner;
}

static bool is_from(const struct parts_place *place, const void *host)
{
    return place->owner && place->host == host;
}

static bool is_used(const struct parts_place *place, const void *nobody)
{
    (void)nobody;
    return place->owner != NULL;
}

/* Whose a place is: an owner's, a host's, or anybody's. */
typedef bool of_fn(const struct parts_place *place, const void *whom);

static uint32_t count_of(const struct parts *parts, of_fn *of, const void *whom)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PARTS_PLACES; i++)
        count += of(&parts->places[i], whom);
    return count;
}

/* The place of these that has been in use longest. */
static struct parts_place *oldest(struct parts *parts, of_fn *of, const void *whom)
{
    struct parts_place *best = NULL;

    for (uint32_t i = 0; i < PARTS_PLACES; i++) {
        struct parts_place *place = &parts->places[i];

        if (of(place, whom) && (!best || place->since_ns < best->since_ns))
            best = place;
    }
    return best;
}

/* The host that has most of all. */
static const void *greediest(const struct parts *parts, uint32_t *most)
{
    const void *host = NULL;

    *most = 0;
    for (uint32_t i = 0; i < PARTS_PLACES; i++) {
        uint32_t count = count_of(parts, is_from, parts->places[i].host);

        if (parts->places[i].owner && count > *most) {
            *most = count;
            host = parts->places[i].host;
        }
    }
    return host;
}

/* A place that may be taken away for this owner, or NULL. */
static struct parts_place *victim(struct parts *parts, const void *host, const void *owner,
                                  uint64_t now)
{
    const void *other;
    struct parts_place *place;
    uint32_t most;

    if (count_of(parts, is_of, owner) >= PARTS_SHARE)
        return oldest(parts, is_of, owner);
    other = greediest(parts, &most);
    if (most >= count_of(parts, is_from, host) + 2)
        return oldest(parts, is_from, other);
    place = oldest(parts, is_used, NULL);
    return now - place->since_ns >= PARTS_AGE_NS ? place : NULL;
}

static struct parts_place *find(struct parts *parts, const void *owner, uint32_t seq)
{
    for (uint32_t i = 0; i < PARTS_PLACES; i++) {
        if (parts->places[i].owner == owner && parts->places[i].seq == seq)
            return &parts->places[i];
    }
    return NULL;
}

static struct parts_place *find_free(struct parts *parts)
{
    for (uint32_t i = 0; i < PARTS_PLACES; i++) {
        if (!parts->places[i].owner)
            return &parts->places[i];
    }
    return NULL;
}

static struct parts_place *take_place(struct parts *parts, const void *host, const void *owner,
                                      uint64_t now)
{
    struct parts_place *place;

    if (parts->used == PARTS_PLACES || count_of(parts, is_of, owner) >= PARTS_SHARE) {
        place = victim(parts, host, owner, now);
        if (place)
            release(parts, place);
    }
    return find_free(parts);
}

static void mark(struct parts_place *place, uint32_t first, uint32_t count)
{
    for (uint32_t unit = first; unit < first + count; unit++) {
        uint64_t bit = 1ull << unit % 64;

        if (place->have[unit / 64] & bit)
            continue;
        place->have[unit / 64] |= bit;
        place->missing--;
    }
}

const uint8_t *parts_take(struct parts *parts, const void *host, const void *owner, uint32_t seq,
                          const struct wire_part *part, const uint8_t *slice, uint32_t bytes,
                          uint64_t now)
{
    struct parts_place *place = find(parts, owner, seq);

    if (part->total > parts->room)
        return NULL;
    if (!place) {
        place = take_place(parts, host, owner, now);
        if (!place)
            return NULL;
        parts->used++;
        place->owner = owner;
        place->host = host;
        place->seq = seq;
        place->since_ns = now;
        place->total = part->total;
        place->missing = (uint16_t)units(part->total);
        memset(place->have, 0, sizeof(place->have));
    } else if (place->total != part->total) {
        return NULL;
    }
    memcpy(place->bytes + part->offset, slice, bytes);
    mark(place, part->offset / WIRE_PART_UNIT, units(bytes));
    return place->missing == 0 ? place->bytes : NULL;
}

void parts_drop(struct parts *parts, const void *owner, uint32_t seq)
{
    struct parts_place *place = parts->used > 0 ? find(parts, owner, seq) : NULL;

    if (place)
        release(parts, place);
}

void parts_drop_all(struct parts *parts, const void *owner)
{
    for (uint32_t i = 0; i < PARTS_PLACES && parts->used > 0; i++) {
        if (parts->places[i].owner == owner)
            release(parts, &parts->places[i]);
    }
}
