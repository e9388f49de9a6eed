/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * DPDK's environment, started from the configuration: with hugepages if there are any and they are
 * wanted, else on ordinary memory, as any user.
 *
 * Ownership: one per process, and once: EAL cannot be started again. It lasts until the process
 * ends: drivers (net_memif) leave interrupts behind, which EAL's thread goes on to look at, and
 * stumbles over when its memory is taken away before it. With private memory there is nothing to
 * tidy up.
 * Threads: the main one. EAL pins the thread that starts it; that is undone here, so that threads
 * made later may run anywhere. Threads that run engines register through eal_thread_start.
 */
#ifndef DAEMON_EAL_H
#define DAEMON_EAL_H

#include "daemon/config.h"

#include <stdbool.h>
#include <stddef.h>

/* 0, or a negative errno with one line in `reason`. `quiet` keeps DPDK's own log to its errors. */
int eal_start(const struct config *config, bool quiet, char *reason, size_t reason_bytes);

/* For group_config: gives up what privileges engines do not need, and makes the calling thread one
 * that DPDK knows. An unregistered thread has no packet cache of its own and pays for that with
 * every packet. 0 or a negative errno. */
int eal_thread_start(void *arg);
void eal_thread_stop(void *arg);

/* Gives back what the calling thread keeps of every pool of packets. */
void eal_flush(void);

#endif
