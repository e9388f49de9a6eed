/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: the promise of completion slots, room, doorbells, hand-over, and applications that lie.
 */
#include "mailbox/channel.h"
#include "mailbox/doorbell.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { COMMANDS = 8, COMPLETIONS = 4 };
static const uint32_t START = UINT32_MAX - 5; /* the positions wrap early in every test */

static struct channel channel;
static struct channel_config config;
static struct queue_producer application_commands;
static struct queue_consumer application_completions;
static struct doorbells bells;
static void *memory[2];

static void *open_queue(struct queue *queue, uint32_t capacity)
{
    const struct queue_attrs attrs = {.name = "test", .capacity = capacity};
    void *bytes = aligned_alloc(SADDLE_ENTRY_BYTES, queue_bytes(capacity));

    ck_assert_ptr_nonnull(bytes);
    ck_assert_int_eq(queue_create(queue, &attrs, bytes), 0);
    queue_format(queue, START);
    return bytes;
}

static void open_channel(void)
{
    ck_assert_int_eq(doorbells_create(&bells), 0);
    memory[0] = open_queue(&config.command, COMMANDS);
    memory[1] = open_queue(&config.completion, COMPLETIONS);
    config.command_position = START;
    config.completion_position = START;
    config.reserved = 0;
    config.kept = 0;
    config.doorbell_fd = bells.application_write;
    channel_open(&channel, &config);
    queue_producer_open(&application_commands, &config.command, START);
    queue_consumer_open(&application_completions, &config.completion, START);
}

static void close_channel(void)
{
    doorbells_destroy(&bells);
    free(memory[0]);
    free(memory[1]);
}

static void submit(uint32_t count)
{
    static uint64_t tag;

    for (uint32_t i = 0; i < count; i++) {
        struct saddle_command command = {.op = SADDLE_CMD_NOP, .tag = tag++};

        ck_assert(queue_put_command(&application_commands, &command));
    }
}

static uint32_t reap(uint32_t most)
{
    struct saddle_event event;
    uint32_t count = 0;

    while (count < most && queue_poll(&application_completions) == 1) {
        queue_pop(&application_completions, &event);
        queue_consumed(&application_completions, true);
        count++;
    }
    return count;
}

static int take(void)
{
    struct saddle_command command;

    return channel_take(&channel, &command);
}

static int complete(void)
{
    const struct saddle_event event = {.type = SADDLE_EVT_DONE, .seq = 0xbad};

    int error = channel_complete(&channel, &event);

    channel_publish(&channel);
    return error;
}

static int announce(void)
{
    const struct saddle_event event = {.type = SADDLE_EVT_MESSAGE};

    int error = channel_announce(&channel, &event);

    channel_publish(&channel);
    return error;
}

static bool readable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    ck_assert_int_ge(poll(&wait, 1, 0), 0);
    return (wait.revents & POLLIN) != 0;
}

START_TEST(command_and_completion_cross)
{
    struct saddle_command sent = {.op = SADDLE_CMD_SEND, .flags = SADDLE_ENTRY_INLINE, .len = 5};
    struct saddle_command taken;
    struct saddle_event done = {.type = SADDLE_EVT_DONE, .tag = 9, .status = -EIO};
    struct saddle_event reaped;

    memcpy(sent.payload, "hello", 5);
    ck_assert_int_eq(take(), 0);
    ck_assert(queue_put_command(&application_commands, &sent));
    ck_assert_int_eq(channel_take(&channel, &taken), 1);
    ck_assert_mem_eq(taken.payload, "hello", 5);
    ck_assert_uint_eq(taken.len, 5);
    ck_assert_int_eq(channel_complete(&channel, &done), 0);
    channel_publish(&channel);
    ck_assert_int_eq(queue_poll(&application_completions), 1);
    queue_pop(&application_completions, &reaped);
    ck_assert_uint_eq(reaped.tag, 9);
    ck_assert_int_eq(reaped.status, -EIO);
    ck_assert_uint_eq(reaped.seq, START + 1);
}
END_TEST

