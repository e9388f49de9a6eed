/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Metrics: all counters as one text, for saddle.v1.Metrics and for what saddle-control's HTTP
 * server asks. Labels are what the configuration names, and short fixed lists: nobody else adds to
 * them.
 */
#include "control/module.h"
#include "control/openmetrics.h"
#include "engines/pony/wire.h"
#include "engines/shaper/shaper.h"
#include "saddle_v1_metrics.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/abi.h>
#include <saddle/saddle.h>

#define VERSION_BYTES 32u
#define INDEX_BYTES   16u
#define STATS_MAX     128u /* counters of one engine or port */
#define CLASSES_MAX   512u /* of all shapers: a quarter of a text's most bytes */
/* Queueing delays are told at powers of two ns: from 1 us, within which an engine that spins sees
 * what has come, to 1 s, beyond which something hangs. */
#define DELAY_BITS_MIN 10u
#define DELAY_BITS_MAX 30u

/* ---- The daemon ---- */

static void write_build(struct openmetrics *to)
{
    char version[VERSION_BYTES], abi[INDEX_BYTES], wire[INDEX_BYTES];

    snprintf(version, sizeof(version), "%d.%d.%d", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
             SADDLE_VERSION_PATCH);
    snprintf(abi, sizeof(abi), "%u", SADDLE_ABI_VERSION);
    snprintf(wire, sizeof(wire), "%u", WIRE_VERSION_MAX);
    openmetrics_family(
        to, &(struct openmetrics_family){
                .name = "saddle_build",
                .type = OPENMETRICS_INFO,
                .help = "Versions of the daemon, of its shared memory and of its packets."});
    openmetrics_count(to, 1, "version", version, "abi", abi, "wire", wire, NULL);
}

static void write_state(struct openmetrics *to, const struct module_world *world)
{
    struct module_problems problems;

    module_find_problems(world, &problems);
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_uptime_seconds",
                                                        .unit = "seconds",
                                                        .help = "Since the daemon was ready."});
    openmetrics_time(to, clock_now(&clock_machine) - world->plant->ready_ns, NULL);
    openmetrics_family(
        to, &(struct openmetrics_family){.name = "saddle_degraded",
                                         .help = "1 if something is worse than it should be."});
    openmetrics_count(to, problems.count > 0, NULL);
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_problems",
                                                        .help = "How many things are."});
    openmetrics_count(to, problems.count, NULL);
}

static void write_counter(struct openmetrics *to, const char *name, const char *help,
                          uint64_t value)
{
    openmetrics_family(to, &(struct openmetrics_family){.prefix = "saddle_control_",
                                                        .name = name,
                                                        .type = OPENMETRICS_COUNTER,
                                                        .help = help});
    openmetrics_count(to, value, NULL);
}

static void write_control(struct openmetrics *to, const struct module_world *world)
{
    static const char *const reasons[LINK_REFUSAL_COUNT] = {"role", "certificate", "crowded"};
    struct rpc_stats stats;

    rpc_stats(world->rpc, &stats);
    write_counter(to, "calls", "Calls from operators that began.", stats.calls);
    write_counter(to, "calls_refused", "Calls refused before they were handled.", stats.refused);
    write_counter(to, "calls_failed", "Calls that ended with an error.", stats.failed);
    write_counter(to, "calls_cancelled", "Calls that their clients gave up.", stats.cancelled);
    write_counter(to, "answers_dropped", "Answers of streams that slow clients missed.",
                  stats.dropped);
    write_counter(to, "restarts", "Times that saddle-control was started again.", world->restarts);
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_control_open_calls",
                                                        .help = "Calls that are under way."});
    openmetrics_count(to, stats.open, NULL);
    openmetrics_family(to,
                       &(struct openmetrics_family){
                           .name = "saddle_control_connections_refused",
                           .type = OPENMETRICS_COUNTER,
                           .help = "Connections turned away before a call could begin on them."});
    for (uint32_t i = 0; i < LINK_REFUSAL_COUNT; i++)
        openmetrics_count(to, stats.turned_away[i], "reason", reasons[i], NULL);
}

