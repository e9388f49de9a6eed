/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* A command's words and options as its request. What is wrong with them ends the program. */
#ifndef TOOLS_SADDLECTL_REQUEST_H
#define TOOLS_SADDLECTL_REQUEST_H

#include "tools/saddlectl/command.h"
#include "tools/saddlectl/options.h"

#include <json-c/json.h>

/* Options that mean nothing to the command. */
void request_check_options(const struct command *command, const struct options *options);

/* Fills `request`, an empty object. */
void request_collect(const struct command *command, const struct options *options,
                     char *const *words, int count, struct json_object *request);

#endif
