/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/worker.h"

#include "sched/leader.h"
#include "sched/pause.h"
#include "sched/probe.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

/* What an engine is charged of a turn, at most, when shares are compared: in one that took longer
 * the kernel ran somebody else. */
#define TURN_NS_MAX (4 * ENGINE_BUDGET_NS)
/* How much later than it asked the kernel may wake the thread: by default that is longer than most
 * of what is waited for here, 50 us (prctl(2)). */
#define TIMER_SLACK_NS NSEC_PER_USEC

/* ---- The thread ---- */

/* One engine's turn at `now`; returns the time after it. *work grows by what was done. */
static uint64_t give_turn(struct worker *worker, uint32_t at, uint64_t now, uint32_t *work)
{
    struct engine *engine = worker->engines[at];
    uint64_t delay = engine_delay(engine, now);
    meter_begin(&engine->meter);
    bool posted = mailbox_run(&engine->mailbox, engine);
    uint32_t done = engine->ops->run(engine, now, ENGINE_BUDGET_NS);
    SADDLE_PROBE3(engine_run, engine->name, now, done);
    worker_count(&engine->runs, 1);
    meter_end(&engine->meter, posted || done > 0);
    uint64_t after = clock_now(&clock_machine);
    bool found = posted || done > 0;
    if (done > 0)
        histogram_record(&engine->delays, delay);
    if (found) {
        worker_count(&engine->busy_ns, after - now);
        worker_count(&worker->stats.busy_ns, after - now);
        *work += done + posted;
    }
    uint64_t used = after - now < TURN_NS_MAX ? after - now : TURN_NS_MAX;
    share_charge(worker->shares, worker->count, at, ++worker->turn, used, found);
    return after;
}

/* As many turns as there are engines, and the leader's looks between them. */
static uint64_t give_round(struct worker *worker, uint64_t now, uint32_t *work)
{
    for (uint32_t i = 0; i < worker->count; i++) {
        now = give_turn(worker, share_next(worker->shares, worker->count), now, work);
        if (worker->leader && leader_due(worker->leader, now)) {
            *work += leader_look(worker->leader, now);
            /* That was no engine's time. */
            now = clock_now(&clock_machine);
        }
    }
    return worker->count ? now : clock_now(&clock_machine);
}

static bool may_rest(const struct worker *worker, uint64_t now)
{
    uint64_t idle_ns = worker->config.idle_ns;

    return worker->count == 0 || (idle_ns != GROUP_NEVER && now - worker->idle_since >= idle_ns);
}

/* `nap_ns`: 0, until something wakes it. */
static void go_to_sleep(struct worker *worker, uint64_t now, uint64_t nap_ns)
{
    quanta_rest(&worker->quanta, now);
    if (nap_ns > 0)
        worker_nap(worker, now, nap_ns);
    else
        worker_rest(worker, now);
    quanta_wake(&worker->quanta, clock_now(&clock_machine));
}

static void serve(struct worker *worker)
{
    uint64_t now = clock_now(&clock_machine);

    worker->idle_since = now;
    while (!worker->stopping) {
        uint32_t work = mailbox_run(&worker->mailbox, worker);

        work += worker_read_inbox(worker);
        /* What the thread did for itself since its last round is no engine's time. */
        now = give_round(worker, clock_now(&clock_machine), &work);
        quanta_turn(&worker->quanta, now);
        if (worker->leader && worker->count == 0)
            work += leader_look(worker->leader, now);
        uint64_t nap_ns = work == 0 ? worker_nap_ns(worker, now) : 0;
        if (work > 0) {
            worker->idle_since = now;
            worker->napped = false;
        } else if (nap_ns > 0 || may_rest(worker, now)) {
            go_to_sleep(worker, now, nap_ns);
        } else {
            pause_processor(worker->config.pause);
        }
    }
}

