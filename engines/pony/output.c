/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets made just before they leave: acknowledgements, retransmissions, new packets.
 *
 * A packet that must be acknowledged is kept, and what goes to the port is a clone of it that
 * shares its memory: on an in-process wire the receiver reads that very memory. So a kept packet is
 * changed only while no clone of it is left.
 */
#include "engines/pony/flow_private.h"

bool output_has_room(struct transport *transport, uint64_t now)
{
    if (transport->room == 0) {
        output_flush(transport, now);
        transport->room = transport->port->ops->tx_room(transport->port);
    }
    return transport->room > 0 && (!transport->tagged || tagging_has_control_room(transport));
}

void output_flush(struct transport *transport, uint64_t now)
{
    struct port *port = transport->port;
    uint16_t sent = 0;

    if (transport->tx_count == 0)
        return;
    sent = port->ops->tx_burst(port, transport->tx, transport->tx_count, now);
    /* The port had said that there was room. What it refuses nonetheless is lost. */
    if (sent < transport->tx_count)
        rte_pktmbuf_free_bulk(transport->tx + sent, transport->tx_count - sent);
    transport->tx_count = 0;
}

/* Room has been seen. */
static void push(struct transport *transport, struct rte_mbuf *packet, uint64_t now)
{
    transport_count(&transport->stats.tx_packets, 1);
    transport_count(&transport->stats.tx_bytes, rte_pktmbuf_pkt_len(packet));
    clock_charge(transport->clock, PACKET_COST_NS);
    transport_weigh(transport, packet);
    transport->tx[transport->tx_count++] = packet;
    transport->room--;
    if (transport->tx_count == PORT_BURST)
        output_flush(transport, now);
}

static int take_buffers(struct transport *transport, struct rte_mbuf **packets, uint32_t count)
{
    if (rte_pktmbuf_alloc_bulk(transport->port->pool, packets, count) == 0)
        return 0;
    transport_count(&transport->stats.no_buffer, 1);
    return -ENOBUFS;
}

static bool send_bytes(struct transport *transport, const struct encap *encap, const uint8_t *bytes,
                       uint32_t length, uint64_t now)
{
    struct rte_mbuf *packet;

    if (take_buffers(transport, &packet, 1) != 0)
        return false;
    tagging_control(transport, packet);
    memcpy(rte_pktmbuf_append(packet, (uint16_t)length), bytes, length);
    if (encap_apply(encap, packet) != 0) {
        rte_pktmbuf_free(packet);
        return false;
    }
    push(transport, packet, now);
    return true;
}

void output_single(struct transport *transport, const struct encap *encap, const uint8_t *bytes,
                   uint32_t length, uint64_t now)
{
    if (output_has_room(transport, now))
        send_bytes(transport, encap, bytes, length, now);
}

int output_answer_path(const struct transport *transport, const struct packet_meta *meta,
                       uint16_t udp_port, struct wire_addresses *addresses, struct encap *encap)
{
    const struct peer *peer = peer_find(transport, &meta->src);
    struct encap_config config = {
        .src_mac = transport->port->mac,
        .src = meta->dst,
        .dst = meta->src,
        .src_port = transport->config.udp_port,
        .dst_port = udp_port,
        .vlan = transport->config.vlan,
        .dscp = transport->config.dscp,
    };

    /* Back where it came from, so that nothing need be remembered. */
    if (peer && peer->fixed)
        config.dst_mac = peer->mac;
    else if (transport->config.resolver)
        config.dst_mac = meta->src_mac;
    else
        return -EHOSTUNREACH;
    memcpy(addresses->source, meta->dst.bytes, sizeof(addresses->source));
    memcpy(addresses->destination, meta->src.bytes, sizeof(addresses->destination));
    addresses->source_port = config.src_port;
    addresses->destination_port = config.dst_port;
    return encap_build(encap, &config);
}

