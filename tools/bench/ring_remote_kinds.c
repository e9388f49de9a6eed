/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ramp.h"
#include "tools/bench/ring_remote.h"

#include <string.h>

#define SCAN_ENTRIES 16u /* that each scan has before it; it finds each of them in turn */

/* ---- Where a slot is ---- */

/* Those of a slot lie side by side: at a distance of a power of two they would all be in the same
 * few sets of a cache. */
static uint32_t place_of(const struct remote *r, uint32_t slot)
{
    return slot * r->turns + r->slots[slot].turn;
}

/* Of the item of a batch: the places of a slot in their turn, as many at a time. */
static uint32_t item_of(const struct remote *r, uint32_t slot, uint32_t item)
{
    uint32_t turn = (r->slots[slot].turn * SADDLE_BATCH_ITEMS + item) % r->turns;
    return slot * r->turns + turn;
}

static uint64_t visits(const struct remote *r, uint32_t slot)
{
    return r->slots[slot].visits;
}

static uint64_t offset_of(const struct remote *r, uint32_t place)
{
    return (uint64_t)place * r->shared->what.bytes;
}

static uint8_t *buffer_of(const struct remote *r, uint32_t slot)
{
    return r->buffers + (size_t)slot * r->kind->per_slot * r->shared->what.bytes;
}

static struct saddle_channel *channel_of(const struct remote *r)
{
    return r->pair.ends[PAIR_LEFT].channel;
}

static saddle_handle connection_of(const struct remote *r)
{
    return r->pair.handles[PAIR_LEFT][0];
}

static bool holds(const struct remote *r, const void *bytes, uint32_t place, uint64_t number)
{
    return ramp_check(bytes, r->shared->what.bytes, ramp_stamp(place, number));
}

/* ---- What there is to find ---- */

static void fill_places(struct remote *r)
{
    for (uint32_t place = 0; place < r->places; place++)
        ramp_fill(r->region + offset_of(r, place), r->shared->what.bytes, ramp_stamp(place, 0));
}

static void fill_nothing(struct remote *r)
{
    memset(r->region, 0, r->region_bytes);
}

static void fill_pointers(struct remote *r)
{
    struct saddle_pointer *entries = (struct saddle_pointer *)r->table;
    memset(entries, 0, r->places * sizeof(*entries));
    for (uint32_t place = 0; place < r->places; place++)
        saddle_pointer_set(&entries[place], r->key, offset_of(r, place), r->shared->what.bytes);
}

/* An empty place's match is 0. */
static uint64_t match_of(uint32_t place)
{
    return place + 1ull;
}

static void fill_matches(struct remote *r)
{
    struct saddle_match *entries = (struct saddle_match *)r->table;
    memset(entries, 0, r->places * sizeof(*entries));
    for (uint32_t place = 0; place < r->places; place++)
        saddle_match_set(&entries[place], match_of(place), r->key, offset_of(r, place),
                         r->shared->what.bytes);
}

/* ---- Reading ---- */

static int begin_read(struct remote *r, uint32_t slot, const struct saddle_op *op)
{
    return saddle_read(channel_of(r), connection_of(r), r->key, offset_of(r, place_of(r, slot)),
                       buffer_of(r, slot), r->shared->what.bytes, op);
}

static int begin_indirect(struct remote *r, uint32_t slot, const struct saddle_op *op)
{
    return saddle_read_indirect(channel_of(r), connection_of(r), r->table_key,
                                place_of(r, slot) * sizeof(struct saddle_pointer),
                                buffer_of(r, slot), r->shared->what.bytes, op);
}

static bool was_read(const struct remote *r, uint32_t slot, const struct saddle_completion *event)
{
    return event->len == r->shared->what.bytes &&
           holds(r, buffer_of(r, slot), place_of(r, slot), 0);
}

static int begin_batch(struct remote *r, uint32_t slot, const struct saddle_op *op)
{
    uint64_t offsets[SADDLE_BATCH_ITEMS];
    for (uint32_t i = 0; i < SADDLE_BATCH_ITEMS; i++)
        offsets[i] = item_of(r, slot, i) * sizeof(struct saddle_pointer);
    return saddle_read_batch(channel_of(r), connection_of(r), r->table_key, offsets,
                             SADDLE_BATCH_ITEMS, buffer_of(r, slot), r->shared->what.bytes, op);
}

