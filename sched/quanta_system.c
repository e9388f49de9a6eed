/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/governor.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* SCHED_FLAG_RESET_ON_FORK; not SCHED_FLAG_RECLAIM, which takes from ordinary tasks what no other
 * thread has reserved. */
#define RESET_ON_FORK 0x01
#define PPM           1000000ull

/* The kernel's, in its first version (sched_setattr(2)); glibc has none before 2.41. */
struct kernel_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

static uint64_t read_now(void *arg)
{
    (void)arg;
    return clock_now(&clock_machine);
}

static int self(void *arg)
{
    (void)arg;
    return gettid();
}

static int nice_value(void *arg)
{
    (void)arg;
    return getpriority(PRIO_PROCESS, 0);
}

static int set(void *arg, int tid, const struct quanta_attr *attr)
{
    struct kernel_attr wanted = {
        .size = sizeof(wanted),
        .policy = attr->policy,
        .flags = RESET_ON_FORK,
        .nice = attr->nice,
        .priority = attr->priority,
        .runtime = attr->runtime_ns,
        .deadline = attr->period_ns,
        .period = attr->period_ns,
    };

    (void)arg;
    return syscall(SYS_sched_setattr, tid, &wanted, 0) ? -errno : 0;
}

/* A thread's CPU clock has its number in it, as clock_getcpuclockid(3) makes that of a process. */
static uint64_t cpu_ns(void *arg, int tid)
{
    const clockid_t clock = (clockid_t)(~(unsigned)tid << 3 | 6u);
    struct timespec used;

    (void)arg;
    if (clock_gettime(clock, &used))
        return 0;
    return (uint64_t)used.tv_sec * NSEC_PER_SEC + (uint64_t)used.tv_nsec;
}

static uint32_t cpu(void *arg)
{
    int found = sched_getcpu();

    (void)arg;
    return found < 0 ? 0 : (uint32_t)found % QUANTA_CPUS;
}

static void yield_cpu(void *arg)
{
    (void)arg;
    (void)sched_yield();
}

#define NUMBER_BYTES 32u /* of the longest, with its line's end */

/* A number from a file of the kernel; `fallback` if there is none. */
static long long read_number(const char *path, long long fallback)
{
    FILE *file = fopen(path, "re");
    char text[NUMBER_BYTES], *end = text;
    long long number = fallback;

    if (!file)
        return fallback;
    if (fgets(text, sizeof(text), file))
        number = strtoll(text, &end, 10);
    fclose(file);
    return end == text ? fallback : number;
}

/* 950 ms of each second on each CPU, unless that was changed; -1: all of it. */
static uint64_t bandwidth(void *arg)
{
    long long runtime = read_number("/proc/sys/kernel/sched_rt_runtime_us", 950000);
    long long period = read_number("/proc/sys/kernel/sched_rt_period_us", 1000000);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t each = PPM;

    (void)arg;
    if (runtime >= 0 && period > 0 && runtime < period)
        each = (uint64_t)runtime * PPM / (uint64_t)period;
    return each * (uint64_t)(cpus > 0 ? cpus : 1);
}

static int join(void *arg, struct quanta *quanta)
{
    (void)arg;
    return governor_join(quanta);
}

static void part(void *arg, struct quanta *quanta)
{
    (void)arg;
    governor_part(quanta);
}

static int alarm_at(void *arg, struct quanta *quanta, uint64_t at_ns)
{
    (void)arg;
    return governor_alarm(quanta, at_ns);
}

static void guard(void *arg)
{
    (void)arg;
    governor_guard();
}

static struct quanta_ledger ledger;

const struct quanta_system quanta_system = {
    .now = read_now,
    .self = self,
    .nice = nice_value,
    .set = set,
    .cpu_ns = cpu_ns,
    .cpu = cpu,
    .yield = yield_cpu,
    .bandwidth = bandwidth,
    .join = join,
    .part = part,
    .alarm = alarm_at,
    .guard = guard,
    .ledger = &ledger,
};
