/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/app.h"

#include "client/gather.h"
#include "client/session.h"
#include "control/arena.h"
#include "engines/pony/pony.h"
#include "tests/sim/checker.h"
#include "tests/sim/host.h"
#include "tests/sim/inbox.h"
#include "tests/sim/table.h"
#include "tests/sim/work.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PERIOD_NS      (200 * USEC) /* it looks at least this often */
#define LATENCY_NS_MAX (5 * USEC)   /* from an event to the look at it */
#define RESTART_NS_MAX (5 * MSEC)   /* from a kill to the next life */
#define READ_REGION    (256u << 10) /* bytes */
#define DEPTH_MAX      48u
#define CALLEES_MAX    4u
#define LARGEST_STEP   4096u

static struct host *host_of(const struct app *app)
{
    return app->sim->hosts[app->host];
}

struct saddle_channel *app_channel(struct app *app, uint32_t channel)
{
    return saddle_channel(app->session, channel);
}

/* ---- Life ---- */

static void plan_arena(struct app *app)
{
    struct saddle_attach_request request = {
        .magic = SADDLE_ABI_MAGIC,
        .bytes = sizeof(request),
        .abi_min = SADDLE_ABI_OLDEST,
        .abi_max = SADDLE_ABI_VERSION,
        .channels = app->channels,
        .command_entries = 8u << rng_below(&app->rng, 6),
        .completion_entries = 8u << rng_below(&app->rng, 6),
        .receive_slots = 8u << rng_below(&app->rng, 6),
        .heap_bytes = app->heap_bytes,
    };
    snprintf(request.application, sizeof(request.application), "app%u", app->index);
    if (arena_plan(&request, &app->plan, &app->slots_offset))
        abort();
}

static struct pony_session *new_pony(const struct app *app)
{
    struct pony_session *pony;
    struct pony_session_config config = {.id = app->session_id};
    if (arena_describe(&config, app->arena, &app->plan, app->slots_offset, NULL))
        abort();
    config.id = app->session_id;
    config.uid = app_uid(app->index);
    config.grant.rights = PONY_RIGHTS_ALL;
    snprintf(config.application, sizeof(config.application), "app%u", app->index);
    if (pony_session_create(&pony, &config))
        abort();
    return pony;
}

/* The library keeps the arrays that it gathers from, once it has them: they are no loss. */
static void prepare(struct app *app)
{
    struct saddle_gather *array;
    for (uint32_t i = 0; i < app->channels; i++)
        if (client_gather_reserve(app_channel(app, i), &array))
            abort();
}

