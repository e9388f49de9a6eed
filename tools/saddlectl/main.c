/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* saddlectl: what operators ask of saddled. See saddlectl(1). */
#include "control/gateway/client.h"
#include "tools/saddlectl/ask.h"
#include "tools/saddlectl/command.h"
#include "tools/saddlectl/completion.h"
#include "tools/saddlectl/counters.h"
#include "tools/saddlectl/message.h"
#include "tools/saddlectl/options.h"
#include "tools/saddlectl/pages.h"
#include "tools/saddlectl/report.h"
#include "tools/saddlectl/request.h"
#include "tools/saddlectl/table.h"
#include "tools/saddlectl/upgrade.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC 1000000000ull

#define CLEAR       "\033[H\033[J" /* of a terminal: from the top left corner on */
#define OUTPUT_ROOM (256u << 10)   /* bytes: most answers are written at one go */

static struct options options;
static struct asker asker;
static struct json_object *request; /* of all calls; a complaint may end the program over it */
static bool redraw;                 /* each answer takes the place of the one before */

static void print_json(struct json_object *object)
{
    puts(json_object_to_json_string_ext(object,
                                        JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    fflush(stdout);
}

/* One line for a person, or a document for a program. */
static void complain(const char *code, char *text)
{
    struct json_object *error, *whole;

    if (!options.json) {
        table_make_plain(text);
        fprintf(stderr, "saddlectl: %s\n", text);
        return;
    }
    error = json_object_new_object();
    whole = json_object_new_object();
    json_object_object_add(error, "code", json_object_new_string(code));
    json_object_object_add(error, "message", json_object_new_string(text));
    json_object_object_add(whole, "error", error);
    print_json(whole);
    json_object_put(whole);
}

static unsigned terminal_width(void)
{
    const char *given = getenv("COLUMNS");
    struct winsize size;
    long columns = given ? strtol(given, NULL, 10) : 0;

    if (columns > 0 && columns <= UINT16_MAX)
        return (unsigned)columns;
    if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col > 0)
        return size.ws_col;
    return 0;
}

/* What is known of the calls made for a command. */
struct state {
    const struct command *command; /* NULL: any method */
    bool degraded;
    uint32_t answers;
};

/* The state that some answers tell of: what is not well has an exit status of its own. */
static bool tells_trouble(struct json_object *answer)
{
    struct json_object *condition = json_object_object_get(answer, "condition");
    struct json_object *status = json_object_object_get(answer, "status");

    if (condition)
        return strcmp(json_object_get_string(condition), "ok") != 0;
    return status && strcmp(json_object_get_string(status), "serving") != 0;
}

static void end_quietly(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_SUCCESS);
}

/* What goes on until it is interrupted ends well then. */
static void go_on(void)
{
    const struct sigaction action = {.sa_handler = end_quietly};

    sigaction(SIGINT, &action, NULL);
}

static void print_table(const struct state *state, struct json_object *answer)
{
    const struct command *command = state->command;
    bool again = state->answers > 0 && !redraw;
    struct json_object *flat = NULL;
    uint64_t missed = json_object_get_uint64(json_object_object_get(answer, "missed"));

    if (redraw)
        fputs(CLEAR, stdout);
    else if (again && !(command->traits & COMMAND_STREAM))
        putchar('\n');
    if (missed > 0)
        fprintf(stderr, "saddlectl: %llu events were missed\n", (unsigned long long)missed);
    if (command->traits & COMMAND_COUNTERS)
        flat = counters_flatten(answer);
    table_print(command, flat ? flat : answer, terminal_width(),
                !options.no_header && !(again && command->traits & COMMAND_STREAM));
    json_object_put(flat);
}

static bool take(void *context, struct json_object *answer)
{
    struct state *state = context;

    if (options.json || !state->command)
        print_json(answer);
    else
        print_table(state, answer);
    state->answers++;
    state->degraded = tells_trouble(answer);
    if (!state->command || state->command->traits & COMMAND_STREAM)
        go_on();
    return !fflush(stdout) && !ferror(stdout);
}

