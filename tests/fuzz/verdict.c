/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Assertions of the unit tests' helpers, outside a test runner: a failed one is a crash, which is
 * what a fuzzer looks for.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

void _mark_point(const char *file, int line)
{
    (void)file;
    (void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expression, const char *message, ...)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, expression ? expression : message);
    abort();
}
