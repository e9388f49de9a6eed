/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's C core as a client of calls that are bytes, over a Unix socket, or over TCP with TLS. The
 * only file of clients that knows the core.
 *
 * Ownership: a client owns its connection. Threads: one; calls block. Trust: the server is the
 * daemon, on the socket that the user named; over TLS, whoever the authority says it is.
 */
#ifndef CONTROL_GATEWAY_CLIENT_H
#define CONTROL_GATEWAY_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLIENT_TEXT_BYTES 1024u

struct client;

struct client_result {
    int status;    /* gRPC's code */
    bool answered; /* it is the server's word, and not what the core makes of silence */
    char text[CLIENT_TEXT_BYTES];
};

/* 0, -ENOMEM or -ENAMETOOLONG. `socket` is a path, whatever its characters. Connects when it is
 * called. */
int client_create(struct client **client, const char *socket);
/* By TLS, with a certificate of one's own: `server` is HOST:PORT, the others are files. 0, -ENOMEM,
 * or another negative errno with the file in `*fault`. */
struct client_tls {
    const char *server, *certificate, *key, *authority;
};
int client_create_tls(struct client **client, const struct client_tls *tls, const char **fault);
void client_destroy(struct client *client);

/* How long a call may take. */
struct client_patience {
    double seconds; /* below 0: for ever */
    bool first;     /* until the first answer; then the call may go on as long as it likes */
};

/* Sends one request to "package.Service/Method" and hands over each answer, until the call ends, or
 * `answer` returns false, which cancels it. */
void client_call(struct client *client, const char *method, const uint8_t *request, size_t length,
                 struct client_patience patience,
                 bool (*answer)(void *context, const uint8_t *bytes, size_t length), void *context,
                 struct client_result *result);
/* "NOT_FOUND" */
const char *client_status_name(int status);

#endif
