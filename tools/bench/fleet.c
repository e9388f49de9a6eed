/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/fleet.h"

#include "tools/bench/class.h"
#include "tools/bench/folder.h"
#include "tools/bench/saddled.h"
#include "tools/bench/space.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STOP_NS      (10 * 1000000000ull)
#define PATH_BYTES   (FLEET_PATH_BYTES + 16u)
#define LINE_BYTES   256u
#define CONFIG_NAME  "saddled.yaml"
#define LOG_NAME     "saddled.log"
#define CORE_BYTES   32u
#define FIRST_RIGHT  2u /* the end of its first address */
#define RIGHTS_BYTES 1024u
#define LOOKS        30u       /* for what the log says of a refusal, */
#define LOOK_NS      100000000 /* each: it comes with the daemon's next look at its threads */
/* What an engine has room for, unless somebody asks for more: as in saddled.conf(5). */
#define SESSIONS_DEFAULT    64u
#define CONNECTIONS_DEFAULT 1024u

static const char config_text[] =
    "socket: {path: %s, mode: \"0600\"}\n"
    "memory: 128MiB\n"
    "hugepages: off\n"
    "deadline_share: 100%%\n" /* nobody takes over from it */
    "ports:\n"
    "  - {name: wire0, driver: net_ring, peer: wire1, mac: 02:00:00:00:00:01, mtu: 5000}\n"
    "  - {name: wire1, driver: net_ring, peer: wire0, mac: 02:00:00:00:00:02, mtu: 5000}\n"
    "limits: {sessions_per_uid: 1024}\n" /* the engines' own room counts */
    "engines:\n"
    "  - {name: " FLEET_LEFT ", port: wire0, addresses: [10.0.0.1],\n"
    "     sessions: %u, connections: %u,\n"
    "     peers: [%s]}\n"
    "  - {name: " FLEET_RIGHT ", port: wire1, addresses: [%s],\n"
    "     sessions: %u, connections: %u,\n"
    "     peers: [{name: " FLEET_LEFT ", address: 10.0.0.1, mac: 02:00:00:00:00:01}]}\n"
    "groups:\n"
    "  - {name: " FLEET_GROUP ", mode: %s, class: %s, engines: [" FLEET_LEFT ", " FLEET_RIGHT
    "]%s}\n";

static void path_of(const struct fleet *fleet, const char *name, char path[PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", fleet->folder, name);
}

int fleet_init(struct fleet *fleet, const char *program)
{
    *fleet = (struct fleet){.program = program,
                            .sessions = SESSIONS_DEFAULT,
                            .connections = CONNECTIONS_DEFAULT};
    int rc = folder_make(fleet->folder, sizeof(fleet->folder));
    if (rc)
        return rc;
    snprintf(fleet->socket, sizeof(fleet->socket), "%s/attach.sock", fleet->folder);
    return 0;
}

/* A group whose threads spin has a core of its own, as it would have for real: the last one. */
static void choose_core(const struct plan_variant *variant, char *text, size_t text_bytes)
{
    cpu_set_t set;
    text[0] = '\0';
    if (strcmp(variant->mode, "dedicated") != 0 || sched_getaffinity(0, sizeof(set), &set))
        return;
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && !text[0]; cpu--)
        if (CPU_ISSET(cpu, &set))
            snprintf(text, text_bytes, ", cpus: \"%d\"", cpu);
}

void fleet_right(uint32_t flow, char name[FLEET_NAME_BYTES])
{
    if (flow == 0)
        snprintf(name, FLEET_NAME_BYTES, FLEET_RIGHT);
    else
        snprintf(name, FLEET_NAME_BYTES, FLEET_RIGHT "-%u", flow);
}

