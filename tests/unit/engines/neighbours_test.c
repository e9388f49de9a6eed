/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The table alone: questions and answers are the test's. */
#include "engines/neighbours.h"
#include "sched/clock.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WANTS   16u
#define ANSWERS 256u

static struct neighbours *all;
static struct resolver *resolver;
static uint64_t now;

static struct {
    uint32_t count, to_one;
    struct address target, source;
    struct rte_ether_addr mac;
} asked;

static struct hop answers[ANSWERS];
static uint32_t answered;

static void ask(void *context, const struct address *target, const struct address *source,
                const struct rte_ether_addr *mac)
{
    ck_assert_ptr_eq(context, &asked);
    asked.count++;
    asked.target = *target;
    asked.source = *source;
    asked.to_one += mac != NULL;
    if (mac)
        asked.mac = *mac;
}

static void answer(void *context, const struct hop *hop)
{
    ck_assert_ptr_eq(context, &answers);
    ck_assert_uint_lt(answered, ANSWERS);
    answers[answered++] = *hop;
}

static struct address at(const char *text)
{
    struct address address;

    ck_assert_int_eq(address_parse(&address, text), 0);
    return address;
}

static struct rte_ether_addr station(uint8_t last)
{
    return (struct rte_ether_addr){{2, 0, 0, 0, 0, last}};
}

static struct neighbours_config config(void)
{
    struct neighbours_config made = {.now = now, .wants_max = WANTS, .ask = ask, .context = &asked};

    made.subnets.list[0] = (struct subnet){at("10.0.0.1"), 24};
    made.subnets.list[1] = (struct subnet){at("fd00::1"), 64};
    made.subnets.count = 2;
    made.subnets.gateways[0] = at("10.0.0.254");
    made.subnets.gateway_count = 1;
    return made;
}

static void setup(void)
{
    struct neighbours_config made;

    now = 1000 * NSEC_PER_SEC;
    made = config();
    ck_assert_int_eq(neighbours_create(&all, &made), 0);
    resolver = neighbours_resolver(all);
    resolver->answer = answer;
    resolver->context = &answers;
}

static void teardown(void)
{
    neighbours_destroy(all);
}

static void want(const char *text)
{
    struct address address = at(text);

    ck_assert_int_eq(resolver->ops->want(resolver, &address), 0);
}

static void drop(const char *text)
{
    struct address address = at(text);

    resolver->ops->drop(resolver, &address);
}

static void heard(const char *text, uint8_t mac, enum neighbours_news news)
{
    struct address address = at(text);
    struct rte_ether_addr from = station(mac);

    neighbours_heard(all, &address, mac ? &from : NULL, news, true, now);
    neighbours_run(all, now);
}

/* Lets time pass, from deadline to deadline. */
static void pass(uint64_t ns)
{
    uint64_t end = now + ns;

    neighbours_run(all, now);
    while (neighbours_deadline(all) <= end) {
        now = RTE_MAX(now, neighbours_deadline(all));
        neighbours_run(all, now);
    }
    now = end;
}

static const struct hop *last(void)
{
    ck_assert_uint_gt(answered, 0);
    return &answers[answered - 1];
}

static void know(const char *text, uint8_t mac)
{
    want(text);
    pass(0);
    heard(text, mac, NEIGHBOURS_ANSWER);
    ck_assert_int_eq(last()->error, 0);
    ck_assert_uint_eq(last()->mac.addr_bytes[5], mac);
}

START_TEST(is_asked_and_answers)
{
    ck_assert_uint_eq(neighbours_deadline(all), UINT64_MAX);
    want("10.0.0.2");
    ck_assert_uint_eq(asked.count, 0); /* not from within want */
    ck_assert_uint_eq(neighbours_deadline(all), 0);
    pass(NSEC_PER_MSEC);
    ck_assert_uint_eq(asked.count, 1);
    ck_assert_uint_eq(asked.to_one, 0);
    struct address target = at("10.0.0.2"), source = at("10.0.0.1");
    ck_assert(address_equal(&asked.target, &target) && address_equal(&asked.source, &source));
    ck_assert_uint_eq(answered, 0);
    heard("10.0.0.2", 2, NEIGHBOURS_ANSWER);
    ck_assert_uint_eq(answered, 1);
    ck_assert(address_equal(&last()->address, &target));
    ck_assert_int_eq(last()->error, 0);
    ck_assert_uint_eq(last()->mac.addr_bytes[5], 2);
    /* Asked for what is known: answered without a question. */
    want("10.0.0.2");
    pass(0);
    ck_assert_uint_eq(answered, 2);
    ck_assert_uint_eq(asked.count, 1);
}
END_TEST

