/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The XDP port against the kernel. Needs root. */
#include "daemon/port_xdp_private.h"
#include "tests/system/xdp_bed.h"
#include "tests/unit/eal.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cap-ng.h>
#include <check.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OTHER_PORT 4000u /* not claimed */
#define EXCHANGES  2000u

START_TEST(carries_every_byte)
{
    /* The least for IPv6, Ethernet's own, the most that fits into a page, jumbo frames. */
    static const uint32_t mtus[] = {1280, 1500, 3498, 9000};

    bed_open_both(1, mtus[_i]);
    ck_assert_str_eq(bed_ports[LEFT]->ops->driver, "xdp");
    ck_assert_uint_eq(bed_ports[LEFT]->mtu, mtus[_i]);
    ck_assert_int_ge(bed_ports[LEFT]->wake_fd, 0);
    bed_exchange_all();
    for (int side = LEFT; side < SIDES; side++) {
        ck_assert_uint_eq(bed_stat(bed_ports[side], "rx_packets"), 2 * BED_SHOTS);
        ck_assert_uint_eq(bed_stat(bed_ports[side], "tx_packets"), 2 * BED_SHOTS);
        ck_assert_uint_eq(bed_stat(bed_ports[side], "claimed"), 2 * BED_SHOTS);
        ck_assert_uint_eq(bed_stat(bed_ports[side], "tx_copied"), 0);
        ck_assert_uint_le(bed_stat(bed_ports[side], "kicks"), 4 * BED_SHOTS);
    }
    bed_close_both();
}
END_TEST

START_TEST(generic_mode)
{
    bed_settings.mode = XDP_MODE_GENERIC;
    bed_open_both(1, 1500);
    bed_exchange_all();
    bed_close_both();
}
END_TEST

START_TEST(copies_when_told)
{
    bed_settings.zerocopy = XDP_ZEROCOPY_OFF;
    bed_settings.mode = XDP_MODE_NATIVE;
    bed_open_both(1, 1500);
    bed_exchange_all();
    bed_close_both();
}
END_TEST

/* A socket that sends and receives whole frames, as tcpdump and the like do. */
static int raw_socket(enum side side, uint16_t protocol)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol)};
    int fd;

    veth_enter(side);
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(protocol));
    ck_assert_int_ge(fd, 0);
    address.sll_ifindex = (int)if_nametoindex(veth_names[side]);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* A datagram for the left side, as a frame, from a source port of its own. */
static void send_raw(int fd, uint16_t source_port, uint16_t port, uint16_t tag)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(bed_scratch);
    struct encap encap;

    bed_headers(&encap, LEFT, port, tag);
    rte_pktmbuf_append(packet, 100);
    memset(rte_pktmbuf_mtod(packet, void *), 0x5a, 100);
    encap_apply(&encap, packet);
    source_port = htons(source_port);
    memcpy(rte_pktmbuf_mtod_offset(packet, void *, encap.udp), &source_port, sizeof(source_port));
    ck_assert_int_eq(send(fd, rte_pktmbuf_mtod(packet, void *), rte_pktmbuf_pkt_len(packet), 0),
                     rte_pktmbuf_pkt_len(packet));
    rte_pktmbuf_free(packet);
}

static void await_packets(enum side at, uint32_t wanted)
{
    uint64_t end = bed_seconds() + BED_PATIENCE_S;

    while (wanted > 0) {
        struct rte_mbuf *packets[PORT_BURST];
        uint16_t count = bed_ports[at]->ops->rx_burst(bed_ports[at], packets, PORT_BURST, 0);

        ck_assert_uint_le(count, wanted);
        rte_pktmbuf_free_bulk(packets, count);
        wanted -= count;
        ck_assert_msg(bed_seconds() < end, "%u packets never came", wanted);
    }
}

/* What is claimed comes on whatever queue it arrives. */
START_TEST(several_queues)
{
    const struct port_xdp *left;
    int fd;

    bed_open_both(4, 1500);
    left = (const struct port_xdp *)bed_ports[LEFT];
    ck_assert_uint_eq(left->queue_count, 4);
    fd = raw_socket(RIGHT, 0);
    for (uint16_t i = 0; i < 256; i++) {
        send_raw(fd, (uint16_t)(2000 + i), BED_UDP_PORT, 0);
        await_packets(LEFT, 1);
    }
    for (uint32_t i = 0; i < left->queue_count; i++)
        ck_assert_uint_gt(left->queues[i].xsk.rx.position, 0);
    ck_assert_uint_eq(bed_stat(bed_ports[LEFT], "claimed_no_socket"), 0);
    close(fd);
    bed_close_both();
}
END_TEST

