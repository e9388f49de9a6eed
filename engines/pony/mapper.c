/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/flow_private.h"

#include <stdlib.h>
#include <string.h>

/* Both hash tables are at most half full. */
static uint32_t table_size(uint32_t entries)
{
    uint32_t size = 2;

    while (size < 2 * entries)
        size *= 2;
    return size;
}

/* The keyed start of a chain: senders choose addresses, applications choose names. */
static uint32_t slot_of(const struct transport *transport, const void *bytes, size_t length)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, bytes, length, transport->peer_key);
    return (uint32_t)hash & transport->peer_mask;
}

static void enter_slot(const struct transport *transport, uint16_t *slots, uint32_t slot,
                       uint32_t peer)
{
    while (slots[slot] != 0)
        slot = (slot + 1) & transport->peer_mask;
    slots[slot] = (uint16_t)(peer + 1);
}

static int enter_peer(struct transport *transport, uint32_t index,
                      const struct transport_peer *from)
{
    struct peer *peer = &transport->peers[index];
    size_t length = strnlen(from->name, sizeof(peer->name) - 1);

    memcpy(peer->name, from->name, length);
    peer->address = from->address;
    peer->mac = from->mac;
    LIST_INIT(&peer->flows);
    if (mapper_peer(transport, &peer->address))
        return -EINVAL;
    enter_slot(transport, transport->peer_slots,
               slot_of(transport, &peer->address, sizeof(peer->address)), index);
    if (length == 0)
        return 0;
    if (mapper_peer_by_name(transport, peer->name))
        return -EINVAL;
    enter_slot(transport, transport->name_slots, slot_of(transport, peer->name, length), index);
    return 0;
}

int mapper_init(struct transport *transport, const struct transport_peer *peers, uint32_t count)
{
    uint32_t slots = table_size(count), buckets = table_size(transport->config.flows_max);
    size_t flows_bytes = transport->config.flows_max * sizeof(struct flow);
    int error = 0;

    transport->peers = calloc(count + 1, sizeof(*transport->peers));
    transport->peer_slots = calloc(slots, sizeof(*transport->peer_slots));
    transport->name_slots = calloc(slots, sizeof(*transport->name_slots));
    transport->buckets = calloc(buckets, sizeof(*transport->buckets));
    transport->flows = calloc(1, flows_bytes);
    if (!transport->peers || !transport->peer_slots || !transport->name_slots ||
        !transport->buckets || !transport->flows)
        return -ENOMEM;
    for (uint32_t i = 0; i < transport->config.flows_max; i++) {
        transport->flows[i].transport = transport;
        transport->flows[i].id = i;
    }
    transport->peer_count = count;
    transport->peer_mask = slots - 1;
    transport->bucket_mask = buckets - 1;
    for (uint32_t i = 0; i < count && error == 0; i++)
        error = enter_peer(transport, i, &peers[i]);
    return error;
}

void mapper_fini(struct transport *transport)
{
    for (uint32_t i = 0; transport->flows && i < transport->config.flows_max; i++) {
        if (transport->flows[i].state != FLOW_FREE && transport->flows[i].state != FLOW_ENDED)
            mapper_remove(&transport->flows[i]);
    }
    free(transport->flows);
    free(transport->buckets);
    free(transport->name_slots);
    free(transport->peer_slots);
    free(transport->peers);
}

struct peer *mapper_peer(const struct transport *transport, const struct address *address)
{
    uint32_t slot = slot_of(transport, address, sizeof(*address));

    for (; transport->peer_slots[slot] != 0; slot = (slot + 1) & transport->peer_mask) {
        struct peer *peer = &transport->peers[transport->peer_slots[slot] - 1];

        if (address_equal(&peer->address, address))
            return peer;
    }
    return NULL;
}

struct peer *mapper_peer_by_name(const struct transport *transport, const char *name)
{
    uint32_t slot = slot_of(transport, name, strlen(name));

    for (; transport->name_slots[slot] != 0; slot = (slot + 1) & transport->peer_mask) {
        struct peer *peer = &transport->peers[transport->name_slots[slot] - 1];

        if (strcmp(peer->name, name) == 0)
            return peer;
    }
    return NULL;
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

struct flow *mapper_by_pair(const struct peer *peer, const struct address *local)
{
    struct flow *flow;

    LIST_FOREACH(flow, &peer->flows, peer_entry)
    {
        if (address_equal(&flow->local, local))
            return flow;
    }
    return NULL;
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

/* The unreferenced flow that has been silent longest gives way to a new one. */
static void make_place(struct transport *transport)
{
    struct flow *oldest = NULL;

    for (uint32_t i = 0; i < transport->config.flows_max; i++) {
        struct flow *flow = &transport->flows[i];

        if (flow->state != FLOW_OPEN || flow->references > 0 ||
            tx_window_outstanding(&flow->tx) > 0)
            continue;
        if (!oldest || flow->heard_ns < oldest->heard_ns)
            oldest = flow;
    }
    if (oldest) {
        mapper_remove(oldest);
        mapper_free(oldest);
    }
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

struct flow *mapper_add(struct transport *transport, struct peer *peer, const struct address *local,
                        uint32_t id)
{
    struct flow *flow = take_place(transport, id);

    if (!flow)
        return NULL;
    id = flow->id;
    memset(flow, 0, sizeof(*flow));
    flow->transport = transport;
    flow->peer = peer;
    flow->local = *local;
    flow->id = id;
    flow->state = FLOW_CALLING;
    flow->loss_deadline = UINT64_MAX;
    flow->reorder = REORDER_MIN;
    flow_init_timers(flow);
    tx_window_init(&flow->tx, 0);
    LIST_INSERT_HEAD(&peer->flows, flow, peer_entry);
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
    unset_token(flow);
    LIST_REMOVE(flow, peer_entry);
    if (flow->ready)
        TAILQ_REMOVE(&flow->transport->ready, flow, ready_entry);
    flow->ready = false;
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
}
