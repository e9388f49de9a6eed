/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands: one table, from which the program, its help, its manual's check and its completions
 * are made.
 */
#ifndef TOOLS_SADDLECTL_COMMAND_H
#define TOOLS_SADDLECTL_COMMAND_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define COMMAND_COLUMNS_MAX   12u
#define COMMAND_ARGUMENTS_MAX 3u

enum format {
    FORMAT_TEXT,
    FORMAT_COUNT,
    FORMAT_BYTES,
    FORMAT_DURATION, /* of nanoseconds */
    FORMAT_YES_NO,
    FORMAT_LIST,        /* of texts */
    FORMAT_SIZE,        /* of a list: how many */
    FORMAT_BOUND,       /* a count, of which 0 is none */
    FORMAT_BOUND_BYTES, /* the same of bytes */
};

struct column {
    const char *field; /* of an element; NULL ends the list */
    const char *title;
    enum format format;
    uint8_t rank; /* when there is no room the highest goes first; 0 stays */
};

/* What stands on the command line after the command, and the field of the request that it sets. */
struct argument {
    const char *name; /* "ID"; NULL ends the list */
    const char *field;
    bool optional;
    bool repeated; /* the rest of the line */
    bool number;
    const char *option; /* given as this option, not by its place; before those that are */
};

struct command {
    const char *words; /* "engine list" */
    const char *help;
    const char *method; /* NULL: the program's own */
    /* The field of the answer that is the table, or a message whose fields are a line each; NULL:
     * the answer's own fields are. */
    const char *rows;
    const struct command *below; /* whose rows and columns follow, of the same answer */
    struct argument arguments[COMMAND_ARGUMENTS_MAX + 1];
    struct column columns[COMMAND_COLUMNS_MAX + 1];
};

extern const struct command commands[];
extern const uint32_t command_count;

/* "package.Service/Method"; NULL if there is none. */
const ProtobufCMethodDescriptor *command_method(const char *name);
/* The command that the words begin with, and how many of them it has. NULL: none. */
const struct command *command_find(char *const *words, int count, int *used);
void command_usage(const struct command *command, FILE *stream);

#endif
