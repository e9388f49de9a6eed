/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Pony: the engine that gives applications reliable messages, streams and one-sided operations.
 *
 * From below: flows (flow.h, transport.h). From above: sessions with their channels (this header).
 * In between: connections, messages, one-sided operations and regions.
 *
 * Ownership: pony_create allocates everything the engine will need; control owns the engine, the
 * port, and each session's memory (arena), and hands sessions in and out through the mailbox.
 * Threads: functions named pony_mailbox_* run on the engine's thread, through its mailbox; the
 * others on control's.
 * Trust: applications and peers are hostile. Daemon memory alone holds geometry and ownership.
 */
#ifndef ENGINES_PONY_PONY_H
#define ENGINES_PONY_PONY_H

#include "engines/pony/directory.h"
#include "engines/pony/purse.h"
#include "engines/pony/transport.h"
#include "mailbox/channel.h"
#include "sched/engine.h"

#include <saddle/abi.h>

struct pony_config {
    struct transport_config transport;
    uint32_t sessions_max;       /* 0: 64 */
    uint32_t connections_max;    /* 0: 1024 */
    uint32_t operations_max;     /* outstanding, all sessions; 0: 16384 */
    uint32_t regions_max;        /* 0: 256 */
    int control_fd;              /* eventfd rung when the engine closes a session; -1: none */
    struct directory *directory; /* of the host's engines, lent; NULL: this is the only one */
    uint32_t directory_row;      /* its own */
    /* Where the credits of a new connection begin to be counted: 0, as docs/wire.md has it. A
     * simulation whose engines all begin elsewhere sees them wrap. */
    uint32_t credit_first;
};

/* Makes an engine. `seed` is RNG_SEED_BYTES of randomness. */
int pony_create(struct engine **engine, const char *name, const struct pony_config *config,
                struct port *port, const struct clock *clock, const uint8_t *seed);

/* What a command may take besides a session. */
#define PONY_RIGHT_LISTEN  0x1u /* LISTEN */
#define PONY_RIGHT_CONNECT 0x2u /* CONNECT */
#define PONY_RIGHT_EXPOSE  0x4u /* EXPOSE */
#define PONY_RIGHTS_ALL    (PONY_RIGHT_LISTEN | PONY_RIGHT_CONNECT | PONY_RIGHT_EXPOSE)

/* What a session may do and have, as control decided when it attached. A command without its right
 * is answered with -EACCES, one beyond a quota with -EDQUOT; a caller beyond it is refused. A quota
 * of 0 is none: the session's share of the engine's tables is still its bound. */
struct pony_grant {
    uint32_t rights;      /* PONY_RIGHT_* */
    uint32_t connections; /* at a time, callers that wait to be accepted included */
    uint32_t listeners;   /* at a time */
    uint32_t regions;     /* at a time */
    uint64_t exposed;     /* bytes in regions, those in two of them counted twice */
    uint32_t operations;  /* not complete, at a time: further commands wait in their queue */
    uint32_t weight;      /* its part of the engine's time beside others'; 0: 1 */
    uint32_t cpu_share;   /* of the engine's time, in parts of BUCKET_WHOLE */
};

/* One attached application, as control describes it to the engine. */
struct pony_session_config {
    uint64_t id; /* daemon-wide, never reused */
    uint32_t uid;
    uint32_t abi; /* the version agreed on at attach */
    struct pony_grant grant;
    struct purse *purse; /* of its user, lent; NULL: users never have a quota of time */
    uint32_t purse_place;
    char application[SADDLE_NAME_BYTES];
    uint8_t *arena; /* mapped by control for as long as the engine has the session */
    uint64_t arena_bytes;
    uint64_t heap_offset; /* where the application's buffers and regions may lie */
    uint64_t heap_bytes;
    uint64_t slots_offset; /* receive slots of SADDLE_EAGER_MAX bytes, the engine's to lend */
    uint32_t slot_count;
    uint32_t channel_count;
    struct channel_config channels[SADDLE_CHANNELS_MAX];
};

struct pony_session;

/* What a session takes. */
struct pony_usage {
    uint64_t cpu_ns;       /* of the engine's time */
    uint64_t throttled_ns; /* it could not work in, for want of quota */
    bool throttled;        /* at present */
    /* Bytes of the engine's tables: connections with a stream each; operations; regions; and what
     * is known of the session itself and its receive slots. */
    uint64_t connection_bytes, operation_bytes, region_bytes, record_bytes;
};

/* Control's thread: allocates the engine's side of a session; touches no shared memory. */
int pony_session_create(struct pony_session **session, const struct pony_session_config *config);
/* Control's thread, after pony_mailbox_detach or if it was never attached. NULL is fine. */
void pony_session_destroy(struct pony_session *session);
/* 0 while served; else the negative errno the engine closed it with. Any thread. */
int pony_session_error(const struct pony_session *session);
/* Control's thread, its engine in no group: whether an engine has it. */
bool pony_session_attached(const struct pony_session *session);
/* Any thread. */
void pony_session_usage(const struct pony_session *session, struct pony_usage *usage);

/* Mailbox work: context is the engine, argument the session. 0, or -ENOSPC (sessions_max). */
int pony_mailbox_attach(void *engine, void *session);
/* Mailbox work: the session's connections are closed toward their peers, its regions revoked. 0:
 * the engine holds no pointer into the session or its arena any more; -EAGAIN: some connections are
 * left, so that no piece of work is long: once more. */
int pony_mailbox_detach(void *engine, void *session);

/* Before engine->ops->load: the sessions that the saved state refers to, by id. Control's thread,
 * engine out of its group. -EEXIST, -ENOSPC. */
int pony_adopt(struct engine *engine, struct pony_session *session);

#endif
