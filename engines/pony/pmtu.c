/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/pmtu.h"

#define PLACE_BITS 2u /* of a question's number: its place in the round */
#define PLACE_MASK 3u

static void ask(struct pmtu *pmtu)
{
    pmtu->round++;
    pmtu->rounds++;
    pmtu->unsent = (uint8_t)((1u << pmtu->count) - 1);
    pmtu->smaller = false;
    pmtu->deadline = UINT64_MAX;
}

/* The first round of the sizes that were set. */
static void ask_first(struct pmtu *pmtu, enum pmtu_state state, uint8_t count)
{
    pmtu->state = (uint8_t)state;
    pmtu->count = count;
    pmtu->rounds = 0;
    pmtu->strikes = 0;
    pmtu->silent = 0;
    pmtu->fallback = 0;
    pmtu->first = pmtu->round + 1;
    ask(pmtu);
}

static void settle(struct pmtu *pmtu, uint64_t now)
{
    pmtu->state = PMTU_SETTLED;
    pmtu->unsent = 0;
    pmtu->deadline = pmtu->mtu < pmtu->limit ? now + PMTU_RAISE_NS : UINT64_MAX;
}

/* The next size between what passes and what does not. */
static void search_on(struct pmtu *pmtu, uint64_t now)
{
    bool untried = pmtu->high > pmtu->limit;

    if (pmtu->mtu >= pmtu->limit || (!untried && pmtu->high - pmtu->mtu <= PMTU_STEP)) {
        settle(pmtu, now);
        return;
    }
    if (untried)
        pmtu->sizes[0] = pmtu->limit;
    else if (pmtu->mtu < PMTU_USUAL && PMTU_USUAL < pmtu->high)
        pmtu->sizes[0] = PMTU_USUAL;
    else
        pmtu->sizes[0] = (uint16_t)((pmtu->mtu + pmtu->high) / 2);
    ask_first(pmtu, PMTU_SEARCHING, 1);
}

static void search(struct pmtu *pmtu, uint64_t now)
{
    pmtu->high = pmtu->limit + 1u;
    search_on(pmtu, now);
}

void pmtu_begin(struct pmtu *pmtu, uint16_t mtu, uint16_t limit, uint64_t now)
{
    *pmtu = (struct pmtu){.mtu = mtu ? mtu : PMTU_BASE, .limit = limit};
    if (pmtu->mtu > limit)
        pmtu->mtu = limit;
    search(pmtu, now);
}

void pmtu_set_limit(struct pmtu *pmtu, uint16_t limit, uint64_t now)
{
    if (limit == pmtu->limit)
        return;
    pmtu->limit = limit;
    if (pmtu->mtu > limit || pmtu->state == PMTU_OFF)
        pmtu->mtu = limit;
    if (pmtu->state != PMTU_OFF)
        search(pmtu, now);
}

bool pmtu_next(const struct pmtu *pmtu, uint16_t *size, uint32_t *number)
{
    uint32_t place;

    if (pmtu->unsent == 0)
        return false;
    place = (uint32_t)__builtin_ctz(pmtu->unsent);
    *size = pmtu->sizes[place];
    *number = pmtu->round << PLACE_BITS | place;
    return true;
}

void pmtu_sent(struct pmtu *pmtu, uint64_t now, uint64_t wait_ns)
{
    pmtu->unsent &= (uint8_t)(pmtu->unsent - 1);
    if (pmtu->unsent == 0)
        pmtu->deadline = now + (wait_ns << pmtu->silent);
}

void pmtu_found(struct pmtu *pmtu, uint32_t number, uint64_t now)
{
    uint32_t place = number & PLACE_MASK;
    uint32_t since = ((number >> PLACE_BITS) - pmtu->first) & (UINT32_MAX >> PLACE_BITS);

    if (pmtu->state < PMTU_SEARCHING || since >= pmtu->rounds || place >= pmtu->count)
        return;
    if (pmtu->state == PMTU_SEARCHING) {
        pmtu->mtu = pmtu->sizes[0];
        search_on(pmtu, now);
    } else if (place == 0) {
        pmtu->doubted_ns = now;
        search(pmtu, now);
    } else {
        pmtu->smaller = true;
        if (pmtu->sizes[place] > pmtu->fallback)
            pmtu->fallback = pmtu->sizes[place];
    }
}

/* A round of questions about sizes that were believed to pass is over. */
static void judge(struct pmtu *pmtu, uint64_t now)
{
    if (pmtu->smaller)
        pmtu->strikes++;
    pmtu->silent = pmtu->smaller ? 0 : (uint8_t)(pmtu->silent + 1);
    if (pmtu->strikes == PMTU_STRIKES) {
        pmtu->doubted_ns = now;
        pmtu->high = pmtu->mtu;
        pmtu->mtu = pmtu->fallback;
        search_on(pmtu, now);
    } else if (pmtu->rounds == PMTU_ROUNDS || pmtu->silent == PMTU_SILENT) {
        pmtu->doubted_ns = now;
        settle(pmtu, now);
    } else {
        ask(pmtu);
    }
}

void pmtu_timer(struct pmtu *pmtu, uint64_t now)
{
    if (now < pmtu->deadline)
        return;
    switch (pmtu->state) {
    case PMTU_SETTLED:
        search(pmtu, now);
        return;
    case PMTU_SEARCHING:
        if (pmtu->rounds < PMTU_TRIES) {
            ask(pmtu);
            return;
        }
        pmtu->high = pmtu->sizes[0];
        search_on(pmtu, now);
        return;
    case PMTU_DOUBTING:
        judge(pmtu, now);
        return;
    default:
        return;
    }
}

bool pmtu_doubt(struct pmtu *pmtu, uint16_t size, uint64_t heard_ns, uint64_t now)
{
    uint64_t gap = heard_ns > pmtu->doubted_ns ? PMTU_DOUBT_GAP_NS : PMTU_QUIET_GAP_NS;
    uint8_t count = 1;

    if (pmtu->state == PMTU_OFF || pmtu->state == PMTU_DOUBTING || size > pmtu->mtu ||
        size <= PMTU_LEAST || (pmtu->doubted_ns != 0 && now - pmtu->doubted_ns < gap))
        return false;
    pmtu->sizes[0] = pmtu->mtu;
    if (pmtu->mtu > PMTU_BASE)
        pmtu->sizes[count++] = PMTU_BASE;
    pmtu->sizes[count++] = PMTU_LEAST;
    ask_first(pmtu, PMTU_DOUBTING, count);
    return true;
}

bool pmtu_searching(const struct pmtu *pmtu)
{
    return pmtu->state == PMTU_SEARCHING;
}
