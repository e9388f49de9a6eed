/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/host.h"

#include "engines/pony/view.h"
#include "engines/pony/wire.h"
#include "tests/sim/app.h"
#include "tests/sim/front.h"
#include "tests/sim/upgrade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_COST_NS    10u        /* modelled: reading the clock */
#define RUN_COST_NS     100u       /* modelled: a round that finds nothing */
#define WAKE_COST_NS    (3 * USEC) /* modelled: from doorbell to running */
#define IDLE_ROUNDS_MAX 100000u    /* that find nothing and may not sleep: a livelock */
#define STATS_MAX       64u
#define FAMILIES        2u
#define RESTRICTED_PPM  500000u /* of engines: what the run restricts, restricts them */

uint64_t host_now(const struct host *host)
{
    return host->time;
}

void host_charge(struct host *host, uint32_t cost_ns)
{
    host->time += cost_ns;
}

static uint64_t clock_look(void *arg)
{
    struct host *host = arg;
    host_charge(host, LOOK_COST_NS);
    return host->time;
}

static void clock_take(void *arg, uint32_t cost_ns)
{
    host_charge(arg, cost_ns);
}

void host_address(uint32_t index, bool v6, struct address *address)
{
    char text[ADDRESS_TEXT_BYTES];
    snprintf(text, sizeof(text), v6 ? "fd00::%x" : "10.0.0.%u", index + 1);
    if (address_parse(address, text))
        abort();
}

/* ---- The engine ---- */

struct directory *host_directory(const struct sim *sim)
{
    static const uint8_t key[DIRECTORY_KEY_BYTES];
    uint16_t ports[SIM_HOSTS_MAX];
    struct directory *directory = NULL;
    for (uint32_t i = 0; i < sim->siblings; i++)
        ports[i] = (uint16_t)(WIRE_UDP_PORT + i);
    if (sim->siblings > 1 && directory_create(&directory, ports, sim->siblings, key))
        abort();
    return directory;
}

/* `directory`: of its address; NULL: it has none. */
static struct engine *make_engine(struct host *host, struct directory *directory)
{
    static struct transport_peer peers[FAMILIES * SIM_HOSTS_MAX];
    const struct sim *sim = host->sim;
    uint32_t address = sim_address(sim, host->index), row = host->index % sim->siblings;
    uint32_t peer_count = 0;
    for (uint32_t i = 0; i < sim->host_count / sim->siblings; i++)
        for (uint32_t v6 = 0; v6 < FAMILIES; v6++) {
            struct transport_peer *peer = &peers[peer_count++];
            memset(peer, 0, sizeof(*peer));
            snprintf(peer->name, sizeof(peer->name), v6 ? "host%u-v6" : "host%u", i);
            host_address(i, v6, &peer->address);
            sim_port_mac(&peer->mac, i);
        }
    struct pony_config config = {
        .transport = {.address_count = FAMILIES,
                      .peers = peers,
                      .peer_count = peer_count,
                      .udp_port = (uint16_t)(WIRE_UDP_PORT + row),
                      .call_port = WIRE_UDP_PORT,
                      .cc_params = {.window_max = sim->window},
                      .wire_min = host->wire_min,
                      .wire_max = host->wire_max},
        .control_fd = -1,
        .directory = directory,
        .directory_row = row,
        .credit_first = sim->credit_first,
    };
    for (uint32_t v6 = 0; v6 < FAMILIES; v6++)
        host_address(address, v6, &config.transport.addresses[v6]);
    uint8_t seed[RNG_SEED_BYTES];
    for (uint32_t i = 0; i < RNG_SEED_BYTES; i++)
        seed[i] = (uint8_t)rng_u64(&host->rng);
    struct engine *engine = NULL;
    if (pony_create(&engine, host->name, &config, &host->port.port, &host->clock, seed))
        abort();
    return engine;
}

static struct directory *directory_of(const struct host *host)
{
    return host->sim->directories[sim_address(host->sim, host->index)];
}

/* Which versions of the wire an engine speaks is a matter of its start. */
static void draw_versions(struct host *host)
{
    bool restricted = rng_chance(&host->rng, RESTRICTED_PPM);
    host->wire_min = restricted ? host->sim->wire_min : WIRE_VERSION_MIN;
    host->wire_max = restricted ? host->sim->wire_max : WIRE_VERSION_MAX;
}

void host_init(struct host *host, struct sim *sim, uint32_t index)
{
    host->sim = sim;
    host->index = index;
    host->clock = (struct clock){.now = clock_look, .charge = clock_take, .arg = host};
    rng_init_u64(&host->rng, sim->options.seed, SIM_STREAM_HOSTS + index);
    alarm_init(&host->alarm);
    snprintf(host->name, sizeof(host->name), "host%u", index);
}

