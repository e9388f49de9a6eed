/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/client.h"

#include "control/link.h"

#include <ctype.h>
#include <errno.h>
#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define US_PER_S      1e6
#define PEM_BYTES_MAX (1u << 20) /* of a file with certificates, or a key */
#define TARGET        "unix:"
#define TARGET_BYTES  (sizeof(TARGET) + 3 * sizeof(((struct sockaddr_un *)NULL)->sun_path))
/* How 1.51 begins to describe a status that came with the answer. */
#define FROM_SERVER  "Error received from peer"
#define METHOD_BYTES (LINK_METHOD_MAX + 2)

struct client {
    grpc_completion_queue *queue;
    grpc_channel *channel;
};

/* One call; operations are awaited one after the other. */
struct call {
    grpc_completion_queue *queue;
    grpc_call *call;
    gpr_timespec patience; /* with each operation */
    grpc_metadata_array initial, trailing;
    grpc_status_code status;
    grpc_slice details;
};

/* A target is a URI: "%" and blanks of a path would mean something else there. */
static int make_target(const char *socket, char target[TARGET_BYTES])
{
    size_t used = strlen(TARGET);

    if (strlen(socket) > (TARGET_BYTES - sizeof(TARGET)) / 3)
        return -ENAMETOOLONG;
    memcpy(target, TARGET, sizeof(TARGET));
    for (const unsigned char *at = (const unsigned char *)socket; *at; at++)
        used += (size_t)snprintf(target + used, TARGET_BYTES - used,
                                 isalnum(*at) || strchr("-._~/", *at) ? "%c" : "%%%02X", *at);
    return 0;
}

/* Takes the credentials. */
static int open_channel(struct client **client, const char *target,
                        grpc_channel_credentials *credentials)
{
    grpc_arg list[] = {{.type = GRPC_ARG_INTEGER,
                        .key = (char *)(uintptr_t)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                        .value.integer = (int)LINK_MESSAGE_MAX},
                       {.type = GRPC_ARG_INTEGER,
                        .key = (char *)(uintptr_t)GRPC_ARG_ENABLE_RETRIES,
                        .value.integer = 0},
                       /* The address is the daemon's own, whatever is said for the Web. */
                       {.type = GRPC_ARG_INTEGER,
                        .key = (char *)(uintptr_t)GRPC_ARG_ENABLE_HTTP_PROXY,
                        .value.integer = 0}};
    grpc_channel_args args = {sizeof(list) / sizeof(list[0]), list};
    struct client *made = calloc(1, sizeof(*made));

    if (made) {
        made->queue = grpc_completion_queue_create_for_pluck(NULL);
        made->channel = grpc_channel_create(target, credentials, &args);
        *client = made;
    }
    grpc_channel_credentials_release(credentials);
    if (made)
        return 0;
    grpc_shutdown();
    return -ENOMEM;
}

static void start_core(void)
{
    /* Its own complaints would stand among ours. */
    setenv("GRPC_VERBOSITY", "NONE", 0);
    /* Names are looked up as everywhere on this machine. */
    setenv("GRPC_DNS_RESOLVER", "native", 0);
    grpc_init();
}

int client_create(struct client **client, const char *socket)
{
    char target[TARGET_BYTES];
    int error = make_target(socket, target);

    if (error)
        return error;
    start_core();
    return open_channel(client, target, grpc_insecure_credentials_create());
}

/* A small file as a text; NULL: errno says why. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? calloc(1, PEM_BYTES_MAX + 1) : NULL;
    size_t got = text ? fread(text, 1, PEM_BYTES_MAX + 1, file) : 0;

    if (text && (ferror(file) || got > PEM_BYTES_MAX)) {
        errno = ferror(file) ? EIO : EFBIG;
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

int client_create_tls(struct client **client, const struct client_tls *tls, const char **fault)
{
    const char *const files[] = {tls->certificate, tls->key, tls->authority};
    char *texts[sizeof(files) / sizeof(files[0])] = {NULL};
    grpc_ssl_pem_key_cert_pair pair;
    int error = 0;

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]) && !error; i++) {
        texts[i] = read_file(files[i]);
        *fault = files[i];
        error = texts[i] ? 0 : -errno;
    }
    if (!error) {
        pair.cert_chain = texts[0];
        pair.private_key = texts[1];
        start_core();
        error = open_channel(client, tls->server,
                             grpc_ssl_credentials_create(texts[2], &pair, NULL, NULL));
    }
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
        free(texts[i]);
    return error;
}

void client_destroy(struct client *client)
{
    if (!client)
        return;
    grpc_channel_destroy(client->channel);
    grpc_completion_queue_shutdown(client->queue);
    grpc_completion_queue_destroy(client->queue);
    free(client);
    grpc_shutdown();
}

/* Until the core has done all of it; false if it could not. */
static bool perform(const struct call *call, const grpc_op *ops, size_t count)
{
    grpc_event event;

    if (grpc_call_start_batch(call->call, ops, count, (void *)(uintptr_t)ops, NULL) != GRPC_CALL_OK)
        return false;
    event = grpc_completion_queue_pluck(call->queue, (void *)(uintptr_t)ops, call->patience, NULL);
    if (event.type == GRPC_QUEUE_TIMEOUT) {
        grpc_call_cancel_with_status(call->call, GRPC_STATUS_DEADLINE_EXCEEDED, "", NULL);
        event = grpc_completion_queue_pluck(call->queue, (void *)(uintptr_t)ops,
                                            gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    }
    return event.success != 0;
}

static bool send_request(struct call *call, const uint8_t *request, size_t length)
{
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)request, length);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_op ops[] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buffer},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
        {.op = GRPC_OP_RECV_INITIAL_METADATA,
         .data.recv_initial_metadata.recv_initial_metadata = &call->initial},
    };
    bool good = perform(call, ops, sizeof(ops) / sizeof(ops[0]));

    grpc_byte_buffer_destroy(buffer);
    grpc_slice_unref(slice);
    return good;
}

