/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/front.h"

#include "engines/pony/wire.h"
#include "engines/shaper/shaper.h"
#include "engines/steer/steer.h"
#include "tests/sim/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RING_LEAST 64u     /* packets, of a member's rings: a few bursts, ... */
#define RING_STEPS 5u      /* ... or twice that, up to as many as the daemon has */
#define STEER_PPM  300000u /* of fronts with several engines: they do not shape */

/* What outlives its engine, of each class. */
struct memory {
    struct tree_view views[SHAPE_BUILT_IN + POLICY_CLASSES_MAX];
    uint32_t count;
};

/* What it was when it was saved. */
struct front_left {
    struct engine *engine;
    struct shaping *shaping;
    struct fan *fan;
    struct state_writer state;
    struct memory memory;
};

struct front {
    struct host host; /* the shaper's */
    uint32_t first;   /* of the hosts behind it */
    bool shapes;
    struct fan *fan;
    struct shaping *shaping; /* NULL: it does not */
    struct policy policy;
};

struct port *front_member(const struct front *front, uint32_t row)
{
    return front->shaping ? shaping_port(front->shaping, row) : fan_member(front->fan, row);
}

struct host *front_host(struct front *front)
{
    return &front->host;
}

static struct host *behind(const struct front *front, uint32_t row)
{
    return front->host.sim->hosts[front->first + row];
}

/* ---- What it consists of ---- */

static int make_shaper(struct front *front)
{
    struct host *host = &front->host;
    struct shaping_config config = {
        .fan = front->fan,
        .members = host->sim->siblings,
        .policy = &front->policy.shape,
    };
    int error;

    for (uint32_t i = 0; i < sizeof(config.key); i++)
        config.key[i] = (uint8_t)rng_u64(&host->rng);
    error = shaping_create(&front->shaping, &config);
    return error ? error : shaper_create(&host->engine, "shaper", front->shaping, &host->clock);
}

static void make(struct front *front)
{
    struct host *host = &front->host;
    const struct sim *sim = host->sim;
    struct fan_config fan = {
        .port = &host->port.port,
        .count = sim->siblings,
        .ring_packets = RING_LEAST << rng_below(&host->rng, RING_STEPS),
    };
    int error;

    for (uint32_t i = 0; i < sim->siblings; i++)
        fan.udp_ports[i] = (uint16_t)(WIRE_UDP_PORT + i);
    error = fan_create(&front->fan, &fan);
    if (!error && front->shapes)
        error = make_shaper(front);
    else if (!error)
        error = steer_create(&host->engine, "steer", front->fan, &host->clock);
    if (error)
        abort();
}

/* The packets in it are lost, as with a process; those in the port are not. */
static void unmake(struct engine *engine, struct shaping *shaping, struct fan *fan)
{
    engine->ops->destroy(engine);
    shaping_destroy(shaping);
    fan_destroy(fan);
}

struct front *front_create(struct sim *sim, uint32_t address)
{
    struct front *front = sim_zalloc(sizeof(*front));

    front->first = address * sim->siblings;
    host_init(&front->host, sim, SIM_HOSTS_MAX + address);
    sim_port_init(&front->host.port, &front->host, address);
    front->host.front = front;
    front->shapes = sim->siblings == 1 || !rng_chance(&front->host.rng, STEER_PPM);
    policy_draw(&front->policy, sim, &front->host.rng);
    make(front);
    host_wake(&front->host);
    return front;
}

void front_destroy(struct front *front)
{
    if (!front)
        return;
    unmake(front->host.engine, front->shaping, front->fan);
    sim_port_fini(&front->host.port);
    free(front);
}

/* ---- Doorbells ---- */

static bool was_rung(int fd)
{
    uint64_t rings;

    return read(fd, &rings, sizeof(rings)) == sizeof(rings);
}

void front_listen(struct front *front)
{
    if (was_rung(fan_wake_fd(front->fan)))
        host_wake(&front->host);
    for (uint32_t i = 0; i < front->host.sim->siblings; i++) {
        if (was_rung(fan_member(front->fan, i)->wake_fd))
            host_wake(behind(front, i));
    }
}

/* ---- Another policy ---- */

void front_reshape(struct front *front)
{
    struct sim *sim = front->host.sim;
    struct policy policy;
    struct tree *tree;
    int error;

    if (!front->shaping)
        return;
    policy_draw(&policy, sim, &front->host.rng);
    error = shaping_prepare(front->shaping, &policy.shape, &tree);
    if (error == -EBUSY)
        return;
    if (error) {
        sim_violation(sim, "%s refuses a policy: error %d", front->host.name, error);
        return;
    }
    host_enter(&front->host);
    shaper_mailbox_adopt(front->host.engine, tree);
    shaping_settle(front->shaping, tree);
    front->policy = policy;
    front->policy.shape.classes = front->policy.classes;
    front->policy.shape.rules = front->policy.rules;
    TRACE(sim, front->host.index, "policy", policy.shape.class_count, policy.shape.rule_count, 0);
    sim->totals.policies++;
    front_listen(front);
}

