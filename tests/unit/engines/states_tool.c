/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * saddle-states: writes documents of each kind of engine, loads such as others wrote, and says how
 * large they are; for tests/system/state_test.py.
 */
#include "tests/unit/engines/states.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MAX (16u << 20)
#define CONNECTIONS    8u /* more than there were: what each adds */

static const char usage[] = "usage: saddle-states write DIR | rare DIR | resume SERVER CLIENT |\n"
                            "       saddle-states again KIND FILE OUT | sizes\n";

static void fail(const char *path)
{
    fprintf(stderr, "saddle-states: %s: %s\n", path, strerror(errno));
    exit(EXIT_FAILURE);
}

static void put(const char *path, const struct state_writer *writer)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(writer->bytes, 1, writer->length, file) != writer->length || fclose(file))
        fail(path);
}

static void get(const char *path, struct state_reader *reader)
{
    uint8_t *bytes = malloc(FILE_BYTES_MAX);
    FILE *file = fopen(path, "rb");

    if (!file || !bytes)
        fail(path);
    size_t length = fread(bytes, 1, FILE_BYTES_MAX, file);
    fclose(file);
    int error = state_reader_init(reader, bytes, length);
    if (error) {
        errno = -error;
        fail(path);
    }
}

static int write_all(const char *folder, bool rare)
{
    for (uint32_t i = 0; i < STATES_KINDS; i++) {
        struct state_writer writer;
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s.state", folder, states_names[i]);
        states_write((enum states_kind)i, rare, &writer);
        put(path, &writer);
        state_writer_destroy(&writer);
    }
    return EXIT_SUCCESS;
}

static int resume(char **paths)
{
    struct state_reader readers[2];

    get(paths[0], &readers[0]);
    get(paths[1], &readers[1]);
    bool good = states_resume(&readers[0], &readers[1]);
    for (uint32_t i = 0; i < 2; i++)
        free((void *)(uintptr_t)readers[i].bytes);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int again(char **arguments)
{
    struct state_reader reader;
    struct state_writer writer;
    uint32_t kind = 0;

    while (kind < STATES_KINDS && strcmp(states_names[kind], arguments[0]) != 0)
        kind++;
    if (kind == STATES_KINDS) {
        fprintf(stderr, "saddle-states: no kind %s\n", arguments[0]);
        return EXIT_FAILURE;
    }
    get(arguments[1], &reader);
    int error = states_try((enum states_kind)kind, reader.bytes, reader.length);
    if (error) {
        errno = -error;
        fail(arguments[1]);
    }
    states_again((enum states_kind)kind, reader.bytes, reader.length, &writer);
    put(arguments[2], &writer);
    state_writer_destroy(&writer);
    free((void *)(uintptr_t)reader.bytes);
    return EXIT_SUCCESS;
}

static int sizes(void)
{
    printf("connection %" PRIu64 "\n", states_connection_bytes(CONNECTIONS));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    states_start();
    if (argc == 3 && strcmp(argv[1], "write") == 0)
        return write_all(argv[2], false);
    if (argc == 3 && strcmp(argv[1], "rare") == 0)
        return write_all(argv[2], true);
    if (argc == 4 && strcmp(argv[1], "resume") == 0)
        return resume(argv + 2);
    if (argc == 5 && strcmp(argv[1], "again") == 0)
        return again(argv + 2);
    if (argc == 2 && strcmp(argv[1], "sizes") == 0)
        return sizes();
    fputs(usage, stderr);
    return 2;
}
