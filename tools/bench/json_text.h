/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces of a JSON document that are written in more than one place.
 *
 * Ownership: nothing is kept. Threads: any.
 */
#ifndef BENCH_JSON_TEXT_H
#define BENCH_JSON_TEXT_H

#include <stdio.h>

/* In quotes, with what must not be in them escaped. */
void json_put_string(FILE *out, const char *text);

#endif
