/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder of a test's own, in $TMPDIR, where tools/check sees what a test that was ended has left.
 *
 * Ownership: whoever makes it removes it. Threads: any.
 */
#ifndef TESTS_UNIT_FOLDER_H
#define TESTS_UNIT_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

/* Its path: leaves room for a name in the path of a Unix socket, 108 bytes. */
#define TEST_FOLDER_BYTES 80u

/* Makes one whose name begins so, and writes its path; NULL if it cannot be made. */
static inline char *test_folder_make(char folder[TEST_FOLDER_BYTES], const char *name)
{
    const char *where = getenv("TMPDIR");
    int length =
        snprintf(folder, TEST_FOLDER_BYTES, "%s/%s.XXXXXX", where && *where ? where : "/tmp", name);

    return length > 0 && (unsigned)length < TEST_FOLDER_BYTES ? mkdtemp(folder) : NULL;
}

#endif
