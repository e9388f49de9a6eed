/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's log: one line per event on standard error, `saddled: <level>: text`; or, where that
 * is connected to the system's journal, one entry there with a priority and with fields that say
 * what it is about.
 *
 * Threads: control's; engines never log. Trust: text may come from applications, so control
 * characters are replaced, and what an application can cause at will goes through a limit.
 */
#ifndef CONTROL_LOG_H
#define CONTROL_LOG_H

#include "sched/clock.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level {
    LOG_ERROR,   /* the daemon cannot do its work */
    LOG_WARNING, /* something is worse than it should be */
    LOG_INFO,    /* what an operator wants to see */
    LOG_DEBUG,   /* only with --verbose */
};

#define LOG_PER_SECOND 10u /* limited lines shown of one kind */

/* What a line is about: SADDLE_SESSION, SADDLE_ENGINE and SADDLE_UID in the journal. On standard
 * error they are appended if the log is verbose. */
struct log_about {
    uint64_t session;   /* 0: none */
    const char *engine; /* NULL: none */
    bool has_uid;
    uint32_t uid;
};

/* Of one kind of line. Zero it first. */
struct log_limit {
    uint64_t second;   /* being counted */
    uint32_t lines;    /* in it */
    uint32_t left_out; /* since one was last written */
};

void log_set_verbose(bool verbose);
/* What lines begin with instead of "saddled"; static. */
void log_set_name(const char *name);
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* `about` may be NULL. */
void log_event(enum log_level level, const struct log_about *about, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* True if one more line of this kind may be written in the second that holds `now_ns`; says first
 * how many were left out before. */
bool log_allowed(struct log_limit *limit, enum log_level level, uint64_t now_ns);

/* log_event and log_line for what others can cause at will: each place has its own limit. */
#define log_limited_event(level, about, ...)                                                       \
    do {                                                                                           \
        static struct log_limit log_here;                                                          \
        if (log_allowed(&log_here, level, clock_now(&clock_machine)))                              \
            log_event(level, about, __VA_ARGS__);                                                  \
    } while (0)
#define log_limited(level, ...) log_limited_event(level, NULL, __VA_ARGS__)

#endif
