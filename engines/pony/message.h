/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages being sent.
 *
 * A message gets its id in its stream, and uses a credit, when its first bytes (or, if it is over
 * SADDLE_EAGER_MAX, its OFFER) leave. From then on the peer answers it exactly once. If the
 * application's deadline passes in between, or it cancels, the peer is told to SKIP it, so that its
 * stream goes on, and the operation stays, without access to the application's memory, until the
 * answer.
 *
 * An unordered message is numbered apart from the others of its stream. Nothing in the numbers
 * tells the peer when one that failed is past, so SKIP does: it is sent, once, for each that was
 * given up before all of it was sent or that the peer has failed, and counts the bytes that were
 * sent.
 *
 * Threads: the engine's.
 */
#ifndef ENGINES_PONY_MESSAGE_H
#define ENGINES_PONY_MESSAGE_H

#include "engines/pony/stream.h"

/* May a message or one-sided operation of this connection be of so many bytes? 0, -EINVAL, or
 * -EOPNOTSUPP (the peer takes no such). */
int message_check_length(const struct connection *connection, uint32_t bytes);
/* Checks length and memory of a command that moves data over a connection, and the wire's bounds:
 * 0, -EINVAL, -EOPNOTSUPP (the peer takes no such), -ENOBUFS. *gather is set if it gathers. */
int message_check(const struct connection *connection, const struct saddle_command *command,
                  struct gather **gather);
/* The command. */
void message_send(struct pony_session *session, uint32_t channel,
                  const struct saddle_command *command);
/* From the peer. */
void message_on_delivered(struct connection *connection, const struct wire_op *op,
                          const uint8_t *payload);
void message_on_pull(struct connection *connection, const struct wire_op *op);
void message_on_credit(struct connection *connection, const struct wire_op *op);
void message_give_up(struct operation *operation, int status);

/* Begins or continues one message. False if none could, or the packet is full (*full). */
bool message_fill(struct connection *connection, struct packet *packet, bool *full);
/* Uses up a credit that was asked for and that nobody needs any more, by a message that is skipped:
 * while it is held here, another connection waits for it. False if the packet is full. */
bool message_fill_unwanted(struct connection *connection, struct packet *packet);
/* Writes one fragment of a large message that the peer pulled. False if the packet is full. */
bool message_fill_bulk(struct operation *operation, struct packet *packet);

#endif
