/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators have of hand-overs: their report in the words of control, and the wish for one.
 *
 * The daemon starts nobody. Asked for an upgrade it writes down the wish in the file "upgrade" of
 * the unit's runtime folder: a line with "move" or "check", and one with the us within which the
 * service manager wants a sign of life, which it tells nobody but the main process. When it then
 * reloads the unit, saddle-reload (deploy/systemd) finds the file, takes it away, and starts a
 * newcomer within the unit instead of having the configuration read again. Without a service
 * manager there is no file, and the answer says so.
 *
 * Ownership: one per daemon, before its control plane. Threads: control's.
 * Trust: the folder is the daemon's own user's; a link in the file's place is not followed.
 */
#ifndef DAEMON_UPGRADER_H
#define DAEMON_UPGRADER_H

#include "control/upgrader.h"
#include "control/upgrades.h"
#include "daemon/handover.h"

#define UPGRADER_FILE "upgrade"

struct daemon_upgrader;

/* `folder`: where wishes are written, RUNTIME_DIRECTORY as it is in the environment; NULL: no
 * service manager runs this daemon. 0 or -ENOMEM. */
int daemon_upgrader_create(struct daemon_upgrader **upgrader, const char *folder);
/* A newcomer has come: what was wished is no longer this daemon's to take back. NULL is fine. */
void daemon_upgrader_fulfil(struct daemon_upgrader *upgrader);
/* Takes back a wish of this daemon's that nobody has come for. NULL is fine. */
void daemon_upgrader_destroy(struct daemon_upgrader *upgrader);
/* For the module. */
const struct upgrader *daemon_upgrader_table(const struct daemon_upgrader *upgrader);

/* A report as it is kept; what only ports and engines know, packets, the caller adds. */
void upgrader_describe(const struct handover_report *report, struct upgrade_record *upgrade);

#endif
