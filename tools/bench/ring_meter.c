/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_meter.h"

#include "tools/bench/bench.h"
#include "tools/bench/probe.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NSEC          1000000000ull
#define BITS_PER_BYTE 8.0
#define TITLE         "cpu "
#define LINE_BYTES    512u /* ten numbers of 20 digits at most */
#define NUMBER_BASE   10

/* user, nice, system, idle, iowait, irq, softirq. Time that was stolen is another machine's. */
enum { COLUMN_IDLE = 3, COLUMN_IOWAIT = 4, COLUMNS = 7 };

/* Of the first line, which is the sum of all processors. */
static uint64_t machine_ns(void)
{
    FILE *file = fopen("/proc/stat", "re");
    char line[LINE_BYTES], *at = line + sizeof(TITLE) - 1;
    uint64_t ticks = 0;
    if (!file)
        return 0;
    if (!fgets(line, sizeof(line), file) || strncmp(line, TITLE, sizeof(TITLE) - 1) != 0)
        *at = '\0';
    fclose(file);
    for (int i = 0; i < COLUMNS && *at; i++) {
        uint64_t value = strtoull(at, &at, NUMBER_BASE);
        ticks += i == COLUMN_IDLE || i == COLUMN_IOWAIT ? 0 : value;
    }
    return ticks * (NSEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

static uint64_t processes_ns(const struct ring_shared *shared)
{
    uint64_t used = probe_cpu_ns(0);
    for (uint32_t i = 0; i < RING_HOSTS; i++)
        if (shared->hosts[i].daemon)
            used += probe_cpu_ns(shared->hosts[i].daemon);
    return used;
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
