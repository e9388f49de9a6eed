/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations: the command that each writes, and every argument that is refused before it gets
 * there.
 */
#include "client/channel.h"
#include "tests/unit/client/fake_engine.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONG_NAME "a-name-of-thirty-two-characters."

static struct fake_engine engine;
static struct saddle_session *session;
static struct saddle_channel *channel;
static uint8_t *memory;

static const struct saddle_op op = {
    .size = sizeof(op), .tag = 0x1234567890, .timeout_ns = 5000, .stream = 7};

static void open_session(void)
{
    fake_engine_open(&engine);
    session = fake_session(&engine, false);
    channel = saddle_channel(session, 0);
    memory = (uint8_t *)saddle_alloc(session, 4096);
    ck_assert_ptr_nonnull(memory);
}

static void close_session(void)
{
    saddle_detach(session);
    fake_engine_close(&engine);
}

/* The one command submitted, with what every operation carries. */
static struct saddle_command expect(enum saddle_command_op code)
{
    struct saddle_command command = fake_expect(&engine, 0, code);

    ck_assert_uint_eq(command.tag, op.tag);
    ck_assert_uint_eq(command.timeout_ns, op.timeout_ns);
    ck_assert_uint_eq(command.stream, op.stream);
    ck_assert_uint_eq(command.reserved, 0);
    ck_assert(!fake_take(&engine, 0, &(struct saddle_command){0}));
    return command;
}

static uint64_t offset_of(const void *at)
{
    return (uint64_t)((const uint8_t *)at - engine.arena);
}

static void assert_refused(int result, const char *word)
{
    ck_assert_int_eq(result, -EINVAL);
    ck_assert_msg(strstr(saddle_strerror(session), word), "\"%s\" lacks \"%s\"",
                  saddle_strerror(session), word);
    ck_assert(!fake_take(&engine, 0, &(struct saddle_command){0}));
}

START_TEST(services_and_hosts)
{
    struct saddle_command command;

    ck_assert_int_eq(saddle_listen(channel, "echo", &op), 0);
    command = expect(SADDLE_CMD_LISTEN);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(command.len, 5);
    ck_assert_mem_eq(command.payload, "echo", 5);
    ck_assert_int_eq(saddle_connect(channel, "fd00::1", "echo", &op), 0);
    command = expect(SADDLE_CMD_CONNECT);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(command.len, 13);
    ck_assert_mem_eq(command.payload, "fd00::1\0echo", 13);
}
END_TEST

START_TEST(long_addresses_lie_in_the_arena_once)
{
    struct saddle_command first;
    struct saddle_command again;
    struct saddle_command other;

    ck_assert_int_eq(saddle_connect(channel, LONG_NAME, LONG_NAME, &op), 0);
    first = expect(SADDLE_CMD_CONNECT);
    ck_assert_uint_eq(first.flags, 0);
    ck_assert_uint_eq(first.len, 66);
    ck_assert_mem_eq(engine.arena + first.buf, LONG_NAME "\0" LONG_NAME, 66);
    ck_assert_int_eq(saddle_connect(channel, LONG_NAME "x", LONG_NAME, &op), 0);
    other = expect(SADDLE_CMD_CONNECT);
    ck_assert_uint_ne(first.buf, other.buf);
    ck_assert_int_eq(saddle_connect(channel, LONG_NAME, LONG_NAME, &op), 0);
    again = expect(SADDLE_CMD_CONNECT);
    ck_assert_uint_eq(first.buf, again.buf);
    ck_assert_mem_eq(engine.arena + first.buf, LONG_NAME "\0" LONG_NAME, 66);
    /* Exactly an entry's payload still goes inline. */
    ck_assert_int_eq(saddle_connect(channel, LONG_NAME, &LONG_NAME[2], &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_CONNECT).flags, SADDLE_ENTRY_INLINE);
    while (saddle_alloc(session, 64))
        ;
    ck_assert_int_eq(saddle_connect(channel, LONG_NAME "y", LONG_NAME, &op), -ENOMEM);
}
END_TEST

