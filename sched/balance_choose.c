/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to move.
 *
 * Out: the engines of a late thread are split by load into two halves, and one half goes: to a free
 * thread, or to one that has room for it. How much load a backlog hides is not known, so halving is
 * what finds the right number of threads in few steps: as many as the logarithm of that number.
 * Each step gives both halves twice the time that the thread has been late by then, in which a
 * backlog of that age is worked off if the halving was enough.
 *
 * Back: a thread is emptied if all its engines fit on others, by the highest loads of the last
 * while. The limit lies well below the load at which engines get late by chance, so that between
 * the two nothing moves.
 *
 * Bounces: where a merge was followed by lateness though the load of the group had not grown, the
 * forecast was wrong (bursts, for example), and will be again. The engines of that thread are
 * barred from merges that make a load like that, at first for some seconds, then for twice as long
 * each time. A merge at half the load is another matter and goes ahead.
 */
#include "sched/balance_choose.h"

#include <string.h>

/* Nothing is brought to where the load would be higher: as packets come at random, a thread with
 * more is late now and then. */
#define LOAD_MAX 850u
/* A thread in use takes engines of a late one up to here, rather than that another one wakes. */
#define ROOM_MAX 700u
/* A merge leaves half of the core free. */
#define MERGE_MAX 500u
/* An exchange is worth two hand-overs if it takes so much off the higher load. */
#define SWAP_GAIN 100u
/* Moves that do not bring two threads nearer by so much are not worth a hand-over. */
#define EVEN_GAIN 50u
/* Twice the time that a thread was late, up to here: then it is asked again in any case, so that
 * threads follow a load that still grows. */
#define RELIEF_PASS_NS (4 * NSEC_PER_MSEC)
/* Before an engine is merged, it has been seen for as long as the peaks are kept at least. */
#define MET_NS (200 * NSEC_PER_MSEC)
/* Lateness within this after a merge may come of it. */
#define BOUNCE_NS  (10 * NSEC_PER_SEC)
#define BAR_NS     (10 * NSEC_PER_SEC)
#define BAR_MAX_NS (160 * NSEC_PER_SEC)
/* The windows that are over before a suspicion is looked into: one of them began after it. */
#define JUDGE_NS (50 * NSEC_PER_MSEC)
/* A group's load that is higher by a quarter, and by this, has grown. */
#define GROWN 50u
/* A thread that is late though it has load to spare was late by chance, unless it is again within
 * this. At an SLO that is missed once in a hundred times, it is. */
#define CHANCE_NS (100 * NSEC_PER_MSEC)
/* By then what came by chance is worked off. */
#define CHANCE_PASS_NS (4 * ENGINE_BUDGET_NS)
/* Moves between threads that are in use may come again at once, in case the load has just changed;
 * each time that was not enough, so many times later. They change places, not threads' number: if
 * bursts make the SLO impossible, they would go on for ever. */
#define SHUFFLE_NS     (2 * NSEC_PER_MSEC)
#define SHUFFLE_FACTOR 4u
/* After engines went out, none is merged for so long: until peaks tell of the new load. */
#define OUT_NS (200 * NSEC_PER_MSEC)
/* The lightest threads are tried to be emptied; others are less likely to be. */
#define EMPTY_TRIES 4u
#define NO_THREAD   UINT32_MAX

/* A thread as the plan has it: engines that are under way count where they go. */
struct side {
    uint32_t load, peak, engines, staying; /* staying: not under way */
    uint64_t delay_ns;                     /* the longest of its engines */
    bool late, backlog, pass;
};

struct plan {
    struct balance *balance;
    uint64_t now;
    const struct balance_engine *seen;
    uint32_t count;
    struct balance_move *moves;
    uint32_t max, made;
    bool moving; /* an engine is under way */
    struct side sides[BALANCE_THREADS_MAX];
};

void balance_pass(struct balance *balance, uint32_t thread, uint64_t now, uint64_t ns)
{
    if (!balance->config.hasty && balance->threads[thread].pass_until < now + ns)
        balance->threads[thread].pass_until = now + ns;
}

static struct balance_memory *memory_of(const struct plan *plan, uint32_t engine)
{
    return &plan->balance->engines[engine];
}

