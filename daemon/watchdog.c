/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/watchdog.h"

#include "control/log.h"
#include "daemon/notify.h"
#include "daemon/progress.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOOKS_PER_INTERVAL 2 /* as sd_watchdog_enabled(3) recommends */

struct watchdog {
    struct server *server;
    const struct host *host;
    struct progress progress;
    int timer_fd;
};

static void look(void *context)
{
    struct watchdog *watchdog = context;
    const struct engine *stuck = NULL;
    uint32_t count;
    struct engine *const *engines = host_engines(watchdog->host, &count);
    uint64_t expirations;
    bool well;

    if (read(watchdog->timer_fd, &expirations, sizeof(expirations)) != sizeof(expirations))
        return;
    well = progress_check(&watchdog->progress, engines, count, &stuck);
    if (!well)
        log_limited_event(LOG_ERROR, (&(struct log_about){.engine = stuck->name}),
                          "engine %s does not get on: its thread is held up", stuck->name);
    notify_watchdog(well);
}

static int open_timer(struct watchdog *watchdog, uint64_t period_ns)
{
    const struct timespec period = {(time_t)(period_ns / NSEC_PER_SEC),
                                    (long)(period_ns % NSEC_PER_SEC)};
    const struct itimerspec times = {period, period};
    int error;

    watchdog->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (watchdog->timer_fd < 0)
        return -errno;
    error = timerfd_settime(watchdog->timer_fd, 0, &times, NULL) ? -errno : 0;
    if (!error)
        error = server_watch(watchdog->server, watchdog->timer_fd, look, watchdog);
    if (error)
        close(watchdog->timer_fd);
    return error;
}

int watchdog_start(struct watchdog **result, struct server *server, const struct host *host)
{
    uint64_t interval_ns = notify_watchdog_interval();
    struct watchdog *watchdog;
    int error;

    *result = NULL;
    if (!interval_ns)
        return 0;
    watchdog = calloc(1, sizeof(*watchdog));
    if (!watchdog)
        return -ENOMEM;
    watchdog->server = server;
    watchdog->host = host;
    error = open_timer(watchdog, interval_ns / LOOKS_PER_INTERVAL);
    if (error)
        free(watchdog);
    else
        *result = watchdog;
    return error;
}

void watchdog_look(struct watchdog *watchdog)
{
    if (watchdog)
        look(watchdog);
}

void watchdog_stop(struct watchdog *watchdog)
{
    if (!watchdog)
        return;
    server_unwatch(watchdog->server, watchdog->timer_fd);
    close(watchdog->timer_fd);
    free(watchdog);
}
