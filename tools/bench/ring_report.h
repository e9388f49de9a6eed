/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What `saddle-bench ring` or `wire` has measured, as a table and as one JSON document (its form is
 * in saddle-bench(1)).
 *
 * Ownership: all is borrowed. Threads: any.
 */
#ifndef BENCH_RING_REPORT_H
#define BENCH_RING_REPORT_H

#include "tools/bench/ring_plan.h"

#include <stdio.h>

#define RING_REPORT_VERSION 1 /* of the document's form */

/* Each answers 0 or a negative errno. */
int ring_write_table(FILE *out, const struct ring_form *form, const struct ring_settings *settings,
                     const struct ring_outcome *outcomes, uint32_t count);
int ring_write_json(FILE *out, const struct ring_form *form, const struct ring_settings *settings,
                    const struct ring_outcome *outcomes, uint32_t count);

#endif
