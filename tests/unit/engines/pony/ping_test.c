/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Pings between two operation layers; see rig.h. */
#include "engines/pony/payload.h"
#include "engines/pony/ping.h"
#include "engines/pony/upper_state.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_MAX (RIG_ROOM - WIRE_OP_BYTES)
#define TIMEOUT_NS  1000000u
#define FLOW_NUMBER 7u /* of the rig's one flow */

static struct rig *rig;
static struct app *server, *client;

static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
}

static void teardown(void)
{
    rig_check(rig);
    rig_destroy(rig);
}

static struct saddle_command command_of(uint64_t payload, uint64_t tag)
{
    struct saddle_command command = {
        .op = SADDLE_CMD_PING,
        .flags = SADDLE_ENTRY_INLINE,
        .len = sizeof("peer"),
        .key = payload,
        .tag = tag,
        .payload = "peer",
    };

    return command;
}

static void ping(struct app *app, uint64_t payload, uint64_t timeout_ns, uint64_t tag)
{
    struct saddle_command command = command_of(payload, tag);

    command.timeout_ns = timeout_ns;
    ck_assert(app_submit(app, &command));
}

/* The outcome, and what came with it. */
static int outcome(struct app *app, uint64_t tag, struct saddle_ping_answer *answer)
{
    const struct saddle_event *event = app_done(app, tag);

    ck_assert_uint_eq(event->op, SADDLE_CMD_PING);
    ck_assert_uint_eq(event->flags, SADDLE_ENTRY_INLINE);
    ck_assert_uint_eq(event->len, sizeof(*answer));
    memcpy(answer, event->payload, sizeof(*answer));
    return event->status;
}

static struct path *path_at(uint32_t host)
{
    return rig->hosts[host].flow.context;
}

/* Nobody holds the flow any more. */
static void check_released(void)
{
    for (uint32_t i = 0; i < RIG_HOSTS; i++) {
        ck_assert_ptr_null(path_at(i));
        ck_assert_uint_eq(rig->hosts[i].flow.references, 0);
    }
    ck_assert_uint_eq(client->session->ping_count, 0);
}

START_TEST(answered)
{
    static const uint32_t sizes[] = {0, 1, 64, 1000, PAYLOAD_MAX};
    struct saddle_ping_answer answer;

    rig->hosts[1].flow.says.smoothed_ns = 1234;
    rig->hosts[1].flow.says.sent = 10;
    rig->hosts[1].flow.says.resent = 2;
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        ping(client, sizes[i], 0, 10 + i);
    rig_settle(rig);
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        ck_assert_int_eq(outcome(client, 10 + i, &answer), 0);
        ck_assert_uint_gt(answer.round_trip_ns, 0);
        ck_assert_uint_eq(answer.smoothed_ns, 1234);
        ck_assert_uint_eq(answer.sent, 10);
        ck_assert_uint_eq(answer.resent, 2);
        ck_assert_uint_eq(answer.mtu, RIG_MTU);
        ck_assert_uint_eq(answer.payload_max, PAYLOAD_MAX);
        ck_assert_uint_eq(answer.udp_port, WIRE_UDP_PORT);
        ck_assert_uint_eq(answer.wire_version, WIRE_VERSION_MAX);
        ck_assert_uint_eq(answer.flags, 0);
    }
    ck_assert_uint_eq(rig->hosts[1].upper.counters.pings, 5);
    ck_assert_uint_eq(rig->hosts[0].upper.counters.pings_answered, 5);
    check_released();
}
END_TEST

START_TEST(the_flow_had_to_be_opened)
{
    struct saddle_ping_answer answer;

    rig->hosts[1].flow.open = false;
    ping(client, 8, 0, 1);
    upper_commands(&rig->hosts[1].upper, rig->now);
    rig->hosts[1].flow.open = true;
    upper_flow_ops.opened(&rig->hosts[1].upper, &rig->hosts[1].flow, rig->now);
    rig_settle(rig);
    ck_assert_int_eq(outcome(client, 1, &answer), 0);
    ck_assert_uint_eq(answer.flags, SADDLE_PING_CALLED);
}
END_TEST

START_TEST(too_large)
{
    struct saddle_ping_answer answer;

    ping(client, PAYLOAD_MAX + 1, 0, 1);
    ping(client, UINT64_MAX, 0, 2);
    rig_settle(rig);
    ck_assert_int_eq(outcome(client, 1, &answer), -EMSGSIZE);
    ck_assert_uint_eq(answer.payload_max, PAYLOAD_MAX);
    ck_assert_uint_eq(answer.round_trip_ns, 0);
    ck_assert_int_eq(outcome(client, 2, &answer), -EMSGSIZE);
    check_released();
}
END_TEST

