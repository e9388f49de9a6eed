/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The peer that acts between any two loads: after each load of a shared word the word is
 * overwritten. So a word that is loaded twice gives itself away, as does one that the compiler
 * fetched again. The seam is QUEUE_LOAD, through which queue.h makes every load.
 */
#include <stdint.h>
#include <string.h>

#define LOADS_MAX 64u

static const volatile void *loaded[LOADS_MAX]; /* addresses in order */
static uint32_t loads;
static int hostile; /* overwrite what was loaded */

static void after_load(const volatile void *word, size_t bytes)
{
    loaded[loads++ % LOADS_MAX] = word;
    if (hostile)
        memset((void *)(uintptr_t)word, 0xff, bytes);
}

#define QUEUE_LOAD(word, order)                                                                    \
    __extension__({                                                                                \
        __typeof__(*(word) + 0) seam_value = __atomic_load_n(word, order);                         \
        after_load(word, sizeof(*(word)));                                                         \
        seam_value;                                                                                \
    })

#define QUEUE_STORE(word, value, order) __atomic_store_n(word, value, order)

#include "mailbox/queue.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

enum { CAPACITY = 4 };

static struct queue queue;
static struct queue_producer producer;
static struct queue_consumer consumer;
static void *memory;

static void open_queue(void)
{
    const struct queue_attrs attrs = {.name = "test", .capacity = CAPACITY};

    memory = aligned_alloc(SADDLE_ENTRY_BYTES, queue_bytes(CAPACITY));
    ck_assert_ptr_nonnull(memory);
    ck_assert_int_eq(queue_create(&queue, &attrs, memory), 0);
    queue_format(&queue, UINT32_MAX);
    queue_producer_open(&producer, &queue, UINT32_MAX);
    queue_consumer_open(&consumer, &queue, UINT32_MAX);
    loads = 0;
    hostile = 0;
}

static void close_queue(void)
{
    free(memory);
}

static void put(uint8_t flags)
{
    struct saddle_command command = {.op = SADDLE_CMD_SEND, .flags = flags, .tag = 42, .len = 3};

    memset(command.payload, 0x11, sizeof(command.payload));
    ck_assert(queue_put_command(&producer, &command));
    loads = 0;
}

static void assert_each_word_once(uint32_t words)
{
    ck_assert_uint_eq(loads, words);
    for (uint32_t i = 0; i < words; i++) {
        for (uint32_t j = 0; j < i; j++)
            ck_assert_ptr_ne((const void *)(uintptr_t)loaded[i],
                             (const void *)(uintptr_t)loaded[j]);
    }
}

START_TEST(poll_loads_the_sequence_word_once)
{
    put(0);
    hostile = 1;
    ck_assert_int_eq(queue_poll(&consumer), 1);
    assert_each_word_once(1);
    ck_assert_int_eq(queue_poll(&consumer), -EPROTO);
}
END_TEST

START_TEST(pop_loads_each_word_once)
{
    struct saddle_command copy;

    put(SADDLE_ENTRY_INLINE);
    hostile = 1;
    queue_pop(&consumer, &copy);
    assert_each_word_once(SADDLE_ENTRY_BYTES / sizeof(uint64_t));
    ck_assert_uint_eq(copy.tag, 42);
    ck_assert_uint_eq(copy.len, 3);
    ck_assert_uint_eq(copy.flags, SADDLE_ENTRY_INLINE);
    for (uint32_t i = 0; i < SADDLE_INLINE_BYTES; i++)
        ck_assert_uint_eq(copy.payload[i], 0x11);
}
END_TEST

/* The flag is judged in the copy: raising it in shared memory afterwards copies nothing more. */
START_TEST(flag_is_judged_in_the_copy)
{
    struct saddle_command copy;

    put(0);
    hostile = 1;
    queue_pop(&consumer, &copy);
    assert_each_word_once(QUEUE_PAYLOAD_OFFSET / sizeof(uint64_t));
    ck_assert_uint_eq(copy.flags, 0);
}
END_TEST

START_TEST(room_is_judged_by_one_load)
{
    put(0);
    hostile = 1;
    ck_assert_int_eq(queue_room(&producer), CAPACITY - 1);
    assert_each_word_once(1);
    ck_assert_uint_eq(producer.consumed, UINT32_MAX);
    ck_assert_int_eq(queue_room(&producer), CAPACITY - 1);
}
END_TEST

START_TEST(reserving_looks_only_when_it_must)
{
    for (uint32_t i = 0; i < CAPACITY; i++) {
        loads = 0;
        ck_assert_ptr_nonnull(queue_reserve(&producer));
        ck_assert_uint_eq(loads, i == 0);
        queue_publish(&producer);
    }
    loads = 0;
    ck_assert_ptr_null(queue_reserve(&producer));
    ck_assert_uint_eq(loads, 1);
}
END_TEST

/* The whole of taking a command, with a peer that overwrites every word as soon as it was read: the
 * command taken is the one that was there. */
START_TEST(a_taken_command_is_what_was_read)
{
    struct saddle_command copy;

    put(SADDLE_ENTRY_INLINE);
    hostile = 1;
    ck_assert_int_eq(queue_poll(&consumer), 1);
    hostile = 0;
    memset((void *)queue_entry(&queue, UINT32_MAX), 0x22, SADDLE_ENTRY_BYTES);
    hostile = 1;
    loads = 0;
    queue_pop(&consumer, &copy);
    assert_each_word_once(QUEUE_PAYLOAD_OFFSET / sizeof(uint64_t));
    ck_assert_uint_eq(copy.flags, 0x22);
    ck_assert_uint_eq(copy.tag, 0x2222222222222222ull);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue_loads");
    TCase *peer = tcase_create("peer");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(peer, open_queue, close_queue);
    tcase_add_test(peer, poll_loads_the_sequence_word_once);
    tcase_add_test(peer, pop_loads_each_word_once);
    tcase_add_test(peer, flag_is_judged_in_the_copy);
    tcase_add_test(peer, room_is_judged_by_one_load);
    tcase_add_test(peer, reserving_looks_only_when_it_must);
    tcase_add_test(peer, a_taken_command_is_what_was_read);
    suite_add_tcase(suite, peer);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