/* ---- Engines and ports ---- */

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

static void write_sessions(struct openmetrics *to, const struct module_world *world)
{
    uint32_t stuck;

    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_sessions",
                                                        .help = "Applications attached now."});
    for (uint32_t i = 0; i < world->plant->engine_count; i++) {
        struct count count = {.engine = world->plant->engines[i].engine->name};

        server_sessions(world->server, count_session, &count);
        openmetrics_count(to, count.sessions, "engine", count.engine, NULL);
    }
    server_session_count(world->server, &stuck);
    openmetrics_family(
        to, &(struct openmetrics_family){.name = "saddle_sessions_stuck",
                                         .help = "Sessions whose engine does not let them go."});
    openmetrics_count(to, stuck, NULL);
}

/* What sessions take, each with its user: a label for every session that is attached. */
struct taken {
    struct openmetrics *to;
    uint64_t (*of)(const struct session_view *view);
    bool time;
};

static bool write_taken(void *context, const struct session *session, pid_t pid)
{
    const struct taken *taken = context;
    char id[VERSION_BYTES], uid[INDEX_BYTES];
    struct session_view view;

    (void)pid;
    session_view(session, &view);
    snprintf(id, sizeof(id), "%llu", (unsigned long long)view.id);
    snprintf(uid, sizeof(uid), "%u", view.uid);
    (taken->time ? openmetrics_time : openmetrics_count)(taken->to, taken->of(&view), "session", id,
                                                         "uid", uid, "engine", view.engine, NULL);
    return true;
}

static uint64_t cpu_of(const struct session_view *view)
{
    return view->usage.cpu_ns;
}

static uint64_t throttled_of(const struct session_view *view)
{
    return view->usage.throttled_ns;
}

static uint64_t arena_of(const struct session_view *view)
{
    return view->arena_bytes;
}

static uint64_t tables_of(const struct session_view *view)
{
    return view->usage.connection_bytes + view->usage.operation_bytes + view->usage.region_bytes +
           view->usage.record_bytes;
}

static void write_usage(struct openmetrics *to, const struct module_world *world)
{
    static const struct {
        struct openmetrics_family family;
        uint64_t (*of)(const struct session_view *view);
    } kinds[] = {
        {{.name = "saddle_session_cpu_seconds",
          .type = OPENMETRICS_COUNTER,
          .unit = "seconds",
          .help = "Time of its engine that a session was charged."},
         cpu_of},
        {{.name = "saddle_session_throttled_seconds",
          .type = OPENMETRICS_COUNTER,
          .unit = "seconds",
          .help = "Time in which a session did not work, for want of quota."},
         throttled_of},
        {{.name = "saddle_session_arena_bytes",
          .unit = "bytes",
          .help = "Memory that a session shares with its application."},
         arena_of},
        {{.name = "saddle_session_table_bytes",
          .unit = "bytes",
          .help = "Memory of its engine's tables that a session takes."},
         tables_of},
    };

    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct taken taken = {to, kinds[i].of, kinds[i].family.type == OPENMETRICS_COUNTER};

        openmetrics_family(to, &kinds[i].family);
        server_sessions(world->server, write_taken, &taken);
    }
}

