/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* saddlectl: what operators ask of saddled. See saddlectl(1). */
#include "control/gateway/client.h"
#include "tools/saddlectl/command.h"
#include "tools/saddlectl/completion.h"
#include "tools/saddlectl/message.h"
#include "tools/saddlectl/options.h"
#include "tools/saddlectl/table.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* gRPC's codes */
#define STATUS_DEADLINE_EXCEEDED 4
#define STATUS_UNAVAILABLE       14

#define US_PER_S 1e6

/* Exit statuses. */
enum {
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHED = 3,
    EXIT_DEGRADED = 4,
};

static struct options options;
static struct json_object *request; /* of the one call; a complaint may end the program over it */

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *format, ...)
{
    va_list args;

    fputs("saddlectl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputs("\nTry: saddlectl help\n", stderr);
    exit(EXIT_USAGE);
}

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

/* Whether the daemon's socket can be connected to: gRPC's own words for why not are no help. */
static bool reachable(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = (time_t)options.timeout_s};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char text[CLIENT_TEXT_BYTES];
    const char *why = NULL;

    if (strlen(options.socket) >= sizeof(address.sun_path))
        wrong("--socket: longer than the path of a Unix socket may be");
    memcpy(address.sun_path, options.socket, strlen(options.socket));
    /* Connecting waits while the queue of whoever listens is full; a timeout of 0 would be none. */
    patience.tv_usec = (suseconds_t)((options.timeout_s - (double)patience.tv_sec) * US_PER_S);
    patience.tv_usec += !patience.tv_sec && !patience.tv_usec;
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        if (errno == ENOENT)
            why = "no such socket; is saddled running, with \"control\" in its configuration?";
        else if (errno == ECONNREFUSED)
            why = "nobody serves it; is saddled running?";
        else if (errno == EACCES)
            why = "this user may not connect; see \"control\" in saddled.conf(5)";
        else if (errno == EAGAIN)
            why = "no answer in time";
        else
            why = strerror(errno);
    }
    if (fd >= 0)
        close(fd);
    if (!why)
        return true;
    snprintf(text, sizeof(text), "%s: %s", options.socket, why);
    complain("UNAVAILABLE", text);
    return false;
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

struct call {
    const struct command *command; /* NULL: any method */
    const ProtobufCMessageDescriptor *response;
    bool degraded;
    bool malformed;
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

static bool take(void *context, const uint8_t *bytes, size_t length)
{
    struct call *call = context;
    ProtobufCMessage *message = protobuf_c_message_unpack(call->response, NULL, length, bytes);
    struct json_object *answer;

    call->malformed = !message;
    if (!message)
        return false;
    answer = message_to_json(message);
    protobuf_c_message_free_unpacked(message, NULL);
    if (options.json || !call->command)
        print_json(answer);
    else
        table_print(call->command, answer, terminal_width(), !options.no_header);
    fflush(stdout);
    call->degraded = tells_trouble(answer);
    json_object_put(answer);
    return true;
}

static int exit_status(const struct call *call, const struct client_result *result)
{
    bool unreached = !result->answered && (result->status == STATUS_UNAVAILABLE ||
                                           result->status == STATUS_DEADLINE_EXCEEDED);
    char text[CLIENT_TEXT_BYTES];

    if (call->malformed) {
        snprintf(text, sizeof(text), "%s: the answer is not what it should be", options.socket);
        complain("INTERNAL", text);
        return EXIT_FAILED;
    }
    if (result->status == 0)
        return call->degraded ? EXIT_DEGRADED : EXIT_SUCCESS;
    if (!unreached)
        snprintf(text, sizeof(text), "%s",
                 result->text[0] ? result->text : client_status_name(result->status));
    else if (result->status == STATUS_DEADLINE_EXCEEDED)
        snprintf(text, sizeof(text), "%s: no answer in time", options.socket);
    else /* The socket is there, and whoever serves it hung up before he read a word. */
        snprintf(text, sizeof(text),
                 "%s: no answer: uid %u may have no role (\"control\" in saddled.conf(5)), or the "
                 "daemon is just ending",
                 options.socket, geteuid());
    complain(client_status_name(result->status), text);
    return unreached ? EXIT_UNREACHED : EXIT_FAILED;
}

static int perform(const struct command *command, const char *name)
{
    const ProtobufCMethodDescriptor *method = command_method(name);
    struct call call = {.command = command};
    struct client_result result;
    char fault[MESSAGE_FAULT_BYTES];
    struct client *client;
    uint8_t *bytes;
    size_t length;

    if (!method)
        wrong("there is no method \"%s\"", name);
    if (message_from_json(method->input, request, &bytes, &length, fault))
        wrong("%s", fault);
    if (!reachable()) {
        free(bytes);
        return EXIT_UNREACHED;
    }
    call.response = method->output;
    if (client_create(&client, options.socket))
        abort();
    client_call(client, name, bytes, length, options.timeout_s, take, &call, &result);
    client_destroy(client);
    free(bytes);
    return exit_status(&call, &result);
}

static struct json_object *parse_number(const struct argument *argument, const char *word)
{
    unsigned long long number;
    char *end;

