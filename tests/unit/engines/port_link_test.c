/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hosts on a link that is theirs, under virtual time.
 *
 *     host 0 (10.0.0.1, fd00::1) ===== a hub that loses what a test says ===== host 1 (.2, ::2)
 *
 * Every frame is heard by the other side, whoever it is for.
 */
#include "engines/elements/arp.h"
#include "engines/elements/icmp.h"
#include "engines/elements/ipv4.h"
#include "engines/elements/ipv6.h"
#include "engines/elements/nd.h"
#include "engines/port_link.h"
#include "sched/clock.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS   2u
#define MBUFS   512u
#define QUEUE   128u
#define STEP_NS NSEC_PER_MSEC

struct end {
    struct port port;
    struct port *link;
    struct rte_mbuf *queue[QUEUE]; /* received, not taken */
    uint32_t count;
    uint32_t sent; /* frames */
    uint16_t room;
    bool deaf; /* what is sent to it is lost */
    uint8_t last[256];
    uint32_t last_bytes;
    uint32_t passed; /* frames that were the engine's */
    struct hop hop;  /* of the last answer */
    uint32_t answers;
    uint32_t destroyed;
};

static struct end ends[HOSTS];
static uint64_t now;
static uint16_t vlan;

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t time)
{
    struct end *end = (struct end *)port;
    uint16_t count = (uint16_t)RTE_MIN((uint32_t)max, end->count);

    (void)time;
    memcpy(packets, end->queue, count * sizeof(packets[0]));
    end->count -= count;
    memmove(end->queue, end->queue + count, end->count * sizeof(end->queue[0]));
    return count;
}

static void arrive(struct end *end, struct rte_mbuf *packet)
{
    if (end->deaf || end->count == QUEUE)
        rte_pktmbuf_free(packet);
    else
        end->queue[end->count++] = packet;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count,
                         uint64_t time)
{
    struct end *end = (struct end *)port;

    (void)time;
    for (uint16_t i = 0; i < count; i++) {
        end->sent++;
        end->last_bytes = RTE_MIN(rte_pktmbuf_data_len(packets[i]), (uint32_t)sizeof(end->last));
        memcpy(end->last, rte_pktmbuf_mtod(packets[i], void *), end->last_bytes);
        arrive(&ends[end == &ends[0]], packets[i]);
    }
    return count;
}

static uint16_t tx_room(struct port *port)
{
    return ((struct end *)port)->room;
}

static void destroy(struct port *port)
{
    ((struct end *)port)->destroyed++;
}

static const struct port_ops ops = {
    .driver = "hub",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
    .destroy = destroy,
};

static struct address at(const char *text)
{
    struct address address;

    ck_assert_int_eq(address_parse(&address, text), 0);
    return address;
}

static void answer(void *context, const struct hop *hop)
{
    struct end *end = context;

    end->hop = *hop;
    end->answers++;
}

static struct port_link_config config_of(uint32_t index)
{
    struct port_link_config config = {.vlan = vlan, .now = now};

    config.subnets.list[0] = (struct subnet){at(index ? "10.0.0.2" : "10.0.0.1"), 24};
    config.subnets.list[1] = (struct subnet){at(index ? "fd00::2" : "fd00::1"), 64};
    config.subnets.count = 2;
    return config;
}

static void start(void)
{
    for (uint32_t i = 0; i < HOSTS; i++) {
        struct port_link_config config = config_of(i);

        ck_assert_int_eq(port_link_create(&ends[i].link, &ends[i].port, &config), 0);
        port_link_resolver(ends[i].link)->answer = answer;
        port_link_resolver(ends[i].link)->context = &ends[i];
    }
}

static void setup(void)
{
    now = 1000 * NSEC_PER_SEC;
    for (uint32_t i = 0; i < HOSTS; i++) {
        ends[i].port = (struct port){
            .ops = &ops,
            .mtu = 1500,
            .wake_fd = (int)(70 + i),
            .mac = {{2, 0, 0, 0, 0, (uint8_t)(i + 1)}},
            .pool = test_eal_pool(i ? "one" : "zero", MBUFS),
        };
        ends[i].room = PORT_BURST;
    }
}