static int call_once(struct state *state, const char *method, bool stream)
{
    struct ask_end end;
    int status;

    if (!stream && pages_are_many(state->command))
        status = pages_ask(&asker, state->command, request, take, state, &end);
    else
        status = ask(&asker, method, request, stream, take, state, &end);
    if (status == EXIT_USAGE)
        options_wrong("%s", end.text);
    if (status)
        complain(end.code, end.text);
    else if (state->degraded)
        status = EXIT_DEGRADED;
    return status;
}

static void pause_for(double seconds)
{
    struct timespec left = {.tv_sec = (time_t)seconds};

    left.tv_nsec = (long)((seconds - (double)left.tv_sec) * (double)NSEC_PER_SEC);
    while (nanosleep(&left, &left) && errno == EINTR)
        continue;
}

/* Once, or as often as --watch says. A daemon that was there may be away for a while. */
static int perform(const struct command *command, const char *method)
{
    struct state state = {.command = command};
    bool stream = !command || command->traits & COMMAND_STREAM;
    bool watch = options.watch_s > 0 && !stream;
    bool states = watch || (command && command->traits & COMMAND_COUNTERS && stream);
    int status;

    redraw = states && !options.json && isatty(STDOUT_FILENO);
    status = call_once(&state, method, stream);
    if (watch && state.answers > 0)
        go_on();
    while (watch && state.answers > 0 && !ferror(stdout) && status != EXIT_FAILED) {
        pause_for(options.watch_s);
        status = call_once(&state, method, stream);
    }
    return status;
}

static int call_any(char *const *words, int count)
{
    if (count < 1 || count > 2)
        options_wrong("call: METHOD and, if it is not empty, its request as JSON");
    request = message_parse(count == 2 ? words[1] : "{}");
    if (!request)
        options_wrong("call: \"%s\" is no JSON", words[1]);
    return perform(NULL, words[0]);
}

static int upgrade(const struct command *command, char *const *words, int count)
{
    struct state state = {.command = command};
    struct ask_end end;
    int status;

    request = json_object_new_object();
    request_collect(command, &options, words, count, request);
    status = upgrade_run(&asker, request, take, &state, &end);
    /* Of what was printed as a document, the document says how it went. */
    if (status && !(options.json && state.answers > 0))
        complain(end.code, end.text);
    return status;
}

static int run(char *const *words, int count)
{
    const struct command *command;
    int used;

    if (count == 0)
        options_wrong("a command is missing");
    command = command_find(words, count, &used);
    if (!command)
        options_wrong("there is no command \"%s%s%s\"", words[0], count > 1 ? " " : "",
                      count > 1 ? words[1] : "");
    words += used;
    count -= used;
    request_check_options(command, &options);
    if (!strcmp(command->words, "call"))
        return call_any(words, count);
    if (!strcmp(command->words, "upgrade"))
        return upgrade(command, words, count);
    if (!command->method) {
        if (count > 0)
            options_wrong("%s: unexpected argument \"%s\"", command->words, words[0]);
        if (!strcmp(command->words, "report"))
            return report_write(&asker, options.output, options.anonymous);
        options_help(stdout);
        return EXIT_SUCCESS;
    }
    request = json_object_new_object();
    request_collect(command, &options, words, count, request);
    return perform(command, command->method);
}

/* What could not be written has not been said, however well the call went. */
static int ended(int status)
{
    if (!fflush(stdout) && !ferror(stdout))
        return status;
    fputs("saddlectl: standard output: not all of it could be written\n", stderr);
    return EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static char name[] = "saddlectl"; /* with which getopt's complaints begin */
    static char output[OUTPUT_ROOM];
    int first, status;

    signal(SIGPIPE, SIG_DFL);
    setvbuf(stdout, output, _IOFBF, sizeof(output));
    argv[0] = name;
    first = options_parse(&options, argc, argv);
    if (first < 0)
        return EXIT_USAGE;
    if (options.completion) {
        if (completion_print(options.completion))
            options_wrong("--print-completion: \"%s\" is none of bash, zsh and fish",
                          options.completion);
        return ended(EXIT_SUCCESS);
    }
    asker = (struct asker){
        .socket = options.socket,
        .tls = {options.server, options.certificate, options.key, options.authority},
        .timeout_s = options.timeout_s,
    };
    status = run(argv + first, argc - first);
    client_destroy(asker.client);
    json_object_put(request);
    return ended(status);
}
