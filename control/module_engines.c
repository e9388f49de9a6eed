/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/module.h"
#include "control/names.h"
#include "saddle_v1_engines.pb-c.h"
#include "sched/pause.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAC_BYTES  RTE_ETHER_ADDR_FMT_SIZE
#define CPUS_BYTES 128u /* of a list of CPUs; what is longer ends in the middle */

/* ---- Engines ---- */

struct count {
    const char *engine;
    uint32_t sessions;
};

static bool count_session(void *context, const struct session *session, pid_t pid)
{
    struct count *count = context;
    struct session_view view;

    (void)pid;
    session_view(session, &view);
    count->sessions += !strcmp(view.engine, count->engine);
    return true;
}

static void fill_delays(const struct engine *from, Saddle__V1__Engine *to)
{
    struct histogram_view delays;

    histogram_read(&from->delays, &delays);
    to->delay_p50_ns = histogram_quantile(&delays, 0.5);
    to->delay_p99_ns = histogram_quantile(&delays, 0.99);
    to->delay_p999_ns = histogram_quantile(&delays, 0.999);
    to->delay_max_ns = delays.max_ns;
    to->delays = delays.count;
}

static void fill_engine(const struct module_world *world, uint32_t index, Saddle__V1__Engine *to)
{
    const struct plant_engine *from = &world->plant->engines[index];
    struct count count = {.engine = from->engine->name};

    saddle__v1__engine__init(to);
    server_sessions(world->server, count_session, &count);
    to->name = rpc_text(from->engine->name);
    to->kind = rpc_text(from->engine->ops->kind);
    to->group = rpc_text(from->group);
    to->port = rpc_text(from->port);
    to->sessions = count.sessions;
    to->busy_ns = atomic_load_explicit(&from->engine->busy_ns, memory_order_relaxed);
    to->runs = atomic_load_explicit(&from->engine->runs, memory_order_relaxed);
    to->alive = pulse_alive(world->pulse, index);
    to->tid = (uint32_t)atomic_load_explicit(&from->engine->tid, memory_order_relaxed);
    fill_delays(from->engine, to);
    to->sessions_ns = account_ns(&from->engine->meter.owned);
    to->overhead_ns = account_ns(&from->engine->meter.overhead);
    to->idle_ns = account_ns(&from->engine->meter.idle);
    to->remainder_ns = (int64_t)(to->busy_ns - to->sessions_ns - to->overhead_ns);
}

static void list_engines(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListEnginesRequest *wanted = (const void *)request;
    const struct module_world *world = state;
    const struct plant *plant = world->plant;
    Saddle__V1__ListEnginesResponse response = SADDLE__V1__LIST_ENGINES_RESPONSE__INIT;
    Saddle__V1__Engine list[PLANT_MAX], *pointers[PLANT_MAX];
    const char *known[PLANT_MAX];

    for (uint32_t i = 0; i < plant->engine_count; i++)
        known[i] = plant->engines[i].engine->name;
    if (!names_known(call, "engine", wanted->names, wanted->n_names, known, plant->engine_count))
        return;
    for (uint32_t i = 0; i < plant->engine_count; i++) {
        if (!names_ask_for(wanted->names, wanted->n_names, known[i]))
            continue;
        fill_engine(world, i, &list[i]);
        pointers[response.n_engines++] = &list[i];
    }
    response.engines = pointers;
    rpc_answer(call, &response.base);
}

static void create_engine(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__CreateEngineRequest *wanted = (const void *)request;
    Saddle__V1__CreateEngineResponse response = SADDLE__V1__CREATE_ENGINE_RESPONSE__INIT;
    const struct steward_edit edit = {
        .kind = STEWARD_CREATE_ENGINE,
        .text = wanted->engine,
        .group = wanted->group,
        .disrupt = wanted->disrupt,
    };

    if (module_edit(state, call, &edit))
        rpc_answer(call, &response.base);
}