static void enter_class(struct worker *worker)
{
    struct quanta_habits habits = {
        .sleeps = worker->config.idle_ns != GROUP_NEVER,
        .everywhere = CPU_COUNT(&worker->cpus) == 0 ||
                      CPU_COUNT(&worker->cpus) >= sysconf(_SC_NPROCESSORS_ONLN),
    };

    quanta_enter(&worker->quanta, &quanta_system, &worker->config.quanta, &habits);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    const struct group_config *config = &worker->config;

    atomic_store_explicit(&worker->stats.tid, gettid(), memory_order_relaxed);
    worker->start_error = config->thread_start ? config->thread_start(config->arg) : 0;
    bool started = worker->start_error == 0;
    if (started) {
        (void)prctl(PR_SET_TIMERSLACK, (unsigned long)TIMER_SLACK_NS);
        enter_class(worker);
    }
    sem_post(&worker->started);
    if (started) {
        serve(worker);
        quanta_leave(&worker->quanta);
        if (config->thread_stop)
            config->thread_stop(config->arg);
    }
    return NULL;
}

/* ---- Control ---- */

/* Creates the thread on its CPUs, or on all: its creator may be pinned to one. Signals are
 * control's, but for those that a faulting instruction raises on its own thread. */
static int create_thread(struct worker *worker)
{
    static const int faults[] = {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    cpu_set_t cpus = worker->cpus;
    pthread_attr_t attr;
    sigset_t blocked;
    sigset_t before;
    int error;

    if (CPU_COUNT(&cpus) == 0)
        memset(&cpus, 0xff, sizeof(cpus));
    pthread_attr_init(&attr);
    pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
        sigdelset(&blocked, faults[i]);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    error = -pthread_create(&worker->thread, &attr, worker_main, worker);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (!error)
        pthread_setname_np(worker->thread, worker->name);
    return error;
}

static int open_descriptors(struct worker *worker)
{
    int error = mailbox_init(&worker->mailbox);

    if (error)
        return error;
    inbox_init(&worker->inbox, worker->mailbox.wake_fd);
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

int worker_start(struct worker *worker, const struct group_config *config)
{
    int error = open_descriptors(worker);

    if (error)
        return error;
    worker->config = *config;
    sem_init(&worker->started, 0, 0);
    error = create_thread(worker);
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

static int work_stop(void *context, void *argument)
{
    struct worker *worker = context;

    (void)argument;
    worker->stopping = true;
    return 0;
}

void worker_stop(struct worker *worker)
{
    /* A thread that does not come round cannot be joined either: keep asking. */
    while (worker_call(worker, work_stop, NULL) == -ETIMEDOUT)
        ;
    pthread_join(worker->thread, NULL);
}

void worker_close(struct worker *worker)
{
    sem_destroy(&worker->started);
    close_descriptors(worker);
}

int worker_call(struct worker *worker, mailbox_fn *fn, void *argument)
{
    int result = 0;
    int error = mailbox_call(&worker->mailbox, fn, argument, WORKER_PATIENCE_NS, &result);

    return error ? error : result;
}

static int work_configure(void *context, void *argument)
{
    struct worker *worker = context;
    const struct group_config *config = argument;
    const struct group_config before = worker->config;

    worker->config = *config;
    if (before.quanta.class != config->quanta.class ||
        before.quanta.runtime_ns != config->quanta.runtime_ns ||
        before.quanta.period_ns != config->quanta.period_ns ||
        before.quanta.deadline_ppm != config->quanta.deadline_ppm ||
        (before.idle_ns == GROUP_NEVER) != (config->idle_ns == GROUP_NEVER)) {
        quanta_leave(&worker->quanta);
        enter_class(worker);
    }
    return 0;
}

int worker_configure(struct worker *worker, const struct group_config *config)
{
    return worker_call(worker, work_configure, (void *)config);
}

static int work_ask_again(void *context, void *argument)
{
    struct worker *worker = context;

    (void)argument;
    quanta_leave(&worker->quanta);
    enter_class(worker);
    return quanta_waits(&worker->quanta) ? worker->quanta.refused[QUANTA_DEADLINE].error : 0;
}

int worker_ask_again(struct worker *worker)
{
    return quanta_waits(&worker->quanta) ? worker_call(worker, work_ask_again, NULL) : 0;
}
