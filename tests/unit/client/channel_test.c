/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Channels: events taken and checked, receive slots, doorbells in both directions, sleeping, and an
 * engine that talks nonsense.
 */
#include "client/channel.h"
#include "tests/unit/client/fake_engine.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SPINS 70000 /* more than the polls after which the library looks for the daemon */
#define WAKES 20000 /* rounds of the test for lost wake-ups */

static struct fake_engine engine;
static struct saddle_session *session;
static struct saddle_channel *channel;

static void open_session(void)
{
    fake_engine_open(&engine);
    session = fake_session(&engine, true);
    channel = saddle_channel(session, 0);
}

static void close_session(void)
{
    saddle_detach(session);
    fake_engine_close(&engine);
}

static bool rung(void)
{
    struct pollfd bell = {.fd = engine.bells[0].engine, .events = POLLIN};
    uint64_t count;

    if (poll(&bell, 1, 0) <= 0)
        return false;
    ck_assert_int_eq(read(engine.bells[0].engine, &count, sizeof(count)), sizeof(count));
    return true;
}

static void assert_payload(const struct saddle_completion *event, size_t len)
{
    const uint8_t *bytes = (const uint8_t *)event->data;

    ck_assert_uint_eq(event->kind, SADDLE_MESSAGE);
    ck_assert_uint_eq(event->len, len);
    for (size_t at = 0; at < len; at++)
        ck_assert_uint_eq(bytes[at], fake_byte(at));
}

START_TEST(nothing_to_poll)
{
    struct saddle_completion event;

    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert_int_eq(saddle_poll(channel, &event, 0), 0);
    ck_assert_int_eq(saddle_status(session), 0);
}
END_TEST

START_TEST(events_come_out_as_they_went_in)
{
    const struct saddle_event events[] = {
        {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_EXPOSE, .tag = 5, .value = 77},
        {.type = SADDLE_EVT_INCOMING, .handle = 9, .value = 3},
        {.type = SADDLE_EVT_WAITING, .handle = 9, .stream = 2, .value = 100000},
        {.type = SADDLE_EVT_CLOSED, .handle = 9, .status = -ETIMEDOUT, .tag = 8},
    };
    struct saddle_completion got[8];

    for (uint32_t at = 0; at < 4; at++)
        fake_say(&engine, 0, &events[at]);
    ck_assert_int_eq(saddle_poll(channel, got, 8), 4);
    for (uint32_t at = 0; at < 4; at++) {
        ck_assert_uint_eq(got[at].kind, events[at].type);
        ck_assert_uint_eq(got[at].op, events[at].op);
        ck_assert_uint_eq(got[at].tag, events[at].tag);
        ck_assert_uint_eq(got[at].handle, events[at].handle);
        ck_assert_uint_eq(got[at].stream, events[at].stream);
        ck_assert_int_eq(got[at].status, events[at].status);
        ck_assert_uint_eq(got[at].value, events[at].value);
        ck_assert_ptr_null(got[at].data);
        ck_assert_int_eq(saddle_release(channel, &got[at]), 0);
    }
    ck_assert_int_eq(saddle_poll(channel, got, 8), 0);
}
END_TEST

START_TEST(small_messages_lie_in_the_completion)
{
    struct saddle_completion event;
    struct saddle_completion copy;

    fake_message(&engine, 0, 4, 0, 64);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_ptr_eq(event.data, event.bytes);
    saddle_completion_copy(&copy, &event);
    memset(&event.bytes, 0, sizeof(event.bytes));
    ck_assert_ptr_eq(copy.data, copy.bytes);
    assert_payload(&copy, 64);
    ck_assert_int_eq(saddle_release(channel, &copy), 0);
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_RELEASE).slot, 0);
}
END_TEST

START_TEST(larger_messages_lie_in_their_slot)
{
    struct saddle_completion event;

    fake_message(&engine, 0, 4, 15, SADDLE_EAGER_MAX);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    assert_payload(&event, SADDLE_EAGER_MAX);
    ck_assert_ptr_eq(event.data, engine.arena + engine.slots_offset + 15 * SADDLE_EAGER_MAX);
    ck_assert_int_eq(saddle_release(channel, &event), 0);
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_RELEASE).slot, 15);
    ck_assert_int_eq(saddle_release(channel, &event), -EINVAL);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "slot 15"));
    ck_assert(!fake_take(&engine, 0, &(struct saddle_command){0}));
}
END_TEST

