/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What saddle-control gives up before it speaks with anybody.
 *
 * Threads: the first one, before there are others.
 */
#ifndef CONTROL_GATEWAY_SANDBOX_H
#define CONTROL_GATEWAY_SANDBOX_H

/* Runs on these CPUs alone ("0-2,5"), and so do threads made later. 0, -EINVAL, or what the kernel
 * says. */
int sandbox_cpus(const char *list);

/* Gives up every capability and the right to get others, and ends with the process at the other end
 * of the link. `link_fd` must be a socket, or nobody started us: -ENOTSOCK. */
int sandbox_enter(int link_fd);

#endif
