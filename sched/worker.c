/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/worker.h"

#include "sched/probe.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* A thread comes round after one budget per engine, milliseconds at most; this is only reached when
 * an engine hangs or the machine does not run us. */
#define CALL_TIMEOUT_NS (10 * NSEC_PER_SEC)
#define EVENTS_MAX      32 /* taken from the kernel at a time */
#define THREAD_NAME     16 /* bytes, with the final NUL: the kernel's limit */

/* Single writer: no read-modify-write is needed. */
static void count_up(_Atomic uint64_t *counter, uint64_t by)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + by, memory_order_relaxed);
}

/* ---- Mailbox work, on the thread ---- */

static int work_stop(void *context, void *argument)
{
    struct worker *worker = context;
    (void)argument;
    worker->stopping = true;
    return 0;
}

static void publish_count(struct worker *worker, uint32_t count)
{
    worker->count = count;
    atomic_store_explicit(&worker->stats.engines, count, memory_order_relaxed);
}

static int work_add(void *context, void *argument)
{
    struct worker *worker = context;
    struct engine *engine = argument;
    if (worker->count == GROUP_ENGINES_MAX)
        return -ENOSPC;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = engine->epoll_fd};
    if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, engine->epoll_fd, &event))
        return -errno;
    worker->engines[worker->count] = engine;
    publish_count(worker, worker->count + 1);
    return 0;
}

static int work_remove(void *context, void *argument)
{
    struct worker *worker = context;
    struct engine *engine = argument;
    uint32_t at = 0;
    while (at < worker->count && worker->engines[at] != engine)
        at++;
    if (at == worker->count)
        return -ENOENT;
    (void)epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, engine->epoll_fd, NULL);
    memmove(&worker->engines[at], &worker->engines[at + 1],
            (worker->count - at - 1) * sizeof(worker->engines[0]));
    publish_count(worker, worker->count - 1);
    return 0;
}

/* ---- The thread ---- */

/* One engine's turn at `now`; returns the time after it. *work grows by what was done. */
static uint64_t give_turn(struct worker *worker, struct engine *engine, uint64_t now,
                          uint32_t *work)
{
    meter_begin(&engine->meter);
    bool posted = mailbox_run(&engine->mailbox, engine);
    uint32_t done = engine->ops->run(engine, now, ENGINE_BUDGET_NS);
    SADDLE_PROBE3(engine_run, engine->name, now, done);
    count_up(&engine->runs, 1);
    meter_end(&engine->meter, posted || done > 0);
    uint64_t after = clock_now(&clock_machine);
    if (posted || done > 0) {
        count_up(&engine->busy_ns, after - now);
        count_up(&worker->stats.busy_ns, after - now);
        *work += done + posted;
    }
    return after;
}

/* Wakes that a descriptor caused leave events in the engines' own sets. They are edges: taking them
 * out is all there is to do. */
static void drain_events(const struct worker *worker, const struct epoll_event *events, int count)
{
    struct epoll_event inner[EVENTS_MAX];
    for (int i = 0; i < count; i++)
        if (events[i].data.fd != worker->mailbox.wake_fd)
            (void)epoll_wait(events[i].data.fd, inner, EVENTS_MAX, 0);
}

/* Before a sleep and after it. */
static void mark_rest(struct worker *worker)
{
    for (uint32_t i = 0; i < worker->count; i++)
        count_up(&worker->engines[i]->rests, 1);
}

static void wait_until(struct worker *worker, uint64_t deadline)
{
    struct timespec timeout;
    if (deadline != ENGINE_NEVER) {
        uint64_t now = clock_now(&clock_machine);
        if (deadline <= now)
            return;
        timeout.tv_sec = (time_t)((deadline - now) / NSEC_PER_SEC);
        timeout.tv_nsec = (long)((deadline - now) % NSEC_PER_SEC);
    }
    struct epoll_event events[EVENTS_MAX];
    count_up(&worker->stats.sleeps, 1);
    mark_rest(worker);
    SADDLE_PROBE2(thread_sleep, worker->config->name, deadline);
    int count = epoll_pwait2(worker->epoll_fd, events, EVENTS_MAX,
                             deadline == ENGINE_NEVER ? NULL : &timeout, NULL);
    mark_rest(worker);
    SADDLE_PROBE2(thread_wake, worker->config->name, count);
    if (count > 0) {
        count_up(&worker->stats.wakes_event, 1);
        drain_events(worker, events, count);
    } else if (count == 0) {
        count_up(&worker->stats.wakes_deadline, 1);
    }
}