/* Writes the flow header with the present acknowledgement. */
static void write_header(const struct flow *flow, uint8_t *bytes, uint8_t type, uint32_t seq,
                         uint64_t now)
{
    uint64_t delay = (now - flow->arrival_ns) / WIRE_DELAY_UNIT_NS;
    struct wire_flow header = {
        .version = flow->version,
        .type = type,
        .flags = flow->ecn_pending ? WIRE_FLAG_ECN_ECHO : 0,
        .ack_delay = (uint16_t)RTE_MIN(delay, UINT16_MAX),
        .token = flow->peer_token,
        .seq = seq,
        .ack = flow->rx.next,
    };

    wire_flow_encode(&header, bytes);
}

/* The same, and the acknowledgement is hereby given. */
static void put_header(struct flow *flow, uint8_t *bytes, uint8_t type, uint32_t seq, uint64_t now)
{
    write_header(flow, bytes, type, seq, now);
    flow->ecn_pending = false;
    flow->ack_due = false;
    flow->unacked = 0;
    wheel_cancel(flow->transport->wheel, &flow->ack_timer);
}

static bool send_ack(struct flow *flow, uint64_t now)
{
    uint8_t bytes[WIRE_FLOW_BYTES + WIRE_SACK_BYTES], sack[WIRE_SACK_BYTES];
    uint32_t length = WIRE_FLOW_BYTES;
    bool marked = flow->ecn_pending;

    put_header(flow, bytes, WIRE_ACK, flow->rx.duplicates, now);
    rx_window_sack(&flow->rx, sack);
    length += wire_codec(flow->version)->put_sack(sack, bytes + WIRE_FLOW_BYTES);
    wire_seal(bytes, length, &flow->out);
    if (send_bytes(flow->transport, &flow->encap, bytes, length, now)) {
        flow->sack_due = false;
        return true;
    }
    flow->ack_due = true;
    flow->ecn_pending = marked;
    return false;
}

/* A packet of a flow that is not kept, and its `length` bytes behind UDP; NULL if there is no
 * buffer. */
static struct rte_mbuf *begin_packet(struct flow *flow, uint32_t length, uint8_t **bytes)
{
    struct rte_mbuf *packet;

    if (take_buffers(flow->transport, &packet, 1) != 0)
        return NULL;
    tagging_control(flow->transport, packet);
    *bytes = (uint8_t *)rte_pktmbuf_append(packet, (uint16_t)length);
    return packet;
}

static void end_packet(struct flow *flow, struct rte_mbuf *packet, uint64_t now)
{
    wire_seal(rte_pktmbuf_mtod(packet, uint8_t *), rte_pktmbuf_data_len(packet), &flow->out);
    encap_apply(&flow->encap, packet); /* cannot fail: length and headroom were settled before */
    push(flow->transport, packet, now);
}

/* Questions and answers about sizes tell of acknowledgements, but those that are due still are:
 * they may well not arrive. */
bool output_search(struct flow *flow, uint32_t bytes, uint32_t number, uint64_t now)
{
    struct rte_mbuf *packet;
    uint8_t *start;

    if (!output_has_room(flow->transport, now))
        return false;
    packet = begin_packet(flow, bytes, &start);
    if (!packet)
        return false;
    write_header(flow, start, WIRE_SEARCH, number, now);
    memset(start + WIRE_FLOW_BYTES, 0, bytes - WIRE_FLOW_BYTES);
    end_packet(flow, packet, now);
    transport_count(&flow->transport->stats.searches, 1);
    return true;
}

void output_found(struct flow *flow, uint32_t number, uint64_t now)
{
    uint8_t bytes[WIRE_FLOW_BYTES];

    write_header(flow, bytes, WIRE_FOUND, number, now);
    wire_seal(bytes, sizeof(bytes), &flow->out);
    output_single(flow->transport, &flow->encap, bytes, sizeof(bytes), now);
}

