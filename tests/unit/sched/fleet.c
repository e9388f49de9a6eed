/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/sched/fleet.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define POLL_NS     200u                 /* a turn that finds nothing */
#define LOOK_NS     500u                 /* the rebalancer's work at a look */
#define MESSAGE_NS  (1 * NSEC_PER_USEC)  /* from thread to thread */
#define WAKE_NS     (50 * NSEC_PER_USEC) /* a thread that had no engine */
#define IDLE_NS     (25 * NSEC_PER_USEC) /* steps of a thread that finds nothing: a look is due */
#define REDRAW_NS   (10 * NSEC_PER_MSEC) /* arrivals of an engine without load are looked at */
#define QUEUE_FIRST 1024u

/* Times of arrival, in order; each item's number is its position. */
struct queue {
    uint64_t *times;
    uint64_t head, tail, room;
};

struct item_source {
    uint32_t load;
    uint64_t last_ns, next_ns;
};

/* An engine's shared words. */
struct words {
    uint64_t drained_ns, busy_ns, runs;
};

struct unit {
    struct queue queue;
    struct item_source source;
    struct words words, shown; /* shown: as others see them, who do not see into a turn */
    uint32_t thread;           /* it is on, or left */
    bool moving;
    uint32_t to;
    uint64_t leave_ns, come_ns; /* 0: that message is not on its way */
    bool running;
    uint64_t arrived, served;
    uint64_t served_ns; /* when the last item served had come */
    uint64_t left_ns;   /* when it was last taken off a thread */
};

struct lane {
    uint64_t now;
    uint32_t turn; /* whose it is */
    uint64_t stall_ns;
    bool stall_in_turn;
};

struct fleet {
    struct fleet_config config;
    struct balance balance;
    struct unit units[FLEET_ENGINES];
    struct lane lanes[FLEET_THREADS];
    uint64_t now, random;
    struct histogram delays;
    struct fleet_counts counts;
};

/* As ck_assert, which takes a system call each time that it holds. */
static void must(bool holds, const char *what)
{
    if (!holds)
        ck_abort_msg("fleet: %s", what);
}

/* ---- Arrivals ---- */

static double draw(struct fleet *fleet)
{
    fleet->random ^= fleet->random << 13;
    fleet->random ^= fleet->random >> 7;
    fleet->random ^= fleet->random << 17;
    return ((double)(fleet->random >> 11) + 1) / 9007199254740993.0; /* in (0, 1] */
}

static void draw_next(struct fleet *fleet, struct item_source *source, uint64_t from)
{
    double mean;

    if (source->load == 0) {
        source->next_ns = from + REDRAW_NS;
        return;
    }
    mean = (double)FLEET_COST_NS * fleet->config.burst * 1000 / source->load;
    source->next_ns = from + (uint64_t)(-log(draw(fleet)) * mean) + 1;
}

static void put(struct queue *queue, uint64_t time)
{
    if (queue->tail - queue->head == queue->room) {
        uint64_t room = queue->room ? 2 * queue->room : QUEUE_FIRST;
        uint64_t *times = malloc(room * sizeof(*times));

        must(times != NULL, "memory");
        for (uint64_t i = queue->head; i < queue->tail; i++)
            times[i & (room - 1)] = queue->times[i & (queue->room - 1)];
        free(queue->times);
        queue->times = times;
        queue->room = room;
    }
    queue->times[queue->tail++ & (queue->room - 1)] = time;
}

static void arrive(struct fleet *fleet, struct unit *unit, uint64_t now)
{
    while (unit->source.next_ns <= now) {
        uint64_t at = unit->source.next_ns;
        uint32_t items = unit->source.load > 0 ? fleet->config.burst : 0;

        for (uint32_t i = 0; i < items; i++)
            put(&unit->queue, at);
        unit->arrived += items;
        unit->source.last_ns = at;
        draw_next(fleet, &unit->source, at);
    }
}

/* ---- Threads ---- */

static void stall(struct lane *lane)
{
    lane->now += lane->stall_ns;
    lane->stall_ns = 0;
}

static void serve(struct fleet *fleet, struct lane *lane, struct unit *unit)
{
    uint64_t came = unit->queue.times[unit->queue.head & (unit->queue.room - 1)];
    uint64_t waited = lane->now - came;

    must(came >= unit->served_ns && came <= lane->now, "an item out of its order");
    must(lane->now >= unit->left_ns, "an item served before the hand-over was over");
    unit->served_ns = came;
    unit->queue.head++;
    unit->served++;
    histogram_record(&fleet->delays, waited);
    fleet->counts.served++;
    fleet->counts.late += waited > BALANCE_SLO_NS;
    lane->now += FLEET_COST_NS;
}