START_TEST(handles)
{
    ck_assert_int_eq(saddle_accept(channel, 5, &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_ACCEPT).handle, 5);
    ck_assert_int_eq(saddle_reject(channel, 6, &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_REJECT).handle, 6);
    ck_assert_int_eq(saddle_close(channel, 7, &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_CLOSE).handle, 7);
    assert_refused(saddle_accept(channel, 0, &op), "handle");
    assert_refused(saddle_reject(channel, 0, &op), "handle");
    assert_refused(saddle_close(channel, 0, &op), "handle");
}
END_TEST

START_TEST(sends_inline_up_to_64_bytes)
{
    uint8_t data[64];
    struct saddle_command command;

    for (uint32_t at = 0; at < sizeof(data); at++)
        data[at] = fake_byte(at);
    ck_assert_int_eq(saddle_send(channel, 3, data, 64, &op), 0);
    command = expect(SADDLE_CMD_SEND);
    ck_assert_uint_eq(command.handle, 3);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(command.len, 64);
    ck_assert_mem_eq(command.payload, data, 64);
    ck_assert_int_eq(saddle_send(channel, 3, memory, 65, &op), 0);
    command = expect(SADDLE_CMD_SEND);
    ck_assert_uint_eq(command.flags, 0);
    ck_assert_uint_eq(command.len, 65);
    ck_assert_uint_eq(command.buf, offset_of(memory));
    ck_assert_int_eq(saddle_write(channel, 3, 11, 12, data, 1, &op), 0);
    command = expect(SADDLE_CMD_WRITE);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(command.key, 11);
    ck_assert_uint_eq(command.remote_offset, 12);
}
END_TEST

START_TEST(memory_goes_by_offset)
{
    struct saddle_command command;

    ck_assert_int_eq(saddle_post_recv(channel, 3, memory + 1, 4095, &op), 0);
    command = expect(SADDLE_CMD_POST_RECV);
    ck_assert_uint_eq(command.buf, offset_of(memory) + 1);
    ck_assert_uint_eq(command.len, 4095);
    ck_assert_int_eq(saddle_read(channel, 3, 11, 1ull << 40, memory, 1, &op), 0);
    command = expect(SADDLE_CMD_READ);
    ck_assert_uint_eq(command.handle, 3);
    ck_assert_uint_eq(command.key, 11);
    ck_assert_uint_eq(command.remote_offset, 1ull << 40);
    ck_assert_uint_eq(command.buf, offset_of(memory));
    ck_assert_int_eq(saddle_write(channel, 3, 11, 0, memory, 100, &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_WRITE).buf, offset_of(memory));
    ck_assert_int_eq(saddle_expose(channel, memory, 4096, SADDLE_READABLE, &op), 0);
    command = expect(SADDLE_CMD_EXPOSE);
    ck_assert_uint_eq(command.key, SADDLE_RIGHT_READ);
    ck_assert_uint_eq(command.len, 4096);
    ck_assert_int_eq(saddle_revoke(channel, 99, &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_REVOKE).key, 99);
}
END_TEST

START_TEST(no_options_are_all_zeroes)
{
    struct saddle_command command;

    /* Whatever the entry held before. */
    memset(engine.commands[0].queue.entries + sizeof(uint32_t), 0xff, 124);
    ck_assert_int_eq(saddle_revoke(channel, 99, NULL), 0);
    command = fake_expect(&engine, 0, SADDLE_CMD_REVOKE);
    ck_assert_uint_eq(command.tag, 0);
    ck_assert_uint_eq(command.timeout_ns, 0);
    ck_assert_uint_eq(command.stream, 0);
    ck_assert_uint_eq(command.flags, 0);
    ck_assert_uint_eq(command.handle, 0);
    ck_assert_uint_eq(command.buf, 0);
    ck_assert_uint_eq(command.slot, 0);
}
END_TEST

START_TEST(names_are_checked)
{
    char name[80];

    memset(name, 'n', sizeof(name));
    name[64] = '\0';
    assert_refused(saddle_listen(channel, NULL, &op), "service");
    assert_refused(saddle_listen(channel, "", &op), "service");
    assert_refused(saddle_listen(channel, name, &op), name);
    assert_refused(saddle_connect(channel, NULL, "echo", &op), "host");
    assert_refused(saddle_connect(channel, "", "echo", &op), "host");
    assert_refused(saddle_connect(channel, name, "echo", &op), "host");
    assert_refused(saddle_connect(channel, "h", NULL, &op), "service");
    assert_refused(saddle_connect(channel, "h", name, &op), "service");
    name[63] = '\0';
    ck_assert_int_eq(saddle_listen(channel, name, &op), 0);
    ck_assert_mem_eq(expect(SADDLE_CMD_LISTEN).payload, name, 64);
}
END_TEST

