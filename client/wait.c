/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/channel.h"
#include "client/error.h"

#include <errno.h>
#include <string.h>

#define WAIT_RETRY_MS 1 /* between two attempts to submit to a full queue */
#define NS_PER_MS     1000000ull
#define WAIT_SOON_NS  1u /* the engine's deadline for a call that does not wait at all */

/* One operation as a blocking call asks for it. */
struct wait_request {
    enum saddle_command_op code;
    saddle_handle handle;
    const char *host;
    const char *service;
    void *data;
    size_t len; /* of what has a stride, that */
    int timeout_ms;
    saddle_key key; /* or the table's */
    uint64_t offset;
    const uint64_t *values; /* offsets of a batch; what is compared, stored or added */
    uint32_t count;         /* of offsets, or entries; or rights */
};

static bool wait_match_done(const struct saddle_completion *event, const void *context)
{
    const uint64_t *tag = (const uint64_t *)context;

    return event->kind == SADDLE_DONE && event->tag == *tag;
}

/* What a listener has to say. */
static bool wait_match_listener(const struct saddle_completion *event, const void *context)
{
    saddle_handle listener = *(const saddle_handle *)context;

    return (event->kind == SADDLE_INCOMING && event->value == listener) ||
           (event->kind == SADDLE_CLOSED && event->handle == listener);
}

/* What a connection has to say to one who receives. */
static bool wait_match_connection(const struct saddle_completion *event, const void *context)
{
    return event->handle == *(const saddle_handle *)context &&
           (event->kind == SADDLE_MESSAGE || event->kind == SADDLE_WAITING ||
            event->kind == SADDLE_CLOSED);
}

/* All that is left of a handle. */
static bool wait_match_handle(const struct saddle_completion *event, const void *context)
{
    return wait_match_connection(event, context) || wait_match_listener(event, context);
}

/* Takes the next event that matches and keeps the others: 1, 0 at `end_ns`, or an error. */
static int wait_event(struct saddle_channel *channel, client_match_fn *match, const void *context,
                      int64_t end_ns, struct saddle_completion *event)
{
    int ready = session_check(channel->session);

    if (ready == -ECHILD)
        return ready;
    if (client_stash_take(&channel->stash, match, context, event))
        return 1;
    for (;;) {
        if (client_stash_prepare(&channel->stash) != 0)
            return client_error(-ENOMEM, "no memory to keep an event");
        ready = client_channel_next(channel, event);
        if (ready < 0)
            return ready;
        if (ready > 0 && match(event, context))
            return 1;
        if (ready > 0) {
            client_stash_put(&channel->stash, event);
            continue;
        }
        ready = client_channel_sleep(channel, end_ns);
        if (ready <= 0)
            return ready;
    }
}

/* What concerns a region of the peer's. */
static int wait_submit_remote(struct saddle_channel *channel, const struct wait_request *request,
                              const struct saddle_op *op)
{
    switch (request->code) {
    case SADDLE_CMD_READ_INDIRECT:
        return saddle_read_indirect(channel, request->handle, request->key, request->offset,
                                    request->data, request->len, op);
    case SADDLE_CMD_READ_BATCH:
        return saddle_read_batch(channel, request->handle, request->key, request->values,
                                 request->count, request->data, request->len, op);
    case SADDLE_CMD_SCAN_READ:
        return saddle_scan_read(channel, request->handle, request->key, request->offset,
                                request->count, request->values[0], request->data, request->len,
                                op);
    case SADDLE_CMD_COMPARE_SWAP:
        return saddle_compare_swap(channel, request->handle, request->key, request->offset,
                                   request->values[0], request->values[1], op);
    default:
        return saddle_fetch_add(channel, request->handle, request->key, request->offset,
                                request->values[0], op);
    }
}

static int wait_submit(struct saddle_channel *channel, const struct wait_request *request,
                       const struct saddle_op *op)
{
    switch (request->code) {
    case SADDLE_CMD_LISTEN:
        return saddle_listen(channel, request->service, op);
    case SADDLE_CMD_CONNECT:
        return saddle_connect(channel, request->host, request->service, op);
    case SADDLE_CMD_ACCEPT:
        return saddle_accept(channel, request->handle, op);
    case SADDLE_CMD_SEND:
        return saddle_send(channel, request->handle, request->data, request->len, op);
    case SADDLE_CMD_POST_RECV:
        return saddle_post_recv(channel, request->handle, request->data, request->len, op);
    case SADDLE_CMD_PING:
        return saddle_ping(channel, request->host, request->len, op);
    case SADDLE_CMD_EXPOSE:
        return saddle_expose(channel, request->data, request->len, request->count, op);
    case SADDLE_CMD_CLOSE:
        return saddle_close(channel, request->handle, op);
    default:
        return wait_submit_remote(channel, request, op);
    }
}

