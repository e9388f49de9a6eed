/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/tls.h"

#include "control/log.h"
#include "sched/clock.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENER     UINT32_MAX
#define EVENTS_MAX   64
#define ACCEPTS_MAX  16    /* of a wake-up */
#define ROUNDS_MAX   8u    /* of one connection, before others have their turn */
#define TICK_MS      500   /* how often handshakes are looked at that take too long */
#define BUFFER_BYTES 16384 /* one TLS record */
#define PORT_BYTES   8u
#define PEER_BYTES   (INET6_ADDRSTRLEN + IF_NAMESIZE + 16u)

struct buffer {
    size_t from, to;
    uint8_t bytes[BUFFER_BYTES];
};

struct connection {
    SSL *ssl;            /* NULL: the place is free */
    int fd;              /* the client's */
    int plain;           /* our end of the pair; -1: the handshake is not over */
    uint32_t generation; /* an event of an earlier use of this place is stale */
    uint64_t begun_ns;
    bool in_ended, out_ended;
    bool broken;           /* TLS has failed: nothing more is said by it */
    struct buffer in, out; /* from the client, to the client */
    char peer[PEER_BYTES];
};

struct tls {
    int fd, epoll_fd;
    struct certificates *certificates;
    struct access *access;
    struct core *core;
    uint64_t now;
    struct connection connections[TLS_CONNECTIONS_MAX];
};

static void close_connection(struct connection *connection)
{
    if (connection->plain >= 0 && !connection->broken)
        SSL_shutdown(connection->ssl);
    ERR_clear_error();
    SSL_free(connection->ssl);
    close(connection->fd);
    if (connection->plain >= 0)
        close(connection->plain);
    connection->ssl = NULL;
    connection->generation++;
}

static void refuse(struct tls *tls, struct connection *connection, enum link_refusal kind,
                   const char *why)
{
    access_count(tls->access, kind);
    log_limited(LOG_WARNING, "tls: %s refused: %s", connection->peer, why);
    close_connection(connection);
}

/* ---- Who it is ---- */

static int watch(const struct tls *tls, int fd, const struct connection *connection, int how)
{
    uint32_t place = (uint32_t)(connection - tls->connections);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = (uint64_t)connection->generation << 32 | place};

    return epoll_ctl(tls->epoll_fd, how, fd, &event) ? -errno : 0;
}

/* Hands the core what it takes for a connection of its own. */
static void hand_over(struct tls *tls, struct connection *connection,
                      const struct link_caller *caller)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends)) {
        refuse(tls, connection, LINK_REFUSAL_CROWDED, strerror(errno));
        return;
    }
    connection->plain = ends[0];
    if (watch(tls, ends[0], connection, EPOLL_CTL_ADD) ||
        access_admit(tls->access, ends[1], caller)) {
        close(ends[1]);
        log_limited(LOG_WARNING, "tls: %s refused: too many connections", connection->peer);
        close_connection(connection);
        return;
    }
    core_connect(tls->core, ends[1]);
}

static void identify(struct tls *tls, struct connection *connection)
{
    struct link_caller caller = {.uid = UINT32_MAX};
    char name[CERTIFICATES_NAME_MAX + 1];
    X509 *certificate = SSL_get1_peer_certificate(connection->ssl);
    bool has_role =
        certificate && certificates_role(tls->certificates, certificate, &caller.role, name);

    X509_free(certificate);
    if (!certificate) {
        refuse(tls, connection, LINK_REFUSAL_CERTIFICATE, "there is no certificate");
    } else if (!has_role) {
        char why[CERTIFICATES_NAME_MAX + 32];

        snprintf(why, sizeof(why), "\"%s\" has no role", name);
        refuse(tls, connection, LINK_REFUSAL_ROLE, why);
    } else {
        log_limited(LOG_INFO, "tls: %s is \"%s\", who may %s", connection->peer, name,
                    caller.role == LINK_ROLE_OPERATE ? "operate" : "observe");
        hand_over(tls, connection, &caller);
    }
}

