/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/transport_view.h"

#include "engines/pony/flow_private.h"

/* Of something that has been: never 0. */
static uint64_t age(const struct transport *transport, uint64_t then)
{
    uint64_t now = RTE_MAX(clock_now(transport->clock), transport->now);

    return now > then ? now - then : 1;
}

static enum view_flow_state state_of(const struct flow *flow)
{
    switch (flow->state) {
    case FLOW_CALLING:
        return VIEW_FLOW_CALLING;
    case FLOW_OPEN:
        return VIEW_FLOW_OPEN;
    default:
        return VIEW_FLOW_ENDED;
    }
}

/* ---- Peers ---- */

/* There are as many flows of a peer as pairs of addresses at most. */
static void view_peer_flows(const struct peer *peer, struct view_peer *to)
{
    const struct flow *flow, *best = NULL;
    uint64_t heard = 0;

    LIST_FOREACH(flow, &peer->flows, peer_entry)
    {
        to->flows++;
        heard = RTE_MAX(heard, flow->heard_ns);
        if (!best || flow->state == FLOW_OPEN)
            best = flow;
    }
    if (heard)
        to->silent_ns = age(peer->transport, heard);
    if (!best)
        return;
    to->state = state_of(best);
    to->version = best->version;
    to->features = best->features;
    to->smoothed_ns = best->rtt.smoothed_ns;
}

static void view_peer(const struct peer *peer, struct view_peer *to)
{
    *to = (struct view_peer){
        .address = peer->node.address,
        .mac = peer->mac,
        .mtu = peer->mtu,
        .configured = peer->configured,
        .known = peer->known,
        .way_error = peer->error,
        .ended_error = peer->ended_error,
        .ended_ns = peer->ended_error ? age(peer->transport, peer->ended_ns) : 0,
    };
    memcpy(to->name, peer->name, sizeof(to->name));
    view_peer_flows(peer, to);
}

static void view_one_peer(const struct transport *transport, struct view_scan *scan,
                          struct view_peer peers[VIEW_ENTRIES])
{
    const struct peer *peer = peer_find(transport, &scan->peer);

    if (peer)
        view_peer(peer, &peers[scan->count++]);
    scan->position = VIEW_END;
}

void transport_view_peers(const struct transport *transport, struct view_scan *scan,
                          struct view_peer peers[VIEW_ENTRIES])
{
    uint32_t looked = 0;

    scan->count = 0;
    if (scan->of_peer) {
        view_one_peer(transport, scan, peers);
        return;
    }
    while (view_goes_on(scan, &looked, transport->peers_size)) {
        const struct peer *peer = &transport->peers[scan->position++];

        if (peer->configured || peer->uses > 0)
            view_peer(peer, &peers[scan->count++]);
    }
    if (scan->position >= transport->peers_size)
        scan->position = VIEW_END;
}

int transport_view_find(const struct transport *transport, const char *host,
                        struct address *address)
{
    if (transport_resolve(transport, host, address) != 0 || !peer_find(transport, address))
        return -ENOENT;
    return 0;
}

/* ---- Flows ---- */

static void view_numbers(const struct flow *flow, struct view_flow *to)
{
    const struct transport_config *config = &flow->transport->config;
    struct cc_report report = {0};

    if (flow->state == FLOW_OPEN) {
        to->congestion = flow->cc_ops->name;
        to->window = flow->cc_ops->window(flow->cc);
        to->gap_ns = flow->cc_ops->gap_ns(flow->cc);
        flow->cc_ops->report(flow->cc, &report);
    }
    to->base_ns = report.base_ns;
    to->target_ns = report.target_ns;
    to->smoothed_ns = flow->rtt.smoothed_ns;
    to->variation_ns = flow->rtt.variation_ns;
    to->min_ns = flow->rtt.min_ns;
    to->rto_ns = rtt_rto(&flow->rtt, config->rto_min_ns, config->rto_max_ns);
    to->in_flight = flow->tx.flying.count;
    to->lost = flow->tx.lost.count;
    to->sent = flow->sent;
    to->resent = flow->resent;
    to->fast_resent = flow->seen.fast_resent;
    to->timeouts = flow->seen.timeouts;
    to->received = flow->seen.received;
    to->bytes_sent = flow->seen.bytes_sent;
    to->bytes_received = flow->seen.bytes_received;
    to->ecn_marks = flow->seen.ecn_marks;
    to->ecn_echoes = flow->seen.ecn_echoes;
}

static void view_flow(const struct flow *flow, struct view_flow *to)
{
    const struct transport *transport = flow->transport;

    *to = (struct view_flow){
        .local = flow->local,
        .address = flow->peer->node.address,
        .id = flow->id,
        .local_port = flow->source_port,
        .udp_port = flow->peer_port,
        .mtu = flow->mtu,
        .state = state_of(flow),
        .version = flow->version,
        .answered = flow->answered,
        .features = flow->features,
        .references = flow->references,
        .error = flow->error,
        .age_ns = age(transport, flow->made_ns),
        .silent_ns = flow->heard_ns ? age(transport, flow->heard_ns) : 0,
    };
    memcpy(to->peer, flow->peer->name, sizeof(to->peer));
    view_numbers(flow, to);
}

static bool flow_wanted(const struct flow *flow, const struct view_scan *scan)
{
    return flow->state != FLOW_FREE && (!scan->by_id || flow->id == scan->id) &&
           (!scan->of_peer || address_equal(&flow->peer->node.address, &scan->peer));
}

void transport_view_flows(const struct transport *transport, struct view_scan *scan,
                          struct view_flow flows[VIEW_ENTRIES])
{
    uint32_t size = transport->config.flows_max, looked = 0;

    scan->count = 0;
    if (scan->by_id) {
        scan->position = scan->id % FLOWS_LIMIT;
        size = RTE_MIN(size, scan->position + 1);
    }
    while (view_goes_on(scan, &looked, size)) {
        const struct flow *flow = &transport->flows[scan->position++];

        if (flow_wanted(flow, scan))
            view_flow(flow, &flows[scan->count++]);
    }
    if (scan->position >= size)
        scan->position = VIEW_END;
}
