/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * From one configuration to another one while applications exchange.
 *
 * What is new is made first, beside what runs. Shapers that stay get their new classes, and groups
 * that stay their new settings, under their engines. Then engines that go to another group or end
 * are taken off their threads, and all but those that follow another one on its port are put on
 * their new ones. Up to here everything can be taken back. Then the sessions of engines that end
 * are ended, and their followers begin.
 */
#include "control/log.h"
#include "daemon/config_diff.h"
#include "daemon/host_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOWHERE       UINT32_MAX
#define ANSWER_NS     (1 * NSEC_PER_SEC) /* an engine that is silent for longer hangs */
#define FAREWELL_RUNS 16u                /* of an engine that ends: its last packets */
#define REASON_BYTES  SADDLE_REASON_BYTES

struct apply {
    struct host *host;
    const struct reason *reason;
    struct host_layout next;
    struct host_left *left;                 /* for what cannot be taken back; NULL: it was used */
    uint32_t from[CONFIG_ENGINES_MAX];      /* of each engine: where it is now, or NOWHERE */
    uint32_t to[CONFIG_ENGINES_MAX];        /* of each running one: where it will be, or NOWHERE */
    uint32_t group_from[CONFIG_GROUPS_MAX]; /* of each group, likewise */
    bool out[CONFIG_ENGINES_MAX];           /* running ones that were taken off their threads */
    bool in[CONFIG_ENGINES_MAX];            /* those that were put on new ones */
    bool shaped[CONFIG_ENGINES_MAX];        /* shapers that stay, with new classes */
    bool changed[CONFIG_GROUPS_MAX];        /* groups that stay and have new settings */
};

/* ---- What stays ---- */

static uint32_t find_engine(const struct config *config, const char *name)
{
    const struct config_engine *found = config_find_engine(config, name);

    return found ? (uint32_t)(found - config_engine(config, 0)) : NOWHERE;
}

static uint32_t find_group(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->groups.count; i++) {
        if (!strcmp(config_group(config, i)->name.text, name))
            return i;
    }
    return NOWHERE;
}

static bool knows(const struct host_engine *engine, const struct transport_peer *peer)
{
    for (uint32_t i = 0; i < engine->peer_count; i++) {
        if (!strcmp(engine->peers[i].name, peer->name) &&
            address_equal(&engine->peers[i].address, &peer->address) &&
            rte_is_same_ether_addr(&engine->peers[i].mac, &peer->mac))
            return true;
    }
    return false;
}

/* Whether it was made with all peers that it is to have. One more does no harm. Without memory it
 * does not: then nothing can be applied anyway. */
static bool knows_peers(const struct host_engine *engine, const struct config *config,
                        uint32_t index)
{
    struct transport_peer *peers = calloc(TRANSPORT_PEERS_MAX, sizeof(*peers));
    uint32_t count = 0;
    bool all = peers != NULL;

    if (peers)
        count = host_collect_peers(config, config_engine(config, index), peers);
    for (uint32_t i = 0; i < count && all; i++)
        all = knows(engine, &peers[i]);
    free(peers);
    return all;
}

bool host_keeps(const struct host *host, const struct config *config, uint32_t index)
{
    const struct host_layout *running = &host->running;
    const struct config_engine *engine = config_engine(config, index);
    uint32_t now = find_engine(running->config, engine->name.text);

    return now != NOWHERE && config_same_engine(config_engine(running->config, now), engine) &&
           knows_peers(&running->engines[now], config, index);
}

uint32_t host_sessions(const struct host *host, const char *engine)
{
    uint32_t index = find_engine(host->running.config, engine);

    if (index == NOWHERE)
        return 0;
    return server_engine_sessions(host->server, host->running.engines[index].engine);
}

