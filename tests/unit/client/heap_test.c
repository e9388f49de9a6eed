/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap: alignment, reuse, joining, exhaustion, wrong pointers, a long random run and threads.
 */
#include "client/heap.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEAP_BYTES    (1u << 16)
#define HEAP_GRANULES (HEAP_BYTES / CLIENT_HEAP_GRANULE)
#define RANDOM_STEPS  200000u
#define RANDOM_BLOCKS 64u
#define THREADS       4
#define THREAD_STEPS  5000u

static uint8_t *memory;
static struct client_heap heap;

static void open_heap(void)
{
    memory = (uint8_t *)aligned_alloc(CLIENT_HEAP_GRANULE, HEAP_BYTES);
    ck_assert_ptr_nonnull(memory);
    ck_assert_int_eq(client_heap_open(&heap, memory, HEAP_BYTES), 0);
}

static void close_heap(void)
{
    client_heap_close(&heap);
    free(memory);
}

/* All is free and in one piece. */
static void assert_whole(void)
{
    void *all = client_heap_alloc(&heap, HEAP_BYTES);

    ck_assert_ptr_eq(all, memory);
    ck_assert_int_eq(client_heap_free(&heap, all), 0);
}

START_TEST(blocks_are_aligned_and_apart)
{
    uint8_t *first = (uint8_t *)client_heap_alloc(&heap, 1);
    uint8_t *second = (uint8_t *)client_heap_alloc(&heap, 65);
    uint8_t *third = (uint8_t *)client_heap_alloc(&heap, 0);

    ck_assert_uint_eq((uintptr_t)first % 64, 0);
    ck_assert_ptr_eq(second, first + 64);
    ck_assert_ptr_eq(third, second + 128);
    ck_assert_int_eq(client_heap_free(&heap, second), 0);
    ck_assert_int_eq(client_heap_free(&heap, first), 0);
    ck_assert_int_eq(client_heap_free(&heap, third), 0);
    assert_whole();
}
END_TEST

START_TEST(exhaustion_is_null_and_passes)
{
    void *blocks[HEAP_GRANULES];

    ck_assert_ptr_null(client_heap_alloc(&heap, HEAP_BYTES + 1));
    ck_assert_ptr_null(client_heap_alloc(&heap, SIZE_MAX));
    for (uint32_t at = 0; at < HEAP_GRANULES; at++) {
        blocks[at] = client_heap_alloc(&heap, CLIENT_HEAP_GRANULE);
        ck_assert_ptr_nonnull(blocks[at]);
    }
    ck_assert_ptr_null(client_heap_alloc(&heap, 1));
    /* Every second one free: half the heap, but no two granules in a row. */
    for (uint32_t at = 0; at < HEAP_GRANULES; at += 2)
        ck_assert_int_eq(client_heap_free(&heap, blocks[at]), 0);
    ck_assert_ptr_null(client_heap_alloc(&heap, 2 * CLIENT_HEAP_GRANULE));
    for (uint32_t at = 1; at < HEAP_GRANULES; at += 2)
        ck_assert_int_eq(client_heap_free(&heap, blocks[at]), 0);
    assert_whole();
}
END_TEST

START_TEST(last_fitting_block_is_found_far_down_its_list)
{
    void *wide[20];
    void *walls[20];
    void *found;

    /* A list is last in, first out: the one free block of five granules ends up behind nineteen of
     * four in the list for four to seven, and nothing larger is free. */
    for (uint32_t at = 0; at < 20; at++) {
        wide[at] = client_heap_alloc(&heap, (at == 0 ? 5 : 4) * CLIENT_HEAP_GRANULE);
        walls[at] = client_heap_alloc(&heap, 1);
    }
    found = client_heap_alloc(&heap, (size_t)heap.free_granules * CLIENT_HEAP_GRANULE);
    ck_assert_ptr_nonnull(found);
    for (uint32_t at = 0; at < 20; at++)
        ck_assert_int_eq(client_heap_free(&heap, wide[at]), 0);
    ck_assert_ptr_eq(client_heap_alloc(&heap, 5 * CLIENT_HEAP_GRANULE), wide[0]);
    ck_assert_ptr_nonnull(walls[0]);
}
END_TEST

START_TEST(wrong_pointers_are_refused)
{
    uint8_t *block = (uint8_t *)client_heap_alloc(&heap, 256);
    uint8_t outside;

    ck_assert_int_eq(client_heap_free(&heap, block + 64), -EINVAL);
    ck_assert_int_eq(client_heap_free(&heap, block + 1), -EINVAL);
    ck_assert_int_eq(client_heap_free(&heap, block + 192), -EINVAL);
    ck_assert_int_eq(client_heap_free(&heap, memory + HEAP_BYTES), -EINVAL);
    ck_assert_int_eq(client_heap_free(&heap, memory - 64), -EINVAL);
    ck_assert_int_eq(client_heap_free(&heap, &outside), -EINVAL);
    ck_assert_int_eq(client_heap_free(&heap, NULL), -EINVAL);
    ck_assert_int_eq(client_heap_free(&heap, block), 0);
    ck_assert_int_eq(client_heap_free(&heap, block), -EINVAL);
    assert_whole();
}
END_TEST

