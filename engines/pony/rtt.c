/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/rtt.h"

uint64_t rtt_without_delay(const struct rtt *rtt, uint64_t sample_ns, uint64_t ack_delay_ns)
{
    if (sample_ns <= rtt->min_ns)
        return sample_ns;
    return sample_ns - rtt->min_ns >= ack_delay_ns ? sample_ns - ack_delay_ns : rtt->min_ns;
}

void rtt_sample(struct rtt *rtt, uint64_t sample_ns, uint64_t ack_delay_ns)
{
    uint64_t deviation;

    if (sample_ns == 0)
        sample_ns = 1;
    if (sample_ns > RTT_MAX_NS)
        sample_ns = RTT_MAX_NS;
    if (rtt->min_ns == 0 || sample_ns < rtt->min_ns)
        rtt->min_ns = sample_ns;
    sample_ns = rtt_without_delay(rtt, sample_ns, ack_delay_ns);
    rtt->latest_ns = sample_ns;
    if (rtt->smoothed_ns == 0) {
        rtt->smoothed_ns = sample_ns;
        rtt->variation_ns = sample_ns / 2;
        return;
    }
    /* RFC 6298 section 2: gains of 1/8 and 1/4. */
    deviation =
        sample_ns > rtt->smoothed_ns ? sample_ns - rtt->smoothed_ns : rtt->smoothed_ns - sample_ns;
    rtt->variation_ns = (3 * rtt->variation_ns + deviation) / 4;
    rtt->smoothed_ns = (7 * rtt->smoothed_ns + sample_ns) / 8;
}

uint64_t rtt_rto(const struct rtt *rtt, uint64_t min_ns, uint64_t max_ns)
{
    uint64_t rto = RTT_INITIAL_NS;

    if (rtt->smoothed_ns != 0) {
        uint64_t margin = 4 * rtt->variation_ns;

        rto = rtt->smoothed_ns + (margin > RTT_GRANULARITY_NS ? margin : RTT_GRANULARITY_NS);
    }
    if (rto < min_ns)
        rto = min_ns;
    return rto > max_ns >> rtt->backoff ? max_ns : rto << rtt->backoff;
}

uint64_t rtt_tail_delay(const struct rtt *rtt)
{
    uint64_t margin = 4 * rtt->variation_ns;
    uint64_t delay;

    if (rtt->smoothed_ns == 0)
        return UINT64_MAX;
    /* Twice the round trip, or more if it varies more. */
    delay = rtt->smoothed_ns + (margin > rtt->smoothed_ns ? margin : rtt->smoothed_ns) +
            RTT_GRANULARITY_NS;
    return delay > RTT_TAIL_MIN_NS ? delay : RTT_TAIL_MIN_NS;
}

void rtt_progress(struct rtt *rtt)
{
    rtt->backoff = 0;
}

void rtt_back_off(struct rtt *rtt)
{
    if (rtt->backoff < RTT_BACKOFF_MAX)
        rtt->backoff++;
}

uint64_t rtt_reorder_delay(const struct rtt *rtt, uint32_t eighths)
{
    uint64_t base = rtt->smoothed_ns > rtt->latest_ns ? rtt->smoothed_ns : rtt->latest_ns;
    uint64_t delay = (base == 0 ? RTT_INITIAL_NS : base) * eighths / 8;

    return delay > RTT_GRANULARITY_NS ? delay : RTT_GRANULARITY_NS;
}
