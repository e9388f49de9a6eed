/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle.v1.Events: what happened. Also sees to those events that nobody tells: engines that have
 * lost their pulse, the condition of the whole, and what rebalancers have decided.
 *
 * A watch is no queue: it remembers a number, and takes from the rings what follows whenever its
 * client has taken what went before. So a client that is slow costs nothing, and learns how many
 * events were gone by then.
 */
#include "control/module.h"
#include "control/watches.h"
#include "saddle_v1_events.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_MAX  (EVENTS_RINGS * EVENTS_KEPT)
#define ALL_KINDS UINT32_MAX

_Static_assert(EVENT_KIND_END <= 32, "kinds are bits of a word");
_Static_assert((int)EVENT_UPGRADE_DONE == (int)SADDLE__V1__EVENT_KIND__EVENT_KIND_UPGRADE_DONE &&
                   EVENT_KIND_END == EVENT_UPGRADE_DONE + 1,
               "numbered as in the description");

struct watch {
    uint64_t next;  /* the first number that the client has not been told of */
    uint32_t kinds; /* bits */
};

/* Some events in a row, as they are sent. */
struct batch {
    uint64_t next, missed;
    uint32_t count;
    Saddle__V1__Event events[KEPT_MAX], *list[KEPT_MAX];
};

/* Of one group's decisions. */
struct follower {
    struct decisions_place place;
    struct decision decision; /* read, and not told yet */
    bool pending;
};

/* What a group's threads did not get; a text of nothing: they got all. */
struct refusal {
    const struct group *group;
    char text[QUANTA_TEXT_BYTES];
};

struct events_module {
    struct module_world *world;
    struct watches watches;
    struct watch details[WATCHES_MAX]; /* of each of them */
    char stuck[PLANT_MAX][ENGINE_NAME_BYTES];
    uint32_t stuck_count;
    struct refusal refusals[PLANT_MAX]; /* of the plant's groups, as they were last told */
    bool degraded;
    struct follower followers[PLANT_MAX]; /* by position in the plant */
    uint32_t follower_count;
    struct batch batch;
};

/* ---- What nobody tells ---- */

static bool known_as_stuck(const struct events_module *module, const char *name)
{
    for (uint32_t i = 0; i < module->stuck_count; i++) {
        if (!strcmp(module->stuck[i], name))
            return true;
    }
    return false;
}

static void tell_back(struct events_module *module)
{
    const struct module_world *world = module->world;
    uint32_t kept = 0;

    for (uint32_t i = 0; i < module->stuck_count; i++) {
        const char *name = module->stuck[i];
        int index = plant_find_engine(world->plant, name);

        if (index >= 0 && pulse_alive(world->pulse, (uint32_t)index))
            events_add(world->events, EVENT_ENGINE_BACK, &(struct event_about){.engine = name},
                       "engine %s answers its mailbox again", name);
        else if (index >= 0)
            memmove(module->stuck[kept++], name, ENGINE_NAME_BYTES);
    }
    module->stuck_count = kept;
}

static void tell_stuck(struct events_module *module)
{
    const struct module_world *world = module->world;

    for (uint32_t i = 0; i < world->plant->engine_count; i++) {
        const char *name = world->plant->engines[i].engine->name;

        if (pulse_alive(world->pulse, i) || known_as_stuck(module, name) ||
            module->stuck_count == PLANT_MAX)
            continue;
        memcpy(module->stuck[module->stuck_count++], name, ENGINE_NAME_BYTES);
        events_add(world->events, EVENT_ENGINE_STUCK, &(struct event_about){.engine = name},
                   "engine %s does not answer its mailbox", name);
    }
}

static void tell_condition(struct events_module *module)
{
    struct module_problems problems;
    bool degraded;

    module_find_problems(module->world, &problems);
    degraded = problems.count > 0;
    if (degraded && !module->degraded)
        events_add(module->world->events, EVENT_CONDITION_DEGRADED, NULL, "%s", problems.text[0]);
    else if (!degraded && module->degraded)
        events_add(module->world->events, EVENT_CONDITION_OK, NULL,
                   "everything is as it should be");
    module->degraded = degraded;
}

/* ---- What rebalancers have decided ---- */

/* Each group's decisions are gone on with where they were left, wherever it is in the plant now. */
static void follow_groups(struct events_module *module)
{
    const struct plant *plant = module->world->plant;
    struct follower before[PLANT_MAX];
    uint32_t count = module->follower_count;

    memcpy(before, module->followers, count * sizeof(before[0]));
    for (uint32_t i = 0; i < plant->group_count; i++) {
        const struct decisions *decisions = group_decisions(plant->groups[i].group);
        struct follower *follower = &module->followers[i];

        follower->pending = false;
        decisions_begin(decisions, &follower->place);
        for (uint32_t j = 0; j < count; j++)
            if (before[j].place.serial == follower->place.serial)
                *follower = before[j];
    }
    module->follower_count = plant->group_count;
}

