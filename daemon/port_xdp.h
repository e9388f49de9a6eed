/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A port on an interface that stays the kernel's: packets that are claimed come to Saddle through
 * AF_XDP sockets, all others go the kernel's way, and so does every packet once the port is gone.
 *
 * Packets are received on every queue of the interface and sent on the first. What lies in the
 * port's own pool is sent from there, also when it is sent twice at a time (a clone of what is
 * kept); what does not is copied. If the kernel offers packets of several chunks, a large one is
 * received as a chain of mbufs of which the first has room for all of it, and is sent from one
 * buffer; else an IP packet is bounded by what fits into one chunk.
 *
 * Ownership: the port owns its pool, sockets and XDP program. Destroy it after the engine that uses
 * it and after every packet of its pool is freed. Threads: create and destroy on a control thread;
 * the port's functions on its engine's thread, its stats on any. Trust: what arrives is hostile.
 */
#ifndef DAEMON_PORT_XDP_H
#define DAEMON_PORT_XDP_H

#include "daemon/port_handover.h"
#include "daemon/reason.h"
#include "daemon/xdp_program.h"
#include "engines/port.h"

enum xdp_zerocopy {
    XDP_ZEROCOPY_AUTO, /* where the driver has it */
    XDP_ZEROCOPY_OFF,
    XDP_ZEROCOPY_REQUIRED,
};

struct port_xdp_config {
    const char *name;      /* of the port, shown to operators */
    const char *interface; /* the kernel's name */
    uint16_t mtu;          /* bytes of an IP packet; 0: the interface's */
    uint32_t pool_packets; /* 0: 4096 */
    enum xdp_mode mode;
    enum xdp_zerocopy zerocopy;
    const struct claim *claims; /* whose packets come here */
    uint32_t claim_count;
    uint16_t vlan; /* of all of them; 0: untagged */
};

/* Is the interface there, and without an XDP program? -EBUSY with a line that says whose it is:
 * with CAP_SYS_ADMIN by name, else by number alone. port_xdp_create looks too. */
int port_xdp_check(const char *interface, const struct reason *reason);

/* 0, or a negative errno with one line in `reason` that says what to do. EAL must be initialised.
 */
int port_xdp_create(struct port **port, const struct port_xdp_config *config,
                    const struct reason *reason);

extern const struct port_handover_ops port_xdp_handover;
/* Takes over the port that the open record of a parcel describes, if it is the one configured. The
 * XDP program is this process's from then on, and gives packets to the same sockets; `enter`,
 * `begin` or `destroy` comes next. As port_xdp_create. */
int port_xdp_adopt(struct port **port, const struct port_xdp_config *config, struct parcel *parcel,
                   const struct reason *reason);

#endif
