/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls of saddle-control, between gRPC's core and the link to the daemon. Messages are bytes
 * to it.
 *
 * Ownership: calls own what is under way in either direction: of each call one request, and as many
 * answers as the daemon has credits for. Threads: two, the core's and the link's, under one lock.
 * Trust: clients are strangers; the daemon is trusted, though a frame that is none of its kind ends
 * the process.
 */
#ifndef CONTROL_GATEWAY_CALLS_H
#define CONTROL_GATEWAY_CALLS_H

#include "control/gateway/access.h"
#include "control/gateway/core.h"
#include "control/link.h"

struct calls;

/* 0 or -ENOMEM. The link is the calls' from now on; `access` says who is behind a connection. */
int calls_create(struct calls **calls, struct link link, struct access *access);
extern const struct core_handlers calls_handlers; /* of which a struct calls is the gateway */

/* Calls one of the methods that are for saddle-control itself (LINK_HTTP), as one who may observe,
 * and waits for the end, at most `timeout_ms`. */
struct calls_answer {
    int status; /* gRPC's code */
    char text[LINK_TEXT_MAX + 1];
    uint8_t *bytes; /* to be freed; NULL: there was no answer */
    size_t length;
};
void calls_ask(struct calls *calls, const char *method, uint32_t timeout_ms,
               struct calls_answer *answer);

/* The link's thread: what has arrived, and what could not be sent before. 0, -EPIPE (the daemon is
 * gone), or -EPROTO. */
int calls_work(struct calls *calls);
/* Whether the link has to be watched for room as well. */
bool calls_wait_for_room(struct calls *calls);
/* Readable when that has changed. */
int calls_wake_fd(const struct calls *calls);

#endif