static uint32_t peak_of(const struct plan *plan, uint32_t engine)
{
    const struct balance_memory *memory = memory_of(plan, engine);
    return memory->peak > memory->peak_before ? memory->peak : memory->peak_before;
}

/* Engines that may be moved from a thread. */
static bool stays_on(const struct plan *plan, uint32_t engine, uint32_t thread)
{
    return plan->seen[engine].thread == thread && !plan->seen[engine].moving;
}

static void look_over(struct plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct balance_engine *seen = &plan->seen[i];
        const struct balance_memory *memory = memory_of(plan, i);
        uint32_t at = seen->moving ? memory->to : seen->thread;

        if (seen->thread >= plan->balance->config.threads)
            continue;
        struct side *side = &plan->sides[at];
        side->load += memory->load;
        side->peak += peak_of(plan, i);
        side->engines++;
        plan->moving |= seen->moving;
        if (seen->moving)
            continue;
        side->staying++;
        side->late |= balance_certain(plan->balance, i);
        side->backlog |= memory->backlog;
        if (seen->delay_ns > side->delay_ns)
            side->delay_ns = seen->delay_ns;
    }
    for (uint32_t i = 0; i < plan->balance->config.threads; i++)
        plan->sides[i].pass = plan->now < plan->balance->threads[i].pass_until;
}

static void move(struct plan *plan, uint32_t engine, uint32_t to, enum balance_action action,
                 enum balance_reason reason)
{
    struct balance_memory *memory = memory_of(plan, engine);
    struct side *source = &plan->sides[plan->seen[engine].thread];

    plan->moves[plan->made++] = (struct balance_move){
        .engine = engine,
        .from = plan->seen[engine].thread,
        .to = to,
        .action = action,
        .reason = reason,
        .delay_ns = source->delay_ns,
        .load = memory->load,
        .from_load = source->load,
        .to_load = plan->sides[to].load,
    };
    memory->to = to;
    memory->late = 0;
}

/* ---- Out ---- */

/* Engines by position. */
typedef uint64_t set;
_Static_assert(BALANCE_ENGINES_MAX <= 64, "a set is a word");

static bool has(set engines, uint32_t engine)
{
    return engines >> engine & 1;
}

/* The heaviest of a thread that is not in `passed`; false if there is none. */
static bool heaviest(const struct plan *plan, uint32_t thread, set passed, uint32_t *engine)
{
    bool found = false;

    for (uint32_t i = 0; i < plan->count; i++) {
        if (has(passed, i) || !stays_on(plan, i, thread))
            continue;
        if (!found || memory_of(plan, i)->load > memory_of(plan, *engine)->load)
            *engine = i;
        found = true;
    }
    return found;
}

/* Takes engines of a thread, the heaviest first, whose loads come near to `target` and do not go
 * beyond `limit`; never all of them. */
static set split(const struct plan *plan, uint32_t thread, uint32_t target, uint32_t limit,
                 uint32_t *load)
{
    uint32_t engine = 0, left = plan->sides[thread].staying;
    set taken = 0, passed = 0;

    *load = 0;
    while (left > 1 && heaviest(plan, thread, passed, &engine)) {
        /* One that has no load, or none that was measured, counts too. */
        uint32_t weight = memory_of(plan, engine)->load + 1;

        passed |= 1ull << engine;
        if (*load + weight / 2 > target || *load + weight > limit)
            continue;
        taken |= 1ull << engine;
        *load += weight;
        left--;
    }
    return taken;
}

/* A thread without engines, and none on their way. */
static uint32_t find_free(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->balance->config.threads; i++)
        if (plan->sides[i].engines == 0)
            return i;
    return NO_THREAD;
}

static bool can_take(const struct plan *plan, uint32_t thread)
{
    const struct side *side = &plan->sides[thread];
    return side->engines > 0 && !side->late && !side->pass;
}

/* The thread in use with the lowest load, other than this one. */
static uint32_t find_lightest(const struct plan *plan, uint32_t thread)
{
    uint32_t best = NO_THREAD;

    for (uint32_t i = 0; i < plan->balance->config.threads; i++)
        if (i != thread && can_take(plan, i) &&
            (best == NO_THREAD || plan->sides[i].load < plan->sides[best].load))
            best = i;
    return best;
}

