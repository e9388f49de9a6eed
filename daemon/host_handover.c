/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/host_handover.h"

#include "control/log.h"
#include "control/server_handover.h"
#include "control/upgrades.h"
#include "daemon/host_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <saddle/saddle.h>

#define RECORD_VERSION 1u
#define NAME_BYTES     SCHEMA_TEXT_BYTES
#define LINE_BYTES     1024u /* of the log */
#define STATE_OLDEST   1u    /* versions of what is written here: docs/state.md */
#define STATE_NEWEST   1u

#define STRING_(x) #x
#define STRING(x)  STRING_(x)
#define RELEASE                                                                                    \
    STRING(SADDLE_VERSION_MAJOR)                                                                   \
    "." STRING(SADDLE_VERSION_MINOR) "." STRING(SADDLE_VERSION_PATCH)

enum record {
    RECORD_SET = 0x0800, /* name; engines; the name of each */
    RECORD_ENGINE,       /* name; the engine's document */
    RECORD_DOOR,         /* attach_offer's */
    RECORD_CONTROL,      /* control_offer's */
};

/* ---- The members of a set ---- */

static const struct config *config_of(const struct host_handover *handover)
{
    return handover->host->running.config;
}

static bool is_member(const struct host_handover *handover, uint32_t set, uint32_t engine)
{
    return handover->sets.of_engine[engine] == set;
}

/* Those that are made; returns how many. */
static uint32_t members(const struct host_handover *handover, uint32_t set,
                        struct engine *engines[CONFIG_ENGINES_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < config_of(handover)->engines.count; i++) {
        struct engine *engine = handover->host->running.engines[i].engine;

        if (is_member(handover, set, i) && engine)
            engines[count++] = engine;
    }
    return count;
}

/* Ports are counted as they were opened. */
static uint64_t ports_of(const struct host_handover *handover, uint32_t set)
{
    const struct config *config = config_of(handover);
    uint64_t which = 0;

    for (uint32_t i = 0; i < config->ports.count; i++) {
        const char *name = config_port(config, i)->name.text;

        if (handover->sets.of_port[i] == set)
            which |= 1ull << ports_index(handover->host->opened, name);
    }
    return which;
}

static uint64_t missed_by(const struct host_handover *handover, uint32_t set)
{
    const struct ports *ports = handover->host->ports;
    uint64_t which = ports_of(handover, set), sum = 0;

    for (uint32_t i = 0; i < handover->host->opened->ports.count; i++) {
        const struct port *port = which >> i & 1u ? ports_get(ports, i) : NULL;

        sum += port ? losses_missed_by(port) : 0;
    }
    return sum;
}

static void put_text(struct state_writer *state, const char *text)
{
    state_put_bytes(state, text, (uint32_t)strlen(text));
}

/* Does the text come next? */
static bool text_is(struct state_reader *state, const char *wanted)
{
    uint32_t length = 0;
    const void *text = state_get_bytes(state, NAME_BYTES, &length);

    return text && length == strlen(wanted) && !memcmp(text, wanted, length);
}

/* Enters the next record. */
static bool next_is(struct state_reader *state, enum record wanted)
{
    uint16_t type, version;

    return state_record_next(state, &type, &version) && type == (uint16_t)wanted;
}

/* Calls `visit` for each group with its engines of the set, in their order. 0, or what the first
 * that failed said. */
static int each_group(const struct host_handover *handover, uint32_t set,
                      int (*visit)(struct group *group, struct engine *const *engines,
                                   uint32_t count))
{
    const struct config *config = config_of(handover);
    const struct host_layout *running = &handover->host->running;
    int error = 0;

    for (uint32_t group = 0; group < config->groups.count && !error; group++) {
        struct engine *engines[CONFIG_ENGINES_MAX];
        uint32_t count = 0;

        for (uint32_t i = 0; i < config->engines.count; i++) {
            if (is_member(handover, set, i) && running->engines[i].engine &&
                host_group_index(config, i) == group)
                engines[count++] = running->engines[i].engine;
        }
        if (count > 0)
            error = visit(running->groups[group], engines, count);
    }
    return error;
}

static int keep_threads(struct group *group, struct engine *const *engines, uint32_t count)
{
    (void)engines;
    (void)count;
    group_keep_threads(group);
    return 0;
}

static int trim_threads(struct group *group, struct engine *const *engines, uint32_t count)
{
    (void)engines;
    (void)count;
    group_trim(group);
    return 0;
}

