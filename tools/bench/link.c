/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/link.h"

#include <errno.h>
#include <stdlib.h>

int link_open(struct link *link)
{
    struct queue_attrs attrs = {.name = "bench",
                                .capacity = LINK_CAPACITY,
                                .order_sensitive = true};
    link->memory = aligned_alloc(SADDLE_ENTRY_BYTES, queue_bytes(LINK_CAPACITY));
    if (!link->memory)
        return -ENOMEM;
    int rc = queue_create(&link->queue, &attrs, link->memory);
    if (rc) {
        link_close(link);
        return rc;
    }
    queue_format(&link->queue, 0);
    queue_producer_open(&link->producer, &link->queue, 0);
    queue_consumer_open(&link->consumer, &link->queue, 0);
    return 0;
}

void link_close(struct link *link)
{
    free(link->memory);
    link->memory = NULL;
}
