/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The control plane of a running daemon: its modules, what they see, and saddle-control, through
 * which operators call them.
 *
 * Ownership: one per daemon; it borrows configuration, server, host and steward. Threads:
 * control's.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include "control/parcel.h"
#include "control/server.h"
#include "control/upgrader.h"
#include "control/upgrades.h"
#include "daemon/config.h"
#include "daemon/host.h"
#include "daemon/losses.h"
#include "daemon/reason.h"
#include "daemon/steward.h"

struct control;

/* Whether saddle-control can use the files that the configuration names, as this user. 0, or a
 * negative errno with one line in `reason`. */
int control_check(const struct config *config, const struct reason *reason);
/* Takes the control socket, as the user who is to remove it; or leaves it to control_adopt, if this
 * daemon takes over. *control stays NULL if none is configured. 0, or a negative errno with one
 * line in `reason`. */
int control_create(struct control **control, const struct config *config, bool takes_over,
                   const struct reason *reason);
/* Writes its sockets into the open record, for another daemon; they are lent. */
void control_offer(const struct control *control, struct parcel_draft *draft);
/* Takes them from the open record: 0, or -EBADMSG with one line in `reason`. */
int control_adopt(struct control *control, struct parcel *parcel, const struct reason *reason);
/* Takes them after all, from a daemon that died before it handed them over. NULL is fine. 0, or a
 * negative errno with one line in `reason`. */
int control_open(struct control *control, const struct reason *reason);
/* The control socket, borrowed, for somebody to keep. NULL if there is none. NULL is fine. */
struct attach_socket *control_socket(struct control *control);
/* Gives up this daemon's part of the sockets: control_destroy leaves them, and tells nobody that
 * sessions end. NULL is fine. */
void control_forget(struct control *control);
/* With the host running. 0, or a negative errno with one line in `reason`; control_destroy is due
 * in both cases. NULL is fine. */
int control_start(struct control *control, struct server *server, const struct host *host,
                  struct daemon_steward *steward, const struct reason *reason);
/* The host has other engines or ports than it had. NULL is fine. */
void control_follow(struct control *control);
/* Before control_start; borrowed until control_destroy. NULL is fine for both. */
void control_set_upgrader(struct control *control, const struct upgrader *upgrader);
/* The history of hand-overs, from control_create on, and the events, from control_start on; NULL if
 * there is no control plane. */
struct upgrades *control_upgrades(struct control *control);
struct events *control_events(struct control *control);
/* What was just added to the history under that number gets its losses, as they are now, and once
 * more when their time is over, or at control_complete; they are borrowed until then. Control is
 * started, or NULL, which keeps nothing. */
void control_await_losses(struct control *control, uint64_t number, const struct losses *losses);
/* Ends that time now, as engines are about to be another daemon's; nothing if it is over. NULL is
 * fine. */
void control_complete(struct control *control);
/* While the host still runs. NULL is fine. */
void control_destroy(struct control *control);

#endif
