/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/bench.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"micro", micro_main},     {"ring", ring_main}, {"sched", sched_main},
    {"upgrade", upgrade_main}, {"wire", wire_main},
};

int main(int argc, char **argv)
{
    /* Without a word it is `micro`, which was there first. */
    if (argc < 2 || argv[1][0] == '-')
        return micro_main(argc, argv);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            argv[1] = argv[0];
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "saddle-bench: '%s' is no command: micro, ring, sched, upgrade, wire\n",
            argv[1]);
    return 2;
}