struct host *host_create(struct sim *sim, uint32_t index)
{
    struct host *host = sim_zalloc(sizeof(*host));
    host_init(host, sim, index);
    host->front = sim->fronts[sim_address(sim, index)];
    sim_port_init(&host->port, host, sim_address(sim, index));
    if (host->front)
        sim_port_attach(&host->port, front_member(host->front, index % sim->siblings));
    draw_versions(host);
    host->engine = make_engine(host, directory_of(host));
    host_wake(host);
    return host;
}

uint64_t host_stat(const struct host *host, const char *name)
{
    struct engine_stat stats[STATS_MAX];
    uint32_t count = host->engine->ops->stats(host->engine, stats, STATS_MAX);
    for (uint32_t i = 0; i < count && i < STATS_MAX; i++)
        if (strcmp(stats[i].name, name) == 0)
            return stats[i].value;
    return 0;
}

uint32_t host_widest_flows(struct host *host)
{
    struct view_page page = {.kind = VIEW_FLOWS};
    uint32_t found = 0;
    while (page.scan.position != VIEW_END) {
        pony_mailbox_view(host->engine, &page);
        for (uint32_t i = 0; i < page.scan.count; i++) {
            const struct view_flow *flow = &page.flows[i];
            /* The first version of the wire does not find out, it takes what is agreed on. */
            found += flow->state == VIEW_FLOW_OPEN && flow->version > WIRE_VERSION_MIN &&
                     flow->mtu == SIM_MTU_MAX;
        }
    }
    return found;
}

uint32_t host_wrapped(struct host *host)
{
    struct view_page page = {.kind = VIEW_CONNECTIONS};
    uint32_t first = host->sim->credit_first, found = 0;
    while (page.scan.position != VIEW_END) {
        pony_mailbox_view(host->engine, &page);
        for (uint32_t i = 0; i < page.scan.count; i++)
            found += page.connections[i].state == VIEW_CONNECTION_OPEN &&
                     first + page.connections[i].sent < first;
    }
    return found;
}

/* Its counters are added to those of the run. */
static void end_engine(struct host *host)
{
    struct sim_totals *totals = &host->sim->totals;
    totals->retransmissions += host_stat(host, "retransmissions");
    totals->sent_on += host_stat(host, "calls_sent_on");
    totals->black_holes += host_stat(host, "black_holes");
    if (host->sim->mtu == SIM_MTU_MAX)
        totals->widest_holes += host_stat(host, "black_holes");
    totals->parts += host_stat(host, "parts_joined");
    sim_port_settle(&host->port);
    host->engine->ops->destroy(host->engine);
}

void host_destroy(struct host *host)
{
    if (!host)
        return;
    end_engine(host);
    sim_port_fini(&host->port);
    free(host);
}

/* ---- Its thread ---- */

static void schedule(struct host *host, uint64_t time);

static uint64_t *busy_until(struct host *host)
{
    return host->front ? &front_host(host->front)->busy_until : &host->busy_until;
}

/* Its next turn, behind those who share the thread and wait for theirs. */
static void queue(struct host *host)
{
    schedule(host, *busy_until(host) + (host->front != NULL));
}

static void end_sleep(struct host *host)
{
    if (host->asleep)
        host->engine->ops->disarm(host->engine);
    host->asleep = false;
}

void host_enter(struct host *host)
{
    if (host->upgrade)
        upgrade_enter(host->upgrade);
    uint64_t now = host->sim->events.now, busy = *busy_until(host);
    host->time = now > busy ? now : busy;
    end_sleep(host);
    host_wake(host);
}

/* Nothing was found: sleeps if the engine agrees, to its next deadline. */
static void try_sleep(struct host *host)
{
    uint64_t deadline = host->engine->ops->arm(host->engine, host->time);
    if (deadline > host->time) {
        host->asleep = true;
        host->idle_rounds = 0;
        if (deadline != ENGINE_NEVER)
            schedule(host, deadline);
        return;
    }
    host->engine->ops->disarm(host->engine);
    queue(host);
    if (++host->idle_rounds == IDLE_ROUNDS_MAX)
        sim_violation(host->sim, "%s finds nothing to do and will not sleep (deadline %llu)",
                      host->name, (unsigned long long)deadline);
}

static void run(void *arg, uint64_t now)
{
    struct host *host = arg;
    if (!alarm_due(&host->alarm, now))
        return;
    if (now < *busy_until(host)) {
        schedule(host, *busy_until(host));
        return;
    }
    end_sleep(host);
    host->time = now;
    meter_begin(&host->engine->meter);
    uint32_t handled = host->engine->ops->run(host->engine, now, ENGINE_BUDGET_NS);
    meter_end(&host->engine->meter, handled > 0);
    host_charge(host, RUN_COST_NS);
    *busy_until(host) = host->time;
    TRACE(host->sim, host->index, "run", handled, host->time - now, 0);
    if (handled > 0) {
        host->idle_rounds = 0;
        queue(host);
        apps_wake(host->sim, host->index);
    } else {
        try_sleep(host);
    }
    if (host->front)
        front_listen(host->front);
}

