/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/log.h"

#include "control/journal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES  1024u
#define FIELD_BYTES 80u  /* the longest: an engine's name, or 20 digits, with its key */
#define FIELDS_MAX  6    /* message, priority, identifier, session, engine, user */
#define DELETE      0x7f /* the control character beyond the printable ones */
#define MESSAGE     "MESSAGE="

static const struct {
    const char *name;
    const char *priority; /* as syslog(3) numbers them */
} levels[] = {
    [LOG_ERROR] = {"error", "PRIORITY=3"},
    [LOG_WARNING] = {"warning", "PRIORITY=4"},
    [LOG_INFO] = {"info", "PRIORITY=6"},
    [LOG_DEBUG] = {"debug", "PRIORITY=7"},
};
static bool show_debug;
static const char *own_name = "saddled";

/* The journal's fields beside the message. */
struct fields {
    char text[FIELDS_MAX][FIELD_BYTES];
    int count;
};

void log_set_verbose(bool verbose)
{
    show_debug = verbose;
}

void log_set_name(const char *name)
{
    own_name = name;
}

static void clean(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == DELETE)
            *text = '?';
    }
}

static void collect(struct fields *fields, const struct log_about *about)
{
    fields->count = 0;
    if (!about)
        return;
    if (about->session)
        snprintf(fields->text[fields->count++], FIELD_BYTES, "SADDLE_SESSION=%llu",
                 (unsigned long long)about->session);
    if (about->engine) {
        snprintf(fields->text[fields->count], FIELD_BYTES, "SADDLE_ENGINE=%s", about->engine);
        clean(fields->text[fields->count++]);
    }
    if (about->has_uid)
        snprintf(fields->text[fields->count++], FIELD_BYTES, "SADDLE_UID=%u", about->uid);
}

static struct iovec field_of(const char *text)
{
    return (struct iovec){.iov_base = (void *)text, .iov_len = strlen(text)};
}

/* `message` begins with its key. */
static int to_journal(enum log_level level, const char *message, const struct fields *fields)
{
    char identifier[FIELD_BYTES];
    struct iovec all[FIELDS_MAX];
    int count = 0;

    snprintf(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER=%s", own_name);
    all[count++] = field_of(message);
    all[count++] = field_of(levels[level].priority);
    all[count++] = field_of(identifier);

    for (int i = 0; i < fields->count; i++)
        all[count++] = field_of(fields->text[i]);
    return journal_send(all, count);
}

static void to_stderr(enum log_level level, const char *text, const struct fields *fields)
{
    char line[LINE_BYTES];
    size_t used =
        (size_t)snprintf(line, sizeof(line) - 1, "%s: %s: %s", own_name, levels[level].name, text);

    for (int i = 0; show_debug && i < fields->count && used < sizeof(line) - 1; i++)
        used += (size_t)snprintf(line + used, sizeof(line) - 1 - used, " %s", fields->text[i]);
    if (used > sizeof(line) - 2)
        used = sizeof(line) - 2;
    line[used++] = '\n';
    /* A log that cannot be written cannot be complained about either. */
    if (write(STDERR_FILENO, line, used) < 0)
        return;
}

__attribute__((format(printf, 3, 0))) static void
write_event(enum log_level level, const struct log_about *about, const char *format, va_list args)
{
    char message[LINE_BYTES] = MESSAGE;
    char *text = message + strlen(MESSAGE);
    struct fields fields;

    if (level == LOG_DEBUG && !show_debug)
        return;
    vsnprintf(text, sizeof(message) - strlen(MESSAGE), format, args);
    clean(text);
    collect(&fields, about);
    if (!journal_connected() || to_journal(level, message, &fields))
        to_stderr(level, text, &fields);
}

void log_line(enum log_level level, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_event(level, NULL, format, args);
    va_end(args);
}

void log_event(enum log_level level, const struct log_about *about, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    write_event(level, about, format, args);
    va_end(args);
}

bool log_allowed(struct log_limit *limit, enum log_level level, uint64_t now_ns)
{
    uint64_t second = now_ns / NSEC_PER_SEC;

    if (limit->second != second) {
        limit->second = second;
        limit->lines = 0;
        if (limit->left_out)
            log_line(level, "%u lines like the next one were left out", limit->left_out);
        limit->left_out = 0;
    }
    if (limit->lines < LOG_PER_SECOND) {
        limit->lines++;
        return true;
    }
    limit->left_out++;
    return false;
}