START_TEST(lengths_are_checked)
{
    assert_refused(saddle_send(channel, 1, memory, 0, &op), "0 bytes");
    assert_refused(saddle_send(channel, 1, memory, 1ull << 32, &op), "1 to 4294967295");
    assert_refused(saddle_send(channel, 1, memory, SIZE_MAX, &op), "bytes");
    assert_refused(saddle_send(channel, 1, NULL, 3, &op), "NULL");
    assert_refused(saddle_write(channel, 1, 1, 0, memory, 0, &op), "saddle_write");
    assert_refused(saddle_read(channel, 1, 1, 0, memory, 0, &op), "saddle_read");
    assert_refused(saddle_post_recv(channel, 1, memory, 0, &op), "saddle_post_recv");
    assert_refused(saddle_expose(channel, memory, 0, SADDLE_READABLE, &op), "region");
    assert_refused(saddle_expose(channel, memory, 1ull << 32, SADDLE_READABLE, &op), "region");
    assert_refused(saddle_expose(channel, memory, 64, 0, &op), "rights");
    assert_refused(saddle_expose(channel, memory, 64, 8, &op), "rights");
}
END_TEST

START_TEST(memory_is_checked)
{
    static uint8_t elsewhere[128];
    uint8_t *end = engine.arena + engine.reply.heap_offset + FAKE_HEAP_BYTES;

    assert_refused(saddle_send(channel, 1, elsewhere, 65, &op), "saddle_alloc");
    assert_refused(saddle_send(channel, 1, NULL, 65, &op), "saddle_alloc");
    assert_refused(saddle_read(channel, 1, 1, 0, elsewhere, 1, &op), "saddle_alloc");
    assert_refused(saddle_post_recv(channel, 1, end - 64, 65, &op), "saddle_alloc");
    assert_refused(saddle_write(channel, 1, 1, 0, end, 65, &op), "saddle_alloc");
    /* Queues and receive slots are in the arena, but no application's memory. */
    assert_refused(saddle_expose(channel, engine.arena, 4096, SADDLE_WRITABLE, &op),
                   "saddle_alloc");
    ck_assert_int_eq(saddle_post_recv(channel, 1, end - 65, 65, &op), 0);
    expect(SADDLE_CMD_POST_RECV);
}
END_TEST

START_TEST(options_are_checked)
{
    struct saddle_op wrong = op;

    wrong.size = 0;
    assert_refused(saddle_revoke(channel, 1, &wrong), "op->size is 0");
    wrong.size = sizeof(wrong) + 8;
    assert_refused(saddle_revoke(channel, 1, &wrong), "op->size");
    wrong = op;
    wrong.stream = SADDLE_STREAMS_MAX;
    assert_refused(saddle_revoke(channel, 1, &wrong), "stream");
    wrong = op;
    wrong.tag = SADDLE_TAG_LIBRARY;
    assert_refused(saddle_revoke(channel, 1, &wrong), "tag");
    wrong.tag = UINT64_MAX;
    assert_refused(saddle_revoke(channel, 1, &wrong), "tag");
    wrong.tag = SADDLE_TAG_LIBRARY - 1;
    ck_assert_int_eq(saddle_revoke(channel, 1, &wrong), 0);
}
END_TEST

START_TEST(channels_are_apart)
{
    ck_assert_int_eq(saddle_revoke(saddle_channel(session, 1), 5, &op), 0);
    ck_assert(!fake_take(&engine, 0, &(struct saddle_command){0}));
    ck_assert_uint_eq(fake_expect(&engine, 1, SADDLE_CMD_REVOKE).key, 5);
    ck_assert_ptr_null(saddle_channel(session, 2));
    ck_assert_ptr_null(saddle_channel(session, UINT32_MAX));
}
END_TEST

