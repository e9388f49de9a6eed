/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A packet of an open flow, from the peer it belongs to, intact up to its payloads. */
#include "engines/pony/flow_private.h"

static void acknowledge(struct flow *flow, bool bitmap)
{
    flow->ack_due = true;
    flow->sack_due |= bitmap;
    flow_make_ready(flow);
}

static void acknowledge_soon(struct flow *flow, uint64_t now)
{
    struct transport *transport = flow->transport;

    if (!wheel_timer_armed(&flow->ack_timer))
        wheel_set(transport->wheel, &flow->ack_timer, now + transport->config.ack_delay_ns);
}

static void take(struct flow *flow, const struct wire_flow *header, uint32_t bytes, bool marked,
                 uint64_t now)
{
    uint32_t held = flow->rx.held;

    rx_window_take(&flow->rx, header->seq);
    flow->arrival_ns = now;
    flow->seen.received++;
    flow->seen.bytes_received += bytes;
    flow->seen.ecn_marks += marked;
    flow->unacked++;
    flow->ecn_pending |= marked;
    if (flow->rtt.smoothed_ns == 0 && tx_window_outstanding(&flow->tx) == 0)
        flow_probe(flow);
    /* Around a gap the sender learns at once what has arrived (RFC 5681 section 4.2). */
    if (held > 0 || flow->rx.held > 0)
        acknowledge(flow, flow->rx.held > 0);
    else if (marked || header->type == WIRE_PROBE || flow->unacked >= ACK_EVERY)
        acknowledge(flow, false);
    else
        acknowledge_soon(flow, now);
}

static void take_duplicate(struct flow *flow)
{
    transport_count(&flow->transport->stats.rx_duplicate, 1);
    flow->rx.duplicates++;
    acknowledge(flow, true);
}

void input_packet(struct flow *flow, const struct wire_flow *header, const uint8_t *body,
                  uint32_t bytes, bool marked, uint64_t now)
{
    struct transport *transport = flow->transport;
    enum rx_verdict verdict = RX_BEYOND;

    flow->heard_ns = now;
    if (recovery_ack(flow, header, header->type == WIRE_ACK ? body : NULL, now) != 0) {
        transport_count(&transport->stats.rx_malformed, 1);
        return;
    }
    if (header->type == WIRE_ACK)
        return;
    verdict = rx_window_look(&flow->rx, header->seq);
    if (verdict == RX_DUPLICATE) {
        take_duplicate(flow);
        return;
    }
    if (verdict == RX_BEYOND) {
        transport_count(&transport->stats.rx_malformed, 1);
        return;
    }
    if (header->type == WIRE_DATA && !transport->ops->admit(transport->upper, flow, body, bytes)) {
        /* The packet is not acknowledged, but the peer learns that we live. */
        transport_count(&transport->stats.rx_declined, 1);
        acknowledge_soon(flow, now);
        return;
    }
    take(flow, header, bytes, marked, now);
    if (header->type == WIRE_DATA)
        transport->ops->deliver(transport->upper, flow, body, bytes, now);
}