static bool send_hello(struct flow *flow, uint64_t now)
{
    uint8_t bytes[WIRE_HELLO_BYTES];

    hello_due_packet(flow, bytes);
    wire_seal(bytes, sizeof(bytes), &flow->out);
    if (!send_bytes(flow->transport, &flow->encap, bytes, sizeof(bytes), now))
        return false;
    flow->hello_due = false;
    return true;
}

static void count_resent(struct flow *flow, const struct tx_slot *slot, uint64_t now)
{
    struct transport *transport = flow->transport;

    transport_count(&transport->stats.retransmissions, 1);
    flow->resent++;
    if (!slot->timed_out) {
        transport_count(&transport->stats.fast_retransmissions, 1);
        flow->seen.fast_resent++;
        flow->unjudged++;
    }
    if (flow->tx.flying.count == 0)
        flow->rto_start_ns = now;
}

/* Larger than what passes, since it was made before the path became narrower? */
static bool oversize(const struct flow *flow, const struct tx_slot *slot)
{
    return wire_codec(flow->version)->searches &&
           rte_pktmbuf_data_len(slot->packet) - flow->encap.ip > flow->mtu;
}

/* Sends the next part of the lost packet that is first in turn; after the last one the packet is in
 * flight. Few are at a time: the peer has to put them together. */
static enum output_result send_part(struct flow *flow, uint64_t now)
{
    struct tx_slot *slot = tx_window_lost(&flow->tx);
    const uint8_t *kept =
        rte_pktmbuf_mtod_offset(slot->packet, const uint8_t *, flow->encap.length);
    uint32_t total = rte_pktmbuf_data_len(slot->packet) - flow->encap.length - WIRE_FLOW_BYTES;
    uint32_t most = RTE_ALIGN_FLOOR(flow_room(flow) - WIRE_PART_BYTES, WIRE_PART_UNIT), length;
    struct wire_part part = {.total = (uint16_t)total};
    struct rte_mbuf *packet;
    struct wire_flow header;
    uint8_t *bytes;

    wire_flow_decode(&header, kept);
    if (header.seq != flow->part_seq)
        flow->part_offset = 0;
    if (flow->part_offset == 0 && flow->tx.parted >= PARTS_SHARE)
        return OUTPUT_DONE;
    flow->part_seq = header.seq;
    part.offset = (uint16_t)flow->part_offset;
    length = RTE_MIN(total - part.offset, most);
    packet = begin_packet(flow, WIRE_FLOW_BYTES + WIRE_PART_BYTES + length, &bytes);
    if (!packet)
        return OUTPUT_BLOCKED;
    if (flow->transport->tagged)
        *packet_tag(packet) = *packet_tag(slot->packet);
    put_header(flow, bytes, WIRE_PART, header.seq, now);
    wire_part_encode(&part, bytes + WIRE_FLOW_BYTES);
    memcpy(bytes + WIRE_FLOW_BYTES + WIRE_PART_BYTES, kept + WIRE_FLOW_BYTES + part.offset, length);
    end_packet(flow, packet, now);
    transport_count(&flow->transport->stats.parts_sent, 1);
    flow->part_offset += length;
    if (flow->part_offset == total) {
        flow->part_offset = 0;
        count_resent(flow, slot, now);
        tx_window_parted(&flow->tx, now);
    }
    return OUTPUT_MORE;
}

/* Gives the kept packet today's acknowledgement and way, if nobody else holds its memory. */
static void refresh(struct flow *flow, struct rte_mbuf *packet, uint64_t now)
{
    uint8_t *bytes = rte_pktmbuf_mtod_offset(packet, uint8_t *, flow->encap.length);
    struct wire_flow header;

    if (rte_mbuf_refcnt_read(packet) != 1)
        return;
    encap_redirect(&flow->encap, rte_pktmbuf_mtod(packet, uint8_t *));
    wire_flow_decode(&header, bytes);
    put_header(flow, bytes, header.type, header.seq, now);
    wire_seal(bytes, rte_pktmbuf_data_len(packet) - flow->encap.length, &flow->out);
}

