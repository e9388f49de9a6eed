/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/config.h"
#include "daemon/handover_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RECORD_GREETING  3u
#define GREETING_VERSION 1u
#define TEXT_MAX         256u /* bytes of release and instance, with the NUL */
/* Bytes of a configuration, with the NUL: all defaults are written out, which makes it longer than
 * the file may be. */
#define CONFIGURATION_MAX (32 * CONFIG_BYTES_MAX)

static void put_range(struct state_writer *state, const struct handover_range *range)
{
    state_put_u32(state, range->oldest);
    state_put_u32(state, range->newest);
}

static void put_text(struct state_writer *state, const char *text)
{
    state_put_bytes(state, text, (uint32_t)strlen(text) + 1);
}

void handover_greeting_put(struct handover *handover, struct parcel_draft *draft)
{
    const struct handover_greeting *ours = &handover->settings->greeting;
    struct state_writer *state = &draft->state;
    uint32_t sets = handover->report->newcomer ? 0 : handover->report->set_count;

    state_record_begin(state, RECORD_GREETING, GREETING_VERSION);
    put_range(state, &ours->protocol);
    put_range(state, &ours->state);
    put_range(state, &ours->abi);
    put_text(state, ours->release);
    put_text(state, ours->instance);
    put_text(state, ours->configuration);
    state_put_u8(state, handover->check);
    state_put_u32(state, sets);
    for (uint32_t i = 0; i < sets; i++)
        put_text(state, handover->report->sets[i].name);
    state_record_end(state);
}

static struct handover_range get_range(struct state_reader *state)
{
    struct handover_range range;

    range.oldest = state_get_u32(state);
    range.newest = state_get_u32(state);
    if (range.oldest > range.newest)
        state_reader_fail(state, -EBADMSG);
    return range;
}

/* Borrowed from the parcel; "" after an error. */
static const char *get_text(struct state_reader *state, uint32_t max)
{
    uint32_t length = 0;
    const char *text = state_get_bytes(state, max, &length);

    if (text && length > 0 && memchr(text, '\0', length) == text + length - 1)
        return text;
    state_reader_fail(state, -EBADMSG);
    return "";
}

static void get_sets(struct handover *handover, struct state_reader *state)
{
    struct handover_report *report = handover->report;
    uint32_t count = state_get_u32(state);

    if (count > (report->newcomer ? HANDOVER_SETS_MAX : 0))
        state_reader_fail(state, -EBADMSG);
    for (uint32_t i = 0; i < count && !state->error; i++) {
        snprintf(report->sets[i].name, sizeof(report->sets[i].name), "%s",
                 get_text(state, HANDOVER_NAME_BYTES));
        report->sets[i].place = HANDOVER_THERE;
    }
    if (!state->error && report->newcomer)
        report->set_count = count;
}

static int read_greeting(struct handover *handover, struct state_reader *state,
                         struct handover_greeting *theirs)
{
    struct reason why = handover_why(handover);
    uint16_t type = 0, version = 0;
    bool check;

    if (!state_record_next(state, &type, &version) || type != RECORD_GREETING)
        return reason_set(&why, -EBADMSG, "the greeting is damaged");
    theirs->protocol = get_range(state);
    theirs->state = get_range(state);
    theirs->abi = get_range(state);
    theirs->release = get_text(state, TEXT_MAX);
    theirs->instance = get_text(state, TEXT_MAX);
    theirs->configuration = get_text(state, CONFIGURATION_MAX);
    check = state_get_u8(state);
    get_sets(handover, state);
    if (state->error)
        return reason_set(&why, -EBADMSG, "the greeting is damaged");
    handover->check |= check;
    return 0;
}

/* The newest version that both know. 0, or -EPROTONOSUPPORT. */
static int agree(struct handover *handover, const char *what, const struct handover_range *theirs,
                 const struct handover_range *ours, uint32_t *version)
{
    struct reason why = handover_why(handover);

    *version = theirs->newest < ours->newest ? theirs->newest : ours->newest;
    if (*version >= theirs->oldest && *version >= ours->oldest)
        return 0;
    return reason_set(&why, -EPROTONOSUPPORT,
                      "%s: process %d knows versions %u to %u, process here %u to %u", what,
                      (int)handover->link->pid, theirs->oldest, theirs->newest, ours->oldest,
                      ours->newest);
}

/* Every session that lives must be served by the newcomer, whichever side this is. */
static int serves(struct handover *handover, const struct handover_range *sessions,
                  const struct handover_range *newcomer)
{
    struct reason why = handover_why(handover);

    if (sessions->newest == 0 ||
        (sessions->oldest >= newcomer->oldest && sessions->newest <= newcomer->newest))
        return 0;
    return reason_set(
        &why, -EPROTONOSUPPORT,
        "sessions: ABI versions %u to %u are attached, and the new daemon serves %u to "
        "%u; applications have to attach again with another library first",
        sessions->oldest, sessions->newest, newcomer->oldest, newcomer->newest);
}

static int same_instance(struct handover *handover, const char *theirs, const char *ours)
{
    struct reason why = handover_why(handover);

    if (!*theirs || !*ours || !strcmp(theirs, ours))
        return 0;
    return reason_set(&why, -EINVAL, "instance: process %d is \"%s\", process here is \"%s\"",
                      (int)handover->link->pid, theirs, ours);
}

int handover_greeting_get(struct handover *handover, struct parcel *parcel)
{
    const struct handover_greeting *ours = &handover->settings->greeting;
    bool newcomer = handover->report->newcomer;
    struct reason why = handover_why(handover);
    struct handover_greeting theirs = {.release = "", .instance = "", .configuration = ""};
    uint32_t protocol, state;
    int error = read_greeting(handover, &parcel->state, &theirs);

    if (error)
        return error;
    snprintf(handover->report->release, sizeof(handover->report->release), "%s", theirs.release);
    error = agree(handover, "hand-over protocol", &theirs.protocol, &ours->protocol, &protocol);
    if (!error)
        error = agree(handover, "saved state", &theirs.state, &ours->state, &state);
    if (!error && newcomer)
        error = serves(handover, &theirs.abi, &ours->abi);
    else if (!error)
        error = serves(handover, &ours->abi, &theirs.abi);
    if (!error)
        error = same_instance(handover, theirs.instance, ours->instance);
    if (!error)
        error = handover->ops->check(handover->context, &theirs, state, &why);
    return error;
}
