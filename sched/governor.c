/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/governor.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PRIORITY    2u    /* one above that of engine threads */
#define MEMBERS_MAX 1024u /* 16 groups of 64 threads */
#define EVENTS_MAX  32

/* What an event is about, besides a member's place. */
#define ABOUT_TICK MEMBERS_MAX
#define ABOUT_STOP (MEMBERS_MAX + 1)

static struct governor {
    pthread_once_t once;
    pthread_mutex_t life;  /* of its thread and descriptors; taken before the other one */
    pthread_mutex_t mutex; /* guards the members */
    struct quanta *members[MEMBERS_MAX];
    uint32_t count;
    int epoll_fd, tick_fd, stop_fd;
    pthread_t thread;
    sem_t started;
    int error; /* of the thread's start */
    _Atomic bool ticking;
} governor = {.once = PTHREAD_ONCE_INIT, .epoll_fd = -1, .tick_fd = -1, .stop_fd = -1};

static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

/* ---- What it does ---- */

void governor_ring(struct quanta *quanta)
{
    if (!quanta->held && !atomic_load_explicit(&quanta->lost, memory_order_relaxed))
        quanta_raise(quanta);
}

/* It came round. If it has stepped back meanwhile its alarm will raise it. */
static void release(struct quanta *quanta, uint64_t now_ns)
{
    quanta->held = false;
    if (load(&quanta->low_until_ns) <= now_ns)
        governor_ring(quanta);
}

static void hold(struct quanta *quanta)
{
    quanta->held = true;
    atomic_store_explicit(&quanta->overruns, load(&quanta->overruns) + 1, memory_order_relaxed);
    quanta_lower(quanta);
}

bool governor_watch(struct quanta *quanta, uint64_t now_ns)
{
    bool asleep = atomic_load_explicit(&quanta->asleep, memory_order_relaxed);
    uint64_t beats = load(&quanta->beats);
    bool moved = asleep || beats != quanta->seen_beats;
    uint64_t until_ns = load(&quanta->low_until_ns);
    uint64_t cpu_ns;

    if (atomic_load_explicit(&quanta->lost, memory_order_relaxed))
        return false;
    if (moved && quanta->held)
        release(quanta, now_ns);
    quanta->seen_beats = beats;
    cpu_ns = quanta->system->cpu_ns(quanta->system->arg, quanta->tid);
    /* What it uses while it is low takes nothing from anybody. */
    if (moved || until_ns > now_ns)
        quanta->seen_cpu_ns = cpu_ns;
    else if (!quanta->held && cpu_ns - quanta->seen_cpu_ns >= GOVERNOR_GUARD_NS)
        hold(quanta);
    /* Held up as it stepped back, it may have been raised before that. */
    if (!asleep && until_ns && until_ns <= now_ns)
        governor_ring(quanta);
    return !asleep;
}

/* ---- Its thread ---- */

static int set_timer(int fd, int flags, uint64_t ns)
{
    struct itimerspec spec = {
        .it_value = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)},
    };

    return timerfd_settime(fd, flags, &spec, NULL) ? -errno : 0;
}

static void set_tick(void)
{
    (void)set_timer(governor.tick_fd, 0, GOVERNOR_GUARD_NS);
}

void governor_guard(void)
{
    if (!atomic_load_explicit(&governor.ticking, memory_order_relaxed) &&
        !atomic_exchange_explicit(&governor.ticking, true, memory_order_relaxed))
        set_tick();
}

/* Goes on while anybody was awake since the last time: one that has just woken up, and found that
 * it ticks, may not be seen to be awake yet. */
static void tick(void)
{
    bool again = atomic_exchange_explicit(&governor.ticking, false, memory_order_relaxed);
    uint64_t now_ns = clock_now(&clock_machine);

    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        if (governor.members[i] && governor_watch(governor.members[i], now_ns))
            again = true;
    }
    if (again)
        set_tick();
}

/* Empties a timer; it is readable until then. */
static void acknowledge(int fd)
{
    uint64_t expirations;

    if (read(fd, &expirations, sizeof(expirations)) < 0)
        return; /* set anew meanwhile */
}

static void handle(uint32_t about)
{
    if (about == ABOUT_TICK) {
        acknowledge(governor.tick_fd);
        tick();
    } else if (governor.members[about]) {
        acknowledge(governor.members[about]->alarm_fd);
        governor_ring(governor.members[about]);
    }
}

