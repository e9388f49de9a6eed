/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/upgrade_bed.h"

#include "tools/bench/program.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NSEC       1000000000ull
#define START_NS   (60 * NSEC) /* far above any start of a daemon, and any hand-over */
#define STOP_NS    (60 * NSEC)
#define CLOSE_NS   (10 * NSEC) /* after an interrupt or a failure nobody waits for longer */
#define READY_FD   3
#define FDS_OPEN   16 /* of nftw: the folder is flat */
#define LAST_LINES 15u
#define LINE_BYTES 512u
#define SPACE_PATH "/proc/self/ns/net"
/* The largest that takes one frame of XDP is 3498; hosts with a larger one than Ethernet's have
 * fewer packets, and this machine both hosts. */
#define MTU "3490"
/* Two loads and the prober have a session at each host. */
#define SESSIONS 4u
/* For connections: a busy one has four streams, and an engine has room for a quarter as many
 * streams beyond the first of each as for connections. An idle one has its first alone; but of an
 * engine's room the half is set aside for its sessions in equal parts, of which one is nobody's. */
#define ROOM_BUSY  12u
#define ROOM_IDLE  2u
#define ROOM_SPARE 64u

const char *const bed_hosts[BED_HOSTS] = {"left", "right"};
static const char *const addresses[BED_HOSTS] = {"10.87.0.1", "10.87.0.2"};

/* Of a blackout no more is asked than that it ends: how long it took is what is measured. A host
 * is given up after a time in which nothing stands still on the slowest machine. */
static const char common_text[] =
    "socket: {path: %s, mode: \"0600\"}\n"
    "memory: 128MiB\n"
    "hugepages: off\n"
    "control: {path: %s, mode: \"0600\", program: %s, observe: [{any: true}]}\n"
    "upgrade: {socket: %s/%s.upgrade, blackout: 5s}\n";
#define ENGINE_TEXT "dead_after: 30s, sessions: %u, connections: %u"
static const char host_text[] =
    "ports: [{name: eth, driver: xdp, interface: eth0}]\n"
    "engines:\n"
    "  - {name: %s, kind: shaper, port: eth, classes: [{name: all, rate: 100Gbit, match: [any]}]}\n"
    "  - {name: %s0, port: eth, addresses: [%s], peers: [{name: %s, address: %s}],\n"
    "     " ENGINE_TEXT "}\n"
    "groups:\n"
    "  - {name: port, mode: spreading, engines: [%s]}\n"
    "  - {name: engine, mode: spreading, engines: [%s0]}\n";
static const char local_text[] =
    "ports:\n"
    "  - {name: wire0, driver: net_ring, peer: wire1, mtu: 5000}\n"
    "  - {name: wire1, driver: net_ring, peer: wire0, mtu: 5000}\n"
    "engines:\n"
    "  - {name: left, port: wire0, addresses: [10.87.0.1], " ENGINE_TEXT "}\n"
    "  - {name: right, port: wire1, addresses: [10.87.0.2], " ENGINE_TEXT "}\n"
    "groups:\n"
    "  - {name: engines, mode: spreading, engines: [left, right]}\n";

static int __attribute__((format(printf, 3, 4)))
because(char *reason, int rc, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(reason, BED_REASON, format, args);
    va_end(args);
    return rc;
}

/* ---- The network ---- */

/* A new namespace; the process stays where it is. */
static int make_space(int *space)
{
    *space = -1;
    int home = open(SPACE_PATH, O_RDONLY | O_CLOEXEC);
    int rc = home < 0 || unshare(CLONE_NEWNET) ? -errno : 0;
    if (!rc) {
        *space = open(SPACE_PATH, O_RDONLY | O_CLOEXEC);
        rc = *space < 0 ? -errno : 0;
        if (setns(home, CLONE_NEWNET) && !rc)
            rc = -errno;
    }
    if (home >= 0)
        close(home);
    return rc;
}

static int make_cable(const struct bed *bed, char reason[BED_REASON])
{
    char other[BED_PATH_BYTES];
    snprintf(other, sizeof(other), "/proc/%d/fd/%d", (int)getpid(), bed->daemons[1].space);
    const char *const words[] = {"ip",   "link", "add",  "eth0", "mtu", MTU,     "type", "veth",
                                 "peer", "name", "eth0", "mtu",  MTU,   "netns", other,  NULL};
    return program_run(words, bed->daemons[0].space, NULL, reason, BED_REASON);
}

