/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's environment, as an ordinary user may have it: no hugepages, no devices, nothing in files.
 *
 * Ownership: the process's, for ever. Threads: one.
 */
#ifndef BENCH_EAL_H
#define BENCH_EAL_H

/* 0, or -ENODEV: standard error says more. Once in a process. */
int eal_start(void);

#endif
