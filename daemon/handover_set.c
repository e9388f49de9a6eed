/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/handover_private.h"
#include "sched/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct handover_set_report *report_of(struct handover *handover, uint32_t set)
{
    return &handover->report->sets[set];
}

/* ---- The giver's part ---- */

static enum handover_verdict offer(struct handover *handover, uint32_t set)
{
    struct reason why = handover_why(handover);
    struct parcel_draft draft;
    int error;

    handover_at(handover, HANDOVER_OFFER, set);
    if (report_of(handover, set)->place == HANDOVER_LOST)
        return handover_judge(handover, reason_set(&why, -ENODATA, "the set is lost"));
    handover_draft(handover, &draft);
    error = handover->ops->offer(handover->context, set, &draft, &why);
    if (error) {
        parcel_draft_destroy(&draft);
        return handover_judge(handover, error);
    }
    handover->offered = true;
    error = handover_say(handover, HANDOVER_SAYS_OFFER, &draft);
    if (!error) {
        handover_at(handover, HANDOVER_ADOPT, set);
        error =
            handover_hear_word(handover, HANDOVER_SAYS_READY, handover_deadline(HANDOVER_ADOPT));
    }
    if (!error)
        return HANDOVER_WELL;
    return handover_unheard(handover, error, HANDOVER_SAYS_READY, NULL);
}

/* The answer to a state takes a descriptor; without one the set would be lost. */
static int keep_room(struct handover *handover)
{
    struct reason why = handover_why(handover);
    int fd = fcntl(handover->link->socket, F_DUPFD_CLOEXEC, 0);

    if (fd < 0)
        return reason_set(&why, -errno, "no descriptor is left: %s", strerror(errno));
    close(fd);
    return 0;
}

static int write_down(struct handover *handover, uint32_t set, struct parcel_draft *draft)
{
    struct reason why = handover_why(handover);
    int error = handover->ops->leave(handover->context, set, draft, &why);

    if (error || clock_now(&clock_machine) <= handover->until)
        return error;
    return reason_set(&why, -ETIME, "its state took longer to write than the %llu ms of a blackout",
                      (unsigned long long)(handover->settings->blackout_ns / NSEC_PER_MSEC));
}

static enum handover_verdict leave(struct handover *handover, uint32_t set)
{
    struct parcel_draft draft;
    int error;

    handover_at(handover, HANDOVER_LEAVE, set);
    error = keep_room(handover);
    if (error)
        return handover_judge(handover, error);
    handover->blackout = true;
    handover->since = clock_now(&clock_machine);
    handover->until = handover->since + handover->settings->blackout_ns;
    handover_draft(handover, &draft);
    error = write_down(handover, set, &draft);
    if (error) {
        parcel_draft_destroy(&draft);
        return handover_judge(handover, error);
    }
    error = handover_say(handover, HANDOVER_SAYS_STATE, &draft);
    if (!error)
        return HANDOVER_WELL;
    return handover_unheard(handover, error, HANDOVER_SAYS_NOTHING, NULL);
}

static enum handover_verdict await_active(struct handover *handover, uint32_t set)
{
    int error;

    handover_at(handover, HANDOVER_ENTER, set);
    error = handover_hear_word(handover, HANDOVER_SAYS_ACTIVE,
                               handover->until + handover_limit(HANDOVER_ACTIVE));
    if (error == -EPIPE || error == -ETIMEDOUT)
        error = handover_last_words(handover, HANDOVER_SAYS_ACTIVE, NULL);
    if (error == 0)
        return handover->dead ? HANDOVER_GONE_BY : HANDOVER_WELL;
    if (error == -ECONNABORTED)
        return HANDOVER_STAYED;
    if (error == -ENOENT)
        return HANDOVER_PARTED;
    /* Nobody understands it, and it may have been ACTIVE: the state here may be old. */
    handover_bury(handover);
    return HANDOVER_GONE_BY;
}

/* The set is this side's still. */
static void resume(struct handover *handover, uint32_t set)
{
    struct reason why = handover_why(handover);
    struct handover_set_report *report = report_of(handover, set);
    int error = handover->ops->resume(handover->context, set, &why);

    if (error) {
        report->place = HANDOVER_LOST;
        handover->error = error;
        handover_note(handover);
    }
}

static enum handover_verdict give(struct handover *handover, uint32_t set)
{
    struct handover_set_report *report = report_of(handover, set);
    uint64_t began = clock_now(&clock_machine);
    enum handover_verdict verdict = offer(handover, set);

    report->brownout_ns = clock_now(&clock_machine) - began;
    if (verdict != HANDOVER_WELL || handover->check)
        return verdict;
    if (handover->dead)
        return HANDOVER_PARTED;
    verdict = leave(handover, set);
    if (verdict == HANDOVER_WELL)
        verdict = await_active(handover, set);
    return verdict;
}

/* What is left of the set here, after it was offered. */
static void conclude(struct handover *handover, uint32_t set, enum handover_verdict verdict)
{
    struct handover_set_report *report = report_of(handover, set);
    bool went = verdict == HANDOVER_GONE_BY || (verdict == HANDOVER_WELL && !handover->check);

    if (!went && handover->offered)
        resume(handover, set);
    if (handover->blackout) {
        report->blackout_ns = clock_now(&clock_machine) - handover->since;
        report->blackout_at_ns = handover->since;
    }
    handover->blackout = false;
    if (!went)
        return;
    report->place = verdict == HANDOVER_WELL ? HANDOVER_THERE : HANDOVER_LOST;
    handover->moved = true;
    handover_at(handover, HANDOVER_FORGET, set);
    handover->ops->forget(handover->context, set);
}

