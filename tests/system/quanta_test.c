/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * MicroQuanta on the real kernel, as root:
 *
 *      CPU 0                  any CPU
 *      +------------------+   +--------------------+
 *      | spinner: engine  |   | governor           |
 *      | hogs: ordinary   |   | the test, sleeping |
 *      +------------------+   +--------------------+
 *
 * What is asserted is how much CPU time a thread had of the time that went by, in the same run and
 * with a margin: a thread before ordinary tasks gets its share whatever else the machine does. The
 * runs end when a hog has had its time, however long that takes.
 */
#include "sched/group.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define HOGS_MAX 4u
#define HOG_NS   (300 * NSEC_PER_MSEC)  /* CPU time until a hog has enough */
#define LOST_NS  (1500 * NSEC_PER_MSEC) /* of a spinner's: by then a hog is starving */
#define HALF     0.5
#define MARGIN   0.12 /* of a CPU */
#define ANYWHERE UINT32_MAX
#define HANG_NS  (5 * NSEC_PER_SEC) /* of CPU time: nobody has put an end to it */

static const struct quanta_config half = {
    .class = QUANTA_FIFO,
    .runtime_ns = 500 * NSEC_PER_USEC,
    .period_ns = NSEC_PER_MSEC,
};

static uint64_t cpu_of(int tid)
{
    return quanta_system.cpu_ns(NULL, tid);
}

/* ---- Threads ---- */

struct spinner {
    pthread_t thread;
    struct quanta quanta;
    const struct quanta_system *system;
    struct quanta_config config;
    uint32_t cpu;
    _Atomic bool ready, stop;
    bool hangs;
    _Atomic bool hung; /* and came round */
};

struct hog {
    pthread_t thread;
    uint32_t cpu;
    _Atomic int tid;
    _Atomic bool stop;
};

static void pin(uint32_t cpu)
{
    cpu_set_t cpus;
    if (cpu == ANYWHERE)
        return;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    ck_assert_int_eq(pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus), 0);
}

static void hang(struct spinner *spinner)
{
    uint64_t begin = cpu_of(0);
    while (!atomic_load(&spinner->quanta.overruns) && cpu_of(0) - begin < HANG_NS)
        ;
    atomic_store(&spinner->hung, true);
}

static void *spin(void *argument)
{
    struct spinner *spinner = argument;
    const struct quanta_habits habits = {.sleeps = spinner->cpu == ANYWHERE};
    pin(spinner->cpu);
    quanta_enter(&spinner->quanta, spinner->system, &spinner->config, &habits);
    atomic_store(&spinner->ready, true);
    if (spinner->hangs)
        hang(spinner);
    while (!atomic_load(&spinner->stop))
        quanta_turn(&spinner->quanta, clock_now(&clock_machine));
    quanta_leave(&spinner->quanta);
    return NULL;
}

static void start_spinner(struct spinner *spinner, uint32_t cpu, const struct quanta_system *system)
{
    spinner->cpu = cpu;
    spinner->system = system;
    ck_assert_int_eq(pthread_create(&spinner->thread, NULL, spin, spinner), 0);
    while (!atomic_load(&spinner->ready))
        usleep(1000);
}

static struct quanta_stats stop_spinner(struct spinner *spinner)
{
    struct quanta_stats stats;
    quanta_read(&spinner->quanta, &stats);
    atomic_store(&spinner->stop, true);
    pthread_join(spinner->thread, NULL);
    return stats;
}

static void *gobble(void *argument)
{
    struct hog *hog = argument;
    pin(hog->cpu);
    atomic_store(&hog->tid, gettid());
    while (!atomic_load(&hog->stop))
        ;
    return NULL;
}

static void start_hogs(struct hog *hogs, uint32_t count, uint32_t cpus)
{
    for (uint32_t i = 0; i < count; i++) {
        hogs[i].cpu = i % cpus;
        ck_assert_int_eq(pthread_create(&hogs[i].thread, NULL, gobble, &hogs[i]), 0);
        while (!atomic_load(&hogs[i].tid))
            usleep(1000);
    }
}

