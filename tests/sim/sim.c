/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/sim.h"

#include "engines/pony/directory.h"
#include "engines/pony/wire.h"
#include "tests/sim/app.h"
#include "tests/sim/checker.h"
#include "tests/sim/fault.h"
#include "tests/sim/front.h"
#include "tests/sim/link.h"
#include "tests/sim/upgrade.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define HOSTS_LEAST     3u
#define HOSTS_SPREAD    3u      /* 3 to 5 */
#define APPS_PER_HOST   2u      /* at most */
#define SIBLINGS_EVERY  4u      /* one run of so many has hosts with two engines */
#define FRONTS_EVERY    7u      /* one run of so many has shapers, */
#define FRONT_PPM       700000u /* at so many of its addresses, and at the first */
#define HEAP_BYTES      (8ull << 20)
#define LARGE_MAX       (768u << 10) /* bytes of a large message in an ordinary run */
#define CREDITS_SPAN    64u /* credits wrap within a connection's first messages of this count */
#define HUGE_EVERY      16u /* one run of so many has a message of the largest size */
#define HUGE_TURN       5u  /* which one: of those with one engine a host */
#define HUGE_HEAP_BYTES (200ull << 20)
#define WORK_NS_MAX     (300 * SEC)
#define HUGE_NS_MAX     (60 * SEC)  /* of these, until one of the largest size is on its way */
#define SETTLE_NS_MAX   (120 * SEC) /* of virtual time to finish in, once healed */
#define SETTLE_STEP_NS  MSEC
#define QUIET_NS        (20 * MSEC) /* for the last packets to arrive */
#define REHEARSAL_PPM   4000u       /* of events: after these an engine is saved for nothing */
/* What each run is to show at least. */
#define HOSTS_SHOWN      3u
#define OPERATIONS_SHOWN 2000u
#define VIRTUAL_NS_SHOWN (50 * MSEC)
#define FAULTS_SHOWN     3u /* kinds */

static const uint16_t mtus[] = {1280, 1500, 1500, 3498, 5000, SIM_MTU_MAX, SIM_MTU_MAX};

void *sim_zalloc(size_t bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 64, bytes))
        abort();
    return __builtin_memset(memory, 0, bytes);
}

void sim_violation(struct sim *sim, const char *format, ...)
{
    if (sim->failed)
        return;
    sim->failed = true;
    va_list list;
    va_start(list, format);
    printf("seed %" PRIu64 ": VIOLATION at %.3f us: ", sim->options.seed,
           (double)sim->events.now / USEC);
    vprintf(format, list);
    printf("\n");
    va_end(list);
}

static void plan(struct sim *sim)
{
    struct rng *rng = &sim->plan;
    rng_init_u64(rng, sim->options.seed, SIM_STREAM_PLAN);
    rng_init_u64(&sim->rehearsals, sim->options.seed, SIM_STREAM_REHEARSALS);
    sim->mtu = mtus[rng_below(rng, sizeof(mtus) / sizeof(mtus[0]))];
    sim->host_count = HOSTS_LEAST + (uint32_t)rng_below(rng, HOSTS_SPREAD);
    if (sim->options.hosts)
        sim->host_count = sim->options.hosts;
    sim->siblings = sim->options.seed % SIBLINGS_EVERY == SIBLINGS_EVERY - 1 ? 2 : 1;
    if (sim->options.engines)
        sim->siblings = sim->options.engines;
    if (sim->host_count * sim->siblings > SIM_HOSTS_MAX)
        sim->siblings = 1;
    sim->host_count *= sim->siblings;
    uint32_t faults = fault_draw(rng);
    if (!sim->options.faults)
        sim->options.faults = faults;
    /* Some runs have hosts that speak the first version alone, some have hosts that do not. */
    uint32_t restriction = (uint32_t)rng_below(rng, 3);
    sim->wire_min = restriction == 1 ? WIRE_VERSION_MAX : WIRE_VERSION_MIN;
    sim->wire_max = restriction == 2 ? WIRE_VERSION_MIN : WIRE_VERSION_MAX;
    sim->fronted = sim->options.shapers || sim->options.seed % FRONTS_EVERY == 0;
    if (sim->fronted && !sim->options.narrowed)
        sim->options.faults |= 1u << FAULT_POLICY;
    sim->credit_first = UINT32_MAX - (uint32_t)rng_below(rng, CREDITS_SPAN);
    bool huge = sim->options.seed % HUGE_EVERY == HUGE_TURN;
    sim->heap_bytes = huge ? HUGE_HEAP_BYTES : HEAP_BYTES;
    sim->large_max = LARGE_MAX;
    sim->huge_left = huge;
    sim->app_count = 0;
    sim->apps = sim_zalloc(sim->host_count * APPS_PER_HOST * sizeof(sim->apps[0]));
}

