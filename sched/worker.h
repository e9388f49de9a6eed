/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread of an engine group: it gives turns to its engines (mailbox, then run with its budget)
 * in fair shares (share.h), and sleeps when its group lets it.
 *
 * Sleeping (worker_sleep.c): the thread arms its own mailbox and inbox, then every engine and its
 * mailbox; each looks at its inputs once more. If any has work, all are disarmed and the round goes
 * on. Otherwise it waits on its epoll descriptor, which holds its mailbox and every engine's own
 * epoll descriptor, until the nearest deadline. A thread without engines has nothing to look for:
 * it sleeps at once, whatever its group says.
 *
 * Naps. In the midst of large transfers a thread that sleeps at all sleeps by the clock
 * (moderation), once for what came: to look for each packet costs more than the packet, and to be
 * woken for each as much.
 *
 * Moving (worker_move.c): an engine is handed over by the thread that has it, by a message to the
 * one that is to have it; neither waits. It happens between two turns, when nothing is armed. The
 * engine's descriptor is put into the new thread's set before it leaves the old one's, so that this
 * cannot fail half way; what comes in between is found by the new thread, which looks at the engine
 * before it sleeps.
 *
 * Ownership: the group owns workers; a worker borrows its engines.
 * Threads: worker_start to worker_move are control's. The rest is the thread's own; control reaches
 * it as mailbox work, other threads by the inbox. `stats` is written by the thread and read by any.
 */
#ifndef SCHED_WORKER_H
#define SCHED_WORKER_H

#include "mailbox/inbox.h"
#include "sched/group.h"
#include "sched/mode.h"
#include "sched/share.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

/* Threads have work within one budget per engine, milliseconds at most; this is only reached when
 * an engine hangs or the machine does not run us. */
#define WORKER_PATIENCE_NS (10 * NSEC_PER_SEC)
#define WORKER_NAME_BYTES  16u /* with the final NUL: the kernel's limit */

enum worker_message {
    WORKER_HAND_OVER = 1, /* to who has the engine: give it to move.to */
    WORKER_TAKE,          /* to who is to have it: it is yours */
    WORKER_DONE,          /* to who asked */
};

struct leader;

struct worker {
    struct group_config config; /* the thread's copy */
    struct mailbox mailbox;
    struct inbox inbox;
    int epoll_fd;
    pthread_t thread;
    sem_t started; /* posted once thread_start has answered */
    int start_error;
    char name[WORKER_NAME_BYTES];
    cpu_set_t cpus; /* where it may run; empty: anywhere */
    struct engine *engines[GROUP_ENGINES_MAX];
    struct share shares[GROUP_ENGINES_MAX]; /* of the engine at the same position */
    uint32_t count;
    uint64_t turn;         /* counts them */
    uint64_t idle_since;   /* ns: nothing was found since */
    bool napped;           /* since something was found: what comes does not come any more */
    struct leader *leader; /* moves the group's engines; NULL: this thread does not */
    bool stopping;
    struct quanta quanta; /* the thread's, see there */
    struct {
        _Atomic int tid;
        _Atomic uint64_t sleeps;
        _Atomic uint64_t wakes_event;
        _Atomic uint64_t wakes_deadline;
        _Atomic uint64_t busy_ns;
        _Atomic uint32_t engines;
    } stats;
};

/* An engine, the thread that has it or is to have it, and how that went. */
struct worker_seat {
    struct worker *worker;
    struct engine *engine;
    int error;
};

/* ---- Control ---- */

/* Starts a thread with name, cpus and leader as *worker has them. 0, or a negative errno: also what
 * config->thread_start said; then nothing is left. */
int worker_start(struct worker *worker, const struct group_config *config);
/* Ends and joins the thread; it must have no engine left. */
void worker_stop(struct worker *worker);
/* Closes what a stopped one had. Threads that send it messages, those of a leader, have to be
 * stopped first: a sender may still be about to ring after its message has arrived. */
void worker_close(struct worker *worker);

/* Has the thread run `fn` on itself: what that said, or -ETIMEDOUT if it did not come round. */
int worker_call(struct worker *worker, mailbox_fn *fn, void *argument);
/* Lets it go on with another idle time, pause and so on. 0 or -ETIMEDOUT. */
int worker_configure(struct worker *worker, const struct group_config *config);
/* Has it ask again for a reservation that others had taken: 0; -EBUSY if the kernel does not grant
 * it yet, or -EDQUOT if that is all for this process; or -ETIMEDOUT. */
int worker_ask_again(struct worker *worker);
/* Hands engines to threads, to all of them at once. 0, or the first error of a seat: -ENOSPC, what
 * epoll_ctl said, or -ETIMEDOUT. */
int worker_add(struct worker_seat *seats, uint32_t count);
/* Takes them away: 0, or the first error of a seat, -ENOENT or -ETIMEDOUT. */
int worker_remove(struct worker_seat *seats, uint32_t count);
/* Has it handed over from one thread to another: 0, -ENOENT (the first has it not), what epoll_ctl
 * said, or -ETIMEDOUT if the first does not come round. */
int worker_move(struct worker *from, struct engine *engine, struct worker *to);

/* ---- The thread ---- */

/* Does what its inbox asks for; returns how many messages there were. */
uint32_t worker_read_inbox(struct worker *worker);
/* Sends a message about an engine, whose `move` the sender owns. */
void worker_tell(struct worker *worker, struct engine *engine, enum worker_message what);
/* Arms everything and sleeps if all agree; everything is disarmed again when it returns. */
void worker_rest(struct worker *worker, uint64_t now);
/* How long it may nap, ns: 0, not at all, unless all its engines are in the midst of large
 * transfers; and no longer than until the first of them has something due. */
uint64_t worker_nap_ns(const struct worker *worker, uint64_t now);
/* Sleeps for so long, by the clock: nothing is armed, and nobody rings meanwhile. */
void worker_nap(struct worker *worker, uint64_t now, uint64_t span_ns);

/* Counts up what has a single writer: no read-modify-write is needed. */
static inline void worker_count(_Atomic uint64_t *counter, uint64_t by)
{
    uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + by, memory_order_relaxed);
}

#endif
