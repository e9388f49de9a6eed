/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Arenas: the memory one session shares with the daemon.
 *
 * Layout: the header page, each channel's command and completion queue, the receive slots, the
 * application's heap; each part starts on a page. The plan is made from checked sizes, before any
 * memory exists, and stays in daemon-private memory.
 *
 * Ownership: control creates, maps and destroys arenas.
 * Threads: control's. The SIGBUS guard reads its table from any thread, without a lock.
 * Trust: the request is the application's word and is checked here; the memfd is sealed against
 * shrinking, growing and unsealing before the application gets it. Huge pages are for applications
 * that the policy trusts: a hole that they punch gives the page back to the machine's pool, and
 * when that is empty the daemon's next touch of it is a fault, which ends the session.
 */
#ifndef CONTROL_ARENA_H
#define CONTROL_ARENA_H

#include "engines/pony/pony.h"

#include <stdbool.h>
#include <stddef.h>

#include <saddle/abi.h>

#define ARENA_BYTES_MAX         (1ull << 30) /* quota of one session */
#define ARENA_PAGE_BYTES        4096u        /* alignment of every part of an arena */
#define ARENA_HUGE_BYTES        (2ull << 20) /* of one huge page, the smallest kind on x86-64 */
#define ARENA_QUEUE_ENTRIES_MIN 8u
#define ARENA_SLOTS_MAX         32768u /* half of the quota; three for each of 10,000 callers */
#define ARENAS_MAX              1024u  /* mapped at a time: size of the SIGBUS guard's table */

/* Checks an attach request and plans its arena: fills the geometry of `reply` (magic, bytes, abi,
 * channels, arena_bytes, heap, channel[]) and *slots_offset. On error `reply->error` and
 * `reply->reason` say what was wrong, and the error is returned: -EPROTO (not ours, or no common
 * version), -EINVAL, -EDQUOT. */
int arena_plan(const struct saddle_attach_request *request, struct saddle_attach_reply *reply,
               uint64_t *slots_offset);

/* Has the heap of a plan grow until the arena fills whole huge pages, still within the quota. */
void arena_plan_huge(struct saddle_attach_reply *plan);

/* Whether a plan that comes from elsewhere is one that arena_plan makes: 0 or -EINVAL. */
int arena_check(const struct saddle_attach_reply *plan, uint64_t slots_offset);

/* Formats the header and the queues of a fresh arena. */
void arena_format(uint8_t *arena, const struct saddle_attach_reply *plan);

/* Describes the session to an engine: everything but uid and application name. `doorbells` holds
 * one write end per channel, or is NULL. 0, or -EINVAL for a plan that is not arena_plan's. */
int arena_describe(struct pony_session_config *config, uint8_t *arena,
                   const struct saddle_attach_reply *plan, uint64_t slots_offset,
                   const int *doorbells);

/* Tells the application that its session is over and why. Touches no doorbell. */
void arena_close(uint8_t *arena, int error, const char *reason);

/* A sealed memfd of ordinary shared memory, mapped; *fd is the caller's. 0, -ENFILE (ARENAS_MAX)
 * or another negative errno. */
int arena_create(uint64_t bytes, const char *name, int *fd, uint8_t **arena);
/* The same of huge pages, all of which are there from now on; `bytes` are those of a plan of
 * arena_plan_huge. Leaves the machine's pool as it was if that has too few. */
int arena_create_huge(uint64_t bytes, const char *name, int *fd, uint8_t **arena);
/* What its error means, for whoever reads it. */
const char *arena_huge_reason(int error);
/* Maps one that another daemon made; it stays as it is, and `fd` the caller's. 0; -EBADMSG it is
 * not what one of these makes, of that size; -ENFILE or another negative errno. */
int arena_adopt(int fd, uint64_t bytes, uint8_t **arena);
/* Whether a mapped one is of huge pages. */
bool arena_huge(const uint8_t *arena);
/* Unmaps it. NULL is fine. */
void arena_destroy(uint8_t *arena, uint64_t bytes);

/* Installs the SIGBUS guard: a fault inside a mapped arena gets zeroes for the page, marks the
 * arena as broken and rings `control_fd` (an eventfd, or -1); a fault elsewhere takes the usual
 * way. 0 or a negative errno. */
int arena_guard_install(int control_fd);
/* Puts back what handled SIGBUS before. */
void arena_guard_remove(void);
/* True if the guard had to step in for this arena. */
bool arena_broken(const uint8_t *arena);

#endif
