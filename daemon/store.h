/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the service manager keeps for the daemon while none runs: the attach socket and the control
 * socket, each with its lock. Whoever connects after a crash waits for the next daemon instead of
 * being refused.
 *
 * A daemon that takes over from another one has no use for what is kept: it gets the sockets
 * themselves, and they are the same that are kept.
 *
 * Ownership: what the service manager passes is here until it is taken, or until store_end; the
 * service manager has copies of its own. Threads: the control thread; store_begin before any other
 * is made. Trust: a unit may pass whatever its author wants. What has no known name is refused
 * here, what is not that socket by attach_reopen.
 */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include "control/attach.h"

enum store_place {
    STORE_ATTACH,
    STORE_CONTROL,
    STORE_PLACES,
};

/* After notify_begin: takes the descriptors that were passed, and the variables that tell of them
 * out of the environment. */
void store_begin(void);
/* Takes one that was passed by that name; the caller's no more. */
void store_add(const char *name, int fd);
/* What there is of that socket, to be taken (attach_reopen). */
struct attach_kept *store_kept(enum store_place place);
/* Has the service manager keep it, also beyond an end in order if it lies in a folder that the
 * service manager removes. NULL, and one that is not open, are fine. */
void store_keep(enum store_place place, struct attach_socket *socket);
/* Closes what nobody took. */
void store_end(void);

#endif
