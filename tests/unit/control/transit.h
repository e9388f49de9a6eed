/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hand-over takes between two servers of one process: a parcel's way, and control loops on
 * threads of their own that do something in between.
 *
 * Ownership: the test's. Threads: the test's; `work` runs on the loop's.
 */
#ifndef TESTS_UNIT_CONTROL_TRANSIT_H
#define TESTS_UNIT_CONTROL_TRANSIT_H

#include "control/parcel.h"
#include "control/server.h"

#include <pthread.h>

#define TRANSIT_PATIENCE_NS (60 * NSEC_PER_SEC)

/* Sends and receives it; the draft is gone then. */
void transit(struct parcel_draft *draft, struct parcel *parcel);
/* As it would have arrived with another document, whose length and checksum are put right; with the
 * same descriptors. `bytes` are borrowed. 0, or what the reader says of the document. */
int transit_altered(const struct parcel *parcel, uint8_t *bytes, size_t length,
                    struct parcel *altered);
/* Of this process. */
uint32_t transit_descriptors(void);

struct transit_loop {
    struct server *server;
    struct engine *const *engines;
    uint32_t engine_count;
    pthread_t thread;
    int asked, answered;
    void (*work)(void *argument);
    void *argument;
};

void transit_loop_start(struct transit_loop *loop, struct server *server,
                        struct engine *const *engines, uint32_t engine_count);
/* Has the loop do that, between two looks at its descriptors, and waits until it is done. */
void transit_loop_do(struct transit_loop *loop, void (*work)(void *argument), void *argument);
/* Waits until the server has so many sessions. */
void transit_loop_await_sessions(struct transit_loop *loop, uint32_t count);
void transit_loop_stop(struct transit_loop *loop);

#endif
