/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues by one thread: geometry, laps, wrap, laziness, and peers that lie.
 */
#include "mailbox/queue.h"

#include <check.h>
#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#define LAPS  5u   /* enough to meet every entry again, and to cross the wrap of the position */
#define SWEEP 200u /* sequence words tried on either side of the position: many laps */

struct pair {
    struct queue queue;
    struct queue_producer producer;
    struct queue_consumer consumer;
    void *memory;
};

static void pair_open(struct pair *pair, uint32_t capacity, uint32_t position)
{
    const struct queue_attrs attrs = {.name = "test", .capacity = capacity};

    pair->memory = aligned_alloc(SADDLE_ENTRY_BYTES, queue_bytes(capacity));
    ck_assert_ptr_nonnull(pair->memory);
    ck_assert_int_eq(queue_create(&pair->queue, &attrs, pair->memory), 0);
    queue_format(&pair->queue, position);
    queue_producer_open(&pair->producer, &pair->queue, position);
    queue_consumer_open(&pair->consumer, &pair->queue, position);
}

static void pair_close(struct pair *pair)
{
    free(pair->memory);
}

static uint32_t *seq_word(struct pair *pair, uint32_t position)
{
    return (uint32_t *)(void *)queue_entry(&pair->queue, position);
}

static struct saddle_command numbered(uint64_t number, uint8_t flags)
{
    struct saddle_command command = {
        .seq = 0xdead, .op = SADDLE_CMD_SEND, .flags = flags, .tag = number};

    for (uint32_t i = 0; i < SADDLE_INLINE_BYTES; i++)
        command.payload[i] = (uint8_t)(number + i);
    return command;
}

START_TEST(constructor_checks_its_attributes)
{
    static const uint32_t bad[] = {
        0, 3, 5, 6, 7, 48, SADDLE_QUEUE_MAX + 1, SADDLE_QUEUE_MAX * 2, 0x80000000u, UINT32_MAX};
    struct queue_attrs attrs = {.name = "test", .capacity = 4};
    alignas(SADDLE_ENTRY_BYTES) uint8_t memory[SADDLE_ENTRY_BYTES] = {0};
    struct queue queue;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        attrs.capacity = bad[i];
        ck_assert_int_eq(queue_create(&queue, &attrs, memory), -EINVAL);
    }
    for (uint32_t capacity = 1; capacity <= SADDLE_QUEUE_MAX; capacity *= 2) {
        attrs.capacity = capacity;
        ck_assert_int_eq(queue_create(&queue, &attrs, memory), 0);
        ck_assert_uint_eq(queue.mask, capacity - 1);
        ck_assert_uint_eq(queue_bytes(capacity), 128 + (size_t)capacity * 128);
    }
    ck_assert_int_eq(queue_create(&queue, &attrs, memory + 64), -EINVAL);
    ck_assert_int_eq(queue_create(&queue, &attrs, memory + 1), -EINVAL);
    ck_assert_int_eq(queue_create(&queue, &attrs, NULL), -EINVAL);
    attrs.name = NULL;
    ck_assert_int_eq(queue_create(&queue, &attrs, memory), -EINVAL);
}
END_TEST

/* Fills and empties queues of every small size, from positions on both sides of the wrap. */
START_TEST(entries_come_out_once_and_in_order)
{
    uint32_t capacity = 1u << _i;

    for (uint32_t start = 0u - 2 * capacity; start != 2 * capacity; start++) {
        struct pair pair;
        uint64_t in = 0;
        uint64_t out = 0;

        pair_open(&pair, capacity, start);
        for (uint32_t lap = 0; lap < LAPS; lap++) {
            struct saddle_command command;

            ck_assert_int_eq(queue_poll(&pair.consumer), 0);
            ck_assert_int_eq(queue_room(&pair.producer), (int)capacity);
            for (uint32_t i = 0; i < capacity; i++) {
                command = numbered(in++, SADDLE_ENTRY_INLINE);
                ck_assert(queue_put_command(&pair.producer, &command));
            }
            ck_assert_ptr_null(queue_reserve(&pair.producer));
            ck_assert_int_eq(queue_room(&pair.producer), 0);
            while (queue_poll(&pair.consumer) == 1) {
                struct saddle_command expected = numbered(out, SADDLE_ENTRY_INLINE);

                expected.seq = start + (uint32_t)out + 1;
                queue_pop(&pair.consumer, &command);
                ck_assert_mem_eq(&command, &expected, sizeof(command));
                queue_consumed(&pair.consumer, false);
                out++;
            }
            ck_assert_uint_eq(out, in);
            queue_consumed(&pair.consumer, true);
        }
        pair_close(&pair);
    }
}
END_TEST

