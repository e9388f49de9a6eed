/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/upgrade_bed.h"

#include "tools/bench/folder.h"
#include "tools/bench/saddled.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

#define NSEC       1000000000ull
#define STOP_NS    (60 * NSEC)
#define CLOSE_NS   (10 * NSEC) /* after an interrupt or a failure nobody waits for longer */
#define LAST_LINES 15u
#define LINE_BYTES 512u
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

/* ---- Configurations ---- */

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

/* ---- Daemons ---- */

/* Beside one that runs it is its newcomer. */
static int start_daemon(const struct bed *bed, uint32_t daemon, const char *program,
                        struct actor *actor, char reason[BED_REASON])
{
    char config[BED_PATH_BYTES], log[BED_PATH_BYTES];
    const struct saddled_start start = {.program = program,
                                        .folder = bed->folder,
                                        .config = config,
                                        .log = log,
                                        .space = bed->spaces[daemon],
                                        .takes_over = bed->daemons[daemon].actor.pid > 0};
    path_of(bed, daemon, "yaml", config, sizeof(config));
    path_of(bed, daemon, "log", log, sizeof(log));
    int rc = saddled_start(&start, actor);
    if (rc && rc != -EINTR)
        because(reason, rc, "%s, the daemon %s: %s", program, bed->daemons[daemon].name,
                rc == -ECHILD ? "it did not come up" : strerror(-rc));
    return rc;
}

static int start_all(struct bed *bed, char reason[BED_REASON])
{
    int rc = 0;
    for (uint32_t i = 0; i < bed->count && i < BED_HOSTS && !rc; i++) {
        rc = write_config(bed, i, reason);
        if (!rc)
            rc = start_daemon(bed, i, bed->settings.saddled, &bed->daemons[i].actor, reason);
    }
    return rc;
}

int bed_open(struct bed *bed, const struct bed_settings *settings, char reason[BED_REASON])
{
    *bed = (struct bed){.settings = *settings, .count = settings->local ? 1 : BED_HOSTS};
    for (uint32_t i = 0; i < BED_HOSTS; i++) {
        bed->daemons[i] = (struct bed_daemon){.name = settings->local ? "both" : bed_hosts[i]};
        bed->spaces[i] = SPACE_NONE;
    }
    bed->opened = true;
    int rc = folder_make(bed->folder, sizeof(bed->folder));
    if (rc)
        because(reason, rc, "a folder in TMPDIR: %s", strerror(-rc));
    for (uint32_t i = 0; i < bed->count && !rc; i++) {
        struct bed_daemon *of = &bed->daemons[i];
        path_of(bed, i, "attach", of->attach, sizeof(of->attach));
        path_of(bed, i, "control", of->control, sizeof(of->control));
    }
    if (!rc && !settings->local)
        rc = space_pair(bed->spaces, SPACE_MTU_XDP, addresses, reason, BED_REASON);
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
    struct bed_daemon *of = &bed->daemons[daemon];
    struct actor newcomer = {0};
    int rc = start_daemon(bed, daemon, program, &newcomer, reason);
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
    for (uint32_t i = 0; i < BED_HOSTS; i++)
        actor_end(&bed->daemons[i].actor, SIGTERM, CLOSE_NS);
    space_close(bed->spaces);
    folder_remove(bed->folder);
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
