/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A host's port in the simulation: a receive ring of bounded length, a transmitter of a certain
 * speed, and a receive interrupt that needs no descriptor.
 *
 * Packets that are sent are copied to single-segment buffers, as a wire would: the sender may
 * change what it handed over, and what is on the wire stays.
 *
 * Or it has no wire, and another port lies between (front.h): then it only looks at what passes.
 *
 * Ownership: embedded in the host. Threads: one.
 */
#ifndef TESTS_SIM_PORT_H
#define TESTS_SIM_PORT_H

#include "engines/port.h"
#include "tests/sim/sim.h"

#define SIM_PORT_RING 1024u /* packets received and not taken; a power of two */

struct host;

struct sim_port {
    struct port port;
    struct host *host;
    struct port *inner;    /* NULL: it has the wire */
    struct rte_mbuf *kept; /* received from `inner`, and not looked at yet; or NULL */
    struct rte_mbuf *ring[SIM_PORT_RING];
    uint32_t head, tail;
    uint64_t wire_free; /* when the transmitter will have sent all it was given */
    uint64_t overflowed;
    bool armed;
    bool watching;    /* a changed packet was handed to the engine alone, */
    bool telling;     /* which has to notice that, */
    uint64_t noticed; /* and had noticed so much before */
};

void sim_port_init(struct sim_port *port, struct host *host, uint32_t index);
void sim_port_fini(struct sim_port *port);
/* It is behind this port from now on; what it had received from another one is lost. */
void sim_port_attach(struct sim_port *port, struct port *inner);
/* What was changed of a packet's UDP payload on its way. */
enum sim_change {
    SIM_CHANGED_NOTHING,
    SIM_CHANGED_HEADER, /* the flow header, or the first operation's */
    SIM_CHANGED_REST,   /* which may be of no use: then nobody looks whether it is whole */
};

/* A packet arrives: true if it is an interrupt. */
bool sim_port_receive(struct sim_port *port, struct rte_mbuf *packet, enum sim_change change);
/* The engine goes: has it noticed what it had to? */
void sim_port_settle(struct sim_port *port);
/* The link-layer address of a host's port, by the number of its address. */
void sim_port_mac(struct rte_ether_addr *mac, uint32_t index);

#endif
