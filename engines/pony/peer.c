/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers by address and name, and the way to each: the next hop's link-layer address.
 *
 * Configured peers stay. With a resolver there are others: one is made when a flow to an address is
 * asked for, or when a stranger's call is proven, and it goes with its last flow. So there are
 * never more of them than flows, and nobody can fill the table without filling that of flows.
 *
 * The way to a peer is configured, or the resolver's answer; until that comes, the source of the
 * frame with which a proven call came. Calls wait for a way. An open flow whose way failed keeps
 * the last one: silence ends it, if nothing better does.
 */
#include "engines/pony/flow_private.h"

#include <rte_common.h>
#include <stdlib.h>

#define HOP_RETRY_NS (10 * NSEC_PER_MSEC) /* the resolver was busy */
#define HOP_AGAIN_NS NSEC_PER_SEC         /* a failed way that flows use is asked for this often */

/* Slots are twice as many as peers, so that chains and runs are short. */
static uint32_t table_size(uint32_t entries)
{
    uint32_t size = 2;

    while (size < 2 * entries)
        size *= 2;
    return size;
}

/* Keyed: senders choose addresses, applications choose names. */
static uint32_t slot_of(const struct transport *transport, const void *bytes, size_t length)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, bytes, length, transport->peer_key);
    return (uint32_t)hash & transport->peer_mask;
}

static uint16_t *chain_of(const struct transport *transport, const struct address *address)
{
    return &transport->peer_slots[slot_of(transport, address, sizeof(*address))];
}

static uint16_t place_of(const struct peer *peer)
{
    return (uint16_t)(peer - peer->transport->peers + 1);
}

static void enter(struct peer *peer)
{
    uint16_t *first = chain_of(peer->transport, &peer->address);

    peer->next = *first;
    *first = place_of(peer);
}

static void leave(struct peer *peer)
{
    struct transport *transport = peer->transport;
    uint16_t *link = chain_of(transport, &peer->address);

    while (*link != place_of(peer))
        link = &transport->peers[*link - 1].next;
    *link = peer->next;
    peer->next = transport->free_peers;
    transport->free_peers = place_of(peer);
}

struct peer *peer_find(const struct transport *transport, const struct address *address)
{
    uint16_t place = *chain_of(transport, address);

    while (place != 0) {
        struct peer *peer = &transport->peers[place - 1];

        if (address_equal(&peer->address, address))
            return peer;
        place = peer->next;
    }
    return NULL;
}

struct peer *peer_find_name(const struct transport *transport, const char *name)
{
    uint32_t slot = slot_of(transport, name, strlen(name));

    for (; transport->name_slots[slot] != 0; slot = (slot + 1) & transport->peer_mask) {
        struct peer *peer = &transport->peers[transport->name_slots[slot] - 1];

        if (strcmp(peer->name, name) == 0)
            return peer;
    }
    return NULL;
}

static void enter_name(struct peer *peer)
{
    struct transport *transport = peer->transport;
    uint32_t slot = slot_of(transport, peer->name, strlen(peer->name));

    while (transport->name_slots[slot] != 0)
        slot = (slot + 1) & transport->peer_mask;
    transport->name_slots[slot] = place_of(peer);
}

/* ---- Finding out the way ---- */

static void ask(struct peer *peer, uint64_t now)
{
    struct transport *transport = peer->transport;
    struct resolver *resolver = transport->config.resolver;

    if (resolver->ops->want(resolver, &peer->address) == 0)
        peer->wanted = true;
    else
        wheel_set(transport->wheel, &peer->ask_timer, now + HOP_RETRY_NS);
}

static void ask_fire(struct wheel_timer *timer, uint64_t now)
{
    struct peer *peer = container_of(timer, struct peer, ask_timer);

    if (peer->error != 0)
        wheel_set(peer->transport->wheel, timer, now + HOP_AGAIN_NS);
    ask(peer, now);
}

void peer_want(struct peer *peer, uint64_t now)
{
    if (peer->transport->config.resolver && !peer->fixed && !peer->wanted &&
        !wheel_timer_armed(&peer->ask_timer))
        ask(peer, now);
}

/* The way has changed: packets go it from now on, and calls that waited for one leave. */
static void set_way(struct peer *peer, const struct rte_ether_addr *mac, uint16_t mtu)
{
    struct flow *flow;

    peer->known = true;
    peer->mac = *mac;
    peer->mtu = mtu;
    LIST_FOREACH(flow, &peer->flows, peer_entry)
    {
        flow_set_way(flow);
        flow_make_ready(flow);
    }
}

void peer_heard(struct peer *peer, const struct rte_ether_addr *mac)
{
    if (!peer->known)
        set_way(peer, mac, 0);
}