/* The next answer; false at the end. */
static bool receive(struct call *call, bool (*answer)(void *, const uint8_t *, size_t),
                    void *context)
{
    grpc_byte_buffer *buffer = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &buffer};
    grpc_byte_buffer_reader reader;
    bool goes_on = false;

    if (!perform(call, &op, 1) || !buffer)
        return false;
    call->patience = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    if (grpc_byte_buffer_reader_init(&reader, buffer)) {
        grpc_slice whole = grpc_byte_buffer_reader_readall(&reader);

        goes_on = answer(context, GRPC_SLICE_START_PTR(whole), GRPC_SLICE_LENGTH(whole));
        grpc_slice_unref(whole);
        grpc_byte_buffer_reader_destroy(&reader);
    }
    grpc_byte_buffer_destroy(buffer);
    if (!goes_on)
        grpc_call_cancel(call->call, NULL);
    return goes_on;
}

/* When the connection ends in the middle of a call, the core describes that too as if the server
 * had said it: these words are its own. */
static bool is_broken_off(const struct client_result *result)
{
    static const char *const words[] = {"Socket closed", "Broken pipe", "Connection reset by peer",
                                        "recvmsg:", "sendmsg:"};

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (result->status == GRPC_STATUS_UNAVAILABLE &&
            !strncmp(result->text, words[i], strlen(words[i])))
            return true;
    }
    return false;
}

static void finish(struct call *call, struct client_result *result)
{
    const char *origin = NULL; /* of a status that is not OK */
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                  .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                 .status = &call->status,
                                                 .status_details = &call->details,
                                                 .error_string = &origin}};

    call->details = grpc_empty_slice();
    perform(call, &op, 1);
    result->status = (int)call->status;
    snprintf(result->text, sizeof(result->text), "%.*s", (int)GRPC_SLICE_LENGTH(call->details),
             (const char *)GRPC_SLICE_START_PTR(call->details));
    result->answered = call->status == GRPC_STATUS_OK ||
                       (origin && strstr(origin, FROM_SERVER) && !is_broken_off(result));
    gpr_free((void *)(uintptr_t)origin);
    grpc_slice_unref(call->details);
}

void client_call(struct client *client, const char *method, const uint8_t *request, size_t length,
                 struct client_patience patience,
                 bool (*answer)(void *context, const uint8_t *bytes, size_t length), void *context,
                 struct client_result *result)
{
    gpr_timespec never = gpr_inf_future(GPR_CLOCK_MONOTONIC);
    gpr_timespec deadline =
        patience.seconds < 0
            ? never
            : gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
                           gpr_time_from_micros((int64_t)(patience.seconds * US_PER_S),
                                                GPR_TIMESPAN));
    struct call call = {.queue = client->queue, .patience = patience.first ? deadline : never};
    char path[METHOD_BYTES];
    grpc_slice name;

    snprintf(path, sizeof(path), "/%s", method);
    name = grpc_slice_from_copied_string(path);
    grpc_metadata_array_init(&call.initial);
    grpc_metadata_array_init(&call.trailing);
    call.call =
        grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->queue,
                                 name, NULL, patience.first ? never : deadline, NULL);
    if (send_request(&call, request, length)) {
        while (receive(&call, answer, context))
            continue;
    }
    finish(&call, result);
    grpc_call_unref(call.call);
    grpc_metadata_array_destroy(&call.initial);
    grpc_metadata_array_destroy(&call.trailing);
    grpc_slice_unref(name);
}

const char *client_status_name(int status)
{
    static const char *const names[] = {
        "OK",
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    };

    return status >= 0 && (size_t)status < sizeof(names) / sizeof(names[0]) ? names[status]
                                                                            : "UNKNOWN";
}
