/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reason.h"

#include <stdarg.h>
#include <stdio.h>

int reason_set(const struct reason *reason, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reason->text, reason->bytes, format, args);
    va_end(args);
    return error;
}
