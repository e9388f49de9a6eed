/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Exposed memory, and what must be in it. A region to be read holds a pattern and nobody may change
 * it. A table is described by table.h. A region to be written is divided into slots; a slot belongs
 * to one write at a time, and a shadow tells what all of it must hold, so that a byte written
 * twice, late or beside its place shows.
 *
 * Ownership: the application's; the memory is its arena's. Threads: one.
 */
#ifndef TESTS_SIM_REGION_H
#define TESTS_SIM_REGION_H

#include "tests/sim/sim.h"

#include <saddle/saddle.h>

#define REGION_SLOTS      16u
#define REGION_SLOT_BYTES (64u << 10)
#define REGION_SLOT_NONE  UINT32_MAX

enum region_state {
    REGION_EXPOSING,
    REGION_EXPOSED,
    REGION_REVOKING,
    REGION_REVOKED,
};

enum slot_use {
    SLOT_USABLE,
    SLOT_TAKEN,
    SLOT_TAINTED, /* a write failed: nobody knows what is in it */
};

struct region {
    struct region *next; /* of the application */
    struct app *app;
    uint64_t pattern;
    uint8_t *memory;
    uint32_t length;
    uint8_t *shadow;             /* of a region to be written, else NULL */
    struct table *table;         /* of a table, else NULL */
    uint8_t slots[REGION_SLOTS]; /* enum slot_use */
    saddle_key key;
    uint8_t state; /* enum region_state */
};

/* Fills `memory` and describes it; a writable one has REGION_SLOTS * REGION_SLOT_BYTES. */
struct region *region_create(struct app *app, uint8_t *memory, uint32_t length, bool writable,
                             uint64_t pattern);
/* A table, of TABLE_BYTES. */
struct region *region_create_table(struct app *app, uint8_t *memory);
void region_destroy(struct region *region);
static inline bool region_is_read(const struct region *region)
{
    return !region->shadow && !region->table;
}

/* A slot to write to, or REGION_SLOT_NONE. */
uint32_t region_take(struct region *region);
/* The write to it ended. Success: `bytes` lie at `offset`; true if that is so, and nothing else has
 * changed in the slot. */
bool region_wrote(struct region *region, uint32_t slot, uint64_t offset, const void *bytes,
                  size_t length);
void region_taint(struct region *region, uint32_t slot);
/* No peer changes it any more: NULL if everything is as it must be, or what is not. */
const char *region_close(struct region *region);

#endif
