/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Pings: an application asks the engine whether a host can be reached, and the host's engine
 * answers. No connection and no application over there is needed, only a flow.
 *
 *     ASKING (in path->asking) --ECHO written--> ASKED (in path->asked) --ECHOED--> completed
 *
 * A ping that its application no longer waits for leaves at once, but its ECHO keeps counting
 * against WIRE_ECHOES_MAX until the peer has answered, and keeps the path until then: the answer
 * occupies the peer as much as any other.
 *
 * Ownership: operations of the engine's table, each in a list of its path and one of its session.
 * Threads: the engine's. Trust: peers may answer what was never asked, or with another length.
 */
#ifndef ENGINES_PONY_PING_H
#define ENGINES_PONY_PING_H

#include "engines/pony/operation.h"
#include "engines/pony/packet.h"
#include "engines/pony/path.h"

/* The command PING. */
void ping_command(struct pony_session *session, uint32_t channel,
                  const struct saddle_command *command);
/* From the peer: a question to be answered, and the answer to one of ours. */
void ping_on_echo(struct upper *upper, struct path *path, const struct wire_op *op);
void ping_on_echoed(struct upper *upper, struct path *path, const struct wire_op *op);
void ping_give_up(struct operation *operation, int status);

/* Writes the questions that wait: false if the packet is full. */
bool ping_fill(struct path *path, struct packet *packet);
/* Writes an operation whose payload is as many zeroes as it has bytes: false if it is full. */
bool ping_put(struct packet *packet, struct wire_op *op);
/* The largest payload of an echo on this flow: bytes. */
uint32_t ping_payload_max(const struct flow *flow);
/* True if an echo of this length may yet pass: what does is being found out. */
bool ping_must_wait(const struct flow *flow, uint32_t length);
/* What an answer to the application says beside its status. */
void ping_describe(const struct operation *operation, struct saddle_event *event);

/* The flow is gone. */
void ping_lost(struct path *path, int error);
/* The session is gone: nobody is told. */
void ping_drop(struct pony_session *session);
/* Puts a ping into its lists, by its state; for loading too. */
void ping_enlist(struct operation *operation, struct pony_session *session, struct path *path);

#endif
