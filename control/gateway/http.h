/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP for monitoring: GET /metrics and GET /healthz, and nothing else. There is no authentication:
 * whoever reaches the address may ask. Each connection is for one request.
 *
 * Ownership: one for the life of the process. Threads: http_run is for one of its own, which waits
 * for the daemon's answers, so that the daemon makes one at a time. Trust: clients are strangers;
 * libmicrohttpd reads what they send, within the limits below.
 */
#ifndef CONTROL_GATEWAY_HTTP_H
#define CONTROL_GATEWAY_HTTP_H

#include "control/gateway/calls.h"

#define HTTP_CONNECTIONS_MAX 64u         /* at a time; one more ends the oldest */
#define HTTP_HEADERS_MAX     (16u << 10) /* bytes of a request, and of the answer's own headers */
#define HTTP_LIFE_MS         10000u      /* of a connection, whatever it does */

struct http;

/* `fd` listens, and is the server's from now on. 0 or a negative errno. */
int http_create(struct http **http, int fd, struct calls *calls);
/* Serves until the process ends. */
void http_run(struct http *http) __attribute__((noreturn));

#endif
