/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/governor.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define US      NSEC_PER_USEC
#define START   (1000 * NSEC_PER_SEC)
#define TURN_NS (20 * US)
#define TURNS   100000u
#define PPM     1000000u

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

static const struct quanta_config half = {
    .class = QUANTA_FIFO,
    .runtime_ns = 500 * US,
    .period_ns = 1000 * US,
};
static const struct budget half_of_cpu = {.runtime_ns = 500 * US, .period_ns = 1000 * US};
#define FIFO_REFUSED                                                                               \
    "; fifo refused: sched_setattr: EPERM, no sys_nice, or no real-time runtime in its cgroup"

static const struct quanta_habits sleeper = {.sleeps = true, .everywhere = true};
static const struct quanta_habits pinned = {.sleeps = false, .everywhere = false};
static const struct quanta_habits spinner = {.sleeps = false, .everywhere = true};

/* A kernel with one thread, in virtual time. */
static struct {
    uint64_t now, cpu_ns, bandwidth, alarm_ns;
    struct quanta_attr attr; /* as it was last set */
    uint32_t sets, guards, members, cpu, yields;
    uint64_t others_ns; /* what others use when they may go first */
    int refuses[7];     /* errno for each policy */
    int refuses_nice;   /* for a nice value below 0 */
    int refuses_join;
} kernel;

static uint64_t fake_now(void *arg)
{
    (void)arg;
    return kernel.now;
}

static int fake_self(void *arg)
{
    (void)arg;
    return 7;
}

static int fake_nice(void *arg)
{
    (void)arg;
    return 5;
}

static int fake_set(void *arg, int tid, const struct quanta_attr *attr)
{
    (void)arg;
    ck_assert_int_eq(tid, 7);
    if (kernel.refuses[attr->policy])
        return kernel.refuses[attr->policy];
    if (attr->nice < 0 && kernel.refuses_nice)
        return kernel.refuses_nice;
    kernel.attr = *attr;
    kernel.sets++;
    return 0;
}

static uint64_t fake_cpu_ns(void *arg, int tid)
{
    (void)arg;
    ck_assert_int_eq(tid, 7);
    return kernel.cpu_ns;
}

static uint32_t fake_cpu(void *arg)
{
    (void)arg;
    return kernel.cpu;
}

static uint64_t fake_bandwidth(void *arg)
{
    (void)arg;
    return kernel.bandwidth;
}

static int fake_join(void *arg, struct quanta *quanta)
{
    (void)arg;
    (void)quanta;
    if (!kernel.refuses_join)
        kernel.members++;
    return kernel.refuses_join;
}

static void fake_part(void *arg, struct quanta *quanta)
{
    (void)arg;
    (void)quanta;
    kernel.members--;
}

static int fake_alarm(void *arg, struct quanta *quanta, uint64_t at_ns)
{
    (void)arg;
    (void)quanta;
    kernel.alarm_ns = at_ns;
    return 0;
}

static void fake_guard(void *arg)
{
    (void)arg;
    kernel.guards++;
}

static struct quanta_ledger ledger;

static void fake_yield(void *arg)
{
    _Atomic uint64_t *paid = &ledger.cpus[kernel.cpu].paid_ns;
    uint64_t since = kernel.now;
    (void)arg;
    kernel.yields++;
    kernel.now += kernel.others_ns;
    atomic_store(paid, budget_charge(&half_of_cpu, atomic_load(paid), since, kernel.now));
}

static const struct quanta_system fake = {
    .now = fake_now,
    .self = fake_self,
    .nice = fake_nice,
    .set = fake_set,
    .cpu_ns = fake_cpu_ns,
    .cpu = fake_cpu,
    .yield = fake_yield,
    .bandwidth = fake_bandwidth,
    .join = fake_join,
    .part = fake_part,
    .alarm = fake_alarm,
    .guard = fake_guard,
    .ledger = &ledger,
};

