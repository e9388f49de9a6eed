/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engines of one host have in common that share a port: the fan that joins them to it, its
 * shaping if a shaper has it, and the directory of their services. It is settled when the port is
 * opened, and outlives engines that are made anew.
 *
 * Ownership: the ports'; it borrows the port. Threads: the control thread; EAL is started.
 */
#ifndef DAEMON_SHARE_H
#define DAEMON_SHARE_H

#include "daemon/config.h"
#include "daemon/reason.h"
#include "engines/pony/pony.h"
#include "engines/shaper/shaping.h"
#include "engines/steer/fan.h"

struct share;

/* For the engines on the port of this name, the port itself, and its resolver if it has one. 0, or
 * a negative errno with one line in `reason`. */
int share_create(struct share **share, const struct config *config, const char *name,
                 struct port *port, struct resolver *resolver, const struct reason *reason);
/* NULL is fine. */
void share_destroy(struct share *share);

struct fan *share_fan(const struct share *share);
/* NULL: a steer shares the port out. */
struct shaping *share_shaping(const struct share *share);
/* Has a running shaper go over to the classes of its new configuration. 0; or all is as it was,
 * with one line in `reason`: -EPERM, -ENOMEM or -ETIMEDOUT. */
int share_reshape(const struct share *share, struct engine *engine,
                  const struct config_engine *wanted, const struct reason *reason);
/* The port of the engine that receives there, which is one of them. */
struct port *share_port(const struct share *share, uint16_t udp_port);
/* The port of the engine that gives the kernel its part, or NULL. */
struct port *share_kernel_port(const struct share *share);
/* Its resolver, or NULL. */
struct resolver *share_resolver(const struct share *share, uint16_t udp_port);
/* Tells that engine of the others. */
void share_describe(const struct share *share, uint16_t udp_port, struct pony_config *pony);

#endif
