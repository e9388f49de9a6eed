/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/inbox.h"

#include "mailbox/doorbell.h"

#include <stddef.h>

void inbox_init(struct inbox *inbox, int wake_fd)
{
    atomic_init(&inbox->first, NULL);
    inbox->armed = 0;
    inbox->wake_fd = wake_fd;
}

void inbox_send(struct inbox *inbox, struct inbox_item *item)
{
    struct inbox_item *first = atomic_load_explicit(&inbox->first, memory_order_relaxed);

    do {
        item->next = first;
    } while (!atomic_compare_exchange_weak_explicit(&inbox->first, &first, item,
                                                    memory_order_release, memory_order_relaxed));
    if (doorbell_due(&inbox->armed))
        doorbell_ring_engine(inbox->wake_fd);
}

struct inbox_item *inbox_take(struct inbox *inbox)
{
    if (!atomic_load_explicit(&inbox->first, memory_order_relaxed))
        return NULL;
    /* Pairs with every send in the batch: they are one release sequence. */
    return atomic_exchange_explicit(&inbox->first, NULL, memory_order_acquire);
}

bool inbox_arm(struct inbox *inbox)
{
    doorbell_arm(&inbox->armed);
    if (!atomic_load_explicit(&inbox->first, memory_order_acquire))
        return true;
    doorbell_disarm(&inbox->armed);
    return false;
}

void inbox_disarm(struct inbox *inbox)
{
    doorbell_disarm(&inbox->armed);
}
