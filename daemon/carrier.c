/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/carrier.h"

#include "control/log.h"
#include "daemon/port_tap.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define PERIOD_S 1 /* a link that is trained takes seconds itself */

struct carrier {
    const struct port *wire, *tap;
    bool (*link_up)(const struct port *wire);
    bool up; /* as the kernel was told */
};

struct carriers {
    int timer_fd;
    uint32_t count;
    struct carrier list[CARRIERS_MAX];
};

int carriers_create(struct carriers **carriers)
{
    const struct itimerspec each = {{PERIOD_S, 0}, {PERIOD_S, 0}};
    struct carriers *made = calloc(1, sizeof(*made));
    int error;

    if (!made)
        return -ENOMEM;
    made->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (made->timer_fd < 0 || timerfd_settime(made->timer_fd, 0, &each, NULL)) {
        error = -errno;
        carriers_destroy(made);
        return error;
    }
    *carriers = made;
    return 0;
}

void carriers_destroy(struct carriers *carriers)
{
    if (!carriers)
        return;
    if (carriers->timer_fd >= 0)
        close(carriers->timer_fd);
    free(carriers);
}

/* An interface that was removed beneath the daemon is nobody's any more: not said again and again.
 */
static void follow(struct carrier *carrier)
{
    bool up = carrier->link_up(carrier->wire);

    if (up == carrier->up)
        return;
    carrier->up = up;
    log_line(LOG_INFO, "interface %s: the link of port %s is %s", carrier->tap->name,
             carrier->wire->name, up ? "up" : "down");
    if (port_tap_carrier(carrier->tap, up))
        log_line(LOG_WARNING, "interface %s does not take the state of the link",
                 carrier->tap->name);
}

void carriers_add(struct carriers *carriers, const struct port *wire, const struct port *tap,
                  bool (*link_up)(const struct port *wire))
{
    struct carrier *carrier = &carriers->list[carriers->count++];

    assert(carriers->count <= CARRIERS_MAX);
    *carrier = (struct carrier){.wire = wire, .tap = tap, .link_up = link_up, .up = true};
    follow(carrier);
}

void carriers_remove(struct carriers *carriers, const struct port *tap)
{
    for (uint32_t i = 0; carriers && i < carriers->count; i++) {
        if (carriers->list[i].tap != tap)
            continue;
        carriers->list[i] = carriers->list[--carriers->count];
        return;
    }
}

int carriers_fd(const struct carriers *carriers)
{
    return carriers->timer_fd;
}

void carriers_work(void *context)
{
    struct carriers *carriers = context;
    uint64_t expired;

    if (read(carriers->timer_fd, &expired, sizeof(expired)) < 0 && errno != EAGAIN)
        log_line(LOG_ERROR, "carriers' timer: %s", strerror(errno));
    for (uint32_t i = 0; i < carriers->count; i++)
        follow(&carriers->list[i]);
}
