/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The engine between two ports that a test fills and empties by hand. */
#include "engines/kernel/kernel.h"
#include "engines/packet_tag.h"
#include "sched/state.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define PACKETS 256u
#define NOW     (5 * NSEC_PER_SEC)
#define BYTES   100u
#define LEAF    5u /* where a side that shapes has packets go */

/* One side. */
struct side {
    struct port port;
    uint32_t waiting; /* packets that it has for the engine */
    uint32_t asked;   /* the most it was asked for at a time */
    uint16_t room;    /* what it says that it takes */
    uint16_t takes;   /* what it takes */
    uint32_t taken;
    uint64_t due;
    uint16_t room_for; /* of a side that shapes: for the kernel's packets; ... */
    uint32_t refused;  /* ... how often there was none, ... */
    bool reopened;     /* ... and whether it has been asked again since */
    int arm_result;    /* of a side without packets */
    bool armed;
};

static struct side wire, host;
static uint64_t now, cost;
static struct engine *engine;

static uint64_t look(void *arg)
{
    (void)arg;
    return now += cost;
}

static const struct clock test_clock = {.now = look};

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t at)
{
    struct side *side = (struct side *)port;
    uint16_t count = (uint16_t)RTE_MIN(max, side->waiting);

    (void)at;
    side->asked = RTE_MAX(side->asked, max);
    side->waiting -= count;
    for (uint16_t i = 0; i < count; i++) {
        packets[i] = rte_pktmbuf_alloc(port->pool);
        ck_assert_ptr_nonnull(packets[i]);
        ck_assert_ptr_nonnull(rte_pktmbuf_append(packets[i], BYTES));
    }
    return count;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t at)
{
    struct side *side = (struct side *)port;
    uint16_t taken = RTE_MIN(count, side->takes);

    (void)at;
    ck_assert_uint_le(count, PORT_BURST);
    ck_assert_uint_le(count, side->room);
    rte_pktmbuf_free_bulk(packets, taken);
    side->taken += taken;
    side->room -= taken;
    side->takes -= taken;
    return taken;
}

static uint16_t tx_room(struct port *port)
{
    return ((struct side *)port)->room;
}

/* A side that shapes: it wants tags. */
static uint16_t tx_room_for(struct port *port, struct packet_tag *tag, const struct packet_way *way)
{
    struct side *side = (struct side *)port;

    ck_assert_uint_eq(tag->kind, PACKET_KERNEL);
    ck_assert_uint_eq(tag->session, 0);
    ck_assert_uint_eq(way->dscp, 0);
    tag->leaf = LEAF;
    side->refused += side->room_for == 0;
    return side->room_for;
}

static bool tx_reopened(struct port *port)
{
    ((struct side *)port)->reopened = true;
    return false;
}

static uint16_t tx_tagged(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t at)
{
    struct side *side = (struct side *)port;

    for (uint16_t i = 0; i < count; i++) {
        ck_assert_uint_eq(packet_tag(packets[i])->kind, PACKET_KERNEL);
        ck_assert_uint_eq(packet_tag(packets[i])->leaf, LEAF);
    }
    ck_assert_uint_le(count, side->room_for);
    side->room_for -= count;
    return tx_burst(port, packets, count, at);
}

static uint64_t deadline(struct port *port)
{
    return ((struct side *)port)->due;
}

static int arm(struct port *port)
{
    struct side *side = (struct side *)port;

    side->armed = side->waiting == 0;
    return side->waiting > 0 ? 1 : side->arm_result;
}

static void disarm(struct port *port)
{
    ((struct side *)port)->armed = false;
}

static uint32_t port_stats(const struct port *port, struct port_stat *stats, uint32_t max)
{
    (void)port;
    if (max > 0)
        stats[0] = (struct port_stat){"ports_own", 77};
    return 1;
}

static const struct port_ops ops = {
    .driver = "test",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
    .deadline = deadline,
    .arm = arm,
    .disarm = disarm,
    .stats = port_stats,
};

static const struct port_ops shaping_ops = {
    .driver = "shaping",
    .rx_burst = rx_burst,
    .tx_burst = tx_tagged,
    .tx_room = tx_room,
    .tx_room_for = tx_room_for,
    .tx_reopened = tx_reopened,
    .arm = arm,
    .disarm = disarm,
};

static void prepare(struct side *side, struct rte_mempool *pool)
{
    memset(side, 0, sizeof(*side));
    side->port.ops = &ops;
    side->port.pool = pool;
    side->port.wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    ck_assert_int_ge(side->port.wake_fd, 0);
    side->room = side->takes = UINT16_MAX;
    side->due = UINT64_MAX;
}

static void make(void)
{
    ck_assert_int_eq(kernel_create(&engine, "host", &(struct kernel_config){&wire.port, &host.port},
                                   &test_clock),
                     0);
}

static void setup(void)
{
    struct rte_mempool *pool = test_eal_pool("kernel", PACKETS);

    prepare(&wire, pool);
    prepare(&host, pool);
    now = NOW;
    cost = 0;
    make();
}

