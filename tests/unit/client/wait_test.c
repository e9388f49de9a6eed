/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The blocking calls against an engine that a second thread moves, and what they leave behind when
 * they give up.
 */
#include "client/channel.h"
#include "tests/unit/client/fake_engine.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define LISTENER   0x100u
#define CALLER     0x200u
#define CONNECTION 0x300u
#define LARGE      100000u /* bytes: more than arrives without a posted buffer */
#define ROUNDS     3000u

static struct fake_engine engine;
static struct saddle_session *session;
static struct saddle_channel *channel;
static pthread_t server;

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

static struct saddle_command await(enum saddle_command_op op)
{
    struct saddle_command command;

    while (!fake_take(&engine, 0, &command))
        sched_yield();
    ck_assert_uint_eq(command.op, op);
    return command;
}

static void serve(void *(*script)(void *))
{
    ck_assert_int_eq(pthread_create(&server, NULL, script, NULL), 0);
}

static void served(void)
{
    ck_assert_int_eq(pthread_join(server, NULL), 0);
}

/* Completes a posted buffer as one that took `len` bytes. */
static void fill(const struct saddle_command *posted, uint32_t len)
{
    const struct saddle_event event = {.type = SADDLE_EVT_DONE,
                                       .op = SADDLE_CMD_POST_RECV,
                                       .tag = posted->tag,
                                       .handle = posted->handle,
                                       .len = len};

    for (uint32_t at = 0; at < len && at < posted->len; at++)
        engine.arena[posted->buf + at] = fake_byte(at);
    fake_say(&engine, 0, &event);
}

static void announce(uint32_t type, saddle_handle handle, uint64_t value, int status)
{
    const struct saddle_event event = {
        .type = (uint8_t)type, .handle = handle, .value = value, .status = status};

    fake_say(&engine, 0, &event);
}

static void assert_bytes(const uint8_t *bytes, size_t len)
{
    size_t wrong = 0;

    for (size_t at = 0; at < len; at++)
        wrong += bytes[at] != fake_byte(at);
    ck_assert_uint_eq(wrong, 0);
}

static void *script_call(void *argument)
{
    struct saddle_command command = await(SADDLE_CMD_LISTEN);

    ck_assert_uint_ge(command.tag, SADDLE_TAG_LIBRARY);
    fake_done(&engine, 0, &command, 0, LISTENER);
    announce(SADDLE_EVT_INCOMING, CALLER, LISTENER, 0);
    command = await(SADDLE_CMD_ACCEPT);
    ck_assert_uint_eq(command.handle, CALLER);
    fake_done(&engine, 0, &command, 0, CALLER);
    command = await(SADDLE_CMD_SEND);
    ck_assert_uint_eq(command.len, 5);
    fake_done(&engine, 0, &command, 0, CALLER);
    fake_message(&engine, 0, CALLER, 3, 5000);
    ck_assert_uint_eq(await(SADDLE_CMD_RELEASE).slot, 3);
    announce(SADDLE_EVT_CLOSED, CALLER, 0, 0);
    command = await(SADDLE_CMD_CLOSE);
    ck_assert_uint_eq(command.handle, CALLER);
    fake_done(&engine, 0, &command, 0, CALLER);
    return argument;
}

START_TEST(a_whole_call)
{
    uint8_t buffer[8192];
    saddle_handle listener;
    saddle_handle connection;

    serve(script_call);
    ck_assert_int_eq(saddle_listen_wait(channel, "echo", -1, &listener), 0);
    ck_assert_uint_eq(listener, LISTENER);
    ck_assert_int_eq(saddle_accept_wait(channel, listener, -1, &connection), 0);
    ck_assert_uint_eq(connection, CALLER);
    ck_assert_int_eq(saddle_send_wait(channel, connection, "hello", 5, -1), 0);
    ck_assert_int_eq(saddle_recv_wait(channel, connection, buffer, sizeof(buffer), -1), 5000);
    assert_bytes(buffer, 5000);
    ck_assert_int_eq(saddle_flush(channel), 0);
    ck_assert_int_eq(saddle_recv_wait(channel, connection, buffer, sizeof(buffer), -1), 0);
    ck_assert_int_eq(saddle_recv_wait(channel, connection, buffer, sizeof(buffer), -1), 0);
    ck_assert_int_eq(saddle_close_wait(channel, connection, -1), 0);
    ck_assert(client_stash_empty(&channel->stash));
    ck_assert_ptr_null(channel->errands.first);
    served();
}
END_TEST

