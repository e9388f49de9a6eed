/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What makes a machine busy: processes with nothing but that to do, of ordinary priority.
 *
 * Hogs are two busy loops on each core, kept there, so that whoever wakes finds no core free. The
 * antagonist maps and unmaps 50 MB on each core again and again: it is in the kernel nearly all the
 * time, and there holds locks, and off interrupts, longer than any program can (SOSP'19 section
 * 5.3).
 *
 * Ownership: the caller's struct. Threads: the one that may start actors.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "tools/bench/actor.h"
#include "tools/bench/plan.h"

struct load {
    struct actor *actors;
    uint32_t count;
};

/* Returns once all of them run. 0 or a negative errno, with nothing running. */
int load_start(struct load *load, enum plan_load kind);
/* Harmless if none runs. */
void load_stop(struct load *load);

#endif