static void plan(struct apply *apply)
{
    const struct host_layout *running = &apply->host->running;
    const struct config *wanted = apply->next.config;

    memset(apply->to, 0xff, sizeof(apply->to));
    for (uint32_t i = 0; i < wanted->engines.count; i++) {
        apply->from[i] = NOWHERE;
        if (!host_keeps(apply->host, wanted, i))
            continue;
        apply->from[i] = find_engine(running->config, config_engine(wanted, i)->name.text);
        apply->to[apply->from[i]] = i;
        apply->next.engines[i] = running->engines[apply->from[i]];
    }
    for (uint32_t i = 0; i < wanted->groups.count; i++) {
        apply->group_from[i] = find_group(running->config, config_group(wanted, i)->name.text);
        if (apply->group_from[i] == NOWHERE)
            continue;
        apply->next.groups[i] = running->groups[apply->group_from[i]];
        apply->next.nodes[i] = running->nodes[apply->group_from[i]];
    }
}

/* Whether a running engine is to be taken off its thread. */
static bool leaves(const struct apply *apply, uint32_t index)
{
    const struct host_engine *engine = &apply->host->running.engines[index];
    uint32_t to = apply->to[index];

    if (to == NOWHERE)
        return true;
    return apply->next.groups[host_group_index(apply->next.config, to)] != engine->group;
}

/* Whether a new engine takes over the port of one that ends. */
static bool follows(const struct apply *apply, uint32_t index)
{
    const struct config *config = apply->host->running.config;
    const struct config_engine *before =
        config_in_place(config, config_engine(apply->next.config, index));

    return before && apply->to[before - config_engine(config, 0)] == NOWHERE;
}

/* After a hand-over that ended in the middle. */
static int all_here(const struct host *host, const struct reason *reason)
{
    const struct config *config = host->running.config;

    for (uint32_t i = 0; i < config->engines.count; i++) {
        if (!host->running.engines[i].engine)
            return reason_set(reason, -EPERM, "engine %s is not this daemon's any more",
                              config_engine(config, i)->name.text);
    }
    return 0;
}

static int spare_sessions(const struct apply *apply)
{
    const struct config *config = apply->host->running.config;

    for (uint32_t i = 0; i < config->engines.count; i++) {
        const char *name = config_engine(config, i)->name.text;
        uint32_t sessions = apply->to[i] == NOWHERE ? host_sessions(apply->host, name) : 0;

        if (sessions > 0)
            return reason_set(apply->reason, -EPERM,
                              "engine %s has %u session%s, which would end (disrupt)", name,
                              sessions, sessions == 1 ? "" : "s");
    }
    return 0;
}

/* ---- Up to here it can be taken back ---- */

/* What the machine does not have is no fault of the request's words. */
static int refusal(int error)
{
    return error == -ENOMEM || error == -ETIMEDOUT ? error : -EPERM;
}

static int make(struct apply *apply)
{
    const struct config *wanted = apply->next.config;
    int error = 0;

    for (uint32_t i = 0; i < wanted->engines.count && !error; i++) {
        if (apply->from[i] == NOWHERE)
            error = host_make_engine(apply->host, &apply->next, i, apply->reason);
    }
    for (uint32_t i = 0; i < wanted->groups.count && !error; i++) {
        if (apply->group_from[i] == NOWHERE)
            error = host_make_group(apply->host, &apply->next, i, apply->reason);
    }
    return error ? refusal(error) : 0;
}

/* Has a shaper that stays go over to the classes that it has in a configuration. */
static int reshape_one(const struct apply *apply, uint32_t index,
                       const struct config_engine *wanted)
{
    const struct ports *ports = apply->host->ports;
    const struct share *share =
        ports_share(ports, ports_index(apply->host->opened, wanted->port.text));

    return share_reshape(share, apply->next.engines[index].engine, wanted, apply->reason);
}

static const struct config_engine *before_of(const struct apply *apply, uint32_t index)
{
    return config_engine(apply->host->running.config, apply->from[index]);
}

static int reshape(struct apply *apply)
{
    const struct config *wanted = apply->next.config;
    int error = 0;

    for (uint32_t i = 0; i < wanted->engines.count && !error; i++) {
        if (apply->from[i] == NOWHERE ||
            config_same_classes(before_of(apply, i), config_engine(wanted, i)))
            continue;
        error = reshape_one(apply, i, config_engine(wanted, i));
        apply->shaped[i] = !error;
    }
    return error;
}

