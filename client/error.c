/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/error.h"

#include <stdarg.h>
#include <stdio.h>

#include <saddle/abi.h>

/* Room for a whole reason of the daemon behind words of the library. */
#define ERROR_LINE_BYTES (2u * SADDLE_REASON_BYTES)

static _Thread_local const char *error_line = "";
static _Thread_local char error_buffer[ERROR_LINE_BYTES];

int client_error(int error, const char *line)
{
    error_line = line;
    return error;
}

int client_errorf(int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error_buffer, sizeof(error_buffer), format, arguments);
    va_end(arguments);
    error_line = error_buffer;
    return error;
}

const char *client_error_line(void)
{
    return error_line;
}
