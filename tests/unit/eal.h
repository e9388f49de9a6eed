/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * EAL for unit tests: as an ordinary user, without hugepages, files or devices.
 *
 * Call test_eal_start in a checked fixture, so that each test's process has an EAL of its own:
 * without hugepages EAL maps shared memory, which processes forked after its start would all write
 * to.
 */
#ifndef TESTS_UNIT_EAL_H
#define TESTS_UNIT_EAL_H

#include <rte_mbuf.h>

/* Ends the program if EAL does not start. */
void test_eal_start(void);
/* A pool of packets with a data room for an Ethernet frame of 1500 bytes, or a test failure. */
struct rte_mempool *test_eal_pool(const char *name, uint32_t packets);

#endif
