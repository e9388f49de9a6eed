/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What `saddle-bench ring` measures, and what it makes of it; and what `wire` (wire_plan.h) has of
 * that.
 *
 * A case is one kind of work at one place: round trips, messages, reads, or nothing at all, over
 * Saddle in a group of one mode, over the kernel's TCP, or by somebody else's program over what
 * that is made for. A round measures each case once; figures are spreads over rounds. A figure that
 * compares two cases is a quotient taken within each round, so that a change in the machine's speed
 * meets both.
 *
 * Ownership: the caller's structs. Threads: any; nothing is kept.
 */
#ifndef BENCH_RING_PLAN_H
#define BENCH_RING_PLAN_H

#include "tools/bench/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_RUNS_MAX     99u
#define RING_SECONDS_MIN  0.01
#define RING_SECONDS_MAX  600.0
#define RING_LIST_MAX     24u /* sizes, or windows, batches, sessions, flows */
#define RING_BYTES_MIN    8u
#define RING_BYTES_MAX    (16u << 20)
#define RING_WINDOW_MAX   512u        /* messages: half of a queue's entries */
#define RING_FLIGHT_BYTES (64u << 20) /* on their way at a time, at most, but for one message */
#define RING_SMALL_BYTES  64u
#define RING_WORD_BYTES   8u
#define RING_BULK_BYTES   65536u
#define RING_WORKING_SET  (8u << 20) /* of either application, for bulk */
#define RING_SESSIONS     100u
#define RING_CONNECTIONS  10000u
#define RING_STREAMS      16u
#define RING_WINDOW_SMALL 256u /* a receiver's slots hold that for one connection, at least */
#define RING_WINDOW_BULK  32u  /* 2 MiB: a quarter of the working set */
#define RING_NAME_BYTES   40u
#define RING_REASON_BYTES 480u
#define RING_VALUES       4u
/* Connections that say nothing: as many as one engine is to hold. */
#define RING_IDLE_CONNECTIONS 20000u

enum ring_place {
    RING_DEDICATED,
    RING_SPREADING,
    RING_COMPACTING,
    RING_TCP,
    RING_URING, /* TCP by io_uring */
    RING_PEER,  /* see enum ring_peer */
    RING_FLOOR, /* what is beneath Saddle alone (ring_floor.c, wire_floor.c) */
    RING_PLACES
};

/* Programs of others, and what they are to use. */
enum ring_peer {
    RING_UCX_POSIX, /* memory that two processes share */
    RING_UCX_TCP,
    RING_LIBFABRIC_SHM,
    RING_LIBFABRIC_TCP,
    RING_PEERS
};

enum ring_work {
    RING_TRIPS,    /* there and back, one at a time */
    RING_MESSAGES, /* one way, a window of them */
    RING_READS,    /* one-sided, a window of them; so are those up to RING_ADDS */
    RING_INDIRECT, /* reads by way of a table, */
    RING_BATCHES,  /* of as many as one operation may have, */
    RING_SCANS,    /* and of what is looked for there */
    RING_WRITES,
    RING_SWAPS,    /* compare and swap, of 8 bytes each */
    RING_ADDS,     /* fetch and add, likewise */
    RING_CALLS,    /* connections that are opened and closed, a window of them */
    RING_CALL,     /* the same, one at a time */
    RING_REST,     /* none: what the daemon takes of a processor */
    RING_REST_ALL, /* none, on RING_IDLE_CONNECTIONS more: what they take of its memory */
    RING_STEPS,    /* of arithmetic alone: how fast the processors are */
    RING_WORKS
};

/* What a case of a sweep is a step of. */
enum ring_sweep {
    RING_SWEEP_NONE,
    RING_SWEEP_SIZES, /* and windows */
    RING_SWEEP_BATCHES,
    RING_SWEEP_SESSIONS,
    RING_SWEEP_FLOWS,
};

struct ring_case {
    enum ring_sweep sweep;
    char name[RING_NAME_BYTES];
    enum ring_place place;
    uint32_t wire; /* between the hosts; of `ring` there is one */
    enum ring_work work;
    enum ring_peer peer; /* of RING_PEER */
    bool waits;          /* applications sleep when there is nothing to do; else they poll */
    bool anew;           /* in a daemon whose tables nobody has used */
    uint32_t bytes;
    uint32_t window;      /* on their way at a time, of each session */
    uint32_t batch;       /* that are sent together, and never fewer; 0: as the window has room */
    uint32_t slots;       /* buffers, which are used in turn; 0: as many as the window */
    uint32_t sessions;    /* at each engine */
    uint32_t connections; /* of each session */
    uint32_t streams;     /* of each connection */
    uint32_t flows;       /* that connections are on, in turn */
    uint32_t copies;      /* of each byte, of RING_FLOOR */
};

