/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A cable for tests: two network namespaces without names, joined by a veth whose ends are called
 * "left" and "right". They live in the calling process and vanish with it, however it ends.
 *
 * Ownership: descriptors of the namespaces, for ever. Threads: one; the others stay where they are.
 * Needs CAP_SYS_ADMIN and CAP_NET_ADMIN. Every failure ends the test.
 */
#ifndef TESTS_SYSTEM_VETH_H
#define TESTS_SYSTEM_VETH_H

#include <stdint.h>

enum side {
    LEFT,
    RIGHT,
    SIDES,
};

#define VETH_LEFT_V4  "10.88.0.1"
#define VETH_RIGHT_V4 "10.88.0.2"
#define VETH_LEFT_V6  "fd88::1"
#define VETH_RIGHT_V6 "fd88::2"

extern const char *const veth_names[SIDES];
extern const char *const veth_v4[SIDES];
extern const char *const veth_v6[SIDES];

/* Both ends up, with addresses, that many queues each way and this MTU. */
void veth_create(uint32_t queues, uint32_t mtu);
/* The thread is in that namespace from then on: sockets made there stay there. */
void veth_enter(enum side side);
/* Runs a command of ip, ethtool or so in a namespace; it must succeed. */
void veth_run(enum side side, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