static void teardown(void)
{
    for (uint32_t i = 0; i < HOSTS; i++) {
        struct end *end = &ends[i];

        if (end->link)
            end->link->ops->destroy(end->link);
        ck_assert_uint_eq(end->destroyed, end->link ? 1 : 0);
        rte_pktmbuf_free_bulk(end->queue, end->count);
    }
    for (uint32_t i = 0; i < HOSTS; i++)
        ck_assert_uint_eq(rte_mempool_avail_count(ends[i].port.pool), MBUFS);
}

/* What an engine does: looks until nothing comes. */
static void look(struct end *end)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint32_t before;

    do {
        before = end->count;
        uint16_t count = end->link->ops->rx_burst(end->link, packets, PORT_BURST, now);
        end->passed += count;
        rte_pktmbuf_free_bulk(packets, count);
    } while (before > 0 || end->link->ops->deadline(end->link) <= now);
}

static void pass(uint64_t ns)
{
    uint64_t end = now + ns;

    do {
        now += RTE_MIN(STEP_NS, end - now);
        for (uint32_t round = 0; round < 3; round++)
            for (uint32_t i = 0; i < HOSTS; i++)
                look(&ends[i]);
    } while (now < end);
}

static void settle(void)
{
    start();
    pass(STEP_NS);
    for (uint32_t i = 0; i < HOSTS; i++)
        ends[i].sent = ends[i].passed = 0;
}

static void want(uint32_t index, const char *text)
{
    struct resolver *resolver = port_link_resolver(ends[index].link);
    struct address address = at(text);

    ck_assert_int_eq(resolver->ops->want(resolver, &address), 0);
}

static struct port_link_stats stats_of(uint32_t index)
{
    struct port_link_stats stats;

    port_link_stats(ends[index].link, &stats);
    return stats;
}

/* ---- Two of them ---- */

START_TEST(they_find_each_other)
{
    static const char *const texts[] = {"10.0.0.2", "fd00::2"};

    vlan = _i / 2 ? 7 : 0;
    settle();
    want(0, texts[_i % 2]);
    pass(STEP_NS);
    ck_assert_uint_eq(ends[0].answers, 1);
    ck_assert_int_eq(ends[0].hop.error, 0);
    ck_assert_uint_eq(ends[0].hop.mtu, 0);
    ck_assert(rte_is_same_ether_addr(&ends[0].hop.mac, &ends[1].port.mac));
    ck_assert_uint_eq(ends[0].sent, 1);
    ck_assert_uint_eq(ends[1].sent, 1);
    ck_assert_uint_eq(ends[0].passed + ends[1].passed, 0);
    ck_assert_uint_eq(stats_of(1).answered, 1);
    ck_assert_uint_ge(ends[1].last_bytes, RTE_ETHER_MIN_LEN);
    /* Confirmed for as long as it is wanted, each time where it is. */
    pass(100 * NSEC_PER_SEC);
    ck_assert_uint_eq(ends[0].answers, 1);
    ck_assert_uint_eq(stats_of(0).neighbours.asked, 4);
    ck_assert_uint_eq(stats_of(1).answered, 4);
    ck_assert_mem_eq(ends[0].last, &ends[1].port.mac, sizeof(ends[1].port.mac));
    ck_assert_uint_eq(stats_of(0).malformed + stats_of(1).malformed, 0);
}
END_TEST

START_TEST(silence_and_return)
{
    static const char *const texts[] = {"10.0.0.2", "fd00::2"};

    settle();
    ends[1].deaf = true;
    want(0, texts[_i]);
    pass(3100 * NSEC_PER_MSEC);
    ck_assert_uint_eq(ends[0].sent, 3);
    ck_assert_int_eq(ends[0].hop.error, -EHOSTDOWN);
    ends[1].deaf = false;
    pass(4 * NSEC_PER_SEC);
    want(0, texts[_i]); /* as the engine does while it has use for it */
    pass(STEP_NS);
    ck_assert_int_eq(ends[0].hop.error, 0);
    ends[1].deaf = true;
    pass(40 * NSEC_PER_SEC);
    ck_assert_int_eq(ends[0].hop.error, -EHOSTDOWN);
}
END_TEST

START_TEST(announcements)
{
    start();
    pass(STEP_NS);
    ck_assert_uint_eq(stats_of(0).announced, 2);
    ck_assert_uint_eq(ends[0].sent, 2);
    ck_assert_uint_eq(ends[1].passed, 0);
    pass(100 * NSEC_PER_SEC);
    ck_assert_uint_eq(ends[0].sent, 2);
    port_link_announce(ends[0].link);
    ck_assert_uint_eq(ends[0].link->ops->deadline(ends[0].link), 0);
    pass(STEP_NS);
    ck_assert_uint_eq(ends[0].sent, 4);
    ck_assert_uint_eq(ends[0].link->ops->deadline(ends[0].link), UINT64_MAX);
}
END_TEST

