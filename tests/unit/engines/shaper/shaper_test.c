/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* The whole engine in virtual time: what leaves, in which order and how fast. */
#include "engines/shaper/shaper.h"
#include "sched/state.h"
#include "tests/unit/eal.h"
#include "tests/unit/engines/shaper/bed.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MBIT    125000ull /* bytes per second of a megabit per second */
#define BURST   16384u
#define PACKETS 4096u
#define SECOND  NSEC_PER_SEC

#define MANY         1000u /* leaves at once */
#define MANY_PARENTS 10u
#define MANY_BURST   4096u

/* A policy that grows: class "sN" is for session N. */
static struct shape_class classes[SHAPE_LISTED_MAX + 1];
static struct shape_rule rules[SHAPE_LISTED_MAX + 1];
static struct shape policy;

static struct shape_class *add(const char *name, const char *parent, uint64_t rate)
{
    struct shape_class *class = &classes[policy.class_count++];

    memset(class, 0, sizeof(*class));
    snprintf(class->name, sizeof(class->name), "%s", name);
    snprintf(class->parent, sizeof(class->parent), "%s", parent);
    class->rate = rate;
    class->burst = BURST;
    class->weight = 1;
    return class;
}

static struct shape_class *add_leaf(uint32_t session, const char *parent, uint64_t rate)
{
    char name[SHAPE_NAME_BYTES];

    snprintf(name, sizeof(name), "s%u", session);
    rules[policy.rule_count++] = (struct shape_rule){
        .entry = (uint16_t)policy.class_count,
        .has_session = true,
        .session = session,
    };
    return add(name, parent, rate);
}

static void setup(void)
{
    policy = (struct shape){.classes = classes, .rules = rules};
}

static struct tree_view view_of(const char *name)
{
    const struct tree *tree = shaping_tree(bed.shaping);
    struct tree_view view;

    for (uint16_t i = 0; i < tree_places(tree); i++) {
        if (!strcmp(tree_name(tree, i), name)) {
            tree_view(tree, i, &view);
            return view;
        }
    }
    ck_abort_msg("no class %s", name);
    return view;
}

static void is_about(double value, double wanted, double share)
{
    ck_assert_msg(fabs(value - wanted) <= wanted * share, "%.0f instead of %.0f", value, wanted);
}

START_TEST(a_class_sends_at_its_rate)
{
    static const uint64_t rates[] = {1, 10, 100, 1000}; /* Mbit/s */
    uint64_t rate = rates[_i] * MBIT;

    uint64_t span = SECOND * 2 / (_i < 3 ? 1 : 50);

    /* What leaves in a millisecond, in which a member comes once, may be a burst. */
    add_leaf(1, "", rate)->burst = BURST + rate / 1000;
    bed_make(&policy, 1, PACKETS);
    bed_want(1, 1400);
    bed_run(SECOND / 5); /* the burst */
    bed_count();
    bed_run(span);
    is_about(bed_rate(1, span), (double)rate * 8, 0.01);
    bed_drain(SECOND);
    bed_end();
}
END_TEST

/* Over any span what left is at most the burst and what the rate gives. */
START_TEST(a_burst_stays_within_its_depth)
{
    uint64_t spent = 0, start;

    add_leaf(1, "", 8 * MBIT);
    bed_make(&policy, 1, PACKETS);
    for (uint32_t round = 0; round < 3; round++) {
        bed_want(1, 0);
        bed_run(SECOND); /* it saves up */
        bed_want(1, BED_FRAME);
        bed_count();
        start = bed.now;
        for (uint32_t i = 0; i < 200; i++) {
            bed_run(SECOND / 2000);
            ck_assert_uint_le(bed.sessions[1].bytes,
                              BURST + (bed.now - start) * MBIT * 8 / SECOND + 1);
            if (i == 99)
                spent = bed.sessions[1].bytes;
        }
        /* And the burst is used: all but what a frame of the largest size has to have. */
        ck_assert_uint_ge(spent, BURST + SECOND / 20 * MBIT * 8 / SECOND - 2048);
    }
    bed_drain(SECOND);
    bed_end();
}
END_TEST

/* Of the kernel's packets, say. Each leaves when a nanosecond's tokens more are there than the
 * largest frame takes: what is left is little, and never less than nothing. */
