/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/fault.h"

#include "tests/sim/app.h"
#include "tests/sim/checker.h"
#include "tests/sim/front.h"
#include "tests/sim/link.h"
#include "tests/sim/upgrade.h"

#include <stdlib.h>
#include <string.h>

#define PERIOD_NS_MAX     (2 * MSEC) /* between two strikes: uniform, below this */
#define LINK_DELAY_NS     (2 * USEC)
#define LINK_DELAY_MAX    (10 * USEC)
#define LINK_JITTER_NS    (2 * USEC)
#define BURST_ENTER_PPM   3000u   /* highest */
#define BURST_LEAVE_PPM   100000u /* lowest: ten packets */
#define BURST_LOSS_PPM    800000u
#define DUPLICATE_PPM     50000u
#define REORDER_PPM       100000u
#define REORDER_NS        (50 * USEC)
#define REORDER_DEEP_PPM  200000u     /* of links: a few packets come much later than that */
#define REORDER_DEEP_NS   (20 * MSEC) /* at most: a thousand others overtake */
#define REORDER_DEEP_MOST 10000u      /* ppm of packets */
#define LOSS_HEAVY_PPM    100000u     /* of links: they lose up to the most that is allowed, */
#define LOSS_USUAL        3u          /* and others this part of it */
#define LOSS_CALL_PPM     300000u     /* more, in both directions together: calls may fail */
#define CORRUPT_PPM       1000u
#define SPIKE_NS          (3 * MSEC) /* longest delay in a spike */
#define SPIKE_LASTS_NS    (5 * MSEC)
#define CUT_NS            (5 * MSEC)   /* longest of most partitions */
#define CUT_LONG_PPM      50000u       /* of partitions: these last longer */
#define CUT_LONG_NS       (300 * MSEC) /* longest of those */
#define CUT_DEAD_PPM      2000u        /* of partitions: longer than a peer is waited for */
#define CUT_DEAD_NS       (8 * SEC)
#define CUTS_DEAD_MAX     1u     /* of those, so that not all hosts are apart for ever */
#define STRIKES_MAX       2000u  /* the work is to be done in spite of them, not without end */
#define CUT_ONEWAY_PPM    20000u /* of one-way cuts: these last so long */
#define CUT_ONEWAY_NS     SEC
#define CUT_TROUBLE_NS    (2 * SEC)   /* a flow may be given up after this */
#define HOLE_BYTES        600u        /* the narrowest black hole: IP packets */
#define HOLE_NS           (60 * MSEC) /* longest of most black holes */
#define HOLE_LONG_NS      SEC         /* of a few */
#define HOLE_LONG_PPM     50000u
#define RESTARTS_MAX      8u          /* they end connections, and work is to go on in some */
#define STALL_NS          (2 * MSEC)  /* longest of most stalls */
#define STALL_LONG_NS     (50 * MSEC) /* longest of a few */
#define STALL_LONG_PPM    20000u
#define KINDS_DRAWN_LEAST 1u /* that strike, beside loss, duplicates and reordering */
#define HALF_PPM          500000u

const char *const fault_names[FAULT_KINDS] = {
    "loss",  "burst", "duplicate", "reorder",   "corrupt", "delay",   "partition", "oneway",
    "stall", "kill",  "reload",    "blackhole", "restart", "upgrade", "policy",
};

/* A pair of hosts that is apart, as their addresses are, or a host that is slow. */
struct affliction {
    struct fault *fault;
    uint32_t from, to;
    uint64_t begin;
    uint64_t end; /* 0: none now */
};