static void *script_ping(void *argument)
{
    struct saddle_command command = await(SADDLE_CMD_PING);
    const struct saddle_ping_answer answer = {.round_trip_ns = 77, .mtu = 1500};
    struct saddle_event done = {.type = SADDLE_EVT_DONE,
                                .flags = SADDLE_ENTRY_INLINE,
                                .op = SADDLE_CMD_PING,
                                .tag = command.tag,
                                .len = sizeof(answer)};

    ck_assert_uint_eq(command.key, 1000);
    memcpy(done.payload, &answer, sizeof(answer));
    fake_say(&engine, 0, &done);
    command = await(SADDLE_CMD_PING);
    done.tag = command.tag;
    done.status = -EHOSTUNREACH;
    fake_say(&engine, 0, &done);
    return argument;
}

START_TEST(a_host_is_pinged)
{
    struct saddle_ping_info info = {.size = sizeof(info)};

    serve(script_ping);
    ck_assert_int_eq(saddle_ping_wait(channel, "host", 1000, -1, NULL), 0);
    ck_assert_int_eq(saddle_ping_wait(channel, "host", 1000, -1, &info), -EHOSTUNREACH);
    ck_assert_uint_eq(info.round_trip_ns, 77);
    ck_assert_uint_eq(info.mtu, 1500);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "ping of host: No route"));
    ck_assert_ptr_null(channel->errands.first);
    served();
    ck_assert_int_eq(saddle_ping_wait(channel, "host", 1000, 0, &info), -ETIMEDOUT);
}
END_TEST

/* Completes what reads as one that read `len` bytes and says `value`. */
static void tell(const struct saddle_command *command, int status, uint32_t len, uint64_t value)
{
    const struct saddle_event event = {.type = SADDLE_EVT_DONE,
                                       .op = command->op,
                                       .tag = command->tag,
                                       .status = status,
                                       .len = len,
                                       .value = value};

    for (uint32_t at = 0; at < len && at < 2 * LARGE && !status; at++)
        engine.arena[command->buf + at] = fake_byte(at);
    fake_say(&engine, 0, &event);
}

static const struct saddle_item batch[] = {{0, 100}, {-ENOENT, 0}, {-EMSGSIZE, 101}};

static void *script_tables(void *argument)
{
    struct saddle_command command = await(SADDLE_CMD_READ_INDIRECT);
    struct saddle_event done = {.type = SADDLE_EVT_DONE,
                                .flags = SADDLE_ENTRY_INLINE,
                                .op = SADDLE_CMD_READ_BATCH,
                                .len = sizeof(batch)};

    ck_assert_uint_eq(command.handle, CONNECTION);
    ck_assert_uint_eq(command.key, 11);
    ck_assert_uint_eq(command.remote_offset, 24);
    ck_assert_uint_eq(command.len, LARGE);
    tell(&command, 0, LARGE - 1, 0);
    command = await(SADDLE_CMD_READ_INDIRECT);
    tell(&command, -EMSGSIZE, 4001, 0);
    command = await(SADDLE_CMD_READ_BATCH);
    for (uint32_t at = 0; at < 300; at++)
        engine.arena[command.buf + at] = fake_byte(at);
    done.tag = command.tag;
    memcpy(done.payload, batch, sizeof(batch));
    fake_say(&engine, 0, &done);
    command = await(SADDLE_CMD_SCAN_READ);
    tell(&command, 0, 5000, 77);
    command = await(SADDLE_CMD_SCAN_READ);
    tell(&command, -ENOENT, 0, 0);
    return argument;
}

