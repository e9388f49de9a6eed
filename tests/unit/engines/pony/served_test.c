/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What peers have asked for, by the names that they gave it. */
#include "engines/pony/served.h"
#include "engines/pony/upper_state.h"
#include "sched/state.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>

#define REGION 4096u
#define READS  40u /* of a connection at a time: less than a queue's completions */
#define BYTES  8u

static struct rig *rig;
static struct app *server, *client;
static uint32_t incoming, outgoing;
static uint64_t key;

static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    rig_pair(rig, server, client, &incoming, &outgoing);
    const struct saddle_command expose = {.op = SADDLE_CMD_EXPOSE,
                                          .tag = 10,
                                          .buf = server->config.heap_offset,
                                          .len = REGION,
                                          .key = SADDLE_RIGHT_READ};
    ck_assert(app_submit(server, &expose));
    rig_settle(rig);
    key = app_done(server, 10)->value;
}

static void teardown(void)
{
    rig_settle(rig);
    rig_check(rig);
    rig_destroy(rig);
}

static void ask(uint64_t tag)
{
    const struct saddle_command read = {.op = SADDLE_CMD_READ,
                                        .handle = outgoing,
                                        .tag = tag,
                                        .key = key,
                                        .buf = client->config.heap_offset + tag % READS * BYTES,
                                        .len = BYTES};

    ck_assert(app_submit(client, &read));
}

/* Asked, and not answered as long as its flow may not send. */
static struct connection *ask_many(void)
{
    rig->hosts[server->host].flow.past = true;
    for (uint32_t i = 0; i < READS; i++)
        ask(100 + i);
    rig_settle(rig);
    struct connection *connection = connection_find(&rig->hosts[server->host].upper, incoming);
    ck_assert_uint_eq(connection->served_count, READS);
    return connection;
}

static void let_answer(void)
{
    rig->hosts[server->host].flow.past = false;
    flow_kick(&rig->hosts[server->host].flow);
    rig_settle(rig);
    for (uint32_t i = 0; i < READS; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
}

/* Each is found by its own name and no other, whatever chain it is in, until it is answered. */
static void each_by_its_name(uint64_t secret)
{
    rig->hosts[server->host].upper.served_secret = secret;
    struct connection *connection = ask_many();
    uint32_t ids[READS], count = 0;
    struct list *node;

    LIST_EACH(node, &connection->served)
    {
        struct served *served = LIST_OF(node, struct served, node);
        ck_assert_ptr_eq(served_find(connection, served->id), served);
        ids[count++] = served->id;
    }
    ck_assert_uint_eq(count, READS);
    ck_assert_ptr_null(served_find(connection, ids[0] ^ 1u << 31));
    let_answer();
    for (uint32_t i = 0; i < READS; i++)
        ck_assert_ptr_null(served_find(connection, ids[i]));
}

START_TEST(found_by_name)
{
    each_by_its_name(0x9e3779b97f4a7c15u);
}
END_TEST

/* All in one chain. */
START_TEST(found_by_name_in_a_crowd)
{
    each_by_its_name(1);
}
END_TEST

START_TEST(found_after_a_load)
{
    ask_many();
    rig_reload(rig, server->host);
    struct connection *connection = connection_find(&rig->hosts[server->host].upper, incoming);
    struct list *node;

    ck_assert_uint_eq(connection->served_count, READS);
    LIST_EACH(node, &connection->served)
    {
        struct served *served = LIST_OF(node, struct served, node);
        ck_assert_ptr_eq(served_find(connection, served->id), served);
    }
    let_answer();
}
END_TEST

/* No honest engine wrote down two operations of one name. */
START_TEST(a_name_twice_in_a_document)
{
    struct upper *upper = &rig->hosts[server->host].upper;
    struct state_writer writer;
    struct state_reader reader;
    uint16_t type, version;
    uint32_t met = 0;

    ask_many();
    state_writer_init(&writer);
    upper_save(upper, &writer);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    rig_blank(rig, server->host);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    while (state_record_next(&reader, &type, &version)) {
        struct state_reader again = reader;
        upper_load_record(upper, &reader, type, rig->now);
        ck_assert_int_eq(reader.error, 0);
        if (type != UPPER_RECORD_SERVED)
            continue;
        upper_load_record(upper, &again, type, rig->now);
        ck_assert_int_ne(again.error, 0);
        met++;
    }
    ck_assert_uint_eq(met, READS);
    state_writer_destroy(&writer);
    /* That engine is fit only to be destroyed. */
    rig_destroy(rig);
    setup();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("served");
    TCase *names = tcase_create("names");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(names, setup, teardown);
    tcase_add_test(names, found_by_name);
    tcase_add_test(names, found_by_name_in_a_crowd);
    tcase_add_test(names, found_after_a_load);
    tcase_add_test(names, a_name_twice_in_a_document);
    suite_add_tcase(suite, names);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
