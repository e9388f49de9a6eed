/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two network namespaces of the test's own, joined by a veth pair: the test is in one, the kernel
 * alone in the other. They end with the process.
 *
 *     [here] va 10.1.0.1/24 fd01::1/64 ---- vb 10.1.0.2/24 fd01::2/64 [there]
 *
 * Ownership: the process's. Threads: the one that calls; threads made later are here too.
 */
#ifndef TESTS_UNIT_DAEMON_NAMESPACES_H
#define TESTS_UNIT_DAEMON_NAMESPACES_H

#include <stdbool.h>

#define NEAR_MAC "02:00:00:00:01:01"
#define FAR_MAC  "02:00:00:00:01:02"

/* Makes both; a fixture that runs in each test's own process. Any user may. */
void namespaces_enter(void);
/* Runs a command of the shell on either side; the test fails if it does. */
void here(const char *format, ...) __attribute__((format(printf, 1, 2)));
void there(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Adds a VLAN interface on this side; false if the kernel knows none. */
bool namespaces_vlan(const char *parent, const char *name, unsigned vlan);
/* Has the other side's kernel send a datagram to an IPv4 address of this side, and forget first
 * whom it knows: it has to ask, and says who it is. */
void there_speaks(const char *address);

#endif
