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
    flow->arrival_ns = now - flow->transport->waited_ns;
    flow->seen.received++;
    flow->seen.bytes_received += bytes;
    flow->seen.ecn_marks += marked;
    flow->unacked++;
    parts_drop(&flow->transport->parts, flow, header->seq);
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

/* A packet in parts is one duplicate, the first part stands for it. */
static void take_duplicate(struct flow *flow, const struct wire_flow *header, const uint8_t *body)
{
    struct wire_part part = {0};

    if (header->type == WIRE_PART)
        wire_part_decode(&part, body);
    if (part.offset == 0) {
        transport_count(&flow->transport->stats.rx_duplicate, 1);
        flow->rx.duplicates++;
    }
    acknowledge(flow, true);
}

/* A packet that consumes a number, and is new. `body` is what DATA has behind its flow header. */
static void take_new(struct flow *flow, const struct wire_flow *header, const uint8_t *body,
                     uint32_t bytes, bool marked, uint64_t now)
{
    struct transport *transport = flow->transport;
    bool data = header->type != WIRE_PROBE;

    if (data && !transport->ops->admit(transport->upper, flow, body, bytes)) {
        /* The packet is not acknowledged, but the peer learns that we live. */
        transport_count(&transport->stats.rx_declined, 1);
        acknowledge_soon(flow, now);
        return;
    }
    take(flow, header, bytes, marked, now);
    if (data)
        transport->ops->deliver(transport->upper, flow, body, bytes, now);
}

/* A part of a new packet: when it was the last one that was missing, the whole is taken. */
static void take_part(struct flow *flow, const struct wire_flow *header, const uint8_t *body,
                      uint32_t bytes, bool marked, uint64_t now)
{
    struct transport *transport = flow->transport;
    struct wire_part part;
    const uint8_t *whole;

    wire_part_decode(&part, body);
    whole = parts_take(&transport->parts, flow->peer, flow, header->seq, &part,
                       body + WIRE_PART_BYTES, bytes - WIRE_PART_BYTES, now);
    if (!whole) {
        flow->ecn_pending |= marked;
        acknowledge_soon(flow, now); /* of others: the peer learns that we live */
        return;
    }
    if (!wire_operations_fit(whole, part.total)) {
        parts_drop(&transport->parts, flow, header->seq);
        transport_count(&transport->stats.rx_malformed, 1);
        return;
    }
    transport_count(&transport->stats.parts_joined, 1);
    take_new(flow, header, whole, part.total, marked, now);
}

/* Packets that consume no number: true if it was one. */
static bool take_unnumbered(struct flow *flow, const struct wire_flow *header, uint64_t now)
{
    switch (header->type) {
    case WIRE_ACK:
        return true;
    case WIRE_SEARCH:
        output_found(flow, header->seq, now);
        return true;
    case WIRE_FOUND:
        search_found(flow, header->seq, now);
        return true;
    default:
        return false;
    }
}

void input_packet(struct flow *flow, const struct wire_flow *header, const uint8_t *body,
                  uint32_t bytes, bool marked, uint64_t now)
{
    struct transport *transport = flow->transport;
    enum rx_verdict verdict = RX_BEYOND;
    uint8_t sack[WIRE_SACK_BYTES];

    flow->heard_ns = now;
    if (header->type == WIRE_ACK)
        wire_codec(flow->version)->get_sack(body, bytes, sack);
    if (recovery_ack(flow, header, header->type == WIRE_ACK ? sack : NULL, now) != 0) {
        transport_count(&transport->stats.rx_malformed, 1);
        return;
    }
    if (take_unnumbered(flow, header, now))
        return;
    verdict = rx_window_look(&flow->rx, header->seq);
    if (verdict == RX_DUPLICATE) {
        take_duplicate(flow, header, body);
        return;
    }
    if (verdict == RX_BEYOND) {
        transport_count(&transport->stats.rx_malformed, 1);
        return;
    }
    if (header->type == WIRE_PART)
        take_part(flow, header, body, bytes, marked, now);
    else
        take_new(flow, header, body, bytes, marked, now);
}
