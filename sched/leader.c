/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/leader.h"

#include "sched/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct led {
    struct engine *engine;
    uint32_t thread; /* that has it, or had it when its move began */
    uint32_t to;     /* while it moves */
    bool moving;
};

struct leader {
    bool held;
    struct balance balance;
    struct decisions *decisions;
    struct worker *threads[GROUP_THREADS_MAX];
    uint32_t thread_count;
    struct led engines[GROUP_ENGINES_MAX];
    uint32_t count;
    /* Of one look. */
    struct balance_engine seen[GROUP_ENGINES_MAX];
    struct balance_move moves[BALANCE_MOVES_MAX];
};

_Static_assert(GROUP_ENGINES_MAX <= BALANCE_ENGINES_MAX, "all engines are looked at");
_Static_assert(GROUP_THREADS_MAX <= BALANCE_THREADS_MAX, "all threads are used");

/* ---- Control ---- */

static int apply(struct leader *leader, const struct balance_config *config,
                 int (*how)(struct balance *, const struct balance_config *))
{
    struct balance_config counted = *config;

    counted.threads = leader->thread_count ? leader->thread_count : 1;
    return how(&leader->balance, &counted);
}

int leader_create(struct leader **leader, const struct balance_config *config,
                  struct decisions *decisions)
{
    struct leader *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->held = true;
    made->decisions = decisions;
    error = apply(made, config, balance_init);
    if (error) {
        free(made);
        return error;
    }
    *leader = made;
    return 0;
}

void leader_destroy(struct leader *leader)
{
    free(leader);
}

/* How many moves are under way: no more will be. */
static int work_hold(void *context, void *argument)
{
    struct leader *leader = ((struct worker *)context)->leader;
    int moving = 0;

    (void)argument;
    leader->held = true;
    for (uint32_t i = 0; i < leader->count; i++)
        moving += leader->engines[i].moving;
    return moving;
}

static int work_release(void *context, void *argument)
{
    (void)argument;
    ((struct worker *)context)->leader->held = false;
    return 0;
}

int leader_hold(struct worker *first)
{
    uint64_t deadline = clock_now(&clock_machine) + WORKER_PATIENCE_NS;
    int moving;

    do {
        moving = worker_call(first, work_hold, NULL);
    } while (moving > 0 && clock_now(&clock_machine) < deadline);
    if (moving == 0)
        return 0;
    leader_release(first);
    return -ETIMEDOUT;
}

/* Whatever else waits in the mailbox somebody waits for, and withdraws: if it is full, it is this.
 */
void leader_release(struct worker *first)
{
    (void)mailbox_post(&first->mailbox, work_release, NULL);
}

int leader_configure(struct leader *leader, const struct balance_config *config)
{
    return apply(leader, config, balance_configure);
}

void leader_add_thread(struct leader *leader, struct worker *worker)
{
    leader->threads[leader->thread_count++] = worker;
    (void)leader_configure(leader, &leader->balance.config);
}

static uint32_t find(const struct leader *leader, const struct engine *engine)
{
    uint32_t at = 0;

    while (at < leader->count && leader->engines[at].engine != engine)
        at++;
    return at;
}

void leader_add(struct leader *leader, struct engine *engine, uint32_t thread)
{
    leader->engines[leader->count++] = (struct led){.engine = engine, .thread = thread};
}

void leader_remove(struct leader *leader, const struct engine *engine)
{
    uint32_t at = find(leader, engine);

    if (at < leader->count)
        leader->engines[at] = leader->engines[--leader->count];
}

struct worker *leader_find(const struct leader *leader, const struct engine *engine)
{
    uint32_t at = find(leader, engine);

    return at < leader->count ? leader->threads[leader->engines[at].thread] : NULL;
}

/* ---- Its thread ---- */

static void send_for(struct leader *leader, const struct balance_move *move, uint64_t now)
{
    struct led *led = &leader->engines[move->engine];

    decisions_add(leader->decisions, now, led->engine->name, move);
    led->moving = true;
    led->to = move->to;
    led->engine->move.to = leader->threads[move->to];
    led->engine->move.asker = leader->threads[0];
    worker_tell(leader->threads[led->thread], led->engine, WORKER_HAND_OVER);
}

bool leader_due(const struct leader *leader, uint64_t now)
{
    return !leader->held && leader->thread_count >= 2 && balance_due(&leader->balance, now);
}

uint32_t leader_look(struct leader *leader, uint64_t now)
{
    uint32_t count;

    if (!leader_due(leader, now))
        return 0;
    for (uint32_t i = 0; i < leader->count; i++) {
        const struct led *led = &leader->engines[i];

        balance_observe(&leader->seen[i], led->engine, led->thread, led->moving, now);
    }
    count = balance_decide(&leader->balance, now, leader->seen, leader->count, leader->moves,
                           BALANCE_MOVES_MAX);
    for (uint32_t i = 0; i < count; i++)
        send_for(leader, &leader->moves[i], now);
    return count;
}

uint64_t leader_deadline(const struct leader *leader, uint64_t now)
{
    if (leader->held)
        return ENGINE_NEVER;
    for (uint32_t i = 0; i < leader->count; i++)
        if (leader->engines[i].thread != 0)
            return now + BALANCE_SLEEP_NS;
    return ENGINE_NEVER;
}

void leader_woke(struct leader *leader, uint64_t now)
{
    if (!leader->held)
        balance_woke(&leader->balance, now);
}

void leader_moved(struct leader *leader, const struct engine *engine)
{
    uint32_t at = find(leader, engine);
    struct led *led = &leader->engines[at];

    led->moving = false;
    if (engine->move.result == 0)
        led->thread = led->to;
}
