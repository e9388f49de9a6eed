/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Round trips over UCX in shared memory, by its own program, if this machine has it. */
#include "tools/bench/actor.h"
#include "tools/bench/program.h"
#include "tools/bench/ring_work.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PROGRAM     "ucx_perftest"
#define TRANSPORT   "UCX_TLS=posix"
#define WORD_BYTES  16u
#define TRIPS_PER_S 500000.0  /* about twice what takes as long as it should */
#define TRIPS_MIN   1000.0    /* what it needs to say anything */
#define TRIPS_MAX   1000000.0 /* while others use the processors, they take much longer */
#define TRIES       50u       /* for its server to listen, */
#define TRY_NS      100000000 /* each */

struct server {
    char port[WORD_BYTES], cpu[WORD_BYTES];
};

static void become_server(void *arg, int word_fd)
{
    const struct server *server = arg;
    int out = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)word_fd;
    if (out < 0 || dup2(out, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    execlp("env", "env", TRANSPORT, PROGRAM, "-p", server->port, "-c", server->cpu, NULL);
    _exit(EXIT_FAILURE);
}

/* One that nobody has just now. */
static int choose_port(char port[WORD_BYTES])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int rc = 0, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        rc = -errno;
    if (fd >= 0)
        close(fd);
    snprintf(port, WORD_BYTES, "%u", ntohs(address.sin_port));
    return rc;
}

static int ask(const struct ring_shared *shared, const char *port, char **text,
               char reason[RING_REASON_BYTES])
{
    const struct timespec pause = {.tv_nsec = TRY_NS};
    char bytes[WORD_BYTES], count[WORD_BYTES], warm_up[WORD_BYTES], cpu[WORD_BYTES];
    double trips = shared->seconds * TRIPS_PER_S;
    trips = trips < TRIPS_MIN ? TRIPS_MIN : trips > TRIPS_MAX ? TRIPS_MAX : trips;
    snprintf(bytes, sizeof(bytes), "%u", shared->what.bytes);
    snprintf(count, sizeof(count), "%.0f", trips);
    snprintf(warm_up, sizeof(warm_up), "%.0f", trips / 10);
    snprintf(cpu, sizeof(cpu), "%u", shared->cpu);
    const char *const words[] = {"env",     TRANSPORT, PROGRAM, "127.0.0.1", "-p",  port, "-t",
                                 "tag_lat", "-s",      bytes,   "-n",        count, "-w", warm_up,
                                 "-c",      cpu,       "-f",    "-v",        NULL};
    int rc = -EAGAIN;
    for (uint32_t i = 0; i < TRIES && rc && rc != -EINTR && rc != -ENOENT; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        rc = program_run(words, -1, text, reason, RING_REASON_BYTES);
    }
    return rc;
}

/* Anything that is wrong with somebody else's program leaves this case out, and no other. */
static int give_up(struct ring_shared *shared, int rc, const char *why)
{
    if (rc == -EINTR)
        return rc;
    return ring_error(shared, -ENOENT, "%s", why);
}

int ring_ucx_trips(struct ring_shared *shared)
{
    struct server server;
    struct actor actor = {0};
    char reason[RING_REASON_BYTES] = "", *text = NULL;
    const char *const present[] = {"env", PROGRAM, "-h", NULL};
    int rc = program_run(present, -1, NULL, reason, sizeof(reason));
    if (rc == -ENOENT)
        return ring_error(shared, rc, PROGRAM " is not installed (Debian: ucx-utils)");
    /* What status it ends its help with is its own affair. */
    if (rc != -EINTR)
        rc = choose_port(server.port);
    snprintf(server.cpu, sizeof(server.cpu), "%u", shared->far_cpu);
    if (!rc)
        rc = actor_start(&actor, SIGKILL, become_server, &server);
    if (!rc)
        rc = ask(shared, server.port, &text, reason);
    actor_kill(&actor);
    if (rc)
        return give_up(shared, rc, reason[0] ? reason : strerror(-rc));
    if (!ring_read_ucx(text, &shared->result.values[RING_P50]))
        rc = give_up(shared, -EPROTO, PROGRAM " says something else than it used to");
    free(text);
    return rc;
}
