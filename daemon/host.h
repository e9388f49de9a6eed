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

#include <stdbool.h>
#include <stdint.h>

struct host;

/* Makes the ports, which takes what privileges there are. `config` and `server` are borrowed until
 * host_destroy. 0, or a negative errno with one line in `reason`, and nothing left behind. */
int host_create(struct host **host, const struct config *config, struct server *server,
                const struct reason *reason);
/* For a daemon that takes over (host_handover.h): the same without ports. */
int host_create_empty(struct host **host, const struct config *config, struct server *server,
                      const struct reason *reason);
/* Makes engines and groups and lets them run, once. Engines tell the server that they closed a
 * session, and its loop does what their resolvers have to do. 0, or a negative errno with one line
 * in `reason`; host_stop is due in both cases. */
int host_start(struct host *host, const struct reason *reason);

/* The parts of that for a daemon that takes engines over: groups, before them, and all else, after
 * them. */
int host_make_groups(struct host *host, const struct reason *reason);
int host_settle(struct host *host, const struct reason *reason);

/* Makes what runs what another configuration says, for the same ports, which lies at `config` until
 * another one is applied. Engines that it has alike stay, and groups of the same name, which change
 * under their engines; an engine that moves misses the time between two turns; one that is
 * configured anew, or has another neighbour at the end of its wire, is made anew, which ends its
 * sessions, as removing it does: only if `disrupt`.
 *
 * 0; or everything is as it was, with one line in `reason`: -EPERM (there are sessions, or the
 * machine does not have what it takes), -ENOMEM, or -ETIMEDOUT (an engine hangs). One thing is not
 * taken back: sessions that were ended, if the very last step fails. */
int host_apply(struct host *host, const struct config *config, bool disrupt,
               const struct reason *reason);
/* Whether the engine at this position of `config` is there already, and would stay. */
bool host_keeps(const struct host *host, const struct config *config, uint32_t index);
/* How many sessions the running engine of this name has; 0 also if there is none. */
uint32_t host_sessions(const struct host *host, const char *engine);

/* That runs. */
const struct config *host_configuration(const struct host *host);
/* The engines, in the order of the configuration; those that another daemon has are left out. */
struct engine *const *host_engines(const struct host *host, uint32_t *count);

/* Whether every engine runs, and in its group: after a change that failed it may be that one could
 * not be put back. */
bool host_is_whole(const struct host *host);

/* What operators see of it: the next generation of *plant, which is zeroed before the first. */
void host_describe(const struct host *host, struct plant *plant);

/* Takes all engines out of their groups and ends the groups' threads. No session is left. */
void host_stop(struct host *host);
/* Writes every counter as one JSON document; after host_stop they do not move any more. */
void host_write_stats(const struct host *host, FILE *stream);
/* After host_stop. NULL is fine. */
void host_destroy(struct host *host);

#endif
