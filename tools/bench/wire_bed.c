/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/wire_bed.h"

#include "tools/bench/fleet.h"
#include "tools/bench/folder.h"
#include "tools/bench/saddled.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define STOP_NS    (10 * 1000000000ull)
#define LINE_BYTES 256u
#define NO_CABLE   WIRE_CABLES
#define MEMIF_MTU  5000u /* as of the ring in memory (SOSP'19 section 3.1) */

static const uint32_t cable_mtus[WIRE_CABLES] = {SPACE_MTU_XDP, SPACE_MTU_USUAL};
static const char *const names[RING_HOSTS] = {"left", "right"};
static const char *const engines[RING_HOSTS] = {FLEET_LEFT, FLEET_RIGHT};
static const char *const addresses[RING_HOSTS] = {"10.88.0.1", "10.88.0.2"};
static const uint32_t cables[WIRES] = {
    [WIRE_XDP] = 0, [WIRE_XDP_1500] = 1, [WIRE_AF_PACKET] = 1, [WIRE_MEMIF] = NO_CABLE};

/* Of the class of ordinary tasks, as who speaks TCP is. */
static const char config_text[] =
    "socket: {path: %s, mode: \"0600\"}\n"
    "memory: 128MiB\n"
    "hugepages: off\n"
    "engines:\n"
    "  - {name: %s, port: wire, addresses: [%s%s], peers: [{name: %s, address: %s}]}\n"
    "groups:\n"
    "  - {name: " FLEET_GROUP ", mode: spreading, class: ordinary, engines: [%s]}\n"
    "ports:\n";
/* Native, or not at all: otherwise the figure would be another one's. */
static const char xdp_text[] =
    "  - {name: wire, driver: xdp, xdp_mode: native, interface: " SPACE_DEVICE "}\n";
static const char af_packet_text[] =
    "  - {name: wire, driver: ethdev, interface: " SPACE_DEVICE ",\n"
    "     device: \"net_af_packet0,iface=" SPACE_DEVICE "\"}\n";
/* The link is Saddle's, so that it has the address of its end and the length of the prefix. */
static const char memif_text[] =
    "  - {name: wire, driver: memif, mac: 02:00:00:00:00:0%u, mtu: %u,\n"
    "     socket: %s/memif, role: %s}\n";

/* ---- Daemons ---- */

static void write_port(const struct wire_bed *bed, enum wire_kind wire, uint32_t host, FILE *file)
{
    if (wire == WIRE_MEMIF)
        fprintf(file, memif_text, host + 1, MEMIF_MTU, bed->folder,
                host == RING_LEFT ? "server" : "client");
    else
        fputs(wire == WIRE_AF_PACKET ? af_packet_text : xdp_text, file);
}

static int write_config(const struct wire_bed *bed, enum wire_kind wire, uint32_t host)
{
    const struct wire_daemon *daemon = &bed->daemons[host];
    uint32_t other = RING_HOSTS - 1 - host;
    FILE *file = fopen(daemon->config, "we");
    if (!file)
        return -errno;
    fprintf(file, config_text, daemon->socket, engines[host], addresses[host],
            wire == WIRE_MEMIF ? "/24" : "", engines[other], addresses[other], engines[host]);
    write_port(bed, wire, host, file);
    return fclose(file) ? -errno : 0;
}

static int start_one(struct wire_bed *bed, enum wire_kind wire, uint32_t host,
                     struct ring_shared *shared)
{
    struct wire_daemon *daemon = &bed->daemons[host];
    const struct saddled_start start = {.program = bed->program,
                                        .folder = bed->folder,
                                        .config = daemon->config,
                                        .log = daemon->log,
                                        .space = shared->hosts[host].space};
    char line[LINE_BYTES];
    int rc = write_config(bed, wire, host);
    if (!rc)
        rc = saddled_start(&start, &daemon->actor);
    if (!rc || rc == -EINTR)
        return rc;
    if (rc == -ECHILD && saddled_log_line(daemon->log, "", line, sizeof(line)))
        return ring_error(shared, rc, "saddled did not start, %s: %s", names[host], line);
    return ring_error(shared, rc, "saddled did not start, %s: %s", names[host], strerror(-rc));
}

