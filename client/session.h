/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library knows of a session, shared by its own files and by tests that put a session on
 * memory of their own instead of attaching.
 *
 * Ownership: the session owns its channels; it owns the arena mapping and the descriptors only if
 * it attached.
 * Threads: see saddle.h.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include <saddle/abi.h>
#include <saddle/saddle.h>

/* Builds a session over an arena that is already mapped and formatted. `doorbells` holds, per
 * channel, the engine's eventfd and the application's socket; NULL: none, and saddle_wait answers
 * -ENOTSUP. The session borrows arena and descriptors. 0, -EINVAL or -ENOMEM. */
int session_open(struct saddle_session **session, const struct saddle_attach_reply *reply,
                 void *arena, const int (*doorbells)[2]);

#endif
