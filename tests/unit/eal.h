/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * EAL for unit tests: as an ordinary user, without hugepages, files or devices.
 *
 * Call eal_start once in main, before the runner forks: each test inherits an EAL of its own, by
 * copy on write. Test processes must not rely on EAL's own threads, which a fork leaves behind.
 */
#ifndef TESTS_UNIT_EAL_H
#define TESTS_UNIT_EAL_H

#include <rte_mbuf.h>

/* Ends the program if EAL does not start. */
void eal_start(void);
/* A pool of packets with a data room for an Ethernet frame of 1500 bytes, or a test failure. */
struct rte_mempool *eal_pool(const char *name, uint32_t packets);

#endif
