/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The base round trip of a flow, from which delay-based congestion control counts: what a packet
 * takes when nothing queues. And how much may queue beyond it.
 *
 * A shorter round trip is believed at once. A longer one, after a route has changed, is believed
 * when for a whole period not one sample came near what was aimed at: had the delay been the flows'
 * own, they would have brought it down. A plain minimum over a window of time would take a queue
 * that stands for so long for the path, aim above it, and let it grow without end.
 *
 * A flow that begins while a queue stands takes that for a part of the path. So when it first meets
 * a delay that it has to answer, and again whenever it has seen none but long round trips for
 * CC_YIELD_NS, it gives way: it lets all that is in flight arrive, sends one packet alone, and goes
 * on. The others have yielded to its first push, and what it then sees is nearly the empty path.
 *
 * Plain data, embedded in an algorithm's state. Threads: the engine's. Pure computation.
 */
#ifndef ENGINES_PONY_CC_BASE_H
#define ENGINES_PONY_CC_BASE_H

#include "engines/pony/cc.h"

#define CC_PERIOD_NS      100000000u /* within which control shows: many round trips */
#define CC_PERIOD_SAMPLES 16u        /* the least that a period is judged by */
#define CC_YIELD_NS       10000000u /* between two times of giving way: a percent of time at most */
/* Below this a delay may be a thread's that gives another engine its budget. */
#define CC_QUEUE_MIN_NS 50000u
#define CC_DELAY_MAX_NS (1u << 30) /* a second: longer samples count as one */

struct cc_base {
    uint64_t base_ns;  /* 0 before the first sample */
    uint64_t least_ns; /* sample of this period */
    uint64_t since_ns; /* the period's begin */
    uint64_t near_ns;  /* the last time a sample came near the base, or the flow gave way */
    uint64_t yield_ns; /* since when it gives way; 0: it does not */
    uint32_t samples;  /* in this period */
};

/* Takes a sample, no longer than CC_DELAY_MAX_NS; `aim_ns` is the round trip that is aimed at. */
void cc_base_sample(struct cc_base *base, uint64_t rtt_ns, uint64_t aim_ns, uint64_t now);
/* The queueing delay that may stand: as much as the base round trip, at least CC_QUEUE_MIN_NS. */
uint64_t cc_base_queue(const struct cc_base *base);

/* Gives way, from now on. */
void cc_base_yield(struct cc_base *base, uint64_t now);
/* With each acknowledgement, after its sample: is the flow to give way, with one packet in flight,
 * unpaced, and nothing else decided? */
bool cc_base_yields(struct cc_base *base, const struct cc_ack *ack);

/* Was the window what held the flow? Else its growth would mean nothing (RFC 7661 section 4.1).
 * `window` in fractions of CC_PACKET. */
static inline bool cc_limited(const struct cc_ack *ack, uint32_t window)
{
    return ((uint64_t)ack->flying + 1) * CC_PACKET > window;
}

#endif