START_TEST(a_peer_that_knows_no_echo)
{
    struct saddle_ping_answer answer;

    rig->hosts[1].flow.says.features = 0;
    ping(client, 8, 0, 1);
    rig_settle(rig);
    ck_assert_int_eq(outcome(client, 1, &answer), -EOPNOTSUPP);
    ck_assert_uint_eq(answer.wire_version, WIRE_VERSION_MAX);
    ck_assert_uint_eq(rig->delivered, 0);
    check_released();
}
END_TEST

static void check_refused(struct saddle_command command, int status)
{
    ck_assert(app_submit(client, &command));
    rig_settle(rig);
    ck_assert_int_eq(app_done(client, command.tag)->status, status);
    ck_assert_int_eq(pony_session_error(client->session), 0);
}

START_TEST(mistakes)
{
    struct saddle_command command = command_of(8, 1);

    memcpy(command.payload, "null", sizeof("null"));
    check_refused(command, -EHOSTUNREACH);
    command = command_of(8, 2);
    command.len = 0;
    check_refused(command, -EINVAL);
    command = command_of(8, 3);
    command.len++;
    check_refused(command, -EINVAL);
    command = command_of(8, 4);
    command.payload[command.len - 1] = 'x';
    check_refused(command, -EINVAL);
    command = command_of(8, 5);
    command.flags = 0;
    check_refused(command, -EINVAL);
    check_released();
}
END_TEST

START_TEST(more_than_a_session_may_have)
{
    struct saddle_ping_answer answer;

    rig->hosts[1].flow.open = false;
    for (uint32_t i = 0; i <= SADDLE_PINGS_MAX; i++) {
        ping(client, 8, 0, i);
        upper_commands(&rig->hosts[1].upper, rig->now);
    }
    upper_flow_ops.opened(&rig->hosts[1].upper, &rig->hosts[1].flow, rig->now);
    rig_settle(rig);
    ck_assert_int_eq(outcome(client, SADDLE_PINGS_MAX, &answer), -EBUSY);
    for (uint32_t i = 0; i < SADDLE_PINGS_MAX; i++)
        ck_assert_int_eq(outcome(client, i, &answer), 0);
    check_released();
}
END_TEST

/* Sends `count` pings that time out once they were asked, and keeps what was written for them. */
static void ask_and_give_up(uint32_t count, uint64_t tag)
{
    struct saddle_ping_answer answer;

    for (uint32_t i = 0; i < count; i++)
        ping(client, 8, TIMEOUT_NS, tag + i);
    rig->decline_per_million = 1000000;
    for (uint32_t i = 0; i < 16; i++)
        rig_step(rig);
    rig_advance(rig, 2 * TIMEOUT_NS);
    rig_step(rig);
    for (uint32_t i = 0; i < count; i++)
        ck_assert_int_eq(outcome(client, tag + i, &answer), -ETIMEDOUT);
    rig->decline_per_million = 0;
}

START_TEST(a_late_answer_is_counted)
{
    struct saddle_ping_answer answer;
    uint32_t at = 0;

    ask_and_give_up(WIRE_ECHOES_MAX, 100);
    ck_assert_uint_eq(path_at(1)->echoes, WIRE_ECHOES_MAX);
    ck_assert_uint_eq(client->session->ping_count, 0);
    /* Another one waits until the peer has answered the first. */
    ping(client, 8, 0, 1);
    rig->decline_per_million = 1000000;
    rig_step(rig);
    rig_step(rig);
    ck_assert(!list_empty(&path_at(1)->asking));
    ck_assert_ptr_null(app_event(client, &at, SADDLE_EVT_DONE, 1));
    rig->decline_per_million = 0;
    rig_settle(rig);
    ck_assert_int_eq(outcome(client, 1, &answer), 0);
    check_released();
}
END_TEST

START_TEST(the_flow_ends)
{
    struct saddle_ping_answer answer;

    rig->decline_per_million = 1000000;
    ping(client, 8, 0, 1);
    for (uint32_t i = 0; i < 4; i++)
        rig_step(rig);
    rig->hosts[1].flow.open = false;
    ping(client, 8, 0, 2);
    upper_commands(&rig->hosts[1].upper, rig->now);
    rig_break(rig, -EHOSTDOWN);
    rig->decline_per_million = 0;
    rig_step(rig);
    ck_assert_int_eq(outcome(client, 1, &answer), -EHOSTDOWN);
    ck_assert_int_eq(outcome(client, 2, &answer), -EHOSTDOWN);
    check_released();
}
END_TEST

