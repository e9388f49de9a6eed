/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of saddle-demo share: time, processor time, files, percentiles, and giving up.
 *
 * Threads: one, except inside the comparison over TCP.
 */
#ifndef TOOLS_DEMO_PARTS_H
#define TOOLS_DEMO_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DEMO_PING_BYTES   64u         /* of one ping-pong message */
#define DEMO_CHUNK_BYTES  (1u << 20)  /* of one message of the file copy */
#define DEMO_REGION_BYTES (64u << 20) /* of the region that is read one-sidedly */
#define DEMO_DIGEST_BYTES 32u         /* SHA-256 */
#define DEMO_NS_PER_S     1000000000ull

#define DEMO_SIDES 2u /* left, right */

struct demo_options {
    const char *sockets[DEMO_SIDES]; /* of the daemon of each side, which may be one and the same */
    const char *service;             /* that right listens as */
    const char *file;                /* copied from left to right */
    const char *output;              /* where right writes it */
    const char *address;             /* IPv4, of right's kernel */
    const char *spaces[DEMO_SIDES]; /* network namespace of each side's TCP; NULL: this process's */
    pid_t daemons[DEMO_SIDES];      /* whose processor time counts; 0: none */
    uint32_t rounds;                /* of ping-pong, each way of waiting */
    uint32_t reads;
    bool kill_app;
    /* A named pipe: a line goes there at half of the copy, which is then done again and again until
     * the pipe is gone. NULL: none. */
    const char *meanwhile;
};

struct demo_times {
    double p50; /* us */
    double p99;
};

struct demo_copy {
    uint64_t bytes;
    double gbps;
    double cpu_s_per_gb; /* of applications and daemon, by 10^9 bytes */
};

/* One line on standard error, then exit status 1. */
void demo_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

uint64_t demo_now_ns(void);
/* Processor time so far of this process and of the daemons, in ns. */
uint64_t demo_cpu_ns(const pid_t daemons[DEMO_SIDES]);
/* SHA-256 of a file. */
void demo_digest(const char *path, uint8_t digest[DEMO_DIGEST_BYTES]);
/* Sorts the samples (ns). */
struct demo_times demo_percentiles(uint32_t *samples, uint32_t count);
/* Draws on a terminal, and nowhere else; `done` equal to `total` ends the line. */
void demo_progress(const char *what, uint64_t done, uint64_t total);
void demo_progress_off(void);
/* Opens a file to be copied, or a fresh one to copy to. */
int demo_open_source(const char *path, uint64_t *bytes);
int demo_open_output(const char *path);
/* A whole chunk in one call, or failure. */
void demo_read_at(int fd, void *bytes, size_t len, uint64_t offset);
void demo_write_at(int fd, const void *bytes, size_t len, uint64_t offset);

/* ---- Through Saddle: one thread drives both applications. ---- */

struct demo_saddle;

/* Attaches an application to each engine and connects the one on "left" to the one on "right". */
struct demo_saddle *demo_saddle_open(const struct demo_options *options);
void demo_saddle_close(struct demo_saddle *demo);
/* Copies the file; calls `half_way`, unless it is NULL, once when half of it has arrived. */
struct demo_copy demo_saddle_copy(struct demo_saddle *demo, const struct demo_options *options,
                                  void (*half_way)(void));
/* Round trips, spinning or sleeping until each message arrives. */
struct demo_times demo_saddle_rtt(struct demo_saddle *demo, uint32_t rounds, bool spin);
/* One-sided reads of right's region at random offsets: how many brought a wrong byte. */
uint32_t demo_saddle_reads(struct demo_saddle *demo, uint32_t reads);

/* ---- Somebody else's copy, which is killed on its way. ---- */

/* Starts a process that copies the file over and over. */
void demo_bystander_start(const struct demo_options *options);
/* Kills it as soon as its copy is under way. */
void demo_bystander_kill(void);
/* How far it got, bytes. */
uint64_t demo_bystander_bytes(void);

/* ---- The same over kernel TCP: two threads, blocking sockets. ---- */

struct demo_copy demo_tcp_copy(const struct demo_options *options);
struct demo_times demo_tcp_rtt(const struct demo_options *options);

#endif