/* Arms everything and sleeps if all agree; everything is disarmed again when it returns. */
static void rest(struct worker *worker, uint64_t now)
{
    uint64_t deadline = ENGINE_NEVER;
    uint32_t armed = 0;
    bool idle = mailbox_arm(&worker->mailbox);
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
    for (uint32_t i = 0; i < armed; i++) {
        struct engine *engine = worker->engines[i];
        mailbox_disarm(&engine->mailbox);
        engine->ops->disarm(engine);
    }
}

static void serve(struct worker *worker)
{
    const struct group_config *config = worker->config;
    uint64_t now = clock_now(&clock_machine);
    uint64_t idle_since = now;
    while (!worker->stopping) {
        uint32_t work = mailbox_run(&worker->mailbox, worker);
        for (uint32_t i = 0; i < worker->count; i++)
            now = give_turn(worker, worker->engines[i], now, &work);
        if (worker->count == 0)
            now = clock_now(&clock_machine);
        if (work > 0) {
            idle_since = now;
        } else if (config->mode->rests(now - idle_since, config->idle_ns)) {
            rest(worker, now);
            now = clock_now(&clock_machine);
        }
    }
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    const struct group_config *config = worker->config;
    atomic_store_explicit(&worker->stats.tid, gettid(), memory_order_relaxed);
    worker->start_error = config->thread_start ? config->thread_start(config->arg) : 0;
    bool started = worker->start_error == 0;
    sem_post(&worker->started);
    if (started) {
        serve(worker);
        if (config->thread_stop)
            config->thread_stop(config->arg);
    }
    return NULL;
}

/* ---- Control ---- */

/* Creates the thread on the group's CPUs, or on all: its creator may be pinned to one. Signals are
 * control's, but for those that a faulting instruction raises on its own thread. */
static int create_thread(struct worker *worker, uint32_t index)
{
    cpu_set_t cpus = worker->config->cpus;
    if (CPU_COUNT(&cpus) == 0)
        memset(&cpus, 0xff, sizeof(cpus));
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);

    static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t blocked;
    sigset_t before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    int error = -pthread_create(&worker->thread, &attr, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (error)
        return error;

    char name[GROUP_NAME_BYTES + THREAD_NAME];
    snprintf(name, sizeof(name), "%.*s-%u", THREAD_NAME - 4, worker->config->name, index);
    name[THREAD_NAME - 1] = '\0';
    pthread_setname_np(worker->thread, name);
    return 0;
}

static int open_descriptors(struct worker *worker)
{
    int error = mailbox_init(&worker->mailbox);
    if (error)
        return error;
    worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = worker->mailbox.wake_fd};
    if (worker->epoll_fd >= 0 &&
        epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->mailbox.wake_fd, &event) == 0)
        return 0;
    error = -errno;
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    mailbox_fini(&worker->mailbox);
    return error;
}

static void close_descriptors(struct worker *worker)
{
    close(worker->epoll_fd);
    mailbox_fini(&worker->mailbox);
}

int worker_start(struct worker *worker, const struct group_config *config, uint32_t index)
{
    memset(worker, 0, sizeof(*worker));
    worker->config = config;
    int error = open_descriptors(worker);
    if (error)
        return error;
    sem_init(&worker->started, 0, 0);
    error = create_thread(worker, index);
    if (!error) {
        while (sem_wait(&worker->started) && errno == EINTR)
            ;
        error = worker->start_error;
        if (error)
            pthread_join(worker->thread, NULL);
    }
    if (error) {
        sem_destroy(&worker->started);
        close_descriptors(worker);
    }
    return error;
}

void worker_stop(struct worker *worker)
{
    /* A thread that does not come round cannot be joined either: keep asking. */
    int result;
    while (mailbox_call(&worker->mailbox, work_stop, NULL, CALL_TIMEOUT_NS, &result) == -ETIMEDOUT)
        ;
    pthread_join(worker->thread, NULL);
    sem_destroy(&worker->started);
    close_descriptors(worker);
}

static int worker_call(struct worker *worker, mailbox_fn *fn, struct engine *engine)
{
    int result = 0;
    int error = mailbox_call(&worker->mailbox, fn, engine, CALL_TIMEOUT_NS, &result);
    return error ? error : result;
}

int worker_add(struct worker *worker, struct engine *engine)
{
    return worker_call(worker, work_add, engine);
}

int worker_remove(struct worker *worker, struct engine *engine)
{
    return worker_call(worker, work_remove, engine);
}
