/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/flow_private.h"

#include <rte_branch_prediction.h>
#include <stdlib.h>

#define FLOWS_DEFAULT      256u
#define WINDOW_MIN_DEFAULT 2u /* packets: one to be lost, one to tell */
#define DSCP_LAST          63u
#define VLAN_LAST          4094u

/* Woken: transport_pending says yes again. */
static void blocked_fire(struct wheel_timer *timer, uint64_t now)
{
    (void)timer;
    (void)now;
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static void fill_defaults(struct transport_config *config)
{
    config->udp_port = (uint16_t)or_default(config->udp_port, WIRE_UDP_PORT);
    config->wire_min = (uint8_t)or_default(config->wire_min, WIRE_VERSION_MIN);
    config->wire_max = (uint8_t)or_default(config->wire_max, WIRE_VERSION_MAX);
    config->call_port = (uint16_t)or_default(config->call_port, config->udp_port);
    config->flows_max = (uint32_t)or_default(config->flows_max, FLOWS_DEFAULT);
    if (!config->cc)
        config->cc = &cc_swift;
    config->cc_params.window_min =
        (uint32_t)or_default(config->cc_params.window_min, WINDOW_MIN_DEFAULT);
    config->cc_params.window_max = (uint32_t)or_default(config->cc_params.window_max, TX_WINDOW);
    config->rto_min_ns = or_default(config->rto_min_ns, NSEC_PER_MSEC);
    config->rto_max_ns = or_default(config->rto_max_ns, 200 * NSEC_PER_MSEC);
    config->dead_after_ns = or_default(config->dead_after_ns, 5 * NSEC_PER_SEC);
    config->keepalive_ns = or_default(config->keepalive_ns, NSEC_PER_SEC);
    config->hello_timeout_ns = or_default(config->hello_timeout_ns, 2 * NSEC_PER_SEC);
    config->ack_delay_ns = or_default(config->ack_delay_ns, 20 * NSEC_PER_USEC);
    config->peers = NULL;
}

/* The largest packet that port, pool and encapsulation allow; 0 if that is too little. */
static uint16_t usable_mtu(const struct port *port)
{
    uint32_t room = rte_pktmbuf_data_room_size(port->pool);
    uint32_t mtu = port->mtu;

    if (room < RTE_PKTMBUF_HEADROOM || RTE_PKTMBUF_HEADROOM < ENCAP_BYTES_MAX)
        return 0;
    /* Packets are built with their headers in the headroom, so the IP header does not count. */
    mtu = RTE_MIN(mtu, room - RTE_PKTMBUF_HEADROOM);
    return mtu < MTU_MIN ? 0 : (uint16_t)mtu;
}

static bool config_valid(const struct transport_config *config, const struct port *port)
{
    if (config->address_count == 0 || config->address_count > TRANSPORT_ADDRESSES_MAX ||
        config->peer_count > TRANSPORT_PEERS_MAX || config->flows_max > FLOWS_LIMIT)
        return false;
    if (config->wire_min > config->wire_max || !wire_codec(config->wire_min) ||
        !wire_codec(config->wire_max))
        return false;
    if (config->udp_port < config->call_port ||
        config->udp_port - config->call_port >= (int)WIRE_UDP_PORTS)
        return false;
    if (config->vlan > VLAN_LAST || config->dscp > DSCP_LAST || usable_mtu(port) == 0)
        return false;
    return config->cc_params.window_min <= config->cc_params.window_max &&
           config->cc_params.window_max <= TX_WINDOW && config->rto_min_ns <= config->rto_max_ns;
}

static void draw_keys(struct transport *transport)
{
    struct rng *rng = transport->rng;
    uint8_t *keys[] = {transport->cookie_key, transport->peer_key};

    transport->epoch = rng_u64(rng);
    transport->token_secret = rng_u64(rng);
    for (uint32_t i = 0; i < RTE_DIM(keys); i++) {
        uint64_t words[crypto_shorthash_KEYBYTES / sizeof(uint64_t)];

        for (uint32_t j = 0; j < RTE_DIM(words); j++)
            words[j] = rng_u64(rng);
        memcpy(keys[i], words, sizeof(words));
    }
}

int transport_create(struct transport **transport, const struct transport_config *config,
                     struct port *port, const struct clock *clock, struct rng *rng,
                     struct wheel *wheel, const struct flow_upper_ops *upper_ops, void *upper)
{
    struct transport *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->config = *config;
    fill_defaults(&made->config);
    made->port = port;
    made->clock = clock;
    made->emptied_ns = clock_now(clock);
    made->rng = rng;
    made->wheel = wheel;
    made->ops = upper_ops;
    made->upper = upper;
    made->mtu = usable_mtu(port);
    made->decap.mac = port->mac;
    TAILQ_INIT(&made->ready);
    tagging_init(made);
    wheel_timer_init(&made->blocked_timer, blocked_fire);
    draw_keys(made);
    error = config_valid(&made->config, port) ? peers_init(made, config->peers, config->peer_count)
                                              : -EINVAL;
    if (error == 0)
        error = parts_init(&made->parts, made->mtu);
    if (error == 0)
        error = mapper_init(made);
    if (error != 0) {
        transport_destroy(made);
        return error;
    }
    *transport = made;
    return 0;
}

void transport_destroy(struct transport *transport)
{
    if (!transport)
        return;
    wheel_cancel(transport->wheel, &transport->blocked_timer);
    mapper_fini(transport);
    peers_fini(transport);
    parts_fini(&transport->parts);
    free(transport);
}

void transport_set_meter(struct transport *transport, struct meter *meter)
{
    transport->meter = meter;
}

/* "No such flow": at most RESETS_PER_MS, so that a flood is not answered with a flood. Which engine
 * of its host sent the packet is not known: the host gives a RESET to all of them. */
static void send_reset(struct transport *transport, const struct packet_meta *meta,
                       const struct wire_flow *header, uint64_t now)
{
    struct wire_flow reset = {.version = header->version,
                              .type = WIRE_RESET,
                              .token = header->token};
    uint8_t bytes[WIRE_FLOW_BYTES];
    struct wire_addresses addresses;
    struct encap encap;

    if (transport->reset_ms != now / NSEC_PER_MSEC) {
        transport->reset_ms = now / NSEC_PER_MSEC;
        transport->resets = 0;
    }
    if (transport->resets >= RESETS_PER_MS ||
        output_answer_path(transport, meta, transport->config.call_port, &addresses, &encap) != 0)
        return;
    transport->resets++;
    wire_flow_encode(&reset, bytes);
    wire_seal(bytes, sizeof(bytes), &addresses);
    output_single(transport, &encap, bytes, sizeof(bytes), now);
}

/* Believed only if it echoes the secret of an open flow with that very peer. */
static void take_reset(struct transport *transport, const struct packet_meta *meta,
                       const struct wire_flow *header, uint64_t now)
{
    struct peer *peer = peer_find(transport, &meta->src);
    struct flow *flow = peer ? mapper_by_peer_token(peer, &meta->dst, header->token) : NULL;

    if (flow)
        flow_end(flow, -ECONNRESET, now);
    else
        transport_count(&transport->stats.rx_unknown_flow, 1);
}

static void take_flow_packet(struct transport *transport, const struct packet_meta *meta,
                             const struct wire_flow *header, const struct rte_mbuf *packet,
                             uint64_t now)
{
    struct flow *flow = mapper_by_token(transport, header->token);
    const uint8_t *body = rte_pktmbuf_mtod_offset(packet, const uint8_t *, WIRE_FLOW_BYTES);

    if (unlikely(!flow || !address_equal(&flow->peer->node.address, &meta->src) ||
                 !address_equal(&flow->local, &meta->dst))) {
        transport_count(&transport->stats.rx_unknown_flow, 1);
        send_reset(transport, meta, header, now);
        return;
    }
    /* The answering side may speak before its WELCOME has arrived: it will repeat itself. */
    if (flow->state != FLOW_OPEN)
        return;
    if (likely(header->version == flow->version))
        input_packet(flow, header, body, rte_pktmbuf_data_len(packet) - WIRE_FLOW_BYTES,
                     meta->ecn == IP_ECN_MASK, now);
    else
        transport_count(&transport->stats.rx_malformed, 1);
}

static bool is_ours(const struct transport *transport, const struct packet_meta *meta)
{
    uint16_t vlan = transport->config.vlan;

    if (!mapper_is_local(transport, &meta->dst) || mapper_is_local(transport, &meta->src))
        return false;
    return vlan == 0 ? meta->vlan_tags == 0 : meta->vlan_tags == 1 && meta->vlan[0] == vlan;
}

/* At our own port; RESETs are for all engines of a host, and come to the first one's. */
static bool is_port_ours(const struct transport *transport, const struct packet_meta *meta,
                         const struct wire_flow *header)
{
    return meta->dst_port == transport->config.udp_port ||
           (header->type == WIRE_RESET && meta->dst_port == transport->config.call_port);
}

static void take_packet(struct transport *transport, const struct packet_meta *meta,
                        const struct rte_mbuf *packet, uint64_t now)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(packet, const uint8_t *);
    struct wire_addresses addresses;
    struct wire_flow header;
    int error;

    if (unlikely(!is_ours(transport, meta))) {
        transport_count(&transport->stats.rx_malformed, 1);
        return;
    }
    memcpy(addresses.source, meta->src.bytes, sizeof(addresses.source));
    memcpy(addresses.destination, meta->dst.bytes, sizeof(addresses.destination));
    addresses.source_port = meta->src_port;
    addresses.destination_port = meta->dst_port;
    error = wire_check(bytes, rte_pktmbuf_data_len(packet), &addresses, &header);
    if (unlikely(error != 0))
        transport_count(error == -EBADMSG ? &transport->stats.rx_bad_crc
                                          : &transport->stats.rx_malformed,
                        1);
    else if (unlikely(!is_port_ours(transport, meta, &header)))
        transport_count(&transport->stats.rx_malformed, 1);
    else if (unlikely(header.type == WIRE_HELLO))
        hello_input(transport, bytes, meta, now);
    else if (unlikely(header.type == WIRE_RESET))
        take_reset(transport, meta, &header, now);
    else
        take_flow_packet(transport, meta, &header, packet, now);
}

