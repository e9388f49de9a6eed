/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What operators see of the hosts on a port's link, a page at a time, whoever keeps the table.
 *
 * A page begins where the cursor says, holds a bounded number of entries, and moves the cursor.
 * Whoever goes on until `done` sees each neighbour that is known all the while exactly once.
 *
 * Plain data; the caller's.
 */
#ifndef ENGINES_NEIGHBOUR_PAGE_H
#define ENGINES_NEIGHBOUR_PAGE_H

#include "engines/address.h"

#include <rte_ether.h>
#include <stdint.h>

#define NEIGHBOUR_ENTRIES 32u  /* of one page: mailbox work is short */
#define NEIGHBOUR_LOOKED  128u /* places of one page */

enum neighbour_state {
    NEIGHBOUR_REACHABLE, /* its link-layer address is believed */
    NEIGHBOUR_STALE,     /* it is used, and being confirmed */
    NEIGHBOUR_PENDING,   /* it was asked for, and has not answered yet */
    NEIGHBOUR_FAILED,    /* it did not answer */
};

struct neighbour_entry {
    struct address address;
    struct rte_ether_addr mac; /* of a reachable or stale one */
    enum neighbour_state state;
    bool used;       /* the engine sends to it, or through it */
    uint64_t age_ns; /* since it came into this state, or was last confirmed in it */
};

struct neighbour_page {
    uint64_t now;          /* ns, set by whoever asks */
    uint32_t most;         /* entries that are wished for; 0: NEIGHBOUR_ENTRIES */
    struct address cursor; /* all zero at first; its keeper's alone to read */
    bool done;
    uint32_t count;
    struct neighbour_entry entries[NEIGHBOUR_ENTRIES];
};

static inline bool neighbour_page_full(const struct neighbour_page *page)
{
    return page->count == NEIGHBOUR_ENTRIES || (page->most && page->count == page->most);
}

/* Fills a page. On the engine's thread, by its mailbox, or on control's: its keeper says which. */
typedef void neighbour_view_fn(void *context, struct neighbour_page *page);

#endif
