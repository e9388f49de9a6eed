/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel says of an Ethernet interface that it keeps: number, address, MTU, receive
 * queues, and which of its offloads are on.
 *
 * Ownership: plain data, as it was when asked for. Threads: control's. Trust: names are the
 * operator's.
 */
#ifndef DAEMON_NIC_H
#define DAEMON_NIC_H

#include <net/if.h>
#include <rte_ether.h>
#include <stdbool.h>
#include <stdint.h>

struct nic {
    char name[IFNAMSIZ];
    uint32_t index;
    struct rte_ether_addr mac;
    uint32_t mtu; /* bytes of an IP packet */
    uint32_t rx_queues;
};

/* 0; -ENODEV (no such interface), -ENOTSUP (not Ethernet), -EINVAL (no name an interface can have),
 * or of a system call. */
int nic_read(struct nic *nic, const char *name);

/* Is an offload on, by the kernel's name of it ("rx-lro")? One that is not known is off. 1, 0 or a
 * negative errno. */
int nic_offload(const struct nic *nic, const char *offload);

#endif
