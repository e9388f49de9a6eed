/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Members' resolvers over one that a test answers by hand. */
#include "engines/steer/fan_resolver.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MEMBERS 3u
#define HOPS    400u /* more than answers fit on the way */

static struct {
    struct resolver resolver;
    uint32_t wants, drops;
    struct address last;
    bool busy;
} below;
static struct fan_resolver *fan;
static struct fan_resolver_config config;
static uint32_t armed[2 * MEMBERS];
static struct hop heard[MEMBERS];
static uint32_t answers[MEMBERS];

static int below_want(struct resolver *resolver, const struct address *address)
{
    (void)resolver;
    below.wants++;
    below.last = *address;
    return below.busy ? -EAGAIN : 0;
}

static void below_drop(struct resolver *resolver, const struct address *address)
{
    (void)resolver;
    below.drops++;
    below.last = *address;
}

static const struct resolver_ops below_ops = {.want = below_want, .drop = below_drop};

static void hear(void *context, const struct hop *hop)
{
    uint32_t member = (uint32_t)(uintptr_t)context;

    heard[member] = *hop;
    answers[member]++;
}

static struct address address(uint32_t number)
{
    struct address made = {.bytes = {0xfd}};

    memcpy(made.bytes + sizeof(made.bytes) - sizeof(number), &number, sizeof(number));
    return made;
}

static void setup(void)
{
    memset(&below, 0, sizeof(below));
    memset(armed, 0, sizeof(armed));
    memset(answers, 0, sizeof(answers));
    below.resolver.ops = &below_ops;
    config = (struct fan_resolver_config){
        .below = &below.resolver,
        .members = MEMBERS,
        .hops_max = HOPS,
    };
    for (uint32_t i = 0; i < MEMBERS; i++) {
        config.steer[i] = (struct fan_bell){&armed[i], eventfd(0, EFD_NONBLOCK)};
        config.member[i] = (struct fan_bell){&armed[MEMBERS + i], eventfd(0, EFD_NONBLOCK)};
    }
    ck_assert_int_eq(fan_resolver_create(&fan, &config), 0);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        fan_resolver_face(fan, i)->answer = hear;
        fan_resolver_face(fan, i)->context = (void *)(uintptr_t)i;
    }
}

static void teardown(void)
{
    fan_resolver_destroy(fan);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        close(config.steer[i].fd);
        close(config.member[i].fd);
    }
}

static int want(uint32_t member, uint32_t number)
{
    struct resolver *face = fan_resolver_face(fan, member);
    const struct address wanted = address(number);

    return face->ops->want(face, &wanted);
}

static void drop(uint32_t member, uint32_t number)
{
    struct resolver *face = fan_resolver_face(fan, member);
    const struct address wanted = address(number);

    face->ops->drop(face, &wanted);
}

/* The real port's resolver answers. */
static void answer(uint32_t number, uint8_t mac, int error)
{
    const struct hop hop = {.address = address(number),
                            .mac = {{2, 0, 0, 0, 0, mac}},
                            .error = error};

    below.resolver.answer(below.resolver.context, &hop);
}

static void work(void)
{
    while (fan_resolver_pending(fan))
        ck_assert_uint_gt(fan_resolver_work(fan), 0);
}

static void take_all(uint32_t member)
{
    while (fan_resolver_waits(fan, member))
        fan_resolver_take(fan, member);
}

static bool rung(const struct fan_bell *bell)
{
    uint64_t rings;

    return read(bell->fd, &rings, sizeof(rings)) == sizeof(rings);
}

START_TEST(all_who_want_it_are_told)
{
    ck_assert(!fan_resolver_pending(fan));
    ck_assert_int_eq(want(0, 7), 0);
    ck_assert_int_eq(want(2, 7), 0);
    ck_assert_int_eq(want(1, 8), 0);
    ck_assert_uint_eq(below.wants, 0); /* that is another thread's */
    work();
    ck_assert_uint_eq(below.wants, 3);
    answer(7, 1, 0);
    work();
    for (uint32_t i = 0; i < MEMBERS; i++) {
        ck_assert_uint_eq(answers[i], 0); /* and so is theirs */
        take_all(i);
        ck_assert_uint_eq(answers[i], i != 1);
    }
    ck_assert_uint_eq(heard[2].mac.addr_bytes[5], 1);
    /* News that nobody asked for. */
    answer(7, 2, 0);
    work();
    take_all(0);
    ck_assert_uint_eq(answers[0], 2);
    ck_assert_uint_eq(heard[0].mac.addr_bytes[5], 2);
    answer(9, 3, 0); /* nobody's */
    work();
}
END_TEST

