/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A fan over a port that a test fills and empties by hand. */
#include "engines/elements/encap.h"
#include "engines/pony/wire.h"
#include "engines/steer/fan.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/elements/frame.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMBERS 3u
#define RING    16u
#define HOLDS   (RING - 1)
#define PACKETS 512u
#define FIRST   WIRE_UDP_PORT

static struct {
    struct port port;
    struct rte_mbuf *in[PACKETS];
    uint32_t in_count;
    struct rte_mbuf *out[PACKETS];
    uint32_t out_count;
    uint16_t room;  /* what it says that it takes */
    uint16_t takes; /* what it takes */
} real;
static struct fan *fan;

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    uint16_t count = (uint16_t)RTE_MIN(max, real.in_count);

    (void)port;
    (void)now;
    memcpy(packets, real.in, count * sizeof(packets[0]));
    real.in_count -= count;
    memmove(real.in, real.in + count, real.in_count * sizeof(real.in[0]));
    return count;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    uint16_t taken = RTE_MIN(count, real.takes);

    (void)port;
    (void)now;
    memcpy(real.out + real.out_count, packets, taken * sizeof(packets[0]));
    real.out_count += taken;
    real.room -= RTE_MIN(taken, real.room);
    real.takes -= taken;
    return taken;
}

static uint16_t tx_room(struct port *port)
{
    (void)port;
    return real.room;
}

static const struct port_ops real_ops = {
    .driver = "test",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
};

static void setup(void)
{
    struct fan_config config = {
        .port = &real.port,
        .udp_ports = {FIRST, FIRST + 1, FIRST + 7},
        .count = MEMBERS,
        .ring_packets = RING,
    };

    memset(&real, 0, sizeof(real));
    real.port.ops = &real_ops;
    real.port.mtu = 1500;
    real.port.wake_fd = -1;
    real.port.pool = test_eal_pool("fan", PACKETS);
    real.room = real.takes = UINT16_MAX;
    strcpy(real.port.name, "real");
    ck_assert_int_eq(fan_create(&fan, &config), 0);
}

static void free_out(void)
{
    rte_pktmbuf_free_bulk(real.out, real.out_count);
    real.out_count = 0;
}

static void teardown(void)
{
    free_out();
    rte_pktmbuf_free_bulk(real.in, real.in_count);
    fan_destroy(fan);
    ck_assert_uint_eq(rte_mempool_avail_count(real.port.pool), PACKETS);
    rte_mempool_free(real.port.pool);
}

/* A packet whose payload begins with a byte and says its number. */
static struct rte_mbuf *make(uint16_t udp_port, uint8_t type, uint16_t vlan, const char *address,
                             uint16_t number)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(real.port.pool);
    struct encap_config config = {.dst_port = udp_port, .src_port = 50000, .vlan = vlan};
    struct encap encap;
    uint8_t *payload;

    ck_assert_ptr_nonnull(packet);
    ck_assert_int_eq(address_parse(&config.src, address), 0);
    config.dst = config.src;
    ck_assert_int_eq(encap_build(&encap, &config), 0);
    payload = (uint8_t *)rte_pktmbuf_append(packet, WIRE_FLOW_BYTES);
    ck_assert_ptr_nonnull(payload);
    memset(payload, 0, WIRE_FLOW_BYTES);
    payload[0] = (uint8_t)(1 << 4 | type);
    memcpy(payload + 1, &number, sizeof(number));
    ck_assert_int_eq(encap_apply(&encap, packet), 0);
    return packet;
}

static uint16_t number_of(const struct rte_mbuf *packet)
{
    uint16_t number;

    memcpy(&number,
           rte_pktmbuf_mtod_offset(packet, const uint8_t *,
                                   rte_pktmbuf_pkt_len(packet) - WIRE_FLOW_BYTES + 1),
           sizeof(number));
    return number;
}

static void arrives(struct rte_mbuf *packet)
{
    real.in[real.in_count++] = packet;
}

static void receive_all(void)
{
    while (fan_receive(fan, 0) > 0)
        ;
}