static void destroy_engine(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__DestroyEngineRequest *wanted = (const void *)request;
    Saddle__V1__DestroyEngineResponse response = SADDLE__V1__DESTROY_ENGINE_RESPONSE__INIT;
    const struct steward_edit edit = {
        .kind = STEWARD_DESTROY_ENGINE,
        .name = wanted->name,
        .disrupt = wanted->disrupt,
    };

    if (module_edit(state, call, &edit))
        rpc_answer(call, &response.base);
}

static void move_engine(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__MoveEngineRequest *wanted = (const void *)request;
    Saddle__V1__MoveEngineResponse response = SADDLE__V1__MOVE_ENGINE_RESPONSE__INIT;
    const struct steward_edit edit = {
        .kind = STEWARD_MOVE_ENGINE,
        .name = wanted->engine,
        .group = wanted->group,
    };

    if (module_edit(state, call, &edit))
        rpc_answer(call, &response.base);
}

/* ---- Groups ---- */

struct group_parts {
    char *engines[PLANT_MAX];
    Saddle__V1__Thread threads[GROUP_THREADS_MAX], *thread_list[GROUP_THREADS_MAX];
    char reasons[GROUP_THREADS_MAX][QUANTA_TEXT_BYTES];
    char cpus[GROUP_THREADS_MAX][CPUS_BYTES];
    char *seated[PLANT_MAX]; /* names of engines, thread by thread */
    uint32_t seated_count;
};

static void fill_class(Saddle__V1__Thread *thread, const struct quanta_stats *stats,
                       char reason[QUANTA_TEXT_BYTES])
{
    thread->class_ = rpc_text(quanta_class_name(stats->class));
    thread->reason = rpc_text(quanta_explain(stats, reason, QUANTA_TEXT_BYTES));
    thread->refused = quanta_is_refused(stats);
    thread->share_ppm = stats->share_ppm;
    thread->used_ppm = stats->used_ppm;
    thread->used_ns = stats->used_ns;
    thread->demotions = stats->demotions;
    thread->overruns = stats->overruns;
}

/* The end of a run of CPUs that begins with `cpu`. */
static int run_end(const cpu_set_t *cpus, int cpu)
{
    while (cpu + 1 < CPU_SETSIZE && CPU_ISSET(cpu + 1, cpus))
        cpu++;
    return cpu;
}

/* "0-2,5" */
static void write_cpus(const cpu_set_t *cpus, char text[CPUS_BYTES])
{
    size_t used = 0;

    text[0] = '\0';
    for (int cpu = 0; cpu < CPU_SETSIZE && used < CPUS_BYTES; cpu++) {
        int first = cpu;

        if (!CPU_ISSET(cpu, cpus))
            continue;
        cpu = run_end(cpus, cpu);
        used += (size_t)snprintf(text + used, CPUS_BYTES - used, "%s%d", used ? "," : "", first);
        if (cpu > first && used < CPUS_BYTES)
            used += (size_t)snprintf(text + used, CPUS_BYTES - used, "-%d", cpu);
    }
}

/* The engines that a thread has now: one that moves meanwhile may be missing. */
static void fill_seated(const struct plant *plant, int tid, Saddle__V1__Thread *to,
                        struct group_parts *parts)
{
    to->engine_names = &parts->seated[parts->seated_count];
    for (uint32_t i = 0; i < plant->engine_count && parts->seated_count < PLANT_MAX; i++) {
        const struct engine *engine = plant->engines[i].engine;

        if (atomic_load_explicit(&engine->tid, memory_order_relaxed) != tid)
            continue;
        parts->seated[parts->seated_count++] = rpc_text(engine->name);
        to->n_engine_names++;
    }
}