static void setup(void)
{
    memset(&kernel, 0, sizeof(kernel));
    memset(&ledger, 0, sizeof(ledger));
    kernel.now = START;
    kernel.cpu = 3;
    kernel.bandwidth = 2 * PPM;
}

static struct quanta enter(enum quanta_class class, const struct quanta_habits *habits)
{
    struct quanta quanta;
    struct quanta_config config = half;
    config.class = class;
    quanta_enter(&quanta, &fake, &config, habits);
    return quanta;
}

static struct quanta_stats stats_of(const struct quanta *quanta)
{
    struct quanta_stats stats;
    quanta_read(quanta, &stats);
    return stats;
}

/* Time goes by: the thread has the CPU, and the governor does what it was asked for. */
static void pass(struct quanta *quanta, uint64_t ns)
{
    kernel.now += ns;
    kernel.cpu_ns += ns;
    if (kernel.alarm_ns && kernel.alarm_ns <= kernel.now) {
        kernel.alarm_ns = 0;
        governor_ring(quanta);
    }
}

/* ---- Which class ---- */

START_TEST(each_class_is_what_it_says)
{
    struct quanta quanta = enter(QUANTA_ORDINARY, &sleeper);
    ck_assert_uint_eq(kernel.sets, 0);
    quanta = enter(QUANTA_NICE, &sleeper);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_OTHER);
    ck_assert_int_eq(kernel.attr.nice, -20);
    quanta = enter(QUANTA_FIFO, &sleeper);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    ck_assert_uint_eq(kernel.members, 1);
    quanta_leave(&quanta);
    ck_assert_uint_eq(kernel.members, 0);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_OTHER);
    ck_assert_int_eq(kernel.attr.nice, 5);
    quanta = enter(QUANTA_DEADLINE, &sleeper);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_DEADLINE);
    ck_assert_uint_eq(kernel.attr.runtime_ns, 500 * US);
    ck_assert_uint_eq(kernel.attr.period_ns, 1000 * US);
    quanta_leave(&quanta);
    ck_assert(!quanta_is_refused(&(struct quanta_stats){0}));
}
END_TEST

START_TEST(auto_goes_by_habits)
{
    struct quanta quanta = enter(QUANTA_AUTO, &sleeper);
    ck_assert_int_eq(stats_of(&quanta).class, QUANTA_FIFO);
    quanta = enter(QUANTA_AUTO, &pinned);
    ck_assert_int_eq(stats_of(&quanta).class, QUANTA_FIFO);
    quanta = enter(QUANTA_AUTO, &spinner);
    ck_assert_int_eq(stats_of(&quanta).class, QUANTA_ORDINARY);
    ck_assert(!quanta_is_refused(&(struct quanta_stats){.class = QUANTA_ORDINARY}));
    quanta = enter(QUANTA_FIFO, &spinner);
    ck_assert_int_eq(stats_of(&quanta).class, QUANTA_FIFO);
}
END_TEST

static void expect_class(enum quanta_class wanted, const struct quanta_habits *habits,
                         enum quanta_class class, const char *reason)
{
    char text[QUANTA_TEXT_BYTES];
    struct quanta quanta = enter(wanted, habits);
    struct quanta_stats stats = stats_of(&quanta);
    ck_assert_str_eq(quanta_class_name(stats.class), quanta_class_name(class));
    ck_assert_str_eq(quanta_explain(&stats, text, sizeof(text)), reason);
    quanta_leave(&quanta);
    ck_assert_uint_eq(kernel.members, 0);
}