static void *govern(void *argument)
{
    const struct quanta_attr attr = {.policy = SCHED_FIFO, .priority = PRIORITY};
    struct epoll_event events[EVENTS_MAX];
    bool stopping;

    (void)argument;
    governor.error = quanta_system.set(quanta_system.arg, 0, &attr);
    stopping = governor.error != 0;
    sem_post(&governor.started);
    while (!stopping) {
        int count = epoll_wait(governor.epoll_fd, events, EVENTS_MAX, -1);

        pthread_mutex_lock(&governor.mutex);
        for (int i = 0; i < count; i++) {
            if (events[i].data.u32 == ABOUT_STOP)
                stopping = true;
            else
                handle(events[i].data.u32);
        }
        pthread_mutex_unlock(&governor.mutex);
    }
    return NULL;
}

/* ---- Its beginning and its end ---- */

static void init_mutexes(void)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT);
    pthread_mutex_init(&governor.life, &attr);
    pthread_mutex_init(&governor.mutex, &attr);
    pthread_mutexattr_destroy(&attr);
}

static int watch(int fd, uint32_t about)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = about};

    return epoll_ctl(governor.epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void close_all(void)
{
    int *const fds[] = {&governor.epoll_fd, &governor.tick_fd, &governor.stop_fd};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}

static int open_all(void)
{
    int error = 0;

    governor.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    governor.tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    governor.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (governor.epoll_fd < 0 || governor.tick_fd < 0 || governor.stop_fd < 0)
        error = -errno;
    if (!error)
        error = watch(governor.tick_fd, ABOUT_TICK);
    return error ? error : watch(governor.stop_fd, ABOUT_STOP);
}

/* Its maker may be pinned to a CPU; it is not. */
static int make_thread(void)
{
    pthread_attr_t attr;
    cpu_set_t cpus;
    int error;

    memset(&cpus, 0xff, sizeof(cpus));
    sem_init(&governor.started, 0, 0);
    pthread_attr_init(&attr);
    pthread_attr_setaffinity_np(&attr, sizeof(cpus), &cpus);
    error = -pthread_create(&governor.thread, &attr, govern, NULL);
    pthread_attr_destroy(&attr);
    if (!error) {
        pthread_setname_np(governor.thread, "governor");
        while (sem_wait(&governor.started) && errno == EINTR)
            ;
        error = governor.error;
        if (error)
            pthread_join(governor.thread, NULL);
    }
    sem_destroy(&governor.started);
    return error;
}

static int start(void)
{
    int error = open_all();

    atomic_store_explicit(&governor.ticking, false, memory_order_relaxed);
    if (!error)
        error = make_thread();
    if (error)
        close_all();
    return error;
}

static void stop(void)
{
    (void)eventfd_write(governor.stop_fd, 1);
    pthread_join(governor.thread, NULL);
    close_all();
}

static int take_place(struct quanta *quanta)
{
    uint32_t place = 0;
    int error;

    while (place < MEMBERS_MAX && governor.members[place])
        place++;
    if (place == MEMBERS_MAX)
        return -ENOSPC;
    quanta->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (quanta->alarm_fd < 0)
        return -errno;
    error = watch(quanta->alarm_fd, place);
    if (error) {
        close(quanta->alarm_fd);
        return error;
    }
    quanta->place = place;
    quanta->seen_cpu_ns = quanta->system->cpu_ns(quanta->system->arg, quanta->tid);
    pthread_mutex_lock(&governor.mutex);
    governor.members[place] = quanta;
    pthread_mutex_unlock(&governor.mutex);
    return 0;
}

int governor_join(struct quanta *quanta)
{
    int error = 0;

    pthread_once(&governor.once, init_mutexes);
    pthread_mutex_lock(&governor.life);
    if (governor.count == 0)
        error = start();
    if (!error) {
        error = take_place(quanta);
        if (!error)
            governor.count++;
        else if (governor.count == 0)
            stop();
    }
    pthread_mutex_unlock(&governor.life);
    return error;
}

void governor_part(struct quanta *quanta)
{
    pthread_mutex_lock(&governor.life);
    pthread_mutex_lock(&governor.mutex);
    governor.members[quanta->place] = NULL;
    pthread_mutex_unlock(&governor.mutex);
    close(quanta->alarm_fd); /* which takes it out of the epoll set as well */
    if (--governor.count == 0)
        stop();
    pthread_mutex_unlock(&governor.life);
}

int governor_alarm(const struct quanta *quanta, uint64_t at_ns)
{
    return set_timer(quanta->alarm_fd, TFD_TIMER_ABSTIME, at_ns);
}