START_TEST(is_given_up_and_remembered_briefly)
{
    want("10.0.0.2");
    pass(2900 * NSEC_PER_MSEC);
    ck_assert_uint_eq(asked.count, 3);
    ck_assert_uint_eq(answered, 0);
    pass(200 * NSEC_PER_MSEC);
    ck_assert_int_eq(last()->error, -EHOSTDOWN);
    drop("10.0.0.2");
    pass(NSEC_PER_SEC);
    want("10.0.0.2");
    pass(0);
    ck_assert_uint_eq(answered, 2);
    ck_assert_int_eq(last()->error, -EHOSTDOWN);
    ck_assert_uint_eq(asked.count, 3);
    /* Not for ever. */
    pass(3 * NSEC_PER_SEC);
    want("10.0.0.2");
    pass(0);
    ck_assert_uint_eq(asked.count, 4);
    heard("10.0.0.2", 2, NEIGHBOURS_ANSWER);
    ck_assert_int_eq(last()->error, 0);
    ck_assert_uint_eq(neighbours_stats(all)->failed, 1);
    ck_assert_uint_eq(neighbours_stats(all)->resolved, 1);
}
END_TEST

START_TEST(a_lost_question_is_repeated)
{
    want("10.0.0.2");
    pass(1500 * NSEC_PER_MSEC);
    ck_assert_uint_eq(asked.count, 2);
    heard("10.0.0.2", 2, NEIGHBOURS_ANSWER);
    pass(5 * NSEC_PER_SEC);
    ck_assert_uint_eq(asked.count, 2);
    ck_assert_uint_eq(answered, 1);
}
END_TEST

START_TEST(no_way)
{
    want("fd00:1::1");
    pass(0);
    ck_assert_int_eq(last()->error, -ENETUNREACH);
    want("10.0.0.255");
    pass(10 * NSEC_PER_SEC);
    ck_assert_int_eq(last()->error, -ENETUNREACH);
    ck_assert_uint_eq(asked.count, 0);
    drop("fd00:1::1");
    drop("10.0.0.255");
    drop("10.0.0.77"); /* never wanted */
    ck_assert_uint_eq(neighbours_deadline(all), UINT64_MAX);
}
END_TEST

START_TEST(a_gateway_serves_many)
{
    want("10.1.0.1");
    want("10.2.0.1");
    pass(0);
    ck_assert_uint_eq(asked.count, 1);
    struct address gateway = at("10.0.0.254");
    ck_assert(address_equal(&asked.target, &gateway));
    heard("10.0.0.254", 9, NEIGHBOURS_ANSWER);
    ck_assert_uint_eq(answered, 2);
    drop("10.1.0.1");
    want("10.3.0.1");
    pass(0);
    ck_assert_uint_eq(answered, 3);
    ck_assert_uint_eq(asked.count, 1);
    /* Another gateway takes over the address. */
    pass(31 * NSEC_PER_SEC);
    heard("10.0.0.254", 8, NEIGHBOURS_ANSWER);
    ck_assert_uint_eq(answered, 5);
    ck_assert_uint_eq(answers[3].mac.addr_bytes[5], 8);
    ck_assert_uint_eq(answers[4].mac.addr_bytes[5], 8);
    ck_assert_uint_eq(neighbours_stats(all)->moved, 1);
}
END_TEST

START_TEST(is_confirmed_where_it_was)
{
    know("10.0.0.2", 2);
    for (uint32_t i = 1; i <= 5; i++) {
        pass(30 * NSEC_PER_SEC + NSEC_PER_MSEC);
        ck_assert_uint_eq(asked.count, 1 + i);
        ck_assert_uint_eq(asked.to_one, i);
        ck_assert_uint_eq(asked.mac.addr_bytes[5], 2);
        heard("10.0.0.2", i % 2 ? 2 : 0, NEIGHBOURS_ANSWER); /* ND may leave the address out */
    }
    pass(NSEC_PER_SEC);
    ck_assert_uint_eq(answered, 1); /* no news */
}
END_TEST

