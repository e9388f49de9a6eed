/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The upgrader: who gets this daemon ready to be replaced, as modules see it. It starts nobody: the
 * newcomer is started by the service manager or by an operator (docs/operations.md).
 *
 * Ownership: the daemon's; it outlives the modules. Threads: control's. Trust: whether the caller
 * may ask was checked before.
 */
#ifndef CONTROL_UPGRADER_H
#define CONTROL_UPGRADER_H

#include <stdbool.h>

#define UPGRADER_LINE_BYTES 512u /* with the final NUL */

struct upgrader_answer {
    char line[UPGRADER_LINE_BYTES]; /* what is wrong */
    bool managed; /* a service manager starts the newcomer when it reloads the unit */
};

struct upgrader_ops {
    /* Somebody is about to start a newcomer, that will take everything or, `check`, only look
     * whether it could. 0; or a negative errno (see rpc_status_of) with one line that says what is
     * in the way. */
    int (*prepare)(void *context, bool check, struct upgrader_answer *answer);
};

struct upgrader {
    const struct upgrader_ops *ops;
    void *context;
};

#endif
