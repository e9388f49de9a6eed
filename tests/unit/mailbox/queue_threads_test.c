/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue and its doorbell between two threads: entries cross whole, once and in order, and both
 * sides sleep without missing a wake-up. A lost one hangs the test.
 */
#include "mailbox/doorbell.h"
#include "mailbox/queue.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#define ENTRIES  200000u /* crosses the wrap, and each entry of the ring many times */
#define SLEEPERS 20000u  /* entries when every wait is a system call */

struct link {
    struct queue queue;
    struct doorbells to_consumer;
    struct doorbells to_producer;
    uint32_t room_armed; /* the producer sleeps for room */
    uint32_t start;
    uint32_t entries;
    bool sleep;
    uint32_t wrong; /* the consumer's verdict */
};

static uint64_t pattern(uint64_t number, uint32_t word)
{
    return (number + 1) * 0x9e3779b97f4a7c15ull + word;
}

static void fill(struct saddle_command *command, uint64_t number)
{
    uint64_t payload[SADDLE_INLINE_BYTES / sizeof(uint64_t)];

    command->op = (uint8_t)number;
    command->flags = number % 3 ? SADDLE_ENTRY_INLINE : 0;
    command->stream = (uint16_t)(number >> 8);
    command->tag = number;
    command->handle = (uint32_t)pattern(number, 0);
    command->len = (uint32_t)pattern(number, 1);
    command->buf = pattern(number, 2);
    command->timeout_ns = pattern(number, 3);
    command->key = pattern(number, 4);
    command->remote_offset = pattern(number, 5);
    command->slot = (uint32_t)pattern(number, 6);
    command->reserved = 0;
    for (uint32_t i = 0; i < SADDLE_INLINE_BYTES / sizeof(uint64_t); i++)
        payload[i] = pattern(number, 8 + i);
    if (command->flags & SADDLE_ENTRY_INLINE)
        memcpy(command->payload, payload, sizeof(payload));
}

static bool intact(const struct saddle_command *command, uint64_t number, uint32_t seq)
{
    struct saddle_command expected;
    size_t bytes = number % 3 ? SADDLE_ENTRY_BYTES : QUEUE_PAYLOAD_OFFSET;

    memset(&expected, 0, sizeof(expected));
    fill(&expected, number);
    expected.seq = seq;
    return memcmp(command, &expected, bytes) == 0;
}

static void wait_for(int bell)
{
    struct pollfd wait = {.fd = bell, .events = POLLIN};

    poll(&wait, 1, -1);
    doorbell_drain(bell);
}

static void await_room(struct link *link, struct queue_producer *producer)
{
    if (!link->sleep) {
        sched_yield();
        return;
    }
    doorbell_arm(&link->room_armed);
    if (queue_room(producer) == 0)
        wait_for(link->to_producer.application_read);
    doorbell_disarm(&link->room_armed);
}

static void await_entry(struct link *link, struct queue_consumer *consumer)
{
    uint32_t *armed = &link->queue.header->armed;

    if (queue_consumed(consumer, true) && doorbell_due(&link->room_armed))
        doorbell_ring_application(link->to_producer.application_write);
    if (!link->sleep) {
        sched_yield();
        return;
    }
    doorbell_arm(armed);
    if (queue_empty(consumer))
        wait_for(link->to_consumer.application_read);
    doorbell_disarm(armed);
}

static void *produce(void *argument)
{
    struct link *link = (struct link *)argument;
    struct queue_producer producer;

    queue_producer_open(&producer, &link->queue, link->start);
    for (uint64_t number = 0; number < link->entries; number++) {
        struct saddle_command *command;

        while (!(command = (struct saddle_command *)queue_reserve(&producer)))
            await_room(link, &producer);
        fill(command, number);
        queue_publish(&producer);
        if (link->sleep && doorbell_due(&link->queue.header->armed))
            doorbell_ring_application(link->to_consumer.application_write);
    }
    return NULL;
}

static void *consume(void *argument)
{
    struct link *link = (struct link *)argument;
    struct queue_consumer consumer;

    queue_consumer_open(&consumer, &link->queue, link->start);
    for (uint64_t number = 0; number < link->entries; number++) {
        struct saddle_command command;

        while (queue_poll(&consumer) == 0)
            await_entry(link, &consumer);
        link->wrong += queue_poll(&consumer) != 1;
        queue_pop(&consumer, &command);
        link->wrong += !intact(&command, number, link->start + (uint32_t)number + 1);
        if (queue_consumed(&consumer, false) && doorbell_due(&link->room_armed))
            doorbell_ring_application(link->to_producer.application_write);
    }
    return NULL;
}

static void cross(uint32_t capacity, bool sleep, uint32_t entries)
{
    const struct queue_attrs attrs = {.name = "test", .capacity = capacity};
    struct link link = {.start = 0u - 1000, .sleep = sleep, .entries = entries};
    void *memory = aligned_alloc(SADDLE_ENTRY_BYTES, queue_bytes(capacity));
    pthread_t producer;
    pthread_t consumer;

    ck_assert_ptr_nonnull(memory);
    ck_assert_int_eq(queue_create(&link.queue, &attrs, memory), 0);
    queue_format(&link.queue, link.start);
    ck_assert_int_eq(doorbells_create(&link.to_consumer), 0);
    ck_assert_int_eq(doorbells_create(&link.to_producer), 0);
    ck_assert_int_eq(pthread_create(&producer, NULL, produce, &link), 0);
    ck_assert_int_eq(pthread_create(&consumer, NULL, consume, &link), 0);
    ck_assert_int_eq(pthread_join(producer, NULL), 0);
    ck_assert_int_eq(pthread_join(consumer, NULL), 0);
    ck_assert_uint_eq(link.wrong, 0);
    doorbells_destroy(&link.to_consumer);
    doorbells_destroy(&link.to_producer);
    free(memory);
}

static const uint32_t capacities[] = {1, 2, 4, 64};

START_TEST(entries_cross_whole)
{
    cross(capacities[_i], false, capacities[_i] < 4 ? ENTRIES / 10 : ENTRIES);
}
END_TEST

START_TEST(sleepers_are_woken)
{
    cross(capacities[_i], true, SLEEPERS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue_threads");
    TCase *threads = tcase_create("threads");
    SRunner *runner;
    int failed;

    tcase_add_loop_test(threads, entries_cross_whole, 0, 4);
    tcase_add_loop_test(threads, sleepers_are_woken, 0, 4);
    tcase_set_timeout(threads, 50);
    suite_add_tcase(suite, threads);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
