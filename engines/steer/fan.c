/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/steer/fan.h"

#include "engines/elements/vlan.h"
#include "engines/pony/wire.h"
#include "engines/steer/fan_resolver.h"
#include "mailbox/doorbell.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <rte_errno.h>
#include <rte_ip.h>
#include <rte_ring.h>
#include <rte_udp.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CACHE_LINE   64u
#define RING_DEFAULT 1024u
#define POLL_NS      (50 * NSEC_PER_USEC) /* as pony has it: a port without an interrupt */
#define NOBODY       UINT32_MAX
#define TYPE_MASK    0x0fu /* of a packet's first byte: docs/wire.md */

static_assert(FAN_MEMBERS_MAX == FAN_RESOLVER_MEMBERS, "each member may have a resolver");

/* Each of the two words is set by one side and cleared by the other. */
struct member {
    struct port port; /* first: what its engine holds */
    struct fan *fan;
    struct rte_ring *in, *out; /* received for it; sent by it */
    uint16_t udp_port;
    alignas(CACHE_LINE) uint32_t in_armed;  /* the member sleeps */
    alignas(CACHE_LINE) uint32_t out_armed; /* the steering engine sleeps */
};

struct fan {
    struct port *port;
    uint32_t named; /* members that have a UDP port; the rest, if there is one, is behind them */
    uint32_t count; /* all of them */
    uint32_t turn;  /* whose packets are sent first */
    struct fan_resolver *resolver; /* NULL: members have none */
    int wake_fd;
    struct rte_mbuf *held[PORT_BURST]; /* taken from a member, and then not taken by the port */
    uint16_t held_count;
    struct fan_stats stats;
    struct address addresses[FAN_ADDRESSES_MAX]; /* where there is a rest: of the others */
    uint32_t address_count;
    uint16_t vlan;
    struct member members[FAN_MEMBERS_MAX + 1];
};

static void count(uint64_t *counter, uint64_t add)
{
    __atomic_store_n(counter, *counter + add, __ATOMIC_RELAXED);
}

/* ---- A member's side ---- */

static struct member *from_port(struct port *port)
{
    return (struct member *)port;
}

static uint32_t index_of(const struct member *member)
{
    return (uint32_t)(member - member->fan->members);
}

static uint16_t member_rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max,
                                uint64_t now)
{
    struct member *member = from_port(port);

    (void)now;
    if (member->fan->resolver)
        fan_resolver_take(member->fan->resolver, index_of(member));
    return (uint16_t)rte_ring_sc_dequeue_burst(member->in, (void **)packets, max, NULL);
}

static uint16_t member_tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t number,
                                uint64_t now)
{
    struct member *member = from_port(port);
    unsigned int sent =
        rte_ring_sp_enqueue_burst(member->out, (void *const *)packets, number, NULL);

    (void)now;
    if (sent > 0 && doorbell_due(&member->out_armed))
        doorbell_ring_engine(member->fan->wake_fd);
    return (uint16_t)sent;
}

static uint16_t member_tx_room(struct port *port)
{
    return (uint16_t)RTE_MIN(rte_ring_free_count(from_port(port)->out), UINT16_MAX);
}

static int member_arm(struct port *port)
{
    struct member *member = from_port(port);

    doorbell_arm(&member->in_armed);
    if (rte_ring_empty(member->in) &&
        !(member->fan->resolver && fan_resolver_waits(member->fan->resolver, index_of(member))))
        return 0;
    doorbell_disarm(&member->in_armed);
    return 1;
}

static void member_disarm(struct port *port)
{
    doorbell_disarm(&from_port(port)->in_armed);
}

static void member_destroy(struct port *port)
{
    /* The fan's, which ends it. */
    (void)port;
}

static const struct port_ops member_ops = {
    .driver = "steer",
    .rx_burst = member_rx_burst,
    .tx_burst = member_tx_burst,
    .tx_room = member_tx_room,
    .arm = member_arm,
    .disarm = member_disarm,
    .destroy = member_destroy,
};