START_TEST(pings)
{
    struct saddle_command command;
    char name[SADDLE_NAME_BYTES];

    ck_assert_int_eq(saddle_ping(channel, "fd00::1", 1400, &op), 0);
    command = expect(SADDLE_CMD_PING);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(command.len, 8);
    ck_assert_mem_eq(command.payload, "fd00::1", 8);
    ck_assert_uint_eq(command.key, 1400);
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    ck_assert_int_eq(saddle_ping(channel, name, SIZE_MAX, &op), 0);
    command = expect(SADDLE_CMD_PING);
    ck_assert_mem_eq(command.payload, name, sizeof(name));
    ck_assert_uint_eq(command.key, SIZE_MAX);
    assert_refused(saddle_ping(channel, "", 0, &op), "host");
    assert_refused(saddle_ping(channel, NULL, 0, &op), "host");
}
END_TEST

START_TEST(a_daemon_without_tables)
{
    const uint64_t offset = 0;
    const int results[] = {
        (session->abi = SADDLE_ABI_ONESIDED - 1, 0),
        saddle_read_indirect(channel, 1, 2, 0, memory, 8, &op),
        saddle_read_batch(channel, 1, 2, &offset, 1, memory, 8, &op),
        saddle_scan_read(channel, 1, 2, 0, 1, 7, memory, 8, &op),
        saddle_compare_swap(channel, 1, 2, 0, 1, 2, &op),
        saddle_fetch_add(channel, 1, 2, 0, 1, &op),
        saddle_expose(channel, memory, 4096, SADDLE_READABLE | SADDLE_ATOMIC, &op),
    };

    for (size_t i = 1; i < sizeof(results) / sizeof(results[0]); i++)
        ck_assert_int_eq(results[i], -EOPNOTSUPP);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "version 2 of the ABI"));
    ck_assert(!fake_take(&engine, 0, &(struct saddle_command){0}));
}
END_TEST

/* What the daemon before this one does not know never reaches it. */
START_TEST(an_older_daemon)
{
    const struct saddle_segment pieces[] = {{memory, 100}, {memory + 200, 100}};
    struct saddle_op unordered = op;

    unordered.flags = SADDLE_UNORDERED;
    session->abi = SADDLE_ABI_MESSAGES - 1;
    ck_assert_int_eq(saddle_cancel(channel, 1, &op), -EOPNOTSUPP);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "version 2 of the ABI"));
    ck_assert_int_eq(saddle_sendv(channel, 1, pieces, 2, &op), -EOPNOTSUPP);
    ck_assert_int_eq(saddle_writev(channel, 1, 1, 0, pieces, 2, &op), -EOPNOTSUPP);
    ck_assert_int_eq(saddle_send(channel, 1, memory, 10, &unordered), -EOPNOTSUPP);
    assert_refused(saddle_send(channel, 1, memory, (64u << 20) + 1, &op), "67108865");
    ck_assert(!fake_take(&engine, 0, &(struct saddle_command){0}));
    ck_assert_int_eq(saddle_sendv(channel, 1, pieces, 1, &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_SEND).flags, 0);
}
END_TEST

START_TEST(pieces_are_gathered)
{
    const struct saddle_segment pieces[] = {{memory, 100}, {memory + 200, 1}, {memory + 50, 60}};
    const struct saddle_segment small[] = {{"he", 2}, {"l", 1}, {"lo", 2}};
    struct saddle_command command;

    ck_assert_int_eq(saddle_sendv(channel, 5, pieces, 3, &op), 0);
    command = expect(SADDLE_CMD_SEND);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_GATHER);
    ck_assert_uint_eq(command.handle, 5);
    ck_assert_uint_eq(command.len, 161);
    ck_assert_uint_eq(command.slot, 3);
    const struct saddle_gather *array =
        (const struct saddle_gather *)(const void *)(engine.arena + command.buf);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(array[i].offset, offset_of(pieces[i].data));
        ck_assert_uint_eq(array[i].len, pieces[i].len);
        ck_assert_uint_eq(array[i].reserved, 0);
    }
    ck_assert_int_eq(saddle_writev(channel, 5, 6, 7, pieces, 2, &op), 0);
    command = expect(SADDLE_CMD_WRITE);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_GATHER);
    ck_assert_uint_eq(command.key, 6);
    ck_assert_uint_eq(command.remote_offset, 7);
    ck_assert_uint_eq(command.len, 101);
    ck_assert_ptr_ne(engine.arena + command.buf, array);
    ck_assert_int_eq(saddle_sendv(channel, 5, small, 3, &op), 0);
    command = expect(SADDLE_CMD_SEND);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(command.len, 5);
    ck_assert_mem_eq(command.payload, "hello", 5);
}
END_TEST

