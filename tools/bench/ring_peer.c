/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The same work over what others have made, by their own programs, if this machine has them: a
 * server on one processor, which is started here, and a client on the other, which is run for what
 * it says.
 */
#include "tools/bench/actor.h"
#include "tools/bench/bench.h"
#include "tools/bench/program.h"
#include "tools/bench/ring_says.h"
#include "tools/bench/ring_work.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORD_BYTES    16u
#define SETTINGS_MAX  2u
#define WARM_UP_SHARE 10.0
#define TRIES         50u          /* for a server to listen, */
#define TRY_NS        100000000ull /* each */
/* How many for each second of a case: a quarter of what fits into it, or less, because on a machine
 * with other work to do they take a hundred times as long, and a program has a minute. */
#define COUNT_BY_MEMORY 200000.0
#define COUNT_BY_TCP    20000.0
#define COUNT_MIN       1000.0 /* what it takes to say anything */
#define COUNT_LARGE     0.1    /* of that, of large messages */
/* One-sided operations by memory are copies that the client makes by itself. */
#define COUNT_COPIES 10.0
#define SECONDS_MAX  2.0 /* likewise: of longer cases no more */

#define HOST "127.0.0.1"
/* In place of these words of a command line stands what they name. */
#define PORT     "{port}"
#define BYTES    "{bytes}"
#define COUNT    "{count}"
#define TEST     "{test}"
#define WINDOW   "{window}"
#define WARM_UP  "{warm-up}"
#define PROVIDER "{provider}"
#define ENDPOINT "{endpoint}"

struct tool {
    const char *name, *package; /* of Debian */
    const char *const *server, *const *client;
    bool (*read)(const char *text, const struct ring_case *what, struct ring_result *result);
};

static const char *const perftest_server[] = {"-p", PORT, NULL};
static const char *const perftest_client[] = {HOST,    "-p", PORT,   "-t", TEST,  "-s",
                                              BYTES,   "-O", WINDOW, "-n", COUNT, "-w",
                                              WARM_UP, "-f", "-v",   NULL};
/* By work. */
static const char *const perftests[RING_WORKS] = {
    [RING_TRIPS] = "tag_lat",     [RING_MESSAGES] = "tag_bw", [RING_READS] = "ucp_get",
    [RING_WRITES] = "ucp_put_bw", [RING_SWAPS] = "ucp_cswap", [RING_ADDS] = "ucp_fadd",
};
static const struct tool perftest = {
    .name = "ucx_perftest",
    .package = "ucx-utils",
    .server = perftest_server,
    .client = perftest_client,
    .read = ring_says_ucx,
};

/* Both sides count the trips. */
static const char *const pingpong_server[] = {"-p", PROVIDER, "-e", ENDPOINT, "-S", BYTES,
                                              "-I", COUNT,    "-B", PORT,     NULL};
static const char *const pingpong_client[] = {"-p", PROVIDER, "-e", ENDPOINT, "-S", BYTES,
                                              "-I", COUNT,    "-P", PORT,     HOST, NULL};
static const struct tool pingpong = {
    .name = "fi_pingpong",
    .package = "libfabric-bin",
    .server = pingpong_server,
    .client = pingpong_client,
    .read = ring_says_pingpong,
};

struct peer {
    const struct tool *tool;
    const char *settings[SETTINGS_MAX]; /* of its environment; NULL after the last one */
    const char *provider, *endpoint;
    double count_per_s;
};

static const struct peer peers[RING_PEERS] = {
    [RING_UCX_POSIX] = {.tool = &perftest,
                        .settings = {"UCX_TLS=posix"},
                        .count_per_s = COUNT_BY_MEMORY},
    [RING_UCX_TCP] = {.tool = &perftest,
                      .settings = {"UCX_TLS=tcp", "UCX_NET_DEVICES=lo"},
                      .count_per_s = COUNT_BY_TCP},
    [RING_LIBFABRIC_SHM] = {.tool = &pingpong,
                            .provider = "shm",
                            .endpoint = "rdm",
                            .count_per_s = COUNT_BY_MEMORY},
    [RING_LIBFABRIC_TCP] = {.tool = &pingpong,
                            .settings = {"FI_TCP_IFACE=lo"},
                            .provider = "tcp",
                            .endpoint = "msg",
                            .count_per_s = COUNT_BY_TCP},
};

/* One visit to one of them. */
struct visit {
    struct ring_shared *shared;
    const struct peer *peer;
    char port[WORD_BYTES], bytes[WORD_BYTES], count[WORD_BYTES], warm_up[WORD_BYTES],
        window[WORD_BYTES];
};

static const char *word_of(const struct visit *visit, const char *word)
{
    const char *const words[][2] = {{PORT, visit->port},
                                    {BYTES, visit->bytes},
                                    {COUNT, visit->count},
                                    {TEST, perftests[visit->shared->what.work]},
                                    {WINDOW, visit->window},
                                    {WARM_UP, visit->warm_up},
                                    {PROVIDER, visit->peer->provider},
                                    {ENDPOINT, visit->peer->endpoint}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(word, words[i][0]) == 0)
            return words[i][1];
    return word;
}

