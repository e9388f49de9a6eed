/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/handover.h"

#include "daemon/handover_private.h"
#include "sched/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- What went on ---- */

struct reason handover_why(struct handover *handover)
{
    handover->text[0] = '\0';
    return (struct reason){handover->text, sizeof(handover->text)};
}

/* The time since the last one began is the last one's. */
void handover_at(struct handover *handover, enum handover_step step, uint32_t set)
{
    struct handover_report *report = handover->report;
    uint64_t now = clock_now(&clock_machine);
    uint64_t took = handover->began ? now - handover->began : 0;

    if (handover->set == HANDOVER_NO_SET)
        report->took[handover->step] += took;
    else
        report->sets[handover->set].took[handover->step] += took;
    handover->step = step;
    handover->set = set;
    handover->began = now;
    if (set != HANDOVER_NO_SET)
        report->sets[set].step = step;
    if (handover->ops->at)
        handover->ops->at(handover->context, step, set, handover->back);
}

int handover_note(struct handover *handover)
{
    struct handover_report *report = handover->report;

    if (!handover->text[0])
        snprintf(handover->text, sizeof(handover->text), "%s", strerror(-handover->error));
    if (handover->set != HANDOVER_NO_SET && !report->sets[handover->set].error) {
        struct handover_set_report *set = &report->sets[handover->set];

        set->error = handover->error;
        memcpy(set->reason, handover->text, sizeof(set->reason));
    }
    if (!report->error) {
        report->error = handover->error;
        report->step = handover->step;
        report->set = handover->set;
        memcpy(report->reason, handover->text, sizeof(report->reason));
    }
    return handover->error;
}

int handover_fail(struct handover *handover, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(handover->text, sizeof(handover->text), format, args);
    va_end(args);
    handover->error = error;
    return handover_note(handover);
}

static void begin(struct handover *handover, struct handover_link *link,
                  const struct handover_settings *settings, const struct handover_ops *ops,
                  void *context, struct handover_report *report)
{
    *report = (struct handover_report){
        .peer = (int)link->pid,
        .step = HANDOVER_END,
        .set = HANDOVER_NO_SET,
    };
    *handover = (struct handover){
        .link = link,
        .settings = settings,
        .ops = ops,
        .context = context,
        .report = report,
        .check = settings->check,
        .set = HANDOVER_NO_SET,
    };
}

/* ---- The end, on either side ---- */

static uint32_t count(const struct handover_report *report, enum handover_place place)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < report->set_count; i++)
        found += report->sets[i].place == place;
    return found;
}

static enum handover_outcome outcome(const struct handover *handover, enum handover_verdict verdict)
{
    const struct handover_report *report = handover->report;

    if (verdict == HANDOVER_WELL)
        return handover->check ? HANDOVER_CHECKED : HANDOVER_MOVED;
    if (handover->dead)
        return HANDOVER_ALONE;
    if (count(report, report->newcomer ? HANDOVER_HERE : HANDOVER_THERE) > 0)
        return HANDOVER_SPLIT;
    return handover->moved ? HANDOVER_CAME_BACK : HANDOVER_UNTOUCHED;
}

static void end(struct handover *handover, enum handover_verdict verdict, uint64_t began)
{
    struct handover_report *report = handover->report;

    handover_tell(handover);
    handover_at(handover, HANDOVER_END, HANDOVER_NO_SET);
    if (handover->dead && verdict != HANDOVER_WELL) {
        for (uint32_t i = 0; i < report->set_count; i++) {
            if (report->sets[i].place == HANDOVER_THERE)
                report->sets[i].place = HANDOVER_LOST;
        }
    }
    report->outcome = outcome(handover, verdict);
    report->total_ns = clock_now(&clock_machine) - began;
}

enum handover_verdict handover_judge(struct handover *handover, int error)
{
    if (!error)
        return HANDOVER_WELL;
    handover->error = error;
    handover_note(handover);
    handover_owe(handover);
    return HANDOVER_STAYED;
}

/* Something went wrong after `count` sets had moved: each is given back by who has it. One that
 * cannot come back stays. */
static void bring_back(struct handover *handover, uint32_t count)
{
    enum handover_verdict verdict = HANDOVER_STAYED;

    handover_tell(handover);
    handover->back = true;
    handover->moved |= count > 0;
    while (count-- > 0 && verdict != HANDOVER_PARTED && verdict != HANDOVER_GONE_BY &&
           !handover->dead) {
        if (handover->report->newcomer)
            verdict = handover_give_set(handover, count);
        else
            verdict = handover_take_set(handover, count);
    }
}

/* ---- The giver ---- */

