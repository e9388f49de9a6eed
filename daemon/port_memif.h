/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A port over memif (memif_abi.h): a wire of shared memory to another process of this host, a
 * daemon of Saddle, VPP, or a program with DPDK's net_memif. Each packet is copied in and out, and
 * costs no system call unless the other side sleeps and has to be rung.
 *
 * A server listens at a Unix socket, a client tries until it finds one there. While nobody is
 * connected packets are lost, as on a cable that is not plugged in.
 *
 * Why not DPDK's net_memif: it believes what it reads in shared memory, takes memory away beneath
 * the thread that polls it when the other side goes, does not connect again to a server that was
 * started anew, and cannot be handed over.
 *
 * It goes over to another daemon (port_handover.h) with its connection: the memory, the
 * descriptors that ring, and both sockets. The other side notices nothing.
 *
 * Ownership: the port owns its packet pool. Destroy it after the engine that uses it and after
 * every packet of its pool is freed. Threads: create and destroy on a control thread, which also
 * does what the connection asks for (port_memif_work); the port's functions on its engine's thread.
 * Trust: whoever may open the socket is a stranger; what arrives is hostile.
 */
#ifndef DAEMON_PORT_MEMIF_H
#define DAEMON_PORT_MEMIF_H

#include "daemon/port_handover.h"
#include "daemon/reason.h"

#include <sys/types.h>

struct port_memif_config {
    const char *name;   /* of the port, shown to operators */
    const char *socket; /* a path */
    bool server;
    mode_t mode;           /* of a server's socket */
    uint32_t id;           /* of the interface, the same on both sides */
    uint16_t mtu;          /* bytes of an IP packet; 0: 1500 */
    uint32_t pool_packets; /* 0: 4096 */
    struct rte_ether_addr mac;
    int node; /* of memory, as of topology.h */
};

/* 0, or a negative errno with one line in `reason`: -EADDRINUSE another process serves the socket,
 * -EINVAL, -ENOMEM, or what its folder says. EAL must be initialised. */
int port_memif_create(struct port **port, const struct port_memif_config *config,
                      const struct reason *reason);

extern const struct port_handover_ops port_memif_handover;
/* Takes over the port that the open record of a parcel describes, if it is the one of the
 * configuration. As port_memif_create. */
int port_memif_adopt(struct port **port, const struct port_memif_config *config,
                     struct parcel *parcel, const struct reason *reason);

/* Readable when the connection asks for something, which port_memif_work does; `port` is one of
 * these. */
int port_memif_fd(const struct port *port);
void port_memif_work(void *port);

/* Whether somebody is connected; `port` is one of these. Control, at any time. */
bool port_memif_link(const struct port *port);

#endif
