/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/port_impair.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POOL_PACKETS 511u
#define QUEUE        64u
#define MS           1000000ull

/* A port whose two directions are arrays. */
struct fake {
    struct port port;
    struct rte_mbuf *arriving[QUEUE];
    uint16_t arriving_count;
    struct rte_mbuf *sent[QUEUE];
    uint16_t sent_count;
    uint16_t room;
    uint64_t deadline;
    int armed;
    int destroyed;
};

static struct fake fake;
static struct port *port;
static struct rte_mempool *pool;

static uint16_t fake_rx(struct port *self, struct rte_mbuf **packets, uint16_t max, uint64_t now)
{
    uint16_t count = RTE_MIN(max, fake.arriving_count);

    (void)self;
    (void)now;
    memcpy(packets, fake.arriving, count * sizeof(packets[0]));
    fake.arriving_count -= count;
    memmove(fake.arriving, fake.arriving + count, fake.arriving_count * sizeof(packets[0]));
    return count;
}

static uint16_t fake_tx(struct port *self, struct rte_mbuf **packets, uint16_t count, uint64_t now)
{
    (void)self;
    (void)now;
    count = RTE_MIN(count, fake.room);
    memcpy(fake.sent + fake.sent_count, packets, count * sizeof(packets[0]));
    fake.sent_count += count;
    fake.room -= count;
    return count;
}

static uint16_t fake_room(struct port *self)
{
    (void)self;
    return fake.room;
}

static uint64_t fake_deadline(struct port *self)
{
    (void)self;
    return fake.deadline;
}

static int fake_arm(struct port *self)
{
    (void)self;
    fake.armed = 1;
    return 0;
}

static void fake_disarm(struct port *self)
{
    (void)self;
    fake.armed = 0;
}

static void fake_destroy(struct port *self)
{
    (void)self;
    fake.destroyed++;
}

static const struct port_ops fake_ops = {
    .driver = "fake",
    .rx_burst = fake_rx,
    .tx_burst = fake_tx,
    .tx_room = fake_room,
    .deadline = fake_deadline,
    .arm = fake_arm,
    .disarm = fake_disarm,
    .destroy = fake_destroy,
};

static void setup(void)
{
    pool = test_eal_pool("port_impair", POOL_PACKETS);
    fake = (struct fake){
        .port = {.ops = &fake_ops, .name = "fake", .mtu = 1500, .wake_fd = 7, .pool = pool},
        .room = QUEUE,
        .deadline = UINT64_MAX,
    };
}

static void teardown(void)
{
    if (port)
        port->ops->destroy(port);
    ck_assert_int_eq(fake.destroyed, port != NULL);
    rte_pktmbuf_free_bulk(fake.arriving, fake.arriving_count);
    rte_pktmbuf_free_bulk(fake.sent, fake.sent_count);
    ck_assert(rte_mempool_full(pool));
}

static void create(const struct impair_config *receive, const struct impair_config *send)
{
    struct port_impair_config config = {.receive = receive, .send = send, .capacity = QUEUE};

    ck_assert_int_eq(port_impair_create(&port, &fake.port, &config), 0);
}

static void arrive(uint16_t count)
{
    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool, fake.arriving, count), 0);
    fake.arriving_count = count;
}

static uint16_t receive(uint64_t now)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t count = port->ops->rx_burst(port, packets, PORT_BURST, now);

    rte_pktmbuf_free_bulk(packets, count);
    return count;
}

static uint16_t send(uint16_t count, uint64_t now)
{
    struct rte_mbuf *packets[QUEUE * 2];
    uint16_t sent;

    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool, packets, count), 0);
    sent = port->ops->tx_burst(port, packets, count, now);
    rte_pktmbuf_free_bulk(packets + sent, (unsigned int)(count - sent));
    return sent;
}

START_TEST(perfect)
{
    create(NULL, NULL);
    ck_assert_str_eq(port->name, "fake");
    ck_assert_uint_eq(port->mtu, 1500);
    ck_assert_int_eq(port->wake_fd, 7);
    ck_assert_ptr_eq(port->pool, pool);
    arrive(20);
    ck_assert_uint_eq(receive(1), PORT_BURST);
    ck_assert_uint_eq(receive(1), 4);
    ck_assert_uint_eq(send(10, 1), 10);
    ck_assert_uint_eq(fake.sent_count, 10);
    ck_assert_uint_eq(port->ops->deadline(port), UINT64_MAX);
}
END_TEST