static int name_sets(struct handover *handover)
{
    struct handover_report *report = handover->report;
    struct reason why = handover_why(handover);
    uint32_t sets = handover->ops->sets(handover->context);

    if (sets > HANDOVER_SETS_MAX)
        return reason_set(&why, -E2BIG, "there are %u sets, more than %u", sets, HANDOVER_SETS_MAX);
    report->set_count = sets;
    for (uint32_t i = 0; i < sets; i++)
        snprintf(report->sets[i].name, sizeof(report->sets[i].name), "%s",
                 handover->ops->set_name(handover->context, i));
    return 0;
}

static enum handover_verdict welcome(struct handover *handover)
{
    struct parcel_draft draft;
    struct parcel parcel;
    int error;

    handover_at(handover, HANDOVER_HELLO, HANDOVER_NO_SET);
    error =
        handover_hear(handover, HANDOVER_SAYS_HELLO, &parcel, handover_deadline(HANDOVER_HELLO));
    if (error)
        return handover_unheard(handover, error, HANDOVER_SAYS_NOTHING, NULL);
    handover_at(handover, HANDOVER_WELCOME, HANDOVER_NO_SET);
    error = handover_greeting_get(handover, &parcel);
    parcel_destroy(&parcel);
    if (!error)
        error = name_sets(handover);
    if (error)
        return handover_judge(handover, error);
    handover_draft(handover, &draft);
    handover_greeting_put(handover, &draft);
    error = handover_say(handover, HANDOVER_SAYS_WELCOME, &draft);
    handover_at(handover, HANDOVER_ACCEPT, HANDOVER_NO_SET);
    if (!error)
        error = handover_hear_word(handover, HANDOVER_SAYS_ACCEPTED,
                                   handover_deadline(HANDOVER_ACCEPT));
    return error ? handover_unheard(handover, error, HANDOVER_SAYS_ACCEPTED, NULL) : HANDOVER_WELL;
}

/* What belongs to no set, and the answer to it. */
static enum handover_verdict give_global(struct handover *handover, enum handover_step step,
                                         enum handover_word word, enum handover_word answer,
                                         int (*give)(void *context, struct parcel_draft *draft,
                                                     const struct reason *why))
{
    struct reason why = handover_why(handover);
    struct parcel_draft draft;
    enum handover_verdict verdict;
    int error;

    handover_at(handover, step, HANDOVER_NO_SET);
    handover_draft(handover, &draft);
    error = give(handover->context, &draft, &why);
    if (error) {
        parcel_draft_destroy(&draft);
        return handover_judge(handover, error);
    }
    error = handover_say(handover, word, &draft);
    handover_at(handover, step + 1, HANDOVER_NO_SET);
    if (!error)
        error = handover_hear_word(handover, answer, handover_deadline(step + 1));
    if (!error)
        return HANDOVER_WELL;
    verdict = handover_unheard(handover, error, answer, NULL);
    return verdict == HANDOVER_WELL && handover->dead ? HANDOVER_PARTED : verdict;
}

static enum handover_verdict hear_checked(struct handover *handover)
{
    int error;

    handover_at(handover, HANDOVER_TAKE_LAST, HANDOVER_NO_SET);
    error = handover_hear_word(handover, HANDOVER_SAYS_DONE, handover_deadline(HANDOVER_TAKE_LAST));
    return error ? handover_unheard(handover, error, HANDOVER_SAYS_DONE, NULL) : HANDOVER_WELL;
}

/* Who takes this takes the old one's place: it is one of the two, as for a set. */
static enum handover_verdict give_last(struct handover *handover)
{
    handover->may_kill = true;
    return give_global(handover, HANDOVER_LAST, HANDOVER_SAYS_LAST, HANDOVER_SAYS_DONE,
                       handover->ops->give_last);
}

void handover_give(struct handover_link *link, const struct handover_settings *settings,
                   const struct handover_ops *ops, void *context, struct handover_report *report)
{
    uint64_t began = clock_now(&clock_machine);
    enum handover_verdict verdict;
    struct handover handover;
    uint32_t moved = 0;

    begin(&handover, link, settings, ops, context, report);
    verdict = welcome(&handover);
    if (verdict == HANDOVER_WELL)
        verdict = give_global(&handover, HANDOVER_FIRST, HANDOVER_SAYS_FIRST, HANDOVER_SAYS_READY,
                              ops->give_first);
    while (verdict == HANDOVER_WELL && moved < report->set_count) {
        verdict = handover_give_set(&handover, moved);
        moved += verdict == HANDOVER_WELL;
    }
    if (verdict == HANDOVER_WELL)
        verdict = handover.check ? hear_checked(&handover) : give_last(&handover);
    if (verdict == HANDOVER_STAYED && !handover.check)
        bring_back(&handover, moved);
    end(&handover, verdict, began);
}

/* ---- The taker ---- */

static enum handover_verdict say_hello(struct handover *handover)
{
    struct parcel_draft draft;
    struct parcel parcel;
    int error;

