/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of tables that are as large as a limit allows and mostly empty: zeroed, and resident only
 * where it was written to, by small pages. So an engine may have room for 60,000 connections and
 * pay for those that it has. Who writes past the end of a table is stopped there, by a page that
 * may not be touched.
 *
 * Ownership: the caller's. Threads: any; not for an engine's `run`.
 */
#ifndef ENGINES_PONY_TABLE_H
#define ENGINES_PONY_TABLE_H

#include <stddef.h>

/* `count` entries of `size` bytes, or NULL. */
void *table_create(size_t count, size_t size);
/* Makes the first `entries` of them resident, at once: whoever writes to them soon does not wait
 * for the kernel at every page. Without effect where the kernel is older than 5.14. */
void table_warm(void *table, size_t entries, size_t size);
/* As it was created; NULL is fine. */
void table_destroy(void *table, size_t count, size_t size);

#endif
