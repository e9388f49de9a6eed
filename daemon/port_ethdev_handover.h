/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * How a port over an ethdev that one process at a time can have goes over to another daemon
 * (port_handover.h): the device is closed on the one side and opened on the other, in the blackout.
 *
 * Ownership and threads: as of port_ethdev.h. Trust: what is read comes from another daemon of the
 * same user, perhaps a broken one.
 */
#ifndef DAEMON_PORT_ETHDEV_HANDOVER_H
#define DAEMON_PORT_ETHDEV_HANDOVER_H

#include "daemon/port_ethdev.h"
#include "daemon/port_handover.h"

extern const struct port_handover_ops port_ethdev_handover;

/* The port, without its device, from the record that the caller has entered. 0, -EOPNOTSUPP, or as
 * of port_ethdev_create, with the reason. */
int port_ethdev_adopt(struct port **port, const struct port_ethdev_config *config,
                      struct parcel *parcel, const struct reason *reason);

#endif
