/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/leader.h"
#include "sched/probe.h"
#include "sched/worker.h"

#include <sys/epoll.h>
#include <time.h>

#define EVENTS_MAX   32                  /* taken from the kernel at a time */
#define NAP_LEAST_NS (5 * NSEC_PER_USEC) /* about what a sleep and a wake-up cost */

/* An engine that is about to come may wake the thread before it is the thread's. */
static bool has(const struct worker *worker, int epoll_fd)
{
    for (uint32_t i = 0; i < worker->count; i++)
        if (worker->engines[i]->epoll_fd == epoll_fd)
            return true;
    return false;
}

/* Wakes that a descriptor caused leave events in the engines' own sets. They are edges: taking them
 * out is all there is to do. */
static void drain_events(const struct worker *worker, const struct epoll_event *events, int count)
{
    struct epoll_event inner[EVENTS_MAX];

    for (int i = 0; i < count; i++)
        if (has(worker, events[i].data.fd))
            (void)epoll_wait(events[i].data.fd, inner, EVENTS_MAX, 0);
}

/* Before a sleep and after it. */
static void mark_rest(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++)
        worker_count(&worker->engines[i]->rests, 1);
}

/* As it went to sleep all inputs were empty, and what came since has ended the sleep: nothing has
 * waited for its turn yet. */
static void mark_drained(struct worker *worker)
{
    uint64_t now = clock_now(&clock_machine);

    for (uint32_t i = 0; i < worker->count; i++)
        engine_mark_drained(worker->engines[i], now);
    if (worker->leader)
        leader_woke(worker->leader, now);
}

static void wait_until(struct worker *worker, uint64_t deadline)
{
    struct epoll_event events[EVENTS_MAX];
    struct timespec timeout;

    if (deadline != ENGINE_NEVER) {
        uint64_t now = clock_now(&clock_machine);

        if (deadline <= now)
            return;
        timeout.tv_sec = (time_t)((deadline - now) / NSEC_PER_SEC);
        timeout.tv_nsec = (long)((deadline - now) % NSEC_PER_SEC);
    }
    worker_count(&worker->stats.sleeps, 1);
    mark_rest(worker);
    SADDLE_PROBE2(thread_sleep, worker->config.name, deadline);
    int count = epoll_pwait2(worker->epoll_fd, events, EVENTS_MAX,
                             deadline == ENGINE_NEVER ? NULL : &timeout, NULL);
    mark_drained(worker);
    mark_rest(worker);
    SADDLE_PROBE2(thread_wake, worker->config.name, count);
    if (count > 0) {
        worker_count(&worker->stats.wakes_event, 1);
        drain_events(worker, events, count);
    } else if (count == 0) {
        worker_count(&worker->stats.wakes_deadline, 1);
    }
}

uint64_t worker_nap_ns(const struct worker *worker, uint64_t now)
{
    const struct group_config *config = &worker->config;
    uint64_t span = config->idle_ns != GROUP_NEVER ? config->moderation_ns : 0;

    for (uint32_t i = 0; i < worker->count && span > 0; i++) {
        uint64_t until = worker->engines[i]->patient_until;
        uint64_t left = until > now ? until - now : 0;
        span = left < span ? left : span;
    }
    return worker->count > 0 && !worker->napped && span >= NAP_LEAST_NS ? span : 0;
}

void worker_nap(struct worker *worker, uint64_t now, uint64_t span_ns)
{
    const struct timespec span = {.tv_nsec = (long)span_ns};

    worker->napped = true;
    worker_count(&worker->stats.sleeps, 1);
    mark_rest(worker);
    SADDLE_PROBE2(thread_sleep, worker->config.name, now + span_ns);
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &span, NULL);
    /* What came has waited for the thread, not for its turn. */
    mark_drained(worker);
    mark_rest(worker);
    SADDLE_PROBE2(thread_wake, worker->config.name, 0);
    worker_count(&worker->stats.wakes_deadline, 1);
}

/* Arms its own inputs: false, and none is armed, if one has something. */
static bool arm_self(struct worker *worker)
{
    if (!mailbox_arm(&worker->mailbox))
        return false;
    if (inbox_arm(&worker->inbox))
        return true;
    mailbox_disarm(&worker->mailbox);
    return false;
}

void worker_rest(struct worker *worker, uint64_t now)
{
    uint64_t deadline = worker->leader ? leader_deadline(worker->leader, now) : ENGINE_NEVER;
    uint32_t armed = 0;
    bool idle = true;

    if (!arm_self(worker))
        return;
    while (idle && armed < worker->count) {
        struct engine *engine = worker->engines[armed++];
        uint64_t next = engine->ops->arm(engine, now);

        idle = mailbox_arm(&engine->mailbox) && next != 0;
        if (next < deadline)
            deadline = next;
    }
    if (idle)
        wait_until(worker, deadline);
    mailbox_disarm(&worker->mailbox);
    inbox_disarm(&worker->inbox);
    for (uint32_t i = 0; i < armed; i++) {
        struct engine *engine = worker->engines[i];

        mailbox_disarm(&engine->mailbox);
        engine->ops->disarm(engine);
    }
}
