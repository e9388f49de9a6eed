/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole receive ladder, from a frame for one station to a UDP payload: linear, eth, vlan, ipv4
 * or ipv6, udp.
 *
 * Ownership: refused packets are freed here; accepted ones stay the caller's. Threads: one per
 * struct decap. Trust: frames are hostile; what is accepted is well formed up to its UDP payload
 * and no more than that.
 */
#ifndef ENGINES_ELEMENTS_DECAP_H
#define ENGINES_ELEMENTS_DECAP_H

#include "engines/elements/burst.h"

struct decap {
    struct rte_ether_addr mac; /* the station; all zero: any */
    uint64_t accepted;
    uint64_t refused[REFUSAL_COUNT]; /* by reason */
};

/* Takes up to BURST_MAX frames. Returns how many are accepted: they lie at the front in their
 * order, each one segment that is exactly the UDP payload (it may be empty), with its metadata
 * beside it. The others are counted and freed. */
uint16_t decap_batch(struct decap *decap, struct rte_mbuf **packets, struct packet_meta *metas,
                     uint16_t count);

/* "ipv4_checksum", as a name for a counter; static. */
const char *decap_refusal_name(enum refusal reason);

#endif
