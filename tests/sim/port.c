/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/port.h"

#include "engines/elements/encap.h"
#include "engines/pony/wire.h"
#include "tests/sim/front.h"
#include "tests/sim/link.h"

#include <rte_ip.h>
#include <rte_udp.h>
#include <stdio.h>
#include <string.h>

#define WIRE_PS_PER_BYTE 80u        /* 100 Gbit/s */
#define WIRE_QUEUE_NS    (4 * USEC) /* of packets that the transmitter takes ahead */
#define WIRE_FRAMING     24u        /* bytes of preamble, checksum and gap beside each frame */
#define BURST_COST_NS    20u        /* modelled: a look at the port */
#define PACKET_COST_NS   50u        /* modelled: one packet in or out */
#define MAC_FIRST        0x02       /* a locally administered address */

/* Whatever an engine counts instead of taking a packet or an operation of it for good. */
static uint64_t count_noticed(const struct sim_port *self)
{
    static const char *const names[] = {"rx_malformed",    "rx_bad_crc",     "rx_declined",
                                        "rx_unknown_flow", "rx_duplicate",   "payload_damaged",
                                        "strays",          "peer_violations"};
    uint64_t sum = 0;
    for (uint32_t i = 0; i < RTE_DIM(names); i++)
        sum += host_stat(self->host, names[i]);
    return sum;
}

void sim_port_settle(struct sim_port *self)
{
    struct sim *sim = self->host->sim;
    if (!self->watching)
        return;
    self->watching = false;
    bool caught = count_noticed(self) != self->noticed;
    if (!caught && self->telling)
        sim_violation(sim, "host %u takes a packet that was changed on its way", self->host->index);
    sim->totals.caught += caught;
    sim->totals.unused += !caught;
}

/* Of what a front receives others see what becomes of it. */
static bool is_fronts(const struct sim_port *self)
{
    return self->host->front && front_host(self->host->front) == self->host;
}

static bool changed(const struct sim_port *self, const struct rte_mbuf *packet)
{
    return packet->hash.usr != SIM_CHANGED_NOTHING && !is_fronts(self);
}

static bool is_empty(const struct sim_port *self)
{
    return self->head == self->tail;
}

/* The next packet, which stays there; NULL: there is none. */
static struct rte_mbuf *peek(struct sim_port *self, uint64_t now)
{
    if (!self->inner)
        return is_empty(self) ? NULL : self->ring[self->tail % SIM_PORT_RING];
    if (!self->kept)
        self->inner->ops->rx_burst(self->inner, &self->kept, 1, now);
    return self->kept;
}

static struct rte_mbuf *take(struct sim_port *self, uint64_t now)
{
    struct rte_mbuf *packet = peek(self, now);
    self->kept = NULL;
    self->tail += !self->inner;
    return packet;
}

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    struct sim_port *self = (struct sim_port *)port;
    const struct rte_mbuf *next;
    uint16_t count = 0;
    sim_port_settle(self);
    /* A changed packet travels alone, so that it is known what became of it. */
    while (count < max && !self->watching && (next = peek(self, now))) {
        if (changed(self, next) && count > 0)
            break;
        self->watching = changed(self, next);
        self->telling = next->hash.usr == SIM_CHANGED_HEADER;
        packets[count++] = take(self, now);
    }
    if (self->watching)
        self->noticed = count_noticed(self);
    host_charge(self->host, BURST_COST_NS + count * PACKET_COST_NS);
    return count;
}

static uint16_t tx_room(struct port *port)
{
    struct sim_port *self = (struct sim_port *)port;
    uint64_t now = host_now(self->host);
    return self->wire_free < now + WIRE_QUEUE_NS ? PORT_BURST : 0;
}

/* The first host with the address that a frame is for, or SIM_NOBODY. */
static uint32_t destination(const struct sim *sim, const struct rte_mbuf *packet)
{
    const struct rte_ether_hdr *ether = rte_pktmbuf_mtod(packet, const struct rte_ether_hdr *);
    for (uint32_t i = 0; i < sim->host_count; i += sim->siblings) {
        struct rte_ether_addr mac;
        sim_port_mac(&mac, sim_address(sim, i));
        if (rte_is_same_ether_addr(&mac, &ether->dst_addr))
            return i;
    }
    return SIM_NOBODY;
}

/* Which of the hosts with an address takes a frame: by its UDP port, all of them a RESET. As a fan
 * does (engines/steer/fan.h), if there is none; an engine makes frames without VLAN tags here. */
static bool takes(const struct rte_mbuf *packet, uint32_t sibling, bool fanned)
{
    uint8_t bytes[ENCAP_BYTES_MAX + 1];
    uint32_t length = RTE_MIN(rte_pktmbuf_pkt_len(packet), (uint32_t)sizeof(bytes));
    const uint8_t *frame = rte_pktmbuf_read(packet, 0, length, bytes);
    const struct rte_ether_hdr *ether = (const struct rte_ether_hdr *)frame;
    bool v4 = ether->ether_type == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4);
    const uint8_t *udp =
        frame + sizeof(*ether) + (v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr));
    struct rte_udp_hdr header;
    memcpy(&header, udp, sizeof(header));
    uint32_t port = rte_be_to_cpu_16(header.dst_port);
    return port == WIRE_UDP_PORT + sibling ||
           (!fanned && port == WIRE_UDP_PORT && (udp[sizeof(header)] & 0x0f) == WIRE_RESET);
}

/* Which of the hosts behind a front a packet is from: its links are what it travels. */
static uint32_t source(const struct sim_port *self, const struct rte_mbuf *packet)
{
    uint32_t index = self->host->index;
    return is_fronts(self) ? packet->hash.usr : index;
}

