/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Save and load. Times are written as ages and remainders, since the clock of the reader may start
 * elsewhere. Not written: congestion state (it starts afresh, as the path may have changed), the
 * order of transmissions beyond what the order of the packets says, and timers, which follow from
 * the rest.
 *
 * A loaded flow first acknowledges and then asks the layer above for more, so nothing that was due
 * before is forgotten. It goes the way that was known, and asks the resolver for a new one.
 *
 * Trust: the document is intact but may say anything. Each unacknowledged packet must be a valid
 * packet of its flow (wire_check), or the flow is refused.
 */
#include "engines/pony/flow_private.h"

#define RECORD_TRANSPORT 0x0100u
#define RECORD_FLOW      0x0101u
#define RECORD_ENDED     0x0102u /* a flow that is over, and is still referred to */
#define RECORD_VERSION   5u
#define RECORD_HISTORY   2u /* since which version a flow has features and counts */
#define RECORD_WAY       3u /* since which version it has the way to the peer */

#define FLAG_ANSWERED 0x01u
#define FLAG_ECN      0x02u
#define FLAG_HELLO    0x04u /* an answer to the peer's call is due */
#define FLAG_PROBE    0x08u
#define FLAG_OPEN     0x10u /* else HELLO is under way */
#define FLAG_PORT     0x20u /* the peer's UDP port follows; else it is the configured one */

#define ENDED_ERROR_MAX 4095u /* errno numbers of the kernel's */

static uint64_t age(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static uint64_t before(uint64_t now, uint64_t age_ns)
{
    return now > age_ns ? now - age_ns : 0;
}

/* In the order of struct transport_stats, which later versions extend at its end. */
static void save_stats(struct state_writer *writer, const struct transport_stats *stats)
{
    const uint64_t *values = (const uint64_t *)stats;

    state_put_u32(writer, sizeof(*stats) / sizeof(*values));
    for (uint32_t i = 0; i < sizeof(*stats) / sizeof(*values); i++)
        state_put_u64(writer, values[i]);
}

static void load_stats(struct state_reader *reader, struct transport_stats *stats)
{
    uint64_t *values = (uint64_t *)stats;
    uint32_t count = state_get_u32(reader);

    for (uint32_t i = 0; i < count && i < sizeof(*stats) / sizeof(*values); i++)
        values[i] = state_get_u64(reader);
}

static void save_transport(const struct transport *transport, struct state_writer *writer)
{
    state_record_begin(writer, RECORD_TRANSPORT, RECORD_VERSION);
    state_put_u64(writer, transport->epoch);
    state_put_bytes(writer, transport->cookie_key, sizeof(transport->cookie_key));
    save_stats(writer, &transport->stats);
    state_record_end(writer);
}

static void load_transport(struct transport *transport, struct state_reader *reader)
{
    const void *key;
    uint32_t length;

    transport->epoch = state_get_u64(reader);
    key = state_get_bytes(reader, sizeof(transport->cookie_key), &length);
    if (key && length == sizeof(transport->cookie_key))
        memcpy(transport->cookie_key, key, length);
    else
        state_reader_fail(reader, -EPROTO);
    load_stats(reader, &transport->stats);
}

/* Who speaks to whom, and what HELLO settled. */
static void save_identity(const struct flow *flow, struct state_writer *writer, uint64_t now)
{
    uint8_t flags = (flow->answered ? FLAG_ANSWERED : 0) | (flow->ecn_pending ? FLAG_ECN : 0) |
                    (flow->hello_due ? FLAG_HELLO : 0) | (flow->probe_due ? FLAG_PROBE : 0) |
                    (flow->state == FLOW_OPEN ? FLAG_OPEN : 0) |
                    (flow_is_first(flow) ? 0 : FLAG_PORT);

    state_put_u32(writer, flow->id);
    state_put_bytes(writer, flow->local.bytes, sizeof(flow->local.bytes));
    state_put_bytes(writer, flow->peer->node.address.bytes, sizeof(flow->peer->node.address.bytes));
    state_put_u8(writer, flags);
    if (flags & FLAG_PORT)
        state_put_u16(writer, flow->peer_port);
    state_put_u8(writer, flow->version);
    state_put_u16(writer, flow->source_port);
    state_put_u16(writer, flow->mtu);
    state_put_u64(writer, flow->token);
    state_put_u64(writer, flow->peer_token);
    state_put_u64(writer, flow->nonce);
    state_put_u64(writer, flow->cookie);
    state_put_u64(writer, flow->peer_epoch);
    state_put_u32(writer, flow->first_seq);
    state_put_u64(writer, age(flow->hello_deadline, now));
    state_put_u64(writer, flow->hello_retry_ns);
}

static void save_progress(const struct flow *flow, struct state_writer *writer, uint64_t now)
{
    uint8_t bits[WIRE_SACK_BYTES];

    state_put_u64(writer, age(now, flow->heard_ns));
    state_put_u64(writer, age(now, flow->outstanding_ns));
    state_put_u64(writer, age(now, flow->rto_start_ns));
    state_put_u64(writer, age(now, flow->arrival_ns));
    state_put_u32(writer, flow->reorder);
    state_put_u32(writer, flow->unjudged);
    state_put_u32(writer, flow->peer_duplicates);
    state_put_u64(writer, flow->rtt.smoothed_ns);
    state_put_u64(writer, flow->rtt.variation_ns);
    state_put_u64(writer, flow->rtt.latest_ns);
    state_put_u64(writer, flow->rtt.min_ns);
    state_put_u32(writer, flow->rtt.backoff);
    state_put_u32(writer, flow->rx.next);
    state_put_u32(writer, flow->rx.duplicates);
    ring_bits_to_wire(&flow->rx.bits, flow->rx.next, bits);
    state_put_bytes(writer, bits, sizeof(bits));
    state_put_u32(writer, flow->tx.una);
    state_put_u32(writer, flow->tx.next);
    ring_bits_to_wire(&flow->tx.acked, flow->tx.una, bits);
    state_put_bytes(writer, bits, sizeof(bits));
}

/* The packets of a list, oldest transmission first, without their encapsulation. */
static void save_packets(const struct flow *flow, const struct tx_list *list,
                         struct state_writer *writer, uint64_t now)
{
    uint16_t index = list->first;

    state_put_u32(writer, list->count);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct tx_slot *slot = &flow->tx.slots[index];

        state_put_u8(writer, slot->sends);
        state_put_u8(writer, slot->timed_out);
        state_put_u64(writer, age(now, slot->sent_ns));
        state_put_bytes(writer,
                        rte_pktmbuf_mtod_offset(slot->packet, const uint8_t *, flow->encap.length),
                        rte_pktmbuf_data_len(slot->packet) - flow->encap.length);
        index = slot->next;
    }
}