    handover_at(handover, HANDOVER_HELLO, HANDOVER_NO_SET);
    handover_draft(handover, &draft);
    handover_greeting_put(handover, &draft);
    error = handover_say(handover, HANDOVER_SAYS_HELLO, &draft);
    handover_at(handover, HANDOVER_WELCOME, HANDOVER_NO_SET);
    if (!error)
        error = handover_hear(handover, HANDOVER_SAYS_WELCOME, &parcel,
                              handover_deadline(HANDOVER_WELCOME));
    if (error)
        return handover_unheard(handover, error, HANDOVER_SAYS_NOTHING, NULL);
    handover_at(handover, HANDOVER_ACCEPT, HANDOVER_NO_SET);
    error = handover_greeting_get(handover, &parcel);
    parcel_destroy(&parcel);
    if (error)
        return handover_judge(handover, error);
    error = handover_say_word(handover, HANDOVER_SAYS_ACCEPTED);
    return error ? handover_unheard(handover, error, HANDOVER_SAYS_NOTHING, NULL) : HANDOVER_WELL;
}

static enum handover_verdict take_global(struct handover *handover, enum handover_step step,
                                         enum handover_word word, enum handover_word answer,
                                         int (*take)(void *context, struct parcel *parcel,
                                                     const struct reason *why))
{
    struct reason why = handover_why(handover);
    enum handover_verdict verdict = HANDOVER_WELL;
    struct parcel parcel;
    int error;

    handover_at(handover, step, HANDOVER_NO_SET);
    error = handover_hear(handover, word, &parcel, handover_deadline(step));
    if (error)
        verdict = handover_unheard(handover, error, word, &parcel);
    if (verdict != HANDOVER_WELL)
        return verdict;
    handover_at(handover, step + 1, HANDOVER_NO_SET);
    error = take(handover->context, &parcel, &why);
    parcel_destroy(&parcel);
    if (error)
        return handover_judge(handover, error);
    if (handover->dead)
        return HANDOVER_WELL;
    error = handover_say_word(handover, answer);
    if (error)
        verdict = handover_unheard(handover, error, HANDOVER_SAYS_NOTHING, NULL);
    return handover->dead ? HANDOVER_WELL : verdict;
}

/* What was adopted for the sake of a check. */
static enum handover_verdict leave_all(struct handover *handover, uint32_t adopted,
                                       enum handover_verdict verdict)
{
    int error;

    while (adopted-- > 0)
        handover->ops->abandon(handover->context, adopted);
    if (verdict != HANDOVER_WELL)
        return verdict;
    handover_at(handover, HANDOVER_TAKE_LAST, HANDOVER_NO_SET);
    error = handover_say_word(handover, HANDOVER_SAYS_DONE);
    return error ? handover_unheard(handover, error, HANDOVER_SAYS_NOTHING, NULL) : HANDOVER_WELL;
}

/* The old one has nothing left. It is not to be there beside this one. */
static void see_off(struct handover *handover)
{
    uint64_t deadline = handover_deadline(HANDOVER_END);

    handover_at(handover, HANDOVER_END, HANDOVER_NO_SET);
    while (!handover_died(handover->link, HANDOVER_SLICE_NS)) {
        if (clock_now(&clock_machine) >= deadline) {
            handover_fail(handover, -ETIMEDOUT, "process %d did not end", (int)handover->link->pid);
            handover_bury(handover);
            return;
        }
        if (handover->ops->meanwhile)
            handover->ops->meanwhile(handover->context);
    }
}

void handover_take(struct handover_link *link, const struct handover_settings *settings,
                   const struct handover_ops *ops, void *context, struct handover_report *report)
{
    uint64_t began = clock_now(&clock_machine);
    enum handover_verdict verdict;
    struct handover handover;
    uint32_t taken = 0;

    begin(&handover, link, settings, ops, context, report);
    report->newcomer = true;
    verdict = say_hello(&handover);
    if (verdict == HANDOVER_WELL)
        verdict = take_global(&handover, HANDOVER_FIRST, HANDOVER_SAYS_FIRST, HANDOVER_SAYS_READY,
                              ops->take_first);
    while (verdict == HANDOVER_WELL && taken < report->set_count) {
        verdict = handover_take_set(&handover, taken);
        taken += verdict == HANDOVER_WELL;
    }
    if (handover.check)
        verdict = leave_all(&handover, taken, verdict);
    else if (verdict == HANDOVER_WELL)
        verdict = take_global(&handover, HANDOVER_LAST, HANDOVER_SAYS_LAST, HANDOVER_SAYS_DONE,
                              ops->take_last);
    if (verdict == HANDOVER_STAYED && !handover.check)
        bring_back(&handover, taken);
    if (verdict == HANDOVER_WELL && !handover.check)
        see_off(&handover);
    end(&handover, verdict, began);
}
