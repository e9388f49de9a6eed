/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a look sees, and whether that is lateness. What is done about it: balance_choose.c.
 *
 * Lateness. The queueing delay of an engine is the time since it was last seen drained; work that
 * came right afterwards has waited so long, so it is a bound. A look is late if the delay is beyond
 * the SLO and the answer to Shenango's question is no: the engine has not passed where it stood at
 * the look before (it was not drained since). That must be so at two looks, an SLO apart or more:
 * packets that come at random make a thread late for a moment now and then, long before it is full.
 *
 * Stalls. A thread that is not run (preempted, or throttled) makes its engines late without load,
 * and another thread would not help. Load shows in the words as well: a thread that is loaded ends
 * a turn every budget, and its turns fill the time that its engines wait. So a late look counts
 * only if the thread has ended a turn since the last one that counted, and if it was busy for at
 * least half of the wait. A thread that ended no turn for longer than turns can take, though it had
 * engines and did not sleep, was stalled, and has time to make up for it. What remains: a thread
 * that is preempted in the midst of turns, each time for less than that, looks busy.
 */
#include "sched/balance.h"

#include "sched/balance_choose.h"

#include <errno.h>
#include <string.h>

/* Loads for moves that cannot wait are measured over this: some twenty turns. */
#define SHORT_NS NSEC_PER_MSEC
/* When engines are to leave a late thread, what was measured since the end of the last window says
 * more than that one, from so much on. */
#define FRESH_NS (100 * NSEC_PER_USEC)
/* Loads for merges are measured over this, long enough for bursts to even out. */
#define LONG_NS (25 * NSEC_PER_MSEC)
/* Merges take the highest load of one to two times this. With the long window and the merges
 * themselves, threads follow a load that falls well within 1 s. */
#define PEAK_NS (200 * NSEC_PER_MSEC)
/* A thread that ended no turn for so long is not run: three budgets, one of them begun before. */
#define STALL_NS (3 * ENGINE_BUDGET_NS)
/* The longest that a stall excuses: what has waited for longer is late whatever the cause. */
#define STALL_PASS_NS (5 * NSEC_PER_MSEC)
/* A late look counts as much as so many timely ones: two within so many looks make it certain. */
#define LATE_STEP 8u

int balance_configure(struct balance *balance, const struct balance_config *config)
{
    if (config->threads == 0 || config->threads > BALANCE_THREADS_MAX)
        return -EINVAL;
    balance->config = *config;
    if (balance->config.slo_ns == 0)
        balance->config.slo_ns = BALANCE_SLO_NS;
    if (balance->config.period_ns == 0)
        balance->config.period_ns = balance->config.slo_ns / 2;
    return 0;
}

int balance_init(struct balance *balance, const struct balance_config *config)
{
    memset(balance, 0, sizeof(*balance));
    return balance_configure(balance, config);
}

void balance_observe(struct balance_engine *seen, const struct engine *engine, uint32_t thread,
                     bool moving, uint64_t now)
{
    *seen = (struct balance_engine){
        .id = engine,
        .thread = thread,
        .moving = moving,
        .resting = atomic_load_explicit(&engine->rests, memory_order_relaxed) % 2 == 1,
        .drained_ns = atomic_load_explicit(&engine->drained_ns, memory_order_relaxed),
        .busy_ns = atomic_load_explicit(&engine->busy_ns, memory_order_relaxed),
        .runs = atomic_load_explicit(&engine->runs, memory_order_relaxed),
    };
    if (!seen->resting && seen->drained_ns < now)
        seen->delay_ns = now - seen->drained_ns;
}

/* ---- What a look finds ---- */

static void meet(struct balance *balance, struct balance_memory *memory,
                 const struct balance_engine *seen, uint64_t now)
{
    *memory = (struct balance_memory){
        .id = seen->id,
        .thread = seen->thread,
        .drained_ns = seen->drained_ns,
        .busy_ns = seen->busy_ns,
        .runs = seen->runs,
        .since_ns = now,
        .since_busy_ns = balance->threads[seen->thread].busy_ns,
        .short_busy_ns = seen->busy_ns,
        .long_busy_ns = seen->busy_ns,
        .met_ns = now,
    };
}

/* A thread that has taken an engine, or met one, is given the time to make its round. */
static void came(struct balance *balance, struct balance_memory *memory, uint64_t now)
{
    struct balance_thread *thread = &balance->threads[memory->thread];

    memory->late = 0;
    memory->late_runs = thread->runs;
    memory->since_ns = now;
    memory->since_busy_ns = thread->busy_ns;
    balance_pass(balance, memory->thread, now, BALANCE_PASS_NS);
}