static void save_history(const struct flow *flow, struct state_writer *writer)
{
    state_put_u32(writer, flow->features);
    state_put_u64(writer, flow->sent);
    state_put_u64(writer, flow->resent);
}

static void save_way(const struct flow *flow, struct state_writer *writer)
{
    const struct peer *peer = flow->peer;

    state_put_u16(writer, flow->agreed_mtu);
    state_put_u8(writer, peer->known);
    state_put_bytes(writer, peer->mac.addr_bytes, sizeof(peer->mac));
    state_put_u16(writer, peer->mtu);
}

static void save_ended(const struct flow *flow, struct state_writer *writer)
{
    state_record_begin(writer, RECORD_ENDED, RECORD_VERSION);
    state_put_u32(writer, flow->id);
    state_put_bytes(writer, flow->local.bytes, sizeof(flow->local.bytes));
    state_put_bytes(writer, flow->peer->node.address.bytes, sizeof(flow->peer->node.address.bytes));
    state_put_u16(writer, flow->peer_port);
    state_put_u16(writer, flow->mtu);
    state_put_u32(writer, (uint32_t)-flow->error);
    state_record_end(writer);
}

int transport_save(const struct transport *transport, struct state_writer *writer)
{
    uint64_t now = RTE_MAX(transport->now, clock_now(transport->clock));

    save_transport(transport, writer);
    for (uint32_t i = 0; i < transport->config.flows_max; i++) {
        const struct flow *flow = &transport->flows[i];

        if (flow->state == FLOW_ENDED)
            save_ended(flow, writer);
        if (flow->state != FLOW_CALLING && flow->state != FLOW_OPEN)
            continue;
        state_record_begin(writer, RECORD_FLOW, RECORD_VERSION);
        save_identity(flow, writer, now);
        save_progress(flow, writer, now);
        save_packets(flow, &flow->tx.flying, writer, now);
        save_packets(flow, &flow->tx.lost, writer, now);
        save_history(flow, writer);
        save_way(flow, writer);
        state_record_end(writer);
    }
    return writer->error;
}