/* What shares its memory may be held for long, by a receiver that is stopped: a packet for a way
 * that is no more is kept as a private copy from now on. False if there is no buffer for one. */
static bool own_stale(struct flow *flow, struct tx_slot *slot)
{
    struct rte_mempool *pool = flow->transport->port->pool;
    struct rte_mbuf *copy;

    if (encap_same_destination(&flow->encap, rte_pktmbuf_mtod(slot->packet, const uint8_t *)) ||
        rte_mbuf_refcnt_read(slot->packet) == 1)
        return true;
    copy = rte_pktmbuf_copy(slot->packet, pool, 0, UINT32_MAX);
    if (!copy)
        return false;
    rte_pktmbuf_free(slot->packet);
    slot->packet = copy;
    return true;
}

static bool send_lost(struct flow *flow, uint64_t now)
{
    struct transport *transport = flow->transport;
    struct tx_slot *slot = tx_window_lost(&flow->tx);
    struct rte_mbuf *clone = NULL;

    if (own_stale(flow, slot)) {
        refresh(flow, slot->packet, now);
        clone = rte_pktmbuf_clone(slot->packet, transport->port->pool);
    }
    if (!clone) {
        transport_count(&transport->stats.no_buffer, 1);
        return false;
    }
    count_resent(flow, slot, now);
    tx_window_resent(&flow->tx, now);
    push(transport, clone, now);
    return true;
}

static enum output_result send_again(struct flow *flow, uint64_t now)
{
    const struct tx_slot *slot = tx_window_lost(&flow->tx);

    search_lost(flow, slot, now);
    if (oversize(flow, slot))
        return send_part(flow, now);
    return send_lost(flow, now) ? OUTPUT_MORE : OUTPUT_BLOCKED;
}

/* Fills one new packet: its length behind the encapsulation, or 0 if there is nothing to send. */
static uint32_t fill(struct flow *flow, uint8_t *bytes, uint64_t now)
{
    struct transport *transport = flow->transport;
    uint32_t length = 0;

    if (flow->past || flow->wants_fill) {
        bool wants = flow->past && flow->wants_fill;
        flow->wants_fill = flow->wants_light = flow->said_all = false;
        length = transport->ops->fill(transport->upper, flow, bytes + WIRE_FLOW_BYTES,
                                      flow_room(flow), now);
        /* Or it was kicked meanwhile: work went on that has brought nothing to be said yet. */
        flow->wants_fill |= wants || (length > 0 && !flow->said_all);
    }
    if (length == 0 && (flow->past || !flow->probe_due))
        return 0;
    put_header(flow, bytes, length > 0 ? WIRE_DATA : WIRE_PROBE, flow->tx.next, now);
    flow->probe_due = false; /* either packet asks for an answer */
    wire_seal(bytes, WIRE_FLOW_BYTES + length, &flow->out);
    return WIRE_FLOW_BYTES + length;
}

static enum output_result send_new(struct flow *flow, uint64_t now)
{
    struct transport *transport = flow->transport;
    struct rte_mbuf *packets[2]; /* to keep, to send */
    uint32_t length;

    if (take_buffers(transport, packets, 2) != 0)
        return OUTPUT_BLOCKED;
    transport->fill_tag = transport->control_tag;
    length = fill(flow, rte_pktmbuf_mtod(packets[0], uint8_t *), now);
    if (length == 0) {
        rte_pktmbuf_free_bulk(packets, 2);
        return flow->wants_fill ? OUTPUT_MORE : OUTPUT_DONE;
    }
    rte_pktmbuf_append(packets[0], (uint16_t)length);
    encap_apply(&flow->encap,
                packets[0]); /* cannot fail: length and headroom were settled before */
    if (transport->tagged)
        *packet_tag(packets[0]) = transport->fill_tag; /* a clone has the same */
    rte_pktmbuf_attach(packets[1], packets[0]);
    if (tx_window_outstanding(&flow->tx) == 0)
        flow->outstanding_ns = now;
    if (flow->tx.flying.count == 0)
        flow->rto_start_ns = now;
    tx_window_add(&flow->tx, packets[0], now);
    flow->sent++;
    flow->seen.bytes_sent += length - WIRE_FLOW_BYTES;
    push(transport, packets[1], now);
    return OUTPUT_MORE;
}