static void stop_hogs(struct hog *hogs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        atomic_store(&hogs[i].stop, true);
    for (uint32_t i = 0; i < count; i++)
        pthread_join(hogs[i].thread, NULL);
}

/* ---- How much each had ---- */

struct look {
    uint64_t wall, spinner, hogs;
};

static struct look look_at(const struct spinner *spinner, const struct hog *hogs, uint32_t count)
{
    struct look look = {clock_now(&clock_machine), cpu_of(spinner->quanta.tid), 0};
    for (uint32_t i = 0; i < count; i++)
        look.hogs += cpu_of(atomic_load(&hogs[i].tid));
    return look;
}

/* What part of the time the spinner had, until hogs have had theirs or cannot get it. */
static double share_beside(const struct spinner *spinner, const struct hog *hogs, uint32_t count)
{
    const struct look begin = look_at(spinner, hogs, count);
    struct look now;
    do {
        usleep(10000);
        now = look_at(spinner, hogs, count);
    } while (now.hogs - begin.hogs < HOG_NS && now.spinner - begin.spinner < LOST_NS);
    return (double)(now.spinner - begin.spinner) / (double)(now.wall - begin.wall);
}

static double run_beside_hogs(const struct quanta_system *system,
                              const struct quanta_config *config, uint32_t count,
                              struct quanta_stats *stats)
{
    struct spinner spinner = {.config = *config};
    struct hog hogs[HOGS_MAX] = {0};
    double share;
    start_spinner(&spinner, 0, system);
    start_hogs(hogs, count, 1);
    share = share_beside(&spinner, hogs, count);
    stop_hogs(hogs, count);
    *stats = stop_spinner(&spinner);
    ck_assert_int_eq(stats->class, config->class);
    return share;
}

START_TEST(hogs_keep_the_rest)
{
    struct quanta_stats stats;
    double share = run_beside_hogs(&quanta_system, &half, 1, &stats);
    ck_assert_double_le(share, HALF + MARGIN);
    ck_assert_uint_gt(stats.demotions, 0);
}
END_TEST

START_TEST(share_is_kept_beside_hogs)
{
    struct quanta_stats stats;
    double share = run_beside_hogs(&quanta_system, &half, HOGS_MAX, &stats);
    ck_assert_double_ge(share, HALF - 2 * MARGIN);
}
END_TEST

static int no_alarm(void *arg, struct quanta *quanta, uint64_t at_ns)
{
    (void)arg;
    (void)quanta;
    (void)at_ns;
    return -ENOSYS;
}

static int deaf_alarm(void *arg, struct quanta *quanta, uint64_t at_ns)
{
    (void)arg;
    (void)quanta;
    (void)at_ns;
    return 0;
}

/* What the two tests above are worth: a thread that never steps back takes everything, and one
 * that nobody raises gets nothing. */
START_TEST(without_governor_one_of_them_starves)
{
    struct quanta_system system = quanta_system;
    struct quanta_stats stats;
    double share;
    system.alarm = no_alarm;
    share = run_beside_hogs(&system, &half, 1, &stats);
    ck_assert_double_gt(share, HALF + MARGIN);
    system.alarm = deaf_alarm;
    share = run_beside_hogs(&system, &half, HOGS_MAX, &stats);
    ck_assert_double_lt(share, HALF - 2 * MARGIN);
}
END_TEST