static bool wait_match_none(const struct saddle_completion *event, const void *context)
{
    (void)event;
    (void)context;
    return false;
}

/* Submits, waiting for room if need be: 0, -ETIMEDOUT or an error. */
static int wait_submitted(struct saddle_channel *channel, const struct wait_request *request,
                          uint64_t tag, int64_t end_ns)
{
    struct saddle_op op = {.size = sizeof(op), .tag = tag};
    struct saddle_completion event;

    /* A posted buffer has no deadline of its own: the message may come for the next call. */
    if (request->timeout_ms >= 0 && request->code != SADDLE_CMD_POST_RECV)
        op.timeout_ns =
            request->timeout_ms ? (uint64_t)request->timeout_ms * NS_PER_MS : WAIT_SOON_NS;
    for (;;) {
        int64_t retry_ns = client_channel_end_ns(WAIT_RETRY_MS);
        int error = wait_submit(channel, request, &op);

        if (error != -EAGAIN)
            return error;
        /* The queue moves on when the engine has room for completions: take those there are. */
        if (retry_ns > end_ns)
            return client_error(-ETIMEDOUT, "the command queue stayed full");
        error = wait_event(channel, wait_match_none, NULL, retry_ns, &event);
        if (error < 0)
            return error;
    }
}

/* Runs a request as an errand and takes its completion: 0 or the operation's error. With -ETIMEDOUT
 * and -EINTR the errand is left to itself; otherwise the caller has to end it. */
static int wait_run(struct saddle_channel *channel, const struct wait_request *request,
                    struct client_errand **errand, struct saddle_completion *done)
{
    int64_t end_ns = client_channel_end_ns(request->timeout_ms);
    int ready = wait_submitted(channel, request, (*errand)->tag, end_ns);

    if (ready < 0) {
        client_errand_end(channel, *errand);
        *errand = NULL;
        return ready;
    }
    ready = wait_event(channel, wait_match_done, &(*errand)->tag, end_ns, done);
    if (ready > 0)
        return done->status;
    client_errand_leave(*errand);
    *errand = NULL;
    return ready ? ready : client_error(-ETIMEDOUT, "no completion within the given time");
}

/* Why a command failed, where the daemon's rules mean something else than the system's words. */
static const char *wait_reason(enum saddle_command_op code, int error)
{
    if (error == -EDQUOT)
        return "the session's quota is used up";
    if (error == -EACCES && code == SADDLE_CMD_LISTEN)
        return "the daemon's policy gives this user no right to listen";
    if (error == -EACCES && code == SADDLE_CMD_CONNECT)
        return "the daemon's policy gives this user no right to connect";
    if (error == -EACCES && code == SADDLE_CMD_EXPOSE)
        return "the daemon's policy gives this user no right to expose";
    return strerrordesc_np(-error);
}

/* wait_run for requests whose errand carries nothing: ends it, and says in words what failed. */
static int wait_simple(struct saddle_channel *channel, const struct wait_request *request,
                       const char *what, struct saddle_completion *done)
{
    struct client_errand *errand = client_errand_start(channel);
    int error;

    if (!errand)
        return -ENOMEM;
    error = wait_run(channel, request, &errand, done);
    if (!errand)
        return error;
    client_errand_end(channel, errand);
    if (error)
        return client_errorf(error, "%s%s%s%s%s: %s", what, request->service ? " " : "",
                             request->service ? request->service : "", request->host ? " of " : "",
                             request->host ? request->host : "", wait_reason(request->code, error));
    return 0;
}

/* wait_simple for what gets a handle. */
static int wait_handle(struct saddle_channel *channel, const struct wait_request *request,
                       const char *what, saddle_handle *handle)
{
    struct saddle_completion done;
    int error = wait_simple(channel, request, what, &done);

    if (!error)
        *handle = done.handle;
    return error;
}

