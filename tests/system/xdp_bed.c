/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/xdp_bed.h"

#include "engines/elements/linear.h"
#include "sched/clock.h"

#include <check.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#define SCRATCH_ROOM 10240u
#define FRAME_MIN    (RTE_ETHER_HDR_LEN + 48u) /* with IPv6 and UDP headers */
#define STATS_MAX    32u

struct port *bed_ports[SIDES];
struct rte_mempool *bed_scratch;
char bed_why[BED_REASON_BYTES];
static const struct reason reason = {bed_why, sizeof(bed_why)};

/* What one test wants. */
struct port_xdp_config bed_settings;
uint16_t bed_vlan;
bool bed_v6;

uint64_t bed_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

uint64_t bed_seconds(void)
{
    return bed_now() / NSEC_PER_SEC;
}

struct port_xdp_config bed_config(enum side side)
{
    static struct claim claims[SIDES][2];
    struct port_xdp_config config = bed_settings;

    for (int i = 0; i < 2; i++) {
        claims[side][i] = (struct claim){.port = BED_UDP_PORT, .protocol = IPPROTO_UDP};
        address_parse(&claims[side][i].address, i ? veth_v6[side] : veth_v4[side]);
    }
    config.name = veth_names[side];
    config.interface = veth_names[side];
    config.pool_packets = config.pool_packets ? config.pool_packets : BED_POOL;
    config.claims = claims[side];
    config.claim_count = 2;
    config.vlan = bed_vlan;
    veth_enter(side);
    return config;
}

int bed_open(enum side side)
{
    struct port_xdp_config config = bed_config(side);

    bed_why[0] = '\0';
    return port_xdp_create(&bed_ports[side], &config, &reason);
}

void bed_open_both(uint32_t queues, uint32_t mtu)
{
    veth_create(queues, mtu);
    if (bed_vlan) {
        veth_run(LEFT, "ethtool -K left rxvlan off");
        veth_run(RIGHT, "ethtool -K right rxvlan off");
    }
    for (int side = LEFT; side < SIDES; side++)
        ck_assert_msg(bed_open(side) == 0, "%s", bed_why);
}

void bed_close(enum side side)
{
    bed_ports[side]->ops->destroy(bed_ports[side]);
    bed_ports[side] = NULL;
}

/* Packets are back where they came from, or the pool would have been kept. */
void bed_close_both(void)
{
    for (int side = LEFT; side < SIDES; side++)
        bed_close(side);
    ck_assert_ptr_null(rte_mempool_lookup("left.pool"));
    ck_assert_ptr_null(rte_mempool_lookup("right.pool"));
    ck_assert_uint_eq(rte_mempool_avail_count(bed_scratch), BED_SCRATCH);
}

void bed_setup(void)
{
    bed_settings = (struct port_xdp_config){0};
    bed_vlan = 0;
    bed_v6 = false;
    bed_scratch =
        rte_pktmbuf_pool_create("scratch", BED_SCRATCH, 0, 0, SCRATCH_ROOM, SOCKET_ID_ANY);
    ck_assert_ptr_nonnull(bed_scratch);
}

uint64_t bed_stat(const struct port *port, const char *name)
{
    struct port_stat stats[STATS_MAX];
    uint32_t count = port->ops->stats(port, stats, RTE_DIM(stats));

    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(stats[i].name, name))
            return stats[i].value;
    }
    ck_abort_msg("no counter %s", name);
}

/* Lengths between the least and the largest, the ends included. */
static uint32_t length_of(const struct port *port, uint32_t number)
{
    uint32_t least = FRAME_MIN + (bed_vlan ? 4 : 0);
    uint32_t largest = RTE_ETHER_HDR_LEN + (bed_vlan ? 4 : 0) + port->mtu;
    uint32_t spread = largest - least + 1;

    if (number % 8 == 0)
        return largest;
    return number % 8 == 1 ? least : least + number * 7919u % spread;
}

