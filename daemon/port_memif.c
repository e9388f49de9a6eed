/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/port_memif.h"

#include "daemon/ethdev.h"
#include "daemon/port_memif_private.h"
#include "mailbox/doorbell.h"

#include <errno.h>
#include <rte_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MTU_DEFAULT  1500u
#define POOL_DEFAULT 4096u
#define BUFFER_MIN   2048u     /* of a client, as others have it */
#define TAGS_MAX     2u        /* IEEE 802.1ad */
#define STARVED_NS   100000ull /* without memory: until somebody may have freed some */
#define LOOK_NS      100000ull /* far longer than a store takes to be seen */

static struct port_memif *from_port(struct port *port)
{
    return (struct port_memif *)port;
}

static void add(uint64_t *counter, uint64_t more)
{
    __atomic_store_n(counter, *counter + more, __ATOMIC_RELAXED);
}

/* ---- The engine's part ---- */

static struct memif_rings *hold(struct port_memif *self)
{
    return hazard_hold(&self->rings);
}

static void let_go(struct port_memif *self, const struct memif_rings *rings)
{
    bool alarm = rings->broken && !self->alarmed;

    if (alarm) {
        self->alarmed = true;
        doorbell_ring_engine(self->channel.alarm_fd);
    }
    hazard_let_go(&self->rings);
}

/* When the engine has to look again by itself. Soon, without memory. And once after it was armed:
 * net_memif puts a packet into the ring and may see the ring still quiet, though whoever sleeps saw
 * no packet in it, since it does without the barrier in between; what is put there later rings. */
static void note_look(struct port_memif *self, uint64_t now, uint16_t got, bool starved)
{
    if (got > 0)
        self->looked = false;
    else if (now >= self->due)
        self->looked = true;
    self->polled = now;
    self->starved = starved;
}

static uint16_t memif_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                               uint64_t now)
{
    struct port_memif *self = from_port(port);
    struct memif_rings *rings = hold(self);
    uint64_t before = self->counts.rx_no_memory;
    uint16_t got = 0;

    if (rings) {
        got = memif_rings_receive(rings, port->pool, packets, max, &self->counts);
        let_go(self, rings);
    }
    note_look(self, now, got, self->counts.rx_no_memory > before);
    return got;
}

static uint16_t memif_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count,
                               uint64_t now)
{
    struct port_memif *self = from_port(port);
    struct memif_rings *rings = hold(self);
    uint16_t sent;

    (void)now;
    if (!rings) {
        rte_pktmbuf_free_bulk(packets, count);
        add(&self->down, count);
        return count;
    }
    sent = memif_rings_send(rings, packets, count, &self->counts);
    let_go(self, rings);
    return sent;
}

static uint16_t memif_tx_room(struct port *port)
{
    struct port_memif *self = from_port(port);
    struct memif_rings *rings = hold(self);
    uint16_t room = PORT_BURST;

    if (!rings)
        return room;
    room = memif_rings_room(rings, self->frame_max);
    let_go(self, rings);
    return room;
}

static int memif_arm(struct port *port)
{
    struct port_memif *self = from_port(port);
    struct memif_rings *rings = hold(self);
    bool armed = true;

    self->due = UINT64_MAX;
    if (!rings)
        return 0;
    armed = memif_rings_arm(rings);
    let_go(self, rings);
    if (self->starved)
        self->due = self->polled + STARVED_NS;
    else if (!self->looked)
        self->due = self->polled + LOOK_NS;
    return armed || self->starved ? 0 : 1;
}

static uint64_t memif_deadline(struct port *port)
{
    return from_port(port)->due;
}

static void memif_disarm(struct port *port)
{
    struct port_memif *self = from_port(port);
    struct memif_rings *rings = hold(self);

    if (!rings)
        return;
    memif_rings_disarm(rings);
    let_go(self, rings);
}

static uint32_t memif_stats(const struct port *port, struct port_stat *stats, uint32_t max)
{
    const struct port_memif *self = (const struct port_memif *)port;
    const struct memif_counts *counts = &self->counts;
    const struct {
        const char *name;
        const uint64_t *value;
    } all[] = {
        {"rx_packets", &counts->rx_packets}, {"tx_packets", &counts->tx_packets},
        {"rx_bad", &counts->rx_bad},         {"rx_no_memory", &counts->rx_no_memory},
        {"tx_odd_length", &counts->tx_odd},  {"tx_down", &self->down},
        {"bells", &counts->bells},           {"connections", &self->channel.number},
    };
    const uint32_t number = sizeof(all) / sizeof(all[0]);

    for (uint32_t i = 0; i < number && i < max; i++)
        stats[i] = (struct port_stat){
            .name = all[i].name,
            .value = __atomic_load_n(all[i].value, __ATOMIC_RELAXED),
        };
    return number;
}

