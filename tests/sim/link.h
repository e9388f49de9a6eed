/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of the wire between two hosts: an impair element, and a knife.
 *
 * Ownership: the simulation's; packets sent belong to the link until the receiving port has them.
 * Threads: one.
 */
#ifndef TESTS_SIM_LINK_H
#define TESTS_SIM_LINK_H

#include "engines/elements/impair.h"
#include "tests/sim/sim.h"

struct link;

struct link *link_create(struct sim *sim, uint32_t from, uint32_t to,
                         const struct impair_config *config);
/* Adds what it did to the totals. */
void link_destroy(struct link *link);

/* Takes a packet that has left the sender's port at `now`. */
void link_send(struct link *link, struct rte_mbuf *packet, uint64_t now);
/* A link that is cut loses all that is sent. */
void link_cut(struct link *link, bool cut);
/* A link that is narrow swallows IP packets of more bytes. 0: none. */
void link_narrow(struct link *link, uint32_t bytes);
void link_configure(struct link *link, const struct impair_config *config);
/* The faults that it has shown so far, a set of 1 << enum fault_kind. */
uint32_t link_struck(const struct link *link);
/* Packets on the way. */
uint32_t link_held(const struct link *link);

#endif
