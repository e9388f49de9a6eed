/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The front of an address: an engine that has its port, a shaper or, of several, `steer`, and the
 * engines of the address behind it, as in a daemon whose engines share one thread.
 *
 *   hosts with the address     watched ports (port.h)
 *      |  |                    gates, fan
 *   shaper or steer            as one host more: the front's
 *        |                     the port at the wire
 *      links
 *
 * Whoever is rung is woken, and nobody else is: a doorbell that is not rung is a run that does not
 * come to an end.
 *
 * Ownership: the simulation's; hosts behind it end first. Threads: one.
 */
#ifndef TESTS_SIM_FRONT_H
#define TESTS_SIM_FRONT_H

#include "tests/sim/host.h"

struct front;
struct front_left;

/* Of the hosts with this address. */
struct front *front_create(struct sim *sim, uint32_t address);
/* NULL is fine. */
void front_destroy(struct front *front);

/* The port of a host behind it, by its row; another one after front_hand_over. */
struct port *front_member(const struct front *front, uint32_t row);
/* The host that the shaper, or steer, is. */
struct host *front_host(struct front *front);
/* Wakes whoever was rung. */
void front_listen(struct front *front);

/* Another policy, unless the one before is still on its way, or it shapes nothing. */
void front_reshape(struct front *front);
/* The whole of it is saved, with all engines behind it, and goes on as another process would. */
void front_hand_over(struct front *front);
/* In two steps, without those engines: what it was is saved and left, to be destroyed when it is no
 * more of use; then it is made anew, and goes on. */
struct front_left *front_leave(struct front *front);
void front_enter(struct front *front, struct front_left *left);
/* NULL is fine. */
void front_end_left(struct front_left *left);
/* Nothing waits in it. */
bool front_quiet(const struct front *front);
/* It is quiet: is all as it should be then? */
void front_check(struct front *front);

#endif
