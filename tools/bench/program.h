/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that are run for what they say, or do, and end by themselves.
 *
 * Ownership: the output is the caller's to free. Threads: the one that may start actors (actor.h).
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <stddef.h>

#define PROGRAM_WORDS_MAX 24u

/* Runs a program, found as a shell does, to its end; `words` ends with NULL. In the network
 * namespace `space`, a descriptor; -1: here. *output (if `output` is not NULL) gets what it wrote,
 * errors included. 0; -EINTR if this process was interrupted, -ENOENT if there is no such program,
 * -EPROTO if its status is not 0, or another negative errno, with one line in `reason`. */
int program_run(const char *const words[], int space, char **output, char *reason,
                size_t reason_bytes);

#endif