static void get_address(struct state_reader *reader, struct address *address)
{
    uint32_t length;
    const void *bytes = state_get_bytes(reader, sizeof(address->bytes), &length);

    if (bytes && length == sizeof(address->bytes))
        memcpy(address->bytes, bytes, length);
    else
        state_reader_fail(reader, -EPROTO);
}

static void get_bits(struct state_reader *reader, struct ring_bits *bits, uint32_t first)
{
    uint32_t length;
    const void *bytes = state_get_bytes(reader, WIRE_SACK_BYTES, &length);

    if (bytes && length == WIRE_SACK_BYTES)
        ring_bits_from_wire(bits, first, bytes);
    else
        state_reader_fail(reader, -EPROTO);
}

/* A place for a flow that is described next; NULL if it cannot be one of ours. */
static struct flow *place_flow(struct transport *transport, const struct pair *pair,
                               const struct address *remote, uint32_t id)
{
    struct flow *flow = NULL;
    struct peer *peer;

    if (!mapper_is_local(transport, pair->local) || id == FLOW_ID_ANY ||
        !mapper_port_fits(transport, pair->peer_port))
        return NULL;
    peer = address_is_host(remote) ? peer_take(transport, remote) : NULL;
    if (!peer)
        return NULL;
    if (!mapper_by_pair(peer, pair))
        flow = mapper_add(transport, peer, pair, id);
    peer_release(peer);
    return flow;
}

static struct flow *load_identity(struct transport *transport, struct state_reader *reader,
                                  uint64_t now)
{
    uint32_t id = state_get_u32(reader);
    struct address local, remote;
    struct pair pair = {&local, transport->config.call_port};
    struct flow *flow;
    uint8_t flags;
    uint16_t source_port;

    get_address(reader, &local);
    get_address(reader, &remote);
    flags = state_get_u8(reader);
    if (flags & FLAG_PORT)
        pair.peer_port = state_get_u16(reader);
    if (reader->error != 0)
        return NULL;
    flow = place_flow(transport, &pair, &remote, id);
    if (!flow)
        return NULL;
    flow->answered = flags & FLAG_ANSWERED;
    flow->ecn_pending = flags & FLAG_ECN;
    flow->hello_due = flags & FLAG_HELLO;
    flow->probe_due = flags & FLAG_PROBE;
    flow->version = state_get_u8(reader);
    source_port = state_get_u16(reader);
    flow->mtu = RTE_MIN(state_get_u16(reader), transport->mtu);
    flow->agreed_mtu = flow->mtu;
    flow->pmtu.mtu = flow->mtu; /* the search goes on from there */
    flow->token = state_get_u64(reader);
    flow->peer_token = state_get_u64(reader);
    flow->nonce = state_get_u64(reader);
    flow->cookie = state_get_u64(reader);
    flow->peer_epoch = state_get_u64(reader);
    flow->first_seq = state_get_u32(reader);
    flow->hello_deadline = now + RTE_MIN(state_get_u64(reader), transport->config.hello_timeout_ns);
    flow->hello_retry_ns =
        RTE_MAX(RTE_MIN(state_get_u64(reader), HELLO_RETRY_MAX_NS), HELLO_RETRY_NS);
    flow->state = flags & FLAG_OPEN ? FLOW_OPEN : FLOW_CALLING;
    if (flow->state == FLOW_OPEN &&
        (flow->mtu < MTU_MIN || !wire_codec(flow->version) || flow->peer_token == 0))
        state_reader_fail(reader, -EPROTO);
    if (flow->token == 0 || !mapper_set_token(flow) || flow_init_path(flow, source_port) != 0)
        state_reader_fail(reader, -EPROTO);
    return flow;
}

