/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/rng.h"
#include "engines/wheel.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define TIMERS   300u
#define STEPS    20000u
#define ALL      UINT32_MAX
#define SPAN_NS  ((1ull << (WHEEL_SLOT_BITS * WHEEL_LEVELS)) * WHEEL_TICK_NS)
#define HOURS_NS (3600ull * 1000000000ull)

/* A timer and what a plain list would know of it. */
struct object {
    struct wheel_timer timer; /* first */
    bool armed;
    uint64_t due; /* ns: when an advance must fire it */
    uint32_t fired;
};

static struct wheel wheel;
static struct object objects[TIMERS];

/* What was seen to be wrong in loops, where an assertion each (a message to the runner) would take
 * most of the time. */
static uint32_t wrong;

static void note(struct wheel_timer *timer, uint64_t now)
{
    struct object *object = (struct object *)timer;

    wrong += wheel_timer_armed(timer) || !object->armed || timer->deadline > now;
    object->armed = false;
    object->fired++;
}

static uint64_t round_up(uint64_t time)
{
    return (time + WHEEL_TICK_NS - 1) / WHEEL_TICK_NS * WHEEL_TICK_NS;
}

static void start(uint64_t now)
{
    wheel_init(&wheel, now);
    memset(objects, 0, sizeof(objects));
    for (uint32_t i = 0; i < TIMERS; i++)
        wheel_timer_init(&objects[i].timer, note);
}

static void set(struct object *object, uint64_t deadline, uint64_t now)
{
    wheel_set(&wheel, &object->timer, deadline);
    object->armed = true;
    object->due = deadline <= now ? now : round_up(deadline);
}

/* A delay of any magnitude up to 2^bits ns. */
static uint64_t any_delay(struct rng *rng, uint32_t bits)
{
    return rng_u64(rng) >> (64 - 1 - rng_below(rng, bits));
}

static void check_against_list(uint64_t now)
{
    uint32_t armed = 0;
    uint64_t earliest = UINT64_MAX;

    for (uint32_t i = 0; i < TIMERS; i++) {
        wrong += wheel_timer_armed(&objects[i].timer) != objects[i].armed;
        if (!objects[i].armed)
            continue;
        armed++;
        wrong += objects[i].due <= now;
        earliest = objects[i].due < earliest ? objects[i].due : earliest;
    }
    wrong += wheel.armed != armed;
    wrong += wheel_next(&wheel) > earliest;
    wrong += wheel_next(&wheel) <= now;
    wrong += armed == 0 && wheel_next(&wheel) != UINT64_MAX;
}

/* Random operations beside a plain list, from starts near every kind of turn. */
START_TEST(like_a_list)
{
    static const uint64_t starts[] = {
        0, 1, 12345678901234, SPAN_NS - 1, SPAN_NS - 300 * WHEEL_TICK_NS, 1ull << 62,
    };
    uint64_t now = starts[_i];
    struct rng rng;

    rng_init_u64(&rng, 42, (uint64_t)_i);
    start(now);
    for (uint32_t step = 0; step < STEPS; step++) {
        struct object *object = &objects[rng_below(&rng, TIMERS)];
        uint64_t what = rng_below(&rng, 10);

        if (what < 5) {
            set(object, now + any_delay(&rng, 46), now);
        } else if (what == 5) {
            uint64_t past = any_delay(&rng, 30);

            set(object, now > past ? now - past : 0, now);
        } else if (what < 8) {
            wheel_cancel(&wheel, &object->timer);
            object->armed = false;
        } else {
            now += any_delay(&rng, what == 8 ? 14 : 40);
            wheel_advance(&wheel, now, ALL);
            check_against_list(now);
        }
    }
}
END_TEST

/* Sleeping from wheel_next to wheel_next fires everything on its tick, in few steps. */
START_TEST(sleeper)
{
    static const uint64_t delays[] = {
        1,           WHEEL_TICK_NS, WHEEL_TICK_NS + 1, 255 * WHEEL_TICK_NS, 262144,
        262145,      1000000,       1ull << 26,        1ull << 34,          (1ull << 34) + 777,
        SPAN_NS - 1, SPAN_NS,       SPAN_NS + 1,       3 * SPAN_NS + 4321,  10 * HOURS_NS,
    };
    uint64_t now = 987654321;
    uint64_t deadline = now + delays[_i];
    uint32_t steps = 0;

    start(now);
    set(&objects[0], deadline, now);
    while (objects[0].fired == 0) {
        uint64_t next = wheel_next(&wheel);

        ck_assert_uint_gt(next, now);
        ck_assert_uint_le(next, round_up(deadline));
        now = next;
        wheel_advance(&wheel, now, ALL);
        /* One step a level, for each time it had to be clamped. */
        ck_assert_uint_le(++steps, (WHEEL_LEVELS + 1) * (1 + delays[_i] / SPAN_NS) + 1);
    }
    ck_assert_uint_eq(now, round_up(deadline));
    ck_assert_uint_eq(wheel_next(&wheel), UINT64_MAX);
}
END_TEST

