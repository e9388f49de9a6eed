/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Acknowledgements received and what follows: round-trip samples, losses by evidence, the
 * retransmission timer, and the end of a flow whose peer is silent. RFC 6298, RFC 9002 section 6.
 *
 * When the last packets of a burst are lost, nothing overtakes them, and the time-out's minimum is
 * many round trips. So one packet is sent again after about two, once (RFC 8985 section 7): its
 * acknowledgement is the evidence.
 */
#include "engines/pony/flow_private.h"

void recovery_begin(struct flow *flow, uint64_t now)
{
    const struct transport_config *config = &flow->transport->config;

    flow->cc_ops = flow->peer->cc ? flow->peer->cc : config->cc;
    flow->cc_ops->init(flow->cc, &config->cc_params, now);
}

/* A flow was hasty: wait for more packets, and longer, before the next packet is taken for lost. */
static void raise_reorder(struct flow *flow, uint32_t times)
{
    flow->reorder = RTE_MIN(flow->reorder + times, REORDER_MAX);
}

static uint64_t reorder_delay(const struct flow *flow)
{
    uint32_t eighths = REORDER_EIGHTHS + flow->reorder - REORDER_MIN;

    return rtt_reorder_delay(&flow->rtt, RTE_MIN(eighths, EIGHTHS_MAX));
}

static void detect(struct flow *flow, uint64_t now)
{
    uint64_t end =
        tx_window_detect(&flow->tx, now, flow->reorder, reorder_delay(flow), &flow->loss_deadline);

    /* Once a round trip: transmissions that left before the last signal were too late to heed it.
     */
    if (end > flow->recovery) {
        flow->recovery = flow->tx.order;
        flow->cc_ops->lost(flow->cc, now);
    }
}

/* The peer says how many packets it got twice: some of them were sent again in haste. */
static void judge_duplicates(struct flow *flow, uint32_t duplicates)
{
    uint32_t more = duplicates - flow->peer_duplicates;

    if (more == 0 || more > INT32_MAX)
        return;
    flow->peer_duplicates = duplicates;
    more = RTE_MIN(more, flow->unjudged);
    flow->unjudged -= more;
    raise_reorder(flow, more);
}

static void take_progress(struct flow *flow, const struct wire_flow *header,
                          const struct tx_progress *progress, uint32_t flying, uint64_t now)
{
    const struct transport *transport = flow->transport;
    uint64_t delay = (uint64_t)header->ack_delay * WIRE_DELAY_UNIT_NS;
    /* What hosts do with a packet is no queue of the network's; but time-outs have to reckon with
     * it, save for what is a matter of rule. */
    uint64_t hosts = delay + transport->waited_ns;
    struct cc_ack ack = {
        .now = now,
        .packets = progress->packets,
        .flying = flying,
        .ecn = (header->flags & WIRE_FLAG_ECN_ECHO) != 0,
    };

    if (progress->packets > 0) {
        flow->rto_start_ns = now;
        flow->tail_probed = false;
        raise_reorder(flow, progress->needless);
    }
    if (progress->sample_ns != 0) {
        /* Not before: the answer to a repetition says nothing of a round trip that is longer than
         * the time-out, which would come too early for ever (RFC 6298 section 3, Karn). */
        rtt_progress(&flow->rtt);
        rtt_sample(&flow->rtt, now - progress->sample_ns,
                   RTE_MIN(delay, transport->config.ack_delay_ns));
        ack.rtt_ns = rtt_without_delay(&flow->rtt, now - progress->sample_ns, hosts);
    } else if (progress->again_ns != 0 && flow->rtt.min_ns != 0) {
        /* Perhaps the answer to an earlier transmission, and so too short: no word on the time-out.
         * But a flow that only sends again would learn nothing of a queue that is gone. */
        ack.rtt_ns = rtt_without_delay(&flow->rtt, now - progress->again_ns, hosts);
    }
    flow->seen.ecn_echoes += ack.ecn;
    if (ack.packets > 0 || ack.ecn)
        flow->cc_ops->acked(flow->cc, &ack);
}