START_TEST(a_refusal_is_followed_by_the_next)
{
    expect_class(QUANTA_AUTO, &sleeper, QUANTA_FIFO, "auto: sleeps when idle");
    expect_class(QUANTA_AUTO, &pinned, QUANTA_FIFO, "auto: has CPUs of its own");
    expect_class(QUANTA_AUTO, &spinner, QUANTA_ORDINARY,
                 "auto: never sleeps, and has no CPUs of its own");
    kernel.refuses[SCHED_FIFO] = -EPERM;
    expect_class(QUANTA_FIFO, &sleeper, QUANTA_DEADLINE, "configured: fifo" FIFO_REFUSED);
    expect_class(QUANTA_FIFO, &pinned, QUANTA_NICE, "configured: fifo" FIFO_REFUSED);
    kernel.refuses[SCHED_DEADLINE] = -EPERM;
    kernel.refuses_nice = -EACCES;
    expect_class(QUANTA_AUTO, &sleeper, QUANTA_ORDINARY,
                 "auto: sleeps when idle" FIFO_REFUSED
                 "; deadline refused: sched_setattr: EPERM, no sys_nice, or not all CPUs"
                 "; nice refused: sched_setattr: EACCES, no sys_nice");
    kernel.refuses[SCHED_FIFO] = 0;
    kernel.refuses[SCHED_DEADLINE] = -EBUSY;
    expect_class(QUANTA_DEADLINE, &sleeper, QUANTA_FIFO,
                 "configured: deadline; deadline refused: sched_setattr: EBUSY, the kernel has "
                 "given it to others");
}
END_TEST

START_TEST(a_class_that_cannot_step_back_is_refused)
{
    kernel.refuses[SCHED_IDLE] = -EPERM;
    expect_class(QUANTA_FIFO, &pinned, QUANTA_NICE, "configured: fifo" FIFO_REFUSED);
    kernel.refuses[SCHED_IDLE] = 0;
    kernel.refuses_join = -EMFILE;
    expect_class(QUANTA_FIFO, &pinned, QUANTA_NICE,
                 "configured: fifo; fifo refused: its governor: EMFILE, Too many open files");
}
END_TEST

/* Two CPUs, each 100 %, of which this process takes half unless it is told another part. */
START_TEST(deadlines_leave_room_for_the_next_daemon)
{
    struct quanta first = enter(QUANTA_DEADLINE, &sleeper);
    struct quanta second = enter(QUANTA_DEADLINE, &sleeper);
    struct quanta third = enter(QUANTA_DEADLINE, &sleeper);
    struct quanta_config config = half;
    ck_assert_int_eq(stats_of(&first).class, QUANTA_DEADLINE);
    ck_assert_int_eq(stats_of(&second).class, QUANTA_DEADLINE);
    ck_assert_int_eq(stats_of(&third).class, QUANTA_FIFO);
    ck_assert_int_eq(stats_of(&third).refused[QUANTA_DEADLINE].error, -EDQUOT);
    quanta_leave(&first);
    third = enter(QUANTA_DEADLINE, &sleeper);
    ck_assert_int_eq(stats_of(&third).class, QUANTA_DEADLINE);
    config.class = QUANTA_DEADLINE;
    config.deadline_ppm = 3 * PPM / 4;
    quanta_enter(&first, &fake, &config, &sleeper);
    ck_assert_int_eq(stats_of(&first).class, QUANTA_DEADLINE);
    quanta_leave(&first);
    quanta_leave(&second);
    quanta_leave(&third);
}
END_TEST

START_TEST(shares_that_make_no_sense_are_refused)
{
    static const struct {
        uint64_t runtime, period;
        const char *word;
    } bad[] = {
        {50 * US, 99 * US, "at least 100us"}, {50 * US, 101 * NSEC_PER_MSEC, "at most 100ms"},
        {9 * US, 100 * US, "at least 10us"},  {100 * US, 100 * US, "leaves"},
        {91 * US, 100 * US, "leaves"},        {2000 * US, 0, "leaves"}, /* of the default period */
    };
    const char *why;
    ck_assert_int_eq(quanta_check(&(struct quanta_config){0}, &why), 0);
    ck_assert_int_eq(quanta_check(&half, &why), 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct quanta_config config = {.runtime_ns = bad[i].runtime,
                                             .period_ns = bad[i].period};
        ck_assert_int_eq(quanta_check(&config, &why), -EINVAL);
        ck_assert_ptr_nonnull(strstr(why, bad[i].word));
    }
}
END_TEST