enum handover_verdict handover_give_set(struct handover *handover, uint32_t set)
{
    enum handover_verdict verdict;

    handover->may_kill = !handover->check;
    handover->offered = false;
    verdict = give(handover, set);
    conclude(handover, set, verdict);
    handover_tell(handover);
    return verdict;
}

/* ---- The taker's part ---- */

static enum handover_verdict adopt(struct handover *handover, uint32_t set)
{
    struct reason why = handover_why(handover);
    struct parcel parcel;
    enum handover_verdict verdict;
    int error;

    handover_at(handover, HANDOVER_OFFER, set);
    error =
        handover_hear(handover, HANDOVER_SAYS_OFFER, &parcel, handover_deadline(HANDOVER_OFFER));
    if (error) {
        verdict = handover_unheard(handover, error, HANDOVER_SAYS_OFFER, &parcel);
        if (verdict != HANDOVER_WELL)
            return verdict;
    }
    handover_at(handover, HANDOVER_ADOPT, set);
    handover->offered_ns = handover->began;
    report_of(handover, set)->offer_bytes = parcel.length;
    error = handover->ops->adopt(handover->context, set, &parcel, &why);
    parcel_destroy(&parcel);
    return handover_judge(handover, error);
}

static enum handover_verdict say_ready(struct handover *handover)
{
    int error = handover_say_word(handover, HANDOVER_SAYS_READY);

    if (!error)
        return HANDOVER_WELL;
    return handover_unheard(handover, error, HANDOVER_SAYS_NOTHING, NULL);
}

/* A blackout that ends beyond all bounds is no daemon's: its clock is not ours, or it is broken. */
static int judge_times(struct handover *handover)
{
    struct reason why = handover_why(handover);
    uint64_t now = clock_now(&clock_machine);

    if (handover->since <= now && handover->since <= handover->until &&
        handover->until - handover->since <= HANDOVER_BLACKOUT_MAX_NS)
        return 0;
    return reason_set(&why, -EBADMSG, "the times of the blackout cannot be right");
}

static enum handover_verdict enter(struct handover *handover, uint32_t set)
{
    struct reason why = handover_why(handover);
    struct parcel parcel;
    enum handover_verdict verdict;
    int error;

    handover->blackout = true; /* or about to be */
    handover_at(handover, HANDOVER_LEAVE, set);
    error =
        handover_hear(handover, HANDOVER_SAYS_STATE, &parcel, handover_deadline(HANDOVER_LEAVE));
    if (error) {
        verdict = handover_unheard(handover, error, HANDOVER_SAYS_STATE, &parcel);
        if (verdict != HANDOVER_WELL)
            return verdict;
    }
    handover_at(handover, HANDOVER_ENTER, set);
    report_of(handover, set)->state_bytes = parcel.length;
    error = judge_times(handover);
    if (!error)
        report_of(handover, set)->brownout_ns = handover->since - handover->offered_ns;
    if (!error)
        error = handover->ops->enter(handover->context, set, &parcel, &why);
    parcel_destroy(&parcel);
    return handover_judge(handover, error);
}

/* Says ACTIVE, in time or not at all. Who has left the set and is dead needs not hear it. */
static enum handover_verdict activate(struct handover *handover, uint32_t set)
{
    struct reason why = handover_why(handover);
    int error;

    handover_at(handover, HANDOVER_ACTIVE, set);
    if (handover->dead)
        return HANDOVER_WELL;
    if (clock_now(&clock_machine) > handover->until)
        return handover_judge(
            handover,
            reason_set(&why, -ETIME, "it could not be entered in the %llu ms of a blackout",
                       (unsigned long long)((handover->until - handover->since) / NSEC_PER_MSEC)));
    error = handover_say_word(handover, HANDOVER_SAYS_ACTIVE);
    if (!error)
        return HANDOVER_WELL;
    if (handover_unheard(handover, error, HANDOVER_SAYS_NOTHING, NULL) == HANDOVER_STAYED)
        return HANDOVER_STAYED;
    return handover->dead ? HANDOVER_WELL : HANDOVER_PARTED;
}

static void run(struct handover *handover, uint32_t set)
{
    struct reason why = handover_why(handover);
    struct handover_set_report *report = report_of(handover, set);
    int error;

    handover->may_kill = true;
    handover->moved = true;
    handover_at(handover, HANDOVER_RUN, set);
    error = handover->ops->run(handover->context, set, &why);
    report->place = error ? HANDOVER_LOST : HANDOVER_HERE;
    report->blackout_ns = clock_now(&clock_machine) - handover->since;
    report->blackout_at_ns = handover->since;
    handover->ops->settle(handover->context, set);
    if (error) {
        handover->error = error;
        handover_note(handover);
    }
}

enum handover_verdict handover_take_set(struct handover *handover, uint32_t set)
{
    enum handover_verdict verdict = adopt(handover, set);

    if (verdict == HANDOVER_WELL) {
        verdict = say_ready(handover);
        if (verdict == HANDOVER_WELL && !handover->check)
            verdict = enter(handover, set);
        if (verdict == HANDOVER_WELL && !handover->check)
            verdict = activate(handover, set);
        if (verdict != HANDOVER_WELL)
            handover->ops->abandon(handover->context, set);
        else if (!handover->check)
            run(handover, set);
    }
    handover->blackout = false;
    /* Nothing of it is in use here: the other side may go on. */
    handover_tell(handover);
    if (verdict == HANDOVER_STAYED && handover->error == -ENODATA)
        report_of(handover, set)->place = HANDOVER_LOST;
    return verdict;
}
