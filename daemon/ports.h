/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The ports that a configuration describes, each by its driver, with the faults it asks for.
 *
 * Ownership: the ports own all of them; what uses one ends first. Threads: the control thread; EAL
 * is started. Trust: the configuration is checked, the machine beneath it is as it is.
 */
#ifndef DAEMON_PORTS_H
#define DAEMON_PORTS_H

#include "control/parcel.h"
#include "daemon/config.h"
#include "daemon/reason.h"
#include "daemon/share.h"
#include "daemon/topology.h"
#include "engines/port.h"
#include "engines/resolver.h"

#include <rte_ether.h>
#include <stdint.h>

struct chores;
struct ports;

/* What only a process that has not given up its capabilities can see: whose XDP program is on an
 * interface. 0, or a negative errno with one line in `reason`. */
int ports_check(const struct config *config, const struct reason *reason);
/* Each in memory of its device's node. `config` and `topology` are borrowed until ports_destroy. 0,
 * or a negative errno with one line in `reason`, and nothing left behind. */
int ports_create(struct ports **ports, const struct config *config, const struct topology *topology,
                 const struct reason *reason);
/* For a daemon that takes over: none is made yet. As ports_create. */
int ports_create_none(struct ports **ports, const struct config *config,
                      const struct topology *topology, const struct reason *reason);

/* Some of them: a bit for each, by position in the configuration. Those of a hand-over set go
 * together. All of ports_make, ports_adopt and ports_enter: 0, or a negative errno with one line in
 * `reason`. */
int ports_make(struct ports *ports, uint64_t which, const struct reason *reason);
/* Destroys them; no engine uses them any more. */
void ports_end(struct ports *ports, uint64_t which);

/* How they go over: as of port_handover.h, with what is beneath and beside each. */
void ports_offer(const struct ports *ports, uint64_t which, struct parcel_draft *draft);
/* From the parcel's next records; what a driver cannot take over is made anew. */
int ports_adopt(struct ports *ports, uint64_t which, struct parcel *parcel,
                const struct reason *reason);
void ports_leave(const struct ports *ports, uint64_t which, struct parcel_draft *draft);
/* From the parcel's next records; after a failure they are to be ended. */
int ports_enter(struct ports *ports, uint64_t which, struct parcel *parcel,
                const struct reason *reason);
/* 0 or -ENOMEM: they are lost. */
int ports_begin(struct ports *ports, uint64_t which);
void ports_settle(struct ports *ports, uint64_t which);
/* All that can go on do. 0, or the first error, and one line in `reason`: a port cannot be had
 * again.
 */
int ports_resume(struct ports *ports, uint64_t which, const struct reason *reason);
/* They are another daemon's: nothing that is shared is touched. What engines that never run again
 * may still point to is left behind until the process ends. */
void ports_forget(struct ports *ports, uint64_t which);

/* By position in the configuration; NULL: it is not made, or is another daemon's. */
struct port *ports_get(const struct ports *ports, uint32_t index);
/* The node that its device is on, or TOPOLOGY_ANY. */
int ports_node(const struct ports *ports, uint32_t index);
/* Where several engines share it, what they have in common; else NULL. */
const struct share *ports_share(const struct ports *ports, uint32_t index);
/* Where the kernel has its part of a port that is Saddle's, the port that leads there; lives as
 * long. Else NULL. */
struct port *ports_tap(const struct ports *ports, uint32_t index);
/* What control has to do for them; lives as long as they. */
struct chores *ports_chores(const struct ports *ports);
/* What finds others on the port's link, where Saddle owns it; lives as long as the port. Else NULL.
 */
struct resolver *ports_resolver(const struct ports *ports, uint32_t index);
/* NULL is fine. */
void ports_destroy(struct ports *ports);

/* The position of the port with this name, which exists. */
uint32_t ports_index(const struct config *config, const char *name);
/* The address of a port without a device of its own: as configured, or made up from its position;
 * locally administered (IEEE 802 section 8.2), never zero. */
void ports_mac(const struct config *config, uint32_t index, struct rte_ether_addr *mac);

#endif