START_TEST(passed_deadline_fires_at_next_advance)
{
    uint64_t now = 10 * WHEEL_TICK_NS + 900;

    start(now);
    wheel_advance(&wheel, now, ALL);
    set(&objects[0], 10 * WHEEL_TICK_NS + 700, now); /* in the current tick */
    set(&objects[1], now, now);
    set(&objects[2], 0, now);
    set(&objects[3], now + 1, now);
    ck_assert_uint_eq(wheel_advance(&wheel, now, ALL), 3);
    ck_assert(objects[3].armed);
    ck_assert_uint_eq(wheel_advance(&wheel, 11 * WHEEL_TICK_NS, ALL), 1);
}
END_TEST

START_TEST(never)
{
    start(5);
    wheel_set(&wheel, &objects[0].timer, UINT64_MAX);
    objects[0].armed = true;
    ck_assert_uint_eq(wheel_advance(&wheel, 1ull << 60, ALL), 0);
    ck_assert(wheel_timer_armed(&objects[0].timer));
    wheel_cancel(&wheel, &objects[0].timer);
    wheel_cancel(&wheel, &objects[0].timer);
    ck_assert_uint_eq(wheel_next(&wheel), UINT64_MAX);
}
END_TEST

/* A bounded advance goes on where it stopped, and forgets nothing. */
START_TEST(bounded)
{
    uint64_t now = 1000;
    uint32_t fired = 0;
    struct rng rng;

    rng_init_u64(&rng, 7, 7);
    start(now);
    for (uint32_t i = 0; i < TIMERS; i++)
        set(&objects[i], now + any_delay(&rng, 36), now);
    now += 1ull << 37;
    for (uint32_t i = 0; i < TIMERS; i++) {
        ck_assert_uint_le(wheel_next(&wheel), now);
        fired += wheel_advance(&wheel, now, 1);
    }
    ck_assert_uint_eq(fired, TIMERS);
    ck_assert_uint_eq(wheel_advance(&wheel, now, 1), 0);
    for (uint32_t i = 0; i < TIMERS; i++)
        ck_assert_uint_eq(objects[i].fired, 1);
}
END_TEST

static void again(struct wheel_timer *timer, uint64_t now)
{
    ((struct object *)timer)->fired++;
    wheel_set(&wheel, timer, now + 5 * WHEEL_TICK_NS);
}

static void cancel_neighbours(struct wheel_timer *timer, uint64_t now)
{
    struct object *object = (struct object *)timer;

    (void)now;
    object->fired++;
    wheel_cancel(&wheel, &object[-1].timer);
    wheel_cancel(&wheel, &object[1].timer);
}

/* A firing timer may set itself and cancel those that lie beside it in the same slot. */
START_TEST(from_inside)
{
    start(0);
    objects[0].timer.fire = again;
    objects[2].timer.fire = cancel_neighbours;
    objects[1].timer.fire = cancel_neighbours;
    objects[3].timer.fire = cancel_neighbours;
    wheel_set(&wheel, &objects[1].timer, 2000);
    wheel_set(&wheel, &objects[2].timer, 2000);
    wheel_set(&wheel, &objects[3].timer, 2000);
    wheel_advance(&wheel, 1ull << 20, ALL);
    ck_assert_uint_eq(objects[1].fired + objects[2].fired + objects[3].fired, 2);
    ck_assert_uint_eq(wheel.armed, 0);
    wheel_set(&wheel, &objects[0].timer, 1ull << 20);
    for (uint64_t now = 1ull << 20; now < 1ull << 21; now += WHEEL_TICK_NS)
        wheel_advance(&wheel, now, ALL);
    ck_assert_uint_eq(objects[0].fired, ((1u << 20) / WHEEL_TICK_NS + 4) / 5);
}
END_TEST

static void at_once(struct wheel_timer *timer, uint64_t now)
{
    ((struct object *)timer)->fired++;
    wheel_set(&wheel, timer, now);
}

/* One that is always due again holds an advance no longer than its bound. */
START_TEST(greedy)
{
    start(0);
    objects[0].timer.fire = at_once;
    wheel_set(&wheel, &objects[0].timer, 0);
    ck_assert_uint_eq(wheel_advance(&wheel, 5000, 100), 100);
    ck_assert_uint_eq(objects[0].fired, 100);
    wheel_cancel(&wheel, &objects[0].timer);
    ck_assert_uint_eq(wheel_advance(&wheel, 6000, 100), 0);
}
END_TEST

static void nothing_wrong(void)
{
    ck_assert_uint_eq(wrong, 0);
}

int main(void)
{
    Suite *suite = suite_create("wheel");
    TCase *tcase = tcase_create("wheel");
    SRunner *runner;
    int failed;

    tcase_add_checked_fixture(tcase, NULL, nothing_wrong);
    tcase_add_loop_test(tcase, like_a_list, 0, 6);
    tcase_add_loop_test(tcase, sleeper, 0, 15);
    tcase_add_test(tcase, passed_deadline_fires_at_next_advance);
    tcase_add_test(tcase, never);
    tcase_add_test(tcase, bounded);
    tcase_add_test(tcase, from_inside);
    tcase_add_test(tcase, greedy);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
