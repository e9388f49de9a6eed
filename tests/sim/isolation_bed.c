/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/isolation_bed.h"

#include "client/session.h"
#include "control/arena.h"
#include "tests/sim/app.h"
#include "tests/sim/link.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Packets of a flow in flight, which is what may wait in a host's receive queue before anybody can
 * tell whose they are: an operator sets it likewise (`window`). */
#define WINDOW      64u
#define MTU         1500u
#define PAUSE_NS    (50 * USEC) /* of the quiet one, and of a paced one */
#define JITTER_NS   (20 * USEC) /* so that it meets the others at all points of their work */
#define APP_NS      (1 * USEC)  /* an application notices what its engine did */
#define HEAP_BYTES  (16u << 20)
#define SLOTS       1024u
#define ENTRIES     512u
#define EVENTS      32
#define SMALL_BYTES 64u
#define KIB         1024u
#define LARGE_BYTES (1u << 20)
#define LARGE_DEPTH 4u
#define CONNECT_NS  (100 * MSEC)
#define TAG_LISTEN  1u
#define TAG_CONNECT 2u
#define TAG_ACCEPT  3u
#define TAG_EXPOSE  4u
#define TAG_WORK    5u
#define TAG_BUFFER  6u
#define PERCENT     100u

/* ---- What the other parts of a simulation are asked for here ---- */

static struct bed *the_bed;

void *sim_zalloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    if (!memory)
        abort();
    return memory;
}

void sim_violation(struct sim *sim, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fprintf(stderr, " (at %llu ns)\n", (unsigned long long)sim->events.now);
    abort();
}

void apps_crash(struct sim *sim, uint32_t host)
{
    sim_violation(sim, "host %u crashes", host);
}

struct pony_session **apps_part(struct sim *sim, uint32_t host)
{
    sim_violation(sim, "host %u is replaced", host);
    return NULL;
}

void apps_adopt(struct sim *sim, uint32_t host)
{
    sim_violation(sim, "host %u is replaced", host);
}

static void step(void *arg, uint64_t now);

struct pony_session **apps_rehearse(struct sim *sim, uint32_t host, struct engine *engine)
{
    (void)sim;
    (void)host;
    (void)engine;
    abort();
}

void apps_end_sessions(const struct sim *sim, struct pony_session **sessions)
{
    (void)sim;
    (void)sessions;
}

void apps_wake(struct sim *sim, uint32_t host)
{
    for (uint32_t i = 0; i < the_bed->pair_count; i++)
        events_at(&sim->events, sim->hosts[host]->busy_until + APP_NS, step,
                  &the_bed->apps[host][i]);
}

/* ---- Work ---- */

static void must(const struct bed_app *app, int result, const char *what)
{
    if (result)
        sim_violation(&app->bed->sim, "host %u: %s: error %d", app->host, what, result);
}

static struct saddle_op tagged(uint64_t tag)
{
    return (struct saddle_op){.size = sizeof(struct saddle_op), .tag = tag};
}

static void post_buffer(struct bed_app *app)
{
    struct saddle_op op = tagged(TAG_BUFFER);
    must(app, saddle_post_recv(app->channel, app->connections[0], app->buffer, LARGE_BYTES, &op),
         "post_recv");
}

static uint32_t depth_of(const struct bed_app *app)
{
    if (app->pair->depth)
        return app->pair->depth;
    return app->pair->work == BED_LARGE ? LARGE_DEPTH : BED_DEPTH;
}

/* One operation; false if the queue is full. */
static bool begin_one(struct bed_app *app)
{
    static const size_t bytes[] = {[BED_QUIET] = SMALL_BYTES,
                                   [BED_SMALL] = SMALL_BYTES,
                                   [BED_READS] = KIB,
                                   [BED_LARGE] = LARGE_BYTES,
                                   [BED_PACED] = KIB};
    struct saddle_op op = tagged(TAG_WORK);
    size_t len = bytes[app->pair->work];
    saddle_handle lane = app->connections[app->begun % app->lanes];
    int result = app->pair->work == BED_READS
                     ? saddle_read(app->channel, lane, app->partner->key, 0, app->buffer, len, &op)
                     : saddle_send(app->channel, lane, app->buffer, len, &op);
    if (result != -EAGAIN)
        must(app, result, "an operation");
    app->begun += result == 0;
    return result == 0;
}

static void flood(struct bed_app *app)
{
    while (app->begun - app->finished < depth_of(app) && begin_one(app))
        continue;
}

static void ask(void *arg, uint64_t now)
{
    struct bed_app *app = arg;
    if (!app->working)
        return;
    app->asked_ns = now;
    for (uint32_t i = 0; i < (app->pair->burst ? app->pair->burst : 1); i++)
        begin_one(app);
    if (app->pair->work == BED_PACED)
        events_at(&app->bed->sim.events, now + PAUSE_NS, ask, app);
    host_wake(app->bed->sim.hosts[app->host]);
}

