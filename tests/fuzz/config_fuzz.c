/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file. What is refused is refused in one line; what is accepted is accepted
 * again when it is printed, and prints the same.
 */
#include "daemon/config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static char *print(const struct config *config, size_t *length)
{
    char *text = NULL;
    FILE *stream = open_memstream(&text, length);

    require(stream);
    config_print(config, stream);
    require(fclose(stream) == 0);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct schema_source source = {.file = "fuzz"};
    struct config config;
    char *first, *second;
    size_t first_length, second_length;

    if (size > CONFIG_BYTES_MAX)
        return 0;
    if (config_parse(&config, &source, (const char *)data, size)) {
        require(strncmp(source.error, "fuzz:", 5) == 0 && !strchr(source.error, '\n'));
        config_free(&config);
        return 0;
    }
    first = print(&config, &first_length);
    config_free(&config);
    require(config_parse(&config, &source, first, first_length) == 0);
    second = print(&config, &second_length);
    require(first_length == second_length && memcmp(first, second, first_length) == 0);
    config_free(&config);
    free(first);
    free(second);
    return 0;
}
