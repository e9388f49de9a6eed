/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the daemon listens by TCP for saddle-control: an address and a port, as in 127.0.0.1:9464
 * and [::1]:9464. Names are not looked up.
 *
 * Ownership: the listening socket is the caller's. Threads: any.
 */
#ifndef DAEMON_ENDPOINT_H
#define DAEMON_ENDPOINT_H

#include "daemon/reason.h"

#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage address;
    socklen_t length;
};

/* 0, or -EINVAL. */
int endpoint_parse(const char *text, struct endpoint *endpoint);
/* A non-blocking socket that listens there, or a negative errno with one line in `reason`, which
 * begins with `key`. */
int endpoint_listen(const char *text, const char *key, const struct reason *reason);

#endif