static void on_message(struct bed_app *app, uint64_t now)
{
    struct bed *bed = app->bed;
    if (app->pair->work != BED_QUIET)
        return;
    if (!app->caller) {
        begin_one(app);
        return;
    }
    if (bed->sample_count < bed->samples_max)
        bed->samples[bed->sample_count++] = now - app->asked_ns;
    uint64_t pause = PAUSE_NS + rng_below(&bed->sim.plan, JITTER_NS);
    events_at(&bed->sim.events, now + pause, ask, app);
}

static void on_done(struct bed_app *app, const struct saddle_completion *event)
{
    if (event->tag == TAG_CONNECT || event->tag == TAG_ACCEPT)
        app->connections[app->lanes++] = event->handle;
    else if (event->tag == TAG_EXPOSE)
        app->key = event->value;
    else if (event->tag == TAG_BUFFER)
        post_buffer(app);
    app->finished += event->tag == TAG_WORK;
    app->failed += event->status != 0;
}

static void on_event(struct bed_app *app, const struct saddle_completion *event, uint64_t now)
{
    struct saddle_op op = tagged(TAG_ACCEPT);
    switch (event->kind) {
    case SADDLE_DONE:
        on_done(app, event);
        break;
    case SADDLE_INCOMING:
        must(app, saddle_accept(app->channel, event->handle, &op), "accept");
        break;
    case SADDLE_MESSAGE:
        must(app, saddle_release(app->channel, event), "release");
        on_message(app, now);
        break;
    default:
        break;
    }
}

/* It looks at its events, and goes on. */
static void step(void *arg, uint64_t now)
{
    struct bed_app *app = arg;
    struct saddle_completion events[EVENTS];
    uint64_t begun = app->begun;
    int count, total = 0;
    if (!app->session) /* gone */
        return;
    while ((count = saddle_poll(app->channel, events, EVENTS)) > 0) {
        for (int i = 0; i < count; i++)
            on_event(app, &events[i], now);
        total += count;
    }
    must(app, count, "poll");
    if (app->working && app->caller && app->pair->work != BED_QUIET && app->pair->work != BED_PACED)
        flood(app);
    if (total > 0 || app->begun > begun)
        host_wake(app->bed->sim.hosts[app->host]);
}

/* ---- Setting up ---- */

