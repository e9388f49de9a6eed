/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Swift (SIGCOMM'20): additive increase while the round trip is below a target, a decrease in
 * proportion to the excess above it, at most once a round trip; windows go below one packet, by
 * pacing.
 *
 * The target is the base round trip, which stands for the topology, plus the queue that may stand,
 * plus a share that grows as the window shrinks: many flows need a longer queue to stay apart, and
 * of two flows the smaller one yields later, which makes them equal.
 *
 * Beyond the paper: below one packet only a delay counts that hosts do not make by waking their
 * threads; slow start until the first decrease, since the path's speed is not known; an
 * ECN echo counts as a loss, as RFC 3168 demands of who sends ECN-capable packets; and pacing
 * counts with the target where the round trip is longer, so that one monstrous sample, of a thread
 * that did not run, cannot put the next packet off for a multiple of it.
 */
#include "engines/pony/cc_base.h"

#include <string.h>

#define INCREASE      CC_PACKET         /* a round trip */
#define WINDOW_LEAST  (CC_PACKET / 100) /* one packet in a hundred round trips */
#define PACED_BELOW   (4 * CC_PACKET)   /* a window this small is coarse without pacing */
#define EXCESS_TENTHS 8u                /* of the excess, relative to the delay, is taken away */
#define CUT_MOST      2u                /* a decrease leaves a half at least */

/* A window below one packet is for more flows than there is room for. Engines that sleep make the
 * same delays, since each thread on the way there and back has to be woken, and longer ones the
 * less is sent. So for less than a packet it takes more delay beyond the base than ten such threads
 * make, and what is below a packet by losses comes back meanwhile, a 32nd with each packet. */
#define WAKES_NS     500000u
#define REGAIN_PARTS 32u

/* Flow scaling: nothing for windows of 100 packets, everything from a tenth of a packet down;
 * between them as the inverse of the square root, here in fractions of CC_PACKET. */
#define SCALE_NONE 6554u   /* of 100 */
#define SCALE_FULL 207243u /* of 0.1 */

struct swift_state {
    struct cc_base base;
    uint64_t rtt_ns;       /* last sample; 0: none yet */
    uint64_t target_ns;    /* as of the last decision */
    uint64_t decreased_ns; /* last decrease */
    uint32_t window;       /* in fractions of CC_PACKET */
    uint32_t max;
    uint32_t timeouts; /* in a row */
    bool settled;      /* slow start is over */
};

_Static_assert(sizeof(struct swift_state) <= CC_STATE_BYTES, "a flow embeds it");

/* The integer part of the square root; 25 bits are enough for what is asked here. */
static uint32_t root(uint64_t value)
{
    uint32_t found = 0;

    for (uint32_t bit = 1u << 24; bit > 0; bit >>= 1) {
        uint64_t next = found | bit;

        if (next * next <= value)
            found |= bit;
    }
    return found;
}

/* The part of the target that depends on the window. */
static uint64_t flow_share(uint64_t queue_ns, uint32_t window)
{
    /* 1 / sqrt(window), of a window in fractions, in fractions. */
    uint64_t scale = root(((uint64_t)CC_PACKET * CC_PACKET * CC_PACKET) / window);

    if (scale <= SCALE_NONE)
        return 0;
    if (scale >= SCALE_FULL)
        return queue_ns;
    return queue_ns * (scale - SCALE_NONE) / (SCALE_FULL - SCALE_NONE);
}

static void swift_init(void *private, const struct cc_params *params, uint64_t now)
{
    struct swift_state *state = private;

    memset(state, 0, sizeof(*state));
    state->max = params->window_max * CC_PACKET;
    state->window = CC_INITIAL * CC_PACKET;
    if (state->window > state->max)
        state->window = state->max;
    state->decreased_ns = now;
}

/* By `amount`, but not below a half nor below `least`, and once a round trip: what left before the
 * last decrease did not know of it. */
static void decrease(struct swift_state *state, uint64_t amount, uint32_t least, uint64_t now)
{
    uint64_t most = state->window / CUT_MOST;

    state->settled = true;
    if (now - state->decreased_ns < state->rtt_ns || state->window <= least)
        return;
    state->window -= (uint32_t)(amount < most ? amount : most);
    if (state->window < least)
        state->window = least;
    state->decreased_ns = now;
}

/* By a half: something was lost, or might have been. */
static void halve(struct swift_state *state, uint64_t now)
{
    decrease(state, state->window / CUT_MOST, WINDOW_LEAST, now);
}

static void increase(struct swift_state *state, uint32_t packets)
{
    uint64_t window = state->window;

    if (!state->settled)
        window += (uint64_t)packets * CC_PACKET;
    else if (window >= CC_PACKET)
        window += (uint64_t)packets * INCREASE * CC_PACKET / window;
    else
        window += (uint64_t)packets * INCREASE;
    state->window = window > state->max ? state->max : (uint32_t)window;
}

static void regain(struct swift_state *state)
{
    uint32_t window = state->window + state->window / REGAIN_PARTS;

    state->window = window < CC_PACKET ? window : CC_PACKET;
}

/* The round trip was longer than the target. */
static void answer_delay(struct swift_state *state, uint64_t now)
{
    uint64_t excess = state->rtt_ns - state->target_ns;
    bool woken = state->rtt_ns < state->base.base_ns + WAKES_NS;

    if (!state->settled)
        cc_base_yield(&state->base, now);
    if (woken && state->window < CC_PACKET)
        regain(state);
    else
        decrease(state, state->window * EXCESS_TENTHS * excess / (10 * state->rtt_ns),
                 woken ? CC_PACKET : WINDOW_LEAST, now);
}

/* Nothing is computed while the round trip is short and the window is not the limit. */
static void swift_acked(void *private, const struct cc_ack *ack)
{
    struct swift_state *state = private;
    uint64_t queue, delay = ack->rtt_ns < CC_DELAY_MAX_NS ? ack->rtt_ns : CC_DELAY_MAX_NS;

    state->timeouts = 0;
    if (ack->ecn)
        halve(state, ack->now);
    if (delay == 0)
        return;
    cc_base_sample(&state->base, delay, state->target_ns, ack->now);
    state->rtt_ns = delay;
    if (cc_base_yields(&state->base, ack))
        return;
    queue = cc_base_queue(&state->base);
    state->target_ns = state->base.base_ns + queue;
    if (state->rtt_ns >= state->target_ns)
        state->target_ns += flow_share(queue, state->window);
    if (state->rtt_ns < state->target_ns) {
        if (cc_limited(ack, state->window))
            increase(state, ack->packets);
    } else {
        answer_delay(state, ack->now);
    }
}

static void swift_lost(void *private, uint64_t now)
{
    struct swift_state *state = private;

    halve(state, now);
}

static void swift_timed_out(void *private, uint64_t now)
{
    struct swift_state *state = private;

    state->base.yield_ns = 0;
    if (++state->timeouts >= CC_RESETS)
        state->window = WINDOW_LEAST;
    else
        halve(state, now);
}

/* Rounded up: pacing keeps the fraction. */
static uint32_t swift_window(const void *private)
{
    const struct swift_state *state = private;

    return state->base.yield_ns != 0 ? 1 : (state->window + CC_PACKET - 1) / CC_PACKET;
}

static uint64_t swift_gap_ns(const void *private)
{
    const struct swift_state *state = private;
    uint64_t turn = state->rtt_ns < state->target_ns ? state->rtt_ns : state->target_ns;

    if (state->window >= PACED_BELOW || state->base.yield_ns != 0)
        return 0;
    return turn * CC_PACKET / state->window;
}

static void swift_report(const void *private, struct cc_report *report)
{
    const struct swift_state *state = private;

    report->base_ns = state->base.base_ns;
    report->target_ns = state->target_ns;
}

const struct cc_ops cc_swift = {
    .name = "swift",
    .init = swift_init,
    .acked = swift_acked,
    .lost = swift_lost,
    .timed_out = swift_timed_out,
    .window = swift_window,
    .gap_ns = swift_gap_ns,
    .report = swift_report,
};