/* Room on a thread that is in use, if all loads are known and both threads are well off then. */
static uint32_t find_room(const struct plan *plan, uint32_t thread, set *engines)
{
    const struct side *source = &plan->sides[thread];
    uint32_t to = find_lightest(plan, thread);
    uint32_t load;

    if (source->backlog || to == NO_THREAD || plan->sides[to].load >= ROOM_MAX)
        return NO_THREAD;
    *engines = split(plan, thread, source->load / 2 + 1, ROOM_MAX - plan->sides[to].load, &load);
    return *engines && source->load < ROOM_MAX + load ? to : NO_THREAD;
}

/* Evens out two threads as far as that leaves the other one within its limit. */
static uint32_t find_even(const struct plan *plan, uint32_t thread, set *engines)
{
    const struct side *source = &plan->sides[thread];
    uint32_t to = find_lightest(plan, thread);
    uint32_t load;

    if (to == NO_THREAD || plan->sides[to].load >= LOAD_MAX ||
        source->load < plan->sides[to].load + 2 * EVEN_GAIN)
        return NO_THREAD;
    *engines = split(plan, thread, (source->load - plan->sides[to].load) / 2,
                     LOAD_MAX - plan->sides[to].load, &load);
    return *engines && load >= EVEN_GAIN ? to : NO_THREAD;
}

struct exchange {
    uint32_t heavy, light, to;
    uint32_t worst; /* the higher load of the two threads afterwards */
};

static void try_exchange(const struct plan *plan, uint32_t thread, uint32_t heavy, uint32_t light,
                         struct exchange *best)
{
    uint32_t to = plan->seen[light].thread;
    uint32_t down = memory_of(plan, heavy)->load;
    uint32_t up = memory_of(plan, light)->load;

    if (down <= up)
        return;
    uint32_t source = plan->sides[thread].load - (down - up);
    uint32_t target = plan->sides[to].load + (down - up);
    uint32_t worst = source > target ? source : target;
    if (worst <= LOAD_MAX && worst + SWAP_GAIN <= plan->sides[thread].load && worst < best->worst)
        *best = (struct exchange){.heavy = heavy, .light = light, .to = to, .worst = worst};
}

static bool find_exchange(const struct plan *plan, uint32_t thread, struct exchange *best)
{
    best->worst = UINT32_MAX;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (!stays_on(plan, i, thread))
            continue;
        for (uint32_t j = 0; j < plan->count; j++) {
            uint32_t to = plan->seen[j].thread;
            if (to < plan->balance->config.threads && to != thread && stays_on(plan, j, to) &&
                can_take(plan, to))
                try_exchange(plan, thread, i, j, best);
        }
    }
    return best->worst != UINT32_MAX;
}

/* Engines have left a late thread for another one: what that means to both. */
static void relieved(struct plan *plan, uint32_t thread, uint32_t to)
{
    struct balance *balance = plan->balance;
    uint64_t late_since = balance->threads[thread].late_since;
    uint64_t pass = 2 * (plan->now - late_since);

    balance->out_ns = plan->now;
    if (pass < BALANCE_PASS_NS)
        pass = BALANCE_PASS_NS;
    if (pass > RELIEF_PASS_NS)
        pass = RELIEF_PASS_NS;
    balance_pass(balance, thread, plan->now, pass);
    balance_pass(balance, to, plan->now, pass);
    balance->threads[to].late_since = late_since;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct balance_memory *memory = memory_of(plan, i);
        if (plan->seen[i].thread != thread)
            continue;
        memory->late = 0;
        if (memory->merged_ns > 0 && plan->now - memory->merged_ns < BOUNCE_NS)
            memory->suspect_ns = plan->now;
    }
}

static void move_set(struct plan *plan, set engines, uint32_t to, enum balance_reason reason)
{
    for (uint32_t i = 0; i < plan->count && plan->made < plan->max; i++)
        if (has(engines, i))
            move(plan, i, to, BALANCE_SCALE_OUT, reason);
}

static uint32_t total_of(const struct balance *balance, uint32_t count)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < count; i++)
        total += balance->engines[i].steady;
    return total;
}

static bool has_grown(uint32_t total, uint32_t before)
{
    return 4 * total > 5 * before + 4 * GROWN;
}