static void make_fronts(struct sim *sim)
{
    struct rng rng;
    rng_init_u64(&rng, sim->options.seed, SIM_STREAM_FRONTS);
    for (uint32_t i = 0; sim->fronted && i < sim->host_count / sim->siblings; i++)
        if (rng_chance(&rng, FRONT_PPM) || i == 0 || sim->options.shapers)
            sim->fronts[i] = front_create(sim, i);
}

static void build(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->host_count / sim->siblings; i++)
        sim->directories[i] = host_directory(sim);
    sim->checker = checker_create(sim);
    sim->fault = fault_create(sim);
    make_fronts(sim);
    for (uint32_t i = 0; i < sim->host_count; i++)
        sim->hosts[i] = host_create(sim, i);
    for (uint32_t i = 0; i < sim->host_count; i++) {
        uint32_t count = 1 + (uint32_t)rng_below(&sim->plan, APPS_PER_HOST);
        for (uint32_t j = 0; j < count; j++, sim->app_count++)
            sim->apps[sim->app_count] = app_create(sim, sim->app_count, i);
    }
}

/* The next event, and what is to make no difference. False if there is none until then. */
static bool step(struct sim *sim, uint64_t until)
{
    if (!events_step(&sim->events, until))
        return false;
    upgrade_count(sim);
    if (sim->options.rehearse && rng_chance(&sim->rehearsals, REHEARSAL_PPM))
        host_rehearse(sim->hosts[rng_below(&sim->rehearsals, sim->host_count)]);
    return true;
}

/* Lets time pass until `done` is true, at most `limit` ns. False if it never was. */
static bool run_until(struct sim *sim, bool (*done)(struct sim *sim), uint64_t limit)
{
    uint64_t end = sim->events.now + limit;
    while (!sim->failed && !done(sim)) {
        if (sim->events.now >= end)
            return false;
        uint64_t until = sim->events.now + SETTLE_STEP_NS;
        while (!sim->failed && step(sim, until))
            ;
        sim->events.now = until;
    }
    return true;
}

/* What a run is to deliver, at the latest once nothing strikes any more: it has come, or is on its
 * way. Under losses that stay until the work is done this much may take longer than the work may,
 * and where payloads are damaged nearly every message of that size has one that is: then it has its
 * turn afterwards. */
static bool huge_comes(const struct sim *sim)
{
    if (sim->huge_left == 0 || sim->events.now >= HUGE_NS_MAX)
        return true;
    return sim->huge && sim->huge->end->connection &&
           !(sim->huge->end->connection->trouble & ~TROUBLE_CUT);
}

static bool enough_struck(const struct sim *sim)
{
    uint32_t struck = sim->struck;

    for (uint32_t from = 0; from < sim->host_count; from++)
        for (uint32_t to = 0; to < sim->host_count; to++)
            struck |= sim->links[from][to] ? link_struck(sim->links[from][to]) : 0;
    return fault_count(struck) >= FAULTS_SHOWN;
}

/* Where nearly all is lost, few packets have met anything else by the time the work is done: then
 * it goes on. */
static bool work_done(struct sim *sim)
{
    if (sim->totals.accepted < sim->options.operations)
        return false;
    sim->shown = sim->options.narrowed || enough_struck(sim);
    return sim->shown && huge_comes(sim) &&
           (sim->options.narrowed || sim->events.now >= VIRTUAL_NS_SHOWN);
}

static bool all_finished(struct sim *sim)
{
    if (sim->huge_left > 0)
        return false;
    for (uint32_t i = 0; i < sim->app_count; i++)
        if (!sim->apps[i]->alive || sim->apps[i]->outstanding > 0)
            return false;
    return true;
}

static bool all_rested(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->app_count; i++)
        if (!app_rested(sim->apps[i]))
            return false;
    return true;
}

static bool never(struct sim *sim)
{
    (void)sim;
    return false;
}

static void blame_liveness(struct sim *sim, const char *part)
{
    for (uint32_t i = 0; i < sim->app_count; i++)
        app_print(sim->apps[i]);
    checker_print(sim->checker);
    const struct operation *first = NULL;
    uint32_t count = checker_outstanding(sim->checker, &first);
    if (count > 0)
        sim_violation(sim,
                      "%s: %u operations do not finish, first number %" PRIu64 " (command %u of"
                      " app %u, stream %u, %zu bytes, since %.3f us)",
                      part, count, (uint64_t)(first->tag - LEDGER_TAG), first->op,
                      first->app->index, first->stream, first->length,
                      (double)first->accepted_at / USEC);
    else
        sim_violation(sim, "%s: applications do not come to an end", part);
}

