/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/handover_private.h"
#include "sched/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

/* The first record of every parcel, and the second of a refusal. */
#define RECORD_HEAD    1u
#define RECORD_REFUSAL 2u
#define RECORD_VERSION 1u

/* To tell somebody that he is sent away: his socket is new and has room. */
#define SEND_AWAY_NS NSEC_PER_MSEC
/* Who finds a deadline longer past than this was stopped himself, as was perhaps the whole machine:
 * he gives the other side some time before he calls it silent. */
#define OVERSLEPT_NS (50 * NSEC_PER_MSEC)
#define GRACE_NS     (100 * NSEC_PER_MSEC)
/* Datagrams that are passed over: those of the largest parcel, and a few. */
#define SKIPPED_MAX (PARCEL_FDS_MAX / PARCEL_FDS_EACH + 16u)
/* For one that is silent: it may be dying, and have its sockets still. */
#define DYING_NS NSEC_PER_SEC

uint64_t handover_deadline(enum handover_step step)
{
    return clock_now(&clock_machine) + handover_limit(step);
}

/* ---- Saying ---- */

void handover_draft(struct handover *handover, struct parcel_draft *draft)
{
    parcel_draft_init(draft);
    state_record_begin(&draft->state, RECORD_HEAD, RECORD_VERSION);
    state_put_u8(&draft->state, handover->back);
    state_put_u32(&draft->state, handover->set);
    state_put_u64(&draft->state, handover->since);
    state_put_u64(&draft->state, handover->until);
    state_record_end(&draft->state);
}

static void draft_refusal(struct handover *handover, struct parcel_draft *draft)
{
    handover_draft(handover, draft);
    state_record_begin(&draft->state, RECORD_REFUSAL, RECORD_VERSION);
    state_put_u32(&draft->state, (uint32_t)-handover->owed.error);
    state_put_bytes(&draft->state, handover->owed.text, (uint32_t)strlen(handover->owed.text));
    state_record_end(&draft->state);
}

/* A blackout's budget bounds what is sent in it; what else there is has its step's limit. */
static uint64_t saying_deadline(const struct handover *handover, enum handover_word word)
{
    if (word == HANDOVER_SAYS_STATE)
        return handover->until + handover_limit(HANDOVER_ACTIVE);
    return handover_deadline(handover->step);
}

int handover_say(struct handover *handover, enum handover_word word, struct parcel_draft *draft)
{
    int error = parcel_send(handover->link->socket, word, draft, saying_deadline(handover, word));

    if (handover->set != HANDOVER_NO_SET) {
        struct handover_set_report *set = &handover->report->sets[handover->set];

        if (word == HANDOVER_SAYS_OFFER)
            set->offer_bytes = draft->state.length;
        if (word == HANDOVER_SAYS_STATE)
            set->state_bytes = draft->state.length;
    }
    parcel_draft_destroy(draft);
    if (error == -EPIPE)
        return handover_fail(handover, error, "process %d is gone", (int)handover->link->pid);
    if (error == -ETIMEDOUT)
        return handover_fail(handover, error, "process %d does not take what it is sent",
                             (int)handover->link->pid);
    if (error)
        return handover_fail(handover, error, "sending: %s", strerror(-error));
    return 0;
}

int handover_say_word(struct handover *handover, enum handover_word word)
{
    struct parcel_draft draft;

    handover_draft(handover, &draft);
    return handover_say(handover, word, &draft);
}

/* Whether it arrives makes no difference: who does not hear it finds the socket closed, or the next
 * word out of turn. */
static void refuse(struct handover *handover)
{
    struct parcel_draft draft;

    draft_refusal(handover, &draft);
    parcel_send(handover->link->socket, HANDOVER_SAYS_REFUSED, &draft,
                handover_deadline(handover->step));
    parcel_draft_destroy(&draft);
}

void handover_owe(struct handover *handover)
{
    handover->owed.is = true;
    handover->owed.error = handover->error;
    memcpy(handover->owed.text, handover->text, sizeof(handover->owed.text));
}

void handover_tell(struct handover *handover)
{
    if (handover->owed.is)
        refuse(handover);
    handover->owed.is = false;
}

void handover_send_away(int socket, int error, const char *reason)
{
    struct handover handover = {.set = HANDOVER_NO_SET, .owed.error = error};
    struct parcel_draft draft;

    snprintf(handover.owed.text, sizeof(handover.owed.text), "%s", reason);
    draft_refusal(&handover, &draft);
    parcel_send(socket, HANDOVER_SAYS_REFUSED, &draft, clock_now(&clock_machine) + SEND_AWAY_NS);
    parcel_draft_destroy(&draft);
}

