/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the service manager, as often as it asks for it, that the control thread and all engines
 * get on; and is silent when one does not.
 *
 * Ownership: the creator's; host and server are borrowed until it is stopped.
 * Threads: control's. Trust: none is involved.
 */
#ifndef DAEMON_WATCHDOG_H
#define DAEMON_WATCHDOG_H

#include "control/server.h"
#include "daemon/host.h"

struct watchdog;

/* 0 or a negative errno; *watchdog is NULL where the service manager does not ask. */
int watchdog_start(struct watchdog **watchdog, struct server *server, const struct host *host);
/* Looks now, if it is time; for who keeps the server's loop waiting. NULL is fine. */
void watchdog_look(struct watchdog *watchdog);
/* NULL is fine. */
void watchdog_stop(struct watchdog *watchdog);

#endif
