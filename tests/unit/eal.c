/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eal.h"

#include <check.h>
#include <rte_eal.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define WORD_BYTES 24u /* the longest argument fits */

/* Starts EAL with private memory. Without hugepages it prefers a memfd, mapped as shared, which all
 * processes forked later would write to; when that cannot be given its size, EAL takes private
 * memory instead. Files of size 0 are all this process may make meanwhile. */
static int start_with_private_memory(int count, char **arguments)
{
    struct rlimit before;
    struct rlimit none;
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    int result;

    getrlimit(RLIMIT_FSIZE, &before);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    result = rte_eal_init(count, arguments);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    return result;
}

void test_eal_start(void)
{
    /* 128 MiB: two pools of 4096 packets of 5000 bytes, with room to spare. EAL wants its arguments
     * writable. */
    static char words[][WORD_BYTES] = {
        "test",           "--no-huge", "--no-shconf", "--no-pci",
        "--no-telemetry", "-m",        "128",         "--log-level=critical",
    };
    static bool started;
    char *arguments[sizeof(words) / sizeof(words[0]) + 1] = {NULL};
    int count = (int)(sizeof(words) / sizeof(words[0]));

    if (started)
        return;
    started = true;
    for (int i = 0; i < count; i++)
        arguments[i] = words[i];
    if (start_with_private_memory(count, arguments) < 0) {
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
