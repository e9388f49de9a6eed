/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A memif port that listens, and strangers in the place of its client. */
#include "daemon/memif_rings.h"
#include "tests/unit/daemon/memif_bed.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- A stranger in the place of a client ---- */

static int stranger;

static void stranger_connects(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    memcpy(address.sun_path, bed_path, strlen(bed_path));
    stranger = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(stranger, (struct sockaddr *)&address, sizeof(address)), 0);
    port_memif_work(bed_server);
}

static void stranger_says(const void *bytes, size_t length, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        envelope.msg_control = &control;
        envelope.msg_controllen = sizeof(control.bytes);
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
                                          .cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    ck_assert_int_eq(sendmsg(stranger, &envelope, MSG_NOSIGNAL), length);
    port_memif_work(bed_server);
}

static struct memif_message stranger_hears(enum memif_type type)
{
    struct memif_message heard;

    ck_assert_int_eq(recv(stranger, &heard, sizeof(heard), MSG_DONTWAIT), sizeof(heard));
    ck_assert_uint_eq(heard.type, type);
    return heard;
}

static void stranger_is_told(const char *text)
{
    struct memif_message heard = stranger_hears(MEMIF_DISCONNECT);
    uint8_t more;

    ck_assert_msg(strstr((const char *)heard.body.disconnect.reason, text), "%s",
                  (const char *)heard.body.disconnect.reason);
    ck_assert_int_eq(recv(stranger, &more, 1, 0), 0);
    close(stranger);
}

static struct memif_message init_message(void)
{
    struct memif_message message = {.type = MEMIF_INIT};

    message.body.init.version = MEMIF_VERSION;
    message.body.init.id = 7;
    return message;
}

static void stranger_begins(void)
{
    struct memif_message message = init_message();

    stranger_connects();
    stranger_hears(MEMIF_HELLO);
    stranger_says(&message, sizeof(message), -1);
    stranger_hears(MEMIF_ACK);
}

static void stranger_gives_region(uint32_t index, uint64_t bytes, int fd)
{
    struct memif_message message = {.type = MEMIF_ADD_REGION};

    message.body.region.index = (uint16_t)index;
    message.body.region.bytes = bytes;
    stranger_says(&message, sizeof(message), fd);
}

static struct memif_message ring_message(bool to_server, uint32_t offset, uint8_t log2)
{
    struct memif_message message = {.type = MEMIF_ADD_RING};

    message.body.ring.flags = to_server ? MEMIF_RING_TO_SERVER : 0;
    message.body.ring.offset = offset;
    message.body.ring.log2 = log2;
    return message;
}

START_TEST(strange_words)
{
    struct memif_message message;

    bed_server = bed_create("server", true);
    stranger_connects();
    stranger_hears(MEMIF_HELLO);
    stranger_says("short", 5, -1);
    stranger_is_told("another length");

    stranger_connects();
    stranger_hears(MEMIF_HELLO);
    message = init_message();
    message.body.init.version = 0x0100;
    stranger_says(&message, sizeof(message), -1);
    stranger_is_told("no common version");

    stranger_connects();
    stranger_hears(MEMIF_HELLO);
    message = init_message();
    message.body.init.id = 8;
    stranger_says(&message, sizeof(message), -1);
    stranger_is_told("no interface of that id");

    stranger_connects();
    stranger_hears(MEMIF_HELLO);
    message = init_message();
    message.body.init.mode = 1;
    stranger_says(&message, sizeof(message), -1);
    stranger_is_told("Ethernet");

    stranger_begins();
    message = init_message();
    stranger_says(&message, sizeof(message), -1);
    stranger_is_told("out of turn");

    stranger_begins();
    message.type = 77;
    stranger_says(&message, sizeof(message), -1);
    stranger_is_told("out of turn");

    stranger_begins();
    message.type = MEMIF_CONNECT;
    stranger_says(&message, sizeof(message), -1);
    stranger_is_told("no rings");
    /* Nobody else is harmed. */
    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
}
END_TEST

