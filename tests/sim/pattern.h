/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that tell where they come from: byte `offset` of pattern `id` is a function of the two.
 *
 * Pure functions.
 */
#ifndef TESTS_SIM_PATTERN_H
#define TESTS_SIM_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes bytes [offset, offset + length) of the pattern. */
void pattern_fill(uint64_t id, uint64_t offset, void *bytes, size_t length);
/* Are these they? */
bool pattern_matches(uint64_t id, uint64_t offset, const void *bytes, size_t length);

#endif
