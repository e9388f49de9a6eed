/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/saddlectl/ask.h"

#include "tools/saddlectl/command.h"
#include "tools/saddlectl/message.h"
#include "tools/saddlectl/reach.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* gRPC's codes */
#define STATUS_DEADLINE_EXCEEDED 4
#define STATUS_UNAVAILABLE       14

struct call {
    const ProtobufCMessageDescriptor *response;
    ask_answer *answer;
    void *context;
    bool answered, enough, malformed;
};

static int __attribute__((format(printf, 4, 5)))
finish(struct ask_end *end, int status, const char *code, const char *format, ...)
{
    va_list args;

    end->status = status;
    end->code = code;
    va_start(args, format);
    vsnprintf(end->text, sizeof(end->text), format, args);
    va_end(args);
    return status;
}

const char *ask_place(const struct asker *asker)
{
    return asker->tls.server ? asker->tls.server : asker->socket;
}

/* Whether the daemon's socket can be connected to: gRPC's own words for why not are no help. A
 * server is not knocked at before: it counts who hangs up without a word. */
static int reach(const struct asker *asker, struct ask_end *end)
{
    const char *why;
    int error;

    if (asker->tls.server)
        return 0;
    error = reach_socket(asker->socket, asker->timeout_s, &why);
    if (error == -EINVAL)
        return finish(end, EXIT_USAGE, "INVALID_ARGUMENT", "%s", why);
    if (error)
        return finish(end, EXIT_UNREACHED, "UNAVAILABLE", "%s: %s", asker->socket, why);
    return 0;
}

static int connect_client(struct asker *asker, struct ask_end *end)
{
    const char *fault = "";
    int error;

    if (asker->client)
        return 0;
    error = asker->tls.server ? client_create_tls(&asker->client, &asker->tls, &fault)
                              : client_create(&asker->client, asker->socket);
    if (!error)
        return 0;
    if (error == -ENOMEM || !asker->tls.server)
        abort();
    return finish(end, EXIT_USAGE, "INVALID_ARGUMENT", "%s: %s", fault, strerror(-error));
}

static bool take(void *context, const uint8_t *bytes, size_t length)
{
    struct call *call = context;
    ProtobufCMessage *message = protobuf_c_message_unpack(call->response, NULL, length, bytes);
    struct json_object *answer;

    call->answered = true;
    call->malformed = !message;
    if (!message)
        return false;
    answer = message_to_json(message);
    protobuf_c_message_free_unpacked(message, NULL);
    call->enough = !call->answer(call->context, answer);
    json_object_put(answer);
    return !call->enough;
}

/* Why a call reached nobody. */
static int explain_unreached(const struct asker *asker, const struct call *call,
                             const struct client_result *result, struct ask_end *end)
{
    const char *code = client_status_name(result->status);
    const char *place = ask_place(asker), *why;

    if (result->status == STATUS_DEADLINE_EXCEEDED)
        return finish(end, EXIT_UNREACHED, code, "%s: no answer in time", place);
    if (call->answered)
        return finish(end, EXIT_UNREACHED, code, "%s: the daemon, or its saddle-control, has ended",
                      place);
    if (!asker->tls.server)
        /* The socket is there, and whoever serves it hung up before he read a word. */
        return finish(end, EXIT_UNREACHED, code,
                      "%s: no answer: uid %u may have no role (\"control\" in saddled.conf(5)), or "
                      "the daemon is just ending",
                      place, geteuid());
    if (reach_server(asker->tls.server, asker->timeout_s, &why))
        return finish(end, EXIT_UNREACHED, code, "%s: %s", place, why);
    return finish(end, EXIT_UNREACHED, code,
                  "%s: no answer: one of the certificates may not be believed, or ours may have no "
                  "role (\"control: tls\" in saddled.conf(5))",
                  place);
}

static int explain(const struct asker *asker, const struct call *call,
                   const struct client_result *result, struct ask_end *end)
{
    bool unreached = !result->answered && (result->status == STATUS_UNAVAILABLE ||
                                           result->status == STATUS_DEADLINE_EXCEEDED);
    const char *code = client_status_name(result->status);

    if (call->malformed)
        return ask_malformed(asker, end);
    if (call->enough || result->status == 0)
        return finish(end, EXIT_SUCCESS, "OK", "%s", "");
    if (unreached)
        return explain_unreached(asker, call, result, end);
    return finish(end, EXIT_FAILED, code, "%s", result->text[0] ? result->text : code);
}

int ask_malformed(const struct asker *asker, struct ask_end *end)
{
    return finish(end, EXIT_FAILED, "INTERNAL", "%s: the answer is not what it should be",
                  ask_place(asker));
}

int ask(struct asker *asker, const char *name, struct json_object *request, bool stream,
        ask_answer *answer, void *context, struct ask_end *end)
{
    const ProtobufCMethodDescriptor *method = command_method(name);
    struct call call = {.answer = answer, .context = context};
    struct client_result result;
    char fault[MESSAGE_FAULT_BYTES];
    uint8_t *bytes;
    size_t length;
    int status;

    if (!method)
        return finish(end, EXIT_USAGE, "UNIMPLEMENTED", "there is no method \"%s\"", name);
    if (message_from_json(method->input, request, &bytes, &length, fault))
        return finish(end, EXIT_USAGE, "INVALID_ARGUMENT", "%s", fault);
    status = reach(asker, end);
    if (!status)
        status = connect_client(asker, end);
    if (!status) {
        call.response = method->output;
        client_call(asker->client, name, bytes, length,
                    (struct client_patience){asker->timeout_s, stream}, take, &call, &result);
        status = explain(asker, &call, &result, end);
    }
    if (status == EXIT_UNREACHED) { /* one that has to connect again does so in its own time */
        client_destroy(asker->client);
        asker->client = NULL;
    }
    free(bytes);
    return status;
}
