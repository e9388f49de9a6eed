/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* An engine that sleeps on a thread of its own, and a port that rings for it. */
#include "engines/pony/pony.h"
#include "engines/port_impair.h"
#include "mailbox/doorbell.h"
#include "sched/group.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MBUFS     64u
#define PACKETS   100u
#define STATS_MAX 64u
#define FRAME     60u /* bytes of nonsense: it is counted and refused */

/* One packet at a time waits in the slot. */
struct bell_port {
    struct port port;
    struct rte_mbuf *slot;
    uint32_t armed;
};

static struct bell_port bell;
static struct engine *engine;
static struct group *group;

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    struct rte_mbuf *packet = __atomic_exchange_n(&bell.slot, NULL, __ATOMIC_ACQ_REL);

    (void)port;
    (void)max;
    (void)now;
    packets[0] = packet;
    return packet ? 1 : 0;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    (void)port;
    (void)now;
    rte_pktmbuf_free_bulk(packets, count);
    return count;
}

static uint16_t tx_room(struct port *port)
{
    (void)port;
    return PORT_BURST;
}

static int port_arm(struct port *port)
{
    (void)port;
    doorbell_arm(&bell.armed);
    return __atomic_load_n(&bell.slot, __ATOMIC_ACQUIRE) ? 1 : 0;
}

static void port_disarm(struct port *port)
{
    (void)port;
    doorbell_disarm(&bell.armed);
}

static void port_destroy(struct port *port)
{
    (void)port;
}

static const struct port_ops bell_ops = {
    .driver = "bell",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
    .arm = port_arm,
    .disarm = port_disarm,
    .destroy = port_destroy,
};

static void arrive(void)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(bell.port.pool);

    ck_assert_ptr_nonnull(packet);
    memset(rte_pktmbuf_append(packet, FRAME), 0, FRAME);
    __atomic_store_n(&bell.slot, packet, __ATOMIC_RELEASE);
    if (doorbell_due(&bell.armed))
        doorbell_ring_engine(bell.port.wake_fd);
}

static uint64_t received(void)
{
    struct engine_stat stats[STATS_MAX];
    uint32_t count = engine->ops->stats(engine, stats, STATS_MAX);

    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(stats[i].name, "rx_packets") == 0)
            return stats[i].value;
    }
    ck_abort_msg("no such counter");
    return 0;
}

static struct group_thread_stats thread_stats(void)
{
    struct group_thread_stats stats;

    ck_assert_uint_eq(group_threads(group, &stats, 1), 1);
    return stats;
}

static void setup(void)
{
    memset(&bell, 0, sizeof(bell));
    bell.port = (struct port){
        .ops = &bell_ops,
        .mtu = 1500,
        .wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
        .pool = test_eal_pool("bell", MBUFS),
    };
    ck_assert_int_ge(bell.port.wake_fd, 0);
}

static void teardown(void)
{
    ck_assert_uint_eq(rte_mempool_avail_count(bell.port.pool), MBUFS);
    close(bell.port.wake_fd);
}

/* Nothing but the port can wake it: it has no flow, so no timer runs. */
static void packets_wake_an_engine_on(struct port *port)
{
    struct pony_config config = {.control_fd = -1};
    struct group_config group_config = {.name = "sleepers", .mode = &group_mode_spreading};
    uint8_t seed[RNG_SEED_BYTES] = {1};

    config.transport.address_count = 1;
    address_parse(&config.transport.addresses[0], "10.0.0.1");
    ck_assert_int_eq(pony_create(&engine, "sleeper", &config, port, &clock_machine, seed), 0);
    ck_assert_int_eq(group_create(&group, &group_config), 0);
    ck_assert_int_eq(group_add(group, engine), 0);
    for (uint64_t i = 1; i <= PACKETS; i++) {
        while (__atomic_load_n(&bell.armed, __ATOMIC_ACQUIRE) == 0)
            sched_yield();
        arrive();
        while (received() < i)
            sched_yield();
    }
    ck_assert_uint_gt(thread_stats().wakes_event, 0);
    ck_assert_uint_eq(thread_stats().wakes_deadline, 0);
    ck_assert_int_eq(group_remove(group, engine), 0);
    group_destroy(group);
    engine->ops->destroy(engine);
}

START_TEST(a_packet_wakes_the_sleeper)
{
    packets_wake_an_engine_on(&bell.port);
}
END_TEST

START_TEST(also_behind_another_port)
{
    struct port_impair_config config = {.capacity = PORT_BURST};
    struct port *port;

    ck_assert_int_eq(port_impair_create(&port, &bell.port, &config), 0);
    packets_wake_an_engine_on(port);
    port->ops->destroy(port);
}
END_TEST

START_TEST(a_descriptor_that_cannot_be_watched)
{
    struct pony_config config = {.control_fd = -1};
    uint8_t seed[RNG_SEED_BYTES] = {1};
    int fd = bell.port.wake_fd;

    config.transport.address_count = 1;
    address_parse(&config.transport.addresses[0], "10.0.0.1");
    bell.port.wake_fd = 1 << 20;
    ck_assert_int_eq(pony_create(&engine, "deaf", &config, &bell.port, &clock_machine, seed),
                     -EBADF);
    bell.port.wake_fd = fd;
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wake");
    TCase *tcase = tcase_create("port");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_packet_wakes_the_sleeper);
    tcase_add_test(tcase, also_behind_another_port);
    tcase_add_test(tcase, a_descriptor_that_cannot_be_watched);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
