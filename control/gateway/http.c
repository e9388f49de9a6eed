/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/http.h"

#include "sched/clock.h"

#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define ASK_MS      5000u /* for the daemon to answer */
#define TICK_MS     500   /* how often connections are looked at that live too long */
#define FRESH_NS    (100 * NSEC_PER_MSEC)       /* a text is not made anew within this */
#define PLACES      (HTTP_CONNECTIONS_MAX + 8u) /* some are just ending */
#define LINE_BYTES  (LINK_TEXT_MAX + 2u)
#define OPENMETRICS "application/openmetrics-text"

/* The texts that /metrics has: the position is that of the content type. */
static const struct {
    const char *method, *type;
} texts[] = {
    {LINK_HTTP_METRICS, OPENMETRICS "; version=1.0.0; charset=utf-8"},
    {LINK_HTTP_METRICS_OLD, "text/plain; version=0.0.4; charset=utf-8"},
};
#define TEXTS (sizeof(texts) / sizeof(texts[0]))

/* One that is open. */
struct visitor {
    int fd; /* -1: the place is free */
    bool hung_up;
    uint64_t end_ns;
};

struct http {
    struct calls *calls;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* libmicrohttpd's */
    struct visitor visitors[PLACES];
    struct {
        struct MHD_Response *response;
        uint64_t made_ns;
    } fresh[TEXTS];
};

/* ---- Answers ---- */

static struct MHD_Response *respond(char *text, size_t length, enum MHD_ResponseMemoryMode mode,
                                    const char *type)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, text, mode);

    if (!response)
        return NULL;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return response;
}

/* One line. */
static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text)
{
    char line[LINE_BYTES];
    int length = snprintf(line, sizeof(line), "%s\n", text);
    struct MHD_Response *response =
        respond(line, (size_t)length, MHD_RESPMEM_MUST_COPY, "text/plain; charset=utf-8");
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

/* Whether a media range with parameters, "TYPE;q=0.5", asks for OpenMetrics. */
static bool range_wants(const char *range, size_t length)
{
    const size_t type = strlen(OPENMETRICS);
    const char *at = range + type, *end = range + length;

    if (length < type || strncasecmp(range, OPENMETRICS, type) != 0)
        return false;
    if (at < end && !strchr("; \t", *at))
        return false;
    for (; at < end; at++) {
        const char *name = at + 1 + strspn(at + 1, " \t");

        /* "q=0" and "q=0.000" say that it is not wanted. */
        if (*at == ';' && name + 2 < end && !strncasecmp(name, "q=0", 3))
            return name + 3 < end && name[3] == '.' &&
                   strspn(name + 4, "0") < strcspn(name + 4, ", \t;");
    }
    return true;
}

/* The text that is asked for: OpenMetrics for who says so, the older one for everybody else. */
static size_t choose(struct MHD_Connection *connection)
{
    const char *accepted =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);

    while (accepted && *accepted) {
        size_t length;

        accepted += strspn(accepted, ", \t");
        length = strcspn(accepted, ",");
        if (range_wants(accepted, length))
            return 0;
        accepted += length;
    }
    return 1;
}

static void make(struct http *http, size_t which, struct calls_answer *answer)
{
    calls_ask(http->calls, texts[which].method, ASK_MS, answer);
    http->fresh[which].made_ns =
        clock_now(&clock_machine); /* or not made: that is tried as often */
    if (http->fresh[which].response)
        MHD_destroy_response(http->fresh[which].response);
    http->fresh[which].response = NULL;
    if (answer->status != 0 || !answer->bytes) {
        free(answer->bytes);
        return;
    }
    http->fresh[which].response =
        respond((char *)answer->bytes, answer->length, MHD_RESPMEM_MUST_FREE, texts[which].type);
}

/* A text that was made just now serves all who ask meanwhile: however many they are, the daemon
 * makes so and so many in a second. */
static enum MHD_Result send_metrics(struct http *http, struct MHD_Connection *connection)
{
    struct calls_answer answer = {.text = "there was no answer a moment ago"};
    size_t which = choose(connection);

    if (clock_now(&clock_machine) - http->fresh[which].made_ns > FRESH_NS)
        make(http, which, &answer);
    if (!http->fresh[which].response)
        return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, answer.text);
    return MHD_queue_response(connection, MHD_HTTP_OK, http->fresh[which].response);
}