static bool runs(const struct wire_bed *bed)
{
    return bed->daemons[RING_LEFT].actor.pid && bed->daemons[RING_RIGHT].actor.pid;
}

static void stop_daemons(struct wire_bed *bed)
{
    for (uint32_t i = 0; i < RING_HOSTS; i++)
        if (bed->daemons[i].actor.pid)
            kill(bed->daemons[i].actor.pid, SIGTERM);
    for (uint32_t i = 0; i < RING_HOSTS; i++)
        actor_end(&bed->daemons[i].actor, 0, STOP_NS);
}

static int provide_daemons(struct wire_bed *bed, struct ring_shared *shared)
{
    enum wire_kind wire = (enum wire_kind)shared->what.wire;
    int rc = 0;
    if (!runs(bed) || bed->wire != wire) {
        stop_daemons(bed);
        for (uint32_t i = 0; i < RING_HOSTS && !rc; i++)
            rc = start_one(bed, wire, i, shared);
        bed->wire = wire;
    }
    for (uint32_t i = 0; i < RING_HOSTS; i++) {
        shared->hosts[i].socket = bed->daemons[i].socket;
        shared->hosts[i].daemon = bed->daemons[i].actor.pid;
    }
    if (rc)
        stop_daemons(bed);
    return rc;
}

/* ---- Cables ---- */

static bool without_daemon(const struct ring_shared *shared)
{
    return shared->what.place >= RING_TCP;
}

static int provide_cable(struct wire_bed *bed, uint32_t cable, struct ring_shared *shared)
{
    int *spaces = bed->spaces[cable], rc = 0;
    bool made = spaces[RING_LEFT] != SPACE_NONE;
    if (!made)
        rc = space_pair(spaces, cable_mtus[cable], addresses, shared->reason,
                        sizeof(shared->reason));
    /* TCP is told each time: while an XDP port is there, the kernel keeps some of them. */
    for (uint32_t i = 0; i < RING_HOSTS && !rc && (!made || without_daemon(shared)); i++)
        rc = space_refuse_offloads(spaces[i], shared->reason, sizeof(shared->reason));
    for (uint32_t i = 0; i < RING_HOSTS; i++) {
        shared->hosts[i].space = spaces[i];
        shared->hosts[i].address = addresses[i];
    }
    return rc;
}

/* ---- All of it ---- */

int wire_bed_open(struct wire_bed *bed, const char *program)
{
    *bed = (struct wire_bed){.program = program, .opened = true};
    for (uint32_t cable = 0; cable < WIRE_CABLES; cable++)
        for (uint32_t i = 0; i < SPACES; i++)
            bed->spaces[cable][i] = SPACE_NONE;
    int rc = folder_make(bed->folder, sizeof(bed->folder));
    for (uint32_t i = 0; i < RING_HOSTS && !rc; i++) {
        struct wire_daemon *daemon = &bed->daemons[i];
        snprintf(daemon->socket, sizeof(daemon->socket), "%s/%s.attach", bed->folder, names[i]);
        snprintf(daemon->config, sizeof(daemon->config), "%s/%s.yaml", bed->folder, names[i]);
        snprintf(daemon->log, sizeof(daemon->log), "%s/%s.log", bed->folder, names[i]);
    }
    return rc;
}

int wire_bed_provide(struct wire_bed *bed, struct ring_shared *shared)
{
    uint32_t cable = cables[shared->what.wire];
    int rc = 0;
    if (without_daemon(shared))
        stop_daemons(bed); /* the cable is somebody else's alone */
    if (cable != NO_CABLE)
        rc = provide_cable(bed, cable, shared);
    if (!rc && !without_daemon(shared))
        rc = provide_daemons(bed, shared);
    return rc;
}

void wire_bed_close(struct wire_bed *bed)
{
    if (!bed->opened)
        return;
    stop_daemons(bed);
    for (uint32_t cable = 0; cable < WIRE_CABLES; cable++)
        space_close(bed->spaces[cable]);
    folder_remove(bed->folder);
    bed->opened = false;
}