START_TEST(delays_what_is_received)
{
    static const struct impair_config late = {.delay_ns = MS};

    create(&late, NULL);
    arrive(5);
    ck_assert_uint_eq(receive(MS), 0);
    ck_assert_uint_eq(port->ops->deadline(port), 2 * MS);
    ck_assert_uint_eq(receive(2 * MS - 1), 0);
    ck_assert_uint_eq(receive(2 * MS), 5);
    ck_assert_uint_eq(port->ops->deadline(port), UINT64_MAX);
}
END_TEST

/* Sent packets leave when the port is polled at the deadline, and only as the inner one has room.
 */
START_TEST(delays_what_is_sent)
{
    static const struct impair_config late = {.delay_ns = MS};

    create(NULL, &late);
    ck_assert_uint_eq(send(5, MS), 5);
    ck_assert_uint_eq(fake.sent_count, 0);
    ck_assert_uint_eq(port->ops->deadline(port), 2 * MS);
    fake.room = 3;
    ck_assert_uint_eq(receive(2 * MS), 0);
    ck_assert_uint_eq(fake.sent_count, 3);
    fake.room = 10;
    receive(2 * MS);
    ck_assert_uint_eq(fake.sent_count, 5);
}
END_TEST

START_TEST(room)
{
    static const struct impair_config late = {.delay_ns = MS};

    create(NULL, &late);
    ck_assert_uint_eq(port->ops->tx_room(port), QUEUE);
    ck_assert_uint_eq(send(QUEUE - 4, 0), QUEUE - 4);
    ck_assert_uint_eq(port->ops->tx_room(port), 4);
    ck_assert_uint_eq(send(10, 0), 4);
    ck_assert_uint_eq(port->ops->tx_room(port), 0);
    receive(MS);
    ck_assert_uint_eq(fake.sent_count, QUEUE);
    ck_assert_uint_eq(port->ops->tx_room(port), 0); /* the inner port's */
}
END_TEST

START_TEST(counts_both_ways)
{
    static const struct impair_config gone = {.loss_ppm = IMPAIR_MILLION};
    static const struct impair_config bad = {.loss_ppm = IMPAIR_MILLION + 1};
    struct impair_stats in;
    struct impair_stats out;

    create(&gone, NULL);
    arrive(5);
    ck_assert_uint_eq(receive(1), 0);
    ck_assert_uint_eq(send(3, 1), 3);
    ck_assert_int_eq(port_impair_configure(port, NULL, &bad), -EINVAL);
    ck_assert_int_eq(port_impair_configure(port, NULL, &gone), 0);
    arrive(4);
    ck_assert_uint_eq(receive(1), 4);
    ck_assert_uint_eq(send(2, 1), 2);
    port_impair_stats(port, &in, &out);
    ck_assert_uint_eq(in.lost, 5);
    ck_assert_uint_eq(in.popped, 4);
    ck_assert_uint_eq(out.lost, 2);
    ck_assert_uint_eq(out.popped, 3);
    ck_assert_uint_eq(fake.sent_count, 3);
}
END_TEST

START_TEST(passes_on)
{
    create(NULL, NULL);
    fake.deadline = 77;
    ck_assert_uint_eq(port->ops->deadline(port), 77);
    ck_assert_int_eq(port->ops->arm(port), 0);
    ck_assert_int_eq(fake.armed, 1);
    port->ops->disarm(port);
    ck_assert_int_eq(fake.armed, 0);
}
END_TEST

START_TEST(refused)
{
    static const struct impair_config bad = {.loss_ppm = IMPAIR_MILLION + 1};
    struct port_impair_config config = {.send = &bad};

    ck_assert_int_eq(port_impair_create(&port, &fake.port, &config), -EINVAL);
    ck_assert_ptr_null(port);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port_impair");
    TCase *tcase = tcase_create("port_impair");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, perfect);
    tcase_add_test(tcase, delays_what_is_received);
    tcase_add_test(tcase, delays_what_is_sent);
    tcase_add_test(tcase, room);
    tcase_add_test(tcase, counts_both_ways);
    tcase_add_test(tcase, passes_on);
    tcase_add_test(tcase, refused);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