/* ---- Whose a packet is ---- */

struct key {
    uint16_t vlan;      /* 0: untagged; VLAN_ID_RESERVED: several tags */
    struct address dst; /* and the port there: */
    uint16_t udp_port;
    uint8_t type; /* of a Pony packet */
};

/* A header of a frame that may lie in several segments; NULL beyond its end. */
static const void *header_at(const struct rte_mbuf *packet, uint32_t at, uint32_t bytes, void *copy)
{
    return rte_pktmbuf_read(packet, at, bytes, copy);
}

/* Past Ethernet and its tags; 0 at the end of the frame. */
static uint32_t skip_ethernet(const struct rte_mbuf *packet, uint16_t *ether_type, uint16_t *vlan)
{
    uint32_t at = 2 * RTE_ETHER_ADDR_LEN;

    for (uint32_t tags = 0; tags <= PACKET_VLAN_MAX; tags++) {
        uint16_t copy;
        const void *type = header_at(packet, at, sizeof(copy), &copy);

        if (!type)
            return 0;
        memcpy(&copy, type, sizeof(copy));
        *ether_type = rte_be_to_cpu_16(copy);
        at += sizeof(copy);
        if (!vlan_is_tag(*ether_type))
            return at;
        type = header_at(packet, at, sizeof(copy), &copy);
        if (!type)
            return 0;
        memcpy(&copy, type, sizeof(copy));
        *vlan = tags ? VLAN_ID_RESERVED : rte_be_to_cpu_16(copy) & VLAN_ID_MASK;
        at += sizeof(copy);
    }
    return 0;
}

/* Past the IP header in front of UDP; 0 if there is none. Fragments have no port but for the first,
 * and of a Pony packet there are none. Options are for whoever gets the packet to refuse. */
static uint32_t skip_ip(const struct rte_mbuf *packet, uint32_t at, uint16_t ether_type,
                        struct address *dst)
{
    const rte_be16_t fragment = RTE_BE16(RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK);
    struct rte_ipv4_hdr v4;
    struct rte_ipv6_hdr v6;
    uint8_t bytes[sizeof(v4.dst_addr)];
    const void *header;

    if (ether_type == RTE_ETHER_TYPE_IPV4) {
        header = header_at(packet, at, sizeof(v4), &v4);
        if (!header)
            return 0;
        memcpy(&v4, header, sizeof(v4));
        memcpy(bytes, &v4.dst_addr, sizeof(bytes));
        address_from_v4(dst, bytes);
        return v4.next_proto_id == IPPROTO_UDP && !(v4.fragment_offset & fragment)
                   ? at + rte_ipv4_hdr_len(&v4)
                   : 0;
    }
    if (ether_type != RTE_ETHER_TYPE_IPV6)
        return 0;
    header = header_at(packet, at, sizeof(v6), &v6);
    if (!header)
        return 0;
    memcpy(&v6, header, sizeof(v6));
    memcpy(dst->bytes, v6.dst_addr, sizeof(dst->bytes));
    return v6.proto == IPPROTO_UDP ? at + (uint32_t)sizeof(v6) : 0;
}

static bool read_key(const struct rte_mbuf *packet, struct key *key)
{
    uint8_t copy[sizeof(struct rte_udp_hdr) + 1];
    struct rte_udp_hdr udp;
    const uint8_t *header;
    uint16_t ether_type;
    uint32_t at;

    key->vlan = 0;
    at = skip_ethernet(packet, &ether_type, &key->vlan);
    at = at ? skip_ip(packet, at, ether_type, &key->dst) : 0;
    header = at ? header_at(packet, at, sizeof(copy), copy) : NULL;
    if (!header)
        return false;
    memcpy(&udp, header, sizeof(udp));
    key->udp_port = rte_be_to_cpu_16(udp.dst_port);
    key->type = header[sizeof(udp)] & TYPE_MASK;
    return true;
}

