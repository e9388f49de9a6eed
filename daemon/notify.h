/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the service manager is told: that the daemon is ready, reloads, stops, what it does in one
 * line, that it is alive, and who goes on in its place. Without a service manager every call is
 * nothing.
 *
 * Ownership: none; the address of the service manager is in the environment until notify_begin has
 * taken it out, so that no child can speak in the daemon's name.
 * Threads: the control thread, notify_begin before any other is made.
 * Trust: the environment is that of whoever started the daemon.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Takes the service manager's variables out of the environment and keeps them. 0 or -ENOMEM. */
int notify_begin(void);
void notify_end(void);

/* Each with its status line. */
void notify_ready(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* notify_ready ends it. */
void notify_reloading(void);
void notify_stopping(void);
/* From now on that process, of the same unit, is the daemon: what this one says is not heard any
 * more, and that it ends ends nothing. The process has a whole interval of the watchdog's until it
 * has to be heard. */
void notify_main_pid(pid_t pid);

/* Whether there is a service manager. */
bool notify_managed(void);
/* It keeps copies of these, and passes them to the process that it starts next, by that name; those
 * that it has already it does not keep twice. One that is not told to keep any does not say so. */
void notify_keep(const char *name, const int *fds, uint32_t count);
/* It does not keep what has that name any more. */
void notify_drop(const char *name);

/* ns within which the service manager wants to hear that all is well; 0: it does not ask. */
uint64_t notify_watchdog_interval(void);
/* Says so if `well`; else says nothing, and the service manager does as its unit tells it. It also
 * says again what notify_ready did: of a daemon that took over that may have come before the
 * service manager listened to it. */
void notify_watchdog(bool well);

#endif