START_TEST(entry_is_written_in_place)
{
    struct pair pair;
    struct saddle_command *command;
    struct saddle_command copy;

    pair_open(&pair, 2, UINT32_MAX);
    command = (struct saddle_command *)queue_reserve(&pair.producer);
    ck_assert_ptr_eq(command, queue_reserve(&pair.producer));
    command->tag = 7;
    ck_assert(queue_empty(&pair.consumer));
    queue_publish(&pair.producer);
    ck_assert(!queue_empty(&pair.consumer));
    queue_pop(&pair.consumer, &copy);
    ck_assert_uint_eq(copy.tag, 7);
    ck_assert_uint_eq(copy.seq, 0);
    pair_close(&pair);
}
END_TEST

/* What is not flagged is neither written into the ring nor read out of it. */
START_TEST(payload_moves_only_if_flagged)
{
    struct pair pair;
    struct saddle_command command = numbered(1, 0);
    struct saddle_command copy;
    uint8_t untouched[SADDLE_INLINE_BYTES];

    pair_open(&pair, 1, 0);
    memset(untouched, 0x5a, sizeof(untouched));
    memset(&copy, 0x5a, sizeof(copy));
    ck_assert(queue_put_command(&pair.producer, &command));
    for (uint32_t i = 0; i < SADDLE_INLINE_BYTES; i++)
        ck_assert_uint_eq(queue_entry(&pair.queue, 0)[SADDLE_INLINE_BYTES + i], 0);
    queue_pop(&pair.consumer, &copy);
    ck_assert_uint_eq(copy.tag, 1);
    ck_assert_mem_eq(copy.payload, untouched, sizeof(untouched));
    pair_close(&pair);
}
END_TEST

START_TEST(consumed_is_published_lazily)
{
    struct pair pair;
    struct saddle_command command = numbered(1, 0);
    uint32_t told = 0;

    pair_open(&pair, 16, 0);
    for (uint32_t i = 0; i < 16; i++)
        ck_assert(queue_put_command(&pair.producer, &command));
    for (uint32_t i = 0; i < 16; i++) {
        ck_assert_int_eq(queue_poll(&pair.consumer), 1);
        queue_pop(&pair.consumer, &command);
        told += queue_consumed(&pair.consumer, false);
        ck_assert_int_eq(queue_room(&pair.producer), (int)((i + 1) / 4 * 4));
    }
    ck_assert_uint_eq(told, 4);
    ck_assert(!queue_consumed(&pair.consumer, true));
    ck_assert(queue_put_command(&pair.producer, &command));
    queue_pop(&pair.consumer, &command);
    ck_assert(!queue_consumed(&pair.consumer, false));
    ck_assert(queue_consumed(&pair.consumer, true));
    ck_assert_int_eq(queue_room(&pair.producer), 16);
    pair_close(&pair);
}
END_TEST

/* Both sides are closed at any fill and opened again at their positions, as in a hand-over. */
START_TEST(sides_reopen_at_saved_positions)
{
    for (uint32_t fill = 0; fill <= 4; fill++) {
        for (uint32_t taken = 0; taken <= fill; taken++) {
            uint32_t start = UINT32_MAX - 1;
            struct pair pair;
            struct saddle_command command;

            pair_open(&pair, 4, start);
            for (uint32_t i = 0; i < fill; i++) {
                command = numbered(i, 0);
                ck_assert(queue_put_command(&pair.producer, &command));
            }
            for (uint32_t i = 0; i < taken; i++)
                queue_pop(&pair.consumer, &command);
            queue_producer_open(&pair.producer, &pair.queue, start + fill);
            queue_consumer_resume(&pair.consumer, &pair.queue, start + taken);
            ck_assert(queue_consumed(&pair.consumer, true));
            ck_assert_int_eq(queue_room(&pair.producer), (int)(4 - fill + taken));
            for (uint32_t i = taken; i < fill; i++) {
                ck_assert_int_eq(queue_poll(&pair.consumer), 1);
                queue_pop(&pair.consumer, &command);
                ck_assert_uint_eq(command.tag, i);
            }
            ck_assert_int_eq(queue_poll(&pair.consumer), 0);
            pair_close(&pair);
        }
    }
}
END_TEST

/* A hostile producer: any sequence word but two is a broken rule, also across the wrap. */
START_TEST(absurd_sequence_words_are_refused)
{
    uint32_t capacity = 1u << _i;

    for (uint32_t start = 0u - 3; start != 3; start++) {
        struct pair pair;

        pair_open(&pair, capacity, start);
        for (uint32_t offset = 0; offset < 2 * SWEEP; offset++) {
            uint32_t seq = start - SWEEP + offset;
            int expected = -EPROTO;

            if (seq == start + 1)
                expected = 1;
            if (seq == start + 1 - capacity)
                expected = 0;
            *seq_word(&pair, start) = seq;
            ck_assert_int_eq(queue_poll(&pair.consumer), expected);
            ck_assert(queue_empty(&pair.consumer) == (expected == 0));
        }
        *seq_word(&pair, start) = start + 0x80000000u;
        ck_assert_int_eq(queue_poll(&pair.consumer), -EPROTO);
        pair_close(&pair);
    }
}
END_TEST

