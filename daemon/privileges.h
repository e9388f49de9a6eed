/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Privileges: what the daemon gives up once it has started.
 *
 * Threads: called once, before any thread is made, since capabilities are a thread's own and later
 * threads inherit them.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <stdbool.h>

/* Gains: as many descriptors as the hard limit allows. Gives up: new privileges by execve, every
 * capability but those to lock memory, to raise priorities and, with `devices`, to open the
 * kernel's network devices, and, unless `debuggable`, being dumped and traced, as applications'
 * data pass through. 0 or a negative errno. */
int privileges_settle(bool debuggable, bool devices);

#endif