static void fill_threads(const struct plant *plant, const struct group *group,
                         Saddle__V1__Group *to, struct group_parts *parts)
{
    struct group_thread_stats stats[GROUP_THREADS_MAX];
    uint32_t count = group_threads(group, stats, GROUP_THREADS_MAX);

    for (uint32_t i = 0; i < count && i < GROUP_THREADS_MAX; i++) {
        Saddle__V1__Thread *thread = &parts->threads[i];

        saddle__v1__thread__init(thread);
        thread->tid = (uint32_t)stats[i].tid;
        thread->engines = stats[i].engines;
        thread->busy_ns = stats[i].busy_ns;
        thread->sleeps = stats[i].sleeps;
        thread->wakes_event = stats[i].wakes_event;
        thread->wakes_deadline = stats[i].wakes_deadline;
        fill_class(thread, &stats[i].quanta, parts->reasons[i]);
        write_cpus(&stats[i].cpus, parts->cpus[i]);
        thread->cpus = parts->cpus[i];
        fill_seated(plant, stats[i].tid, thread, parts);
        parts->thread_list[to->n_threads++] = thread;
    }
    to->threads = parts->thread_list;
}

static void fill_group(const struct plant *plant, uint32_t index, Saddle__V1__Group *to,
                       struct group_parts *parts)
{
    const struct plant_group *from = &plant->groups[index];
    const struct group_config *config = group_configuration(from->group);

    saddle__v1__group__init(to);
    to->name = rpc_text(from->name);
    to->mode = rpc_text(from->mode);
    to->cpus = rpc_text(from->cpus);
    to->nodes = rpc_text(from->nodes);
    to->idle_ns = config->idle_ns;
    to->moderation_ns = config->idle_ns == GROUP_NEVER ? 0 : config->moderation_ns;
    to->slo_ns = config->mode == &group_mode_compacting ? config->slo_ns : 0;
    to->pause = rpc_text(config->pause && pause_available() ? "tpause" : "pause");
    to->engines = parts->engines;
    for (uint32_t i = 0; i < plant->engine_count; i++) {
        if (!strcmp(plant->engines[i].group, from->name))
            parts->engines[to->n_engines++] = rpc_text(plant->engines[i].engine->name);
    }
    to->class_ = rpc_text(quanta_class_name(config->quanta.class));
    to->runtime_ns = config->quanta.runtime_ns;
    to->period_ns = config->quanta.period_ns;
    fill_threads(plant, from->group, to, parts);
}

