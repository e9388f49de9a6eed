/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What `saddle-bench sched` measures: its variants, what is asked for of them, and what came out.
 *
 * Variants that share a daemon follow each other, so that it is started once for all of them.
 *
 * Ownership: the caller's arrays; words are static. Threads: one.
 */
#ifndef BENCH_PLAN_H
#define BENCH_PLAN_H

#include "tools/bench/stats.h"

#include <stdbool.h>
#include <stdint.h>

#define PLAN_RUNS_MAX     99u
#define PLAN_VARIANTS_MAX 256u
#define PLAN_NAME_BYTES   64u
#define PLAN_REASON_BYTES 480u
#define PLAN_SECONDS_MIN  0.05 /* 50 probes at the usual rate: hardly a quantile */
#define PLAN_SECONDS_MAX  600.0
#define PLAN_RATE_MAX     20000u    /* probes a second: a period is then as long as a round trip */
#define PLAN_STREAM_MAX   200000u   /* messages a second */
#define PLAN_STREAM_BYTES 16777216u /* of one of them, at most */

enum plan_kind {
    PLAN_WAKE,   /* from ringing for an engine to its run, in one process */
    PLAN_SADDLE, /* round trips between two applications through a daemon */
    PLAN_TCP,    /* the same over the kernel's TCP */
};

/* What else the machine does. */
enum plan_load {
    PLAN_IDLE,
    PLAN_HOGS, /* two busy loops on each core */
    PLAN_MMAP, /* a process on each core that maps and unmaps 50 MB */
    PLAN_LOADS,
};

struct plan_variant {
    enum plan_kind kind;
    enum plan_load load;
    const char *mode;  /* of the group; NULL: no group, or always the same */
    const char *class; /* of the group; NULL: no group */
    bool loaded;       /* a stream of messages beside the probes */
    bool realtime;     /* the prober's and the echo's threads */
    char name[PLAN_NAME_BYTES];
};

struct plan_settings {
    double seconds; /* of one run of one variant */
    uint32_t runs;
    uint32_t rate;         /* probes a second */
    uint32_t stream_bytes; /* of each message of a loaded engine */
    uint32_t stream_rate;  /* of them a second */
};

/* What one run of a variant brought. Shares are of one core. */
struct plan_run {
    struct quantiles delay;
    struct quantiles late;
    double application; /* share used by prober and echo */
    double engines;     /* share used by the daemon, or by the group's thread */
    double streamed;    /* messages a second */
    uint32_t count;
    uint32_t missed;
    uint32_t unsent;
};

struct plan_outcome {
    const struct plan_variant *variant;
    bool refused; /* it could not be set up as its name says; `reason` says why */
    char reason[PLAN_REASON_BYTES];
    uint32_t run_count;
    struct plan_run runs[PLAN_RUNS_MAX];
};

/* The spread over runs of each figure. */
struct plan_figures {
    struct spread p50, p99, p999, max;
    struct spread late_p50, late_p99, late_p999, late_max;
    struct spread application, engines, streamed;
    uint64_t count, missed, unsent; /* of all runs */
};

/* Fills up to PLAN_VARIANTS_MAX and returns how many there are. */
uint32_t plan_all(struct plan_variant *variants);
/* Whether a variant is meant by a name, which may have wildcards as in a shell. */
bool plan_matches(const struct plan_variant *variant, const char *pattern);
const char *plan_load_name(enum plan_load load);
const char *plan_kind_name(enum plan_kind kind);
void plan_summarize(const struct plan_outcome *outcome, struct plan_figures *figures);
/* The bar of the MicroQuanta scheduling class: with hogs on every core, a wake-up's p99.9 with it
 * as a share of that with nice -20. False if either was not measured. */
bool plan_bar(const struct plan_outcome *outcomes, uint32_t count, double *ratio);

#endif
