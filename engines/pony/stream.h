/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams: the ordering domains of a connection, both directions of one number together. Made on
 * first use and kept until the connection ends.
 *
 * Ownership: a table in the engine. Every connection can have one stream; further ones come from
 * what is left. Threads: the engine's.
 */
#ifndef ENGINES_PONY_STREAM_H
#define ENGINES_PONY_STREAM_H

#include "engines/pony/connection.h"

/* Large messages begun and not answered: enough to hide a round trip, also where they are short
 * (64 KiB) and the receiver naps. They take turns, so that more of long ones would only come later
 * all of them: some, and beyond these as many as make a MiB. Of those that wait for a buffer, which
 * hold a slot of the receiver's each, some. */
#define STREAM_OFFERS_LEAST 4u
#define STREAM_OFFERS_MAX   16u
#define STREAM_OFFER_BYTES  (64u << 10) /* as many as these are counted as, each rounded up */

/* Ordered messages begun behind a large one that waits for a buffer: enough to hide a round trip.
 * More would only take the connection's credits from other streams. */
#define STREAM_BEHIND_MAX 8u
#define STREAM_LOOKS      16u /* queued messages among which one is looked for that may go first */

struct stream {
    struct list node;     /* the connection's */
    struct list ready;    /* connection->active or ->thirsty, while messages wait to be begun */
    struct list queue;    /* SENDs not yet sent whole (small) or not yet offered (large) */
    struct list begun;    /* SENDs that await DELIVERED */
    struct list incoming; /* slots: ordered messages by id, then the unordered ones */
    struct connection *connection; /* NULL: free */
    uint32_t send_next;            /* id of the next ordered message to begin */
    uint32_t send_unordered;       /* id of the next unordered one */
    uint32_t receive_next;         /* id of the next ordered message to announce */
    uint32_t unmatched;            /* the peer's large messages without a buffer */
    uint16_t offers;               /* our large messages, begun and not answered */
    uint16_t offers_waiting;       /* of them, for a buffer */
    uint16_t offered;              /* they count as so many of STREAM_OFFER_BYTES */
    uint16_t number;
};

/* The connection's stream of this number, made if need be; NULL if the number is too large or the
 * table is full. */
struct stream *stream_get(struct connection *connection, uint16_t number);
/* As stream_get, but never makes one. */
struct stream *stream_find(struct connection *connection, uint16_t number);
/* This large message is begun; it has a buffer; it is answered. */
void stream_offer(struct stream *stream, const struct operation *operation);
void stream_pulled(struct stream *stream, struct operation *operation);
void stream_answered(struct stream *stream, const struct operation *operation);
/* May no other one be begun? */
bool stream_offers_enough(const struct stream *stream);
/* Frees it; its lists are empty. */
void stream_free(struct stream *stream);
/* Puts it where fill looks, if it has a message that may be begun. */
void stream_schedule(struct stream *stream);

#endif
