/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Rounds of service: who may work, by what was charged. The test is the engine, and charges the
 * sessions itself; nothing here takes time but what it says.
 */
#include "engines/pony/session.h"
#include "tests/unit/engines/pony/rig.h"

#include <check.h>
#include <stdlib.h>

#define SESSIONS 3u
#define PIECE_NS 700u /* what one step of anybody's costs; no quantum is a multiple */
#define ROUNDS   3000u
#define SHARE    100000u /* a quota of a tenth */
#define DEBT_NS  (100ull * FAIR_QUANTUM_NS)
#define MESSAGE  1000u

static struct rig *rig;
static struct upper *upper;
static struct pony_session *sessions[SESSIONS];
static struct purse purse;

static struct pony_session *attach(uint32_t host, uint32_t weight, uint32_t share,
                                   struct purse *of_user)
{
    struct app *app = app_create(100 + rig->app_count, host, APP_SLOTS);

    app->session->config.grant.weight = weight;
    app->session->config.grant.cpu_share = share;
    app->session->config.purse = of_user;
    if (of_user)
        app->session->config.purse_place = atomic_fetch_add(&of_user->count, 1);
    fair_init(app->session);
    rig_join(rig, app);
    return app->session;
}

static void setup(void)
{
    rig = rig_create(1, 0);
    rig->now = NSEC_PER_SEC;
    for (uint32_t i = 0; i < RIG_HOSTS; i++)
        rig->hosts[i].upper.now = rig->now;
    upper = &rig->hosts[0].upper;
    purse = (struct purse){.share = SHARE};
}

static void teardown(void)
{
    rig_destroy(rig);
}

static void setup_three(void)
{
    setup();
    for (uint32_t i = 0; i < SESSIONS; i++)
        sessions[i] = attach(0, 1, 0, NULL);
}

static void charge(struct pony_session *session, uint64_t ns)
{
    account_charge(&session->account, ns);
}

static uint64_t charged(const struct pony_session *session)
{
    return account_ns(&session->account);
}

/* It wants to work, as long as it may; what it was charged. */
static uint64_t greedy(struct pony_session *session)
{
    uint64_t before = charged(session);

    if (!fair_may(session))
        fair_wait(session);
    while (fair_may(session)) {
        fair_work(session);
        charge(session, PIECE_NS);
    }
    return charged(session) - before;
}

static void round_passes(void)
{
    fair_round(upper, rig->now);
}

START_TEST(by_weight)
{
    static const uint32_t weights[SESSIONS] = {1, 3, FAIR_WEIGHT_MAX};

    for (uint32_t i = 0; i < SESSIONS; i++)
        sessions[i] = attach(0, weights[i], 0, NULL);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        round_passes();
        for (uint32_t j = 0; j < SESSIONS; j++)
            greedy(sessions[j]);
    }
    /* To a piece, and to what the first round gives one that has been seen to want nothing yet. */
    for (uint32_t j = 0; j < SESSIONS; j++) {
        uint64_t due = (uint64_t)ROUNDS * FAIR_QUANTUM_NS * weights[j];
        uint64_t first = weights[j] * FAIR_QUANTUM_NS + FAIR_ALONE_NS;
        ck_assert_uint_ge(charged(sessions[j]) + PIECE_NS, due);
        ck_assert_uint_le(charged(sessions[j]), due + first + PIECE_NS);
    }
}
END_TEST

/* Steps of very different costs come to the same time. */
START_TEST(whatever_a_step_costs)
{
    static const uint64_t costs[SESSIONS] = {100, 1900, 50000};

    for (uint32_t i = 0; i < 10 * ROUNDS; i++) {
        round_passes();
        for (uint32_t j = 0; j < SESSIONS; j++) {
            if (!fair_may(sessions[j]))
                fair_wait(sessions[j]);
            while (fair_may(sessions[j])) {
                fair_work(sessions[j]);
                charge(sessions[j], costs[j]);
            }
        }
    }
    for (uint32_t j = 1; j < SESSIONS; j++) {
        ck_assert_uint_le(charged(sessions[j]), charged(sessions[0]) + costs[j] + FAIR_ALONE_NS);
        ck_assert_uint_ge(charged(sessions[j]) + costs[0] + FAIR_ALONE_NS, charged(sessions[0]));
    }
}
END_TEST

