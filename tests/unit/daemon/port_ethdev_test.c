/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/port_ethdev.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <rte_ethdev.h>
#include <stdlib.h>

#define MICROSECOND 1000ull
#define MILLISECOND (1000 * MICROSECOND)
#define PROMISED    64u   /* packets the port takes at a time */
#define RING_HOLD   1023u /* packets the driver's own ring holds */

static struct port *port;
static bool poor; /* the driver offers nothing */

int __real_rte_eth_dev_info_get(uint16_t ethdev, struct rte_eth_dev_info *info);
int __wrap_rte_eth_dev_info_get(uint16_t ethdev, struct rte_eth_dev_info *info);

int __wrap_rte_eth_dev_info_get(uint16_t ethdev, struct rte_eth_dev_info *info)
{
    int result = __real_rte_eth_dev_info_get(ethdev, info);

    if (poor)
        info->tx_offload_capa = 0;
    return result;
}

static int create(const char *device)
{
    struct port_ethdev_config config = {
        .name = "port", .device = device, .pool_packets = 2047, .mac = {{2, 0, 0, 0, 0, 9}}};

    port = NULL;
    return port_ethdev_create(&port, &config);
}

static void destroy(void)
{
    port->ops->destroy(port);
    ck_assert_ptr_null(rte_mempool_lookup("port.pool"));
    ck_assert_uint_eq(rte_eth_dev_count_avail(), 0);
}

static uint16_t transmit_at(uint16_t count, uint64_t now)
{
    struct rte_mbuf *packets[PROMISED * 2];
    uint16_t sent;

    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(port->pool, packets, count), 0);
    sent = port->ops->tx_burst(port, packets, count, now);
    rte_pktmbuf_free_bulk(packets + sent, (unsigned int)(count - sent));
    return sent;
}

static uint16_t transmit(uint16_t count)
{
    return transmit_at(count, 0);
}

static uint16_t receive(void)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t count = port->ops->rx_burst(port, packets, PORT_BURST, 0);

    rte_pktmbuf_free_bulk(packets, count);
    return count;
}

START_TEST(null_device)
{
    ck_assert_int_eq(create("net_null0"), 0);
    ck_assert_str_eq(port->name, "port");
    ck_assert_uint_eq(port->mtu, 1500);
    ck_assert_uint_eq(port->mac.addr_bytes[5], 9);
    ck_assert_int_eq(port->wake_fd, -1);
    ck_assert_int_eq(port->ops->arm(port), 0);
    port->ops->disarm(port);
    ck_assert_uint_eq(port->ops->tx_room(port), PROMISED);
    ck_assert_uint_eq(transmit(PROMISED), PROMISED);
    ck_assert_uint_eq(receive(), PORT_BURST);
    destroy();
}
END_TEST

/* Without a bell: soon after traffic, later and later in silence, never later than 4 ms. */
START_TEST(sleeps_in_growing_steps)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint64_t now = 1000 * MILLISECOND;
    uint64_t last = 0;

    ck_assert_int_eq(create("net_ring0"), 0);
    transmit_at(1, now);
    ck_assert_uint_eq(port->ops->rx_burst(port, packets, PORT_BURST, now), 1);
    rte_pktmbuf_free(packets[0]);
    ck_assert_uint_eq(port->ops->deadline(port), now + 50 * MICROSECOND);
    for (int looks = 0; looks < 100; looks++) {
        uint64_t sleep;

        ck_assert_uint_eq(port->ops->rx_burst(port, packets, PORT_BURST, now), 0);
        sleep = port->ops->deadline(port) - now;
        ck_assert_uint_ge(sleep, last);
        ck_assert_uint_le(sleep, 4 * MILLISECOND);
        last = sleep;
        now += sleep;
    }
    ck_assert_uint_eq(last, 4 * MILLISECOND);
    transmit_at(1, now);
    ck_assert_uint_le(port->ops->deadline(port), now);
    ck_assert_uint_eq(receive(), 1);
    destroy();
}
END_TEST

START_TEST(device_arguments)
{
    ck_assert_int_eq(create("net_null1,no-rx=1"), 0);
    ck_assert_uint_eq(receive(), 0);
    destroy();
}
END_TEST

START_TEST(again)
{
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(create("net_null0"), 0);
        destroy();
    }
}
END_TEST

/* A driver that takes less than was promised: the rest waits in the port, nothing is lost, and the
 * port asks to be polled. net_ring sends to itself. */
