/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/shaper/gate.h"

#include "mailbox/doorbell.h"
#include "mailbox/words.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_errno.h>
#include <rte_ring.h>
#include <sodium/crypto_shorthash.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHE_LINE  64u
#define TREES       4u   /* places of a ring, a power of two; one is on its way at a time */
#define KNOWN_SLOTS 256u /* a power of two: four for each session of an engine */

_Static_assert(GATE_KEY_BYTES == crypto_shorthash_KEYBYTES, "the key of SipHash");

/* By what a leaf is found; without gaps, as it is hashed and compared as bytes. */
struct sought {
    struct address peer;
    uint32_t session, uid;
    uint8_t kind, dscp, unused[2];
};

_Static_assert(sizeof(struct sought) == sizeof(struct address) + 12, "it has no gaps");

/* A leaf that was found. */
struct known {
    struct sought sought;
    bool used;
    uint16_t leaf;
};

struct gate {
    struct port port; /* first: what its engine holds */
    struct port *inner;
    uint32_t member;
    struct tree *tree; /* the one it uses */
    struct rte_ring *offers, *returns;
    bool refused;        /* something, since ... */
    uint64_t refused_at; /* ... this turn */
    uint8_t key[GATE_KEY_BYTES];
    struct known known[KNOWN_SLOTS];
    alignas(CACHE_LINE) uint32_t armed; /* the member sleeps, and was refused */
    alignas(CACHE_LINE) uint64_t turns; /* written by the shaper */
};

static struct gate *from_port(struct port *port)
{
    return (struct gate *)port;
}

/* Who sees a turn sees all that the shaper did before it. */
static uint64_t turn_of(const struct gate *gate)
{
    return words_first(&gate->turns);
}

/* Goes over to the tree on offer. */
static void take_offer(struct gate *gate)
{
    void *tree;

    if (rte_ring_sc_dequeue(gate->offers, &tree) != 0)
        return;
    rte_ring_sp_enqueue(gate->returns, gate->tree);
    gate->tree = tree;
    memset(gate->known, 0, sizeof(gate->known));
    gate->refused_at--; /* what the tree before refused, this one may not */
}

static struct known *slot_of(struct gate *gate, const struct sought *sought)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, (const uint8_t *)sought, sizeof(*sought), gate->key);
    return &gate->known[hash & (KNOWN_SLOTS - 1)];
}

static void find_leaf(struct gate *gate, struct packet_tag *tag, const struct packet_way *way)
{
    const struct sought sought = {
        .peer = way->peer,
        .session = tag->session,
        .uid = tag->uid,
        .kind = tag->kind,
        .dscp = way->dscp,
    };
    struct known *known = slot_of(gate, &sought);

    if (!known->used || memcmp(&known->sought, &sought, sizeof(sought)) != 0)
        *known = (struct known){
            .sought = sought,
            .used = true,
            .leaf = tree_leaf(gate->tree, tag, way),
        };
    tag->leaf = known->leaf;
    tag->generation = tree_generation(gate->tree);
}

static uint16_t gate_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                              uint64_t now)
{
    struct port *inner = from_port(port)->inner;

    return inner->ops->rx_burst(inner, packets, max, now);
}

static uint16_t gate_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t number,
                              uint64_t now)
{
    struct gate *gate = from_port(port);
    struct port *inner = gate->inner;
    uint16_t room = inner->ops->tx_room(inner);

    number = RTE_MIN(number, room);
    for (uint16_t i = 0; i < number; i++) {
        struct packet_tag *tag = packet_tag(packets[i]);

        tag->member = (uint8_t)gate->member;
        /* One that was made for the tree before is found its leaf by the shaper, and counted. */
        if (tag->generation == tree_generation(gate->tree))
            tree_sent(gate->tree, gate->member, tag->leaf);
    }
    return inner->ops->tx_burst(inner, packets, number, now);
}

