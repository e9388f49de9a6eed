/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The open streams of a method: bounded, and one user who may not operate leaves room for others.
 *
 * Ownership: a module's; the calls are rpc's. Threads: control's.
 */
#ifndef CONTROL_WATCHES_H
#define CONTROL_WATCHES_H

#include "control/rpc.h"

#include <stdint.h>

#define WATCHES_MAX         256u
#define WATCHES_PER_UID_MAX 64u /* of one user who may not operate */

/* Zero it first. */
struct watches {
    struct rpc_call *calls[WATCHES_MAX]; /* NULL: free */
};

/* Takes a place for a stream: 0 with *place, or -ENOSPC after the call was ended. */
int watches_add(struct watches *watches, struct rpc_call *call, uint32_t *place);
/* Gives the place back, of a call that is gone or was ended; returns it, or WATCHES_MAX if the call
 * has none. */
uint32_t watches_remove(struct watches *watches, const struct rpc_call *call);

#endif
