/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * One-sided operations that applications here ask of peers: read and write.
 *
 * A late answer to an operation that is over meets a newer generation of its id, and is dropped. A
 * write given up half-way is ended by a last fragment that ends too early.
 *
 * Threads: the engine's.
 */
#ifndef ENGINES_PONY_ONESIDED_H
#define ENGINES_PONY_ONESIDED_H

#include "engines/pony/connection.h"

/* The commands READ and WRITE. */
void onesided_command(struct pony_session *session, uint32_t channel,
                      const struct saddle_command *command);
/* From the peer. */
void onesided_on_data(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload);
void onesided_on_done(struct connection *connection, const struct wire_op *op);
void onesided_give_up(struct operation *operation, int status);

/* Begins operations that wait: false if the packet is full. */
bool onesided_fill(struct connection *connection, struct packet *packet);
/* Writes one fragment of a WRITE. False if the packet is full. */
bool onesided_fill_write(struct operation *operation, struct packet *packet);

#endif
