/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/port_ring.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <rte_ring.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING      64u
#define HOLDS     (RING - 1)
#define EXCHANGES 3000u

static struct port *a;
static struct port *b;
/* Packets are numbered, each way. */
static uint16_t next_from_a, next_from_b, next_at_a, next_at_b;

static const struct port_ring_config small = {
    .name = {"left", "right"},
    .mtu = 1500,
    .ring_packets = RING,
    .pool_packets = 255,
};

static void setup(void)
{
    ck_assert_int_eq(port_ring_create(&a, &b, &small), 0);
}

static void destroy(void)
{
    a->ops->destroy(a);
    b->ops->destroy(b);
}

/* Nothing is left behind, so it can be made again. */
static void teardown(void)
{
    destroy();
    ck_assert_ptr_null(rte_mempool_lookup("left.pool"));
    ck_assert_ptr_null(rte_mempool_lookup("right.pool"));
    ck_assert_ptr_null(rte_ring_lookup("left.in"));
    ck_assert_ptr_null(rte_ring_lookup("right.in"));
}

static uint16_t send(struct port *port, uint16_t count)
{
    struct rte_mbuf *packets[RING * 2];
    uint16_t *next = port == a ? &next_from_a : &next_from_b;
    uint16_t sent;

    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(port->pool, packets, count), 0);
    for (uint16_t i = 0; i < count; i++)
        *(uint16_t *)(void *)rte_pktmbuf_append(packets[i], sizeof(i)) = (uint16_t)(*next + i);
    sent = port->ops->tx_burst(port, packets, count, 0);
    *next = (uint16_t)(*next + sent);
    rte_pktmbuf_free_bulk(packets + sent, (unsigned int)(count - sent));
    return sent;
}

/* Receives all that is there, in order; returns how many. */
static uint16_t receive(struct port *port)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t *next = port == a ? &next_at_a : &next_at_b;
    uint16_t total = 0;
    uint16_t count;

    while ((count = port->ops->rx_burst(port, packets, PORT_BURST, 0)) > 0) {
        for (uint16_t i = 0; i < count; i++)
            ck_assert_uint_eq(*rte_pktmbuf_mtod(packets[i], const uint16_t *), (*next)++);
        rte_pktmbuf_free_bulk(packets, count);
        total = (uint16_t)(total + count);
    }
    return total;
}

static bool rung(const struct port *port)
{
    struct pollfd poll_fd = {.fd = port->wake_fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

START_TEST(describes_itself)
{
    ck_assert_str_eq(a->ops->driver, "net_ring");
    ck_assert_str_eq(a->name, "left");
    ck_assert_str_eq(b->name, "right");
    ck_assert_uint_eq(a->mtu, 1500);
    ck_assert_int_ge(a->wake_fd, 0);
    ck_assert_uint_ne(a->mac.addr_bytes[5], b->mac.addr_bytes[5]);
    /* One segment holds a whole packet and every header before it. */
    ck_assert_uint_ge(rte_pktmbuf_data_room_size(a->pool), RTE_PKTMBUF_HEADROOM + 1500 + 22);
}
END_TEST

START_TEST(carries_both_ways)
{
    ck_assert_uint_eq(send(a, 30), 30);
    ck_assert_uint_eq(send(b, 20), 20);
    ck_assert_uint_eq(receive(a), 20);
    ck_assert_uint_eq(receive(b), 30);
    ck_assert_uint_eq(receive(a), 0);
}
END_TEST

START_TEST(tells_its_room)
{
    ck_assert_uint_eq(a->ops->tx_room(a), HOLDS);
    ck_assert_uint_eq(send(a, 40), 40);
    ck_assert_uint_eq(a->ops->tx_room(a), HOLDS - 40);
    ck_assert_uint_eq(b->ops->tx_room(b), HOLDS);
    ck_assert_uint_eq(send(a, 40), HOLDS - 40);
    ck_assert_uint_eq(a->ops->tx_room(a), 0);
    ck_assert_uint_eq(send(a, 1), 0);
    ck_assert_uint_eq(receive(b), HOLDS);
}
END_TEST

START_TEST(frees_what_is_on_the_wire)
{
    ck_assert_uint_eq(send(a, 10), 10);
    ck_assert_uint_eq(send(b, 10), 10);
}
END_TEST

/* One ring of the bell for a burst to a sleeper, none otherwise. */
START_TEST(rings_a_sleeper)
{
    ck_assert_uint_eq(send(a, 5), 5);
    ck_assert(!rung(b));
    ck_assert_int_eq(b->ops->arm(b), 1); /* packets wait */
    ck_assert_uint_eq(receive(b), 5);
    ck_assert_uint_eq(send(a, 1), 1);
    ck_assert(!rung(b)); /* arming had been taken back */
    receive(b);
    ck_assert_int_eq(b->ops->arm(b), 0);
    ck_assert_uint_eq(port_ring_kicks(a), 0);
    ck_assert_uint_eq(send(a, 3), 3);
    ck_assert(rung(b));
    ck_assert(!rung(a));
    ck_assert_uint_eq(port_ring_kicks(a), 1);
    ck_assert_uint_eq(send(a, 3), 3);
    ck_assert_uint_eq(port_ring_kicks(a), 1);
}
END_TEST

START_TEST(disarms)
{
    ck_assert_int_eq(b->ops->arm(b), 0);
    b->ops->disarm(b);
    ck_assert_uint_eq(send(a, 3), 3);
    ck_assert(!rung(b));
}
END_TEST

/* Sleeps until the bell, never a fixed time: a lost wake-up hangs, and the runner ends it. */
static void sleep_on(struct port *port)
{
    struct pollfd poll_fd = {.fd = port->wake_fd, .events = POLLIN};
    uint64_t count;

    if (port->ops->arm(port) == 0) {
        poll(&poll_fd, 1, -1);
        port->ops->disarm(port);
    }
    /* What an engine's edge-triggered epoll does by itself. */
    if (read(port->wake_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        abort();
}

static void *echo(void *arg)
{
    struct port *port = arg;

    for (uint32_t done = 0; done < EXCHANGES;) {
        struct rte_mbuf *packet;

        if (port->ops->rx_burst(port, &packet, 1, 0) == 0) {
            sleep_on(port);
            continue;
        }
        while (port->ops->tx_burst(port, &packet, 1, 0) == 0)
            ;
        done++;
    }
    return NULL;
}

START_TEST(never_loses_a_wake_up)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, echo, b), 0);
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        struct rte_mbuf *packet = rte_pktmbuf_alloc(a->pool);

        ck_assert_uint_eq(a->ops->tx_burst(a, &packet, 1, 0), 1);
        while (a->ops->rx_burst(a, &packet, 1, 0) == 0)
            sleep_on(a);
        rte_pktmbuf_free(packet);
    }
    pthread_join(thread, NULL);
}
END_TEST