static void give_turn(struct fleet *fleet, struct lane *lane, struct unit *unit)
{
    uint64_t start = lane->now;

    must(!unit->running, "an engine on two threads");
    unit->running = true;
    for (;;) {
        arrive(fleet, unit, lane->now);
        if (unit->queue.head == unit->queue.tail)
            break;
        serve(fleet, lane, unit);
        if (lane->stall_in_turn)
            stall(lane);
        if (lane->now - start >= ENGINE_BUDGET_NS)
            break;
    }
    if (lane->now > start)
        unit->words.busy_ns += lane->now - start;
    else
        lane->now += POLL_NS;
    if (unit->queue.head == unit->queue.tail)
        unit->words.drained_ns = lane->now;
    unit->words.runs++;
    unit->running = false;
}

/* Messages to this thread: engines that leave it and engines that come. */
static void read_messages(struct fleet *fleet, uint32_t index)
{
    struct lane *lane = &fleet->lanes[index];

    for (uint32_t i = 0; i < fleet->config.engines; i++) {
        struct unit *unit = &fleet->units[i];

        if (unit->leave_ns > 0 && unit->thread == index && unit->leave_ns <= lane->now) {
            unit->leave_ns = 0;
            unit->left_ns = lane->now;
            unit->come_ns = lane->now + MESSAGE_NS;
            /* A thread without engines sleeps. */
            uint32_t there = 0;
            for (uint32_t j = 0; j < fleet->config.engines; j++)
                there += fleet->units[j].thread == unit->to && fleet->units[j].come_ns == 0;
            unit->come_ns += there == 0 ? WAKE_NS : 0;
        } else if (unit->come_ns > 0 && unit->to == index && unit->come_ns <= lane->now) {
            unit->come_ns = 0;
            unit->thread = index;
            unit->moving = false;
        }
    }
}

/* The next engine in turn of those that are on the thread; false if there is none. */
static bool next_unit(struct fleet *fleet, uint32_t index, struct unit **unit)
{
    struct lane *lane = &fleet->lanes[index];

    for (uint32_t i = 0; i < fleet->config.engines; i++) {
        lane->turn = (lane->turn + 1) % fleet->config.engines;
        *unit = &fleet->units[lane->turn];
        if ((*unit)->thread == index && (*unit)->come_ns == 0)
            return true;
    }
    return false;
}

/* Nothing waits on the thread: on to the next arrival, or to what else may be. */
static void skip(struct fleet *fleet, uint32_t index)
{
    struct lane *lane = &fleet->lanes[index];
    uint64_t until = lane->now + IDLE_NS;

    for (uint32_t i = 0; i < fleet->config.engines; i++) {
        struct unit *unit = &fleet->units[i];

        if (unit->thread != index || unit->come_ns > 0)
            continue;
        arrive(fleet, unit, lane->now);
        if (unit->queue.head != unit->queue.tail)
            return;
        if (unit->source.next_ns < until)
            until = unit->source.next_ns;
    }
    lane->now = until;
    for (uint32_t i = 0; i < fleet->config.engines; i++)
        if (fleet->units[i].thread == index && fleet->units[i].come_ns == 0) {
            fleet->units[i].words.drained_ns = until;
            fleet->units[i].words.runs++;
        }
}

static void look(struct fleet *fleet)
{
    struct balance_engine seen[FLEET_ENGINES];
    struct balance_move moves[FLEET_ENGINES];
    uint64_t now = fleet->lanes[0].now;
    uint32_t count;

    for (uint32_t i = 0; i < fleet->config.engines; i++) {
        const struct unit *unit = &fleet->units[i];
        seen[i] = (struct balance_engine){
            .id = unit,
            .thread = unit->thread,
            .moving = unit->moving,
            .drained_ns = unit->shown.drained_ns,
            .delay_ns = unit->shown.drained_ns < now ? now - unit->shown.drained_ns : 0,
            .busy_ns = unit->shown.busy_ns,
            .runs = unit->shown.runs,
        };
    }
    count = balance_decide(&fleet->balance, now, seen, fleet->config.engines, moves, FLEET_ENGINES);
    for (uint32_t i = 0; i < count; i++) {
        struct unit *unit = &fleet->units[moves[i].engine];

        must(!unit->moving, "an engine that is under way");
        must(moves[i].from == unit->thread && moves[i].to != unit->thread, "another thread's");
        must(moves[i].to < fleet->config.threads, "a thread that there is not");
        unit->moving = true;
        unit->to = moves[i].to;
        unit->leave_ns = now + MESSAGE_NS;
        fleet->counts.moves[moves[i].action]++;
        fleet->counts.moved++;
    }
    fleet->lanes[0].now += LOOK_NS;
}

