/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* saddle-bench wire: the cases of `ring`, between two daemons. */
#include "tools/bench/bench.h"
#include "tools/bench/ring_command.h"
#include "tools/bench/wire_bed.h"

#include <unistd.h>

static struct wire_bed bed;

static int open_bed(const char *saddled)
{
    return wire_bed_open(&bed, saddled);
}

static int provide(struct ring_shared *shared)
{
    return wire_bed_provide(&bed, shared);
}

static void close_bed(void)
{
    wire_bed_close(&bed);
}

static bool permits(const struct ring_outcome *outcomes, uint32_t count)
{
    if (geteuid() == 0 || !wire_needs_cable(outcomes, count))
        return true;
    fputs("saddle-bench: network namespaces, XDP and packet sockets take root; "
          "--case 'memif/*' does without\n",
          stderr);
    return false;
}

static void usage(FILE *out)
{
    fputs(
        "usage: saddle-bench wire [OPTION]...\n"
        "\n"
        "Measures Saddle between two daemons, on hosts that it makes for itself: over XDP and\n"
        "AF_PACKET, on a virtual cable between two network namespaces, and over memif, in memory;\n"
        "round trips, messages a second, and what large messages cost, with applications and\n"
        "engines that sleep when there is nothing to do; and the same over the kernel's TCP on\n"
        "the same cables, without offloads, and packets alone through XDP ports, in the same\n"
        "rounds. It takes root, but for memif.\n"
        "\n"
        "  --json FILE      also one JSON document; - is standard output, without the table\n"
        "  --seconds N      of one case in one round, 0.01 to 600 (1)\n"
        "  --runs N         rounds, 1 to 99 (5)\n"
        "  --quick          short: --seconds 0.05 --runs 1, unless given after it\n"
        "  --case NAME      only this one; may be given again, and have wildcards\n"
        "  --list           names the cases\n"
        "  --saddled PATH   the daemon to start (" SADDLED_PROGRAM ")\n"
        "  --help           shows this\n"
        "\n"
        "Exit status: 0 all was measured, and every message arrived once, in order and right; 1 a\n"
        "failure; 2 wrong usage, or not root.\n",
        out);
}

int wire_main(int argc, char **argv)
{
    static const struct ring_command command = {.form = &wire_form,
                                                .wires = WIRES,
                                                .usage = usage,
                                                .plan = wire_plan,
                                                .permits = permits,
                                                .open = open_bed,
                                                .provide = provide,
                                                .floor = wire_work_floor,
                                                .close = close_bed};
    return ring_run(&command, argc, argv);
}
