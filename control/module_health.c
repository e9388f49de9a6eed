/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * grpc.health.v1.Health: the daemon as a whole (""), and each group of engines ("group/main"). What
 * serves is what has a pulse.
 */
#include "control/module.h"
#include "control/watches.h"
#include "grpc_health_v1_health.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_PREFIX  "group/"
#define SERVICE_BYTES 64u

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving;
#define SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define UNKNOWN     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

struct watch {
    char service[SERVICE_BYTES];
    serving told;
};

struct health {
    const struct module_world *world;
    struct watches watches;
    struct watch details[WATCHES_MAX]; /* of each of them */
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
static void tell(struct health *health, uint32_t place, serving status)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;

    response.status = status;
    if (!rpc_send(health->watches.calls[place], &response.base))
        health->details[place].told = status;
}

static void watch(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Grpc__Health__V1__HealthCheckRequest *wanted = (const void *)request;
    struct health *health = state;
    uint32_t place;

    if (strlen(wanted->service) >= SERVICE_BYTES) {
        rpc_end(call, RPC_INVALID_ARGUMENT, "the service's name is too long");
        return;
    }
    if (watches_add(&health->watches, call, &place))
        return;
    /* What the one before in this place was told is not what this one was. */
    health->details[place].told = 0;
    snprintf(health->details[place].service, SERVICE_BYTES, "%s", wanted->service);
    tell(health, place, look(health, wanted->service));
}

static void gone(void *state, struct rpc_call *call)
{
    struct health *health = state;

    watches_remove(&health->watches, call);
}

static void tick(void *state, uint64_t now)
{
    struct health *health = state;

    (void)now;
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        serving status = health->watches.calls[i] ? look(health, health->details[i].service) : 0;

        if (health->watches.calls[i] && status != health->details[i].told)
            tell(health, i, status);
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
