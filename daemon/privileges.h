/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Privileges: what the daemon keeps of those it was started with, and as whom it runs.
 *
 * In two steps. Before anything is opened: the user that the configuration names, and no capability
 * but those that opening the configuration's ports takes. Once they are open: what is left to lock
 * memory and to raise priorities; and on the control thread alone, where the kernel owns an
 * interface, CAP_NET_ADMIN, without which it does not look for neighbours on request; and there, if
 * a newer daemon can take over, what its ports take: they are opened again if that one dies with
 * them.
 *
 * Ownership: plain data. Threads: the main one, which becomes the control thread; every thread that
 * is made after the first step drops the rest itself. Trust: none is given to the program later: no
 * execve brings anything back.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include "daemon/config.h"
#include "daemon/reason.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Capabilities are sets of bits, by their number. */
struct privileges {
    uint64_t open;   /* needed by the ports until they are open */
    uint64_t serve;  /* needed by the control thread afterwards */
    uint64_t locked; /* bytes that the kernel locks for the ports, at least */
    bool change;     /* of user: */
    uid_t uid;
    gid_t gid;
};

/* What the configuration needs. 0, -ENOENT (no such user), or -EPERM (only root becomes another
 * user). */
int privileges_plan(struct privileges *privileges, const struct config *config,
                    const struct reason *reason);

/* The first step, before any thread is made. Gains: as many descriptors and as much locked memory
 * as the hard limits allow. Gives up: root, if another user is to be, new privileges by execve,
 * every capability but those planned, and, unless `debuggable`, being dumped and traced, as
 * applications' data pass through. A warning in the log names what is missing. 0 or a negative
 * errno. */
int privileges_begin(const struct privileges *privileges, bool debuggable,
                     const struct reason *reason);

/* The second step, with the ports open and before engines run, on all threads: those of EAL are
 * waited for. Says in the log what is kept and as whom. 0 or a negative errno. */
int privileges_settle(const struct privileges *privileges, const struct reason *reason);

/* A thread of engines, as it starts: 0 or a negative errno. */
int privileges_of_engines(void);

#endif
