/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the system's journal, for the log: apart from it, as names of syslog(3) and of the log
 * are the same.
 *
 * Ownership: none. Threads: any. Trust: fields are the log's, already cleaned.
 */
#ifndef CONTROL_JOURNAL_H
#define CONTROL_JOURNAL_H

#include <stdbool.h>
#include <sys/uio.h>

/* Does standard error end in the journal? */
bool journal_connected(void);
/* One entry of `count` fields, KEY=VALUE each. 0 or a negative errno. */
int journal_send(const struct iovec *fields, int count);

#endif
