/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of a configuration that the server goes by: its socket, who may attach, and how much one
 * user may take.
 *
 * Ownership: rules_create allocates the list of rules, which its caller frees; the rest points into
 * the configuration. Threads: any one. Trust: the configuration is checked.
 */
#ifndef DAEMON_RULES_H
#define DAEMON_RULES_H

#include "control/server.h"
#include "daemon/config.h"

/* Fills in *server for the user that the process runs as. 0 or -ENOMEM. */
int rules_create(struct policy_rule **rules, struct server_config *server,
                 const struct config *config);

#endif
