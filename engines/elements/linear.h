/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Element: makes a packet one contiguous piece, so that those behind it can read headers at an
 * offset.
 *
 * Trust: segments may be of any size, also 0 and 1. A first segment whose memory is shared is never
 * written to.
 */
#ifndef ENGINES_ELEMENTS_LINEAR_H
#define ENGINES_ELEMENTS_LINEAR_H

#include "engines/elements/burst.h"

static inline enum refusal linear_step(struct rte_mbuf *packet, struct packet_meta *meta)
{
    (void)meta;
    if (likely(rte_pktmbuf_is_contiguous(packet)))
        return REFUSAL_NONE;
    if (!RTE_MBUF_DIRECT(packet) || rte_mbuf_refcnt_read(packet) != 1)
        return REFUSAL_SEGMENTS;
    return rte_pktmbuf_linearize(packet) == 0 ? REFUSAL_NONE : REFUSAL_SEGMENTS;
}

static inline uint16_t linear_batch(struct rte_mbuf **packets, struct packet_meta *metas,
                                    uint16_t count, struct refused *refused)
{
    return burst_filter(linear_step, packets, metas, count, refused);
}

#endif
