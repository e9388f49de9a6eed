/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that this one starts, with the operator's own rights.
 *
 * Trust: a launcher is a file that somebody named; whoever could change it would get the rights of
 * whoever runs this. So it is root's alone to change, with every folder above it.
 */
#ifndef TOOLS_SADDLECTL_LAUNCHER_H
#define TOOLS_SADDLECTL_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether it is root's, a program, and nobody else can put another one in its place. 0 with the
 * path that is to be run (the caller frees it), or -1 with one line in `why`. */
int launcher_check(const char *path, char **program, char *why, size_t bytes);

/* Starts it without standard input, and with standard error for its output, as the answer alone
 * goes to standard output. `apart`: it outlives this program and its terminal. The process, or a
 * negative errno. */
pid_t launcher_start(char *const *arguments, bool apart);

/* Whether it has ended by now; then *why is "": well, or says how. */
bool launcher_ended(pid_t pid, char *why, size_t bytes);

#endif
