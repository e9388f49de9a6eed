/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A plain window: slow start, additive increase, multiplicative decrease (RFC 5681 section 3), in
 * packets.
 */
#include "engines/pony/cc.h"

#include <string.h>

struct window_state {
    uint32_t window;
    uint32_t threshold; /* below it, slow start */
    uint32_t credit;    /* packets acknowledged toward the next increase */
    uint32_t min, max;
    uint64_t echoed_ns; /* last decrease for an echoed mark */
    uint64_t rtt_ns;    /* last sample */
};

_Static_assert(sizeof(struct window_state) <= CC_STATE_BYTES, "a flow embeds it");

static uint32_t bounded(const struct window_state *state, uint32_t window)
{
    if (window < state->min)
        return state->min;
    return window > state->max ? state->max : window;
}

static void window_init(void *private, const struct cc_params *params, uint64_t now)
{
    struct window_state *state = private;

    memset(state, 0, sizeof(*state));
    state->min = params->window_min;
    state->max = params->window_max;
    state->threshold = params->window_max;
    state->window = bounded(state, CC_INITIAL);
    state->echoed_ns = now;
}

static void window_lost(void *private, uint64_t now)
{
    struct window_state *state = private;

    (void)now;
    state->threshold = bounded(state, state->window / 2);
    state->window = state->threshold;
    state->credit = 0;
}

static void window_acked(void *private, const struct cc_ack *ack)
{
    struct window_state *state = private;

    if (ack->rtt_ns != 0)
        state->rtt_ns = ack->rtt_ns;
    /* RFC 3168 section 6.1.2: a mark counts as a loss, once a round trip. */
    if (ack->ecn && ack->now - state->echoed_ns >= state->rtt_ns) {
        state->echoed_ns = ack->now;
        window_lost(state, ack->now);
        return;
    }
    if (state->window < state->threshold) {
        state->window = bounded(state, state->window + ack->packets);
        return;
    }
    state->credit += ack->packets;
    if (state->credit >= state->window) {
        state->credit -= state->window;
        state->window = bounded(state, state->window + 1);
    }
}

static void window_timed_out(void *private, uint64_t now)
{
    struct window_state *state = private;

    window_lost(state, now);
    state->window = state->min;
}

static uint32_t window_window(const void *private)
{
    const struct window_state *state = private;

    return state->window;
}

static uint64_t window_gap_ns(const void *private)
{
    (void)private;
    return 0;
}

static void window_report(const void *private, struct cc_report *report)
{
    (void)private;
    *report = (struct cc_report){0};
}

const struct cc_ops cc_window = {
    .name = "window",
    .init = window_init,
    .acked = window_acked,
    .lost = window_lost,
    .timed_out = window_timed_out,
    .window = window_window,
    .gap_ns = window_gap_ns,
    .report = window_report,
};
