/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The packets of a flow that were sent and not acknowledged: the sending half of exactly-once.
 *
 * Each packet is kept until it is acknowledged. It is in flight, or lost (to be sent again), or
 * settled (acknowledged selectively, ahead of others). At most TX_WINDOW packets lie past the
 * cumulative acknowledgement, so that the SACK bitmap can name each of them and the receiver's
 * window (rx_window.h) holds each of them.
 *
 * Every transmission has an order of its own, which a retransmission renews although the packet
 * keeps its number. Packets in flight are listed in that order: the overtaken ones are at the head,
 * and finding losses costs nothing for the others. After RFC 9002 section 6.1 and RFC 8985.
 *
 * Ownership: owns the packets it keeps. Threads: the engine's.
 * Trust: acknowledgements are the peer's word; one for a packet never sent is refused.
 */
#ifndef ENGINES_PONY_TX_WINDOW_H
#define ENGINES_PONY_TX_WINDOW_H

#include "engines/pony/ring_bits.h"

#include <rte_mbuf.h>

#define TX_WINDOW RING_BITS
/* From one transmission to the next: the answer to the one before has come by then, or comes never.
 * Some of the longest time-outs, far above what networks and hosts hold back. */
#define TX_ALONE_NS 1000000000ull

enum tx_state {
    TX_EMPTY,
    TX_FLYING,
    TX_LOST,
    TX_SETTLED,
};

struct tx_slot {
    struct rte_mbuf *packet; /* NULL when empty or settled */
    uint64_t sent_ns;        /* last transmission */
    uint64_t order;          /* of the last transmission */
    uint16_t next, previous; /* in its list; TX_WINDOW at the ends */
    uint8_t state;           /* enum tx_state */
    uint8_t sends;           /* transmissions, saturating */
    bool timed_out;          /* lost by the timer, not by evidence */
    bool parted;             /* the last transmission was in parts */
    bool alone;              /* no answer to an earlier one can be on its way any more */
};

struct tx_list {
    uint32_t count;
    uint16_t first, last;
};

struct tx_window {
    uint32_t una;           /* oldest packet not acknowledged */
    uint32_t next;          /* number of the next new packet */
    uint64_t order;         /* of the next transmission; starts at 1 */
    uint64_t newest;        /* highest order known to have arrived; 0: none */
    struct tx_list flying;  /* by order of transmission */
    struct tx_list lost;    /* by time of discovery, but those last sent in parts come first */
    uint32_t parted;        /* in flight in parts */
    struct ring_bits acked; /* of the packets in [una, next) */
    struct tx_slot slots[TX_WINDOW];
};

/* What an acknowledgement brought. */
struct tx_progress {
    uint32_t packets;   /* newly acknowledged */
    uint32_t needless;  /* of these, how many had been taken for lost and not been sent again */
    uint64_t sample_ns; /* when the newest of them that was sent once was sent; 0: there is none */
    uint64_t again_ns;  /* when the newest was sent last, if more than once, and if this can be the
                         * answer to that; else 0 */
    uint64_t newest;    /* order of the newest one */
    uint64_t sampled;   /* and of that which was sent once */
};

void tx_window_init(struct tx_window *window, uint32_t first);
/* Frees what is kept. */
void tx_window_clear(struct tx_window *window);

static inline uint32_t tx_window_outstanding(const struct tx_window *window)
{
    return window->next - window->una;
}

/* May a new packet be added? */
static inline bool tx_window_open(const struct tx_window *window)
{
    return tx_window_outstanding(window) < TX_WINDOW;
}

/* Keeps a new packet, numbered window->next, transmitted at `now`. */
void tx_window_add(struct tx_window *window, struct rte_mbuf *packet, uint64_t now);

/* Takes a cumulative acknowledgement and, unless NULL, a SACK bitmap. `min_rtt_ns` tells the answer
 * to a retransmission from a late one to the original. 0, or -EPROTO if `ack` was never sent. */
int tx_window_ack(struct tx_window *window, uint32_t ack, const uint8_t *sack, uint64_t now,
                  uint64_t min_rtt_ns, struct tx_progress *progress);

/* Takes for lost what was overtaken by `threshold` transmissions, or sent `delay_ns` ago and
 * overtaken at all. Returns the highest order among them plus one, 0 if there are none; *count of
 * them; *deadline when to look again, UINT64_MAX if nothing else was overtaken. */
uint64_t tx_window_detect(struct tx_window *window, uint64_t now, uint32_t threshold,
                          uint64_t delay_ns, uint64_t *deadline);
/* Takes all in flight for lost: the retransmission timer fired. */
void tx_window_lose_all(struct tx_window *window);

/* Takes the oldest transmission in flight for lost, to see what the peer says: there is one. */
void tx_window_probe(struct tx_window *window);

/* The packet to send again first, or NULL; tx_window_resent puts it back in flight. */
struct tx_slot *tx_window_lost(struct tx_window *window);
void tx_window_resent(struct tx_window *window, uint64_t now);
/* It goes behind the others. */
void tx_window_defer(struct tx_window *window);
/* The same, but it was sent in parts. Parts that arrived are remembered, few packets at a time. */
void tx_window_parted(struct tx_window *window, uint64_t now);

/* For a window that is read back, whose una, next and acked are set: does it lack this packet, ...
 */
bool tx_window_misses(const struct tx_window *window, uint32_t seq);
/* ... here it is, in flight as if sent then, ... */
void tx_window_restore(struct tx_window *window, uint32_t seq, struct rte_mbuf *packet,
                       uint64_t sent_ns);
/* ... it was taken for lost, ... */
void tx_window_lose(struct tx_window *window, uint32_t seq, bool timed_out);
/* ... and is each one there that is not acknowledged, and none else? */
bool tx_window_whole(struct tx_window *window);

#endif
