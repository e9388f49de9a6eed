/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-bench: what a message costs, in four ways, and what becomes of it when daemons change.
 *
 * `micro`: what each step on the way of a message costs. A case does one thing `iterations` times
 * and returns how long that took; the driver repeats it, interleaved with the others, and prints
 * medians with their spread. Cases of one thread are also meant to be counted in instructions: run
 * a case with N and with 2 N iterations under a counting tool and divide the difference
 * (tools/bench-instructions does).
 *
 * `ring`: the main figures, through a daemon, beside the kernel's TCP, UCX and libfabric
 * (ring_plan.h).
 *
 * `sched`: how long engines and applications that sleep take to answer while the machine is busy,
 * by the mode and the scheduling class of a group (plan.h, probe.h).
 *
 * `upgrade`: how long engines stand still while daemons are replaced, and that nothing is harmed
 * (upgrade_bed.h, upgrade_load.h).
 *
 * `wire`: the main figures between two daemons, over wires of several kinds (wire_plan.h).
 *
 * Threads: a case may start one more, on the second CPU, and joins it before it returns.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stdint.h>

struct bench_case {
    const char *name;
    const char *what;    /* one line for --list: what one iteration is */
    uint64_t iterations; /* of one run, by default: some 50 ms */
    bool counted;        /* one thread, deterministic: fit for counting instructions */
    /* Runs the case; *elapsed_ns gets the time of the measured part. 0 or a negative errno. */
    int (*run)(uint64_t iterations, uint64_t *elapsed_ns);
};

extern const struct bench_case bench_queue_cases[];
extern const uint32_t bench_queue_case_count;
extern const struct bench_case bench_mailbox_cases[];
extern const uint32_t bench_mailbox_case_count;
extern const struct bench_case bench_message_cases[];
extern const uint32_t bench_message_case_count;

/* The subcommands: their arguments without the word itself but for argv[0]. They return the
 * program's exit status. */
int micro_main(int argc, char **argv);
int ring_main(int argc, char **argv);
int sched_main(int argc, char **argv);
int upgrade_main(int argc, char **argv);
int wire_main(int argc, char **argv);

uint64_t bench_now(void);
/* With virtual time engines see a clock that moves by the same step each time they look, so that
 * what they do, and thus what is counted, does not depend on the machine's speed. */
void bench_set_virtual_time(bool on);
bool bench_virtual_time(void);
/* Pins the calling thread; harmless if the CPU does not exist. */
void bench_pin(uint32_t cpu);

#endif