static int settle(int space, const char *address, char reason[BED_REASON])
{
    char prefix[LINE_BYTES];
    snprintf(prefix, sizeof(prefix), "%s/24", address);
    const char *const lines[][PROGRAM_WORDS_MAX] = {
        {"ip", "address", "add", prefix, "dev", "eth0", NULL},
        {"ip", "link", "set", "lo", "up", NULL},
        {"ip", "link", "set", "eth0", "up", NULL},
    };
    int rc = 0;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]) && !rc; i++)
        rc = program_run(lines[i], space, NULL, reason, BED_REASON);
    return rc;
}

static int make_network(struct bed *bed, char reason[BED_REASON])
{
    int rc;
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        rc = make_space(&bed->daemons[i].space);
        if (rc)
            return because(reason, rc, "a network namespace: %s", strerror(-rc));
    }
    rc = make_cable(bed, reason);
    for (uint32_t i = 0; i < BED_HOSTS && !rc; i++)
        rc = settle(bed->daemons[i].space, addresses[i], reason);
    return rc;
}

/* ---- The folder ---- */

static int make_folder(struct bed *bed, char reason[BED_REASON])
{
    const char *where = getenv("TMPDIR");
    int len = snprintf(bed->folder, sizeof(bed->folder), "%s/saddle-bench.XXXXXX",
                       where && *where ? where : "/tmp");
    if (len < 0 || (size_t)len >= sizeof(bed->folder)) {
        bed->folder[0] = '\0';
        return because(reason, -ENAMETOOLONG, "TMPDIR: %s is too long for sockets", where);
    }
    if (mkdtemp(bed->folder))
        return 0;
    int rc = because(reason, -errno, "%s: %s", bed->folder, strerror(errno));
    bed->folder[0] = '\0';
    return rc;
}

static void path_of(const struct bed *bed, uint32_t daemon, const char *suffix, char *path,
                    size_t bytes)
{
    snprintf(path, bytes, "%s/%s.%s", bed->folder, bed->daemons[daemon].name, suffix);
}

static void write_engines(const struct bed *bed, uint32_t daemon, FILE *file)
{
    const char *own = bed_hosts[daemon], *other = bed_hosts[1 - daemon];
    const struct bed_settings *settings = &bed->settings;
    uint32_t room = ROOM_BUSY * (settings->busy + ROOM_SPARE) +
                    ROOM_IDLE * (settings->connections - settings->busy);
    if (bed->settings.local)
        fprintf(file, local_text, SESSIONS, room, SESSIONS, room);
    else
        fprintf(file, host_text, own, own, addresses[daemon], other, addresses[1 - daemon],
                SESSIONS, room, own, own);
}

static int write_config(const struct bed *bed, uint32_t daemon, char reason[BED_REASON])
{
    const struct bed_daemon *of = &bed->daemons[daemon];
    char path[BED_PATH_BYTES];
    path_of(bed, daemon, "yaml", path, sizeof(path));
    FILE *file = fopen(path, "we");
    if (!file)
        return because(reason, -errno, "%s: %s", path, strerror(errno));
    fprintf(file, common_text, of->attach, of->control, bed->settings.control, bed->folder,
            of->name);
    write_engines(bed, daemon, file);
    return fclose(file) ? because(reason, -errno, "%s: %s", path, strerror(errno)) : 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    remove(path);
    return 0;
}

/* ---- Daemons ---- */

struct start {
    const struct bed *bed;
    uint32_t daemon;
    const char *program;
    bool takes_over;
};