void transport_watched(struct transport *transport, uint64_t now)
{
    transport->emptied_ns = transport_time(transport, now);
}

static uint32_t receive(struct transport *transport, uint64_t now)
{
    struct rte_mbuf *packets[PORT_BURST];
    struct packet_meta metas[PORT_BURST];
    struct port *port = transport->port;
    uint16_t count, accepted;

    now = transport_time(transport, now);
    count = port->ops->rx_burst(port, packets, PORT_BURST, now);
    transport->waited_ns = now - transport->emptied_ns;
    if (count < PORT_BURST)
        transport->emptied_ns = now;
    if (count == 0)
        return 0;
    meter_claim(transport->meter, meter_pool(transport->meter));
    transport->room = port->ops->tx_room(port);
    for (uint16_t i = 0; i < count; i++) {
        transport_count(&transport->stats.rx_packets, 1);
        transport_count(&transport->stats.rx_bytes, rte_pktmbuf_pkt_len(packets[i]));
        clock_charge(transport->clock, PACKET_COST_NS);
    }
    accepted = decap_batch(&transport->decap, packets, metas, count);
    transport_count(&transport->stats.rx_malformed, count - accepted);
    for (uint16_t i = 0; i < accepted; i++) {
        take_packet(transport, &metas[i], packets[i], now);
        transport_weigh(transport, packets[i]);
    }
    rte_pktmbuf_free_bulk(packets, accepted);
    output_flush(transport, now);
    return count;
}

