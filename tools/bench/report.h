/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What `saddle-bench sched` has measured, as a table, as one JSON document (its form is in
 * saddle-bench(1)), and as a figure.
 *
 * Ownership: all is borrowed. Threads: any.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "tools/bench/plan.h"

#include <stdio.h>

#define REPORT_VERSION 1 /* of the document's form */

/* Each answers 0 or a negative errno. */
int report_table(FILE *out, const struct plan_settings *settings,
                 const struct plan_outcome *outcomes, uint32_t count);
int report_json(FILE *out, const struct plan_settings *settings,
                const struct plan_outcome *outcomes, uint32_t count);
int report_svg(FILE *out, const struct plan_settings *settings, const struct plan_outcome *outcomes,
               uint32_t count);

#endif
