/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Haste: while nobody runs a set of engines, the thread that moves it goes before ordinary tasks,
 * and before engines. Between two processes a hand-over is a few messages; on a machine with much
 * to do each of them would wait for as long as a task may run, milliseconds, and the set with it.
 *
 * It asks for the lowest priority but one of SCHED_FIFO, else for the best nice value, else it goes
 * on as it is. Children never inherit it.
 *
 * Ownership: the caller's. Threads: the calling one, which is also the one that is meant.
 * Trust: none. How long it lasts the blackout's budget bounds (handover.h), and what it takes from
 * others in that time the kernel's throttling of real-time tasks.
 */
#ifndef DAEMON_HASTE_H
#define DAEMON_HASTE_H

#include "sched/quanta.h"

#include <stdbool.h>

struct haste {
    bool hurries;
    int nice; /* as the thread was before */
};

/* Again is fine, both of them. */
void haste_begin(struct haste *haste, const struct quanta_system *system);
void haste_end(struct haste *haste, const struct quanta_system *system);

#endif