/* ---- Its budget ---- */

START_TEST(a_spinner_has_its_share)
{
    struct quanta quanta = enter(QUANTA_FIFO, &pinned);
    uint64_t high = 0;
    for (uint32_t i = 0; i < TURNS; i++) {
        if (kernel.attr.policy == SCHED_FIFO)
            high += TURN_NS;
        pass(&quanta, TURN_NS);
        quanta_turn(&quanta, kernel.now);
    }
    ck_assert_double_le((double)high / (double)(kernel.now - START), 0.501);
    ck_assert_double_ge((double)high / (double)(kernel.now - START), 0.47);
    ck_assert_uint_ge(stats_of(&quanta).demotions, TURNS * TURN_NS / (1100 * US));
    ck_assert_uint_le(stats_of(&quanta).used_ns, high);
    quanta_leave(&quanta);
}
END_TEST

START_TEST(sleep_is_not_used)
{
    struct quanta quanta = enter(QUANTA_FIFO, &sleeper);
    for (uint32_t i = 0; i < TURNS; i++) {
        pass(&quanta, 400 * US);
        quanta_turn(&quanta, kernel.now);
        quanta_rest(&quanta, kernel.now);
        kernel.now += 600 * US;
        quanta_wake(&quanta, kernel.now);
    }
    ck_assert_uint_eq(stats_of(&quanta).demotions, 0);
    ck_assert_uint_eq(stats_of(&quanta).used_ns, TURNS * 400 * US);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    quanta_leave(&quanta);
}
END_TEST

START_TEST(who_sleeps_while_low_is_raised_all_the_same)
{
    struct quanta quanta = enter(QUANTA_FIFO, &sleeper);
    pass(&quanta, 500 * US);
    quanta_turn(&quanta, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    ck_assert_uint_eq(kernel.alarm_ns, START + 1000 * US);
    quanta_rest(&quanta, kernel.now);
    kernel.now += 100 * US;
    quanta_wake(&quanta, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    quanta_rest(&quanta, kernel.now);
    kernel.now += 390 * US;
    pass(&quanta, 10 * US);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    quanta_wake(&quanta, kernel.now);
    quanta_turn(&quanta, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    ck_assert_uint_eq(stats_of(&quanta).demotions, 1);
    quanta_leave(&quanta);
}
END_TEST

/* Another thread has used this CPU's: whoever comes next finds nothing left. */
START_TEST(a_budget_is_the_cpus)
{
    struct quanta first = enter(QUANTA_FIFO, &pinned), second;
    pass(&first, 500 * US);
    quanta_turn(&first, kernel.now);
    second = enter(QUANTA_FIFO, &pinned);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    ck_assert_uint_eq(stats_of(&second).demotions, 1);
    ck_assert_uint_eq(atomic_load(&second.low_until_ns), START + 1000 * US);
}
END_TEST

/* Who was raised first in a period would use all of it, and the other one what is left. */
START_TEST(who_meets_another_uses_half_at_a_time)
{
    struct quanta first = enter(QUANTA_FIFO, &pinned), second = enter(QUANTA_FIFO, &sleeper);
    ck_assert_uint_eq(stats_of(&second).demotions, 0);
    quanta_turn(&first, kernel.now);
    pass(&first, 500 * US); /* it began alone */
    quanta_turn(&first, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    pass(&first, 500 * US);
    quanta_turn(&first, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    ck_assert_uint_eq(kernel.yields, 0);
    pass(&first, 240 * US);
    quanta_turn(&first, kernel.now);
    ck_assert_uint_eq(kernel.yields, 0);
    kernel.others_ns = 100 * US;
    pass(&first, 10 * US);
    quanta_turn(&first, kernel.now);
    ck_assert_uint_eq(kernel.yields, 1);
    /* What the other one left is its again, and no more; the time it waited is not its. */
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    ck_assert_uint_eq(stats_of(&first).used_ns, 750 * US);
    pass(&first, 150 * US);
    quanta_turn(&first, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    ck_assert_uint_eq(kernel.yields, 1);
    quanta_leave(&second);
    quanta_leave(&first);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[3].awake), 0);
}
END_TEST

START_TEST(who_sleeps_wants_no_part)
{
    struct quanta first, second = enter(QUANTA_FIFO, &sleeper);
    quanta_rest(&second, kernel.now);
    first = enter(QUANTA_FIFO, &pinned);
    pass(&first, 250 * US);
    quanta_turn(&first, kernel.now);
    ck_assert_uint_eq(kernel.yields, 0);
    quanta_leave(&second);
    quanta_leave(&first);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[3].awake), 0);
}
END_TEST

START_TEST(a_move_is_charged_where_it_was)
{
    struct quanta quanta = enter(QUANTA_FIFO, &sleeper);
    pass(&quanta, 200 * US);
    kernel.cpu = 4;
    quanta_turn(&quanta, kernel.now);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[3].paid_ns), START + 400 * US);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[4].paid_ns), 0);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[3].awake), 0);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[4].awake), 1);
    /* There it has a whole budget, which it is charged there. */
    pass(&quanta, 480 * US);
    quanta_turn(&quanta, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    quanta_rest(&quanta, kernel.now);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[3].paid_ns), START + 400 * US);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[4].paid_ns), START + 200 * US + 960 * US);
    quanta_leave(&quanta);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[4].awake), 0);
}
END_TEST