START_TEST(what_tables_point_to)
{
    static const uint64_t offsets[] = {0, 24, 48};
    static uint8_t buffer[LARGE];
    struct saddle_read_item items[3];
    uint32_t index;

    serve(script_tables);
    ck_assert_int_eq(saddle_read_indirect_wait(channel, CONNECTION, 11, 24, buffer, LARGE, -1),
                     LARGE - 1);
    assert_bytes(buffer, LARGE - 1);
    buffer[0] = 0xee;
    ck_assert_int_eq(saddle_read_indirect_wait(channel, CONNECTION, 11, 24, buffer, 4000, -1),
                     -EMSGSIZE);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "4001 bytes for a buffer of 4000"));
    ck_assert_uint_eq(buffer[0], 0xee);
    ck_assert_int_eq(
        saddle_read_batch_wait(channel, CONNECTION, 11, offsets, 3, buffer, 100, items, -1), 0);
    ck_assert_mem_eq(items, batch, sizeof(batch));
    assert_bytes(buffer, 300);
    ck_assert_int_eq(
        saddle_scan_read_wait(channel, CONNECTION, 11, 0, 9, 7, buffer, 6000, &index, -1), 5000);
    ck_assert_uint_eq(index, 77);
    ck_assert_int_eq(
        saddle_scan_read_wait(channel, CONNECTION, 11, 0, 9, 7, buffer, 6000, NULL, -1), -ENOENT);
    ck_assert_ptr_null(channel->errands.first);
    served();
    ck_assert_int_eq(saddle_read_indirect_wait(channel, CONNECTION, 1, 0, buffer, 0, 0), -EINVAL);
    ck_assert_int_eq(
        saddle_read_batch_wait(channel, CONNECTION, 1, offsets, 9, buffer, 8, items, 0), -EINVAL);
    ck_assert_int_eq(saddle_read_indirect_wait(channel, CONNECTION, 1, 0, buffer,
                                               FAKE_HEAP_BYTES + 1, 0),
                     -ENOMEM);
}
END_TEST

static void *script_too_long(void *argument)
{
    struct saddle_command command = await(SADDLE_CMD_READ_INDIRECT);

    tell(&command, 0, 101, 0);
    return argument;
}

START_TEST(more_than_the_buffer_is_nonsense)
{
    uint8_t buffer[100];

    serve(script_too_long);
    ck_assert_int_eq(saddle_read_indirect_wait(channel, CONNECTION, 1, 0, buffer, 100, -1),
                     -EPROTO);
    served();
}
END_TEST

static void *script_atomics(void *argument)
{
    struct saddle_command command = await(SADDLE_CMD_EXPOSE);

    ck_assert_uint_eq(command.key, SADDLE_RIGHT_ATOMIC);
    tell(&command, 0, 0, 99);
    command = await(SADDLE_CMD_COMPARE_SWAP);
    ck_assert_uint_eq(command.key, 99);
    ck_assert_uint_eq(command.remote_offset, 8);
    tell(&command, 0, 0, 3);
    command = await(SADDLE_CMD_FETCH_ADD);
    tell(&command, 0, 0, UINT64_MAX);
    command = await(SADDLE_CMD_FETCH_ADD);
    tell(&command, -EACCES, 0, 0);
    return argument;
}

