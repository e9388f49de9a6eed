/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two applications in one thread, one at each host's engine, and the connections between them, all
 * of which the left one opened.
 *
 * Ownership: the caller's struct, which begins as zeroes; whatever became of pair_open, pair_close
 * is for it. Threads: one, which has both ends.
 */
#ifndef BENCH_RING_PAIR_H
#define BENCH_RING_PAIR_H

#include "tools/bench/ring_work.h"

#include <saddle/saddle.h>

#define PAIR_LEFT         RING_LEFT
#define PAIR_RIGHT        RING_RIGHT
#define PAIR_ENDS         RING_HOSTS
#define PAIR_EAGER_BYTES  16384u /* a longer message needs a posted buffer: saddle.h */
#define PAIR_INLINE_BYTES 64u    /* up to so many may lie anywhere */

struct pair_end {
    struct saddle_session *session;
    struct saddle_channel *channel;
};

struct pair {
    struct pair_end ends[PAIR_ENDS];
    /* Of each connection: as the left has them, in the order it asked for them, and as the right
     * has them, in the order it was called: a pair of handles is known by what arrives. */
    saddle_handle *handles[PAIR_ENDS];
    uint32_t connections;
    uint32_t number; /* of the service that the right offers */
};

/* Number `number` of those that this process opens. `heap_bytes` is what is to be allocated at each
 * end. 0 or a negative errno, with a line in `reason`. */
int pair_open(struct pair *pair, struct ring_shared *shared, uint32_t number, uint64_t heap_bytes);
/* Opens so many connections beside those that there are, which are quiet. Likewise. */
int pair_extend(struct pair *pair, struct ring_shared *shared, uint32_t connections);
/* The left asks for one more, which the right has to accept, as saddle_connect; neither is of those
 * in `handles`. */
int pair_call(const struct pair *pair, const struct saddle_op *op);
void pair_close(struct pair *pair);
/* Sleeps until either end has an event. 0, -ETIMEDOUT, or a session's error. */
int pair_sleep(const struct pair *pair);
/* What a call or an event ended with, told in `reason`. */
int pair_error(const struct pair *pair, uint32_t end, struct ring_shared *shared, int rc,
               const char *what);

#endif
