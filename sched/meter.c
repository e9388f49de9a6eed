/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/meter.h"

#include <string.h>

void meter_init(struct meter *meter, const struct clock *clock)
{
    memset(meter, 0, sizeof(*meter));
    meter->clock = clock;
}

static uint64_t take_all(struct account *account)
{
    uint64_t ns = account_ns(account);

    atomic_store_explicit(&account->ns, 0, memory_order_relaxed);
    return ns;
}

void meter_begin(struct meter *meter)
{
    meter->since = clock_ticks(meter->clock);
    meter->present = &meter->nobody;
}

void meter_end(struct meter *meter, bool worked)
{
    meter_charge(meter);
    meter->present = NULL;
    account_charge(worked ? &meter->overhead : &meter->idle, take_all(&meter->nobody));
}

/* The account's entry, or NULL: there are too many. */
static struct meter_share *share_of(struct meter *meter, struct account *account)
{
    uint32_t at = 0;

    while (at < meter->share_count && meter->shares[at].account != account)
        at++;
    if (at == METER_SHARES)
        return NULL;
    if (at == meter->share_count)
        meter->shares[meter->share_count++] = (struct meter_share){.account = account};
    return &meter->shares[at];
}

void meter_part(struct meter *meter, struct account *account, uint32_t part)
{
    if (!meter || part == 0)
        return;
    meter->part_total += part;
    struct meter_share *share = account == &meter->nobody ? NULL : share_of(meter, account);
    if (share)
        share->part += part;
}

void meter_item(struct meter *meter, uint32_t weight)
{
    if (!meter)
        return;
    meter->share_total += weight;
    if (meter->part_total == 0)
        return;
    for (uint32_t i = 0; i < meter->share_count; i++) {
        meter->shares[i].weight += meter->shares[i].part * weight / meter->part_total;
        meter->shares[i].part = 0;
    }
    meter->part_total = 0;
}

void meter_settle(struct meter *meter)
{
    if (!meter)
        return;
    if (meter->present == &meter->pool)
        meter_charge(meter);
    uint64_t pool = take_all(&meter->pool), left = pool;

    for (uint32_t i = 0; i < meter->share_count && meter->share_total > 0; i++) {
        uint64_t part = pool * meter->shares[i].weight / meter->share_total;
        account_charge(meter->shares[i].account, part);
        left -= part;
    }
    account_charge(&meter->nobody, left);
    meter->share_count = 0;
    meter->share_total = 0;
    meter->part_total = 0;
}
