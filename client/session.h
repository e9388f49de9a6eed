/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library knows of a session, shared by its own files and by tests that put a session on
 * memory of their own instead of attaching.
 *
 * Ownership: the session owns its channels; it owns the arena mapping and the descriptors only if
 * it attached.
 * Threads: see saddle.h. A session is broken by whichever thread finds out first, with one store.
 * Trust: the daemon is stronger than the application, but not believed blindly: geometry is checked
 * once, on opening, and every event when it is taken.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/heap.h"

#include <stdbool.h>

#include <saddle/abi.h>
#include <saddle/saddle.h>

/* Why the library itself holds a session to be over. */
struct session_fault {
    int error; /* negative errno */
    const char *line;
};

extern const struct session_fault session_fault_gone;     /* no sign of life of the daemon */
extern const struct session_fault session_fault_protocol; /* its queues hold nonsense */

struct saddle_session {
    uint8_t *arena;
    uint64_t arena_bytes;
    /* 1 in the process that made the session; reads as 0 in a child, whose kernel wipes the page.
     */
    const volatile uint32_t *alive;
    const struct session_fault *fault; /* NULL while all is well; relaxed, set once */
    struct saddle_channel *channels;
    uint32_t channel_count;
    uint32_t slots_max; /* receive slots that may exist in an arena of this size */
    struct client_heap heap;
    uint32_t abi;  /* version agreed on with the daemon */
    int socket;    /* the attach connection, or -1 */
    bool attached; /* arena mapping, socket and doorbells are the session's to give back */
};

/* Builds a session over an arena that is already mapped and formatted. `doorbells` holds, per
 * channel, the engine's eventfd and the application's socket; NULL: none, and saddle_wait answers
 * -ENOTSUP. The session borrows arena and descriptors. 0, -EINVAL or -ENOMEM. */
int session_open(struct saddle_session **session, const struct saddle_attach_reply *reply,
                 void *arena, const int (*doorbells)[2]);

/* Marks the session as over, unless it is already, and returns what it is over with. */
int session_break(struct saddle_session *session, const struct session_fault *fault);

/* Why the session is over, as a negative errno with the thread's error line set; 0 if it is not. */
int session_error(const struct saddle_session *session);

/* Whether the daemon has hung up, which is a system call: 0, or the session's error, which it is
 * from then on. */
int session_look(struct saddle_session *session);

/* -ECHILD with the thread's error line set. */
int session_inherited(void);

/* What every call looks at first: 0, or why the session cannot be used. */
static inline int session_check(const struct saddle_session *session)
{
    const struct saddle_arena_header *header;

    if (!*session->alive)
        return session_inherited();
    header = (const struct saddle_arena_header *)session->arena;
    if (__builtin_expect(__atomic_load_n(&session->fault, __ATOMIC_RELAXED) ||
                             __atomic_load_n(&header->state, __ATOMIC_RELAXED) ==
                                 SADDLE_SESSION_CLOSED,
                         0))
        return session_error(session);
    return 0;
}

#endif
