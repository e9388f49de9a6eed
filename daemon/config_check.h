/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a schema cannot say of a configuration: how its parts fit together.
 *
 * Pure; any thread. Trust: every value has passed its schema alone.
 */
#ifndef DAEMON_CONFIG_CHECK_H
#define DAEMON_CONFIG_CHECK_H

#include "daemon/config.h"

/* 0, or a negative errno with the line to show in source->error. */
int config_check(const struct config *config, struct schema_source *source);

#endif
