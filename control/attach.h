/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Attaching: the Unix socket that applications knock on, and the two datagrams of the handshake.
 *
 * Ownership: an open attach_socket owns its path; a lock file beside it (PATH.lock) says that it is
 * served, so that the socket of a dead daemon is replaced and that of a live one is not. A service
 * manager may keep both open for a daemon to come: then nobody else can take the path meanwhile.
 * Threads: control's. Nothing here blocks.
 * Trust: applications are hostile. A request is taken only in its exact size and without
 * descriptors; the kernel drops those that come (no room is given for them), so none is ever open
 * in the daemon.
 */
#ifndef CONTROL_ATTACH_H
#define CONTROL_ATTACH_H

#include "control/parcel.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#include <saddle/abi.h>

#define ATTACH_FDS_MAX (1 + 2 * SADDLE_CHANNELS_MAX) /* descriptors of one reply */

struct attach_socket {
    int fd; /* listening, non-blocking; -1: none */
    int lock_fd;
    bool stays; /* attach_close leaves it at its path, as somebody else keeps it open */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

/* What was kept of one while no daemon ran. */
struct attach_kept {
    const char *name; /* what it was kept as */
    int fd, lock_fd;  /* -1: none */
    bool refused;     /* a part of it was no good */
};

/* Listens at `path`, for sockets of that type (SOCK_SEQPACKET for applications), with permission
 * bits `mode`. 0, or a negative errno with one line in `reason`: -EADDRINUSE a daemon serves it,
 * -EEXIST something there is no socket. */
int attach_open(struct attach_socket *socket, int type, const char *path, mode_t mode, char *reason,
                size_t reason_bytes);
/* The same, with what was kept where it is that socket: whoever connected meanwhile is served. It
 * has to be of that type, bound to that path, listening, this user's and still there, and kept with
 * its lock. What is no good is closed, with a line in the log that names it, and replaced. What
 * was kept stays. `kept` (NULL: nothing) has no descriptors any more. */
int attach_reopen(struct attach_socket *socket, int type, const char *path, mode_t mode,
                  struct attach_kept *kept, char *reason, size_t reason_bytes);
/* Removes the socket and its lock, unless it stays. */
void attach_close(struct attach_socket *socket);

/* Writes an open one into the open record, for another daemon; the descriptors are lent. */
void attach_offer(const struct attach_socket *socket, struct parcel_draft *draft);
/* Takes one from the open record, which has to listen at `path` for sockets of that type: the lock
 * is this daemon's as well from now on. 0, or -EBADMSG with one line in `reason` and nothing left
 * behind. */
int attach_adopt(struct attach_socket *socket, int type, const char *path, struct parcel *parcel,
                 char *reason, size_t reason_bytes);
/* Whoever connects is told by the kernel who listens (SO_PEERCRED): from now on this process,
 * instead of the one that did so before. */
void attach_claim(const struct attach_socket *socket);
/* Gives up this daemon's part of one that another has as well: socket and lock stay. */
void attach_forget(struct attach_socket *socket);

/* A request as it arrived, `bytes` long (it may be longer than a request is), with or without
 * descriptors: 0 with *request filled, or -EPROTO with the reply's error and reason set. */
int attach_check(const void *datagram, size_t bytes, bool descriptors,
                 struct saddle_attach_request *request, struct saddle_attach_reply *reply);

/* Receives and checks the request. 0; -EPROTO as above; -EAGAIN nothing there yet; -ECONNRESET the
 * application is gone. */
int attach_receive(int fd, struct saddle_attach_request *request,
                   struct saddle_attach_reply *reply);

/* Sends the reply with `count` descriptors. 0 or a negative errno. */
int attach_send(int fd, const struct saddle_attach_reply *reply, const int *fds, uint32_t count);

/* Sets a refusal: error and one line of reason. Returns `error`. */
int attach_refuse(struct saddle_attach_reply *reply, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