/* After some have come or gone. */
static void list_again(const struct host_handover *handover)
{
    struct host *host = handover->host;

    host_list(host, &host->running);
    server_set_engines(handover->server, host->list, host->listed);
}

/* ---- The table: both sides ---- */

static uint32_t count_sets(void *context)
{
    struct host_handover *handover = context;

    host_sets_find(&handover->sets, config_of(handover));
    return handover->sets.count;
}

static const char *name_set(void *context, uint32_t set)
{
    const struct host_handover *handover = context;

    return host_sets_name(&handover->sets, config_of(handover), set);
}

static int check(void *context, const struct handover_greeting *theirs, uint32_t state_version,
                 const struct reason *why)
{
    struct host_handover *handover = context;
    int error;

    (void)state_version;
    if (!handover->prepare)
        return 0;
    error = handover->prepare(handover->prepare_context, theirs->configuration, why);
    if (!error)
        count_sets(handover);
    return error;
}

static void meanwhile(void *context)
{
    const struct host_handover *handover = context;

    if (handover->meanwhile)
        handover->meanwhile(handover->meanwhile_context);
}

/* ---- The table: giving ---- */

static int give_first(void *context, struct parcel_draft *draft, const struct reason *why)
{
    (void)context;
    (void)draft;
    (void)why;
    return 0;
}

static void put_set(const struct host_handover *handover, uint32_t set, struct parcel_draft *draft)
{
    struct engine *engines[CONFIG_ENGINES_MAX];
    uint32_t count = members(handover, set, engines);

    state_record_begin(&draft->state, RECORD_SET, RECORD_VERSION);
    put_text(&draft->state, host_sets_name(&handover->sets, config_of(handover), set));
    state_put_u32(&draft->state, count);
    for (uint32_t i = 0; i < count; i++)
        put_text(&draft->state, engines[i]->name);
    state_record_end(&draft->state);
}

static int offer(void *context, uint32_t set, struct parcel_draft *draft, const struct reason *why)
{
    struct host_handover *handover = context;
    struct engine *engines[CONFIG_ENGINES_MAX];
    uint32_t count = members(handover, set, engines);

    server_freeze(handover->server);
    put_set(handover, set, draft);
    ports_offer(handover->host->ports, ports_of(handover, set), draft);
    if (draft->state.error)
        return reason_set(why, draft->state.error, "ports: %s", strerror(-draft->state.error));
    return server_offer(handover->server, engines, count, draft, why->text, why->bytes);
}

/* Takes engines off their threads that are all in this group. */
static int stop_group(const struct host_handover *handover, uint32_t set, struct group *group,
                      const struct reason *why)
{
    struct host_layout *running = &handover->host->running;
    struct host_engine *made[CONFIG_ENGINES_MAX];
    struct engine *engines[CONFIG_ENGINES_MAX];
    int errors[CONFIG_ENGINES_MAX];
    uint32_t count = 0;
    int error;

    for (uint32_t i = 0; i < running->config->engines.count; i++) {
        if (is_member(handover, set, i) && running->engines[i].group == group) {
            made[count] = &running->engines[i];
            engines[count++] = running->engines[i].engine;
        }
    }
    error = group_remove_all(group, engines, count, errors);
    for (uint32_t i = count; i-- > 0;) {
        if (!errors[i])
            made[i]->group = NULL;
        else
            host_fail(why, errors[i], "engine %s cannot be taken off its thread", engines[i]->name);
    }
    return error;
}

/* Takes the set's engines off their threads. */
static int stop(const struct host_handover *handover, uint32_t set, const struct reason *why)
{
    const struct host_layout *running = &handover->host->running;
    int error = 0;

    for (uint32_t i = 0; i < running->config->engines.count && !error; i++) {
        struct group *group = running->engines[i].group;

        if (is_member(handover, set, i) && group)
            error = stop_group(handover, set, group, why);
    }
    return error;
}

static int put_engine(const struct engine *engine, struct state_writer *state,
                      const struct reason *why)
{
    struct state_writer own;
    int error;

    state_writer_init(&own);
    error = engine->ops->save(engine, &own);
    if (!error)
        error = state_writer_finish(&own);
    if (!error && own.length > PARCEL_BYTES_MAX)
        error = -EFBIG;
    if (!error) {
        state_record_begin(state, RECORD_ENGINE, RECORD_VERSION);
        put_text(state, engine->name);
        state_put_bytes(state, own.bytes, (uint32_t)own.length);
        state_record_end(state);
        error = state->error;
    }
    state_writer_destroy(&own);
    return error ? host_fail(why, error, "engine %s: its state", engine->name) : 0;
}

