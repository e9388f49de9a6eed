/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the doorbell would be with acquire and release alone. Included before doorbell.c by the one
 * test that shows why it is not so.
 */
#ifndef TESTS_WEAK_EXCHANGE_H
#define TESTS_WEAK_EXCHANGE_H

#include <stdint.h>

static inline uint32_t weak_exchange(uint32_t *word, uint32_t value)
{
    uint32_t before = __atomic_load_n(word, __ATOMIC_ACQUIRE);

    __atomic_store_n(word, value, __ATOMIC_RELEASE);
    return before;
}

#define DOORBELL_EXCHANGE(word, value) weak_exchange(word, value)

#endif
