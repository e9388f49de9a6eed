/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's way from one daemon to the next: its description and its descriptors go over, then
 * what its engine knows of it, which is in the engine's own document. What the application shares
 * with the daemon stays what it is: nothing here writes into it, and no doorbell is rung.
 *
 *     one daemon                       the next
 *     session_offer    ------------->  session_adopt      nobody attached it here yet
 *     (engine saved)   ------------->  session_enter, (engine loaded), session_entered
 *     session_forget
 *
 * Until the next daemon says that it has the session, the first may go on with it as if nothing had
 * been, and the next frees its half with session_forget.
 *
 * Ownership: as of session.h; an offered descriptor is lent to the draft. Threads: control's.
 * Trust: what is adopted was written by another daemon, perhaps of another version, perhaps broken:
 * it is checked as if an application had asked for it.
 */
#ifndef CONTROL_SESSION_HANDOVER_H
#define CONTROL_SESSION_HANDOVER_H

#include "control/parcel.h"
#include "control/session.h"

/* Writes it into the open record. Errors stick to the draft. */
void session_offer(const struct session *session, struct parcel_draft *draft);

/* Reads one from the open record, for the one of the engines that has its engine's name; that is in
 * no group. 0; or a negative errno with one line in `reason` and nothing left behind:
 * -EPROTONOSUPPORT (its version of the ABI is not served), -ENODEV (no such engine), -EBADMSG. */
int session_adopt(struct session **session, struct engine *const *engines, uint32_t count,
                  struct parcel *parcel, char *reason, size_t reason_bytes);

/* Before its engine is loaded. 0, -EEXIST or -ENOSPC. */
int session_enter(struct session *session);
/* After that: it is the engine's. 0, or -EPROTO if what was loaded knows nothing of it. */
int session_entered(struct session *session);

/* Frees this daemon's half of one that is another daemon's by now, or is not to become this one's.
 * Its engine never runs again, and is not destroyed yet. */
void session_forget(struct session *session);

#endif