/* An application that never reaps: as many commands are taken as completions fit, and no more. */
START_TEST(commands_wait_for_a_completion_slot)
{
    submit(COMMANDS);
    for (uint32_t i = 0; i < COMPLETIONS; i++)
        ck_assert_int_eq(take(), 1);
    ck_assert_int_eq(take(), 0);
    ck_assert(!channel_pending(&channel));
    ck_assert_int_eq(channel_room(&channel), 0);
    ck_assert_int_eq(announce(), -EAGAIN);
    for (uint32_t i = 0; i < COMPLETIONS; i++)
        ck_assert_int_eq(complete(), 0);
    ck_assert_int_eq(complete(), -EPROTO);
    ck_assert_int_eq(take(), 0);
    ck_assert_uint_eq(reap(1), 1);
    ck_assert(channel_pending(&channel));
    ck_assert_int_eq(take(), 1);
    ck_assert_int_eq(take(), 0);
    ck_assert_int_eq(complete(), 0);
}
END_TEST

START_TEST(announcements_leave_promised_slots_alone)
{
    submit(2);
    ck_assert_int_eq(take(), 1);
    ck_assert_int_eq(channel_room(&channel), COMPLETIONS - 1);
    for (uint32_t i = 0; i < COMPLETIONS - 1; i++)
        ck_assert_int_eq(announce(), 0);
    ck_assert_int_eq(announce(), -EAGAIN);
    ck_assert_int_eq(take(), 0);
    ck_assert_int_eq(complete(), 0);
    ck_assert_uint_eq(reap(UINT32_MAX), COMPLETIONS);
    ck_assert_int_eq(channel_room(&channel), COMPLETIONS);
}
END_TEST

/* The last completion slot is for a CANCEL, which also comes when nothing else is taken. */
START_TEST(kept_slot_is_for_a_cancel)
{
    const struct saddle_command cancel = {.op = SADDLE_CMD_CANCEL, .tag = 77};
    struct saddle_command taken;

    config.kept = 1;
    channel_open(&channel, &config);
    submit(COMPLETIONS);
    for (uint32_t i = 0; i < COMPLETIONS - 1; i++) {
        ck_assert(!channel_cancel_pending(&channel));
        ck_assert_int_eq(channel_take_cancel(&channel, &taken), 0);
        ck_assert_int_eq(take(), 1);
    }
    ck_assert_int_eq(take(), 0);
    ck_assert(!channel_pending(&channel));
    ck_assert_int_eq(complete(), 0);
    ck_assert_uint_eq(reap(1), 1);
    ck_assert_int_eq(take(), 1);
    ck_assert(queue_put_command(&application_commands, &cancel));
    ck_assert(channel_pending(&channel));
    ck_assert(channel_cancel_pending(&channel));
    ck_assert_int_eq(_i == 0 ? channel_take(&channel, &taken)
                             : channel_take_cancel(&channel, &taken),
                     1);
    ck_assert_uint_eq(taken.tag, cancel.tag);
    ck_assert(queue_put_command(&application_commands, &cancel));
    ck_assert(!channel_cancel_pending(&channel));
    ck_assert_int_eq(channel_take_cancel(&channel, &taken), 0);
    for (uint32_t i = 0; i < COMPLETIONS; i++)
        ck_assert_int_eq(complete(), 0);
}
END_TEST

/* What is held back is counted, and comes out in order: when it is to, when there is too much of
 * it, or with the bell. */
START_TEST(held_back_until_published)
{
    struct saddle_event event = {.type = SADDLE_EVT_MESSAGE, .flags = SADDLE_ENTRY_INLINE};

    for (uint32_t i = 0; i < COMPLETIONS; i++) {
        event.tag = i;
        memset(event.payload, (int)i, sizeof(event.payload));
        ck_assert_int_eq(channel_room(&channel), (int)(COMPLETIONS - i));
        ck_assert_int_eq(channel_announce(&channel, &event), 0);
    }
    ck_assert_int_eq(channel_announce(&channel, &event), -EAGAIN);
    ck_assert(queue_empty(&application_completions));
    if (_i == 0)
        channel_publish(&channel);
    else
        channel_ring(&channel);
    for (uint32_t i = 0; i < COMPLETIONS; i++) {
        struct saddle_event seen;
        ck_assert_int_eq(queue_poll(&application_completions), 1);
        queue_pop(&application_completions, &seen);
        ck_assert_uint_eq(seen.tag, i);
        ck_assert_uint_eq(seen.payload[SADDLE_INLINE_BYTES - 1], i);
    }
    ck_assert(queue_empty(&application_completions));
}
END_TEST