static bool was_batch(const struct remote *r, uint32_t slot, const struct saddle_completion *event)
{
    struct saddle_read_item items[SADDLE_BATCH_ITEMS];
    uint32_t bytes = r->shared->what.bytes;
    if (saddle_read_items(event, items, SADDLE_BATCH_ITEMS) != SADDLE_BATCH_ITEMS)
        return false;
    for (uint32_t i = 0; i < SADDLE_BATCH_ITEMS; i++) {
        uint32_t place = item_of(r, slot, i);
        if (items[i].status || items[i].length != bytes ||
            !holds(r, buffer_of(r, slot) + (size_t)i * bytes, place, 0))
            return false;
    }
    return true;
}

static int begin_scan(struct remote *r, uint32_t slot, const struct saddle_op *op)
{
    uint32_t place = place_of(r, slot), first = place - place % SCAN_ENTRIES;
    uint32_t entries = r->places - first < SCAN_ENTRIES ? r->places - first : SCAN_ENTRIES;
    return saddle_scan_read(channel_of(r), connection_of(r), r->table_key,
                            first * sizeof(struct saddle_match), entries, match_of(place),
                            buffer_of(r, slot), r->shared->what.bytes, op);
}

static bool was_found(const struct remote *r, uint32_t slot, const struct saddle_completion *event)
{
    return event->value == place_of(r, slot) % SCAN_ENTRIES && was_read(r, slot, event);
}

/* ---- Writing ---- */

static int begin_write(struct remote *r, uint32_t slot, const struct saddle_op *op)
{
    uint32_t place = place_of(r, slot), bytes = r->shared->what.bytes;
    ramp_fill(buffer_of(r, slot), bytes, ramp_stamp(place, visits(r, slot)));
    return saddle_write(channel_of(r), connection_of(r), r->key, offset_of(r, place),
                        buffer_of(r, slot), bytes, op);
}

/* Once it has ended the bytes are there. */
static bool was_written(const struct remote *r, uint32_t slot,
                        const struct saddle_completion *event)
{
    uint32_t place = place_of(r, slot);
    (void)event;
    return holds(r, r->region + offset_of(r, place), place, visits(r, slot));
}

/* ---- Counting: each place's word says how many times its slot has been there ---- */

static int begin_swap(struct remote *r, uint32_t slot, const struct saddle_op *op)
{
    uint64_t found = visits(r, slot);
    return saddle_compare_swap(channel_of(r), connection_of(r), r->key,
                               offset_of(r, place_of(r, slot)), found, found + 1, op);
}

static int begin_add(struct remote *r, uint32_t slot, const struct saddle_op *op)
{
    return saddle_fetch_add(channel_of(r), connection_of(r), r->key,
                            offset_of(r, place_of(r, slot)), 1, op);
}

static bool was_counted(const struct remote *r, uint32_t slot,
                        const struct saddle_completion *event)
{
    uint64_t found = visits(r, slot);
    return event->value == found &&
           ramp_read(r->region + offset_of(r, place_of(r, slot))) == found + 1;
}

/* ---- All of them ---- */

const struct remote_kind *remote_kind(enum ring_work work)
{
    static const struct remote_kind kinds[RING_WORKS] = {
        [RING_READS] = {"reading", SADDLE_READABLE, 1, 0, fill_places, NULL, begin_read, was_read},
        [RING_INDIRECT] = {"reading by way of a table", SADDLE_READABLE, 1,
                           sizeof(struct saddle_pointer), fill_places, fill_pointers,
                           begin_indirect, was_read},
        [RING_BATCHES] = {"reading a batch", SADDLE_READABLE, SADDLE_BATCH_ITEMS,
                          sizeof(struct saddle_pointer), fill_places, fill_pointers, begin_batch,
                          was_batch},
        [RING_SCANS] = {"scanning", SADDLE_READABLE, 1, sizeof(struct saddle_match), fill_places,
                        fill_matches, begin_scan, was_found},
        [RING_WRITES] = {"writing", SADDLE_WRITABLE, 1, 0, fill_nothing, NULL, begin_write,
                         was_written},
        [RING_SWAPS] = {"comparing and swapping", SADDLE_ATOMIC, 1, 0, fill_nothing, NULL,
                        begin_swap, was_counted},
        [RING_ADDS] = {"fetching and adding", SADDLE_ATOMIC, 1, 0, fill_nothing, NULL, begin_add,
                       was_counted},
    };
    return &kinds[work];
}
