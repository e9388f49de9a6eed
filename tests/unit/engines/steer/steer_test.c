/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The engine's part; what it does to packets is fan_test's. */
#include "engines/steer/steer.h"
#include "sched/state.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <string.h>

#define PACKETS 64u
#define NOW     (5 * NSEC_PER_SEC)

static struct {
    struct port port;
    uint16_t room, sent;
    int arm_result;
    uint64_t due;
    uint32_t armed;
} real;
static uint64_t now;
static struct fan *fan;
static struct engine *engine;

static uint64_t look(void *arg)
{
    (void)arg;
    return now;
}

static const struct clock test_clock = {.now = look};

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t at)
{
    (void)port;
    (void)packets;
    (void)max;
    (void)at;
    return 0;
}

static uint16_t tx_burst(struct port *port, struct rte_mbuf **packets, uint16_t count, uint64_t at)
{
    (void)port;
    (void)at;
    rte_pktmbuf_free_bulk(packets, count);
    real.sent += count;
    real.room -= count;
    return count;
}

static uint16_t tx_room(struct port *port)
{
    (void)port;
    return real.room;
}

static uint64_t deadline(struct port *port)
{
    (void)port;
    return real.due;
}

static int arm(struct port *port)
{
    (void)port;
    real.armed = 1;
    return real.arm_result;
}

static void disarm(struct port *port)
{
    (void)port;
    real.armed = 0;
}

static const struct port_ops real_ops = {
    .driver = "test",
    .rx_burst = rx_burst,
    .tx_burst = tx_burst,
    .tx_room = tx_room,
    .deadline = deadline,
    .arm = arm,
    .disarm = disarm,
};

static void make(void)
{
    struct fan_config config = {.port = &real.port, .udp_ports = {7, 8}, .count = 2};

    ck_assert_int_eq(fan_create(&fan, &config), 0);
    ck_assert_int_eq(steer_create(&engine, "steer", fan, &test_clock), 0);
}

static void setup(void)
{
    memset(&real, 0, sizeof(real));
    real.port.ops = &real_ops;
    real.port.wake_fd = -1;
    real.port.mtu = 1500;
    real.port.pool = test_eal_pool("steer", PACKETS);
    real.room = UINT16_MAX;
    real.due = UINT64_MAX;
    strcpy(real.port.name, "real");
    now = NOW;
    make();
}

static void end(void)
{
    engine->ops->destroy(engine);
    fan_destroy(fan);
}

static void teardown(void)
{
    end();
    ck_assert_uint_eq(rte_mempool_avail_count(real.port.pool), PACKETS);
    rte_mempool_free(real.port.pool);
}

static void give(uint32_t member, uint16_t count)
{
    struct port *port = fan_member(fan, member);
    struct rte_mbuf *packets[PACKETS];

    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(port->pool, packets, count), 0);
    ck_assert_uint_eq(port->ops->tx_burst(port, packets, count, now), count);
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
    ck_abort_msg("there is no counter %s", name);
}

START_TEST(it_runs_until_nothing_is_left)
{
    give(0, 20);
    give(1, 30);
    now += NSEC_PER_USEC;
    ck_assert_uint_eq(engine->ops->run(engine, now, ENGINE_BUDGET_NS), 50);
    ck_assert_uint_eq(real.sent, 50);
    ck_assert_uint_eq(stat_of("tx_packets"), 50);
    ck_assert_uint_eq(engine_delay(engine, now), 0);
    ck_assert_uint_eq(engine->ops->run(engine, now, ENGINE_BUDGET_NS), 0);
}
END_TEST

START_TEST(a_budget_ends_it)
{
    give(0, 40);
    ck_assert_uint_eq(engine->ops->run(engine, now, 0), 16);
    ck_assert_uint_eq(engine->ops->run(engine, now, 0), 16);
    ck_assert_uint_eq(engine->ops->run(engine, now, ENGINE_BUDGET_NS), 8);
}
END_TEST