START_TEST(a_freed_neighbour_inside_a_larger_block_is_refused)
{
    uint8_t *first = (uint8_t *)client_heap_alloc(&heap, 64);
    uint8_t *second = (uint8_t *)client_heap_alloc(&heap, 64);

    ck_assert_int_eq(client_heap_free(&heap, first), 0);
    ck_assert_int_eq(client_heap_free(&heap, second), 0);
    ck_assert_ptr_eq(client_heap_alloc(&heap, 4096), first);
    ck_assert_int_eq(client_heap_free(&heap, second), -EINVAL);
}
END_TEST

START_TEST(an_overflowing_application_does_not_hurt_the_marks)
{
    void *block = client_heap_alloc(&heap, 64);

    memset(memory, 0xff, HEAP_BYTES);
    ck_assert_int_eq(client_heap_free(&heap, block), 0);
    assert_whole();
}
END_TEST

START_TEST(empty_and_misaligned_heaps)
{
    struct client_heap other;

    ck_assert_int_eq(client_heap_open(&other, memory, 0), 0);
    ck_assert_ptr_null(client_heap_alloc(&other, 1));
    ck_assert_ptr_null(client_heap_alloc(&other, 0));
    ck_assert_int_eq(client_heap_free(&other, memory), -EINVAL);
    client_heap_close(&other);
    ck_assert_int_eq(client_heap_open(&other, memory + 8, 4096), -EINVAL);
    ck_assert_int_eq(client_heap_open(&other, memory, 1ull << 40), -EINVAL);
}
END_TEST

/* Blocks keep what was written into them while others come and go. */
START_TEST(random_run)
{
    struct {
        uint8_t *at;
        size_t bytes;
        uint8_t fill;
    } blocks[RANDOM_BLOCKS] = {{NULL, 0, 0}};
    uint32_t seed = 12345;
    uint32_t wrong = 0;

    for (uint32_t step = 0; step < RANDOM_STEPS; step++) {
        uint32_t pick;

        seed = seed * 1664525u + 1013904223u;
        pick = (seed >> 8) % RANDOM_BLOCKS;
        if (blocks[pick].at) {
            for (size_t at = 0; at < blocks[pick].bytes; at += 61)
                wrong += blocks[pick].at[at] != blocks[pick].fill;
            wrong += client_heap_free(&heap, blocks[pick].at) != 0;
            blocks[pick].at = NULL;
            continue;
        }
        blocks[pick].bytes = (seed >> 16) % 4000 + 1;
        blocks[pick].fill = (uint8_t)step;
        blocks[pick].at = (uint8_t *)client_heap_alloc(&heap, blocks[pick].bytes);
        if (blocks[pick].at)
            memset(blocks[pick].at, blocks[pick].fill, blocks[pick].bytes);
    }
    for (uint32_t pick = 0; pick < RANDOM_BLOCKS; pick++)
        if (blocks[pick].at)
            ck_assert_int_eq(client_heap_free(&heap, blocks[pick].at), 0);
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(heap.free_granules, HEAP_GRANULES);
    assert_whole();
}
END_TEST

static void *hammer(void *argument)
{
    uint32_t seed = (uint32_t)(uintptr_t)argument;

    for (uint32_t step = 0; step < THREAD_STEPS; step++) {
        uint8_t *block;
        size_t bytes;

        seed = seed * 1664525u + 1013904223u;
        bytes = (seed >> 16) % 1000 + 1;
        block = (uint8_t *)client_heap_alloc(&heap, bytes);
        if (!block)
            continue;
        memset(block, (int)seed, bytes);
        if (block[bytes - 1] != (uint8_t)seed || client_heap_free(&heap, block) != 0)
            return argument;
    }
    return NULL;
}

START_TEST(threads_share_it)
{
    pthread_t threads[THREADS];

    for (uintptr_t at = 0; at < THREADS; at++)
        ck_assert_int_eq(pthread_create(&threads[at], NULL, hammer, (void *)(at + 1)), 0);
    for (uint32_t at = 0; at < THREADS; at++) {
        void *failed;

        ck_assert_int_eq(pthread_join(threads[at], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    assert_whole();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tcase = tcase_create("heap");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, open_heap, close_heap);
    tcase_add_test(tcase, blocks_are_aligned_and_apart);
    tcase_add_test(tcase, exhaustion_is_null_and_passes);
    tcase_add_test(tcase, last_fitting_block_is_found_far_down_its_list);
    tcase_add_test(tcase, wrong_pointers_are_refused);
    tcase_add_test(tcase, a_freed_neighbour_inside_a_larger_block_is_refused);
    tcase_add_test(tcase, an_overflowing_application_does_not_hurt_the_marks);
    tcase_add_test(tcase, empty_and_misaligned_heaps);
    tcase_add_test(tcase, random_run);
    tcase_add_test(tcase, threads_share_it);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
