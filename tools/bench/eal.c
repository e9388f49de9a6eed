/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/eal.h"

#include <errno.h>
#include <rte_eal.h>

int eal_start(void)
{
    static char options[][24] = {"saddle-bench",  "--no-huge",      "--no-shconf", "--no-pci",
                                 "--log-level=3", "--no-telemetry", "-m",          "256"};
    char *argv[sizeof(options) / sizeof(options[0])];
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
        argv[i] = options[i];
    return rte_eal_init(sizeof(options) / sizeof(options[0]), argv) < 0 ? -ENODEV : 0;
}
