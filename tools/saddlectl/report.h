/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* One file with all that whoever looks into a fault asks for first. */
#ifndef TOOLS_SADDLECTL_REPORT_H
#define TOOLS_SADDLECTL_REPORT_H

#include "tools/saddlectl/ask.h"

/* Makes the file, which must not be there, readable for its owner alone, and prints its name;
 * `path` NULL: a name with the time in it. What cannot be had is named in it. Anonymous: without
 * addresses, users, and what applications call themselves. 0, or EXIT_FAILED after a complaint. */
int report_write(struct asker *asker, const char *path, bool anonymous);

#endif