int recovery_ack(struct flow *flow, const struct wire_flow *header, const uint8_t *sack,
                 uint64_t now)
{
    struct tx_progress progress;
    uint32_t flying = flow->tx.flying.count;
    int error = tx_window_ack(&flow->tx, header->ack, sack, now, flow->rtt.min_ns, &progress);

    if (error != 0)
        return error;
    if (header->type == WIRE_ACK)
        judge_duplicates(flow, header->seq);
    take_progress(flow, header, &progress, flying, now);
    detect(flow, now);
    if (flow->tx.lost.count > 0 || flow->wants_fill)
        flow_make_ready(flow);
    recovery_arm(flow);
    return 0;
}

static uint64_t dead_deadline(const struct flow *flow)
{
    return RTE_MAX(flow->heard_ns, flow->outstanding_ns) + flow->transport->config.dead_after_ns;
}

static uint64_t timeout_deadline(const struct flow *flow)
{
    const struct transport_config *config = &flow->transport->config;

    if (flow->tx.flying.count == 0)
        return UINT64_MAX;
    return flow->rto_start_ns + rtt_rto(&flow->rtt, config->rto_min_ns, config->rto_max_ns) +
           config->ack_delay_ns;
}

static uint64_t tail_deadline(const struct flow *flow)
{
    uint64_t delay = rtt_tail_delay(&flow->rtt);

    if (flow->tx.flying.count == 0 || flow->tail_probed || delay == UINT64_MAX)
        return UINT64_MAX;
    return flow->rto_start_ns + delay + flow->transport->config.ack_delay_ns;
}

/* The timer is moved only to an earlier time: a deadline that recedes with every acknowledgement
 * is looked at again when the timer fires. */
void recovery_arm(struct flow *flow)
{
    struct wheel *wheel = flow->transport->wheel;
    uint64_t deadline;

    if (tx_window_outstanding(&flow->tx) == 0) {
        wheel_cancel(wheel, &flow->recovery_timer);
        return;
    }
    deadline = RTE_MIN(RTE_MIN(timeout_deadline(flow), tail_deadline(flow)),
                       RTE_MIN(flow->loss_deadline, dead_deadline(flow)));
    if (!wheel_timer_armed(&flow->recovery_timer) || deadline < flow->recovery_timer.deadline)
        wheel_set(wheel, &flow->recovery_timer, deadline);
}

static void time_out(struct flow *flow, uint64_t now)
{
    transport_count(&flow->transport->stats.timeouts, 1);
    flow->seen.timeouts++;
    tx_window_lose_all(&flow->tx);
    rtt_back_off(&flow->rtt);
    flow->loss_deadline = UINT64_MAX;
    flow->tail_probed = true;
    flow->recovery = flow->tx.order;
    flow->reorder = REORDER_MIN;
    flow->unjudged = 0;
    flow->cc_ops->timed_out(flow->cc, now);
}

void recovery_timer(struct flow *flow, uint64_t now)
{
    if (tx_window_outstanding(&flow->tx) == 0)
        return;
    if (now >= dead_deadline(flow)) {
        flow_end(flow, -ETIMEDOUT, now);
        return;
    }
    if (now >= flow->loss_deadline)
        detect(flow, now);
    if (now >= timeout_deadline(flow)) {
        time_out(flow, now);
    } else if (now >= tail_deadline(flow)) {
        flow->tail_probed = true;
        tx_window_probe(&flow->tx);
    }
    if (flow->tx.lost.count > 0)
        flow_make_ready(flow);
    recovery_arm(flow);
}

/* Whatever the algorithm says, one packet may always try. */
static uint32_t window_of(const struct flow *flow)
{
    return RTE_MIN(RTE_MAX(flow->cc_ops->window(flow->cc), 1u), TX_WINDOW);
}

uint32_t recovery_window(const struct flow *flow)
{
    uint32_t window = window_of(flow), flying = flow->tx.flying.count;

    return window > flying ? window - flying : 0;
}

/* Each of them would have a window of its own on a flow of its own. */
uint32_t recovery_margin(const struct flow *flow)
{
    uint32_t window = window_of(flow), flying = flow->tx.flying.count;
    uint32_t most = window + RTE_MIN(window / MARGIN_PART, MARGIN_MOST);

    return most > flying ? most - flying : 0;
}
