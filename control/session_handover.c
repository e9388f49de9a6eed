/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/session_handover.h"

#include "control/arena.h"
#include "control/placement.h"
#include "control/purses.h"
#include "control/session_private.h"
#include "engines/pony/fair.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_text(struct state_writer *writer, const char *text)
{
    state_put_bytes(writer, text, (uint32_t)strlen(text));
}

static void put_grant(struct state_writer *writer, const struct pony_grant *grant)
{
    state_put_u32(writer, grant->rights);
    state_put_u32(writer, grant->connections);
    state_put_u32(writer, grant->listeners);
    state_put_u32(writer, grant->regions);
    state_put_u64(writer, grant->exposed);
    state_put_u32(writer, grant->operations);
    state_put_u32(writer, grant->weight);
    state_put_u32(writer, grant->cpu_share);
}

static void put_plan(struct state_writer *writer, const struct session *session)
{
    const struct saddle_attach_reply *plan = &session->plan;

    state_put_u64(writer, plan->arena_bytes);
    state_put_u64(writer, plan->heap_offset);
    state_put_u64(writer, plan->heap_bytes);
    state_put_u64(writer, session->slots_offset);
    state_put_u16(writer, plan->channels);
    for (uint32_t i = 0; i < plan->channels; i++) {
        state_put_u64(writer, plan->channel[i].command_offset);
        state_put_u64(writer, plan->channel[i].completion_offset);
        state_put_u32(writer, plan->channel[i].command_entries);
        state_put_u32(writer, plan->channel[i].completion_entries);
    }
}

void session_offer(const struct session *session, struct parcel_draft *draft)
{
    const struct session_owner *owner = &session->owner;
    struct state_writer *writer = &draft->state;

    state_put_u64(writer, owner->id);
    state_put_u16(writer, session->plan.abi);
    put_text(writer, owner->engine->name);
    put_text(writer, session->application);
    state_put_u64(writer, session->attached_ns);
    state_put_u32(writer, owner->uid);
    state_put_u8(writer, owner->exclusive);
    state_put_u32(writer, owner->cpu_per_uid);
    put_grant(writer, &owner->grant);
    put_plan(writer, session);
    parcel_put_fd(draft, session->arena_fd);
    for (uint32_t i = 0; i < session->doorbell_count; i++) {
        parcel_put_fd(draft, session->doorbells[i].engine);
        parcel_put_fd(draft, session->doorbells[i].application_write);
    }
}

/* ---- Reading ---- */

/* Where to say why one is not adopted. */
struct refusal {
    char *reason;
    size_t reason_bytes;
    uint64_t id;
};

static int __attribute__((format(printf, 3, 4)))
refuse(const struct refusal *refusal, int error, const char *format, ...)
{
    char line[SADDLE_REASON_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    snprintf(refusal->reason, refusal->reason_bytes, "session %llu: %s",
             (unsigned long long)refusal->id, line);
    return error;
}

static int damaged(const struct refusal *refusal)
{
    return refuse(refusal, -EBADMSG, "its description is damaged");
}

/* A text of less than `bytes` bytes, with a NUL; "" after an error. */
static void get_text(struct state_reader *reader, char *text, uint32_t bytes)
{
    uint32_t length;
    const void *from = state_get_bytes(reader, bytes - 1, &length);

    memset(text, 0, bytes);
    if (from)
        memcpy(text, from, length);
}

static struct engine *find_engine(struct engine *const *engines, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!strcmp(engines[i]->name, name))
            return engines[i];
    }
    return NULL;
}

static void get_grant(struct state_reader *reader, struct pony_grant *grant)
{
    grant->rights = state_get_u32(reader);
    grant->connections = state_get_u32(reader);
    grant->listeners = state_get_u32(reader);
    grant->regions = state_get_u32(reader);
    grant->exposed = state_get_u64(reader);
    grant->operations = state_get_u32(reader);
    grant->weight = state_get_u32(reader);
    grant->cpu_share = state_get_u32(reader);
}

static void get_plan(struct state_reader *reader, struct session *session)
{
    struct saddle_attach_reply *plan = &session->plan;

    plan->arena_bytes = state_get_u64(reader);
    plan->heap_offset = state_get_u64(reader);
    plan->heap_bytes = state_get_u64(reader);
    session->slots_offset = state_get_u64(reader);
    plan->channels = state_get_u16(reader);
    if (plan->channels > SADDLE_CHANNELS_MAX)
        state_reader_fail(reader, -EBADMSG);
    for (uint32_t i = 0; i < plan->channels && !reader->error; i++) {
        plan->channel[i].command_offset = state_get_u64(reader);
        plan->channel[i].completion_offset = state_get_u64(reader);
        plan->channel[i].command_entries = state_get_u32(reader);
        plan->channel[i].completion_entries = state_get_u32(reader);
    }
}