/* ---- Control's part ---- */

/* The engine may wait already: it is rung once, to find out. */
static void go_up(void *context, struct memif_rings *rings)
{
    struct port_memif *self = context;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};

    self->alarmed = false;
    epoll_ctl(self->port.wake_fd, EPOLL_CTL_ADD, rings->rx.bell, &event);
    hazard_publish(&self->rings, rings);
    doorbell_ring_engine(self->bell);
}

static void go_down(void *context)
{
    struct port_memif *self = context;
    struct memif_rings *rings = hazard_withdraw(&self->rings);

    /* Other processes may have it open: it would be watched on. */
    if (rings)
        epoll_ctl(self->port.wake_fd, EPOLL_CTL_DEL, rings->rx.bell, NULL);
}

static const struct memif_channel_ops channel_ops = {.up = go_up, .down = go_down};

int port_memif_fd(const struct port *port)
{
    return memif_channel_fd(&((const struct port_memif *)port)->channel);
}

void port_memif_work(void *port)
{
    memif_channel_work(&from_port(port)->channel);
}

bool port_memif_link(const struct port *port)
{
    return ((const struct port_memif *)port)->channel.stage == MEMIF_UP;
}

void port_memif_free(struct port_memif *self)
{
    if (self->port.wake_fd >= 0)
        close(self->port.wake_fd);
    if (self->bell >= 0)
        close(self->bell);
    ethdev_pool_destroy(self->port.pool);
    free(self);
}

static void memif_destroy(struct port *port)
{
    struct port_memif *self = from_port(port);

    if (self->lent)
        memif_channel_forget(&self->channel);
    else
        memif_channel_fini(&self->channel);
    port_memif_free(self);
}

static const struct port_ops memif_ops = {
    .driver = "memif",
    .rx_burst = memif_rx_burst,
    .tx_burst = memif_tx_burst,
    .tx_room = memif_tx_room,
    .deadline = memif_deadline,
    .arm = memif_arm,
    .disarm = memif_disarm,
    .stats = memif_stats,
    .destroy = memif_destroy,
};

/* ---- Its life ---- */

static void describe(struct port_memif *self, const struct port_memif_config *config)
{
    self->port.ops = &memif_ops;
    self->port.mac = config->mac;
    self->port.mtu = config->mtu ? config->mtu : MTU_DEFAULT;
    self->port.wake_fd = self->bell = -1;
    self->due = UINT64_MAX;
    snprintf(self->port.name, sizeof(self->port.name), "%s", config->name);
    self->frame_max =
        RTE_ETHER_HDR_LEN + TAGS_MAX * (uint32_t)sizeof(struct rte_vlan_hdr) + self->port.mtu;
}

static int make_parts(struct port_memif *self, const struct port_memif_config *config)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    struct memif_channel_config channel = {
        .name = self->port.name,
        .path = config->socket,
        .server = config->server,
        .mode = config->mode,
        .id = config->id,
        .buffer_bytes = RTE_MAX(RTE_ALIGN(self->frame_max, MEMIF_LINE_BYTES), BUFFER_MIN),
    };

    self->port.pool =
        ethdev_pool_create(config->name, config->pool_packets ? config->pool_packets : POOL_DEFAULT,
                           self->port.mtu, config->node);
    if (!self->port.pool)
        return -rte_errno;
    self->port.wake_fd = epoll_create1(EPOLL_CLOEXEC);
    self->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->port.wake_fd < 0 || self->bell < 0 ||
        epoll_ctl(self->port.wake_fd, EPOLL_CTL_ADD, self->bell, &event))
        return -errno;
    return memif_channel_init(&self->channel, &channel, &channel_ops, self);
}

int port_memif_make(struct port_memif **made, const struct port_memif_config *config,
                    const struct reason *reason)
{
    struct port_memif *self;
    int error;

    if (ethdev_name_check(config->name) || !config->socket) {
        reason_set(reason, -EINVAL, "it has no name, or no socket");
        return -EINVAL;
    }
    self = calloc(1, sizeof(*self));
    if (!self) {
        reason_set(reason, -ENOMEM, "out of memory");
        return -ENOMEM;
    }
    describe(self, config);
    error = make_parts(self, config);
    if (error) {
        port_memif_free(self);
        reason_set(reason, error, "socket %s: %s", config->socket, strerror(-error));
        return error;
    }
    *made = self;
    return 0;
}

int port_memif_create(struct port **port, const struct port_memif_config *config,
                      const struct reason *reason)
{
    struct port_memif *self;
    int error = port_memif_make(&self, config, reason);

    if (error)
        return error;
    error = memif_channel_start(&self->channel, reason);
    if (error)
        memif_destroy(&self->port);
    else
        *port = &self->port;
    return error;
}
