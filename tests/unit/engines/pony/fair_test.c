/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What sessions of one engine get beside each other, counted in bytes and commands.
 *
 *     many  --64 connections--.                 .-- many's server
 *                              host 0 === host 1
 *     single --1 connection---'                 '-- single's server
 *
 * All want to say more than there is room for; then packets are filled without being delivered.
 */
#include "engines/pony/connection.h"
#include "engines/pony/operation.h"
#include "engines/pony/path.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>

#define SLOTS       256u
#define CONNECTIONS 64u
#define PACKETS     20u /* filled: less than what anybody has to say */
#define MESSAGE     16000u
#define ACCESS      30000u
#define TINY        300u
#define REGION      (64u << 10)
#define TAG_REGION  900u

struct party {
    struct app *client, *server;
    uint32_t connections;
    uint32_t outgoing[CONNECTIONS];
    uint64_t key; /* of a region of the server's */
};

static struct rig *rig;
static struct party many, single;

static void join(struct party *party, const char *service, uint32_t connections)
{
    uint32_t at = 0;

    party->client = rig_attach(rig, 0, SLOTS);
    party->server = rig_attach(rig, 1, SLOTS);
    party->connections = connections;
    app_listen(party->server, service, 1);
    rig_settle(rig);
    for (uint32_t i = 0; i < connections; i++) {
        app_connect(party->client, service, 100 + i);
        rig_settle(rig);
        const struct saddle_event *event = app_event(party->server, &at, SADDLE_EVT_INCOMING, 1);
        ck_assert_ptr_nonnull(event);
        const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT, .handle = event->handle};
        ck_assert(app_submit(party->server, &accept));
        rig_settle(rig);
        party->outgoing[i] = app_done(party->client, 100 + i)->handle;
    }
    const struct saddle_command expose = {.op = SADDLE_CMD_EXPOSE,
                                          .tag = TAG_REGION,
                                          .buf = party->server->config.heap_offset,
                                          .len = REGION,
                                          .key = SADDLE_RIGHT_READ | SADDLE_RIGHT_WRITE};
    ck_assert(app_submit(party->server, &expose));
    rig_settle(rig);
    party->key = app_done(party->server, TAG_REGION)->value;
}

static void setup(void)
{
    rig = rig_create_wide(1, 0, 3 * CONNECTIONS);
    join(&many, "many", CONNECTIONS);
    join(&single, "single", 1);
}

static void teardown(void)
{
    rig_check(rig);
    rig_destroy(rig);
}

/* Each connection of a party is given `each` operations of `len` bytes. */
static void ask(const struct party *party, uint8_t op, uint32_t each, uint32_t len)
{
    struct saddle_command command = {.op = op,
                                     .buf = party->client->config.heap_offset,
                                     .len = len};

    if (op != SADDLE_CMD_SEND)
        command.key = party->key;
    for (uint32_t i = 0; i < each; i++) {
        for (uint32_t j = 0; j < party->connections; j++) {
            command.handle = party->outgoing[j];
            while (!app_submit(party->client, &command))
                ck_assert_uint_gt(upper_commands(&rig->hosts[0].upper, rig->now), 0);
        }
    }
    while (upper_commands(&rig->hosts[0].upper, rig->now) > 0)
        continue;
}

/* Bytes of operations that a host writes into its next packets, of the single one, in percent. */
static uint32_t share_of_single(uint32_t host, uint32_t packets)
{
    struct upper *upper = &rig->hosts[host].upper;
    const struct pony_session *mine = host ? single.server->session : single.client->session;
    uint64_t all = 0, of_single = 0;

    for (uint32_t i = 0; i < packets; i++) {
        struct rig_packet *packet = &rig->packets[rig->packet_count++];
        const uint8_t *payload;
        struct wire_op op;
        uint32_t at = 0;
        packet->to = 1 - host;
        packet->bytes =
            upper_flow_ops.fill(upper, &rig->hosts[host].flow, packet->ops, RIG_ROOM, rig->now);
        ck_assert_uint_gt(packet->bytes, RIG_ROOM / 2);
        all += packet->bytes;
        while (wire_op_next(packet->ops, packet->bytes, &at, &op, &payload)) {
            /* What it is called by the other side says whose it is. */
            const struct connection *theirs =
                connection_find(&rig->hosts[1 - host].upper, op.connection);
            ck_assert_ptr_nonnull(theirs);
            const struct connection *ours = connection_find(upper, theirs->peer);
            if (rig->hosts[host].flow.tagged)
                ck_assert_uint_eq(ours->session->config.id, rig->hosts[host].flow.claimed);
            if (ours->session == mine)
                of_single += WIRE_OP_BYTES + op.length;
        }
    }
    return (uint32_t)(of_single * 100 / all);
}