void bed_headers(struct encap *encap, enum side to, uint16_t port, uint16_t tag)
{
    struct encap_config config = {
        .src_port = 1234,
        .dst_port = port,
        .vlan = tag,
    };

    config.src_mac = bed_ports[!to] ? bed_ports[!to]->mac : bed_ports[to]->mac;
    config.dst_mac = bed_ports[to]->mac;
    address_parse(&config.src, bed_v6 ? veth_v6[!to] : veth_v4[!to]);
    address_parse(&config.dst, bed_v6 ? veth_v6[to] : veth_v4[to]);
    ck_assert_int_eq(encap_build(encap, &config), 0);
}

/* The frame with this number, for that side. */
struct rte_mbuf *bed_frame(struct rte_mempool *pool, enum side to, uint32_t number)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(pool);
    struct encap encap;
    uint32_t length;
    uint8_t *bytes;

    ck_assert_ptr_nonnull(packet);
    bed_headers(&encap, to, BED_UDP_PORT, bed_vlan);
    length = length_of(bed_ports[to], number) - encap.length;
    bytes = (uint8_t *)rte_pktmbuf_append(packet, (uint16_t)length);
    ck_assert_ptr_nonnull(bytes);
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
    ck_assert_int_eq(encap_apply(&encap, packet), 0);
    return packet;
}

static void check_frame(struct rte_mbuf *packet, enum side at, uint32_t number)
{
    struct rte_mbuf *wanted = bed_frame(bed_scratch, at, number);
    struct packet_meta meta;

    ck_assert_uint_eq(rte_pktmbuf_pkt_len(packet), rte_pktmbuf_pkt_len(wanted));
    ck_assert_int_eq(linear_step(packet, &meta), REFUSAL_NONE);
    ck_assert_mem_eq(rte_pktmbuf_mtod(packet, const void *), rte_pktmbuf_mtod(wanted, const void *),
                     rte_pktmbuf_pkt_len(wanted));
    rte_pktmbuf_free(wanted);
    rte_pktmbuf_free(packet);
}

/* Receives what is there, up to `until`; returns the next number. */
uint32_t bed_receive(enum side at, uint32_t next, uint32_t until)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t max = (uint16_t)RTE_MIN(until - next, PORT_BURST);
    uint16_t count = bed_ports[at]->ops->rx_burst(bed_ports[at], packets, max, bed_now());

    for (uint16_t i = 0; i < count; i++)
        check_frame(packets[i], at, next + i);
    return next + count;
}

/* Receives all of them, in order. */
void bed_receive_all(enum side at, uint32_t first, uint32_t until)
{
    uint64_t end = bed_seconds() + BED_PATIENCE_S;

    while (first < until) {
        first = bed_receive(at, first, until);
        ck_assert_msg(bed_seconds() < end, "frame %u of %u never came", first, until);
    }
}

/* Sends one, which has to be taken in time. */
void bed_send(enum side from, struct rte_mbuf *packet)
{
    struct port *port = bed_ports[from];
    uint64_t end = bed_seconds() + BED_PATIENCE_S;

    while (port->ops->tx_room(port) == 0)
        ck_assert_msg(bed_seconds() < end, "no room to send");
    ck_assert_uint_eq(port->ops->tx_burst(port, &packet, 1, bed_now()), 1);
}

void bed_exchange(enum side from, uint32_t shots)
{
    struct port *port = bed_ports[from];
    uint32_t sent = 0, received = 0;
    uint64_t end = bed_seconds() + BED_PATIENCE_S;

    while (received < shots) {
        struct rte_mbuf *packets[PORT_BURST];
        uint16_t count = (uint16_t)RTE_MIN(shots - sent, PORT_BURST);

        count = RTE_MIN(count, port->ops->tx_room(port));
        for (uint16_t i = 0; i < count; i++)
            packets[i] = bed_frame(port->pool, !from, sent + i);
        ck_assert_uint_eq(port->ops->tx_burst(port, packets, count, bed_now()), count);
        sent += count;
        bed_receive(from, 0, 0);
        received = bed_receive(!from, received, shots);
        ck_assert_msg(bed_seconds() < end, "frame %u of %u never came", received, shots);
    }
}

void bed_exchange_all(void)
{
    for (int family = 0; family < 2; family++) {
        bed_v6 = family;
        bed_exchange(LEFT, BED_SHOTS);
        bed_exchange(RIGHT, BED_SHOTS);
    }
}
