/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the engine reads which pieces a gathered message is made of: arrays in the heap, one to a
 * command, used in turn.
 *
 * The engine reads an array when it takes the command, and before it takes the next one. So an
 * array is free again once a command behind its own was taken, of which the command queue tells:
 * late, but half as many arrays as the queue has entries are enough never to wait for ever.
 *
 * Ownership: the channel's; the arrays are made with the first gathered message, and go with the
 * heap. Threads: the channel's.
 */
#ifndef CLIENT_GATHER_H
#define CLIENT_GATHER_H

#include <saddle/saddle.h>

struct saddle_gather;

/* An array of SADDLE_SEGMENTS_MAX for the command that is reserved: 0, -EAGAIN (all are in use),
 * -ENOMEM or the session's error. Calling it again without client_gather_keep gives the same. */
int client_gather_reserve(struct saddle_channel *channel, struct saddle_gather **array);
/* The array is in use, by the command that is published next. */
void client_gather_keep(struct saddle_channel *channel);
void client_gather_close(struct saddle_channel *channel);

#endif
