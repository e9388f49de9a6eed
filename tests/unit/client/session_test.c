/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: layouts that are refused, memory, what a forked child gets, and error lines per thread.
 */
#include "client/channel.h"
#include "client/session.h"
#include "tests/unit/client/fake_engine.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fake_engine engine;
static struct saddle_session *session;

static void open_session(void)
{
    fake_engine_open(&engine);
    session = fake_session(&engine, true);
}

static void close_session(void)
{
    saddle_detach(session);
    fake_engine_close(&engine);
}

START_TEST(the_version_is_the_header_s)
{
    ck_assert_uint_eq(saddle_version(), SADDLE_VERSION_MAJOR << 16 | SADDLE_VERSION_MINOR << 8 |
                                            SADDLE_VERSION_PATCH);
}
END_TEST

/* Ways to bend a good layout; each has to be refused. */
static void bend(struct saddle_attach_reply *reply, int way)
{
    struct saddle_channel_layout *last = &reply->channel[FAKE_CHANNELS - 1];

    switch (way) {
    case 0:
        reply->channels = 0;
        break;
    case 1:
        reply->channels = SADDLE_CHANNELS_MAX + 1;
        break;
    case 2:
        reply->arena_bytes = 8;
        break;
    case 3:
        reply->heap_bytes = reply->arena_bytes + 1;
        break;
    case 4:
        reply->heap_offset = UINT64_MAX - 4095;
        break;
    case 5:
        reply->heap_offset += 8;
        reply->heap_bytes -= 4096;
        break;
    case 6:
        last->command_entries = 6;
        break;
    case 7:
        last->completion_entries = 0;
        break;
    case 8:
        last->completion_entries = SADDLE_QUEUE_MAX * 2;
        break;
    case 9:
        last->command_offset = reply->arena_bytes - SADDLE_ENTRY_BYTES;
        break;
    case 10:
        last->completion_offset = UINT64_MAX - SADDLE_ENTRY_BYTES + 1;
        break;
    default:
        last->command_offset += 64;
        break;
    }
}

START_TEST(bent_layouts_are_refused)
{
    struct saddle_attach_reply reply = engine.reply;
    struct saddle_session *other = session;

    bend(&reply, _i);
    ck_assert_int_eq(session_open(&other, &reply, engine.arena, NULL), -EINVAL);
    ck_assert_ptr_null(other);
    ck_assert_str_ne(saddle_strerror(NULL), "");
}
END_TEST

START_TEST(memory_lies_in_the_heap)
{
    uint8_t *heap = engine.arena + engine.reply.heap_offset;
    uint8_t *memory = (uint8_t *)saddle_alloc(session, FAKE_HEAP_BYTES);

    ck_assert_ptr_eq(memory, heap);
    ck_assert_ptr_null(saddle_alloc(session, 1));
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "1048576"));
    saddle_free(session, memory);
    saddle_free(session, NULL);
    memory = (uint8_t *)saddle_alloc(session, 100);
    ck_assert_uint_eq((uintptr_t)memory % 64, 0);
    saddle_free(session, memory);
}
END_TEST

START_TEST(freeing_twice_is_reported_and_harmless)
{
    uint8_t *memory = (uint8_t *)saddle_alloc(session, 100);

    saddle_free(session, memory);
    saddle_free(session, memory);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "freed before"));
    ck_assert_ptr_eq(saddle_alloc(session, FAKE_HEAP_BYTES), memory);
}
END_TEST

START_TEST(detaching_nothing_is_fine)
{
    saddle_detach(NULL);
}
END_TEST

static void *fail_elsewhere(void *argument)
{
    ck_assert_str_eq(saddle_strerror(session), "");
    ck_assert_int_eq(saddle_close(saddle_channel(session, 1), 0, NULL), -EINVAL);
    return argument;
}

