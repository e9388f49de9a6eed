/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Answers as a person reads them. */
#ifndef TOOLS_SADDLECTL_TABLE_H
#define TOOLS_SADDLECTL_TABLE_H

#include "tools/saddlectl/command.h"

#include <json-c/json.h>

/* A table of the answer's rows, as wide as `width` columns at most (0: as it comes), with or
 * without a header; or, if the command has no rows, a line for each field. */
void table_print(const struct command *command, struct json_object *answer, unsigned width,
                 bool header);

/* Replaces what could steer a terminal, and what is not ASCII: names and reasons are other
 * people's words. */
void table_make_plain(char *text);

#endif
