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

struct peer *peer_find(const struct transport *transport, const struct address *address)
{
    return (struct peer *)address_map_find(&transport->peer_map, address);
}

/* The keyed start of a run: applications choose names. */
static uint32_t name_slot(const struct transport *transport, const char *name)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, (const uint8_t *)name, strlen(name), transport->peer_key);
    return (uint32_t)hash & transport->name_mask;
}

struct peer *peer_find_name(const struct transport *transport, const char *name)
{
    uint32_t slot = name_slot(transport, name);

    for (; transport->name_slots[slot] != 0; slot = (slot + 1) & transport->name_mask) {
        struct peer *peer = &transport->peers[transport->name_slots[slot] - 1];

        if (strcmp(peer->name, name) == 0)
            return peer;
    }
    return NULL;
}

static void enter_name(struct peer *peer)
{
    struct transport *transport = peer->transport;
    uint32_t slot = name_slot(transport, peer->name);

    while (transport->name_slots[slot] != 0)
        slot = (slot + 1) & transport->name_mask;
    transport->name_slots[slot] = (uint16_t)(peer - transport->peers + 1);
}

/* ---- Finding out the way ---- */

static void ask(struct peer *peer, uint64_t now)
{
    struct transport *transport = peer->transport;
    struct resolver *resolver = transport->config.resolver;

    if (resolver->ops->want(resolver, &peer->node.address) == 0)
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
        resolver->ops->drop(resolver, &peer->node.address);
    peer->wanted = false;
    peer->known = false;
    peer->error = 0;
    memset(&peer->mac, 0, sizeof(peer->mac));
    peer->mtu = 0;
}

/* ---- Their lives ---- */

static void prepare(struct peer *peer, const struct address *address)
{
    peer->node.address = *address;
    LIST_INIT(&peer->flows);
    wheel_timer_init(&peer->ask_timer, ask_fire);
    address_map_add(&peer->transport->peer_map, &peer->node);
}

struct peer *peer_take(struct transport *transport, const struct address *address)
{
    struct peer *peer = peer_find(transport, address);

    if (!peer) {
        /* Without a resolver there are no places but for configured ones. */
        peer = transport->free_peers;
        if (!peer)
            return NULL;
        transport->free_peers = peer->free_next;
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
    struct transport *transport = peer->transport;

    peer->uses--;
    if (peer->uses > 0 || peer->configured)
        return;
    address_map_remove(&transport->peer_map, &peer->node);
    peer->free_next = transport->free_peers;
    transport->free_peers = peer;
}

static int configure(struct peer *peer, const struct transport_peer *from)
{
    struct transport *transport = peer->transport;

    if (peer_find(transport, &from->address))
        return -EINVAL;
    memcpy(peer->name, from->name, strnlen(from->name, sizeof(peer->name) - 1));
    peer->configured = true;
    peer->mac = from->mac;
    peer->cc = from->cc;
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
    uint32_t slots = 2;
    int error = 0;

    /* At most half full. */
    while (slots < 2 * count)
        slots *= 2;
    transport->peers = calloc(count + others + 1, sizeof(*transport->peers));
    transport->name_slots = calloc(slots, sizeof(*transport->name_slots));
    if (!transport->peers || !transport->name_slots ||
        address_map_init(&transport->peer_map, count + others, transport->peer_key) != 0)
        return -ENOMEM;
    transport->name_mask = slots - 1;
    transport->peers_size = count + others;
    for (uint32_t i = 0; i < count + others; i++)
        transport->peers[i].transport = transport;
    for (uint32_t i = count + others; i > count; i--) {
        transport->peers[i - 1].free_next = transport->free_peers;
        transport->free_peers = &transport->peers[i - 1];
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
    address_map_fini(&transport->peer_map);
    free(transport->peers);
}
