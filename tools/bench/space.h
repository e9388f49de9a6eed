/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Hosts of a measurement: network namespaces, two at a time, with a virtual cable between them.
 *
 *     left [eth0] ==== veth ==== [eth0] right
 *
 * A namespace has no name: it is gone with its descriptor and the processes in it, and the cable
 * with it, whatever ends those. Making one takes root (CAP_SYS_ADMIN and CAP_NET_ADMIN), and the
 * programs ip and ethtool.
 *
 * Ownership: descriptors are the caller's, to be closed with space_close. Threads: the one that may
 * start actors (actor.h); space_enter is for any, and of the calling one alone.
 */
#ifndef BENCH_SPACE_H
#define BENCH_SPACE_H

#include <stddef.h>
#include <stdint.h>

#define SPACES       2u
#define SPACE_NONE   (-1) /* in place of a descriptor: where this process is */
#define SPACE_DEVICE "eth0"
/* The largest that takes one frame of XDP is 3498; hosts with a larger one than Ethernet's have
 * fewer packets, and this machine both hosts. */
#define SPACE_MTU_XDP   3490u
#define SPACE_MTU_USUAL 1500u

/* Makes two, with the cable: each end has its address, of a network /24, and is up, and so is the
 * loopback device. 0, or -EINTR, or another negative errno with one line in `reason`; whatever
 * came of it, space_close is for both. */
int space_pair(int spaces[SPACES], uint32_t mtu, const char *const addresses[SPACES], char *reason,
               size_t reason_bytes);
/* Leaves nothing to the device at this end: the kernel makes checksums and segments for each
 * packet, and takes each by itself, as who makes his packets himself has to. Answers likewise. */
int space_refuse_offloads(int space, char *reason, size_t reason_bytes);
/* What the calling thread opens from now on belongs there, for ever. 0 or a negative errno. */
int space_enter(int space);
void space_close(int spaces[SPACES]);

#endif