START_TEST(as_many_as_can_be_held_back)
{
    enum { MANY = 4 * CHANNEL_STAGE, LEFT = 3 };
    struct saddle_event event = {.type = SADDLE_EVT_MESSAGE};
    uint32_t count = 0;
    void *bytes = open_queue(&config.completion, MANY);

    config.reserved = 0;
    channel_open(&channel, &config);
    queue_consumer_open(&application_completions, &config.completion, START);
    for (uint32_t i = 0; i < CHANNEL_STAGE + LEFT; i++) {
        event.tag = i;
        ck_assert_int_eq(channel_announce(&channel, &event), 0);
    }
    count = reap(UINT32_MAX);
    ck_assert_uint_eq(count, CHANNEL_STAGE);
    channel_publish(&channel);
    ck_assert_uint_eq(reap(UINT32_MAX), LEFT);
    free(bytes);
}
END_TEST

START_TEST(unreserved_slot_is_free_again)
{
    submit(COMMANDS);
    for (uint32_t i = 0; i < COMMANDS; i++) {
        ck_assert_int_eq(take(), 1);
        channel_unreserve(&channel);
    }
    ck_assert_int_eq(channel_room(&channel), COMPLETIONS);
    channel_unreserve(&channel);
    ck_assert_int_eq(channel_room(&channel), COMPLETIONS);
}
END_TEST

/* Every mixture of taking, giving back, completing, announcing and reaping keeps the books. */
START_TEST(random_walk_keeps_the_books)
{
    enum { STEPS = 20000 };
    uint32_t random = (uint32_t)_i * 2654435761u + 1;
    uint32_t promised = 0;
    uint32_t unreaped = 0;

    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t room = COMPLETIONS - promised - unreaped;

        random = random * 1664525u + 1013904223u;
        switch (random >> 29) {
        case 0:
        case 1:
            if (queue_room(&application_commands) > 0)
                submit(1);
            break;
        case 2:
        case 3:
            ck_assert(channel_pending(&channel) == (!queue_empty(&channel.commands) && room > 0));
            promised += (uint32_t)take();
            break;
        case 4:
            if (promised > 0) {
                channel_unreserve(&channel);
                promised--;
            }
            break;
        case 5:
            ck_assert_int_eq(complete(), promised > 0 ? 0 : -EPROTO);
            unreaped += promised > 0;
            promised -= promised > 0;
            break;
        case 6:
            ck_assert_int_eq(announce(), room > 0 ? 0 : -EAGAIN);
            unreaped += room > 0;
            break;
        default:
            unreaped -= reap(1);
        }
        ck_assert_int_eq(channel_room(&channel), (int)(COMPLETIONS - promised - unreaped));
    }
}
END_TEST

START_TEST(rings_once_and_only_a_sleeper)
{
    uint32_t *armed = &config.completion.header->armed;

    doorbell_arm(armed);
    ck_assert(!channel_ring(&channel));
    ck_assert_int_eq(announce(), 0);
    ck_assert_int_eq(announce(), 0);
    ck_assert(channel_ring(&channel));
    ck_assert(readable(bells.application_read));
    ck_assert_uint_eq(*armed, 0);
    doorbell_drain(bells.application_read);
    ck_assert_int_eq(announce(), 0);
    ck_assert(!channel_ring(&channel));
    doorbell_arm(armed);
    ck_assert(!channel_ring(&channel));
    ck_assert_uint_eq(*armed, 1);
    ck_assert(!readable(bells.application_read));
}
END_TEST