static void check_share(uint32_t host, uint32_t packets)
{
    uint32_t percent = share_of_single(host, packets);

    ck_assert_msg(percent >= 45 && percent <= 55, "one of two sessions got %u %%", percent);
    rig_settle(rig);
}

START_TEST(messages_beside_messages)
{
    ask(&many, SADDLE_CMD_SEND, 1, MESSAGE);
    ask(&single, SADDLE_CMD_SEND, 8, MESSAGE);
    check_share(0, PACKETS);
}
END_TEST

START_TEST(writes_beside_writes)
{
    ask(&many, SADDLE_CMD_WRITE, 1, ACCESS);
    ask(&single, SADDLE_CMD_WRITE, 8, ACCESS);
    check_share(0, PACKETS);
}
END_TEST

START_TEST(writes_beside_messages)
{
    ask(&many, SADDLE_CMD_WRITE, 1, ACCESS);
    ask(&single, SADDLE_CMD_SEND, 8, MESSAGE);
    check_share(0, PACKETS);
}
END_TEST

/* Small operations get as many bytes as large ones. */
START_TEST(tiny_writes_beside_messages)
{
    ask(&many, SADDLE_CMD_SEND, 1, MESSAGE);
    ask(&single, SADDLE_CMD_WRITE, 60, TINY);
    check_share(0, PACKETS);
}
END_TEST

/* The sessions that are read from take turns in answering. */
START_TEST(served_reads_beside_served_reads)
{
    ask(&many, SADDLE_CMD_READ, 1, ACCESS);
    ask(&single, SADDLE_CMD_READ, 8, ACCESS);
    while (rig->hosts[0].flow.kicked) {
        struct rig_packet packet;
        rig->hosts[0].flow.kicked = false;
        packet.bytes = upper_flow_ops.fill(&rig->hosts[0].upper, &rig->hosts[0].flow, packet.ops,
                                           RIG_ROOM, rig->now);
        ck_assert(upper_flow_ops.admit(&rig->hosts[1].upper, &rig->hosts[1].flow, packet.ops,
                                       packet.bytes));
        if (packet.bytes == 0)
            break;
        upper_flow_ops.deliver(&rig->hosts[1].upper, &rig->hosts[1].flow, packet.ops, packet.bytes,
                               rig->now);
        rig->hosts[0].flow.kicked = true;
    }
    check_share(1, PACKETS);
}
END_TEST

/* Over a port that looks at whose packets are, each is of one session; one that there is no room
 * for holds up no other. */
START_TEST(a_packet_is_one_sessions)
{
    struct flow *flow = &rig->hosts[0].flow;
    uint8_t ops[RIG_ROOM];

    flow->tagged = true;
    ask(&many, SADDLE_CMD_SEND, 1, MESSAGE);
    ask(&single, SADDLE_CMD_SEND, 8, MESSAGE);
    check_share(0, PACKETS);
    ask(&many, SADDLE_CMD_SEND, 1, MESSAGE);
    ask(&single, SADDLE_CMD_SEND, 1, MESSAGE);
    flow->shut = (uint32_t)single.client->session->config.id;
    ck_assert_uint_eq(share_of_single(0, PACKETS), 0);
    flow->shut = (uint32_t)many.client->session->config.id;
    ck_assert_uint_eq(share_of_single(0, 8), 100);
    /* Nobody is left that may say anything: it waits, and asks for no turn. */
    for (uint32_t i = 0; i < PACKETS && flow->kicked; i++) {
        struct rig_packet *packet = &rig->packets[rig->packet_count];

        flow->kicked = false;
        packet->to = 1;
        packet->bytes =
            upper_flow_ops.fill(&rig->hosts[0].upper, flow, packet->ops, RIG_ROOM, rig->now);
        rig->packet_count += packet->bytes > 0;
    }
    ck_assert(!flow->kicked);
    ck_assert_uint_eq(upper_flow_ops.fill(&rig->hosts[0].upper, flow, ops, sizeof(ops), rig->now),
                      0);
    flow->shut = 0;
    flow->kicked = true;
    rig_settle(rig);
}
END_TEST