static void schedule(struct host *host, uint64_t time)
{
    alarm_set(&host->sim->events, &host->alarm, time, run, host);
}

void host_wake(struct host *host)
{
    uint64_t now = host->sim->events.now;
    schedule(host, host->asleep ? now + WAKE_COST_NS : now);
}

void host_receive(struct host *host, struct rte_mbuf *packet, enum sim_change change)
{
    TRACE(host->sim, host->index, "receive", rte_pktmbuf_pkt_len(packet), 0, 0);
    if (host->front)
        host = front_host(host->front);
    if (sim_port_receive(&host->port, packet, change))
        host_wake(host);
}

void host_stall(struct host *host, uint64_t until)
{
    if (until > *busy_until(host))
        *busy_until(host) = until;
    host_wake(host);
}

/* ---- Hand-over ---- */

/* The document of its engine. False, and said, if it cannot be had. */
static bool save(struct host *host, struct state_writer *writer)
{
    state_writer_init(writer);
    int error = host->engine->ops->save(host->engine, writer);
    if (!error)
        error = state_writer_finish(writer);
    if (error) {
        sim_violation(host->sim, "%s cannot be saved: error %d", host->name, error);
        state_writer_destroy(writer);
    }
    return error == 0;
}

static void load(struct host *host, struct engine *engine, const struct state_writer *writer)
{
    struct state_reader reader;
    int error = state_reader_init(&reader, writer->bytes, writer->length);
    if (!error)
        error = engine->ops->load(engine, &reader);
    if (error)
        sim_violation(host->sim, "%s cannot be loaded: error %d", host->name, error);
}

void host_leave(struct host *host, struct state_writer *writer, struct host_left *left)
{
    host_enter(host);
    (void)save(host, writer);
    sim_port_settle(&host->port);
    *left = (struct host_left){host->engine, apps_part(host->sim, host->index)};
    host->engine = NULL;
}

/* In the order of a daemon that has handed over. */
void host_end_left(const struct sim *sim, struct host_left *left)
{
    apps_end_sessions(sim, left->sessions);
    left->engine->ops->destroy(left->engine);
    *left = (struct host_left){NULL, NULL};
}

void host_save(struct host *host, struct state_writer *writer)
{
    struct host_left left;
    host_leave(host, writer, &left);
    host_end_left(host->sim, &left);
}

void host_load(struct host *host, struct state_writer *writer)
{
    struct sim *sim = host->sim;
    host->engine = make_engine(host, directory_of(host));
    apps_adopt(sim, host->index);
    load(host, host->engine, writer);
    TRACE(sim, host->index, "reload", writer->length, 0, 0);
    state_writer_destroy(writer);
    sim->totals.reloads++;
}

void host_reload(struct host *host)
{
    struct state_writer writer;
    host_save(host, &writer);
    host_load(host, &writer);
}

/* Whatever was drawn and whatever it took is forgotten. */
void host_rehearse(struct host *host)
{
    struct sim *sim = host->sim;
    struct rng rng = host->rng;
    uint64_t time = host->time;
    struct state_writer writer, again;
    if (!host->engine)
        return;
    if (time < sim->events.now)
        host->time = sim->events.now;
    if (!save(host, &writer))
        return;
    struct engine *other = make_engine(host, NULL);
    struct pony_session **sessions = apps_rehearse(sim, host->index, other);
    load(host, other, &writer);
    other->ops->destroy(other);
    apps_end_sessions(sim, sessions);
    host->time = time < sim->events.now ? sim->events.now : time;
    if (save(host, &again)) {
        if (writer.length != again.length || memcmp(writer.bytes, again.bytes, again.length) != 0)
            sim_violation(sim, "%s is not what it was before it was saved", host->name);
        state_writer_destroy(&again);
    }
    state_writer_destroy(&writer);
    host->time = time;
    host->rng = rng;
    sim->totals.rehearsals++;
}

void host_restart(struct host *host)
{
    struct sim *sim = host->sim;
    host_enter(host);
    end_engine(host);
    sim_port_fini(&host->port);
    apps_crash(sim, host->index);
    draw_versions(host);
    host->engine = make_engine(host, directory_of(host));
    sim->restarted[host->index] = sim->events.now;
    sim->totals.restarts++;
    TRACE(sim, host->index, "restart", host->wire_min, host->wire_max, 0);
}
