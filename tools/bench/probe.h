/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Probing: what the processes of one run of one variant do, and the memory they share.
 *
 * A prober sends a small message at a fixed rate and waits for the echo of each, both asleep
 * meanwhile. What carries the messages is a table of functions, so that everything else is the same
 * for Saddle and for TCP: threads, priorities, rate, samples.
 *
 * Ownership: the memory is shared by mmap before the processes are started, and stays; a child
 * writes what it found and exits. Threads: each process has one, unless its transport says more.
 * A child that fails leaves one line in `reason` and exits.
 */
#ifndef BENCH_PROBE_H
#define BENCH_PROBE_H

#include "tools/bench/pace.h"
#include "tools/bench/plan.h"

#include <stdatomic.h>
#include <sys/types.h>

#define PROBE_BYTES    64u   /* of a message: it travels inside a queue entry */
#define PROBE_WAIT_MS  30000 /* nothing for so long means that something is broken */
#define PROBE_PRIORITY 50    /* SCHED_FIFO, of real-time probers and echoes */

struct probe_shared {
    const struct plan_variant *variant;
    struct plan_settings settings;
    const char *socket; /* of the daemon */
    pid_t echo;         /* whose processor time is the application's too */
    pid_t daemon;       /* 0: none */
    char reason[PLAN_REASON_BYTES];
    bool refused;              /* `reason` says what the kernel did not allow */
    uint16_t tcp_ports[2];     /* where echo and stream listen */
    _Atomic uint64_t streamed; /* messages that arrived; written by the stream's receiver */
    /* The outcome. */
    struct pace_result pace;
    uint64_t elapsed_ns;
    uint64_t application_ns;
    uint64_t engines_ns;
    uint64_t streamed_messages;
};

struct probe_transport {
    /* The prober's side: connects to the echo; then one message there and back. Both return 0 or
     * a negative errno, with a line in `reason`. */
    int (*open)(struct probe_shared *shared);
    int (*trip)(struct probe_shared *shared);
    /* The other processes, which write a byte to `word_fd` once they serve, and never return. */
    void (*echo)(struct probe_shared *shared, int word_fd);
    void (*stream)(struct probe_shared *shared, int word_fd);
};

extern const struct probe_transport probe_saddle;
extern const struct probe_transport probe_tcp;
const struct probe_transport *probe_transport_of(const struct plan_variant *variant);

/* Leaves a line and ends the process. */
void __attribute__((noreturn, format(printf, 2, 3)))
probe_fail(struct probe_shared *shared, const char *format, ...);
/* Leaves a line, and returns `rc`. */
int __attribute__((format(printf, 3, 4)))
probe_error(struct probe_shared *shared, int rc, const char *format, ...);
/* Gives the calling thread the priority that its variant asks for; leaves the process if it may
 * not. */
void probe_prioritize(struct probe_shared *shared);
/* Says that this process serves. */
void probe_ready(struct probe_shared *shared, int word_fd);
/* Processor time so far, ns, of a process; 0: the calling one. */
uint64_t probe_cpu_ns(pid_t pid);
/* Of the calling thread alone. */
uint64_t probe_thread_ns(void);
/* When and how often the variant's probes are due, from a moment ahead of now. */
struct pace probe_pace(const struct probe_shared *shared);
/* Waits for the next of a stream's messages to be due. */
void probe_stream_wait(const struct probe_shared *shared, uint64_t start_ns, uint64_t number);

/* ---- Bodies of actors; `arg` is the shared memory. ---- */

void probe_run_prober(void *arg, int word_fd);
void probe_run_echo(void *arg, int word_fd);
void probe_run_stream(void *arg, int word_fd);
/* Probes an engine of its own in this process (wake.c). */
void probe_run_wake(void *arg, int word_fd);

#endif
