/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/group.h"

#include "sched/leader.h"
#include "sched/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct member {
    struct engine *engine;
    struct worker *worker; /* that has it; of no meaning where a leader moves it */
};

/* The threads of one configuration. */
struct crew {
    struct worker *workers[GROUP_THREADS_MAX];
    uint32_t count;
    struct leader *leader; /* on the first of them; NULL: the mode has none */
};

struct group {
    struct group_config config;
    struct crew crew;
    struct decisions decisions; /* of the leader */
    struct member members[GROUP_ENGINES_MAX];
    uint32_t member_count;
    bool keeps; /* threads, also without an engine */
};

/* ---- Threads ---- */

static struct balance_config balance_of(const struct group_config *config)
{
    return (struct balance_config){.slo_ns = config->slo_ns, .threads = 1};
}

/* The CPU that the thread at `index` is pinned to: they go round if there are more threads. */
static cpu_set_t one_of(const cpu_set_t *cpus, uint32_t index)
{
    uint32_t left = index % (uint32_t)CPU_COUNT(cpus);
    cpu_set_t one;
    int cpu = 0;

    while (!CPU_ISSET(cpu, cpus) || left-- > 0)
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return one;
}

static void name_worker(struct worker *worker, const struct group_config *config, uint32_t index,
                        const struct engine *engine)
{
    char number[12];
    int digits = snprintf(number, sizeof(number), "-%u", index);

    if (config->mode->thread_per_engine)
        snprintf(worker->name, sizeof(worker->name), "%.*s", (int)sizeof(worker->name) - 1,
                 engine->name);
    else
        snprintf(worker->name, sizeof(worker->name), "%.*s%s",
                 (int)sizeof(worker->name) - 1 - digits, config->name, number);
}

/* One more thread; `engine` is what it is made for, where it is made for one. */
static int hire(struct crew *crew, const struct group_config *config, const struct engine *engine)
{
    struct worker *worker = NULL;
    int error;

    if (posix_memalign((void **)&worker, alignof(struct worker), sizeof(*worker)))
        return -ENOMEM;
    memset(worker, 0, sizeof(*worker));
    worker->cpus = config->cpus;
    if (config->mode->pins && !config->loose && CPU_COUNT(&config->cpus))
        worker->cpus = one_of(&config->cpus, crew->count);
    worker->leader = crew->count == 0 ? crew->leader : NULL;
    name_worker(worker, config, crew->count, engine);
    error = worker_start(worker, config);
    if (error) {
        free(worker);
        return error;
    }
    crew->workers[crew->count++] = worker;
    if (crew->leader)
        leader_add_thread(crew->leader, worker);
    return 0;
}

static void forget(struct crew *crew, uint32_t index)
{
    worker_close(crew->workers[index]);
    free(crew->workers[index]);
    crew->workers[index] = crew->workers[--crew->count];
}

/* One thread, in a mode without a leader. */
static void dismiss(struct crew *crew, uint32_t index)
{
    worker_stop(crew->workers[index]);
    forget(crew, index);
}

static void dismiss_all(struct crew *crew)
{
    for (uint32_t i = 0; i < crew->count; i++)
        worker_stop(crew->workers[i]);
    while (crew->count > 0)
        forget(crew, crew->count - 1);
    leader_destroy(crew->leader);
    crew->leader = NULL;
}

/* The threads for the members of a group; a leader is held. On failure there are none. */
static int gather(struct crew *crew, struct group *group, const struct group_config *config)
{
    const struct member *members = group->members;
    uint32_t count = group->member_count;
    const struct balance_config balance = balance_of(config);
    uint32_t threads = config->mode->threads(config, count);
    int error = 0;

    memset(crew, 0, sizeof(*crew));
    if (config->mode->balances)
        error = leader_create(&crew->leader, &balance, &group->decisions);
    while (!error && crew->count < threads)
        error = hire(crew, config, count ? members[crew->count % count].engine : NULL);
    if (error)
        dismiss_all(crew);
    return error;
}

static int hold(const struct crew *crew)
{
    return crew->leader ? leader_hold(crew->workers[0]) : 0;
}

static void release(const struct crew *crew)
{
    if (crew->leader)
        leader_release(crew->workers[0]);
}