/* Host 1 gets another link address, and says so. */
START_TEST(a_host_that_moves)
{
    settle();
    want(0, "10.0.0.2");
    pass(2 * NSEC_PER_SEC);
    ends[1].link->mac.addr_bytes[5] = 9;
    port_link_announce(ends[1].link);
    pass(4 * NSEC_PER_SEC);
    ck_assert_uint_eq(stats_of(0).neighbours.claims, 1);
    ck_assert_uint_eq(stats_of(0).neighbours.moved, 1);
    ck_assert_uint_eq(ends[0].hop.mac.addr_bytes[5], 9);
}
END_TEST

/* ---- Frames made by hand, to host 1 ---- */

static struct rte_mbuf *make(const uint8_t *dst, uint8_t src, uint16_t tag, uint16_t type,
                             const uint8_t *bytes, uint32_t length)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(ends[0].port.pool);
    uint8_t frame[256];
    uint8_t *to = frame;

    to = mempcpy(to, dst, 6);
    to = mempcpy(to, &ends[0].port.mac, 6);
    to[-1] = src;
    if (tag)
        to = mempcpy(to, (uint8_t[]){0x81, 0, (uint8_t)(tag >> 8), (uint8_t)tag}, 4);
    to = mempcpy(to, (uint8_t[]){(uint8_t)(type >> 8), (uint8_t)type}, 2);
    to = mempcpy(to, bytes, length);
    ck_assert_ptr_nonnull(packet);
    length = (uint32_t)(to - frame);
    memcpy(rte_pktmbuf_append(packet, (uint16_t)length), frame, length);
    return packet;
}

static const uint8_t to_1[6] = {2, 0, 0, 0, 0, 2}, to_all[6] = {255, 255, 255, 255, 255, 255},
                     to_group[6] = {0x33, 0x33, 0xff, 0, 0, 2}, to_other[6] = {2, 0, 0, 0, 0, 7};

static struct arp question(const char *sender, const char *target)
{
    struct arp arp = {.operation = RTE_ARP_OP_REQUEST,
                      .sender_mac = {{2, 0, 0, 0, 0, 5}},
                      .sender = at(sender),
                      .target = at(target)};

    return arp;
}

static void give_arp(const uint8_t *dst, const struct arp *arp)
{
    uint8_t bytes[ARP_BYTES];

    arrive(&ends[1], make(dst, 5, vlan, RTE_ETHER_TYPE_ARP, bytes, arp_build(bytes, arp)));
    look(&ends[1]);
}

static void give_nd(const uint8_t *dst, const struct nd *nd)
{
    uint8_t bytes[ND_BYTES_MAX];

    arrive(&ends[1], make(dst, 5, vlan, RTE_ETHER_TYPE_IPV6, bytes, nd_build(bytes, nd)));
    look(&ends[1]);
}

START_TEST(arp_for_us_and_for_others)
{
    struct arp arp = question("10.0.0.5", "10.0.0.2"), reply;

    settle();
    give_arp(to_all, &arp);
    ck_assert_uint_eq(ends[1].sent, 1);
    ck_assert_mem_eq(ends[1].last, ((uint8_t[]){2, 0, 0, 0, 0, 5, 2, 0, 0, 0, 0, 2, 8, 6}), 14);
    ck_assert_int_eq(arp_parse(&reply, ends[1].last + 14, ends[1].last_bytes - 14), 0);
    ck_assert_uint_eq(reply.operation, RTE_ARP_OP_REPLY);
    ck_assert(address_equal(&reply.sender, &arp.target));
    ck_assert(address_equal(&reply.target, &arp.sender));
    ck_assert(rte_is_same_ether_addr(&reply.target_mac, &arp.sender_mac));
    give_arp(to_1, &arp);
    ck_assert_uint_eq(ends[1].sent, 2);
    arp = question("0.0.0.0", "10.0.0.2"); /* a probe for duplicates */
    give_arp(to_all, &arp);
    ck_assert_uint_eq(ends[1].sent, 3);
    arp = question("10.0.0.5", "10.0.0.6");
    give_arp(to_all, &arp);
    arp = question("10.0.0.5", "10.0.0.2");
    arp.operation = RTE_ARP_OP_REPLY;
    give_arp(to_1, &arp);
    ck_assert_uint_eq(ends[1].sent, 3);
    ck_assert_uint_eq(ends[1].passed, 0);
    /* For another station: the engine's, which refuses it. */
    arp = question("10.0.0.5", "10.0.0.2");
    give_arp(to_other, &arp);
    ck_assert_uint_eq(ends[1].sent, 3);
    ck_assert_uint_eq(ends[1].passed, 1);
}
END_TEST

