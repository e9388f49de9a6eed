/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Single changes of a configuration, as operators ask for them: each leaves one that is checked as
 * a file would be, or says what is wrong with the request.
 *
 * Ownership: the caller's. Pure; any thread. Trust: texts and names are the operator's.
 *
 * All answer 0, or -EINVAL, -ENOENT (there is no such engine, class or group), -EEXIST, -EPERM (it
 * is in use, or the last one), -ENOSPC (there is no room for another one) or -ENOMEM with one line
 * in source->error, which names the offender; then the configuration is fit only to be freed.
 */
#ifndef DAEMON_CONFIG_EDIT_H
#define DAEMON_CONFIG_EDIT_H

#include "daemon/config.h"

/* A copy to be edited. config_free is due in both cases. */
int config_edit_copy(struct config *copy, const struct config *from, struct schema_source *source);

/* `text` is one entry of the file's `engines`; the group is there. */
int config_edit_create_engine(struct config *config, const char *text, const char *group,
                              struct schema_source *source);
int config_edit_destroy_engine(struct config *config, const char *name,
                               struct schema_source *source);
int config_edit_move_engine(struct config *config, const char *name, const char *group,
                            struct schema_source *source);

/* `text` is one entry of the file's `groups`, without engines. */
int config_edit_create_group(struct config *config, const char *text, struct schema_source *source);
/* `text` is one entry of a shaper's `classes`, which takes the place of the one of that name, if
 * there is one. */
int config_edit_set_class(struct config *config, const char *engine, const char *text,
                          struct schema_source *source);
int config_edit_remove_class(struct config *config, const char *engine, const char *name,
                             struct schema_source *source);

/* As in the file; "": as it is. */
struct config_edit_group {
    const char *mode, *cpus, *threads, *idle, *slo, *pause, *class, *runtime, *period, *moderation;
};
int config_edit_change_group(struct config *config, const char *name,
                             const struct config_edit_group *settings,
                             struct schema_source *source);
int config_edit_destroy_group(struct config *config, const char *name,
                              struct schema_source *source);

#endif