/* What one takes beyond its quantum the others have before it may work again. */
START_TEST(a_debt_is_worked_off)
{
    uint64_t others = 0;
    uint32_t rounds = 0;

    charge(sessions[0], DEBT_NS);
    for (; !fair_may(sessions[0]); rounds++) {
        round_passes();
        ck_assert_uint_le(rounds, DEBT_NS / FAIR_QUANTUM_NS + 1);
        if (!fair_may(sessions[0]))
            fair_wait(sessions[0]);
        others += greedy(sessions[1]);
    }
    ck_assert_uint_ge(rounds, DEBT_NS / FAIR_QUANTUM_NS - FAIR_ALONE_NS / FAIR_QUANTUM_NS - 1);
    ck_assert_uint_ge(others + FAIR_ALONE_NS, DEBT_NS);
}
END_TEST

/* Alone it works for about a burst, and its debts keep it from nothing. */
START_TEST(alone)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        round_passes();
        uint64_t got = greedy(sessions[0]);
        if (i > 1) /* every round, since it is the only one that wants */
            ck_assert_uint_ge(got + PIECE_NS, FAIR_ALONE_NS);
        ck_assert_uint_le(got, FAIR_ALONE_NS + PIECE_NS);
    }
    charge(sessions[0], NSEC_PER_SEC);
    round_passes();
    ck_assert(!fair_may(sessions[0]));
    fair_wait(sessions[0]);
    round_passes();
    ck_assert(fair_may(sessions[0]));
}
END_TEST

/* When all that want are in debt, rounds pass until the one with the least may: in one step,
 * however many they are, and the others' debts stay as they were toward it. */
START_TEST(rounds_pass_at_once)
{
    const uint64_t hour = 3600ull * NSEC_PER_SEC;

    charge(sessions[0], hour);
    charge(sessions[1], 2 * hour);
    charge(sessions[2], hour + DEBT_NS);
    for (uint32_t i = 0; i < SESSIONS; i++)
        fair_wait(sessions[i]);
    round_passes();
    ck_assert(fair_may(sessions[0]));
    ck_assert(!fair_may(sessions[1]));
    ck_assert(!fair_may(sessions[2]));
    /* One that works keeps them from passing. */
    fair_work(sessions[0]);
    fair_wait(sessions[1]);
    fair_wait(sessions[2]);
    round_passes();
    ck_assert(!fair_may(sessions[2]));
    uint64_t first = 0;
    while (!fair_may(sessions[2])) {
        round_passes();
        first += greedy(sessions[0]);
        if (!fair_may(sessions[2]))
            fair_wait(sessions[2]);
    }
    ck_assert_uint_ge(first + 2 * FAIR_ALONE_NS, DEBT_NS);
    ck_assert_uint_le(first, DEBT_NS + 2 * FAIR_ALONE_NS);
}
END_TEST

/* What is not used is not kept: who comes after a long time has a quantum, like the others. */
START_TEST(nothing_is_saved_up)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        round_passes();
        greedy(sessions[0]);
        greedy(sessions[1]);
    }
    ck_assert(fair_may(sessions[2])); /* and it waits for nobody's turn */
    ck_assert_uint_le(greedy(sessions[2]), FAIR_QUANTUM_NS + PIECE_NS);
}
END_TEST

/* One that wants little may work in every round. */
START_TEST(little_is_done_at_once)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        round_passes();
        greedy(sessions[0]);
        greedy(sessions[1]);
        ck_assert(fair_may(sessions[2]));
        fair_work(sessions[2]);
        charge(sessions[2], PIECE_NS);
    }
}
END_TEST

/* In the place of one that left in debt another begins without one; and a debt that left does not
 * count among those for which rounds pass. */
START_TEST(they_come_and_go)
{
    uint32_t place = sessions[0]->index;

    charge(sessions[0], NSEC_PER_SEC);
    charge(sessions[1], DEBT_NS);
    rig_detach(rig, rig->apps[0]);
    fair_wait(sessions[1]);
    fair_wait(sessions[2]);
    charge(sessions[2], 2 * DEBT_NS);
    round_passes();
    ck_assert(fair_may(sessions[1]));
    struct pony_session *comes = attach(0, 1, 0, NULL);
    ck_assert_uint_eq(comes->index, place);
    ck_assert(fair_may(comes));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        round_passes();
        greedy(comes);
        greedy(sessions[1]);
    }
    uint64_t since = charged(sessions[1]) - DEBT_NS;
    ck_assert_uint_le(charged(comes), since + 2 * FAIR_ALONE_NS);
    ck_assert_uint_ge(charged(comes) + 2 * FAIR_ALONE_NS, since);
}
END_TEST