static uint32_t member_at(const struct fan *fan, uint16_t udp_port)
{
    for (uint32_t i = 0; i < fan->named; i++) {
        if (fan->members[i].udp_port == udp_port)
            return i;
    }
    return NOBODY;
}

/* Whether a packet with that UDP port is no other's all the same. */
static bool is_ours(const struct fan *fan, const struct key *key)
{
    bool ours = fan->named == fan->count;

    for (uint32_t i = 0; i < fan->address_count && !ours; i++)
        ours = key->vlan == fan->vlan && address_equal(&fan->addresses[i], &key->dst);
    return ours;
}

/* ---- Receiving ---- */

/* What one burst has for each member. */
struct sorted {
    struct rte_mbuf *packets[FAN_MEMBERS_MAX + 1][PORT_BURST];
    uint16_t count[FAN_MEMBERS_MAX + 1];
};

static void sort_in(struct sorted *sorted, uint32_t member, struct rte_mbuf *packet)
{
    sorted->packets[member][sorted->count[member]++] = packet;
}

/* A RESET does not say whose it is: the others get a copy. */
static void sort_for_all(struct fan *fan, struct sorted *sorted, const struct rte_mbuf *packet)
{
    for (uint32_t i = 1; i < fan->named; i++) {
        struct rte_mbuf *copy = rte_pktmbuf_copy(packet, fan->port->pool, 0, UINT32_MAX);

        if (copy)
            sort_in(sorted, i, copy);
        count(copy ? &fan->stats.rx_for_all : &fan->stats.rx_no_copy, 1);
    }
}

static void sort(struct fan *fan, struct sorted *sorted, struct rte_mbuf *packet)
{
    struct key key;
    uint32_t member =
        read_key(packet, &key) && is_ours(fan, &key) ? member_at(fan, key.udp_port) : NOBODY;

    if (member == NOBODY && fan->named < fan->count) {
        count(&fan->stats.rx_rest, 1);
        sort_in(sorted, fan->named, packet);
        return;
    }
    if (member == NOBODY) {
        count(&fan->stats.rx_strays, 1);
        rte_pktmbuf_free(packet);
        return;
    }
    sort_in(sorted, member, packet);
    if (member == 0 && key.type == WIRE_RESET)
        sort_for_all(fan, sorted, packet);
}

static void hand_over(struct fan *fan, struct member *member, struct rte_mbuf **packets,
                      uint16_t number)
{
    unsigned int taken =
        rte_ring_sp_enqueue_burst(member->in, (void *const *)packets, number, NULL);

    if (taken < number) {
        count(&fan->stats.rx_full, number - taken);
        rte_pktmbuf_free_bulk(packets + taken, number - taken);
    }
    if (taken > 0 && doorbell_due(&member->in_armed))
        doorbell_ring_engine(member->port.wake_fd);
}

uint32_t fan_receive(struct fan *fan, uint64_t now)
{
    struct rte_mbuf *packets[PORT_BURST];
    struct sorted sorted;
    uint16_t got = fan->port->ops->rx_burst(fan->port, packets, PORT_BURST, now);
    uint32_t asked = fan->resolver ? fan_resolver_work(fan->resolver) : 0;

    if (got == 0)
        return asked;
    count(&fan->stats.rx_packets, got);
    memset(sorted.count, 0, sizeof(sorted.count));
    for (uint16_t i = 0; i < got; i++)
        sort(fan, &sorted, packets[i]);
    for (uint32_t i = 0; i < fan->count; i++) {
        if (sorted.count[i] > 0)
            hand_over(fan, &fan->members[i], sorted.packets[i], sorted.count[i]);
    }
    return got + asked;
}

/* ---- Sending ---- */

