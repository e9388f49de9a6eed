/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *table_create(size_t count, size_t size)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    void *table = calloc(count, size);

    if (!table)
        return NULL;
    uintptr_t from = ((uintptr_t)table + page - 1) & ~(page - 1);
    uintptr_t to = ((uintptr_t)table + count * size) & ~(page - 1);
    /* Where a kernel hands out huge pages to whoever does not ask, the first entry used would cost
     * 2 MiB. One that knows no such pages refuses, which is as well. */
    if (to > from)
        (void)madvise((char *)table + (from - (uintptr_t)table), to - from, MADV_NOHUGEPAGE);
    return table;
}

void table_destroy(void *table)
{
    free(table);
}
