/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle.v1.Statistics: every counter of engines, groups and ports. Counters are read where their
 * owners write them; no engine is asked.
 */
#include "control/module.h"
#include "control/names.h"
#include "control/watches.h"
#include "saddle_v1_statistics.pb-c.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define COUNTERS_MAX    128u /* of one engine, group or port */
#define INTERVAL_NS_MIN (1 * NSEC_PER_SEC)
#define INTERVAL_NS_MAX (3600 * NSEC_PER_SEC)

enum kind {
    KIND_ENGINE,
    KIND_GROUP,
    KIND_PORT,
    KIND_COUNT,
};

/* What a request names of one kind. */
struct wanted {
    char *const *names;
    size_t count;
};

/* The counters of one thing. */
struct set {
    Saddle__V1__Counters counters;
    Saddle__V1__Counter values[COUNTERS_MAX], *list[COUNTERS_MAX];
};

struct watch {
    Saddle__V1__WatchStatisticsRequest *request; /* a copy */
    uint64_t interval_ns, due_ns;
};

struct statistics {
    const struct module_world *world;
    uint64_t now; /* of the last tick */
    struct watches watches;
    struct watch details[WATCHES_MAX]; /* of each of them */
    struct set sets[KIND_COUNT][PLANT_MAX];
    Saddle__V1__Counters *lists[KIND_COUNT][PLANT_MAX]; /* of the answer being made */
};

static void begin_set(struct set *set, const char *name)
{
    saddle__v1__counters__init(&set->counters);
    set->counters.name = rpc_text(name);
    set->counters.counters = set->list;
}

static void add(struct set *set, const char *name, uint64_t value)
{
    size_t at = set->counters.n_counters;

    if (at == COUNTERS_MAX)
        return;
    saddle__v1__counter__init(&set->values[at]);
    set->values[at].name = rpc_text(name);
    set->values[at].value = value;
    set->list[at] = &set->values[at];
    set->counters.n_counters++;
}

static void take_engine(struct set *set, const struct engine *engine)
{
    struct engine_stat stats[COUNTERS_MAX];
    struct histogram_view delays;
    uint32_t count = engine->ops->stats ? engine->ops->stats(engine, stats, COUNTERS_MAX) : 0;

    begin_set(set, engine->name);
    add(set, "busy_ns", atomic_load_explicit(&engine->busy_ns, memory_order_relaxed));
    add(set, "runs", atomic_load_explicit(&engine->runs, memory_order_relaxed));
    histogram_read(&engine->delays, &delays);
    add(set, "queueing_delays", delays.count);
    add(set, "queueing_delay_sum_ns", delays.sum_ns);
    add(set, "queueing_delay_p50_ns", histogram_quantile(&delays, 0.5));
    add(set, "queueing_delay_p99_ns", histogram_quantile(&delays, 0.99));
    add(set, "queueing_delay_p999_ns", histogram_quantile(&delays, 0.999));
    add(set, "queueing_delay_max_ns", delays.max_ns);
    for (uint32_t i = 0; i < count && i < COUNTERS_MAX; i++)
        add(set, stats[i].name, stats[i].value);
}

/* Of all its threads. */
static void take_group(struct set *set, const struct plant_group *group)
{
    static const char *const names[BALANCE_ACTION_END] = {
        [BALANCE_SCALE_OUT] = "scale_outs",
        [BALANCE_MOVE_BACK] = "move_backs",
        [BALANCE_COMPACT] = "compactions",
        [BALANCE_SWAP] = "swaps",
    };
    struct group_thread_stats threads[GROUP_THREADS_MAX], sum = {0};
    uint32_t count = group_threads(group->group, threads, GROUP_THREADS_MAX);

    for (uint32_t i = 0; i < count && i < GROUP_THREADS_MAX; i++) {
        sum.busy_ns += threads[i].busy_ns;
        sum.sleeps += threads[i].sleeps;
        sum.wakes_event += threads[i].wakes_event;
        sum.wakes_deadline += threads[i].wakes_deadline;
    }
    begin_set(set, group->name);
    add(set, "busy_ns", sum.busy_ns);
    add(set, "sleeps", sum.sleeps);
    add(set, "wakes_event", sum.wakes_event);
    add(set, "wakes_deadline", sum.wakes_deadline);
    for (uint32_t i = 1; i < BALANCE_ACTION_END; i++)
        add(set, names[i], decisions_count(group_decisions(group->group), i));
}

