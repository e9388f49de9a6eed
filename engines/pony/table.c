/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/table.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE 64u /* bytes; tables begin with a cache line */

/* Bytes of all entries in whole cache lines; 0 if there cannot be so many. */
static size_t table_bytes(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX / 2)
        return 0;
    return (bytes + LINE - 1) & ~(size_t)(LINE - 1);
}

/* Bytes of whole pages that hold them. */
static size_t pages_of(size_t bytes, size_t page)
{
    return (bytes + page - 1) & ~(page - 1);
}

void *table_create(size_t count, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = table_bytes(count, size);
    size_t pages = pages_of(bytes, page);

    if (bytes == 0)
        return NULL;
    /* The table ends where the last page begins. */
    char *memory =
        mmap(NULL, pages + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (mprotect(memory, pages, PROT_READ | PROT_WRITE)) {
        munmap(memory, pages + page);
        return NULL;
    }
    /* Where a kernel hands out huge pages to whoever does not ask, the first entry used would cost
     * 2 MiB. One that knows no such pages refuses, which is as well. */
    (void)madvise(memory, pages, MADV_NOHUGEPAGE);
    return memory + pages - bytes;
}

void table_warm(void *table, size_t entries, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *from = (char *)((uintptr_t)table & ~(uintptr_t)(page - 1));
    size_t bytes = (size_t)((char *)table + entries * size - from);

    (void)madvise(from, pages_of(bytes, page), MADV_POPULATE_WRITE);
}

void table_destroy(void *table, size_t count, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = table_bytes(count, size);
    size_t pages = pages_of(bytes, page);

    if (table)
        munmap((char *)table + bytes - pages, pages + page);
}
