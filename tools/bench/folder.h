/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder for what one measurement needs: configurations, sockets, logs.
 *
 * Ownership: the caller's path; the folder and all in it are its user's alone, and gone with
 * folder_remove. Threads: any.
 */
#ifndef BENCH_FOLDER_H
#define BENCH_FOLDER_H

#include <stddef.h>

/* Makes one in TMPDIR, or in /tmp, and writes its path; an empty one if it fails. 0 or a negative
 * errno. */
int folder_make(char *path, size_t path_bytes);
/* With what is in it; harmless for an empty path. */
void folder_remove(const char *path);

#endif
