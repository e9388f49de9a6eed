/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/options.h"

#include "tools/saddlectl/ask.h"
#include "tools/saddlectl/command.h"
#include "tools/saddlectl/reach.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

#define SOCKET_DEFAULT  "/run/saddle/control.sock"
#define SOCKET_VARIABLE "SADDLE_CONTROL_SOCKET"
#define TIMEOUT_S       5.0 /* longer than a daemon waits for an engine */
#define SECONDS_MAX     86400.0
#define WATCH_S         2.0
#define WATCH_S_MIN     0.1
#define HELP_COLUMN     34

enum value {
    VALUE_SOCKET = 's',
    VALUE_JSON = 'j',
    VALUE_TIMEOUT = 't',
    VALUE_HELP = 'h',
    VALUE_VERSION = 'V',
    VALUE_WATCH = 'w',
    VALUE_OUTPUT = 'o',
    VALUE_NO_HEADER = 256,
    VALUE_SERVER,
    VALUE_CERTIFICATE,
    VALUE_KEY,
    VALUE_AUTHORITY,
    VALUE_ANONYMOUS,
    VALUE_COMPLETION,
    VALUE_OF_COMMAND, /* and the position in the table: for the command to understand */
};

const struct option_entry option_entries[] = {
    {"socket", "PATH",
     "the daemon's control socket (default: " SOCKET_VARIABLE ", else " SOCKET_DEFAULT ")",
     VALUE_SOCKET, false},
    {"server", "ADDRESS", "speak to HOST:PORT by TLS; takes the next three", VALUE_SERVER, false},
    {"cert", "PATH", "one's own certificate", VALUE_CERTIFICATE, false},
    {"key", "PATH", "its key", VALUE_KEY, false},
    {"authority", "PATH", "the certificate by which the daemon's is believed", VALUE_AUTHORITY,
     false},
    {"timeout", "SECONDS", "wait so long for an answer (default: 5)", VALUE_TIMEOUT, false},
    {"json", NULL, "print each answer as one line of JSON", VALUE_JSON, false},
    {"watch", "SECONDS", "ask again and again (default: every 2 seconds)", VALUE_WATCH, true},
    {"no-header", NULL, "print tables without their header", VALUE_NO_HEADER, false},
    {"engine", "NAME", "what is of this engine alone", VALUE_OF_COMMAND, false},
    {"peer", "PEER", "list what is with this peer alone (name or address)", VALUE_OF_COMMAND,
     false},
    {"port", "NAME", "list what is of this port alone", VALUE_OF_COMMAND, false},
    {"session", "ID", "list what is of this session alone", VALUE_OF_COMMAND, false},
    {"uid", "UID", "policy check: the user", VALUE_OF_COMMAND, false},
    {"gid", "GID", "policy check: a group of the user; once for each", VALUE_OF_COMMAND, false},
    {"disrupt", NULL, "let sessions end, if a change takes that", VALUE_OF_COMMAND, false},
    {"check", NULL, "upgrade: look only whether everything could move", VALUE_OF_COMMAND, false},
    {"launcher", "PATH", "upgrade: a program of root's that starts the newcomer", VALUE_OF_COMMAND,
     false},
    {"unit", "NAME", "upgrade: the unit to reload (default: saddled.service)", VALUE_OF_COMMAND,
     false},
    {"wait", "SECONDS", "upgrade: for it to be over (default: 120)", VALUE_OF_COMMAND, false},
    {"output", "PATH", "the file that \"report\" makes", VALUE_OUTPUT, false},
    {"anonymous", NULL, "leave addresses and names of applications out of a report",
     VALUE_ANONYMOUS, false},
    {"print-completion", "SHELL", "print the completion for bash, zsh or fish", VALUE_COMPLETION,
     false},
    {"help", NULL, "print this and exit", VALUE_HELP, false},
    {"version", NULL, "print the version and exit", VALUE_VERSION, false},
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
        /* A long one has its help on the next line. */
        if (length > HELP_COLUMN)
            fprintf(stream, "  %s\n  %*s %s\n", text, HELP_COLUMN, "", commands[i].help);
        else
            fprintf(stream, "  %-*s %s\n", HELP_COLUMN, text, commands[i].help);
        free(text);
    }
    fputc('\n', stream);
    for (uint32_t i = 0; i < option_count; i++) {
        const struct option_entry *option = &option_entries[i];
        int width = fprintf(stream, option->optional ? "  --%s[=%s" : "  --%s %s", option->name,
                            option->argument ? option->argument : "");

        width += option->optional ? fprintf(stream, "]") : 0;
        fprintf(stream, "%*s %s\n", HELP_COLUMN + 2 - width, "", option->help);
    }
    fputs(
        "\nExit status: 0 well, 1 the daemon said no, 2 wrong usage, 3 no daemon to be reached, 4 "
        "degraded.\nManual: saddlectl(1).\n",
        stream);
}

