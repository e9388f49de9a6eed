/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The newer daemon's part of an upgrade: it prepares itself for the configuration that the old one
 * runs with, and takes all that one has.
 *
 * Ownership: what it makes is the caller's, to be given up by takeover_destroy or, once this is the
 * daemon, part by part as always. Threads: the main one, before any other is made.
 * Trust: as of handover.h.
 */
#ifndef DAEMON_TAKEOVER_H
#define DAEMON_TAKEOVER_H

#include "control/server.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/host.h"
#include "daemon/host_handover.h"
#include "daemon/reason.h"
#include "daemon/upgrade.h"

#include <stdbool.h>

struct takeover {
    bool check; /* only looks whether it could */
    bool verbose;
    struct config config; /* the old daemon's */
    struct policy_rule *rules;
    struct server *server;
    struct control *control;
    struct host *host;
    struct upgrade *upgrade;
    struct host_handover handover;
    struct handover_report report;
};

/* Knocks at `path` and takes everything, with the privileges that ports take. 0: this is the daemon
 * now, as after the ports were opened and before host_settle; or, of a check, it could be. Else a
 * negative errno with one line in `reason`: nothing is here, and what the old daemon does is in the
 * log. takeover_destroy is due in both cases. */
int takeover_take(struct takeover *takeover, const char *path, const struct reason *reason);
/* Gives up what was made, without harm to what the old daemon has. */
void takeover_destroy(struct takeover *takeover);

#endif