/* How many packets wait for a member; their numbers go up from `first`. */
static uint16_t take(uint32_t index, uint16_t first)
{
    struct port *port = fan_member(fan, index);
    struct rte_mbuf *packets[2 * RING];
    uint16_t count = port->ops->rx_burst(port, packets, 2 * RING, 0);

    for (uint16_t i = 0; i < count; i++)
        ck_assert_uint_eq(number_of(packets[i]), first + i);
    rte_pktmbuf_free_bulk(packets, count);
    return count;
}

static uint16_t give(uint32_t index, uint16_t count)
{
    struct port *port = fan_member(fan, index);
    struct rte_mbuf *packets[2 * RING];
    uint16_t sent;

    for (uint16_t i = 0; i < count; i++)
        packets[i] = make(FIRST, WIRE_DATA, 0, "10.0.0.1", (uint16_t)(index * 100 + i));
    sent = port->ops->tx_burst(port, packets, count, 0);
    rte_pktmbuf_free_bulk(packets + sent, count - sent);
    return sent;
}

START_TEST(packets_are_sorted_by_their_port)
{
    static const struct {
        uint16_t vlan;
        const char *address;
    } kinds[] = {{0, "10.0.0.1"}, {100, "10.0.0.1"}, {0, "fd00::1"}, {7, "fd00::1"}};

    for (uint16_t i = 0; i < 12; i++) {
        arrives(make(FIRST, WIRE_DATA, kinds[i % 4].vlan, kinds[i % 4].address, i));
        arrives(make(FIRST + 7, WIRE_HELLO, kinds[i % 4].vlan, kinds[i % 4].address, i));
    }
    arrives(make(FIRST + 1, WIRE_ACK, 0, "10.0.0.1", 0));
    receive_all();
    ck_assert_uint_eq(take(0, 0), 12);
    ck_assert_uint_eq(take(1, 0), 1);
    ck_assert_uint_eq(take(2, 0), 12);
    ck_assert_uint_eq(fan_stats(fan)->rx_packets, 25);
    ck_assert_uint_eq(fan_stats(fan)->rx_strays, 0);
}
END_TEST

/* Nobody's: another port, no UDP, and frames that end anywhere. */
START_TEST(strays_are_dropped)
{
    uint32_t strays = 0;

    arrives(make(FIRST + 2, WIRE_DATA, 0, "10.0.0.1", 0));
    arrives(make(FIRST - 1, WIRE_DATA, 0, "10.0.0.1", 0));
    strays += 2;
    for (uint32_t i = 0; i < FRAMES; i++) {
        for (uint32_t length = 0; length < frames[i].length; length += 3) {
            arrives(frame_exact(real.port.pool, frames[i].bytes, length));
            strays++;
            receive_all();
        }
    }
    receive_all();
    ck_assert_uint_eq(fan_stats(fan)->rx_strays, strays);
    for (uint32_t i = 0; i < MEMBERS; i++)
        ck_assert_uint_eq(take(i, 0), 0);
}
END_TEST

/* Headers may lie in any number of segments. */
START_TEST(chains_are_read)
{
    struct rte_mbuf *whole = make(FIRST + 1, WIRE_DATA, 0, "10.0.0.1", 0);
    struct rte_mbuf *chain = frame_chain(real.port.pool, rte_pktmbuf_mtod(whole, const void *),
                                         rte_pktmbuf_pkt_len(whole), 5);
    struct port *port = fan_member(fan, 1);
    struct rte_mbuf *got = NULL;

    rte_pktmbuf_free(whole);
    arrives(chain);
    receive_all();
    ck_assert_uint_eq(port->ops->rx_burst(port, &got, 1, 0), 1);
    ck_assert_ptr_eq(got, chain);
    rte_pktmbuf_free(got);
}
END_TEST

START_TEST(a_reset_is_for_all)
{
    arrives(make(FIRST, WIRE_RESET, 0, "10.0.0.1", 0));
    arrives(make(FIRST + 1, WIRE_RESET, 0, "10.0.0.1", 1));
    receive_all();
    ck_assert_uint_eq(take(0, 0), 1);
    ck_assert_uint_eq(take(1, 0), 2);
    ck_assert_uint_eq(take(2, 0), 1);
    ck_assert_uint_eq(fan_stats(fan)->rx_for_all, 2);
}
END_TEST

