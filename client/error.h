/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the last failed call on this thread tripped over, in one line.
 *
 * A constant line costs one store, so that even -EAGAIN on the fast path can have one; lines with
 * particulars are formatted into a buffer of the thread.
 *
 * Ownership: the thread's. Threads: every thread has its own line.
 */
#ifndef CLIENT_ERROR_H
#define CLIENT_ERROR_H

/* Remembers a line of static storage and returns `error`. */
int client_error(int error, const char *line);
/* The same with a formatted line. */
int client_errorf(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The line, or an empty string if nothing has failed on this thread. */
const char *client_error_line(void);

#endif