static int leave(void *context, uint32_t set, struct parcel_draft *draft, const struct reason *why)
{
    struct host_handover *handover = context;
    struct engine *engines[CONFIG_ENGINES_MAX];
    uint32_t count = members(handover, set, engines);
    int error;

    haste_begin(&handover->haste, &quanta_system);
    each_group(handover, set, keep_threads);
    error = stop(handover, set, why);
    if (!error)
        error = server_leave(handover->server, engines, count, why->text, why->bytes);
    if (!error)
        ports_leave(handover->host->ports, ports_of(handover, set), draft);
    for (uint32_t i = 0; i < count && !error; i++)
        error = put_engine(engines[i], &draft->state, why);
    return error;
}

/* Puts the set's engines on threads of their groups, those that are on none. */
static int join(const struct host_handover *handover, uint32_t set, const struct reason *why)
{
    const struct config *config = config_of(handover);
    struct host_layout *running = &handover->host->running;
    int error = 0;

    for (uint32_t group = 0; group < config->groups.count && !error; group++) {
        uint32_t which[CONFIG_ENGINES_MAX], count = 0;

        for (uint32_t i = 0; i < config->engines.count; i++) {
            if (is_member(handover, set, i) && !running->engines[i].group &&
                host_group_index(config, i) == group)
                which[count++] = i;
        }
        if (count > 0)
            error = host_join_group(running, which, count, why);
    }
    return error;
}

static int resume(void *context, uint32_t set, const struct reason *why)
{
    struct host_handover *handover = context;
    int error;

    error = ports_resume(handover->host->ports, ports_of(handover, set), why);
    if (!error)
        error = join(handover, set, why);
    haste_end(&handover->haste, &quanta_system);
    each_group(handover, set, trim_threads);
    return error;
}

static void forget(void *context, uint32_t set)
{
    struct host_handover *handover = context;
    struct host *host = handover->host;
    struct engine *engines[CONFIG_ENGINES_MAX];

    haste_end(&handover->haste, &quanta_system);
    each_group(handover, set, trim_threads);
    server_forget(handover->server, engines, members(handover, set, engines));
    for (uint32_t i = 0; i < config_of(handover)->engines.count; i++) {
        if (is_member(handover, set, i) && host->running.engines[i].engine)
            host_forget_engine(host, i);
    }
    ports_forget(host->ports, ports_of(handover, set));
    list_again(handover);
}

static int give_last(void *context, struct parcel_draft *draft, const struct reason *why)
{
    const struct host_handover *handover = context;
    struct state_writer *state = &draft->state;

    server_offer_socket(handover->server, draft);
    upgrades_write(control_upgrades(handover->control), state);
    if (handover->door->fd >= 0) {
        state_record_begin(state, RECORD_DOOR, RECORD_VERSION);
        attach_offer(handover->door, draft);
        state_record_end(state);
    }
    if (handover->control) {
        state_record_begin(state, RECORD_CONTROL, RECORD_VERSION);
        control_offer(handover->control, draft);
        state_record_end(state);
    }
    return state->error ? reason_set(why, state->error, "sockets: %s", strerror(-state->error)) : 0;
}

void host_handover_forget_sockets(struct host_handover *handover)
{
    if (handover->server)
        server_forget_socket(handover->server);
    attach_forget(handover->door);
    control_forget(handover->control);
    handover->has_sockets = false;
}

/* ---- The table: taking ---- */

static int take_first(void *context, struct parcel *parcel, const struct reason *why)
{
    (void)context;
    (void)parcel;
    (void)why;
    return 0;
}

/* What is to come has to be the set that this side knows by that number. */
static int expect_set(const struct host_handover *handover, uint32_t set, struct parcel *parcel,
                      const struct reason *why)
{
    const struct config *config = config_of(handover);
    struct state_reader *state = &parcel->state;
    bool same = set < handover->sets.count && next_is(state, RECORD_SET) &&
                text_is(state, host_sets_name(&handover->sets, config, set));
    uint32_t count = same ? state_get_u32(state) : 0;

    for (uint32_t i = 0; i < config->engines.count && same; i++) {
        if (is_member(handover, set, i))
            same = count-- > 0 && text_is(state, config_engine(config, i)->name.text);
    }
    if (same && count == 0 && !state->error)
        return 0;
    return reason_set(why, -EBADMSG, "what was handed over is not the set of this number here");
}

