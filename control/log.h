/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's log: one line per event on standard error, `saddled: <level>: text`.
 *
 * Threads: control's; engines never log. Trust: text may come from applications, so control
 * characters are replaced, and what an application can cause at will goes through a limit.
 */
#ifndef CONTROL_LOG_H
#define CONTROL_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_ERROR,   /* the daemon cannot do its work */
    LOG_WARNING, /* something is worse than it should be */
    LOG_INFO,    /* what an operator wants to see */
    LOG_DEBUG,   /* only with --verbose */
};

#define LOG_PER_SECOND 10u /* limited lines shown of one kind */

/* Of one kind of line. Zero it first. */
struct log_limit {
    uint64_t second; /* being counted */
    uint32_t lines;  /* in it */
};

void log_set_verbose(bool verbose);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* True if one more line of this kind may be written in the second that holds `now_ns`. */
bool log_allowed(struct log_limit *limit, uint64_t now_ns);

#endif