/* ---- Hand-over ---- */

static void remember(const struct front *front, struct memory *memory)
{
    const struct tree *tree;

    memory->count = 0;
    if (!front->shaping)
        return;
    tree = shaping_tree(front->shaping);
    memory->count = tree_places(tree);
    for (uint32_t i = 0; i < memory->count; i++)
        tree_view(tree, (uint16_t)i, &memory->views[i]);
}

/* Counters go on, and nothing waits there yet. */
static void compare(const struct front *front, const struct memory *before)
{
    struct memory after;

    remember(front, &after);
    for (uint32_t i = 0; i < before->count; i++) {
        const struct tree_view *was = &before->views[i], *is = &after.views[i];

        if (is->packets != was->packets || is->bytes != was->bytes ||
            is->delayed_ns < was->delayed_ns || is->shut != was->shut || is->queued > 0)
            sim_violation(front->host.sim, "%s: class %s is not what it was saved as",
                          front->host.name, is->class.name);
    }
}

static void save_engine(struct front *front, struct state_writer *writer)
{
    struct engine *engine = front->host.engine;

    host_enter(&front->host);
    state_writer_init(writer);
    if (engine->ops->save(engine, writer) || state_writer_finish(writer))
        sim_violation(front->host.sim, "%s cannot be saved", front->host.name);
}

static void load_engine(struct front *front, const struct state_writer *writer)
{
    struct engine *engine = front->host.engine;
    struct state_reader reader;

    if (state_reader_init(&reader, writer->bytes, writer->length) ||
        engine->ops->load(engine, &reader))
        sim_violation(front->host.sim, "%s cannot be loaded", front->host.name);
}

struct front_left *front_leave(struct front *front)
{
    struct front_left *left = sim_zalloc(sizeof(*left));

    save_engine(front, &left->state);
    remember(front, &left->memory);
    left->engine = front->host.engine;
    left->shaping = front->shaping;
    left->fan = front->fan;
    front->host.engine = NULL;
    front->shaping = NULL;
    front->fan = NULL;
    return left;
}

void front_enter(struct front *front, struct front_left *left)
{
    struct sim *sim = front->host.sim;

    make(front);
    load_engine(front, &left->state);
    compare(front, &left->memory);
    for (uint32_t i = 0; i < sim->siblings; i++)
        sim_port_attach(&behind(front, i)->port, front_member(front, i));
    TRACE(sim, front->host.index, "hand-over", left->state.length, 0, 0);
    state_writer_destroy(&left->state);
    host_wake(&front->host);
    sim->totals.handed_over++;
}

void front_end_left(struct front_left *left)
{
    if (!left)
        return;
    unmake(left->engine, left->shaping, left->fan);
    free(left);
}

void front_hand_over(struct front *front)
{
    struct sim *sim = front->host.sim;
    struct state_writer states[SIM_HOSTS_MAX];
    struct front_left *left;

    for (uint32_t i = 0; i < sim->siblings; i++)
        host_save(behind(front, i), &states[i]);
    left = front_leave(front);
    front_enter(front, left);
    front_end_left(left);
    for (uint32_t i = 0; i < sim->siblings; i++)
        host_load(behind(front, i), &states[i]);
}

/* ---- At the end ---- */

bool front_quiet(const struct front *front)
{
    return host_stat(&front->host, "tx_queued") == 0 && !fan_pending(front->fan);
}

/* Everybody has taken up the last policy. */
static void check_policy(struct front *front)
{
    struct tree *tree;
    int error = shaping_prepare(front->shaping, &front->policy.shape, &tree);

    if (error)
        sim_violation(front->host.sim, "%s: the policy before is still there: error %d",
                      front->host.name, error);
    else
        shaping_give_up(front->shaping, tree);
}

void front_check(struct front *front)
{
    struct sim *sim = front->host.sim;
    struct memory memory;

    if (front->shaping)
        check_policy(front);
    remember(front, &memory);
    for (uint32_t i = 0; i < memory.count; i++) {
        const struct tree_view *view = &memory.views[i];

        if (view->queued > 0 || view->tokens > BUCKET_DEPTH_MAX)
            sim_violation(sim, "%s: class %s ends with %llu packets and %llu bytes saved up",
                          front->host.name, view->class.name, (unsigned long long)view->queued,
                          (unsigned long long)view->tokens);
        sim->totals.exhausted += view->shut;
    }
}
