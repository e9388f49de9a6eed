/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking engines on behalf of one call: by mailbox, within a second for all of it. One that hangs,
 * or did not answer a call before and has not been heard of since, is not waited for: so it costs
 * other calls a second once.
 *
 * Ownership: the caller's. Threads: control's.
 */
#ifndef CONTROL_ASK_H
#define CONTROL_ASK_H

#include "control/module.h"

#define ASK_NS NSEC_PER_SEC

struct ask {
    const struct module_world *world;
    struct rpc_call *call;
    uint64_t deadline;
};

void ask_start(struct ask *ask, const struct module_world *world, struct rpc_call *call);
/* Has the plant's engine of this position do a piece of mailbox work. 0 with what it answered in
 * *result; or -ETIMEDOUT after it ended the call with UNAVAILABLE: the work will not be done. */
int ask_engine(struct ask *ask, uint32_t engine, mailbox_fn *fn, void *argument, int *result);

#endif
