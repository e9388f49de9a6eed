/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/steward.h"

#include "control/log.h"
#include "daemon/config_diff.h"
#include "daemon/config_edit.h"
#include "daemon/notify.h"
#include "daemon/rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define LOGGED_MAX 16u /* changes that the log names; more are counted */

/* A configuration that runs or ran, and the server's rules of it. */
struct kept {
    struct config *config; /* NULL: there is none */
    struct policy_rule *rules;
};

struct daemon_steward {
    struct steward table;
    struct host *host;
    struct server *server;
    const struct config *started;
    const char *file;
    const struct config *running;
    struct kept now, before;
    /* Whether what ran before is what the daemon was started with, or nothing. */
    bool before_is_started;
    void (*changed)(void *context);
    void (*refused)(void *context, const char *line);
    void *followed_by;
};

static int __attribute__((format(printf, 3, 4)))
refuse(struct steward_answer *answer, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(answer->line, sizeof(answer->line), format, args);
    va_end(args);
    return error;
}

static int no_memory(struct steward_answer *answer)
{
    return refuse(answer, -ENOMEM, "out of memory");
}

/* ---- Configurations ---- */

static void drop_config(struct config *config)
{
    if (config)
        config_free(config);
    free(config);
}

static void drop(struct kept *kept)
{
    drop_config(kept->config);
    free(kept->rules);
    *kept = (struct kept){0};
}

/* A text as a checked configuration; errors begin with line and column. */
static int parse(struct config **config, const char *text, struct steward_answer *answer)
{
    struct schema_source source = {.file = ""};
    struct config *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return no_memory(answer);
    error = config_parse(made, &source, text, strlen(text));
    if (!error) {
        *config = made;
        return 0;
    }
    drop_config(made);
    return refuse(answer, error, "%s", source.error[0] == ':' ? source.error + 1 : source.error);
}

static int copy(struct config **config, const struct config *from, struct schema_source *source)
{
    struct config *made = calloc(1, sizeof(*made));
    int error = made ? config_edit_copy(made, from, source) : -ENOMEM;

    if (!error) {
        *config = made;
        return 0;
    }
    drop_config(made);
    return error;
}

/* ---- Changes ---- */

static void describe_effect(const struct daemon_steward *steward,
                            const struct config_change *change, char effect[STEWARD_EFFECT_BYTES])
{
    uint32_t sessions = 0;

    if (change->effect == CONFIG_ENGINE)
        sessions = host_sessions(steward->host, change->engine);
    if (change->effect == CONFIG_RESTART)
        snprintf(effect, STEWARD_EFFECT_BYTES, "needs a restart");
    else if (sessions > 0)
        snprintf(effect, STEWARD_EFFECT_BYTES, "ends %u session%s", sessions,
                 sessions == 1 ? "" : "s");
    else
        snprintf(effect, STEWARD_EFFECT_BYTES, "at once");
}

/* Engines that are made anew because another one stands at the end of their wire. */
static int add_neighbours(const struct daemon_steward *steward, const struct config *wanted,
                          struct steward_answer *answer)
{
    int error = 0;

    for (uint32_t i = 0; i < wanted->engines.count && !error; i++) {
        const struct config_engine *engine = config_engine(wanted, i);
        const struct config_engine *now = config_find_engine(steward->running, engine->name.text);
        const struct config_port *port = config_find_port(steward->started, engine->port.text);
        struct config_change change = {.effect = CONFIG_ENGINE};
        char effect[STEWARD_EFFECT_BYTES];

        if (!now || !port || !config_same_engine(now, engine) ||
            host_keeps(steward->host, wanted, i))
            continue;
        snprintf(change.what.path, sizeof(change.what.path), "engines.%s", engine->name.text);
        snprintf(change.engine, sizeof(change.engine), "%s", engine->name.text);
        snprintf(change.what.after, sizeof(change.what.after), "another neighbour on port %s",
                 port->peer.text);
        describe_effect(steward, &change, effect);
        error = steward_answer_add(answer, change.what.path, "", change.what.after, effect);
    }
    return error;
}

static int add_changes(const struct daemon_steward *steward, const struct config_changes *changes,
                       struct steward_answer *answer)
{
    char effect[STEWARD_EFFECT_BYTES];
    int error = 0;

    for (uint32_t i = 0; i < changes->count && !error; i++) {
        const struct config_change *change = &changes->list[i];

        describe_effect(steward, change, effect);
        error = steward_answer_add(answer, change->what.path, change->what.before,
                                   change->what.after, effect);
    }
    if (changes->left_out && !error) {
        snprintf(effect, sizeof(effect), "%u more", changes->left_out);
        error = steward_answer_add(answer, "...", "", "", effect);
    }
    return error;
}

