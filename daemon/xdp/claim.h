/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the XDP program and the daemon share: the maps' keys and values.
 *
 * A claim says which packets are Saddle's: of a VLAN, a protocol, a local address, a destination
 * port. It names the first of the sockets that serve it, one for each receive queue.
 *
 * Ownership: plain data. Trust: the daemon writes claims; packets are hostile.
 */
#ifndef DAEMON_XDP_CLAIM_H
#define DAEMON_XDP_CLAIM_H

#include <linux/types.h>

#define CLAIM_ADDRESS_BYTES 16

/* Every byte counts in a lookup: zero the structure first. */
struct claim_key {
    __u8 address[CLAIM_ADDRESS_BYTES]; /* IPv4 is mapped */
    __be16 port;
    __u16 vlan; /* of the one tag; 0: untagged */
    __u8 protocol;
    __u8 zero[3];
};

struct claim_target {
    __u32 base;   /* the socket of queue 0 */
    __u32 queues; /* how many sockets follow */
};

/* Per-processor counters, by their index. */
enum claim_counter {
    CLAIM_TAKEN,     /* packets given to a socket */
    CLAIM_NO_SOCKET, /* claimed, but the queue they came on has no socket: left to the kernel */
    CLAIM_COUNTERS,
};

#endif
