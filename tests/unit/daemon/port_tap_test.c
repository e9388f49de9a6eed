/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A TAP in a namespace of the test's own; the kernel's side of it by a packet socket. */
#include "daemon/port_tap.h"
#include "sched/clock.h"
#include "tests/unit/daemon/namespaces.h"
#include "tests/unit/eal.h"

#include <arpa/inet.h>
#include <cap-ng.h>
#include <check.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PACKETS      64u
#define MTU          1500u
#define TYPE         0x88b5 /* for experiments: IEEE 802 */
#define REASON_BYTES 256
#define WAIT_MS      10000
#define SOON_NS      1000000000ull
#define NAME         "tap-test"
#define PATIENT      (20 * NSEC_PER_SEC) /* long enough for any machine */

static const struct rte_ether_addr mac = {{2, 0, 0, 0, 0, 9}};
static char line[REASON_BYTES];
static const struct reason reason = {line, sizeof(line)};
static struct port *port;
static int kernel_fd; /* a packet socket of the kernel's side */

static struct port_tap_config config(void)
{
    static struct rte_mempool *pool;

    if (!pool)
        pool = test_eal_pool("tap", PACKETS);
    return (struct port_tap_config){.interface = NAME, .mac = mac, .mtu = MTU, .pool = pool};
}

static void setup(void)
{
    const struct port_tap_config wanted = config();
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(TYPE)};

    /* It says nothing of its own accord. */
    here("echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6");
    ck_assert_msg(port_tap_create(&port, &wanted, &reason) == 0, "%s", line);
    kernel_fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(TYPE));
    address.sll_ifindex = (int)if_nametoindex(NAME);
    ck_assert_int_gt(address.sll_ifindex, 0);
    ck_assert_int_eq(bind(kernel_fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void teardown(void)
{
    struct rte_mempool *pool = port->pool;

    port->ops->destroy(port);
    close(kernel_fd);
    ck_assert_uint_eq(if_nametoindex(NAME), 0);
    ck_assert_uint_eq(rte_mempool_avail_count(pool), PACKETS);
}

/* A frame whose last bytes say a number. */
static void fill(uint8_t *frame, size_t length, uint16_t type, uint8_t number)
{
    memset(frame, number, length);
    memset(frame, 0xff, RTE_ETHER_ADDR_LEN);
    memcpy(frame + RTE_ETHER_ADDR_LEN, mac.addr_bytes, RTE_ETHER_ADDR_LEN);
    frame[2 * RTE_ETHER_ADDR_LEN] = (uint8_t)(type >> 8);
    frame[2 * RTE_ETHER_ADDR_LEN + 1] = (uint8_t)type;
}

static void kernel_sends(size_t length, uint16_t type, uint8_t number)
{
    uint8_t frame[2 * MTU];

    fill(frame, length, type, number);
    ck_assert_int_eq(send(kernel_fd, frame, length, 0), (ssize_t)length);
}

static struct rte_mbuf *packet_of(size_t length, uint8_t number)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(port->pool);

    ck_assert_ptr_nonnull(packet);
    fill((uint8_t *)rte_pktmbuf_append(packet, (uint16_t)length), length, TYPE, number);
    return packet;
}

static uint64_t stat_of(const char *name)
{
    struct port_stat stats[16];
    uint32_t count = port->ops->stats(port, stats, 16);

    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(stats[i].name, name))
            return stats[i].value;
    }
    ck_abort_msg("no counter %s", name);
}

static void check_taken(uint16_t wanted, size_t length)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t got = port->ops->rx_burst(port, packets, PORT_BURST, 0);

    ck_assert_uint_eq(got, wanted);
    for (uint16_t i = 0; i < got; i++) {
        ck_assert_uint_eq(rte_pktmbuf_pkt_len(packets[i]), length);
        ck_assert_uint_eq(*rte_pktmbuf_mtod_offset(packets[i], uint8_t *, length - 1), i);
    }
    rte_pktmbuf_free_bulk(packets, got);
}

START_TEST(it_is_as_it_is_to_be)
{
    ck_assert(rte_is_same_ether_addr(&port->mac, &mac));
    ck_assert_uint_eq(port->mtu, MTU);
    here("ip link show " NAME " up | grep -q 'mtu 1500'");
    here("ip link show " NAME " | grep -q 02:00:00:00:00:09");
}
END_TEST