static bool ask_again(const struct crew *crew)
{
    bool busy = false;

    for (uint32_t i = 0; i < crew->count; i++)
        busy |= worker_ask_again(crew->workers[i]) == -EBUSY;
    return busy;
}

/* The kernel takes a reservation as given back when its period is over, and not before. */
void group_ask_again(struct group *group)
{
    static const struct timespec pause = {.tv_nsec = QUANTA_PERIOD_MAX_NS};

    if (!ask_again(&group->crew))
        return;
    (void)nanosleep(&pause, NULL);
    (void)ask_again(&group->crew);
}

/* ---- Configuration ---- */

static int complete(struct group_config *config)
{
    const char *why;

    if (!config->mode || config->threads > GROUP_THREADS_MAX ||
        quanta_check(&config->quanta, &why) ||
        strnlen(config->name, GROUP_NAME_BYTES) == GROUP_NAME_BYTES)
        return -EINVAL;
    if (config->mode->threads(config, 0) > GROUP_THREADS_MAX)
        return -EINVAL;
    if (!config->idle_ns)
        config->idle_ns = config->mode->idle_ns;
    if (!config->slo_ns)
        config->slo_ns = BALANCE_SLO_NS;
    return 0;
}

/* Whether threads of the one would do for the other. */
static bool same_threads(const struct group_config *a, const struct group_config *b)
{
    return a->mode == b->mode && CPU_EQUAL(&a->cpus, &b->cpus) && a->threads == b->threads &&
           a->loose == b->loose && a->thread_start == b->thread_start &&
           a->thread_stop == b->thread_stop && a->arg == b->arg;
}

int group_create(struct group **result, const struct group_config *config)
{
    struct group_config completed = *config;
    struct group *group;
    int error = complete(&completed);

    if (error)
        return error;
    group = calloc(1, sizeof(*group));
    if (!group)
        return -ENOMEM;
    group->config = completed;
    decisions_init(&group->decisions);
    error = gather(&group->crew, group, &completed);
    if (error) {
        free(group);
        return error;
    }
    release(&group->crew);
    *result = group;
    return 0;
}

void group_destroy(struct group *group)
{
    if (!group)
        return;
    dismiss_all(&group->crew);
    free(group);
}

const struct group_config *group_configuration(const struct group *group)
{
    return &group->config;
}

/* ---- Members ---- */

static struct member *find_member(struct group *group, const struct engine *engine)
{
    for (uint32_t i = 0; i < group->member_count; i++)
        if (group->members[i].engine == engine)
            return &group->members[i];
    return NULL;
}

/* The thread that has it; a leader is held. */
static struct worker *worker_of(const struct group *group, const struct member *member)
{
    return group->crew.leader ? leader_find(group->crew.leader, member->engine) : member->worker;
}

static uint32_t index_of(const struct crew *crew, const struct worker *worker)
{
    uint32_t index = 0;

    while (index < crew->count && crew->workers[index] != worker)
        index++;
    return index;
}

/* The thread for one more engine, beside those that members have. */
static uint32_t place(const struct group_mode *mode, const struct crew *crew,
                      const struct member *members, uint32_t count)
{
    uint32_t loads[GROUP_THREADS_MAX + 1] = {0};

    for (uint32_t i = 0; i < count; i++)
        loads[index_of(crew, members[i].worker)]++;
    return mode->place(loads, crew->count);
}

static bool is_needed(const struct group *group, const struct worker *worker)
{
    for (uint32_t i = 0; i < group->member_count; i++)
        if (group->members[i].worker == worker)
            return true;
    return false;
}

/* Where each engine has its thread, ends the threads that have none. */
static void dismiss_idle(struct group *group)
{
    struct crew *crew = &group->crew;

    if (!group->config.mode->thread_per_engine)
        return;
    for (uint32_t i = crew->count; i-- > 0;)
        if (!is_needed(group, crew->workers[i]))
            dismiss(crew, i);
}

