/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/options.h"

#include "tools/saddlectl/command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

#define SOCKET_DEFAULT  "/run/saddle/control.sock"
#define SOCKET_VARIABLE "SADDLE_CONTROL_SOCKET"
#define TIMEOUT_S       5.0 /* longer than a daemon waits for an engine */
#define TIMEOUT_S_MAX   86400.0
#define HELP_COLUMN     38

enum value {
    VALUE_SOCKET = 's',
    VALUE_JSON = 'j',
    VALUE_TIMEOUT = 't',
    VALUE_HELP = 'h',
    VALUE_VERSION = 'V',
    VALUE_NO_HEADER = 256,
    VALUE_COMPLETION,
    VALUE_UID,
    VALUE_GID,
};

const struct option_entry option_entries[] = {
    {"socket", "PATH",
     "the daemon's control socket (default: " SOCKET_VARIABLE ", else " SOCKET_DEFAULT ")",
     VALUE_SOCKET},
    {"timeout", "SECONDS", "wait so long for an answer (default: 5)", VALUE_TIMEOUT},
    {"json", NULL, "print each answer as one line of JSON", VALUE_JSON},
    {"no-header", NULL, "print tables without their header", VALUE_NO_HEADER},
    {"uid", "UID", "policy check: the user", VALUE_UID},
    {"gid", "GID", "policy check: a group of the user; once for each", VALUE_GID},
    {"print-completion", "SHELL", "print the completion for bash, zsh or fish", VALUE_COMPLETION},
    {"help", NULL, "print this and exit", VALUE_HELP},
    {"version", NULL, "print the version and exit", VALUE_VERSION},
};
const uint32_t option_count = sizeof(option_entries) / sizeof(option_entries[0]);
#define OPTION_COUNT (sizeof(option_entries) / sizeof(option_entries[0]))

void options_help(FILE *stream)
{
    fputs("usage: saddlectl [OPTION]... COMMAND [ARGUMENT]...\n\n"
          "Asks a running saddled, and tells it what to do.\n\n",
          stream);
    for (uint32_t i = 0; i < command_count; i++) {
        char *text = NULL;
        size_t length = 0;
        FILE *usage = open_memstream(&text, &length);

        if (!usage)
            return;
        command_usage(&commands[i], usage);
        fclose(usage);
        fprintf(stream, "  %-*s %s\n", HELP_COLUMN, text, commands[i].help);
        free(text);
    }
    fputc('\n', stream);
    for (uint32_t i = 0; i < option_count; i++) {
        const struct option_entry *option = &option_entries[i];
        int width = fprintf(stream, "  --%s%s%s", option->name, option->argument ? " " : "",
                            option->argument ? option->argument : "");

        fprintf(stream, "%*s %s\n", HELP_COLUMN + 2 - width, "", option->help);
    }
    fputs(
        "\nExit status: 0 well, 1 the daemon said no, 2 wrong usage, 3 no daemon to be reached, 4 "
        "degraded.\nManual: saddlectl(1).\n",
        stream);
}

static int set_timeout(struct options *options, const char *text)
{
    char *end;

    options->timeout_s = strtod(text, &end);
    if (end != text && !*end && options->timeout_s > 0 && options->timeout_s <= TIMEOUT_S_MAX)
        return 0;
    fprintf(stderr, "saddlectl: --timeout: \"%s\" is no number of seconds\nTry: saddlectl help\n",
            text);
    return -1;
}

/* What is for the command to understand. */
static int keep(struct options *options, const char *name)
{
    if (options->given_count == OPTIONS_GIVEN_MAX) {
        fprintf(stderr, "saddlectl: --%s: more than %u of it\nTry: saddlectl help\n", name,
                OPTIONS_GIVEN_MAX);
        return -1;
    }
    options->given[options->given_count++] = (struct option_given){name, optarg};
    return 0;
}

static int set_option(struct options *options, int value)
{
    switch (value) {
    case VALUE_SOCKET:
        options->socket = optarg;
        return 0;
    case VALUE_JSON:
        options->json = true;
        return 0;
    case VALUE_NO_HEADER:
        options->no_header = true;
        return 0;
    case VALUE_TIMEOUT:
        return set_timeout(options, optarg);
    case VALUE_UID:
        return keep(options, "uid");
    case VALUE_GID:
        return keep(options, "gid");
    case VALUE_COMPLETION:
        options->completion = optarg;
        return 0;
    case VALUE_HELP:
        options_help(stdout);
        exit(EXIT_SUCCESS);
    case VALUE_VERSION:
        printf("saddlectl %d.%d.%d\n", SADDLE_VERSION_MAJOR, SADDLE_VERSION_MINOR,
               SADDLE_VERSION_PATCH);
        exit(EXIT_SUCCESS);
    default:
        fputs("Try: saddlectl help\n", stderr);
        return -1;
    }
}

int options_parse(struct options *options, int argc, char **argv)
{
    const char *socket = getenv(SOCKET_VARIABLE);
    struct option table[OPTION_COUNT + 1] = {0};
    int value;

    *options = (struct options){
        .socket = socket && *socket ? socket : SOCKET_DEFAULT,
        .timeout_s = TIMEOUT_S,
    };
    for (uint32_t i = 0; i < OPTION_COUNT; i++) {
        table[i].name = option_entries[i].name;
        table[i].has_arg = option_entries[i].argument ? required_argument : no_argument;
        table[i].val = option_entries[i].value;
    }
    while ((value = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (set_option(options, value))
            return -1;
    }
    return optind;
}
