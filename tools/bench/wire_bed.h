/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hosts, a daemon in each, and wires of all kinds (wire_plan.h) between them: cables between
 * namespaces (space.h), or memory.
 *
 *     left [eth0] ==== veth, MTU 3490 ==== [eth0] right
 *     left [eth0] ==== veth, MTU 1500 ==== [eth0] right
 *     left ============ memif =================== right
 *
 * What a case needs is made when the first one needs it; daemons run for as long as cases of their
 * wire follow each other, and never beside TCP.
 *
 * Ownership: the caller's struct, which begins as zeroes; whatever came of the others,
 * wire_bed_close is for it. Threads: the one that may start actors (actor.h).
 */
#ifndef BENCH_WIRE_BED_H
#define BENCH_WIRE_BED_H

#include "tools/bench/actor.h"
#include "tools/bench/ring_work.h"
#include "tools/bench/space.h"
#include "tools/bench/wire_plan.h"

#include <stdbool.h>

#define WIRE_CABLES       2u
#define WIRE_FOLDER_BYTES 88u
#define WIRE_PATH_BYTES   104u /* of what is in the folder: a socket's has at most 107 characters */

struct wire_daemon {
    struct actor actor;
    char socket[WIRE_PATH_BYTES], config[WIRE_PATH_BYTES], log[WIRE_PATH_BYTES];
};

struct wire_bed {
    const char *program; /* saddled */
    bool opened;
    char folder[WIRE_FOLDER_BYTES];
    struct wire_daemon daemons[RING_HOSTS];
    enum wire_kind wire; /* that the daemons are for, if they run */
    int spaces[WIRE_CABLES][SPACES];
};

/* 0 or a negative errno. */
int wire_bed_open(struct wire_bed *bed, const char *program);
/* What the case needs, for which the hosts are filled in. 0; -EINTR; or another negative errno,
 * with a line in `reason`. */
int wire_bed_provide(struct wire_bed *bed, struct ring_shared *shared);
void wire_bed_close(struct wire_bed *bed);

#endif