/* What is wrong with the certificate says more than that the handshake failed. */
static const char *failure_of(const struct connection *connection)
{
    long result = SSL_get_verify_result(connection->ssl);
    const char *text = ERR_reason_error_string(ERR_peek_error());

    if (result != X509_V_OK)
        return X509_verify_cert_error_string(result);
    return text ? text : "it hung up before the handshake was over";
}

static void shake_hands(struct tls *tls, struct connection *connection)
{
    int result, error;

    ERR_clear_error();
    result = SSL_accept(connection->ssl);
    if (result == 1) {
        identify(tls, connection);
        return;
    }
    error = SSL_get_error(connection->ssl, result);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        refuse(tls, connection, LINK_REFUSAL_CERTIFICATE, failure_of(connection));
}

/* ---- What they say ---- */

static size_t waiting(const struct buffer *buffer)
{
    return buffer->to - buffer->from;
}

/* Whether there is any progress. */
static bool read_tls(struct connection *connection)
{
    struct buffer *in = &connection->in;
    int got, error;

    if (waiting(in) > 0 || connection->in_ended)
        return false;
    ERR_clear_error();
    got = SSL_read(connection->ssl, in->bytes, BUFFER_BYTES);
    if (got > 0) {
        in->from = 0;
        in->to = (size_t)got;
        return true;
    }
    error = SSL_get_error(connection->ssl, got);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return false;
    connection->in_ended = true;
    connection->broken = error != SSL_ERROR_ZERO_RETURN;
    return true;
}

static bool write_plain(struct connection *connection)
{
    struct buffer *in = &connection->in;
    ssize_t sent;

    if (waiting(in) == 0)
        return false;
    sent = send(connection->plain, in->bytes + in->from, waiting(in), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
        in->from += (size_t)sent;
        return true;
    }
    if (errno == EAGAIN || errno == EINTR)
        return false;
    in->from = in->to;
    connection->in_ended = true;
    return true;
}

static bool read_plain(struct connection *connection)
{
    struct buffer *out = &connection->out;
    ssize_t got;

    if (waiting(out) > 0 || connection->out_ended)
        return false;
    got = recv(connection->plain, out->bytes, BUFFER_BYTES, MSG_DONTWAIT);
    if (got > 0) {
        out->from = 0;
        out->to = (size_t)got;
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    connection->out_ended = true;
    return true;
}

static bool write_tls(struct connection *connection)
{
    struct buffer *out = &connection->out;
    int sent, error;

    if (waiting(out) == 0 || connection->broken)
        return false;
    ERR_clear_error();
    sent = SSL_write(connection->ssl, out->bytes + out->from, (int)waiting(out));
    if (sent > 0) {
        out->from += (size_t)sent;
        return true;
    }
    error = SSL_get_error(connection->ssl, sent);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return false;
    connection->broken = true;
    return true;
}

/* One side has ended, and what it said before has been said. */
static bool is_over(const struct connection *connection)
{
    if (connection->broken || (connection->in_ended && waiting(&connection->in) == 0))
        return true;
    return connection->out_ended && waiting(&connection->out) == 0;
}

static void carry(struct tls *tls, struct connection *connection)
{
    for (uint32_t i = 0; i < ROUNDS_MAX; i++) {
        bool progress = read_tls(connection);

        progress |= write_plain(connection);
        progress |= read_plain(connection);
        progress |= write_tls(connection);
        if (is_over(connection)) {
            close_connection(connection);
            return;
        }
        if (!progress)
            return;
    }
    /* Others first; to be watched anew says again what is ready. */
    if (watch(tls, connection->fd, connection, EPOLL_CTL_MOD) ||
        watch(tls, connection->plain, connection, EPOLL_CTL_MOD))
        close_connection(connection);
}

static void advance(struct tls *tls, struct connection *connection)
{
    if (connection->plain < 0)
        shake_hands(tls, connection);
    /* Something may have come with the end of the handshake. */
    if (connection->ssl && connection->plain >= 0)
        carry(tls, connection);
}

/* ---- Connections ---- */

/* In numbers: nobody is asked for a name. */
static void describe(struct connection *connection, const struct sockaddr *address,
                     socklen_t length)
{
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE], port[PORT_BYTES];

    if (getnameinfo(address, length, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV))
        snprintf(connection->peer, PEER_BYTES, "somebody");
    else
        snprintf(connection->peer, PEER_BYTES, "%s port %s", host, port);
}