static void transmit(struct sim_port *self, struct rte_mbuf *packet)
{
    struct sim *sim = self->host->sim;
    uint32_t bytes = rte_pktmbuf_pkt_len(packet);
    uint64_t now = host_now(self->host);
    uint32_t to = destination(sim, packet);
    if (bytes > sim->mtu + sizeof(struct rte_ether_hdr) + sizeof(struct rte_vlan_hdr))
        sim_violation(sim, "host %u sends %u bytes over a port of MTU %u", self->host->index, bytes,
                      sim->mtu);
    if (self->wire_free < now)
        self->wire_free = now;
    self->wire_free += (uint64_t)(bytes + WIRE_FRAMING) * WIRE_PS_PER_BYTE / 1000;
    for (uint32_t i = 0; to != SIM_NOBODY && i < sim->siblings; i++) {
        struct rte_mbuf *copy = sim->siblings == 1 || takes(packet, i, sim->hosts[to]->front)
                                    ? rte_pktmbuf_copy(packet, sim->pool, 0, UINT32_MAX)
                                    : NULL;
        /* Without memory the wire loses it. */
        if (copy)
            link_send(sim->links[source(self, packet)][to + i], copy, self->wire_free);
    }
    rte_pktmbuf_free(packet);
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    struct sim_port *self = (struct sim_port *)port;
    (void)now;
    uint16_t sent = 0;
    while (sent < count && tx_room(port) > 0) {
        transmit(self, packets[sent++]);
        host_charge(self->host, PACKET_COST_NS);
    }
    return sent;
}

static uint64_t deadline(struct port *port)
{
    (void)port;
    return UINT64_MAX;
}

static int arm(struct port *port)
{
    struct sim_port *self = (struct sim_port *)port;
    self->armed = true;
    return is_empty(self) ? 0 : 1;
}

static void disarm(struct port *port)
{
    ((struct sim_port *)port)->armed = false;
}

static void destroy(struct port *port)
{
    /* Embedded in the host, which ends it with sim_port_fini. */
    (void)port;
}

static const struct port_ops sim_port_ops = {
    .driver = "sim",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
    .deadline = deadline,
    .arm = arm,
    .disarm = disarm,
    .destroy = destroy,
};

/* ---- Behind another port ---- */

static uint16_t behind_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count,
                                uint64_t now)
{
    struct sim_port *self = (struct sim_port *)port;
    uint16_t sent;
    /* For the front's port to know, wherever it looks from. */
    for (uint16_t i = 0; i < count; i++)
        packets[i]->hash.usr = self->host->index;
    sent = self->inner->ops->tx_burst(self->inner, packets, count, now);
    host_charge(self->host, sent * PACKET_COST_NS);
    return sent;
}

static uint16_t behind_tx_room(struct port *port)
{
    struct port *inner = ((struct sim_port *)port)->inner;
    return inner->ops->tx_room(inner);
}

static uint16_t behind_tx_room_for(struct port *port, struct packet_tag *tag,
                                   const struct packet_way *way)
{
    struct port *inner = ((struct sim_port *)port)->inner;
    return inner->ops->tx_room_for(inner, tag, way);
}

static bool behind_tx_reopened(struct port *port)
{
    struct port *inner = ((struct sim_port *)port)->inner;
    return inner->ops->tx_reopened(inner);
}

static int behind_arm(struct port *port)
{
    struct sim_port *self = (struct sim_port *)port;
    return self->kept ? 1 : self->inner->ops->arm(self->inner);
}

static void behind_disarm(struct port *port)
{
    struct port *inner = ((struct sim_port *)port)->inner;
    inner->ops->disarm(inner);
}

static const struct port_ops behind_ops = {
    .driver = "sim",
    .rx_burst = rx_burst,
    .tx_burst = behind_tx_burst,
    .tx_room = behind_tx_room,
    .tx_room_for = behind_tx_room_for,
    .tx_reopened = behind_tx_reopened,
    .arm = behind_arm,
    .disarm = behind_disarm,
    .destroy = destroy,
};

static const struct port_ops behind_untagged_ops = {
    .driver = "sim",
    .rx_burst = rx_burst,
    .tx_burst = behind_tx_burst,
    .tx_room = behind_tx_room,
    .arm = behind_arm,
    .disarm = behind_disarm,
    .destroy = destroy,
};

void sim_port_attach(struct sim_port *port, struct port *inner)
{
    rte_pktmbuf_free(port->kept);
    port->kept = NULL;
    port->inner = inner;
    port->port.ops = inner->ops->tx_room_for ? &behind_ops : &behind_untagged_ops;
}

void sim_port_mac(struct rte_ether_addr *mac, uint32_t index)
{
    *mac = (struct rte_ether_addr){{MAC_FIRST, 0, 0, 0, (uint8_t)(index >> 8), (uint8_t)index}};
}

void sim_port_init(struct sim_port *port, struct host *host, uint32_t index)
{
    *port = (struct sim_port){
        .host = host,
        .port = {.ops = &sim_port_ops,
                 .mtu = host->sim->mtu,
                 .wake_fd = -1,
                 .pool = host->sim->pool},
    };
    snprintf(port->port.name, sizeof(port->port.name), "sim%u", index);
    sim_port_mac(&port->port.mac, index);
}

void sim_port_fini(struct sim_port *port)
{
    while (peek(port, 0))
        rte_pktmbuf_free(take(port, 0));
}

bool sim_port_receive(struct sim_port *port, struct rte_mbuf *packet, enum sim_change change)
{
    if (port->head - port->tail == SIM_PORT_RING) {
        port->overflowed++;
        rte_pktmbuf_free(packet);
        return false;
    }
    packet->hash.usr = change;
    port->ring[port->head++ % SIM_PORT_RING] = packet;
    return port->armed;
}
