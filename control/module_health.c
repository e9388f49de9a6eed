/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc.health.v1.Health: the daemon as a whole (""), and each group of engines ("group/main"). What
 * serves is what has a pulse.
 */
#include "control/module.h"
#include "grpc_health_v1_health.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WATCHES_MAX         256u
#define WATCHES_PER_UID_MAX 64u /* of one user who may not operate */
#define GROUP_PREFIX        "group/"
#define SERVICE_BYTES       64u

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving;
#define SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define UNKNOWN     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

struct watch {
    struct rpc_call *call; /* NULL: free */
    char service[SERVICE_BYTES];
    serving told;
};

struct health {
    const struct module_world *world;
    struct watch watches[WATCHES_MAX];
};

static serving look(const struct health *health, const char *service)
{
    const struct plant *plant = health->world->plant;
    const char *group = NULL;
    bool found = *service == '\0';

    if (!strncmp(service, GROUP_PREFIX, strlen(GROUP_PREFIX)))
        group = service + strlen(GROUP_PREFIX);
    for (uint32_t i = 0; group && i < plant->group_count; i++)
        found |= !strcmp(plant->groups[i].name, group);
    if (!found)
        return UNKNOWN;
    for (uint32_t i = 0; i < plant->engine_count; i++) {
        if ((!group || !strcmp(plant->engines[i].group, group)) &&
            !pulse_alive(health->world->pulse, i))
            return NOT_SERVING;
    }
    return SERVING;
}

static void check(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Grpc__Health__V1__HealthCheckRequest *wanted = (const void *)request;
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    response.status = look(state, wanted->service);
    if (response.status == UNKNOWN)
        rpc_end(call, RPC_NOT_FOUND, "there is no service \"%s\"", wanted->service);
    else
        rpc_answer(call, &response.base);
}

/* What a client could not be told now is still different at the next tick. */
static void tell(struct watch *watch, serving status)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    response.status = status;
    if (!rpc_send(watch->call, &response.base))
        watch->told = status;
}

static struct watch *find_free(struct health *health, const struct link_caller *caller)
{
    struct watch *found = NULL;
    uint32_t own = 0;

    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        struct watch *watched = &health->watches[i];

        if (!watched->call)
            found = watched;
        else
            own += rpc_caller(watched->call)->uid == caller->uid;
    }
    return caller->role == LINK_ROLE_OPERATE || own < WATCHES_PER_UID_MAX ? found : NULL;
}

static void watch(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Grpc__Health__V1__HealthCheckRequest *wanted = (const void *)request;
    struct health *health = state;
    struct watch *found = find_free(health, rpc_caller(call));

    if (!found || strlen(wanted->service) >= SERVICE_BYTES) {
        rpc_end(call, found ? RPC_INVALID_ARGUMENT : RPC_RESOURCE_EXHAUSTED,
                found ? "the service's name is too long" : "there are too many watches");
        return;
    }
    found->call = call;
    snprintf(found->service, sizeof(found->service), "%s", wanted->service);
    rpc_set_context(call, found);
    tell(found, look(health, found->service));
}

static void gone(void *state, struct rpc_call *call)
{
    struct watch *watched = rpc_context(call);

    (void)state;
    if (watched)
        watched->call = NULL;
}

static void tick(void *state, uint64_t now)
{
    struct health *health = state;

    (void)now;
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        struct watch *watched = &health->watches[i];
        serving status = watched->call ? look(health, watched->service) : 0;

        if (watched->call && status != watched->told)
            tell(watched, status);
    }
}

static const struct rpc_method methods[] = {
    {.name = "grpc.health.v1.Health/Check",
     .request = &grpc__health__v1__health_check_request__descriptor,
     .handle = check},
    {.name = "grpc.health.v1.Health/Watch",
     .request = &grpc__health__v1__health_check_request__descriptor,
     .handle = watch,
     .stream = true,
     .gone = gone},
};

static int create(struct module_world *world, void **state)
{
    struct health *health = calloc(1, sizeof(*health));

    if (!health)
        return -ENOMEM;
    health->world = world;
    *state = health;
    return 0;
}

const struct module module_health = {
    .name = "health",
    .about = "whether the daemon and each group serve, as gRPC asks it",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .create = create,
    .destroy = free,
    .tick = tick,
};
