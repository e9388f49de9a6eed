/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/flow_private.h"

#include <stdlib.h>
#include <string.h>

int mapper_init(struct transport *transport)
{
    size_t flows_bytes = transport->config.flows_max * sizeof(struct flow);
    uint32_t buckets = 2;

    /* At most half full. */
    while (buckets < 2 * transport->config.flows_max)
        buckets *= 2;
    transport->buckets = calloc(buckets, sizeof(*transport->buckets));
    transport->flows = calloc(1, flows_bytes);
    if (!transport->buckets || !transport->flows)
        return -ENOMEM;
    for (uint32_t i = 0; i < transport->config.flows_max; i++) {
        transport->flows[i].transport = transport;
        transport->flows[i].id = i;
    }
    transport->bucket_mask = buckets - 1;
    return 0;
}

void mapper_fini(struct transport *transport)
{
    for (uint32_t i = 0; transport->flows && i < transport->config.flows_max; i++) {
        if (transport->flows[i].state != FLOW_FREE && transport->flows[i].state != FLOW_ENDED)
            mapper_remove(&transport->flows[i]);
    }
    free(transport->flows);
    free(transport->buckets);
}

bool mapper_is_local(const struct transport *transport, const struct address *address)
{
    for (uint32_t i = 0; i < transport->config.address_count; i++) {
        if (address_equal(&transport->config.addresses[i], address))
            return true;
    }
    return false;
}

static struct flow **bucket_of(const struct transport *transport, uint64_t token)
{
    /* Fibonacci hashing (Knuth, volume 3, section 6.4) of a value that outsiders cannot aim. */
    uint64_t mixed = (token ^ transport->token_secret) * 0x9e3779b97f4a7c15ull;

    return &transport->buckets[(mixed >> 32) & transport->bucket_mask];
}

struct flow *mapper_by_token(const struct transport *transport, uint64_t token)
{
    struct flow *flow = *bucket_of(transport, token);

    while (flow && flow->token != token)
        flow = flow->token_next;
    return flow;
}

struct flow *mapper_by_pair(const struct peer *peer, const struct pair *pair)
{
    struct flow *flow;

    LIST_FOREACH(flow, &peer->flows, peer_entry)
    {
        if (flow->peer_port == pair->peer_port && address_equal(&flow->local, pair->local))
            return flow;
    }
    return NULL;
}

struct flow *mapper_by_nonce(const struct peer *peer, const struct address *local, uint64_t nonce)
{
    struct flow *flow;

    LIST_FOREACH(flow, &peer->flows, peer_entry)
    {
        if (flow->state == FLOW_CALLING && flow->nonce == nonce &&
            address_equal(&flow->local, local))
            return flow;
    }
    return NULL;
}

struct flow *mapper_by_peer_token(const struct peer *peer, const struct address *local,
                                  uint64_t token)
{
    struct flow *flow;

    LIST_FOREACH(flow, &peer->flows, peer_entry)
    {
        if (flow->state == FLOW_OPEN && flow->peer_token == token &&
            address_equal(&flow->local, local))
            return flow;
    }
    return NULL;
}

bool mapper_port_fits(const struct transport *transport, uint16_t udp_port)
{
    return udp_port >= transport->config.call_port &&
           udp_port - transport->config.call_port < (int)WIRE_UDP_PORTS;
}

bool mapper_set_token(struct flow *flow)
{
    struct flow **bucket = bucket_of(flow->transport, flow->token);

    if (mapper_by_token(flow->transport, flow->token))
        return false;
    flow->token_next = *bucket;
    *bucket = flow;
    return true;
}

/* Of two flows the one that may give way to a new one: unreferenced, and silent longest. `oldest`
 * may be NULL. */
static struct flow *sooner_given_up(struct flow *oldest, struct flow *flow)
{
    if (flow->state != FLOW_OPEN || flow->references > 0 || tx_window_outstanding(&flow->tx) > 0)
        return oldest;
    return !oldest || flow->heard_ns < oldest->heard_ns ? flow : oldest;
}