/* Asked already or not, it is asked once more. */
START_TEST(a_question_survives_one_reset)
{
    struct saddle_ping_answer answer;

    for (uint64_t tag = 1; tag <= 2; tag++) {
        rig->decline_per_million = 1000000;
        ping(client, 8, 0, tag);
        for (uint32_t i = 0; i < (uint32_t)_i; i++)
            rig_step(rig);
        upper_commands(&rig->hosts[1].upper, rig->now);
        for (uint64_t resets = 0; resets < tag; resets++)
            rig_reset(rig);
        rig->decline_per_million = 0;
        rig_settle(rig);
        ck_assert_int_eq(outcome(client, tag, &answer), tag == 1 ? 0 : -ECONNRESET);
    }
    check_released();
}
END_TEST

START_TEST(the_session_is_gone)
{
    ask_and_give_up(1, 1);
    ping(client, 8, 0, 2);
    ping(client, 8, TIMEOUT_NS, 3);
    upper_commands(&rig->hosts[1].upper, rig->now);
    rig_detach(rig, client);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.operations, 0);
    rig_settle(rig);
    for (uint32_t i = 0; i < RIG_HOSTS; i++)
        ck_assert_ptr_null(path_at(i));
}
END_TEST

/* Hands the client's engine an operation as if from the peer. */
static void inject(uint32_t host, struct wire_op op, uint32_t bytes)
{
    struct rig_host *to = &rig->hosts[host];
    struct packet packet = {.room = RIG_ROOM};
    uint8_t ops[RIG_ROOM];

    packet.bytes = ops;
    op.length = (uint16_t)bytes;
    ck_assert(ping_put(&packet, &op));
    ck_assert(upper_flow_ops.admit(&to->upper, &to->flow, ops, packet.used));
    upper_flow_ops.deliver(&to->upper, &to->flow, ops, packet.used, rig->now);
}

START_TEST(answers_that_lie)
{
    struct saddle_ping_answer answer;
    uint64_t strays = rig->hosts[1].upper.counters.strays;

    inject(1, (struct wire_op){.type = WIRE_OP_ECHOED, .id = 1}, 8);
    ck_assert_uint_eq(rig->hosts[1].upper.counters.strays, strays + 1);
    rig->decline_per_million = 1000000;
    ping(client, 8, 0, 1);
    for (uint32_t i = 0; i < 4; i++)
        rig_step(rig);
    const struct list *node = list_first(&path_at(1)->asked);
    ck_assert_ptr_nonnull(node);
    uint32_t id = LIST_OF(node, struct operation, node)->id;
    inject(1, (struct wire_op){.type = WIRE_OP_ECHOED, .id = id}, 9);
    rig_step(rig);
    ck_assert_int_eq(outcome(client, 1, &answer), -EPROTO);
    inject(1, (struct wire_op){.type = WIRE_OP_ECHOED, .id = id}, 8);
    rig->decline_per_million = 0;
    rig_settle(rig);
    check_released();
}
END_TEST

START_TEST(questions_without_the_feature_or_too_large)
{
    rig->hosts[0].flow.says.features = 0;
    inject(0, (struct wire_op){.type = WIRE_OP_ECHO, .id = 1}, 8);
    ck_assert_ptr_null(path_at(0));
    ck_assert_uint_eq(rig->hosts[0].upper.counters.pings_answered, 0);
}
END_TEST

START_TEST(too_many_questions_are_not_taken)
{
    struct rig_host *host = &rig->hosts[0];
    struct packet packet = {.room = RIG_ROOM};
    uint8_t ops[RIG_ROOM];

    packet.bytes = ops;
    for (uint32_t i = 0; i < PATH_REPLIES; i++)
        inject(0, (struct wire_op){.type = WIRE_OP_ECHO, .id = i}, 0);
    struct wire_op op = {.type = WIRE_OP_ECHO, .id = PATH_REPLIES};
    ck_assert(ping_put(&packet, &op));
    ck_assert(!upper_flow_ops.admit(&host->upper, &host->flow, ops, packet.used));
    rig_settle(rig);
    ck_assert(upper_flow_ops.admit(&host->upper, &host->flow, ops, packet.used));
    check_released();
}
END_TEST

/* Packets that have become smaller have no room for an answer that was promised. */
START_TEST(an_answer_that_fits_no_more)
{
    struct rig_host *host = &rig->hosts[0];
    uint8_t ops[RIG_ROOM];

    inject(0, (struct wire_op){.type = WIRE_OP_ECHO, .id = 1}, PAYLOAD_MAX);
    inject(0, (struct wire_op){.type = WIRE_OP_ECHO, .id = 2}, 8);
    uint32_t used = upper_flow_ops.fill(&host->upper, &host->flow, ops, RIG_ROOM / 2, rig->now);
    ck_assert_uint_eq(used, WIRE_OP_BYTES + 8);
    ck_assert_ptr_null(path_at(0));
}
END_TEST

