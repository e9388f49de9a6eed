/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"
#include "control/module.h"
#include "saddle_v1_configuration.pb-c.h"

#include <errno.h>
#include <stdlib.h>

static void answer_changes(struct rpc_call *call, const struct steward_answer *answer)
{
    Saddle__V1__ConfigurationChanges response = SADDLE__V1__CONFIGURATION_CHANGES__INIT;
    Saddle__V1__ConfigurationChange *list = calloc(answer->count + 1, sizeof(*list));
    Saddle__V1__ConfigurationChange **pointers = calloc(answer->count + 1, sizeof(*pointers));

    for (uint32_t i = 0; list && pointers && i < answer->count; i++) {
        struct steward_change *from = &answer->changes[i];

        saddle__v1__configuration_change__init(&list[i]);
        list[i].path = from->path;
        list[i].old = from->before;
        list[i].new_ = from->after;
        list[i].effect = from->effect;
        pointers[i] = &list[i];
    }
    response.n_changes = answer->count;
    response.changes = pointers;
    if (list && pointers)
        rpc_answer(call, &response.base);
    else
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
    free(list);
    free(pointers);
}

/* Ends a call that answers changes, and frees them. */
static void end(struct rpc_call *call, int error, struct steward_answer *answer)
{
    if (error)
        rpc_end(call, rpc_status_of(error), "%s", answer->line);
    else
        answer_changes(call, answer);
    steward_answer_free(answer);
}

/* The same for a call that has changed something. */
static void end_change(const struct module_world *world, struct rpc_call *call, int error,
                       struct steward_answer *answer)
{
    module_log_change(world, call, error, answer);
    end(call, error, answer);
}

/* NULL, and the call is over, if there is none. */
static const struct steward *steward_of(const struct module_world *world, struct rpc_call *call)
{
    if (!world->steward)
        rpc_end(call, RPC_UNAVAILABLE, "the configuration of this daemon cannot be reached");
    return world->steward;
}

static void show(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const struct steward *steward = steward_of(state, call);
    Saddle__V1__ConfigurationText response = SADDLE__V1__CONFIGURATION_TEXT__INIT;
    struct steward_answer answer = {0};
    char *text = NULL;
    int error;

    (void)request;
    if (!steward)
        return;
    error = steward->ops->show(steward->context, &text, &answer);
    if (error) {
        end(call, error, &answer);
        return;
    }
    response.text = text;
    rpc_answer(call, &response.base);
    steward_answer_free(&answer);
    free(text);
}

static void check(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__CheckConfigurationRequest *wanted = (const void *)request;
    const struct steward *steward = steward_of(state, call);
    Saddle__V1__CheckConfigurationResponse response =
        SADDLE__V1__CHECK_CONFIGURATION_RESPONSE__INIT;
    struct steward_answer answer = {0};
    int error;

    if (!steward)
        return;
    error = steward->ops->check(steward->context, wanted->text, &answer);
    if (error) {
        end(call, error, &answer);
        return;
    }
    rpc_answer(call, &response.base);
    steward_answer_free(&answer);
}

static void diff(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__DiffConfigurationRequest *wanted = (const void *)request;
    const struct steward *steward = steward_of(state, call);
    struct steward_answer answer = {0};

    if (steward)
        end(call, steward->ops->diff(steward->context, wanted->text, &answer), &answer);
}

static void apply(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ApplyConfigurationRequest *wanted = (const void *)request;
    const struct steward *steward = steward_of(state, call);
    struct steward_answer answer = {0};

    if (steward)
        end_change(state, call,
                   steward->ops->apply(steward->context, wanted->text, wanted->disrupt, &answer),
                   &answer);
}

static void rollback(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__RollbackConfigurationRequest *wanted = (const void *)request;
    const struct steward *steward = steward_of(state, call);
    struct steward_answer answer = {0};

    if (steward)
        end_change(state, call, steward->ops->rollback(steward->context, wanted->disrupt, &answer),
                   &answer);
}

static void reload(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const struct steward *steward = steward_of(state, call);
    struct steward_answer answer = {0};

    (void)request;
    if (steward)
        end_change(state, call, steward->ops->reload(steward->context, &answer), &answer);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Configuration/Show",
     .request = &saddle__v1__show_configuration_request__descriptor,
     .handle = show},
    {.name = "saddle.v1.Configuration/Check",
     .request = &saddle__v1__check_configuration_request__descriptor,
     .handle = check},
    {.name = "saddle.v1.Configuration/Diff",
     .request = &saddle__v1__diff_configuration_request__descriptor,
     .handle = diff},
    {.name = "saddle.v1.Configuration/Apply",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__apply_configuration_request__descriptor,
     .handle = apply},
    {.name = "saddle.v1.Configuration/Rollback",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__rollback_configuration_request__descriptor,
     .handle = rollback},
    {.name = "saddle.v1.Configuration/Reload",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__reload_configuration_request__descriptor,
     .handle = reload},
};

const struct module module_configuration = {
    .name = "configuration",
    .about = "what the daemon runs, and changing it",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
