/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations: checks what the caller passes and writes one command.
 *
 * A host and service too long for an entry's inline payload go into arena memory. Such addresses
 * are kept, once each, until the session ends, so that no completion has to be matched to free one.
 *
 * Ownership: addresses are the channel's. Threads: the channel's.
 * Trust: a wrong argument is the caller's error and never reaches the daemon.
 */
#ifndef CLIENT_OPERATION_H
#define CLIENT_OPERATION_H

#include <saddle/saddle.h>

/* Forgets the channel's long addresses; their arena memory goes with the heap. */
void client_addresses_close(struct saddle_channel *channel);

#endif
