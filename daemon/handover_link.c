/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/handover_link.h"

#include "control/log.h"
#include "daemon/handover_private.h"
#include "sched/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define OWNER_MODE 0600u /* who may connect; root may anyway */
/* Between two lines in the log about a process that was killed and does not die. */
#define STILL_ALIVE_NS NSEC_PER_SEC

int handover_listen(struct attach_socket *door, const char *path, const struct reason *why)
{
    return attach_open(door, SOCK_SEQPACKET, path, OWNER_MODE, why->text, why->bytes);
}

static int poll_until(int fd, uint64_t patience)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    uint64_t deadline = clock_now(&clock_machine) + patience;

    for (;;) {
        uint64_t now = clock_now(&clock_machine);
        uint64_t left = deadline > now ? deadline - now : 0;
        const struct timespec timeout = {
            .tv_sec = (time_t)(left / NSEC_PER_SEC),
            .tv_nsec = (long)(left % NSEC_PER_SEC),
        };
        int ready = ppoll(&one, 1, &timeout, NULL);

        if (ready >= 0 || errno != EINTR)
            return ready;
    }
}

/* Who is at the other end, and whether this process could deal with him if he fell silent. */
static int meet(struct handover_link *link, const struct reason *why)
{
    struct pollfd hung_up = {.fd = link->socket, .events = POLLRDHUP};
    struct ucred peer;
    socklen_t length = sizeof(peer);

    if (getsockopt(link->socket, SOL_SOCKET, SO_PEERCRED, &peer, &length))
        return reason_set(why, -errno, "hand-over: whose the other side is: %s", strerror(errno));
    link->pid = peer.pid;
    if (peer.uid != geteuid() && peer.uid != 0)
        return reason_set(why, -EACCES, "hand-over: process %d is uid %u's, not uid %u's or root's",
                          peer.pid, peer.uid, geteuid());
    link->pidfd = peer.pid > 0 ? pidfd_open(peer.pid, 0) : -1;
    if (link->pidfd < 0)
        return reason_set(
            why, -EACCES,
            "hand-over: process %d cannot be looked after: %s; both daemons have to be "
            "in one PID namespace",
            peer.pid, peer.pid > 0 ? strerror(errno) : "it is not visible here");
    if (pidfd_send_signal(link->pidfd, 0, NULL, 0))
        return reason_set(why, -EACCES,
                          "hand-over: process %d cannot be signalled by uid %u: %s; start the new "
                          "daemon as the user of the old one",
                          peer.pid, geteuid(), strerror(errno));
    /* Its number may be another one's by now only if it is gone, and then so is the socket. */
    if (poll(&hung_up, 1, 0) > 0 && hung_up.revents & (POLLHUP | POLLERR))
        return reason_set(why, -EPIPE, "hand-over: process %d is gone again", peer.pid);
    return 0;
}

static int take_in(int door, struct handover_link *link)
{
    *link = (struct handover_link){.pidfd = -1};
    link->socket = accept4(door, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (link->socket >= 0)
        return 0;
    return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? -EAGAIN : -errno;
}

int handover_accept(int door, struct handover_link *link, const struct reason *why)
{
    int error = take_in(door, link);

    if (error == -EAGAIN)
        return error;
    if (error)
        return reason_set(why, error, "hand-over: accept: %s", strerror(-error));
    error = meet(link, why);
    if (error) {
        handover_send_away(link->socket, error, why->text);
        handover_hang_up(link);
    }
    return error;
}

void handover_turn_away(int door, const char *reason)
{
    struct handover_link link;

    while (!take_in(door, &link)) {
        handover_send_away(link.socket, -EBUSY, reason);
        handover_hang_up(&link);
    }
}

int handover_connect(const char *path, struct handover_link *link, const struct reason *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int error;

    *link = (struct handover_link){.socket = -1, .pidfd = -1};
    if (strlen(path) >= sizeof(address.sun_path))
        return reason_set(why, -ENAMETOOLONG, "socket %s: %s", path, strerror(ENAMETOOLONG));
    memcpy(address.sun_path, path, strlen(path));
    link->socket = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (link->socket < 0)
        return reason_set(why, -errno, "socket %s: %s", path, strerror(errno));
    if (connect(link->socket, (struct sockaddr *)&address, sizeof(address)))
        error = reason_set(why, -errno, "socket %s: %s%s", path, strerror(errno),
                           errno == ENOENT || errno == ECONNREFUSED
                               ? "; no daemon waits there for a new one"
                               : "");
    else
        error = meet(link, why);
    if (error)
        handover_hang_up(link);
    return error;
}

bool handover_died(const struct handover_link *link, uint64_t patience)
{
    return poll_until(link->pidfd, patience) > 0;
}

void handover_kill(const struct handover_link *link)
{
    if (pidfd_send_signal(link->pidfd, SIGKILL, NULL, 0) && errno != ESRCH)
        log_line(LOG_ERROR, "hand-over: process %d cannot be killed: %s", (int)link->pid,
                 strerror(errno));
    while (!handover_died(link, STILL_ALIVE_NS))
        log_line(LOG_WARNING, "hand-over: process %d was killed and is not dead yet",
                 (int)link->pid);
}

void handover_hang_up(struct handover_link *link)
{
    if (link->socket >= 0) {
        close(link->socket);
        if (link->pidfd >= 0)
            close(link->pidfd);
    }
    link->socket = -1;
    link->pidfd = -1;
}
