/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_meter.h"

#include "tools/bench/bench.h"
#include "tools/bench/probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define NSEC          1000000000ull
#define BITS_PER_BYTE 8.0

/* user, nice, system, idle, iowait, irq, softirq. Time that was stolen is another machine's. */
enum { COLUMN_IDLE = 3, COLUMN_IOWAIT = 4, COLUMNS = 7 };

static uint64_t machine_ns(void)
{
    FILE *file = fopen("/proc/stat", "re");
    uint64_t ticks = 0, value;
    if (!file)
        return 0;
    if (fscanf(file, "cpu") == 0)
        for (int i = 0; i < COLUMNS && fscanf(file, "%" SCNu64, &value) == 1; i++)
            ticks += i == COLUMN_IDLE || i == COLUMN_IOWAIT ? 0 : value;
    fclose(file);
    return ticks * (NSEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t processes_ns(const struct ring_shared *shared)
{
    return probe_cpu_ns(0) + (shared->daemon ? probe_cpu_ns(shared->daemon) : 0);
}

void meter_start(struct ring_meter *meter, const struct ring_shared *shared, uint64_t number)
{
    meter->number = number;
    meter->machine_ns = machine_ns();
    meter->processes_ns = processes_ns(shared);
    meter->start_ns = bench_now();
}

void meter_stop(const struct ring_meter *meter, struct ring_shared *shared, uint64_t number)
{
    double elapsed = (double)(bench_now() - meter->start_ns);
    double used = (double)(processes_ns(shared) - meter->processes_ns);
    double machine = (double)(machine_ns() - meter->machine_ns);
    double *values = shared->result.values;
    double bits = (double)(number - meter->number) * shared->what.bytes * BITS_PER_BYTE;
    /* Bits in a nanosecond are Gbit/s. */
    values[RING_PER_S] = (double)(number - meter->number) * (double)NSEC / elapsed;
    values[RING_GBPS] = bits / elapsed;
    values[RING_PER_CORE] = used > 0 ? bits / used : 0;
    values[RING_PER_CORE_MACHINE] = machine > 0 ? bits / machine : 0;
}
