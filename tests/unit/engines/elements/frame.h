/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Valid frames, byte for byte, and packets made from them.
 *
 * All carry UDP from port 49152 to 6000 with a checksum and the payload "saddle!", DSCP 10, ECN 2;
 * IPv4 from 10.0.0.1 to 10.0.0.2, IPv6 from fd00::1 to fd00::2.
 */
#ifndef TESTS_UNIT_FRAME_H
#define TESTS_UNIT_FRAME_H

#include <rte_mbuf.h>
#include <stdint.h>

#define FRAME_ETH_BYTES     14u
#define FRAME_PAYLOAD       "saddle!"
#define FRAME_PAYLOAD_BYTES 7u
#define FRAME_BYTES_MAX     128u

extern const uint8_t frame_v4[49];
extern const uint8_t frame_v4_options[57]; /* 8 bytes of options */
extern const uint8_t frame_v6[69];
extern const uint8_t frame_v4_vlan[53]; /* 802.1Q, VLAN 100 */
extern const uint8_t frame_v6_qinq[77]; /* 802.1ad, VLAN 7, in it 802.1Q, VLAN 100 */

struct frame {
    const uint8_t *bytes;
    uint32_t length;
};
#define FRAMES 5u
extern const struct frame frames[FRAMES];

/* A packet whose memory ends exactly where it does, so that a sanitizer sees the first byte read
 * past it. */
struct rte_mbuf *frame_exact(struct rte_mempool *pool, const void *bytes, uint32_t length);
/* A chain of segments of `step` bytes each, and an empty one behind every one. */
struct rte_mbuf *frame_chain(struct rte_mempool *pool, const void *bytes, uint32_t length,
                             uint32_t step);
/* A packet outside of any pool over `bytes`, for steps that neither allocate nor free. */
void frame_borrow(struct rte_mbuf *packet, void *bytes, uint32_t length);
/* Makes the checksum right of the first 20 bytes, whatever header length they claim. */
void frame_seal_ipv4(uint8_t *header);

#endif
