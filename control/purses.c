/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/purses.h"

#include "control/arena.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(PURSE_ACCOUNTS >= ARENAS_MAX, "every session of a user has an account");

struct held {
    struct purse purse; /* first */
    struct held *next;
    uint32_t uid, sessions;
    bool taken[PURSE_ACCOUNTS];
};

static struct held *all;

static struct held *of_user(uint32_t uid)
{
    struct held *held = all;

    while (held && held->uid != uid)
        held = held->next;
    if (held)
        return held;
    held = calloc(1, sizeof(*held));
    if (!held)
        return NULL;
    held->uid = uid;
    held->next = all;
    all = held;
    return held;
}

int purses_take(uint32_t uid, uint32_t share, struct purse **purse, uint32_t *place)
{
    struct held *held = of_user(uid);
    uint32_t at = 0;

    if (!held)
        return -ENOMEM;
    while (held->taken[at]) /* there are as many as sessions, and this one has none */
        at++;
    held->taken[at] = true;
    held->sessions++;
    atomic_store_explicit(&held->purse.share, share, memory_order_relaxed);
    if (at >= atomic_load_explicit(&held->purse.count, memory_order_relaxed))
        atomic_store_explicit(&held->purse.count, at + 1, memory_order_relaxed);
    *purse = &held->purse;
    *place = at;
    return 0;
}

void purses_set_share(uint32_t share)
{
    for (struct held *held = all; held; held = held->next)
        atomic_store_explicit(&held->purse.share, share, memory_order_relaxed);
}

void purses_give(struct purse *purse, uint32_t place)
{
    struct held *held = (struct held *)(void *)purse, **link = &all;

    if (!held)
        return;
    held->taken[place] = false;
    if (--held->sessions > 0)
        return;
    while (*link != held)
        link = &(*link)->next;
    *link = held->next;
    free(held);
}