static void list_groups(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListGroupsRequest *wanted = (const void *)request;
    const struct module_world *world = state;
    const struct plant *plant = world->plant;
    Saddle__V1__ListGroupsResponse response = SADDLE__V1__LIST_GROUPS_RESPONSE__INIT;
    Saddle__V1__Group list[PLANT_MAX], *pointers[PLANT_MAX];
    struct group_parts *parts = calloc(PLANT_MAX, sizeof(*parts));
    const char *known[PLANT_MAX];

    for (uint32_t i = 0; i < plant->group_count; i++)
        known[i] = plant->groups[i].name;
    if (!parts) {
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    if (names_known(call, "group", wanted->names, wanted->n_names, known, plant->group_count)) {
        for (uint32_t i = 0; i < plant->group_count; i++) {
            if (!names_ask_for(wanted->names, wanted->n_names, known[i]))
                continue;
            fill_group(plant, i, &list[i], &parts[i]);
            pointers[response.n_groups++] = &list[i];
        }
        response.groups = pointers;
        rpc_answer(call, &response.base);
    }
    free(parts);
}

static void create_group(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__CreateGroupRequest *wanted = (const void *)request;
    Saddle__V1__CreateGroupResponse response = SADDLE__V1__CREATE_GROUP_RESPONSE__INIT;
    const struct steward_edit edit = {.kind = STEWARD_CREATE_GROUP, .text = wanted->group};

    if (module_edit(state, call, &edit))
        rpc_answer(call, &response.base);
}

static void change_group(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ChangeGroupRequest *wanted = (const void *)request;
    Saddle__V1__ChangeGroupResponse response = SADDLE__V1__CHANGE_GROUP_RESPONSE__INIT;
    const struct steward_edit edit = {
        .kind = STEWARD_CHANGE_GROUP,
        .name = wanted->name,
        .mode = wanted->mode,
        .cpus = wanted->cpus,
        .threads = wanted->threads,
        .idle = wanted->idle,
        .class = wanted->class_,
        .runtime = wanted->runtime,
        .period = wanted->period,
        .slo = wanted->slo,
        .pause = wanted->pause,
        .moderation = wanted->moderation,
    };

    if (module_edit(state, call, &edit))
        rpc_answer(call, &response.base);
}

static void destroy_group(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__DestroyGroupRequest *wanted = (const void *)request;
    Saddle__V1__DestroyGroupResponse response = SADDLE__V1__DESTROY_GROUP_RESPONSE__INIT;
    const struct steward_edit edit = {.kind = STEWARD_DESTROY_GROUP, .name = wanted->name};

    if (module_edit(state, call, &edit))
        rpc_answer(call, &response.base);
}

/* ---- Ports ---- */

static void fill_port(const struct plant_port *from, Saddle__V1__Port *to, char mac[MAC_BYTES])
{
    saddle__v1__port__init(to);
    rte_ether_format_addr(mac, MAC_BYTES, &from->port->mac);
    to->name = rpc_text(from->name);
    to->driver = rpc_text(from->driver);
    to->interface = rpc_text(from->interface);
    to->owner = rpc_text(from->owner);
    to->engine = rpc_text(from->engine);
    to->mac = mac;
    to->mtu = from->port->mtu;
    to->node = rpc_text(from->node);
    to->wakes = rpc_text(from->port->wake_fd >= 0 ? "interrupt" : "polled");
}

static void list_ports(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListPortsRequest *wanted = (const void *)request;
    const struct module_world *world = state;
    const struct plant *plant = world->plant;
    Saddle__V1__ListPortsResponse response = SADDLE__V1__LIST_PORTS_RESPONSE__INIT;
    Saddle__V1__Port list[PLANT_MAX], *pointers[PLANT_MAX];
    char macs[PLANT_MAX][MAC_BYTES];
    const char *known[PLANT_MAX];

    for (uint32_t i = 0; i < plant->port_count; i++)
        known[i] = plant->ports[i].name;
    if (!names_known(call, "port", wanted->names, wanted->n_names, known, plant->port_count))
        return;
    for (uint32_t i = 0; i < plant->port_count; i++) {
        if (!names_ask_for(wanted->names, wanted->n_names, known[i]))
            continue;
        fill_port(&plant->ports[i], &list[i], macs[i]);
        pointers[response.n_ports++] = &list[i];
    }
    response.ports = pointers;
    rpc_answer(call, &response.base);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Engines/List",
     .request = &saddle__v1__list_engines_request__descriptor,
     .handle = list_engines},
    {.name = "saddle.v1.Engines/Create",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__create_engine_request__descriptor,
     .handle = create_engine},
    {.name = "saddle.v1.Engines/Destroy",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__destroy_engine_request__descriptor,
     .handle = destroy_engine},
    {.name = "saddle.v1.Engines/Move",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__move_engine_request__descriptor,
     .handle = move_engine},
    {.name = "saddle.v1.Groups/List",
     .request = &saddle__v1__list_groups_request__descriptor,
     .handle = list_groups},
    {.name = "saddle.v1.Groups/Create",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__create_group_request__descriptor,
     .handle = create_group},
    {.name = "saddle.v1.Groups/Change",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__change_group_request__descriptor,
     .handle = change_group},
    {.name = "saddle.v1.Groups/Destroy",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__destroy_group_request__descriptor,
     .handle = destroy_group},
    {.name = "saddle.v1.Ports/List",
     .request = &saddle__v1__list_ports_request__descriptor,
     .handle = list_ports},
};

const struct module module_engines = {
    .name = "engines",
    .about = "engines, the groups that run them, and their ports",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