START_TEST(names_are_taken)
{
    struct port *c = NULL;
    struct port *d = NULL;

    ck_assert_int_eq(port_ring_create(&c, &d, &small), -EEXIST);
    ck_assert_ptr_null(c);
    ck_assert_uint_eq(send(a, 5), 5); /* the first wire is unharmed */
    ck_assert_uint_eq(receive(b), 5);
}
END_TEST

START_TEST(bad_configurations)
{
    struct port_ring_config config = small;
    struct port *c;
    struct port *d;

    config.name[0] = NULL;
    ck_assert_int_eq(port_ring_create(&c, &d, &config), -EINVAL);
    config.name[0] = "";
    ck_assert_int_eq(port_ring_create(&c, &d, &config), -EINVAL);
    config.name[0] = "twenty-one characters";
    ck_assert_int_eq(port_ring_create(&c, &d, &config), -EINVAL);
    config.name[0] = "odd";
    config.name[1] = "odd2";
    config.ring_packets = 100; /* no power of two */
    ck_assert_int_eq(port_ring_create(&c, &d, &config), -EINVAL);
    config.ring_packets = RING;
    config.pool_packets = 100000000; /* far beyond this EAL's memory */
    ck_assert_int_eq(port_ring_create(&c, &d, &config), -ENOMEM);
    config.pool_packets = 255;
    ck_assert_int_eq(port_ring_create(&c, &d, &config), 0);
    c->ops->destroy(c);
    d->ops->destroy(d);
}
END_TEST

/* A packet that is still out keeps its pool, and can be freed later. */
START_TEST(late_packet)
{
    struct port_ring_config config = small;
    struct rte_mbuf *packet;
    struct port *c;
    struct port *d;

    config.name[0] = "late1";
    config.name[1] = "late2";
    ck_assert_int_eq(port_ring_create(&c, &d, &config), 0);
    packet = rte_pktmbuf_alloc(c->pool);
    c->ops->destroy(c);
    d->ops->destroy(d);
    ck_assert_ptr_nonnull(rte_mempool_lookup("late1.pool"));
    ck_assert_ptr_null(rte_mempool_lookup("late2.pool"));
    rte_pktmbuf_free(packet);
}
END_TEST

/* As configured when nothing is said: 5000-byte packets, two engines' worth of them. */
START_TEST(defaults)
{
    struct port_ring_config config = {.name = {"one", "two"}};
    struct port *c;
    struct port *d;

    ck_assert_int_eq(port_ring_create(&c, &d, &config), 0);
    ck_assert_uint_eq(c->mtu, 5000);
    ck_assert_uint_eq(c->ops->tx_room(c), 1023);
    ck_assert_uint_eq(c->pool->size, 4096);
    c->ops->destroy(c);
    d->ops->destroy(d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port_ring");
    TCase *tcase = tcase_create("port_ring");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, describes_itself);
    tcase_add_test(tcase, carries_both_ways);
    tcase_add_test(tcase, tells_its_room);
    tcase_add_test(tcase, frees_what_is_on_the_wire);
    tcase_add_test(tcase, rings_a_sleeper);
    tcase_add_test(tcase, disarms);
    tcase_add_test(tcase, never_loses_a_wake_up);
    tcase_add_test(tcase, names_are_taken);
    tcase_add_test(tcase, bad_configurations);
    tcase_add_test(tcase, late_packet);
    tcase_add_test(tcase, defaults);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
