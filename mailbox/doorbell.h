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
 * Toward the application the bell is a non-blocking pipe whose write end the daemon keeps: a full
 * or broken pipe never blocks or harms the daemon. Toward the engine it is an eventfd that the
 * engine watches edge-triggered and never reads.
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

/* The bells. Failures (full, closed) are no error: then the other side is awake, or gone. A pipe
 * knows no MSG_NOSIGNAL: whoever rings an application must ignore SIGPIPE. */
void doorbell_ring_engine(int eventfd);
void doorbell_ring_application(int pipe_write);
/* Application: empties its pipe, as far as a default pipe goes: work bounded. */
void doorbell_drain(int pipe_read);

/* A pair for one channel: an eventfd, and a pipe with both ends non-blocking, all close-on-exec.
 * 0 or a negative errno; on failure nothing is left open. */
struct doorbells {
    int engine;            /* eventfd */
    int application_read;  /* for the application */
    int application_write; /* the daemon's */
};
int doorbells_create(struct doorbells *doorbells);
/* Closes all three. NULL is fine. */
void doorbells_destroy(struct doorbells *doorbells);

#endif
