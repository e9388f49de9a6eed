/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a measurement: a prober, its echo, what loads the machine, a daemon.
 *
 * None of them outlives this one: each is killed by the kernel when the one that started it dies,
 * whatever it dies of. Each is in a process group of its own, so that an interrupt from the
 * terminal reaches this one alone, which then ends them in order.
 *
 * Ownership: `struct actor` is the caller's. Threads: the one that called actors_init, which must
 * be the process's first: the kernel takes a thread's end for a parent's.
 */
#ifndef BENCH_ACTOR_H
#define BENCH_ACTOR_H

#include <stdint.h>
#include <sys/types.h>

struct actor {
    pid_t pid; /* 0: none */
    int pipe;  /* readable when it has said something; at its end when it has ended */
};

/* Takes interrupts (INT, TERM, HUP) as words to be looked at, instead of ends. 0 or a negative
 * errno. */
int actors_init(void);
/* Starts a process that calls `body`, which says that it is ready by writing a byte to `word_fd`,
 * and never returns. `last_signal` is what it gets if this process dies. 0 or a negative errno. */
int actor_start(struct actor *actor, int last_signal, void (*body)(void *arg, int word_fd),
                void *arg);
/* Waits for the next byte of it: 0; -ECHILD if it has ended instead, -EINTR if this process was
 * interrupted, -ETIMEDOUT. */
int actor_wait(struct actor *actor, uint64_t timeout_ns);
/* Waits until its pipe can be read, or is at its end: 0, -EINTR, -ETIMEDOUT. */
int actor_await_output(const struct actor *actor, uint64_t timeout_ns);
/* Sends `number` (0: nothing) to it, and SIGKILL if it has not ended after `patience_ns`; returns
 * its status as from waitpid. Harmless, and 0, for none. */
int actor_end(struct actor *actor, int number, uint64_t patience_ns);
/* Kills it. */
void actor_kill(struct actor *actor);

#endif
