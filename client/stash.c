/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/stash.h"

#include <errno.h>
#include <stdlib.h>

struct client_stash_node {
    struct client_stash_node *next;
    struct saddle_completion event;
};

void client_stash_open(struct client_stash *stash)
{
    stash->first = NULL;
    stash->end = &stash->first;
    stash->spare = NULL;
}

void client_stash_close(struct client_stash *stash)
{
    while (stash->first) {
        struct client_stash_node *node = stash->first;

        stash->first = node->next;
        free(node);
    }
    free(stash->spare);
    client_stash_open(stash);
}

int client_stash_prepare(struct client_stash *stash)
{
    if (!stash->spare)
        stash->spare = (struct client_stash_node *)malloc(sizeof(*stash->spare));
    return stash->spare ? 0 : -ENOMEM;
}

void client_stash_put(struct client_stash *stash, const struct saddle_completion *event)
{
    struct client_stash_node *node = stash->spare;

    stash->spare = NULL;
    node->next = NULL;
    saddle_completion_copy(&node->event, event);
    *stash->end = node;
    stash->end = &node->next;
}

bool client_stash_take(struct client_stash *stash, client_match_fn *match, const void *context,
                       struct saddle_completion *event)
{
    for (struct client_stash_node **link = &stash->first; *link; link = &(*link)->next) {
        struct client_stash_node *node = *link;

        if (match && !match(&node->event, context))
            continue;
        *link = node->next;
        if (stash->end == &node->next)
            stash->end = link;
        saddle_completion_copy(event, &node->event);
        free(stash->spare);
        stash->spare = node;
        return true;
    }
    return false;
}