/* Fills a packet, perhaps beyond the window; how many bytes are in it. */
static uint32_t fill_packet(bool past)
{
    struct flow *flow = &rig->hosts[0].flow;
    struct rig_packet *packet = &rig->packets[rig->packet_count];

    flow->light = false;
    flow->past = past;
    packet->to = 1;
    packet->bytes =
        upper_flow_ops.fill(&rig->hosts[0].upper, flow, packet->ops, RIG_ROOM, rig->now);
    flow->past = false;
    rig->packet_count += packet->bytes > 0;
    flow->number += packet->bytes > 0;
    return packet->bytes;
}

/* When the window is used up it is those who have nothing in flight that may say something, a
 * packet each, and again once that has arrived. */
START_TEST(beyond_the_window)
{
    struct flow *flow = &rig->hosts[0].flow;

    flow->tagged = _i;
    flow->number = flow->arrived = 1;
    ask(&many, SADDLE_CMD_SEND, 1, MESSAGE);
    ck_assert_uint_eq(share_of_single(0, 1), 0);
    flow->number++;
    ck_assert_uint_eq(fill_packet(true), 0);
    ask(&single, SADDLE_CMD_SEND, 1, TINY);
    ck_assert(flow->light);
    ck_assert_uint_eq(fill_packet(true), WIRE_OP_BYTES + TINY);
    ck_assert(!flow->light);
    ask(&single, SADDLE_CMD_SEND, 1, TINY);
    ck_assert(!flow->light);
    ck_assert_uint_eq(fill_packet(true), 0);
    /* It is said with all else. */
    for (uint32_t i = 0; i < 2; i++)
        ck_assert_uint_gt(fill_packet(false), 0);
    flow->arrived = flow->number;
    ask(&single, SADDLE_CMD_SEND, 1, TINY);
    ck_assert(flow->light);
    ck_assert_uint_eq(fill_packet(true), WIRE_OP_BYTES + TINY);
    flow->tagged = false;
    rig_settle(rig);
}
END_TEST

/* Half of a host's places are the most that wait for a session with a quota, and others go on; who
 * has none does not wait. */
START_TEST(places_of_one_that_may_be_throttled)
{
    const uint32_t half = UPPER_SERVED / PATH_SERVED_SHARE / PATH_WAITING_SHARE;
    struct saddle_command read = {.op = SADDLE_CMD_READ,
                                  .handle = single.outgoing[0],
                                  .buf = single.client->config.heap_offset,
                                  .len = TINY,
                                  .key = single.key,
                                  .tag = 700};
    struct list *node = list_first(&single.server->session->connections);
    uint32_t *held = path_served(LIST_OF(node, struct connection, session_node)), at = 0;

    single.server->session->fair.limited = _i < 2;
    *held += half - (_i == 0);
    *flow_host_load(&rig->hosts[1].flow) += half - (_i == 0);
    ck_assert(app_submit(single.client, &read));
    for (uint32_t i = 0; i < PACKETS; i++)
        rig_step(rig);
    ck_assert_int_eq(app_event(single.client, &at, SADDLE_EVT_DONE, read.tag) != NULL, _i != 1);
    read.handle = many.outgoing[0];
    read.key = many.key;
    ck_assert(app_submit(many.client, &read));
    for (uint32_t i = 0; i < PACKETS; i++)
        rig_step(rig);
    at = 0;
    ck_assert_ptr_nonnull(app_event(many.client, &at, SADDLE_EVT_DONE, read.tag));
    *held -= half - (_i == 0);
    *flow_host_load(&rig->hosts[1].flow) -= half - (_i == 0);
    rig_settle(rig);
    ck_assert_int_eq(app_done(single.client, read.tag)->status, 0);
}
END_TEST