START_TEST(without_memory_only_the_first_has_it)
{
    struct rte_mbuf *all[PACKETS];
    uint32_t count = 0;

    arrives(make(FIRST, WIRE_RESET, 0, "10.0.0.1", 0));
    while ((all[count] = rte_pktmbuf_alloc(real.port.pool)) != NULL)
        count++;
    receive_all();
    rte_pktmbuf_free_bulk(all, count);
    ck_assert_uint_eq(take(0, 0), 1);
    ck_assert_uint_eq(take(1, 0), 0);
    ck_assert_uint_eq(fan_stats(fan)->rx_no_copy, 2);
}
END_TEST

/* Whoever does not keep up loses his own packets. */
START_TEST(a_full_member_loses_its_own)
{
    for (uint16_t i = 0; i < HOLDS + 5; i++)
        arrives(make(FIRST, WIRE_DATA, 0, "10.0.0.1", i));
    for (uint16_t i = 0; i < 3; i++)
        arrives(make(FIRST + 1, WIRE_DATA, 0, "10.0.0.1", i));
    receive_all();
    ck_assert_uint_eq(fan_stats(fan)->rx_full, 5);
    ck_assert_uint_eq(take(0, 0), HOLDS);
    ck_assert_uint_eq(take(1, 0), 3);
}
END_TEST

/* Of what a member was told that there is room for, nothing is lost, and it leaves in order. */
START_TEST(members_are_held_up_not_robbed)
{
    struct port *port = fan_member(fan, 1);

    real.room = real.takes = 0;
    ck_assert_uint_eq(port->ops->tx_room(port), HOLDS);
    ck_assert_uint_eq(give(1, RING), HOLDS);
    ck_assert_uint_eq(port->ops->tx_room(port), 0);
    ck_assert_uint_eq(fan_send(fan, 0), 0);
    ck_assert(fan_pending(fan));
    real.room = real.takes = 4;
    ck_assert_uint_eq(fan_send(fan, 0), 4);
    ck_assert_uint_eq(port->ops->tx_room(port), 4);
    real.room = real.takes = UINT16_MAX;
    while (fan_send(fan, 0) > 0)
        ;
    ck_assert(!fan_pending(fan));
    ck_assert_uint_eq(real.out_count, HOLDS);
    for (uint16_t i = 0; i < HOLDS; i++)
        ck_assert_uint_eq(number_of(real.out[i]), 100 + i);
    ck_assert_uint_eq(fan_stats(fan)->tx_packets, HOLDS);
}
END_TEST

/* A port that takes less than it has said. */
START_TEST(a_broken_word_costs_nothing)
{
    give(0, 8);
    give(2, 8);
    real.takes = 3;
    ck_assert_uint_eq(fan_send(fan, 0), 3);
    ck_assert_uint_eq(fan_stats(fan)->tx_deferred, 5);
    ck_assert_uint_eq(fan_send(fan, 0), 0);
    ck_assert(fan_pending(fan));
    real.takes = UINT16_MAX;
    while (fan_send(fan, 0) > 0)
        ;
    ck_assert_uint_eq(real.out_count, 16);
    for (uint16_t i = 0; i < 16; i++)
        ck_assert_uint_eq(number_of(real.out[i]), i < 8 ? i : 200 + i - 8);
}
END_TEST

/* What is held back when the fan ends is freed with it: teardown counts. */
START_TEST(an_end_leaves_nothing)
{
    give(0, 8);
    real.takes = 3;
    fan_send(fan, 0);
    give(1, 2);
    arrives(make(FIRST, WIRE_DATA, 0, "10.0.0.1", 0));
    receive_all();
    ck_assert(fan_pending(fan));
}
END_TEST