static void teardown(void)
{
    engine->ops->destroy(engine);
    close(wire.port.wake_fd);
    close(host.port.wake_fd);
    ck_assert_uint_eq(rte_mempool_avail_count(wire.port.pool), PACKETS);
    rte_mempool_free(wire.port.pool);
}

static uint32_t run(void)
{
    return engine->ops->run(engine, now, ENGINE_BUDGET_NS);
}

static uint64_t stat_of(const char *name)
{
    struct engine_stat stats[32];
    uint32_t count = engine->ops->stats(engine, stats, 32);

    ck_assert_uint_le(count, 32);
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(stats[i].name, name))
            return stats[i].value;
    }
    ck_abort_msg("no counter %s", name);
}

START_TEST(packets_go_both_ways)
{
    wire.waiting = 40;
    host.waiting = 3;
    ck_assert_uint_eq(run(), 43);
    ck_assert_uint_eq(host.taken, 40);
    ck_assert_uint_eq(wire.taken, 3);
    ck_assert_uint_eq(stat_of("to_kernel_packets"), 40);
    ck_assert_uint_eq(stat_of("to_kernel_bytes"), 40 * BYTES);
    ck_assert_uint_eq(stat_of("from_kernel_packets"), 3);
    ck_assert_uint_eq(stat_of("from_kernel_bytes"), 3 * BYTES);
    ck_assert_uint_eq(stat_of("ports_own"), 77);
    ck_assert_uint_eq(engine_delay(engine, now), 0);
    ck_assert_uint_eq(run(), 0);
}
END_TEST

START_TEST(bursts_are_bounded)
{
    wire.waiting = host.waiting = 100;
    run();
    ck_assert_uint_eq(wire.asked, PORT_BURST);
    ck_assert_uint_eq(host.asked, PORT_BURST);
}
END_TEST

/* What has no room on the other side is not taken: it waits where it came from. */
START_TEST(each_side_holds_the_other_up)
{
    wire.waiting = host.waiting = 100;
    wire.room = 5;
    host.room = 0;
    ck_assert_uint_eq(run(), 5);
    ck_assert_uint_eq(host.waiting, 95);
    ck_assert_uint_eq(host.asked, 5);
    ck_assert_uint_eq(wire.waiting, 100);
    ck_assert_uint_eq(wire.asked, 0);
    ck_assert_uint_eq(run(), 0);
    wire.room = host.room = UINT16_MAX;
    ck_assert_uint_eq(run(), 195);
    ck_assert_uint_eq(stat_of("to_kernel_refused") + stat_of("from_kernel_refused"), 0);
}
END_TEST

/* A side that takes less than it has said: lost, counted, and not leaked, as teardown sees. */
START_TEST(a_broken_word_is_counted)
{
    wire.waiting = 10;
    host.waiting = 20;
    host.takes = 7;
    wire.takes = 18;
    run();
    ck_assert_uint_eq(stat_of("to_kernel_refused"), 3);
    ck_assert_uint_eq(stat_of("to_kernel_packets"), 7);
    ck_assert_uint_eq(stat_of("to_kernel_bytes"), 7 * BYTES);
    ck_assert_uint_eq(stat_of("from_kernel_refused"), 2);
    ck_assert_uint_eq(stat_of("from_kernel_packets"), 18);
}
END_TEST

START_TEST(the_budget_ends_a_run)
{
    cost = ENGINE_BUDGET_NS / 4;
    wire.waiting = 200;
    ck_assert_uint_lt(run(), 5 * PORT_BURST);
    ck_assert_uint_gt(wire.waiting, 0);
    cost = 0;
    while (run() > 0)
        ;
    ck_assert_uint_eq(host.taken, 200);
}
END_TEST

static uint64_t sleep_until(void)
{
    return engine->ops->arm(engine, now);
}

START_TEST(it_sleeps_until_either_side_has_something)
{
    ck_assert_uint_eq(sleep_until(), ENGINE_NEVER);
    ck_assert(wire.armed && host.armed);
    engine->ops->disarm(engine);
    ck_assert(!wire.armed && !host.armed);
    wire.waiting = 1;
    ck_assert_uint_eq(sleep_until(), 0);
    ck_assert(!host.armed);
    run();
    host.waiting = 1;
    ck_assert_uint_eq(sleep_until(), 0);
    ck_assert(!wire.armed);
}
END_TEST

/* Packets wait, and nobody takes them: looking all the time would not help. */
START_TEST(it_sleeps_while_a_side_is_full)
{
    host.waiting = 1;
    wire.room = 0;
    ck_assert_uint_gt(sleep_until(), now);
    ck_assert_uint_lt(sleep_until(), now + NSEC_PER_MSEC);
    wire.room = 1;
    ck_assert_uint_eq(sleep_until(), 0);
}
END_TEST