START_TEST(a_slot_belongs_to_the_channel_it_came_through)
{
    struct saddle_completion event;

    fake_message(&engine, 0, 4, 2, 100);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_int_eq(saddle_release(saddle_channel(session, 1), &event), -EINVAL);
    event.slot = 4000000;
    ck_assert_int_eq(saddle_release(channel, &event), -EINVAL);
    event.slot = 2;
    ck_assert_int_eq(saddle_release(channel, &event), 0);
}
END_TEST

START_TEST(slots_are_owed_while_the_queue_is_full)
{
    struct saddle_completion events[FAKE_ENTRIES];
    struct saddle_command command;
    uint32_t released = 0;

    for (uint32_t slot = 0; slot < FAKE_ENTRIES; slot++)
        fake_message(&engine, 0, 4, slot, 10);
    ck_assert_int_eq(saddle_poll(channel, events, FAKE_ENTRIES), FAKE_ENTRIES);
    while (saddle_revoke(channel, 1, NULL) == 0)
        ;
    for (uint32_t slot = 0; slot < FAKE_ENTRIES; slot++)
        ck_assert_int_eq(saddle_release(channel, &events[slot]), 0);
    while (fake_take(&engine, 0, &command))
        ck_assert_uint_eq(command.op, SADDLE_CMD_REVOKE);
    ck_assert_int_eq(saddle_flush(channel), 0);
    while (fake_take(&engine, 0, &command)) {
        ck_assert_uint_eq(command.op, SADDLE_CMD_RELEASE);
        ck_assert_uint_eq(command.slot, released++);
    }
    ck_assert_uint_eq(released, FAKE_ENTRIES);
}
END_TEST

START_TEST(a_full_queue_is_eagain)
{
    struct saddle_command command;

    for (uint32_t at = 0; at < FAKE_ENTRIES; at++)
        ck_assert_int_eq(saddle_revoke(channel, at, NULL), 0);
    ck_assert_int_eq(saddle_revoke(channel, 99, NULL), -EAGAIN);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "full"));
    ck_assert(fake_take(&engine, 0, &command));
    ck_assert_uint_eq(command.key, 0);
    ck_assert_int_eq(saddle_revoke(channel, 99, NULL), 0);
}
END_TEST

/* The last completion is for events: else a message could not be told of that all operations wait
 * for. */
START_TEST(outstanding_operations_leave_room_for_an_event)
{
    struct saddle_command commands[FAKE_COMPLETIONS];
    struct saddle_completion event;

    for (uint32_t at = 0; at < FAKE_COMPLETIONS - 1; at++) {
        ck_assert_int_eq(saddle_revoke(channel, at, NULL), 0);
        ck_assert(fake_take(&engine, 0, &commands[at]));
    }
    ck_assert_int_eq(saddle_revoke(channel, 99, NULL), -EAGAIN);
    fake_done(&engine, 0, &commands[0], 0, 0);
    ck_assert_int_eq(saddle_revoke(channel, 99, NULL), -EAGAIN);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_int_eq(saddle_revoke(channel, 99, NULL), 0);
    ck_assert_int_eq(saddle_revoke(channel, 99, NULL), -EAGAIN);
}
END_TEST

/* One that never sleeps gives back what it has seen all the same. */
START_TEST(an_empty_queue_has_been_given_back)
{
    const struct saddle_event event = {.type = SADDLE_EVT_INCOMING, .handle = 1, .value = 1};
    struct saddle_completion got;

    for (uint32_t at = 1; at <= FAKE_COMPLETIONS; at++) {
        fake_say(&engine, 0, &event);
        ck_assert_int_eq(saddle_poll(channel, &got, 1), 1);
        ck_assert_int_eq(saddle_poll(channel, &got, 1), 0);
        ck_assert_uint_eq(engine.completions[0].queue.header->consumed, at);
    }
}
END_TEST

START_TEST(a_sleeping_engine_is_rung_once_per_batch)
{
    uint32_t *armed = &engine.commands[0].queue.header->armed;
    struct saddle_completion event;

    doorbell_arm(armed);
    for (uint32_t at = 0; at < 5; at++)
        ck_assert_int_eq(saddle_revoke(channel, at, NULL), 0);
    ck_assert(!rung());
    ck_assert_int_eq(saddle_flush(channel), 0);
    ck_assert(rung());
    ck_assert_int_eq(saddle_flush(channel), 0);
    ck_assert(!rung());
    /* Polling flushes; and nothing new means nothing to ring for. */
    doorbell_arm(armed);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert(!rung());
    ck_assert_int_eq(saddle_revoke(channel, 7, NULL), 0);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert(rung());
}
END_TEST