static enum MHD_Result send_health(struct http *http, struct MHD_Connection *connection)
{
    struct calls_answer answer;

    calls_ask(http->calls, LINK_HTTP_HEALTH, ASK_MS, &answer);
    free(answer.bytes);
    return say(connection, answer.status == 0 ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
               answer.text);
}

/* Called when the headers are there, for each piece of a body, and at the end. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *body,
                              size_t *length, void **request)
{
    static char seen;

    (void)version;
    (void)body;
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD are all there is");
    if (!*request) {
        *request = &seen;
        return MHD_YES;
    }
    if (*length > 0) {
        *length = 0;
        return MHD_YES;
    }
    if (!strcmp(path, "/metrics"))
        return send_metrics(context, connection);
    if (!strcmp(path, "/healthz"))
        return send_health(context, connection);
    return say(connection, MHD_HTTP_NOT_FOUND, "there are /metrics and /healthz");
}

/* ---- Connections ---- */

/* libmicrohttpd sees the end, and closes. */
static void hang_up(struct visitor *visitor)
{
    shutdown(visitor->fd, SHUT_RDWR);
    visitor->hung_up = true;
}

/* Has the oldest one go if there are too many. */
static void make_room(struct http *http)
{
    struct visitor *oldest = NULL;
    uint32_t count = 0;

    for (uint32_t i = 0; i < PLACES; i++) {
        struct visitor *visitor = &http->visitors[i];

        if (visitor->fd < 0 || visitor->hung_up)
            continue;
        count++;
        if (!oldest || visitor->end_ns < oldest->end_ns)
            oldest = visitor;
    }
    if (oldest && count > HTTP_CONNECTIONS_MAX)
        hang_up(oldest);
}

/* There is a place: libmicrohttpd takes no more connections than there are. */
static struct visitor *greet(struct http *http, int fd)
{
    for (uint32_t i = 0; i < PLACES; i++) {
        struct visitor *visitor = &http->visitors[i];

        if (visitor->fd >= 0)
            continue;
        visitor->fd = fd;
        visitor->hung_up = false;
        visitor->end_ns = clock_now(&clock_machine) + HTTP_LIFE_MS * NSEC_PER_MSEC;
        make_room(http);
        return visitor;
    }
    return NULL;
}

static void notice(void *context, struct MHD_Connection *connection, void **own,
                   enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    struct visitor *visitor = *own;

    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *own = greet(
            http,
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd);
    else if (visitor)
        visitor->fd = -1;
}

static void expire(struct http *http)
{
    uint64_t now = clock_now(&clock_machine);

    for (uint32_t i = 0; i < PLACES; i++) {
        struct visitor *visitor = &http->visitors[i];

        if (visitor->fd >= 0 && !visitor->hung_up && visitor->end_ns <= now)
            hang_up(visitor);
    }
}

void http_run(struct http *http)
{
    for (;;) {
        struct pollfd ready = {.fd = http->epoll_fd, .events = POLLIN};
        MHD_UNSIGNED_LONG_LONG due;
        int patience = TICK_MS;

        if (MHD_get_timeout(http->daemon, &due) == MHD_YES && due < TICK_MS)
            patience = (int)due;
        poll(&ready, 1, patience);
        MHD_run(http->daemon);
        expire(http);
    }
}

static void ignore(void *context, const char *format, va_list args)
{
    (void)context;
    (void)format;
    (void)args;
}

int http_create(struct http **http, int fd, struct calls *calls)
{
    struct http *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->calls = calls;
    for (uint32_t i = 0; i < PLACES; i++)
        made->visitors[i].fd = -1;
    /* What strangers send it would complain about without end. */
    made->daemon =
        MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, made,
                         MHD_OPTION_EXTERNAL_LOGGER, ignore, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
                         MHD_OPTION_CONNECTION_LIMIT, PLACES, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)HTTP_HEADERS_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                         MHD_OPTION_NOTIFY_CONNECTION, notice, made, MHD_OPTION_END);
    if (!made->daemon) {
        free(made);
        return -EIO;
    }
    made->epoll_fd = MHD_get_daemon_info(made->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    *http = made;
    return 0;
}