/* While it is being found out what size of packet passes: a question waits, since that is part of
 * the answer, ... */
START_TEST(a_question_waits_for_the_size)
{
    struct rig_host *host = &rig->hosts[1];
    struct saddle_ping_answer answer;

    host->flow.room = RIG_ROOM / 2;
    host->flow.hoped = RIG_ROOM;
    ping(client, PAYLOAD_MAX, 0, 1);
    ping(client, 8, 0, 2);
    rig_settle(rig);
    ck_assert_uint_eq(rig->delivered, 0);
    host->flow.room = _i == 0 ? RIG_ROOM : RIG_ROOM / 2;
    host->flow.hoped = host->flow.room;
    flow_kick(&host->flow);
    rig_settle(rig);
    ck_assert_int_eq(outcome(client, 1, &answer), _i == 0 ? 0 : -EMSGSIZE);
    ck_assert_uint_eq(answer.payload_max, host->flow.room - WIRE_OP_BYTES);
    ck_assert_int_eq(outcome(client, 2, &answer), 0);
    ck_assert_uint_eq(answer.payload_max, host->flow.room - WIRE_OP_BYTES);
    check_released();
}
END_TEST

/* ... and so does an answer that may fit yet, but no other. */
START_TEST(an_answer_waits_for_the_size)
{
    struct rig_host *host = &rig->hosts[0];
    uint8_t ops[RIG_ROOM];
    uint32_t used;

    host->flow.room = RIG_ROOM / 2;
    host->flow.hoped = RIG_ROOM;
    inject(0, (struct wire_op){.type = WIRE_OP_ECHO, .id = 1}, PAYLOAD_MAX);
    inject(0, (struct wire_op){.type = WIRE_OP_ECHO, .id = 2}, 8);
    used = upper_flow_ops.fill(&host->upper, &host->flow, ops, RIG_ROOM / 2, rig->now);
    ck_assert_uint_eq(used, WIRE_OP_BYTES + 8);
    used = upper_flow_ops.fill(&host->upper, &host->flow, ops, RIG_ROOM / 2, rig->now);
    ck_assert_uint_eq(used, 0);
    ck_assert_uint_eq(path_at(0)->reply_count, 1);
    host->flow.room = 0;
    host->flow.hoped = 0;
    used = upper_flow_ops.fill(&host->upper, &host->flow, ops, RIG_ROOM, rig->now);
    ck_assert_uint_eq(used, RIG_ROOM);
    ck_assert_ptr_null(path_at(0));
}
END_TEST

START_TEST(saved_and_loaded)
{
    struct saddle_ping_answer answer;
    uint64_t asked;

    /* One given up, some asked, some not yet, and questions of the peer to be answered. */
    ask_and_give_up(1, 1);
    for (uint32_t i = 0; i < 4; i++)
        ping(client, 100, i == 2 ? TIMEOUT_NS : 0, 10 + i);
    rig->decline_per_million = 1000000;
    for (uint32_t i = 0; i < 4; i++)
        rig_step(rig);
    rig->hosts[1].flow.open = false;
    ping(client, 100, 0, 20);
    ping(client, 100, TIMEOUT_NS, 21);
    upper_commands(&rig->hosts[1].upper, rig->now);
    inject(1, (struct wire_op){.type = WIRE_OP_ECHO, .id = 9}, 50);
    ck_assert_uint_eq(path_at(1)->echoes, 5);
    asked = LIST_OF(list_first(&path_at(1)->asked), struct operation, node)->asked_ns;
    rig_reload(rig, 1);
    ck_assert_uint_eq(path_at(1)->echoes, 5);
    ck_assert_uint_eq(LIST_OF(list_first(&path_at(1)->asked), struct operation, node)->asked_ns,
                      asked);
    ck_assert_uint_eq(path_at(1)->reply_count, 1);
    ck_assert_uint_eq(client->session->ping_count, 6);
    rig_advance(rig, 2 * TIMEOUT_NS);
    rig_step(rig);
    ck_assert_int_eq(outcome(client, 12, &answer), -ETIMEDOUT);
    ck_assert_int_eq(outcome(client, 21, &answer), -ETIMEDOUT);
    rig->decline_per_million = 0;
    flow_kick(&rig->hosts[1].flow);
    rig_settle(rig);
    ck_assert_int_eq(outcome(client, 10, &answer), 0);
    ck_assert_int_eq(outcome(client, 11, &answer), 0);
    ck_assert_int_eq(outcome(client, 13, &answer), 0);
    ck_assert_int_eq(outcome(client, 20, &answer), 0);
    check_released();
}
END_TEST

