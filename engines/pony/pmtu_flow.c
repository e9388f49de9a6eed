/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow's size of packets: questions sent and answered, the timer, and what follows for the flow.
 * pmtu.c decides. Flows of a version without such questions use what HELLO and the way allow.
 *
 * Questions and answers are no part of the flow's sequence: they count against no window, and their
 * loss is no news to congestion control.
 */
#include "engines/pony/flow_private.h"

#define SEARCH_WAIT_MIN_NS NSEC_PER_MSEC /* the peer's thread may have to wake up */
#define SEARCH_WAIT_MAX_NS (100 * NSEC_PER_MSEC)
#define SEARCH_TRIPS       2u /* round trips that an answer is waited for */
/* A packet's size is doubted after so many transmissions of it, all lost; or after so many
 * time-outs without progress, since of many packets that are lost each is sent again but seldom. */
#define SENDS_DOUBTED    3u
#define TIMEOUTS_DOUBTED 2u

_Static_assert(PMTU_LEAST == MTU_MIN, "one least size of packets");

/* Some round trips; a time before any was measured. */
static uint64_t wait_ns(const struct flow *flow)
{
    uint64_t trip = flow->rtt.smoothed_ns + 4 * flow->rtt.variation_ns;

    if (flow->rtt.smoothed_ns == 0)
        return RTT_INITIAL_NS;
    return RTE_MIN(RTE_MAX(SEARCH_TRIPS * trip, SEARCH_WAIT_MIN_NS), SEARCH_WAIT_MAX_NS);
}

/* What was decided holds from the next packet on. */
static void apply(struct flow *flow)
{
    struct wheel *wheel = flow->transport->wheel;
    uint16_t size;
    uint32_t number;

    flow->mtu = flow->pmtu.mtu;
    if (flow->pmtu.deadline == UINT64_MAX)
        wheel_cancel(wheel, &flow->search_timer);
    else
        wheel_set(wheel, &flow->search_timer, flow->pmtu.deadline);
    if (pmtu_next(&flow->pmtu, &size, &number))
        flow_make_ready(flow);
    else if (!pmtu_searching(&flow->pmtu))
        flow_kick(flow); /* something may have waited for the end of the search */
}

static void search_fire(struct wheel_timer *timer, uint64_t now)
{
    struct flow *flow = container_of(timer, struct flow, search_timer);
    uint16_t before = flow->pmtu.mtu;

    now = transport_time(flow->transport, now);
    /* Nobody uses the flow: asking again would keep it from being forgotten. */
    if (flow->pmtu.state == PMTU_SETTLED && flow->references == 0) {
        wheel_set(flow->transport->wheel, timer, now + PMTU_RAISE_NS);
        return;
    }
    pmtu_timer(&flow->pmtu, now);
    if (flow->pmtu.mtu < before)
        transport_count(&flow->transport->stats.black_holes, 1);
    apply(flow);
}

void search_init(struct flow *flow)
{
    wheel_timer_init(&flow->search_timer, search_fire);
}

void search_begin(struct flow *flow, uint64_t now)
{
    if (!wire_codec(flow->version)->searches)
        return;
    pmtu_begin(&flow->pmtu, flow->pmtu.mtu, flow->mtu, now);
    apply(flow);
}

void search_limit(struct flow *flow, uint16_t limit, uint64_t now)
{
    if (flow->pmtu.state == PMTU_OFF) {
        flow->mtu = limit;
        return;
    }
    pmtu_set_limit(&flow->pmtu, limit, now);
    apply(flow);
}

void search_found(struct flow *flow, uint32_t number, uint64_t now)
{
    pmtu_found(&flow->pmtu, number, now);
    if (flow->pmtu.state != PMTU_OFF)
        apply(flow);
}

void search_lost(struct flow *flow, const struct tx_slot *slot, uint64_t now)
{
    uint32_t bytes = rte_pktmbuf_data_len(slot->packet) - flow->encap.ip;

    if (slot->sends < SENDS_DOUBTED && flow->rtt.backoff < TIMEOUTS_DOUBTED)
        return;
    /* What is larger travels in parts as large as may be. */
    if (pmtu_doubt(&flow->pmtu, (uint16_t)RTE_MIN(bytes, flow->mtu), flow->heard_ns, now))
        apply(flow);
}

bool search_send(struct flow *flow, uint64_t now)
{
    uint32_t headers = flow_headers(flow), number;
    uint16_t size;

    while (pmtu_next(&flow->pmtu, &size, &number)) {
        if (!output_search(flow, size - headers, number, now))
            return false;
        pmtu_sent(&flow->pmtu, now, wait_ns(flow));
        apply(flow);
    }
    return true;
}