/* In thousandths of a core, as percent. */
#define PERCENT(load) (load) / 10, (load) % 10

static void tell_decision(struct events *events, const char *group, const struct decision *decision)
{
    const struct balance_move *move = &decision->move;
    const struct event_about about = {.engine = decision->engine, .monotonic_ns = decision->at_ns};

    events_add(
        events, EVENT_ENGINE_REBALANCED, &about,
        "group %s, %s: thread %u to %u, as %s; delay %llu us, load %u.%u %% of a core, of the "
        "threads %u.%u and %u.%u %%",
        group, balance_action_name(move->action), move->from, move->to,
        balance_reason_name(move->reason), (unsigned long long)(move->delay_ns / NSEC_PER_USEC),
        PERCENT(move->load), PERCENT(move->from_load), PERCENT(move->to_load));
}

/* Reads a group's next decision, unless one waits to be told. */
static void read_decision(struct events_module *module, uint32_t index)
{
    const struct plant_group *group = &module->world->plant->groups[index];
    struct follower *follower = &module->followers[index];
    uint64_t lost = 0;

    if (follower->pending)
        return;
    follower->pending =
        decisions_read(group_decisions(group->group), &follower->place, &follower->decision, &lost);
    if (lost > 0)
        events_add(module->world->events, EVENT_DECISIONS_LOST, NULL,
                   "group %s: %llu moves of its engines were not told: they came too fast",
                   group->name, (unsigned long long)lost);
}

/* In the order in which they were taken, whichever group's they are. */
static void tell_decisions(struct events_module *module)
{
    const struct plant *plant = module->world->plant;

    follow_groups(module);
    for (uint32_t told = 0; told < EVENTS_KEPT; told++) {
        struct follower *first = NULL;
        uint32_t index = 0;

        for (uint32_t i = 0; i < plant->group_count; i++) {
            struct follower *follower = &module->followers[i];

            read_decision(module, i);
            if (!follower->pending || (first && first->decision.at_ns <= follower->decision.at_ns))
                continue;
            first = follower;
            index = i;
        }
        if (!first)
            return;
        tell_decision(module->world->events, plant->groups[index].name, &first->decision);
        first->pending = false;
    }
}

/* The first thread's that did not get what it was to have; the others' are like it. */
static void find_refusal(const struct group *group, struct refusal *refusal)
{
    struct group_thread_stats threads[GROUP_THREADS_MAX];
    uint32_t count = group_threads(group, threads, GROUP_THREADS_MAX);

    *refusal = (struct refusal){.group = group};
    for (uint32_t i = 0; i < count && !refusal->text[0]; i++) {
        if (quanta_is_refused(&threads[i].quanta))
            quanta_explain(&threads[i].quanta, refusal->text, sizeof(refusal->text));
    }
}

static bool is_told(const struct events_module *module, const struct refusal *refusal)
{
    for (uint32_t i = 0; i < PLANT_MAX; i++) {
        if (module->refusals[i].group == refusal->group &&
            !strcmp(module->refusals[i].text, refusal->text))
            return true;
    }
    return false;
}

static void tell_refusals(struct events_module *module)
{
    const struct plant *plant = module->world->plant;
    struct refusal refusals[PLANT_MAX] = {0};

    for (uint32_t i = 0; i < plant->group_count; i++) {
        find_refusal(plant->groups[i].group, &refusals[i]);
        if (refusals[i].text[0] && !is_told(module, &refusals[i]))
            events_add(module->world->events, EVENT_CLASS_REFUSED, NULL, "group %s: %s",
                       plant->groups[i].name, refusals[i].text);
    }
    memcpy(module->refusals, refusals, sizeof(refusals));
}

/* ---- What is sent ---- */

static void fill(Saddle__V1__Event *to, const struct event *from)
{
    saddle__v1__event__init(to);
    to->number = from->number;
    to->time_ns = from->time_ns;
    to->monotonic_ns = from->monotonic_ns;
    to->kind = (Saddle__V1__EventKind)from->kind;
    to->text = rpc_text(from->text);
    to->session = from->session;
    to->engine = rpc_text(from->engine);
    to->application = rpc_text(from->application);
    to->has_uid = from->has_uid;
    to->uid = from->uid;
    to->pid = from->pid;
}

