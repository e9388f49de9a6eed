/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"

#include "sched/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 1024u
#define DELETE     0x7f /* the control character beyond the printable ones */

static const char *const names[] = {
    [LOG_ERROR] = "error", [LOG_WARNING] = "warning", [LOG_INFO] = "info", [LOG_DEBUG] = "debug"};
static bool show_debug;

void log_set_verbose(bool verbose)
{
    show_debug = verbose;
}

void log_line(enum log_level level, const char *format, ...)
{
    char line[LINE_BYTES];
    size_t used;
    va_list args;

    if (level == LOG_DEBUG && !show_debug)
        return;
    used = (size_t)snprintf(line, sizeof(line), "saddled: %s: ", names[level]);
    va_start(args, format);
    vsnprintf(line + used, sizeof(line) - used - 1, format, args);
    va_end(args);
    for (; line[used]; used++) {
        if ((unsigned char)line[used] < ' ' || line[used] == DELETE)
            line[used] = '?';
    }
    line[used++] = '\n';
    /* A log that cannot be written cannot be complained about either. */
    if (write(STDERR_FILENO, line, used) < 0)
        return;
}

bool log_allowed(struct log_limit *limit, uint64_t now_ns)
{
    uint64_t second = now_ns / NSEC_PER_SEC;

    if (limit->second != second) {
        limit->second = second;
        limit->lines = 0;
    }
    return limit->lines++ < LOG_PER_SECOND;
}