/* Of each engine's time. */
static void write_shares(struct openmetrics *to, const struct plant *plant)
{
    static const struct {
        struct openmetrics_family family;
        size_t account;
    } kinds[] = {
        {{.name = "saddle_engine_sessions_seconds",
          .type = OPENMETRICS_COUNTER,
          .unit = "seconds",
          .help = "Time that sessions were charged."},
         offsetof(struct meter, owned)},
        {{.name = "saddle_engine_overhead_seconds",
          .type = OPENMETRICS_COUNTER,
          .unit = "seconds",
          .help = "Time in runs that found work which was no session's."},
         offsetof(struct meter, overhead)},
        {{.name = "saddle_engine_idle_seconds",
          .type = OPENMETRICS_COUNTER,
          .unit = "seconds",
          .help = "Time in runs that found no work."},
         offsetof(struct meter, idle)},
    };

    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        openmetrics_family(to, &kinds[i].family);
        for (uint32_t j = 0; j < plant->engine_count; j++) {
            const struct engine *engine = plant->engines[j].engine;
            const void *account = (const char *)&engine->meter + kinds[i].account;
            openmetrics_time(to, account_ns(account), "engine", engine->name, NULL);
        }
    }
}

static void write_engines(struct openmetrics *to, const struct module_world *world)
{
    const struct plant *plant = world->plant;

    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_engine",
                                                        .type = OPENMETRICS_INFO,
                                                        .help = "Where each engine belongs."});
    for (uint32_t i = 0; i < plant->engine_count; i++)
        openmetrics_count(to, 1, "engine", plant->engines[i].engine->name, "kind",
                          plant->engines[i].engine->ops->kind, "group", plant->engines[i].group,
                          "port", plant->engines[i].port, NULL);
    openmetrics_family(to, &(struct openmetrics_family){
                               .name = "saddle_engine_alive",
                               .help = "1 if the engine has answered its mailbox of late."});
    for (uint32_t i = 0; i < plant->engine_count; i++)
        openmetrics_count(to, pulse_alive(world->pulse, i), "engine",
                          plant->engines[i].engine->name, NULL);
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_engine_busy_seconds",
                                                        .type = OPENMETRICS_COUNTER,
                                                        .unit = "seconds",
                                                        .help = "Time in runs that found work."});
    for (uint32_t i = 0; i < plant->engine_count; i++)
        openmetrics_time(
            to, atomic_load_explicit(&plant->engines[i].engine->busy_ns, memory_order_relaxed),
            "engine", plant->engines[i].engine->name, NULL);
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_engine_runs",
                                                        .type = OPENMETRICS_COUNTER,
                                                        .help = "Runs, with work or without."});
    for (uint32_t i = 0; i < plant->engine_count; i++)
        openmetrics_count(
            to, atomic_load_explicit(&plant->engines[i].engine->runs, memory_order_relaxed),
            "engine", plant->engines[i].engine->name, NULL);
}

static void write_delays(struct openmetrics *to, const struct plant *plant)
{
    struct openmetrics_bucket buckets[DELAY_BITS_MAX - DELAY_BITS_MIN + 1];
    struct histogram_view delays;

    openmetrics_family(
        to, &(struct openmetrics_family){
                .name = "saddle_engine_queueing_delay_seconds",
                .type = OPENMETRICS_HISTOGRAM,
                .unit = "seconds",
                .help = "The longest that work had waited, at each turn that found some."});
    for (uint32_t i = 0; i < plant->engine_count; i++) {
        histogram_read(&plant->engines[i].engine->delays, &delays);
        for (uint32_t bits = DELAY_BITS_MIN; bits <= DELAY_BITS_MAX; bits++)
            buckets[bits - DELAY_BITS_MIN] = (struct openmetrics_bucket){
                .at_most_ns = 1ull << bits,
                .count = histogram_at_most(&delays, 1ull << bits),
            };
        openmetrics_histogram(to, buckets, DELAY_BITS_MAX - DELAY_BITS_MIN + 1, delays.count,
                              delays.sum_ns, "engine", plant->engines[i].engine->name, NULL);
    }
}