/* Ends what is there of it, and harms nothing that the other side uses. */
static void abandon(void *context, uint32_t set)
{
    struct host_handover *handover = context;
    struct host *host = handover->host;
    struct engine *engines[CONFIG_ENGINES_MAX];

    haste_end(&handover->haste, &quanta_system);
    server_forget(handover->server, engines, members(handover, set, engines));
    each_group(handover, set, trim_threads);
    for (uint32_t i = 0; i < config_of(handover)->engines.count; i++) {
        if (is_member(handover, set, i))
            host_end_engine(host, &host->running.engines[i]);
    }
    ports_end(host->ports, ports_of(handover, set));
}

static int make_engines(const struct host_handover *handover, uint32_t set,
                        const struct reason *why)
{
    struct host_layout *running = &handover->host->running;
    int error = 0;

    for (uint32_t i = 0; i < running->config->engines.count && !error; i++) {
        struct engine *engine;

        if (!is_member(handover, set, i))
            continue;
        error = host_make_engine(handover->host, running, i, why);
        engine = running->engines[i].engine;
        if (!error && engine->ops->warm)
            engine->ops->warm(engine);
    }
    return error;
}

static int adopt(void *context, uint32_t set, struct parcel *parcel, const struct reason *why)
{
    struct host_handover *handover = context;
    struct engine *engines[CONFIG_ENGINES_MAX];
    int error = expect_set(handover, set, parcel, why);

    haste_end(&handover->haste, &quanta_system); /* a set before may only have been tried */
    if (error)
        return error;
    error = ports_adopt(handover->host->ports, ports_of(handover, set), parcel, why);
    if (error)
        return error;
    losses_adopted(&handover->losses, set, missed_by(handover, set));
    error = make_engines(handover, set, why);
    if (!error)
        error = server_adopt(handover->server, engines, members(handover, set, engines), parcel,
                             why->text, why->bytes);
    if (!error) {
        error = each_group(handover, set, group_prepare);
        if (error)
            reason_set(why, error, "threads: %s", strerror(-error));
    }
    if (error)
        abandon(handover, set);
    else
        haste_begin(&handover->haste, &quanta_system);
    return error;
}

static int load(struct engine *engine, struct state_reader *state, const struct reason *why)
{
    struct state_reader own;
    uint32_t length = 0;
    const void *bytes = NULL;
    int error = -EBADMSG;

    if (next_is(state, RECORD_ENGINE) && text_is(state, engine->name))
        bytes = state_get_bytes(state, PARCEL_BYTES_MAX, &length);
    if (bytes)
        error = state_reader_init(&own, bytes, length);
    if (!error)
        error = engine->ops->load(engine, &own);
    return error ? host_fail(why, error, "engine %s: its state", engine->name) : 0;
}

static int enter(void *context, uint32_t set, struct parcel *parcel, const struct reason *why)
{
    struct host_handover *handover = context;
    struct engine *engines[CONFIG_ENGINES_MAX];
    uint32_t count = members(handover, set, engines);
    int error = ports_enter(handover->host->ports, ports_of(handover, set), parcel, why);

    for (uint32_t i = 0; i < count && !error; i++) {
        error = server_enter(handover->server, engines[i], why->text, why->bytes);
        if (!error)
            error = load(engines[i], &parcel->state, why);
        losses_loaded(&handover->losses, set, engines[i]);
        if (!error)
            error = server_entered(handover->server, engines[i], why->text, why->bytes);
    }
    return error;
}

static int run(void *context, uint32_t set, const struct reason *why)
{
    struct host_handover *handover = context;
    struct ports *ports = handover->host->ports;
    uint64_t which = ports_of(handover, set);
    int error = ports_begin(ports, which);

    if (error)
        return reason_set(why, error, "ports: %s", strerror(-error));
    return join(handover, set, why);
}

static void settle(void *context, uint32_t set)
{
    struct host_handover *handover = context;
    struct engine *engines[CONFIG_ENGINES_MAX];

    haste_end(&handover->haste, &quanta_system);
    ports_settle(handover->host->ports, ports_of(handover, set));
    server_settle(handover->server, engines, members(handover, set, engines));
    losses_ran(&handover->losses, set, missed_by(handover, set), clock_now(&clock_machine));
    each_group(handover, set, trim_threads);
    list_again(handover);
}

