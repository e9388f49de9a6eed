/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * One-sided operations of the left end of a pair on memory of its right end, a window of them at a
 * time.
 *
 *     slot of the window:  0 1 2 3 0 1 2 3 0 1 2 3 ...
 *     place of the region: 0 1 2 3 4 5 6 7 8 9 ...
 *
 * Each slot of the window has one operation at a time, a buffer, and places of the region that are
 * no other slot's, which it visits in turn: so what an operation finds, and leaves, is known by its
 * slot and how often that has been there. What kinds there are, and whether what became of one is
 * right, is a table of functions (ring_remote_kinds.c).
 *
 * Ownership: ring_remote's own. Threads: one, which is both applications.
 */
#ifndef BENCH_RING_REMOTE_H
#define BENCH_RING_REMOTE_H

#include "tools/bench/ring_pair.h"

#define REMOTE_REGION_BYTES (1u << 20) /* at least: that stays in the cache */

struct remote_kind;

struct remote_slot {
    uint32_t turn;   /* which of its places it is at */
    uint64_t visits; /* that it has made to all of them: to this one before */
};

struct remote {
    struct ring_shared *shared;
    struct pair pair;
    const struct remote_kind *kind;
    saddle_key key, table_key; /* of what the right end exposes */
    uint8_t *region, *table;   /* its own look at that; no table where none is needed */
    uint64_t region_bytes;
    uint32_t places; /* of the region, of the case's bytes each */
    uint32_t turns;  /* places of each slot */
    uint8_t *buffers;
    struct remote_slot *slots;
    uint32_t *free_slots, free_count;
    uint64_t begun, done, moved_ns;
};

struct remote_kind {
    const char *what;     /* for what goes wrong */
    uint32_t rights;      /* of the region */
    uint32_t per_slot;    /* how many times the case's bytes a slot's buffer has */
    uint32_t entry_bytes; /* of the table, which has an entry for each place; 0: there is none */
    void (*fill)(struct remote *r);
    void (*fill_table)(struct remote *r); /* once the region's key is known */
    int (*begin)(struct remote *r, uint32_t slot, const struct saddle_op *op);
    bool (*is_right)(const struct remote *r, uint32_t slot, const struct saddle_completion *event);
};

/* Of a work that is a one-sided operation. */
const struct remote_kind *remote_kind(enum ring_work work);

#endif