static void write_moves(struct openmetrics *to, const struct plant *plant)
{
    openmetrics_family(to,
                       &(struct openmetrics_family){
                           .name = "saddle_group_rebalanced",
                           .type = OPENMETRICS_COUNTER,
                           .help = "Engines that the group's rebalancer moved to other threads."});
    for (uint32_t i = 0; i < plant->group_count; i++) {
        const struct decisions *decisions = group_decisions(plant->groups[i].group);

        for (uint32_t action = 1; action < BALANCE_ACTION_END; action++)
            openmetrics_count(to, decisions_count(decisions, action), "group",
                              plant->groups[i].name, "action", balance_action_name(action), NULL);
    }
}

static void write_ports(struct openmetrics *to, const struct plant *plant)
{
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_port",
                                                        .type = OPENMETRICS_INFO,
                                                        .help = "What each port is."});
    for (uint32_t i = 0; i < plant->port_count; i++)
        openmetrics_count(to, 1, "port", plant->ports[i].name, "driver", plant->ports[i].driver,
                          "interface", plant->ports[i].interface, "owner", plant->ports[i].owner,
                          "engine", plant->ports[i].engine, NULL);
}

/* One counter that an engine or a port keeps by itself. */
struct own {
    const char *name, *owner;
    uint64_t value;
    bool level;
};

/* Samples of one family have to follow each other. */
static int compare(const void *a, const void *b)
{
    const struct own *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->owner, right->owner);
}

static void write_own(struct openmetrics *to, const char *what, struct own *list, uint32_t count)
{
    char prefix[OPENMETRICS_NAME_BYTES], help[OPENMETRICS_NAME_BYTES];

    snprintf(prefix, sizeof(prefix), "saddle_%s_", what);
    qsort(list, count, sizeof(*list), compare);
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(list[i].name, list[i - 1].name) != 0) {
            snprintf(help, sizeof(help), "The %s's own count of %s.", what, list[i].name);
            openmetrics_family(to, &(struct openmetrics_family){.prefix = prefix,
                                                                .name = list[i].name,
                                                                .type = list[i].level
                                                                            ? OPENMETRICS_GAUGE
                                                                            : OPENMETRICS_COUNTER,
                                                                .help = help});
        }
        openmetrics_count(to, list[i].value, what, list[i].owner, NULL);
    }
}

static uint32_t of_engine(const struct engine *engine, struct own *list)
{
    struct engine_stat stats[STATS_MAX];
    uint32_t count = engine->ops->stats(engine, stats, STATS_MAX);

    if (count > STATS_MAX)
        count = STATS_MAX;
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct own){stats[i].name, engine->name, stats[i].value, stats[i].level};
    return count;
}

static uint32_t of_port(const struct plant_port *from, struct own *list)
{
    struct port_stat stats[STATS_MAX];
    uint32_t count = 0;

    if (from->port->ops && from->port->ops->stats)
        count = from->port->ops->stats(from->port, stats, STATS_MAX);
    if (count > STATS_MAX)
        count = STATS_MAX;
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct own){stats[i].name, from->name, stats[i].value, false};
    return count;
}

static void write_all_own(struct openmetrics *to, const struct plant *plant)
{
    struct own *list = calloc((size_t)PLANT_MAX * STATS_MAX, sizeof(*list));
    uint32_t count = 0;

    if (!list) {
        to->failed = true;
        return;
    }
    for (uint32_t i = 0; i < plant->engine_count; i++)
        count += of_engine(plant->engines[i].engine, list + count);
    write_own(to, "engine", list, count);
    count = 0;
    for (uint32_t i = 0; i < plant->port_count; i++)
        count += of_port(&plant->ports[i], list + count);
    write_own(to, "port", list, count);
    free(list);
}

/* ---- Classes of packets ---- */

struct class
{
    const char *engine;
    struct tree_view view;
};

static uint64_t packets_of(const struct tree_view *view)
{
    return view->packets;
}

static uint64_t bytes_of(const struct tree_view *view)
{
    return view->bytes;
}

static uint64_t queued_of(const struct tree_view *view)
{
    return view->queued;
}