/* Nobody waits for another one's backlog: each turn takes one burst of everybody. */
START_TEST(members_take_turns)
{
    uint32_t of[MEMBERS] = {0};

    for (uint32_t round = 0; round < 12; round++) {
        for (uint32_t i = 0; i < MEMBERS; i++)
            give(i, HOLDS);
        real.room = real.takes = 5;
        ck_assert_uint_eq(fan_send(fan, 0), 5);
        for (uint32_t i = 0; i < real.out_count; i++)
            of[number_of(real.out[i]) / 100]++;
        free_out();
    }
    for (uint32_t i = 0; i < MEMBERS; i++)
        ck_assert_uint_eq(of[i], 20);
}
END_TEST

static bool rung(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    uint64_t count;

    if (poll(&wait, 1, 0) != 1)
        return false;
    ck_assert_int_eq(read(fd, &count, sizeof(count)), sizeof(count));
    ck_assert_uint_eq(count, 1);
    return true;
}

START_TEST(sleepers_are_woken)
{
    struct port *port = fan_member(fan, 1);

    ck_assert_int_eq(port->ops->arm(port), 0);
    arrives(make(FIRST, WIRE_DATA, 0, "10.0.0.1", 0));
    receive_all();
    ck_assert(!rung(port->wake_fd));
    arrives(make(FIRST + 1, WIRE_DATA, 0, "10.0.0.1", 0));
    arrives(make(FIRST + 1, WIRE_DATA, 0, "10.0.0.1", 1));
    receive_all();
    ck_assert(rung(port->wake_fd));
    ck_assert_int_eq(port->ops->arm(port), 1);
    take(1, 0);
    arrives(make(FIRST + 1, WIRE_DATA, 0, "10.0.0.1", 0));
    receive_all();
    ck_assert(!rung(port->wake_fd));

    ck_assert(fan_arm(fan));
    give(2, 3);
    ck_assert(rung(fan_wake_fd(fan)));
    give(2, 1);
    ck_assert(!rung(fan_wake_fd(fan)));
    ck_assert(!fan_arm(fan));
    give(1, 1);
    ck_assert(!rung(fan_wake_fd(fan)));
}
END_TEST

static struct address wanted_below;
static struct hop heard;

static int below_want(struct resolver *resolver, const struct address *address)
{
    (void)resolver;
    wanted_below = *address;
    return 0;
}

static void below_drop(struct resolver *resolver, const struct address *address)
{
    (void)resolver;
    ck_assert(address_equal(address, &wanted_below));
    memset(&wanted_below, 0, sizeof(wanted_below));
}

static void hear(void *context, const struct hop *hop)
{
    (void)context;
    heard = *hop;
}

/* Wishes and answers count as work, keep either side awake, and are handed over as it receives. */
START_TEST(members_find_hosts)
{
    static const struct resolver_ops below_ops = {.want = below_want, .drop = below_drop};
    struct resolver below = {.ops = &below_ops}, *face;
    struct fan_config config = {
        .port = &real.port,
        .udp_ports = {FIRST, FIRST + 1},
        .count = 2,
        .ring_packets = RING,
        .resolver = &below,
        .hops_max = 4,
    };
    struct hop hop = {.mac = {{2, 0, 0, 0, 0, 9}}};
    struct rte_mbuf *packet;
    struct port *port;

    ck_assert_ptr_null(fan_member_resolver(fan, 1));
    fan_destroy(fan);
    ck_assert_int_eq(fan_create(&fan, &config), 0);
    port = fan_member(fan, 1);
    face = fan_member_resolver(fan, 1);
    face->answer = hear;
    ck_assert_int_eq(address_parse(&hop.address, "10.0.0.7"), 0);

    ck_assert(fan_arm(fan));
    ck_assert_int_eq(face->ops->want(face, &hop.address), 0);
    ck_assert(rung(fan_wake_fd(fan)));
    ck_assert(!fan_arm(fan));
    ck_assert_uint_eq(fan_receive(fan, 0), 1);
    ck_assert(address_equal(&wanted_below, &hop.address));
    ck_assert(fan_arm(fan));

    ck_assert_int_eq(port->ops->arm(port), 0);
    below.answer(below.context, &hop);
    ck_assert(fan_pending(fan));
    ck_assert_uint_eq(fan_receive(fan, 0), 1);
    ck_assert(rung(port->wake_fd));
    ck_assert_int_eq(port->ops->arm(port), 1);
    ck_assert_uint_eq(port->ops->rx_burst(port, &packet, 1, 0), 0);
    ck_assert(rte_is_same_ether_addr(&heard.mac, &hop.mac));
    ck_assert_int_eq(port->ops->arm(port), 0);

    face->ops->drop(face, &hop.address);
    ck_assert_uint_eq(fan_receive(fan, 0), 1);
    ck_assert(!address_equal(&wanted_below, &hop.address));
}
END_TEST