START_TEST(packets_come_from_the_kernel)
{
    ck_assert_int_eq(port->ops->arm(port), 1); /* nobody has looked yet */
    check_taken(0, 0);
    ck_assert_int_eq(port->ops->arm(port), 0);
    for (uint8_t i = 0; i < 3; i++)
        kernel_sends(100, TYPE, i);
    check_taken(3, 100);
}
END_TEST

/* No more than asked for: the others stay where they are. */
START_TEST(the_kernel_waits)
{
    struct rte_mbuf *packets[PORT_BURST];

    for (uint8_t i = 0; i < 4; i++)
        kernel_sends(100, TYPE, i);
    ck_assert_uint_eq(port->ops->rx_burst(port, packets, 3, 0), 3);
    rte_pktmbuf_free_bulk(packets, 3);
    ck_assert_int_eq(port->ops->arm(port), 1);
    ck_assert_uint_eq(port->ops->rx_burst(port, packets, 3, 0), 1);
    rte_pktmbuf_free_bulk(packets, 1);
    ck_assert_int_eq(port->ops->arm(port), 0);
}
END_TEST

START_TEST(packets_go_to_the_kernel)
{
    struct rte_mbuf *packets[2] = {packet_of(100, 1), packet_of(50, 2)};
    struct rte_mbuf *tail = packet_of(60, 2);
    uint8_t got[200], wanted[110];

    /* The second one is in two pieces. */
    ck_assert_ptr_nonnull(rte_pktmbuf_adj(tail, 0));
    ck_assert_int_eq(rte_pktmbuf_chain(packets[1], tail), 0);
    fill(wanted, 50, TYPE, 2);
    fill(wanted + 50, 60, TYPE, 2);
    ck_assert_uint_ge(port->ops->tx_room(port), PORT_BURST);
    ck_assert_uint_eq(port->ops->tx_burst(port, packets, 2, 0), 2);
    ck_assert_int_eq(recv(kernel_fd, got, sizeof(got), 0), 100);
    ck_assert_uint_eq(got[99], 1);
    ck_assert_int_eq(recv(kernel_fd, got, sizeof(got), 0), 110);
    ck_assert_mem_eq(got, wanted, 110);
}
END_TEST

/* The operator raised the MTU there, and it is the wire that cannot. Tags do not count. */
START_TEST(oversized_packets_are_dropped)
{
    struct rte_mbuf *packet;

    here("ip link set " NAME " mtu 2000");
    kernel_sends(RTE_ETHER_HDR_LEN + MTU + 1, TYPE, 0);
    kernel_sends(2000, TYPE, 0);
    kernel_sends(RTE_ETHER_HDR_LEN + MTU, TYPE, 0);
    check_taken(1, RTE_ETHER_HDR_LEN + MTU);
    ck_assert_uint_eq(stat_of("from_kernel_oversized"), 2);
    kernel_sends(RTE_ETHER_HDR_LEN + 4 + MTU, RTE_ETHER_TYPE_VLAN, 0);
    ck_assert_uint_eq(port->ops->rx_burst(port, &packet, 1, 0), 1);
    rte_pktmbuf_free(packet);
    kernel_sends(RTE_ETHER_HDR_LEN + 4 + MTU + 1, RTE_ETHER_TYPE_VLAN, 0);
    check_taken(0, 0);
    ck_assert_uint_eq(stat_of("from_kernel_oversized"), 3);
}
END_TEST

/* Two tags do not count; a third one does. */
START_TEST(stacked_tags_fit)
{
    uint8_t frame[2 * MTU];
    struct rte_mbuf *packet;

    here("ip link set " NAME " mtu 2000");
    fill(frame, sizeof(frame), RTE_ETHER_TYPE_QINQ, 0);
    for (size_t i = 0; i < 2; i++) {
        const rte_be16_t tag = rte_cpu_to_be_16(RTE_ETHER_TYPE_VLAN);

        memcpy(frame + RTE_ETHER_HDR_LEN + 4 * i + 2, &tag, sizeof(tag));
    }
    for (size_t extra = 8; extra < 14; extra++) {
        size_t length = RTE_ETHER_HDR_LEN + MTU + extra;
        uint16_t got;

        ck_assert_int_eq(send(kernel_fd, frame, length, 0), (ssize_t)length);
        got = port->ops->rx_burst(port, &packet, 1, 0);
        ck_assert_uint_eq(got, extra == 8);
        rte_pktmbuf_free_bulk(&packet, got);
    }
    ck_assert_uint_eq(stat_of("from_kernel_oversized"), 5);
}
END_TEST