static int memory(uint64_t bytes, int seals)
{
    int fd = memfd_create("strange", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

START_TEST(strange_memory)
{
    const struct {
        uint32_t index;
        uint64_t bytes;
        int seals;
        const char *told;
    } cases[] = {
        {0, 65536, 0, "taken away"},
        {0, 65537, F_SEAL_SHRINK, "a region that cannot be"},
        {0, 0, F_SEAL_SHRINK, "a region that cannot be"},
        {0, UINT64_MAX, F_SEAL_SHRINK, "a region that cannot be"},
        {1, 65536, F_SEAL_SHRINK, "a region that cannot be"},
        {65535, 65536, F_SEAL_SHRINK, "a region that cannot be"},
    };

    bed_server = bed_create("server", true);
    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        int fd = memory(65536, cases[i].seals);

        stranger_begins();
        stranger_gives_region(cases[i].index, cases[i].bytes, fd);
        stranger_is_told(cases[i].told);
        close(fd);
    }
    stranger_begins();
    stranger_gives_region(0, 65536, -1);
    stranger_is_told("a region that cannot be");
}
END_TEST

START_TEST(strange_rings)
{
    const struct {
        uint32_t offset;
        uint8_t log2;
        uint16_t region, index;
        bool bell;
    } cases[] = {
        {0, 15, 0, 0, true}, {0, 255, 0, 0, true}, {65536 - 128, 4, 0, 0, true},
        {4, 4, 0, 0, true},  {0, 4, 1, 0, true},   {UINT32_MAX - 15, 4, 0, 0, true},
        {0, 4, 0, 1, true},  {0, 4, 0, 0, false},
    };
    int fd = memory(65536, F_SEAL_SHRINK), bell = eventfd(0, EFD_CLOEXEC);
    struct memif_message message;

    bed_server = bed_create("server", true);
    for (size_t i = 0; i < RTE_DIM(cases); i++) {
        stranger_begins();
        stranger_gives_region(0, 65536, fd);
        stranger_hears(MEMIF_ACK);
        message = ring_message(true, cases[i].offset, cases[i].log2);
        message.body.ring.region = cases[i].region;
        message.body.ring.index = cases[i].index;
        stranger_says(&message, sizeof(message), cases[i].bell ? bell : -1);
        stranger_is_told("a ring that cannot be");
    }
    /* Twice the same direction; and rings without the cookie. */
    stranger_begins();
    stranger_gives_region(0, 65536, fd);
    stranger_hears(MEMIF_ACK);
    message = ring_message(true, 0, 4);
    stranger_says(&message, sizeof(message), bell);
    stranger_hears(MEMIF_ACK);
    stranger_says(&message, sizeof(message), bell);
    stranger_is_told("a ring that cannot be");
    stranger_begins();
    stranger_gives_region(0, 65536, fd);
    for (uint32_t i = 0; i < 2; i++) {
        message = ring_message(i == 0, i * 4096, 4);
        stranger_hears(MEMIF_ACK);
        stranger_says(&message, sizeof(message), bell);
    }
    stranger_hears(MEMIF_ACK);
    message.type = MEMIF_CONNECT;
    stranger_says(&message, sizeof(message), -1);
    stranger_is_told("no rings");
    close(fd);
    close(bell);
}
END_TEST

/* One who says nothing more gives way in time. */
START_TEST(a_silent_stranger)
{
    bed_server = bed_create("server", true);
    stranger_begins();
    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
    stranger_is_told("too long");
}
END_TEST

/* A client that is connected as it should be, and does with its memory what it likes. */
static struct memif_rings *evil;

static void evil_connects(void)
{
    struct memif_message message = {.type = MEMIF_CONNECT};
    struct memif_message rings_messages[2];

    ck_assert_int_eq(memif_rings_create(&evil, 4, 2048), 0);
    stranger_begins();
    stranger_gives_region(0, evil->regions[0].bytes, evil->regions[0].fd);
    rings_messages[0] = ring_message(true, evil->tx.offset, 4);
    rings_messages[1] = ring_message(false, evil->rx.offset, 4);
    for (uint32_t i = 0; i < 2; i++) {
        stranger_hears(MEMIF_ACK);
        stranger_says(&rings_messages[i], sizeof(rings_messages[i]),
                      i ? evil->rx.bell : evil->tx.bell);
    }
    stranger_hears(MEMIF_ACK);
    stranger_says(&message, sizeof(message), -1);
    stranger_hears(MEMIF_CONNECTED);
    ck_assert(port_memif_link(bed_server));
}

static void evil_ends(void)
{
    memif_rings_destroy(evil);
    close(stranger);
    bed_work_until(bed_server_down);
}

/* One that would have us wait, and what is none. */
START_TEST(strange_bells)
{
    int fd = memory(65536, F_SEAL_SHRINK), ends[2];
    struct memif_message message = ring_message(true, 0, 4);
    eventfd_t rung;

    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    bed_server = bed_create("server", true);
    stranger_begins();
    stranger_gives_region(0, 65536, fd);
    stranger_hears(MEMIF_ACK);
    stranger_says(&message, sizeof(message), ends[1]);
    stranger_is_told("a ring that cannot be");

    evil_connects();
    ck_assert_int_eq(eventfd_read(evil->rx.bell, &rung), 0);
    ck_assert_int_eq(eventfd_write(evil->rx.bell, UINT64_MAX - 1), 0);
    ck_assert_int_eq(fcntl(evil->rx.bell, F_SETFL, 0), 0);
    evil->rx.ring->flags = 0;
    for (uint32_t i = 0; i < 10; i++)
        ck_assert(bed_send(bed_server, i, 64, BED_FRAME_MAX));
    ck_assert_uint_eq(bed_stat(bed_server, "bells"), 10);
    evil_ends();
    close(ends[0]);
    close(ends[1]);
    close(fd);
}
END_TEST

START_TEST(strange_descriptors)
{
    const struct memif_descriptor cases[] = {
        {.region = 1, .length = 64},
        {.region = 65535, .length = 64},
        {.length = UINT32_MAX},
        {.length = 64, .offset = UINT32_MAX},
        {.length = UINT32_MAX, .offset = UINT32_MAX},
        {.length = 65536},
        {.length = BED_FRAME_MIN - 1},
        {.length = 0},
        {.length = 64, .flags = MEMIF_DESCRIPTOR_NEXT}, /* and no more comes */
    };

    bed_server = bed_create("server", true);
    evil_connects();
    for (uint16_t i = 0; i < RTE_DIM(cases); i++) {
        evil->tx.ring->slots[i & evil->tx.mask] = cases[i];
        evil->tx.ring->head = (uint16_t)(i + 1);
        ck_assert(bed_receives_nothing(bed_server));
        ck_assert_uint_eq(bed_stat(bed_server, "rx_bad"), (uint64_t)i + 1);
        ck_assert_uint_eq(evil->tx.ring->tail, (uint16_t)(i + 1));
    }
    ck_assert(port_memif_link(bed_server));
    evil_ends();
}
END_TEST

/* A packet of all slots of the ring, again and again: as much work as its slots, no more. */
START_TEST(an_endless_packet)
{
    bed_server = bed_create("server", true);
    evil_connects();
    for (uint16_t i = 0; i <= evil->tx.mask; i++)
        evil->tx.ring->slots[i] = (struct memif_descriptor){.length = 16, .flags = 1};
    for (uint16_t round = 1; round < 10; round++) {
        evil->tx.ring->head = (uint16_t)(round * 16);
        ck_assert(bed_receives_nothing(bed_server));
        ck_assert_uint_eq(evil->tx.ring->tail, (uint16_t)(round * 16));
    }
    evil_ends();
}
END_TEST

static void check_broken(void)
{
    bed_work_until(bed_server_down);
    stranger_is_told("positions in a ring");
    memif_rings_destroy(evil);
}

START_TEST(strange_positions)
{
    bed_server = bed_create("server", true);
    evil_connects();
    evil->tx.ring->head = 17;
    ck_assert(bed_receives_nothing(bed_server));
    check_broken();

    evil_connects();
    evil->rx.ring->head = 17;
    ck_assert(!bed_send(bed_server, 1, 64, BED_FRAME_MAX));
    ck_assert_uint_eq(bed_server->ops->tx_room(bed_server), 0);
    check_broken();

    /* Where its buffers are is the client's to say. */
    evil_connects();
    evil->rx.ring->slots[0].offset = UINT32_MAX;
    ck_assert_uint_eq(bed_server->ops->tx_room(bed_server), 0);
    ck_assert(!bed_send(bed_server, 1, 64, BED_FRAME_MAX));
    check_broken();

    bed_client = bed_create("client", false);
    bed_work_until(bed_both_up);
    bed_exchange(bed_client, bed_server);
}
END_TEST

/* Buffers that are smaller than a packet: it takes several; one that fits into no ring is lost. */
START_TEST(small_buffers)
{
    struct rte_mbuf *packet;

    bed_server = bed_create("server", true);
    evil_connects();
    for (uint16_t i = 0; i <= evil->rx.mask; i++)
        evil->rx.ring->slots[i].length = 100;
    ck_assert_uint_eq(bed_server->ops->tx_room(bed_server),
                      1); /* 1522 bytes take 16 slots, of 16 */
    ck_assert(bed_send(bed_server, 3, 250, BED_FRAME_MAX));
    ck_assert_uint_eq(evil->rx.ring->tail, 3);
    ck_assert_uint_eq(evil->rx.ring->slots[0].flags, MEMIF_DESCRIPTOR_NEXT);
    ck_assert_uint_eq(evil->rx.ring->slots[2].flags, 0);
    ck_assert_uint_eq(evil->rx.ring->slots[2].length, 50);
    packet = NULL;
    ck_assert_uint_eq(
        memif_rings_receive(evil, bed_server->pool, &packet, 1, &(struct memif_counts){0}), 1);
    ck_assert_uint_eq(rte_pktmbuf_pkt_len(packet), 250);
    for (uint32_t i = 0; i < 250; i++)
        ck_assert_uint_eq(rte_pktmbuf_mtod(packet, const uint8_t *)[i], bed_byte(3, i));
    rte_pktmbuf_free(packet);
    for (uint16_t i = 0; i <= evil->rx.mask; i++)
        evil->rx.ring->slots[i].length = 16;
    ck_assert(bed_send(bed_server, 4, BED_FRAME_MAX, BED_FRAME_MAX));
    ck_assert_uint_eq(bed_stat(bed_server, "tx_odd_length"), 1);
    evil_ends();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("port_memif_strangers");
    TCase *tcase = tcase_create("port_memif_strangers");

    tcase_set_timeout(tcase, 60);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, bed_set_up, bed_tear_down);
    tcase_add_test(tcase, strange_words);
    tcase_add_test(tcase, strange_memory);
    tcase_add_test(tcase, strange_rings);
    tcase_add_test(tcase, a_silent_stranger);
    tcase_add_test(tcase, strange_bells);
    tcase_add_test(tcase, strange_descriptors);
    tcase_add_test(tcase, an_endless_packet);
    tcase_add_test(tcase, strange_positions);
    tcase_add_test(tcase, small_buffers);
    suite_add_tcase(suite, tcase);
    return suite;
}

int main(void)
{
    SRunner *runner = srunner_create(make_suite());
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
