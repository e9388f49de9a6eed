/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ask.h"

#include <errno.h>

#define FAIR_NS (100 * NSEC_PER_MSEC) /* who was not given as long is not to blame */

void ask_start(struct ask *ask, const struct module_world *world, struct rpc_call *call)
{
    ask->world = world;
    ask->call = call;
    ask->deadline = clock_now(&clock_machine) + ASK_NS;
}

int ask_engine(struct ask *ask, uint32_t index, mailbox_fn *fn, void *argument, int *result)
{
    struct engine *engine = ask->world->plant->engines[index].engine;
    struct pulse *pulse = ask->world->pulse;
    uint64_t now = clock_now(&clock_machine);
    uint64_t left = now < ask->deadline ? ask->deadline - now : 0;
    int error = -ETIMEDOUT;

    if (pulse_answers(pulse, index)) {
        error = mailbox_call(&engine->mailbox, fn, argument, left, result);
        if (error && left >= FAIR_NS)
            pulse_missed(pulse, index);
    }
    if (error)
        rpc_end(ask->call, RPC_UNAVAILABLE, "engine %s does not answer", engine->name);
    return error;
}
