/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Cache lines that are another processor's and will be written to: asked for early, as lines that
 * nobody else has. Otherwise the store waits for its line, and all stores behind it wait too, until
 * there is no place left for another one.
 *
 * Threads: any. Trust: `at` may be any address; nothing is read or written, and nothing can fail.
 */
#ifndef MAILBOX_LINE_H
#define MAILBOX_LINE_H

#include <stdint.h>

/* The line at `at` is written soon: within a microsecond or two, before its owner takes it back. A
 * processor without PREFETCHW does nothing. */
static inline void line_intend(const void *at)
{
#ifdef __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*(const uint8_t *)at));
#else
    __builtin_prefetch(at, 1);
#endif
}

#endif
