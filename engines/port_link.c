/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/port_link.h"

#include "engines/elements/arp.h"
#include "engines/elements/eth.h"
#include "engines/elements/icmp.h"
#include "engines/elements/ipv4.h"
#include "engines/elements/ipv6.h"
#include "engines/elements/nd.h"
#include "engines/elements/vlan.h"
#include "sched/clock.h"

#include <errno.h>
#include <stdlib.h>

#define ANSWERS_PER_MS 16u                 /* to questions for our addresses */
#define ECHOES_PER_MS  4u                  /* to pings: a flood of them is no reason to be busy */
#define DEFEND_NS      (10 * NSEC_PER_SEC) /* between two defences (RFC 5227 section 2.4) */
#define MESSAGE_MAX    256u                /* bytes of a solicitation that are looked at */
#define FRAME_MIN      RTE_ETHER_MIN_LEN   /* shorter ones are padded, as Ethernet wants it */
#define HEADERS_MAX    (sizeof(struct rte_ether_hdr) + sizeof(struct rte_vlan_hdr))
#define STEP           64u /* packets received at a time, on the stack */

struct limit {
    uint64_t ms; /* of the count */
    uint32_t count;
};

struct port_link {
    struct port port; /* first: what users hold */
    struct port_ops ops;
    struct port *inner;
    struct neighbours *neighbours;
    struct subnets subnets;
    uint16_t vlan;
    bool announce; /* at the next rx_burst */
    uint64_t now;  /* of the last rx_burst */
    uint64_t defended_ns;
    struct limit answers, echoes;
    struct port_link_stats stats;
};

/* What a frame is, as far as it concerns us. */
struct frame {
    struct rte_ether_hdr ether;
    uint16_t type;    /* behind the tag */
    uint32_t payload; /* where it begins */
};

static struct port_link *from_port(struct port *port)
{
    return (struct port_link *)port;
}

static void count(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static bool allow(struct port_link *self, struct limit *limit, uint32_t most)
{
    if (limit->ms != self->now / NSEC_PER_MSEC) {
        limit->ms = self->now / NSEC_PER_MSEC;
        limit->count = 0;
    }
    if (limit->count++ < most)
        return true;
    count(&self->stats.limited);
    return false;
}

/* ---- Sending ---- */

static uint32_t put_headers(const struct port_link *self, uint8_t *to,
                            const struct rte_ether_addr *mac, uint16_t type)
{
    uint32_t length = eth_build(to, &self->port.mac, mac, self->vlan ? RTE_ETHER_TYPE_VLAN : type);

    return self->vlan ? length + vlan_build(to + length, self->vlan, type) : length;
}

/* Sends a frame that is complete but for its padding, or gives it up. */
static bool send_frame(struct port_link *self, struct rte_mbuf *frame)
{
    struct port *inner = self->inner;
    uint32_t length = rte_pktmbuf_data_len(frame);

    if (length < FRAME_MIN)
        memset(rte_pktmbuf_append(frame, (uint16_t)(FRAME_MIN - length)), 0, FRAME_MIN - length);
    if (inner->ops->tx_room(inner) > 0 && inner->ops->tx_burst(inner, &frame, 1, self->now) == 1)
        return true;
    rte_pktmbuf_free(frame);
    count(&self->stats.unsent);
    return false;
}

static bool send_bytes(struct port_link *self, const struct rte_ether_addr *mac, uint16_t type,
                       const uint8_t *bytes, uint32_t length)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(self->port.pool);
    uint8_t headers[HEADERS_MAX];
    uint32_t header_bytes = put_headers(self, headers, mac, type);

    if (!frame) {
        count(&self->stats.unsent);
        return false;
    }
    memcpy(rte_pktmbuf_append(frame, (uint16_t)header_bytes), headers, header_bytes);
    memcpy(rte_pktmbuf_append(frame, (uint16_t)length), bytes, length);
    return send_frame(self, frame);
}

static bool send_arp(struct port_link *self, const struct rte_ether_addr *mac,
                     const struct arp *arp)
{
    uint8_t bytes[ARP_BYTES];

    return send_bytes(self, mac, RTE_ETHER_TYPE_ARP, bytes, arp_build(bytes, arp));
}