uint32_t transport_receive(struct transport *transport, uint64_t now)
{
    uint32_t count = receive(transport, now);

    if (count > 0) {
        meter_switch(transport->meter, meter_nobody(transport->meter));
        meter_settle(transport->meter);
    }
    return count;
}

static bool has_nothing_to_send(const struct transport *transport)
{
    return TAILQ_EMPTY(&transport->ready) && transport->tx_count == 0 && !transport->tagged &&
           !wheel_timer_armed(&transport->blocked_timer);
}

uint32_t transport_send(struct transport *transport, uint64_t now, uint64_t end)
{
    uint64_t before = transport->stats.tx_packets;
    enum output_result result = OUTPUT_DONE;

    now = transport_time(transport, now);
    if (has_nothing_to_send(transport))
        return 0;
    if (transport->tagged && transport->port->ops->tx_reopened(transport->port))
        tagging_reopen(transport);
    transport->room = transport->port->ops->tx_room(transport->port);
    bool ready = !TAILQ_EMPTY(&transport->ready);
    if (ready)
        meter_switch(transport->meter, meter_pool(transport->meter));
    while (!TAILQ_EMPTY(&transport->ready) && result != OUTPUT_BLOCKED && now <= end) {
        struct flow *flow = TAILQ_FIRST(&transport->ready);

        if (!output_has_room(transport, now)) {
            result = OUTPUT_BLOCKED;
            break;
        }
        /* Out of the list first: what happens meanwhile may put it back. */
        TAILQ_REMOVE(&transport->ready, flow, ready_entry);
        flow->ready = false;
        result = output_flow(flow, now);
        if (result != OUTPUT_DONE)
            flow_make_ready(flow);
        /* At once, if the port has taken all: so the layer above knows who has used up what he may
         * when it is asked to fill the next packets. */
        if (transport->tx_count == 0)
            meter_settle(transport->meter);
        now = transport_time(transport, clock_now(transport->clock));
    }
    output_flush(transport, now);
    if (ready) {
        meter_switch(transport->meter, meter_nobody(transport->meter));
        meter_settle(transport->meter);
    }
    if (result == OUTPUT_BLOCKED)
        wheel_set(transport->wheel, &transport->blocked_timer, now + BLOCKED_RETRY_NS);
    else
        wheel_cancel(transport->wheel, &transport->blocked_timer);
    return (uint32_t)(transport->stats.tx_packets - before);
}

