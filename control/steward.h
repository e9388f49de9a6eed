/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The steward: who keeps the daemon's configuration, as modules see it. They know texts and names;
 * what these mean the daemon knows, which fills in the table.
 *
 * Ownership: the daemon's; it outlives the modules. Answers are the caller's, who frees them with
 * steward_answer_free in any case. Threads: control's. Trust: texts and names are operators'; they
 * are checked behind the table.
 *
 * Every function answers 0, or a negative errno (see rpc_status_of) with one line that names the
 * offender; then all is as it was.
 */
#ifndef CONTROL_STEWARD_H
#define CONTROL_STEWARD_H

#include <stdbool.h>
#include <stdint.h>

#define STEWARD_LINE_BYTES   512u /* with the final NUL */
#define STEWARD_EFFECT_BYTES 48u

/* One difference between two configurations, and what it takes. */
struct steward_change {
    char *path;           /* "engines.alpha.window" */
    char *before, *after; /* as written; "": not there */
    char effect[STEWARD_EFFECT_BYTES];
};

struct steward_answer {
    char line[STEWARD_LINE_BYTES]; /* what is wrong */
    struct steward_change *changes;
    uint32_t count;
};

enum steward_edit_kind {
    STEWARD_CREATE_ENGINE, /* text, group */
    STEWARD_DESTROY_ENGINE,
    STEWARD_MOVE_ENGINE,  /* name, group */
    STEWARD_CREATE_GROUP, /* text */
    /* name; mode, cpus, threads, idle, slo, pause, class, runtime, period, moderation: "" as it
     * is */
    STEWARD_CHANGE_GROUP,
    STEWARD_DESTROY_GROUP,
    STEWARD_SET_CLASS,    /* name of the engine, text */
    STEWARD_REMOVE_CLASS, /* name of the engine, class */
};

/* One change, as an operator asks for it. */
struct steward_edit {
    enum steward_edit_kind kind;
    const char *name;
    const char *text; /* an entry of the file */
    const char *group;
    /* A group's, or a shaper's by its name. */
    const char *class;
    const char *mode, *cpus, *threads, *idle, *slo, *pause, *runtime, *period, *moderation;
    bool disrupt; /* sessions may end */
};

struct steward_ops {
    /* What runs, with all defaults; *text is freed by the caller. */
    int (*show)(void *context, char **text, struct steward_answer *answer);
    /* Whether a configuration is a good one. */
    int (*check)(void *context, const char *text, struct steward_answer *answer);
    /* What applying it would change. */
    int (*diff)(void *context, const char *text, struct steward_answer *answer);
    /* These answer what has changed. */
    int (*apply)(void *context, const char *text, bool disrupt, struct steward_answer *answer);
    int (*rollback)(void *context, bool disrupt, struct steward_answer *answer);
    int (*reload)(void *context, struct steward_answer *answer);
    int (*edit)(void *context, const struct steward_edit *edit, struct steward_answer *answer);
};

struct steward {
    const struct steward_ops *ops;
    void *context;
};

/* Adds a change whose texts are copied. 0 or -ENOMEM. */
int steward_answer_add(struct steward_answer *answer, const char *path, const char *before,
                       const char *after, const char *effect);
void steward_answer_free(struct steward_answer *answer);

#endif