    errno = 0;
    number = strtoull(word, &end, 10);
    if (word[0] < '0' || word[0] > '9' || *end || errno)
        wrong("%s: \"%s\" is no number", argument->name, word);
    return json_object_new_uint64(number);
}

static void add_argument(const struct argument *argument, const char *word)
{
    struct json_object *value =
        argument->number ? parse_number(argument, word) : json_object_new_string(word);
    struct json_object *list;

    if (!argument->repeated) {
        json_object_object_add(request, argument->field, value);
        return;
    }
    list = json_object_object_get(request, argument->field);
    if (!list) {
        list = json_object_new_array();
        json_object_object_add(request, argument->field, list);
    }
    json_object_array_add(list, value);
}

/* The options that only some commands have: each sets a field. */
static void collect_options(const struct command *command)
{
    for (uint32_t i = 0; i < options.given_count; i++) {
        const struct option_given *given = &options.given[i];
        const struct argument *argument = command->arguments;

        while (argument->name && (!argument->option || strcmp(argument->option, given->name) != 0))
            argument++;
        if (!argument->name)
            wrong("%s: it has no option --%s", command->words, given->name);
        if (!argument->repeated && json_object_object_get(request, argument->field))
            wrong("%s: --%s is given twice", command->words, given->name);
        add_argument(argument, given->value);
    }
    for (const struct argument *argument = command->arguments; argument->option; argument++) {
        if (!argument->optional && !json_object_object_get(request, argument->field))
            wrong("%s: --%s is missing", command->words, argument->option);
    }
}

/* The words behind a command as its request. */
static void collect(const struct command *command, char *const *words, int count)
{
    const struct argument *argument = command->arguments;

    request = json_object_new_object();
    collect_options(command);
    while (argument->option)
        argument++;
    for (int i = 0; i < count; i++) {
        if (!argument->name)
            wrong("%s: unexpected argument \"%s\"", command->words, words[i]);
        add_argument(argument, words[i]);
        argument += !argument->repeated;
    }
    if (argument->name && !argument->optional)
        wrong("%s: %s is missing", command->words, argument->name);
}

static int call_any(char *const *words, int count)
{
    if (count < 1 || count > 2)
        wrong("call: METHOD and, if it is not empty, its request as JSON");
    request = message_parse(count == 2 ? words[1] : "{}");
    if (!request)
        wrong("call: \"%s\" is no JSON", words[1]);
    return perform(NULL, words[0]);
}

static int run(char *const *words, int count)
{
    const struct command *command;
    int used;

    if (count == 0)
        wrong("a command is missing");
    command = command_find(words, count, &used);
    if (!command)
        wrong("there is no command \"%s%s%s\"", words[0], count > 1 ? " " : "",
              count > 1 ? words[1] : "");
    words += used;
    count -= used;
    if (!command->method && options.given_count > 0)
        wrong("%s: it has no option --%s", command->words, options.given[0].name);
    if (!strcmp(command->words, "call"))
        return call_any(words, count);
    if (!command->method) {
        if (count > 0)
            wrong("%s: unexpected argument \"%s\"", command->words, words[0]);
        options_help(stdout);
        return EXIT_SUCCESS;
    }
    collect(command, words, count);
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
    int first, status;

    signal(SIGPIPE, SIG_DFL);
    argv[0] = name;
    first = options_parse(&options, argc, argv);
    if (first < 0)
        return EXIT_USAGE;
    if (options.completion) {
        if (completion_print(options.completion))
            wrong("--print-completion: \"%s\" is none of bash, zsh and fish", options.completion);
        return ended(EXIT_SUCCESS);
    }
    status = run(argv + first, argc - first);
    json_object_put(request);
    return ended(status);
}