START_TEST(nd_for_us_and_for_others)
{
    struct nd nd = {.type = ND_SOLICITATION,
                    .source = at("fd00::5"),
                    .destination = at("ff02::1:ff00:2"),
                    .target = at("fd00::2"),
                    .mac = {{2, 0, 0, 0, 0, 6}},
                    .has_mac = true};
    struct nd reply;

    settle();
    give_nd(to_group, &nd);
    ck_assert_uint_eq(ends[1].sent, 1);
    ck_assert_mem_eq(ends[1].last, nd.mac.addr_bytes, 6);
    ck_assert_int_eq(nd_parse(&reply, ends[1].last + 14, ends[1].last_bytes - 14), 0);
    ck_assert(reply.type == ND_ADVERTISEMENT && reply.solicited && reply.override);
    ck_assert(reply.has_mac && rte_is_same_ether_addr(&reply.mac, &ends[1].port.mac));
    ck_assert(address_equal(&reply.destination, &nd.source));
    ck_assert(address_equal(&reply.source, &nd.target));
    /* Without the option: to the station that sent the frame. */
    nd.has_mac = false;
    nd.destination = nd.target;
    give_nd(to_1, &nd);
    ck_assert_uint_eq(ends[1].sent, 2);
    ck_assert_uint_eq(ends[1].last[5], 5);
    /* A probe for duplicates: to all nodes. */
    nd.source = at("::");
    nd.destination = at("ff02::1:ff00:2");
    give_nd(to_group, &nd);
    ck_assert_uint_eq(ends[1].sent, 3);
    ck_assert_mem_eq(ends[1].last, ((uint8_t[]){0x33, 0x33, 0, 0, 0, 1}), 6);
    ck_assert_int_eq(nd_parse(&reply, ends[1].last + 14, ends[1].last_bytes - 14), 0);
    ck_assert(!reply.solicited && address_equal(&reply.destination, &nd_all_nodes));
    nd.source = at("fd00::5");
    nd.target = at("fd01::2"); /* of the same group */
    give_nd(to_group, &nd);
    ck_assert_uint_eq(ends[1].sent, 3);
    ck_assert_uint_eq(ends[1].passed, 0);
}
END_TEST

/* What somebody tells unasked, or for another, is not believed. */
START_TEST(forged_answers)
{
    struct arp arp = question("10.0.0.5", "10.0.0.9");
    struct nd nd = {.type = ND_ADVERTISEMENT,
                    .source = at("fd00::5"),
                    .destination = at("ff02::1"),
                    .target = at("fd00::5"),
                    .mac = {{2, 0, 0, 0, 0, 6}},
                    .has_mac = true,
                    .override = true};

    settle();
    want(1, "10.0.0.5");
    want(1, "fd00::5");
    pass(STEP_NS);
    give_arp(to_all, &arp);
    arp = question("10.0.0.5", "10.0.0.5");
    give_arp(to_all, &arp);
    arp = question("10.0.0.5", "10.0.0.2");
    arp.operation = RTE_ARP_OP_REPLY;
    give_arp(to_all, &arp);
    give_nd(to_group, &nd);
    nd.destination = at("fd00::2");
    give_nd(to_1, &nd);
    ck_assert_uint_eq(ends[1].answers, 0);
    /* Answers. */
    give_arp(to_1, &arp);
    ck_assert_uint_eq(ends[1].answers, 1);
    nd.solicited = true;
    give_nd(to_1, &nd);
    ck_assert_uint_eq(ends[1].answers, 2);
    ck_assert_uint_eq(ends[1].hop.mac.addr_bytes[5], 6);
}
END_TEST