/* In the child. */
static void become_daemon(void *arg, int word_fd)
{
    const struct start *start = arg;
    int space = start->bed->daemons[start->daemon].space;
    char config[BED_PATH_BYTES], log[BED_PATH_BYTES], ready[] = {'0' + READY_FD, '\0'};
    path_of(start->bed, start->daemon, "yaml", config, sizeof(config));
    path_of(start->bed, start->daemon, "log", log, sizeof(log));
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* DPDK puts its run-time folder here instead of somewhere that outlives the run. */
    if (fd < 0 || setenv("RUNTIME_DIRECTORY", start->bed->folder, 1) ||
        dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(EXIT_FAILURE);
    if (word_fd == READY_FD)
        fcntl(word_fd, F_SETFD, 0);
    else if (dup2(word_fd, READY_FD) < 0)
        _exit(EXIT_FAILURE);
    if (space >= 0 && setns(space, CLONE_NEWNET)) {
        dprintf(STDERR_FILENO, "entering its network namespace: %s\n", strerror(errno));
        _exit(EXIT_FAILURE);
    }
    execlp(start->program, start->program, "--config", config, "--ready-fd", ready,
           start->takes_over ? "--takeover" : NULL, NULL);
    dprintf(STDERR_FILENO, "%s: %s\n", start->program, strerror(errno));
    _exit(EXIT_FAILURE);
}

static int start_daemon(const struct bed *bed, const struct start *start, struct actor *actor,
                        char reason[BED_REASON])
{
    const char *name = bed->daemons[start->daemon].name;
    int rc = actor_start(actor, SIGTERM, become_daemon, (void *)(uintptr_t)start);
    if (!rc)
        rc = actor_wait(actor, START_NS);
    if (rc && rc != -EINTR)
        because(reason, rc, "%s, the daemon %s: %s", start->program, name,
                rc == -ECHILD ? "it did not come up" : strerror(-rc));
    return rc;
}

static int start_all(struct bed *bed, char reason[BED_REASON])
{
    int rc = 0;
    for (uint32_t i = 0; i < bed->count && i < BED_HOSTS && !rc; i++) {
        const struct start start = {bed, i, bed->settings.saddled, false};
        rc = write_config(bed, i, reason);
        if (!rc)
            rc = start_daemon(bed, &start, &bed->daemons[i].actor, reason);
    }
    return rc;
}

int bed_open(struct bed *bed, const struct bed_settings *settings, char reason[BED_REASON])
{
    *bed = (struct bed){.settings = *settings, .count = settings->local ? 1 : BED_HOSTS};
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        bed->daemons[i] =
            (struct bed_daemon){.space = -1, .name = settings->local ? "both" : bed_hosts[i]};
    bed->opened = true;
    int rc = make_folder(bed, reason);
    for (uint32_t i = 0; i < bed->count && !rc; i++) {
        struct bed_daemon *of = &bed->daemons[i];
        path_of(bed, i, "attach", of->attach, sizeof(of->attach));
        path_of(bed, i, "control", of->control, sizeof(of->control));
    }
    if (!rc && !settings->local)
        rc = make_network(bed, reason);
    return rc ? rc : start_all(bed, reason);
}

/* The status that it should end with is 0. */
static int expect_end(const struct bed_daemon *daemon, int status, char reason[BED_REASON])
{
    if (status == 0)
        return 0;
    if (WIFEXITED(status))
        return because(reason, -EPROTO, "the daemon %s ended with status %d", daemon->name,
                       WEXITSTATUS(status));
    return because(reason, -EPROTO, "the daemon %s ended by signal %d, or did not end",
                   daemon->name, WTERMSIG(status));
}

int bed_replace(struct bed *bed, uint32_t daemon, const char *program, char reason[BED_REASON])
{
    const struct start start = {bed, daemon, program, true};
    struct bed_daemon *of = &bed->daemons[daemon];
    struct actor newcomer = {0};
    int rc = start_daemon(bed, &start, &newcomer, reason);
    if (rc) {
        actor_kill(&newcomer);
        return rc;
    }
    int status = actor_end(&of->actor, 0, STOP_NS);
    of->actor = newcomer;
    return expect_end(of, status, reason);
}

int bed_end(struct bed *bed, char reason[BED_REASON])
{
    int rc = 0;
    for (uint32_t i = 0; i < bed->count; i++) {
        struct bed_daemon *of = &bed->daemons[i];
        int status = actor_end(&of->actor, SIGTERM, STOP_NS);
        if (!rc)
            rc = expect_end(of, status, reason);
    }
    return rc;
}

void bed_tell(const struct bed *bed, FILE *out)
{
    static char lines[LAST_LINES][LINE_BYTES];
    for (uint32_t i = 0; i < bed->count && bed->folder[0]; i++) {
        char path[BED_PATH_BYTES];
        uint32_t count = 0;
        path_of(bed, i, "log", path, sizeof(path));
        FILE *file = fopen(path, "re");
        while (file && fgets(lines[count % LAST_LINES], LINE_BYTES, file))
            count++;
        if (file)
            fclose(file);
        fprintf(out, "saddle-bench: the daemon %s, the last lines of its log:\n",
                bed->daemons[i].name);
        for (uint32_t j = count > LAST_LINES ? count - LAST_LINES : 0; j < count; j++)
            fprintf(out, "    %s", lines[j % LAST_LINES]);
    }
}

void bed_close(struct bed *bed)
{
    if (!bed->opened)
        return;
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        actor_end(&bed->daemons[i].actor, SIGTERM, CLOSE_NS);
        if (bed->daemons[i].space >= 0)
            close(bed->daemons[i].space);
    }
    if (bed->folder[0])
        nftw(bed->folder, remove_one, FDS_OPEN, FTW_DEPTH | FTW_PHYS);
    bed->opened = false;
}

const char *bed_port(const struct bed *bed)
{
    return bed->settings.local ? "net_ring" : "xdp";
}

const char *bed_socket(const struct bed *bed, uint32_t host)
{
    return bed->daemons[bed->settings.local ? 0 : host].attach;
}