static bool send_nd(struct port_link *self, const struct rte_ether_addr *mac, const struct nd *nd)
{
    uint8_t bytes[ND_BYTES_MAX];

    return send_bytes(self, mac, RTE_ETHER_TYPE_IPV6, bytes, nd_build(bytes, nd));
}

static const struct address unspecified;
static const struct rte_ether_addr broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static void ask_v4(struct port_link *self, const struct address *target,
                   const struct address *source, const struct rte_ether_addr *mac)
{
    const struct arp arp = {
        .operation = RTE_ARP_OP_REQUEST,
        .sender_mac = self->port.mac,
        .sender = *source,
        .target = *target,
    };

    send_arp(self, mac ? mac : &broadcast, &arp);
}

static void ask_v6(struct port_link *self, const struct address *target,
                   const struct address *source, const struct rte_ether_addr *mac)
{
    struct nd nd = {
        .type = ND_SOLICITATION,
        .source = *source,
        .destination = *target,
        .target = *target,
        .mac = self->port.mac,
        .has_mac = true,
    };
    struct rte_ether_addr group_mac;

    if (!mac) {
        nd_solicited_node(&nd.destination, target);
        nd_group_mac(&group_mac, &nd.destination);
    }
    send_nd(self, mac ? mac : &group_mac, &nd);
}

static void ask(void *context, const struct address *target, const struct address *source,
                const struct rte_ether_addr *mac)
{
    if (address_is_v4(target))
        ask_v4(context, target, source, mac);
    else
        ask_v6(context, target, source, mac);
}

static bool announce_v4(struct port_link *self, const struct address *address)
{
    const struct arp arp = {
        .operation = RTE_ARP_OP_REQUEST, /* RFC 5227 section 2.3 */
        .sender_mac = self->port.mac,
        .sender = *address,
        .target = *address,
    };

    return send_arp(self, &broadcast, &arp);
}

static bool announce_v6(struct port_link *self, const struct address *address)
{
    const struct nd nd = {
        .type = ND_ADVERTISEMENT,
        .source = *address,
        .destination = nd_all_nodes,
        .target = *address,
        .mac = self->port.mac,
        .has_mac = true,
        .override = true,
    };
    struct rte_ether_addr mac;

    nd_group_mac(&mac, &nd_all_nodes);
    return send_nd(self, &mac, &nd);
}

static void announce(struct port_link *self, const struct address *address)
{
    if (address_is_v4(address) ? announce_v4(self, address) : announce_v6(self, address))
        count(&self->stats.announced);
}

/* Somebody else says that it has our address: says the contrary, not too often. */
static void defend(struct port_link *self, const struct address *address)
{
    count(&self->stats.conflicts);
    if (self->now - self->defended_ns < DEFEND_NS)
        return;
    self->defended_ns = self->now;
    announce(self, address);
}

/* ---- Receiving ---- */

static bool is_local(const struct port_link *self, const struct address *address)
{
    return subnets_is_local(&self->subnets, address);
}

static void answer_arp(struct port_link *self, const struct arp *question)
{
    const struct arp arp = {
        .operation = RTE_ARP_OP_REPLY,
        .sender_mac = self->port.mac,
        .target_mac = question->sender_mac,
        .sender = question->target,
        .target = question->sender,
    };

    if (allow(self, &self->answers, ANSWERS_PER_MS) && send_arp(self, &question->sender_mac, &arp))
        count(&self->stats.answered);
}

/* What a well-formed ARP frame from somebody else tells of its sender. */
static enum neighbours_news news_of(const struct frame *frame, const struct arp *arp, bool to_us)
{
    if (!to_us)
        return NEIGHBOURS_CLAIM;
    if (arp->operation == RTE_ARP_OP_REQUEST)
        return NEIGHBOURS_CALL;
    return rte_is_multicast_ether_addr(&frame->ether.dst_addr) ? NEIGHBOURS_CLAIM
                                                               : NEIGHBOURS_ANSWER;
}

static void take_arp(struct port_link *self, const struct frame *frame, const uint8_t *bytes,
                     uint32_t length)
{
    bool to_us;
    struct arp arp;

    if (arp_parse(&arp, bytes, length) != 0) {
        count(&self->stats.malformed);
        return;
    }
    if (rte_is_same_ether_addr(&arp.sender_mac, &self->port.mac))
        return; /* our own, come back */
    if (is_local(self, &arp.sender)) {
        defend(self, &arp.sender);
        return;
    }
    to_us = is_local(self, &arp.target);
    if (to_us && arp.operation == RTE_ARP_OP_REQUEST)
        answer_arp(self, &arp);
    if (address_is_host(&arp.sender))
        neighbours_heard(self->neighbours, &arp.sender, &arp.sender_mac,
                         news_of(frame, &arp, to_us), true, self->now);
}

