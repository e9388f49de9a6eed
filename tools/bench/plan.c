/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/plan.h"

#include <fnmatch.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const classes[] = {"ordinary", "nice", "fifo", "deadline"};
static const char *const modes[] = {"dedicated", "spreading", "compacting"};
static const char *const loads[PLAN_LOADS] = {"idle", "hogs", "mmap"};

struct maker {
    struct plan_variant *variants;
    uint32_t count;
};

/* kind/mode/class/engine/prober/load, without what a kind has not. */
static void add(struct maker *maker, struct plan_variant variant)
{
    if (maker->count == PLAN_VARIANTS_MAX)
        return;
    const char *load = loads[variant.load];
    const char *engine = variant.loaded ? "loaded" : "idle";
    const char *prober = variant.realtime ? "realtime" : "nice0";
    if (variant.kind == PLAN_WAKE)
        snprintf(variant.name, sizeof(variant.name), "wake/%s/%s", variant.class, load);
    else if (variant.kind == PLAN_SADDLE)
        snprintf(variant.name, sizeof(variant.name), "saddle/%s/%s/%s/%s/%s", variant.mode,
                 variant.class, engine, prober, load);
    else
        snprintf(variant.name, sizeof(variant.name), "tcp/%s/%s/%s", engine, prober, load);
    maker->variants[maker->count++] = variant;
}

/* Every way to load and to probe one pair of engines, or one of sockets. */
static void add_trips(struct maker *maker, enum plan_kind kind, const char *mode, const char *class)
{
    for (unsigned loaded = 0; loaded < 2; loaded++)
        for (unsigned nice0 = 0; nice0 < 2; nice0++)
            for (unsigned load = 0; load < PLAN_LOADS; load++)
                add(maker, (struct plan_variant){.kind = kind,
                                                 .load = (enum plan_load)load,
                                                 .mode = mode,
                                                 .class = class,
                                                 .loaded = loaded != 0,
                                                 .realtime = nice0 == 0});
}

uint32_t plan_all(struct plan_variant *variants)
{
    struct maker maker = {.variants = variants};
    for (size_t c = 0; c < COUNT(classes); c++)
        for (unsigned load = 0; load < PLAN_LOADS; load++)
            add(&maker, (struct plan_variant){.kind = PLAN_WAKE,
                                              .load = (enum plan_load)load,
                                              .class = classes[c],
                                              .realtime = true});
    for (size_t m = 0; m < COUNT(modes); m++)
        for (size_t c = 0; c < COUNT(classes); c++)
            add_trips(&maker, PLAN_SADDLE, modes[m], classes[c]);
    add_trips(&maker, PLAN_TCP, NULL, NULL);
    return maker.count;
}

bool plan_matches(const struct plan_variant *variant, const char *pattern)
{
    return fnmatch(pattern, variant->name, 0) == 0;
}

const char *plan_load_name(enum plan_load load)
{
    return loads[load];
}

const char *plan_kind_name(enum plan_kind kind)
{
    static const char *const names[] = {"wake", "saddle", "tcp"};
    return names[kind];
}

/* The spread of one double of each run, `offset` bytes into it. */
static struct spread over_runs(const struct plan_outcome *outcome, size_t offset)
{
    double values[PLAN_RUNS_MAX];
    for (uint32_t i = 0; i < outcome->run_count; i++)
        memcpy(&values[i], (const char *)&outcome->runs[i] + offset, sizeof(values[i]));
    return spread_of(values, outcome->run_count);
}

void plan_summarize(const struct plan_outcome *outcome, struct plan_figures *figures)
{
    *figures = (struct plan_figures){
        .p50 = over_runs(outcome, offsetof(struct plan_run, delay.p50)),
        .p99 = over_runs(outcome, offsetof(struct plan_run, delay.p99)),
        .p999 = over_runs(outcome, offsetof(struct plan_run, delay.p999)),
        .max = over_runs(outcome, offsetof(struct plan_run, delay.max)),
        .late_p50 = over_runs(outcome, offsetof(struct plan_run, late.p50)),
        .late_p99 = over_runs(outcome, offsetof(struct plan_run, late.p99)),
        .late_p999 = over_runs(outcome, offsetof(struct plan_run, late.p999)),
        .late_max = over_runs(outcome, offsetof(struct plan_run, late.max)),
        .application = over_runs(outcome, offsetof(struct plan_run, application)),
        .engines = over_runs(outcome, offsetof(struct plan_run, engines)),
        .streamed = over_runs(outcome, offsetof(struct plan_run, streamed)),
    };
    for (uint32_t i = 0; i < outcome->run_count; i++) {
        figures->count += outcome->runs[i].count;
        figures->missed += outcome->runs[i].missed;
        figures->unsent += outcome->runs[i].unsent;
    }
}

static double tail_of(const struct plan_outcome *outcomes, uint32_t count, const char *name)
{
    struct plan_figures figures;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(outcomes[i].variant->name, name) != 0 || outcomes[i].refused)
            continue;
        plan_summarize(&outcomes[i], &figures);
        return figures.p999.median;
    }
    return 0;
}

bool plan_bar(const struct plan_outcome *outcomes, uint32_t count, double *ratio)
{
    double quanta = tail_of(outcomes, count, "wake/fifo/hogs");
    double nice = tail_of(outcomes, count, "wake/nice/hogs");
    if (quanta <= 0 || nice <= 0)
        return false;
    *ratio = quanta / nice;
    return true;
}