START_TEST(words_that_change)
{
    void *memory = saddle_alloc(session, 64);
    uint64_t before = 0;
    saddle_key key;

    serve(script_atomics);
    ck_assert_int_eq(saddle_expose_wait(channel, memory, 64, SADDLE_ATOMIC, -1, &key), 0);
    ck_assert_uint_eq(key, 99);
    ck_assert_int_eq(saddle_compare_swap_wait(channel, CONNECTION, key, 8, 3, 4, -1, &before), 0);
    ck_assert_uint_eq(before, 3);
    ck_assert_int_eq(saddle_fetch_add_wait(channel, CONNECTION, key, 8, 1, -1, &before), 0);
    ck_assert_uint_eq(before, UINT64_MAX);
    ck_assert_int_eq(saddle_fetch_add_wait(channel, CONNECTION, key, 8, 1, -1, NULL), -EACCES);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "fetch and add: Permission denied"));
    served();
}
END_TEST

/* A region that was exposed after its caller had gone is withdrawn: nobody has its key. */
START_TEST(a_stray_region_is_revoked)
{
    void *memory = saddle_alloc(session, 64);
    struct saddle_completion event;
    struct saddle_command command;
    saddle_key key = 7;

    ck_assert_int_eq(saddle_expose_wait(channel, memory, 64, SADDLE_READABLE, 0, &key), -ETIMEDOUT);
    ck_assert_uint_eq(key, 0);
    command = fake_expect(&engine, 0, SADDLE_CMD_EXPOSE);
    tell(&command, 0, 0, 99);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    command = fake_expect(&engine, 0, SADDLE_CMD_REVOKE);
    ck_assert_uint_eq(command.key, 99);
    tell(&command, 0, 0, 0);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert_ptr_null(channel->errands.first);
}
END_TEST

static void *script_refuse(void *argument)
{
    struct saddle_command command = await(SADDLE_CMD_CONNECT);

    ck_assert_uint_eq(command.timeout_ns, 2000000000ull);
    fake_done(&engine, 0, &command, -ECONNREFUSED, 0);
    return argument;
}

START_TEST(errors_name_what_failed)
{
    saddle_handle connection = 7;

    serve(script_refuse);
    ck_assert_int_eq(saddle_connect_wait(channel, "right", "echo", 2000, &connection),
                     -ECONNREFUSED);
    ck_assert_uint_eq(connection, 0);
    ck_assert_str_eq(saddle_strerror(session), "connecting to echo of right: Connection refused");
    served();
    ck_assert_int_eq(saddle_connect_wait(channel, "", "echo", 2000, &connection), -EINVAL);
    ck_assert_ptr_null(channel->errands.first);
}
END_TEST

static void *script_deny(void *argument)
{
    static const int errors[] = {-EACCES, -EDQUOT};
    struct saddle_command command;

    for (size_t i = 0; i < 2; i++) {
        command = await(SADDLE_CMD_CONNECT);
        fake_done(&engine, 0, &command, errors[i], 0);
        command = await(SADDLE_CMD_LISTEN);
        fake_done(&engine, 0, &command, errors[i], 0);
    }
    return argument;
}

START_TEST(errors_name_the_right_that_is_missing)
{
    saddle_handle handle;

    serve(script_deny);
    ck_assert_int_eq(saddle_connect_wait(channel, "right", "echo", -1, &handle), -EACCES);
    ck_assert_str_eq(saddle_strerror(session), "connecting to echo of right: the daemon's policy "
                                               "gives this user no right to connect");
    ck_assert_int_eq(saddle_listen_wait(channel, "echo", -1, &handle), -EACCES);
    ck_assert_str_eq(saddle_strerror(session), "listening for echo: the daemon's policy gives this "
                                               "user no right to listen");
    ck_assert_int_eq(saddle_connect_wait(channel, "right", "echo", -1, &handle), -EDQUOT);
    ck_assert_int_eq(saddle_listen_wait(channel, "echo", -1, &handle), -EDQUOT);
    ck_assert_str_eq(saddle_strerror(session),
                     "listening for echo: the session's quota is used up");
    served();
}
END_TEST

