/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Chores: what control has to do for ports now and then, each told by a descriptor that becomes
 * readable. They come and go with ports; control watches one descriptor for all of them.
 *
 * Ownership: descriptors and contexts are borrowed. Threads: control's.
 */
#ifndef DAEMON_CHORES_H
#define DAEMON_CHORES_H

struct chores;

/* 0 or a negative errno. */
int chores_create(struct chores **chores);
/* NULL is fine. */
void chores_destroy(struct chores *chores);

/* Has `work` called with the context whenever `fd` is readable. 0; -ENOSPC; or a negative errno. */
int chores_add(struct chores *chores, int fd, void (*work)(void *context), void *context);
/* Not any more; before `fd` is closed. One that was not added is fine. */
void chores_remove(struct chores *chores, int fd);

/* Readable when there is something to do, which chores_work does. */
int chores_fd(const struct chores *chores);
void chores_work(void *chores);

#endif
