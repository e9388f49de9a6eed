/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/group.h"

#include "sched/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_NS_DEFAULT (20 * NSEC_PER_USEC)

struct member {
    struct engine *engine;
    uint32_t worker;
};

struct group {
    struct group_config config;
    struct member members[GROUP_ENGINES_MAX];
    uint32_t member_count;
    uint32_t loads[GROUP_THREADS_MAX]; /* engines of each worker */
    uint32_t worker_count;
    struct worker workers[];
};

static uint32_t thread_count(const struct group_config *config)
{
    if (config->threads)
        return config->threads;
    uint32_t cpus = (uint32_t)CPU_COUNT(&config->cpus);
    return cpus ? cpus : 1;
}

int group_create(struct group **result, const struct group_config *config)
{
    uint32_t threads = thread_count(config);
    const char *why;
    if (!config->mode || threads > GROUP_THREADS_MAX || quanta_check(&config->quanta, &why) ||
        strnlen(config->name, GROUP_NAME_BYTES) == GROUP_NAME_BYTES)
        return -EINVAL;
    struct group *group = NULL;
    size_t bytes = sizeof(*group) + threads * sizeof(group->workers[0]);
    if (posix_memalign((void **)&group, alignof(struct worker), bytes))
        return -ENOMEM;
    memset(group, 0, bytes);
    group->config = *config;
    if (!group->config.idle_ns)
        group->config.idle_ns = IDLE_NS_DEFAULT;
    for (; group->worker_count < threads; group->worker_count++) {
        uint32_t index = group->worker_count;
        int error = worker_start(&group->workers[index], &group->config, index);
        if (error) {
            group_destroy(group);
            return error;
        }
    }
    *result = group;
    return 0;
}

void group_destroy(struct group *group)
{
    if (!group)
        return;
    for (uint32_t i = 0; i < group->worker_count; i++)
        worker_stop(&group->workers[i]);
    free(group);
}

static struct member *find_member(struct group *group, const struct engine *engine)
{
    for (uint32_t i = 0; i < group->member_count; i++)
        if (group->members[i].engine == engine)
            return &group->members[i];
    return NULL;
}

int group_add(struct group *group, struct engine *engine)
{
    if (find_member(group, engine))
        return -EEXIST;
    if (group->member_count == GROUP_ENGINES_MAX)
        return -ENOSPC;
    uint32_t worker = group->config.mode->place(group->loads, group->worker_count);
    int error = worker_add(&group->workers[worker], engine);
    if (error)
        return error;
    group->members[group->member_count++] = (struct member){.engine = engine, .worker = worker};
    group->loads[worker]++;
    return 0;
}

int group_remove(struct group *group, struct engine *engine)
{
    struct member *member = find_member(group, engine);
    if (!member)
        return -ENOENT;
    int error = worker_remove(&group->workers[member->worker], engine);
    if (error)
        return error;
    group->loads[member->worker]--;
    *member = group->members[--group->member_count];
    return 0;
}

uint32_t group_threads(const struct group *group, struct group_thread_stats *stats, uint32_t max)
{
    for (uint32_t i = 0; i < group->worker_count && i < max; i++) {
        const struct worker *worker = &group->workers[i];
        stats[i] = (struct group_thread_stats){
            .tid = atomic_load_explicit(&worker->stats.tid, memory_order_relaxed),
            .sleeps = atomic_load_explicit(&worker->stats.sleeps, memory_order_relaxed),
            .wakes_event = atomic_load_explicit(&worker->stats.wakes_event, memory_order_relaxed),
            .wakes_deadline =
                atomic_load_explicit(&worker->stats.wakes_deadline, memory_order_relaxed),
            .busy_ns = atomic_load_explicit(&worker->stats.busy_ns, memory_order_relaxed),
            .engines = atomic_load_explicit(&worker->stats.engines, memory_order_relaxed),
        };
        quanta_read(&worker->quanta, &stats[i].quanta);
    }
    return group->worker_count;
}
