/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/fair.h"

#include "engines/pony/connection.h"

/* Woken: the next round looks at the quotas. */
static void refill_fire(struct wheel_timer *timer, uint64_t now)
{
    (void)timer;
    (void)now;
}

static void set_throttled(struct fair *fair, bool throttled)
{
    atomic_store_explicit(&fair->throttled, throttled, memory_order_relaxed);
}

bool fair_throttled(const struct pony_session *session)
{
    return atomic_load_explicit(&session->fair.throttled, memory_order_relaxed);
}

static uint64_t quantum(const struct fair *fair)
{
    return (uint64_t)FAIR_QUANTUM_NS * fair->weight;
}

/* What it may have left over at the beginning of a round, if so many want to work. */
static uint64_t allowance(uint32_t wanting, const struct fair *fair)
{
    uint64_t share = quantum(fair);

    return wanting > 1 || share > FAIR_ALONE_NS ? share : FAIR_ALONE_NS;
}

void fair_init(struct pony_session *session)
{
    struct fair *fair = &session->fair;
    const struct pony_grant *grant = &session->config.grant;

    fair->weight = grant->weight ? grant->weight : 1;
    fair->until = quantum(fair);
    fair->limited = grant->cpu_share > 0;
    list_init(&fair->parked);
    wheel_timer_init(&fair->refill, refill_fire);
}

void fair_join(struct pony_session *session, uint64_t now)
{
    struct account *sum = session->upper->meter ? &session->upper->meter->owned : NULL;
    struct purse *purse = session->config.purse;
    struct fair *fair = &session->fair;
    uint64_t used = account_ns(&session->account);

    session->account.sum = sum;
    fair->until = used + quantum(fair);
    bucket_init(&fair->own, session->config.grant.cpu_share, now, used);
    if (!purse)
        return;
    purse->accounts[session->config.purse_place].sum = sum;
    session->account.sum = &purse->accounts[session->config.purse_place];
    bucket_init(&fair->user, atomic_load_explicit(&purse->share, memory_order_relaxed), now,
                purse_ns(purse));
}

/* Turns that were parked are taken again. */
static void unpark(struct pony_session *session)
{
    struct upper *upper = session->upper;
    struct list *node;

    while ((node = list_first(&session->fair.parked))) {
        struct path_turn *turn = LIST_OF(node, struct path_turn, node);
        if (list_empty(&turn->connections)) {
            list_remove(node);
            continue;
        }
        path_resume(upper, turn);
    }
}

void fair_leave(struct pony_session *session)
{
    set_throttled(&session->fair, false);
    wheel_cancel(session->upper->wheel, &session->fair.refill);
    unpark(session);
}

/* Or had he one when it was last looked at. */
bool fair_limited(const struct pony_session *session)
{
    const struct purse *purse = session->config.purse;

    return session->fair.limited || session->fair.user.share > 0 ||
           (purse && atomic_load_explicit(&purse->share, memory_order_relaxed) > 0);
}

bool fair_may(const struct pony_session *session)
{
    const struct fair *fair = &session->fair;

    return session->dropped ||
           (!fair_throttled(session) && account_ns(&session->account) < fair->until);
}

static void count(struct pony_session *session)
{
    session->upper->wanting += !session->fair.counted;
    session->fair.counted = true;
}

void fair_work(struct pony_session *session)
{
    session->upper->working = true;
    count(session);
}

void fair_wait(struct pony_session *session)
{
    if (fair_throttled(session))
        return;
    session->upper->waiting = true;
    count(session);
}

void fair_park(struct pony_session *session, struct path_turn *turn)
{
    list_move(&session->fair.parked, &turn->node);
    list_remove(&turn->light);
    fair_wait(session);
}

/* Has its user used up his quota, which may be another one than before? */
static bool is_user_dry(struct pony_session *session, uint64_t now)
{
    struct bucket *bucket = &session->fair.user;
    struct purse *purse = session->config.purse;

    if (!purse)
        return false;
    uint32_t share = atomic_load_explicit(&purse->share, memory_order_relaxed);
    uint64_t used = purse_lately(purse, now);
    used = used > bucket->used ? used : bucket->used;
    if (share != bucket->share)
        bucket_reshare(bucket, share, now, used);
    return bucket_look(bucket, now, used);
}

static void look_at_quota(struct pony_session *session, uint64_t now)
{
    struct wheel *wheel = session->upper->wheel;
    struct fair *fair = &session->fair;
    bool dry = bucket_look(&fair->own, now, account_ns(&session->account));

    dry |= is_user_dry(session, now);
    if (fair_throttled(session))
        account_charge(&fair->throttled_ns, now - fair->looked_ns);
    fair->looked_ns = now;
    if (dry && !wheel_timer_armed(&fair->refill)) {
        uint64_t own = bucket_due(&fair->own), user = bucket_due(&fair->user);
        wheel_set(wheel, &fair->refill, own > user ? own : user);
    }
    bool resumes = fair_throttled(session) && !dry;
    set_throttled(fair, dry);
    if (resumes)
        session_credit_quench(session);
}

/* How many rounds it takes until one of those that are in debt may work for a whole quantum. Those
 * that want nothing are not in debt for long, and cost nobody more than a round. */
static uint64_t rounds_to_pass(const struct upper *upper)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < upper->sessions_end; i++) {
        const struct pony_session *session = upper->sessions[i];
        if (!session || session->dropped || fair_throttled(session))
            continue;
        uint64_t used = account_ns(&session->account), until = session->fair.until;
        uint64_t step = allowance(upper->wanting, &session->fair);
        uint64_t rounds = used < until ? UINT64_MAX : (used - until) / step + 2;
        least = rounds < least ? rounds : least;
    }
    return least < UINT64_MAX ? least : 1;
}

void fair_round(struct upper *upper, uint64_t now)
{
    uint64_t rounds = upper->waiting && !upper->working ? rounds_to_pass(upper) : 1;
    uint32_t wanting = upper->wanting;

    upper->waiting = upper->working = false;
    upper->wanting = 0;
    for (uint32_t i = 0; i < upper->sessions_end; i++) {
        struct pony_session *session = upper->sessions[i];
        if (!session || session->dropped)
            continue;
        struct fair *fair = &session->fair;
        uint64_t step = allowance(wanting, fair), next = fair->until + rounds * step;
        uint64_t most = account_ns(&session->account) + step;
        fair->until = next < most ? next : most;
        fair->counted = false;
        if (fair_limited(session))
            look_at_quota(session, now);
        if (!list_empty(&fair->parked) && fair_may(session))
            unpark(session);
        else if (!list_empty(&fair->parked))
            fair_wait(session);
    }
}