START_TEST(a_question_tells_who_asks)
{
    struct arp arp = question("10.0.0.5", "10.0.0.2");

    settle();
    want(1, "10.0.0.5");
    pass(STEP_NS);
    give_arp(to_all, &arp);
    ck_assert_uint_eq(ends[1].answers, 1);
    ck_assert_uint_eq(ends[1].hop.mac.addr_bytes[5], 5);
}
END_TEST

START_TEST(our_addresses_are_defended)
{
    struct arp arp = question("10.0.0.2", "10.0.0.2");
    struct nd nd = {.type = ND_ADVERTISEMENT,
                    .source = at("fd00::2"),
                    .destination = at("ff02::1"),
                    .target = at("fd00::2")};

    settle();
    for (uint32_t i = 0; i < 50; i++) {
        give_arp(to_all, &arp);
        give_nd(to_group, &nd);
    }
    ck_assert_uint_eq(stats_of(1).conflicts, 100);
    ck_assert_uint_eq(ends[1].sent, 1);
    pass(11 * NSEC_PER_SEC);
    give_nd(to_group, &nd);
    ck_assert_uint_eq(ends[1].sent, 2);
    /* Our own frames, come back by a hub. */
    arp.sender_mac = ends[1].port.mac;
    give_arp(to_all, &arp);
    ck_assert_uint_eq(stats_of(1).conflicts, 101);
}
END_TEST

START_TEST(floods_are_bounded)
{
    struct arp arp = question("10.0.0.5", "10.0.0.2");

    settle();
    for (uint32_t i = 0; i < 1000; i++) {
        arp.sender.bytes[15] = (uint8_t)i;
        arp.sender.bytes[14] = (uint8_t)(1 + i / 256);
        give_arp(to_all, &arp);
    }
    ck_assert_uint_eq(ends[1].sent, 16);
    ck_assert_uint_eq(stats_of(1).limited, 984);
    ck_assert_uint_eq(ends[1].link->ops->deadline(ends[1].link), UINT64_MAX); /* nothing kept */
    now += STEP_NS;
    give_arp(to_all, &arp);
    ck_assert_uint_eq(ends[1].sent, 17);
}
END_TEST

START_TEST(no_room_and_no_buffers)
{
    static struct rte_mbuf *taken[MBUFS + 1]; /* the last one is not there */
    struct arp arp = question("10.0.0.5", "10.0.0.2");
    uint32_t count = 0;

    settle();
    ends[1].room = 0;
    give_arp(to_all, &arp);
    ck_assert_uint_eq(stats_of(1).unsent, 1);
    ends[1].room = PORT_BURST;
    while ((taken[count] = rte_pktmbuf_alloc(ends[1].port.pool)) != NULL)
        count++;
    give_arp(to_all, &arp);
    want(1, "10.0.0.5");
    pass(10 * NSEC_PER_SEC);
    ck_assert_uint_eq(stats_of(1).unsent, 5);
    ck_assert_int_eq(ends[1].hop.error, -EHOSTDOWN);
    rte_pktmbuf_free_bulk(taken, count);
}
END_TEST

/* ---- Pings ---- */

static uint32_t build_ping(uint8_t *bytes, bool v6, const char *from, const char *to)
{
    struct address source = at(from), destination = at(to);
    uint32_t header = v6 ? ipv6_build(bytes, &source, &destination, 0)
                         : ipv4_build(bytes, &source, &destination, 0);
    uint8_t *message = bytes + header;
    uint16_t sum;

    memcpy(message, ((uint8_t[]){v6 ? 128 : 8, 0, 0, 0, 1, 2, 3, 4}), 8);
    memset(message + 8, 0x5a, 56);
    bytes[v6 ? 6 : 9] = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    if (v6)
        ipv6_set_length(bytes, 64);
    else
        ipv4_set_length(bytes, 84, checksum_add(0, bytes, 20));
    sum = (uint16_t)~checksum_fold(v6 ? icmp6_sum(&source, &destination, message, 64)
                                      : checksum_add(0, message, 64));
    memcpy(message + 2, &sum, sizeof(sum));
    return header + 64;
}

static void give_ping(const uint8_t *dst, bool v6, const char *to)
{
    uint8_t bytes[128];
    uint32_t length = build_ping(bytes, v6, v6 ? "fd00::5" : "10.0.0.5", to);

    arrive(&ends[1],
           make(dst, 5, vlan, v6 ? RTE_ETHER_TYPE_IPV6 : RTE_ETHER_TYPE_IPV4, bytes, length));
    look(&ends[1]);
}

