/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Most drivers cannot say how much room their transmit ring has. So the port promises one burst,
 * and keeps what the driver did not take of it until the next call.
 *
 * The drivers this port is for have no receive interrupt that a group could sleep on. An engine
 * that sleeps is woken by a deadline instead: soon after traffic, ever later as nothing comes, so
 * that a busy port answers in tens of microseconds and an idle one costs next to nothing.
 */
#include "daemon/port_ethdev.h"

#include "daemon/ethdev.h"
#include "daemon/port_ethdev_private.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_pci.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE               0u
#define MTU_DEFAULT         1500u
#define DESCRIPTORS_DEFAULT 512u
#define POOL_DEFAULT        4096u
#define TAP_DRIVER          "net_tap"
#define SLEEP_MIN_NS        50000ull   /* about what a wake-up costs anyway */
#define SLEEP_MAX_NS        4000000ull /* 250 looks a second: well below 1 % of a processor */
#define SLEEP_SHARE         4u         /* sleeps for a quarter of the silence so far */

static struct port_ethdev *from_port(struct port *port)
{
    return (struct port_ethdev *)port;
}

static void flush(struct port_ethdev *self)
{
    uint16_t sent;

    if (self->stashed == 0)
        return;
    sent = rte_eth_tx_burst(self->ethdev, QUEUE, self->stash, self->stashed);
    self->stashed -= sent;
    memmove(self->stash, self->stash + sent, self->stashed * sizeof(self->stash[0]));
}

static uint16_t port_ethdev_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                                     uint64_t now)
{
    struct port_ethdev *self = from_port(port);
    uint16_t count;

    flush(self);
    count = rte_eth_rx_burst(self->ethdev, QUEUE, packets, max);
    self->polled = now;
    if (count > 0)
        self->heard = now;
    return count;
}

static uint16_t port_ethdev_tx_room(struct port *port)
{
    struct port_ethdev *self = from_port(port);

    flush(self);
    return (uint16_t)(PORT_ETHDEV_STASH - self->stashed);
}

/* Puts each packet into one piece; frees those whose first segment cannot hold it. Returns how many
 * are left, at the front. */
static uint16_t join_segments(struct rte_mbuf **packets, uint16_t count)
{
    uint16_t kept = 0;

    for (uint16_t i = 0; i < count; i++) {
        if (rte_pktmbuf_linearize(packets[i]) == 0)
            packets[kept++] = packets[i];
        else
            rte_pktmbuf_free(packets[i]);
    }
    return kept;
}

static uint16_t port_ethdev_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count,
                                     uint64_t now)
{
    struct port_ethdev *self = from_port(port);
    uint16_t taken = RTE_MIN(count, port_ethdev_tx_room(port));
    uint16_t whole = self->one_piece ? join_segments(packets, taken) : taken;
    uint16_t sent = 0;

    self->heard = now;
    if (self->stashed == 0)
        sent = rte_eth_tx_burst(self->ethdev, QUEUE, packets, whole);
    memcpy(self->stash + self->stashed, packets + sent,
           (size_t)(whole - sent) * sizeof(self->stash[0]));
    self->stashed = (uint16_t)(self->stashed + whole - sent);
    return taken;
}

/* The next look at the driver. Packets that it did not take are tried again as soon as is worth it:
 * a link that is down may never take them. */
static uint64_t port_ethdev_deadline(struct port *port)
{
    const struct port_ethdev *self = from_port(port);
    uint64_t sleep = self->polled > self->heard ? (self->polled - self->heard) / SLEEP_SHARE : 0;

    if (self->stashed > 0 || sleep < SLEEP_MIN_NS)
        sleep = SLEEP_MIN_NS;
    return self->polled + RTE_MIN(sleep, SLEEP_MAX_NS);
}

/* Nothing rings: the deadline stands in. */
static int port_ethdev_arm(struct port *port)
{
    (void)port;
    return 0;
}

static void port_ethdev_disarm(struct port *port)
{
    (void)port;
}

void port_ethdev_close(struct port_ethdev *self)
{
    struct rte_eth_dev_info info;

    if (!self->open)
        return;
    self->open = false;
    rte_pktmbuf_free_bulk(self->stash, self->stashed);
    self->stashed = 0;
    rte_eth_dev_stop(self->ethdev);
    if (rte_eth_dev_info_get(self->ethdev, &info) || rte_dev_remove(info.device))
        rte_eth_dev_close(self->ethdev);
}

void port_ethdev_free(struct port_ethdev *self)
{
    port_ethdev_close(self);
    ethdev_pool_destroy(self->port.pool);
    free(self->device);
    free(self);
}

static void port_ethdev_destroy(struct port *port)
{
    port_ethdev_free(from_port(port));
}

#define PORT_ETHDEV_OPS(name)                                                                      \
    {                                                                                              \
        .driver = (name), .rx_burst = port_ethdev_rx_burst, .tx_burst = port_ethdev_tx_burst,      \
        .tx_room = port_ethdev_tx_room, .deadline = port_ethdev_deadline, .arm = port_ethdev_arm,  \
        .disarm = port_ethdev_disarm, .destroy = port_ethdev_destroy,                              \
    }

static const struct port_ops common_ops = PORT_ETHDEV_OPS("ethdev");
static const struct port_ops alone_ops = PORT_ETHDEV_OPS(PORT_ETHDEV_ALONE);

