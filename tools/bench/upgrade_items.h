/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a turn consists of: how each of its messages and operations begins, and how what came of it
 * is judged. A new one is a line in the list.
 *
 * Ownership: all is borrowed. Threads: the mix's.
 */
#ifndef BENCH_UPGRADE_ITEMS_H
#define BENCH_UPGRADE_ITEMS_H

#include "tools/bench/upgrade_mix.h"

#define MIX_EAGER     16384u /* longer messages need a buffer */
#define MIX_UNORDERED (MIX_STREAMS - 1u)
#define MIX_ENTRIES   6u  /* of a turn, in the table of each end */
#define MIX_TAG_POST  17u /* bit of a tag: the buffer's, not the message's */

/* What one turn uses of a table. */
struct mix_part {
    struct saddle_match entries[MIX_ENTRIES];
    uint64_t swapped; /* how often it was */
};

struct mix_table {
    struct mix_part parts[MIX_TURNS];
    uint64_t sum; /* of all turns' additions */
};

struct mix_item;

/* One item of one turn in one direction, with all that belongs to it. */
struct mix_aim {
    struct mix *mix;
    struct mix_turn *turn;
    const struct mix_item *item;
    struct mix_state *state;
    struct mix_end *from, *to;
    saddle_handle from_handle, to_handle;
    uint32_t direction, place; /* of the turn among the turns */
    size_t offset;             /* of its area in each of an end's */
    struct saddle_op op;
};

struct mix_item {
    const char *name;
    /* 0, -EAGAIN, or another negative errno: nothing was begun. */
    int (*begin)(const struct mix_aim *aim);
    /* After its end without an error; NULL: a message, which is judged where it arrives. */
    void (*check)(const struct mix_aim *aim, const struct saddle_completion *event);
    uint32_t bytes;
    uint16_t stream;
    uint32_t every, phase; /* it is in those rounds of a lane: number % every == phase */
};

extern const struct mix_item mix_items[];
extern const uint32_t mix_item_count;

/* Of a message's bytes after its number, with which it begins. */
uint64_t mix_message_key(const struct mix *mix, const struct mix_lane *lane, uint32_t direction,
                         uint32_t stream, uint64_t number);

#define mix_fault(mix, ...) (mix)->ops->fault((mix)->context, __VA_ARGS__)

#endif
