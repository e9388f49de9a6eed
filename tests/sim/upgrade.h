/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An upgrade: all engines of an address, which share a port and a directory and perhaps a front, go
 * on in others, as from one daemon to the next (daemon/host_handover.h).
 *
 *   planned    comes after an event by chance
 *   begun      saved; nobody runs any more, applications go on, and packets gather at the port
 *   entered    others are there and have loaded what was saved
 *   (end of the blackout: these run)
 *   ended      what was left is destroyed, while others use the same memory and port
 *
 * Whoever wants to ask an engine for something that is not there yet has it made at once.
 *
 * Ownership: the simulation's; what has not ended by then ends with it, before its hosts do.
 * Threads: one.
 */
#ifndef TESTS_SIM_UPGRADE_H
#define TESTS_SIM_UPGRADE_H

#include "tests/sim/sim.h"

struct upgrade;

/* Of an address, soon, unless another one is planned. */
void upgrade_plan(struct sim *sim, uint32_t address, struct rng *rng);
/* An event has happened: begins what is due. */
void upgrade_count(struct sim *sim);
/* If it is not done yet: the others are made. */
void upgrade_enter(struct upgrade *upgrade);
/* There is an engine everywhere, and none will be replaced any more. */
void upgrades_enter(struct sim *sim);
/* All have ended, and nothing is left of them. */
void upgrades_end(struct sim *sim);

#endif