/* To who asked; a probe for duplicates has no sender, so all are told. */
static void answer_nd(struct port_link *self, const struct frame *frame, const struct nd *question)
{
    bool probe = address_equal(&question->source, &unspecified);
    const struct nd nd = {
        .type = ND_ADVERTISEMENT,
        .source = question->target,
        .destination = probe ? nd_all_nodes : question->source,
        .target = question->target,
        .mac = self->port.mac,
        .has_mac = true,
        .solicited = !probe,
        .override = true,
    };
    struct rte_ether_addr mac = question->has_mac ? question->mac : frame->ether.src_addr;

    if (probe)
        nd_group_mac(&mac, &nd_all_nodes);
    if (allow(self, &self->answers, ANSWERS_PER_MS) && send_nd(self, &mac, &nd))
        count(&self->stats.answered);
}

static void take_solicitation(struct port_link *self, const struct frame *frame,
                              const struct nd *nd)
{
    if (!is_local(self, &nd->target))
        return;
    answer_nd(self, frame, nd);
    if (nd->has_mac)
        neighbours_heard(self->neighbours, &nd->source, &nd->mac, NEIGHBOURS_CALL, true, self->now);
}

static void take_advertisement(struct port_link *self, const struct nd *nd)
{
    if (is_local(self, &nd->target)) {
        defend(self, &nd->target);
        return;
    }
    neighbours_heard(self->neighbours, &nd->target, nd->has_mac ? &nd->mac : NULL,
                     nd->solicited && is_local(self, &nd->destination) ? NEIGHBOURS_ANSWER
                                                                       : NEIGHBOURS_CLAIM,
                     nd->override, self->now);
}

static void take_nd(struct port_link *self, const struct frame *frame, const uint8_t *bytes,
                    uint32_t length)
{
    struct nd nd;

    if (nd_parse(&nd, bytes, length) != 0)
        count(&self->stats.malformed);
    else if (rte_is_same_ether_addr(&frame->ether.src_addr, &self->port.mac))
        return; /* our own, come back */
    else if (nd.type == ND_SOLICITATION)
        take_solicitation(self, frame, &nd);
    else
        take_advertisement(self, &nd);
}

/* Answers a ping in a private copy. False if it is no ping of ours. */
static bool take_echo(struct port_link *self, const struct frame *frame,
                      const struct rte_mbuf *packet)
{
    struct rte_mbuf *copy;
    struct address asked;
    int length;
    uint8_t *ip;

    if (!allow(self, &self->echoes, ECHOES_PER_MS))
        return true;
    copy = rte_pktmbuf_copy(packet, self->port.pool, 0, UINT32_MAX);
    if (!copy || !rte_pktmbuf_is_contiguous(copy)) {
        rte_pktmbuf_free(copy);
        count(&self->stats.unsent);
        return true;
    }
    ip = rte_pktmbuf_mtod_offset(copy, uint8_t *, frame->payload);
    length = icmp_echo(ip, rte_pktmbuf_data_len(copy) - frame->payload, &asked);
    if (length < 0 || !is_local(self, &asked)) {
        rte_pktmbuf_free(copy);
        return false;
    }
    put_headers(self, rte_pktmbuf_mtod(copy, uint8_t *), &frame->ether.src_addr, frame->type);
    rte_pktmbuf_trim(copy, (uint16_t)(rte_pktmbuf_data_len(copy) - frame->payload - length));
    if (send_frame(self, copy))
        count(&self->stats.echoes);
    return true;
}

/* ---- Telling frames apart ---- */

/* The Ethernet header, and the tag that all our frames have, if they have one. */
static bool read_headers(const struct port_link *self, const struct rte_mbuf *packet,
                         struct frame *frame)
{
    const uint8_t *bytes = rte_pktmbuf_mtod(packet, const uint8_t *);
    struct rte_vlan_hdr tag;