static void end_calls(struct peer *peer, uint64_t now)
{
    struct flow *flow = LIST_FIRST(&peer->flows);

    while (flow) {
        struct flow *next = LIST_NEXT(flow, peer_entry);

        if (flow->state == FLOW_CALLING)
            flow_end(flow, peer->error, now);
        flow = next;
    }
}

static void fail(struct peer *peer, int error, uint64_t now)
{
    struct transport *transport = peer->transport;

    transport_count(&transport->stats.hop_errors, 1);
    peer->error = error;
    wheel_set(transport->wheel, &peer->ask_timer, now + HOP_AGAIN_NS);
    peer_hold(peer);
    end_calls(peer, now);
    peer_release(peer);
}

static void take_answer(void *context, const struct hop *hop)
{
    struct transport *transport = context;
    struct peer *peer = peer_find(transport, &hop->address);
    uint64_t now = transport_time(transport, clock_now(transport->clock));

    if (!peer || !peer->wanted)
        return;
    if (hop->error != 0) {
        fail(peer, hop->error, now);
        return;
    }
    peer->error = 0;
    wheel_cancel(transport->wheel, &peer->ask_timer);
    if (!peer->known || peer->mtu != hop->mtu || !rte_is_same_ether_addr(&peer->mac, &hop->mac))
        set_way(peer, &hop->mac, hop->mtu);
}

/* No flow uses the way any more: what was known of it may be wrong by the time one does. */
void peer_idle(struct peer *peer)
{
    struct transport *transport = peer->transport;
    struct resolver *resolver = transport->config.resolver;

    if (peer->fixed || !resolver)
        return;
    wheel_cancel(transport->wheel, &peer->ask_timer);
    if (peer->wanted)
        resolver->ops->drop(resolver, &peer->address);
    peer->wanted = false;
    peer->known = false;
    peer->error = 0;
    memset(&peer->mac, 0, sizeof(peer->mac));
    peer->mtu = 0;
}

/* ---- Their lives ---- */

static void prepare(struct peer *peer, const struct address *address)
{
    peer->address = *address;
    LIST_INIT(&peer->flows);
    wheel_timer_init(&peer->ask_timer, ask_fire);
    enter(peer);
}

struct peer *peer_take(struct transport *transport, const struct address *address)
{
    struct peer *peer = peer_find(transport, address);

    if (!peer) {
        /* Without a resolver there are no places but for configured ones. */
        if (transport->free_peers == 0)
            return NULL;
        peer = &transport->peers[transport->free_peers - 1];
        transport->free_peers = peer->next;
        memset(peer, 0, sizeof(*peer));
        peer->transport = transport;
        prepare(peer, address);
    }
    peer_hold(peer);
    return peer;
}

void peer_hold(struct peer *peer)
{
    peer->uses++;
}

void peer_release(struct peer *peer)
{
    peer->uses--;
    if (peer->uses == 0 && !peer->configured)
        leave(peer);
}

static int configure(struct peer *peer, const struct transport_peer *from)
{
    struct transport *transport = peer->transport;

    if (peer_find(transport, &from->address))
        return -EINVAL;
    memcpy(peer->name, from->name, strnlen(from->name, sizeof(peer->name) - 1));
    peer->configured = true;
    peer->mac = from->mac;
    peer->fixed = !rte_is_zero_ether_addr(&from->mac);
    peer->known = peer->fixed;
    if (!peer->fixed && !transport->config.resolver)
        return -EINVAL;
    prepare(peer, &from->address);
    if (peer->name[0] == '\0')
        return 0;
    if (peer_find_name(transport, peer->name))
        return -EINVAL;
    enter_name(peer);
    return 0;
}

int peers_init(struct transport *transport, const struct transport_peer *peers, uint32_t count)
{
    /* One more than flows: that of a flow for which another one is about to give way. */
    uint32_t others = transport->config.resolver ? transport->config.flows_max + 1 : 0;
    uint32_t slots = table_size(count + others);
    int error = 0;

    transport->peers = calloc(count + others + 1, sizeof(*transport->peers));
    transport->peer_slots = calloc(slots, sizeof(*transport->peer_slots));
    transport->name_slots = calloc(slots, sizeof(*transport->name_slots));
    if (!transport->peers || !transport->peer_slots || !transport->name_slots)
        return -ENOMEM;
    transport->peer_mask = slots - 1;
    for (uint32_t i = 0; i < count + others; i++)
        transport->peers[i].transport = transport;
    for (uint32_t i = count + others; i > count; i--) {
        transport->peers[i - 1].next = transport->free_peers;
        transport->free_peers = (uint16_t)i;
    }
    for (uint32_t i = 0; i < count && error == 0; i++)
        error = configure(&transport->peers[i], &peers[i]);
    if (transport->config.resolver) {
        transport->config.resolver->answer = take_answer;
        transport->config.resolver->context = transport;
    }
    return error;
}

void peers_fini(struct transport *transport)
{
    free(transport->name_slots);
    free(transport->peer_slots);
    free(transport->peers);
}