/* Adds up what threads did since the last look, of engines that were on them by then. */
static void follow(struct balance *balance, uint64_t now, const struct balance_engine *seen,
                   uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct balance_memory *memory = &balance->engines[i];
        const struct balance_engine *engine = &seen[i];

        if (engine->thread >= balance->config.threads)
            continue;
        if (memory->id != engine->id) {
            meet(balance, memory, engine, now);
            came(balance, memory, now);
        } else if (memory->thread != engine->thread) {
            memory->thread = engine->thread;
            came(balance, memory, now);
        }
        balance->threads[engine->thread].busy_ns += engine->busy_ns - memory->busy_ns;
        balance->threads[engine->thread].runs += engine->runs - memory->runs;
    }
    for (uint32_t i = count; i < BALANCE_ENGINES_MAX; i++)
        balance->engines[i].id = NULL;
}

/* Whether the thread was expected to run, and how many turns it had ended at the last look. */
struct presence {
    bool awake;
    uint64_t runs;
};

static uint64_t excuse(uint64_t gap_ns)
{
    return gap_ns < STALL_PASS_NS ? gap_ns : STALL_PASS_NS;
}

static void find_stalls(struct balance *balance, uint64_t now, const struct presence *before)
{
    for (uint32_t i = 0; i < balance->config.threads; i++) {
        struct balance_thread *thread = &balance->threads[i];
        bool ran = !before[i].awake || thread->runs != before[i].runs;

        if (!ran && thread->still_ns == 0)
            thread->still_ns = balance->look_ns;
        if (!ran)
            continue;
        if (thread->still_ns > 0 && before[i].awake && now - thread->still_ns > STALL_NS) {
            balance->stalls++;
            balance_pass(balance, i, now, excuse(now - thread->still_ns));
        }
        thread->still_ns = 0;
    }
    /* The thread that looks cannot have seen its own stall. If it slept instead, it had no work. */
    uint64_t since = balance->look_ns > balance->woke_ns ? balance->look_ns : balance->woke_ns;
    if (balance->look_ns > 0 && now - since > STALL_NS + balance->config.period_ns)
        balance_pass(balance, 0, now, excuse(now - balance->look_ns));
}

/* Whether this look says that the engine is late by its thread's load. */
static bool is_late(const struct balance *balance, uint64_t now,
                    const struct balance_memory *memory, const struct balance_engine *seen)
{
    const struct balance_thread *thread = &balance->threads[seen->thread];
    uint64_t waited = now - memory->since_ns;
    uint64_t busy = thread->busy_ns - memory->since_busy_ns;

    if (seen->moving || seen->resting || seen->delay_ns <= balance->config.slo_ns ||
        seen->drained_ns >= balance->look_ns)
        return false;
    /* The turn that is under way has not been counted. */
    return balance->config.hasty || 2 * (busy + ENGINE_BUDGET_NS) >= waited;
}

/* The engine's lateness after this look. */
static void weigh(struct balance *balance, uint64_t now, struct balance_memory *memory,
                  const struct balance_engine *seen)
{
    struct balance_thread *thread = &balance->threads[seen->thread];

    if (seen->drained_ns != memory->drained_ns) {
        memory->since_ns = now;
        memory->since_busy_ns = thread->busy_ns;
        memory->backlog = false;
    } else if (seen->runs != memory->runs && seen->drained_ns < balance->look_ns) {
        memory->backlog = true;
    }
    if (now < thread->pass_until && !balance->config.hasty) {
        memory->late = 0;
        memory->late_runs = thread->runs;
    } else if (!is_late(balance, now, memory, seen)) {
        memory->late -= memory->late > 0;
    } else if (memory->late == 0 || (thread->runs != memory->late_runs &&
                                     now - memory->late_ns >= balance->config.slo_ns)) {
        memory->late = memory->late > 0 ? 2 * LATE_STEP : LATE_STEP;
        memory->late_runs = thread->runs;
        memory->late_ns = now;
        if (thread->late_since == 0)
            thread->late_since = now - seen->delay_ns;
    }
}

static void weigh_all(struct balance *balance, uint64_t now, const struct balance_engine *seen,
                      uint32_t count)
{
    bool late[BALANCE_THREADS_MAX] = {false};

    for (uint32_t i = 0; i < count; i++) {
        struct balance_memory *memory = &balance->engines[i];

        if (seen[i].thread >= balance->config.threads)
            continue;
        weigh(balance, now, memory, &seen[i]);
        late[seen[i].thread] |= memory->late > 0;
        memory->drained_ns = seen[i].drained_ns;
        memory->busy_ns = seen[i].busy_ns;
        memory->runs = seen[i].runs;
    }
    for (uint32_t i = 0; i < balance->config.threads; i++)
        if (!late[i] && now >= balance->threads[i].pass_until)
            balance->threads[i].late_since = 0;
}

