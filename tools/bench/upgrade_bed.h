/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Two hosts whose daemons are replaced: each in a network namespace, with a cable between them and
 * a shaper before its engine; or both in one daemon, with a wire of memory between.
 *
 *     left0 -- left (shaper) -- [eth0] ==== veth ==== [eth0] -- right (shaper) -- right0
 *
 * Namespaces (space.h) are gone with the processes in them, whatever ends those. The folder with
 * sockets and logs is removed.
 *
 * Ownership: the caller's struct, which begins as zeroes; whatever was opened, bed_close is for.
 * Threads: the one that may start actors (actor.h).
 */
#ifndef BENCH_UPGRADE_BED_H
#define BENCH_UPGRADE_BED_H

#include "tools/bench/actor.h"
#include "tools/bench/space.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BED_HOSTS        SPACES
#define BED_FOLDER_BYTES 72u
#define BED_PATH_BYTES   104u /* of what is in the folder: a socket's has at most 107 characters */
#define BED_REASON       512u

struct bed_settings {
    const char *saddled;   /* that begins */
    const char *control;   /* saddle-control */
    const char *saddlectl; /* which asks for what is measured */
    /* That there has to be room for at each host, and those of them that are busy. */
    uint32_t connections, busy;
    bool local;
};

struct bed_daemon {
    struct actor actor;
    const char *name;
    char attach[BED_PATH_BYTES], control[BED_PATH_BYTES];
};

struct bed {
    struct bed_settings settings;
    char folder[BED_FOLDER_BYTES];
    int spaces[BED_HOSTS]; /* network namespaces, if not local */
    struct bed_daemon daemons[BED_HOSTS];
    uint32_t count; /* of daemons: one if local */
    bool opened;    /* there are namespaces to be closed */
};

/* What one hand-over was, as the newcomer has it. Of several sets the longest times, all bytes, and
 * the first blackout's beginning, of CLOCK_MONOTONIC (0: not known). */
struct bed_upgrade {
    uint64_t blackout_ns, brownout_ns, state_bytes, blackout_at_ns;
};

/* Counters of a daemon, of its whole life and of those before it. */
struct bed_counts {
    bool known;      /* whether `missed` is */
    uint64_t missed; /* packets that came and that its port could not take */
    uint64_t retransmissions;
};

extern const char *const bed_hosts[BED_HOSTS];

/* Each answers 0, or -EINTR, or another negative errno with one line in `reason`. */
int bed_open(struct bed *bed, const struct bed_settings *settings, char reason[BED_REASON]);
/* Starts `program` as the daemon's newcomer, waits until it serves and the old one has ended. */
int bed_replace(struct bed *bed, uint32_t daemon, const char *program, char reason[BED_REASON]);
int bed_last_upgrade(const struct bed *bed, uint32_t daemon, struct bed_upgrade *upgrade,
                     char reason[BED_REASON]);
int bed_count(const struct bed *bed, uint32_t daemon, struct bed_counts *counts,
              char reason[BED_REASON]);
/* Ends the daemons in order. */
int bed_end(struct bed *bed, char reason[BED_REASON]);
/* The last lines of each daemon's log. */
void bed_tell(const struct bed *bed, FILE *out);
/* Ends what is left, and removes everything; may be called at any time, and again. */
void bed_close(struct bed *bed);

const char *bed_port(const struct bed *bed);
/* The socket that applications of a host attach by. */
const char *bed_socket(const struct bed *bed, uint32_t host);

#endif
