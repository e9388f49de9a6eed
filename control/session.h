/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A session as control sees it: the memory and doorbells of one attached application, and its
 * place in an engine.
 *
 * Ownership: the session owns its arena, its doorbells and the engine's half; it borrows the
 * engine, which outlives it. Threads: control's; the engine is reached through its mailbox. Trust:
 * whatever the application does, setting up and tearing down take back everything.
 */
#ifndef CONTROL_SESSION_H
#define CONTROL_SESSION_H

#include "control/attach.h"
#include "control/policy.h"
#include "engines/pony/pony.h"
#include "sched/engine.h"

#include <stdint.h>

#include <saddle/abi.h>

#define SESSION_MAILBOX_NS (1 * NSEC_PER_SEC) /* an engine that is silent for longer is stuck */

struct session;

/* Whose session it is to be. */
struct session_owner {
    uint64_t id; /* never reused */
    uint32_t uid;
    struct engine *engine;
    bool exclusive;                  /* nobody else is to have a session there */
    struct pony_grant grant;         /* what the engine is to let it do and have */
    uint32_t cpu_per_uid;            /* the quota of all sessions of the user; 0: no bound */
    enum policy_hugepages hugepages; /* what its memory is to be of; not known of one adopted */
};

/* Rights of the policy as the engine knows them, which has nothing to say about attaching. */
uint32_t session_rights(uint32_t policy_rights);

/* Sets a session up from a plan (see arena_plan, and arena_plan_huge unless its memory is to be of
 * ordinary pages) and gives it to the engine, which must be running.
 * 0; or a negative errno, with the reply's error and reason set and nothing left behind. */
int session_create(struct session **session, const struct session_owner *owner,
                   const struct saddle_attach_request *request, struct saddle_attach_reply *plan,
                   uint64_t slots_offset);

/* The descriptors of the reply, in its order; returns how many. */
uint32_t session_fds(const struct session *session, int fds[ATTACH_FDS_MAX]);
/* Once the reply is sent: closes what only the application needs. */
void session_sent(struct session *session);

/* 0 while all is well, else why the session has to go: what the engine closed it with, or -EFAULT
 * when its memory was taken away. */
int session_error(const struct session *session);
/* Tells the application why its session ends, and wakes it. */
void session_tell(struct session *session, int error, const char *reason);

/* Takes the session from its engine and frees it: 0, or -ETIMEDOUT if the engine does not answer;
 * then the session stays as it was, to be destroyed later. NULL is fine. */
int session_destroy(struct session *session);
/* The same while its engine is in no group, so that nobody but control touches it. */
void session_destroy_stopped(struct session *session);

/* What operators see of it. */
struct session_view {
    uint64_t id, arena_bytes;
    uint64_t attached_ns; /* CLOCK_MONOTONIC */
    uint32_t uid, abi, channels;
    uint32_t rights; /* of the policy, as of when it attached */
    uint32_t weight, cpu_share;
    bool hugepages; /* its memory is of them */
    struct pony_usage usage;
    const char *engine;
    const char *application; /* its own name for itself, printable */
};
void session_view(const struct session *session, struct session_view *view);

uint64_t session_id(const struct session *session);
const struct engine *session_engine(const struct session *session);
bool session_exclusive(const struct session *session);
uint32_t session_uid(const struct session *session);
uint64_t session_bytes(const struct session *session);
/* Why its memory is of ordinary pages though huge ones were wanted, as arena_huge_reason takes it;
 * 0: it is as it was to be. */
int session_hugepages_error(const struct session *session);

#endif