int saddle_listen_wait(struct saddle_channel *channel, const char *service, int timeout_ms,
                       saddle_handle *listener)
{
    const struct wait_request request = {.code = SADDLE_CMD_LISTEN,
                                         .service = service,
                                         .timeout_ms = timeout_ms};

    *listener = 0;
    return wait_handle(channel, &request, "listening for", listener);
}

int saddle_connect_wait(struct saddle_channel *channel, const char *host, const char *service,
                        int timeout_ms, saddle_handle *connection)
{
    const struct wait_request request = {
        .code = SADDLE_CMD_CONNECT, .host = host, .service = service, .timeout_ms = timeout_ms};

    *connection = 0;
    return wait_handle(channel, &request, "connecting to", connection);
}

int saddle_accept_wait(struct saddle_channel *channel, saddle_handle listener, int timeout_ms,
                       saddle_handle *connection)
{
    struct wait_request request = {.code = SADDLE_CMD_ACCEPT, .timeout_ms = timeout_ms};
    struct saddle_completion event;
    int ready;

    *connection = 0;
    ready = wait_event(channel, wait_match_listener, &listener, client_channel_end_ns(timeout_ms),
                       &event);
    if (ready < 0)
        return ready;
    if (ready == 0)
        return client_error(-ETIMEDOUT, "nobody called within the given time");
    if (event.kind == SADDLE_CLOSED)
        return client_error(event.status ? event.status : -ENOTCONN, "the listener was closed");
    request.handle = event.handle;
    return wait_handle(channel, &request, "accepting", connection);
}

int saddle_close_wait(struct saddle_channel *channel, saddle_handle handle, int timeout_ms)
{
    const struct wait_request request = {.code = SADDLE_CMD_CLOSE,
                                         .handle = handle,
                                         .timeout_ms = timeout_ms};
    struct saddle_completion event;
    int error = wait_simple(channel, &request, "closing", &event);

    if (error)
        return error;
    while (client_stash_take(&channel->stash, wait_match_handle, &handle, &event))
        saddle_release(channel, &event);
    return 0;
}

int saddle_send_wait(struct saddle_channel *channel, saddle_handle connection, const void *data,
                     size_t len, int timeout_ms)
{
    struct wait_request request = {.code = SADDLE_CMD_SEND,
                                   .handle = connection,
                                   .data = (void *)(uintptr_t)data,
                                   .len = len,
                                   .timeout_ms = timeout_ms};
    struct saddle_completion done;
    struct client_errand *errand;
    int error = session_check(channel->session);

    if (error)
        return error;
    errand = client_errand_start(channel);
    if (!errand)
        return -ENOMEM;
    if (data && len > SADDLE_INLINE_BYTES && len <= SADDLE_MESSAGE_MAX) {
        errand->buffer = saddle_alloc(channel->session, len);
        if (!errand->buffer) {
            client_errand_end(channel, errand);
            return -ENOMEM;
        }
        errand->bytes = len;
        memcpy(errand->buffer, data, len);
        request.data = errand->buffer;
    }
    error = wait_run(channel, &request, &errand, &done);
    if (!errand)
        return error;
    client_errand_end(channel, errand);
    return error ? client_errorf(error, "sending %zu bytes: %s", len, strerrordesc_np(-error)) : 0;
}

int saddle_ping_wait(struct saddle_channel *channel, const char *host, size_t payload,
                     int timeout_ms, struct saddle_ping_info *info)
{
    const struct wait_request request = {
        .code = SADDLE_CMD_PING, .host = host, .len = payload, .timeout_ms = timeout_ms};
    struct saddle_completion done;
    struct client_errand *errand = client_errand_start(channel);
    int error, status;

    if (!errand)
        return -ENOMEM;
    status = wait_run(channel, &request, &errand, &done);
    if (!errand)
        return status;
    client_errand_end(channel, errand);
    error = info ? saddle_pinged(&done, info) : 0;
    if (error)
        return error;
    return status ? client_errorf(status, "ping of %s: %s", host, strerrordesc_np(-status)) : 0;
}

/* ---- One-sided operations ---- */

