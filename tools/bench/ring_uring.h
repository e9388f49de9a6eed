/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a socket by io_uring instead of the kernel's calls for each: one operation at a time,
 * whose completion is looked for in the ring, asleep or spinning, as the case has it.
 *
 * Ownership: the process keeps what is opened until its end. Threads: the one that opened it.
 */
#ifndef BENCH_RING_URING_H
#define BENCH_RING_URING_H

#include "tools/bench/ring_work.h"

struct ring_uring {
    /* All of them: 0 or a negative errno. */
    int (*send)(struct ring_uring *uring, const uint8_t *bytes, size_t len);
    /* Likewise; 1: the other side has ended, before the first byte. */
    int (*receive)(struct ring_uring *uring, uint8_t *bytes, size_t len);
};

/* 0 or a negative errno with a line in `reason`; what ring_missing returns if the kernel refuses,
 * or this program was built without. */
int ring_uring_open(struct ring_uring **uring, struct ring_shared *shared, int fd);

#endif