/* ---- The rest ---- */

#define ADDRESS "10.0.0.1"
#define VLAN    7

static void make_rest(void)
{
    struct fan_config config = {
        .port = &real.port,
        .udp_ports = {FIRST, FIRST + 1},
        .count = 2,
        .ring_packets = RING,
        .rest = true,
        .address_count = 2,
        .vlan = VLAN,
    };

    fan_destroy(fan);
    ck_assert_int_eq(address_parse(&config.addresses[0], ADDRESS), 0);
    ck_assert_int_eq(address_parse(&config.addresses[1], "fd00::1"), 0);
    ck_assert_int_eq(fan_create(&fan, &config), 0);
}

static uint16_t take_rest(void)
{
    struct port *port = fan_rest(fan);
    struct rte_mbuf *packets[PACKETS];
    uint16_t count = port->ops->rx_burst(port, packets, RING, 0);

    rte_pktmbuf_free_bulk(packets, count);
    return count;
}

START_TEST(without_a_rest_there_is_none)
{
    ck_assert_ptr_null(fan_rest(fan));
}
END_TEST

START_TEST(the_rest_gets_what_is_no_members)
{
    uint32_t strays = 0;

    make_rest();
    arrives(make(FIRST, WIRE_DATA, VLAN, ADDRESS, 0));
    arrives(make(FIRST, WIRE_DATA, VLAN, "fd00::1", 1));
    /* Another port, address, VLAN, or none. */
    arrives(make(FIRST + 2, WIRE_DATA, VLAN, ADDRESS, 0));
    arrives(make(FIRST, WIRE_DATA, VLAN, "10.0.0.2", 0));
    arrives(make(FIRST, WIRE_DATA, VLAN, "fd00::2", 0));
    arrives(make(FIRST, WIRE_DATA, VLAN + 1, ADDRESS, 0));
    arrives(make(FIRST, WIRE_DATA, 0, ADDRESS, 0));
    receive_all();
    ck_assert_uint_eq(take_rest(), 5);
    ck_assert_uint_eq(take(0, 0), 2);
    for (uint32_t i = 0; i < FRAMES; i++) {
        for (uint32_t length = 1; length <= frames[i].length; length++, strays++) {
            arrives(frame_exact(real.port.pool, frames[i].bytes, length));
            receive_all();
            ck_assert_uint_eq(take_rest(), 1);
        }
    }
    ck_assert_uint_eq(fan_stats(fan)->rx_rest, 5 + strays);
    ck_assert_uint_eq(fan_stats(fan)->rx_strays, 0);
    ck_assert_uint_eq(take(0, 0) + take(1, 0), 0);
}
END_TEST

/* Behind a second tag, or as a part of a datagram, it is the kernel's, whatever it looks like. */
START_TEST(fragments_and_stacked_tags_are_the_rests)
{
    const uint16_t fragment_at = RTE_ETHER_HDR_LEN + sizeof(struct rte_vlan_hdr) +
                                 offsetof(struct rte_ipv4_hdr, fragment_offset);
    struct rte_mbuf *packet;

    make_rest();
    for (uint32_t i = 0; i < 2; i++) {
        rte_be16_t field = rte_cpu_to_be_16(i ? RTE_IPV4_HDR_MF_FLAG : 185);

        packet = make(FIRST, WIRE_DATA, VLAN, ADDRESS, 0);
        memcpy(rte_pktmbuf_mtod_offset(packet, void *, fragment_at), &field, sizeof(field));
        arrives(packet);
    }
    packet = make(FIRST, WIRE_DATA, VLAN, ADDRESS, 0);
    ck_assert_int_eq(rte_vlan_insert(&packet), 0);
    arrives(packet);
    receive_all();
    ck_assert_uint_eq(take_rest(), 3);
    ck_assert_uint_eq(take(0, 0), 0);
}
END_TEST