START_TEST(pings)
{
    vlan = _i ? 7 : 0;
    settle();
    for (uint32_t v6 = 0; v6 < 2; v6++) {
        give_ping(to_1, v6, v6 ? "fd00::2" : "10.0.0.2");
        ck_assert_uint_eq(ends[1].sent, v6 + 1);
        ck_assert_uint_eq(ends[1].last_bytes, 14 + (vlan ? 4 : 0) + (v6 ? 40 : 20) + 64);
        ck_assert_uint_eq(ends[1].last[5], 5);
        ck_assert_uint_eq(ends[1].last[11], 2);
        ck_assert_uint_eq(ends[1].last[14 + (vlan ? 4 : 0) + (v6 ? 40 : 20)], v6 ? 129 : 0);
    }
    /* For another address, to all, for another station. */
    give_ping(to_1, false, "10.0.0.3");
    give_ping(to_all, false, "10.0.0.2");
    give_ping(to_other, false, "10.0.0.2");
    give_ping(to_group, true, "ff02::1:ff00:2");
    ck_assert_uint_eq(ends[1].sent, 2);
    ck_assert_uint_eq(ends[1].passed, 4);
    ck_assert_uint_eq(stats_of(1).echoes, 2);
}
END_TEST

START_TEST(ping_floods_are_bounded)
{
    settle();
    for (uint32_t i = 0; i < 100; i++)
        give_ping(to_1, i % 2, i % 2 ? "fd00::2" : "10.0.0.2");
    ck_assert_uint_eq(ends[1].sent, 4);
    ck_assert_uint_eq(stats_of(1).limited, 96);
}
END_TEST

/* ---- All else ---- */

START_TEST(other_frames_are_the_engines)
{
    uint8_t bytes[64] = {0x45};

    settle();
    for (uint32_t length = 0; length < sizeof(bytes); length += 9) {
        arrive(&ends[1], make(to_1, 5, 0, RTE_ETHER_TYPE_IPV4, bytes, length));
        arrive(&ends[1], make(to_all, 5, 0, RTE_ETHER_TYPE_IPV6, bytes, length));
        arrive(&ends[1], make(to_1, 5, 0, 0x88cc, bytes, length));
    }
    struct rte_mbuf *runt = make(to_1, 5, 0, 0, bytes, 0);
    rte_pktmbuf_trim(runt, 5);
    arrive(&ends[1], runt);
    uint32_t given = ends[1].count;
    look(&ends[1]);
    ck_assert_uint_eq(ends[1].passed, given);
    ck_assert_uint_eq(ends[1].sent, 0);
}
END_TEST

START_TEST(malformed_ones_are_counted)
{
    uint8_t bytes[ND_BYTES_MAX] = {0};
    struct nd nd = {.type = ND_SOLICITATION,
                    .source = at("fd00::5"),
                    .destination = at("fd00::2"),
                    .target = at("fd00::2")};

    settle();
    arrive(&ends[1], make(to_all, 5, 0, RTE_ETHER_TYPE_ARP, bytes, ARP_BYTES));
    arrive(&ends[1], make(to_all, 5, 0, RTE_ETHER_TYPE_ARP, bytes, 0));
    nd_build(bytes, &nd);
    bytes[7] = 64; /* forwarded by a router */
    arrive(&ends[1], make(to_1, 5, 0, RTE_ETHER_TYPE_IPV6, bytes, 64));
    look(&ends[1]);
    ck_assert_uint_eq(stats_of(1).malformed, 3);
    ck_assert_uint_eq(ends[1].sent + ends[1].passed, 0);
}
END_TEST

START_TEST(other_tags_are_other_links)
{
    uint8_t bytes[ARP_BYTES];
    struct arp arp = question("10.0.0.5", "10.0.0.2");

    vlan = 7;
    settle();
    arp_build(bytes, &arp);
    arrive(&ends[1], make(to_all, 5, 0, RTE_ETHER_TYPE_ARP, bytes, sizeof(bytes)));
    arrive(&ends[1], make(to_all, 5, 8, RTE_ETHER_TYPE_ARP, bytes, sizeof(bytes)));
    look(&ends[1]);
    ck_assert_uint_eq(ends[1].passed, 2);
    ck_assert_uint_eq(ends[1].sent, 0);
    /* A priority is no other tag. */
    arrive(&ends[1], make(to_all, 5, 0xa007, RTE_ETHER_TYPE_ARP, bytes, sizeof(bytes)));
    look(&ends[1]);
    ck_assert_uint_eq(ends[1].sent, 1);
    ck_assert_mem_eq(ends[1].last + 12, ((uint8_t[]){0x81, 0, 0, 7, 8, 6}), 6);
}
END_TEST

