/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* What shells complete: commands and options, from their tables. */
#ifndef TOOLS_SADDLECTL_COMPLETION_H
#define TOOLS_SADDLECTL_COMPLETION_H

/* Prints the completion for "bash", "zsh" or "fish". 0, or -EINVAL for another shell. */
int completion_print(const char *shell);

#endif
