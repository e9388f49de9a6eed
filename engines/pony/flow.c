/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/flow_private.h"

#include <rte_common.h>

#define ECN_CAPABLE 2u /* ECT(0), RFC 3168 section 5 */

static void recovery_fire(struct wheel_timer *timer, uint64_t now)
{
    struct flow *flow = container_of(timer, struct flow, recovery_timer);

    now = transport_time(flow->transport, now);
    if (flow->state == FLOW_CALLING)
        hello_timer(flow, now);
    else
        recovery_timer(flow, now);
}

static void ack_fire(struct wheel_timer *timer, uint64_t now)
{
    struct flow *flow = container_of(timer, struct flow, ack_timer);

    (void)now;
    flow->ack_due = true;
    flow_make_ready(flow);
}

static void pace_fire(struct wheel_timer *timer, uint64_t now)
{
    (void)now;
    flow_make_ready(container_of(timer, struct flow, pace_timer));
}

/* Alive flows are asked for a sign of life when they fall silent; unreferenced ones are forgotten,
 * unless the peer still speaks: then it holds references. */
static void idle_fire(struct wheel_timer *timer, uint64_t now)
{
    struct flow *flow = container_of(timer, struct flow, idle_timer);
    struct transport *transport = flow->transport;
    uint64_t period = transport->config.keepalive_ns, next;
    bool silent;

    now = transport_time(transport, now);
    next = now + period;
    silent = now - flow->heard_ns >= period && tx_window_outstanding(&flow->tx) == 0;
    if (flow->references > 0) {
        flow->referenced_ns = now;
        if (silent)
            flow_probe(flow);
        else if (flow->heard_ns + period > now)
            next = flow->heard_ns + period;
    } else if (silent && now - flow->heard_ns >= FORGET_NS &&
               now - flow->referenced_ns >= FORGET_NS) {
        mapper_remove(flow);
        mapper_free(flow);
        return;
    }
    wheel_set(transport->wheel, timer, next);
}

void flow_init_timers(struct flow *flow)
{
    wheel_timer_init(&flow->recovery_timer, recovery_fire);
    wheel_timer_init(&flow->ack_timer, ack_fire);
    wheel_timer_init(&flow->idle_timer, idle_fire);
    wheel_timer_init(&flow->pace_timer, pace_fire);
    search_init(flow);
}

int flow_init_path(struct flow *flow, uint16_t source_port)
{
    const struct transport *transport = flow->transport;
    struct encap_config config = {
        .src_mac = transport->port->mac,
        .dst_mac = flow->peer->mac,
        .src = flow->local,
        .dst = flow->peer->node.address,
        .src_port = source_port,
        .dst_port = flow->peer_port,
        .vlan = transport->config.vlan,
        .dscp = transport->config.dscp,
        .ecn = ECN_CAPABLE,
    };

    flow->source_port = source_port;
    memcpy(flow->out.source, flow->local.bytes, sizeof(flow->out.source));
    memcpy(flow->out.destination, flow->peer->node.address.bytes, sizeof(flow->out.destination));
    flow->out.source_port = source_port;
    flow->out.destination_port = flow->peer_port;
    return encap_build(&flow->encap, &config);
}

void flow_set_way(struct flow *flow)
{
    const struct peer *peer = flow->peer;
    uint16_t way = peer->mtu == 0 ? UINT16_MAX : RTE_MAX(peer->mtu, (uint16_t)MTU_MIN);

    encap_set_destination(&flow->encap, &peer->mac);
    search_limit(flow, RTE_MIN(flow->agreed_mtu, way), flow->transport->now);
}

void flow_make_ready(struct flow *flow)
{
    if (flow->ready)
        return;
    flow->ready = true;
    TAILQ_INSERT_TAIL(&flow->transport->ready, flow, ready_entry);
}

