/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The kernel's engine as the rest of a port that a shaper has, both real, in virtual time. */
#include "engines/kernel/kernel.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/shaper/bed.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define PACKETS 4096u
#define SECOND  NSEC_PER_SEC
#define MBIT    125000ull /* bytes per second of a megabit per second */
#define BURST   16384u
#define MEMBERS 2u
#define RATE    4ull /* Mbit/s of the kernel */
#define FASTER  20ull

/* Classes of what the kernel sends, and of session 1; the latter's rule would be met by any packet
 * of DSCP 0, so the kernel's must not be taken for one. */
static struct shape_class classes[] = {
    {.name = "one", .weight = 1},
    {.name = "kernel", .rate = RATE * MBIT, .burst = BURST, .weight = 1},
};
static const struct shape_rule rules[] = {
    {.entry = 0, .has_dscp = true, .dscp = 0},
    {.entry = 0, .has_session = true, .session = 1},
    {.entry = 1, .has_kernel = true},
};
static const struct shape policy = {classes, 2, rules, 3};

/* The kernel's side, which has a packet whenever it is asked. */
static struct port host;
static bool silent;
static uint64_t number; /* of the last packet */
static struct engine *engine;
static bool asleep;
static uint64_t due;   /* when it wakes by itself */
static uint32_t turns; /* it was given */

static uint16_t rx_burst(struct port *port, struct rte_mbuf **packets, uint16_t max, uint64_t at)
{
    (void)port;
    (void)at;
    for (uint16_t i = 0; i < max && !silent; i++) {
        packets[i] = rte_pktmbuf_alloc(bed.pool);
        ck_assert_ptr_nonnull(packets[i]);
        memset(rte_pktmbuf_append(packets[i], BED_FRAME), 0, BED_FRAME);
        number++;
        memcpy(rte_pktmbuf_mtod_offset(packets[i], void *, 64), &number, sizeof(number));
    }
    return silent ? 0 : max;
}

static uint16_t tx_room(struct port *port)
{
    (void)port;
    return UINT16_MAX;
}

static int arm(struct port *port)
{
    (void)port;
    return !silent;
}

static const struct port_ops host_ops = {.rx_burst = rx_burst, .tx_room = tx_room, .arm = arm};

static void setup(void)
{
    struct kernel_config config = {.kernel = &host};

    silent = asleep = false;
    number = turns = 0;
    classes[1].rate = RATE * MBIT;
    bed_make_with_rest(&policy, MEMBERS, PACKETS);
    host = (struct port){.ops = &host_ops, .pool = bed.pool, .wake_fd = -1};
    config.wire = shaping_port(bed.shaping, MEMBERS);
    ck_assert_int_eq(kernel_create(&engine, "host", &config, &bed_clock), 0);
}

static void teardown(void)
{
    engine->ops->destroy(engine);
    bed_end();
}

/* As a group's thread would: only when the engine is woken, or its time has come; says whether. */
static bool turn(void)
{
    struct epoll_event event;

    if (asleep) {
        if (epoll_wait(engine->epoll_fd, &event, 1, 0) == 0 && bed.now < due)
            return false;
        engine->ops->disarm(engine);
    }
    turns++;
    engine->ops->run(engine, bed.now, SECOND);
    due = engine->ops->arm(engine, bed.now);
    asleep = due != 0;
    return true;
}

/* Lets time pass, from one event to the next. */
static void run_for(uint64_t ns)
{
    uint64_t until = bed.now + ns;

    while (bed.now < until) {
        uint64_t next;

        turn();
        bed_step();
        if (turn())
            continue;
        next = bed.engine->ops->arm(bed.engine, bed.now);
        if (next == 0)
            continue;
        bed.engine->ops->disarm(bed.engine);
        bed.now = RTE_MIN(RTE_MIN(next, due), until);
    }
}

static struct tree_view view_of(const char *name)
{
    const struct tree *tree = shaping_tree(bed.shaping);
    struct tree_view view;

    for (uint16_t i = 0; i < tree_places(tree); i++) {
        tree_view(tree, i, &view);
        if (!strcmp(view.class.name, name))
            return view;
    }
    ck_abort_msg("no class %s", name);
    return view;
}

static void is_rate(uint64_t bytes, uint64_t mbit, uint64_t ns)
{
    double rate = (double)bytes / (double)MBIT * (double)SECOND / (double)ns;

    ck_assert_msg(fabs(rate - (double)mbit) <= (double)mbit * 0.02, "%f instead of %llu", rate,
                  (unsigned long long)mbit);
}

START_TEST(what_the_kernel_sends_has_its_class)
{
    uint64_t packets;

    run_for(SECOND); /* the burst is spent */
    bed_count();
    turns = 0;
    packets = bed.order;
    run_for(SECOND);
    packets = bed.order - packets;
    is_rate(bed.sessions[0].bytes, RATE, SECOND);
    ck_assert_uint_eq(view_of("kernel").packets, bed.order);
    ck_assert_uint_eq(view_of("one").packets, 0);
    ck_assert_uint_eq(view_of("control").packets, 0);
    /* What may not leave waits in the kernel, and nobody looks at it meanwhile. */
    ck_assert_uint_le(number, bed.order + view_of("kernel").quota);
    ck_assert_uint_le(turns, 3 * packets);
    /* It is held up, nobody else is. */
    bed.sessions[1].frame = BED_FRAME;
    ck_assert(bed_give(1));
    bed_step();
    ck_assert_uint_eq(bed.sessions[1].sent, 1);
    silent = true;
    run_for(SECOND);
    ck_assert_uint_eq(bed.order, number + 1);
}
END_TEST

static void *replace(void *arg)
{
    *(int *)arg = shaping_replace(bed.shaping, bed.engine, &policy, 10 * SECOND);
    return NULL;
}

/* The rest goes over to another policy as every member does, also asleep: else it could not be
 * changed again. */
START_TEST(it_goes_over_to_another_policy)
{
    struct port *member = shaping_port(bed.shaping, 0), *other = shaping_port(bed.shaping, 1);

    run_for(SECOND);
    classes[1].rate = FASTER * MBIT;
    for (uint32_t i = 0; i < 3; i++) {
        int result = 1;
        pthread_t thread;

        ck_assert_int_eq(pthread_create(&thread, NULL, replace, &result), 0);
        /* Control is another thread, and waits for these, which are this one. */
        while (pthread_tryjoin_np(thread, NULL)) {
            bed_step();
            turn();
            member->ops->tx_room(member);
            other->ops->tx_room(other);
        }
        ck_assert_int_eq(result, 0);
        run_for(SECOND / 10);
    }
    run_for(SECOND);
    bed_count();
    run_for(SECOND);
    is_rate(bed.sessions[0].bytes, FASTER, SECOND);
    silent = true;
    run_for(SECOND);
    ck_assert_uint_eq(bed.order, number);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shaped");
    TCase *tc = tcase_create("shaped");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tc, 50);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, what_the_kernel_sends_has_its_class);
    tcase_add_test(tc, it_goes_over_to_another_policy);
    suite_add_tcase(suite, tc);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