START_TEST(an_engine_that_waits_for_room_is_rung)
{
    const struct saddle_event event = {.type = SADDLE_EVT_INCOMING, .handle = 1, .value = 1};
    struct saddle_completion events[FAKE_ENTRIES];

    for (uint32_t at = 0; at < FAKE_ENTRIES; at++)
        fake_say(&engine, 0, &event);
    doorbell_arm(&engine.commands[0].queue.header->armed);
    ck_assert_int_eq(saddle_poll(channel, events, FAKE_ENTRIES), FAKE_ENTRIES);
    ck_assert_int_eq(saddle_poll(channel, events, FAKE_ENTRIES), 0);
    ck_assert(rung());
}
END_TEST

START_TEST(waiting_ends_with_events_or_time)
{
    const struct saddle_event event = {.type = SADDLE_EVT_INCOMING, .handle = 1, .value = 1};
    struct saddle_completion got;

    ck_assert_int_eq(saddle_wait(channel, 0), 0);
    ck_assert_int_eq(saddle_wait(channel, 1), 0);
    ck_assert_uint_eq(engine.completions[0].queue.header->armed, 0);
    fake_say(&engine, 0, &event);
    ck_assert_int_eq(saddle_wait(channel, -1), 1);
    ck_assert_int_eq(saddle_poll(channel, &got, 1), 1);
    /* An old ring without an event behind it does not show. */
    doorbell_ring_application(engine.bells[0].application_write);
    ck_assert_int_eq(saddle_wait(channel, 1), 0);
}
END_TEST

static void *speak(void *argument)
{
    struct saddle_command command;

    (void)argument;
    for (uint32_t round = 0; round < WAKES; round++) {
        while (!fake_take(&engine, 0, &command))
            sched_yield();
        fake_done(&engine, 0, &command, 0, 0);
    }
    return NULL;
}

START_TEST(no_wake_up_is_lost)
{
    struct saddle_completion event;
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, speak, NULL), 0);
    for (uint32_t round = 0; round < WAKES; round++) {
        ck_assert_int_eq(saddle_revoke(channel, 1, NULL), 0);
        ck_assert_int_eq(saddle_wait(channel, -1), 1);
        ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    }
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

static void on_alarm(int signal)
{
    (void)signal;
}

static void *interrupt(void *argument)
{
    /* Armed is the moment before the sleep; a signal that comes between is repeated. */
    while (!__atomic_load_n(&channel->idle, __ATOMIC_RELAXED)) {
        pthread_kill(*(pthread_t *)argument, SIGALRM);
        sched_yield();
    }
    return NULL;
}

START_TEST(a_signal_interrupts)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    pthread_t self = pthread_self();
    pthread_t thread;

    sigaction(SIGALRM, &action, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, interrupt, &self), 0);
    ck_assert_int_eq(saddle_wait(channel, -1), -EINTR);
    __atomic_store_n(&channel->idle, 1, __ATOMIC_RELAXED);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(event_loops_arm_and_disarm)
{
    const struct saddle_event event = {.type = SADDLE_EVT_INCOMING, .handle = 1, .value = 1};
    struct pollfd loop = {.fd = saddle_fd(channel), .events = POLLIN};
    struct saddle_completion got;

    ck_assert_int_eq(saddle_arm(channel), 0);
    ck_assert_int_eq(poll(&loop, 1, 0), 0);
    fake_say(&engine, 0, &event);
    ck_assert_int_eq(poll(&loop, 1, -1), 1);
    saddle_disarm(channel);
    ck_assert_int_eq(poll(&loop, 1, 0), 0);
    ck_assert_int_eq(saddle_arm(channel), 1);
    ck_assert_int_eq(saddle_poll(channel, &got, 1), 1);
    ck_assert_int_eq(saddle_arm(channel), 0);
}
END_TEST

