/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/handover.h"

#include <stdio.h>

/* Greetings are words. Whoever is asked to accept one prepares itself for all of it first, as a
 * daemon that starts: devices are looked for and memory is reserved. */
#define GREETING_NS (5 * NSEC_PER_SEC)
#define PREPARE_NS  (30 * NSEC_PER_SEC)
/* Of a set, or of what belongs to none: thousands of descriptors, mappings and tables, while
 * everybody works on. */
#define BUILD_NS (30 * NSEC_PER_SEC)
/* Twice the longest blackout: the giver's own bound comes first. */
#define LEAVE_NS (2 * HANDOVER_BLACKOUT_MAX_NS)
/* A taker says ACTIVE within the budget or not at all. What it said then is on its way for so long
 * at most, also where a CPU has much to do; a shorter time would kill those who were in time. */
#define ON_ITS_WAY_NS (100 * NSEC_PER_MSEC)
/* A process that ends gives back all of its memory. */
#define END_NS (10 * NSEC_PER_SEC)

static const struct {
    const char *name;
    uint64_t limit;
} steps[HANDOVER_STEPS] = {
    [HANDOVER_HELLO] = {"hello", GREETING_NS},
    [HANDOVER_WELCOME] = {"welcome", GREETING_NS},
    [HANDOVER_ACCEPT] = {"accept", PREPARE_NS},
    [HANDOVER_FIRST] = {"first", BUILD_NS},
    [HANDOVER_TAKE_FIRST] = {"take-first", BUILD_NS},
    [HANDOVER_OFFER] = {"offer", BUILD_NS},
    [HANDOVER_ADOPT] = {"adopt", BUILD_NS},
    [HANDOVER_LEAVE] = {"leave", LEAVE_NS},
    [HANDOVER_ENTER] = {"enter", ON_ITS_WAY_NS},
    [HANDOVER_ACTIVE] = {"active", ON_ITS_WAY_NS},
    [HANDOVER_RUN] = {"run", ON_ITS_WAY_NS},
    [HANDOVER_FORGET] = {"forget", BUILD_NS},
    [HANDOVER_LAST] = {"last", BUILD_NS},
    [HANDOVER_TAKE_LAST] = {"take-last", BUILD_NS},
    [HANDOVER_END] = {"end", END_NS},
};

const char *handover_step_name(enum handover_step step)
{
    return step < HANDOVER_STEPS ? steps[step].name : "?";
}

uint64_t handover_limit(enum handover_step step)
{
    return steps[step].limit;
}

static const char *const outcomes[] = {
    [HANDOVER_UNTOUCHED] = "nothing moved, the old daemon works on",
    [HANDOVER_CHECKED] = "everything could move, nothing did",
    [HANDOVER_MOVED] = "everything moved",
    [HANDOVER_CAME_BACK] = "what had moved came back, the old daemon works on",
    [HANDOVER_SPLIT] = "each daemon has a part",
    [HANDOVER_ALONE] = "the other daemon is dead",
};

static uint32_t count(const struct handover_report *report, enum handover_place place)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < report->set_count; i++)
        found += report->sets[i].place == place;
    return found;
}

void handover_report_line(const struct handover_report *report, char *line, size_t bytes)
{
    int length =
        snprintf(line, bytes,
                 "hand-over %s process %d%s: %s%s; sets: %u here, %u there, %u lost; took %llu ms",
                 report->newcomer ? "from" : "to", report->peer,
                 report->killed ? ", which was killed" : "", outcomes[report->outcome],
                 report->set_count ? "" : ", there are no sets", count(report, HANDOVER_HERE),
                 count(report, HANDOVER_THERE), count(report, HANDOVER_LOST),
                 (unsigned long long)(report->total_ns / NSEC_PER_MSEC));

    if (report->error && length > 0 && (size_t)length < bytes)
        snprintf(line + length, bytes - (size_t)length, "; at \"%s\"%s%s: %s",
                 handover_step_name(report->step),
                 report->set < report->set_count ? " of set " : "",
                 report->set < report->set_count ? report->sets[report->set].name : "",
                 report->reason);
}

static unsigned long long us(uint64_t ns)
{
    return ns / NSEC_PER_USEC;
}

void handover_set_line(const struct handover_report *report, uint32_t set, char *line, size_t bytes)
{
    static const char *const places[] = {
        [HANDOVER_HERE] = "here",
        [HANDOVER_THERE] = "there",
        [HANDOVER_LOST] = "lost",
    };
    const struct handover_set_report *one = &report->sets[set];

    snprintf(line, bytes,
             "set %s: %s; brownout %llu us, blackout %llu us (leave %llu, enter %llu, run %llu), "
             "state %llu bytes; step \"%s\"%s%s",
             one->name, places[one->place], us(one->brownout_ns), us(one->blackout_ns),
             us(one->took[HANDOVER_LEAVE]), us(one->took[HANDOVER_ENTER]),
             us(one->took[HANDOVER_RUN]), (unsigned long long)one->state_bytes,
             handover_step_name(one->step), one->error ? ": " : "", one->reason);
}
