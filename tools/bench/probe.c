/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/probe.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define NSEC        1000000000ull
#define WARM_UP     50u                 /* round trips before any counts: flows open, pages come */
#define AHEAD_NS    (20 * 1000000ull)   /* from the pace's making to its first probe */
#define OVERTIME    2u                  /* a run ends after so many times its length, */
#define OVERTIME_NS (2 * 1000000000ull) /* and this, sent or not */
#define TIMER_SLACK 1ul                 /* ns: as for a real-time thread */

const struct probe_transport *probe_transport_of(const struct plan_variant *variant)
{
    return variant->kind == PLAN_TCP ? &probe_tcp : &probe_saddle;
}

static void __attribute__((format(printf, 2, 0)))
leave_line(struct probe_shared *shared, const char *format, va_list arguments)
{
    vsnprintf(shared->reason, sizeof(shared->reason), format, arguments);
}

void probe_fail(struct probe_shared *shared, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    leave_line(shared, format, arguments);
    va_end(arguments);
    _exit(EXIT_FAILURE);
}

int probe_error(struct probe_shared *shared, int rc, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    leave_line(shared, format, arguments);
    va_end(arguments);
    return rc;
}

void probe_prioritize(struct probe_shared *shared)
{
    bool realtime = shared->variant->realtime;
    const struct sched_param param = {.sched_priority = realtime ? PROBE_PRIORITY : 0};
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK);
    if (sched_setscheduler(0, realtime ? SCHED_FIFO : SCHED_OTHER, &param) == 0)
        return;
    shared->refused = true;
    probe_fail(shared, "real-time probers: %s", strerror(errno));
}

void probe_ready(struct probe_shared *shared, int word_fd)
{
    if (write(word_fd, "", 1) != 1)
        probe_fail(shared, "nobody waits for this process");
}

uint64_t probe_cpu_ns(pid_t pid)
{
    struct timespec ts;
    clockid_t clock = CLOCK_PROCESS_CPUTIME_ID;
    if ((pid && clock_getcpuclockid(pid, &clock)) || clock_gettime(clock, &ts))
        return 0; /* it has ended, which others notice */
    return (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec;
}

uint64_t probe_thread_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NSEC + (uint64_t)ts.tv_nsec;
}

struct pace probe_pace(const struct probe_shared *shared)
{
    const struct plan_settings *settings = &shared->settings;
    uint64_t start = pace_machine.now(NULL) + AHEAD_NS;
    uint64_t length = (uint64_t)(settings->seconds * (double)NSEC);
    return (struct pace){.start_ns = start,
                         .period_ns = NSEC / settings->rate,
                         .end_ns = start + OVERTIME * length + OVERTIME_NS,
                         .count = (uint32_t)(settings->seconds * settings->rate)};
}

void probe_stream_wait(const struct probe_shared *shared, uint64_t start_ns, uint64_t number)
{
    uint64_t due = start_ns + number * NSEC / shared->settings.stream_rate;
    if (due > pace_machine.now(NULL))
        pace_machine.sleep_until(NULL, due);
}

/* ---- Bodies ---- */

static int probe_once(void *arg, uint32_t number)
{
    struct probe_shared *shared = arg;
    (void)number;
    return probe_transport_of(shared->variant)->trip(shared);
}

/* Processor time of the processes a run is about, which grows by what the run uses. */
static void count_time(struct probe_shared *shared, int sign)
{
    uint64_t application = probe_cpu_ns(0) + probe_cpu_ns(shared->echo);
    uint64_t engines = shared->daemon ? probe_cpu_ns(shared->daemon) : 0;
    uint64_t streamed = atomic_load_explicit(&shared->streamed, memory_order_relaxed);
    uint64_t factor = (uint64_t)sign; /* unsigned, and so exact for -1 too */
    shared->application_ns += factor * application;
    shared->engines_ns += factor * engines;
    shared->streamed_messages += factor * streamed;
    shared->elapsed_ns += factor * pace_machine.now(NULL);
}

void probe_run_prober(void *arg, int word_fd)
{
    struct probe_shared *shared = arg;
    const struct probe_transport *transport = probe_transport_of(shared->variant);
    probe_prioritize(shared);
    int rc = transport->open(shared);
    for (uint32_t i = 0; i < WARM_UP && !rc; i++)
        rc = transport->trip(shared);
    struct pace pace = probe_pace(shared);
    count_time(shared, -1);
    if (!rc)
        rc = pace_run(&pace, &pace_machine, probe_once, shared, &shared->pace);
    count_time(shared, 1);
    if (rc)
        _exit(EXIT_FAILURE);
    probe_ready(shared, word_fd);
}

void probe_run_echo(void *arg, int word_fd)
{
    struct probe_shared *shared = arg;
    probe_prioritize(shared);
    probe_transport_of(shared->variant)->echo(shared, word_fd);
}

void probe_run_stream(void *arg, int word_fd)
{
    struct probe_shared *shared = arg;
    probe_transport_of(shared->variant)->stream(shared, word_fd);
}