static void *script_echo_large(void *argument)
{
    struct saddle_command command = await(SADDLE_CMD_SEND);

    ck_assert_uint_eq(command.len, LARGE);
    assert_bytes(engine.arena + command.buf, LARGE);
    fake_done(&engine, 0, &command, 0, CONNECTION);
    announce(SADDLE_EVT_WAITING, CONNECTION, LARGE, 0);
    command = await(SADDLE_CMD_POST_RECV);
    ck_assert_uint_eq(command.len, LARGE);
    fill(&command, LARGE);
    return argument;
}

START_TEST(large_messages_go_through_the_heap)
{
    uint8_t *data = (uint8_t *)malloc(LARGE);
    uint32_t before = session->heap.free_granules;

    for (uint32_t at = 0; at < LARGE; at++)
        data[at] = fake_byte(at);
    serve(script_echo_large);
    ck_assert_int_eq(saddle_send_wait(channel, CONNECTION, data, LARGE, -1), 0);
    memset(data, 0, LARGE);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, data, LARGE, -1), LARGE);
    assert_bytes(data, LARGE);
    ck_assert_uint_eq(session->heap.free_granules, before);
    served();
    free(data);
}
END_TEST

START_TEST(other_events_are_kept_in_order)
{
    struct saddle_completion events[FAKE_ENTRIES];
    uint8_t buffer[100];

    announce(SADDLE_EVT_INCOMING, CALLER, LISTENER, 0);
    fake_message(&engine, 0, CALLER, 1, 10);
    fake_message(&engine, 0, CONNECTION, 2, 20);
    fake_message(&engine, 0, CALLER, 3, 30);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), 0), 20);
    ck_assert_int_eq(saddle_wait(channel, -1), 1);
    ck_assert_int_eq(saddle_arm(channel), 1);
    fake_message(&engine, 0, CALLER, 4, 40);
    ck_assert_int_eq(saddle_poll(channel, events, FAKE_ENTRIES), 4);
    ck_assert_uint_eq(events[0].kind, SADDLE_INCOMING);
    ck_assert_uint_eq(events[1].len, 10);
    ck_assert_uint_eq(events[2].len, 30);
    ck_assert_uint_eq(events[3].len, 40);
    for (uint32_t at = 1; at < 4; at++) {
        ck_assert_ptr_eq(events[at].data, events[at].bytes);
        assert_bytes(events[at].bytes, events[at].len);
        ck_assert_int_eq(saddle_release(channel, &events[at]), 0);
    }
}
END_TEST

START_TEST(kept_messages_come_first)
{
    uint8_t buffer[100];

    fake_message(&engine, 0, CALLER, 1, 10);
    fake_message(&engine, 0, CONNECTION, 2, 20);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), 0), 20);
    fake_message(&engine, 0, CALLER, 3, 30);
    ck_assert_int_eq(saddle_recv_wait(channel, CALLER, buffer, sizeof(buffer), 0), 10);
    ck_assert_int_eq(saddle_recv_wait(channel, CALLER, buffer, sizeof(buffer), 0), 30);
    ck_assert_int_eq(saddle_recv_wait(channel, CALLER, buffer, sizeof(buffer), 0), -ETIMEDOUT);
}
END_TEST

START_TEST(a_message_too_long_is_dropped)
{
    uint8_t buffer[100];

    fake_message(&engine, 0, CONNECTION, 2, 101);
    fake_message(&engine, 0, CONNECTION, 3, 100);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), -1), -EMSGSIZE);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "101 bytes"));
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), -1), 100);
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_RELEASE).slot, 2);
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_RELEASE).slot, 3);
}
END_TEST

START_TEST(a_dead_connection_stays_dead)
{
    uint8_t buffer[100];

    fake_message(&engine, 0, CONNECTION, 2, 50);
    announce(SADDLE_EVT_CLOSED, CONNECTION, 0, -ETIMEDOUT);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), -1), 50);
    for (uint32_t again = 0; again < 3; again++)
        ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), -1),
                         -ETIMEDOUT);
    announce(SADDLE_EVT_CLOSED, LISTENER, 0, 0);
    ck_assert_int_eq(saddle_accept_wait(channel, LISTENER, -1, &(saddle_handle){0}), -ENOTCONN);
}
END_TEST