/* The cases that are always there, by their place in the list. Those of a sweep come after. */
enum ring_fixed {
    RING_CASE_TRIP,
    RING_CASE_MESSAGES,
    RING_CASE_CONNECTIONS,
    RING_CASE_SESSIONS,
    RING_CASE_STREAMS,
    RING_CASE_READS,
    RING_CASE_INDIRECT,
    RING_CASE_BATCHES,
    RING_CASE_SCANS,
    RING_CASE_WRITES,
    RING_CASE_SWAPS,
    RING_CASE_ADDS,
    RING_CASE_CALLS,
    RING_CASE_CALL,
    RING_CASE_BULK_READS,
    RING_CASE_BULK_WRITES,
    RING_CASE_MIB,
    RING_CASE_16_MIB,
    RING_CASE_BULK_DEDICATED,
    RING_CASE_TRIP_WAITING,
    RING_CASE_BULK_SPREADING,
    RING_CASE_IDLE,
    RING_CASE_BULK_COMPACTING,
    RING_CASE_IDLE_COMPACTING,
    RING_CASE_IDLE_CONNECTIONS,
    RING_CASE_TCP_BULK,
    RING_CASE_TCP_TRIP,
    RING_CASE_TCP_TRIP_WAITING,
    RING_CASE_URING_TRIP,
    RING_CASE_URING_BULK,
    RING_CASE_UCX_TRIP,
    RING_CASE_UCX_MESSAGES,
    RING_CASE_UCX_READS,
    RING_CASE_UCX_WRITES,
    RING_CASE_UCX_SWAPS,
    RING_CASE_UCX_ADDS,
    RING_CASE_UCX_BULK,
    RING_CASE_UCX_TCP_TRIP,
    RING_CASE_UCX_TCP_MESSAGES,
    RING_CASE_UCX_TCP_READS,
    RING_CASE_UCX_TCP_WRITES,
    RING_CASE_UCX_TCP_BULK,
    RING_CASE_LIBFABRIC_SHM_TRIP,
    RING_CASE_LIBFABRIC_SHM_BULK,
    RING_CASE_LIBFABRIC_TCP_TRIP,
    RING_CASE_LIBFABRIC_TCP_BULK,
    RING_CASE_FLOOR_TRIP,
    RING_CASE_FLOOR_BULK,
    RING_CASE_FLOOR_BULK_ONCE,
    RING_CASE_FLOOR_STEPS,
    RING_CASES_FIXED,
};

/* Sizes with windows, batches, sessions and flows. */
#define RING_CASES_MAX (RING_CASES_FIXED + RING_LIST_MAX * (RING_LIST_MAX + 1 + 3))

struct ring_settings {
    double seconds; /* of one case in one round */
    uint32_t runs;
    uint32_t sizes[RING_LIST_MAX], size_count;
    uint32_t windows[RING_LIST_MAX], window_count;
    uint32_t batches[RING_LIST_MAX], batch_count;
    uint32_t sessions[RING_LIST_MAX], session_count;
    uint32_t flows[RING_LIST_MAX], flow_count;
};

/* What one case gave in one round. Of RING_TRIPS: microseconds, p50 and p99, or the mean, of who
 * tells no more; of RING_CALL those of opening and of closing. Of RING_REST: per cent of one core's
 * time. Of RING_REST_ALL: bytes of each connection's end. Of RING_STEPS: how many a second, of one
 * processor, and in the fastest ten milliseconds. Of the others: how many a second, Gbit/s, and
 * Gbit/s for each core's time that was used: by the two processes, and by the whole machine. */
enum ring_value { RING_P50, RING_P99 };
enum ring_mean { RING_MEAN };
enum ring_call { RING_OPEN_P50, RING_OPEN_P99, RING_CLOSE_P50, RING_CLOSE_P99 };
enum ring_rest { RING_CORE_PERCENT };
enum ring_rest_all { RING_END_BYTES };
enum ring_steps { RING_STEPS_PER_S, RING_STEPS_FASTEST_PER_S };
enum ring_rate { RING_PER_S, RING_GBPS, RING_PER_CORE, RING_PER_CORE_MACHINE };

struct ring_result {
    double values[RING_VALUES];
    uint64_t checked; /* messages or reads whose every byte was compared */
};

struct ring_outcome {
    struct ring_case what;
    struct ring_result runs[RING_RUNS_MAX];
    uint32_t run_count;
    bool left_out; /* it was not asked for */
    bool missing;  /* it could not be had, and `reason` says why */
    char reason[RING_REASON_BYTES];
};

/* A figure of the document: a value of a case, or the quotient of two. */
struct ring_field {
    const char *name, *what;
    uint32_t of; /* the case's place in the list */
    uint32_t value;
    bool is_quotient; /* by the same value of case `by` */
    uint32_t by;
};

/* What a subcommand makes of what it has measured. */
struct ring_form {
    const char *name; /* the subcommand's */
    const struct ring_field *fields;
    uint32_t field_count;
    uint32_t fixed; /* cases that are always there: others after them are a sweep's */
    bool has_sweep;
};

extern const struct ring_field ring_fields[];
extern const uint32_t ring_field_count;
extern const struct ring_form ring_form;

/* Numbers from `min` to `max`, with commas between: how many, or 0 with the first wrong one, or
 * what is wrong with all of them, in `wrong`. */
uint32_t ring_parse_list(const char *text, uint32_t min, uint32_t max,
                         uint32_t numbers[RING_LIST_MAX], char *wrong, size_t wrong_bytes);
/* Fills in these cases, with what they leave open; how many. */
uint32_t ring_plan_cases(const struct ring_case *cases, uint32_t case_count,
                         struct ring_outcome *outcomes);
/* Fills in the cases that the settings ask for; how many. */
uint32_t ring_plan(const struct ring_settings *settings, struct ring_outcome *outcomes);
/* The name may have a shell's wildcards. */
bool ring_matches(const struct ring_case *what, const char *pattern);
/* Of one value over all runs. */
struct spread ring_spread(const struct ring_outcome *outcome, uint32_t value);
/* False: what it is of was not measured. */
bool ring_reckon(const struct ring_field *field, const struct ring_outcome *outcomes,
                 struct spread *spread, uint32_t *runs);

#endif