START_TEST(rings_nobody_without_a_bell)
{
    config.doorbell_fd = -1;
    channel_open(&channel, &config);
    doorbell_arm(&config.completion.header->armed);
    ck_assert_int_eq(announce(), 0);
    ck_assert(!channel_ring(&channel));
    ck_assert_uint_eq(config.completion.header->armed, 0);
}
END_TEST

START_TEST(arms_only_when_nothing_can_be_taken)
{
    uint32_t *armed = &config.command.header->armed;

    ck_assert(channel_arm(&channel));
    ck_assert_uint_eq(*armed, 1);
    submit(1);
    ck_assert(doorbell_due(armed));
    ck_assert(!channel_arm(&channel));
    ck_assert_uint_eq(*armed, 0);
    ck_assert_int_eq(take(), 1);
    ck_assert(channel_arm(&channel));
    channel_disarm(&channel);
    ck_assert_uint_eq(*armed, 0);
}
END_TEST

/* The engine sleeps for want of room; the application that reaps finds the doorbell armed. */
START_TEST(reaping_wakes_an_engine_that_waits_for_room)
{
    submit(COMPLETIONS + 1);
    for (uint32_t i = 0; i < COMPLETIONS; i++) {
        ck_assert_int_eq(take(), 1);
        ck_assert_int_eq(complete(), 0);
    }
    ck_assert(channel_arm(&channel));
    ck_assert_uint_eq(reap(1), 1);
    ck_assert(doorbell_due(&config.command.header->armed));
    ck_assert(!channel_arm(&channel));
    ck_assert_int_eq(take(), 1);
}
END_TEST

START_TEST(arming_tells_what_was_consumed)
{
    submit(1);
    ck_assert_int_eq(take(), 1);
    ck_assert_uint_eq(config.command.header->consumed, START);
    ck_assert(channel_arm(&channel));
    ck_assert_uint_eq(config.command.header->consumed, START + 1);
}
END_TEST

/* Closed with commands in flight and opened again elsewhere, the promises still hold. */
START_TEST(promises_survive_a_hand_over)
{
    submit(COMMANDS);
    ck_assert_int_eq(take(), 1);
    ck_assert_int_eq(take(), 1);
    ck_assert_int_eq(announce(), 0);
    config.command_position = channel.commands.position;
    config.completion_position = channel.completions.position;
    config.reserved = channel.reserved;
    channel_open(&channel, &config);
    ck_assert_int_eq(channel_room(&channel), COMPLETIONS - 3);
    ck_assert_int_eq(take(), 1);
    ck_assert_int_eq(take(), 0);
    for (uint32_t i = 0; i < 3; i++)
        ck_assert_int_eq(complete(), 0);
    ck_assert_uint_eq(reap(UINT32_MAX), COMPLETIONS);
}
END_TEST

/* At a hand-over the belief in the application's position is lost; one that then goes back behind
 * what it had consumed denies slots that were promised, and is found out. */
START_TEST(slots_denied_after_a_hand_over_are_a_broken_rule)
{
    submit(2);
    for (uint32_t i = 0; i < COMPLETIONS; i++)
        ck_assert_int_eq(announce(), 0);
    ck_assert_uint_eq(reap(UINT32_MAX), COMPLETIONS);
    ck_assert_int_eq(take(), 1);
    config.completion.header->consumed = START;
    config.command_position = channel.commands.position;
    config.completion_position = channel.completions.position;
    config.reserved = channel.reserved;
    channel_open(&channel, &config);
    ck_assert_int_eq(channel_room(&channel), 0);
    ck_assert_int_eq(take(), 0);
    ck_assert_int_eq(complete(), -EPROTO);
}
END_TEST

