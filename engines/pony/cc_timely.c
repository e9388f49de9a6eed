/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Timely (SIGCOMM'15), in the form of "ECN or Delay" (CoNEXT'16, section 4.3) that has a fixed
 * point: a rate, changed once a round trip by the round trip's distance from a reference and by
 * its slope. The slope decides through a smooth weight how much of the change is an increase and
 * how much a decrease, instead of turning one into the other at zero.
 *
 * Free: until the round trip first reaches the low threshold, nothing is computed and nothing is
 * paced; a window in slow start bounds what is in flight. What was delivered then is the first
 * rate. A rate that the application stays far below, with short round trips, makes the flow free
 * again.
 *
 * Beyond the papers, which are for networks that lose nothing and for NICs that take the time: a
 * loss, or an ECN echo, halves the rate; the thresholds are set from the base round trip
 * (cc_base.h); and a round trip is judged by the least of its samples, because a thread that did
 * not run for a moment lengthens some, and a queue all of them.
 */
#include "engines/pony/cc_base.h"

#include <string.h>

#define NSEC           1000000000ull
#define RATE_LEAST     100u /* packets a second */
#define RATE_MOST      1000000000ull
#define HIGH_QUEUES    4u   /* high threshold: queues that may stand, beyond the base */
#define STEP_TURNS     8u   /* forty flows that step at once must not fill a link */
#define EAGER_AFTER    5u   /* round trips below the low threshold in a row: then steps are ... */
#define EAGER_STEPS    5u   /* ... this large */
#define CUT_PERMILLE   800u /* beta above the high threshold, of the excess */
#define STEER_PERMILLE 100u /* beta between the thresholds */
#define LOSS_PARTS     2u   /* a loss, or a mark, takes one of these */
#define STRAY_PARTS    4u /* a loss while the round trip is short, and so hardly for want of room */
#define SLOPE_PARTS    8u /* the newest difference counts 7 of 8 parts, the older ones 1 */
#define WEIGHT_ONE     1024 /* fixed point of slope and weight */
#define FREE_AFTER     8u   /* round trips in a row in which the rate was not used */
#define USED_PART      2u   /* a rate of which less than half is used is no limit */
#define SPARE          2u   /* packets in flight beyond what rate and high threshold make */

struct timely_state {
    struct cc_base base;
    uint64_t rtt_ns;     /* last sample */
    uint64_t updated_ns; /* the present round trip's begin */
    uint64_t least_ns;   /* sample in it; UINT64_MAX: none yet */
    uint64_t before_ns;  /* least sample of the round trip before; 0: none yet */
    int64_t slope_ns;    /* smoothed difference of the two */
    uint64_t rate;       /* packets a second; 0: free */
    uint32_t packets;    /* acknowledged in this round trip */
    uint32_t window;     /* packets, while free */
    uint32_t max;
    uint8_t eager;    /* round trips below the low threshold in a row, saturating */
    uint8_t unused;   /* round trips in a row in which the rate was no limit */
    uint8_t timeouts; /* in a row, saturating */
};

_Static_assert(sizeof(struct timely_state) <= CC_STATE_BYTES, "a flow embeds it");

static uint64_t low_ns(const struct timely_state *state)
{
    return state->base.base_ns + cc_base_queue(&state->base);
}

static uint64_t high_ns(const struct timely_state *state)
{
    return state->base.base_ns + HIGH_QUEUES * cc_base_queue(&state->base);
}

static void set_rate(struct timely_state *state, uint64_t rate)
{
    if (rate < RATE_LEAST)
        rate = RATE_LEAST;
    state->rate = rate < RATE_MOST ? rate : RATE_MOST;
}

static void begin_round_trip(struct timely_state *state, uint64_t now)
{
    state->updated_ns = now;
    state->least_ns = UINT64_MAX;
    state->packets = 0;
}