static void step(struct fleet *fleet, uint32_t index)
{
    struct lane *lane = &fleet->lanes[index];
    struct unit *unit;

    if (!lane->stall_in_turn)
        stall(lane);
    for (uint32_t i = 0; i < fleet->config.engines; i++)
        if (fleet->units[i].thread == index)
            fleet->units[i].shown = fleet->units[i].words;
    read_messages(fleet, index);
    if (index == 0 && balance_due(&fleet->balance, lane->now)) {
        look(fleet);
        uint32_t threads = fleet_threads(fleet);
        if (threads > fleet->counts.threads_max)
            fleet->counts.threads_max = threads;
    }
    if (!next_unit(fleet, index, &unit)) {
        lane->now += index == 0 ? POLL_NS : IDLE_NS;
    } else {
        give_turn(fleet, lane, unit);
        skip(fleet, index);
    }
}

void fleet_run(struct fleet *fleet, uint64_t ns)
{
    uint64_t end = fleet->now + ns;

    for (;;) {
        uint32_t first = 0;

        for (uint32_t i = 1; i < fleet->config.threads; i++)
            if (fleet->lanes[i].now < fleet->lanes[first].now)
                first = i;
        if (fleet->lanes[first].now >= end)
            break;
        step(fleet, first);
    }
    fleet->now = end;
}

/* ---- The test's ---- */

struct fleet *fleet_create(const struct fleet_config *config)
{
    struct fleet *fleet = calloc(1, sizeof(*fleet));
    const struct balance_config balance = {.threads = config->threads, .hasty = config->hasty};

    ck_assert_ptr_nonnull(fleet);
    fleet->config = *config;
    fleet->random = config->seed * 0x9e3779b97f4a7c15u + 1;
    fleet->now = NSEC_PER_SEC;
    for (uint32_t i = 0; i < config->threads; i++)
        fleet->lanes[i].now = fleet->now;
    for (uint32_t i = 0; i < config->engines; i++) {
        fleet->units[i].words.drained_ns = fleet->units[i].shown.drained_ns = fleet->now;
        draw_next(fleet, &fleet->units[i].source, fleet->now);
    }
    ck_assert_int_eq(balance_init(&fleet->balance, &balance), 0);
    return fleet;
}

void fleet_destroy(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->config.engines; i++) {
        const struct unit *unit = &fleet->units[i];

        must(unit->served + unit->queue.tail - unit->queue.head == unit->arrived, "an item lost");
        must(unit->served > 0, "an engine that never ran");
        free(unit->queue.times);
    }
    free(fleet);
}

void fleet_load(struct fleet *fleet, uint32_t engine, uint32_t load)
{
    struct unit *unit = &fleet->units[engine];

    /* Its thread may be ahead by a turn, and have seen arrivals. */
    uint64_t from = unit->source.last_ns > fleet->now ? unit->source.last_ns : fleet->now;

    arrive(fleet, unit, fleet->now);
    unit->source.load = load;
    draw_next(fleet, &unit->source, from);
}

void fleet_stall(struct fleet *fleet, uint32_t thread, uint64_t ns, bool in_turn)
{
    fleet->lanes[thread].stall_ns = ns;
    fleet->lanes[thread].stall_in_turn = in_turn;
}

uint64_t fleet_now(const struct fleet *fleet)
{
    return fleet->now;
}

uint32_t fleet_threads(const struct fleet *fleet)
{
    bool used[FLEET_THREADS] = {false};
    uint32_t count = 0;

    for (uint32_t i = 0; i < fleet->config.engines; i++) {
        const struct unit *unit = &fleet->units[i];
        used[unit->moving ? unit->to : unit->thread] = true;
    }
    for (uint32_t i = 0; i < fleet->config.threads; i++)
        count += used[i];
    return count;
}

uint32_t fleet_thread_of(const struct fleet *fleet, uint32_t engine)
{
    return fleet->units[engine].thread;
}

uint64_t fleet_waiting(const struct fleet *fleet)
{
    uint64_t waiting = 0;

    for (uint32_t i = 0; i < fleet->config.engines; i++)
        waiting += fleet->units[i].queue.tail - fleet->units[i].queue.head;
    return waiting;
}

uint64_t fleet_stalls(const struct fleet *fleet)
{
    return fleet->balance.stalls;
}

void fleet_count(struct fleet *fleet)
{
    memset(&fleet->counts, 0, sizeof(fleet->counts));
    memset(&fleet->delays, 0, sizeof(fleet->delays));
}

const struct fleet_counts *fleet_counts(struct fleet *fleet)
{
    histogram_read(&fleet->delays, &fleet->counts.delays);
    return &fleet->counts;
}