static uint64_t waited_of(const struct tree_view *view)
{
    return view->delayed_ns;
}

static uint64_t exhausted_of(const struct tree_view *view)
{
    return view->shut;
}

static uint64_t tokens_of(const struct tree_view *view)
{
    return view->tokens;
}

static uint64_t rate_of(const struct tree_view *view)
{
    return view->class.rate;
}

/* What is told of each class; `rated`: of one that has a rate of its own alone. */
static const struct {
    struct openmetrics_family family;
    uint64_t (*of)(const struct tree_view *view);
    bool rated, time;
} class_kinds[] = {
    {.family = {.name = "saddle_class_packets",
                .type = OPENMETRICS_COUNTER,
                .help = "Packets of a shaper's class that left."},
     .of = packets_of},
    {.family = {.name = "saddle_class_bytes",
                .type = OPENMETRICS_COUNTER,
                .unit = "bytes",
                .help = "What they took on the wire."},
     .of = bytes_of},
    {.family = {.name = "saddle_class_queued",
                .help = "Packets of the class that wait in the shaper."},
     .of = queued_of},
    {.family = {.name = "saddle_class_delayed_seconds",
                .type = OPENMETRICS_COUNTER,
                .unit = "seconds",
                .help = "Time that packets waited there, summed over them."},
     .of = waited_of,
     .time = true},
    {.family = {.name = "saddle_class_exhausted",
                .type = OPENMETRICS_COUNTER,
                .help = "Times that the class was out of tokens, and held back."},
     .of = exhausted_of,
     .rated = true},
    {.family = {.name = "saddle_class_tokens_bytes",
                .unit = "bytes",
                .help = "What it had saved up when it last sent."},
     .of = tokens_of,
     .rated = true},
    {.family = {.name = "saddle_class_rate_bytes_per_second",
                .unit = "bytes_per_second",
                .help = "What it may send."},
     .of = rate_of,
     .rated = true},
};

/* The first of a shaper, up to `max`. */
static uint32_t of_shaper(const struct engine *engine, struct class *list, uint32_t max)
{
    const struct tree *tree = shaping_tree(shaper_shaping(engine));
    uint32_t count = tree_places(tree) < max ? tree_places(tree) : max;

    for (uint32_t i = 0; i < count; i++) {
        list[i].engine = engine->name;
        tree_view(tree, (uint16_t)i, &list[i].view);
    }
    return count;
}

static void write_all_of_classes(struct openmetrics *to, const struct class *list, uint32_t count)
{
    for (uint32_t i = 0; i < sizeof(class_kinds) / sizeof(class_kinds[0]); i++) {
        openmetrics_family(to, &class_kinds[i].family);
        for (uint32_t j = 0; j < count; j++) {
            const struct tree_view *view = &list[j].view;

            if (view->class.rate || !class_kinds[i].rated)
                (class_kinds[i].time ? openmetrics_time
                                     : openmetrics_count)(to, class_kinds[i].of(view), "engine",
                                                          list[j].engine, "class", view->class.name,
                                                          NULL);
        }
    }
}

/* Each shaper has the same part of what there is room for. */
static void write_shaping(struct openmetrics *to, const struct plant *plant)
{
    struct class *list = calloc(CLASSES_MAX, sizeof(*list));
    uint32_t shapers = 0, count = 0, each;

    if (!list) {
        to->failed = true;
        return;
    }
    for (uint32_t i = 0; i < plant->engine_count; i++)
        shapers += shaper_shaping(plant->engines[i].engine) != NULL;
    each = shapers ? CLASSES_MAX / shapers : 0;
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_classes",
                                                        .help = "Classes that a shaper has."});
    for (uint32_t i = 0; i < plant->engine_count; i++) {
        const struct engine *engine = plant->engines[i].engine;

        if (!shaper_shaping(engine))
            continue;
        openmetrics_count(to, tree_places(shaping_tree(shaper_shaping(engine))), "engine",
                          engine->name, NULL);
        count += of_shaper(engine, list + count, each);
    }
    write_all_of_classes(to, list, count);
    free(list);
}