/* Notes that engines go to a thread in use, for the next time that they would. */
static void shuffled(struct plan *plan)
{
    struct balance *balance = plan->balance;

    balance->shuffle_ns =
        balance->shuffle_ns > 0 ? SHUFFLE_FACTOR * balance->shuffle_ns : SHUFFLE_NS;
    if (balance->shuffle_ns > BAR_MAX_NS)
        balance->shuffle_ns = BAR_MAX_NS;
    balance->shuffle_until = plan->now + balance->shuffle_ns;
    balance->shuffle_total = total_of(balance, plan->count);
}

/* Whether the thread is late by chance, as far as one can tell by now. */
static bool by_chance(struct plan *plan, uint32_t thread)
{
    struct balance_thread *memory = &plan->balance->threads[thread];
    uint64_t last = memory->chance_ns;

    if (plan->balance->config.hasty || plan->sides[thread].load >= LOAD_MAX)
        return false;
    memory->chance_ns = plan->now;
    return last == 0 || plan->now - last > CHANCE_NS;
}

/* Takes load off a late thread, if that can be done. */
static void relieve(struct plan *plan, uint32_t thread)
{
    struct balance *balance = plan->balance;
    bool may_shuffle = balance->config.hasty || plan->now >= balance->shuffle_until;
    struct exchange exchange;
    set engines = 0;
    uint32_t load, to = NO_THREAD;

    if (plan->sides[thread].staying < 2)
        return;
    if (by_chance(plan, thread)) {
        balance_pass(balance, thread, plan->now, CHANCE_PASS_NS);
        return;
    }
    if (may_shuffle)
        to = find_room(plan, thread, &engines);
    if (to == NO_THREAD && (to = find_free(plan)) != NO_THREAD) {
        engines = split(plan, thread, plan->sides[thread].load / 2 + 1, UINT32_MAX, &load);
        move_set(plan, engines, to, BALANCE_LATE_WAKE);
        relieved(plan, thread, to);
        return;
    }
    if (may_shuffle && to == NO_THREAD)
        to = find_even(plan, thread, &engines);
    if (to != NO_THREAD) {
        move_set(plan, engines, to, BALANCE_LATE_ROOM);
        relieved(plan, thread, to);
        shuffled(plan);
    } else if (may_shuffle && plan->made + 2 <= plan->max &&
               find_exchange(plan, thread, &exchange)) {
        move(plan, exchange.heavy, exchange.to, BALANCE_SWAP, BALANCE_PACK);
        move(plan, exchange.light, thread, BALANCE_SWAP, BALANCE_PACK);
        relieved(plan, thread, exchange.to);
        shuffled(plan);
    } else {
        /* There is nothing to be done; to see that again at each look costs too much. */
        balance_pass(balance, thread, plan->now, BALANCE_PASS_NS);
    }
}

/* ---- Back ---- */

static bool may_merge(const struct plan *plan, uint32_t engine, uint32_t load)
{
    const struct balance_memory *memory = memory_of(plan, engine);

    if (plan->balance->config.hasty)
        return true;
    return plan->now - memory->met_ns >= MET_NS &&
           (plan->now >= memory->barred_until || 2 * load < memory->barred_load);
}

/* The fullest thread that takes the engine, other than its own; `peaks` are what is planned. */
static uint32_t find_home(const struct plan *plan, uint32_t engine, const uint32_t *peaks)
{
    uint32_t limit = plan->balance->config.hasty ? BALANCE_CORE : MERGE_MAX;
    uint32_t best = NO_THREAD;

    for (uint32_t i = 0; i < plan->balance->config.threads; i++) {
        uint32_t load = peaks[i] + peak_of(plan, engine);

        /* The first thread takes engines also if it has none. */
        if (i == plan->seen[engine].thread || load > limit || plan->sides[i].late ||
            plan->sides[i].pass || (i > 0 && plan->sides[i].engines == 0))
            continue;
        if ((best == NO_THREAD || peaks[i] > peaks[best]) && may_merge(plan, engine, load))
            best = i;
    }
    return best;
}

/* Remembers the merge on all that were part of it. */
static void merged(struct plan *plan, uint32_t to, const uint32_t *peaks)
{
    uint32_t total = 0;

    for (uint32_t i = 0; i < plan->balance->config.threads; i++)
        total += plan->sides[i].peak;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct balance_memory *memory = memory_of(plan, i);
        if (plan->seen[i].thread != to && memory->to != to)
            continue;
        memory->merged_ns = plan->now;
        memory->merged_total = total;
        memory->merged_load = peaks[to];
    }
}

