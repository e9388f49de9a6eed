/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps the configuration that runs, and the one before it; has the host run another one when an
 * operator, or SIGHUP, asks for it: the daemon's side of control/steward.h.
 *
 * Ownership: it owns the configurations but the one that the daemon was started with; host and
 * server are borrowed. It is created before the host's engines run and destroyed after the host.
 * Threads: control's. Trust: texts and names are operators'; a configuration that is not checked,
 * or asks for what cannot change, changes nothing.
 */
#ifndef DAEMON_STEWARD_H
#define DAEMON_STEWARD_H

#include "control/steward.h"
#include "daemon/host.h"

struct daemon_steward;

/* `started` is the configuration that host and server were made with, `file` where it was read:
 * both are borrowed. 0 or -ENOMEM. */
int daemon_steward_create(struct daemon_steward **steward, struct host *host, struct server *server,
                          const struct config *started, const char *file);
/* NULL is fine. */
void daemon_steward_destroy(struct daemon_steward *steward);

/* What modules are given. */
const struct steward *daemon_steward_table(const struct daemon_steward *steward);
/* Has `changed` called whenever the host runs something else, and `refused` with one line when a
 * file read at SIGHUP is not taken; NULL: not any more. */
void daemon_steward_follow(struct daemon_steward *steward, void (*changed)(void *context),
                           void (*refused)(void *context, const char *line), void *context);
/* Reads the file again, as at SIGHUP: tells the log and the service manager. `context` is the
 * steward. */
void daemon_steward_reload(void *context);

#endif
