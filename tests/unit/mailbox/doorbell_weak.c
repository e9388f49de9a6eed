/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the doorbell would be with acquire and release alone, for the one test that shows why it is
 * not so.
 */
#include <stdint.h>

static inline uint32_t weak_exchange(uint32_t *word, uint32_t value)
{
    uint32_t before = __atomic_load_n(word, __ATOMIC_ACQUIRE);

    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    return before;
}

#define DOORBELL_EXCHANGE(word, value) weak_exchange(word, value)

/* NOLINTNEXTLINE(bugprone-suspicious-include): the same source under another exchange. */
#include "mailbox/doorbell.c"