START_TEST(a_heap_too_small_leaves_the_message_waiting)
{
    uint8_t buffer[100];
    struct saddle_completion event;

    announce(SADDLE_EVT_WAITING, CONNECTION, FAKE_HEAP_BYTES + 1, 0);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), -1), -ENOMEM);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), -1), -ENOMEM);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_uint_eq(event.kind, SADDLE_WAITING);
    ck_assert_ptr_null(channel->errands.first);
    ck_assert_int_eq(saddle_send_wait(channel, CONNECTION, engine.arena, SADDLE_MESSAGE_MAX, -1),
                     -ENOMEM);
}
END_TEST

START_TEST(what_a_late_operation_opened_is_closed)
{
    const enum saddle_command_op codes[] = {SADDLE_CMD_LISTEN, SADDLE_CMD_CONNECT,
                                            SADDLE_CMD_ACCEPT};
    struct saddle_command command;
    struct saddle_completion event;
    saddle_handle handle;

    if (_i == 0) {
        ck_assert_int_eq(saddle_listen_wait(channel, "echo", 0, &handle), -ETIMEDOUT);
    } else if (_i == 1) {
        ck_assert_int_eq(saddle_connect_wait(channel, "right", "echo", 0, &handle), -ETIMEDOUT);
    } else {
        announce(SADDLE_EVT_INCOMING, CALLER, LISTENER, 0);
        ck_assert_int_eq(saddle_accept_wait(channel, LISTENER, 0, &handle), -ETIMEDOUT);
    }
    command = fake_expect(&engine, 0, codes[_i]);
    fake_done(&engine, 0, &command, 0, CONNECTION);
    ck_assert_int_eq(saddle_wait(channel, 0), 0);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    command = fake_expect(&engine, 0, SADDLE_CMD_CLOSE);
    ck_assert_uint_eq(command.handle, CONNECTION);
    fake_done(&engine, 0, &command, 0, CONNECTION);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert_ptr_null(channel->errands.first);
}
END_TEST

START_TEST(a_stray_handle_waits_for_room)
{
    struct saddle_command command;
    struct saddle_completion event;
    saddle_handle handle;

    ck_assert_int_eq(saddle_connect_wait(channel, "right", "echo", 0, &handle), -ETIMEDOUT);
    command = fake_expect(&engine, 0, SADDLE_CMD_CONNECT);
    while (saddle_revoke(channel, 1, NULL) == 0)
        ;
    fake_done(&engine, 0, &command, 0, CONNECTION);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    while (fake_take(&engine, 0, &command))
        ck_assert_uint_eq(command.op, SADDLE_CMD_REVOKE);
    ck_assert_int_eq(saddle_flush(channel), 0);
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_CLOSE).handle, CONNECTION);
}
END_TEST

START_TEST(a_late_refusal_is_forgotten)
{
    struct saddle_command command;
    struct saddle_completion event;
    saddle_handle handle;

    ck_assert_int_eq(saddle_connect_wait(channel, "right", "echo", 0, &handle), -ETIMEDOUT);
    command = fake_expect(&engine, 0, SADDLE_CMD_CONNECT);
    fake_done(&engine, 0, &command, -ECONNREFUSED, 0);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert(!fake_take(&engine, 0, &command));
    ck_assert_ptr_null(channel->errands.first);
}
END_TEST

START_TEST(a_late_send_frees_its_copy)
{
    static const uint8_t data[5000];
    struct saddle_command command;
    struct saddle_completion event;
    uint32_t before = session->heap.free_granules;

    ck_assert_int_eq(saddle_send_wait(channel, CONNECTION, data, sizeof(data), 0), -ETIMEDOUT);
    ck_assert_uint_lt(session->heap.free_granules, before);
    command = fake_expect(&engine, 0, SADDLE_CMD_SEND);
    fake_done(&engine, 0, &command, 0, CONNECTION);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert_uint_eq(session->heap.free_granules, before);
}
END_TEST