static void unshape(struct apply *apply)
{
    char line[REASON_BYTES];
    const struct reason reason = {line, sizeof(line)}, *told = apply->reason;

    apply->reason = &reason;
    for (uint32_t i = 0; i < apply->next.config->engines.count; i++) {
        if (apply->shaped[i] && reshape_one(apply, i, before_of(apply, i)))
            log_line(LOG_ERROR, "%s: it keeps its new classes", line);
    }
    apply->reason = told;
}

static int silent(const struct host_engine *engine, const struct reason *reason)
{
    return reason_set(reason, -ETIMEDOUT, "engine %s does not answer", engine->engine->name);
}

static int ask(const struct host_engine *engine, const struct reason *reason)
{
    return mailbox_ask(&engine->engine->mailbox, ANSWER_NS) ? silent(engine, reason) : 0;
}

/* All engines of a group that runs. */
static int ask_group(const struct apply *apply, const struct group *group)
{
    const struct host_layout *running = &apply->host->running;
    int error = 0;

    for (uint32_t i = 0; i < running->config->engines.count && !error; i++) {
        if (running->engines[i].group == group)
            error = ask(&running->engines[i], apply->reason);
    }
    return error;
}

static int configure(struct apply *apply, struct host_layout *layout, uint32_t index,
                     struct group *group)
{
    struct group_config wanted;
    int error = host_describe_group(apply->host, layout, index, &wanted, apply->reason);

    if (error)
        return error;
    error = group_configure(group, &wanted);
    return error ? host_fail(apply->reason, error, "group %s", wanted.name) : 0;
}

/* Groups that stay get their new settings. */
static int configure_all(struct apply *apply)
{
    const struct config *running = apply->host->running.config;
    const struct config *wanted = apply->next.config;
    int error = 0;

    for (uint32_t i = 0; i < wanted->groups.count && !error; i++) {
        uint32_t from = apply->group_from[i];

        if (from == NOWHERE ||
            config_same_group(config_group(running, from), config_group(wanted, i)))
            continue;
        error = ask_group(apply, apply->next.groups[i]);
        if (!error)
            error = configure(apply, &apply->next, i, apply->next.groups[i]);
        apply->changed[i] = !error;
    }
    return error ? refusal(error) : 0;
}

static int leave(const struct host_engine *engine, const struct reason *reason)
{
    int error = ask(engine, reason);

    if (!error && group_remove(engine->group, engine->engine))
        error = silent(engine, reason);
    return error;
}

static int leave_all(struct apply *apply)
{
    struct host_layout *running = &apply->host->running;
    int error = 0;

    for (uint32_t i = 0; i < running->config->engines.count && !error; i++) {
        if (!leaves(apply, i) || !running->engines[i].group)
            continue;
        error = leave(&running->engines[i], apply->reason);
        apply->out[i] = !error;
    }
    return error;
}

/* Those that follow another one on its port, or all others, begin in their groups. */
static int join(struct apply *apply, bool followers)
{
    const struct config *wanted = apply->next.config;
    int error = 0;

    for (uint32_t i = 0; i < wanted->engines.count && !error; i++) {
        uint32_t from = apply->from[i];

        if (from == NOWHERE ? follows(apply, i) != followers : followers || !leaves(apply, from))
            continue;
        error = host_join_group(&apply->next, &i, 1, apply->reason);
        apply->in[i] = !error;
    }
    return error ? refusal(error) : 0;
}

/* An engine goes back to where it was. */
static void put_back(struct apply *apply, uint32_t index)
{
    struct host_engine *engine = &apply->host->running.engines[index];

    if (!group_add(engine->group, engine->engine))
        return;
    engine->group = NULL;
    log_line(LOG_ERROR, "engine %s: its group does not answer: it does not run",
             engine->engine->name);
}