void flow_opened(struct flow *flow, uint64_t now)
{
    struct transport *transport = flow->transport;

    flow->state = FLOW_OPEN;
    flow->heard_ns = now;
    flow->referenced_ns = now;
    recovery_begin(flow, now);
    wheel_cancel(transport->wheel, &flow->recovery_timer);
    wheel_set(transport->wheel, &flow->idle_timer, now + transport->config.keepalive_ns);
    transport_count(&transport->stats.flows_opened, 1);
    /* The round trip is learned while nothing queues: by a caller at once, by who was called with
     * the first packet, since a caller who then says nothing is not worth an answer. */
    if (!flow->answered)
        flow->probe_due = true;
    flow_make_ready(flow);
    search_begin(flow, now);
    transport->ops->opened(transport->upper, flow, now);
}

void flow_end(struct flow *flow, int error, uint64_t now)
{
    struct transport *transport = flow->transport;

    /* A reference of our own, so that the last one's release does not free it under us. */
    flow->references++;
    flow->error = error;
    flow->peer->ended_error = error;
    flow->peer->ended_ns = now;
    mapper_remove(flow);
    transport->ops->ended(transport->upper, flow, error, now);
    flow_release(flow);
}

void flow_probe(struct flow *flow)
{
    flow->probe_due = true;
    flow_make_ready(flow);
}

void flow_kick(struct flow *flow)
{
    flow->wants_fill = true;
    if (flow->state == FLOW_OPEN)
        flow_make_ready(flow);
}

void flow_said_all(struct flow *flow)
{
    flow->said_all = true;
}

void flow_kick_light(struct flow *flow)
{
    flow->wants_light = true;
    if (tx_window_outstanding(&flow->tx) > 0)
        flow->shared_ns = flow->transport->now;
}

bool flow_is_past(const struct flow *flow)
{
    return flow->past;
}

uint64_t flow_number(const struct flow *flow)
{
    return flow->sent;
}

bool flow_arrived(const struct flow *flow, uint64_t number)
{
    uint64_t back = flow->sent - number; /* from the next one; 0: this is it */

    if (back == 0)
        return false;
    return back > tx_window_outstanding(&flow->tx) ||
           ring_bits_get(&flow->tx.acked, flow->tx.next - (uint32_t)back);
}

void flow_hold(struct flow *flow)
{
    flow->references++;
}

void flow_release(struct flow *flow)
{
    flow->references--;
    if (flow->references == 0 && flow->state == FLOW_ENDED)
        mapper_free(flow);
}

const struct address *flow_peer(const struct flow *flow)
{
    return &flow->peer->node.address;
}

const char *flow_peer_name(const struct flow *flow)
{
    return flow->peer->name;
}

uint32_t *flow_host_load(const struct flow *flow)
{
    return &flow->peer->load;
}

uint32_t flow_id(const struct flow *flow)
{
    return flow->id;
}

bool flow_is_first(const struct flow *flow)
{
    return flow->peer_port == flow->transport->config.call_port;
}

bool flow_is_open(const struct flow *flow)
{
    return flow->state == FLOW_OPEN;
}

int flow_error(const struct flow *flow)
{
    return flow->state == FLOW_ENDED ? flow->error : 0;
}

uint32_t flow_headers(const struct flow *flow)
{
    uint32_t ip =
        address_is_v4(&flow->local) ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);

    return ip + (uint32_t)sizeof(struct rte_udp_hdr);
}

uint32_t flow_room(const struct flow *flow)
{
    return flow->mtu - flow_headers(flow) - WIRE_FLOW_BYTES;
}

uint32_t flow_room_hoped(const struct flow *flow)
{
    uint32_t more = pmtu_searching(&flow->pmtu) ? flow->pmtu.limit - flow->mtu : 0;

    return flow_room(flow) + more;
}

void flow_report(const struct flow *flow, struct flow_report *report)
{
    *report = (struct flow_report){
        .smoothed_ns = flow->rtt.smoothed_ns,
        .sent = flow->sent,
        .resent = flow->resent,
        .features = flow->features,
        .mtu = flow->mtu,
        .udp_port = flow->peer_port,
        .version = flow->version,
    };
}

void flow_set_context(struct flow *flow, void *context)
{
    flow->context = context;
}

void *flow_context(const struct flow *flow)
{
    return flow->context;
}
