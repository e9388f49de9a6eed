/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/cc_base.h"

#define NEAR_PARTS 4u /* within one of these of the queue that may stand is near the base */
#define YIELD_TURNS                                                                                \
    8u /* round trips after which a flow has given way, whatever is still in flight */

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
        base->near_ns = now;
        begin_period(base, now);
        return;
    }
    if (rtt_ns <= base->base_ns + cc_base_queue(base) / NEAR_PARTS)
        base->near_ns = now;
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
    return base->base_ns > CC_QUEUE_MIN_NS ? base->base_ns : CC_QUEUE_MIN_NS;
}

void cc_base_yield(struct cc_base *base, uint64_t now)
{
    base->yield_ns = now;
    base->near_ns = now;
}

bool cc_base_yields(struct cc_base *base, const struct cc_ack *ack)
{
    uint64_t turn = base->base_ns + cc_base_queue(base);

    if (base->yield_ns == 0) {
        if (base->base_ns != 0 && ack->now - base->near_ns >= CC_YIELD_NS)
            cc_base_yield(base, ack->now);
    } else if (ack->flying <= 1 || ack->now - base->yield_ns >= YIELD_TURNS * turn) {
        base->yield_ns = 0;
    }
    return base->yield_ns != 0;
}