START_TEST(vlan_tag)
{
    int fd;

    bed_vlan = 77;
    bed_open_both(1, 1500);
    bed_exchange_all();
    fd = raw_socket(RIGHT, 0);
    send_raw(fd, 1, BED_UDP_PORT, 0);
    send_raw(fd, 1, BED_UDP_PORT, 78);
    send_raw(fd, 1, OTHER_PORT, 77);
    send_raw(fd, 1, BED_UDP_PORT, 77);
    await_packets(LEFT, 1);
    ck_assert_uint_eq(bed_stat(bed_ports[LEFT], "claimed"), 2 * BED_SHOTS + 1);
    close(fd);
    bed_close_both();
}
END_TEST

/* The whole frame cut into three pieces, of the port's pool or another one. */
static struct rte_mbuf *cut(struct rte_mempool *pool, enum side to, uint32_t number)
{
    struct rte_mbuf *whole = bed_frame(bed_scratch, to, number);
    uint32_t length = rte_pktmbuf_pkt_len(whole);
    uint32_t ends[] = {1, length / 2, length};
    struct rte_mbuf *chain = NULL;
    uint32_t at = 0;

    for (size_t i = 0; i < RTE_DIM(ends); i++) {
        struct rte_mbuf *piece = rte_pktmbuf_alloc(pool);

        memcpy(rte_pktmbuf_append(piece, (uint16_t)(ends[i] - at)),
               rte_pktmbuf_mtod_offset(whole, const void *, at), ends[i] - at);
        at = ends[i];
        if (!chain)
            chain = piece;
        else
            ck_assert_int_eq(rte_pktmbuf_chain(chain, piece), 0);
    }
    rte_pktmbuf_free(whole);
    return chain;
}

START_TEST(sends_what_lies_anywhere)
{
    static const uint32_t mtus[] = {1500, 9000};
    uint32_t next = 0;

    bed_open_both(1, mtus[_i]);
    for (uint32_t i = 0; i < 100; i++) {
        bed_send(LEFT, bed_frame(bed_scratch, RIGHT, next++));
        bed_send(LEFT, cut(bed_scratch, RIGHT, next++));
        bed_send(LEFT, cut(bed_ports[LEFT]->pool, RIGHT, next++));
        bed_send(LEFT, bed_frame(bed_ports[LEFT]->pool, RIGHT, next++));
        bed_receive_all(RIGHT, next - 4, next);
    }
    ck_assert_uint_eq(bed_stat(bed_ports[LEFT], "tx_copied"), 300);
    bed_close_both();
}
END_TEST

/* As for retransmission: the packet is kept, its clones are sent, several at a time. */
START_TEST(sends_clones)
{
    static const uint32_t mtus[] = {1500, 9000};
    struct rte_mbuf *clones[PORT_BURST];
    struct port *left;

    bed_open_both(1, mtus[_i]);
    left = bed_ports[LEFT];
    for (uint32_t round = 0; round < 50; round++) {
        struct rte_mbuf *kept = bed_frame(left->pool, RIGHT, round);
        uint64_t end = bed_seconds() + BED_PATIENCE_S;

        for (uint32_t i = 0; i < PORT_BURST; i++)
            clones[i] = rte_pktmbuf_clone(kept, left->pool);
        ck_assert_uint_eq(left->ops->tx_burst(left, clones, PORT_BURST, bed_now()), PORT_BURST);
        for (uint32_t got = 0; got < PORT_BURST;) {
            bed_receive(LEFT, 0, 0);
            got += bed_receive(RIGHT, round, round + 1) - round;
            ck_assert_msg(bed_seconds() < end, "clone %u never came", got);
        }
        while (rte_mbuf_refcnt_read(kept) > 1) {
            left->ops->tx_room(left);
            ck_assert_msg(bed_seconds() < end, "clones are not given back");
        }
        rte_pktmbuf_free(kept);
    }
    ck_assert_uint_eq(bed_stat(left, "tx_copied"), 0);
    bed_close_both();
}
END_TEST

