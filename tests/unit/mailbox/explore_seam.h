/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the explorer of queue_explore_test.c behind every operation on shared memory that queue.h
 * and doorbell.c make. Included before each file of that test.
 */
#ifndef TESTS_EXPLORE_SEAM_H
#define TESTS_EXPLORE_SEAM_H

#include <stddef.h>
#include <stdint.h>

uint64_t explore_load(const void *word, size_t bytes);
void explore_store(void *word, uint64_t value, size_t bytes);
uint32_t explore_exchange(uint32_t *word, uint32_t value);

#define QUEUE_LOAD(word, order)         ((__typeof__(*(word) + 0))explore_load(word, sizeof(*(word))))
#define QUEUE_STORE(word, value, order) explore_store(word, value, sizeof(*(word)))
#define DOORBELL_EXCHANGE(word, value)  explore_exchange(word, value)

#endif
