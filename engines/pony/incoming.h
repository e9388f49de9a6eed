/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages being received: assembly in slots or posted buffers, order, answers.
 *
 * Small messages are assembled in their slot. One of up to SADDLE_INLINE_BYTES is announced inside
 * the event, and its slot is free again as soon as it is announced and answered, without a RELEASE.
 * A large one waits for a posted buffer. Buffers are used in the order posted, each by the message
 * that fits it and that the application was told of first; so one that posts what it is told that
 * it needs, in that order, gives each message its own. Told of, and given buffers, are only
 * messages whose predecessors in the stream have all begun, so that a message cannot take the
 * buffer that one before it needs.
 *
 * The peer is answered when the message lies in the application's memory; the application hears of
 * it when its turn in the stream comes, or at once if it is unordered. Unordered messages have
 * numbers of their own, so that no other waits for them either.
 *
 * Threads: the engine's. Trust: fragments say anything; a rule broken ends the connection.
 */
#ifndef ENGINES_PONY_INCOMING_H
#define ENGINES_PONY_INCOMING_H

#include "engines/pony/stream.h"

/* The command. */
void incoming_post(struct pony_session *session, uint32_t channel,
                   const struct saddle_command *command);
/* From the peer. */
void incoming_on_fragment(struct connection *connection, const struct wire_op *op,
                          const uint8_t *payload);
void incoming_on_offer(struct connection *connection, const struct wire_op *op);
void incoming_on_bulk(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload);
void incoming_on_skip(struct connection *connection, const struct wire_op *op);

/* Announces what has its turn: false if the channel had no room for all. */
bool incoming_announce(struct stream *stream);
/* Writes what is due to the peer: false if the packet is full. */
bool incoming_fill(struct connection *connection, struct packet *packet);
/* The application closes, and will post no more buffers: offers without one are refused, so that
 * two sides that close at once do not wait for each other. */
void incoming_refuse(struct connection *connection);
/* A posted buffer is wanted back. */
void incoming_give_up(struct operation *operation, int status);
/* The connection is over: keeps only what is complete and has its turn (`keep`), or nothing.
 * Buffers that were to be filled complete with `status`. */
void incoming_purge(struct stream *stream, bool keep, int status);
/* Puts a slot among its stream's, for loading too: false if the id is taken. */
bool incoming_insert(struct stream *stream, struct slot *slot);

#endif
