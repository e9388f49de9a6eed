/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers with units, as people write them: "10us", "2MiB", "0.5%", "0660".
 *
 * Pure functions; any thread. The text is the operator's: whatever it holds, the outcome is a value
 * or an error.
 */
#ifndef DAEMON_UNITS_H
#define DAEMON_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum units_kind {
    UNITS_COUNT,    /* a plain integer */
    UNITS_BYTES,    /* B, KiB, MiB, GiB */
    UNITS_DURATION, /* ns, us, ms, s: a value in ns */
    UNITS_SHARE,    /* %: a value in parts per million */
    UNITS_MODE,     /* permission bits, octal, with a leading 0 */
    UNITS_RATE,     /* bit, kbit, Mbit, Gbit: a value in bits per second */
};

#define UNITS_TEXT_BYTES 64u /* longest text units_format writes, with the final NUL */

/* 0, or -EINVAL (no number), -ENOMSG (the unit is missing or another kind's), -ERANGE (too large,
 * or finer than the smallest unit). A bare 0 needs no unit. */
int units_parse(enum units_kind kind, const char *text, uint64_t *value);

/* Writes `value` with the largest unit that divides it; returns `text`. */
const char *units_format(enum units_kind kind, uint64_t value, char text[UNITS_TEXT_BYTES]);

/* "B, KiB, MiB, GiB": what to suggest after -ENOMSG. */
const char *units_names(enum units_kind kind);

#endif
