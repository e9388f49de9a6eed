/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells: how the consumer of a queue sleeps without losing a wake-up.
 *
 * The consumer arms (exchanges 1 into the armed word), looks at the queue once more, and only then
 * sleeps. The producer publishes, exchanges 0 into the armed word, and rings if it was 1. Both
 * exchanges are sequentially consistent read-modify-writes, so one of the two always sees the
 * other: store-before-load is the one order that acquire and release cannot give.
 *
 * Toward the engine the bell is an eventfd that the engine watches edge-triggered and never reads.
 *
 * Toward the application it is a Unix stream socket whose other end the daemon keeps. Nothing the
 * application can do to its end makes the daemon wait: MSG_DONTWAIT goes with each byte, so there
 * is no flag to clear as on a shared eventfd; and no lock is held while the reader's memory is
 * touched, as the kernel does for a pipe, where a reader whose buffer lies on a stalled user-space
 * file system would hold up the writer for ever. A full or closed socket is harmless; SIGPIPE is
 * not raised.
 *
 * Threads: arm and disarm are the consumer's, due is the producer's.
 * Trust: the word may hold anything; any value but 0 counts as armed.
 */
#ifndef MAILBOX_DOORBELL_H
#define MAILBOX_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

/* Consumer: about to sleep. Look at the queue again after this. */
void doorbell_arm(uint32_t *armed);
/* Consumer: awake. */
void doorbell_disarm(uint32_t *armed);
/* Producer, after publishing: true if the consumer must be rung. */
bool doorbell_due(uint32_t *armed);

/* The bells. Failures (full, closed) are no error: then the other side is awake, or gone. */
void doorbell_ring_engine(int eventfd);
void doorbell_ring_application(int bell);
/* Application: takes the rings that have piled up; a bounded number of reads. */
void doorbell_drain(int bell);

/* A pair for one channel: an eventfd, and the two ends of a socket, all non-blocking and
 * close-on-exec. 0 or a negative errno; on failure nothing is left open. */
struct doorbells {
    int engine;            /* eventfd */
    int application_read;  /* for the application */
    int application_write; /* the daemon's */
};
int doorbells_create(struct doorbells *doorbells);
/* Closes all three. NULL is fine. */
void doorbells_destroy(struct doorbells *doorbells);

#endif
