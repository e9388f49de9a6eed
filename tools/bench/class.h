/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether engines' threads really run in the scheduling class that was asked for: the kernel is
 * asked, not who set it.
 *
 * Threads: any.
 */
#ifndef BENCH_CLASS_H
#define BENCH_CLASS_H

#include <stddef.h>
#include <sys/types.h>

/* Waits a moment for thread `tid` to be in a class, by its name in the configuration: a class that
 * spends a budget may have it spent just now. 0, or -EPERM with what the thread is in instead in
 * `reason`. */
int class_check(pid_t tid, const char *class, char *reason, size_t reason_bytes);
/* The same for each thread of a process whose name begins with `prefix`; -ESRCH if there is none.
 */
int class_check_process(pid_t pid, const char *prefix, const char *class, char *reason,
                        size_t reason_bytes);

#endif