/* May the flow send a packet that counts against its window? */
static bool may_send(struct flow *flow, uint64_t now)
{
    uint64_t gap = flow->cc_ops->gap_ns(flow->cc);

    flow->past = recovery_window(flow) == 0;
    if (flow->past)
        return flow->wants_light && gap == 0 && recovery_margin(flow) > 0;
    if (gap == 0)
        return true;
    /* Never later than the present gap says, whatever it was when the last packet left. */
    flow->pace_ns = RTE_MIN(flow->pace_ns, now + gap);
    if (flow->pace_ns <= now)
        return true;
    if (!wheel_timer_armed(&flow->pace_timer) || flow->pace_ns < flow->pace_timer.deadline)
        wheel_set(flow->transport->wheel, &flow->pace_timer, flow->pace_ns);
    return false;
}

/* A packet has left. */
static void pace(struct flow *flow, uint64_t now)
{
    uint64_t gap = flow->cc_ops->gap_ns(flow->cc);
    uint64_t slack = RTE_MIN(FLOW_QUANTUM * gap, PACE_SLACK_NS);

    if (gap > 0)
        flow->pace_ns = RTE_MAX(flow->pace_ns + slack, now) - slack + gap;
}

/* Is there a place for one packet more that is not acknowledged? */
static bool has_place(const struct flow *flow, uint64_t now)
{
    uint32_t kept = !flow->past && now - flow->shared_ns < SHARED_NS ? MARGIN_MOST : 0;

    return tx_window_outstanding(&flow->tx) + kept < TX_WINDOW;
}

static enum output_result send_counted(struct flow *flow, uint64_t now)
{
    enum output_result result = OUTPUT_DONE;

    if (!flow->past && flow->tx.lost.count > 0 && tagging_may_resend(flow))
        result = send_again(flow, now);
    else if ((flow->past || flow->wants_fill || flow->probe_due) && has_place(flow, now))
        result = send_new(flow, now);
    if (result == OUTPUT_MORE)
        pace(flow, now);
    return result;
}

enum output_result output_flow(struct flow *flow, uint64_t now)
{
    struct transport *transport = flow->transport;
    enum output_result result = OUTPUT_DONE;
    uint32_t quantum = FLOW_QUANTUM;

    /* A call that waits for a way is made ready when there is one. An open flow without, read back
     * from saved state, speaks to nobody's address until then: that is loss like any other. */
    if (flow->state == FLOW_CALLING && !flow->peer->known)
        return OUTPUT_DONE;
    if ((flow->hello_due && !send_hello(flow, now)) || flow->state != FLOW_OPEN)
        return flow->hello_due ? OUTPUT_BLOCKED : OUTPUT_DONE;
    if (flow->sack_due && (!output_has_room(transport, now) || !send_ack(flow, now)))
        return OUTPUT_BLOCKED;
    if (!search_send(flow, now))
        return OUTPUT_BLOCKED;
    while (may_send(flow, now)) {
        if (quantum == 0 || !output_has_room(transport, now)) {
            result = quantum == 0 ? OUTPUT_MORE : OUTPUT_BLOCKED;
            break;
        }
        result = send_counted(flow, now);
        if (result != OUTPUT_MORE)
            break;
        quantum--;
        result = OUTPUT_DONE;
    }
    recovery_arm(flow);
    /* What was sent carried the acknowledgement; else it travels alone. */
    if (flow->ack_due && (!output_has_room(transport, now) || !send_ack(flow, now)))
        return OUTPUT_BLOCKED;
    return result;
}