/* Takes an engine off its new thread; if it hangs there, it stays, and what it needs. */
static bool take_back(struct apply *apply, uint32_t index)
{
    struct host_engine *engine = &apply->next.engines[index];
    uint32_t from = apply->from[index];

    if (!group_remove(engine->group, engine->engine))
        return true;
    log_line(LOG_ERROR, "engine %s does not answer: it stays where it is", engine->engine->name);
    if (from != NOWHERE) {
        apply->host->running.engines[from].group = engine->group;
        apply->out[from] = false;
    }
    return false;
}

/* An engine that cannot be taken off its thread keeps its port: whoever had that before stays off
 * it. */
static void keep_off(struct apply *apply, uint32_t index)
{
    struct host_layout *running = &apply->host->running;
    const struct config_engine *before =
        config_in_place(running->config, config_engine(apply->next.config, index));
    uint32_t at = before ? (uint32_t)(before - config_engine(running->config, 0)) : NOWHERE;

    if (at == NOWHERE || !apply->out[at])
        return;
    apply->out[at] = false;
    running->engines[at].group = NULL;
}

/* Groups that stay get back the settings that they had; what is said in `reason` stays. */
static void restore_groups(struct apply *apply)
{
    struct host_layout *running = &apply->host->running;
    char line[REASON_BYTES];
    const struct reason reason = {line, sizeof(line)};
    const struct reason *said = apply->reason;

    apply->reason = &reason;
    for (uint32_t i = 0; i < apply->next.config->groups.count; i++) {
        uint32_t from = apply->group_from[i];

        if (apply->changed[i] && configure(apply, running, from, running->groups[from]))
            log_line(LOG_ERROR, "it keeps its new settings: %s", line);
    }
    apply->reason = said;
}

/* New engines end, but for those that hang. */
static void unmake_engines(struct apply *apply)
{
    for (uint32_t i = 0; i < apply->next.config->engines.count; i++) {
        bool back = !apply->in[i] || take_back(apply, i);

        if (apply->from[i] != NOWHERE)
            continue;
        if (!back) {
            keep_off(apply, i);
            apply->left->engines[i] = apply->next.engines[i];
        } else {
            host_end_engine(apply->host, &apply->next.engines[i]);
        }
    }
}

/* Whether an engine that could not be taken back is in a new group. */
static bool is_in_use(const struct apply *apply, const struct group *group)
{
    const struct host_layout *running = &apply->host->running;
    bool used = false;

    for (uint32_t i = 0; i < running->config->engines.count; i++)
        used |= running->engines[i].group == group;
    for (uint32_t i = 0; i < CONFIG_ENGINES_MAX; i++)
        used |= apply->left->engines[i].group == group;
    return used;
}

static void unmake_groups(struct apply *apply)
{
    for (uint32_t i = 0; i < apply->next.config->groups.count; i++) {
        struct group *group = apply->next.groups[i];

        if (apply->group_from[i] != NOWHERE || !group)
            continue;
        if (is_in_use(apply, group))
            apply->left->groups[i] = group;
        else
            group_destroy(group);
    }
}

/* What could not be taken back is the host's. */
static void hand_left(struct apply *apply)
{
    struct host_left *left = apply->left;
    bool any = false;

    for (uint32_t i = 0; i < CONFIG_ENGINES_MAX; i++)
        any |= left->engines[i].engine != NULL;
    for (uint32_t i = 0; i < CONFIG_GROUPS_MAX; i++)
        any |= left->groups[i] != NULL;
    if (!any)
        return;
    left->next = apply->host->left;
    apply->host->left = left;
    apply->left = NULL;
}

/* In the order opposite to that in which it was done: a shaper, and those on its port, have to run
 * to go over to other classes. */
static void undo(struct apply *apply)
{
    unmake_engines(apply);
    for (uint32_t i = 0; i < apply->host->running.config->engines.count; i++) {
        if (apply->out[i])
            put_back(apply, i);
    }
    restore_groups(apply);
    unshape(apply);
    unmake_groups(apply);
    hand_left(apply);
}

/* ---- What was left by one that failed ---- */