int saddle_expose_wait(struct saddle_channel *channel, void *memory, size_t len, uint32_t rights,
                       int timeout_ms, saddle_key *key)
{
    const struct wait_request request = {.code = SADDLE_CMD_EXPOSE,
                                         .data = memory,
                                         .len = len,
                                         .count = rights,
                                         .timeout_ms = timeout_ms};
    struct saddle_completion done;
    int error;

    *key = 0;
    error = wait_simple(channel, &request, "exposing", &done);
    if (!error)
        *key = done.value;
    return error;
}

/* Runs a request that reads `bytes` into `buffer`, by way of the heap. An error leaves both *done
 * and the buffer alone. */
static int wait_read(struct saddle_channel *channel, struct wait_request *request, const char *what,
                     void *buffer, size_t bytes, struct saddle_completion *done)
{
    struct client_errand *errand;
    int error = session_check(channel->session);

    if (error)
        return error;
    if (bytes == 0 || bytes > SADDLE_MESSAGE_MAX)
        return client_errorf(-EINVAL, "%s: %zu bytes; it takes 1 to %u", what, bytes,
                             SADDLE_MESSAGE_MAX);
    errand = client_errand_start(channel);
    if (!errand)
        return -ENOMEM;
    errand->buffer = saddle_alloc(channel->session, bytes);
    if (!errand->buffer) {
        client_errand_end(channel, errand);
        return -ENOMEM;
    }
    errand->bytes = bytes;
    request->data = errand->buffer;
    error = wait_run(channel, request, &errand, done);
    if (!errand)
        return error;
    if (error == -EMSGSIZE)
        client_errorf(error, "%s: %zu bytes for a buffer of %zu", what, done->len, bytes);
    else if (error)
        client_errorf(error, "%s: %s", what, strerrordesc_np(-error));
    else if (request->code != SADDLE_CMD_READ_BATCH && done->len > bytes)
        error = session_break(channel->session, &session_fault_protocol);
    else
        memcpy(buffer, errand->buffer, request->code == SADDLE_CMD_READ_BATCH ? bytes : done->len);
    client_errand_end(channel, errand);
    return error;
}

int64_t saddle_read_indirect_wait(struct saddle_channel *channel, saddle_handle connection,
                                  saddle_key table, uint64_t entry_offset, void *buffer,
                                  size_t bytes, int timeout_ms)
{
    struct wait_request request = {.code = SADDLE_CMD_READ_INDIRECT,
                                   .handle = connection,
                                   .key = table,
                                   .offset = entry_offset,
                                   .len = bytes,
                                   .timeout_ms = timeout_ms};
    struct saddle_completion done;
    int error = wait_read(channel, &request, "indirect read", buffer, bytes, &done);

    return error ? error : (int64_t)done.len;
}

int saddle_read_batch_wait(struct saddle_channel *channel, saddle_handle connection,
                           saddle_key table, const uint64_t *entry_offsets, uint32_t count,
                           void *buffer, size_t stride, struct saddle_read_item *items,
                           int timeout_ms)
{
    struct wait_request request = {.code = SADDLE_CMD_READ_BATCH,
                                   .handle = connection,
                                   .key = table,
                                   .values = entry_offsets,
                                   .count = count,
                                   .len = stride,
                                   .timeout_ms = timeout_ms};
    struct saddle_completion done;
    int error;

    if (count == 0 || count > SADDLE_BATCH_MAX || stride > SADDLE_MESSAGE_MAX)
        return client_errorf(-EINVAL, "batch of %u items of %zu bytes", count, stride);
    error = wait_read(channel, &request, "batched read", buffer, count * stride, &done);
    if (error || !items)
        return error;
    return saddle_read_items(&done, items, count) == (int)count
               ? 0
               : session_break(channel->session, &session_fault_protocol);
}

int64_t saddle_scan_read_wait(struct saddle_channel *channel, saddle_handle connection,
                              saddle_key table, uint64_t offset, uint32_t entries, uint64_t match,
                              void *buffer, size_t bytes, uint32_t *index, int timeout_ms)
{
    struct wait_request request = {.code = SADDLE_CMD_SCAN_READ,
                                   .handle = connection,
                                   .key = table,
                                   .offset = offset,
                                   .values = &match,
                                   .count = entries,
                                   .len = bytes,
                                   .timeout_ms = timeout_ms};
    struct saddle_completion done;
    int error = wait_read(channel, &request, "scan", buffer, bytes, &done);

    if (error)
        return error;
    if (index)
        *index = (uint32_t)done.value;
    return (int64_t)done.len;
}

