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

#define COMMAND_COLUMNS_MAX   32u
#define COMMAND_ARGUMENTS_MAX 4u

enum format {
    FORMAT_TEXT,
    FORMAT_SHORT, /* a text, cut where it would leave no room for others */
    FORMAT_COUNT,
    FORMAT_BYTES,
    FORMAT_RATE,     /* bits per second; 0 stands for none */
    FORMAT_DURATION, /* of nanoseconds */
    FORMAT_SPAN,     /* the same; 0 stands for none */
    FORMAT_PATIENCE, /* the same; the highest number stands for never */
    FORMAT_TIME,     /* nanoseconds since 1970 */
    FORMAT_KIND,     /* of an event */
    FORMAT_YES_NO,
    FORMAT_LIST,        /* of texts */
    FORMAT_SIZE,        /* of a list: how many */
    FORMAT_BOUND,       /* a count, of which 0 is none */
    FORMAT_BOUND_BYTES, /* the same of bytes */
    FORMAT_SHARE,       /* of parts per million, in percent; 0 is none */
    FORMAT_BOUND_SHARE, /* the same of parts per million, as percent */
    FORMAT_DIFFERENCE,  /* of two times, in nanoseconds: may be negative */
};

struct column {
    const char *field; /* of an element; NULL ends the list */
    const char *title;
    enum format format;
    uint8_t rank; /* when there is no room the highest goes first; 0 stays */
};

/* What stands on the command line after the command, and the field of the request that it sets. */
struct argument {
    const char *name;  /* in upper case; "" of a flag */
    const char *field; /* of the request */
    bool optional;
    bool repeated; /* the rest of the line */
    bool number;
    bool file;          /* its content is the value; "-" is standard input */
    bool pairs;         /* KEY=VALUE, which sets the field KEY */
    const char *option; /* given as this option, not by its place; before those that are */
    bool flag;          /* an option without a value: true */
};

/* What is special about a command. */
enum command_trait {
    COMMAND_WATCHABLE = 1, /* it says how things are: --watch asks again and again */
    COMMAND_STREAM = 2,    /* its answers do not end */
    COMMAND_COUNTERS = 4,  /* its answer is made of counters, see counters.h */
};

struct command {
    const char *words; /* "engine list" */
    const char *help;
    const char *method; /* NULL: the program's own */
    /* The field of the answer that is the table, or a message whose fields are a line each; NULL:
     * the answer's own fields are. */
    const char *rows;
    /* A field of each row, whose elements are the table's, with the row's name, or else its number,
     * as "of"; NULL: rows are. */
    const char *inner;
    const char *raw;             /* the field of the answer that is printed as it is */
    const struct command *below; /* whose rows and columns follow, of the same answer */
    unsigned traits;             /* enum command_trait */
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
