/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Circular doubly-linked lists whose nodes lie in their objects: what pools of engine objects are
 * threaded on. A head and a node are the same type; a node that points to itself is in no list.
 *
 * Threads: one. Ownership: a list owns nothing.
 */
#ifndef ENGINES_PONY_LIST_H
#define ENGINES_PONY_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define LIST_OF(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define LIST_EACH(node, head)       for (node = (head)->next; node != (head); node = node->next)
/* As LIST_EACH, where the body may take `node` out. */
#define LIST_EACH_SAFE(node, after, head)                                                          \
    for (node = (head)->next, after = node->next; node != (head); node = after, after = node->next)

static inline void list_init(struct list *list)
{
    list->next = list;
    list->prev = list;
}

/* Of a head: holds nothing. Of a node: is in no list. */
static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline struct list *list_first(const struct list *head)
{
    return list_empty(head) ? NULL : head->next;
}

/* Puts `node` after `place`, which is a node or the head. */
static inline void list_after(struct list *place, struct list *node)
{
    node->prev = place;
    node->next = place->next;
    place->next->prev = node;
    place->next = node;
}

static inline void list_push(struct list *head, struct list *node)
{
    list_after(head->prev, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* Moves to the end of `head`, from wherever it is. */
static inline void list_move(struct list *head, struct list *node)
{
    list_remove(node);
    list_push(head, node);
}

/* Moves all of `from` to the end of `to`. */
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    from->prev->next = to;
    to->prev->next = from->next;
    to->prev = from->prev;
    list_init(from);
}

#endif