    frame->payload = sizeof(frame->ether) + (self->vlan ? sizeof(tag) : 0);
    if (rte_pktmbuf_data_len(packet) < frame->payload)
        return false;
    memcpy(&frame->ether, bytes, sizeof(frame->ether));
    frame->type = rte_be_to_cpu_16(frame->ether.ether_type);
    if (self->vlan == 0)
        return true;
    memcpy(&tag, bytes + sizeof(frame->ether), sizeof(tag));
    if (frame->type != RTE_ETHER_TYPE_VLAN ||
        (rte_be_to_cpu_16(tag.vlan_tci) & VLAN_ID_MASK) != self->vlan)
        return false;
    frame->type = rte_be_to_cpu_16(tag.eth_proto);
    return true;
}

static bool is_nd(const uint8_t *bytes, uint32_t length)
{
    uint32_t type = sizeof(struct rte_ipv6_hdr);

    return length > type && bytes[offsetof(struct rte_ipv6_hdr, proto)] == IPPROTO_ICMPV6 &&
           (bytes[type] == ND_SOLICITATION || bytes[type] == ND_ADVERTISEMENT);
}

/* Where a ping has the right numbers; whether it is a right one is seen later. */
static bool is_ping(const struct frame *frame, const uint8_t *bytes, uint32_t length)
{
    uint32_t v4 = sizeof(struct rte_ipv4_hdr), v6 = sizeof(struct rte_ipv6_hdr);

    if (frame->type == RTE_ETHER_TYPE_IPV4)
        return length > v4 && bytes[offsetof(struct rte_ipv4_hdr, next_proto_id)] == IPPROTO_ICMP &&
               bytes[v4] == ICMP_ECHO_REQUEST;
    return frame->type == RTE_ETHER_TYPE_IPV6 && length > v6 &&
           bytes[offsetof(struct rte_ipv6_hdr, proto)] == IPPROTO_ICMPV6 &&
           bytes[v6] == ICMP6_ECHO_REQUEST;
}

/* The link's own business, done here; anything else, false, is the engine's. */
static bool take(struct port_link *self, const struct rte_mbuf *packet)
{
    uint8_t memory[MESSAGE_MAX];
    struct frame frame;
    const uint8_t *bytes;
    uint32_t length;
    bool to_us;

    if (!read_headers(self, packet, &frame) ||
        !rte_is_valid_assigned_ether_addr(&frame.ether.src_addr))
        return false;
    to_us = rte_is_same_ether_addr(&frame.ether.dst_addr, &self->port.mac);
    if (!to_us && !rte_is_multicast_ether_addr(&frame.ether.dst_addr))
        return false;
    length = RTE_MIN(rte_pktmbuf_pkt_len(packet) - frame.payload, MESSAGE_MAX);
    bytes = rte_pktmbuf_read(packet, frame.payload, length, memory);
    if (frame.type == RTE_ETHER_TYPE_ARP) {
        take_arp(self, &frame, bytes, length);
        return true;
    }
    if (frame.type == RTE_ETHER_TYPE_IPV6 && is_nd(bytes, length)) {
        take_nd(self, &frame, bytes, length);
        return true;
    }
    return to_us && is_ping(&frame, bytes, length) && take_echo(self, &frame, packet);
}

/* ---- The port ---- */

static void do_due(struct port_link *self)
{
    neighbours_run(self->neighbours, self->now);
    if (!self->announce)
        return;
    self->announce = false;
    for (uint32_t i = 0; i < self->subnets.count; i++)
        announce(self, &self->subnets.list[i].address);
}

static uint16_t port_link_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                                   uint64_t now)
{
    struct port_link *self = from_port(port);
    uint16_t received, kept = 0;

    self->now = RTE_MAX(self->now, now);
    received = self->inner->ops->rx_burst(self->inner, packets, RTE_MIN(max, STEP), now);
    for (uint16_t i = 0; i < received; i++) {
        if (take(self, packets[i]))
            rte_pktmbuf_free(packets[i]);
        else
            packets[kept++] = packets[i];
    }
    do_due(self);
    return kept;
}

static uint16_t port_link_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count,
                                   uint64_t now)
{
    struct port *inner = from_port(port)->inner;

    return inner->ops->tx_burst(inner, packets, count, now);
}

static uint16_t port_link_tx_room(struct port *port)
{
    struct port *inner = from_port(port)->inner;

    return inner->ops->tx_room(inner);
}

