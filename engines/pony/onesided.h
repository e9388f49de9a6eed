/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * One-sided operations that applications here ask of peers: read and write, reads by way of a
 * table, and atomic ones.
 *
 * A read or write is over with its last byte or DONE. The others have a RESULT, which says how many
 * bytes of READ_DATA there are besides; packets overtake each other, so either may be the last to
 * arrive. What a request needs (offsets, values) is in the operation's payload until it is written;
 * then the items of the RESULT take its place.
 *
 * A late answer to an operation that is over meets a newer generation of its id, and is dropped. A
 * write given up half-way is ended by a last fragment that ends too early.
 *
 * Threads: the engine's.
 */
#ifndef ENGINES_PONY_ONESIDED_H
#define ENGINES_PONY_ONESIDED_H

#include "engines/pony/connection.h"

/* The commands READ, WRITE, READ_INDIRECT, READ_BATCH, SCAN_READ, COMPARE_SWAP and FETCH_ADD. */
void onesided_command(struct pony_session *session, uint32_t channel,
                      const struct saddle_command *command);
/* From the peer. */
/* This READ_DATA is delivered soon, and fills memory that the application has looked at. Whoever
 * says so may not be believed. */
void onesided_expect(const struct upper *upper, const struct wire_op *op);
void onesided_on_data(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload);
void onesided_on_done(struct connection *connection, const struct wire_op *op);
void onesided_on_result(struct connection *connection, const struct wire_op *op,
                        const uint8_t *payload);
/* Deadlines and cancelling: an atomic operation that was begun may be carried out all the same. */
void onesided_give_up(struct operation *operation, int status);
/* Adds what the RESULT told to the event that ends an operation. */
void onesided_describe(const struct operation *operation, struct saddle_event *event);
/* Do both sides of the connection's flow have the operations with a RESULT? */
bool onesided_agreed(const struct connection *connection);
/* A loaded operation holds together. */
bool onesided_fits(const struct operation *operation);

/* Commands whose peers answer with a RESULT. */
static inline bool onesided_has_result(uint8_t op)
{
    return op >= SADDLE_CMD_READ_INDIRECT && op <= SADDLE_CMD_FETCH_ADD;
}

/* Bytes of a read that were asked for and are not here. */
static inline uint32_t onesided_expected(const struct operation *operation)
{
    bool comes = operation->state == OPERATION_ISSUED && operation->op == SADDLE_CMD_READ;

    return comes ? operation->len - operation->received : 0;
}

/* Begins operations that wait: false if the packet is full. */
bool onesided_fill(struct connection *connection, struct packet *packet);
/* Writes one fragment of a WRITE. False if the packet is full. */
bool onesided_fill_write(struct operation *operation, struct packet *packet);

#endif