/* A hostile consumer: what it says it has consumed must not go back, nor pass what was produced. */
START_TEST(absurd_consumed_positions_are_refused)
{
    uint32_t start = UINT32_MAX - 2;
    struct saddle_command command = numbered(1, 0);
    struct pair pair;

    pair_open(&pair, 8, start);
    for (uint32_t i = 0; i < 6; i++)
        ck_assert(queue_put_command(&pair.producer, &command));
    pair.queue.header->consumed = start + 3;
    ck_assert_int_eq(queue_room(&pair.producer), 5);
    for (uint32_t offset = 0; offset < 1000; offset++) {
        uint32_t consumed = start - 500 + offset;
        bool sane = offset >= 503 && offset <= 506;
        struct queue_producer probe = pair.producer;

        pair.queue.header->consumed = consumed;
        ck_assert_int_eq(queue_room(&probe), sane ? (int)(8 - (506 - offset)) : -EPROTO);
    }
    pair.queue.header->consumed = UINT32_MAX / 2;
    ck_assert_int_eq(queue_room(&pair.producer), -EPROTO);
    ck_assert_uint_eq(pair.producer.consumed, start + 3);
    pair_close(&pair);
}
END_TEST

/* A consumer whose position oscillates gains nothing: belief only moves forward, room stays within
 * the capacity, and a full queue stays full. */
START_TEST(oscillating_consumer_never_gains_an_entry)
{
    struct saddle_command command = numbered(1, 0);
    struct pair pair;
    uint32_t produced = 0;

    pair_open(&pair, 4, 0);
    for (uint32_t round = 0; round < 1000; round++) {
        int room;

        pair.queue.header->consumed = round % 2 ? 0 : produced;
        room = queue_room(&pair.producer);
        ck_assert_int_le(room, 4);
        ck_assert_uint_le(pair.producer.position - pair.producer.consumed, 4);
        if (queue_put_command(&pair.producer, &command))
            produced++;
    }
    ck_assert_uint_eq(pair.producer.position, produced);
    pair_close(&pair);
}
END_TEST

/* Everything shared is overwritten at any time; both sides only ever touch the queue's memory (a
 * sanitizer build watches) and answer with an error, or with an entry of nonsense. */
START_TEST(overwritten_memory_does_no_harm)
{
    enum { CAPACITY = 4, ROUNDS = 4000 };
    struct saddle_command command = numbered(1, SADDLE_ENTRY_INLINE);
    uint64_t random = 88172645463325252ull;
    struct pair pair;

    pair_open(&pair, CAPACITY, UINT32_MAX - 1);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint8_t *bytes = (uint8_t *)pair.memory;
        int room;

        for (size_t i = 0; i < queue_bytes(CAPACITY); i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[i] = (uint8_t)random;
        }
        if (round % 2)
            *seq_word(&pair, pair.consumer.position) = pair.consumer.position + 1;
        if (round % 3 == 0)
            pair.queue.header->consumed = pair.producer.position;
        room = queue_room(&pair.producer);
        ck_assert(room == -EPROTO || (room >= 0 && room <= CAPACITY));
        queue_put_command(&pair.producer, &command);
        if (queue_poll(&pair.consumer) == 1)
            queue_pop(&pair.consumer, &command);
        queue_consumed(&pair.consumer, false);
        ck_assert_uint_eq(pair.consumer.queue.attrs.capacity, CAPACITY);
        ck_assert_uint_eq(pair.consumer.queue.mask, CAPACITY - 1);
    }
    pair_close(&pair);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *honest = tcase_create("honest");
    TCase *hostile = tcase_create("hostile");
    SRunner *runner;
    int failed;

    tcase_add_test(honest, constructor_checks_its_attributes);
    tcase_add_loop_test(honest, entries_come_out_once_and_in_order, 0, 6);
    tcase_add_test(honest, entry_is_written_in_place);
    tcase_add_test(honest, payload_moves_only_if_flagged);
    tcase_add_test(honest, consumed_is_published_lazily);
    tcase_add_test(honest, sides_reopen_at_saved_positions);
    tcase_add_loop_test(hostile, absurd_sequence_words_are_refused, 0, 4);
    tcase_add_test(hostile, absurd_consumed_positions_are_refused);
    tcase_add_test(hostile, oscillating_consumer_never_gains_an_entry);
    tcase_add_test(hostile, overwritten_memory_does_no_harm);
    tcase_set_timeout(hostile, 30);
    suite_add_tcase(suite, honest);
    suite_add_tcase(suite, hostile);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
