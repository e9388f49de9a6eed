/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two XDP ports at the ends of a veth, in one process, and frames that are numbered: what a number
 * stands for is known, so a receiver can say what it should have got, byte by byte.
 *
 * Ownership: the bed's, one of it in a process. Threads: one for each side. Needs root.
 */
#ifndef TESTS_SYSTEM_XDP_BED_H
#define TESTS_SYSTEM_XDP_BED_H

#include "daemon/port_xdp.h"
#include "engines/elements/encap.h"
#include "tests/system/veth.h"

#define BED_UDP_PORT 50707u /* claimed at both ends */
#define BED_POOL     1023u  /* unless bed_settings says otherwise */
#define BED_SCRATCH  64u
#define BED_SHOTS    400u
/* Against what hangs: nothing here takes a second, but a sanitizer that looks through all memory of
 * a process that ends takes ten, beside others that do the same. */
#define BED_PATIENCE_S   60
#define BED_REASON_BYTES 512u

/* NULL while there is none. */
extern struct port *bed_ports[SIDES];
/* Memory that is no port's. */
extern struct rte_mempool *bed_scratch;
/* What a port was refused for. */
extern char bed_why[BED_REASON_BYTES];

/* What a test wants: set before the ports are made. */
extern struct port_xdp_config bed_settings;
extern uint16_t bed_vlan;
extern bool bed_v6; /* of the next frames */

/* Before each test. */
void bed_setup(void);
uint64_t bed_now(void);
uint64_t bed_seconds(void);

/* What bed_open makes a port of; the thread is in that side's namespace then. */
struct port_xdp_config bed_config(enum side side);
/* Makes the port at one end of a veth that is there. As port_xdp_create. */
int bed_open(enum side side);
/* Makes the veth and both ports. */
void bed_open_both(uint32_t queues, uint32_t mtu);
void bed_close(enum side side);
/* And checks that every packet is back. */
void bed_close_both(void);
uint64_t bed_stat(const struct port *port, const char *name);

/* Headers of a datagram to one side. */
void bed_headers(struct encap *encap, enum side to, uint16_t port, uint16_t tag);
/* The frame with this number, for that side. */
struct rte_mbuf *bed_frame(struct rte_mempool *pool, enum side to, uint32_t number);
/* Sends one, which has to be taken in time. */
void bed_send(enum side from, struct rte_mbuf *packet);
/* Receives what is there, in order, up to `until`; returns the next number. */
uint32_t bed_receive(enum side at, uint32_t next, uint32_t until);
/* Receives all of them. */
void bed_receive_all(enum side at, uint32_t first, uint32_t until);
/* Sends frames 0 to `shots` from one side, receives them at the other. */
void bed_exchange(enum side from, uint32_t shots);
/* BED_SHOTS of both families, both ways. */
void bed_exchange_all(void);

#endif