static void timely_init(void *private, const struct cc_params *params, uint64_t now)
{
    struct timely_state *state = private;

    memset(state, 0, sizeof(*state));
    state->max = params->window_max;
    state->window = CC_INITIAL < state->max ? CC_INITIAL : state->max;
    begin_round_trip(state, now);
}

/* A packet in STEP_TURNS times what the low threshold takes. */
static uint64_t step(const struct timely_state *state)
{
    uint64_t one = NSEC / (STEP_TURNS * low_ns(state)) + 1;

    return state->eager >= EAGER_AFTER ? EAGER_STEPS * one : one;
}

/* From a quarter below zero to a quarter above, the weight goes from none to all. */
static int64_t weight_of(int64_t slope_ns, uint64_t reference_ns)
{
    int64_t weight = WEIGHT_ONE / 2 + 2 * slope_ns * WEIGHT_ONE / (int64_t)reference_ns;

    if (weight < 0)
        return 0;
    return weight > WEIGHT_ONE ? WEIGHT_ONE : weight;
}

/* Between the thresholds. */
static uint64_t steered(const struct timely_state *state, uint64_t rtt)
{
    uint64_t low = low_ns(state);
    uint64_t weight = (uint64_t)weight_of(state->slope_ns, low);
    uint64_t cut = state->rate * STEER_PERMILLE / 1000 * weight / WEIGHT_ONE * (rtt - low) / low;
    uint64_t most = state->rate / 2;

    return state->rate - (cut < most ? cut : most) +
           step(state) * (WEIGHT_ONE - weight) / WEIGHT_ONE;
}

static void take_slope(struct timely_state *state, uint64_t rtt)
{
    int64_t difference = state->before_ns == 0 ? 0 : (int64_t)rtt - (int64_t)state->before_ns;

    state->slope_ns = (state->slope_ns + (SLOPE_PARTS - 1) * difference) / (int64_t)SLOPE_PARTS;
    state->before_ns = rtt;
}

/* Was less than half of the rate used? */
static bool idle(const struct timely_state *state, uint64_t elapsed)
{
    if (elapsed > CC_DELAY_MAX_NS)
        elapsed = CC_DELAY_MAX_NS;
    return (uint64_t)state->packets * NSEC < state->rate / USED_PART * elapsed;
}

static void go_free(struct timely_state *state)
{
    uint64_t window = state->rate * low_ns(state) / NSEC + 1;

    state->window = window < state->max ? (uint32_t)window : state->max;
    state->rate = 0;
    state->unused = 0;
}

/* Below the low threshold the slope means nothing: up, by larger steps after a while. */
static uint64_t raised(struct timely_state *state)
{
    state->eager += state->eager < EAGER_AFTER;
    return state->rate + step(state);
}

/* Above the high threshold it means nothing either: down, by the excess. */
static uint64_t lowered(const struct timely_state *state, uint64_t rtt)
{
    uint64_t cut = state->rate * CUT_PERMILLE / 1000 * (rtt - high_ns(state)) / rtt;
    uint64_t most = state->rate / 2;

    return state->rate - (cut < most ? cut : most);
}

/* A rate that is not used is not what makes the round trip long or short: it stays. */
static void spare(struct timely_state *state, uint64_t rtt)
{
    if (rtt < low_ns(state) && ++state->unused >= FREE_AFTER)
        go_free(state);
}

static void update(struct timely_state *state, uint64_t now)
{
    uint64_t rtt = state->least_ns, low = low_ns(state);
    bool unused = idle(state, now - state->updated_ns);

    take_slope(state, rtt);
    begin_round_trip(state, now);
    if (unused) {
        spare(state, rtt);
        return;
    }
    state->unused = 0;
    if (rtt < low) {
        set_rate(state, raised(state));
        return;
    }
    state->eager = 0;
    set_rate(state, rtt > high_ns(state) ? lowered(state, rtt) : steered(state, rtt));
}

