/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/share.h"

#include <stddef.h>

static bool before(const struct share *a, const struct share *b)
{
    return a->used_ns != b->used_ns ? a->used_ns < b->used_ns : a->turn < b->turn;
}

uint32_t share_next(const struct share *shares, uint32_t count)
{
    uint32_t next = 0;

    for (uint32_t i = 1; i < count; i++) {
        if (before(&shares[i], &shares[next]))
            next = i;
    }
    return next;
}

/* The hungry one that has used the least; NULL: all are idle. */
static const struct share *least_hungry(const struct share *shares, uint32_t count)
{
    const struct share *least = NULL;

    for (uint32_t i = 0; i < count; i++) {
        if (shares[i].hungry && (!least || shares[i].used_ns < least->used_ns))
            least = &shares[i];
    }
    return least;
}

static void level_all(struct share *shares, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        shares[i].used_ns = 0;
}

void share_charge(struct share *shares, uint32_t count, uint32_t at, uint64_t turn,
                  uint64_t used_ns, bool work)
{
    struct share *share = &shares[at];
    const struct share *least;

    share->turn = turn;
    share->hungry = work;
    if (work) {
        share->used_ns += used_ns;
        return;
    }
    least = least_hungry(shares, count);
    if (!least)
        level_all(shares, count);
    else if (share->used_ns < least->used_ns)
        share->used_ns = least->used_ns;
}

void share_join(struct share *shares, uint32_t count)
{
    const struct share *least = least_hungry(shares, count - 1);

    if (!least)
        level_all(shares, count - 1);
    shares[count - 1] = (struct share){.used_ns = least ? least->used_ns : 0, .hungry = true};
}
