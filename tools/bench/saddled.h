/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A daemon of a measurement's own: how its process is started, and what its log says.
 *
 * Ownership: all is borrowed, and the process is the caller's actor. Threads: the one that may
 * start actors (actor.h).
 */
#ifndef BENCH_SADDLED_H
#define BENCH_SADDLED_H

#include "tools/bench/actor.h"

#include <stdbool.h>
#include <stddef.h>

struct saddled_start {
    const char *program;
    const char *folder; /* where DPDK keeps what would outlive the run elsewhere */
    const char *config, *log;
    int space;       /* the network namespace, a descriptor; SPACE_NONE: this one */
    bool takes_over; /* from one that runs with the same configuration, whose log goes on */
};

/* Starts one, and waits until it serves: 0; -EINTR; -ECHILD, it has ended, and its log may say why;
 * or another negative errno. In any case the actor is to be ended. */
int saddled_start(const struct saddled_start *start, struct actor *actor);
/* The last line of a log that has a word in it, from there on; false, and an empty one, if none
 * has. */
bool saddled_log_line(const char *log, const char *word, char *line, size_t line_bytes);

#endif