#define SAVED_OPERATIONS 4u /* entries of the table that were taken at some time */

/* One field of a saved ping, or of the count before it, is wrong. */
enum lie {
    LIE_NONE,
    LIE_NO_ECHOES,
    LIE_MANY_ECHOES,
    LIE_INDEX,
    LIE_NEVER_TAKEN,
    LIE_STATE,
    LIE_FLOW,
    LIE_SESSION,
    LIE_CHANNEL,
    LIE_LENGTH,
    LIE_ID,
    LIE_COUNT
};

static void put_ping(struct state_writer *writer, enum lie lie)
{
    const uint32_t index = lie == LIE_NEVER_TAKEN ? SAVED_OPERATIONS : SAVED_OPERATIONS - 1;

    state_record_begin(writer, UPPER_RECORD_PING, 1);
    state_put_u32(writer, lie == LIE_INDEX ? 100000 : index);
    state_put_u8(writer, lie == LIE_STATE ? OPERATION_ISSUED : OPERATION_ASKED);
    state_put_u32(writer, lie == LIE_FLOW ? FLOW_NUMBER + 1 : FLOW_NUMBER);
    state_put_u32(writer, lie == LIE_SESSION ? 3 : 0);
    state_put_u8(writer, lie == LIE_CHANNEL ? APP_CHANNELS : 0);
    state_put_u16(writer, 0);
    state_put_u64(writer, 0);
    state_put_u64(writer, 77);
    state_put_u32(writer, 0);
    state_put_u32(writer, lie == LIE_LENGTH ? WIRE_PACKET_MAX + 1 : 8);
    state_put_u32(writer, lie == LIE_ID ? index + 1 : index);
    state_put_u64(writer, 5);
    state_put_u8(writer, 0);
    state_record_end(writer);
}

START_TEST(saved_state_that_lies)
{
    struct upper *upper = &rig->hosts[1].upper;
    struct state_writer writer;
    struct state_reader reader;
    uint16_t type, version;

    pool_reset(&upper->operation_pool, SAVED_OPERATIONS);
    state_writer_init(&writer);
    upper_save(upper, &writer);
    if (_i != LIE_NO_ECHOES) {
        state_record_begin(&writer, UPPER_RECORD_ECHOES, 1);
        state_put_u32(&writer, FLOW_NUMBER);
        state_put_u32(&writer, _i == LIE_MANY_ECHOES ? WIRE_ECHOES_MAX + 1 : 1);
        state_record_end(&writer);
    }
    put_ping(&writer, (enum lie)_i);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    rig_blank(rig, 1);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    while (state_record_next(&reader, &type, &version))
        upper_load_record(upper, &reader, type, rig->now);
    ck_assert_int_eq(reader.error, _i == LIE_NONE ? 0 : -EPROTO);
    state_writer_destroy(&writer);
    if (_i == LIE_NONE) {
        ck_assert_int_eq(upper_load_finish(upper), 0);
        rig_break(rig, -ECONNRESET);
    } else {
        rig_blank(rig, 1);
        ck_assert_int_eq(upper_load_finish(upper), 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ping");
    TCase *tests = tcase_create("ping");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, answered);
    tcase_add_test(tests, the_flow_had_to_be_opened);
    tcase_add_test(tests, too_large);
    tcase_add_test(tests, a_peer_that_knows_no_echo);
    tcase_add_test(tests, mistakes);
    tcase_add_test(tests, more_than_a_session_may_have);
    tcase_add_test(tests, a_late_answer_is_counted);
    tcase_add_test(tests, the_flow_ends);
    tcase_add_loop_test(tests, a_question_survives_one_reset, 0, 4);
    tcase_add_test(tests, the_session_is_gone);
    tcase_add_test(tests, answers_that_lie);
    tcase_add_test(tests, questions_without_the_feature_or_too_large);
    tcase_add_test(tests, too_many_questions_are_not_taken);
    tcase_add_test(tests, an_answer_that_fits_no_more);
    tcase_add_loop_test(tests, a_question_waits_for_the_size, 0, 2);
    tcase_add_test(tests, an_answer_waits_for_the_size);
    tcase_add_test(tests, saved_and_loaded);
    tcase_add_loop_test(tests, saved_state_that_lies, 0, LIE_COUNT);
    suite_add_tcase(suite, tests);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