START_TEST(it_sleeps_until_it_is_rung)
{
    ck_assert_uint_eq(engine->ops->arm(engine, now), ENGINE_NEVER);
    ck_assert_uint_eq(real.armed, 1);
    engine->ops->disarm(engine);
    ck_assert_uint_eq(real.armed, 0);
    /* Packets wait for it, or in the port. */
    give(1, 1);
    ck_assert_uint_eq(engine->ops->arm(engine, now), 0);
    ck_assert_uint_eq(engine->ops->run(engine, now, ENGINE_BUDGET_NS), 1);
    real.arm_result = 1;
    ck_assert_uint_eq(engine->ops->arm(engine, now), 0);
    ck_assert_uint_eq(real.armed, 0);
}
END_TEST

START_TEST(ports_have_their_times)
{
    /* Without an interrupt it looks again soon. */
    real.arm_result = -ENOTSUP;
    ck_assert_uint_gt(engine->ops->arm(engine, now), now);
    ck_assert_uint_lt(engine->ops->arm(engine, now), now + NSEC_PER_MSEC);
    real.arm_result = 0;
    real.due = now + 3 * NSEC_PER_MSEC;
    ck_assert_uint_eq(engine->ops->arm(engine, now), real.due);
    real.due = now;
    ck_assert_uint_eq(engine->ops->arm(engine, now), 0);
}
END_TEST

/* A full port is not asked all the time. */
START_TEST(a_full_port_is_looked_at_again)
{
    uint64_t next;

    real.room = 0;
    give(0, 1);
    ck_assert_uint_eq(engine->ops->run(engine, now, ENGINE_BUDGET_NS), 0);
    next = engine->ops->arm(engine, now);
    ck_assert_uint_gt(next, now);
    ck_assert_uint_lt(next, now + NSEC_PER_MSEC);
    engine->ops->disarm(engine);
    real.room = 1;
    ck_assert_uint_eq(engine->ops->arm(engine, now), 0);
    ck_assert_uint_eq(engine->ops->run(engine, now, ENGINE_BUDGET_NS), 1);
}
END_TEST

START_TEST(counters_are_saved)
{
    struct state_writer writer;
    struct state_reader reader;

    give(0, 9);
    engine->ops->run(engine, now, ENGINE_BUDGET_NS);
    state_writer_init(&writer);
    ck_assert_int_eq(engine->ops->save(engine, &writer), 0);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    end();
    make();
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert_int_eq(engine->ops->load(engine, &reader), 0);
    ck_assert_uint_eq(stat_of("tx_packets"), 9);
    state_writer_destroy(&writer);
}
END_TEST

/* A version that nobody wrote, and a record that ends too soon. */
START_TEST(wrong_state_is_refused)
{
    struct state_writer writer;
    struct state_reader reader;

    state_writer_init(&writer);
    state_record_begin(&writer, 0x0300, _i == 0 ? 0 : 1);
    state_put_u32(&writer, _i == 0 ? 0 : 2);
    state_put_u64(&writer, 1);
    state_record_end(&writer);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert_int_lt(engine->ops->load(engine, &reader), 0);
    state_writer_destroy(&writer);
}
END_TEST

START_TEST(bad_names_are_refused)
{
    struct engine *none = NULL;

    ck_assert_int_eq(steer_create(&none, "", fan, &test_clock), -EINVAL);
    ck_assert_ptr_null(none);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("steer");
    TCase *tc = tcase_create("steer");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, it_runs_until_nothing_is_left);
    tcase_add_test(tc, a_budget_ends_it);
    tcase_add_test(tc, it_sleeps_until_it_is_rung);
    tcase_add_test(tc, ports_have_their_times);
    tcase_add_test(tc, a_full_port_is_looked_at_again);
    tcase_add_test(tc, counters_are_saved);
    tcase_add_loop_test(tc, wrong_state_is_refused, 0, 2);
    tcase_add_test(tc, bad_names_are_refused);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
