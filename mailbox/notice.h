/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The last word of a session: how the daemon tells an application in its arena that, and why, it is
 * not served any more.
 *
 * Threads: written once, by the engine. Trust: the arena is the application's to scribble on; it is
 * only written here, never read.
 */
#ifndef MAILBOX_NOTICE_H
#define MAILBOX_NOTICE_H

#include <stdint.h>

#include <saddle/abi.h>

/* Writes error (negative errno) and reason (cut to fit), then the state, with release. */
void notice_closed(struct saddle_arena_header *header, int32_t error, const char *reason);

#endif