static void take_port(struct set *set, const struct plant_port *port)
{
    struct port_stat stats[COUNTERS_MAX];
    const struct port_ops *ops = port->port->ops;
    uint32_t count = ops && ops->stats ? ops->stats(port->port, stats, COUNTERS_MAX) : 0;

    begin_set(set, port->name);
    for (uint32_t i = 0; i < count && i < COUNTERS_MAX; i++)
        add(set, stats[i].name, stats[i].value);
}

static const char *name_of(const struct plant *plant, enum kind kind, uint32_t index)
{
    if (kind == KIND_ENGINE)
        return plant->engines[index].engine->name;
    return kind == KIND_GROUP ? plant->groups[index].name : plant->ports[index].name;
}

static uint32_t count_of(const struct plant *plant, enum kind kind)
{
    if (kind == KIND_ENGINE)
        return plant->engine_count;
    return kind == KIND_GROUP ? plant->group_count : plant->port_count;
}

/* Ends the call if a name is of nothing that is there. */
static bool check_names(const struct plant *plant, struct rpc_call *call,
                        const struct wanted wanted[KIND_COUNT])
{
    static const char *const words[] = {"engine", "group", "port"};
    const char *known[PLANT_MAX];

    for (uint32_t kind = 0; kind < KIND_COUNT; kind++) {
        uint32_t count = count_of(plant, kind);

        for (uint32_t i = 0; i < count; i++)
            known[i] = name_of(plant, kind, i);
        if (!names_known(call, words[kind], wanted[kind].names, wanted[kind].count, known, count))
            return false;
    }
    return true;
}

static size_t choose(struct statistics *statistics, enum kind kind,
                     const struct wanted wanted[KIND_COUNT])
{
    const struct plant *plant = statistics->world->plant;
    bool some = wanted[KIND_ENGINE].count || wanted[KIND_GROUP].count || wanted[KIND_PORT].count;
    uint32_t count = some && !wanted[kind].count ? 0 : count_of(plant, kind);
    size_t chosen = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct set *set = &statistics->sets[kind][i];

        if (!names_ask_for(wanted[kind].names, wanted[kind].count, name_of(plant, kind, i)))
            continue;
        if (kind == KIND_ENGINE)
            take_engine(set, plant->engines[i].engine);
        else if (kind == KIND_GROUP)
            take_group(set, &plant->groups[i]);
        else
            take_port(set, &plant->ports[i]);
        statistics->lists[kind][chosen++] = &set->counters;
    }
    return chosen;
}