static void load_progress(struct flow *flow, struct state_reader *reader, uint64_t now)
{
    uint32_t una;

    flow->heard_ns = before(now, state_get_u64(reader));
    flow->outstanding_ns = before(now, state_get_u64(reader));
    flow->rto_start_ns = before(now, state_get_u64(reader));
    flow->arrival_ns = before(now, state_get_u64(reader));
    flow->referenced_ns = now;
    flow->reorder = RTE_MAX(RTE_MIN(state_get_u32(reader), REORDER_MAX), REORDER_MIN);
    flow->unjudged = state_get_u32(reader);
    flow->peer_duplicates = state_get_u32(reader);
    flow->rtt.smoothed_ns = RTE_MIN(state_get_u64(reader), RTT_MAX_NS);
    flow->rtt.variation_ns = RTE_MIN(state_get_u64(reader), RTT_MAX_NS);
    flow->rtt.latest_ns = RTE_MIN(state_get_u64(reader), RTT_MAX_NS);
    flow->rtt.min_ns = RTE_MIN(state_get_u64(reader), RTT_MAX_NS);
    flow->rtt.backoff = RTE_MIN(state_get_u32(reader), RTT_BACKOFF_MAX);
    rx_window_init(&flow->rx, state_get_u32(reader));
    flow->rx.duplicates = state_get_u32(reader);
    get_bits(reader, &flow->rx.bits, flow->rx.next);
    for (uint32_t i = 0; i < RING_WORDS; i++)
        flow->rx.held += (uint32_t)__builtin_popcountll(flow->rx.bits.words[i]);
    una = state_get_u32(reader);
    tx_window_init(&flow->tx, una);
    flow->tx.next = state_get_u32(reader);
    get_bits(reader, &flow->tx.acked, una);
    /* The packet before the gap, and the oldest one unacknowledged, are missing by definition. */
    if (ring_bits_get(&flow->rx.bits, flow->rx.next) || ring_bits_get(&flow->tx.acked, una) ||
        tx_window_outstanding(&flow->tx) > TX_WINDOW ||
        (flow->state == FLOW_CALLING && tx_window_outstanding(&flow->tx) > 0))
        state_reader_fail(reader, -EPROTO);
}

/* A packet as it was kept: rebuilt, if it is a valid one of this flow that is missing. */
static void load_packet(struct flow *flow, struct state_reader *reader, bool lost, uint64_t now)
{
    struct rte_mempool *pool = flow->transport->port->pool;
    uint8_t sends = state_get_u8(reader), timed_out = state_get_u8(reader);
    uint64_t sent_ns = before(now, state_get_u64(reader));
    uint32_t length;
    const uint8_t *bytes =
        state_get_bytes(reader, rte_pktmbuf_data_room_size(pool) - RTE_PKTMBUF_HEADROOM, &length);
    struct wire_flow header;
    struct rte_mbuf *packet;

    if (!bytes)
        return;
    if (wire_check(bytes, length, &flow->out, &header) != 0 || header.token != flow->peer_token ||
        header.version != flow->version ||
        (header.type != WIRE_DATA && header.type != WIRE_PROBE) ||
        !tx_window_misses(&flow->tx, header.seq)) {
        state_reader_fail(reader, -EPROTO);
        return;
    }
    packet = rte_pktmbuf_alloc(pool);
    if (!packet) {
        state_reader_fail(reader, -ENOMEM);
        return;
    }
    /* Whose it was is not written down. */
    tagging_control(flow->transport, packet);
    memcpy(rte_pktmbuf_append(packet, (uint16_t)length), bytes, length);
    encap_apply(&flow->encap, packet); /* cannot fail: the pool's room was asked */
    tx_window_restore(&flow->tx, header.seq, packet, sent_ns);
    flow->tx.slots[header.seq % TX_WINDOW].sends = RTE_MAX(sends, (uint8_t)1);
    if (lost)
        tx_window_lose(&flow->tx, header.seq, timed_out != 0);
}

static void load_packets(struct flow *flow, struct state_reader *reader, bool lost, uint64_t now)
{
    uint32_t count = state_get_u32(reader);

    if (count > TX_WINDOW)
        state_reader_fail(reader, -EPROTO);
    for (uint32_t i = 0; i < count && reader->error == 0; i++)
        load_packet(flow, reader, lost, now);
}

static void load_history(struct flow *flow, struct state_reader *reader)
{
    flow->features = state_get_u32(reader) & WIRE_FEATURES_KNOWN;
    flow->sent = state_get_u64(reader);
    flow->resent = state_get_u64(reader);
}

