/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/dialogue.h"

/* Those that waited for a whole tick have had their time. */
static void tick(struct wheel_timer *timer, uint64_t now)
{
    struct upper *upper = LIST_OF(timer, struct upper, late_timer);
    struct list *node;

    while ((node = list_first(&upper->overdue))) {
        struct connection *connection = LIST_OF(node, struct connection, late);
        list_remove(node);
        connection->turns = 0;
        connection_schedule(connection);
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