static void write_line(const struct visit *visit, const char *const *options,
                       const char *line[PROGRAM_WORDS_MAX + 1])
{
    size_t count = 0;
    line[count++] = "env";
    for (size_t i = 0; i < SETTINGS_MAX && visit->peer->settings[i]; i++)
        line[count++] = visit->peer->settings[i];
    line[count++] = visit->peer->tool->name;
    for (; *options && count < PROGRAM_WORDS_MAX; options++)
        line[count++] = word_of(visit, *options);
    line[count] = NULL;
}

static void become_server(void *arg, int word_fd)
{
    const struct visit *visit = arg;
    const char *line[PROGRAM_WORDS_MAX + 1];
    int out = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (out < 0 || dup2(out, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(out, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    fcntl(word_fd, F_SETFD, 0); /* which says when it has ended */
    bench_pin(visit->shared->far_cpu);
    write_line(visit, visit->peer->tool->server, line);
    execvp(line[0], (char *const *)line);
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

/* The programs have no option in common for the processor to be on: they inherit it. */
static int run_client(const struct visit *visit, char **text, char reason[RING_REASON_BYTES])
{
    const char *line[PROGRAM_WORDS_MAX + 1];
    cpu_set_t before;
    int unknown = sched_getaffinity(0, sizeof(before), &before);
    write_line(visit, visit->peer->tool->client, line);
    bench_pin(visit->shared->cpu);
    int rc = program_run(line, -1, text, reason, RING_REASON_BYTES);
    if (!unknown)
        sched_setaffinity(0, sizeof(before), &before);
    return rc;
}

/* Until the server listens; or has ended, and what the client said last is the reason. */
static int ask(const struct visit *visit, const struct actor *server, char **text,
               char reason[RING_REASON_BYTES])
{
    int rc = -EAGAIN;
    for (uint32_t i = 0; i < TRIES && rc; i++) {
        int ended = i > 0 ? actor_await_output(server, TRY_NS) : -ETIMEDOUT;
        if (ended == -EINTR)
            return ended;
        if (ended != -ETIMEDOUT)
            break;
        rc = run_client(visit, text, reason);
        if (rc == -EINTR || rc == -ENOENT)
            break;
    }
    return rc;
}

/* Anything that is wrong with somebody else's program leaves this case out, and no other. */
static int give_up(struct ring_shared *shared, int rc, const char *why)
{
    return rc == -EINTR ? rc : ring_missing(shared, "%s", why);
}

static void prepare(struct visit *visit)
{
    const struct ring_shared *shared = visit->shared;
    double seconds = shared->seconds < SECONDS_MAX ? shared->seconds : SECONDS_MAX;
    const struct ring_case *what = &shared->what;
    double count = seconds * visit->peer->count_per_s;
    if (what->bytes > RING_SMALL_BYTES)
        count *= COUNT_LARGE;
    if (what->peer == RING_UCX_POSIX && what->work >= RING_READS && what->work <= RING_ADDS)
        count *= COUNT_COPIES;
    count = count > COUNT_MIN ? count : COUNT_MIN;
    snprintf(visit->bytes, sizeof(visit->bytes), "%u", shared->what.bytes);
    snprintf(visit->count, sizeof(visit->count), "%.0f", count);
    snprintf(visit->warm_up, sizeof(visit->warm_up), "%.0f", count / WARM_UP_SHARE);
    snprintf(visit->window, sizeof(visit->window), "%u", what->window);
}

int ring_peer(struct ring_shared *shared)
{
    struct visit visit = {.shared = shared, .peer = &peers[shared->what.peer]};
    const struct tool *tool = visit.peer->tool;
    struct actor server = {0};
    char reason[RING_REASON_BYTES] = "", *text = NULL;
    prepare(&visit);
    const char *const present[] = {"env", tool->name, "-h", NULL};
    int rc = program_run(present, -1, NULL, reason, sizeof(reason));
    if (rc == -ENOENT)
        return ring_missing(shared, "%s is not installed (Debian: %s)", tool->name, tool->package);
    /* What status it ends its help with is its own affair. */
    if (rc != -EINTR)
        rc = choose_port(visit.port);
    if (!rc)
        rc = actor_start(&server, SIGKILL, become_server, &visit);
    if (!rc)
        rc = ask(&visit, &server, &text, reason);
    actor_kill(&server);
    if (rc)
        return give_up(shared, rc, reason[0] ? reason : strerror(-rc));
    if (!tool->read(text, &shared->what, &shared->result)) {
        snprintf(reason, sizeof(reason), "%s says something else than it used to", tool->name);
        rc = give_up(shared, -EPROTO, reason);
    }
    free(text);
    return rc;
}
