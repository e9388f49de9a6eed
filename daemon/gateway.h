/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-control as the daemon sees it: a child that speaks gRPC, started, watched, and started
 * again when it ends. Calls end with it, and nothing else does.
 *
 * Ownership: owns the control socket and the others, which outlive the child, and the child.
 * Threads: control's. Trust: the child speaks with strangers; a link that breaks a rule is closed,
 * and the child killed.
 */
#ifndef DAEMON_GATEWAY_H
#define DAEMON_GATEWAY_H

#include "control/attach.h"
#include "control/module.h"
#include "control/parcel.h"
#include "control/server.h"
#include "daemon/config.h"
#include "daemon/reason.h"

#include <sys/types.h>

/* An option and a value each: who may call, by user and by certificate; CPUs, HTTP, three files. */
#define GATEWAY_ARGUMENTS_MAX (2 * (4 * CONFIG_CALLERS_MAX + 5))

struct gateway_config {
    const char *program;
    const char *socket;     /* the path of the control socket */
    mode_t mode;            /* its permission bits */
    const char *http, *tls; /* addresses to listen at as well (endpoint.h), or NULL */
    const char *arguments[GATEWAY_ARGUMENTS_MAX + 1]; /* of the program; ends with NULL */
    bool takes_over;          /* another daemon has the sockets, and hands them over */
    struct attach_kept *kept; /* what was kept of the control socket, to be taken; NULL: nothing */
};

struct gateway;

/* Takes the socket; to be called as the user who is to remove it. `config` is copied, its texts are
 * borrowed. 0, or a negative errno with one line in `reason`. */
int gateway_create(struct gateway **gateway, const struct gateway_config *config,
                   const struct reason *reason);
/* Writes all of its sockets into the open record, for another daemon; they are lent. */
void gateway_offer(const struct gateway *gateway, struct parcel_draft *draft);
/* Takes them from the open record, for a gateway that takes over: 0, or -EBADMSG with one line in
 * `reason` and nothing left behind. */
int gateway_adopt(struct gateway *gateway, struct parcel *parcel, const struct reason *reason);
/* Takes them after all, from a daemon that died before it handed them over; as gateway_create. */
int gateway_open(struct gateway *gateway, const struct reason *reason);
/* The control socket, borrowed, for somebody to keep. */
struct attach_socket *gateway_socket(struct gateway *gateway);
/* Gives up this daemon's part of them: gateway_destroy leaves them where they are. */
void gateway_forget(struct gateway *gateway);
/* Has the program look at its arguments, and at the files they name, and end: 0, or -EINVAL with
 * its own line in `reason`. Waits for it. `arguments` ends with NULL. */
int gateway_check(const char *program, const char *const *arguments, const struct reason *reason);
/* Starts the child, and sees to it from the server's loop. The world's calls are served. 0, or a
 * negative errno with one line in `reason`. */
int gateway_start(struct gateway *gateway, struct server *server, struct module_world *world,
                  const struct reason *reason);
/* Sends what answers there are. */
void gateway_flush(struct gateway *gateway);
/* Ends the child and removes the socket. NULL is fine. */
void gateway_destroy(struct gateway *gateway);

#endif