START_TEST(error_lines_belong_to_threads)
{
    pthread_t thread;

    ck_assert_str_eq(saddle_strerror(NULL), "");
    ck_assert_int_eq(saddle_listen(saddle_channel(session, 0), "", NULL), -EINVAL);
    ck_assert_int_eq(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_ptr_nonnull(strstr(saddle_strerror(session), "service"));
}
END_TEST

START_TEST(the_reason_shows_without_a_failed_call)
{
    fake_end(&engine, -EPROTO, "handle 7 is stale");
    ck_assert_str_eq(saddle_strerror(session), "the daemon closed the session: handle 7 is stale");
}
END_TEST

START_TEST(only_the_first_fault_counts)
{
    ck_assert_int_eq(session_break(session, &session_fault_gone), -ECONNRESET);
    ck_assert_int_eq(session_break(session, &session_fault_protocol), -ECONNRESET);
    ck_assert_int_eq(saddle_status(session), -ECONNRESET);
    fake_end(&engine, -EDQUOT, "but the daemon knows better");
    ck_assert_int_eq(saddle_status(session), -EDQUOT);
}
END_TEST

/* Every call as a child makes it, in memory that it does not have: the number of those that do not
 * answer as they should. */
static int inherited_calls(struct saddle_channel *channel)
{
    struct saddle_completion event = {.kind = SADDLE_MESSAGE};
    struct saddle_op op = {.size = sizeof(op)};
    saddle_handle handle;
    uint8_t byte = 0;
    const int64_t results[] = {
        saddle_status(session),
        saddle_listen(channel, "s", &op),
        saddle_connect(channel, "h", "s", &op),
        saddle_accept(channel, 1, &op),
        saddle_reject(channel, 1, &op),
        saddle_close(channel, 1, &op),
        saddle_send(channel, 1, &byte, 1, &op),
        saddle_post_recv(channel, 1, engine.arena, 1, &op),
        saddle_expose(channel, engine.arena, 1, SADDLE_READABLE, &op),
        saddle_revoke(channel, 1, &op),
        saddle_read(channel, 1, 1, 0, engine.arena, 1, &op),
        saddle_write(channel, 1, 1, 0, &byte, 1, &op),
        saddle_flush(channel),
        saddle_poll(channel, &event, 1),
        saddle_wait(channel, 0),
        saddle_release(channel, &event),
        saddle_arm(channel),
        saddle_listen_wait(channel, "s", 0, &handle),
        saddle_accept_wait(channel, 1, 0, &handle),
        saddle_connect_wait(channel, "h", "s", 0, &handle),
        saddle_send_wait(channel, 1, &byte, 1, 0),
        saddle_recv_wait(channel, 1, &byte, 1, 0),
        saddle_close_wait(channel, 1, 0),
    };
    int wrong = 0;

    for (size_t at = 0; at < sizeof(results) / sizeof(results[0]); at++)
        wrong += results[at] != -ECHILD;
    wrong += saddle_alloc(session, 1) != NULL;
    wrong += strstr(saddle_strerror(session), "fork") == NULL;
    saddle_free(session, engine.arena + engine.reply.heap_offset);
    saddle_disarm(channel);
    saddle_detach(session);
    return wrong;
}

START_TEST(a_child_gets_echild)
{
    struct saddle_channel *channel = saddle_channel(session, 0);
    int status;
    pid_t child;

    ck_assert_int_eq(saddle_revoke(channel, 5, NULL), 0);
    fake_message(&engine, 0, 1, 1, 10);
    ck_assert_int_eq(madvise(engine.arena, engine.reply.arena_bytes, MADV_DONTFORK), 0);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(inherited_calls(channel));
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    /* And the parent's session never noticed. */
    ck_assert_uint_eq(fake_expect(&engine, 0, SADDLE_CMD_REVOKE).key, 5);
    ck_assert_int_eq(saddle_poll(channel, &(struct saddle_completion){0}, 1), 1);
    ck_assert_int_eq(saddle_status(session), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("session");
    TCase *tcase = tcase_create("session");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(tcase, open_session, close_session);
    tcase_add_test(tcase, the_version_is_the_header_s);
    tcase_add_loop_test(tcase, bent_layouts_are_refused, 0, 12);
    tcase_add_test(tcase, memory_lies_in_the_heap);
    tcase_add_test(tcase, freeing_twice_is_reported_and_harmless);
    tcase_add_test(tcase, detaching_nothing_is_fine);
    tcase_add_test(tcase, error_lines_belong_to_threads);
    tcase_add_test(tcase, the_reason_shows_without_a_failed_call);
    tcase_add_test(tcase, only_the_first_fault_counts);
    tcase_add_test(tcase, a_child_gets_echild);
    suite_add_tcase(suite, tcase);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