static bool fronts_quiet(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++)
        if (sim->fronts[i] && !front_quiet(sim->fronts[i]))
            return false;
    return true;
}

static void check_fronts(struct sim *sim)
{
    if (!run_until(sim, fronts_quiet, QUIET_NS))
        sim_violation(sim, "a shaper has packets left");
    for (uint32_t i = 0; i < SIM_HOSTS_MAX && !sim->failed; i++)
        if (sim->fronts[i])
            front_check(sim->fronts[i]);
}

static void check_conservation(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->app_count; i++)
        if (!app_heap_whole(sim->apps[i]))
            sim_violation(sim, "app %u: part of its heap is lost", i);
}

static void work(struct sim *sim)
{
    if (!run_until(sim, work_done, WORK_NS_MAX))
        blame_liveness(sim, "work");
    if (sim->failed)
        return;
    TRACE(sim, SIM_NOBODY, "heal", sim->totals.accepted, 0, 0);
    sim->healed = true;
    upgrades_enter(sim);
    for (uint32_t i = 0; i < sim->host_count; i++) {
        sim->totals.widest += host_widest_flows(sim->hosts[i]);
        sim->totals.wrapped += host_wrapped(sim->hosts[i]);
    }
    fault_heal(sim->fault);
    if (!run_until(sim, all_finished, SETTLE_NS_MAX))
        blame_liveness(sim, "healed");
    if (sim->failed)
        return;
    TRACE(sim, SIM_NOBODY, "rest", sim->totals.accepted, 0, 0);
    for (uint32_t i = 0; i < sim->app_count; i++)
        app_rest(sim->apps[i]);
    if (!run_until(sim, all_rested, SETTLE_NS_MAX))
        blame_liveness(sim, "resting");
    if (sim->failed)
        return;
    checker_final(sim->checker);
    check_conservation(sim);
}

static void tear_down(struct sim *sim)
{
    upgrades_enter(sim);
    for (uint32_t i = 0; i < sim->app_count; i++)
        app_leave(sim->apps[i]);
    if (!sim->failed) {
        run_until(sim, never, QUIET_NS);
        check_fronts(sim);
    }
    upgrades_end(sim);
    for (uint32_t i = 0; i < sim->app_count; i++)
        app_destroy(sim->apps[i]);
    free(sim->apps);
    sim->totals.virtual_ns = sim->events.now;
    for (uint32_t i = 0; i < sim->host_count; i++)
        host_destroy(sim->hosts[i]);
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++)
        front_destroy(sim->fronts[i]);
    for (uint32_t i = 0; i < SIM_HOSTS_MAX; i++)
        directory_destroy(sim->directories[i]);
    for (uint32_t from = 0; from < sim->host_count; from++)
        for (uint32_t to = 0; to < sim->host_count; to++)
            link_destroy(sim->links[from][to]);
    fault_destroy(sim->fault);
    checker_destroy(sim->checker);
    events_fini(&sim->events);
}

/* A run that met nothing shows nothing. */
static void check_breadth(struct sim *sim)
{
    if (sim->failed || sim->options.narrowed)
        return;
    if (sim->host_count < HOSTS_SHOWN || sim->totals.accepted < OPERATIONS_SHOWN ||
        sim->totals.virtual_ns < VIRTUAL_NS_SHOWN || fault_count(sim->struck) < FAULTS_SHOWN)
        sim_violation(sim,
                      "the run shows too little: %u hosts, %" PRIu64 " operations, %.3f ms,"
                      " %u kinds of fault",
                      sim->host_count, sim->totals.accepted, (double)sim->totals.virtual_ns / MSEC,
                      fault_count(sim->struck));
}

bool sim_run(const struct sim_options *options, struct rte_mempool *pool, struct trace *trace,
             struct sim_totals *totals)
{
    static struct sim sim;
    sim = (struct sim){.options = *options, .pool = pool};
    uint32_t full = rte_mempool_avail_count(pool);
    events_init(&sim.events);
    trace_init(&sim.trace, options->verbose);
    plan(&sim);
    build(&sim);
    work(&sim);
    tear_down(&sim);
    check_breadth(&sim);
    uint32_t left = rte_mempool_avail_count(pool);
    if (left != full)
        sim_violation(&sim, "%u packet buffers are lost", full - left);
    *trace = sim.trace;
    *totals = sim.totals;
    return !sim.failed;
}