static uint16_t gate_tx_room(struct port *port)
{
    struct gate *gate = from_port(port);

    take_offer(gate);
    return gate->inner->ops->tx_room(gate->inner);
}

static uint16_t gate_tx_room_for(struct port *port, struct packet_tag *tag,
                                 const struct packet_way *way)
{
    struct gate *gate = from_port(port);
    uint64_t turn = turn_of(gate); /* before looking: what comes back later is a later turn */
    uint32_t room;

    take_offer(gate);
    find_leaf(gate, tag, way);
    room = tree_room(gate->tree, gate->member, tag->leaf);
    if (room == 0 && !gate->refused) {
        gate->refused = true;
        gate->refused_at = turn;
    }
    return (uint16_t)RTE_MIN(room, gate->inner->ops->tx_room(gate->inner));
}

static bool gate_tx_reopened(struct port *port)
{
    struct gate *gate = from_port(port);

    if (!gate->refused || turn_of(gate) == gate->refused_at)
        return false;
    gate->refused = false;
    return true;
}

static void gate_disarm(struct port *port)
{
    struct gate *gate = from_port(port);

    if (gate->refused)
        doorbell_disarm(&gate->armed);
    gate->inner->ops->disarm(gate->inner);
}

static int gate_arm(struct port *port)
{
    struct gate *gate = from_port(port);
    int result = gate->inner->ops->arm(gate->inner);

    if (result != 0 || !gate->refused)
        return result;
    doorbell_arm(&gate->armed);
    if (turn_of(gate) == gate->refused_at)
        return 0;
    gate_disarm(port);
    return 1;
}

static void gate_port_destroy(struct port *port)
{
    /* Control's, which ends it. */
    (void)port;
}

static const struct port_ops gate_ops = {
    .driver = "shaper",
    .rx_burst = gate_rx_burst,
    .tx_burst = gate_tx_burst,
    .tx_room = gate_tx_room,
    .tx_room_for = gate_tx_room_for,
    .tx_reopened = gate_tx_reopened,
    .arm = gate_arm,
    .disarm = gate_disarm,
    .destroy = gate_port_destroy,
};

/* ---- The other sides ---- */

void gate_offer(struct gate *gate, struct tree *tree)
{
    rte_ring_sp_enqueue(gate->offers, tree);
}

void gate_wake(struct gate *gate)
{
    doorbell_ring_engine(gate->port.wake_fd);
}

void gate_turn(struct gate *gate)
{
    words_publish(&gate->turns, gate->turns + 1);
    if (doorbell_due(&gate->armed))
        doorbell_ring_engine(gate->port.wake_fd);
}

struct tree *gate_returned(struct gate *gate)
{
    void *tree;

    return rte_ring_sc_dequeue(gate->returns, &tree) == 0 ? tree : NULL;
}

struct port *gate_port(struct gate *gate)
{
    return &gate->port;
}

static int make_ring(struct rte_ring **ring)
{
    static uint64_t made;
    char name[RTE_RING_NAMESIZE];

    snprintf(name, sizeof(name), "gate.%" PRIu64, made++);
    *ring = rte_ring_create(name, TREES, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    return *ring ? 0 : -rte_errno;
}

int gate_create(struct gate **gate, struct port *inner, uint32_t member, struct tree *tree,
                const uint8_t key[GATE_KEY_BYTES])
{
    struct gate *made = aligned_alloc(CACHE_LINE, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    memset(made, 0, sizeof(*made));
    made->port = *inner;
    made->port.ops = &gate_ops;
    made->inner = inner;
    made->member = member;
    made->tree = tree;
    memcpy(made->key, key, sizeof(made->key));
    error = make_ring(&made->offers);
    if (!error)
        error = make_ring(&made->returns);
    if (error) {
        gate_destroy(made);
        return error;
    }
    *gate = made;
    return 0;
}

void gate_destroy(struct gate *gate)
{
    if (!gate)
        return;
    rte_ring_free(gate->offers);
    rte_ring_free(gate->returns);
    free(gate);
}