static int wait_atomic(struct saddle_channel *channel, const struct wait_request *request,
                       const char *what, uint64_t *before)
{
    struct saddle_completion done;
    int error = wait_simple(channel, request, what, &done);

    if (!error && before)
        *before = done.value;
    return error;
}

int saddle_compare_swap_wait(struct saddle_channel *channel, saddle_handle connection,
                             saddle_key key, uint64_t offset, uint64_t expected, uint64_t desired,
                             int timeout_ms, uint64_t *before)
{
    const uint64_t values[] = {expected, desired};
    const struct wait_request request = {.code = SADDLE_CMD_COMPARE_SWAP,
                                         .handle = connection,
                                         .key = key,
                                         .offset = offset,
                                         .values = values,
                                         .timeout_ms = timeout_ms};

    return wait_atomic(channel, &request, "compare and swap", before);
}

int saddle_fetch_add_wait(struct saddle_channel *channel, saddle_handle connection, saddle_key key,
                          uint64_t offset, uint64_t addend, int timeout_ms, uint64_t *before)
{
    const struct wait_request request = {.code = SADDLE_CMD_FETCH_ADD,
                                         .handle = connection,
                                         .key = key,
                                         .offset = offset,
                                         .values = &addend,
                                         .timeout_ms = timeout_ms};

    return wait_atomic(channel, &request, "fetch and add", before);
}

/* ---- Receiving ---- */

static int64_t wait_copy(void *buffer, size_t bytes, const void *data, size_t len)
{
    if (len > bytes)
        return client_errorf(-EMSGSIZE, "a message of %zu bytes for a buffer of %zu: dropped", len,
                             bytes);
    memcpy(buffer, data, len);
    return (int64_t)len;
}

/* Fetches a message that waits for a buffer: its length, or an error. */
static int64_t wait_fetch(struct saddle_channel *channel, const struct saddle_completion *waiting,
                          void *buffer, size_t bytes, int timeout_ms)
{
    struct wait_request request = {.code = SADDLE_CMD_POST_RECV,
                                   .handle = waiting->handle,
                                   .timeout_ms = timeout_ms};
    struct saddle_completion done;
    struct client_errand *errand = client_errand_start(channel);
    int64_t result = -ENOMEM;

    if (errand)
        errand->buffer = saddle_alloc(channel->session, waiting->value);
    if (!errand || !errand->buffer) {
        /* It still waits: the caller may make room and call again. */
        client_stash_put(&channel->stash, waiting);
        if (errand)
            client_errand_end(channel, errand);
        return result;
    }
    errand->bytes = waiting->value;
    request.data = errand->buffer;
    request.len = errand->bytes;
    result = wait_run(channel, &request, &errand, &done);
    if (!errand)
        return result;
    if (result < 0)
        client_errorf((int)result, "receiving: %s", strerrordesc_np((int)-result));
    else if (done.len > errand->bytes)
        result = session_break(channel->session, &session_fault_protocol);
    else
        result = wait_copy(buffer, bytes, errand->buffer, done.len);
    client_errand_end(channel, errand);
    return result;
}

int64_t saddle_recv_wait(struct saddle_channel *channel, saddle_handle connection, void *buffer,
                         size_t bytes, int timeout_ms)
{
    struct saddle_completion event;
    int64_t result;
    int ready = wait_event(channel, wait_match_connection, &connection,
                           client_channel_end_ns(timeout_ms), &event);

    if (ready < 0)
        return ready;
    if (ready == 0)
        return client_error(-ETIMEDOUT, "no message within the given time");
    switch (event.kind) {
    case SADDLE_MESSAGE:
        result = wait_copy(buffer, bytes, event.data, event.len);
        saddle_release(channel, &event);
        return result;
    case SADDLE_WAITING:
        return wait_fetch(channel, &event, buffer, bytes, timeout_ms);
    default:
        /* The end stays the end, for the next call too. */
        if (client_stash_prepare(&channel->stash) == 0)
            client_stash_put(&channel->stash, &event);
        if (event.status == 0)
            return 0;
        return client_errorf(event.status, "the connection ended: %s",
                             strerrordesc_np(-event.status));
    }
}