START_TEST(is_looked_for_elsewhere_and_given_up)
{
    know("10.0.0.2", 2);
    pass(30 * NSEC_PER_SEC);
    /* Three times where it was, then three times everywhere; used meanwhile. */
    pass(5900 * NSEC_PER_MSEC);
    ck_assert_uint_eq(asked.count, 7);
    ck_assert_uint_eq(asked.to_one, 3);
    ck_assert_uint_eq(answered, 1);
    pass(200 * NSEC_PER_MSEC);
    ck_assert_uint_eq(answered, 2);
    ck_assert_int_eq(last()->error, -EHOSTDOWN);
}
END_TEST

START_TEST(has_moved)
{
    know("10.0.0.2", 2);
    pass(34 * NSEC_PER_SEC);
    ck_assert_uint_gt(asked.count, asked.to_one + 1);
    heard("10.0.0.2", 3, NEIGHBOURS_ANSWER);
    ck_assert_uint_eq(answered, 2);
    ck_assert_uint_eq(last()->mac.addr_bytes[5], 3);
}
END_TEST

/* An advertisement without the override flag does not replace what is known. */
START_TEST(an_answer_that_may_not_override)
{
    struct address address = at("10.0.0.2");
    struct rte_ether_addr other = station(3);

    know("10.0.0.2", 2);
    pass(31 * NSEC_PER_SEC);
    neighbours_heard(all, &address, &other, NEIGHBOURS_ANSWER, false, now);
    pass(0);
    ck_assert_uint_eq(answered, 1);
    other = station(2);
    neighbours_heard(all, &address, &other, NEIGHBOURS_ANSWER, false, now);
    pass(20 * NSEC_PER_SEC);
    ck_assert_uint_eq(asked.count, 2);
}
END_TEST

START_TEST(claims_change_nothing)
{
    /* Of strangers. */
    heard("10.0.0.9", 9, NEIGHBOURS_CLAIM);
    heard("10.0.0.9", 9, NEIGHBOURS_ANSWER);
    heard("10.0.0.9", 9, NEIGHBOURS_CALL);
    ck_assert_uint_eq(neighbours_deadline(all), UINT64_MAX);
    /* While it is asked for. */
    want("10.0.0.2");
    pass(0);
    heard("10.0.0.2", 9, NEIGHBOURS_CLAIM);
    ck_assert_uint_eq(answered, 0);
    heard("10.0.0.2", 2, NEIGHBOURS_ANSWER);
    /* When known: the one that is known is asked, once a second at most, and stays. */
    for (uint32_t i = 0; i < 100; i++) {
        heard("10.0.0.2", 9, (enum neighbours_news)(i % 3));
        pass(NSEC_PER_MSEC);
        heard("10.0.0.2", 2, NEIGHBOURS_ANSWER);
    }
    ck_assert_uint_eq(asked.count, 2);
    ck_assert_uint_eq(asked.to_one, 1);
    ck_assert_uint_eq(neighbours_stats(all)->claims, 1);
    /* The same as what is known is nothing. */
    pass(2 * NSEC_PER_SEC);
    heard("10.0.0.2", 2, NEIGHBOURS_CLAIM);
    pass(NSEC_PER_SEC);
    ck_assert_uint_eq(asked.count, 2);
    ck_assert_uint_eq(answered, 1);
}
END_TEST

START_TEST(a_true_claim_finds_it_sooner)
{
    know("10.0.0.2", 2);
    pass(NSEC_PER_SEC);
    heard("10.0.0.2", 3, NEIGHBOURS_CLAIM);
    pass(3100 * NSEC_PER_MSEC); /* silence where it was */
    heard("10.0.0.2", 3, NEIGHBOURS_ANSWER);
    ck_assert_uint_eq(last()->mac.addr_bytes[5], 3);
}
END_TEST

START_TEST(a_call_answers_what_is_asked)
{
    want("10.0.0.2");
    pass(0);
    heard("10.0.0.2", 2, NEIGHBOURS_CALL);
    ck_assert_uint_eq(last()->mac.addr_bytes[5], 2);
    /* But confirms nothing. */
    pass(30 * NSEC_PER_SEC + NSEC_PER_MSEC);
    ck_assert_uint_eq(asked.count, 2);
    heard("10.0.0.2", 2, NEIGHBOURS_CALL);
    heard("10.0.0.2", 9, NEIGHBOURS_CALL);
    pass(NSEC_PER_SEC);
    ck_assert_uint_eq(asked.count, 3);
    ck_assert_uint_eq(answered, 1);
}
END_TEST