START_TEST(a_late_message_is_not_lost)
{
    static uint8_t buffer[LARGE];
    struct saddle_command command;
    struct saddle_completion event;
    uint32_t before = session->heap.free_granules;

    announce(SADDLE_EVT_WAITING, CONNECTION, LARGE, 0);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, LARGE, 0), -ETIMEDOUT);
    command = fake_expect(&engine, 0, SADDLE_CMD_POST_RECV);
    ck_assert_uint_eq(command.timeout_ns, 0);
    fill(&command, LARGE);
    if (_i == 0) {
        ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, LARGE, -1), LARGE);
        assert_bytes(buffer, LARGE);
    } else {
        ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
        ck_assert_uint_eq(event.kind, SADDLE_MESSAGE);
        ck_assert_uint_eq(event.len, LARGE);
        ck_assert_uint_eq(event.handle, CONNECTION);
        assert_bytes((const uint8_t *)event.data, LARGE);
        ck_assert_int_eq(saddle_release(channel, &event), 0);
        ck_assert_int_eq(saddle_release(channel, &event), -EINVAL);
    }
    ck_assert_uint_eq(session->heap.free_granules, before);
    ck_assert(!fake_take(&engine, 0, &command));
}
END_TEST

START_TEST(a_message_longer_than_its_buffer_ends_the_session)
{
    static uint8_t buffer[LARGE];
    struct saddle_command command;
    struct saddle_completion event;

    announce(SADDLE_EVT_WAITING, CONNECTION, 20000, 0);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, LARGE, 0), -ETIMEDOUT);
    command = fake_expect(&engine, 0, SADDLE_CMD_POST_RECV);
    fill(&command, 20001);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), -EPROTO);
}
END_TEST

static void *script_pause(void *argument)
{
    struct saddle_command command;

    for (uint32_t at = 0; at < FAKE_ENTRIES; at++)
        await(SADDLE_CMD_REVOKE);
    command = await(SADDLE_CMD_SEND);
    fake_done(&engine, 0, &command, 0, CONNECTION);
    return argument;
}

START_TEST(a_full_queue_is_waited_for)
{
    while (saddle_revoke(channel, 1, NULL) == 0)
        ;
    ck_assert_int_eq(saddle_send_wait(channel, CONNECTION, "x", 1, 0), -ETIMEDOUT);
    ck_assert_ptr_null(channel->errands.first);
    serve(script_pause);
    ck_assert_int_eq(saddle_send_wait(channel, CONNECTION, "x", 1, -1), 0);
    served();
}
END_TEST

START_TEST(closing_drops_what_is_left_of_the_handle)
{
    struct saddle_command command;
    struct saddle_completion event;
    uint8_t buffer[100];

    fake_message(&engine, 0, CONNECTION, 1, 10);
    announce(SADDLE_EVT_CLOSED, CONNECTION, 0, 0);
    announce(SADDLE_EVT_INCOMING, CALLER, CONNECTION, 0);
    fake_message(&engine, 0, CALLER, 2, 20);
    ck_assert_int_eq(saddle_recv_wait(channel, CALLER, buffer, sizeof(buffer), -1), 20);
    /* The completion is there before it is waited for: the tag of the next errand is known. */
    command = (struct saddle_command){.op = SADDLE_CMD_CLOSE,
                                      .tag = SADDLE_TAG_LIBRARY | channel->errands.count};
    fake_done(&engine, 0, &command, 0, CONNECTION);
    ck_assert_int_eq(saddle_close_wait(channel, CONNECTION, -1), 0);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 0);
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_RELEASE).slot, 2);
    fake_expect(&engine, 0, SADDLE_CMD_CLOSE);
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_RELEASE).slot, 1);
}
END_TEST

