/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/dialogue.h"

/* Connections that are scheduled at a time: others than they wait meanwhile. */
#define AT_A_TIME 64u

static void schedule_some(struct upper *upper)
{
    struct list *node;

    for (uint32_t i = 0; i < AT_A_TIME && (node = list_first(&upper->overdue)); i++) {
        struct connection *connection = LIST_OF(node, struct connection, late);
        list_remove(node);
        session_charge(upper, connection->session);
        connection->turns = 0;
        connection_schedule(connection);
    }
    session_charge(upper, NULL);
}

/* Those that waited for a whole tick have had their time. */
static void tick(struct wheel_timer *timer, uint64_t now)
{
    struct upper *upper = LIST_OF(timer, struct upper, late_timer);

    schedule_some(upper);
    if (!list_empty(&upper->overdue)) {
        /* Not at once: it would be in this same advance. */
        wheel_set(upper->wheel, timer, now + WHEEL_TICK_NS);
        return;
    }
    list_splice(&upper->overdue, &upper->late);
    if (!list_empty(&upper->overdue))
        wheel_set(upper->wheel, timer, now + DIALOGUE_TICK_NS);
}

void dialogue_init(struct upper *upper)
{
    list_init(&upper->late);
    list_init(&upper->overdue);
    wheel_timer_init(&upper->late_timer, tick);
}

void dialogue_rest(struct upper *upper)
{
    if (wheel_timer_armed(&upper->late_timer) && list_empty(&upper->late) &&
        list_empty(&upper->overdue))
        wheel_cancel(upper->wheel, &upper->late_timer);
}

void dialogue_fini(struct upper *upper)
{
    if (wheel_timer_armed(&upper->late_timer))
        wheel_cancel(upper->wheel, &upper->late_timer);
}

void dialogue_wait(struct connection *connection)
{
    struct upper *upper = connection->upper;

    list_move(&upper->late, &connection->late);
    if (!wheel_timer_armed(&upper->late_timer))
        wheel_set(upper->wheel, &upper->late_timer, upper->now + DIALOGUE_TICK_NS);
}