int host_end_left(struct host *host, const struct reason *reason)
{
    int error = 0;

    for (struct host_left *left = host->left; left; left = left->next) {
        for (uint32_t i = 0; i < CONFIG_ENGINES_MAX && !error; i++) {
            if (!left->engines[i].engine)
                continue;
            error = leave(&left->engines[i], reason);
            if (!error)
                host_end_engine(host, &left->engines[i]);
        }
    }
    return error;
}

void host_end_left_groups(struct host *host)
{
    while (host->left) {
        struct host_left *left = host->left;

        for (uint32_t i = 0; i < CONFIG_GROUPS_MAX; i++)
            group_destroy(left->groups[i]);
        host->left = left->next;
        free(left);
    }
}

/* ---- From here on not ---- */

/* The engine is on no thread: control gives it its last turns, so that its peers hear of the end of
 * their connections. */
static void say_farewell(struct engine *engine)
{
    for (uint32_t i = 0; i < FAREWELL_RUNS; i++) {
        if (!engine->ops->run(engine, clock_now(engine->clock), ENGINE_BUDGET_NS))
            break;
    }
}

static void end_sessions(struct apply *apply)
{
    const struct host_layout *running = &apply->host->running;
    char reason[REASON_BYTES];

    for (uint32_t i = 0; i < running->config->engines.count; i++) {
        struct engine *engine = running->engines[i].engine;

        if (apply->to[i] != NOWHERE)
            continue;
        snprintf(reason, sizeof(reason), "closed: engine %s is %s", engine->name,
                 config_find_engine(apply->next.config, engine->name) ? "configured anew"
                                                                      : "removed");
        server_end_sessions(apply->host->server, engine, reason);
        say_farewell(engine);
    }
}

static void commit(struct apply *apply)
{
    struct host *host = apply->host;
    struct host_layout *running = &host->running;
    const struct config *wanted = apply->next.config;
    bool kept[CONFIG_GROUPS_MAX] = {false};

    host_list(host, &apply->next);
    server_set_engines(host->server, host->list, host->listed);
    for (uint32_t i = 0; i < running->config->engines.count; i++) {
        if (apply->to[i] == NOWHERE)
            host_end_engine(host, &running->engines[i]);
    }
    for (uint32_t i = 0; i < wanted->groups.count; i++) {
        if (apply->group_from[i] != NOWHERE)
            kept[apply->group_from[i]] = true;
    }
    for (uint32_t i = 0; i < running->config->groups.count; i++) {
        if (!kept[i])
            group_destroy(running->groups[i]);
    }
    host_end_left_groups(host);
    for (uint32_t i = 0; i < wanted->groups.count; i++) {
        group_ask_again(apply->next.groups[i]);
        if (apply->group_from[i] == NOWHERE || apply->changed[i])
            host_tell_class(apply->next.groups[i]);
    }
    *running = apply->next;
}

static int change(struct apply *apply)
{
    int error = make(apply);

    if (!error)
        error = reshape(apply);
    if (!error)
        error = configure_all(apply);
    if (!error)
        error = leave_all(apply);
    if (!error)
        error = join(apply, false);
    if (!error) {
        end_sessions(apply);
        error = join(apply, true);
    }
    if (error)
        undo(apply);
    else
        commit(apply);
    return error;
}

int host_apply(struct host *host, const struct config *config, bool disrupt,
               const struct reason *reason)
{
    struct apply *apply = calloc(1, sizeof(*apply));
    int error = 0;

    if (apply)
        apply->left = calloc(1, sizeof(*apply->left));
    if (!apply || !apply->left) {
        free(apply);
        return reason_set(reason, -ENOMEM, "out of memory");
    }
    apply->host = host;
    apply->reason = reason;
    apply->next.config = config;
    plan(apply);
    error = all_here(host, reason);
    if (!error && !disrupt)
        error = spare_sessions(apply);
    if (!error)
        error = host_end_left(host, reason);
    if (!error)
        error = change(apply);
    free(apply->left);
    free(apply);
    return error;
}
