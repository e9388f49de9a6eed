/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration's tables: which keys there are, what they may hold, what stands for them when
 * they are not given, and what they mean. docs/configuration.md has its reference from here.
 *
 * Ownership: constants. Threads: any.
 */
#ifndef DAEMON_CONFIG_SCHEMA_H
#define DAEMON_CONFIG_SCHEMA_H

#include "control/policy.h"
#include "daemon/schema.h"

/* The bit of a rule's `allow` that stands for all rights, behind those of the policy. */
#define CONFIG_ALLOW_ALL (1ull << POLICY_RIGHTS)

extern const struct schema config_schema; /* struct config */
extern const struct schema config_group_schema;
extern const struct schema config_class_schema;
extern const char *const config_drivers[]; /* by enum config_driver */

#endif
