/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to the daemon with JSON in the place of messages, and how they ended in the words of a
 * person.
 *
 * Ownership: the asker's connection is made at the first question and kept. Threads: one.
 */
#ifndef TOOLS_SADDLECTL_ASK_H
#define TOOLS_SADDLECTL_ASK_H

#include "control/gateway/client.h"

#include <json-c/json.h>
#include <stdbool.h>

/* Exit statuses. */
enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHED = 3,
    EXIT_DEGRADED = 4,
};

struct asker {
    const char *socket;
    struct client_tls tls; /* without a server: by the socket */
    double timeout_s;
    struct client *client; /* NULL at first; client_destroy is the owner's */
};

struct ask_end {
    int status;       /* 0, EXIT_FAILED, EXIT_USAGE or EXIT_UNREACHED */
    const char *code; /* gRPC's name for it */
    char text[CLIENT_TEXT_BYTES];
};

/* Where the daemon was said to be. */
const char *ask_place(const struct asker *asker);

/* What an answer is handed to; false: enough of it. */
typedef bool ask_answer(void *context, struct json_object *answer);

/* Calls "package.Service/Method" and waits until it is over; or, of a stream, no longer than the
 * timeout for the first answer. Returns end->status. EXIT_USAGE: there is no such method, or the
 * request is none of its. */
int ask(struct asker *asker, const char *name, struct json_object *request, bool stream,
        ask_answer *answer, void *context, struct ask_end *end);

/* The end of a call whose answer was understood and makes no sense; returns EXIT_FAILED. */
int ask_malformed(const struct asker *asker, struct ask_end *end);

#endif
