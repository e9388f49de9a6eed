/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * EAL for unit tests: as an ordinary user, without hugepages, files or devices.
 *
 * Call test_eal_start in an unchecked fixture: it runs once, and the process of each test inherits
 * an EAL of its own by copy on write. EAL's own threads stay behind at a fork; no test needs them.
 */
#ifndef TESTS_UNIT_EAL_H
#define TESTS_UNIT_EAL_H

#include <rte_mbuf.h>

/* Ends the program if EAL does not start; does nothing when it runs already. */
void test_eal_start(void);
/* A pool of packets with a data room for an Ethernet frame of 1500 bytes, or a test failure. */
struct rte_mempool *test_eal_pool(const char *name, uint32_t packets);

#endif