/* Good until the resolver says better. */
static void load_way(struct flow *flow, struct state_reader *reader)
{
    struct peer *peer = flow->peer;
    uint16_t agreed = RTE_MIN(state_get_u16(reader), flow->transport->mtu);
    bool known = state_get_u8(reader) != 0;
    uint32_t length;
    const void *mac = state_get_bytes(reader, sizeof(peer->mac), &length);
    uint16_t mtu = state_get_u16(reader);

    if (!mac || length != sizeof(peer->mac) || agreed < flow->mtu) {
        state_reader_fail(reader, -EPROTO);
        return;
    }
    flow->agreed_mtu = agreed;
    if (known && !peer->known) {
        memcpy(&peer->mac, mac, length);
        peer->mtu = mtu;
        peer->known = true;
    }
    flow_set_way(flow);
}

/* What is due follows from the rest. */
static void resume(struct flow *flow, uint64_t now)
{
    struct transport *transport = flow->transport;

    peer_want(flow->peer, now);
    if (flow->state == FLOW_CALLING) {
        flow->hello_due = true;
        wheel_set(transport->wheel, &flow->recovery_timer,
                  RTE_MIN(now + flow->hello_retry_ns, flow->hello_deadline));
    } else {
        recovery_begin(flow, now);
        flow->ack_due = true;
        flow->sack_due = true;
        wheel_set(transport->wheel, &flow->idle_timer, now + transport->config.keepalive_ns);
        recovery_arm(flow);
        search_begin(flow, now);
    }
    flow->wants_fill = true;
    flow_make_ready(flow);
}

static void load_flow(struct transport *transport, struct state_reader *reader, uint16_t version,
                      uint64_t now)
{
    struct flow *flow = load_identity(transport, reader, now);

    if (!flow) {
        state_reader_fail(reader, -EPROTO);
        return;
    }
    load_progress(flow, reader, now);
    if (reader->error != 0)
        return;
    load_packets(flow, reader, false, now);
    load_packets(flow, reader, true, now);
    if (version >= RECORD_HISTORY)
        load_history(flow, reader);
    if (version >= RECORD_WAY)
        load_way(flow, reader);
    if (reader->error == 0 && !tx_window_whole(&flow->tx))
        state_reader_fail(reader, -EPROTO);
    if (reader->error == 0)
        resume(flow, now);
}

/* One that is over, for the layer above to find: in no table but the one of numbers, and referred
 * to until all is loaded. */
static struct flow *place_ended(struct transport *transport, const struct address *local,
                                const struct address *remote, uint16_t peer_port, uint32_t id)
{
    const struct pair pair = {local, peer_port};
    struct peer *peer;
    struct flow *flow;

    if (!mapper_is_local(transport, local) || id == FLOW_ID_ANY ||
        !mapper_port_fits(transport, peer_port) || !address_is_host(remote))
        return NULL;
    peer = peer_take(transport, remote);
    if (!peer)
        return NULL;
    flow = mapper_add(transport, peer, &pair, id);
    peer_release(peer);
    if (!flow)
        return NULL;
    LIST_REMOVE(flow, peer_entry);
    flow->state = FLOW_ENDED;
    flow_hold(flow);
    return flow;
}

static void load_ended(struct transport *transport, struct state_reader *reader)
{
    uint32_t id = state_get_u32(reader), error;
    struct address local, remote;
    uint16_t peer_port, mtu;
    struct flow *flow = NULL;

    get_address(reader, &local);
    get_address(reader, &remote);
    peer_port = state_get_u16(reader);
    mtu = state_get_u16(reader);
    error = state_get_u32(reader);
    if (reader->error == 0 && error > 0 && error <= ENDED_ERROR_MAX)
        flow = place_ended(transport, &local, &remote, peer_port, id);
    if (!flow) {
        state_reader_fail(reader, -EPROTO);
        return;
    }
    flow->mtu = RTE_MIN(mtu, transport->mtu);
    flow->error = -(int)error;
}

void transport_load_finish(struct transport *transport)
{
    for (uint32_t i = 0; i < transport->config.flows_max; i++)
        if (transport->flows[i].state == FLOW_ENDED)
            flow_release(&transport->flows[i]);
}

int transport_load_record(struct transport *transport, struct state_reader *reader, uint16_t type,
                          uint16_t version, uint64_t now)
{
    now = transport_time(transport, now);
    if (version == 0)
        state_reader_fail(reader, -EPROTO);
    else if (type == RECORD_TRANSPORT)
        load_transport(transport, reader);
    else if (type == RECORD_FLOW)
        load_flow(transport, reader, version, now);
    else if (type == RECORD_ENDED)
        load_ended(transport, reader);
    return reader->error;
}