START_TEST(keeps_its_promise)
{
    uint32_t sent = 0;
    uint32_t received = 0;
    uint16_t room;

    ck_assert_int_eq(create("net_ring0"), 0);
    while ((room = port->ops->tx_room(port)) > 0) {
        uint16_t count = transmit(room);

        ck_assert_uint_eq(count, room);
        sent += count;
    }
    ck_assert_uint_eq(transmit(1), 0);
    ck_assert_uint_eq(sent, RING_HOLD + PROMISED);
    ck_assert_uint_eq(port->ops->deadline(port), 50 * MICROSECOND);
    for (uint16_t count = receive(); count > 0; count = receive())
        received += count;
    ck_assert_uint_eq(received, sent);
    ck_assert_uint_eq(port->ops->tx_room(port), PROMISED);
    destroy();
}
END_TEST

START_TEST(frees_what_it_kept)
{
    ck_assert_int_eq(create("net_ring0"), 0);
    while (transmit(PROMISED) > 0)
        ;
    /* Empty the driver's ring behind the port's back: only the port's own packets are left. */
    for (uint32_t i = 0; i <= RING_HOLD / PORT_BURST; i++) {
        struct rte_mbuf *packets[PORT_BURST];
        uint16_t count = rte_eth_rx_burst(0, 0, packets, PORT_BURST);

        rte_pktmbuf_free_bulk(packets, count);
    }
    destroy();
}
END_TEST

/* A packet of `pieces` segments with one byte each. */
static struct rte_mbuf *chain(struct rte_mempool *pool, uint32_t pieces)
{
    struct rte_mbuf *head = NULL;

    for (uint32_t i = 0; i < pieces; i++) {
        struct rte_mbuf *piece = rte_pktmbuf_alloc(pool);

        *(uint8_t *)rte_pktmbuf_append(piece, 1) = (uint8_t)i;
        if (!head)
            head = piece;
        else
            ck_assert_int_eq(rte_pktmbuf_chain(head, piece), 0);
    }
    return head;
}

/* A driver without packets of several segments gets them in one; what fits nowhere is lost, as on
 * any wire. */
START_TEST(joins_segments)
{
    struct rte_mbuf *packets[PORT_BURST];

    poor = true;
    ck_assert_int_eq(create("net_ring0"), 0);
    packets[0] = chain(port->pool, 3);
    packets[1] = chain(port->pool, 2);
    /* No room behind the first byte. */
    packets[1]->data_off = (uint16_t)(packets[1]->buf_len - 1);
    packets[2] = chain(port->pool, 1);
    ck_assert_uint_eq(port->ops->tx_burst(port, packets, 3, 0), 3);
    ck_assert_uint_eq(port->ops->rx_burst(port, packets, PORT_BURST, 0), 2);
    ck_assert_uint_eq(packets[0]->nb_segs, 1);
    ck_assert_uint_eq(packets[0]->data_len, 3);
    ck_assert_uint_eq(rte_pktmbuf_mtod(packets[0], uint8_t *)[2], 2);
    ck_assert_uint_eq(packets[1]->data_len, 1);
    rte_pktmbuf_free_bulk(packets, 2);
    destroy();
}
END_TEST

START_TEST(keeps_segments)
{
    struct rte_mbuf *packet;

    ck_assert_int_eq(create("net_ring0"), 0);
    packet = chain(port->pool, 3);
    ck_assert_uint_eq(port->ops->tx_burst(port, &packet, 1, 0), 1);
    ck_assert_uint_eq(port->ops->rx_burst(port, &packet, 1, 0), 1);
    ck_assert_uint_eq(packet->nb_segs, 3);
    rte_pktmbuf_free(packet);
    destroy();
}
END_TEST

START_TEST(refused)
{
    struct port_ethdev_config config = {.name = "port", .device = "net_null0"};

    ck_assert_int_eq(create("no_such_device"), -ENODEV);
    ck_assert_int_eq(create(""), -EINVAL);
    ck_assert_int_eq(create(NULL), -EINVAL);
    config.name = "";
    ck_assert_int_eq(port_ethdev_create(&port, &config), -EINVAL);
    config.name = "port";
    config.mtu = 20;
    ck_assert_int_eq(port_ethdev_create(&port, &config), -ERANGE);
    config.mtu = 65535;
    ck_assert_int_eq(port_ethdev_create(&port, &config), -EINVAL);
    config.mtu = 0;
    config.pool_packets = 100000000;
    ck_assert_int_eq(port_ethdev_create(&port, &config), -ENOMEM);
    ck_assert_ptr_null(rte_mempool_lookup("port.pool"));
    ck_assert_uint_eq(rte_eth_dev_count_avail(), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port_ethdev");
    TCase *tcase = tcase_create("port_ethdev");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_test(tcase, null_device);
    tcase_add_test(tcase, sleeps_in_growing_steps);
    tcase_add_test(tcase, device_arguments);
    tcase_add_test(tcase, again);
    tcase_add_test(tcase, keeps_its_promise);
    tcase_add_test(tcase, frees_what_it_kept);
    tcase_add_test(tcase, joins_segments);
    tcase_add_test(tcase, keeps_segments);
    tcase_add_test(tcase, refused);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
