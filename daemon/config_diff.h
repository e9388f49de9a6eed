/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What would have to happen for one configuration to become another one.
 *
 * Ownership: config_diff allocates a list, which config_changes_free frees. Pure; any thread.
 * Trust: the configurations are checked.
 */
#ifndef DAEMON_CONFIG_DIFF_H
#define DAEMON_CONFIG_DIFF_H

#include "daemon/config.h"
#include "daemon/schema_compare.h"

#define CONFIG_CHANGES_MAX 1024u /* more are counted, and not kept */

/* What it takes, and whom it concerns. */
enum config_effect {
    CONFIG_AT_ONCE, /* nobody notices */
    CONFIG_ENGINE,  /* an engine is made, made anew or ended, and with it its sessions */
    CONFIG_RESTART, /* cannot change while the daemon runs */
};

struct config_change {
    struct schema_change what;
    enum config_effect effect;
    char engine[SCHEMA_TEXT_BYTES]; /* CONFIG_ENGINE: which */
};

struct config_changes {
    struct config_change *list;
    uint32_t count;
    uint32_t left_out; /* beyond CONFIG_CHANGES_MAX */
    bool restart;      /* one of all needs it, also of those left out */
    bool failed;       /* out of memory */
};

/* From `running` to `wanted`, in a daemon that was started with `opened`: its ports were opened for
 * what that says. 0 or -ENOMEM; config_changes_free is due in both cases. */
int config_diff(struct config_changes *changes, const struct config *opened,
                const struct config *running, const struct config *wanted);
void config_changes_free(struct config_changes *changes);

/* Whether an engine can be made on its port as that was opened. The kernel's interfaces were
 * claimed for the addresses and the UDP port of the engine that the daemon started with; on a link
 * that Saddle owns, that engine is known to all; and engines that share a port have their places on
 * it. */
bool config_port_fits(const struct config *opened, const struct config_engine *engine);

/* Whether two engines, or two groups without their engines, are configured alike. */
bool config_same_engine(const struct config_engine *a, const struct config_engine *b);
/* Whether two engines, alike else, have the same classes. */
bool config_same_classes(const struct config_engine *a, const struct config_engine *b);
bool config_same_group(const struct config_group *a, const struct config_group *b);

#endif
