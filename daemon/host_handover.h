/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hand-over moves: the host's sets, each with its ports, engines and sessions, and the
 * sockets by which others reach the daemon. It fills in the table that the protocol calls
 * (handover.h), for both sides.
 *
 * After a set went over, its engines and what they pointed to are left as they are until the
 * process ends: destroying them would touch memory and connections that the other daemon goes on
 * with. Nothing runs or reads them any more.
 *
 * Ownership: all of it is borrowed. Threads: control's.
 * Trust: as of handover.h: what the other side sends is checked by whoever takes it.
 */
#ifndef DAEMON_HOST_HANDOVER_H
#define DAEMON_HOST_HANDOVER_H

#include "control/attach.h"
#include "control/server.h"
#include "daemon/control.h"
#include "daemon/handover.h"
#include "daemon/haste.h"
#include "daemon/host.h"
#include "daemon/host_sets.h"
#include "daemon/losses.h"

#include <stdbool.h>

/* The context of host_handover_ops. A newcomer has `prepare` set, and no host or server until that
 * was called. */
struct host_handover {
    struct host *host;
    struct server *server;
    struct control *control;    /* NULL: none is configured */
    struct attach_socket *door; /* of newcomers; fd -1: the other daemon has it */
    const char *door_path;
    struct host_sets sets;
    bool has_sockets; /* a newcomer: they are this daemon's now */
    struct haste haste;
    struct losses losses; /* a newcomer's */
    /* Makes all that does not depend on what is handed over, for the other daemon's configuration,
     * and fills in the above. 0, or a negative errno with one line in `why`. */
    int (*prepare)(void *context, const char *configuration, const struct reason *why);
    void *prepare_context;
    void (*meanwhile)(void *context); /* NULL is fine */
    void *meanwhile_context;
};

extern const struct handover_ops host_handover_ops;

/* Who this side is; `configuration` is "" of a newcomer. */
struct handover_greeting host_handover_greeting(const struct host_handover *handover,
                                                const char *configuration);

/* Gives up this side's part of the sockets: they are the other daemon's. */
void host_handover_forget_sockets(struct host_handover *handover);
/* Makes sets anew that were lost with the other daemon, as after a crash: their sessions have
 * ended. 0, or a negative errno with one line in `why`. */
int host_handover_mend(struct host_handover *handover, const struct handover_report *report,
                       const struct reason *why);
/* Tells the log of each set and of the whole. */
void host_handover_tell(const struct handover_report *report);

#endif