static int take_sockets(struct host_handover *handover, struct parcel *parcel,
                        const struct reason *why)
{
    uint16_t type, version;
    int error = 0;

    while (!error && state_record_next(&parcel->state, &type, &version)) {
        if (type >= UPGRADES_RECORD_FIRST && type <= UPGRADES_RECORD_LAST)
            upgrades_read(control_upgrades(handover->control), &parcel->state, type);
        else if (type == RECORD_DOOR)
            error = attach_adopt(handover->door, SOCK_SEQPACKET, handover->door_path, parcel,
                                 why->text, why->bytes);
        else if (type == RECORD_CONTROL && handover->control)
            error = control_adopt(handover->control, parcel, why);
    }
    if (!error && parcel->state.error)
        error = reason_set(why, -EBADMSG, "the description of the sockets is damaged");
    return error;
}

static int take_last(void *context, struct parcel *parcel, const struct reason *why)
{
    struct host_handover *handover = context;
    int error = server_adopt_socket(handover->server, parcel, why->text, why->bytes);

    if (!error)
        error = take_sockets(handover, parcel, why);
    handover->has_sockets = !error;
    if (error)
        host_handover_forget_sockets(handover);
    else
        attach_claim(handover->door);
    return error;
}

const struct handover_ops host_handover_ops = {
    .check = check,
    .sets = count_sets,
    .set_name = name_set,
    .give_first = give_first,
    .offer = offer,
    .leave = leave,
    .resume = resume,
    .forget = forget,
    .give_last = give_last,
    .take_first = take_first,
    .adopt = adopt,
    .enter = enter,
    .run = run,
    .settle = settle,
    .abandon = abandon,
    .take_last = take_last,
    .meanwhile = meanwhile,
};

/* ---- Around it ---- */

static bool widen(void *context, const struct session *session, pid_t pid)
{
    struct handover_range *range = context;
    struct session_view view;

    (void)pid;
    session_view(session, &view);
    if (range->newest == 0 || view.abi < range->oldest)
        range->oldest = view.abi;
    if (view.abi > range->newest)
        range->newest = view.abi;
    return true;
}

struct handover_greeting host_handover_greeting(const struct host_handover *handover,
                                                const char *configuration)
{
    struct handover_greeting greeting = {
        .protocol = {HANDOVER_PROTOCOL_OLDEST, HANDOVER_PROTOCOL_NEWEST},
        .state = {STATE_OLDEST, STATE_NEWEST},
        .release = RELEASE,
        .instance = "",
        .configuration = configuration,
    };

    if (handover->prepare)
        greeting.abi = (struct handover_range){SADDLE_ABI_OLDEST, SADDLE_ABI_VERSION};
    else
        server_sessions(handover->server, widen, &greeting.abi);
    return greeting;
}

static int mend_set(struct host_handover *handover, uint32_t set, const struct reason *why)
{
    uint64_t which = ports_of(handover, set);
    int error = ports_make(handover->host->ports, which, why);

    if (error)
        return error;
    error = make_engines(handover, set, why);
    if (!error)
        error = join(handover, set, why);
    return error;
}

int host_handover_mend(struct host_handover *handover, const struct handover_report *report,
                       const struct reason *why)
{
    int error = 0;

    for (uint32_t i = 0; i < report->set_count && !error; i++) {
        struct engine *engines[CONFIG_ENGINES_MAX];

        if (report->sets[i].place != HANDOVER_LOST || members(handover, i, engines) > 0)
            continue;
        error = mend_set(handover, i, why);
        if (!error)
            log_line(LOG_WARNING, "set %s was lost and begins anew: its sessions have ended",
                     report->sets[i].name);
    }
    list_again(handover);
    return error;
}

void host_handover_tell(const struct handover_report *report)
{
    bool well = report->outcome == HANDOVER_MOVED || report->outcome == HANDOVER_CHECKED;
    char line[LINE_BYTES];

    for (uint32_t i = 0; i < report->set_count; i++) {
        handover_set_line(report, i, line, sizeof(line));
        log_line(report->sets[i].error ? LOG_WARNING : LOG_INFO, "%s", line);
    }
    handover_report_line(report, line, sizeof(line));
    log_line(well ? LOG_INFO : LOG_ERROR, "%s", line);
}
