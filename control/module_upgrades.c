/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* saddle.v1.Upgrades: hand-overs as operators see them, and what metrics tell of them. */
#include "control/log.h"
#include "control/module.h"
#include "control/openmetrics.h"
#include "saddle_v1_upgrades.pb-c.h"

#include <stddef.h>
#include <stdlib.h>

_Static_assert((int)UPGRADE_ALONE == (int)SADDLE__V1__UPGRADE_OUTCOME__UPGRADE_OUTCOME_ALONE &&
                   UPGRADE_OUTCOME_END == UPGRADE_ALONE + 1,
               "numbered as in the description");
_Static_assert((int)UPGRADE_LOST == (int)SADDLE__V1__UPGRADE_PLACE__UPGRADE_PLACE_LOST &&
                   UPGRADE_PLACE_END == UPGRADE_LOST + 1,
               "numbered as in the description");

#define OLD SADDLE__V1__UPGRADE_ROLE__UPGRADE_ROLE_OLD
#define NEW SADDLE__V1__UPGRADE_ROLE__UPGRADE_ROLE_NEW

/* One of the history, with its sets, as it is sent. */
struct entry {
    Saddle__V1__Upgrade message;
    Saddle__V1__UpgradeSet sets[UPGRADES_SETS_MAX];
    Saddle__V1__UpgradeSet *list[UPGRADES_SETS_MAX];
};

static void fill_set(Saddle__V1__UpgradeSet *to, const struct upgrade_set *from)
{
    saddle__v1__upgrade_set__init(to);
    to->name = rpc_text(from->name);
    to->place = (Saddle__V1__UpgradePlace)from->place;
    to->brownout_ns = from->brownout_ns;
    to->blackout_ns = from->blackout_ns;
    to->blackout_at_ns = from->blackout_at_ns;
    to->offer_bytes = from->offer_bytes;
    to->state_bytes = from->state_bytes;
    to->missed = from->missed;
    to->retransmitted = from->retransmitted;
    to->step = rpc_text(from->step);
    to->reason = rpc_text(from->reason);
}

static void fill(struct entry *entry, const struct upgrade_record *from)
{
    Saddle__V1__Upgrade *to = &entry->message;

    saddle__v1__upgrade__init(to);
    to->number = from->number;
    to->time_ns = from->time_ns;
    to->total_ns = from->total_ns;
    to->outcome = (Saddle__V1__UpgradeOutcome)from->outcome;
    to->role = from->newcomer ? NEW : OLD;
    to->pid = from->pid;
    to->peer = from->peer;
    to->release = rpc_text(from->release);
    to->killed = from->killed;
    to->step = rpc_text(from->step);
    to->set = rpc_text(from->set);
    to->reason = rpc_text(from->reason);
    to->n_sets = from->set_count;
    to->sets = entry->list;
    for (uint32_t i = 0; i < from->set_count; i++) {
        fill_set(&entry->sets[i], &from->sets[i]);
        entry->list[i] = &entry->sets[i];
    }
}

static void list(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    Saddle__V1__ListUpgradesResponse response = SADDLE__V1__LIST_UPGRADES_RESPONSE__INIT;
    const struct module_world *world = state;
    uint32_t count = upgrades_count(world->upgrades);
    Saddle__V1__Upgrade *pointers[UPGRADES_KEPT];
    struct entry *entries = calloc(UPGRADES_KEPT, sizeof(*entries));

    (void)request;
    if (!entries) {
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        fill(&entries[i], upgrades_at(world->upgrades, i));
        pointers[i] = &entries[i].message;
    }
    response.n_upgrades = count;
    response.upgrades = pointers;
    rpc_answer(call, &response.base);
    free(entries);
}