bool transport_pending(const struct transport *transport)
{
    return !TAILQ_EMPTY(&transport->ready) && !wheel_timer_armed(&transport->blocked_timer);
}

/* The local address that speaks to a peer: the first of its family. */
static const struct address *local_for(const struct transport *transport,
                                       const struct address *peer)
{
    for (uint32_t i = 0; i < transport->config.address_count; i++) {
        if (address_is_v4(&transport->config.addresses[i]) == address_is_v4(peer))
            return &transport->config.addresses[i];
    }
    return NULL;
}

static struct flow *known_flow(const struct peer *peer, uint16_t peer_port)
{
    struct flow *flow, *calling = NULL;

    LIST_FOREACH(flow, &peer->flows, peer_entry)
    {
        if (flow->peer_port != peer_port)
            continue;
        if (flow->state == FLOW_OPEN)
            return flow;
        calling = flow;
    }
    return calling;
}

/* The flow to a peer that is held, or a new one, which calls. */
static int flow_to(struct peer *peer, const struct pair *pair, uint64_t now, struct flow **flow)
{
    struct flow *found = known_flow(peer, pair->peer_port);

    if (found && peer->error != 0)
        return peer->error;
    if (!found) {
        found = mapper_add(peer->transport, peer, pair, FLOW_ID_ANY);
        if (!found)
            return -ENOMEM;
        if (hello_init(found) != 0) {
            mapper_remove(found);
            mapper_free(found);
            return -ENOMEM;
        }
        hello_start(found, now);
    }
    flow_hold(found);
    *flow = found;
    return 0;
}

int transport_flow(struct transport *transport, const struct address *address, uint64_t now,
                   struct flow **flow)
{
    return transport_flow_to(transport, address, transport->config.call_port, now, flow);
}

int transport_flow_to(struct transport *transport, const struct address *address, uint16_t udp_port,
                      uint64_t now, struct flow **flow)
{
    const struct pair pair = {local_for(transport, address), udp_port};
    struct peer *peer;
    int error;

    if (!mapper_port_fits(transport, udp_port))
        return -EINVAL;
    if (!pair.local)
        return -ENETUNREACH;
    if (mapper_is_local(transport, address) || !address_is_host(address))
        return -EHOSTUNREACH;
    peer = peer_take(transport, address);
    if (!peer)
        return transport->config.resolver ? -ENOMEM : -EHOSTUNREACH;
    error = flow_to(peer, &pair, transport_time(transport, now), flow);
    peer_release(peer);
    return error;
}

struct flow *transport_loaded_flow(struct transport *transport, uint32_t id)
{
    uint32_t place = id % FLOWS_LIMIT;
    struct flow *flow;

    if (place >= transport->config.flows_max)
        return NULL;
    flow = &transport->flows[place];
    return flow->id == id && flow->state != FLOW_FREE ? flow : NULL;
}

struct flow *transport_flow_by_id(struct transport *transport, uint32_t id)
{
    struct flow *flow = transport_loaded_flow(transport, id);

    return flow && flow->state != FLOW_ENDED ? flow : NULL;
}

int transport_resolve(const struct transport *transport, const char *host, struct address *address)
{
    const struct peer *peer = peer_find_name(transport, host);

    if (peer) {
        *address = peer->node.address;
        return 0;
    }
    return address_parse(address, host) == 0 ? 0 : -ENOENT;
}

const struct transport_stats *transport_stats(const struct transport *transport)
{
    return &transport->stats;
}