/* Each alone would have half: with a budget of its own for each, nothing would be left. */
START_TEST(two_on_one_cpu_share_its_budget)
{
    struct spinner spinners[2] = {{.config = half}, {.config = half}};
    struct hog hog = {0};
    uint64_t wall_ns, other_ns;
    double share, other;
    for (uint32_t i = 0; i < 2; i++)
        start_spinner(&spinners[i], 0, &quanta_system);
    start_hogs(&hog, 1, 1);
    wall_ns = clock_now(&clock_machine);
    other_ns = cpu_of(spinners[1].quanta.tid);
    share = share_beside(&spinners[0], &hog, 1);
    wall_ns = clock_now(&clock_machine) - wall_ns;
    other_ns = cpu_of(spinners[1].quanta.tid) - other_ns;
    stop_hogs(&hog, 1);
    stop_spinner(&spinners[0]);
    stop_spinner(&spinners[1]);
    other = (double)other_ns / (double)wall_ns;
    ck_assert_double_le(share + other, HALF + 2 * MARGIN);
    /* And evenly: neither has more than the budget's half and some. */
    ck_assert_double_le(share, (share + other) * (HALF + MARGIN));
    ck_assert_double_le(other, (share + other) * (HALF + MARGIN));
}
END_TEST

/* The kernel's own reservation, for a thread that may run anywhere, with a hog on each CPU. */
START_TEST(deadline_is_kept_by_the_kernel)
{
    struct spinner spinner = {.config = half};
    struct hog hogs[HOGS_MAX] = {0};
    uint32_t cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    double share;
    cpus = cpus < HOGS_MAX ? cpus : HOGS_MAX;
    spinner.config.class = QUANTA_DEADLINE;
    start_spinner(&spinner, ANYWHERE, &quanta_system);
    start_hogs(hogs, cpus, cpus);
    share = share_beside(&spinner, hogs, cpus);
    stop_hogs(hogs, cpus);
    ck_assert_int_eq(stop_spinner(&spinner).class, QUANTA_DEADLINE);
    ck_assert_double_le(share, HALF + MARGIN);
    ck_assert_double_ge(share, HALF - 2 * MARGIN);
}
END_TEST

static enum quanta_class class_of(struct group *group)
{
    struct group_thread_stats stats = {0};
    ck_assert_uint_eq(group_threads(group, &stats, 1), 1);
    return stats.quanta.class;
}

/* What a daemon takes is not enough for both the threads that go and those that come. */
START_TEST(reservations_outlive_their_threads)
{
    struct group_config config = {
        .name = "g", .threads = 1, .quanta = {.class = QUANTA_DEADLINE}, .idle_ns = NSEC_PER_MSEC};
    const struct group_mode *const modes[] = {&group_mode_compacting, &group_mode_dedicated};
    struct group *group = NULL;
    uint64_t cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    config.mode = modes[0];
    config.quanta.deadline_ppm = (uint32_t)(1000000 / cpus); /* one thread's */
    ck_assert_int_eq(group_create(&group, &config), 0);
    ck_assert_int_eq(class_of(group), QUANTA_DEADLINE);
    for (uint32_t i = 1; i < 5; i++) {
        config.mode = modes[i % 2];
        ck_assert_int_eq(group_configure(group, &config), 0);
        ck_assert_int_eq(class_of(group), QUANTA_DEADLINE);
    }
    group_destroy(group);
}
END_TEST

START_TEST(hung_turn_is_put_back)
{
    struct spinner spinner = {.config = half, .hangs = true};
    struct hog hog = {0};
    struct quanta_stats stats;
    start_spinner(&spinner, 0, &quanta_system);
    start_hogs(&hog, 1, 1);
    while (!atomic_load(&spinner.hung))
        usleep(1000);
    quanta_read(&spinner.quanta, &stats);
    ck_assert_uint_ge(stats.overruns, 1);
    /* It came round: it has its share again. */
    double share = share_beside(&spinner, &hog, 1);
    ck_assert_double_ge(share, HALF - 2 * MARGIN);
    stop_hogs(&hog, 1);
    stop_spinner(&spinner);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quanta");
    TCase *tcase = tcase_create("kernel");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, hogs_keep_the_rest);
    tcase_add_test(tcase, share_is_kept_beside_hogs);
    tcase_add_test(tcase, without_governor_one_of_them_starves);
    tcase_add_test(tcase, two_on_one_cpu_share_its_budget);
    tcase_add_test(tcase, deadline_is_kept_by_the_kernel);
    tcase_add_test(tcase, reservations_outlive_their_threads);
    tcase_add_test(tcase, hung_turn_is_put_back);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
