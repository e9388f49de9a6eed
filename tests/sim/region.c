/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/region.h"

#include "tests/sim/pattern.h"
#include "tests/sim/table.h"

#include <stdlib.h>
#include <string.h>

struct region *region_create(struct app *app, uint8_t *memory, uint32_t length, bool writable,
                             uint64_t pattern)
{
    struct region *region = sim_zalloc(sizeof(*region));
    region->app = app;
    region->pattern = pattern;
    region->memory = memory;
    region->length = length;
    pattern_fill(pattern, 0, memory, length);
    if (writable) {
        region->shadow = sim_zalloc(length);
        memcpy(region->shadow, memory, length);
    }
    return region;
}

struct region *region_create_table(struct app *app, uint8_t *memory)
{
    struct region *region = sim_zalloc(sizeof(*region));
    region->app = app;
    region->memory = memory;
    region->length = TABLE_BYTES;
    region->table = sim_zalloc(sizeof(*region->table));
    table_init(region->table, memory);
    return region;
}

void region_destroy(struct region *region)
{
    if (region->table)
        table_fini(region->table);
    free(region->table);
    free(region->shadow);
    free(region);
}

uint32_t region_take(struct region *region)
{
    for (uint32_t i = 0; i < REGION_SLOTS; i++)
        if (region->slots[i] == SLOT_USABLE) {
            region->slots[i] = SLOT_TAKEN;
            return i;
        }
    return REGION_SLOT_NONE;
}

static bool slot_intact(const struct region *region, uint32_t slot)
{
    size_t at = (size_t)slot * REGION_SLOT_BYTES;
    return memcmp(region->memory + at, region->shadow + at, REGION_SLOT_BYTES) == 0;
}

bool region_wrote(struct region *region, uint32_t slot, uint64_t offset, const void *bytes,
                  size_t length)
{
    memcpy(region->shadow + offset, bytes, length);
    region->slots[slot] = SLOT_USABLE;
    return slot_intact(region, slot);
}

void region_taint(struct region *region, uint32_t slot)
{
    region->slots[slot] = SLOT_TAINTED;
}

const char *region_close(struct region *region)
{
    static const char *const foreign = "it holds what nobody put there";
    if (region->table)
        return table_close(region->table, region->memory);
    if (!region->shadow)
        return pattern_matches(region->pattern, 0, region->memory, region->length) ? NULL : foreign;
    for (uint32_t i = 0; i < REGION_SLOTS; i++)
        if (region->slots[i] == SLOT_USABLE && !slot_intact(region, i))
            return foreign;
    return NULL;
}
