/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/notify.h"

#include "control/log.h"
#include "sched/clock.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define STATUS_BYTES 256u  /* one line for a person */
#define STATE_BYTES  1024u /* a status and the words around it */
#define ADDRESS      "NOTIFY_SOCKET"

static char *address;
static uint64_t watchdog_ns;
static char status[STATUS_BYTES]; /* the last that notify_ready gave; "": none */

int notify_begin(void)
{
    const char *given = getenv(ADDRESS);
    uint64_t interval_us = 0;

    notify_end();
    if (sd_watchdog_enabled(1, &interval_us) > 0)
        watchdog_ns = interval_us * NSEC_PER_USEC;
    if (!given)
        return 0;
    address = strdup(given);
    unsetenv(ADDRESS);
    return address ? 0 : -ENOMEM;
}

void notify_end(void)
{
    free(address);
    address = NULL;
    watchdog_ns = 0;
    status[0] = '\0';
}

/* The library knows the address from the environment alone. */
static void tell_with(const char *state, const int *fds, uint32_t count)
{
    int error;

    if (!address)
        return;
    if (setenv(ADDRESS, address, 1))
        return;
    error = sd_pid_notify_with_fds(0, 1, state, fds, count);
    if (error < 0)
        log_limited(LOG_WARNING, "service manager: %s", strerror(-error));
}

static void tell(const char *state)
{
    tell_with(state, NULL, 0);
}

/* Lines end a field: a status has none. */
void notify_ready(const char *format, ...)
{
    char state[STATE_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(status, sizeof(status), format, args);
    va_end(args);
    for (char *at = status; *at; at++) {
        if (*at == '\n')
            *at = ' ';
    }
    snprintf(state, sizeof(state), "READY=1\nSTATUS=%s", status);
    tell(state);
}

void notify_reloading(void)
{
    char state[STATE_BYTES];

    snprintf(state, sizeof(state),
             "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reading the configuration again",
             (unsigned long long)(clock_now(&clock_machine) / NSEC_PER_USEC));
    tell(state);
}

void notify_stopping(void)
{
    tell("STOPPING=1\nSTATUS=stopping");
}

void notify_main_pid(pid_t pid)
{
    char state[STATE_BYTES];

    snprintf(state, sizeof(state), "MAINPID=%d\nWATCHDOG=1\nSTATUS=handed over to process %d",
             (int)pid, (int)pid);
    tell(state);
}

bool notify_managed(void)
{
    return address != NULL;
}

/* It polls what it keeps, unless told not to, and drops what looks as if nobody were there. */
void notify_keep(const char *name, const int *fds, uint32_t count)
{
    char state[STATE_BYTES];

    snprintf(state, sizeof(state), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
    tell_with(state, fds, count);
}

void notify_drop(const char *name)
{
    char state[STATE_BYTES];

    snprintf(state, sizeof(state), "FDSTOREREMOVE=1\nFDNAME=%s", name);
    tell(state);
}

uint64_t notify_watchdog_interval(void)
{
    return watchdog_ns;
}

void notify_watchdog(bool well)
{
    char state[STATE_BYTES];

    if (!well)
        return;
    snprintf(state, sizeof(state), "WATCHDOG=1%s%s", status[0] ? "\nSTATUS=" : "", status);
    tell(state);
}
