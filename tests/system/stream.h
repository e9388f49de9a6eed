/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbered frames both ways between the ends of a cable (xdp_bed.h), of which exactly the next one
 * is accepted, byte by byte. Each says which number its sender wants next; only so many are sent
 * that are not acknowledged, so that a receiver that stands still loses none.
 *
 * Ownership: plain data, for each side one; it may be copied to another process. Threads: one for
 * each side. Every failure ends the test.
 */
#ifndef TESTS_SYSTEM_STREAM_H
#define TESTS_SYSTEM_STREAM_H

#include "tests/system/veth.h"

#include <rte_mbuf.h>
#include <stdbool.h>
#include <stdint.h>

/* Frames not acknowledged: with as many that only acknowledge, fewer than a queue of a veth takes
 * (256), and than a port posts buffers to it. */
#define STREAM_WINDOW 100u
#define STREAM_EXTRA  8u /* that may be sent beyond */

struct stream {
    uint32_t sent, acknowledged; /* numbers of one direction */
    uint32_t received, told;     /* and of the other */
    bool quiet;                  /* nothing new is sent */
};

/* Receives and sends what can be, by the port of that side. */
void stream_step(struct stream *stream, enum side side);
/* The next frame, made to be sent: some are clones. */
struct rte_mbuf *stream_next(struct stream *stream, enum side from);

#endif
