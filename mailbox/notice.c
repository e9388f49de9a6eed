/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/notice.h"

#include <string.h>

void notice_closed(struct saddle_arena_header *header, int32_t error, const char *reason)
{
    char line[SADDLE_REASON_BYTES] = {0};

    strncpy(line, reason, sizeof(line) - 1);
    memcpy(header->reason, line, sizeof(line));
    header->error = error;
    __atomic_store_n(&header->state, SADDLE_SESSION_CLOSED, __ATOMIC_RELEASE);
}
