/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/quanta.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct line {
    char *text;
    size_t bytes, used;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    va_list args;
    int more;

    va_start(args, format);
    more = vsnprintf(line->text + line->used, line->bytes - line->used, format, args);
    va_end(args);
    if (more > 0)
        line->used += (size_t)more;
    if (line->used >= line->bytes)
        line->used = line->bytes - 1;
}

/* What an errno of the kernel means for who asked for a class. */
static const char *meaning(enum quanta_class class, int error)
{
    if (error == -EPERM && class == QUANTA_DEADLINE)
        return "no sys_nice, or not all CPUs";
    if (error == -EPERM && class == QUANTA_FIFO)
        return "no sys_nice, or no real-time runtime in its cgroup";
    if (error == -EPERM || error == -EACCES)
        return "no sys_nice";
    if (error == -EBUSY)
        return "the kernel has given it to others";
    if (error == -EDQUOT)
        return "this daemon has used its part";
    return strerror(-error);
}

static void add_refusals(struct line *line, const struct quanta_stats *stats)
{
    for (int class = QUANTA_CLASSES - 1; class >= 0; class --) {
        const struct quanta_refusal *refused = &stats->refused[class];

        if (refused->error)
            add(line, "; %s refused: %s: %s, %s", quanta_class_name((enum quanta_class) class),
                refused->call, strerrorname_np(-refused->error),
                meaning((enum quanta_class) class, refused->error));
    }
    if (stats->lost)
        add(line, "; %s lost: %s, %s", quanta_class_name(QUANTA_FIFO),
            strerrorname_np(-stats->lost), meaning(QUANTA_FIFO, stats->lost));
}

const char *quanta_explain(const struct quanta_stats *stats, char *text, size_t bytes)
{
    const struct quanta_habits *habits = &stats->habits;
    struct line line = {text, bytes, 0};

    if (stats->wanted != QUANTA_AUTO)
        add(&line, "configured: %s", quanta_class_name(stats->wanted));
    else if (stats->class == QUANTA_ORDINARY && !habits->sleeps && habits->everywhere)
        add(&line, "auto: never sleeps, and has no CPUs of its own");
    else
        add(&line, "auto: %s", habits->sleeps ? "sleeps when idle" : "has CPUs of its own");
    add_refusals(&line, stats);
    return text;
}

bool quanta_is_refused(const struct quanta_stats *stats)
{
    for (int i = 0; i < QUANTA_CLASSES; i++) {
        if (stats->refused[i].error)
            return true;
    }
    return stats->lost != 0;
}