static void attach(struct bed_app *app, uint64_t id)
{
    struct saddle_attach_request request = {.magic = SADDLE_ABI_MAGIC,
                                            .bytes = sizeof(request),
                                            .abi_min = SADDLE_ABI_VERSION,
                                            .abi_max = SADDLE_ABI_VERSION,
                                            .channels = 1,
                                            .command_entries = ENTRIES,
                                            .completion_entries = ENTRIES,
                                            .receive_slots = SLOTS,
                                            .heap_bytes = HEAP_BYTES};
    struct pony_session_config config = {.id = id};
    struct saddle_attach_reply plan;
    uint64_t slots;
    must(app, arena_plan(&request, &plan, &slots), "plan");
    app->arena_bytes = plan.arena_bytes;
    app->arena =
        mmap(NULL, plan.arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (app->arena == MAP_FAILED)
        abort();
    arena_format(app->arena, &plan);
    must(app, arena_describe(&config, app->arena, &plan, slots, NULL), "describe");
    config.id = id;
    config.grant = app->pair->grant;
    config.grant.rights = PONY_RIGHTS_ALL;
    must(app, pony_session_create(&app->pony, &config), "session");
    host_enter(app->bed->sim.hosts[app->host]);
    must(app, pony_mailbox_attach(app->bed->sim.hosts[app->host]->engine, app->pony), "attach");
    must(app, session_open(&app->session, &plan, app->arena, NULL), "open");
    app->channel = saddle_channel(app->session, 0);
    app->buffer = saddle_alloc(app->session, LARGE_BYTES);
    if (!app->buffer)
        abort();
}

static void make_hosts(struct bed *bed, uint64_t delay_ns, struct rte_mempool *pool)
{
    const struct impair_config wire = {.delay_ns = delay_ns};
    struct sim *sim = &bed->sim;
    events_init(&sim->events);
    trace_init(&sim->trace, false);
    sim->options.seed = 1;
    sim->pool = pool;
    sim->mtu = MTU;
    sim->window = WINDOW;
    sim->host_count = BED_HOSTS;
    sim->siblings = 1;
    sim->wire_min = sim->wire_max = 0;
    rng_init_u64(&sim->plan, sim->options.seed, SIM_STREAM_PLAN);
    for (uint32_t from = 0; from < BED_HOSTS; from++)
        sim->links[from][1 - from] = link_create(sim, from, 1 - from, &wire);
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        sim->hosts[i] = host_create(sim, i);
}

static void make_app(struct bed *bed, uint32_t host, uint32_t pair)
{
    struct bed_app *app = &bed->apps[host][pair];
    *app = (struct bed_app){.bed = bed,
                            .partner = &bed->apps[1 - host][pair],
                            .pair = &bed->pairs[pair],
                            .host = host,
                            .caller = host == 0};
    attach(app, 1 + host * BED_PAIRS_MAX + pair);
}

static void connect_pair(struct bed *bed, uint32_t pair)
{
    struct bed_app *caller = &bed->apps[0][pair], *partner = &bed->apps[1][pair];
    struct saddle_op op = tagged(TAG_LISTEN);
    char service[16];
    snprintf(service, sizeof(service), "pair%u", pair);
    must(partner, saddle_listen(partner->channel, service, &op), "listen");
    op = tagged(TAG_EXPOSE);
    must(partner,
         saddle_expose(partner->channel, partner->buffer, LARGE_BYTES, SADDLE_READABLE, &op),
         "expose");
    host_wake(bed->sim.hosts[1]);
    bed_run(bed, MSEC);
    uint32_t lanes = caller->pair->work == BED_SMALL ? BED_LANES : 1;
    op = tagged(TAG_CONNECT);
    for (uint32_t i = 0; i < lanes; i++)
        must(caller, saddle_connect(caller->channel, "host1", service, &op), "connect");
    host_wake(bed->sim.hosts[0]);
    bed_run(bed, CONNECT_NS);
    if (caller->lanes < lanes || partner->lanes < lanes || !partner->key || caller->failed)
        sim_violation(&bed->sim, "pair %u does not connect", pair);
    for (uint32_t i = 0; partner->pair->work == BED_LARGE && i < LARGE_DEPTH; i++)
        post_buffer(partner);
    host_wake(bed->sim.hosts[1]);
}

struct bed *bed_create(const struct bed_pair *pairs, uint32_t count, uint64_t delay_ns,
                       struct rte_mempool *pool)
{
    struct bed *bed = sim_zalloc(sizeof(*bed));
    the_bed = bed;
    memcpy(bed->pairs, pairs, count * sizeof(pairs[0]));
    bed->pair_count = count;
    make_hosts(bed, delay_ns, pool);
    for (uint32_t host = 0; host < BED_HOSTS; host++)
        for (uint32_t i = 0; i < count; i++)
            make_app(bed, host, i);
    for (uint32_t i = 0; i < count; i++)
        connect_pair(bed, i);
    return bed;
}

void bed_destroy(struct bed *bed)
{
    for (uint32_t host = 0; host < BED_HOSTS; host++)
        for (uint32_t i = 0; i < bed->pair_count; i++) {
            struct bed_app *app = &bed->apps[host][i];
            host_enter(bed->sim.hosts[host]);
            while (pony_mailbox_detach(bed->sim.hosts[host]->engine, app->pony) == -EAGAIN)
                continue;
            pony_session_destroy(app->pony);
            saddle_detach(app->session);
            app->session = NULL;
            app->working = false;
            munmap(app->arena, app->arena_bytes);
        }
    bed_run(bed, CONNECT_NS);
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        link_destroy(bed->sim.links[i][1 - i]);
        host_destroy(bed->sim.hosts[i]);
    }
    events_fini(&bed->sim.events);
    free(bed->samples);
    free(bed);
    the_bed = NULL;
}

void bed_work(struct bed *bed, uint32_t pair, bool works)
{
    struct bed_app *caller = &bed->apps[0][pair];
    bool asks = caller->pair->work == BED_QUIET || caller->pair->work == BED_PACED;
    if (caller->working == works)
        return;
    caller->working = works;
    events_at(&bed->sim.events, bed->sim.events.now, works && asks ? ask : step, caller);
}

void bed_run(struct bed *bed, uint64_t ns)
{
    uint64_t end = bed->sim.events.now + ns;
    while (events_step(&bed->sim.events, end))
        continue;
    bed->sim.events.now = end;
}

uint64_t bed_charged(const struct bed *bed, uint32_t host, uint32_t pair)
{
    struct pony_usage usage;
    pony_session_usage(bed->apps[host][pair].pony, &usage);
    return usage.cpu_ns;
}

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

uint64_t bed_p99(struct bed *bed, uint32_t count)
{
    free(bed->samples);
    bed->samples = sim_zalloc(count * sizeof(bed->samples[0]));
    bed->samples_max = count;
    bed->sample_count = 0;
    while (bed->sample_count < count)
        bed_run(bed, MSEC);
    qsort(bed->samples, count, sizeof(bed->samples[0]), compare);
    return bed->samples[(uint64_t)count * (PERCENT - 1) / PERCENT];
}
