/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/frames.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACKETS 63u
#define MANY    2047u

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

/* ---- Taken over ---- */

static struct frames heir;
static bool held[PACKETS];
static bool many_held[MANY]; /* none is */

static void adopt(uint32_t chunks)
{
    ck_assert_int_eq(frames_adopt(&heir, "heir", dup(frames.fd), PACKETS, chunks), 0);
}

/* Takes all packets of a pool: as many as that. */
static void drain(struct rte_mempool *pool, struct rte_mbuf **packets, uint32_t wanted)
{
    for (uint32_t i = 0; i < wanted; i++) {
        packets[i] = rte_pktmbuf_alloc(pool);
        ck_assert_ptr_nonnull(packets[i]);
    }
    ck_assert_ptr_null(rte_pktmbuf_alloc(pool));
}

static void check_bytes(const struct rte_mbuf *packet, uint8_t byte)
{
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < packet->data_len; i++)
        wrong += rte_pktmbuf_mtod(packet, const uint8_t *)[i] != byte;
    ck_assert_uint_eq(wrong, 0);
}

/* The heir's packets are its own until it begins; then they are in the shared memory, and those of
 * the other one are as they were where they are held. */
START_TEST(goes_over)
{
    const uint32_t chunks = (uint32_t)_i;
    struct rte_mbuf *theirs[PACKETS], *ours[PACKETS];
    uint32_t holding;

    create(chunks);
    drain(frames.pool, theirs, PACKETS);
    for (uint32_t i = 0; i < PACKETS; i++)
        memset(rte_pktmbuf_append(theirs[i], 500), (int)i, 500);
    holding = frames_buffer(&frames, frames_address(&frames, theirs[7]));
    held[holding] = true;
    adopt(chunks);
    ck_assert_ptr_ne(heir.base, frames.base);
    ck_assert_ptr_null(rte_pktmbuf_alloc(heir.pool));
    frames_give(&heir, held);
    drain(heir.pool, ours, PACKETS - 1);
    for (uint32_t i = 0; i < PACKETS - 1; i++)
        memset(rte_pktmbuf_append(ours[i], 600), 200, 600);
    for (uint32_t i = 0; i < PACKETS; i++)
        check_bytes(theirs[i], (uint8_t)i);
    ck_assert_int_eq(frames_begin(&heir, held), 0);
    frames_settle(&heir);
    for (uint32_t i = 0; i < PACKETS - 1; i++) {
        uint64_t address = frames_address(&heir, ours[i]);

        ck_assert_ptr_eq(ours[i]->buf_addr, heir.base + address + frames_reserved());
        ck_assert_ptr_eq(ours[i]->pool, heir.pool);
        check_bytes(ours[i], 200);
        /* Both see the same memory now. */
        ck_assert_mem_eq(frames.base + address + FRAMES_HEADER_BYTES, ours[i],
                         sizeof(*ours[i]) + RTE_PKTMBUF_HEADROOM + 600);
    }
    frames_forget(&frames);
    ours[PACKETS - 1] = frames_packet(&heir, (uint64_t)holding * heir.buffer_bytes);
    ours[PACKETS - 1]->data_len = 500;
    check_bytes(ours[PACKETS - 1], 7);
    rte_pktmbuf_free_bulk(ours, PACKETS);
    ck_assert_ptr_null(rte_mempool_lookup("port.pool"));
    frames_destroy(&heir);
    ck_assert_ptr_null(rte_mempool_lookup("heir.pool"));
}
END_TEST

/* Of many some can be had at once, and all in the end. */
START_TEST(keeps_some_back)
{
    static struct rte_mbuf *packets[MANY];

    ck_assert_int_eq(frames_create(&frames, "port", MANY, 1), 0);
    ck_assert_int_eq(frames_adopt(&heir, "heir", dup(frames.fd), MANY, 1), 0);
    frames_give(&heir, many_held);
    ck_assert_uint_eq(rte_mempool_avail_count(heir.pool), MANY);
    packets[0] = rte_pktmbuf_alloc(heir.pool);
    memset(rte_pktmbuf_append(packets[0], 600), 200, 600);
    ck_assert_int_eq(frames_begin(&heir, many_held), 0);
    ck_assert_uint_ge(rte_mempool_avail_count(heir.pool), 512);
    ck_assert_uint_lt(rte_mempool_avail_count(heir.pool), MANY - 1);
    packets[1] = rte_pktmbuf_alloc(heir.pool);
    ck_assert_ptr_nonnull(packets[1]);
    frames_settle(&heir);
    ck_assert_uint_eq(rte_mempool_avail_count(heir.pool), MANY - 2);
    drain(heir.pool, packets + 2, MANY - 2);
    for (uint32_t i = 0; i < MANY; i++) {
        uint64_t address = frames_address(&heir, packets[i]);

        ck_assert(packets[i]->buf_addr == heir.base + address + frames_reserved() &&
                  packets[i]->pool == heir.pool && rte_mbuf_refcnt_read(packets[i]) == 1);
    }
    check_bytes(packets[0], 200);
    rte_pktmbuf_free_bulk(packets, MANY);
    frames_forget(&frames);
    frames_destroy(&heir);
    ck_assert_ptr_null(rte_mempool_lookup("heir.pool"));
}
END_TEST