/* Empties a thread, if all its engines fit elsewhere. True if it does. */
static bool empty(struct plan *plan, uint32_t thread)
{
    bool one = plan->sides[thread].engines == 1;
    uint32_t peaks[BALANCE_THREADS_MAX];
    uint32_t homes[BALANCE_ENGINES_MAX];
    uint32_t engine = 0;
    set placed = 0;

    if (plan->made + plan->sides[thread].engines > plan->max)
        return false;
    for (uint32_t i = 0; i < BALANCE_THREADS_MAX; i++)
        peaks[i] = plan->sides[i].peak;
    while (heaviest(plan, thread, placed, &engine)) {
        homes[engine] = find_home(plan, engine, peaks);
        if (homes[engine] == NO_THREAD)
            return false;
        peaks[homes[engine]] += peak_of(plan, engine);
        placed |= 1ull << engine;
    }
    for (uint32_t i = 0; i < plan->count; i++)
        if (has(placed, i))
            move(plan, i, homes[i], one ? BALANCE_MOVE_BACK : BALANCE_COMPACT,
                 one ? BALANCE_LOW_LOAD : BALANCE_FEWER);
    for (uint32_t i = 0; i < plan->count; i++)
        if (has(placed, i))
            merged(plan, homes[i], peaks);
    return true;
}

/* The lightest thread of those that can be emptied and were not tried; the first is home. */
static uint32_t find_to_empty(const struct plan *plan, const bool *tried)
{
    uint32_t best = NO_THREAD;

    for (uint32_t i = 1; i < plan->balance->config.threads; i++)
        if (!tried[i] && can_take(plan, i) &&
            (best == NO_THREAD || plan->sides[i].peak < plan->sides[best].peak))
            best = i;
    return best;
}

static bool merge(struct plan *plan)
{
    bool tried[BALANCE_THREADS_MAX] = {false};

    for (uint32_t i = 0; i < EMPTY_TRIES; i++) {
        uint32_t thread = find_to_empty(plan, tried);

        if (thread == NO_THREAD)
            return false;
        if (empty(plan, thread))
            return true;
        tried[thread] = true;
    }
    return false;
}

void balance_judge(struct balance *balance, uint64_t now, uint32_t count)
{
    uint32_t total = total_of(balance, count);

    if (has_grown(total, balance->shuffle_total) || has_grown(balance->shuffle_total, total))
        balance->shuffle_ns = balance->shuffle_until = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct balance_memory *memory = &balance->engines[i];

        if (memory->suspect_ns > 0 && now - memory->suspect_ns >= JUDGE_NS) {
            if (!has_grown(total, memory->merged_total)) {
                memory->bar_ns = memory->bar_ns > 0 ? 2 * memory->bar_ns : BAR_NS;
                if (memory->bar_ns > BAR_MAX_NS)
                    memory->bar_ns = BAR_MAX_NS;
                memory->barred_until = now + memory->bar_ns;
                memory->barred_load = memory->merged_load;
            }
            memory->suspect_ns = memory->merged_ns = 0;
        } else if (memory->merged_ns > 0 && now - memory->merged_ns >= BOUNCE_NS) {
            /* It has stood the test. */
            memory->merged_ns = memory->bar_ns = 0;
        }
    }
}

uint32_t balance_choose(struct balance *balance, uint64_t now, const struct balance_engine *engines,
                        uint32_t count, struct balance_move *moves, uint32_t max)
{
    struct plan plan = {.balance = balance,
                        .now = now,
                        .seen = engines,
                        .count = count,
                        .moves = moves,
                        .max = max};

    if (balance->config.threads == 1)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        if (balance_certain(balance, i)) {
            balance_measure(balance, now, count);
            break;
        }
    look_over(&plan);
    /* One thread at each look: the next one sees what the first has changed. */
    for (uint32_t i = 0; i < balance->config.threads && plan.made == 0; i++)
        if (plan.sides[i].late && !plan.sides[i].pass)
            relieve(&plan, i);
    if (plan.made > 0 || plan.moving || !balance->merge_due ||
        (now - balance->out_ns < OUT_NS && !balance->config.hasty))
        return plan.made;
    balance->merge_due = merge(&plan);
    return plan.made;
}