/* A RESET is for the members alone; what the rest does not take in time it loses. */
START_TEST(the_rest_is_one_among_others)
{
    struct rte_mbuf *packets[2];
    struct port *rest;

    make_rest();
    rest = fan_rest(fan);
    arrives(make(FIRST, WIRE_RESET, VLAN, ADDRESS, 0));
    receive_all();
    ck_assert_uint_eq(take(0, 0) + take(1, 0), 2);
    ck_assert_uint_eq(take_rest(), 0);
    for (uint16_t i = 0; i < HOLDS + 4; i++)
        arrives(make(9, WIRE_DATA, 0, ADDRESS, i));
    receive_all();
    ck_assert_uint_eq(fan_stats(fan)->rx_full, 4);
    ck_assert_uint_eq(take_rest(), HOLDS);
    /* It sends in its turn, and wakes whoever has the port. */
    ck_assert(fan_arm(fan));
    for (uint16_t i = 0; i < 2; i++)
        packets[i] = make(9, WIRE_DATA, 0, ADDRESS, i);
    ck_assert_uint_eq(rest->ops->tx_burst(rest, packets, 2, 0), 2);
    ck_assert(rung(fan_wake_fd(fan)));
    give(0, 1);
    ck_assert_uint_eq(fan_send(fan, 0), 3);
}
END_TEST

/* Ports whose names begin alike. */
START_TEST(fans_have_rings_of_their_own)
{
    struct fan_config config = {.port = &real.port, .udp_ports = {FIRST}, .count = 1};
    struct fan *second, *third;

    strcpy(real.port.name, "the-name-of-this-port-is-a");
    ck_assert_int_eq(fan_create(&second, &config), 0);
    strcpy(real.port.name, "the-name-of-this-port-is-b");
    ck_assert_int_eq(fan_create(&third, &config), 0);
    fan_destroy(second);
    fan_destroy(third);
}
END_TEST

START_TEST(bad_configurations_are_refused)
{
    struct fan_config config = {.port = &real.port, .udp_ports = {1, 2, 1}, .ring_packets = RING};
    struct fan *none = NULL;

    ck_assert_int_eq(fan_create(&none, &config), -EINVAL);
    config.count = FAN_MEMBERS_MAX + 1;
    ck_assert_int_eq(fan_create(&none, &config), -EINVAL);
    config.count = 3;
    ck_assert_int_eq(fan_create(&none, &config), -EINVAL);
    config.udp_ports[2] = 3;
    config.address_count = FAN_ADDRESSES_MAX + 1;
    ck_assert_int_eq(fan_create(&none, &config), -EINVAL);
    config.address_count = 0;
    config.ring_packets = 3;
    ck_assert_int_lt(fan_create(&none, &config), 0);
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fan");
    TCase *tc = tcase_create("fan");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, packets_are_sorted_by_their_port);
    tcase_add_test(tc, strays_are_dropped);
    tcase_add_test(tc, chains_are_read);
    tcase_add_test(tc, a_reset_is_for_all);
    tcase_add_test(tc, without_memory_only_the_first_has_it);
    tcase_add_test(tc, a_full_member_loses_its_own);
    tcase_add_test(tc, members_are_held_up_not_robbed);
    tcase_add_test(tc, a_broken_word_costs_nothing);
    tcase_add_test(tc, an_end_leaves_nothing);
    tcase_add_test(tc, members_take_turns);
    tcase_add_test(tc, sleepers_are_woken);
    tcase_add_test(tc, without_a_rest_there_is_none);
    tcase_add_test(tc, the_rest_gets_what_is_no_members);
    tcase_add_test(tc, fragments_and_stacked_tags_are_the_rests);
    tcase_add_test(tc, the_rest_is_one_among_others);
    tcase_add_test(tc, fans_have_rings_of_their_own);
    tcase_add_test(tc, bad_configurations_are_refused);
    tcase_add_test(tc, members_find_hosts);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