START_TEST(refuses_odd_lengths)
{
    struct rte_mbuf *packets[2];

    bed_open_both(1, 1500);
    packets[0] = rte_pktmbuf_alloc(bed_ports[LEFT]->pool);
    packets[1] = rte_pktmbuf_alloc(bed_scratch);
    rte_pktmbuf_append(packets[1], 9000);
    ck_assert_uint_eq(bed_ports[LEFT]->ops->tx_burst(bed_ports[LEFT], packets, 2, 0), 2);
    ck_assert_uint_eq(bed_stat(bed_ports[LEFT], "tx_odd_length"), 2);
    ck_assert_uint_eq(bed_stat(bed_ports[LEFT], "tx_packets"), 0);
    bed_exchange(LEFT, 10);
    bed_close_both();
}
END_TEST

/* Nobody takes what arrives, until the kernel has no buffer left; then all goes on. */
START_TEST(overrun)
{
    bed_open_both(1, 1500);
    for (uint32_t i = 0; i < 2 * BED_POOL; i++) {
        bed_send(LEFT, bed_frame(bed_ports[LEFT]->pool, RIGHT, i));
        bed_receive(LEFT, 0, 0);
    }
    ck_assert_uint_gt(bed_stat(bed_ports[RIGHT], "kernel_rx_dropped") +
                          bed_stat(bed_ports[RIGHT], "kernel_rx_no_buffer"),
                      0);
    bed_receive_all(RIGHT, 0, 100);
    bed_close_both();
}
END_TEST

/* An engine that takes every buffer of the pool and gives them back much later. */
START_TEST(exhausted_pool)
{
    struct rte_mbuf *taken[BED_POOL];
    uint32_t count = 0;

    bed_open_both(1, 1500);
    while (count < BED_POOL && (taken[count] = rte_pktmbuf_alloc(bed_ports[RIGHT]->pool)))
        count++;
    ck_assert_uint_gt(count, 0);
    for (uint32_t i = 0; i < BED_POOL; i++) {
        bed_send(LEFT, bed_frame(bed_ports[LEFT]->pool, RIGHT, i));
        bed_receive(LEFT, 0, 0);
    }
    /* No buffer comes after those that had been posted, and none for a copy. */
    bed_receive_all(RIGHT, 0, 100);
    rte_pktmbuf_free_bulk(taken, count);
    bed_close_both();
}
END_TEST

/* The engine's way of sleeping: its epoll descriptor holds the port's, edge-triggered, and lies in
 * the thread's. Nobody ever asks what the port's own holds. */
struct sleeper {
    enum side side;
    int engine, worker;
};

static void prepare_sleeper(struct sleeper *sleeper, enum side side)
{
    struct epoll_event port = {.events = EPOLLIN | EPOLLET};
    struct epoll_event engine = {.events = EPOLLIN};

    sleeper->side = side;
    sleeper->engine = epoll_create1(EPOLL_CLOEXEC);
    sleeper->worker = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_eq(epoll_ctl(sleeper->engine, EPOLL_CTL_ADD, bed_ports[side]->wake_fd, &port), 0);
    ck_assert_int_eq(epoll_ctl(sleeper->worker, EPOLL_CTL_ADD, sleeper->engine, &engine), 0);
}

/* A lost wake-up ends in the time-out, and the test with it. */
static void await_one(const struct sleeper *sleeper)
{
    struct port *port = bed_ports[sleeper->side];
    struct epoll_event event;
    struct rte_mbuf *packet;

    while (port->ops->rx_burst(port, &packet, 1, bed_now()) == 0) {
        if (port->ops->arm(port))
            continue;
        if (epoll_wait(sleeper->worker, &event, 1, BED_PATIENCE_S * 1000) != 1)
            abort();
        port->ops->disarm(port);
        epoll_wait(sleeper->engine, &event, 1, 0);
    }
    rte_pktmbuf_free(packet);
}

static void *answer(void *arg)
{
    const struct sleeper *sleeper = arg;

    for (uint32_t i = 0; i < EXCHANGES; i++) {
        await_one(sleeper);
        bed_send(sleeper->side, bed_frame(bed_ports[sleeper->side]->pool, !sleeper->side, 1));
    }
    return NULL;
}

START_TEST(never_loses_a_wake_up)
{
    static const uint32_t queues[] = {1, 2};
    struct sleeper sleepers[SIDES];
    pthread_t thread;

    bed_open_both(queues[_i], 1500);
    prepare_sleeper(&sleepers[LEFT], LEFT);
    prepare_sleeper(&sleepers[RIGHT], RIGHT);
    ck_assert_int_eq(pthread_create(&thread, NULL, answer, &sleepers[RIGHT]), 0);
    for (uint32_t i = 0; i < EXCHANGES; i++) {
        bed_send(LEFT, bed_frame(bed_ports[LEFT]->pool, RIGHT, 1));
        await_one(&sleepers[LEFT]);
    }
    pthread_join(thread, NULL);
    bed_close_both();
}
END_TEST

