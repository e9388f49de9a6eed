/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Receive slots and the credits promised from them; see session.h. */
#include "engines/pony/connection.h"
#include "engines/pony/path.h"

#define APPETITE_MAX 2u /* doublings of CREDITS_FIRST */
SADDLE_STATIC_ASSERT(CREDITS_FIRST << APPETITE_MAX == CREDIT_BATCH, "what a busy connection holds");

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t most(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t beyond(uint32_t a, uint32_t b)
{
    return a > b ? a - b : 0;
}

/* One in `share` of the slots, at least one. */
static uint32_t part(const struct pony_session *session, uint32_t share)
{
    return (session->config.slot_count + share - 1) / share;
}

/* Free slots that are promised to nobody. */
static uint32_t spare(const struct pony_session *session)
{
    return session->free_count - session->promised;
}

static uint32_t unused(const struct connection *connection)
{
    return connection->credits_granted - connection->credits_consumed;
}

static uint32_t holds(const struct connection *connection)
{
    return connection->held + unused(connection);
}

/* How many credits the connection may be given beside what is kept for those that hold nothing. */
static uint32_t allowance(const struct connection *connection)
{
    const struct pony_session *session = connection->session;
    uint32_t half = part(session, SESSION_SLOTS_SHARE);
    uint32_t kept = most(part(session, SESSION_SLOTS_RESERVED),
                         least(half, session->receivers - session->holders));

    return least(beyond(half, holds(connection)), beyond(spare(session), kept));
}

static void give(struct connection *connection, uint32_t credits)
{
    struct pony_session *session = connection->session;

    if (credits > 0 && holds(connection) == 0)
        session->holders++;
    connection->credits_granted += credits;
    session->promised += credits;
}

static void grant(struct connection *connection, uint32_t credits)
{
    give(connection, credits);
    connection->say |= CONNECTION_SAY_CREDIT;
    connection_schedule(connection);
}

/* What is not kept for those that ask, divided. */
static void divide(struct pony_session *session)
{
    uint32_t slots = session->config.slot_count - part(session, SESSION_SLOTS_RESERVED);

    session->share = least(CREDIT_BATCH, slots / most(1, session->receivers));
}

void session_credit_join(struct connection *connection)
{
    connection->receives = true;
    connection->session->receivers++;
    divide(connection->session);
}

/* Part of what is left, so that the first connections leave something to the next. */
void session_credit_first(struct connection *connection)
{
    uint32_t credits =
        least(CREDITS_FIRST, (allowance(connection) + CREDIT_BATCH - 1) / CREDIT_BATCH);

    give(connection, credits);
}

/* Gives one thirsty connection what it gets beside the first credit. */
static void water(struct connection *connection)
{
    uint32_t credits = least(CREDIT_BATCH, allowance(connection) / CREDIT_BATCH);

    list_remove(&connection->thirst);
    grant(connection, credits ? credits : 1);
}

void session_credit_quench(struct pony_session *session)
{
    struct list *node;

    if (fair_throttled(session))
        return;
    while (spare(session) > 0 && (node = list_first(&session->thirst)))
        water(LIST_OF(node, struct connection, thirst));
    while ((node = list_first(&session->thirst_more))) {
        struct connection *connection = LIST_OF(node, struct connection, thirst);
        if (allowance(connection) == 0)
            return;
        water(connection);
    }
}

/* Puts a thirsty connection where what it holds says. */
static void queue_up(struct connection *connection)
{
    struct pony_session *session = connection->session;
    uint32_t held = holds(connection);

    connection->parched = held >= part(session, SESSION_SLOTS_SHARE);
    if (held == 0)
        list_move(&session->thirst, &connection->thirst);
    else if (!connection->parched)
        list_move(&session->thirst_more, &connection->thirst);
}

bool session_credit_left(const struct connection *connection)
{
    return unused(connection) > 0;
}

bool session_credit_use(struct connection *connection)
{
    struct pony_session *session = connection->session;

    if (unused(connection) == 0)
        return false;
    connection->credits_consumed++;
    connection->held++;
    session->promised--;
    return true;
}

static bool is_plenty(const struct pony_session *session, uint32_t left)
{
    return left >= part(session, SESSION_SLOTS_PLENTY);
}

/* How many unused credits it may hold without asking: its share, and more if it runs out of them
 * while there are plenty. */
static uint32_t portion(const struct connection *connection, uint32_t left)
{
    uint32_t share = connection->session->share;

    return is_plenty(connection->session, left) ? most(share, CREDITS_FIRST << connection->appetite)
                                                : share;
}

/* Called when a slot was taken for the credit: what is spare is known only then. */
static void top_up(struct connection *connection)
{
    uint32_t left = allowance(connection), wanted = portion(connection, left);
    uint32_t credits = least(beyond(wanted, unused(connection)), left);

    if (credits >= most(CREDITS_UNASKED, wanted / 2) && !fair_throttled(connection->session) &&
        connection->state == CONNECTION_OPEN)
        grant(connection, credits);
}

/* The peer knows of fewer credits than it has. The news may be on its way; but in the DELIVERED of
 * before an older build took the peer's engine over, it was not heard. */
static void repeat(struct connection *connection, uint32_t total)
{
    if ((int32_t)(connection->credits_granted - total) <= 0 ||
        !path_has(connection->path, WIRE_FEATURE_GRANTS))
        return;
    connection->say |= CONNECTION_SAY_TOTAL;
    connection_schedule(connection);
}

void session_credit_thirst(struct connection *connection, uint32_t total)
{
    /* Also if it crossed a grant: it had run out. */
    if (connection->appetite < APPETITE_MAX &&
        is_plenty(connection->session, allowance(connection)))
        connection->appetite++;
    if (total != connection->credits_granted) {
        repeat(connection, total);
        return;
    }
    if (!list_empty(&connection->thirst) || connection->parched)
        return;
    queue_up(connection);
    session_credit_quench(connection->session);
}

void session_credit_return(struct connection *connection)
{
    struct pony_session *session = connection->session;

    if (!connection->receives)
        return;
    if (holds(connection) > 0)
        session->holders--;
    session->receivers--;
    divide(session);
    session->promised -= unused(connection);
    connection->receives = false;
    connection->parched = false;
    connection->credits_granted = connection->credits_consumed;
    list_remove(&connection->thirst);
    session_credit_quench(session);
}

void session_credit_loaded(struct connection *connection)
{
    bool thirsty = connection->parched;

    session_credit_join(connection);
    if (holds(connection) > 0)
        connection->session->holders++;
    connection->parched = false;
    if (thirsty)
        queue_up(connection);
}

struct slot *session_slot_take(struct connection *connection)
{
    struct pony_session *session = connection->session;
    struct slot *slot = LIST_OF(list_first(&session->free_slots), struct slot, node);

    list_remove(&slot->node);
    session->free_count--;
    slot->connection = connection;
    slot->owner = connection->number;
    slot->stream = NULL;
    slot->buffer = NULL;
    slot->length = 0;
    slot->received = 0;
    slot->status = 0;
    slot->due = SLOT_DUE_NOTHING;
    slot->unordered = false;
    slot->counted = false;
    slot->offered = false;
    slot->large = false;
    slot->waiting = false;
    slot->told = 0;
    top_up(connection);
    return slot;
}

/* A slot that was on a connection's account is free: if the connection is there still, it holds
 * less. */
static void relieve(const struct pony_session *session, uint32_t owner)
{
    struct connection *connection = connection_find(session->upper, owner);

    if (!connection || connection->session != session || !connection->receives ||
        connection->held == 0)
        return;
    connection->held--;
    if (holds(connection) == 0)
        connection->session->holders--;
    if (connection->parched || (holds(connection) == 0 && !list_empty(&connection->thirst)))
        queue_up(connection);
}

/* Is nobody interested in it? Each field by itself, as it was stored: one of them a moment ago, and
 * of a load that spans more than that store the processor waits until all older ones have left for
 * the cache, those to lines of the application's among them. */
static bool is_settled(const struct slot *slot)
{
    return __atomic_load_n(&slot->state, __ATOMIC_RELAXED) == SLOT_SPENT &&
           __atomic_load_n(&slot->due, __ATOMIC_RELAXED) == SLOT_DUE_NOTHING;
}

void session_slot_settle(struct pony_session *session, struct slot *slot)
{
    if (!is_settled(slot))
        return;
    slot->state = SLOT_FREE;
    slot->connection = NULL;
    list_after(&session->free_slots, &slot->node); /* the next to be taken: its lines are near */
    session->free_count++;
    relieve(session, slot->owner);
    session_credit_quench(session);
}