START_TEST(without_doorbells_there_is_no_sleep)
{
    struct fake_engine other;
    struct saddle_session *bare;

    fake_engine_open(&other);
    bare = fake_session(&other, false);
    ck_assert_int_eq(saddle_wait(saddle_channel(bare, 0), 1), -ENOTSUP);
    ck_assert_int_eq(saddle_fd(saddle_channel(bare, 0)), -ENOTSUP);
    ck_assert_uint_eq(other.completions[0].queue.header->armed, 0);
    saddle_disarm(saddle_channel(bare, 0));
    saddle_detach(bare);
    fake_engine_close(&other);
}
END_TEST

START_TEST(a_closed_session_drains_then_fails)
{
    const struct saddle_event event = {.type = SADDLE_EVT_INCOMING, .handle = 1, .value = 1};
    struct saddle_completion got;

    fake_say(&engine, 0, &event);
    fake_end(&engine, -EPROTO, "command 7: no such operation");
    ck_assert_int_eq(saddle_wait(channel, -1), 1);
    ck_assert_int_eq(saddle_poll(channel, &got, 1), 1);
    ck_assert_int_eq(saddle_poll(channel, &got, 1), -EPROTO);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "command 7: no such operation"));
    ck_assert_int_eq(saddle_wait(channel, -1), -EPROTO);
    ck_assert_int_eq(saddle_arm(channel), -EPROTO);
    ck_assert_int_eq(saddle_flush(channel), -EPROTO);
    ck_assert_int_eq(saddle_revoke(channel, 1, NULL), -EPROTO);
    ck_assert_int_eq(saddle_status(session), -EPROTO);
}
END_TEST

START_TEST(closing_wakes_a_sleeper)
{
    ck_assert_int_eq(saddle_arm(channel), 0);
    fake_end(&engine, -EDQUOT, "too much");
    ck_assert_int_eq(poll(&(struct pollfd){.fd = saddle_fd(channel), .events = POLLIN}, 1, -1), 1);
    saddle_disarm(channel);
    ck_assert_int_eq(saddle_wait(channel, -1), -EDQUOT);
}
END_TEST

START_TEST(an_absurd_reason_is_cut)
{
    struct saddle_arena_header *header = (struct saddle_arena_header *)engine.arena;

    fake_end(&engine, 17, "");
    memset(header->reason, 'x', sizeof(header->reason));
    ck_assert_int_eq(saddle_status(session), -ECONNRESET);
    ck_assert_uint_lt(strlen(saddle_strerror(session)), 2 * SADDLE_REASON_BYTES);
}
END_TEST

START_TEST(a_daemon_that_vanishes_is_noticed)
{
    struct saddle_completion event;
    int ends[2];
    int result = 0;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    session->socket = ends[0];
    ck_assert_int_eq(saddle_wait(channel, 0), 0);
    close(ends[1]);
    if (_i == 0) {
        result = saddle_wait(channel, -1);
    } else if (_i == 1) {
        for (uint32_t spin = 0; spin < SPINS && result == 0; spin++)
            result = saddle_poll(channel, &event, 1);
    } else {
        ck_assert_int_eq(saddle_arm(channel), 0);
        saddle_disarm(channel);
        result = saddle_poll(channel, &event, 1);
    }
    ck_assert_int_eq(result, -ECONNRESET);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "daemon is gone"));
    close(ends[0]);
}
END_TEST

START_TEST(a_bell_that_breaks_is_noticed)
{
    close(engine.bells[0].application_write);
    engine.bells[0].application_write = dup(engine.bells[0].application_read);
    ck_assert_int_eq(saddle_wait(channel, -1), -ECONNRESET);
}
END_TEST