/* A socket of the kernel's. */
static int udp_socket(enum side side, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd;

    veth_enter(side);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void send_udp(int fd, enum side to, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, veth_v4[to], &address.sin_addr);
    ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof(address)), 1);
}

static bool readable(int fd, int milliseconds)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, milliseconds) == 1;
}

static void expect_udp(int fd)
{
    char byte;

    ck_assert_msg(readable(fd, BED_PATIENCE_S * 1000), "the kernel did not get its packet");
    ck_assert_int_eq(recv(fd, &byte, 1, 0), 1);
}

START_TEST(leaves_the_rest_to_the_kernel)
{
    int here, there, claimed;

    bed_open_both(1, 1500);
    here = udp_socket(LEFT, OTHER_PORT);
    claimed = udp_socket(LEFT, BED_UDP_PORT);
    there = udp_socket(RIGHT, OTHER_PORT);
    for (int i = 0; i < 10; i++) {
        send_udp(there, LEFT, OTHER_PORT);
        expect_udp(here);
        send_udp(here, RIGHT, OTHER_PORT);
        expect_udp(there);
        send_udp(there, LEFT, BED_UDP_PORT);
        await_packets(LEFT, 1);
    }
    ck_assert(!readable(claimed, 0));
    veth_run(LEFT, "ping -q -c 3 -i 0.01 %s >/dev/null", VETH_RIGHT_V4);
    ck_assert_uint_eq(bed_stat(bed_ports[LEFT], "claimed"), 10);
    close(here);
    close(there);
    close(claimed);
    bed_close_both();
}
END_TEST

