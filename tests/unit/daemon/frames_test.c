/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/frames.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PACKETS 63u

static struct frames frames;

static void create(uint32_t chunks)
{
    ck_assert_int_eq(frames_create(&frames, "port", PACKETS, chunks), 0);
}

/* Every packet is a direct one, in a buffer of its own that begins at a chunk and ends before the
 * next. */
START_TEST(each_in_its_buffer)
{
    const uint32_t chunks = (uint32_t)_i;
    struct rte_mbuf *packets[PACKETS];
    bool seen[PACKETS] = {false};
    struct stat memory;

    create(chunks);
    ck_assert_int_eq(fstat(frames.fd, &memory), 0);
    ck_assert_uint_eq((uint64_t)memory.st_size, (uint64_t)PACKETS * chunks * XSK_CHUNK_BYTES);
    for (uint32_t i = 0; i < PACKETS; i++) {
        struct rte_mbuf *packet = rte_pktmbuf_alloc(frames.pool);
        uint64_t address = frames_address(&frames, packet);
        uint32_t buffer = frames_buffer(&frames, address);

        ck_assert(RTE_MBUF_DIRECT(packet));
        ck_assert_uint_eq(address % frames.buffer_bytes, 0);
        ck_assert_uint_lt(buffer, PACKETS);
        ck_assert(!seen[buffer]);
        seen[buffer] = true;
        ck_assert_ptr_eq(packet->buf_addr, frames.base + address + frames_reserved());
        ck_assert_uint_eq(packet->buf_len, frames.buffer_bytes - frames_reserved());
        ck_assert_ptr_eq(frames_packet(&frames, address), packet);
        ck_assert_ptr_eq(frames_packet(&frames, address + frames.buffer_bytes - 1), packet);
        packets[i] = packet;
    }
    ck_assert_ptr_null(rte_pktmbuf_alloc(frames.pool));
    rte_pktmbuf_free_bulk(packets, PACKETS);
    frames_destroy(&frames);
    ck_assert_ptr_null(rte_mempool_lookup("port.pool"));
}
END_TEST

START_TEST(holds)
{
    uint8_t elsewhere;

    create(2);
    ck_assert(frames_hold(&frames, frames.base, frames.buffer_bytes));
    ck_assert(frames_hold(&frames, frames.base + frames.buffer_bytes - 1, 1));
    ck_assert(frames_hold(&frames, frames.base + frames.bytes - 1, 1));
    ck_assert(!frames_hold(&frames, frames.base + 1, frames.buffer_bytes));
    ck_assert(!frames_hold(&frames, frames.base + frames.buffer_bytes - 1, 2));
    ck_assert(!frames_hold(&frames, frames.base, frames.buffer_bytes + 1));
    ck_assert(!frames_hold(&frames, frames.base - 1, 1));
    ck_assert(!frames_hold(&frames, frames.base + frames.bytes, 1));
    ck_assert(!frames_hold(&frames, &elsewhere, 1));
    ck_assert(!frames_hold(&frames, frames.base, UINT32_MAX));
    frames_destroy(&frames);
}
END_TEST

START_TEST(chunks_of_a_frame)
{
    uint32_t room = frames_chunk_room();

    /* The largest packet of native XDP, with Ethernet and two tags. */
    ck_assert_uint_ge(room, 3498 + 22);
    ck_assert_uint_eq(frames_chunks(1), 1);
    ck_assert_uint_eq(frames_chunks(room), 1);
    ck_assert_uint_eq(frames_chunks(room + 1), 2);
    ck_assert_uint_eq(frames_chunks(9022), 3);
}
END_TEST

START_TEST(refuses)
{
    struct frames second;

    ck_assert_int_eq(frames_create(&frames, "port", 0, 1), -EINVAL);
    ck_assert_int_eq(frames_create(&frames, "port", PACKETS, 0), -EINVAL);
    ck_assert_int_eq(frames_create(&frames, "port", PACKETS, 16), -EINVAL);
    ck_assert_int_eq(frames_create(&frames, "", PACKETS, 1), -EINVAL);
    create(1);
    ck_assert_int_eq(frames_create(&second, "port", PACKETS, 1), -EEXIST);
    ck_assert_ptr_null(second.pool);
    frames_destroy(&frames);
}
END_TEST

/* Memory that somebody still has a packet in stays. */
START_TEST(late_packet)
{
    struct rte_mbuf *packet;

    create(1);
    packet = rte_pktmbuf_alloc(frames.pool);
    frames_destroy(&frames);
    ck_assert_ptr_nonnull(rte_mempool_lookup("port.pool"));
    *rte_pktmbuf_mtod(packet, uint8_t *) = 1;
    rte_pktmbuf_free(packet);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("frames");
    TCase *tcase = tcase_create("frames");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_loop_test(tcase, each_in_its_buffer, 1, 4);
    tcase_add_test(tcase, holds);
    tcase_add_test(tcase, chunks_of_a_frame);
    tcase_add_test(tcase, refuses);
    tcase_add_test(tcase, late_packet);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