static void get_descriptors(struct parcel *parcel, struct session *session)
{
    session->arena_fd = parcel_get_fd(parcel);
    for (uint32_t i = 0; i < session->plan.channels && !parcel->state.error; i++) {
        struct doorbells *doorbells = &session->doorbells[session->doorbell_count++];

        doorbells->application_read = -1;
        doorbells->engine = parcel_get_fd(parcel);
        doorbells->application_write = parcel_get_fd(parcel);
    }
}

/* Which session it is, and whether it can be one here. */
static int read_head(struct session *session, struct engine *const *engines, uint32_t count,
                     struct state_reader *reader, struct refusal *refusal)
{
    char name[ENGINE_NAME_BYTES];

    refusal->id = session->owner.id = session->plan.session = state_get_u64(reader);
    session->plan.abi = state_get_u16(reader);
    get_text(reader, name, sizeof(name));
    get_text(reader, session->application, sizeof(session->application));
    if (reader->error)
        return damaged(refusal);
    if (session->plan.abi < SADDLE_ABI_OLDEST || session->plan.abi > SADDLE_ABI_VERSION)
        return refuse(refusal, -EPROTONOSUPPORT,
                      "its application (%s) has version %u of the ABI, %u to %u are served",
                      session->application, session->plan.abi, SADDLE_ABI_OLDEST,
                      SADDLE_ABI_VERSION);
    session->owner.engine = find_engine(engines, count, name);
    if (!session->owner.engine)
        return refuse(refusal, -ENODEV, "there is no engine \"%s\"", name);
    return 0;
}

static int read_rest(struct session *session, struct parcel *parcel, const struct refusal *refusal)
{
    struct state_reader *reader = &parcel->state;

    session->attached_ns = state_get_u64(reader);
    session->owner.uid = state_get_u32(reader);
    session->owner.exclusive = state_get_u8(reader);
    session->owner.cpu_per_uid = state_get_u32(reader);
    get_grant(reader, &session->owner.grant);
    get_plan(reader, session);
    get_descriptors(parcel, session);
    return reader->error ? damaged(refusal) : 0;
}

static bool grant_fits(const struct session_owner *owner)
{
    return !(owner->grant.rights & ~PONY_RIGHTS_ALL) && owner->grant.weight <= FAIR_WEIGHT_MAX &&
           owner->grant.cpu_share <= BUCKET_WHOLE &&
           owner->cpu_per_uid <= PLACEMENT_ENGINES_MAX * BUCKET_WHOLE;
}

/* Everything of this daemon's half that needs no engine to run. */
static int build(struct session *session, const struct refusal *refusal)
{
    int error;

    if (!grant_fits(&session->owner))
        return refuse(refusal, -EBADMSG, "it may do or have what no session may");
    if (arena_check(&session->plan, session->slots_offset))
        return refuse(refusal, -EBADMSG, "its memory is not laid out as it has to be");
    error = arena_adopt(session->arena_fd, session->plan.arena_bytes, &session->arena);
    if (error == -EBADMSG)
        return refuse(refusal, error, "its memory has another size, or is not sealed");
    session->hugepages = !error && arena_huge(session->arena);
    if (!error)
        error = purses_take(session->owner.uid, session->owner.cpu_per_uid, &session->purse,
                            &session->purse_place);
    if (!error)
        error = session_make_half(session, session->application);
    return error ? refuse(refusal, error, "%s", strerror(-error)) : 0;
}

int session_adopt(struct session **session, struct engine *const *engines, uint32_t count,
                  struct parcel *parcel, char *reason, size_t reason_bytes)
{
    struct session *made = calloc(1, sizeof(*made));
    struct refusal refusal = {reason, reason_bytes, 0};
    int error;

    if (!made)
        return refuse(&refusal, -ENOMEM, "%s", strerror(ENOMEM));
    made->arena_fd = -1;
    error = read_head(made, engines, count, &parcel->state, &refusal);
    if (!error)
        error = read_rest(made, parcel, &refusal);
    if (!error)
        error = build(made, &refusal);
    if (error) {
        session_dismantle(made);
        return error;
    }
    *session = made;
    return 0;
}

int session_enter(struct session *session)
{
    return pony_adopt(session->owner.engine, session->pony);
}

int session_entered(struct session *session)
{
    if (!pony_session_attached(session->pony))
        return -EPROTO;
    session->attached = true;
    return 0;
}

void session_forget(struct session *session)
{
    session_dismantle(session);
}