/* Packets that are held, and no longer once the port has taken them. */
static uint32_t send_held(struct fan *fan, uint64_t now)
{
    uint16_t sent = fan->port->ops->tx_burst(fan->port, fan->held, fan->held_count, now);

    fan->held_count -= sent;
    memmove(fan->held, fan->held + sent, fan->held_count * sizeof(fan->held[0]));
    count(&fan->stats.tx_packets, sent);
    return sent;
}

/* One burst of a member; false once the port is full. */
static bool send_of(struct fan *fan, const struct member *member, uint64_t now, uint32_t *sent)
{
    uint16_t room = fan->port->ops->tx_room(fan->port);

    if (room == 0)
        return false;
    fan->held_count = (uint16_t)rte_ring_sc_dequeue_burst(member->out, (void **)fan->held,
                                                          RTE_MIN(room, PORT_BURST), NULL);
    if (fan->held_count == 0)
        return true;
    *sent += send_held(fan, now);
    count(&fan->stats.tx_deferred, fan->held_count);
    return fan->held_count == 0;
}

uint32_t fan_send(struct fan *fan, uint64_t now)
{
    uint32_t sent = fan->held_count > 0 ? send_held(fan, now) : 0;
    bool goes_on = fan->held_count == 0;

    for (uint32_t i = 0; i < fan->count && goes_on; i++)
        goes_on = send_of(fan, &fan->members[(fan->turn + i) % fan->count], now, &sent);
    fan->turn = (fan->turn + 1) % fan->count;
    return sent;
}

uint32_t fan_take(struct fan *fan, uint32_t index, struct rte_mbuf **packets, uint32_t max)
{
    return rte_ring_sc_dequeue_burst(fan->members[index].out, (void **)packets, max, NULL);
}

bool fan_pending(const struct fan *fan)
{
    bool pending = fan->held_count > 0 || (fan->resolver && fan_resolver_pending(fan->resolver));

    for (uint32_t i = 0; i < fan->count && !pending; i++)
        pending = !rte_ring_empty(fan->members[i].out);
    return pending;
}

static void disarm_members(struct fan *fan)
{
    for (uint32_t i = 0; i < fan->count; i++)
        doorbell_disarm(&fan->members[i].out_armed);
}

bool fan_arm(struct fan *fan)
{
    for (uint32_t i = 0; i < fan->count; i++)
        doorbell_arm(&fan->members[i].out_armed);
    if (!fan_pending(fan))
        return true;
    disarm_members(fan);
    return false;
}

uint64_t fan_arm_port(struct fan *fan, uint64_t now, uint64_t deadline)
{
    struct port *port = fan->port;
    int result = port->ops->arm ? port->ops->arm(port) : -ENOTSUP;

    if (port->ops->deadline)
        deadline = RTE_MIN(deadline, port->ops->deadline(port));
    if (result == 1 || deadline <= now) {
        fan_disarm(fan);
        return 0;
    }
    return result < 0 ? RTE_MIN(deadline, now + POLL_NS) : deadline;
}

void fan_disarm(struct fan *fan)
{
    disarm_members(fan);
    if (fan->port->ops->disarm)
        fan->port->ops->disarm(fan->port);
}

int fan_watch(const struct fan *fan, struct engine *engine)
{
    int error = engine_watch(engine, fan->wake_fd);

    if (!error && fan->port->wake_fd >= 0)
        error = engine_watch(engine, fan->port->wake_fd);
    return error;
}

int fan_wake_fd(const struct fan *fan)
{
    return fan->wake_fd;
}

struct port *fan_port(const struct fan *fan)
{
    return fan->port;
}

struct fan_stats *fan_stats(struct fan *fan)
{
    return &fan->stats;
}

struct port *fan_member(struct fan *fan, uint32_t index)
{
    return &fan->members[index].port;
}

struct port *fan_rest(struct fan *fan)
{
    return fan->named < fan->count ? &fan->members[fan->named].port : NULL;
}