/* What other engines of the asking host have in progress counts for it too. */
START_TEST(a_host_has_one_share)
{
    uint32_t *load = flow_host_load(&rig->hosts[1].flow);
    uint32_t others = UPPER_SERVED / PATH_SERVED_SHARE - 1;
    const struct saddle_command read = {.op = SADDLE_CMD_READ,
                                        .handle = single.outgoing[0],
                                        .buf = single.client->config.heap_offset,
                                        .len = TINY,
                                        .key = single.key,
                                        .tag = 700 + (uint64_t)_i};
    uint32_t at = 0;

    *load += others + (uint32_t)_i;
    ck_assert(app_submit(single.client, &read));
    for (uint32_t i = 0; i < PACKETS; i++)
        rig_step(rig);
    ck_assert_int_eq(app_event(single.client, &at, SADDLE_EVT_DONE, read.tag) != NULL, _i == 0);
    *load -= others + (uint32_t)_i;
    rig_settle(rig);
    ck_assert_int_eq(app_done(single.client, read.tag)->status, 0);
}
END_TEST

/* What is said for a session that is gone takes one turn, not its former one. */
START_TEST(those_that_are_left_share)
{
    ask(&many, SADDLE_CMD_SEND, 1, MESSAGE);
    ask(&single, SADDLE_CMD_SEND, 8, MESSAGE);
    ck_assert_uint_le(share_of_single(0, PACKETS), 55);
    rig_detach(rig, many.client);
    /* After a CLOSE of each of the others', single has the flow for itself. */
    share_of_single(0, 8);
    ck_assert_uint_ge(share_of_single(0, PACKETS), 99);
    rig_settle(rig);
}
END_TEST

/* However many channels a session has, and however busy its connections are. */
START_TEST(commands_of_a_flood)
{
    const struct saddle_command nop = {.op = SADDLE_CMD_NOP};
    struct upper *upper = &rig->hosts[0].upper;

    for (uint32_t i = 0; i < 3 * SESSION_COMMANDS_PER_TURN; i++) {
        ck_assert(app_submit_on(many.client, 0, &nop));
        ck_assert(app_submit_on(many.client, 1, &nop));
        ck_assert(app_submit(single.client, &nop));
    }
    many.client->event_count = single.client->event_count = 0;
    for (uint32_t turn = 1; turn <= 3; turn++) {
        ck_assert_uint_eq(upper_commands(upper, rig->now), 2 * SESSION_COMMANDS_PER_TURN);
        upper_publish(upper);
        app_reap(many.client);
        app_reap(single.client);
        ck_assert_uint_eq(many.client->event_count, turn * SESSION_COMMANDS_PER_TURN);
        ck_assert_uint_eq(single.client->event_count, turn * SESSION_COMMANDS_PER_TURN);
    }
    /* And its own channels take turns. */
    uint32_t of_second = 0;
    for (uint32_t i = 0; i < many.client->event_count; i++)
        of_second += many.client->event_channel[i];
    ck_assert_uint_eq(of_second, SESSION_COMMANDS_PER_TURN);
    rig_settle(rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fair");
    TCase *tcase = tcase_create("rig");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, messages_beside_messages);
    tcase_add_test(tcase, writes_beside_writes);
    tcase_add_test(tcase, writes_beside_messages);
    tcase_add_test(tcase, tiny_writes_beside_messages);
    tcase_add_test(tcase, served_reads_beside_served_reads);
    tcase_add_test(tcase, a_packet_is_one_sessions);
    tcase_add_loop_test(tcase, beyond_the_window, 0, 2);
    tcase_add_loop_test(tcase, places_of_one_that_may_be_throttled, 0, 3);
    tcase_add_loop_test(tcase, a_host_has_one_share, 0, 2);
    tcase_add_test(tcase, those_that_are_left_share);
    tcase_add_test(tcase, commands_of_a_flood);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
