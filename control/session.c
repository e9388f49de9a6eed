/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/session.h"

#include "control/arena.h"
#include "control/policy.h"
#include "control/purses.h"
#include "control/session_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARENA_NAME "saddle-arena" /* in /proc/PID/maps, of both sides */

static const struct {
    uint32_t policy, pony;
} rights_map[] = {
    {POLICY_LISTEN, PONY_RIGHT_LISTEN},
    {POLICY_CONNECT, PONY_RIGHT_CONNECT},
    {POLICY_EXPOSE, PONY_RIGHT_EXPOSE},
};
#define RIGHTS_MAPPED (sizeof(rights_map) / sizeof(rights_map[0]))

uint32_t session_rights(uint32_t policy_rights)
{
    uint32_t rights = 0;

    for (size_t i = 0; i < RIGHTS_MAPPED; i++)
        rights |= policy_rights & rights_map[i].policy ? rights_map[i].pony : 0;
    return rights;
}

static uint32_t rights_of(const struct session *session)
{
    uint32_t rights = POLICY_ATTACH;

    for (size_t i = 0; i < RIGHTS_MAPPED; i++)
        rights |= session->owner.grant.rights & rights_map[i].pony ? rights_map[i].policy : 0;
    return rights;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* What doorbells_create opened, less what was closed once the application had it. */
static void close_doorbells(struct doorbells *doorbells)
{
    close_fd(&doorbells->engine);
    close_fd(&doorbells->application_read);
    close_fd(&doorbells->application_write);
}

/* The application's own name for itself, fit to be shown. */
static void copy_name(char *to, const char *from)
{
    for (uint32_t i = 0; i < SADDLE_NAME_BYTES; i++)
        to[i] = (char)(from[i] && (from[i] < ' ' || from[i] > '~') ? '?' : from[i]);
    to[SADDLE_NAME_BYTES - 1] = '\0';
}

static int make_doorbells(struct session *session)
{
    while (session->doorbell_count < session->plan.channels) {
        int error = doorbells_create(&session->doorbells[session->doorbell_count]);

        if (error)
            return error;
        session->doorbell_count++;
    }
    return 0;
}

static int make_pony(struct session *session, const char *application)
{
    struct pony_session_config config;
    int doorbells[SADDLE_CHANNELS_MAX];
    int error;

    for (uint32_t i = 0; i < session->doorbell_count; i++)
        doorbells[i] = session->doorbells[i].application_write;
    error =
        arena_describe(&config, session->arena, &session->plan, session->slots_offset, doorbells);
    if (error)
        return error;
    config.uid = session->owner.uid;
    config.grant = session->owner.grant;
    config.purse = session->purse;
    config.purse_place = session->purse_place;
    copy_name(config.application, application);
    memcpy(session->application, config.application, sizeof(session->application));
    return pony_session_create(&session->pony, &config);
}

static int watch_doorbells(struct session *session)
{
    while (session->watched < session->doorbell_count) {
        int error =
            engine_watch(session->owner.engine, session->doorbells[session->watched].engine);

        if (error)
            return error;
        session->watched++;
    }
    return 0;
}

int session_make_half(struct session *session, const char *application)
{
    int error = make_pony(session, application);

    return error ? error : watch_doorbells(session);
}

static int give_to_engine(struct session *session)
{
    struct engine *engine = session->owner.engine;
    int result = 0;
    int error = mailbox_call(&engine->mailbox, pony_mailbox_attach, session->pony,
                             SESSION_MAILBOX_NS, &result);

    if (!error)
        error = result;
    session->attached = !error;
    session->attached_ns = clock_now(&clock_machine);
    return error;
}

static int make_arena(struct session *session)
{
    enum policy_hugepages wanted = session->owner.hugepages;
    uint64_t bytes = session->plan.arena_bytes;

    if (wanted != POLICY_HUGEPAGES_OFF) {
        session->hugepages_error =
            arena_create_huge(bytes, ARENA_NAME, &session->arena_fd, &session->arena);
        session->hugepages = !session->hugepages_error;
        if (session->hugepages || wanted == POLICY_HUGEPAGES_REQUIRED)
            return session->hugepages_error;
    }
    return arena_create(bytes, ARENA_NAME, &session->arena_fd, &session->arena);
}

static int build(struct session *session, const struct saddle_attach_request *request)
{
    int error = make_arena(session);

    if (error)
        return error;
    arena_format(session->arena, &session->plan);
    error = make_doorbells(session);
    if (!error) /* also without a quota: he may get one */
        error = purses_take(session->owner.uid, session->owner.cpu_per_uid, &session->purse,
                            &session->purse_place);
    if (!error)
        error = session_make_half(session, request->application);
    return error ? error : give_to_engine(session);
}

/* Says why there is no session. `made` is what there is of it, or NULL. */
static int refuse(const struct session *made, const struct session_owner *owner, int error,
                  struct saddle_attach_reply *plan)
{
    if (made && made->hugepages_error && owner->hugepages == POLICY_HUGEPAGES_REQUIRED)
        return attach_refuse(
            plan, error,
            "attach: the policy requires huge pages for uid %u, %llu of 2 MiB in this case: %s",
            owner->uid, made->plan.arena_bytes / ARENA_HUGE_BYTES, arena_huge_reason(error));
    return attach_refuse(plan, error, "attach: engine %s: %s", owner->engine->name,
                         strerror(-error));
}

int session_create(struct session **session, const struct session_owner *owner,
                   const struct saddle_attach_request *request, struct saddle_attach_reply *plan,
                   uint64_t slots_offset)
{
    struct session *made = calloc(1, sizeof(*made));
    int error = -ENOMEM;

    if (made) {
        made->owner = *owner;
        made->arena_fd = -1;
        made->slots_offset = slots_offset;
        plan->session = owner->id;
        made->plan = *plan;
        error = build(made, request);
    }
    if (error) {
        refuse(made, owner, error, plan);
        session_destroy(made);
        return error;
    }
    *session = made;
    return 0;
}

uint32_t session_fds(const struct session *session, int fds[ATTACH_FDS_MAX])
{
    uint32_t count = 0;

    fds[count++] = session->arena_fd;
    for (uint32_t i = 0; i < session->doorbell_count; i++) {
        fds[count++] = session->doorbells[i].engine;
        fds[count++] = session->doorbells[i].application_read;
    }
    return count;
}

void session_sent(struct session *session)
{
    for (uint32_t i = 0; i < session->doorbell_count; i++)
        close_fd(&session->doorbells[i].application_read);
}

int session_error(const struct session *session)
{
    return arena_broken(session->arena) ? -EFAULT : pony_session_error(session->pony);
}

void session_tell(struct session *session, int error, const char *reason)
{
    arena_close(session->arena, error, reason);
    for (uint32_t i = 0; i < session->doorbell_count; i++)
        doorbell_ring_application(session->doorbells[i].application_write);
}

void session_dismantle(struct session *session)
{
    for (uint32_t i = 0; i < session->watched; i++)
        engine_unwatch(session->owner.engine, session->doorbells[i].engine);
    pony_session_destroy(session->pony);
    purses_give(session->purse, session->purse_place);
    for (uint32_t i = 0; i < session->doorbell_count; i++)
        close_doorbells(&session->doorbells[i]);
    arena_destroy(session->arena, session->plan.arena_bytes);
    close_fd(&session->arena_fd);
    free(session);
}

int session_destroy(struct session *session)
{
    if (!session)
        return 0;
    if (session->attached) {
        struct engine *engine = session->owner.engine;
        int result = -EAGAIN;

        while (result == -EAGAIN) {
            int error = mailbox_call(&engine->mailbox, pony_mailbox_detach, session->pony,
                                     SESSION_MAILBOX_NS, &result);
            if (error)
                return error;
        }
        session->attached = false;
    }
    session_dismantle(session);
    return 0;
}

void session_destroy_stopped(struct session *session)
{
    while (session->attached)
        session->attached = pony_mailbox_detach(session->owner.engine, session->pony) == -EAGAIN;
    session_dismantle(session);
}

void session_view(const struct session *session, struct session_view *view)
{
    *view = (struct session_view){
        .id = session->owner.id,
        .arena_bytes = session->plan.arena_bytes,
        .attached_ns = session->attached_ns,
        .uid = session->owner.uid,
        .abi = session->plan.abi,
        .channels = session->plan.channels,
        .rights = rights_of(session),
        .weight = session->owner.grant.weight,
        .cpu_share = session->owner.grant.cpu_share,
        .hugepages = session->hugepages,
        .engine = session->owner.engine->name,
        .application = session->application,
    };
    pony_session_usage(session->pony, &view->usage);
}

uint64_t session_id(const struct session *session)
{
    return session->owner.id;
}

const struct engine *session_engine(const struct session *session)
{
    return session->owner.engine;
}

bool session_exclusive(const struct session *session)
{
    return session->owner.exclusive;
}

uint32_t session_uid(const struct session *session)
{
    return session->owner.uid;
}

uint64_t session_bytes(const struct session *session)
{
    return session->plan.arena_bytes;
}

int session_hugepages_error(const struct session *session)
{
    return session->hugepages_error;
}