struct resolver *fan_member_resolver(struct fan *fan, uint32_t index)
{
    return fan->resolver ? fan_resolver_face(fan->resolver, index) : NULL;
}

/* ---- Its life ---- */

/* DPDK wants a name of its own for each ring of the process; control makes them. */
static int make_ring(struct rte_ring **ring, uint32_t packets)
{
    static uint64_t made;
    char name[RTE_RING_NAMESIZE];

    snprintf(name, sizeof(name), "fan.%" PRIu64, made++);
    *ring = rte_ring_create(name, packets, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    return *ring ? 0 : -rte_errno;
}

static int prepare(struct fan *fan, uint32_t index, const struct fan_config *config)
{
    struct member *member = &fan->members[index];
    uint32_t packets = config->ring_packets ? config->ring_packets : RING_DEFAULT;
    int error;

    member->fan = fan;
    if (index < config->count) {
        if (member_at(fan, config->udp_ports[index]) != NOBODY)
            return -EINVAL;
        member->udp_port = config->udp_ports[index];
        fan->named = index + 1;
    }
    member->port.ops = &member_ops;
    memcpy(member->port.name, config->port->name, sizeof(member->port.name));
    member->port.mac = config->port->mac;
    member->port.mtu = config->port->mtu;
    member->port.pool = config->port->pool;
    member->port.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    fan->count = index + 1;
    if (member->port.wake_fd < 0)
        return -errno;
    error = make_ring(&member->in, packets);
    return error ? error : make_ring(&member->out, packets);
}

static int make_resolver(struct fan *fan, const struct fan_config *config)
{
    struct fan_resolver_config resolver = {
        .below = config->resolver,
        .members = config->count,
        .hops_max = config->hops_max,
    };

    if (!config->resolver)
        return 0;
    memcpy(resolver.key, config->key, sizeof(resolver.key));
    for (uint32_t i = 0; i < config->count; i++) {
        struct member *member = &fan->members[i];

        resolver.steer[i] = (struct fan_bell){&member->out_armed, fan->wake_fd};
        resolver.member[i] = (struct fan_bell){&member->in_armed, member->port.wake_fd};
    }
    return fan_resolver_create(&fan->resolver, &resolver);
}

int fan_create(struct fan **fan, const struct fan_config *config)
{
    struct fan *made;
    int error = 0;

    if (config->count == 0 || config->count > FAN_MEMBERS_MAX ||
        config->address_count > FAN_ADDRESSES_MAX)
        return -EINVAL;
    made = aligned_alloc(CACHE_LINE, sizeof(*made));
    if (!made)
        return -ENOMEM;
    memset(made, 0, sizeof(*made));
    made->port = config->port;
    memcpy(made->addresses, config->addresses, sizeof(made->addresses));
    made->address_count = config->address_count;
    made->vlan = config->vlan;
    made->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (made->wake_fd < 0)
        error = -errno;
    for (uint32_t i = 0; i < config->count + config->rest && !error; i++)
        error = prepare(made, i, config);
    if (!error)
        error = make_resolver(made, config);
    if (error) {
        fan_destroy(made);
        return error;
    }
    *fan = made;
    return 0;
}

static void empty(struct rte_ring *ring)
{
    void *packet;

    while (ring && rte_ring_dequeue(ring, &packet) == 0)
        rte_pktmbuf_free(packet);
    rte_ring_free(ring);
}

void fan_destroy(struct fan *fan)
{
    if (!fan)
        return;
    fan_resolver_destroy(fan->resolver);
    rte_pktmbuf_free_bulk(fan->held, fan->held_count);
    for (uint32_t i = 0; i < fan->count; i++) {
        empty(fan->members[i].in);
        empty(fan->members[i].out);
        if (fan->members[i].port.wake_fd >= 0)
            close(fan->members[i].port.wake_fd);
    }
    if (fan->wake_fd >= 0)
        close(fan->wake_fd);
    free(fan);
}