/* What the right has, and what the left knows of it. */
static void list_rights(char addresses[RIGHTS_BYTES], char peers[RIGHTS_BYTES])
{
    char name[FLEET_NAME_BYTES];
    size_t address_end = 0, peer_end = 0;
    for (uint32_t flow = 0; flow < FLEET_FLOWS; flow++) {
        const char *between = flow > 0 ? ", " : "";
        uint32_t last = FIRST_RIGHT + flow;
        fleet_right(flow, name);
        address_end += (size_t)snprintf(addresses + address_end, RIGHTS_BYTES - address_end,
                                        "%s10.0.0.%u", between, last);
        peer_end += (size_t)snprintf(peers + peer_end, RIGHTS_BYTES - peer_end,
                                     "%s{name: %s, address: 10.0.0.%u, mac: 02:00:00:00:00:02}",
                                     between, name, last);
    }
}

static int write_config(const struct fleet *fleet, const struct plan_variant *variant)
{
    char path[PATH_BYTES], core[CORE_BYTES], addresses[RIGHTS_BYTES], peers[RIGHTS_BYTES];
    path_of(fleet, CONFIG_NAME, path);
    choose_core(variant, core, sizeof(core));
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    list_rights(addresses, peers);
    fprintf(file, config_text, fleet->socket, fleet->sessions, fleet->connections, peers, addresses,
            fleet->sessions, fleet->connections, variant->mode, variant->class, core);
    return fclose(file) ? -errno : 0;
}

/* Adds what the daemon says of it, if it does. */
static void explain_refusal(const struct fleet *fleet, char *reason, size_t reason_bytes)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    char log[PATH_BYTES], line[LINE_BYTES];
    size_t used = strlen(reason);
    path_of(fleet, LOG_NAME, log);
    for (uint32_t look = 0; look < LOOKS; look++) {
        if (saddled_log_line(log, "configured: ", line, sizeof(line))) {
            snprintf(reason + used, reason_bytes - used, " (%s)", line);
            return;
        }
        nanosleep(&pause, NULL);
    }
}

static int start_daemon(struct fleet *fleet, const struct plan_variant *variant, char *reason,
                        size_t reason_bytes)
{
    char config[PATH_BYTES], log[PATH_BYTES], line[LINE_BYTES];
    const struct saddled_start start = {.program = fleet->program,
                                        .folder = fleet->folder,
                                        .config = config,
                                        .log = log,
                                        .space = SPACE_NONE};
    path_of(fleet, CONFIG_NAME, config);
    path_of(fleet, LOG_NAME, log);
    int rc = write_config(fleet, variant);
    if (rc) {
        snprintf(reason, reason_bytes, "starting saddled: %s", strerror(-rc));
        return rc;
    }
    fleet->mode = variant->mode;
    fleet->class = variant->class;
    rc = saddled_start(&start, &fleet->daemon);
    if (!rc || rc == -EINTR)
        return rc;
    /* It may be an older one, which does not know every mode and class. */
    if (saddled_log_line(log, CONFIG_NAME ":", line, sizeof(line))) {
        snprintf(reason, reason_bytes, "its configuration was refused: %s", line);
        return -EPERM;
    }
    snprintf(reason, reason_bytes, "saddled did not start: %s",
             saddled_log_line(log, "", line, sizeof(line)) ? line : "nothing in its log");
    return rc;
}

int fleet_provide(struct fleet *fleet, const struct plan_variant *variant, char *reason,
                  size_t reason_bytes)
{
    int rc = 0;
    if (fleet->daemon.pid && fleet->mode == variant->mode && fleet->class == variant->class)
        return 0;
    fleet_stop(fleet);
    rc = start_daemon(fleet, variant, reason, reason_bytes);
    if (!rc) {
        rc = class_check_process(fleet->daemon.pid, FLEET_GROUP, variant->class, reason,
                                 reason_bytes);
        if (rc == -EPERM)
            explain_refusal(fleet, reason, reason_bytes);
    }
    if (rc)
        fleet_stop(fleet);
    return rc;
}

void fleet_stop(struct fleet *fleet)
{
    actor_end(&fleet->daemon, SIGTERM, STOP_NS);
}

void fleet_fini(struct fleet *fleet)
{
    fleet_stop(fleet);
    folder_remove(fleet->folder);
}