START_TEST(without_memory_packets_wait)
{
    struct rte_mbuf *all[PACKETS];

    kernel_sends(100, TYPE, 0);
    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(port->pool, all, PACKETS), 0);
    check_taken(0, 0);
    ck_assert_uint_eq(stat_of("from_kernel_no_memory"), 1);
    ck_assert_int_eq(port->ops->arm(port), 0);
    ck_assert_uint_lt(port->ops->deadline(port), SOON_NS);
    rte_pktmbuf_free_bulk(all, PACKETS);
    check_taken(1, 100);
    ck_assert_uint_eq(port->ops->deadline(port), UINT64_MAX);
}
END_TEST

START_TEST(what_is_down_takes_nothing)
{
    struct rte_mbuf *packet = packet_of(100, 1);

    here("ip link set " NAME " down");
    ck_assert_uint_eq(port->ops->tx_burst(port, &packet, 1, 0), 1);
    ck_assert_uint_eq(stat_of("to_kernel_down"), 1);
    here("ip link delete " NAME);
    packet = packet_of(100, 1);
    ck_assert_uint_eq(port->ops->tx_burst(port, &packet, 1, 0), 1);
    ck_assert_uint_eq(stat_of("to_kernel_down"), 2);
    check_taken(0, 0);
    ck_assert_int_eq(port->ops->arm(port), 0);
}
END_TEST

/* As an engine waits: by an edge, without reading. */
START_TEST(the_descriptor_wakes)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}, got;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    ck_assert_int_eq(epoll_ctl(epoll, EPOLL_CTL_ADD, port->wake_fd, &event), 0);
    check_taken(0, 0);
    (void)epoll_wait(epoll, &got, 1, 0);
    ck_assert_int_eq(epoll_wait(epoll, &got, 1, 0), 0);
    for (uint8_t i = 0; i < 2; i++) {
        kernel_sends(100, TYPE, 0);
        ck_assert_int_eq(epoll_wait(epoll, &got, 1, WAIT_MS), 1);
        check_taken(1, 100);
    }
    close(epoll);
}
END_TEST

START_TEST(a_carrier_can_be_lost)
{
    ck_assert_int_eq(port_tap_carrier(port, false), 0);
    here("ip link show " NAME " | grep -q NO-CARRIER");
    ck_assert_int_eq(port_tap_carrier(port, true), 0);
    here("! ip link show " NAME " | grep -q NO-CARRIER");
}
END_TEST

START_TEST(a_taken_name_is_refused)
{
    struct port_tap_config wanted = config();
    struct port *none = NULL;

    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(port_tap_create(&none, &wanted, &reason), -EEXIST);
        ck_assert_msg(strstr(line, "is there already") && strstr(line, wanted.interface), "%s",
                      line);
        wanted.interface = "va"; /* a veth */
    }
    wanted.interface = "..";
    ck_assert_int_eq(port_tap_create(&none, &wanted, &reason), -EINVAL);
    ck_assert_msg(strstr(line, "interface .. cannot be made: Invalid argument"), "%s", line);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(without_the_capability_it_is_refused)
{
    struct port_tap_config wanted = config();
    struct port *none = NULL;

    wanted.interface = "other";
    ck_assert_int_eq(capng_get_caps_process(), 0);
    capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, CAP_NET_ADMIN);
    ck_assert_int_eq(capng_apply(CAPNG_SELECT_CAPS), 0);
    ck_assert_int_eq(port_tap_create(&none, &wanted, &reason), -EPERM);
    ck_assert_str_eq(line, "interface other cannot be made without the capability net_admin");
}
END_TEST

/* ---- Handed over ---- */

/* A draft as it arrives. */
static void carry(struct parcel_draft *draft, struct parcel *parcel)
{
    uint64_t deadline = clock_now(&clock_machine) + PATIENT;
    uint16_t type, version;
    int ends[2];

    state_record_end(&draft->state);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    ck_assert_int_eq(parcel_send(ends[0], 1, draft, deadline), 0);
    ck_assert_int_eq(parcel_receive(ends[1], parcel, deadline), 0);
    ck_assert(state_record_next(&parcel->state, &type, &version));
    parcel_draft_destroy(draft);
    close(ends[0]);
    close(ends[1]);
}

static void begin(struct parcel_draft *draft)
{
    parcel_draft_init(draft);
    state_record_begin(&draft->state, 1, 1);
}