/* ---- Threads ---- */

struct thread {
    const char *group;
    char index[INDEX_BYTES]; /* in its group */
    struct group_thread_stats stats;
};

static void write_threads(struct openmetrics *to, const struct thread *list, uint32_t count)
{
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_thread_engines",
                                                        .help = "Engines on the thread."});
    for (uint32_t i = 0; i < count; i++)
        openmetrics_count(to, list[i].stats.engines, "group", list[i].group, "thread",
                          list[i].index, NULL);
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_thread_busy_seconds",
                                                        .type = OPENMETRICS_COUNTER,
                                                        .unit = "seconds",
                                                        .help = "Time in runs that found work."});
    for (uint32_t i = 0; i < count; i++)
        openmetrics_time(to, list[i].stats.busy_ns, "group", list[i].group, "thread", list[i].index,
                         NULL);
    openmetrics_family(to, &(struct openmetrics_family){.name = "saddle_thread_sleeps",
                                                        .type = OPENMETRICS_COUNTER,
                                                        .help = "Times that it went to sleep."});
    for (uint32_t i = 0; i < count; i++)
        openmetrics_count(to, list[i].stats.sleeps, "group", list[i].group, "thread", list[i].index,
                          NULL);
    openmetrics_family(to, &(struct openmetrics_family){
                               .name = "saddle_thread_wakes",
                               .type = OPENMETRICS_COUNTER,
                               .help = "Times that an event woke it, or that its deadline came."});
    for (uint32_t i = 0; i < count; i++) {
        openmetrics_count(to, list[i].stats.wakes_event, "group", list[i].group, "thread",
                          list[i].index, "cause", "event", NULL);
        openmetrics_count(to, list[i].stats.wakes_deadline, "group", list[i].group, "thread",
                          list[i].index, "cause", "deadline", NULL);
    }
}

/* How it stands to other tasks. */
static void write_classes(struct openmetrics *to, const struct thread *list, uint32_t count)
{
    openmetrics_family(to, &(struct openmetrics_family){
                               .name = "saddle_thread_class",
                               .type = OPENMETRICS_INFO,
                               .help = "How the kernel schedules it: fifo, deadline, nice or "
                                       "ordinary."});
    for (uint32_t i = 0; i < count; i++)
        openmetrics_count(to, 1, "group", list[i].group, "thread", list[i].index, "class",
                          quanta_class_name(list[i].stats.quanta.class), NULL);
    openmetrics_family(to, &(struct openmetrics_family){
                               .name = "saddle_thread_budget_seconds",
                               .type = OPENMETRICS_COUNTER,
                               .unit = "seconds",
                               .help = "Time before ordinary tasks that was charged to its budget "
                                       "(fifo)."});
    for (uint32_t i = 0; i < count; i++)
        openmetrics_time(to, list[i].stats.quanta.used_ns, "group", list[i].group, "thread",
                         list[i].index, NULL);
    openmetrics_family(
        to, &(struct openmetrics_family){.name = "saddle_thread_demotions",
                                         .type = OPENMETRICS_COUNTER,
                                         .help = "Times that its budget was used up (fifo)."});
    for (uint32_t i = 0; i < count; i++)
        openmetrics_count(to, list[i].stats.quanta.demotions, "group", list[i].group, "thread",
                          list[i].index, NULL);
    openmetrics_family(to, &(struct openmetrics_family){
                               .name = "saddle_thread_overruns",
                               .type = OPENMETRICS_COUNTER,
                               .help = "Times that it hung in one turn and was put back (fifo)."});
    for (uint32_t i = 0; i < count; i++)
        openmetrics_count(to, list[i].stats.quanta.overruns, "group", list[i].group, "thread",
                          list[i].index, NULL);
}