/* Its alarm is set, and nobody else raises it. */
START_TEST(who_moves_while_low_stays_low)
{
    struct quanta quanta = enter(QUANTA_FIFO, &pinned);
    pass(&quanta, 500 * US);
    quanta_turn(&quanta, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    kernel.cpu = 4;
    pass(&quanta, 100 * US);
    quanta_turn(&quanta, kernel.now);
    ck_assert_uint_eq(atomic_load(&quanta.low_until_ns), START + 1000 * US);
    pass(&quanta, 400 * US);
    quanta_turn(&quanta, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    ck_assert_uint_eq(atomic_load(&quanta.low_until_ns), 0);
    ck_assert_uint_eq(atomic_load(&ledger.cpus[4].paid_ns), 0);
    quanta_leave(&quanta);
}
END_TEST

START_TEST(turns_between_cost_no_system_call)
{
    struct quanta quanta = enter(QUANTA_FIFO, &pinned);
    uint32_t sets = kernel.sets;
    for (uint32_t i = 0; i < 24; i++) {
        pass(&quanta, TURN_NS);
        quanta_turn(&quanta, kernel.now);
    }
    ck_assert_uint_eq(kernel.sets, sets);
    ck_assert_uint_eq(kernel.guards, 1);
    quanta_leave(&quanta);
}
END_TEST

START_TEST(share_lately_is_of_cpu_time)
{
    struct quanta quanta = enter(QUANTA_ORDINARY, &sleeper);
    for (uint32_t i = 0; i < 3000; i++) {
        kernel.now += 1000 * US;
        kernel.cpu_ns += 250 * US;
        quanta_turn(&quanta, kernel.now);
    }
    ck_assert_uint_eq(stats_of(&quanta).used_ppm, PPM / 4);
    ck_assert_uint_eq(stats_of(&quanta).share_ppm, 0);
    /* It sleeps, and nothing looks any more. */
    kernel.now += 9 * NSEC_PER_SEC;
    ck_assert_uint_lt(stats_of(&quanta).used_ppm, PPM / 10);
}
END_TEST

/* ---- The governor ---- */

static bool watch_after(struct quanta *quanta, uint64_t ns, uint64_t cpu_ns)
{
    kernel.now += ns;
    kernel.cpu_ns += cpu_ns;
    return governor_watch(quanta, kernel.now);
}

/* Much time in many short pieces, each look finding it asleep; then one finds it just woken. */
START_TEST(who_mostly_sleeps_does_not_hang)
{
    struct quanta quanta = enter(QUANTA_FIFO, &pinned);

    quanta_turn(&quanta, kernel.now);
    for (uint32_t i = 0; i < 20; i++) {
        quanta_rest(&quanta, kernel.now);
        ck_assert(!watch_after(&quanta, GOVERNOR_GUARD_NS, GOVERNOR_GUARD_NS / 10));
        quanta_wake(&quanta, kernel.now);
        quanta_turn(&quanta, kernel.now);
    }
    quanta_rest(&quanta, kernel.now);
    ck_assert(!watch_after(&quanta, GOVERNOR_GUARD_NS, GOVERNOR_GUARD_NS / 10));
    quanta_wake(&quanta, kernel.now);
    ck_assert(watch_after(&quanta, GOVERNOR_GUARD_NS, GOVERNOR_GUARD_NS / 10));
    ck_assert_uint_eq(stats_of(&quanta).overruns, 0);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
}
END_TEST

START_TEST(a_hung_turn_is_put_back_until_it_comes_round)
{
    struct quanta quanta = enter(QUANTA_FIFO, &pinned);
    quanta_turn(&quanta, kernel.now);
    ck_assert(watch_after(&quanta, GOVERNOR_GUARD_NS, GOVERNOR_GUARD_NS));
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    ck_assert(watch_after(&quanta, GOVERNOR_GUARD_NS, GOVERNOR_GUARD_NS));
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    ck_assert_uint_eq(stats_of(&quanta).overruns, 1);
    governor_ring(&quanta);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    watch_after(&quanta, GOVERNOR_GUARD_NS, GOVERNOR_GUARD_NS);
    ck_assert_uint_eq(stats_of(&quanta).overruns, 1);
    quanta_turn(&quanta, kernel.now);
    pass(&quanta, GOVERNOR_GUARD_NS + NSEC_PER_SEC);
    quanta_turn(&quanta, kernel.now);
    kernel.now = atomic_load(&quanta.low_until_ns);
    watch_after(&quanta, 0, 0);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    quanta_leave(&quanta);
}
END_TEST

START_TEST(who_waits_in_the_kernel_does_not_hang)
{
    struct quanta quanta = enter(QUANTA_FIFO, &pinned);
    for (uint32_t i = 0; i < 100; i++)
        ck_assert(watch_after(&quanta, GOVERNOR_GUARD_NS, US));
    ck_assert_uint_eq(stats_of(&quanta).overruns, 0);
    quanta_leave(&quanta);
}
END_TEST

START_TEST(who_is_low_does_not_hang)
{
    struct quanta quanta = enter(QUANTA_FIFO, &pinned);
    pass(&quanta, 500 * US);
    quanta_turn(&quanta, kernel.now);
    for (uint32_t i = 0; i < 10; i++)
        ck_assert(watch_after(&quanta, US, GOVERNOR_GUARD_NS));
    ck_assert_uint_eq(stats_of(&quanta).overruns, 0);
    quanta_leave(&quanta);
}
END_TEST

START_TEST(who_sleeps_is_not_looked_after)
{
    struct quanta quanta = enter(QUANTA_FIFO, &sleeper);
    quanta_rest(&quanta, kernel.now);
    ck_assert(!watch_after(&quanta, GOVERNOR_GUARD_NS, 0));
    quanta_wake(&quanta, kernel.now);
    ck_assert_uint_eq(kernel.guards, 2);
    ck_assert(watch_after(&quanta, GOVERNOR_GUARD_NS, 0));
    quanta_leave(&quanta);
}
END_TEST

/* As when it was moved into a cgroup without real time. */
START_TEST(a_class_that_is_lost_leaves_an_ordinary_thread)
{
    char text[QUANTA_TEXT_BYTES];
    struct quanta_stats stats;
    struct quanta quanta = enter(QUANTA_FIFO, &pinned);
    pass(&quanta, 500 * US);
    quanta_turn(&quanta, kernel.now);
    kernel.refuses[SCHED_FIFO] = -EPERM;
    kernel.refuses_nice = -EPERM;
    pass(&quanta, 600 * US);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_OTHER);
    for (uint32_t i = 0; i < 1000; i++) {
        pass(&quanta, TURN_NS);
        quanta_turn(&quanta, kernel.now);
    }
    ck_assert_uint_eq(kernel.attr.policy, SCHED_OTHER);
    ck_assert(!watch_after(&quanta, GOVERNOR_GUARD_NS, GOVERNOR_GUARD_NS));
    stats = stats_of(&quanta);
    ck_assert_int_eq(stats.class, QUANTA_ORDINARY);
    ck_assert(quanta_is_refused(&stats));
    ck_assert_str_eq(quanta_explain(&stats, text, sizeof(text)),
                     "configured: fifo; fifo lost: EPERM, no sys_nice, or no real-time runtime in "
                     "its cgroup");
    ck_assert_str_eq(quanta_explain(&stats, text, 17), "configured: fifo");
    quanta_leave(&quanta);
    ck_assert_uint_eq(kernel.members, 0);
}
END_TEST

/* It was held up between its alarm and its step back: the alarm has gone off. */
static int late_set(void *arg, int tid, const struct quanta_attr *attr)
{
    if (attr->policy == SCHED_IDLE && kernel.alarm_ns) {
        kernel.now = kernel.alarm_ns + US;
        kernel.alarm_ns = 0;
    }
    return fake_set(arg, tid, attr);
}

START_TEST(an_alarm_that_came_too_early_comes_again)
{
    struct quanta_system system = fake;
    struct quanta quanta;
    system.set = late_set;
    quanta_enter(&quanta, &system, &half, &pinned);
    pass(&quanta, 500 * US);
    quanta_turn(&quanta, kernel.now);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_IDLE);
    pass(&quanta, US);
    ck_assert_uint_eq(kernel.attr.policy, SCHED_FIFO);
    quanta_leave(&quanta);
}
END_TEST

