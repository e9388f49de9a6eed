/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK as far as a simulation needs it: packet buffers in ordinary memory, and nothing else of the
 * machine.
 *
 * Ownership: the pool lives until the program ends. Threads: one. Once in a program.
 */
#ifndef TESTS_SIM_PACKETS_H
#define TESTS_SIM_PACKETS_H

#include <rte_mempool.h>

/* Starts DPDK and makes `count` buffers, each for the largest packet of a simulation with its
 * headers; 2^n - 1 wastes no memory. Ends the program, with a line, if that fails. */
struct rte_mempool *packets_start(const char *program, uint32_t count);

#endif