/* Has the threads that so many more engines need. */
static int hire_for(struct group *group, struct engine *const *engines, uint32_t count)
{
    struct crew *crew = &group->crew;
    const struct group_mode *mode = group->config.mode;
    int error = 0;

    for (uint32_t i = 0; i < count && !error; i++)
        while (crew->count < mode->threads(&group->config, group->member_count + i + 1) && !error)
            error = hire(crew, &group->config, engines[i]);
    return error;
}

/* Nothing becomes of any of them. */
static int refuse(int error, int *errors, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        errors[i] = error;
    return error;
}

static int check_new(struct group *group, struct engine *const *engines, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (find_member(group, engines[i]))
            return -EEXIST;
    return count > GROUP_ENGINES_MAX - group->member_count ? -ENOSPC : 0;
}

static int check_members(struct group *group, struct engine *const *engines, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!find_member(group, engines[i]))
            return -ENOENT;
    return 0;
}

/* There are threads for them. */
static int add(struct group *group, struct engine *const *engines, uint32_t count, int *errors)
{
    const struct crew *crew = &group->crew;
    struct worker_seat seats[GROUP_ENGINES_MAX];
    struct member members[GROUP_ENGINES_MAX];
    uint32_t before = group->member_count;
    int error;

    memcpy(members, group->members, before * sizeof(members[0]));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = place(group->config.mode, crew, members, before + i);

        seats[i] = (struct worker_seat){.worker = crew->workers[index], .engine = engines[i]};
        members[before + i] = (struct member){engines[i], crew->workers[index]};
    }
    error = worker_add(seats, count);
    for (uint32_t i = 0; i < count; i++) {
        errors[i] = seats[i].error;
        if (errors[i])
            continue;
        group->members[group->member_count++] = members[before + i];
        if (crew->leader)
            leader_add(crew->leader, engines[i], index_of(crew, seats[i].worker));
    }
    return error;
}

int group_add_all(struct group *group, struct engine *const *engines, uint32_t count, int *errors)
{
    int error = check_new(group, engines, count);

    if (!error)
        error = hold(&group->crew);
    if (error)
        return refuse(error, errors, count);
    error = hire_for(group, engines, count);
    if (error)
        refuse(error, errors, count);
    else
        error = add(group, engines, count, errors);
    if (error && !group->keeps)
        dismiss_idle(group);
    release(&group->crew);
    return error;
}

int group_add(struct group *group, struct engine *engine)
{
    int error;

    return group_add_all(group, &engine, 1, &error);
}

static int drop(struct group *group, struct engine *const *engines, uint32_t count, int *errors)
{
    struct worker_seat seats[GROUP_ENGINES_MAX];
    int error;

    for (uint32_t i = 0; i < count; i++)
        seats[i] = (struct worker_seat){.worker = worker_of(group, find_member(group, engines[i])),
                                        .engine = engines[i]};
    error = worker_remove(seats, count);
    for (uint32_t i = 0; i < count; i++) {
        struct member *member = find_member(group, engines[i]);

        errors[i] = seats[i].error;
        if (errors[i])
            continue;
        *member = group->members[--group->member_count];
        if (group->crew.leader)
            leader_remove(group->crew.leader, engines[i]);
    }
    return error;
}

int group_remove_all(struct group *group, struct engine *const *engines, uint32_t count,
                     int *errors)
{
    int error = check_members(group, engines, count);

    if (!error)
        error = hold(&group->crew);
    if (error)
        return refuse(error, errors, count);
    error = drop(group, engines, count, errors);
    if (!group->keeps)
        dismiss_idle(group);
    release(&group->crew);
    return error;
}

int group_remove(struct group *group, struct engine *engine)
{
    int error;

    return group_remove_all(group, &engine, 1, &error);
}

/* ---- Threads ahead ---- */

void group_keep_threads(struct group *group)
{
    group->keeps = true;
}

int group_prepare(struct group *group, struct engine *const *engines, uint32_t count)
{
    struct crew *crew = &group->crew;
    uint32_t before = crew->count;
    int error = count > GROUP_ENGINES_MAX - group->member_count ? -ENOSPC : hold(crew);

    if (error)
        return error;
    group->keeps = true;
    error = hire_for(group, engines, count);
    while (error && group->config.mode->thread_per_engine && crew->count > before)
        dismiss(crew, crew->count - 1);
    release(crew);
    return error;
}

