/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the processes of `saddle-bench ring` and `wire` do, and the memory they share with the one
 * that starts them.
 *
 * The work of a case is done by one process, which over Saddle is both applications in one thread,
 * and over TCP has a thread for each. A message is a ramp (ramp.h): the receiver knows which comes
 * next and compares every byte of it.
 *
 * Ownership: the memory is shared by mmap before a process is started, and stays. Threads: one
 * process at a time writes it; it leaves one line in `reason` if it fails.
 */
#ifndef BENCH_RING_WORK_H
#define BENCH_RING_WORK_H

#include "tools/bench/ring_plan.h"

#include <sys/types.h>

#define RING_PATIENCE_MS 60000u /* nothing for so long means that something is broken */
#define RING_PATIENCE_NS (RING_PATIENCE_MS * 1000000ull)
#define RING_SAMPLES     4000000u
/* A case goes on beyond its time until so many are done: a short run on a busy machine, whose
 * daemon did not get a processor meanwhile, says something too. */
#define RING_LEAST 3u

/* The two hosts of a case, which may be engines of one daemon. */
#define RING_LEFT  0u
#define RING_RIGHT 1u
#define RING_HOSTS 2u

struct ring_host {
    const char *socket;  /* of its daemon */
    pid_t daemon;        /* 0: none, or it is the other host's too */
    int space;           /* the network namespace, a descriptor; SPACE_NONE: this process's */
    const char *address; /* IPv4, for TCP */
};

struct ring_shared {
    struct ring_case what;
    double seconds;
    struct ring_host hosts[RING_HOSTS];
    uint32_t cpu, far_cpu; /* the applications', and the engines' or the other thread's */
    uint64_t *samples_ns;  /* RING_SAMPLES of them */
    /* The outcome. */
    struct ring_result result;
    bool missing; /* it cannot be had here, and `reason` says why */
    char reason[RING_REASON_BYTES];
};

/* Bodies of actors (actor.h): `arg` is the shared memory. */
void ring_work_saddle(void *arg, int word_fd);
void ring_work_tcp(void *arg, int word_fd);
void ring_work_floor(void *arg, int word_fd); /* of `ring` */
void wire_work_floor(void *arg, int word_fd); /* of `wire` */
/* In the process that may start actors (ring_peer.c). 0, -EINTR, or what ring_missing returns. */
int ring_peer(struct ring_shared *shared);

/* ---- Over Saddle. Each answers 0, or a negative errno with a line in `reason`. ---- */

int ring_trips(struct ring_shared *shared);
int ring_messages(struct ring_shared *shared);
int ring_remote(struct ring_shared *shared);
int ring_calls(struct ring_shared *shared);
int ring_call(struct ring_shared *shared);
int ring_rest(struct ring_shared *shared);
int ring_rest_all(struct ring_shared *shared);

/* ---- For all of them ---- */

/* Leaves a line, and returns `rc`. */
int __attribute__((format(printf, 3, 4)))
ring_error(struct ring_shared *shared, int rc, const char *format, ...);
/* Likewise of a case that this machine does not have what it takes for: it is left out, and no
 * other. Returns -ENOENT. */
int __attribute__((format(printf, 2, 3)))
ring_missing(struct ring_shared *shared, const char *format, ...);
uint64_t ring_length_ns(const struct ring_shared *shared);
/* How long a case is done before it counts. */
uint64_t ring_warm_up_ns(const struct ring_shared *shared);
/* Makes round trips, numbered from 0, for the length of a case, and notes how long they took.
 * `trip` makes one: 0, or a negative errno with a line in `reason`, which ends it and is returned.
 */
int ring_measure_trips(struct ring_shared *shared, int (*trip)(void *context, uint64_t number),
                       void *context);

#endif