/* ---- Hearing ---- */

/* What a parcel's first record says. */
struct head {
    uint8_t back;
    uint32_t set;
    uint64_t since, until;
};

static int read_head(struct parcel *parcel, struct head *head)
{
    uint16_t type, version;

    if (!state_record_next(&parcel->state, &type, &version) || type != RECORD_HEAD)
        return -EBADMSG;
    head->back = state_get_u8(&parcel->state);
    head->set = state_get_u32(&parcel->state);
    head->since = state_get_u64(&parcel->state);
    head->until = state_get_u64(&parcel->state);
    if (parcel->state.error || head->back > 1)
        return -EBADMSG;
    return 0;
}

/* The other side's reason, with what could trouble a terminal left out. */
static void read_refusal(struct handover *handover, struct parcel *parcel)
{
    uint16_t type, version;
    uint32_t length = 0, error;
    const char *text;

    handover->error = -EPROTO;
    snprintf(handover->text, sizeof(handover->text), "%s",
             "the other side refused, and its reason is damaged");
    if (!state_record_next(&parcel->state, &type, &version) || type != RECORD_REFUSAL)
        return;
    error = state_get_u32(&parcel->state);
    text = state_get_bytes(&parcel->state, HANDOVER_REASON_BYTES - 1, &length);
    if (!text || error == 0 || error > INT16_MAX)
        return;
    handover->error = -(int)error;
    for (uint32_t i = 0; i < length; i++)
        handover->text[i] = text[i] < ' ' || text[i] == '\x7f' ? '?' : text[i];
    handover->text[length] = '\0';
}

/* Until something can be read; others knock in vain meanwhile. */
static int await(struct handover *handover, uint64_t *deadline)
{
    struct pollfd one = {.fd = handover->link->socket, .events = POLLIN};
    bool graced = false;

    for (;;) {
        uint64_t now = clock_now(&clock_machine);
        uint64_t left = *deadline > now ? *deadline - now : 0;
        const struct timespec timeout = {
            .tv_nsec = (long)(left < HANDOVER_SLICE_NS ? left : HANDOVER_SLICE_NS)};
        int ready = ppoll(&one, 1, &timeout, NULL);

        if (ready > 0)
            return 0;
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (left == 0 && (graced || now - *deadline < OVERSLEPT_NS))
            return -ETIMEDOUT;
        if (left == 0) {
            graced = true;
            *deadline = now + GRACE_NS;
        }
        if (handover->blackout)
            continue;
        if (handover->settings->turned_away >= 0)
            handover_turn_away(handover->settings->turned_away,
                               "hand-over: another one is under way");
        if (handover->ops->meanwhile)
            handover->ops->meanwhile(handover->context);
    }
}

/* One parcel. The kernel tells once that the other side closed without having read all, and only
 * then gives what that side had sent. */
static int receive(struct handover *handover, struct parcel *parcel, struct head *head,
                   uint64_t deadline)
{
    int error = parcel_receive(handover->link->socket, parcel, deadline);

    if (error == -EPIPE && !handover->reset) {
        handover->reset = true;
        error = parcel_receive(handover->link->socket, parcel, deadline);
    }
    if (error)
        return error;
    error = read_head(parcel, head);
    if (error)
        parcel_destroy(parcel);
    return error;
}

/* A refusal of what is over on this side, too: both found something wrong at the same time. */
static bool stale(const struct handover *handover, const struct parcel *parcel,
                  const struct head *head)
{
    return parcel->kind == HANDOVER_SAYS_REFUSED &&
           (head->back != handover->back || head->set != handover->set);
}

/* Judges a parcel that came: 0 if it is that word, else it is destroyed. */
static int judge(struct handover *handover, enum handover_word word, struct parcel *parcel,
                 const struct head *head)
{
    uint32_t kind = parcel->kind;

    if (kind == word && word != HANDOVER_SAYS_NOTHING && head->set == handover->set &&
        head->back == handover->back) {
        if (word == HANDOVER_SAYS_STATE) {
            handover->since = head->since;
            handover->until = head->until;
        }
        return 0;
    }
    if (kind == HANDOVER_SAYS_REFUSED) {
        read_refusal(handover, parcel);
        handover_note(handover);
        parcel_destroy(parcel);
        return -ECONNABORTED;
    }
    parcel_destroy(parcel);
    return handover_fail(handover, -EBADMSG,
                         "process %d said %u of set %d in place of %u of set %d",
                         (int)handover->link->pid, kind, (int)head->set, (unsigned)word,
                         (int)handover->set);
}

