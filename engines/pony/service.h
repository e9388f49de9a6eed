/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Services: what applications listen for.
 *
 * Ownership: a table in the engine. Threads: the engine's. Trust: names come from applications and
 * from peers.
 */
#ifndef ENGINES_PONY_SERVICE_H
#define ENGINES_PONY_SERVICE_H

#include "engines/pony/session.h"

#define SERVICE_BACKLOG 64u /* callers that wait to be accepted */

struct service {
    struct pony_session *session; /* NULL: free */
    uint64_t tag;
    uint32_t number; /* handle */
    uint32_t hash;   /* of the name, so that a flood of calls costs little */
    uint32_t waiting;
    struct list callers; /* so many connections, INCOMING */
    uint16_t generation;
    uint8_t channel;
    char name[SADDLE_NAME_BYTES];
};

/* The command. */
void service_listen(struct pony_session *session, uint32_t channel,
                    const struct saddle_command *command);
/* By name (without a final NUL), or by handle; NULL if there is none. */
struct service *service_find(struct upper *upper, const char *name, uint32_t length);
struct service *service_by_handle(struct upper *upper, uint32_t handle);
/* A connection waits to be accepted; it waits no more. */
void service_add(struct service *service, struct connection *connection);
void service_remove(struct connection *connection);
/* Ends it; callers that wait are refused. */
void service_free(struct upper *upper, struct service *service);
void service_drop(struct pony_session *session);
/* FNV-1a, 32 bits. */
uint32_t service_hash(const char *name, uint32_t length);

#endif
