/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The old daemon's part of an upgrade: the door that a newer one knocks on, and giving it all there
 * is.
 *
 * Ownership: it owns the door; server, host, control and watchdog are borrowed.
 * Threads: control's; while something is given the server's loop waits.
 * Trust: as of handover_link.h.
 */
#ifndef DAEMON_UPGRADE_H
#define DAEMON_UPGRADE_H

#include "control/attach.h"
#include "control/server.h"
#include "control/upgrader.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/handover.h"
#include "daemon/host.h"
#include "daemon/reason.h"
#include "daemon/watchdog.h"

#include <stdbool.h>

struct upgrade;

/* Takes the socket, as the user who is to remove it, unless another daemon has it and is to hand it
 * over. 0 also if none is configured; or a negative errno with one line in `reason`. */
int upgrade_create(struct upgrade **upgrade, const struct config *config, bool takes_over,
                   const struct reason *reason);
/* Takes it after all, from a daemon that died before it handed it over. 0, or a negative errno with
 * one line in `reason`. */
int upgrade_open(struct upgrade *upgrade, const struct reason *reason);
/* What another daemon hands over is put there. */
struct attach_socket *upgrade_door(struct upgrade *upgrade);

/* From now on, with the host running, whoever knocks is given all of it. `control` and `watchdog`
 * may be NULL. 0 or a negative errno. */
int upgrade_serve(struct upgrade *upgrade, struct server *server, struct host *host,
                  struct control *control, struct watchdog *watchdog);
/* Whether another daemon has everything: this one is to end, and to leave all as it is. */
bool upgrade_is_over(const struct upgrade *upgrade);
/* What operators ask to have this daemon replaced; NULL if no socket is configured, at which it
 * could be. */
const struct upgrader *upgrade_upgrader(const struct upgrade *upgrade);
/* Keeps what came of a hand-over where operators look: history and events, of which `control`, NULL
 * or started, has both. `losses`: the newcomer's, borrowed as long as control is, whose second
 * figure follows; NULL: none are known. */
void upgrade_tell(struct control *control, const struct handover_report *report,
                  const struct losses *losses);
/* Removes the socket, if it is this daemon's. NULL is fine. */
void upgrade_destroy(struct upgrade *upgrade);

#endif