struct fault {
    struct sim *sim;
    struct rng rng;
    uint32_t kinds;
    uint32_t dead_cuts;
    struct affliction cuts[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
    struct affliction holes[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
    uint32_t restarts;
    struct affliction spikes[SIM_HOSTS_MAX];
    struct impair_config links[SIM_HOSTS_MAX][SIM_HOSTS_MAX];
};

uint32_t fault_parse(const char *list)
{
    uint32_t kinds = 0;
    if (strcmp(list, "all") == 0)
        return (1u << FAULT_KINDS) - 1;
    while (*list) {
        size_t length = strcspn(list, ",");
        uint32_t kind = 0;
        while (kind < FAULT_KINDS && (strlen(fault_names[kind]) != length ||
                                      strncmp(fault_names[kind], list, length) != 0))
            kind++;
        if (kind == FAULT_KINDS)
            return 0;
        kinds |= 1u << kind;
        list += length;
        list += *list == ',';
    }
    return kinds;
}

uint32_t fault_draw(struct rng *rng)
{
    uint32_t kinds = 1u << FAULT_LOSS | 1u << FAULT_DUPLICATE | 1u << FAULT_REORDER;
    /* Policies change where there are any. */
    for (uint32_t kind = 0; kind < FAULT_POLICY; kind++)
        if (rng_chance(rng, HALF_PPM))
            kinds |= 1u << kind;
    return kinds | 1u << (FAULT_DELAY + rng_below(rng, FAULT_POLICY - FAULT_DELAY));
}

uint32_t fault_count(uint32_t kinds)
{
    return (uint32_t)__builtin_popcount(kinds);
}

static void draw_loss(struct sim *sim, struct impair_config *config)
{
    struct rng *rng = &sim->plan;
    uint32_t most = sim->options.loss_ppm;
    if (!rng_chance(rng, LOSS_HEAVY_PPM))
        most /= LOSS_USUAL;
    config->loss_ppm = (uint32_t)rng_below(rng, most + 1);
}

static void draw_reordering(struct sim *sim, struct impair_config *config)
{
    struct rng *rng = &sim->plan;
    bool deep = rng_chance(rng, REORDER_DEEP_PPM);
    config->reorder_ppm = (uint32_t)rng_below(rng, deep ? REORDER_DEEP_MOST : REORDER_PPM);
    config->reorder_ns = 1 + rng_below(rng, deep ? REORDER_DEEP_NS : REORDER_NS);
}

void fault_link(struct sim *sim, struct impair_config *config)
{
    struct rng *rng = &sim->plan;
    uint32_t kinds = sim->options.faults;
    *config = (struct impair_config){
        .delay_ns = LINK_DELAY_NS + rng_below(rng, LINK_DELAY_MAX),
        .jitter_ns = LINK_JITTER_NS,
    };
    if (kinds & 1u << FAULT_LOSS)
        draw_loss(sim, config);
    if (kinds & 1u << FAULT_BURST) {
        config->burst_enter_ppm = (uint32_t)rng_below(rng, BURST_ENTER_PPM);
        config->burst_leave_ppm = BURST_LEAVE_PPM;
        config->burst_loss_ppm = BURST_LOSS_PPM;
    }
    if (kinds & 1u << FAULT_DUPLICATE)
        config->duplicate_ppm = (uint32_t)rng_below(rng, DUPLICATE_PPM);
    if (kinds & 1u << FAULT_REORDER)
        draw_reordering(sim, config);
    if (kinds & 1u << FAULT_CORRUPT)
        config->corrupt_ppm = (uint32_t)rng_below(rng, CORRUPT_PPM);
}

/* ---- Afflictions ---- */

static void end_cut(void *arg, uint64_t now)
{
    struct affliction *cut = arg;
    if (cut->end != now)
        return;
    cut->end = 0;
    struct sim *sim = cut->fault->sim;
    TRACE(sim, cut->from, "join", cut->to, 0, 0);
    link_cut(sim->links[cut->from][cut->to], false);
}

static void cut_link(struct fault *fault, uint32_t from, uint32_t to, uint64_t lasts)
{
    struct sim *sim = fault->sim;
    struct affliction *cut = &fault->cuts[from][to];
    TRACE(sim, from, "cut", to, lasts, 0);
    if (cut->end == 0)
        cut->begin = sim->events.now;
    if (sim->events.now + lasts > cut->end)
        cut->end = sim->events.now + lasts;
    sim->cut_end[from][to] = sim->cut_end[to][from] = cut->end;
    link_cut(sim->links[from][to], true);
    if (cut->end - cut->begin >= CUT_TROUBLE_NS)
        checker_apart(sim->checker, from, to);
    events_at(&sim->events, cut->end, end_cut, cut);
}

static void end_hole(void *arg, uint64_t now)
{
    struct affliction *hole = arg;
    struct sim *sim = hole->fault->sim;
    if (hole->end != now)
        return;
    hole->end = 0;
    TRACE(sim, hole->from, "wide", hole->to, 0, 0);
    link_narrow(sim->links[hole->from][hole->to], 0);
}

/* A route changes, in one direction. */
static void begin_hole(struct fault *fault, uint32_t from, uint32_t to)
{
    struct sim *sim = fault->sim;
    struct rng *rng = &fault->rng;
    struct affliction *hole = &fault->holes[from][to];
    uint32_t bytes = HOLE_BYTES + (uint32_t)rng_below(rng, sim->mtu - HOLE_BYTES);
    uint64_t longest = rng_chance(rng, HOLE_LONG_PPM) ? HOLE_LONG_NS : HOLE_NS;
    hole->end = sim->events.now + 1 + rng_below(rng, longest);
    TRACE(sim, from, "narrow", to, bytes, hole->end);
    link_narrow(sim->links[from][to], bytes);
    events_at(&sim->events, hole->end, end_hole, hole);
}

static void spike(struct fault *fault, uint32_t host, uint64_t extra)
{
    struct sim *sim = fault->sim;
    for (uint32_t i = 0; i < sim->host_count; i++) {
        if (i == host)
            continue;
        struct impair_config config = fault->links[i][host];
        config.delay_ns += extra;
        link_configure(sim->links[i][host], &config);
        config = fault->links[host][i];
        config.delay_ns += extra;
        link_configure(sim->links[host][i], &config);
    }
}

static void end_spike(void *arg, uint64_t now)
{
    struct affliction *affliction = arg;
    if (affliction->end != now)
        return;
    affliction->end = 0;
    spike(affliction->fault, affliction->from, 0);
}

static void begin_spike(struct fault *fault, uint32_t host)
{
    struct sim *sim = fault->sim;
    struct affliction *affliction = &fault->spikes[host];
    uint64_t extra = rng_below(&fault->rng, SPIKE_NS);
    affliction->end = sim->events.now + 1 + rng_below(&fault->rng, SPIKE_LASTS_NS);
    TRACE(sim, host, "spike", extra, affliction->end, 0);
    spike(fault, host, extra);
    events_at(&sim->events, affliction->end, end_spike, affliction);
}

/* ---- Strikes ---- */

static uint64_t draw_cut(struct fault *fault, uint32_t kind)
{
    struct rng *rng = &fault->rng;
    if (kind == FAULT_ONEWAY && rng_chance(rng, CUT_ONEWAY_PPM))
        return CUT_ONEWAY_NS;
    if (rng_chance(rng, CUT_DEAD_PPM) && fault->dead_cuts < CUTS_DEAD_MAX) {
        fault->dead_cuts++;
        return CUT_DEAD_NS;
    }
    return 1 + rng_below(rng, rng_chance(rng, CUT_LONG_PPM) ? CUT_LONG_NS : CUT_NS);
}

/* All that have the one address, from all that have the other. */
static void cut(struct fault *fault, uint32_t from, uint32_t to, uint64_t lasts)
{
    uint32_t siblings = fault->sim->siblings;
    from -= from % siblings;
    to -= to % siblings;
    for (uint32_t i = 0; i < siblings * siblings; i++)
        cut_link(fault, from + i / siblings, to + i % siblings, lasts);
}

/* An engine, or all that a daemon has. */
static void reload(struct fault *fault, struct host *host)
{
    if (host->front && rng_chance(&fault->rng, HALF_PPM))
        front_hand_over(host->front);
    else
        host_reload(host);
}

static void strike_kind(struct fault *fault, uint32_t kind)
{
    struct sim *sim = fault->sim;
    struct rng *rng = &fault->rng;
    uint32_t host = (uint32_t)rng_below(rng, sim->host_count);
    uint32_t addresses = sim->host_count / sim->siblings;
    uint32_t other =
        (host + sim->siblings * (1 + (uint32_t)rng_below(rng, addresses - 1))) % sim->host_count;
    uint64_t lasts = draw_cut(fault, kind);
    sim->totals.faults++;
    sim->struck |= 1u << kind;
    switch (kind) {
    case FAULT_DELAY:
        begin_spike(fault, host);
        break;
    case FAULT_PARTITION:
        cut(fault, other, host, lasts);
        cut(fault, host, other, lasts);
        break;
    case FAULT_ONEWAY:
        cut(fault, host, other, lasts);
        break;
    case FAULT_STALL:
        TRACE(sim, host, "stall", 0, 0, 0);
        host_stall(sim->hosts[host],
                   sim->events.now +
                       rng_below(rng, rng_chance(rng, STALL_LONG_PPM) ? STALL_LONG_NS : STALL_NS));
        break;
    case FAULT_KILL:
        app_kill(sim->apps[rng_below(rng, sim->app_count)]);
        break;
    case FAULT_RELOAD:
        reload(fault, sim->hosts[host]);
        break;
    case FAULT_POLICY:
        if (sim->hosts[host]->front)
            front_reshape(sim->hosts[host]->front);
        break;
    case FAULT_BLACKHOLE:
        begin_hole(fault, host, other);
        break;
    case FAULT_RESTART:
        if (fault->restarts++ < RESTARTS_MAX)
            host_restart(sim->hosts[host]);
        break;
    case FAULT_UPGRADE:
        upgrade_plan(sim, sim_address(sim, host), rng);
        break;
    default:
        break;
    }
}

static void strike(void *arg, uint64_t now)
{
    struct fault *fault = arg;
    struct sim *sim = fault->sim;
    if (sim->healed || sim->failed || sim->totals.faults == STRIKES_MAX)
        return;
    uint32_t kinds = fault->kinds & ~FAULT_LINK_KINDS;
    uint32_t count = (uint32_t)__builtin_popcount(kinds);
    if (count == 0)
        return;
    uint32_t chosen = (uint32_t)rng_below(&fault->rng, count);
    while (chosen-- > 0)
        kinds &= kinds - 1;
    strike_kind(fault, (uint32_t)__builtin_ctz(kinds));
    events_at(&sim->events, now + 1 + rng_below(&fault->rng, PERIOD_NS_MAX), strike, fault);
}

struct fault *fault_create(struct sim *sim)
{
    struct fault *fault = sim_zalloc(sizeof(*fault));
    fault->sim = sim;
    fault->kinds = sim->options.faults;
    rng_init_u64(&fault->rng, sim->options.seed, SIM_STREAM_FAULTS);
    sim->checker->corrupting = fault->kinds & 1u << FAULT_CORRUPT;
    for (uint32_t from = 0; from < sim->host_count; from++) {
        fault->spikes[from] = (struct affliction){.fault = fault, .from = from};
        for (uint32_t to = 0; to < sim->host_count; to++) {
            fault->cuts[from][to] = (struct affliction){.fault = fault, .from = from, .to = to};
            fault->holes[from][to] = fault->cuts[from][to];
            if (from == to)
                continue;
            fault_link(sim, &fault->links[from][to]);
            sim->links[from][to] = link_create(sim, from, to, &fault->links[from][to]);
        }
    }
    for (uint32_t from = 0; from < sim->host_count; from++)
        for (uint32_t to = 0; to < sim->host_count; to++)
            sim->lossy[from][to] =
                from != to &&
                fault->links[from][to].loss_ppm + fault->links[to][from].loss_ppm > LOSS_CALL_PPM;
    events_at(&sim->events, rng_below(&fault->rng, PERIOD_NS_MAX), strike, fault);
    return fault;
}

void fault_destroy(struct fault *fault)
{
    free(fault);
}

void fault_heal(struct fault *fault)
{
    struct sim *sim = fault->sim;
    struct impair_config perfect = {.delay_ns = LINK_DELAY_NS};
    for (uint32_t from = 0; from < sim->host_count; from++)
        for (uint32_t to = 0; to < sim->host_count; to++) {
            if (from == to)
                continue;
            fault->cuts[from][to].end = 0;
            fault->holes[from][to].end = 0;
            link_narrow(sim->links[from][to], 0);
            link_cut(sim->links[from][to], false);
            link_configure(sim->links[from][to], &perfect);
        }
    for (uint32_t host = 0; host < sim->host_count; host++)
        fault->spikes[host].end = 0;
}
