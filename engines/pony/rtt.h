/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The round trip of a flow and what follows from it: the retransmission time-out (RFC 6298) and the
 * time after which an overtaken packet is taken for lost (RFC 9002 section 6.1.2).
 *
 * Plain data, embedded in the flow. Threads: the engine's. Pure computation.
 */
#ifndef ENGINES_PONY_RTT_H
#define ENGINES_PONY_RTT_H

#include <stdint.h>

#define RTT_INITIAL_NS     10000000u      /* RTO before any sample: far above a local round trip */
#define RTT_GRANULARITY_NS 1024u          /* a tick of the wheel that the time-outs run on */
#define RTT_MAX_NS         60000000000ull /* a minute: values beyond are nonsense */
#define RTT_BACKOFF_MAX    16u /* doublings; the RTO's own maximum is reached long before */
/* Below this a silent peer may just not have come round: its thread has to wake up (100 us), and
 * gives another engine its budget (50 us) before and after. */
#define RTT_TAIL_MIN_NS 200000u

struct rtt {
    uint64_t smoothed_ns;  /* 0 before the first sample */
    uint64_t variation_ns; /* mean deviation */
    uint64_t latest_ns;
    uint64_t min_ns; /* least seen, the peer's delay included; 0 before the first sample */
    uint32_t backoff;
};

/* A sample from a packet sent once (Karn's rule is the caller's), of which the peer says that it
 * spent `ack_delay_ns` before answering. */
void rtt_sample(struct rtt *rtt, uint64_t sample_ns, uint64_t ack_delay_ns);
/* A sample without the peer's delay, which cannot push it below the least that was seen. */
uint64_t rtt_without_delay(const struct rtt *rtt, uint64_t sample_ns, uint64_t ack_delay_ns);
/* The time-out now, backed off, between the two bounds. */
uint64_t rtt_rto(const struct rtt *rtt, uint64_t min_ns, uint64_t max_ns);
/* How long to wait before asking what became of the last packets of a burst, apart from the peer's
 * delay (RFC 8985 section 7.2), at least RTT_TAIL_MIN_NS; UINT64_MAX before any sample. */
uint64_t rtt_tail_delay(const struct rtt *rtt);
/* Progress was made, or was not. */
void rtt_progress(struct rtt *rtt);
void rtt_back_off(struct rtt *rtt);
/* How long an overtaken packet is waited for, in eighths of a round trip. */
uint64_t rtt_reorder_delay(const struct rtt *rtt, uint32_t eighths);

#endif