START_TEST(a_frame_with_two_tags_is_no_surprise)
{
    add_leaf(1, "", MBIT)->burst = 2 * shape_wire_bytes(BED_LARGEST);
    bed_make(&policy, 1, PACKETS);
    bed_want(1, BED_LARGEST);
    for (uint32_t i = 0; i < 200; i++) {
        bed_run(SECOND / 1000);
        ck_assert_uint_le(view_of("s1").tokens, 2 * shape_wire_bytes(BED_LARGEST));
    }
    ck_assert_uint_gt(bed.sessions[1].sent, 10);
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(siblings_share_by_weight)
{
    static const uint32_t weights[] = {1, 2, 5, 12};
    double sum = 0;

    add("all", "", 100 * MBIT);
    for (uint32_t i = 0; i < 4; i++)
        add_leaf(i + 1, "all", 0)->weight = weights[i];
    bed_make(&policy, 2, PACKETS);
    for (uint32_t i = 0; i < 4; i++)
        bed_want(i + 1, i % 2 ? 1400 : BED_FRAME); /* by bytes, not by packets */
    bed_run(SECOND / 10);
    bed_count();
    bed_run(SECOND);
    for (uint32_t i = 0; i < 4; i++)
        sum += bed_rate(i + 1, SECOND);
    is_about(sum, 100e6, 0.01);
    for (uint32_t i = 0; i < 4; i++)
        is_about(bed_rate(i + 1, SECOND), 5e6 * weights[i], 0.02);
    /* What one does not want the others have, by weight again. */
    bed_want(4, 0);
    bed_run(SECOND / 10);
    bed_count();
    bed_run(SECOND);
    for (uint32_t i = 0; i < 3; i++)
        is_about(bed_rate(i + 1, SECOND), 12.5e6 * weights[i], 0.02);
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(the_first_priority_goes_first)
{
    add("all", "", 50 * MBIT);
    add_leaf(1, "all", 20 * MBIT)->priority = 0;
    add_leaf(2, "all", 0)->priority = 1;
    add_leaf(3, "all", 0)->priority = 2;
    bed_make(&policy, 1, PACKETS);
    for (uint32_t i = 1; i <= 3; i++)
        bed_want(i, BED_FRAME);
    bed_run(SECOND / 10);
    bed_count();
    bed_run(SECOND);
    is_about(bed_rate(1, SECOND), 20e6, 0.01);
    is_about(bed_rate(2, SECOND), 30e6, 0.01);
    ck_assert_uint_eq(bed.sessions[3].bytes, 0);
    bed_want(2, 0);
    bed_run(SECOND / 10);
    bed_count();
    bed_run(SECOND);
    is_about(bed_rate(3, SECOND), 30e6, 0.01);
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(a_parent_bounds_the_sum_of_its_children)
{
    add("site", "", 40 * MBIT);
    add("left", "site", 30 * MBIT);
    add("right", "site", 30 * MBIT);
    add("deep", "right", 0);
    add_leaf(1, "left", 20 * MBIT);
    add_leaf(2, "left", 20 * MBIT);
    add_leaf(3, "deep", 0);
    add_leaf(4, "", 0)->rate = 5 * MBIT;
    bed_make(&policy, 2, PACKETS);
    for (uint32_t i = 1; i <= 4; i++)
        bed_want(i, BED_FRAME);
    bed_run(SECOND / 10);
    bed_count();
    bed_run(SECOND);
    is_about(bed_rate(1, SECOND), 10e6, 0.02);
    is_about(bed_rate(2, SECOND), 10e6, 0.02);
    is_about(bed_rate(3, SECOND), 20e6, 0.02);
    is_about(bed_rate(4, SECOND), 5e6, 0.01);
    bed_want(3, 0);
    bed_run(SECOND / 10);
    bed_count();
    bed_run(SECOND);
    is_about(bed_rate(1, SECOND) + bed_rate(2, SECOND), 30e6, 0.01);
    is_about(bed_rate(1, SECOND), 15e6, 0.02);
    bed_drain(SECOND);
    ck_assert_uint_eq(view_of("site").level, 1);
    ck_assert_uint_eq(view_of("s3").level, 4);
    bed_end();
}
END_TEST

/* Ten parents with a hundred leaves each: half with a rate, half by weight, one of each hundred
 * first. */
static void many_classes(void)
{
    char parent[SHAPE_NAME_BYTES];

    for (uint32_t i = 0; i < MANY_PARENTS; i++) {
        snprintf(parent, sizeof(parent), "p%u", i);
        add(parent, "", 2 * MBIT)->burst = MANY_BURST;
    }
    for (uint32_t i = 1; i <= MANY; i++) {
        uint32_t within = i % 100;
        struct shape_class *class;

        snprintf(parent, sizeof(parent), "p%u", (i - 1) / 100);
        class = add_leaf(i, parent, within < 50 ? MBIT / 100 : 0);
        class->burst = MANY_BURST;
        class->weight = within < 50 ? 1000 : 1 + within % 4;
        class->priority = within == 99 || within < 50 ? 0 : 1;
        if (within == 99)
            class->rate = MBIT / 5;
    }
}

START_TEST(a_thousand_classes_at_once)
{
    double sums[MANY_PARENTS] = {0};
    uint64_t before, span = 15 * SECOND;

    many_classes();
    bed_make(&policy, 4, 1u << 15);
    bed.feed_ns = SECOND / 20;
    for (uint32_t i = 1; i <= MANY; i++)
        bed_want(i, 100);
    bed_run(5 * SECOND); /* until the last burst is spent */
    bed_count();
    before = bed.order;
    bed_run(span);
    ck_assert_uint_gt(bed.order, before);
    for (uint32_t i = 1; i <= MANY; i++) {
        uint32_t within = i % 100;

        sums[(i - 1) / 100] += bed_rate(i, span);
        if (within < 50)
            is_about(bed_rate(i, span), 10e3, 0.01);
        else if (within == 99)
            is_about(bed_rate(i, span), 200e3, 0.01);
        else /* what is left, by weights that sum up to 123 */
            is_about(bed_rate(i, span), 1.3e6 / 123 * (1 + within % 4), 0.02);
    }
    for (uint32_t i = 0; i < MANY_PARENTS; i++)
        is_about(sums[i], 2e6, 0.01);
    bed_drain(5 * SECOND);
    bed_end();
}
END_TEST

START_TEST(a_full_class_holds_up_no_other)
{
    struct port *port;
    uint32_t given = 0;

    add_leaf(1, "", 8000); /* a packet takes a third of a second */
    add_leaf(2, "", 0);
    bed_make(&policy, 1, PACKETS);
    bed_want(1, BED_FRAME);
    bed_run(5 * SECOND); /* until the burst is spent */
    bed.sessions[2].frame = BED_FRAME;
    ck_assert(!bed_give(1));
    for (; given < TREE_QUOTA_MAX && bed_give(2); given++)
        ;
    ck_assert_uint_eq(given, TREE_QUOTA_MAX);
    ck_assert(!bed_give(2));
    bed_step();
    ck_assert_uint_eq(bed.sessions[2].sent, given);
    ck_assert(bed_give(2));
    /* The port has room for both; it is the leaf that has not. */
    port = shaping_port(bed.shaping, 0);
    ck_assert_uint_gt(port->ops->tx_room(port), 100);
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(who_was_refused_is_told)
{
    struct port *port;

    add_leaf(1, "", MBIT / 10)->burst = 4096;
    bed_make(&policy, 1, PACKETS);
    port = shaping_port(bed.shaping, 0);
    bed.sessions[1].frame = 1400;
    ck_assert(!port->ops->tx_reopened(port));
    while (bed_give(1))
        bed_step();
    ck_assert(!port->ops->tx_reopened(port));
    ck_assert_int_eq(port->ops->arm(port), 0);
    while (!port->ops->tx_reopened(port)) {
        uint64_t deadline = bed.engine->ops->arm(bed.engine, bed.now);

        ck_assert_uint_gt(deadline, bed.now);
        ck_assert_uint_ne(deadline, ENGINE_NEVER);
        bed.engine->ops->disarm(bed.engine);
        bed.now = deadline;
        bed_step();
    }
    ck_assert(!port->ops->tx_reopened(port));
    port->ops->disarm(port);
    ck_assert(bed_give(1));
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(control_is_never_starved)
{
    add("root", "", 10 * MBIT);
    add_leaf(1, "", 0)->priority = 0;
    bed_make(&policy, 2, PACKETS);
    bed_want(1, 1400);
    bed_run(SECOND);
    bed.sessions[0].frame = 100;
    for (uint32_t i = 0; i < 100; i++) {
        uint64_t before;

        ck_assert(bed_give(0));
        before = bed.sessions[1].sent;
        bed_run(5 * NSEC_PER_MSEC);
        ck_assert_uint_eq(bed.sessions[0].sent, i + 1);
        ck_assert_uint_le(bed.sessions[1].sent - before, 6);
    }
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(memory_is_bounded)
{
    uint32_t waits;

    for (uint32_t i = 1; i <= 200; i++)
        add_leaf(i, "", 0);
    bed_make(&policy, 2, PACKETS);
    bed.room = 0;
    for (uint32_t i = 0; i <= 200; i++)
        bed_want(i, BED_FRAME);
    bed_run(SECOND / 100);
    waits = PACKETS - rte_mempool_avail_count(bed.pool);
    ck_assert_uint_gt(waits, 200);
    ck_assert_uint_le(waits, PACKETS / SHAPING_POOL_PART);
    bed.room = UINT16_MAX;
    bed_drain(SECOND);
    bed_end();
}
END_TEST

/* ---- Another policy ---- */

static int adopt(const struct shape *next)
{
    return shaping_replace(bed.shaping, bed.engine, next, SECOND);
}

struct replacing {
    const struct shape *next;
    int result;
    volatile int done;
};

static void *replace(void *arg)
{
    struct replacing *replacing = arg;

    replacing->result = adopt(replacing->next);
    __atomic_store_n(&replacing->done, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Control is another thread, and waits for the engine, which this one is. */
static int change_to(const struct shape *next)
{
    struct replacing replacing = {.next = next};
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, replace, &replacing), 0);
    while (!__atomic_load_n(&replacing.done, __ATOMIC_ACQUIRE)) {
        bed_step();
        for (uint32_t i = 0; i < bed.members; i++) {
            struct port *port = shaping_port(bed.shaping, i);
            port->ops->tx_room(port);
        }
    }
    pthread_join(thread, NULL);
    return replacing.result;
}

START_TEST(a_policy_changed_under_traffic_loses_nothing)
{
    static struct shape_class other_classes[64];
    static struct shape_rule other_rules[64];
    struct shape other = {.classes = other_classes, .rules = other_rules};
    double rest = 0;

    add("root", "", 50 * MBIT);
    add("all", "", 0);
    for (uint32_t i = 1; i <= 40; i++)
        add_leaf(i, "all", i % 3 ? 0 : MBIT);
    /* The same sessions otherwise: some in one class, some elsewhere, some in none. */
    for (uint32_t i = 0; i < 20; i++) {
        other_classes[i] = classes[2 * i + 2];
        other_classes[i].parent[0] = '\0';
        other_classes[i].rate = 2 * MBIT;
        other_rules[i] = rules[2 * i];
        other_rules[i].entry = (uint16_t)i;
    }
    other_classes[20] = classes[0];
    other.class_count = 21;
    other.rule_count = 20;
    bed_make(&policy, 4, 1u << 14);
    for (uint32_t i = 1; i <= 40; i++)
        bed_want(i, BED_FRAME);
    for (uint32_t i = 0; i < 20; i++) {
        bed_run(SECOND / 50);
        ck_assert_int_eq(change_to(i % 2 ? &policy : &other), 0);
    }
    ck_assert_uint_eq(view_of("s1").packets > 0, 1);
    /* It counts: the new rate, and what is in no class shares what there is. */
    ck_assert_int_eq(change_to(&other), 0);
    bed_run(SECOND / 2);
    bed_count();
    bed_run(SECOND);
    is_about(bed_rate(1, SECOND), 2e6, 0.01);
    for (uint32_t i = 2; i <= 40; i += 2)
        rest += bed_rate(i, SECOND);
    is_about(rest, 10e6, 0.01); /* of 50 less what 20 classes have: the default class's */
    bed_drain(2 * SECOND);
    bed_end();
}
END_TEST

/* What is saved up is not won anew by changing the policy. */
START_TEST(a_change_gives_no_burst)
{
    uint64_t spent;

    add_leaf(1, "", MBIT);
    bed_make(&policy, 1, PACKETS);
    bed_want(1, BED_FRAME);
    bed_run(SECOND);
    bed_count();
    for (uint32_t i = 0; i < 50; i++) {
        ck_assert_int_eq(change_to(&policy), 0);
        bed_run(SECOND / 50);
    }
    spent = bed.sessions[1].bytes;
    is_about((double)spent, (double)MBIT, 0.02);
    bed_drain(SECOND);
    bed_end();
}
END_TEST

/* Control calls, and the mailbox alone answers: nothing of what waits has been moved yet. */
static void call_for(const struct shape *next)
{
    struct replacing replacing = {.next = next};
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, replace, &replacing), 0);
    while (!__atomic_load_n(&replacing.done, __ATOMIC_ACQUIRE))
        mailbox_run(&bed.engine->mailbox, bed.engine);
    pthread_join(thread, NULL);
    ck_assert_int_eq(replacing.result, 0);
}

/* More classes than are emptied in a round, so that one's time comes before its turn: by then what
 * is saved up is the new policy's to count. */
START_TEST(the_policy_before_touches_nothing)
{
    const uint32_t last = 150;
    const struct tree_slot *slot;
    struct tree *tree;
    uint16_t place = 0;

    for (uint32_t i = 1; i <= last; i++)
        add_leaf(i, "", MBIT);
    bed_make(&policy, 1, PACKETS);
    bed.sessions[last].frame = 1400;
    while (bed_give(last))
        bed_step();
    classes[last - 1].rate = MBIT / 10;
    call_for(&policy);
    tree = shaping_first(bed.shaping);
    while (strcmp(tree_name(tree, place), classes[last - 1].name) != 0)
        place++;
    slot = tree_touch(tree, place, bed.now);
    ck_assert_uint_eq(slot->bucket.rate, MBIT / 10);
    bed.now += SECOND;
    bed.engine->ops->run(bed.engine, bed.now, 0); /* one round */
    ck_assert_uint_eq(slot->bucket.rate, MBIT / 10);
    ck_assert_uint_eq(slot->generation, tree_generation(tree));
    shaping_port(bed.shaping, 0)->ops->tx_room(shaping_port(bed.shaping, 0));
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(a_member_that_sleeps_for_ever_holds_up_the_change_after_the_next)
{
    struct port *port;

    add_leaf(1, "", MBIT);
    bed_make(&policy, 2, PACKETS);
    ck_assert_int_eq(mailbox_post(&bed.engine->mailbox, shaper_mailbox_adopt, NULL), 0);
    /* The slot is taken and nobody runs it: it never starts. */
    ck_assert_int_eq(shaping_replace(bed.shaping, bed.engine, &policy, NSEC_PER_MSEC), -ETIMEDOUT);
    bed_end();
    bed_make(&policy, 2, PACKETS);
    bed.sessions[1].frame = BED_FRAME;
    ck_assert_int_eq(change_to(&policy), 0);
    port = shaping_port(bed.shaping, 0);
    port->ops->tx_room(port);
    bed_end();
}
END_TEST

/* Whatever the ports are called. */
START_TEST(two_ports_are_shaped)
{
    struct port ports[2];
    struct fan *fans[2];
    struct shaping *both[2];

    bed_make(&policy, 1, PACKETS);
    for (uint32_t i = 0; i < 2; i++) {
        struct fan_config config = {.port = &ports[i], .udp_ports = {7}, .count = 1};
        struct shaping_config shaping = {.members = 1, .policy = &policy};

        ports[i] = *fan_port(shaping_fan(bed.shaping));
        snprintf(ports[i].name, sizeof(ports[i].name), "the-ports-of-a-host-%u", i);
        ck_assert_int_eq(fan_create(&fans[i], &config), 0);
        shaping.fan = fans[i];
        ck_assert_int_eq(shaping_create(&both[i], &shaping), 0);
    }
    for (uint32_t i = 0; i < 2; i++) {
        shaping_destroy(both[i]);
        fan_destroy(fans[i]);
    }
    bed_end();
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
    add_leaf(1, "", MBIT);
    bed_make(&policy, 1, PACKETS);
    classes[0].burst = 3000; /* not two frames of 1500 bytes */
    ck_assert_int_eq(adopt(&policy), -EINVAL);
    classes[0].burst = BURST;
    snprintf(classes[0].parent, sizeof(classes[0].parent), "s1");
    ck_assert_int_eq(adopt(&policy), -EINVAL);
    setup();
    for (uint32_t i = 0; i < PACKETS / SHAPING_POOL_PART; i++)
        add_leaf(i + 1, "", 0);
    ck_assert_int_eq(adopt(&policy), -EINVAL);
    bed_end();
}
END_TEST

/* ---- State ---- */

START_TEST(state_goes_to_another_process)
{
    struct tree_view before, after;

    add_leaf(1, "", MBIT);
    add_leaf(2, "", MBIT);
    bed_make(&policy, 1, PACKETS);
    bed_want(1, BED_FRAME);
    bed_want(2, BED_FRAME);
    bed_run(SECOND);
    before = view_of("s1");
    bed_want(1, 0);
    bed_want(2, 0);
    bed_run(SECOND / 1000);
    bed_restart();
    after = view_of("s1");
    ck_assert_uint_ge(after.packets, before.packets);
    ck_assert_uint_ge(after.bytes, before.bytes);
    ck_assert_uint_eq(after.queued, 0);
    /* The burst is spent there too. */
    bed_count();
    bed_want(1, BED_FRAME);
    bed_run(SECOND);
    ck_assert_uint_le(bed.sessions[1].bytes, MBIT + 2048);
    bed_want(1, 0);
    bed_end();
}
END_TEST

/* Any byte changed, any length: an error or a policy that is kept. */
START_TEST(state_is_a_strangers)
{
    struct state_writer writer;
    struct state_reader reader;

    add_leaf(1, "", MBIT);
    bed_make(&policy, 1, PACKETS);
    state_writer_init(&writer);
    state_record_begin(&writer, 0x0600, 1);
    state_put_bytes(&writer, "s1", 2);
    state_put_u64(&writer, UINT64_MAX); /* saved up */
    for (uint32_t i = 0; i < 4; i++)
        state_put_u64(&writer, UINT64_MAX);
    state_record_end(&writer);
    state_record_begin(&writer, 0x0600, 1);
    state_put_bytes(&writer, "no such class", 13);
    state_record_end(&writer);
    ck_assert_int_eq(state_writer_finish(&writer), 0);
    ck_assert_int_eq(state_reader_init(&reader, writer.bytes, writer.length), 0);
    ck_assert_int_ne(bed.engine->ops->load(bed.engine, &reader), 0); /* the second is cut short */
    bed_want(1, BED_FRAME);
    bed_run(SECOND);
    ck_assert_uint_le(bed.sessions[1].bytes, BURST + MBIT);
    state_writer_destroy(&writer);
    bed_drain(SECOND);
    bed_end();
}
END_TEST

START_TEST(its_statistics_have_names)
{
    struct engine_stat stats[32];
    uint32_t count;

    bed_make(&policy, 1, PACKETS);
    bed.sessions[9].frame = BED_FRAME;
    ck_assert(bed_give(9)); /* of no class: the default one */
    bed_step();
    count = bed.engine->ops->stats(bed.engine, stats, 32);
    ck_assert_uint_eq(count, 11);
    ck_assert_str_eq(stats[0].name, "tx_queued");
    ck_assert(stats[0].level);
    ck_assert_uint_eq(stats[2].value, 1);
    ck_assert_uint_eq(stats[3].value, BED_FRAME + 24);
    ck_assert_uint_eq(view_of("default").packets, 1);
    ck_assert_uint_eq(view_of("root").bytes, BED_FRAME + 24);
    ck_assert_ptr_eq(shaper_shaping(bed.engine), bed.shaping);
    bed_end();
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("shaper");
    TCase *tc = tcase_create("shaper");

    tcase_set_timeout(tc, 50);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_loop_test(tc, a_class_sends_at_its_rate, 0, 4);
    tcase_add_test(tc, a_burst_stays_within_its_depth);
    tcase_add_test(tc, a_frame_with_two_tags_is_no_surprise);
    tcase_add_test(tc, siblings_share_by_weight);
    tcase_add_test(tc, the_first_priority_goes_first);
    tcase_add_test(tc, a_parent_bounds_the_sum_of_its_children);
    tcase_add_test(tc, a_full_class_holds_up_no_other);
    tcase_add_test(tc, who_was_refused_is_told);
    tcase_add_test(tc, control_is_never_starved);
    tcase_add_test(tc, memory_is_bounded);
    tcase_add_test(tc, a_policy_changed_under_traffic_loses_nothing);
    tcase_add_test(tc, a_change_gives_no_burst);
    tcase_add_test(tc, the_policy_before_touches_nothing);
    tcase_add_test(tc, a_member_that_sleeps_for_ever_holds_up_the_change_after_the_next);
    tcase_add_test(tc, two_ports_are_shaped);
    tcase_add_test(tc, what_cannot_be_is_refused);
    tcase_add_test(tc, state_goes_to_another_process);
    tcase_add_test(tc, state_is_a_strangers);
    tcase_add_test(tc, its_statistics_have_names);
    suite_add_tcase(made, tc);
    tc = tcase_create("many");
    tcase_set_timeout(tc, 50);
    tcase_add_unchecked_fixture(tc, test_eal_start, NULL);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_thousand_classes_at_once);
    suite_add_tcase(made, tc);
    return made;
}

int main(void)
{
    SRunner *runner = srunner_create(suite());
    int failed;

    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
