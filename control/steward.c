/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/steward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void free_change(struct steward_change *change)
{
    free(change->path);
    free(change->before);
    free(change->after);
}

int steward_answer_add(struct steward_answer *answer, const char *path, const char *before,
                       const char *after, const char *effect)
{
    struct steward_change *list =
        realloc(answer->changes, (answer->count + 1) * sizeof(*answer->changes));
    struct steward_change made = {.path = strdup(path)};

    if (list)
        answer->changes = list;
    made.before = strdup(before);
    made.after = strdup(after);
    snprintf(made.effect, sizeof(made.effect), "%s", effect);
    if (!list || !made.path || !made.before || !made.after) {
        free_change(&made);
        return -ENOMEM;
    }
    answer->changes[answer->count++] = made;
    return 0;
}

void steward_answer_free(struct steward_answer *answer)
{
    for (uint32_t i = 0; i < answer->count; i++)
        free_change(&answer->changes[i]);
    free(answer->changes);
    memset(answer, 0, sizeof(*answer));
}
