/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/packet_tag.h"

#include <rte_errno.h>
#include <stdalign.h>

int packet_tag_offset;

int packet_tag_init(void)
{
    static const struct rte_mbuf_dynfield field = {
        .name = "saddle_packet_tag",
        .size = sizeof(struct packet_tag),
        .align = alignof(struct packet_tag),
    };
    /* The same answer for the same field, however often it is asked. */
    int offset = rte_mbuf_dynfield_register(&field);

    if (offset < 0)
        return -rte_errno;
    packet_tag_offset = offset;
    return 0;
}