static int set_seconds(double *seconds, const char *option, const char *text, double min)
{
    char *end;

    *seconds = strtod(text, &end);
    if (end != text && !*end && *seconds > 0 && *seconds >= min && *seconds <= SECONDS_MAX)
        return 0;
    fprintf(stderr, "saddlectl: --%s: \"%s\" is no number of seconds\nTry: saddlectl help\n",
            option, text);
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

/* Whether it is an option of where the daemon is. */
static bool set_place(struct options *options, int value)
{
    const char **place = value == VALUE_SOCKET        ? &options->socket
                         : value == VALUE_SERVER      ? &options->server
                         : value == VALUE_CERTIFICATE ? &options->certificate
                         : value == VALUE_KEY         ? &options->key
                         : value == VALUE_AUTHORITY   ? &options->authority
                                                      : NULL;

    if (place)
        *place = optarg;
    return place;
}

/* TLS takes all of its options, and they take it. */
static int check_place(const struct options *options)
{
    int files = !!options->certificate + !!options->key + !!options->authority;

    if (options->server && !reach_is_server(options->server)) {
        fprintf(stderr,
                "saddlectl: --server: \"%s\" is not HOST:PORT, nor [ADDRESS]:PORT for IPv6\n"
                "Try: saddlectl help\n",
                options->server);
        return -1;
    }
    if (files == (options->server ? 3 : 0))
        return 0;
    fputs("saddlectl: --server, --cert, --key and --authority go together\n"
          "Try: saddlectl help\n",
          stderr);
    return -1;
}

static int set_option(struct options *options, int value)
{
    if (set_place(options, value))
        return 0;
    if (value >= VALUE_OF_COMMAND)
        return keep(options, option_entries[value - VALUE_OF_COMMAND].name);
    switch (value) {
    case VALUE_JSON:
        options->json = true;
        return 0;
    case VALUE_NO_HEADER:
        options->no_header = true;
        return 0;
    case VALUE_TIMEOUT:
        return set_seconds(&options->timeout_s, "timeout", optarg, 0);
    case VALUE_WATCH:
        options->watch_s = WATCH_S;
        return optarg ? set_seconds(&options->watch_s, "watch", optarg, WATCH_S_MIN) : 0;
    case VALUE_OUTPUT:
        options->output = optarg;
        return 0;
    case VALUE_ANONYMOUS:
        options->anonymous = true;
        return 0;
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
        if (option_entries[i].optional)
            table[i].has_arg = optional_argument;
        table[i].val = option_entries[i].value;
        if (table[i].val == VALUE_OF_COMMAND)
            table[i].val += (int)i;
    }
    while ((value = getopt_long(argc, argv, "", table, NULL)) != -1) {
        if (set_option(options, value))
            return -1;
    }
    return check_place(options) ? -1 : optind;
}

void options_wrong(const char *format, ...)
{
    va_list args;

    fputs("saddlectl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry: saddlectl help\n", stderr);
    exit(EXIT_USAGE);
}
