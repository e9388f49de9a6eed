/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Whether anybody is where the daemon is said to be, and if not, why in words that help. */
#ifndef TOOLS_SADDLECTL_REACH_H
#define TOOLS_SADDLECTL_REACH_H

#include <stdbool.h>

/* 0; -EINVAL: that is no place (*why says so, with the option's name); else *why says why nobody
 * was reached. */
int reach_socket(const char *path, double timeout_s, const char **why);
/* Whether it has the form HOST:PORT. */
bool reach_is_server(const char *server);
/* 0, or a negative errno, and *why says why nobody was reached there. */
int reach_server(const char *server, double timeout_s, const char **why);

#endif