/* Before they are all in the pool it can end as well. */
START_TEST(ends_unsettled)
{
    ck_assert_int_eq(frames_create(&frames, "port", MANY, 1), 0);
    ck_assert_int_eq(frames_adopt(&heir, "heir", dup(frames.fd), MANY, 1), 0);
    frames_give(&heir, many_held);
    ck_assert_int_eq(frames_begin(&heir, many_held), 0);
    frames_forget(&frames);
    frames_destroy(&heir);
    ck_assert_ptr_null(rte_mempool_lookup("heir.pool"));
}
END_TEST

/* Given up with packets out, it leaves nothing, and the other one is as it was. */
START_TEST(is_given_up)
{
    struct rte_mbuf *theirs[PACKETS], *ours[PACKETS];

    create(1);
    drain(frames.pool, theirs, PACKETS);
    for (uint32_t i = 0; i < PACKETS; i++)
        memset(rte_pktmbuf_append(theirs[i], 500), (int)i, 500);
    adopt(1);
    frames_give(&heir, held);
    drain(heir.pool, ours, PACKETS);
    for (uint32_t i = 0; i < PACKETS; i++)
        memset(rte_pktmbuf_append(ours[i], 600), 200, 600);
    frames_destroy(&heir);
    ck_assert_ptr_null(rte_mempool_lookup("heir.pool"));
    for (uint32_t i = 0; i < PACKETS; i++)
        check_bytes(theirs[i], (uint8_t)i);
    rte_pktmbuf_free_bulk(theirs, PACKETS);
    frames_destroy(&frames);
    ck_assert_ptr_null(rte_mempool_lookup("port.pool"));
}
END_TEST

/* What is to be done to a packet after all ends the process. */
START_TEST(is_forgotten)
{
    struct rte_mbuf *packet;
    pid_t child;
    int status;

    create(1);
    packet = rte_pktmbuf_alloc(frames.pool);
    frames_forget(&frames);
    ck_assert_ptr_null(rte_mempool_lookup("port.pool"));
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        rte_pktmbuf_free(packet);
        _exit(EXIT_SUCCESS);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS);
}
END_TEST

static int memory_of(size_t bytes, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

START_TEST(adopts_no_other_memory)
{
    const size_t bytes = (size_t)PACKETS * XSK_CHUNK_BYTES;
    int fd = memory_of(bytes, F_SEAL_SHRINK);

    ck_assert_int_eq(frames_adopt(&heir, "heir", memory_of(bytes, 0), PACKETS, 1), -EINVAL);
    ck_assert_int_eq(frames_adopt(&heir, "heir", memory_of(bytes - 1, F_SEAL_SHRINK), PACKETS, 1),
                     -EINVAL);
    ck_assert_int_eq(frames_adopt(&heir, "heir", memory_of(bytes + 1, F_SEAL_SHRINK), PACKETS, 1),
                     -EINVAL);
    ck_assert_int_eq(frames_adopt(&heir, "heir", open("/dev/zero", O_RDWR), PACKETS, 1), -EINVAL);
    ck_assert_int_eq(frames_adopt(&heir, "heir", dup(fd), PACKETS, 16), -EINVAL);
    ck_assert_int_eq(frames_adopt(&heir, "heir", -1, PACKETS, 1), -EINVAL);
    ck_assert_ptr_null(heir.pool);
    /* Nothing was left open. */
    ck_assert_int_eq(dup(fd), fd + 1);
    ck_assert_int_eq(frames_adopt(&heir, "heir", fd, PACKETS, 1), 0);
    frames_destroy(&heir);
    ck_assert_int_eq(fcntl(fd, F_GETFD), -1);
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
    tcase_add_loop_test(tcase, goes_over, 1, 4);
    tcase_add_test(tcase, keeps_some_back);
    tcase_add_test(tcase, ends_unsettled);
    tcase_add_test(tcase, is_given_up);
    tcase_add_test(tcase, is_forgotten);
    tcase_add_test(tcase, adopts_no_other_memory);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
