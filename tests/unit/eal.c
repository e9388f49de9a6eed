/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"

#include <check.h>
#include <rte_eal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define WORD_BYTES 24u /* the longest argument fits */

void test_eal_start(void)
{
    /* 128 MiB: two pools of 4096 packets of 5000 bytes, with room to spare. EAL wants its arguments
     * writable. */
    static char words[][WORD_BYTES] = {
        "test",           "--no-huge", "--no-shconf", "--no-pci",
        "--no-telemetry", "-m",        "128",         "--log-level=error",
    };
    static bool started; /* already, if the runner was told not to fork */
    char *arguments[sizeof(words) / sizeof(words[0]) + 1] = {NULL};
    int count = (int)(sizeof(words) / sizeof(words[0]));

    if (started)
        return;
    started = true;
    for (int i = 0; i < count; i++)
        arguments[i] = words[i];
    if (rte_eal_init(count, arguments) < 0) {
        fprintf(stderr, "EAL does not start\n");
        exit(EXIT_FAILURE);
    }
}

struct rte_mempool *test_eal_pool(const char *name, uint32_t packets)
{
    struct rte_mempool *pool =
        rte_pktmbuf_pool_create(name, packets, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);

    ck_assert_ptr_nonnull(pool);
    return pool;
}
