/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The host: the ports, engines and groups that a configuration describes, made and running.
 *
 * Ownership: the host owns all of them. Threads: the control thread; EAL is started.
 */
#ifndef DAEMON_HOST_H
#define DAEMON_HOST_H

#include "daemon/config.h"
#include "sched/engine.h"

#include <stddef.h>
#include <stdint.h>

struct host;

/* Makes everything and lets it run. `control_fd` is the eventfd by which engines say that they
 * closed a session. `config` is borrowed until host_destroy. 0, or a negative errno with one line
 * in `reason`, and nothing left behind. */
int host_create(struct host **host, const struct config *config, int control_fd, char *reason,
                size_t reason_bytes);

/* The engines, in the order of the configuration. */
struct engine *const *host_engines(const struct host *host, uint32_t *count);

/* Takes all engines out of their groups and ends the groups' threads. No session is left. */
void host_stop(struct host *host);
/* Writes every counter as one JSON document; after host_stop they do not move any more. */
void host_write_stats(const struct host *host, FILE *stream);
/* After host_stop. NULL is fine. */
void host_destroy(struct host *host);

#endif
