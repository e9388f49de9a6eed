/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What a test puts around hand-overs: `saddled-directed` is saddled, of the same objects, with
 * these in the place of three functions (ld --wrap). Whenever a step of a hand-over begins, by this
 * side or by the other, it tells a director, the test, and does what he says. It is not installed.
 *
 * The director listens at the Unix socket that the environment's SADDLE_DIRECTOR names. He is sent
 * "giver 4711 leave 1 0": who, the process, the step, its set (-1: none), and whether roles are
 * exchanged. He answers with a letter: `go`, `hurry`, `kill`, `stop`. Without one there nothing is
 * told.
 *
 * With SADDLE_SERVES_TO a newcomer says that it serves no application whose version of the
 * shared-memory ABI is above that.
 *
 * Threads: control's. Trust: the test's own.
 */
#include "daemon/handover.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINE_BYTES 64u
/* What a step may take once there is nobody any more who would take it. */
#define HURRIED_NS (300 * NSEC_PER_MSEC)

void __real_handover_give(struct handover_link *link, const struct handover_settings *settings,
                          const struct handover_ops *ops, void *context,
                          struct handover_report *report);
void __real_handover_take(struct handover_link *link, const struct handover_settings *settings,
                          const struct handover_ops *ops, void *context,
                          struct handover_report *report);
uint64_t __real_handover_limit(enum handover_step step);
void __wrap_handover_give(struct handover_link *link, const struct handover_settings *settings,
                          const struct handover_ops *ops, void *context,
                          struct handover_report *report);
void __wrap_handover_take(struct handover_link *link, const struct handover_settings *settings,
                          const struct handover_ops *ops, void *context,
                          struct handover_report *report);
uint64_t __wrap_handover_limit(enum handover_step step);

/* Of the hand-over at hand. */
static struct {
    const char *side;
    bool hurried;
} scene;

/* 0: there is no director. */
static char ask(const char *line)
{
    const char *path = getenv("SADDLE_DIRECTOR");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer = 0;
    int fd;

    if (!path || strlen(path) >= sizeof(address.sun_path))
        return 0;
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) ||
        send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 || recv(fd, &answer, 1, 0) != 1)
        answer = 0;
    close(fd);
    return answer;
}

static void at(void *context, enum handover_step step, uint32_t set, bool back)
{
    char line[LINE_BYTES];

    (void)context;
    snprintf(line, sizeof(line), "%s %d %s %d %d", scene.side, (int)getpid(),
             handover_step_name(step), (int)set, back);
    switch (ask(line)) {
    case 'h':
        scene.hurried = true;
        break;
    case 'k':
        kill(getpid(), SIGKILL);
        break;
    case 's':
        kill(getpid(), SIGSTOP);
        break;
    default:
        break;
    }
}

static struct handover_ops watched(const char *side, const struct handover_ops *ops)
{
    struct handover_ops copy = *ops;

    scene.side = side;
    scene.hurried = false;
    copy.at = at;
    return copy;
}

void __wrap_handover_give(struct handover_link *link, const struct handover_settings *settings,
                          const struct handover_ops *ops, void *context,
                          struct handover_report *report)
{
    const struct handover_ops copy = watched("giver", ops);

    __real_handover_give(link, settings, &copy, context, report);
}

void __wrap_handover_take(struct handover_link *link, const struct handover_settings *settings,
                          const struct handover_ops *ops, void *context,
                          struct handover_report *report)
{
    const struct handover_ops copy = watched("taker", ops);
    const char *served = getenv("SADDLE_SERVES_TO");
    struct handover_settings said = *settings;

    if (served)
        said.greeting.abi.newest = (uint32_t)strtoul(served, NULL, 10);
    __real_handover_take(link, &said, &copy, context, report);
}

uint64_t __wrap_handover_limit(enum handover_step step)
{
    uint64_t limit = __real_handover_limit(step);

    return scene.hurried && limit > HURRIED_NS ? HURRIED_NS : limit;
}
