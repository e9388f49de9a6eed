/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What applications do while daemons are replaced: turns, each a mixture of every kind of message
 * and operation in both directions of one connection, whose every byte is compared. A connection
 * has a turn now and then; several of them have one at a time.
 *
 *     left end  ===== lane 0, 1, 2 ... =====  right end       direction 0: from left to right
 *
 * Ownership: `struct mix` and its lanes are the caller's, sessions included. Threads: one, which
 * has both ends.
 */
#ifndef BENCH_UPGRADE_MIX_H
#define BENCH_UPGRADE_MIX_H

#include "tools/bench/tally.h"

#include <stdbool.h>
#include <stdint.h>

#include <saddle/saddle.h>

#define MIX_ENDS    2u
#define MIX_TURNS   8u  /* at a time: queues and links have enough to do, and memory is little */
#define MIX_ITEMS   32u /* in a turn and direction, at most */
#define MIX_STREAMS 4u  /* the last one is of unordered messages */

#define MIX_QUEUE      1024u       /* entries: more than all turns begin and post at a time */
#define MIX_HEAP_BYTES (32u << 20) /* the areas of an end, and room to spare */

struct mix_table;

/* One of the two applications. */
struct mix_end {
    struct saddle_session *session;
    struct saddle_channel *channel;
    uint8_t *out, *in;       /* an area for each turn */
    uint8_t *exposed;        /* likewise, for the other end to read and write */
    struct mix_table *table; /* what it reads by way of, and changes */
    saddle_key key, table_key;
    uint64_t adds_begun, adds_done; /* to its sum */
};

/* A connection. */
struct mix_lane {
    saddle_handle handles[MIX_ENDS];
    uint64_t rounds;                             /* turns that it has had */
    bool busy;                                   /* has one */
    struct tally tallies[MIX_ENDS][MIX_STREAMS]; /* by direction */
};

struct mix_state {
    bool posted; /* the buffer for a large message */
    bool done, arrived;
    uint64_t number; /* of a message in its stream */
    uint64_t key;    /* of its bytes */
};

struct mix_turn {
    struct mix_lane *lane;    /* NULL: none */
    uint64_t serial;          /* of all turns */
    uint64_t moved_ns;        /* when something of it happened */
    uint32_t begun[MIX_ENDS]; /* items, by direction */
    uint32_t left;            /* events that are to come */
    struct mix_state states[MIX_ENDS][MIX_ITEMS];
};

/* What is told of it. */
struct mix_ops {
    void (*message)(void *context);   /* one arrived, and was right */
    void (*operation)(void *context); /* one was carried out, and was right */
    void (*fault)(void *context, const char *format, ...) __attribute__((format(printf, 2, 3)));
};

struct mix {
    struct mix_end ends[MIX_ENDS];
    struct mix_lane *lanes;
    uint32_t lane_count;
    uint32_t next_lane; /* whose turn is next */
    struct mix_turn turns[MIX_TURNS];
    uint64_t serial;
    bool broken; /* nothing can go on */
    struct tally_faults faults;
    const struct mix_ops *ops;
    void *context;
};

/* Gets an end's memory from its session. 0 or -ENOMEM. */
int mix_allocate(struct mix_end *end);
/* What is to be exposed as `key` and, changeable, as `table_key`. */
size_t mix_area_bytes(void);
size_t mix_table_bytes(void);

/* Gives places that are free to lanes whose turn it is. */
void mix_start(struct mix *mix, uint64_t now_ns);
/* Begins what has not been begun for want of room. */
void mix_begin(struct mix *mix);
/* Takes up to some events of an end; returns how many. */
int mix_take(struct mix *mix, uint32_t end, uint64_t now_ns);
/* Ends turns that are complete; returns how many. */
uint32_t mix_finish(struct mix *mix);
/* How many are under way; *oldest_ns gets when the one that stands still for longest moved. */
uint32_t mix_active(const struct mix *mix, uint64_t *oldest_ns);
/* Nothing more will come: adds up what is missing. */
void mix_end_all(struct mix *mix);
/* What the oldest turn waits for, in words. */
void mix_describe(const struct mix *mix, char *text, size_t bytes);

#endif