START_TEST(what_is_known_is_told_at_once)
{
    want(0, 7);
    work();
    answer(7, 1, 0);
    want(1, 7);
    work();
    take_all(1);
    ck_assert_uint_eq(below.wants, 1);
    ck_assert_uint_eq(answers[1], 1);
    /* One that failed is asked for again. */
    answer(7, 0, -EHOSTDOWN);
    work();
    take_all(1);
    ck_assert_int_eq(heard[1].error, -EHOSTDOWN);
    want(1, 7);
    work();
    ck_assert_uint_eq(below.wants, 2);
}
END_TEST

START_TEST(the_last_one_drops_it)
{
    want(0, 7);
    want(1, 7);
    work();
    answer(7, 1, 0);
    drop(0, 7); /* while it is to be told */
    work();
    ck_assert_uint_eq(below.drops, 0);
    answer(7, 2, 0);
    work();
    take_all(0);
    take_all(1);
    ck_assert_uint_eq(answers[0], 0);
    ck_assert_uint_eq(heard[1].mac.addr_bytes[5], 2);
    drop(1, 7);
    drop(1, 8); /* never wanted */
    work();
    ck_assert_uint_eq(below.drops, 1);
    answer(7, 3, 0);
    ck_assert(!fan_resolver_pending(fan));
    /* It is forgotten, and wanted anew. */
    want(1, 7);
    work();
    ck_assert_uint_eq(below.wants, 3);
}
END_TEST

/* So many as a member may want, again and again: every place is used again. */
START_TEST(places_are_used_again)
{
    for (uint32_t round = 0; round < 5; round++) {
        for (uint32_t i = 0; i < HOPS; i++)
            ck_assert_int_eq(want(0, round * HOPS + i), 0);
        ck_assert_int_eq(want(0, UINT32_MAX), -EAGAIN);
        for (uint32_t i = 0; i < HOPS; i++)
            drop(0, round * HOPS + i);
        work();
        ck_assert_uint_eq(below.wants, (round + 1) * HOPS);
        ck_assert_uint_eq(below.drops, (round + 1) * HOPS);
    }
}
END_TEST

/* One that does not listen is told the latest of all once it does, and is in nobody's way. */
START_TEST(a_member_that_does_not_listen)
{
    for (uint32_t i = 0; i < HOPS; i++) {
        want(0, i);
        work();
    }
    want(1, 1000);
    work();
    for (uint8_t mac = 1; mac <= 3; mac++)
        for (uint32_t i = 0; i < HOPS; i++) {
            answer(i, mac, 0);
            fan_resolver_work(fan);
        }
    work();
    answer(1000, 9, 0);
    for (uint32_t i = 0; i < HOPS; i++)
        fan_resolver_work(fan);
    take_all(1);
    ck_assert_uint_eq(answers[1], 1);
    armed[0] = 1; /* the steering engine sleeps */
    fan_resolver_take(fan, 0);
    ck_assert(rung(&config.steer[0]));
    for (uint32_t i = 0; i < 2 * HOPS; i++) {
        fan_resolver_work(fan);
        fan_resolver_take(fan, 0);
    }
    ck_assert(!fan_resolver_pending(fan));
    ck_assert_uint_ge(answers[0], HOPS);
    ck_assert_uint_eq(heard[0].mac.addr_bytes[5], 3);
}
END_TEST

START_TEST(sleepers_are_rung)
{
    want(0, 7);
    ck_assert(!rung(&config.steer[0]));
    armed[1] = 1;
    want(1, 7);
    ck_assert(rung(&config.steer[1]));
    armed[1] = 1;
    drop(1, 7);
    ck_assert(rung(&config.steer[1]));
    work();
    armed[MEMBERS] = armed[MEMBERS + 1] = 1;
    answer(7, 1, 0);
    work();
    ck_assert(rung(&config.member[0]));
    ck_assert(!rung(&config.member[1]));
}
END_TEST

/* The engine asks again after a while. */
START_TEST(no_room_below)
{
    below.busy = true;
    want(0, 7);
    work();
    take_all(0);
    ck_assert_int_eq(heard[0].error, -EHOSTDOWN);
    below.busy = false;
    want(0, 7);
    work();
    answer(7, 1, 0);
    work();
    take_all(0);
    ck_assert_int_eq(heard[0].error, 0);
    ck_assert_uint_eq(answers[0], 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("fan_resolver");
    TCase *tc = tcase_create("fan_resolver");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, all_who_want_it_are_told);
    tcase_add_test(tc, what_is_known_is_told_at_once);
    tcase_add_test(tc, the_last_one_drops_it);
    tcase_add_test(tc, places_are_used_again);
    tcase_add_test(tc, a_member_that_does_not_listen);
    tcase_add_test(tc, sleepers_are_rung);
    tcase_add_test(tc, no_room_below);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
