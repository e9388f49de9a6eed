/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "sched/quanta.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6
#endif

#define NICE_BEST -20
#define PRIORITY  1u /* the lowest real-time one: whatever else needs real time goes first */
#define PPM       1000000u
#define WINDOW_NS (1 * NSEC_PER_SEC) /* what "lately" is */
#define NEVER     UINT64_MAX

static const struct quanta_attr attr_nice = {.policy = SCHED_OTHER, .nice = NICE_BEST};
static const struct quanta_attr attr_high = {.policy = SCHED_FIFO, .priority = PRIORITY};
static const struct quanta_attr attr_low = {.policy = SCHED_IDLE};

/* Of all deadline threads of this process, in parts per million of a CPU. */
static _Atomic uint64_t reserved_ppm;

/* Relaxed: what is shared here are numbers of their own. */
static uint64_t load(const _Atomic uint64_t *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static enum quanta_class class_of(const struct quanta *quanta)
{
    return (enum quanta_class)atomic_load_explicit(&quanta->class, memory_order_relaxed);
}

static int set(const struct quanta *quanta, const struct quanta_attr *attr)
{
    return quanta->system->set(quanta->system->arg, quanta->tid, attr);
}

/* In parts per million, at most all of it; of nothing, nothing. */
static uint32_t part_of(uint64_t used_ns, uint64_t all_ns)
{
    if (used_ns >= all_ns)
        return all_ns ? PPM : 0;
    return (uint32_t)((double)used_ns / (double)all_ns * PPM);
}

/* ---- Backends ---- */

struct backend {
    const char *name;
    /* On the thread; 0, or a negative errno with *call saying what refused it and nothing left. */
    int (*enter)(struct quanta *quanta, const char **call);
    void (*leave)(struct quanta *quanta); /* NULL: the thread has nothing to give back */
};

/* As it was born, unless it is that already. */
static int enter_ordinary(struct quanta *quanta, const char **call)
{
    const struct quanta_attr attr = {.policy = SCHED_OTHER, .nice = quanta->nice};

    *call = "sched_setattr";
    return quanta->changed ? set(quanta, &attr) : 0;
}

static int enter_nice(struct quanta *quanta, const char **call)
{
    int error = set(quanta, &attr_nice);

    *call = "sched_setattr";
    quanta->changed |= !error;
    return error;
}

static uint32_t share_of(const struct budget *budget)
{
    return part_of(budget->runtime_ns, budget->period_ns);
}

static void unreserve(struct quanta *quanta)
{
    atomic_fetch_sub_explicit(&reserved_ppm, quanta->reserved_ppm, memory_order_relaxed);
    quanta->reserved_ppm = 0;
}

static int enter_deadline(struct quanta *quanta, const char **call)
{
    const struct quanta_system *system = quanta->system;
    const struct quanta_attr attr = {
        .policy = SCHED_DEADLINE,
        .runtime_ns = quanta->budget.runtime_ns,
        .period_ns = quanta->budget.period_ns,
    };
    uint64_t part = quanta->config.deadline_ppm ? quanta->config.deadline_ppm : QUANTA_DEADLINE_PPM;
    uint64_t all = system->bandwidth(system->arg) * part / PPM, before;
    int error = 0;

    quanta->reserved_ppm = share_of(&quanta->budget);
    before = atomic_fetch_add_explicit(&reserved_ppm, quanta->reserved_ppm, memory_order_relaxed);
    *call = "share of real time";
    if (before + quanta->reserved_ppm > all)
        error = -EDQUOT;
    if (!error) {
        *call = "sched_setattr";
        error = set(quanta, &attr);
        quanta->changed |= !error;
    }
    if (error)
        unreserve(quanta);
    return error;
}

static void leave_fifo(struct quanta *quanta)
{
    quanta->system->part(quanta->system->arg, quanta);
}

/* Once down and up again: what is refused later would leave it below everybody. */
static int enter_fifo(struct quanta *quanta, const char **call)
{
    int error = set(quanta, &attr_high);

    *call = "sched_setattr";
    if (error)
        return error;
    quanta->changed = true;
    error = quanta->system->join(quanta->system->arg, quanta);
    if (error) {
        *call = "its governor";
        return error;
    }
    error = set(quanta, &attr_low);
    if (!error)
        error = set(quanta, &attr_high);
    if (error)
        leave_fifo(quanta);
    return error;
}

static const struct backend backends[QUANTA_CLASSES] = {
    [QUANTA_ORDINARY] = {"ordinary", enter_ordinary, NULL},
    [QUANTA_NICE] = {"nice", enter_nice, NULL},
    [QUANTA_DEADLINE] = {"deadline", enter_deadline, unreserve},
    [QUANTA_FIFO] = {"fifo", enter_fifo, leave_fifo},
};

const char *quanta_class_name(enum quanta_class class)
{
    return class == QUANTA_AUTO ? "auto" : backends[class].name;
}

/* ---- Its time ---- */

/* A new window: what the thread used in the last one is its share lately. */
static void look_back(struct quanta *quanta, uint64_t now_ns)
{
    uint64_t cpu_ns = quanta->system->cpu_ns(quanta->system->arg, quanta->tid);
    uint64_t wall_ns = now_ns - load(&quanta->window_ns);
    uint64_t used_ns = cpu_ns - load(&quanta->window_cpu_ns);

    atomic_store_explicit(&quanta->share_ppm, part_of(used_ns, wall_ns), memory_order_relaxed);
    store(&quanta->window_cpu_ns, cpu_ns);
    store(&quanta->window_ns, now_ns);
}

static void sleep_here(struct quanta *quanta)
{
    if (quanta->counted)
        atomic_fetch_sub_explicit(&quanta->system->ledger->cpus[quanta->cpu].awake, 1,
                                  memory_order_relaxed);
    quanta->counted = false;
}

static void wake_here(struct quanta *quanta)
{
    sleep_here(quanta);
    quanta->cpu = quanta->system->cpu(quanta->system->arg);
    quanta->counted = true;
    atomic_fetch_add_explicit(&quanta->system->ledger->cpus[quanta->cpu].awake, 1,
                              memory_order_relaxed);
}

/* How many threads want a part of its CPU's budget, itself among them. */
static uint32_t sharers(const struct quanta *quanta)
{
    return atomic_load_explicit(&quanta->system->ledger->cpus[quanta->cpu].awake,
                                memory_order_relaxed);
}

static _Atomic uint64_t *paid_here(const struct quanta *quanta)
{
    return &quanta->system->ledger->cpus[quanta->cpu].paid_ns;
}

/* To where it was: what it did elsewhere since is a round of turns at most. */
static void charge(struct quanta *quanta, uint64_t now_ns)
{
    _Atomic uint64_t *paid = paid_here(quanta);

    if (quanta->low || now_ns <= quanta->since_ns)
        return;
    store(paid, budget_charge(&quanta->budget, load(paid), quanta->since_ns, now_ns));
    store(&quanta->used_ns, load(&quanta->used_ns) + now_ns - quanta->since_ns);
    quanta->since_ns = now_ns;
}

/* It lost its class as it stepped back: it is what it was made instead. */
static void stay(struct quanta *quanta)
{
    const char *call;

    quanta->low = false;
    if (class_of(quanta) == QUANTA_NICE)
        (void)set(quanta, &attr_nice);
    else
        (void)enter_ordinary(quanta, &call);
}

/* The CPU's budget is used up: behind everybody until its debt is paid. The alarm comes first, as
 * it may be long until the thread runs again. */
static void step_back(struct quanta *quanta, uint64_t until_ns)
{
    const struct quanta_system *system = quanta->system;

    quanta->next_ns = until_ns;
    if (system->alarm(system->arg, quanta, until_ns))
        return;
    charge(quanta, system->now(system->arg)); /* that was not free */
    quanta->low = true;
    store(&quanta->low_until_ns, until_ns);
    store(&quanta->demotions, load(&quanta->demotions) + 1);
    quanta_lower(quanta);
    if (class_of(quanta) != QUANTA_FIFO) {
        stay(quanta);
        return;
    }
    /* If it was held up in between, it may have been raised before it stepped back. */
    if (system->now(system->arg) >= until_ns)
        (void)system->alarm(system->arg, quanta, until_ns);
}

/* What it may use before it lets the others go first. */
static uint64_t part_ns(const struct quanta *quanta, uint64_t left_ns)
{
    uint64_t part = quanta->budget.runtime_ns / sharers(quanta);

    part = part < QUANTA_PART_MIN_NS ? QUANTA_PART_MIN_NS : part;
    return part < left_ns ? part : left_ns;
}

/* Those that are raised wait behind it in the order in which they were raised: without this it
 * would use what is left of each period, and they nothing. Returns the time. */
static uint64_t let_others(const struct quanta *quanta, uint64_t now_ns)
{
    const struct quanta_system *system = quanta->system;

    if (quanta->low || sharers(quanta) < 2 ||
        budget_left(&quanta->budget, load(paid_here(quanta)), now_ns) == 0)
        return now_ns;
    system->yield(system->arg);
    return system->now(system->arg);
}

/* Its time counts from `now_ns` on. */
static void step_up(struct quanta *quanta, uint64_t now_ns)
{
    uint64_t paid_ns = load(paid_here(quanta));
    uint64_t left_ns = budget_left(&quanta->budget, paid_ns, now_ns);

    quanta->low = false;
    store(&quanta->low_until_ns, 0);
    quanta->since_ns = now_ns;
    if (left_ns)
        quanta->next_ns = now_ns + part_ns(quanta, left_ns);
    else
        step_back(quanta, paid_ns);
}

static void set_due(struct quanta *quanta, uint64_t now_ns)
{
    uint64_t window_end_ns = load(&quanta->window_ns) + WINDOW_NS;

    if (now_ns >= window_end_ns) {
        look_back(quanta, now_ns);
        window_end_ns = now_ns + WINDOW_NS;
    }
    quanta->due_ns = quanta->next_ns < window_end_ns ? quanta->next_ns : window_end_ns;
}

/* Its part is used up, the others' rest is over, or it is on another CPU. */
static void look_at_budget(struct quanta *quanta, uint64_t now_ns)
{
    charge(quanta, now_ns);
    if (quanta_has_moved(quanta))
        wake_here(quanta);
    /* Who is low is raised when it was told to be, wherever it is. */
    if (!quanta->low || now_ns >= load(&quanta->low_until_ns))
        step_up(quanta, let_others(quanta, now_ns));
}

void quanta_look(struct quanta *quanta, uint64_t now_ns)
{
    if (class_of(quanta) != QUANTA_FIFO) {
        sleep_here(quanta);
        quanta->next_ns = NEVER;
    } else if (now_ns >= quanta->next_ns || quanta_has_moved(quanta)) {
        look_at_budget(quanta, now_ns);
    }
    set_due(quanta, now_ns);
}

void quanta_rest(struct quanta *quanta, uint64_t now_ns)
{
    if (class_of(quanta) == QUANTA_FIFO)
        charge(quanta, now_ns);
    sleep_here(quanta);
    atomic_store_explicit(&quanta->asleep, true, memory_order_relaxed);
}

void quanta_wake(struct quanta *quanta, uint64_t now_ns)
{
    atomic_store_explicit(&quanta->asleep, false, memory_order_relaxed);
    quanta->next_ns = NEVER;
    if (class_of(quanta) == QUANTA_FIFO) {
        quanta->system->guard(quanta->system->arg);
        wake_here(quanta);
        if (quanta->low && now_ns < load(&quanta->low_until_ns))
            quanta->next_ns = load(&quanta->low_until_ns);
        else
            step_up(quanta, now_ns);
    }
    set_due(quanta, now_ns);
}

/* ---- For the governor ---- */

void quanta_lower(struct quanta *quanta)
{
    (void)set(quanta, &attr_low);
}

/* The kernel may have changed its mind: the thread was moved to a cgroup without real time, say.
 * Whatever it is then, it must not stay behind everybody. */
void quanta_raise(struct quanta *quanta)
{
    const char *call;
    int error = set(quanta, &attr_high), instead;

    if (!error)
        return;
    instead = set(quanta, &attr_nice);
    if (instead)
        (void)enter_ordinary(quanta, &call);
    atomic_store_explicit(&quanta->lost, error, memory_order_relaxed);
    atomic_store_explicit(&quanta->class, instead ? QUANTA_ORDINARY : QUANTA_NICE,
                          memory_order_relaxed);
}

/* ---- Which one ---- */

/* In the order in which they are tried. A thread that never sleeps has no use for a reservation: it
 * would be stopped at its end even where nobody else wants the CPU. One that would take every CPU's
 * share for ever, without anybody having asked for that, is an ordinary one. */
static uint32_t choose(const struct quanta *quanta, enum quanta_class order[QUANTA_CLASSES])
{
    static const enum quanta_class all[] = {QUANTA_FIFO, QUANTA_DEADLINE, QUANTA_NICE};
    enum quanta_class wanted = quanta->config.class;
    const struct quanta_habits *habits = &quanta->habits;
    bool own = wanted == QUANTA_AUTO;
    uint32_t count = 0;

    if (!own && wanted != QUANTA_ORDINARY)
        order[count++] = wanted;
    for (uint32_t i = 0; i < sizeof(all) / sizeof(all[0]) && wanted != QUANTA_ORDINARY; i++) {
        if (all[i] == wanted || (own && !habits->sleeps && habits->everywhere) ||
            (all[i] == QUANTA_DEADLINE && !habits->sleeps))
            continue;
        if (wanted != QUANTA_NICE)
            order[count++] = all[i];
    }
    order[count++] = QUANTA_ORDINARY;
    return count;
}

static struct budget budget_of(const struct quanta_config *config)
{
    return (struct budget){
        .runtime_ns = config->runtime_ns ? config->runtime_ns : QUANTA_RUNTIME_NS,
        .period_ns = config->period_ns ? config->period_ns : QUANTA_PERIOD_NS,
    };
}

int quanta_check(const struct quanta_config *config, const char **why)
{
    const struct budget budget = budget_of(config);

    *why = NULL;
    if (budget.period_ns < QUANTA_PERIOD_MIN_NS)
        *why = "a period is at least 100us: changing between two classes takes some of each";
    else if (budget.period_ns > QUANTA_PERIOD_MAX_NS)
        *why = "a period is at most 100ms: for so long others may wait";
    else if (budget.runtime_ns < QUANTA_PART_MIN_NS)
        *why = "runtime is at least 10us: changing between two classes takes some of it";
    else if (budget.runtime_ns + QUANTA_PART_MIN_NS > budget.period_ns)
        *why = "runtime leaves at least 10us of the period to others";
    return *why ? -EINVAL : 0;
}

void quanta_enter(struct quanta *quanta, const struct quanta_system *system,
                  const struct quanta_config *config, const struct quanta_habits *habits)
{
    enum quanta_class order[QUANTA_CLASSES];
    uint64_t now = system->now(system->arg);
    uint32_t count;

    memset(quanta, 0, sizeof(*quanta));
    quanta->system = system;
    quanta->tid = system->self(system->arg);
    quanta->nice = system->nice(system->arg);
    quanta->config = *config;
    quanta->habits = *habits;
    quanta->budget = budget_of(config);
    count = choose(quanta, order);
    for (uint32_t i = 0; i < count; i++) {
        struct quanta_refusal *refused = &quanta->refused[order[i]];

        quanta->entered = order[i];
        atomic_store_explicit(&quanta->class, order[i], memory_order_relaxed);
        refused->error = backends[order[i]].enter(quanta, &refused->call);
        if (!refused->error)
            break;
    }
    look_back(quanta, now);
    quanta_wake(quanta, now);
}

void quanta_leave(struct quanta *quanta)
{
    const char *call;

    /* Before, since it may be low and has nobody who raises it afterwards; and after, since the
     * governor may have raised it meanwhile. */
    sleep_here(quanta);
    (void)enter_ordinary(quanta, &call);
    if (!backends[quanta->entered].leave)
        return;
    backends[quanta->entered].leave(quanta);
    (void)enter_ordinary(quanta, &call);
}

bool quanta_waits(const struct quanta *quanta)
{
    int error = quanta->refused[QUANTA_DEADLINE].error;

    return error == -EDQUOT || error == -EBUSY;
}

/* ---- What is seen of it ---- */

/* Since the window began, unless it began just now, or does meanwhile. */
static uint32_t lately(const struct quanta *quanta)
{
    const struct quanta_system *system = quanta->system;
    uint64_t begin_ns = load(&quanta->window_ns), cpu_ns = load(&quanta->window_cpu_ns);
    uint64_t used_ns = system->cpu_ns(system->arg, quanta->tid) - cpu_ns;
    uint64_t wall_ns = system->now(system->arg) - begin_ns;

    if (wall_ns < WINDOW_NS || begin_ns != load(&quanta->window_ns))
        return atomic_load_explicit(&quanta->share_ppm, memory_order_relaxed);
    return part_of(used_ns, wall_ns);
}

void quanta_read(const struct quanta *quanta, struct quanta_stats *stats)
{
    bool shared = quanta->entered == QUANTA_FIFO || quanta->entered == QUANTA_DEADLINE;

    *stats = (struct quanta_stats){
        .class = class_of(quanta),
        .wanted = quanta->config.class,
        .habits = quanta->habits,
        .lost = atomic_load_explicit(&quanta->lost, memory_order_relaxed),
        .share_ppm = shared ? share_of(&quanta->budget) : 0,
        .used_ppm = lately(quanta),
        .used_ns = load(&quanta->used_ns),
        .demotions = load(&quanta->demotions),
        .overruns = load(&quanta->overruns),
    };
    memcpy(stats->refused, quanta->refused, sizeof(stats->refused));
}
