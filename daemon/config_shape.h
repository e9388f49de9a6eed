/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A shaper's classes, from the configuration's words to a policy (engines/shaper/shape.h).
 *
 * Ownership: config_shape_make allocates, config_shape_free frees. Pure; any thread. Trust: the
 * words are the operator's: each mistake has one line that names the offender.
 */
#ifndef DAEMON_CONFIG_SHAPE_H
#define DAEMON_CONFIG_SHAPE_H

#include "daemon/config.h"
#include "engines/shaper/shape.h"

/* 0, or a negative errno with the line set; nothing is left behind then. */
int config_shape_make(struct shape *shape, const struct config_engine *engine,
                      struct schema_source *source);
void config_shape_free(struct shape *shape);

/* What config_check asks of any engine: that only a shaper has classes, and of a shaper that they
 * are good ones, and that its port has packets for them. */
int config_shape_check(const struct config *config, const struct config_engine *engine,
                       struct schema_source *source);

#endif