/* However the process ends, the kernel has every packet. */
START_TEST(kernel_inherits)
{
    int claimed, there, ready[2];
    pid_t child;
    char byte;

    veth_create(1, 1500);
    claimed = udp_socket(LEFT, BED_UDP_PORT);
    there = udp_socket(RIGHT, OTHER_PORT);
    ck_assert_int_eq(pipe(ready), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        if (bed_open(LEFT))
            _exit(EXIT_FAILURE);
        send_udp(there, LEFT, BED_UDP_PORT);
        await_packets(LEFT, 1);
        if (write(ready[1], "", 1) == 1)
            pause();
        _exit(EXIT_FAILURE);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert(!readable(claimed, 0));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    send_udp(there, LEFT, BED_UDP_PORT);
    expect_udp(claimed);
    close(ready[0]);
    close(claimed);
    close(there);
}
END_TEST

START_TEST(link_down_and_up)
{
    struct rte_mbuf *packet;

    bed_open_both(1, 1500);
    bed_exchange(LEFT, 50);
    veth_run(LEFT, "ip link set left down");
    packet = bed_frame(bed_ports[LEFT]->pool, RIGHT, 0);
    ck_assert_uint_eq(bed_ports[LEFT]->ops->tx_burst(bed_ports[LEFT], &packet, 1, bed_now()), 1);
    ck_assert_uint_gt(bed_stat(bed_ports[LEFT], "tx_down"), 0);
    ck_assert_uint_ne(bed_ports[LEFT]->ops->deadline(bed_ports[LEFT]), UINT64_MAX);
    bed_receive(LEFT, 0, 0);
    veth_run(LEFT, "ip link set left up");
    /* What waited in the ring goes first. */
    for (uint64_t end = bed_seconds() + BED_PATIENCE_S; bed_receive(RIGHT, 0, 1) == 0;) {
        bed_receive(LEFT, 0, 0);
        ck_assert_msg(bed_seconds() < end, "the frame never came");
    }
    bed_receive(LEFT, 0, 0);
    ck_assert_uint_eq(bed_ports[LEFT]->ops->deadline(bed_ports[LEFT]), UINT64_MAX);
    bed_exchange(LEFT, 50);
    bed_exchange(RIGHT, 50);
    bed_close_both();
}
END_TEST

/* A full ring whose link is down promises nothing, and destroying it loses nothing. */
START_TEST(link_down_for_ever)
{
    uint32_t sent = 0;

    bed_open_both(1, 1500);
    veth_run(LEFT, "ip link set left down");
    while (bed_ports[LEFT]->ops->tx_room(bed_ports[LEFT]) > 0) {
        struct rte_mbuf *packet = rte_pktmbuf_alloc(bed_ports[LEFT]->pool);

        if (!packet)
            break;
        rte_pktmbuf_append(packet, 100);
        ck_assert_uint_eq(bed_ports[LEFT]->ops->tx_burst(bed_ports[LEFT], &packet, 1, sent), 1);
        ck_assert_uint_le(++sent, BED_POOL);
    }
    bed_close_both();
}
END_TEST

START_TEST(interface_removed)
{
    struct rte_mbuf *packet;

    bed_open_both(1, 1500);
    bed_exchange(LEFT, 50);
    veth_run(LEFT, "ip link del left");
    for (uint32_t i = 0; i < 100; i++) {
        packet = rte_pktmbuf_alloc(bed_ports[LEFT]->pool);
        rte_pktmbuf_append(packet, 100);
        if (bed_ports[LEFT]->ops->tx_burst(bed_ports[LEFT], &packet, 1, i) == 0)
            rte_pktmbuf_free(packet);
        ck_assert_uint_eq(bed_ports[LEFT]->ops->rx_burst(bed_ports[LEFT], &packet, 1, i), 0);
        ck_assert_int_eq(bed_ports[LEFT]->ops->arm(bed_ports[LEFT]), 0);
    }
    ck_assert_uint_gt(bed_stat(bed_ports[LEFT], "tx_down"), 0);
    bed_close_both();
}
END_TEST

/* The port is refused, with a line that has all these words in it. */
static void expect_refusal(enum side side, const char *const *words)
{
    ck_assert_int_lt(bed_open(side), 0);
    ck_assert_ptr_null(bed_ports[side]);
    for (; *words; words++)
        ck_assert_msg(strstr(bed_why, *words), "no \"%s\" in: %s", *words, bed_why);
    ck_assert_ptr_null(strchr(bed_why, '\n'));
    ck_assert_ptr_null(rte_mempool_lookup("left.pool"));
}

#define REFUSED(side, ...) expect_refusal(side, (const char *const[]){__VA_ARGS__, NULL})

/* Somebody else's program, which lets everything pass. */
static void attach_stranger(uint32_t flags)
{
    const struct bpf_insn pass[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
        {.code = BPF_JMP | BPF_EXIT},
    };
    int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "stranger", "GPL", pass, RTE_DIM(pass), NULL);

    ck_assert_int_ge(fd, 0);
    veth_enter(LEFT);
    ck_assert_int_eq(bpf_xdp_attach((int)if_nametoindex("left"), fd, flags, NULL), 0);
    close(fd);
}

START_TEST(respects_other_programs)
{
    veth_create(1, 1500);
    attach_stranger(XDP_FLAGS_DRV_MODE);
    REFUSED(LEFT, "\"stranger\"", "user 0", "ip link set dev left xdp off");
    veth_run(LEFT, "ip link set dev left xdp off");
    attach_stranger(XDP_FLAGS_SKB_MODE);
    REFUSED(LEFT, "\"stranger\"", "ip link set dev left xdpgeneric off");
    veth_run(LEFT, "ip link set dev left xdpgeneric off");
    ck_assert_int_eq(bed_open(LEFT), 0);
    bed_ports[RIGHT] = bed_ports[LEFT];
    bed_ports[LEFT] = NULL;
    ck_assert_int_eq(bed_open(LEFT), -EBUSY);
    ck_assert_msg(strstr(bed_why, "left is held by another saddled"), "%s", bed_why);
    bed_close(RIGHT);
}
END_TEST