/* An array is not written again before the engine has gone past its command. */
START_TEST(arrays_are_used_in_turn)
{
    const struct saddle_segment pieces[] = {{memory, 100}, {memory + 200, 100}};
    uint64_t last[FAKE_ENTRIES] = {0};
    struct saddle_command command;

    for (uint32_t i = 0; i < FAKE_ENTRIES / 2; i++)
        ck_assert_int_eq(saddle_sendv(channel, 1, pieces, 2, &op), 0);
    ck_assert_int_eq(saddle_sendv(channel, 1, pieces, 2, &op), -EAGAIN);
    last[0] = fake_expect(&engine, 0, SADDLE_CMD_SEND).buf;
    ck_assert_int_eq(saddle_sendv(channel, 1, pieces, 2, &op), -EAGAIN);
    last[1] = fake_expect(&engine, 0, SADDLE_CMD_SEND).buf;
    ck_assert_int_eq(saddle_sendv(channel, 1, pieces, 2, &op), 0);
    ck_assert_int_eq(saddle_sendv(channel, 1, pieces, 2, &op), -EAGAIN);
    last[2] = fake_expect(&engine, 0, SADDLE_CMD_SEND).buf;
    last[3] = fake_expect(&engine, 0, SADDLE_CMD_SEND).buf;
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_SEND).buf, last[0]);
    for (uint32_t i = 0; i < 4; i++)
        for (uint32_t j = 0; j < i; j++)
            ck_assert_uint_ne(last[i], last[j]);
    for (uint32_t i = 0; i < 50; i++) {
        ck_assert_int_eq(saddle_sendv(channel, 1, pieces, 2, &op), 0);
        command = fake_expect(&engine, 0, SADDLE_CMD_SEND);
        ck_assert_uint_eq(command.buf, last[(i + 1) % 4]);
        fake_done(&engine, 0, &command, 0, 1);
        if (i < 4 + 1)
            fake_done(&engine, 0, &command, 0, 1);
        while (saddle_poll(channel, &(struct saddle_completion){0}, 1) > 0)
            continue;
    }
}
END_TEST

START_TEST(wrong_pieces_are_refused)
{
    struct saddle_segment pieces[SADDLE_SEGMENTS_MAX + 1];
    uint8_t outside[200];

    for (uint32_t i = 0; i <= SADDLE_SEGMENTS_MAX; i++)
        pieces[i] = (struct saddle_segment){memory + i * 10, 10};
    assert_refused(saddle_sendv(channel, 1, pieces, 0, &op), "0 segments");
    assert_refused(saddle_sendv(channel, 1, pieces, SADDLE_SEGMENTS_MAX + 1, &op), "17 segments");
    pieces[3].len = 0;
    assert_refused(saddle_sendv(channel, 1, pieces, 9, &op), "segment 3");
    pieces[3].len = SIZE_MAX;
    assert_refused(saddle_writev(channel, 1, 1, 0, pieces, 9, &op), "segment 3");
    pieces[3] = (struct saddle_segment){outside, sizeof(outside)};
    assert_refused(saddle_sendv(channel, 1, pieces, 9, &op), "saddle_alloc");
    pieces[3] = (struct saddle_segment){NULL, 10};
    assert_refused(saddle_sendv(channel, 1, pieces, 9, &op), "segment 3");
}
END_TEST

