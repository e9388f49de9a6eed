/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages from the left end of a pair to its right end, a window of them on their way at a time,
 * over all of its connections, and all streams of each, in turn. Each arrives once, in its order,
 * on the connection and stream it was sent on, and every byte of it is compared.
 *
 * Ownership: the caller's struct, which begins as zeroes; whatever became of flow_open, flow_close
 * is for it. Threads: one, which is both applications.
 */
#ifndef BENCH_RING_FLOW_H
#define BENCH_RING_FLOW_H

#include "tools/bench/ring_pair.h"

/* One stream's messages: stream number % streams of connection number / streams. */
struct flow_lane {
    uint64_t sent, received;
    saddle_handle to; /* as the right has it; 0 until its first message arrives */
};

struct flow {
    struct ring_shared *shared;
    struct pair pair;
    struct flow_lane *lanes;
    uint32_t next_lane;
    uint8_t *out, *in; /* `slots` messages each; NULL where none are needed */
    /* Those of `out` that nobody reads, in the order in which they were given back: so all of them
     * are used in turn. */
    uint32_t *free_slots, first_free, free_count;
    uint64_t sent, done, received;
};

/* Number `number` of those that this process opens. Each answers 0, or a negative errno with a line
 * in the shared `reason`. */
int flow_open(struct flow *flow, struct ring_shared *shared, uint32_t number);
/* Sends what the window has room for. */
int flow_send(struct flow *flow);
/* Takes what has happened at both ends; *count grows by how much that was. */
int flow_take(struct flow *flow, uint32_t *count);
bool flow_is_over(const struct flow *flow);
void flow_close(struct flow *flow);

#endif
