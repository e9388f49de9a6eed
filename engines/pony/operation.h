/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Outstanding operations: commands that complete later.
 *
 * An operation answers its application exactly once. It may live on after that, without any access
 * to the application's memory, while the peer's answer is still due (a message that was begun).
 *
 * Ownership: a table in the engine; each operation is in one list of its connection, by its state.
 * Threads: the engine's. Trust: `id` comes back from peers and is checked by index, generation and
 * connection.
 */
#ifndef ENGINES_PONY_OPERATION_H
#define ENGINES_PONY_OPERATION_H

#include "engines/pony/gather.h"
#include "engines/pony/session.h"

enum operation_state {
    OPERATION_FREE,
    OPERATION_OPENING,    /* CONNECT; connection->opening */
    OPERATION_CLOSING,    /* CLOSE; connection->closing */
    OPERATION_QUEUED,     /* SEND; stream->queue; its head may be partly sent */
    OPERATION_BEGUN,      /* SEND; stream->begun, waits for DELIVERED */
    OPERATION_POSTED,     /* POST_RECV; connection->posted */
    OPERATION_FILLING,    /* POST_RECV; in no list, a slot points to it */
    OPERATION_WANTED,     /* one-sided; connection->wanted, not begun */
    OPERATION_ISSUED,     /* one-sided; connection->issued */
    OPERATION_ASKING,     /* PING; path->asking */
    OPERATION_ASKED,      /* PING; path->asked */
    OPERATION_CANCELLING, /* CANCEL; its channel's cancels */
};

struct packet;
struct wire_op;

#define OPERATION_INDEX_BITS      20u
#define OPERATION_INDEX_MASK      ((1u << OPERATION_INDEX_BITS) - 1)
#define OPERATION_GENERATION_MASK ((1u << (32 - OPERATION_INDEX_BITS)) - 1)

struct operation {
    struct list node;    /* in the list of its state */
    struct list sending; /* connection->sending, while it has bytes to send */
    struct list pings;   /* session->pings, of a PING */
    struct list owned;   /* its channel's operations, in order, until its answer */
    struct wheel_timer timer;
    struct upper *upper;
    struct pony_session *session;  /* NULL once the application has its answer */
    struct connection *connection; /* NULL: a PING */
    struct path *path;             /* of a PING */
    struct stream *stream;         /* of a SEND */
    uint64_t tag;
    uint64_t asked_ns;      /* when a PING's question was written */
    uint64_t buf;           /* arena offset, unless inline or gathered */
    struct gather *gather;  /* of SADDLE_ENTRY_GATHER, until its answer */
    uint64_t key;           /* region key; of a CANCEL, the tag */
    uint64_t remote_offset; /* bytes; of a READ_BATCH, those of `len` for each item */
    uint64_t value;         /* of a RESULT that has arrived */
    uint32_t handle;
    uint32_t len;      /* bytes; of a PING, to be echoed */
    uint32_t sent;     /* bytes */
    uint32_t received; /* bytes, of what reads */
    uint32_t awaited;  /* of them, once the RESULT has said how many there are */
    uint32_t found;    /* operations, of a CANCEL */
    uint32_t id;       /* of a SEND: in its stream. Of one-sided ones and PING: operation_id */
    uint16_t number;   /* of the stream */
    uint16_t generation;
    uint8_t op;    /* enum saddle_command_op */
    uint8_t state; /* enum operation_state */
    uint8_t channel;
    uint8_t flags; /* SADDLE_ENTRY_INLINE, _GATHER, _UNORDERED */
    bool skip;     /* a SEND that was given up: the peer has to be told */
    bool answered; /* a SEND, of which the peer has said what became of it: only SKIP is due */
    bool pulled;   /* a large SEND that has a buffer */
    bool called;   /* a PING that had to open its flow */
    bool again;    /* a PING that was asked once more, after a reset */
    bool spare;    /* its channel's, of no table */
    bool result; /* RESULT has arrived: `value`, `awaited` and, as its items, `payload` are known */
    uint8_t payload[SADDLE_INLINE_BYTES];
};

/* May this session have another operation? */
bool operation_available(const struct upper *upper, const struct pony_session *session);
/* Is the operation that a channel keeps for a CANCEL not in use? */
bool operation_spare_free(const struct session_channel *side);
/* Empties all but the generation. */
void operation_init(struct operation *operation, struct upper *upper);
/* Makes it one of a session's outstanding operations. */
void operation_own(struct operation *operation, struct pony_session *session);
/* A new operation for a command, with its deadline set. Only after operation_available, but for a
 * CANCEL, for which the channel's spare one does. */
struct operation *operation_take(struct pony_session *session, uint32_t channel,
                                 const struct saddle_command *command);
/* Tells the application the outcome, once; later calls do nothing. The memory is its own again. */
void operation_answer(struct operation *operation, int status, uint32_t len);
/* As operation_answer, then frees it. */
void operation_finish(struct operation *operation, int status);
/* Its deadline has passed (-ETIMEDOUT), or its application wants no more of it (-ECANCELED): ends
 * it, unless it only waits for its turn. */
void operation_give_up(struct operation *operation, int status);
/* Frees without telling anybody who has not been told. */
void operation_free(struct operation *operation);
/* Finishes or, if its session is gone, frees all of a list. */
void operation_finish_all(struct list *operations, int status);

/* The name by which peers speak of it. */
uint32_t operation_id(const struct operation *operation);
/* The operation of this connection that a peer calls `id`, or NULL. */
struct operation *operation_by_id(struct connection *connection, uint32_t id);

/* Copies `bytes` of the application's data from `offset` on, and continues `crc` over the copy; for
 * as long as it has no answer. */
uint32_t operation_copy(const struct operation *operation, uint32_t offset, uint8_t *to,
                        uint32_t bytes, uint32_t crc);
/* The application's buffer, from `offset` on. */
uint8_t *operation_buffer(const struct operation *operation, uint32_t offset);
/* Writes a fragment of the application's data, op->length bytes from op->offset on, for which the
 * packet has room. */
void operation_put(const struct operation *operation, struct packet *packet, struct wire_op *op);

#endif
