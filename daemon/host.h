/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The host: the ports, engines and groups that a configuration describes, made and running.
 *
 * Ownership: the host owns all of them. Threads: the control thread; EAL is started.
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

#include "control/plant.h"
#include "control/server.h"
#include "daemon/config.h"
#include "daemon/reason.h"
#include "sched/engine.h"

#include <stdint.h>

struct host;

/* Makes the ports, which takes what privileges there are. `config` and `server` are borrowed until
 * host_destroy. 0, or a negative errno with one line in `reason`, and nothing left behind. */
int host_create(struct host **host, const struct config *config, struct server *server,
                const struct reason *reason);
/* Makes engines and groups and lets them run, once. Engines tell the server that they closed a
 * session, and its loop does what their resolvers have to do. 0, or a negative errno with one line
 * in `reason`; host_stop is due in both cases. */
int host_start(struct host *host, const struct reason *reason);

/* The engines, in the order of the configuration. */
struct engine *const *host_engines(const struct host *host, uint32_t *count);

/* What operators see of it. */
void host_describe(const struct host *host, struct plant *plant);

/* Takes all engines out of their groups and ends the groups' threads. No session is left. */
void host_stop(struct host *host);
/* Writes every counter as one JSON document; after host_stop they do not move any more. */
void host_write_stats(const struct host *host, FILE *stream);
/* After host_stop. NULL is fine. */
void host_destroy(struct host *host);

#endif