static uint64_t port_link_deadline(struct port *port)
{
    struct port_link *self = from_port(port);
    struct port *inner = self->inner;
    uint64_t deadline = self->announce ? 0 : neighbours_deadline(self->neighbours);

    return inner->ops->deadline ? RTE_MIN(deadline, inner->ops->deadline(inner)) : deadline;
}

static int port_link_arm(struct port *port)
{
    struct port *inner = from_port(port)->inner;

    return inner->ops->arm ? inner->ops->arm(inner) : -ENOTSUP;
}

static void port_link_disarm(struct port *port)
{
    struct port *inner = from_port(port)->inner;

    if (inner->ops->disarm)
        inner->ops->disarm(inner);
}

static uint32_t port_link_stats_of(const struct port *port, struct port_stat *stats, uint32_t max)
{
    const struct port *inner = ((const struct port_link *)port)->inner;
    struct port_link_stats own;
    uint32_t count = inner->ops->stats ? inner->ops->stats(inner, stats, max) : 0;

    port_link_stats(port, &own);
    const struct port_stat added[] = {
        {"neighbours_asked", own.neighbours.asked},
        {"neighbours_resolved", own.neighbours.resolved},
        {"neighbours_failed", own.neighbours.failed},
        {"neighbours_moved", own.neighbours.moved},
        {"neighbours_claims", own.neighbours.claims},
        {"link_answered", own.answered},
        {"link_echoes", own.echoes},
        {"link_announced", own.announced},
        {"link_conflicts", own.conflicts},
        {"link_malformed", own.malformed},
        {"link_limited", own.limited},
        {"link_unsent", own.unsent},
    };
    for (size_t i = 0; i < RTE_DIM(added); i++, count++) {
        if (count < max)
            stats[count] = added[i];
    }
    return count;
}

static void port_link_destroy(struct port *port)
{
    struct port_link *self = from_port(port);
    struct port *inner = self->inner;

    neighbours_destroy(self->neighbours);
    free(self);
    inner->ops->destroy(inner);
}

static const struct port_ops port_link_ops = {
    .rx_burst = port_link_rx_burst,
    .tx_burst = port_link_tx_burst,
    .tx_room = port_link_tx_room,
    .deadline = port_link_deadline,
    .arm = port_link_arm,
    .disarm = port_link_disarm,
    .stats = port_link_stats_of,
    .destroy = port_link_destroy,
};

static int make_neighbours(struct port_link *self, const struct port_link_config *config)
{
    struct neighbours_config neighbours = {
        .subnets = config->subnets,
        .now = config->now,
        .wants_max = config->wants_max,
        .tries = config->tries,
        .retry_ns = config->retry_ns,
        .reachable_ns = config->reachable_ns,
        .negative_ns = config->negative_ns,
        .ask = ask,
        .context = self,
    };

    memcpy(neighbours.key, config->key, sizeof(neighbours.key));
    return neighbours_create(&self->neighbours, &neighbours);
}

int port_link_create(struct port **port, struct port *inner, const struct port_link_config *config)
{
    struct port_link *self;
    int error;

    if (config->vlan > VLAN_ID_LAST)
        return -EINVAL;
    self = calloc(1, sizeof(*self));
    if (!self)
        return -ENOMEM;
    error = make_neighbours(self, config);
    if (error) {
        free(self);
        return error;
    }
    self->ops = port_link_ops;
    self->ops.driver = inner->ops->driver;
    self->port = *inner;
    self->port.ops = &self->ops;
    self->inner = inner;
    self->subnets = config->subnets;
    self->vlan = config->vlan;
    self->now = config->now;
    self->announce = true;
    *port = &self->port;
    return 0;
}

struct resolver *port_link_resolver(struct port *port)
{
    return neighbours_resolver(from_port(port)->neighbours);
}

void port_link_view(void *port, struct neighbour_page *page)
{
    neighbours_view(from_port(port)->neighbours, page);
}

void port_link_announce(struct port *port)
{
    from_port(port)->announce = true;
}

void port_link_stats(const struct port *port, struct port_link_stats *stats)
{
    const struct port_link *self = (const struct port_link *)port;

    *stats = self->stats;
    stats->neighbours = *neighbours_stats(self->neighbours);
}