static void prepare(const struct module_world *world, struct rpc_call *call, bool only_check)
{
    Saddle__V1__PrepareUpgradeResponse response = SADDLE__V1__PREPARE_UPGRADE_RESPONSE__INIT;
    const struct upgrader *upgrader = world->upgrader;
    const struct link_caller *caller = rpc_caller(call);
    struct upgrader_answer answer = {0};
    int error;

    if (!upgrader) {
        rpc_end(call, RPC_FAILED_PRECONDITION,
                "this daemon does not hand over to another one (upgrade.socket in its "
                "configuration): to upgrade, install the new version and restart it, which ends "
                "every session");
        return;
    }
    error = upgrader->ops->prepare(upgrader->context, only_check, &answer);
    if (error) {
        rpc_end(call, rpc_status_of(error), "%s", answer.line);
        return;
    }
    log_line(LOG_INFO, "upgrade: %s asked for by uid %u, process %d",
             only_check ? "a check is" : "one is", caller->uid, caller->pid);
    response.managed = answer.managed;
    rpc_answer(call, &response.base);
}

static void check(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    (void)request;
    prepare(state, call, true);
}

static void start(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    (void)request;
    prepare(state, call, false);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Upgrades/List",
     .request = &saddle__v1__list_upgrades_request__descriptor,
     .handle = list},
    {.name = "saddle.v1.Upgrades/Check",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__check_upgrade_request__descriptor,
     .handle = check},
    {.name = "saddle.v1.Upgrades/Start",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__start_upgrade_request__descriptor,
     .handle = start},
};

const struct module module_upgrades = {
    .name = "upgrades",
    .about = "handing over to another daemon",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};

/* ---- Metrics ---- */

/* One figure of each set. */
struct figure {
    struct openmetrics_family family;
    size_t offset; /* in struct upgrade_set */
};

static const struct figure times[] = {
    {{.name = "saddle_upgrade_brownout_seconds",
      .unit = "seconds",
      .help = "Time in which a set could not be attached to, at the last upgrade."},
     offsetof(struct upgrade_set, brownout_ns)},
    {{.name = "saddle_upgrade_blackout_seconds",
      .unit = "seconds",
      .help = "Time in which nobody ran it."},
     offsetof(struct upgrade_set, blackout_ns)},
};

static const struct figure packets[] = {
    {{.name = "saddle_upgrade_missed_packets",
      .unit = "packets",
      .help = "Packets that came while it was handed over and that its ports could not take."},
     offsetof(struct upgrade_set, missed)},
    {{.name = "saddle_upgrade_retransmitted_packets",
      .unit = "packets",
      .help = "Packets that it sent again right after."},
     offsetof(struct upgrade_set, retransmitted)},
};

static uint64_t value_of(const struct upgrade_set *set, const struct figure *figure)
{
    return *(const uint64_t *)(const void *)((const char *)set + figure->offset);
}

static void write_figures(struct openmetrics *to, const struct upgrade_record *last)
{
    uint32_t sets = last ? last->set_count : 0;

    for (uint32_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        openmetrics_family(to, &times[i].family);
        for (uint32_t j = 0; j < sets; j++)
            openmetrics_time(to, value_of(&last->sets[j], &times[i]), "set", last->sets[j].name,
                             NULL);
    }
    for (uint32_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
        openmetrics_family(to, &packets[i].family);
        for (uint32_t j = 0; j < sets; j++)
            openmetrics_count(to, value_of(&last->sets[j], &packets[i]), "set", last->sets[j].name,
                              NULL);
    }
}

void module_upgrades_metrics(struct openmetrics *to, const struct upgrades *upgrades)
{
    uint32_t count = upgrades_count(upgrades);

    openmetrics_family(
        to, &(struct openmetrics_family){.name = "saddle_upgrades",
                                         .type = OPENMETRICS_COUNTER,
                                         .help = "Hand-overs of this daemon and those before it."});
    for (uint32_t outcome = 1; outcome < UPGRADE_OUTCOME_END; outcome++)
        openmetrics_count(to, upgrades_ended(upgrades, outcome), "outcome",
                          upgrade_outcome_name(outcome), NULL);
    write_figures(to, count ? upgrades_at(upgrades, count - 1) : NULL);
}