static void give_up(struct flow *flow)
{
    mapper_remove(flow);
    mapper_free(flow);
}

static void make_place(struct transport *transport)
{
    struct flow *oldest = NULL;

    for (uint32_t i = 0; i < transport->config.flows_max; i++)
        oldest = sooner_given_up(oldest, &transport->flows[i]);
    if (oldest)
        give_up(oldest);
}

bool mapper_admits(const struct peer *peer, const struct address *local)
{
    struct flow *flow, *oldest = NULL;
    uint32_t count = 0;

    LIST_FOREACH(flow, &peer->flows, peer_entry)
    {
        if (!address_equal(&flow->local, local))
            continue;
        count++;
        oldest = sooner_given_up(oldest, flow);
    }
    if (count < WIRE_ENGINES)
        return true;
    if (oldest)
        give_up(oldest);
    return oldest != NULL;
}

static struct flow *take_place(struct transport *transport, uint32_t id)
{
    struct flow *flow;

    if (id != FLOW_ID_ANY) {
        if (id % FLOWS_LIMIT >= transport->config.flows_max)
            return NULL;
        flow = &transport->flows[id % FLOWS_LIMIT];
        if (flow->state != FLOW_FREE)
            return NULL;
        flow->id = id;
        return flow;
    }
    if (transport->flows_used == transport->config.flows_max)
        make_place(transport);
    if (transport->flows_used == transport->config.flows_max)
        return NULL;
    do {
        flow = &transport->flows[transport->flows_cursor++ % transport->config.flows_max];
    } while (flow->state != FLOW_FREE);
    return flow;
}

struct flow *mapper_add(struct transport *transport, struct peer *peer, const struct pair *pair,
                        uint32_t id)
{
    struct flow *flow = take_place(transport, id);

    if (!flow)
        return NULL;
    id = flow->id;
    memset(flow, 0, sizeof(*flow));
    flow->transport = transport;
    flow->peer = peer;
    flow->local = *pair->local;
    flow->peer_port = pair->peer_port;
    flow->id = id;
    flow->state = FLOW_CALLING;
    flow->loss_deadline = UINT64_MAX;
    flow->reorder = REORDER_MIN;
    flow->made_ns = clock_now(transport->clock);
    flow_init_timers(flow);
    tx_window_init(&flow->tx, 0);
    LIST_INSERT_HEAD(&peer->flows, flow, peer_entry);
    peer_hold(peer);
    transport->flows_used++;
    return flow;
}

static void unset_token(struct flow *flow)
{
    struct flow **link = bucket_of(flow->transport, flow->token);

    while (*link && *link != flow)
        link = &(*link)->token_next;
    if (*link)
        *link = flow->token_next;
}

void mapper_remove(struct flow *flow)
{
    struct wheel *wheel = flow->transport->wheel;

    wheel_cancel(wheel, &flow->recovery_timer);
    wheel_cancel(wheel, &flow->ack_timer);
    wheel_cancel(wheel, &flow->idle_timer);
    wheel_cancel(wheel, &flow->pace_timer);
    wheel_cancel(wheel, &flow->search_timer);
    parts_drop_all(&flow->transport->parts, flow);
    unset_token(flow);
    LIST_REMOVE(flow, peer_entry);
    if (LIST_EMPTY(&flow->peer->flows))
        peer_idle(flow->peer);
    if (flow->ready)
        TAILQ_REMOVE(&flow->transport->ready, flow, ready_entry);
    flow->ready = false;
    tagging_forget(flow);
    tx_window_clear(&flow->tx);
    flow->state = FLOW_ENDED;
    transport_count(&flow->transport->stats.flows_ended, 1);
}

void mapper_free(struct flow *flow)
{
    flow->state = FLOW_FREE;
    flow->id += FLOWS_LIMIT;
    if (flow->id == FLOW_ID_ANY)
        flow->id += FLOWS_LIMIT;
    flow->transport->flows_used--;
    peer_release(flow->peer);
}