void group_trim(struct group *group)
{
    group->keeps = false;
    dismiss_idle(group);
}

/* ---- Changes ---- */

/* The same threads go on with other settings. */
static int retune(struct group *group, const struct group_config *config)
{
    const struct balance_config balance = balance_of(config);
    int error = hold(&group->crew);

    if (error)
        return error;
    if (group->crew.leader)
        error = leader_configure(group->crew.leader, &balance);
    for (uint32_t i = 0; i < group->crew.count && !error; i++)
        error = worker_configure(group->crew.workers[i], config);
    release(&group->crew);
    return error;
}

/* Hands members over to new threads, which are noted in `next`. 0, or an error: then only the first
 * `*moved` of them have moved. */
static int hand_over(struct group *group, struct crew *crew, const struct group_mode *mode,
                     struct member *next, uint32_t *moved)
{
    int error = 0;

    for (*moved = 0; *moved < group->member_count; (*moved)++) {
        struct member *member = &group->members[*moved];
        uint32_t index = place(mode, crew, next, *moved);

        next[*moved] = (struct member){member->engine, crew->workers[index]};
        error = worker_move(worker_of(group, member), member->engine, crew->workers[index]);
        if (error)
            break;
        if (crew->leader)
            leader_add(crew->leader, member->engine, index);
    }
    return error;
}

/* Back to the threads that were left. Whoever has an engine must let it go: keep asking. */
static void hand_back(struct group *group, const struct member *next, uint32_t moved)
{
    static const struct timespec pause = {.tv_nsec = NSEC_PER_MSEC};

    for (uint32_t i = 0; i < moved; i++)
        while (worker_move(next[i].worker, next[i].engine, worker_of(group, &group->members[i])))
            (void)nanosleep(&pause, NULL);
}

/* Other threads take over. */
static int replace(struct group *group, const struct group_config *config)
{
    struct member next[GROUP_ENGINES_MAX];
    struct crew crew;
    uint32_t moved = 0;
    int error = gather(&crew, group, config);

    if (error)
        return error;
    error = hold(&group->crew);
    if (!error) {
        error = hand_over(group, &crew, config->mode, next, &moved);
        if (error) {
            hand_back(group, next, moved);
            release(&group->crew);
        }
    }
    if (error) {
        dismiss_all(&crew);
        return error;
    }
    dismiss_all(&group->crew);
    group->crew = crew;
    memcpy(group->members, next, moved * sizeof(next[0]));
    release(&group->crew);
    group_ask_again(group);
    return 0;
}

int group_configure(struct group *group, const struct group_config *config)
{
    struct group_config wanted = *config;
    int error;

    memcpy(wanted.name, group->config.name, sizeof(wanted.name));
    error = complete(&wanted);
    if (!error && same_threads(&group->config, &wanted)) {
        error = retune(group, &wanted);
        if (error)
            (void)retune(group, &group->config);
    } else if (!error) {
        error = replace(group, &wanted);
    }
    if (!error)
        group->config = wanted;
    return error;
}

/* ---- What is seen ---- */

uint32_t group_threads(const struct group *group, struct group_thread_stats *stats, uint32_t max)
{
    for (uint32_t i = 0; i < group->crew.count && i < max; i++) {
        const struct worker *worker = group->crew.workers[i];

        stats[i] = (struct group_thread_stats){
            .tid = atomic_load_explicit(&worker->stats.tid, memory_order_relaxed),
            .cpus = worker->cpus,
            .sleeps = atomic_load_explicit(&worker->stats.sleeps, memory_order_relaxed),
            .wakes_event = atomic_load_explicit(&worker->stats.wakes_event, memory_order_relaxed),
            .wakes_deadline =
                atomic_load_explicit(&worker->stats.wakes_deadline, memory_order_relaxed),
            .busy_ns = atomic_load_explicit(&worker->stats.busy_ns, memory_order_relaxed),
            .engines = atomic_load_explicit(&worker->stats.engines, memory_order_relaxed),
        };
        quanta_read(&worker->quanta, &stats[i].quanta);
    }
    return group->crew.count;
}

const struct decisions *group_decisions(const struct group *group)
{
    return &group->decisions;
}
