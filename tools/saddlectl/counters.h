/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Counters, which the daemon sends by their owners, "engine/alpha", and people read in one table.
 */
#ifndef TOOLS_SADDLECTL_COUNTERS_H
#define TOOLS_SADDLECTL_COUNTERS_H

#include <json-c/json.h>

/* Names an owner in a request. 0, or -EINVAL if `word` is no "engine/...", "group/..." and
 * "port/...". */
int counters_ask(struct json_object *request, const char *word);
/* An object whose "counters" has an element for each: its owner, name and value. */
struct json_object *counters_flatten(struct json_object *answer);

#endif