/* The first change that has to wait for a restart. */
static int refuse_restart(const struct config_changes *changes, struct steward_answer *answer)
{
    const struct config_change *change = changes->list;
    const struct schema_change *what;

    while (change < changes->list + changes->count && change->effect != CONFIG_RESTART)
        change++;
    if (change == changes->list + changes->count)
        return refuse(answer, -EPERM, "some of the changes need a restart");
    what = &change->what;
    if (what->place.line)
        return refuse(answer, -EPERM, "%u:%u: %s needs a restart: \"%s\" now, then \"%s\"",
                      what->place.line, what->place.column, what->path, what->before, what->after);
    return refuse(answer, -EPERM, "%s needs a restart: \"%s\" now, then \"%s\"", what->path,
                  what->before, what->after);
}

/* What would change; with `refusing`, -EPERM if that cannot be while the daemon runs. */
static int compare(const struct daemon_steward *steward, const struct config *wanted, bool refusing,
                   struct steward_answer *answer)
{
    struct config_changes changes;
    int error = config_diff(&changes, steward->started, steward->running, wanted);

    if (!error && refusing && changes.restart)
        error = refuse_restart(&changes, answer);
    else if (!error)
        error = add_changes(steward, &changes, answer);
    if (!error && !changes.restart)
        error = add_neighbours(steward, wanted, answer);
    config_changes_free(&changes);
    return error == -ENOMEM ? no_memory(answer) : error;
}

static void log_changes(const struct steward_answer *answer)
{
    for (uint32_t i = 0; i < answer->count && i < LOGGED_MAX; i++) {
        const struct steward_change *change = &answer->changes[i];

        log_line(LOG_INFO, "configuration: %s: \"%s\", was \"%s\" (%s)", change->path,
                 change->after, change->before, change->effect);
    }
    if (answer->count > LOGGED_MAX)
        log_line(LOG_INFO, "configuration: %u more changes", answer->count - LOGGED_MAX);
}

/* The host runs it by now: it is the running one, and that the one before. */
static void settle(struct daemon_steward *steward, const struct kept *next)
{
    struct kept oldest = steward->before;

    steward->before = steward->now;
    steward->before_is_started = steward->running == steward->started;
    steward->now = *next;
    steward->running = next->config;
    if (steward->changed)
        steward->changed(steward->followed_by);
    drop(&oldest);
}

/* Has the host run a configuration, whose owner the steward becomes in any case. */
static int take(struct daemon_steward *steward, struct config *wanted, bool disrupt,
                struct steward_answer *answer)
{
    const struct reason reason = {answer->line, sizeof(answer->line)};
    struct kept next = {.config = wanted};
    struct server_config server;
    int error = compare(steward, wanted, true, answer);

    if (!error && answer->count == 0 && host_is_whole(steward->host)) {
        drop(&next);
        return 0;
    }
    if (!error && rules_create(&next.rules, &server, wanted))
        error = no_memory(answer);
    if (!error)
        error = host_apply(steward->host, wanted, disrupt, &reason);
    if (error) {
        drop(&next);
        return error;
    }
    server_set_policy(steward->server, &server);
    settle(steward, &next);
    log_changes(answer);
    return 0;
}

/* ---- The table ---- */

static int show(void *context, char **text, struct steward_answer *answer)
{
    const struct daemon_steward *steward = context;
    size_t length = 0;
    FILE *stream;

    *text = NULL;
    stream = open_memstream(text, &length);
    if (!stream)
        return no_memory(answer);
    config_print(steward->running, stream);
    if (!fclose(stream))
        return 0;
    free(*text);
    *text = NULL;
    return no_memory(answer);
}

static int check(void *context, const char *text, struct steward_answer *answer)
{
    struct config *config = NULL;
    int error = parse(&config, text, answer);

    (void)context;
    drop_config(config);
    return error;
}

static int diff(void *context, const char *text, struct steward_answer *answer)
{
    struct config *config = NULL;
    int error = parse(&config, text, answer);

    if (!error)
        error = compare(context, config, false, answer);
    drop_config(config);
    return error;
}

static int apply(void *context, const char *text, bool disrupt, struct steward_answer *answer)
{
    struct config *config = NULL;
    int error = parse(&config, text, answer);

    return error ? error : take(context, config, disrupt, answer);
}

