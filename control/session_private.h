/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A session's inside, for its own files: its life (session.c) and its way to another daemon
 * (session_handover.c).
 *
 * Ownership, threads and trust: session.h.
 */
#ifndef CONTROL_SESSION_PRIVATE_H
#define CONTROL_SESSION_PRIVATE_H

#include "control/session.h"
#include "mailbox/doorbell.h"

struct session {
    struct session_owner owner;
    struct saddle_attach_reply plan;
    uint64_t slots_offset;
    uint8_t *arena;
    int arena_fd;
    bool hugepages;          /* the arena is of them */
    int hugepages_error;     /* why it is not; 0: it is, or was not to be */
    uint32_t doorbell_count; /* made */
    uint32_t watched;        /* of them, by the engine */
    struct doorbells doorbells[SADDLE_CHANNELS_MAX];
    struct pony_session *pony;
    struct purse *purse; /* of its user; NULL: it has none yet */
    uint32_t purse_place;
    bool attached;
    uint64_t attached_ns;
    char application[SADDLE_NAME_BYTES];
};

/* Makes the engine's half and has the engine watch the doorbells, once arena and doorbells are
 * there. `application`: SADDLE_NAME_BYTES, with a NUL among them. 0 or a negative errno. */
int session_make_half(struct session *session, const char *application);
/* Frees all of it; the engine has no part in it any more. */
void session_dismantle(struct session *session);

#endif