static int adopt(struct port **heir, const struct port_tap_config *wanted,
                 struct parcel_draft *draft)
{
    struct parcel parcel;
    int error;

    carry(draft, &parcel);
    error = port_tap_adopt(heir, wanted, &parcel, &reason);
    parcel_destroy(&parcel);
    return error;
}

/* What came before it went over, meanwhile and later comes once; counters go on. */
START_TEST(it_goes_over)
{
    const struct port_handover_ops *ops = port_handover_of(port);
    const struct port_tap_config wanted = config();
    struct parcel_draft draft;
    struct parcel parcel;
    struct rte_mbuf *packet;
    struct port *heir;
    uint8_t byte = 0;

    ck_assert_ptr_eq(ops, &port_tap_handover);
    kernel_sends(100, TYPE, 0);
    check_taken(1, 100);
    here("ip link set " NAME " mtu 2000");
    kernel_sends(RTE_ETHER_HDR_LEN + MTU + 1, TYPE, 0);
    check_taken(0, 0);
    begin(&draft);
    ops->offer(port, &draft);
    ck_assert_msg(adopt(&heir, &wanted, &draft) == 0, "%s", line);
    kernel_sends(200, TYPE, 0);
    begin(&draft);
    ops->leave(port, &draft.state);
    carry(&draft, &parcel);
    ck_assert_int_eq(ops->enter(heir, &parcel.state, &reason), 0);
    parcel_destroy(&parcel);
    ck_assert_int_eq(ops->begin(heir), 0);
    ops->forget(port);
    port = heir;
    ops->settle(port);
    check_taken(1, 200);
    kernel_sends(300, TYPE, 0);
    check_taken(1, 300);
    ck_assert_uint_eq(stat_of("from_kernel_oversized"), 1);
    packet = packet_of(100, 5);
    ck_assert_uint_eq(port->ops->tx_burst(port, &packet, 1, 0), 1);
    ck_assert_int_eq(recv(kernel_fd, &byte, 1, 0), 1);
}
END_TEST

START_TEST(another_one_is_not_adopted)
{
    struct port_tap_config wanted = config();
    struct parcel_draft draft;
    struct port *heir = NULL;

    wanted.mtu++;
    begin(&draft);
    port_tap_handover.offer(port, &draft);
    ck_assert_int_eq(adopt(&heir, &wanted, &draft), -EINVAL);
    wanted = config();
    wanted.mac.addr_bytes[5]++;
    begin(&draft);
    port_tap_handover.offer(port, &draft);
    ck_assert_int_eq(adopt(&heir, &wanted, &draft), -EINVAL);
    wanted = config();
    wanted.interface = "other";
    begin(&draft);
    port_tap_handover.offer(port, &draft);
    ck_assert_int_eq(adopt(&heir, &wanted, &draft), -EINVAL);
    ck_assert_ptr_nonnull(strstr(line, "other"));
    wanted = config();
    begin(&draft);
    state_put_u32(&draft.state, MTU);
    state_put_bytes(&draft.state, mac.addr_bytes, RTE_ETHER_ADDR_LEN);
    parcel_put_fd(&draft, kernel_fd);
    ck_assert_int_eq(adopt(&heir, &wanted, &draft), -EINVAL);
    begin(&draft);
    state_put_u32(&draft.state, MTU);
    ck_assert_int_eq(adopt(&heir, &wanted, &draft), -EBADMSG);
    ck_assert_ptr_null(heir);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon/port_tap");
    TCase *tcase = tcase_create("port_tap");

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, namespaces_enter, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_is_as_it_is_to_be);
    tcase_add_test(tcase, packets_come_from_the_kernel);
    tcase_add_test(tcase, the_kernel_waits);
    tcase_add_test(tcase, packets_go_to_the_kernel);
    tcase_add_test(tcase, oversized_packets_are_dropped);
    tcase_add_test(tcase, stacked_tags_fit);
    tcase_add_test(tcase, without_memory_packets_wait);
    tcase_add_test(tcase, what_is_down_takes_nothing);
    tcase_add_test(tcase, the_descriptor_wakes);
    tcase_add_test(tcase, a_carrier_can_be_lost);
    tcase_add_test(tcase, a_taken_name_is_refused);
    tcase_add_test(tcase, without_the_capability_it_is_refused);
    tcase_add_test(tcase, it_goes_over);
    tcase_add_test(tcase, another_one_is_not_adopted);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
