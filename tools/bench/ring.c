/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* saddle-bench ring: cases between two engines of one daemon, and over what others have made. */
#include "tools/bench/bench.h"
#include "tools/bench/fleet.h"
#include "tools/bench/ring_command.h"

/* Room at each engine. One session gets half of the connections, and a part of the other half. */
#define ROOM_SESSIONS    (RING_SESSIONS + 28u)
#define ROOM_CONNECTIONS (2u * RING_IDLE_CONNECTIONS + 4000u)

static struct fleet fleet; /* of `ring`: one daemon, whose engines are both hosts */

static int open_fleet(const char *saddled)
{
    int rc = fleet_init(&fleet, saddled);
    fleet.sessions = ROOM_SESSIONS;
    fleet.connections = ROOM_CONNECTIONS;
    return rc;
}

static void close_fleet(void)
{
    fleet_fini(&fleet);
}

/* A daemon with a group of the case's mode, or none. */
static int provide(struct ring_shared *shared)
{
    static const char *const modes[] = {[RING_DEDICATED] = "dedicated",
                                        [RING_SPREADING] = "spreading",
                                        [RING_COMPACTING] = "compacting"};
    /* Where none is wanted it may spin. */
    if (shared->what.place >= RING_TCP || shared->what.anew)
        fleet_stop(&fleet);
    if (shared->what.place >= RING_TCP)
        return 0;
    const struct plan_variant variant = {.kind = PLAN_SADDLE,
                                         .mode = modes[shared->what.place],
                                         .class = "ordinary"};
    int rc = fleet_provide(&fleet, &variant, shared->reason, sizeof(shared->reason));
    for (uint32_t i = 0; i < RING_HOSTS; i++)
        shared->hosts[i].socket = fleet.socket;
    shared->hosts[RING_LEFT].daemon = fleet.daemon.pid;
    return rc;
}

static void usage(FILE *out)
{
    fputs(
        "usage: saddle-bench ring [OPTION]...\n"
        "\n"
        "Measures Saddle's main figures between two applications in one thread, on a processor of\n"
        "its own, and two engines of one daemon on another, joined by a ring in memory: round\n"
        "trips, messages and one-sided operations of every kind a second, with many streams,\n"
        "sessions and connections, opening and closing, what large messages cost, and what a\n"
        "daemon with nothing to do does; and the like over the kernel's TCP, by io_uring too, and\n"
        "over UCX and libfabric (ucx_perftest, fi_pingpong, where they are installed), and what\n"
        "the machine takes beneath all of that, in the same rounds.\n"
        "\n"
        "  --json FILE      also one JSON document; - is standard output, without the table\n"
        "  --svg FILE       draws --sizes, --windows, --batches, --sessions and --flows\n"
        "  --seconds N      of one case in one round, 0.01 to 600 (1)\n"
        "  --runs N         rounds, 1 to 99 (5)\n"
        "  --quick          short: --seconds 0.05 --runs 1, unless given after it\n"
        "  --sizes N,...    also messages and round trips of so many bytes, 8 to 16777216\n"
        "  --windows N,...  also messages with so many on their way, 1 to 512 (256; 64 bytes)\n"
        "  --batches N,...  also messages that are sent so many at a time, 1 to 256\n"
        "  --sessions N,... also messages of so many sessions at each engine, 1 to 100\n"
        "  --flows N,...    also messages over so many flows, 1 to 8, with a connection on each\n"
        "  --case NAME      only this one; may be given again, and have wildcards\n"
        "  --list           names the cases\n"
        "  --saddled PATH   the daemon to start (" SADDLED_PROGRAM ")\n"
        "  --help           shows this\n"
        "\n"
        "Exit status: 0 all was measured, but what cannot be had here, and every message arrived\n"
        "once, in order and right; 1 a failure; 2 wrong usage.\n",
        out);
}

int ring_main(int argc, char **argv)
{
    static const struct ring_command command = {.form = &ring_form,
                                                .wires = 1,
                                                .usage = usage,
                                                .plan = ring_plan,
                                                .open = open_fleet,
                                                .provide = provide,
                                                .floor = ring_work_floor,
                                                .close = close_fleet};
    return ring_run(&command, argc, argv);
}
