/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Answers that come in pages, put together to one. */
#ifndef TOOLS_SADDLECTL_PAGES_H
#define TOOLS_SADDLECTL_PAGES_H

#include "tools/saddlectl/ask.h"
#include "tools/saddlectl/command.h"

/* Whether the command's answer may be one page of several. */
bool pages_are_many(const struct command *command);

/* Asks as ask does, for page after page; `answer` gets the whole. The request's fields for pages
 * are set here. */
int pages_ask(struct asker *asker, const struct command *command, struct json_object *request,
              ask_answer *answer, void *context, struct ask_end *end);

#endif