static uint32_t of_group(const struct plant_group *from, struct thread *list)
{
    struct group_thread_stats stats[GROUP_THREADS_MAX];
    uint32_t count = group_threads(from->group, stats, GROUP_THREADS_MAX);

    if (count > GROUP_THREADS_MAX)
        count = GROUP_THREADS_MAX;
    for (uint32_t i = 0; i < count; i++) {
        list[i].group = from->name;
        list[i].stats = stats[i];
        snprintf(list[i].index, INDEX_BYTES, "%u", i);
    }
    return count;
}

static void write_all_threads(struct openmetrics *to, const struct plant *plant)
{
    struct thread *list = calloc((size_t)PLANT_MAX * GROUP_THREADS_MAX, sizeof(*list));
    uint32_t count = 0;

    if (!list) {
        to->failed = true;
        return;
    }
    for (uint32_t i = 0; i < plant->group_count; i++)
        count += of_group(&plant->groups[i], list + count);
    write_threads(to, list, count);
    write_classes(to, list, count);
    free(list);
}

/* ---- Methods ---- */

static const char *write_all(struct openmetrics *to, const struct module_world *world,
                             enum openmetrics_format format, size_t *length)
{
    openmetrics_init(to, format);
    write_build(to);
    write_state(to, world);
    write_control(to, world);
    write_sessions(to, world);
    write_usage(to, world);
    write_shares(to, world->plant);
    write_engines(to, world);
    write_delays(to, world->plant);
    write_moves(to, world->plant);
    module_upgrades_metrics(to, world->upgrades);
    write_ports(to, world->plant);
    write_shaping(to, world->plant);
    write_all_own(to, world->plant);
    write_all_threads(to, world->plant);
    return openmetrics_end(to, length);
}

static void too_long(struct rpc_call *call)
{
    rpc_end(call, RPC_RESOURCE_EXHAUSTED, "metrics: longer than %u bytes, or out of memory",
            OPENMETRICS_BYTES_MAX);
}

static void read_metrics(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    Saddle__V1__ReadMetricsResponse response = SADDLE__V1__READ_METRICS_RESPONSE__INIT;
    struct openmetrics metrics;
    size_t length;

    (void)request;
    response.text = rpc_text(write_all(&metrics, state, OPENMETRICS_1_0, &length));
    if (response.text)
        rpc_answer(call, &response.base);
    else
        too_long(call);
    openmetrics_fini(&metrics);
}

static void answer_text(const struct module_world *world, struct rpc_call *call,
                        enum openmetrics_format format)
{
    struct openmetrics metrics;
    size_t length;
    const char *text = write_all(&metrics, world, format, &length);

    if (!text || rpc_send_bytes(call, text, length))
        too_long(call);
    else
        rpc_end(call, RPC_OK, NULL);
    openmetrics_fini(&metrics);
}

static void http_metrics(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    (void)request;
    answer_text(state, call, OPENMETRICS_1_0);
}

static void http_metrics_old(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    (void)request;
    answer_text(state, call, OPENMETRICS_0_0_4);
}

/* The status says it to saddle-control, and the text to whoever asks: the first problem. */
static void http_health(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    struct module_problems problems;

    (void)request;
    module_find_problems(state, &problems);
    if (problems.count > 0)
        rpc_end(call, RPC_UNAVAILABLE, "%s", problems.text[0]);
    else
        rpc_end(call, RPC_OK, "ok");
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Metrics/Read",
     .request = &saddle__v1__read_metrics_request__descriptor,
     .handle = read_metrics},
    {.name = LINK_HTTP_METRICS, .handle = http_metrics},
    {.name = LINK_HTTP_METRICS_OLD, .handle = http_metrics_old},
    {.name = LINK_HTTP_HEALTH, .handle = http_health},
};

const struct module module_metrics = {
    .name = "metrics",
    .about = "counters of everything, for monitoring",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
