/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/takeover.h"

#include "control/log.h"
#include "daemon/eal.h"
#include "daemon/rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int read_configuration(struct takeover *takeover, const char *text, const struct reason *why)
{
    struct schema_source source = {.file = "the configuration of the old daemon"};
    int error = config_parse(&takeover->config, &source, text, strlen(text));

    return error ? reason_set(why, error, "%s", source.error) : 0;
}

/* What others reach the daemon by, without the sockets. */
static int make_server(struct takeover *takeover, const struct reason *why)
{
    struct server_config server;
    int error = rules_create(&takeover->rules, &server, &takeover->config);

    if (error)
        return reason_set(why, error, "out of memory");
    server.takes_over = true;
    error = server_create(&takeover->server, &server, why->text, why->bytes);
    if (!error)
        error = control_create(&takeover->control, &takeover->config, true, why);
    if (!error)
        error = upgrade_create(&takeover->upgrade, &takeover->config, true, why);
    return error;
}

/* Everything that can be made before anything is handed over. */
static int prepare(void *context, const char *configuration, const struct reason *why)
{
    struct takeover *takeover = context;
    struct host_handover *handover = &takeover->handover;
    int error = read_configuration(takeover, configuration, why);

    if (!error)
        error = make_server(takeover, why);
    if (!error)
        error = eal_start(&takeover->config, !takeover->verbose, why->text, why->bytes);
    if (!error)
        error = host_create_empty(&takeover->host, &takeover->config, takeover->server, why);
    if (!error)
        error = host_make_groups(takeover->host, why);
    if (error)
        return error;
    handover->host = takeover->host;
    handover->server = takeover->server;
    handover->control = takeover->control;
    handover->door = upgrade_door(takeover->upgrade);
    handover->door_path = takeover->config.upgrade.socket.text;
    return 0;
}

/* The old daemon died in the middle: what it still had begins anew, as after a crash. */
static int inherit(struct takeover *takeover, const struct reason *reason)
{
    struct host_handover *handover = &takeover->handover;
    int error = host_handover_mend(handover, &takeover->report, reason);

    if (error || handover->has_sockets)
        return error;
    error = server_open_socket(takeover->server, reason->text, reason->bytes);
    if (!error)
        error = control_open(takeover->control, reason);
    if (!error)
        error = upgrade_open(takeover->upgrade, reason);
    handover->has_sockets = !error;
    return error;
}

static int judge(struct takeover *takeover, const struct reason *reason)
{
    const struct handover_report *report = &takeover->report;

    switch (report->outcome) {
    case HANDOVER_MOVED:
    case HANDOVER_CHECKED:
        return 0;
    case HANDOVER_ALONE:
        /* Who had nothing yet has nothing to go on with, and a restart finds all free. */
        if (takeover->host && !takeover->check)
            return inherit(takeover, reason);
        break;
    case HANDOVER_SPLIT:
        return 0;
    default:
        break;
    }
    return reason_set(reason, report->error ? report->error : -EIO, "nothing was taken over: %s",
                      report->reason);
}

int takeover_take(struct takeover *takeover, const char *path, const struct reason *reason)
{
    struct handover_settings settings = {.check = takeover->check, .turned_away = -1};
    struct handover_link link;
    int error;

    takeover->handover.prepare = prepare;
    takeover->handover.prepare_context = takeover;
    if (!path[0])
        return reason_set(reason, -EINVAL,
                          "upgrade: no socket is configured, at which the old daemon waits");
    error = handover_connect(path, &link, reason);
    if (error)
        return error;
    settings.greeting = host_handover_greeting(&takeover->handover, "");
    settings.blackout_ns = HANDOVER_BLACKOUT_MAX_NS;
    handover_take(&link, &settings, &host_handover_ops, &takeover->handover, &takeover->report);
    handover_hang_up(&link);
    host_handover_tell(&takeover->report);
    return judge(takeover, reason);
}

void takeover_destroy(struct takeover *takeover)
{
    static struct host *left_behind;
    struct host_handover *handover = &takeover->handover;

    (void)left_behind;
    if (handover->host && !handover->has_sockets)
        host_handover_forget_sockets(handover);
    if (takeover->host) {
        host_stop(takeover->host);
        /* Engines that went back are never destroyed, nor is what they point to. */
        if (takeover->report.outcome == HANDOVER_CAME_BACK)
            left_behind = takeover->host;
        else
            host_destroy(takeover->host);
    }
    control_destroy(takeover->control);
    upgrade_destroy(takeover->upgrade);
    server_destroy(takeover->server);
    free(takeover->rules);
    config_free(&takeover->config);
}
