/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Receive slots and the credits promised from them; see session.h. */
#include "engines/pony/connection.h"

/* Free slots that are promised to nobody. */
static uint32_t spare(const struct pony_session *session)
{
    return session->free_count - session->promised;
}

/* Those of them that may go to peers that still have credits. */
static uint32_t spare_for_all(const struct pony_session *session)
{
    uint32_t reserve =
        (session->config.slot_count + SESSION_SLOTS_RESERVED - 1) / SESSION_SLOTS_RESERVED;
    uint32_t free = spare(session);

    return free > reserve ? free - reserve : 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t unused(const struct connection *connection)
{
    return connection->credits_granted - connection->credits_consumed;
}

static void grant(struct connection *connection, uint32_t credits)
{
    connection->credits_granted += credits;
    connection->session->promised += credits;
    connection->say |= CONNECTION_SAY_CREDIT;
    connection_schedule(connection);
}

/* A small share of what is spare, so that the first connections leave something to the next. */
uint32_t session_credit_first(struct pony_session *session)
{
    uint32_t credits =
        least(CREDIT_BATCH, (spare_for_all(session) + CREDIT_BATCH - 1) / CREDIT_BATCH);

    session->promised += credits;
    return credits;
}

static void quench(struct pony_session *session)
{
    struct list *node;

    while (spare(session) > 0 && (node = list_first(&session->thirst))) {
        struct connection *connection = LIST_OF(node, struct connection, thirst);
        uint32_t credits = least(CREDIT_BATCH, spare_for_all(session) / CREDIT_BATCH);
        list_remove(node);
        grant(connection, credits ? credits : 1);
    }
}

bool session_credit_use(struct connection *connection)
{
    struct pony_session *session = connection->session;

    if (unused(connection) == 0)
        return false;
    connection->credits_consumed++;
    session->promised--;
    return true;
}

/* Called when a slot was taken for the credit: what is spare is known only then. */
static void top_up(struct connection *connection)
{
    uint32_t credits = least(CREDIT_BATCH - least(CREDIT_BATCH, unused(connection)),
                             spare_for_all(connection->session));

    if (credits >= CREDIT_BATCH / 2 && connection->state == CONNECTION_OPEN)
        grant(connection, credits);
}

void session_credit_thirst(struct connection *connection, uint32_t total)
{
    if (total != connection->credits_granted || !list_empty(&connection->thirst))
        return;
    list_push(&connection->session->thirst, &connection->thirst);
    quench(connection->session);
}

void session_credit_return(struct connection *connection)
{
    struct pony_session *session = connection->session;

    session->promised -= unused(connection);
    connection->credits_granted = connection->credits_consumed;
    list_remove(&connection->thirst);
    quench(session);
}

struct slot *session_slot_take(struct connection *connection)
{
    struct pony_session *session = connection->session;
    struct slot *slot = LIST_OF(list_first(&session->free_slots), struct slot, node);

    list_remove(&slot->node);
    session->free_count--;
    slot->connection = connection;
    slot->stream = NULL;
    slot->buffer = NULL;
    slot->length = 0;
    slot->received = 0;
    slot->status = 0;
    slot->due = SLOT_DUE_NOTHING;
    slot->large = false;
    slot->waiting = false;
    slot->told = 0;
    top_up(connection);
    return slot;
}

void session_slot_settle(struct pony_session *session, struct slot *slot)
{
    if (slot->state != SLOT_SPENT || slot->due != SLOT_DUE_NOTHING)
        return;
    slot->state = SLOT_FREE;
    slot->connection = NULL;
    list_move(&session->free_slots, &slot->node);
    session->free_count++;
    quench(session);
}
