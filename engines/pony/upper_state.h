/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * How the operation layer's state is written down: one record per object, each naming others by
 * index. Order: engine, sessions, their grants, regions, services, connections, streams,
 * operations, slots, served, replies, then for each path its unanswered echoes and its pings, and
 * last CANCELs; so that a record only speaks of what came before it. A session without a grant, as
 * older engines write them, keeps the one that control describes it with. Lists are not saved: an
 * object's state says in which it is, and where order matters the records are in order. What
 * follows from other objects (counts, shares) is computed again.
 *
 * Fields that a later version added are the last of their record: one of an older engine ends
 * before them, and they are 0 (upper_loaded_more). docs/state.md has all of them.
 *
 * Saving changes nothing. What ends piece by piece is written as if it had ended where nobody has
 * to be told (sessions that are gone); where somebody has (a flow that is over), it goes on ending
 * where it is loaded.
 *
 * Deadlines are saved as the time that remains, since clocks differ between machines.
 *
 * Trust: what is read is checked like anything hostile: every index, state and length before use.
 */
#ifndef ENGINES_PONY_UPPER_STATE_H
#define ENGINES_PONY_UPPER_STATE_H

#include "engines/pony/upper.h"
#include "sched/state.h"

#define UPPER_STATE_VERSION 3u

enum upper_record {
    UPPER_RECORD_ENGINE = UPPER_RECORD_FIRST,
    UPPER_RECORD_SESSION,
    UPPER_RECORD_REGION,
    UPPER_RECORD_SERVICE,
    UPPER_RECORD_CONNECTION,
    UPPER_RECORD_STREAM,
    UPPER_RECORD_OPERATION,
    UPPER_RECORD_SLOT,
    UPPER_RECORD_SERVED,
    UPPER_RECORD_REPLY,
    UPPER_RECORD_ECHOES,
    UPPER_RECORD_PING,
    UPPER_RECORD_GRANT,
    UPPER_RECORD_RESULT,  /* of an operation, right behind it */
    UPPER_RECORD_FETCH,   /* a served operation that is answered by a RESULT */
    UPPER_RECORD_ACCOUNT, /* of a session: what it was charged, and its part of the time */
    UPPER_RECORD_CANCEL,
    UPPER_RECORD_ORDER, /* of a channel with CANCELs: in which its operations were accepted */
};

/* In place of an index: no such object. */
#define UPPER_STATE_NONE UINT32_MAX

/* Slots, operations and what hangs on them; upper_load_record reads the rest. */
void upper_load_operation(struct upper *upper, struct state_reader *reader);
void upper_load_slot(struct upper *upper, struct state_reader *reader);
void upper_load_served(struct upper *upper, struct state_reader *reader);
void upper_load_result(struct upper *upper, struct state_reader *reader);
void upper_load_fetch(struct upper *upper, struct state_reader *reader);
void upper_load_echoes(struct upper *upper, struct state_reader *reader);
void upper_load_ping(struct upper *upper, struct state_reader *reader);
void upper_load_cancel(struct upper *upper, struct state_reader *reader);
void upper_load_order(struct upper *upper, struct state_reader *reader);

/* Are there more fields in the record than those of the version before? */
static inline bool upper_loaded_more(const struct state_reader *reader)
{
    return !reader->error && reader->position < reader->record_end;
}

/* The object of an index that was read, or NULL with the reader failed. */
struct pony_session *upper_loaded_session(struct upper *upper, struct state_reader *reader,
                                          uint32_t index);
/* The path of the flow whose number was read, or NULL with the reader failed. */
struct path *upper_loaded_path(struct upper *upper, struct state_reader *reader, uint32_t flow);
struct connection *upper_loaded_connection(struct upper *upper, struct state_reader *reader,
                                           uint32_t index);

#endif