START_TEST(what_nobody_wants_is_not_asked)
{
    want("10.0.0.2");
    want("10.0.0.3");
    drop("10.0.0.2");
    pass(5 * NSEC_PER_SEC);
    ck_assert_uint_eq(asked.count, 3);
    /* Known and dropped: kept, and not confirmed. */
    want("10.0.0.4");
    pass(0);
    heard("10.0.0.4", 4, NEIGHBOURS_ANSWER);
    drop("10.0.0.4");
    drop("10.0.0.3");
    want("10.0.0.4");
    answered = 0;
    pass(0);
    ck_assert_uint_eq(answered, 1);
    drop("10.0.0.4");
    asked.count = 0;
    pass(100 * NSEC_PER_SEC);
    ck_assert_uint_eq(asked.count, 0);
    ck_assert_uint_eq(neighbours_deadline(all), UINT64_MAX);
}
END_TEST

START_TEST(tables_are_bounded)
{
    struct address address;
    char text[ADDRESS_TEXT_BYTES];

    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < WANTS; i++) {
            snprintf(text, sizeof(text), "10.0.0.%u", 2 + round * WANTS + i);
            want(text);
        }
        address = at("10.0.0.200");
        ck_assert_int_eq(resolver->ops->want(resolver, &address), -EAGAIN);
        pass(100 * NSEC_PER_MSEC);
        for (uint32_t i = 0; i < WANTS; i++) {
            snprintf(text, sizeof(text), "10.0.0.%u", 2 + round * WANTS + i);
            if (i % 2)
                heard(text, 2, NEIGHBOURS_ANSWER);
            drop(text);
        }
    }
    ck_assert_uint_eq(answered, 5 * WANTS / 2);
    want("10.0.0.200");
    pass(0);
    heard("10.0.0.200", 2, NEIGHBOURS_ANSWER);
    ck_assert_uint_eq(answered, 5 * WANTS / 2 + 1);
}
END_TEST

START_TEST(questions_are_spread)
{
    char text[ADDRESS_TEXT_BYTES];

    for (uint32_t i = 0; i < WANTS; i++) {
        snprintf(text, sizeof(text), "10.0.0.%u", 2 + i);
        want(text);
    }
    for (uint32_t i = 0; i < 5; i++)
        neighbours_run(all, now);
    ck_assert_uint_eq(asked.count, 8);
    pass(10 * NSEC_PER_MSEC);
    ck_assert_uint_eq(asked.count, WANTS);
}
END_TEST

/* The engine drops and wants while it is told. */
static void answer_and_drop(void *context, const struct hop *hop)
{
    answer(context, hop);
    resolver->ops->drop(resolver, &hop->address);
    if (answered % 2)
        ck_assert_int_eq(resolver->ops->want(resolver, &hop->address), 0);
}

START_TEST(told_in_the_middle_of_telling)
{
    resolver->answer = answer_and_drop;
    want("10.1.0.1");
    want("10.1.0.2");
    want("10.1.0.3");
    want("fd00:1::1");
    pass(0);
    heard("10.0.0.254", 9, NEIGHBOURS_ANSWER);
    for (uint32_t i = 0; i < 50 && neighbours_deadline(all) == 0; i++)
        neighbours_run(all, now);
    ck_assert_uint_ge(answered, 4);
    for (uint32_t i = 0; i < answered; i++)
        ck_assert_int_eq(answers[i].error, answers[i].mac.addr_bytes[5] == 9 ? 0 : -ENETUNREACH);
}
END_TEST

START_TEST(bad_configurations)
{
    struct neighbours_config made = config();
    struct neighbours *none;

    made.subnets.count = 0;
    ck_assert_int_eq(neighbours_create(&none, &made), -EINVAL);
    neighbours_destroy(NULL);
}
END_TEST

/* The whole list, in pages of `most`; the entry for `text`, NULL if it is not in it. */
static const struct neighbour_entry *look_for(const char *text, uint32_t most, uint32_t *count)
{
    static struct neighbour_entry found;
    struct neighbour_page page = {.now = now, .most = most};
    struct address address = at(text);
    bool any = false;

    *count = 0;
    do {
        neighbours_view(all, &page);
        ck_assert(!most || page.count <= most);
        for (uint32_t i = 0; i < page.count; i++) {
            if (!address_equal(&page.entries[i].address, &address))
                continue;
            ck_assert(!any);
            any = true;
            found = page.entries[i];
        }
        *count += page.count;
    } while (!page.done);
    return any ? &found : NULL;
}

