/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may speak to saddle-control: the role of whoever connects to the control socket, which the
 * kernel tells before a byte of his is read. Of those who come by TLS, tls.h finds that out.
 *
 * Ownership: owns the listening socket, which the daemon made, so that nobody is turned away while
 * saddle-control is started again; connections are handed on. Threads: access_take for one,
 * the others for any. Trust: credentials are the kernel's (SO_PEERCRED, SO_PEERGROUPS: unix(7)),
 * those of the process that connected, at that time.
 */
#ifndef CONTROL_GATEWAY_ACCESS_H
#define CONTROL_GATEWAY_ACCESS_H

#include "control/link.h"
#include "control/policy.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ACCESS_RULES_MAX       256u
#define ACCESS_CONNECTIONS_MAX 256u  /* at a time, of all */
#define ACCESS_PER_UID_MAX     64u   /* of one user */
#define ACCESS_FDS_MAX         1024u /* RLIMIT_NOFILE of the process, */
#define ACCESS_FDS_KEPT        256u  /* of which these are for TLS, HTTP, the core and refusals */

/* Who has a role, root and the daemon's own user beside. */
struct access_config {
    uid_t owner; /* the daemon's own user */
    struct policy_rule observe[ACCESS_RULES_MAX], operate[ACCESS_RULES_MAX];
    uint32_t observe_count, operate_count;
};

struct access;

/* `fd` is a listening, non-blocking Unix socket, and the access's from now on. 0 or -ENOMEM. */
int access_create(struct access **access, int fd, const struct access_config *config);
/* Readable when somebody knocks. */
int access_fd(const struct access *access);
/* The connection of the next one, if he has a role; else he is turned away, and the log says so:
 * -EACCES. -EAGAIN when nobody knocks any more. */
int access_take(struct access *access);
/* Takes note of somebody who came another way, behind the connection `fd`. 0, or -EACCES: there is
 * no room for him, and he is counted as turned away. */
int access_admit(struct access *access, int fd, const struct link_caller *caller);
/* Who is at the other end of a connection that was taken. False: nobody. */
bool access_who(struct access *access, int fd, struct link_caller *caller);

/* Counts one who was turned away elsewhere. */
void access_count(struct access *access, enum link_refusal why);
/* Those turned away that the daemon has not been told of; false: none. */
bool access_refusals(struct access *access, struct link_refusals *refusals);
/* It has been told of these. */
void access_told(struct access *access, const struct link_refusals *refusals);
/* Becomes readable, once more, with each that is turned away: for an edge-triggered watch, and
 * never read. */
int access_wake_fd(const struct access *access);

#endif
