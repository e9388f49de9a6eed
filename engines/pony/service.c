/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/service.h"

#include "engines/pony/connection.h"
#include "engines/pony/directory.h"

#include <string.h>

#define FNV_OFFSET 2166136261u
#define FNV_PRIME  16777619u

uint32_t service_hash(const char *name, uint32_t length)
{
    uint32_t hash = FNV_OFFSET;

    for (uint32_t i = 0; i < length; i++)
        hash = (hash ^ (uint8_t)name[i]) * FNV_PRIME;
    return hash;
}

struct service *service_find(struct upper *upper, const char *name, uint32_t length)
{
    if (length == 0 || length >= SADDLE_NAME_BYTES)
        return NULL;
    uint32_t hash = service_hash(name, length);
    for (uint32_t i = 0; i < UPPER_LISTENERS; i++) {
        struct service *service = &upper->services[i];
        if (service->session && service->hash == hash && memcmp(service->name, name, length) == 0 &&
            service->name[length] == '\0')
            return service;
    }
    return NULL;
}

struct service *service_by_handle(struct upper *upper, uint32_t handle)
{
    uint32_t index = (handle & HANDLE_INDEX_MASK) - HANDLE_LISTENERS;

    if ((handle & HANDLE_INDEX_MASK) < HANDLE_LISTENERS || index >= UPPER_LISTENERS)
        return NULL;
    struct service *service = &upper->services[index];
    return service->session && service->number == handle ? service : NULL;
}

void service_listen(struct pony_session *session, uint32_t channel,
                    const struct saddle_command *command)
{
    struct upper *upper = session->upper;
    char name[SADDLE_NAME_BYTES];
    int error = session_text(session, command, name, sizeof(name));

    if (!error && strnlen(name, sizeof(name)) + 1 != command->len)
        error = -EINVAL;
    if (!error && service_find(upper, name, command->len - 1))
        error = -EADDRINUSE;
    if (!error && !session_quota_allows(session->listener_count, session->config.grant.listeners)) {
        counter_add(&upper->counters.over_quota, 1);
        error = -EDQUOT;
    }
    uint32_t index = error ? POOL_NONE : pool_take(&upper->service_pool);
    if (!error && index == POOL_NONE)
        error = -ENOSPC;
    if (!error && upper->directory) {
        error =
            directory_enter(upper->directory, upper->directory_row, index, name, command->len - 1);
        if (error)
            pool_give(&upper->service_pool, index);
    }
    if (error) {
        session_answer(session, channel, command, error, 0, 0);
        return;
    }
    struct service *service = &upper->services[index];
    service->generation = generation_next(service->generation);
    service->number =
        (uint32_t)service->generation << HANDLE_INDEX_BITS | (HANDLE_LISTENERS + index);
    service->session = session;
    service->tag = command->tag;
    service->channel = (uint8_t)channel;
    service->waiting = 0;
    list_init(&service->callers);
    session->listener_count++;
    memcpy(service->name, name, sizeof(name));
    service->hash = service_hash(name, command->len - 1);
    session_answer(session, channel, command, 0, service->number, 0);
}

void service_add(struct service *service, struct connection *connection)
{
    connection->service = service;
    list_push(&service->callers, &connection->thirst);
    service->waiting++;
}

void service_remove(struct connection *connection)
{
    connection->service->waiting--;
    list_remove(&connection->thirst);
    connection->service = NULL;
}

void service_free(struct upper *upper, struct service *service)
{
    struct list *node;

    while ((node = list_first(&service->callers)))
        connection_refuse(LIST_OF(node, struct connection, thirst), -ECONNREFUSED);
    service->session->listener_count--;
    service->session = NULL;
    if (upper->directory)
        directory_leave(upper->directory, upper->directory_row,
                        (uint32_t)(service - upper->services));
    pool_give(&upper->service_pool, (uint32_t)(service - upper->services));
}

void service_drop(struct pony_session *session)
{
    struct upper *upper = session->upper;

    for (uint32_t i = 0; i < UPPER_LISTENERS; i++)
        if (upper->services[i].session == session)
            service_free(upper, &upper->services[i]);
}
