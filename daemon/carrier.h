/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Carriers: has the kernel's interface to a port of Saddle's (port_tap.h) tell the state of the
 * port's link, so that the kernel's programs see a cable that was pulled as they would without
 * Saddle. DPDK's drivers do not all announce changes: it is looked at once a second.
 *
 * Ownership: the ports are borrowed. Threads: control's.
 */
#ifndef DAEMON_CARRIER_H
#define DAEMON_CARRIER_H

#include "engines/port.h"

#include <stdbool.h>

#define CARRIERS_MAX 64u

struct carriers;

/* 0 or a negative errno. */
int carriers_create(struct carriers **carriers);
/* NULL is fine. */
void carriers_destroy(struct carriers *carriers);

/* From now on `tap` has a carrier as long as `link_up` says so of `wire`. At most CARRIERS_MAX. */
void carriers_add(struct carriers *carriers, const struct port *wire, const struct port *tap,
                  bool (*link_up)(const struct port *wire));

/* Not any more. NULL and a `tap` that was not added are fine. */
void carriers_remove(struct carriers *carriers, const struct port *tap);

/* Readable when it is time to look, which carriers_work does. */
int carriers_fd(const struct carriers *carriers);
void carriers_work(void *carriers);

#endif
