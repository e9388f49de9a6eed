/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Having a newcomer take over from the daemon: who starts it, and how that ended.
 *
 * The daemon gets ready and starts nobody. The newcomer is started with the rights of whoever runs
 * this program: by the service manager, which is asked to reload the unit, or by a launcher.
 */
#ifndef TOOLS_SADDLECTL_UPGRADE_H
#define TOOLS_SADDLECTL_UPGRADE_H

#include "tools/saddlectl/ask.h"

/* `given` has what the command line said: "check", "launcher", "unit", "wait". `answer` gets what
 * List answers, with this hand-over alone. 0: it went as was wished for. Else the exit status, and
 * in `end` why. */
int upgrade_run(struct asker *asker, struct json_object *given, ask_answer *answer, void *context,
                struct ask_end *end);

#endif
