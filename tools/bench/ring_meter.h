/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of what was done between two moments, and with how much processor time: that of the
 * calling process and of the daemons, in user and kernel mode (what the kernel does for them in
 * their system calls, network stack included, is their time); and that of the whole machine, which
 * is all of /proc/stat but idle and iowait: so it has what the kernel does for them in between, of
 * which the packets of a wire between namespaces are a part.
 *
 * Ownership: the caller's struct. Threads: one.
 */
#ifndef BENCH_RING_METER_H
#define BENCH_RING_METER_H

#include "tools/bench/ring_work.h"

struct ring_meter {
    uint64_t start_ns, processes_ns, machine_ns, number;
};

/* `number` is how many were done so far. */
void meter_start(struct ring_meter *meter, const struct ring_shared *shared, uint64_t number);
/* Fills in the result's rates. */
void meter_stop(const struct ring_meter *meter, struct ring_shared *shared, uint64_t number);

#endif