static void add_all(TCase *tcase)
{
    tcase_add_test(tcase, each_class_is_what_it_says);
    tcase_add_test(tcase, auto_goes_by_habits);
    tcase_add_test(tcase, a_refusal_is_followed_by_the_next);
    tcase_add_test(tcase, a_class_that_cannot_step_back_is_refused);
    tcase_add_test(tcase, deadlines_leave_room_for_the_next_daemon);
    tcase_add_test(tcase, shares_that_make_no_sense_are_refused);
    tcase_add_test(tcase, a_spinner_has_its_share);
    tcase_add_test(tcase, sleep_is_not_used);
    tcase_add_test(tcase, who_sleeps_while_low_is_raised_all_the_same);
    tcase_add_test(tcase, a_budget_is_the_cpus);
    tcase_add_test(tcase, who_meets_another_uses_half_at_a_time);
    tcase_add_test(tcase, who_sleeps_wants_no_part);
    tcase_add_test(tcase, a_move_is_charged_where_it_was);
    tcase_add_test(tcase, who_moves_while_low_stays_low);
    tcase_add_test(tcase, turns_between_cost_no_system_call);
    tcase_add_test(tcase, share_lately_is_of_cpu_time);
    tcase_add_test(tcase, who_mostly_sleeps_does_not_hang);
    tcase_add_test(tcase, a_hung_turn_is_put_back_until_it_comes_round);
    tcase_add_test(tcase, who_waits_in_the_kernel_does_not_hang);
    tcase_add_test(tcase, who_is_low_does_not_hang);
    tcase_add_test(tcase, who_sleeps_is_not_looked_after);
    tcase_add_test(tcase, a_class_that_is_lost_leaves_an_ordinary_thread);
    tcase_add_test(tcase, an_alarm_that_came_too_early_comes_again);
}

int main(void)
{
    Suite *suite = suite_create("quanta");
    TCase *tcase = tcase_create("quanta");
    tcase_add_checked_fixture(tcase, setup, NULL);
    add_all(tcase);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
