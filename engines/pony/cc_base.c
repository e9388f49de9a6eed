/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/cc_base.h"

static void begin_period(struct cc_base *base, uint64_t now)
{
    base->least_ns = UINT64_MAX;
    base->since_ns = now;
    base->samples = 0;
}

void cc_base_sample(struct cc_base *base, uint64_t rtt_ns, uint64_t aim_ns, uint64_t now)
{
    if (base->base_ns == 0 || rtt_ns < base->base_ns) {
        base->base_ns = rtt_ns;
        begin_period(base, now);
        return;
    }
    base->samples++;
    if (rtt_ns < base->least_ns)
        base->least_ns = rtt_ns;
    if (now - base->since_ns < CC_PERIOD_NS || base->samples < CC_PERIOD_SAMPLES)
        return;
    if (base->least_ns > aim_ns)
        base->base_ns = base->least_ns;
    begin_period(base, now);
}

uint64_t cc_base_queue(const struct cc_base *base)
{
    uint64_t queue = 2 * base->base_ns;

    return queue > CC_QUEUE_MIN_NS ? queue : CC_QUEUE_MIN_NS;
}