/* A free place, or that of the one who has been shaking hands for longest. NULL: all have a role.
 */
static struct connection *find_place(struct tls *tls)
{
    struct connection *oldest = NULL;

    for (uint32_t i = 0; i < TLS_CONNECTIONS_MAX; i++) {
        struct connection *connection = &tls->connections[i];

        if (!connection->ssl)
            return connection;
        if (connection->plain < 0 && (!oldest || connection->begun_ns < oldest->begun_ns))
            oldest = connection;
    }
    if (oldest)
        refuse(tls, oldest, LINK_REFUSAL_CROWDED, "others came before it said who it is");
    return oldest;
}

/* From here on the descriptor is the connection's, or closed. */
static void welcome(struct tls *tls, int fd, const struct sockaddr *address, socklen_t length)
{
    const int on = 1;
    SSL_CTX *context = certificates_context(tls->certificates);
    SSL *ssl = context ? SSL_new(context) : NULL;
    struct connection *connection = ssl ? find_place(tls) : NULL;

    SSL_CTX_free(context);
    if (!connection || SSL_set_fd(ssl, fd) != 1) {
        access_count(tls->access, ssl ? LINK_REFUSAL_CROWDED : LINK_REFUSAL_CERTIFICATE);
        log_limited(LOG_WARNING, "tls: a connection was refused: %s",
                    ssl ? "too many of them" : "there are no good certificates");
        SSL_free(ssl);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    connection->ssl = ssl;
    connection->fd = fd;
    connection->plain = -1;
    connection->begun_ns = tls->now;
    connection->in_ended = connection->out_ended = connection->broken = false;
    connection->in.from = connection->in.to = connection->out.from = connection->out.to = 0;
    describe(connection, address, length);
    if (watch(tls, fd, connection, EPOLL_CTL_ADD))
        close_connection(connection);
    else
        advance(tls, connection);
}

static void accept_some(struct tls *tls)
{
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        struct sockaddr_storage address = {0};
        socklen_t length = sizeof(address);
        int fd =
            accept4(tls->fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0)
            return;
        welcome(tls, fd, (const struct sockaddr *)&address, length);
    }
}

static void expire(struct tls *tls)
{
    for (uint32_t i = 0; i < TLS_CONNECTIONS_MAX; i++) {
        struct connection *connection = &tls->connections[i];

        if (connection->ssl && connection->plain < 0 &&
            tls->now - connection->begun_ns > TLS_HANDSHAKE_MS * NSEC_PER_MSEC)
            refuse(tls, connection, LINK_REFUSAL_CERTIFICATE, "it did not say who it is in time");
    }
}

void tls_run(struct tls *tls)
{
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(tls->epoll_fd, events, EVENTS_MAX, TICK_MS);

        tls->now = clock_now(&clock_machine);
        for (int i = 0; i < count; i++) {
            uint32_t place = (uint32_t)events[i].data.u64;
            struct connection *connection = &tls->connections[place % TLS_CONNECTIONS_MAX];

            if (place == LISTENER)
                accept_some(tls);
            else if (connection->ssl && connection->generation == events[i].data.u64 >> 32)
                advance(tls, connection);
        }
        expire(tls);
    }
}

int tls_create(struct tls **tls, int fd, struct certificates *certificates, struct access *access,
               struct core *core)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = LISTENER};
    struct tls *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->fd = fd;
    made->certificates = certificates;
    made->access = access;
    made->core = core;
    made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (made->epoll_fd < 0 || epoll_ctl(made->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
        int error = -errno;

        if (made->epoll_fd >= 0)
            close(made->epoll_fd);
        free(made);
        return error;
    }
    *tls = made;
    return 0;
}