/* The largest block that the heap can give, to LARGEST_STEP. */
static size_t find_largest(struct app *app)
{
    size_t low = 0;
    size_t high = app->heap_bytes + LARGEST_STEP;
    while (high - low > LARGEST_STEP) {
        size_t middle = low + (high - low) / 2;
        void *block = saddle_alloc(app->session, middle);
        saddle_free(app->session, block);
        if (block)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool app_heap_whole(struct app *app)
{
    void *block = saddle_alloc(app->session, app->largest);
    saddle_free(app->session, block);
    return block != NULL;
}

static bool listen_on(struct app *app)
{
    char service[16];
    snprintf(service, sizeof(service), "app%u", app->index);
    struct operation *operation =
        ledger_begin(&app->sim->checker->ledger, app, SADDLE_CMD_LISTEN, NULL);
    struct saddle_op op = app_op(operation);
    return app_submit(app, operation, saddle_listen(app_channel(app, 0), service, &op));
}

static void start(void *arg, uint64_t now)
{
    struct app *app = arg;
    struct host *host = host_of(app);
    (void)now;
    host_enter(host);
    app->alive = true;
    app->session_id = (uint64_t)app->index << 32 | app_session(app->index, app->life);
    plan_arena(app);
    app->arena = mmap(NULL, app->plan.arena_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (app->arena == MAP_FAILED)
        abort();
    arena_format(app->arena, &app->plan);
    if (session_open(&app->session, &app->plan, app->arena, NULL))
        abort();
    prepare(app);
    app->largest = find_largest(app);
    app->pony = new_pony(app);
    if (pony_mailbox_attach(host->engine, app->pony))
        abort();
    TRACE(app->sim, app->host, "attach", app->index, app->life, app->plan.arena_bytes);
    app->listening = listen_on(app);
    app->stale = true;
    app_expose(app, REGION_SLOTS * REGION_SLOT_BYTES, true);
    app_expose_table(app);
    app_expose(app, READ_REGION, false);
    app_wake(app, 0);
}

struct app *app_create(struct sim *sim, uint32_t index, uint32_t host)
{
    struct app *app = sim_zalloc(sizeof(*app));
    app->sim = sim;
    app->index = index;
    app->host = host;
    rng_init_u64(&app->rng, sim->options.seed, SIM_STREAM_APPS + index);
    alarm_init(&app->alarm);
    app->channels = 1 + (uint32_t)rng_below(&app->rng, APP_CHANNELS_MAX);
    app->depth = 1 + (uint32_t)rng_below(&app->rng, DEPTH_MAX);
    app->callees = 1 + (uint32_t)rng_below(&app->rng, CALLEES_MAX);
    app->heap_bytes = sim->heap_bytes;
    events_at(&sim->events, rng_below(&app->rng, RESTART_NS_MAX), start, app);
    return app;
}

/* Takes the session from the library, and the memory from it and from the engine, which is gone or
 * has let go of it. */
static void drop(struct app *app)
{
    pony_session_destroy(app->pony);
    app->pony = NULL;
    saddle_detach(app->session);
    app->session = NULL;
    for (struct region *region = app->regions; region; region = region->next) {
        const char *wrong = region->table && region->memory ? region_close(region) : NULL;
        if (wrong)
            sim_violation(app->sim, "app %u: its table at its end: %s", app->index, wrong);
    }
    munmap(app->arena, app->plan.arena_bytes);
    app->arena = NULL;
    for (struct region *region = app->regions; region; region = region->next) {
        region->state = REGION_REVOKED;
        region->memory = NULL;
    }
    for (uint32_t i = 0; i < app->end_count; i++)
        app->ends[i]->state = END_GONE;
    app->end_count = app->held_count = app->outstanding = app->pings = app->calls = 0;
    app->lent = 0;
    app->listener = 0;
    app->listening = app->alive = false;
}

static void detach(struct app *app)
{
    struct host *host = host_of(app);
    host_enter(host);
    while (pony_mailbox_detach(host->engine, app->pony) == -EAGAIN)
        continue;
    drop(app);
}

static void start_again(struct app *app)
{
    app->life++;
    events_at(&app->sim->events, app->sim->events.now + rng_below(&app->rng, RESTART_NS_MAX), start,
              app);
}

void app_kill(struct app *app)
{
    if (!app->alive)
        return;
    TRACE(app->sim, app->host, "kill", app->index, app->life, app->outstanding);
    checker_killed(app->sim->checker, app);
    detach(app);
    app->sim->totals.kills++;
    start_again(app);
}

void apps_crash(struct sim *sim, uint32_t host)
{
    for (uint32_t i = 0; i < sim->app_count; i++) {
        struct app *app = sim->apps[i];
        if (app->host != host || !app->alive)
            continue;
        checker_killed(sim->checker, app);
        drop(app);
        start_again(app);
    }
}

void app_leave(struct app *app)
{
    if (app->alive)
        detach(app);
}

void app_destroy(struct app *app)
{
    if (!app)
        return;
    while (app->regions) {
        struct region *region = app->regions;
        app->regions = region->next;
        region_destroy(region);
    }
    free(app);
}

/* ---- Operations ---- */

struct saddle_op app_op(const struct operation *operation)
{
    return (struct saddle_op){.size = sizeof(struct saddle_op),
                              .tag = operation->tag,
                              .timeout_ns = operation->timeout,
                              .stream = operation->stream,
                              .flags = operation->unordered ? SADDLE_UNORDERED : 0};
}

bool app_submit(struct app *app, struct operation *operation, int result)
{
    if (result == 0) {
        if (operation->op != SADDLE_CMD_POST_RECV) {
            app->outstanding++;
            app->pings += operation->op == SADDLE_CMD_PING;
            app->lent += operation->length;
            if (operation->end)
                operation->end->outstanding++;
        }
        app->sim->totals.accepted++;
        app->spoke = true;
        TRACE(app->sim, app->host, "submit", operation->tag - LEDGER_TAG, operation->op,
              operation->length);
        return true;
    }
    if (result != -EAGAIN)
        sim_violation(app->sim, "app %u: command %u is refused: %s (%d)", app->index, operation->op,
                      saddle_strerror(app->session), result);
    saddle_free(app->session, operation->buffer);
    ledger_cancel(&app->sim->checker->ledger, operation);
    return false;
}

static bool expose(struct app *app, struct operation *operation, struct region *region,
                   uint32_t rights)
{
    uint8_t *memory = region->memory;
    operation->region = region;
    struct saddle_op op = app_op(operation);
    int result = saddle_expose(app_channel(app, 0), memory, region->length, rights, &op);
    if (!app_submit(app, operation, result)) {
        saddle_free(app->session, memory);
        region_destroy(region);
        return false;
    }
    region->next = app->regions;
    app->regions = region;
    return true;
}

bool app_expose(struct app *app, uint32_t bytes, bool writable)
{
    uint8_t *memory = saddle_alloc(app->session, bytes);
    if (!memory)
        return false;
    struct ledger *ledger = &app->sim->checker->ledger;
    struct operation *operation = ledger_begin(ledger, app, SADDLE_CMD_EXPOSE, NULL);
    struct region *region = region_create(app, memory, bytes, writable, operation->tag);
    return expose(app, operation, region, writable ? SADDLE_WRITABLE : SADDLE_READABLE);
}

bool app_expose_table(struct app *app)
{
    uint8_t *memory = saddle_alloc(app->session, TABLE_BYTES);
    if (!memory)
        return false;
    struct ledger *ledger = &app->sim->checker->ledger;
    struct operation *operation = ledger_begin(ledger, app, SADDLE_CMD_EXPOSE, NULL);
    return expose(app, operation, region_create_table(app, memory),
                  SADDLE_READABLE | SADDLE_ATOMIC);
}

void app_point(struct app *app)
{
    const struct region *newest = app->regions;
    while (newest && !(region_is_read(newest) && newest->state == REGION_EXPOSED))
        newest = newest->next;
    if (!newest)
        return;
    for (struct region *region = app->regions; region; region = region->next)
        if (region->table && region->memory)
            table_point(region->memory, newest->key, newest->length);
    app->stale = false;
    app->fresh_at = app->sim->events.now;
}

bool app_revoke(struct app *app, struct region *region)
{
    struct operation *operation =
        ledger_begin(&app->sim->checker->ledger, app, SADDLE_CMD_REVOKE, NULL);
    operation->region = region;
    struct saddle_op op = app_op(operation);
    if (!app_submit(app, operation, saddle_revoke(app_channel(app, 0), region->key, &op)))
        return false;
    region->state = REGION_REVOKING;
    if (region_is_read(region))
        app->stale = true;
    return true;
}

void app_close(struct app *app, struct connection_end *end)
{
    struct operation *operation =
        ledger_begin(&app->sim->checker->ledger, app, SADDLE_CMD_CLOSE, end);
    struct saddle_op op = app_op(operation);
    int result = saddle_close(app_channel(app, end->channel), end->handle, &op);
    end->close_due = !app_submit(app, operation, result);
    if (end->close_due)
        return;
    end->state = END_CLOSING;
    if (end->connection)
        end->connection->trouble |= TROUBLE_CLOSE(end->side);
}

/* ---- Steps ---- */

static bool close_listener(struct app *app)
{
    struct operation *operation =
        ledger_begin(&app->sim->checker->ledger, app, SADDLE_CMD_CLOSE, NULL);
    struct saddle_op op = app_op(operation);
    return app_submit(app, operation, saddle_close(app_channel(app, 0), app->listener, &op));
}

/* One after the other: connections, the listener, regions. */
static void rest(struct app *app)
{
    for (uint32_t i = 0; i < app->end_count; i++) {
        struct connection_end *end = app->ends[i];
        if (end->state == END_OPEN || end->state == END_READY)
            end->close_due = true;
    }
    if (app->end_count > 0)
        return;
    if (app->listener && app->listening)
        app->listening = !close_listener(app);
    for (struct region *region = app->regions; region; region = region->next)
        if (region->state == REGION_EXPOSED && region->memory)
            app_revoke(app, region);
}

bool app_rested(const struct app *app)
{
    if (!app->alive || app->outstanding > 0 || app->end_count > 0 || app->listener ||
        app->held_count > 0)
        return false;
    for (const struct region *region = app->regions; region; region = region->next)
        if (region->state != REGION_REVOKED)
            return false;
    return true;
}

void app_print(const struct app *app)
{
    printf("  app %u: host %u, life %u%s, %u operations outstanding, %zu bytes in them\n",
           app->index, app->host, app->life, app->alive ? "" : " (dead)", app->outstanding,
           app->lent);
    for (uint32_t i = 0; i < app->end_count; i++) {
        const struct connection_end *end = app->ends[i];
        printf("    connection %lld side %u, handle %x, state %u, trouble %x, %u outstanding, %u"
               " buffers wanted%s\n",
               end->connection ? (long long)end->connection->id : -1, end->side, end->handle,
               end->state, end->connection ? end->connection->trouble : 0, end->outstanding,
               end->wanted_count, end->closed ? ", closed" : "");
    }
}

static void step(void *arg, uint64_t now)
{
    struct app *app = arg;
    if (!alarm_due(&app->alarm, now) || !app->alive)
        return;
    app->spoke = false;
    inbox_release(app);
    inbox_poll(app);
    if (app->resting)
        rest(app);
    inbox_settle(app);
    if (!app->listening && !app->listener && !app->resting)
        app->listening = listen_on(app);
    for (struct region *region = app->regions; region; region = region->next)
        if (region->table && region->memory)
            table_touch(region->table, region->memory);
    if ((!app->sim->healed || app->sim->huge_left > 0) && !app->sim->failed)
        work_step(app);
    if (app->spoke) {
        for (uint32_t i = 0; i < app->channels; i++)
            saddle_flush(app_channel(app, i));
        host_wake(host_of(app));
    }
    app_wake(app, PERIOD_NS);
}

void app_wake(struct app *app, uint64_t delay)
{
    if (app->alive)
        alarm_set(&app->sim->events, &app->alarm, app->sim->events.now + delay, step, app);
}

void app_rest(struct app *app)
{
    app->resting = true;
    app_wake(app, 0);
}

/* ---- All of a host's ---- */

void apps_wake(struct sim *sim, uint32_t host)
{
    for (uint32_t i = 0; i < sim->app_count; i++)
        if (sim->apps[i]->host == host)
            app_wake(sim->apps[i], 1 + rng_below(&sim->apps[i]->rng, LATENCY_NS_MAX));
}

static struct pony_session **no_sessions(const struct sim *sim)
{
    return sim_zalloc((sim->app_count + 1) * sizeof(struct pony_session *));
}

struct pony_session **apps_part(struct sim *sim, uint32_t host)
{
    struct pony_session **sessions = no_sessions(sim);
    for (uint32_t i = 0; i < sim->app_count; i++) {
        struct app *app = sim->apps[i];
        if (app->host != host || !app->alive)
            continue;
        sessions[i] = app->pony;
        app->pony = NULL;
    }
    return sessions;
}

void apps_adopt(struct sim *sim, uint32_t host)
{
    for (uint32_t i = 0; i < sim->app_count; i++) {
        struct app *app = sim->apps[i];
        if (app->host != host || !app->alive)
            continue;
        app->pony = new_pony(app);
        if (pony_adopt(sim->hosts[host]->engine, app->pony))
            abort();
    }
}

struct pony_session **apps_rehearse(struct sim *sim, uint32_t host, struct engine *engine)
{
    struct pony_session **sessions = no_sessions(sim);
    for (uint32_t i = 0; i < sim->app_count; i++) {
        const struct app *app = sim->apps[i];
        if (app->host != host || !app->alive)
            continue;
        sessions[i] = new_pony(app);
        if (pony_adopt(engine, sessions[i]))
            abort();
    }
    return sessions;
}

void apps_end_sessions(const struct sim *sim, struct pony_session **sessions)
{
    for (uint32_t i = 0; i < sim->app_count; i++)
        pony_session_destroy(sessions[i]);
    free(sessions);
}