static int rollback(void *context, bool disrupt, struct steward_answer *answer)
{
    struct daemon_steward *steward = context;
    const struct config *before =
        steward->before_is_started ? steward->started : steward->before.config;
    struct schema_source source = {.file = "configuration"};
    struct config *config = NULL;

    if (!before)
        return refuse(answer, -EPERM, "there is no configuration before this one");
    if (copy(&config, before, &source))
        return no_memory(answer);
    return take(steward, config, disrupt, answer);
}

static int load_again(struct daemon_steward *steward, struct steward_answer *answer)
{
    struct schema_source source = {.file = steward->file};
    struct config *config = calloc(1, sizeof(*config));

    if (!config)
        return no_memory(answer);
    if (!config_load(config, &source))
        return take(steward, config, false, answer);
    drop_config(config);
    return refuse(answer, -EPERM, "%s", source.error);
}

static int reload(void *context, struct steward_answer *answer)
{
    struct daemon_steward *steward = context;
    uint32_t engines;
    int error;

    notify_reloading();
    error = load_again(steward, answer);
    host_engines(steward->host, &engines);
    if (error) {
        log_line(LOG_ERROR, "configuration: not applied: %s", answer->line);
        notify_ready("ready: %u engines; not reloaded: %s", engines, answer->line);
        return error;
    }
    log_line(LOG_INFO, "configuration: read again, %u changes", answer->count);
    notify_ready("ready: %u engines", engines);
    return 0;
}

static int perform(struct config *config, const struct steward_edit *edit,
                   struct schema_source *source)
{
    const struct config_edit_group settings = {
        .mode = edit->mode,
        .cpus = edit->cpus,
        .threads = edit->threads,
        .idle = edit->idle,
        .slo = edit->slo,
        .pause = edit->pause,
        .class = edit->class,
        .runtime = edit->runtime,
        .period = edit->period,
        .moderation = edit->moderation,
    };

    switch (edit->kind) {
    case STEWARD_CREATE_ENGINE:
        return config_edit_create_engine(config, edit->text, edit->group, source);
    case STEWARD_DESTROY_ENGINE:
        return config_edit_destroy_engine(config, edit->name, source);
    case STEWARD_MOVE_ENGINE:
        return config_edit_move_engine(config, edit->name, edit->group, source);
    case STEWARD_CREATE_GROUP:
        return config_edit_create_group(config, edit->text, source);
    case STEWARD_CHANGE_GROUP:
        return config_edit_change_group(config, edit->name, &settings, source);
    case STEWARD_SET_CLASS:
        return config_edit_set_class(config, edit->name, edit->text, source);
    case STEWARD_REMOVE_CLASS:
        return config_edit_remove_class(config, edit->name, edit->class, source);
    default:
        return config_edit_destroy_group(config, edit->name, source);
    }
}

static int edit(void *context, const struct steward_edit *wanted, struct steward_answer *answer)
{
    struct daemon_steward *steward = context;
    struct schema_source source = {.file = ""};
    struct config *config = NULL;
    int error = copy(&config, steward->running, &source);

    if (error)
        return no_memory(answer);
    error = perform(config, wanted, &source);
    if (!error)
        return take(steward, config, wanted->disrupt, answer);
    drop_config(config);
    return refuse(answer, error, "%s", source.error[0] == ':' ? source.error + 1 : source.error);
}

static const struct steward_ops ops = {
    .show = show,
    .check = check,
    .diff = diff,
    .apply = apply,
    .rollback = rollback,
    .reload = reload,
    .edit = edit,
};

int daemon_steward_create(struct daemon_steward **steward, struct host *host, struct server *server,
                          const struct config *started, const char *file)
{
    struct daemon_steward *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->table = (struct steward){&ops, made};
    made->host = host;
    made->server = server;
    made->started = made->running = started;
    made->file = file;
    *steward = made;
    return 0;
}

void daemon_steward_destroy(struct daemon_steward *steward)
{
    if (!steward)
        return;
    drop(&steward->now);
    drop(&steward->before);
    free(steward);
}

const struct steward *daemon_steward_table(const struct daemon_steward *steward)
{
    return &steward->table;
}

void daemon_steward_follow(struct daemon_steward *steward, void (*changed)(void *context),
                           void (*refused)(void *context, const char *line), void *context)
{
    steward->changed = changed;
    steward->refused = refused;
    steward->followed_by = context;
}

void daemon_steward_reload(void *context)
{
    struct daemon_steward *steward = context;
    struct steward_answer answer = {0};

    log_line(LOG_INFO, "SIGHUP: reading the configuration again");
    if (reload(steward, &answer) && steward->refused)
        steward->refused(steward->followed_by, answer.line);
    steward_answer_free(&answer);
}
