/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Cancelling: a CANCEL ends the operations of its channel that carry a tag and were accepted before
 * it. Each ends as its deadline would end it, but with -ECANCELED; what is complete already, or
 * only waits for its turn, keeps its own outcome.
 *
 * A channel may have more operations than fit in one turn of the engine, so a CANCEL is an
 * operation itself, and those of a session look at a bounded number of the others each turn:
 * session_channel keeps the place. Those of one channel go one after the other. One for which the
 * session has no operation left is its channel's spare one, so that what it is to end cannot keep
 * it out; and its channel always has a completion slot for it (channel.h).
 *
 * Threads: the engine's.
 */
#ifndef ENGINES_PONY_CANCEL_H
#define ENGINES_PONY_CANCEL_H

#include "engines/pony/operation.h"

/* The command. */
void cancel_command(struct pony_session *session, uint32_t channel,
                    const struct saddle_command *command);
/* Goes on with those of all channels in turn: looks at up to `most` operations, returns at how
 * many. */
uint32_t cancel_step(struct pony_session *session, uint32_t most);
/* The session is going: frees them. */
void cancel_drop(struct pony_session *session);

#endif
