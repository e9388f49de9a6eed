/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Congestion control, as a flow sees it: how many packets may be in flight, and how fast.
 *
 * An algorithm is a table of functions over CC_STATE_BYTES of private state that the flow embeds.
 * Implementations:
 *   cc_swift.c   a window held by the round trip's distance from a target
 *   cc_timely.c  a rate, and a window to bound it, held by the round trip and its slope
 *   cc_window.c  a plain window: slow start, additive increase, halving; knows loss and marks alone
 * The first two count from the flow's base round trip (cc_base.h).
 *
 * Threads: the engine's. Pure computation; time is passed in.
 */
#ifndef ENGINES_PONY_CC_H
#define ENGINES_PONY_CC_H

#include <stdbool.h>
#include <stdint.h>

#define CC_STATE_BYTES 128u   /* two cache lines of each flow */
#define CC_INITIAL     10u    /* packets of a first round trip (RFC 6928) */
#define CC_PACKET      65536u /* one packet, where windows have fractions */
#define CC_RESETS      5u     /* time-outs in a row after which all that was learned is void */

struct cc_params {
    uint32_t window_min; /* packets, of cc_window; the others have pacing for less than one */
    uint32_t window_max; /* packets */
};

struct cc_ack {
    uint64_t now;     /* ns */
    uint64_t rtt_ns;  /* of this sample, without what hosts may have added; 0 if there is none */
    uint32_t packets; /* newly acknowledged */
    uint32_t flying;  /* in flight before it came: tells whether the window was the limit */
    bool ecn;         /* congestion experienced */
};

/* What operators see. */
struct cc_report {
    uint64_t base_ns;   /* round trip taken for the empty path's; 0: not used, or not known yet */
    uint64_t target_ns; /* round trip that is aimed at; likewise */
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
    void (*report)(const void *state, struct cc_report *report);
};

extern const struct cc_ops cc_swift, cc_timely, cc_window;

#endif