bool balance_certain(const struct balance *balance, uint32_t engine)
{
    uint32_t late = balance->engines[engine].late;
    return balance->config.hasty ? late > 0 : late > LATE_STEP;
}

/* ---- Loads ---- */

static uint32_t share(uint64_t busy_ns, uint64_t ns)
{
    uint64_t load = busy_ns * BALANCE_CORE / ns;
    return load < BALANCE_CORE ? (uint32_t)load : BALANCE_CORE;
}

void balance_measure(struct balance *balance, uint64_t now, uint32_t count)
{
    if (now - balance->short_ns < FRESH_NS)
        return;
    for (uint32_t i = 0; i < count; i++) {
        struct balance_memory *memory = &balance->engines[i];
        memory->load = share(memory->busy_ns - memory->short_busy_ns, now - balance->short_ns);
        memory->short_busy_ns = memory->busy_ns;
        if (balance->config.hasty)
            memory->peak = memory->peak_before = memory->load;
    }
    balance->short_ns = now;
    balance->merge_due |= balance->config.hasty;
}

static void measure_long(struct balance *balance, uint64_t now, uint32_t count)
{
    bool turn = now - balance->peak_ns >= PEAK_NS;

    for (uint32_t i = 0; i < count; i++) {
        struct balance_memory *memory = &balance->engines[i];
        memory->steady = share(memory->busy_ns - memory->long_busy_ns, now - balance->long_ns);
        memory->long_busy_ns = memory->busy_ns;
        if (turn) {
            memory->peak_before = memory->peak;
            memory->peak = 0;
        }
        if (memory->steady > memory->peak)
            memory->peak = memory->steady;
    }
    if (turn)
        balance->peak_ns = now;
    balance->long_ns = now;
    balance->merge_due = true;
}

static void measure(struct balance *balance, uint64_t now, uint32_t count)
{
    if (balance->look_ns == 0) {
        balance->short_ns = balance->long_ns = balance->peak_ns = now;
        return;
    }
    if (now - balance->long_ns >= LONG_NS) {
        measure_long(balance, now, count);
        balance_judge(balance, now, count);
    }
    if (now - balance->short_ns >= SHORT_NS)
        balance_measure(balance, now, count);
}

uint32_t balance_decide(struct balance *balance, uint64_t now, const struct balance_engine *engines,
                        uint32_t count, struct balance_move *moves, uint32_t max)
{
    struct presence before[BALANCE_THREADS_MAX] = {{false, 0}};
    uint32_t made;

    if (count > BALANCE_ENGINES_MAX)
        count = BALANCE_ENGINES_MAX;
    for (uint32_t i = 0; i < balance->config.threads; i++)
        before[i].runs = balance->threads[i].runs;
    for (uint32_t i = 0; i < count; i++)
        if (engines[i].thread < balance->config.threads && !engines[i].moving &&
            !engines[i].resting)
            before[engines[i].thread].awake = true;
    follow(balance, now, engines, count);
    find_stalls(balance, now, before);
    weigh_all(balance, now, engines, count);
    measure(balance, now, count);
    made = balance_choose(balance, now, engines, count, moves, max);
    balance->look_ns = now;
    balance->looks++;
    return made;
}

const char *balance_action_name(enum balance_action action)
{
    static const char *const names[BALANCE_ACTION_END] = {
        [BALANCE_SCALE_OUT] = "scale-out",
        [BALANCE_MOVE_BACK] = "move-back",
        [BALANCE_COMPACT] = "compaction",
        [BALANCE_SWAP] = "swap",
    };
    return action > 0 && action < BALANCE_ACTION_END ? names[action] : "?";
}

const char *balance_reason_name(enum balance_reason reason)
{
    static const char *const names[BALANCE_REASON_END] = {
        [BALANCE_LATE_WAKE] = "engines are late, and a thread is free",
        [BALANCE_LATE_ROOM] = "engines are late, and another thread has room",
        [BALANCE_LOW_LOAD] = "its load was low for long",
        [BALANCE_FEWER] = "everything fits on fewer threads",
        [BALANCE_PACK] = "engines are late, and this exchange brings all within the SLO",
    };
    return reason > 0 && reason < BALANCE_REASON_END ? names[reason] : "?";
}
