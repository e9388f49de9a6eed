/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A port whose other end is an interface of this host's kernel: a TAP that is made with the port
 * and is gone with its descriptor, however the process ends. To the kernel it is an Ethernet
 * interface with the address and the MTU that it is given, and does nothing for packets that the
 * kernel does not do itself: those that come from it have their checksums, and are no larger than
 * its MTU.
 *
 * A packet costs one system call. Whoever waits sleeps on the descriptor itself: the kernel reports
 * each packet there.
 *
 * Why not DPDK's net_tap: it learns of packets by a signal, which interrupts whatever thread of the
 * process it finds and may come after the descriptor has woken the engine, which then goes back to
 * sleep with a packet waiting; and of an interface that cannot be made it says nothing more than
 * that. Why not virtio-user with vhost-net: it takes a kernel thread that copies all the same, and
 * a module that is not everywhere.
 *
 * Its descriptor is all there is to hand over: who has one has the interface, and packets wait in
 * the kernel meanwhile.
 *
 * Ownership: the port owns the interface; the pool is lent. Threads: create and destroy on a
 * control thread, as long as that has CAP_NET_ADMIN; the port's functions on its engine's thread,
 * its stats on any. Trust: the kernel is trusted; packets are what others sent; a
 * descriptor that is handed over is checked.
 */
#ifndef DAEMON_PORT_TAP_H
#define DAEMON_PORT_TAP_H

#include "daemon/port_handover.h"
#include "daemon/reason.h"
#include "engines/port.h"

struct port_tap_config {
    const char *interface;     /* to be made; at most 15 characters */
    struct rte_ether_addr mac; /* of the kernel's end */
    uint16_t mtu;              /* bytes of an IP packet */
    struct rte_mempool *pool; /* where packets from the kernel lie: one segment holds a whole one */
};

/* 0, or a negative errno with one line in `reason` that says what to do: -EEXIST (there is such an
 * interface), -EPERM (a capability is missing), -ENOENT (the kernel has no TAP). The interface is
 * up then. */
int port_tap_create(struct port **port, const struct port_tap_config *config,
                    const struct reason *reason);

extern const struct port_handover_ops port_tap_handover;
/* Takes over the interface that the open record of a parcel describes, if it is the one of the
 * configuration. As port_tap_create. */
int port_tap_adopt(struct port **port, const struct port_tap_config *config, struct parcel *parcel,
                   const struct reason *reason);

/* Whether the interface has a carrier, as the kernel's programs see it: what is sent without one is
 * dropped there. The control thread, at any time. */
int port_tap_carrier(const struct port *port, bool there);

#endif
