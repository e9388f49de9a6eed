/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/actor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NSEC 1000000000ull

static int interrupts = -1; /* signalfd */

int actors_init(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return -errno;
    interrupts = signalfd(-1, &set, SFD_CLOEXEC);
    return interrupts < 0 ? -errno : 0;
}

static void become(pid_t parent, int last_signal)
{
    sigset_t none;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, last_signal);
    if (getppid() != parent)
        _exit(EXIT_FAILURE); /* it died before it could be followed */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int actor_start(struct actor *actor, int last_signal, void (*body)(void *arg, int word_fd),
                void *arg)
{
    int ends[2];
    pid_t parent = getpid();
    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    pid_t pid = fork();
    if (pid < 0) {
        int rc = -errno;
        close(ends[0]);
        close(ends[1]);
        return rc;
    }
    if (pid == 0) {
        become(parent, last_signal);
        close(ends[0]);
        body(arg, ends[1]);
        _exit(EXIT_SUCCESS);
    }
    close(ends[1]);
    *actor = (struct actor){.pid = pid, .pipe = ends[0]};
    return 0;
}

int actor_await_output(const struct actor *actor, uint64_t timeout_ns)
{
    struct pollfd fds[] = {{.fd = actor->pipe, .events = POLLIN},
                           {.fd = interrupts, .events = POLLIN}};
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / NSEC),
                                     .tv_nsec = (long)(timeout_ns % NSEC)};
    int rc = ppoll(fds, 2, &timeout, NULL);
    if (rc < 0)
        return -errno;
    if (rc == 0)
        return -ETIMEDOUT;
    return fds[1].revents ? -EINTR : 0;
}

int actor_wait(struct actor *actor, uint64_t timeout_ns)
{
    char word;
    int rc = actor_await_output(actor, timeout_ns);
    if (rc)
        return rc;
    return read(actor->pipe, &word, 1) == 1 ? 0 : -ECHILD;
}

int actor_end(struct actor *actor, int number, uint64_t patience_ns)
{
    int status = 0;
    if (actor->pid <= 0)
        return 0;
    const struct timespec patience = {.tv_sec = (time_t)(patience_ns / NSEC),
                                      .tv_nsec = (long)(patience_ns % NSEC)};
    struct pollfd end = {.fd = pidfd_open(actor->pid, 0), .events = POLLIN};
    kill(actor->pid, number);
    if (end.fd < 0 || ppoll(&end, 1, &patience, NULL) <= 0)
        kill(actor->pid, SIGKILL);
    while (waitpid(actor->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (end.fd >= 0)
        close(end.fd);
    close(actor->pipe);
    *actor = (struct actor){.pid = 0, .pipe = -1};
    return status;
}

void actor_kill(struct actor *actor)
{
    actor_end(actor, SIGKILL, NSEC);
}
