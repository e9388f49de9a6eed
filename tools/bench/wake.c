/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a sleeping engine takes from being rung for until it runs.
 *
 * An engine that has nothing to do is in a group that sleeps, and the prober posts work to its
 * mailbox: the real engine's thread, armed, asleep in its epoll descriptor, woken through its
 * eventfd. The work looks at the engine's clock. A probe that finds the mailbox full is one the
 * engine has not come round to see: it counts from its own time to the moment the engine does.
 */
#include "sched/group.h"
#include "tools/bench/class.h"
#include "tools/bench/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTLE_NS (10 * NSEC_PER_SEC) /* for the last ring to be heard */

struct ringer {
    struct engine engine; /* it has nothing to do but its mailbox's work */
    uint64_t *rung_ns;    /* of each probe */
    uint64_t *heard_ns;   /* of those that found the mailbox empty; written by the engine */
};

static uint32_t run(struct engine *engine, uint64_t now, uint64_t budget_ns)
{
    (void)budget_ns;
    engine_mark_drained(engine, now);
    return 0;
}

static uint64_t arm(struct engine *engine, uint64_t now)
{
    (void)engine;
    (void)now;
    return ENGINE_NEVER;
}

static void disarm(struct engine *engine)
{
    (void)engine;
}

static const struct engine_ops ringer_ops = {
    .kind = "bench", .run = run, .arm = arm, .disarm = disarm};

/* On the engine's thread. */
static int hear(void *context, void *argument)
{
    const struct engine *engine = context;
    *(uint64_t *)argument = clock_now(engine->clock);
    return 0;
}

static int ring(void *arg, uint32_t number)
{
    struct ringer *ringer = arg;
    ringer->rung_ns[number] = clock_now(&clock_machine);
    int rc = mailbox_post(&ringer->engine.mailbox, hear, &ringer->heard_ns[number]);
    return rc == -EBUSY ? 0 : rc;
}

/* Once the last ring was heard. */
static void find_delays(const struct ringer *ringer, uint32_t count, uint64_t *delay_ns)
{
    uint64_t heard = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (ringer->heard_ns[i])
            heard = ringer->heard_ns[i];
        delay_ns[i] = heard > ringer->rung_ns[i] ? heard - ringer->rung_ns[i] : 0;
    }
}

static int probe_engine(struct ringer *ringer, struct probe_shared *shared)
{
    struct pace pace = probe_pace(shared);
    uint64_t heard;
    int result;
    pace.end_ns = UINT64_MAX; /* ringing waits for nobody, so each is rung for */
    shared->elapsed_ns = clock_now(&clock_machine);
    shared->engines_ns = probe_cpu_ns(0) - probe_thread_ns();
    int rc = pace_run(&pace, &pace_machine, ring, ringer, &shared->pace);
    shared->engines_ns = probe_cpu_ns(0) - probe_thread_ns() - shared->engines_ns;
    shared->elapsed_ns = clock_now(&clock_machine) - shared->elapsed_ns;
    if (!rc)
        rc = mailbox_call(&ringer->engine.mailbox, hear, &heard, SETTLE_NS, &result);
    if (rc)
        return probe_error(shared, rc, "the engine does not hear: %s", strerror(-rc));
    find_delays(ringer, pace.count, shared->pace.delay_ns);
    return 0;
}

/* What the kernel says, and if that is not what was asked for, why. */
static int check_class(struct probe_shared *shared, struct group *group)
{
    struct group_thread_stats stats;
    char found[PLAN_REASON_BYTES / 4], why[PLAN_REASON_BYTES / 2];
    group_threads(group, &stats, 1);
    int rc = class_check(stats.tid, shared->variant->class, found, sizeof(found));
    if (rc != -EPERM)
        return rc;
    shared->refused = true;
    quanta_explain(&stats.quanta, why, sizeof(why));
    return probe_error(shared, rc, "%s (%s)", found, why);
}

/* By its name in the configuration, which is one of them. */
static enum quanta_class class_of(const struct plan_variant *variant)
{
    enum quanta_class class = QUANTA_ORDINARY;
    while (class != QUANTA_AUTO && strcmp(quanta_class_name(class), variant->class) != 0)
        class ++;
    return class;
}

static int with_group(struct ringer *ringer, struct probe_shared *shared)
{
    struct group_config config = {.name = "bench",
                                  .mode = &group_mode_spreading,
                                  .quanta.class = class_of(shared->variant)};
    struct group *group;
    int rc = group_create(&group, &config);
    if (rc)
        return probe_error(shared, rc, "starting a group: %s", strerror(-rc));
    rc = group_add(group, &ringer->engine);
    if (!rc)
        rc = check_class(shared, group);
    /* After the group, whose thread would be given the prober's priority. */
    if (!rc) {
        probe_prioritize(shared);
        rc = probe_engine(ringer, shared);
    }
    group_remove(group, &ringer->engine);
    group_destroy(group);
    return rc;
}

void probe_run_wake(void *arg, int word_fd)
{
    struct probe_shared *shared = arg;
    uint32_t count = probe_pace(shared).count;
    struct ringer ringer = {.rung_ns = calloc(count, sizeof(uint64_t)),
                            .heard_ns = calloc(count, sizeof(uint64_t))};
    if (!ringer.rung_ns || !ringer.heard_ns)
        probe_fail(shared, "no memory for %u probes", count);
    memset(ringer.rung_ns, 0, count * sizeof(uint64_t)); /* the pages come now, not on the way */
    memset(ringer.heard_ns, 0, count * sizeof(uint64_t));
    int rc = engine_init(&ringer.engine, &ringer_ops, "bench", &clock_machine);
    if (!rc)
        rc = with_group(&ringer, shared);
    if (rc)
        _exit(EXIT_FAILURE);
    probe_ready(shared, word_fd);
}
