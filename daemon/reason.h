/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Why something cannot be started: one line for the operator, with the command that mends it where
 * there is one.
 *
 * Ownership: the text is its caller's. Threads: one.
 */
#ifndef DAEMON_REASON_H
#define DAEMON_REASON_H

#include <stddef.h>

struct reason {
    char *text;
    size_t bytes;
};

/* Writes the line and returns `error`. */
int reason_set(const struct reason *reason, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