/* The events from a number on, of these kinds, and at most `limit` of them. */
static void collect(struct events_module *module, uint64_t from, uint32_t kinds, uint32_t limit)
{
    const struct events *events = module->world->events;
    struct batch *batch = &module->batch;
    const struct event *event;

    batch->count = 0;
    batch->missed = 0;
    while (batch->count < limit && (event = events_find(events, from)) != NULL) {
        batch->missed += event->number - from;
        from = event->number + 1;
        if (!(kinds >> event->kind & 1))
            continue;
        batch->list[batch->count] = &batch->events[batch->count];
        fill(&batch->events[batch->count++], event);
    }
    batch->next = from;
}

/* Ends the call if it asks for a kind that there is none of, or for what is to come. */
static bool read_request(const struct events_module *module, struct rpc_call *call,
                         const Saddle__V1__EventKind *kinds, size_t count, uint64_t from,
                         uint32_t *mask)
{
    uint64_t next = events_next(module->world->events);

    *mask = count ? 0 : ALL_KINDS;
    for (size_t i = 0; i < count; i++) {
        int kind = (int)kinds[i];

        if (kind <= 0 || kind >= EVENT_KIND_END) {
            rpc_end(call, RPC_INVALID_ARGUMENT, "kinds: there is no kind of event %d", kind);
            return false;
        }
        *mask |= 1u << kind;
    }
    if (from <= next)
        return true;
    rpc_end(call, RPC_OUT_OF_RANGE,
            "from: the next event is number %llu, so %llu is one of an earlier daemon",
            (unsigned long long)next, (unsigned long long)from);
    return false;
}

static void list(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListEventsRequest *wanted = (const void *)request;
    Saddle__V1__ListEventsResponse response = SADDLE__V1__LIST_EVENTS_RESPONSE__INIT;
    struct events_module *module = state;
    uint32_t limit = wanted->limit && wanted->limit < KEPT_MAX ? wanted->limit : KEPT_MAX;
    uint32_t skipped = 0, kinds;

    if (!read_request(module, call, wanted->kinds, wanted->n_kinds, wanted->from, &kinds))
        return;
    if (wanted->from) {
        collect(module, wanted->from, kinds, limit);
        response.missed = module->batch.missed;
    } else {
        collect(module, 1, kinds, KEPT_MAX);
        skipped = module->batch.count > limit ? module->batch.count - limit : 0;
    }
    response.next = module->batch.next;
    response.n_events = module->batch.count - skipped;
    response.events = module->batch.list + skipped;
    rpc_answer(call, &response.base);
}

/* What the client was not told, if it has taken what it was; and in any case if it is `new`. */
static void tell(struct events_module *module, uint32_t place, bool new)
{
    Saddle__V1__WatchEventsResponse response = SADDLE__V1__WATCH_EVENTS_RESPONSE__INIT;
    struct rpc_call *call = module->watches.calls[place];
    struct watch *watch = &module->details[place];

    if (rpc_waits(call))
        return;
    collect(module, watch->next, watch->kinds, KEPT_MAX);
    response.next = module->batch.next;
    response.missed = module->batch.missed;
    response.n_events = module->batch.count;
    response.events = module->batch.list;
    if (new || response.missed || response.n_events) {
        /* What could not be sent now will be looked for again. */
        if (rpc_send(call, &response.base))
            return;
    }
    watch->next = module->batch.next;
}

static void watch(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__WatchEventsRequest *wanted = (const void *)request;
    struct events_module *module = state;
    uint32_t place, kinds;

    if (!read_request(module, call, wanted->kinds, wanted->n_kinds, wanted->from, &kinds) ||
        watches_add(&module->watches, call, &place))
        return;
    module->details[place] = (struct watch){
        .next = wanted->from ? wanted->from : events_next(module->world->events),
        .kinds = kinds,
    };
    tell(module, place, true);
}

static void gone(void *state, struct rpc_call *call)
{
    struct events_module *module = state;

    watches_remove(&module->watches, call);
}

static void tick(void *state, uint64_t now)
{
    struct events_module *module = state;

    (void)now;
    tell_back(module);
    tell_stuck(module);
    tell_condition(module);
    tell_decisions(module);
    tell_refusals(module);
    for (uint32_t i = 0; i < WATCHES_MAX; i++) {
        if (module->watches.calls[i])
            tell(module, i, false);
    }
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Events/List",
     .request = &saddle__v1__list_events_request__descriptor,
     .handle = list},
    {.name = "saddle.v1.Events/Watch",
     .request = &saddle__v1__watch_events_request__descriptor,
     .handle = watch,
     .stream = true,
     .gone = gone},
};

static int create(struct module_world *world, void **state)
{
    struct events_module *module = calloc(1, sizeof(*module));

    if (!module)
        return -ENOMEM;
    module->world = world;
    *state = module;
    return 0;
}

const struct module module_events = {
    .name = "events",
    .about = "what happened",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
    .create = create,
    .destroy = free,
    .tick = tick,
};
