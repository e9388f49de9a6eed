/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control, as a flow sees it: how many packets may be in flight, and how fast.
 *
 * An algorithm is a table of functions over CC_STATE_BYTES of private state that the flow embeds.
 * Implementations: cc_window.c (a plain window: slow start, additive increase, halving).
 *
 * Threads: the engine's. Pure computation; time is passed in.
 */
#ifndef ENGINES_PONY_CC_H
#define ENGINES_PONY_CC_H

#include <stdbool.h>
#include <stdint.h>

#define CC_STATE_BYTES 64u /* one cache line of each flow */

struct cc_params {
    uint32_t window_min; /* packets */
    uint32_t window_max; /* packets */
};

struct cc_ack {
    uint64_t now;     /* ns */
    uint64_t rtt_ns;  /* of this sample; 0 if there is none */
    uint32_t packets; /* newly acknowledged */
    bool ecn;         /* congestion experienced */
};

struct cc_ops {
    const char *name;
    void (*init)(void *state, const struct cc_params *params, uint64_t now);
    void (*acked)(void *state, const struct cc_ack *ack);
    /* Loss found by reordering evidence; at most once per round trip. */
    void (*lost)(void *state, uint64_t now);
    /* The retransmission timer fired. */
    void (*timed_out)(void *state, uint64_t now);
    /* Packets that may be in flight. */
    uint32_t (*window)(const void *state);
    /* ns between two packets; 0: no pacing. */
    uint64_t (*gap_ns)(const void *state);
};

extern const struct cc_ops cc_window;

#endif