/* One with a quota: it has that much and no more, is shown to be throttled, and hinders nobody. */
START_TEST(throttled)
{
    struct pony_session *limited = attach(0, 1, SHARE, NULL), *free_one = attach(0, 1, 0, NULL);
    const uint64_t step = 20 * NSEC_PER_USEC, steps = 50000; /* a second */
    uint64_t seen = 0;

    for (uint64_t i = 0; i < steps; i++) {
        rig_advance(rig, step);
        round_passes();
        if (fair_throttled(limited)) {
            seen++;
            ck_assert(!fair_may(limited));
            ck_assert(wheel_timer_armed(&limited->fair.refill));
            fair_wait(limited); /* is not waited for */
            ck_assert(!upper->waiting);
        }
        greedy(limited);
        ck_assert(!fair_throttled(free_one));
        greedy(free_one);
    }
    uint64_t most = (steps * step + BUCKET_DEPTH_NS) / 10;
    ck_assert_uint_le(charged(limited), most + 10 * FAIR_ALONE_NS);
    ck_assert_uint_ge(charged(limited), (most - BUCKET_DEPTH_NS / 10) * 9 / 10);
    ck_assert_uint_ge(charged(free_one), steps * FAIR_QUANTUM_NS / 2);
    /* Each step of being throttled is counted, but the one in progress. */
    uint64_t shown = account_ns(&limited->fair.throttled_ns);
    ck_assert_uint_ge(shown + step, seen * step);
    ck_assert_uint_le(shown, (seen + 1) * step);
}
END_TEST

/* The last round's quota does not outlive the session's work. */
START_TEST(ends_while_throttled)
{
    struct pony_session *limited = attach(0, 1, SHARE, NULL);

    charge(limited, NSEC_PER_SEC);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    ck_assert(fair_throttled(limited));
    fair_leave(limited);
    ck_assert(!fair_throttled(limited));
    ck_assert(!wheel_timer_armed(&limited->fair.refill));
}
END_TEST

/* Sessions of a user on two engines: what is charged on one throttles both, what others are
 * charged neither, and each works again when the user's bucket has filled. */
START_TEST(a_user_on_two_engines)
{
    struct upper *second = &rig->hosts[1].upper;
    struct pony_session *here = attach(0, 1, 0, &purse), *there = attach(1, 1, 0, &purse);
    struct pony_session *other = attach(1, 1, 0, NULL);

    charge(other, NSEC_PER_SEC);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    fair_round(second, rig->now);
    ck_assert(!fair_throttled(here) && !fair_throttled(there));
    charge(here, 2 * NSEC_PER_MSEC);
    ck_assert_uint_eq(purse_ns(&purse), 2 * NSEC_PER_MSEC);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    fair_round(second, rig->now);
    ck_assert(fair_throttled(here) && fair_throttled(there) && !fair_throttled(other));
    /* A bucket of 1 ms, 2 ms charged, 0.1 ms to go on with: at a tenth, 11 ms. */
    rig_advance(rig, 12 * NSEC_PER_MSEC);
    round_passes();
    fair_round(second, rig->now);
    ck_assert(!fair_throttled(here) && !fair_throttled(there));
    charge(there, 2 * NSEC_PER_MSEC);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    ck_assert(fair_throttled(here));
}
END_TEST

/* A user's new quota holds for sessions that are there, also if he had none, and if he has none any
 * more. */
START_TEST(a_quota_that_changes)
{
    atomic_store(&purse.share, 0);
    struct pony_session *session = attach(0, 1, 0, &purse);

    charge(session, NSEC_PER_SEC);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    ck_assert(!fair_throttled(session));
    atomic_store(&purse.share, SHARE);
    round_passes();
    ck_assert(!fair_throttled(session));
    charge(session, 2 * NSEC_PER_MSEC);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    ck_assert(fair_throttled(session));
    /* It owes less than 1 ms: at a half instead of a tenth, 4 ms are enough. */
    atomic_store(&purse.share, 5 * SHARE);
    rig_advance(rig, 4 * NSEC_PER_MSEC);
    round_passes();
    ck_assert(!fair_throttled(session));
    charge(session, NSEC_PER_SEC);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    ck_assert(fair_throttled(session));
    atomic_store(&purse.share, 0);
    round_passes();
    ck_assert(!fair_throttled(session));
}
END_TEST