static int fail_hearing(struct handover *handover, int error)
{
    int pid = (int)handover->link->pid;

    if (error == -EPIPE)
        return handover_fail(handover, error, "process %d is gone", pid);
    if (error == -ETIMEDOUT)
        return handover_fail(handover, error, "process %d is silent", pid);
    handover->resync = true;
    if (error == -EBADMSG || error == -EPROTO)
        return handover_fail(handover, -EBADMSG, "what process %d sent is damaged", pid);
    return handover_fail(handover, error, "what process %d sent cannot be taken in: %s", pid,
                         strerror(-error));
}

int handover_hear(struct handover *handover, enum handover_word word, struct parcel *parcel,
                  uint64_t deadline)
{
    int error = -EBADMSG;

    for (uint32_t skipped = 0; skipped < SKIPPED_MAX; skipped++) {
        struct head head;

        error = await(handover, &deadline);
        if (!error)
            error = receive(handover, parcel, &head, deadline);
        if (error && error != -EPIPE && error != -ETIMEDOUT && handover->resync)
            continue;
        if (error)
            return fail_hearing(handover, error);
        handover->resync = false;
        if (!stale(handover, parcel, &head))
            return judge(handover, word, parcel, &head);
        parcel_destroy(parcel);
    }
    return fail_hearing(handover, error ? error : -EBADMSG);
}

int handover_hear_word(struct handover *handover, enum handover_word word, uint64_t deadline)
{
    struct parcel parcel;
    int error = handover_hear(handover, word, &parcel, deadline);

    if (!error)
        parcel_destroy(&parcel);
    return error;
}

/* ---- The end of talking ---- */

/* What lies in the socket, without waiting: as handover_last_words. */
static int look(struct handover *handover, enum handover_word word, struct parcel *parcel)
{
    int found = -ENOENT;

    for (uint32_t skipped = 0; skipped < SKIPPED_MAX; skipped++) {
        struct parcel one;
        struct head head;
        int error = receive(handover, &one, &head, 0);

        if (error == -EPIPE || error == -ETIMEDOUT)
            break;
        if (error) {
            found = handover->resync ? found : -EBADMSG;
            continue;
        }
        if (stale(handover, &one, &head))
            error = -ENOENT;
        else
            error = judge(handover, word, &one, &head);
        if (error == -ENOENT)
            parcel_destroy(&one);
        if (!error) {
            if (parcel)
                *parcel = one;
            else
                parcel_destroy(&one);
        }
        if (!error || error == -ECONNABORTED)
            return error;
        found = -EBADMSG;
    }
    return found;
}

void handover_bury(struct handover *handover)
{
    handover->report->killed |= !handover_died(handover->link, 0);
    handover_kill(handover->link);
    handover->dead = true;
}

/* How long a process that may not be killed is waited for. One whose socket is closed ends, and
 * what its ports have in the kernel is taken apart before it is dead, which takes seconds. */
static uint64_t dying(const struct handover *handover)
{
    return handover->error == -EPIPE ? handover_limit(HANDOVER_END) : DYING_NS;
}

int handover_last_words(struct handover *handover, enum handover_word word, struct parcel *parcel)
{
    int found = look(handover, word, parcel);

    /* It was late by a hair; or it is gone, but not without a word. */
    if (found == 0 || found == -ECONNABORTED)
        return found;
    if (handover->may_kill)
        handover_bury(handover);
    else
        handover->dead = handover_died(handover->link, dying(handover));
    return found == -ENOENT ? look(handover, word, parcel) : found;
}

enum handover_verdict handover_unheard(struct handover *handover, int error,
                                       enum handover_word word, struct parcel *parcel)
{
    int found;

    if (error == -ECONNABORTED)
        return HANDOVER_STAYED;
    if (error != -EPIPE && error != -ETIMEDOUT) {
        handover_owe(handover);
        return HANDOVER_STAYED;
    }
    found = handover_last_words(handover, word, parcel);
    if (found == 0)
        return HANDOVER_WELL;
    if (found == -ECONNABORTED)
        return HANDOVER_STAYED;
    if (!handover->dead)
        handover_owe(handover);
    return HANDOVER_PARTED;
}