/* What no daemon may say: each ends the session, none is believed. */
static const struct saddle_event nonsense[] = {
    {.type = 0},
    {.type = 6},
    {.type = 255},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_COUNT},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_SEND, .status = 1},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_POST_RECV, .len = SADDLE_MESSAGE_MAX},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_PING, .len = sizeof(struct saddle_ping_answer)},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_PING, .flags = SADDLE_ENTRY_INLINE, .len = 64},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_READ_BATCH},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_READ_BATCH, .len = 8},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_READ_BATCH, .flags = SADDLE_ENTRY_INLINE, .len = 12},
    {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_READ_BATCH, .flags = SADDLE_ENTRY_INLINE, .len = 72},
    {.type = SADDLE_EVT_WAITING, .value = 0},
    {.type = SADDLE_EVT_WAITING, .value = 1ull << 40},
    {.type = SADDLE_EVT_MESSAGE, .flags = SADDLE_ENTRY_INLINE, .len = 0},
    {.type = SADDLE_EVT_MESSAGE, .flags = SADDLE_ENTRY_INLINE, .len = 65},
    {.type = SADDLE_EVT_MESSAGE, .buf = 1ull << 63, .len = 100},
    {.type = SADDLE_EVT_MESSAGE, .buf = UINT64_MAX, .len = 2},
    {.type = SADDLE_EVT_MESSAGE, .buf = 0, .len = UINT32_MAX},
    {.type = SADDLE_EVT_MESSAGE,
     .flags = SADDLE_ENTRY_INLINE | SADDLE_ENTRY_SLOT,
     .len = 1,
     .slot = UINT32_MAX},
    {.type = SADDLE_EVT_MESSAGE,
     .flags = SADDLE_ENTRY_INLINE | SADDLE_ENTRY_SLOT,
     .len = 1,
     .slot = UINT32_MAX - 1},
};

START_TEST(nonsense_ends_the_session)
{
    struct saddle_completion event;

    fake_say(&engine, 0, &nonsense[_i]);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), -EPROTO);
    ck_assert_int_eq(saddle_status(session), -EPROTO);
    ck_assert_int_eq(saddle_revoke(channel, 1, NULL), -EPROTO);
}
END_TEST

START_TEST(a_slot_lent_twice_ends_the_session)
{
    struct saddle_completion event;

    fake_message(&engine, 0, 1, 3, 10);
    fake_message(&engine, 0, 1, 3, 10);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), -EPROTO);
}
END_TEST

START_TEST(absurd_positions_end_the_session)
{
    struct saddle_completion event;

    if (_i == 0) {
        engine.completions[0].queue.entries[0] = 0x55;
        ck_assert_int_eq(saddle_poll(channel, &event, 1), -EPROTO);
    } else {
        engine.commands[0].queue.header->consumed = 0x80000000u;
        for (uint32_t at = 0; at < FAKE_ENTRIES; at++)
            saddle_revoke(channel, at, NULL);
        ck_assert_int_eq(saddle_revoke(channel, 1, NULL), -EPROTO);
    }
    ck_assert_int_eq(saddle_status(session), -EPROTO);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, nothing_to_poll);
    tcase_add_test(tcase, events_come_out_as_they_went_in);
    tcase_add_test(tcase, small_messages_lie_in_the_completion);
    tcase_add_test(tcase, larger_messages_lie_in_their_slot);
    tcase_add_test(tcase, a_slot_belongs_to_the_channel_it_came_through);
    tcase_add_test(tcase, slots_are_owed_while_the_queue_is_full);
    tcase_add_test(tcase, a_full_queue_is_eagain);
    tcase_add_test(tcase, outstanding_operations_leave_room_for_an_event);
    tcase_add_test(tcase, an_empty_queue_has_been_given_back);
    tcase_add_test(tcase, a_sleeping_engine_is_rung_once_per_batch);
    tcase_add_test(tcase, an_engine_that_waits_for_room_is_rung);
    tcase_add_test(tcase, waiting_ends_with_events_or_time);
    tcase_add_test(tcase, no_wake_up_is_lost);
    tcase_add_test(tcase, a_signal_interrupts);
    tcase_add_test(tcase, event_loops_arm_and_disarm);
    tcase_add_test(tcase, without_doorbells_there_is_no_sleep);
    tcase_add_test(tcase, a_closed_session_drains_then_fails);
    tcase_add_test(tcase, closing_wakes_a_sleeper);
    tcase_add_test(tcase, an_absurd_reason_is_cut);
    tcase_add_loop_test(tcase, a_daemon_that_vanishes_is_noticed, 0, 3);
    tcase_add_test(tcase, a_bell_that_breaks_is_noticed);
    tcase_add_loop_test(tcase, nonsense_ends_the_session, 0,
                        (int)(sizeof(nonsense) / sizeof(nonsense[0])));
    tcase_add_test(tcase, a_slot_lent_twice_ends_the_session);
    tcase_add_loop_test(tcase, absurd_positions_end_the_session, 0, 2);
}

int main(void)
{
    Suite *suite = suite_create("channel");
    TCase *tcase = tcase_create("channel");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_set_timeout(tcase, 50);
    tcase_add_checked_fixture(tcase, open_session, close_session);
    add_tests(tcase);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