/* In segments of any size it reads as the whole does. */
START_TEST(segments)
{
    uint8_t bytes[128];
    struct arp arp = question("10.0.0.5", "10.0.0.2");

    settle();
    arp_build(bytes, &arp);
    for (uint32_t cut = 14; cut < 14 + ARP_BYTES; cut++) {
        struct rte_mbuf *head = make(to_all, 5, 0, RTE_ETHER_TYPE_ARP, bytes, ARP_BYTES);
        struct rte_mbuf *tail = rte_pktmbuf_alloc(ends[0].port.pool);
        uint32_t rest = 14 + ARP_BYTES - cut;

        memcpy(rte_pktmbuf_append(tail, (uint16_t)rest), rte_pktmbuf_mtod_offset(head, void *, cut),
               rest);
        rte_pktmbuf_trim(head, (uint16_t)rest);
        ck_assert_int_eq(rte_pktmbuf_chain(head, tail), 0);
        now += STEP_NS;
        arrive(&ends[1], head);
        look(&ends[1]);
    }
    ck_assert_uint_eq(stats_of(1).answered, ARP_BYTES);
}
END_TEST

START_TEST(is_a_port_like_the_inner_one)
{
    struct port *link;

    start();
    link = ends[1].link;
    ck_assert_str_eq(link->ops->driver, "hub");
    ck_assert_int_eq(link->wake_fd, 71);
    ck_assert_uint_eq(link->mtu, 1500);
    ck_assert_int_eq(link->ops->arm(link), -ENOTSUP);
    link->ops->disarm(link);
    ck_assert_uint_eq(link->ops->tx_room(link), PORT_BURST);
    pass(STEP_NS);
    uint8_t bytes[64] = {0};
    struct rte_mbuf *packet = make(to_1, 5, 0, RTE_ETHER_TYPE_IPV4, bytes, sizeof(bytes));
    ck_assert_uint_eq(ends[0].link->ops->tx_burst(ends[0].link, &packet, 1, now), 1);
    pass(STEP_NS);
    ck_assert_uint_eq(ends[1].passed, 1);
    struct port_stat stats[32];
    uint32_t count = link->ops->stats(link, stats, RTE_DIM(stats));
    ck_assert_uint_eq(count, link->ops->stats(link, stats, 0));
    uint64_t announced = 0;
    for (uint32_t i = 0; i < count; i++)
        announced += strcmp(stats[i].name, "link_announced") ? 0 : stats[i].value;
    ck_assert_uint_eq(announced, 2);
}
END_TEST

START_TEST(bad_configurations)
{
    struct port_link_config config = config_of(0);
    struct port *link;

    config.vlan = 4095;
    ck_assert_int_eq(port_link_create(&link, &ends[0].port, &config), -EINVAL);
    config = config_of(0);
    config.subnets.count = 0;
    ck_assert_int_eq(port_link_create(&link, &ends[0].port, &config), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port_link");
    TCase *tcase = tcase_create("port_link");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, they_find_each_other, 0, 4);
    tcase_add_loop_test(tcase, silence_and_return, 0, 2);
    tcase_add_test(tcase, announcements);
    tcase_add_test(tcase, a_host_that_moves);
    tcase_add_test(tcase, arp_for_us_and_for_others);
    tcase_add_test(tcase, nd_for_us_and_for_others);
    tcase_add_test(tcase, forged_answers);
    tcase_add_test(tcase, a_question_tells_who_asks);
    tcase_add_test(tcase, our_addresses_are_defended);
    tcase_add_test(tcase, floods_are_bounded);
    tcase_add_test(tcase, no_room_and_no_buffers);
    tcase_add_loop_test(tcase, pings, 0, 2);
    tcase_add_test(tcase, ping_floods_are_bounded);
    tcase_add_test(tcase, other_frames_are_the_engines);
    tcase_add_test(tcase, malformed_ones_are_counted);
    tcase_add_test(tcase, other_tags_are_other_links);
    tcase_add_test(tcase, segments);
    tcase_add_test(tcase, is_a_port_like_the_inner_one);
    tcase_add_test(tcase, bad_configurations);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