bool port_ethdev_link(const struct port *port)
{
    const struct port_ethdev *self = (const struct port_ethdev *)port;
    struct rte_eth_link link;

    return self->open && !rte_eth_link_get_nowait(self->ethdev, &link) &&
           link.link_status == RTE_ETH_LINK_UP;
}

/* What DPDK calls the device: the part before its arguments, a PCI address in full. */
static int device_name(const char *device, char name[RTE_ETH_NAME_MAX_LEN])
{
    size_t length = strcspn(device, ",");
    struct rte_pci_addr address;

    if (length == 0 || length >= RTE_ETH_NAME_MAX_LEN)
        return -EINVAL;
    memcpy(name, device, length);
    name[length] = '\0';
    if (!rte_pci_addr_parse(name, &address))
        rte_pci_device_name(&address, name, RTE_ETH_NAME_MAX_LEN);
    return 0;
}

bool port_ethdev_is_pci(const char *device)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    struct rte_pci_addr address;

    return !device_name(device, name) && !rte_pci_addr_parse(name, &address);
}

bool port_ethdev_pci_address(const char *device, char *address, size_t bytes)
{
    char name[RTE_ETH_NAME_MAX_LEN];

    if (!port_ethdev_is_pci(device) || device_name(device, name))
        return false;
    snprintf(address, bytes, "%s", name);
    return true;
}

bool port_ethdev_is_alone(const char *device)
{
    static const char *const common[] = {"net_af_packet", "net_null"};

    for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
        if (!strncmp(device, common[i], strlen(common[i])))
            return false;
    return true;
}

/* Finds the device, or creates a virtual one. */
static int find_device(struct port_ethdev *self)
{
    char name[RTE_ETH_NAME_MAX_LEN];
    int error = device_name(self->device, name);

    if (error)
        return error;
    if (!rte_eth_dev_get_port_by_name(name, &self->ethdev))
        return 0;
    if (rte_dev_probe(self->device) || rte_eth_dev_get_port_by_name(name, &self->ethdev))
        return -ENODEV;
    return 0;
}

/* A tap is a link with two ends, and the address that its driver knows is the one of the kernel's
 * end: this one has another. */
static bool is_tap(uint16_t ethdev)
{
    struct rte_eth_dev_info info;

    return rte_eth_dev_info_get(ethdev, &info) == 0 && strcmp(info.driver_name, TAP_DRIVER) == 0;
}

/* One that is known, given or from before, stays; a driver without a filter needs not be told. */
static void settle_mac(struct port_ethdev *self)
{
    bool known = !rte_is_zero_ether_addr(&self->port.mac);
    bool tap = is_tap(self->ethdev);

    if (!known)
        rte_eth_macaddr_get(self->ethdev, &self->port.mac);
    else if (!tap && !self->queue.shared)
        rte_eth_dev_default_mac_addr_set(self->ethdev, &self->port.mac);
    if (tap && !known)
        self->port.mac.addr_bytes[RTE_ETHER_ADDR_LEN - 1] ^= 1;
}

int port_ethdev_open(struct port_ethdev *self)
{
    int result = find_device(self);

    if (result)
        return result;
    self->open = true;
    result = ethdev_start(self->ethdev, &self->queue);
    if (result) {
        port_ethdev_close(self);
        return result;
    }
    self->one_piece = !ethdev_takes_segments(self->ethdev);
    /* Neighbours ask for addresses, and more is said, by groups; not every driver filters. */
    if (!self->queue.shared)
        rte_eth_allmulticast_enable(self->ethdev);
    settle_mac(self);
    return 0;
}

static void describe(struct port_ethdev *self, const struct port_ethdev_config *config)
{
    self->queue = (struct ethdev_queue_config){
        .mtu = config->mtu ? config->mtu : MTU_DEFAULT,
        .descriptors = config->descriptors ? config->descriptors : DESCRIPTORS_DEFAULT,
        .shared = config->shared,
        .node = config->node,
    };
    self->port.ops = port_ethdev_is_alone(config->device) ? &alone_ops : &common_ops;
    self->port.wake_fd = -1;
    self->port.mtu = self->queue.mtu;
    if (!config->shared)
        self->port.mac = config->mac;
    snprintf(self->port.name, sizeof(self->port.name), "%s", config->name);
}

static int make_pool(struct port_ethdev *self, const struct port_ethdev_config *config)
{
    uint32_t packets = config->pool_packets ? config->pool_packets : POOL_DEFAULT;

    self->port.pool = ethdev_pool_create(config->name, packets, self->queue.mtu, config->node);
    self->queue.pool = self->port.pool;
    return self->port.pool ? 0 : -rte_errno;
}

int port_ethdev_make(struct port_ethdev **made, const struct port_ethdev_config *config)
{
    struct port_ethdev *self;
    int error;

    if (ethdev_name_check(config->name) || !config->device)
        return -EINVAL;
    self = calloc(1, sizeof(*self));
    if (!self)
        return -ENOMEM;
    describe(self, config);
    self->device = strdup(config->device);
    error = self->device ? make_pool(self, config) : -ENOMEM;
    if (error) {
        port_ethdev_free(self);
        return error;
    }
    *made = self;
    return 0;
}

int port_ethdev_create(struct port **port, const struct port_ethdev_config *config)
{
    struct port_ethdev *self;
    int result = port_ethdev_make(&self, config);

    if (result)
        return result;
    result = port_ethdev_open(self);
    if (result)
        port_ethdev_free(self);
    else
        *port = &self->port;
    return result;
}
