/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/port_ring.h"

#include "daemon/ethdev.h"
#include "mailbox/doorbell.h"

#include <errno.h>
#include <rte_bus_vdev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define QUEUE              0u
#define ENDS               2u
#define MTU_DEFAULT        5000u /* SOSP'19 section 3.1 */
#define RING_DEFAULT       1024u
#define POOL_DEFAULT       4096u
#define DESCRIPTORS        512u /* the driver ignores them */
#define CACHE_LINE         64u
#define DRIVER_NAME_BYTES  32u
#define DRIVER_NAME_PREFIX "net_ring_"

struct wire;

/* Each end has cache lines of its own: the other one's thread writes only `armed`. */
struct end {
    struct port port; /* first: what users hold */
    struct wire *wire;
    struct end *peer;
    struct rte_ring *in;
    uint16_t ethdev;
    bool started;
    _Atomic uint64_t kicks;
    _Alignas(CACHE_LINE) uint32_t armed; /* set here, cleared by the peer, which then rings */
};

struct wire {
    struct end ends[ENDS];
    uint32_t users; /* ends not yet destroyed */
};

static struct end *from_port(struct port *port)
{
    return (struct end *)port;
}

static uint16_t port_ring_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                                   uint64_t now)
{
    (void)now;
    return rte_eth_rx_burst(from_port(port)->ethdev, QUEUE, packets, max);
}

static uint16_t port_ring_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count,
                                   uint64_t now)
{
    struct end *end = from_port(port);
    struct end *peer = end->peer;
    uint16_t sent = rte_eth_tx_burst(end->ethdev, QUEUE, packets, count);

    (void)now;
    if (sent > 0 && doorbell_due(&peer->armed)) {
        doorbell_ring_engine(peer->port.wake_fd);
        atomic_store_explicit(&end->kicks,
                              atomic_load_explicit(&end->kicks, memory_order_relaxed) + 1,
                              memory_order_relaxed);
    }
    return sent;
}

static uint16_t port_ring_tx_room(struct port *port)
{
    return (uint16_t)RTE_MIN(rte_ring_free_count(from_port(port)->peer->in), UINT16_MAX);
}

static int port_ring_arm(struct port *port)
{
    struct end *end = from_port(port);

    doorbell_arm(&end->armed);
    if (rte_ring_empty(end->in))
        return 0;
    doorbell_disarm(&end->armed);
    return 1;
}

static void port_ring_disarm(struct port *port)
{
    doorbell_disarm(&from_port(port)->armed);
}

static void drain(struct rte_ring *ring)
{
    void *packet;

    while (rte_ring_dequeue(ring, &packet) == 0)
        rte_pktmbuf_free(packet);
}

static void stop_end(struct end *end)
{
    char name[DRIVER_NAME_BYTES];

    if (!end->started)
        return;
    rte_eth_dev_stop(end->ethdev);
    snprintf(name, sizeof(name), DRIVER_NAME_PREFIX "%s", end->port.name);
    rte_vdev_uninit(name);
}

static void destroy_wire(struct wire *wire)
{
    for (uint32_t i = 0; i < ENDS; i++)
        stop_end(&wire->ends[i]);
    for (uint32_t i = 0; i < ENDS; i++) {
        if (wire->ends[i].in)
            drain(wire->ends[i].in);
    }
    for (uint32_t i = 0; i < ENDS; i++) {
        struct end *end = &wire->ends[i];

        rte_ring_free(end->in);
        ethdev_pool_destroy(end->port.pool);
        if (end->port.wake_fd >= 0)
            close(end->port.wake_fd);
    }
    free(wire);
}

static void port_ring_destroy(struct port *port)
{
    struct wire *wire = from_port(port)->wire;

    if (--wire->users == 0)
        destroy_wire(wire);
}

static const struct port_ops port_ring_ops = {
    .driver = "net_ring",
    .rx_burst = port_ring_rx_burst,
    .tx_burst = port_ring_tx_burst,
    .tx_room = port_ring_tx_room,
    .arm = port_ring_arm,
    .disarm = port_ring_disarm,
    .destroy = port_ring_destroy,
};

/* The parts of an end that do not need the other one. */
static int prepare_end(struct end *end, const struct port_ring_config *config, uint32_t index)
{
    static const struct rte_ether_addr macs[ENDS] = {
        {{0x02, 0, 0, 0, 0, 1}},
        {{0x02, 0, 0, 0, 0, 2}},
    };
    uint32_t slots = config->ring_packets ? config->ring_packets : RING_DEFAULT;
    uint32_t packets = config->pool_packets ? config->pool_packets : POOL_DEFAULT;
    char name[RTE_RING_NAMESIZE];

    end->port.ops = &port_ring_ops;
    end->port.mtu = config->mtu ? config->mtu : MTU_DEFAULT;
    end->port.mac = config->mac[index];
    if (rte_is_zero_ether_addr(&end->port.mac))
        end->port.mac = macs[index];
    snprintf(end->port.name, sizeof(end->port.name), "%s", config->name[index]);
    end->port.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (end->port.wake_fd < 0)
        return -errno;
    end->port.pool = ethdev_pool_create(config->name[index], packets, end->port.mtu, SOCKET_ID_ANY);
    if (!end->port.pool)
        return -rte_errno;
    snprintf(name, sizeof(name), "%s.in", config->name[index]);
    end->in = rte_ring_create(name, slots, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    return end->in ? 0 : -rte_errno;
}

static int start_end(struct end *end)
{
    struct ethdev_queue_config queue = {
        .pool = end->port.pool,
        .mtu = end->port.mtu,
        .descriptors = DESCRIPTORS,
    };
    int ethdev =
        rte_eth_from_rings(end->port.name, &end->in, 1, &end->peer->in, 1, (unsigned)SOCKET_ID_ANY);

    if (ethdev < 0)
        return rte_errno == EEXIST ? -EEXIST : -ENODEV;
    end->ethdev = (uint16_t)ethdev;
    end->started = true;
    return ethdev_start(end->ethdev, &queue);
}

int port_ring_create(struct port **a, struct port **b, const struct port_ring_config *config)
{
    struct wire *wire;
    int result = 0;

    if (ethdev_name_check(config->name[0]) || ethdev_name_check(config->name[1]))
        return -EINVAL;
    wire = aligned_alloc(CACHE_LINE, sizeof(*wire));
    if (!wire)
        return -ENOMEM;
    memset(wire, 0, sizeof(*wire));
    for (uint32_t i = 0; i < ENDS; i++) {
        wire->ends[i].wire = wire;
        wire->ends[i].peer = &wire->ends[ENDS - 1 - i];
        wire->ends[i].port.wake_fd = -1;
    }
    for (uint32_t i = 0; i < ENDS && !result; i++)
        result = prepare_end(&wire->ends[i], config, i);
    for (uint32_t i = 0; i < ENDS && !result; i++)
        result = start_end(&wire->ends[i]);
    if (result) {
        destroy_wire(wire);
        return result;
    }
    wire->users = ENDS;
    *a = &wire->ends[0].port;
    *b = &wire->ends[1].port;
    return 0;
}

uint64_t port_ring_kicks(const struct port *port)
{
    const struct end *end = (const struct end *)port;

    return atomic_load_explicit(&end->kicks, memory_order_relaxed);
}