/* What was in flight for a round trip, or might have been at first, is the rate from now on. */
static void leave_freedom(struct timely_state *state, uint32_t packets)
{
    uint64_t rtt = state->rtt_ns == 0 ? low_ns(state) : state->rtt_ns;

    if (packets < CC_INITIAL)
        packets = CC_INITIAL;
    set_rate(state, (uint64_t)packets * NSEC / rtt);
    state->before_ns = 0;
    state->slope_ns = 0;
}

static void cut(struct timely_state *state, uint32_t parts, uint64_t now)
{
    if (state->rate == 0)
        leave_freedom(state, state->window);
    set_rate(state, state->rate - state->rate / parts);
    state->eager = 0;
    begin_round_trip(state, now);
}

static void acked_free(struct timely_state *state, const struct cc_ack *ack)
{
    if (state->rtt_ns >= low_ns(state)) {
        leave_freedom(state, ack->flying);
        cc_base_yield(&state->base, ack->now);
        begin_round_trip(state, ack->now);
    } else if (cc_limited(ack, state->window * CC_PACKET)) {
        state->window +=
            ack->packets < state->max - state->window ? ack->packets : state->max - state->window;
    }
}

/* It gives way, or did until now: what it saw meanwhile is of no round trip of its rate. */
static bool gives_way(struct timely_state *state, const struct cc_ack *ack)
{
    bool before = state->base.yield_ns != 0;

    return cc_base_yields(&state->base, ack) || before;
}

static void timely_acked(void *private, const struct cc_ack *ack)
{
    struct timely_state *state = private;
    uint64_t delay = ack->rtt_ns < CC_DELAY_MAX_NS ? ack->rtt_ns : CC_DELAY_MAX_NS;

    state->timeouts = 0;
    state->packets += ack->packets;
    if (delay != 0) {
        cc_base_sample(&state->base, delay, high_ns(state), ack->now);
        state->rtt_ns = delay;
        if (delay < state->least_ns)
            state->least_ns = delay;
    }
    if (ack->ecn) {
        if (ack->now - state->updated_ns >= state->rtt_ns)
            cut(state, LOSS_PARTS, ack->now);
    } else if (gives_way(state, ack)) {
        begin_round_trip(state, ack->now);
    } else if (state->rate == 0) {
        acked_free(state, ack);
    } else if (ack->now - state->updated_ns >= state->rtt_ns && state->least_ns != UINT64_MAX) {
        update(state, ack->now);
    }
}

static void timely_lost(void *private, uint64_t now)
{
    struct timely_state *state = private;

    cut(state, state->rtt_ns < low_ns(state) ? STRAY_PARTS : LOSS_PARTS, now);
}

static void timely_timed_out(void *private, uint64_t now)
{
    struct timely_state *state = private;

    cut(state, LOSS_PARTS, now);
    state->base.yield_ns = 0;
    state->timeouts += state->timeouts < CC_RESETS;
    if (state->timeouts == CC_RESETS)
        set_rate(state, RATE_LEAST);
}

static uint32_t timely_window(const void *private)
{
    const struct timely_state *state = private;
    uint64_t window = state->window;

    if (state->base.yield_ns != 0)
        return 1;
    if (state->rate != 0)
        window = state->rate * high_ns(state) / NSEC + SPARE;
    return window < state->max ? (uint32_t)window : state->max;
}

static uint64_t timely_gap_ns(const void *private)
{
    const struct timely_state *state = private;

    return state->rate == 0 || state->base.yield_ns != 0 ? 0 : NSEC / state->rate;
}

static void timely_report(const void *private, struct cc_report *report)
{
    const struct timely_state *state = private;

    report->base_ns = state->base.base_ns;
    report->target_ns = low_ns(state);
}

const struct cc_ops cc_timely = {
    .name = "timely",
    .init = timely_init,
    .acked = timely_acked,
    .lost = timely_lost,
    .timed_out = timely_timed_out,
    .window = timely_window,
    .gap_ns = timely_gap_ns,
    .report = timely_report,
};
