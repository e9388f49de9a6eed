/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The way from one daemon to another: the socket that newcomers knock on, and the process at the
 * other end, which can be killed and waited for.
 *
 * Ownership: a link owns its descriptors. Threads: control's.
 * Trust: who knocks is a process of the same user or root, by SO_PEERCRED, and one that this one
 * may signal; anyone else is told so and let go.
 */
#ifndef DAEMON_HANDOVER_LINK_H
#define DAEMON_HANDOVER_LINK_H

#include "control/attach.h"
#include "daemon/reason.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct handover_link {
    int socket; /* -1: none */
    int pidfd;  /* of the process at the other end */
    pid_t pid;
};

/* Listens at `path` for newcomers: attach_open, for the owner alone. */
int handover_listen(struct attach_socket *door, const char *path, const struct reason *why);

/* The next who knocked. 0; -EAGAIN nobody did; -EACCES it was sent away; or another negative errno.
 * Nothing here blocks. */
int handover_accept(int door, struct handover_link *link, const struct reason *why);
/* Tells whoever knocked that there is no time for them, and lets them go. */
void handover_turn_away(int door, const char *reason);

/* Knocks at `path`: 0, or a negative errno. */
int handover_connect(const char *path, struct handover_link *link, const struct reason *why);

/* True if the process at the other end is dead. Waits up to `patience` ns for that. */
bool handover_died(const struct handover_link *link, uint64_t patience);
/* Kills it, and returns when it is dead: then it changes nothing any more. What it had sent can
 * still be read. */
void handover_kill(const struct handover_link *link);

/* Accepts one that was never opened, of socket -1. */
void handover_hang_up(struct handover_link *link);

#endif
