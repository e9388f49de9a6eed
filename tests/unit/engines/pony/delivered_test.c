/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Credits that come with the news of delivery, to whoever hears them there. */
#include "engines/pony/connection.h"
#include "engines/pony/wire_bytes.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>

#define MESSAGES  200u
#define BURST     5u
#define LENGTH    48u
#define OFFSET_AT 16u /* of `offset` in an operation's header (docs/wire.md) */

static struct rig *rig;
static struct app *server, *client;
static uint32_t incoming, outgoing;
static bool granted, credited; /* by DELIVERED, and by CREDIT, since it was asked last */
static bool deaf;              /* what DELIVERED says of credits is not heard */
static uint64_t tag;           /* of the last message */

static void setup(void)
{
    rig = rig_create(1, APP_SLOTS);
    server = rig->apps[0];
    client = rig->apps[1];
    deaf = false;
    tag = 1000;
}

static void teardown(void)
{
    rig_check(rig);
    rig_destroy(rig);
}

static void look_at(struct rig_packet *packet)
{
    uint32_t at = 0, begin = 0;
    const uint8_t *payload;
    struct wire_op op;

    for (; wire_op_next(packet->ops, packet->bytes, &at, &op, &payload); begin = at) {
        credited |= op.type == WIRE_OP_CREDIT;
        if (op.type != WIRE_OP_DELIVERED)
            continue;
        granted |= op.offset != 0;
        if (deaf)
            put32(packet->ops + begin + OFFSET_AT, 0);
    }
}

static void settle(void)
{
    uint32_t steps = 0;

    while (rig_step(rig)) {
        for (uint32_t i = 0; i < rig->packet_count; i++)
            look_at(&rig->packets[i]);
        ck_assert_msg(++steps < RIG_STEPS_MAX, "it never comes to rest");
    }
}

static void exchange(void)
{
    granted = credited = false;
    for (uint32_t i = 0; i < MESSAGES; i += BURST) {
        for (uint32_t j = 0; j < BURST; j++)
            app_send(client, outgoing, 0, 0, LENGTH, ++tag);
        settle();
        for (uint32_t j = 0; j < BURST; j++)
            ck_assert_int_eq(app_done(client, tag - j)->status, 0);
    }
}

START_TEST(news_of_delivery_brings_credits)
{
    rig_pair(rig, server, client, &incoming, &outgoing);
    exchange(); /* asks for the first ones */
    exchange();
    ck_assert(granted);
    ck_assert(!credited);
}
END_TEST

START_TEST(a_peer_without_the_feature)
{
    rig->hosts[0].flow.says.features &= ~WIRE_FEATURE_GRANTS;
    rig_pair(rig, server, client, &incoming, &outgoing);
    exchange();
    ck_assert(!granted);
    ck_assert(credited);
}
END_TEST

/* An older build has taken the peer's engine over. */
START_TEST(a_peer_that_hears_them_no_more)
{
    rig_pair(rig, server, client, &incoming, &outgoing);
    exchange();
    deaf = true;
    exchange();
    ck_assert(granted);
    ck_assert(credited);
}
END_TEST

/* And this one's, while the total was still to be said. */
START_TEST(a_total_is_saved_as_credits)
{
    rig_pair(rig, server, client, &incoming, &outgoing);
    struct connection *connection = connection_find(&rig->hosts[0].upper, incoming);

    connection->say = CONNECTION_SAY_TOTAL;
    rig_reload(rig, 0);
    connection = connection_find(&rig->hosts[0].upper, incoming);
    ck_assert_uint_eq(connection->say, CONNECTION_SAY_TOTAL | CONNECTION_SAY_CREDIT);
    exchange();
    ck_assert(credited);
}
END_TEST

/* Who says that it knows of more credits than it has been given is told nothing. */
START_TEST(a_lie_about_credits)
{
    rig_pair(rig, server, client, &incoming, &outgoing);
    struct connection *connection = connection_find(&rig->hosts[0].upper, incoming);

    session_credit_thirst(connection, connection->credits_granted + 1);
    ck_assert_uint_eq(connection->say, 0);
    session_credit_thirst(connection, connection->credits_granted - 1);
    ck_assert_uint_eq(connection->say, CONNECTION_SAY_TOTAL);
    exchange();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("delivered");
    TCase *tcase = tcase_create("delivered");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, news_of_delivery_brings_credits);
    tcase_add_test(tcase, a_peer_without_the_feature);
    tcase_add_test(tcase, a_peer_that_hears_them_no_more);
    tcase_add_test(tcase, a_total_is_saved_as_credits);
    tcase_add_test(tcase, a_lie_about_credits);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
