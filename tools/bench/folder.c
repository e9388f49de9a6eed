/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

#define FDS_OPEN 16 /* of nftw: the folder is flat */

int folder_make(char *path, size_t path_bytes)
{
    const char *where = getenv("TMPDIR");
    int len =
        snprintf(path, path_bytes, "%s/saddle-bench.XXXXXX", where && *where ? where : "/tmp");
    int rc = len < 0 || (size_t)len >= path_bytes ? -ENAMETOOLONG : 0;
    if (!rc && !mkdtemp(path))
        rc = -errno;
    if (rc)
        path[0] = '\0';
    return rc;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at)
{
    (void)status;
    (void)kind;
    (void)at;
    remove(path);
    return 0;
}

void folder_remove(const char *path)
{
    if (path[0])
        nftw(path, remove_one, FDS_OPEN, FTW_DEPTH | FTW_PHYS);
}