START_TEST(names_what_is_in_the_way)
{
    struct xsk_memory memory = {.bytes = 64 * XSK_CHUNK_BYTES};
    struct xsk stranger;

    veth_create(2, 1500);
    bed_settings.mtu = 3000;
    REFUSED(LEFT, "MTU of 1500", "ip link set dev left mtu 3000");
    bed_settings.mtu = 0;
    bed_settings.zerocopy = XDP_ZEROCOPY_REQUIRED;
    REFUSED(LEFT, "zerocopy is required");
    bed_settings.zerocopy = XDP_ZEROCOPY_AUTO;
    bed_vlan = 5;
    REFUSED(LEFT, "ethtool -K left rxvlan off");
    bed_vlan = 0;
    ck_assert_int_eq(posix_memalign(&memory.base, XSK_CHUNK_BYTES, memory.bytes), 0);
    ck_assert_int_eq(xsk_open(&stranger, 64, &memory), 0);
    ck_assert_int_eq(xsk_bind(&stranger, if_nametoindex("left"), 1, 0, NULL), 0);
    REFUSED(LEFT, "queue 1 is used by another AF_XDP socket");
    xsk_close(&stranger);
    free(memory.base);
    veth_run(RIGHT, "ip link set right mtu 9000");
    REFUSED(LEFT, "ip link set dev left mtu 3498", "other end");
    veth_run(RIGHT, "ip link set right mtu 1500");
    ck_assert_msg(bed_open(LEFT) == 0, "%s", bed_why);
    bed_close(LEFT);
    veth_run(LEFT, "ip link del left");
    REFUSED(LEFT, "there is no interface \"left\"");
}
END_TEST

static int open_with(const unsigned int *capabilities, uint32_t count, struct port **port)
{
    static const struct reason reason = {bed_why, sizeof(bed_why)};
    const struct port_xdp_config config = {.name = "left", .interface = "left"};

    capng_clear(CAPNG_SELECT_CAPS);
    for (uint32_t i = 0; i < count; i++)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capabilities[i]);
    ck_assert_int_eq(capng_apply(CAPNG_SELECT_CAPS), 0);
    return port_xdp_create(port, &config, &reason);
}

/* Whose a program is can be seen by those who may open all of them. */
START_TEST(other_program_without_rights)
{
    static const unsigned int enough[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF};
    struct port *port = NULL;

    veth_create(1, 1500);
    attach_stranger(XDP_FLAGS_DRV_MODE);
    ck_assert_int_eq(open_with(enough, RTE_DIM(enough), &port), -EBUSY);
    ck_assert_msg(strstr(bed_why, "bpftool prog show id "), "%s", bed_why);
    ck_assert_msg(strstr(bed_why, "ip link set dev left xdp off"), "%s", bed_why);
    ck_assert_ptr_null(strstr(bed_why, "stranger"));
}
END_TEST

/* CAP_PERFMON, say, is not: the verifier is stricter without. */
START_TEST(three_capabilities_suffice)
{
    static const unsigned int enough[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF, CAP_IPC_LOCK};
    struct port *port = NULL;

    veth_create(1, 1500);
    ck_assert_msg(open_with(enough, RTE_DIM(enough), &port) == 0, "%s", bed_why);
    port->ops->destroy(port);
    ck_assert_int_eq(open_with(enough, 1, &port), -EPERM);
    ck_assert_msg(strstr(bed_why, "CAP_NET_RAW"), "%s", bed_why);
    ck_assert_int_eq(open_with(NULL, 0, &port), -EPERM);
    ck_assert_ptr_null(rte_mempool_lookup("left.pool"));
}
END_TEST

START_TEST(too_many_queues)
{
    veth_create(16, 1500);
    REFUSED(LEFT, "1023 are too few for the 16 receive queues of left", "2048");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port_xdp");
    TCase *tcase = tcase_create("port_xdp");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 2 * BED_PATIENCE_S);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, bed_setup, NULL);
    tcase_add_loop_test(tcase, carries_every_byte, 0, 4);
    tcase_add_test(tcase, generic_mode);
    tcase_add_test(tcase, copies_when_told);
    tcase_add_test(tcase, several_queues);
    tcase_add_test(tcase, vlan_tag);
    tcase_add_loop_test(tcase, sends_what_lies_anywhere, 0, 2);
    tcase_add_loop_test(tcase, sends_clones, 0, 2);
    tcase_add_test(tcase, refuses_odd_lengths);
    tcase_add_test(tcase, overrun);
    tcase_add_test(tcase, exhausted_pool);
    tcase_add_loop_test(tcase, never_loses_a_wake_up, 0, 2);
    tcase_add_test(tcase, leaves_the_rest_to_the_kernel);
    tcase_add_test(tcase, kernel_inherits);
    tcase_add_test(tcase, link_down_and_up);
    tcase_add_test(tcase, link_down_for_ever);
    tcase_add_test(tcase, interface_removed);
    tcase_add_test(tcase, respects_other_programs);
    tcase_add_test(tcase, names_what_is_in_the_way);
    tcase_add_test(tcase, other_program_without_rights);
    tcase_add_test(tcase, three_capabilities_suffice);
    tcase_add_test(tcase, too_many_queues);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