/* What it points to is good until the next sample. */
static void take_sample(struct statistics *statistics, const struct wanted wanted[KIND_COUNT],
                        Saddle__V1__StatisticsSample *sample)
{
    struct timespec now;

    saddle__v1__statistics_sample__init(sample);
    clock_gettime(CLOCK_REALTIME, &now);
    sample->time_ns = (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
    sample->monotonic_ns = clock_now(&clock_machine);
    sample->n_engines = choose(statistics, KIND_ENGINE, wanted);
    sample->engines = statistics->lists[KIND_ENGINE];
    sample->n_groups = choose(statistics, KIND_GROUP, wanted);
    sample->groups = statistics->lists[KIND_GROUP];
    sample->n_ports = choose(statistics, KIND_PORT, wanted);
    sample->ports = statistics->lists[KIND_PORT];
}

static void get(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__GetStatisticsRequest *asked = (const void *)request;
    const struct wanted wanted[KIND_COUNT] = {
        [KIND_ENGINE] = {asked->engines, asked->n_engines},
        [KIND_GROUP] = {asked->groups, asked->n_groups},
        [KIND_PORT] = {asked->ports, asked->n_ports},
    };
    struct statistics *statistics = state;
    Saddle__V1__StatisticsSample sample;

    if (!check_names(statistics->world->plant, call, wanted))
        return;
    take_sample(statistics, wanted, &sample);
    rpc_answer(call, &sample.base);
}

static void read_watch(const Saddle__V1__WatchStatisticsRequest *asked,
                       struct wanted wanted[KIND_COUNT])
{
    wanted[KIND_ENGINE] = (struct wanted){asked->engines, asked->n_engines};
    wanted[KIND_GROUP] = (struct wanted){asked->groups, asked->n_groups};
    wanted[KIND_PORT] = (struct wanted){asked->ports, asked->n_ports};
}

/* The names are known, so it is small; what is no field of it stays behind. */
static Saddle__V1__WatchStatisticsRequest *
copy_request(const Saddle__V1__WatchStatisticsRequest *request)
{
    Saddle__V1__WatchStatisticsRequest bare = *request, *copy = NULL;
    uint8_t *packed;
    size_t bytes;

    bare.base.n_unknown_fields = 0;
    bytes = protobuf_c_message_get_packed_size(&bare.base);
    packed = malloc(bytes + 1);
    if (packed) {
        protobuf_c_message_pack(&bare.base, packed);
        copy = saddle__v1__watch_statistics_request__unpack(NULL, bytes, packed);
    }
    free(packed);
    return copy;
}

static void forget(struct statistics *statistics, struct rpc_call *call)
{
    uint32_t place = watches_remove(&statistics->watches, call);

    if (place == WATCHES_MAX)
        return;
    saddle__v1__watch_statistics_request__free_unpacked(statistics->details[place].request, NULL);
    statistics->details[place].request = NULL;
}

/* A client that has not taken the last sample gets a newer one when it has. */
static void tell(struct statistics *statistics, uint32_t place)
{
    struct rpc_call *call = statistics->watches.calls[place];
    struct watch *watch = &statistics->details[place];
    Saddle__V1__StatisticsSample sample;
    struct wanted wanted[KIND_COUNT];

    if (rpc_waits(call))
        return;
    read_watch(watch->request, wanted);
    if (!check_names(statistics->world->plant, call, wanted)) {
        forget(statistics, call);
        return;
    }
    take_sample(statistics, wanted, &sample);
    if (!rpc_send(call, &sample.base))
        watch->due_ns = statistics->now + watch->interval_ns;
}

static void watch(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__WatchStatisticsRequest *asked = (const void *)request;
    uint64_t interval_ns = asked->interval_ns ? asked->interval_ns : INTERVAL_NS_MIN;
    struct statistics *statistics = state;
    struct wanted wanted[KIND_COUNT];
    uint32_t place;

    if (interval_ns < INTERVAL_NS_MIN || interval_ns > INTERVAL_NS_MAX) {
        rpc_end(call, RPC_INVALID_ARGUMENT, "interval_ns: %llu, and it is %llu to %llu",
                (unsigned long long)interval_ns, (unsigned long long)INTERVAL_NS_MIN,
                (unsigned long long)INTERVAL_NS_MAX);
        return;
    }
    read_watch(asked, wanted);
    if (!check_names(statistics->world->plant, call, wanted) ||
        watches_add(&statistics->watches, call, &place))
        return;
    statistics->details[place] =
        (struct watch){.request = copy_request(asked), .interval_ns = interval_ns};
    if (statistics->details[place].request) {
        tell(statistics, place);
        return;
    }
    forget(statistics, call);
    rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
}

static void gone(void *state, struct rpc_call *call)
{
    forget(state, call);
}

static void tick(void *state, uint64_t now)
{
    struct statistics *statistics = state;

    statistics->now = now;
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        if (statistics->watches.calls[i] && statistics->details[i].due_ns <= now)
            tell(statistics, i);
    }
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Statistics/Get",
     .request = &saddle__v1__get_statistics_request__descriptor,
     .handle = get},
    {.name = "saddle.v1.Statistics/Watch",
     .request = &saddle__v1__watch_statistics_request__descriptor,
     .handle = watch,
     .stream = true,
     .gone = gone},
};

static int create(struct module_world *world, void **state)
{
    struct statistics *statistics = calloc(1, sizeof(*statistics));

    if (!statistics)
        return -ENOMEM;
    statistics->world = world;
    *state = statistics;
    return 0;
}

const struct module module_statistics = {
    .name = "statistics",
    .about = "every counter",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .create = create,
    .destroy = free,
    .tick = tick,
};