START_TEST(unordered_messages)
{
    struct saddle_op unordered = op;
    struct saddle_completion event;
    struct saddle_event said = {.type = SADDLE_EVT_DONE,
                                .op = SADDLE_CMD_POST_RECV,
                                .flags = SADDLE_ENTRY_UNORDERED,
                                .len = 20000};

    unordered.flags = SADDLE_UNORDERED;
    ck_assert_int_eq(saddle_send(channel, 1, "x", 1, &unordered), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_SEND).flags, SADDLE_ENTRY_INLINE | SADDLE_ENTRY_UNORDERED);
    ck_assert_int_eq(saddle_send(channel, 1, memory, 100, &unordered), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_SEND).flags, SADDLE_ENTRY_UNORDERED);
    assert_refused(saddle_write(channel, 1, 1, 0, "x", 1, &unordered), "op->flags");
    unordered.flags = 2;
    assert_refused(saddle_send(channel, 1, "x", 1, &unordered), "op->flags");
    /* A program that was built when there were no flags. */
    unordered.size = 32;
    ck_assert_int_eq(saddle_send(channel, 1, "x", 1, &unordered), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_SEND).flags, SADDLE_ENTRY_INLINE);
    fake_say(&engine, 0, &said);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_uint_eq(event.value, SADDLE_UNORDERED);
    said = (struct saddle_event){.type = SADDLE_EVT_MESSAGE,
                                 .flags = SADDLE_ENTRY_INLINE | SADDLE_ENTRY_UNORDERED,
                                 .len = 1};
    fake_say(&engine, 0, &said);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_uint_eq(event.value, SADDLE_UNORDERED);
    fake_message(&engine, 0, 1, 1, 5);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_uint_eq(event.value, 0);
}
END_TEST

START_TEST(cancelling)
{
    struct saddle_completion event;
    struct saddle_event done = {.type = SADDLE_EVT_DONE, .op = SADDLE_CMD_CANCEL, .value = 3};

    ck_assert_int_eq(saddle_cancel(channel, 77, &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_CANCEL).key, 77);
    assert_refused(saddle_cancel(channel, SADDLE_TAG_LIBRARY, &op), "the library's");
    fake_say(&engine, 0, &done);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_uint_eq(event.value, 3);
}
END_TEST

START_TEST(tables)
{
    static const uint64_t offsets[] = {24, 48, 1ull << 40};
    struct saddle_command command;
    struct saddle_scan scan;

    ck_assert_int_eq(saddle_read_indirect(channel, 3, 11, 24, memory + 8, 4000, &op), 0);
    command = expect(SADDLE_CMD_READ_INDIRECT);
    ck_assert_uint_eq(command.flags, 0);
    ck_assert_uint_eq(command.handle, 3);
    ck_assert_uint_eq(command.key, 11);
    ck_assert_uint_eq(command.remote_offset, 24);
    ck_assert_uint_eq(command.buf, offset_of(memory) + 8);
    ck_assert_uint_eq(command.len, 4000);
    ck_assert_int_eq(saddle_read_batch(channel, 3, 11, offsets, 3, memory, 100, &op), 0);
    command = expect(SADDLE_CMD_READ_BATCH);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(command.len, sizeof(offsets));
    ck_assert_mem_eq(command.payload, offsets, sizeof(offsets));
    ck_assert_uint_eq(command.remote_offset, 100);
    ck_assert_uint_eq(command.buf, offset_of(memory));
    ck_assert_int_eq(saddle_scan_read(channel, 3, 11, 64, 1024, 77, memory, 4096, &op), 0);
    command = expect(SADDLE_CMD_SCAN_READ);
    ck_assert_uint_eq(command.len, sizeof(scan));
    memcpy(&scan, command.payload, sizeof(scan));
    ck_assert_uint_eq(scan.match, 77);
    ck_assert_uint_eq(scan.entries, 1024);
    ck_assert_uint_eq(scan.bytes, 4096);
    ck_assert_uint_eq(command.remote_offset, 64);
    ck_assert_uint_eq(command.buf, offset_of(memory));
}
END_TEST

