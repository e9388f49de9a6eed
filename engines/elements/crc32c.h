/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * CRC32C (Castagnoli; RFC 3720 appendix B.4): the CRC of "123456789" is 0xe3069283.
 *
 * Plain functions; any thread. A CRC is continued by passing the one of what came before; it starts
 * at 0.
 */
#ifndef ENGINES_ELEMENTS_CRC32C_H
#define ENGINES_ELEMENTS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#define CRC32C_START 0u

/* The CRC of what `crc` covers followed by `length` bytes. */
uint32_t crc32c_update(uint32_t crc, const void *bytes, size_t length);

/* Copies and continues `crc` over the copy in one pass: when another process changes `from`
 * meanwhile, the CRC is still that of the bytes at `to`. The two do not overlap. */
uint32_t crc32c_copy(uint32_t crc, void *to, const void *from, size_t length);
/* The same where nobody else changes `from`: continues `crc` over that, and need not wait until
 * what it stored can be read, which takes long if another processor had those lines. */
uint32_t crc32c_copy_own(uint32_t crc, void *to, const void *from, size_t length);

#endif