/* Each packet is tagged as the kernel's, and no more are read than may leave. */
START_TEST(a_port_that_shapes_says_what_there_is_room_for)
{
    ck_assert_int_eq(packet_tag_init(), 0);
    wire.port.ops = &shaping_ops;
    wire.room_for = 3;
    host.waiting = 10;
    wire.waiting = 4;
    ck_assert_uint_eq(run(), 7);
    ck_assert_uint_eq(wire.taken, 3);
    ck_assert_uint_eq(host.taken, 4);
    ck_assert_uint_eq(host.waiting, 7);
    ck_assert_uint_eq(run(), 0); /* as a thread does before it lets it sleep */
    ck_assert_uint_gt(wire.refused, 0);
    /* It will ring: nobody needs to look. */
    ck_assert_uint_eq(sleep_until(), ENGINE_NEVER);
    ck_assert(wire.armed);
    engine->ops->disarm(engine);
    /* But of its ring being full it does not tell. */
    wire.room = 0;
    ck_assert_uint_gt(sleep_until(), now);
    ck_assert_uint_lt(sleep_until(), now + NSEC_PER_MSEC);
    wire.room = UINT16_MAX;
    wire.room_for = 20;
    ck_assert_uint_eq(sleep_until(), 0);
    wire.reopened = false;
    ck_assert_uint_eq(run(), 7);
    ck_assert(wire.reopened);
    ck_assert_uint_eq(stat_of("from_kernel_packets"), 10);
}
END_TEST

START_TEST(ports_have_deadlines)
{
    host.due = now + 5000;
    ck_assert_uint_eq(sleep_until(), now + 5000);
    wire.due = now + 3000;
    ck_assert_uint_eq(sleep_until(), now + 3000);
    wire.due = now;
    ck_assert_uint_eq(sleep_until(), 0);
    wire.due = host.due = UINT64_MAX;
    wire.arm_result = -ENOTSUP;
    ck_assert_uint_gt(sleep_until(), now);
    ck_assert_uint_lt(sleep_until(), now + NSEC_PER_MSEC);
}
END_TEST

/* What a side will have by then is not taken anyway while the other one is full: its time, though
 * it be past, wakes nobody. */
START_TEST(a_deadline_waits_for_room)
{
    ck_assert_int_eq(packet_tag_init(), 0);
    host.due = now - 1;
    wire.room = 0;
    ck_assert_uint_gt(sleep_until(), now);
    ck_assert_uint_lt(sleep_until(), now + NSEC_PER_MSEC);
    wire.port.ops = &shaping_ops;
    wire.room = UINT16_MAX;
    wire.room_for = 0;
    ck_assert_uint_eq(sleep_until(), ENGINE_NEVER); /* it will ring */
    ck_assert_uint_gt(wire.refused, 0);
    wire.room_for = 3;
    ck_assert_uint_eq(sleep_until(), 0);
    host.due = now + 5000;
    ck_assert_uint_eq(sleep_until(), now + 5000);
}
END_TEST

START_TEST(descriptors_wake_it)
{
    struct pollfd wait = {.fd = engine->epoll_fd, .events = POLLIN};

    ck_assert_int_eq(poll(&wait, 1, 0), 0);
    ck_assert_int_eq(eventfd_write(host.port.wake_fd, 1), 0);
    ck_assert_int_eq(poll(&wait, 1, 0), 1);
}
END_TEST

START_TEST(counters_are_handed_on)
{
    struct state_writer writer;
    struct state_reader reader;

    wire.waiting = 9;
    run();
    state_writer_init(&writer);
    ck_assert_int_eq(engine->ops->save(engine, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    engine->ops->destroy(engine);
    make();
    ck_assert_uint_eq(stat_of("to_kernel_packets"), 0);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert_int_eq(engine->ops->load(engine, &reader), 0);
    ck_assert_uint_eq(stat_of("to_kernel_packets"), 9);
    ck_assert_uint_eq(stat_of("to_kernel_bytes"), 9 * BYTES);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(bad_names_are_refused)
{
    struct engine *none = NULL;

    ck_assert_int_eq(kernel_create(&none, "", &(struct kernel_config){&wire.port, &host.port},
                                   &test_clock),
                     -EINVAL);
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel");
    TCase *tc = tcase_create("kernel");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, packets_go_both_ways);
    tcase_add_test(tc, bursts_are_bounded);
    tcase_add_test(tc, each_side_holds_the_other_up);
    tcase_add_test(tc, a_broken_word_is_counted);
    tcase_add_test(tc, the_budget_ends_a_run);
    tcase_add_test(tc, it_sleeps_until_either_side_has_something);
    tcase_add_test(tc, it_sleeps_while_a_side_is_full);
    tcase_add_test(tc, a_port_that_shapes_says_what_there_is_room_for);
    tcase_add_test(tc, ports_have_deadlines);
    tcase_add_test(tc, a_deadline_waits_for_room);
    tcase_add_test(tc, descriptors_wake_it);
    tcase_add_test(tc, counters_are_handed_on);
    tcase_add_test(tc, bad_names_are_refused);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