/* What a session was charged before it came is no debt of it, as after a load. */
START_TEST(joins_a_purse_in_use)
{
    struct pony_session *first = attach(0, 1, 0, &purse), *second;

    charge(first, NSEC_PER_SEC);
    second = attach(0, 1, 0, &purse);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    ck_assert(fair_throttled(first) && !fair_throttled(second));
    charge(second, 3 * NSEC_PER_MSEC);
    rig_advance(rig, NSEC_PER_MSEC);
    round_passes();
    ck_assert(fair_throttled(second));
}
END_TEST

/* Messages of a throttled session wait, and all of them come; another's come meanwhile. */
START_TEST(nothing_is_lost)
{
    struct app *server = rig_attach(rig, 1, APP_SLOTS), *client, *other;
    struct pony_session *limited = attach(0, 1, SHARE, NULL);
    uint32_t incoming, outgoing, handle, at = 0;

    client = rig->apps[rig->app_count - 1];
    other = rig_attach(rig, 0, APP_SLOTS);
    rig_pair(rig, server, client, &incoming, &outgoing);
    app_connect(other, "echo", 50);
    rig_settle(rig);
    const struct saddle_event *event, *last = NULL;
    while ((event = app_event(server, &at, SADDLE_EVT_INCOMING, 1)) != NULL)
        last = event;
    ck_assert_ptr_nonnull(last);
    const struct saddle_command accept = {.op = SADDLE_CMD_ACCEPT, .handle = last->handle};
    ck_assert(app_submit(server, &accept));
    rig_settle(rig);
    handle = app_done(other, 50)->handle;
    charge(limited, 100 * NSEC_PER_MSEC);
    rig_advance(rig, NSEC_PER_MSEC);
    for (uint32_t i = 0; i < APP_SLOTS / 2; i++) {
        app_send(client, outgoing, 0, 0, MESSAGE, 100 + i);
        app_send(other, handle, 0, 0, MESSAGE, 200 + i);
    }
    rig_settle(rig);
    ck_assert(fair_throttled(limited));
    at = 0;
    ck_assert_ptr_null(app_event(client, &at, SADDLE_EVT_DONE, 100));
    for (uint32_t i = 0; i < APP_SLOTS / 2; i++)
        ck_assert_int_eq(app_done(other, 200 + i)->status, 0);
    rig_advance(rig, NSEC_PER_SEC);
    rig_step(rig); /* the quota is there again */
    rig_step(rig); /* and the debt, of which rounds pass */
    rig_settle(rig);
    ck_assert(!fair_throttled(limited));
    for (uint32_t i = 0; i < APP_SLOTS / 2; i++)
        ck_assert_int_eq(app_done(client, 100 + i)->status, 0);
    rig_check(rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fair rounds");
    TCase *three = tcase_create("three sessions"), *quotas = tcase_create("quotas");

    tcase_add_checked_fixture(three, setup_three, teardown);
    tcase_add_test(three, whatever_a_step_costs);
    tcase_add_test(three, a_debt_is_worked_off);
    tcase_add_test(three, alone);
    tcase_add_test(three, rounds_pass_at_once);
    tcase_add_test(three, nothing_is_saved_up);
    tcase_add_test(three, little_is_done_at_once);
    tcase_add_test(three, they_come_and_go);
    tcase_add_checked_fixture(quotas, setup, teardown);
    tcase_add_test(quotas, by_weight);
    tcase_add_test(quotas, throttled);
    tcase_add_test(quotas, ends_while_throttled);
    tcase_add_test(quotas, a_user_on_two_engines);
    tcase_add_test(quotas, joins_a_purse_in_use);
    tcase_add_test(quotas, a_quota_that_changes);
    tcase_add_test(quotas, nothing_is_lost);
    suite_add_tcase(suite, three);
    suite_add_tcase(suite, quotas);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