START_TEST(operators_see_each_state)
{
    const struct neighbour_entry *entry;
    uint32_t count;

    ck_assert_ptr_null(look_for("10.0.0.2", 0, &count));
    ck_assert_uint_eq(count, 0);
    want("10.0.0.2");
    pass(NSEC_PER_MSEC);
    entry = look_for("10.0.0.2", 0, &count);
    ck_assert_int_eq(entry->state, NEIGHBOUR_PENDING);
    ck_assert(entry->used);
    heard("10.0.0.2", 2, NEIGHBOURS_ANSWER);
    now += 5 * NSEC_PER_SEC; /* the engine sleeps meanwhile */
    entry = look_for("10.0.0.2", 1, &count);
    ck_assert_int_eq(entry->state, NEIGHBOUR_REACHABLE);
    ck_assert_uint_eq(entry->mac.addr_bytes[5], 2);
    ck_assert_uint_eq(entry->age_ns, 5 * NSEC_PER_SEC);
    pass(25100 * NSEC_PER_MSEC);
    entry = look_for("10.0.0.2", 1, &count);
    ck_assert_int_eq(entry->state, NEIGHBOUR_STALE);
    ck_assert_uint_eq(entry->mac.addr_bytes[5], 2);
    pass(7 * NSEC_PER_SEC);
    entry = look_for("10.0.0.2", 1, &count);
    ck_assert_int_eq(entry->state, NEIGHBOUR_FAILED);
    ck_assert_uint_eq(entry->mac.addr_bytes[5], 0);
    drop("10.0.0.2");
    entry = look_for("10.0.0.2", 1, &count);
    ck_assert(!entry->used);
    pass(4 * NSEC_PER_SEC);
    ck_assert_ptr_null(look_for("10.0.0.2", 1, &count));
}
END_TEST

START_TEST(operators_see_each_once)
{
    char text[ADDRESS_TEXT_BYTES];
    uint32_t count;

    for (uint32_t i = 0; i < WANTS; i++) {
        snprintf(text, sizeof(text), "10.0.0.%u", 2 + i);
        want(text);
    }
    pass(NSEC_PER_SEC);
    for (uint32_t most = 0; most <= WANTS + 1; most++) {
        for (uint32_t i = 0; i < WANTS; i++) {
            snprintf(text, sizeof(text), "10.0.0.%u", 2 + i);
            ck_assert_ptr_nonnull(look_for(text, most, &count));
            ck_assert_uint_eq(count, WANTS);
        }
    }
}
END_TEST

START_TEST(a_cursor_that_is_none)
{
    struct neighbour_page page = {.now = now};

    want("10.0.0.2");
    pass(NSEC_PER_MSEC);
    memset(&page.cursor, 0xff, sizeof(page.cursor));
    neighbours_view(all, &page);
    ck_assert(page.done);
    ck_assert_uint_eq(page.count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("neighbours");
    TCase *tcase = tcase_create("neighbours");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, is_asked_and_answers);
    tcase_add_test(tcase, is_given_up_and_remembered_briefly);
    tcase_add_test(tcase, a_lost_question_is_repeated);
    tcase_add_test(tcase, no_way);
    tcase_add_test(tcase, a_gateway_serves_many);
    tcase_add_test(tcase, is_confirmed_where_it_was);
    tcase_add_test(tcase, is_looked_for_elsewhere_and_given_up);
    tcase_add_test(tcase, has_moved);
    tcase_add_test(tcase, an_answer_that_may_not_override);
    tcase_add_test(tcase, claims_change_nothing);
    tcase_add_test(tcase, a_true_claim_finds_it_sooner);
    tcase_add_test(tcase, a_call_answers_what_is_asked);
    tcase_add_test(tcase, what_nobody_wants_is_not_asked);
    tcase_add_test(tcase, tables_are_bounded);
    tcase_add_test(tcase, questions_are_spread);
    tcase_add_test(tcase, told_in_the_middle_of_telling);
    tcase_add_test(tcase, bad_configurations);
    tcase_add_test(tcase, operators_see_each_state);
    tcase_add_test(tcase, operators_see_each_once);
    tcase_add_test(tcase, a_cursor_that_is_none);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
