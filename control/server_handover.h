/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Applications' way from one daemon to the next: the sessions of some engines at a time, and last
 * the socket with those who wait at it.
 *
 *     the one that has them                 the one that is to have them
 *     server_freeze                         server_freeze, if its loop runs meanwhile
 *     server_offer         ------------->   server_adopt      both engines' work goes on
 *     server_leave                                            no engine of them is in a group
 *     (engines saved)      ------------->   for each: server_enter, (engine loaded), server_entered
 *     server_forget                         (engines into groups), server_settle
 *       ...
 *     server_offer_socket  ------------->   server_adopt_socket
 *     server_forget_socket
 *     (it ends)                             server_thaw
 *
 * Once some engines have gone, the first stays frozen until the others have as well, or those are
 * back: it could let nobody in to them.
 *
 * An application notices nothing. Who has knocked meanwhile waits in the socket's backlog; who hung
 * up is found by whoever thaws in the end. Until server_forget the one side can have all back: the
 * other calls server_forget for its own half, the first thaws. Then, and with the roles exchanged,
 * the same engines may be offered again. Numbers of sessions are never used twice, on either side.
 *
 * Ownership: as of server.h; offered descriptors are lent to the draft. Threads: the loop's.
 * Trust: what is adopted comes from another daemon of the same user, perhaps of another version,
 * perhaps broken: it is checked. Records of other types in the same document are passed over, and
 * the reader is put back to where it was.
 */
#ifndef CONTROL_SERVER_HANDOVER_H
#define CONTROL_SERVER_HANDOVER_H

#include "control/parcel.h"
#include "control/server.h"

/* Types of the records. */
#define SERVER_RECORD_FIRST 0x0400u
#define SERVER_RECORD_LAST  0x04ffu

/* Writes down all sessions of these engines, which run, with the server frozen. 0; or a negative
 * errno with one line in `reason`: -EBUSY (a session is stuck in its engine), -ETIMEDOUT (an engine
 * does not answer), -EFAULT (a session's memory was taken away: it is to end first), or what the
 * writer says. */
int server_offer(const struct server *server, struct engine *const *engines, uint32_t count,
                 struct parcel_draft *draft, char *reason, size_t reason_bytes);
/* Makes sessions of them for these engines, which are new. Nobody has attached them yet, and nobody
 * is heard. 0; or a negative errno with one line in `reason` and nothing left behind:
 * -EPROTONOSUPPORT (a session's version of the ABI is not served), -ENODEV (an engine is not among
 * these), -EBADMSG, -ENFILE (too many), -EEXIST (an engine has some already), or another. */
int server_adopt(struct server *server, struct engine *const *engines, uint32_t count,
                 struct parcel *parcel, char *reason, size_t reason_bytes);
/* What has run until now is in no group any more: 0, or -EFAULT as above, if it happened since. */
int server_leave(const struct server *server, struct engine *const *engines, uint32_t count,
                 char *reason, size_t reason_bytes);
/* Before an engine is loaded: it gets the sessions that were adopted for it. 0 or a negative errno
 * with one line in `reason`; then, as whenever it is not loaded after this, the engine is fit only
 * to be destroyed. */
int server_enter(struct server *server, struct engine *engine, char *reason, size_t reason_bytes);
/* After that: 0, or -EPROTO if what was loaded lacks one of them. */
int server_entered(const struct server *server, struct engine *engine, char *reason,
                   size_t reason_bytes);
/* Once these engines run: their sessions are attached, and heard. */
void server_settle(struct server *server, struct engine *const *engines, uint32_t count);
/* Frees this side's half of all sessions of these engines, which never run again and are not
 * destroyed yet. Nobody is told, and nothing that the other side uses is touched. */
void server_forget(struct server *server, struct engine *const *engines, uint32_t count);

/* Writes down the attach socket with its lock, and the connections that have not attached yet; the
 * server is frozen. */
void server_offer_socket(const struct server *server, struct parcel_draft *draft);
/* Takes them, for a server that was made with `takes_over` or has forgotten its own. Its loop lets
 * applications in at once if the server is not frozen. 0, or a negative errno with one line in
 * `reason` and nothing left behind; -EEXIST it has one. */
int server_adopt_socket(struct server *server, struct parcel *parcel, char *reason,
                        size_t reason_bytes);
/* Gives up this side's half of them: the socket stays, and is the other's. */
void server_forget_socket(struct server *server);

#endif