START_TEST(absurd_command_sequence_is_a_broken_rule)
{
    static const uint32_t jumps[] = {1, COMMANDS + 1, 2 * COMMANDS, 0x80000000u, UINT32_MAX / 3};

    for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
        memset(config.command.entries, 0, (size_t)COMMANDS * SADDLE_ENTRY_BYTES);
        *(uint32_t *)(void *)queue_entry(&config.command, START) = START + 1 + jumps[i];
        ck_assert_int_eq(take(), -EPROTO);
        ck_assert(channel_pending(&channel));
        ck_assert(!channel_arm(&channel));
    }
}
END_TEST

START_TEST(absurd_reaping_is_a_broken_rule)
{
    submit(1);
    for (uint32_t i = 0; i < COMPLETIONS; i++)
        ck_assert_int_eq(announce(), 0);
    config.completion.header->consumed = channel.completions.position + 1;
    ck_assert_int_eq(take(), -EPROTO);
    ck_assert_int_eq(announce(), -EPROTO);
    ck_assert_int_eq(channel_room(&channel), -EPROTO);
    ck_assert(channel_pending(&channel));
    ck_assert(!channel_arm(&channel));
    config.completion.header->consumed = START - 1;
    ck_assert_int_eq(channel_room(&channel), -EPROTO);
}
END_TEST

/* All shared memory changes all the time: a promise kept privately is never broken, nothing leaves
 * the queues (a sanitizer build watches), and nothing is taken without a slot. */
START_TEST(overwritten_memory_does_no_harm)
{
    enum { STEPS = 4000 };
    uint64_t random = (uint64_t)_i + 88172645463325252ull;

    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t *words = (uint32_t *)memory[step % 2];
        size_t count = queue_bytes(step % 2 ? COMPLETIONS : COMMANDS) / sizeof(uint32_t);
        int taken;

        for (size_t i = 0; i < count; i++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            words[i] = (uint32_t)(random >> 33);
        }
        *(uint32_t *)(void *)queue_entry(&config.command, channel.commands.position) =
            channel.commands.position + 1;
        if (random >> 63)
            config.completion.header->consumed = channel.completions.position;
        taken = take();
        ck_assert(taken == 1 || taken == 0 || taken == -EPROTO);
        ck_assert_uint_le(channel.reserved, COMPLETIONS);
        ck_assert_uint_le(channel.reserved, queue_room_known(&channel.completions));
        announce();
        if (channel.reserved > 0 && random >> 62)
            ck_assert_int_eq(complete(), 0);
        channel_arm(&channel);
        channel_ring(&channel);
        doorbell_drain(bells.application_read);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channel");
    TCase *honest = tcase_create("honest");
    TCase *hostile = tcase_create("hostile");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(honest, open_channel, close_channel);
    tcase_add_test(honest, command_and_completion_cross);
    tcase_add_test(honest, commands_wait_for_a_completion_slot);
    tcase_add_test(honest, announcements_leave_promised_slots_alone);
    tcase_add_loop_test(honest, kept_slot_is_for_a_cancel, 0, 2);
    tcase_add_loop_test(honest, held_back_until_published, 0, 2);
    tcase_add_test(honest, as_many_as_can_be_held_back);
    tcase_add_test(honest, unreserved_slot_is_free_again);
    tcase_add_loop_test(honest, random_walk_keeps_the_books, 0, 4);
    tcase_add_test(honest, rings_once_and_only_a_sleeper);
    tcase_add_test(honest, rings_nobody_without_a_bell);
    tcase_add_test(honest, arms_only_when_nothing_can_be_taken);
    tcase_add_test(honest, reaping_wakes_an_engine_that_waits_for_room);
    tcase_add_test(honest, arming_tells_what_was_consumed);
    tcase_add_test(honest, promises_survive_a_hand_over);
    tcase_add_checked_fixture(hostile, open_channel, close_channel);
    tcase_add_test(hostile, slots_denied_after_a_hand_over_are_a_broken_rule);
    tcase_add_test(hostile, absurd_command_sequence_is_a_broken_rule);
    tcase_add_test(hostile, absurd_reaping_is_a_broken_rule);
    tcase_add_loop_test(hostile, overwritten_memory_does_no_harm, 0, 4);
    suite_add_tcase(suite, honest);
    suite_add_tcase(suite, hostile);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
