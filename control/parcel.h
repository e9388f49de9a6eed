/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Parcels: what one daemon hands to the next, a state document (sched/state.h) and descriptors that
 * it speaks of, over a SOCK_SEQPACKET Unix socket.
 *
 *     datagram 1      kind, length, number of descriptors | the document, in a sealed memfd
 *     datagrams 2...  number of descriptors in this one   | up to PARCEL_FDS_EACH of them
 *
 * In the document a descriptor is a number: its place among those of the parcel. Whoever reads it
 * takes the descriptor, once.
 *
 * Ownership: a draft borrows its descriptors until it is sent; a parcel owns its document and the
 * descriptors that nobody has taken. Threads: one at a time; sending and receiving wait, no longer
 * than until the deadline.
 * Trust: the other side is another daemon of the same user, perhaps of another version, perhaps
 * broken: lengths, numbers and seals are checked before any of it is used, and the document cannot
 * change any more when it is read.
 */
#ifndef CONTROL_PARCEL_H
#define CONTROL_PARCEL_H

#include "sched/state.h"

#include <stddef.h>
#include <stdint.h>

#define PARCEL_FDS_EACH  200u        /* of one datagram: the kernel takes 253 */
#define PARCEL_FDS_MAX   (32u << 10) /* of one parcel: 1024 sessions have about 18,000 */
#define PARCEL_BYTES_MAX (1u << 30)  /* of one document */

/* One that is being written. */
struct parcel_draft {
    struct state_writer state;
    int *fds; /* borrowed ones */
    uint32_t count, room;
};

/* One that has arrived. */
struct parcel {
    uint32_t kind;
    struct state_reader state; /* on `bytes`, checked: read from here */
    void *bytes;               /* mapped; NULL: none */
    size_t length;
    int *fds; /* -1: taken */
    uint32_t count;
};

void parcel_draft_init(struct parcel_draft *draft);
/* Writes a descriptor into the open record. It stays the caller's, who keeps it open until the
 * parcel is sent. Errors stick to `state`. */
void parcel_put_fd(struct parcel_draft *draft, int fd);
/* Accepts one that was sent, or not. */
void parcel_draft_destroy(struct parcel_draft *draft);

/* Completes the document and sends it as `kind`, by `deadline` (ns of CLOCK_MONOTONIC). 0;
 * -ETIMEDOUT; -EPIPE the other side is gone; or another negative errno, what the document's writer
 * had among them. After an error the socket is of no use any more. */
int parcel_send(int socket, uint32_t kind, struct parcel_draft *draft, uint64_t deadline);

/* Receives the next one by `deadline`. 0; -ETIMEDOUT; -EPIPE; -EBADMSG what came is no parcel, or
 * its document is damaged; or another negative errno. Nothing is left behind then. */
int parcel_receive(int socket, struct parcel *parcel, uint64_t deadline);
/* Reads a descriptor from the open record; the caller's from now on. -1 (and the reader's error) if
 * there is none of that number, or it was taken before. */
int parcel_get_fd(struct parcel *parcel);
/* Closes what was not taken. Accepts one that is all zero. */
void parcel_destroy(struct parcel *parcel);

#endif