START_TEST(atomic_operations)
{
    static const uint64_t values[] = {5, UINT64_MAX};
    struct saddle_command command;

    ck_assert_int_eq(saddle_compare_swap(channel, 3, 11, 16, values[0], values[1], &op), 0);
    command = expect(SADDLE_CMD_COMPARE_SWAP);
    ck_assert_uint_eq(command.flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(command.len, sizeof(values));
    ck_assert_mem_eq(command.payload, values, sizeof(values));
    ck_assert_uint_eq(command.handle, 3);
    ck_assert_uint_eq(command.key, 11);
    ck_assert_uint_eq(command.remote_offset, 16);
    ck_assert_int_eq(saddle_fetch_add(channel, 3, 11, 16, values[1], &op), 0);
    command = expect(SADDLE_CMD_FETCH_ADD);
    ck_assert_uint_eq(command.len, sizeof(values[1]));
    ck_assert_mem_eq(command.payload, &values[1], sizeof(values[1]));
    ck_assert_int_eq(saddle_expose(channel, memory, 64, SADDLE_ATOMIC, &op), 0);
    ck_assert_uint_eq(expect(SADDLE_CMD_EXPOSE).key, SADDLE_RIGHT_ATOMIC);
}
END_TEST

START_TEST(tables_are_checked)
{
    static const uint64_t offsets[SADDLE_BATCH_ITEMS + 1];

    assert_refused(saddle_read_indirect(channel, 1, 2, 0, memory, 0, &op), "bytes");
    assert_refused(saddle_read_indirect(channel, 1, 2, 0, memory + 4000, 1u << 20, &op),
                   "saddle_alloc");
    assert_refused(saddle_read_batch(channel, 1, 2, offsets, 0, memory, 8, &op), "items");
    assert_refused(
        saddle_read_batch(channel, 1, 2, offsets, SADDLE_BATCH_ITEMS + 1, memory, 8, &op), "items");
    assert_refused(saddle_read_batch(channel, 1, 2, offsets, 8, memory, 0, &op), "bytes");
    assert_refused(saddle_read_batch(channel, 1, 2, offsets, 8, memory, SIZE_MAX / 8 + 1, &op),
                   "bytes");
    assert_refused(saddle_read_batch(channel, 1, 2, offsets, 8, memory, 1u << 20, &op),
                   "saddle_alloc");
    assert_refused(saddle_scan_read(channel, 1, 2, 0, 0, 1, memory, 8, &op), "entries");
    assert_refused(saddle_scan_read(channel, 1, 2, 0, 1025, 1, memory, 8, &op), "entries");
    assert_refused(saddle_scan_read(channel, 1, 2, 0, 1, 1, memory, 1ull << 32, &op), "bytes");
    assert_refused(saddle_expose(channel, memory, 64, 8, &op), "SADDLE_ATOMIC");
}
END_TEST

START_TEST(entries_of_tables)
{
    struct saddle_match entry;

    memset(&entry, 0xff, sizeof(entry));
    saddle_match_set(&entry, 1, 2, 3, 4);
    ck_assert_uint_eq(entry.match, 1);
    ck_assert_uint_eq(entry.pointer.key, 2);
    ck_assert_uint_eq(entry.pointer.offset, 3);
    ck_assert_uint_eq(entry.pointer.length, 4);
    ck_assert_uint_eq(entry.pointer.reserved, 0);
    saddle_pointer_set(&entry.pointer, 0, 0, 0);
    ck_assert_uint_eq(entry.match, 1);
    ck_assert_uint_eq(entry.pointer.key, 0);
}
END_TEST

START_TEST(what_a_batch_read)
{
    static const struct saddle_item said[] = {{0, 100}, {-EACCES, 0}, {-EMSGSIZE, 4000}};
    struct saddle_event done = {.type = SADDLE_EVT_DONE,
                                .flags = SADDLE_ENTRY_INLINE,
                                .op = SADDLE_CMD_READ_BATCH,
                                .len = sizeof(said)};
    struct saddle_read_item items[SADDLE_BATCH_ITEMS];
    struct saddle_completion event, copy;

    memcpy(done.payload, said, sizeof(said));
    fake_say(&engine, 0, &done);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    saddle_completion_copy(&copy, &event);
    memset(&event, 0, sizeof(event));
    ck_assert_int_eq(saddle_read_items(&copy, items, SADDLE_BATCH_ITEMS), 3);
    ck_assert_mem_eq(items, said, sizeof(said));
    assert_refused(saddle_read_items(&copy, items, 2), "3 items");
    copy.status = -ETIMEDOUT;
    assert_refused(saddle_read_items(&copy, items, 8), "end of a batch");
    copy.status = 0;
    copy.op = SADDLE_CMD_READ;
    assert_refused(saddle_read_items(&copy, items, 8), "end of a batch");
    done = (struct saddle_event){.type = SADDLE_EVT_DONE,
                                 .op = SADDLE_CMD_READ_BATCH,
                                 .status = -ETIMEDOUT};
    fake_say(&engine, 0, &done);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_int_eq(event.status, -ETIMEDOUT);
}
END_TEST

START_TEST(what_a_ping_found_out)
{
    struct saddle_completion event;
    struct saddle_completion copy;
    struct saddle_ping_info info = {.size = sizeof(info)};
    const struct saddle_ping_answer answer = {
        .round_trip_ns = 1,
        .smoothed_ns = 2,
        .sent = 3,
        .resent = 4,
        .address = {5},
        .mtu = 6,
        .payload_max = 7,
        .udp_port = 8,
        .wire_version = 9,
        .flags = SADDLE_PING_CALLED,
    };
    struct saddle_event done = {.type = SADDLE_EVT_DONE,
                                .flags = SADDLE_ENTRY_INLINE,
                                .op = SADDLE_CMD_PING,
                                .status = -ETIMEDOUT,
                                .len = sizeof(answer)};

    memcpy(done.payload, &answer, sizeof(answer));
    fake_say(&engine, 0, &done);
    ck_assert_int_eq(saddle_poll(channel, &event, 1), 1);
    ck_assert_int_eq(event.status, -ETIMEDOUT);
    saddle_completion_copy(&copy, &event);
    memset(&event, 0, sizeof(event));
    ck_assert_int_eq(saddle_pinged(&copy, &info), 0);
    ck_assert_uint_eq(info.round_trip_ns, 1);
    ck_assert_uint_eq(info.smoothed_ns, 2);
    ck_assert_uint_eq(info.packets_sent, 3);
    ck_assert_uint_eq(info.packets_resent, 4);
    ck_assert_mem_eq(info.address, answer.address, sizeof(info.address));
    ck_assert_uint_eq(info.mtu, 6);
    ck_assert_uint_eq(info.payload_max, 7);
    ck_assert_uint_eq(info.udp_port, 8);
    ck_assert_uint_eq(info.wire_version, 9);
    ck_assert_uint_eq(info.called, 1);
    info.size--;
    assert_refused(saddle_pinged(&copy, &info), "info->size");
    info.size++;
    copy.op = SADDLE_CMD_NOP;
    assert_refused(saddle_pinged(&copy, &info), "end of a ping");
    copy.op = SADDLE_CMD_PING;
    copy.kind = SADDLE_MESSAGE;
    assert_refused(saddle_pinged(&copy, &info), "end of a ping");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operation");
    TCase *tcase = tcase_create("operation");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, open_session, close_session);
    tcase_add_test(tcase, services_and_hosts);
    tcase_add_test(tcase, long_addresses_lie_in_the_arena_once);
    tcase_add_test(tcase, handles);
    tcase_add_test(tcase, sends_inline_up_to_64_bytes);
    tcase_add_test(tcase, memory_goes_by_offset);
    tcase_add_test(tcase, no_options_are_all_zeroes);
    tcase_add_test(tcase, names_are_checked);
    tcase_add_test(tcase, lengths_are_checked);
    tcase_add_test(tcase, memory_is_checked);
    tcase_add_test(tcase, options_are_checked);
    tcase_add_test(tcase, channels_are_apart);
    tcase_add_test(tcase, pings);
    tcase_add_test(tcase, a_daemon_without_tables);
    tcase_add_test(tcase, tables);
    tcase_add_test(tcase, atomic_operations);
    tcase_add_test(tcase, tables_are_checked);
    tcase_add_test(tcase, entries_of_tables);
    tcase_add_test(tcase, what_a_batch_read);
    tcase_add_test(tcase, an_older_daemon);
    tcase_add_test(tcase, pieces_are_gathered);
    tcase_add_test(tcase, arrays_are_used_in_turn);
    tcase_add_test(tcase, wrong_pieces_are_refused);
    tcase_add_test(tcase, unordered_messages);
    tcase_add_test(tcase, cancelling);
    tcase_add_test(tcase, what_a_ping_found_out);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
