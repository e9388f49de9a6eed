/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Which packets of a flow have arrived: the receiving half of exactly-once.
 *
 * Numbers are compared by unsigned difference, so that they may wrap. A packet is new, or a
 * duplicate (delivered before), or beyond the window, which an honest sender never reaches, since
 * it keeps no more than RX_WINDOW packets past the last cumulative acknowledgement it has seen.
 *
 * Plain data, embedded in the flow. Threads: the engine's.
 */
#ifndef ENGINES_PONY_RX_WINDOW_H
#define ENGINES_PONY_RX_WINDOW_H

#include "engines/pony/ring_bits.h"

#define RX_WINDOW RING_BITS

enum rx_verdict {
    RX_NEW,
    RX_DUPLICATE,
    RX_BEYOND,
};

struct rx_window {
    uint32_t next;         /* all packets before it have arrived */
    uint32_t held;         /* packets that have arrived past `next` */
    uint32_t duplicates;   /* seen so far, modulo 2^32: reported to the sender */
    struct ring_bits bits; /* of the packets in [next, next + RX_WINDOW) */
};

void rx_window_init(struct rx_window *window, uint32_t first);
/* Looks, changes nothing. */
enum rx_verdict rx_window_look(const struct rx_window *window, uint32_t seq);
/* Marks a packet that rx_window_look called new as arrived. */
void rx_window_take(struct rx_window *window, uint32_t seq);
/* The bitmap that goes with the acknowledgement `next`. */
void rx_window_sack(const struct rx_window *window, uint8_t sack[WIRE_SACK_BYTES]);

#endif