START_TEST(connections_made_here_show_no_tag)
{
    const struct saddle_event event = {.type = SADDLE_EVT_CLOSED, .tag = SADDLE_TAG_LIBRARY | 3};
    struct saddle_completion got;

    fake_say(&engine, 0, &event);
    ck_assert_int_eq(saddle_poll(channel, &got, 1), 1);
    ck_assert_uint_eq(got.tag, 0);
}
END_TEST

START_TEST(a_session_that_ends_ends_the_wait)
{
    saddle_handle handle;
    uint8_t buffer[10];

    fake_end(&engine, -EDQUOT, "over the quota");
    ck_assert_int_eq(saddle_listen_wait(channel, "echo", -1, &handle), -EDQUOT);
    ck_assert_int_eq(saddle_accept_wait(channel, LISTENER, -1, &handle), -EDQUOT);
    ck_assert_int_eq(saddle_connect_wait(channel, "right", "echo", -1, &handle), -EDQUOT);
    ck_assert_int_eq(saddle_send_wait(channel, CONNECTION, "x", 1, -1), -EDQUOT);
    ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), -1), -EDQUOT);
    ck_assert_int_eq(saddle_close_wait(channel, CONNECTION, -1), -EDQUOT);
    ck_assert_str_eq(saddle_strerror(session), "the daemon closed the session: over the quota");
}
END_TEST

static void *script_rounds(void *argument)
{
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct saddle_command command = await(SADDLE_CMD_SEND);

        fake_done(&engine, 0, &command, 0, CONNECTION);
        fake_message(&engine, 0, CONNECTION, round % FAKE_SLOTS, round % 200 + 1);
        await(SADDLE_CMD_RELEASE);
    }
    return argument;
}

START_TEST(many_rounds)
{
    uint8_t buffer[200] = {0};

    serve(script_rounds);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        ck_assert_int_eq(saddle_send_wait(channel, CONNECTION, buffer, round % 200 + 1, -1), 0);
        ck_assert_int_eq(saddle_recv_wait(channel, CONNECTION, buffer, sizeof(buffer), -1),
                         round % 200 + 1);
    }
    saddle_flush(channel);
    served();
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, a_whole_call);
    tcase_add_test(tcase, a_host_is_pinged);
    tcase_add_test(tcase, what_tables_point_to);
    tcase_add_test(tcase, more_than_the_buffer_is_nonsense);
    tcase_add_test(tcase, words_that_change);
    tcase_add_test(tcase, a_stray_region_is_revoked);
    tcase_add_test(tcase, errors_name_what_failed);
    tcase_add_test(tcase, errors_name_the_right_that_is_missing);
    tcase_add_test(tcase, large_messages_go_through_the_heap);
    tcase_add_test(tcase, other_events_are_kept_in_order);
    tcase_add_test(tcase, kept_messages_come_first);
    tcase_add_test(tcase, a_message_too_long_is_dropped);
    tcase_add_test(tcase, a_dead_connection_stays_dead);
    tcase_add_test(tcase, a_heap_too_small_leaves_the_message_waiting);
    tcase_add_loop_test(tcase, what_a_late_operation_opened_is_closed, 0, 3);
    tcase_add_test(tcase, a_stray_handle_waits_for_room);
    tcase_add_test(tcase, a_late_refusal_is_forgotten);
    tcase_add_test(tcase, a_late_send_frees_its_copy);
    tcase_add_loop_test(tcase, a_late_message_is_not_lost, 0, 2);
    tcase_add_test(tcase, a_message_longer_than_its_buffer_ends_the_session);
    tcase_add_test(tcase, a_full_queue_is_waited_for);
    tcase_add_test(tcase, closing_drops_what_is_left_of_the_handle);
    tcase_add_test(tcase, connections_made_here_show_no_tag);
    tcase_add_test(tcase, a_session_that_ends_ends_the_wait);
    tcase_add_test(tcase, many_rounds);
}

int main(void)
{
    Suite *suite = suite_create("wait");
    TCase *tcase = tcase_create("wait");
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
