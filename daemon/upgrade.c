/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/upgrade.h"

#include "control/log.h"
#include "daemon/host_handover.h"
#include "daemon/notify.h"
#include "daemon/upgrader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REASON_BYTES 512u

struct upgrade {
    const struct config *config;
    struct attach_socket door;
    struct host_handover handover;
    struct watchdog *watchdog;
    struct daemon_upgrader *upgrader; /* NULL: no newcomer can knock */
    bool over;
    struct handover_report report; /* of the last one */
};

int upgrade_open(struct upgrade *upgrade, const struct reason *reason)
{
    const char *path = upgrade->config->upgrade.socket.text;

    return path[0] ? handover_listen(&upgrade->door, path, reason) : 0;
}

int upgrade_create(struct upgrade **upgrade, const struct config *config, bool takes_over,
                   const struct reason *reason)
{
    struct upgrade *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return reason_set(reason, -ENOMEM, "out of memory");
    made->config = config;
    made->door.fd = made->door.lock_fd = -1;
    error = takes_over ? 0 : upgrade_open(made, reason);
    if (!error && config->upgrade.socket.text[0] &&
        daemon_upgrader_create(&made->upgrader, getenv("RUNTIME_DIRECTORY")))
        error = reason_set(reason, -ENOMEM, "out of memory");
    if (error) {
        upgrade_destroy(made);
        return error;
    }
    *upgrade = made;
    return 0;
}

struct attach_socket *upgrade_door(struct upgrade *upgrade)
{
    return &upgrade->door;
}

static void meanwhile(void *context)
{
    struct upgrade *upgrade = context;

    watchdog_look(upgrade->watchdog);
}

/* The configuration that runs, as text for the caller to free; NULL: out of memory. */
static char *write_configuration(const struct host *host)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    if (!stream)
        return NULL;
    config_print(host_configuration(host), stream);
    if (!fclose(stream))
        return text;
    free(text);
    return NULL;
}

/* Everything is with the other daemon, which the service manager is to look after. */
static void end(struct upgrade *upgrade)
{
    host_handover_forget_sockets(&upgrade->handover);
    control_follow(upgrade->handover.control);
    notify_main_pid(upgrade->report.peer);
    upgrade->over = true;
    server_quit(upgrade->handover.server);
}

/* It goes on with what is here. */
static void go_on(struct upgrade *upgrade)
{
    char line[REASON_BYTES];
    const struct reason why = {line, sizeof(line)};
    struct host_handover *handover = &upgrade->handover;

    if (upgrade->report.outcome == HANDOVER_ALONE &&
        host_handover_mend(handover, &upgrade->report, &why))
        log_line(LOG_ERROR, "hand-over: what is lost cannot be made anew before a restart: %s",
                 line);
    attach_claim(&upgrade->door);
    control_follow(handover->control);
    upgrade_tell(handover->control, &upgrade->report, NULL);
    server_thaw(handover->server);
}

static void give(struct upgrade *upgrade, struct handover_link *link)
{
    struct host_handover *handover = &upgrade->handover;
    char *configuration = write_configuration(handover->host);
    const struct handover_settings settings = {
        .greeting = host_handover_greeting(handover, configuration),
        .blackout_ns = upgrade->config->upgrade.blackout,
        .turned_away = upgrade->door.fd,
    };

    if (!configuration) {
        log_line(LOG_ERROR, "hand-over: out of memory");
        return;
    }
    log_line(LOG_INFO, "hand-over: process %d asks for everything", (int)link->pid);
    control_complete(handover->control);
    handover_give(link, &settings, &host_handover_ops, handover, &upgrade->report);
    free(configuration);
    host_handover_tell(&upgrade->report);
    if (upgrade->report.outcome == HANDOVER_MOVED)
        end(upgrade);
    else
        go_on(upgrade);
}

/* One at a time; whoever else has knocked by then was told. */
static void knock(void *context)
{
    struct upgrade *upgrade = context;
    struct handover_link link;
    char line[REASON_BYTES] = "";
    int error = handover_accept(upgrade->door.fd, &link, &(struct reason){line, sizeof(line)});

    if (!error) {
        daemon_upgrader_fulfil(upgrade->upgrader);
        give(upgrade, &link);
        handover_hang_up(&link);
    } else if (error != -EAGAIN) {
        log_limited(LOG_WARNING, "%s", line);
    }
}

int upgrade_serve(struct upgrade *upgrade, struct server *server, struct host *host,
                  struct control *control, struct watchdog *watchdog)
{
    upgrade->handover = (struct host_handover){
        .host = host,
        .server = server,
        .control = control,
        .door = &upgrade->door,
        .door_path = upgrade->config->upgrade.socket.text,
        .meanwhile = meanwhile,
        .meanwhile_context = upgrade,
    };
    upgrade->watchdog = watchdog;
    return upgrade->door.fd >= 0 ? server_watch(server, upgrade->door.fd, knock, upgrade) : 0;
}

bool upgrade_is_over(const struct upgrade *upgrade)
{
    return upgrade->over;
}

const struct upgrader *upgrade_upgrader(const struct upgrade *upgrade)
{
    return upgrade->upgrader ? daemon_upgrader_table(upgrade->upgrader) : NULL;
}

/* Where the report is, a set that it has is one that came here or came back. */
static void tell_sets(struct events *events, const struct handover_report *report)
{
    for (uint32_t i = 0; i < report->set_count; i++) {
        const struct handover_set_report *set = &report->sets[i];
        bool moved = report->newcomer ? set->place == HANDOVER_HERE : set->place == HANDOVER_THERE;

        if (moved || (set->place == HANDOVER_HERE && set->blackout_ns > 0))
            upgrades_tell_set(events, set->name, !moved, set->blackout_ns);
    }
}

void upgrade_tell(struct control *control, const struct handover_report *report,
                  const struct losses *losses)
{
    struct events *events = control_events(control);
    struct upgrade_record *record = calloc(1, sizeof(*record));
    uint64_t number;

    if (!record) {
        log_line(LOG_ERROR, "hand-over: its record: out of memory");
        return;
    }
    upgrader_describe(report, record);
    upgrades_tell_start(events, report->newcomer, (uint32_t)report->peer,
                        report->outcome == HANDOVER_CHECKED);
    tell_sets(events, report);
    number = upgrades_add(control_upgrades(control), events, record);
    if (losses)
        control_await_losses(control, number, losses);
    free(record);
}

void upgrade_destroy(struct upgrade *upgrade)
{
    if (!upgrade)
        return;
    attach_close(&upgrade->door);
    daemon_upgrader_destroy(upgrade->upgrader);
    free(upgrade);
}
