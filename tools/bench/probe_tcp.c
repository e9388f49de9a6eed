/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Probing over the kernel's TCP: blocking sockets on the loopback device, without Nagle's delay. */
#include "tools/bench/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PORT_ECHO, PORT_STREAM };

static int prober_fd = -1;

static int listen_at(struct probe_shared *shared, unsigned which)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 1) ||
        getsockname(fd, (struct sockaddr *)&address, &len))
        probe_fail(shared, "listening with TCP: %s", strerror(errno));
    shared->tcp_ports[which] = ntohs(address.sin_port);
    return fd;
}

static int set_up(int fd)
{
    const int on = 1;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ? -errno : 0;
}

static int accept_at(struct probe_shared *shared, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0 || set_up(fd))
        probe_fail(shared, "accepting with TCP: %s", strerror(errno));
    return fd;
}

static int connect_to(const struct probe_shared *shared, unsigned which)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(shared->tcp_ports[which])};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) || set_up(fd)) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

/* All of it: 0, or a negative errno, -ECONNRESET if the other side has hung up. */
static int send_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0)
            return -errno;
        bytes += sent;
        len -= (size_t)sent;
    }
    return 0;
}

static int receive_all(int fd, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t got = recv(fd, bytes, len, MSG_WAITALL);
        if (got <= 0)
            return got < 0 ? -errno : -ECONNRESET;
        bytes += got;
        len -= (size_t)got;
    }
    return 0;
}

static int open_prober(struct probe_shared *shared)
{
    const struct timeval patience = {.tv_sec = PROBE_WAIT_MS / 1000};
    prober_fd = connect_to(shared, PORT_ECHO);
    if (prober_fd < 0)
        return probe_error(shared, prober_fd, "connecting with TCP: %s", strerror(-prober_fd));
    setsockopt(prober_fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return 0;
}

static int trip(struct probe_shared *shared)
{
    uint8_t bytes[PROBE_BYTES] = {0};
    int rc = send_all(prober_fd, bytes, sizeof(bytes));
    if (!rc)
        rc = receive_all(prober_fd, bytes, sizeof(bytes));
    return rc ? probe_error(shared, rc, "a round trip over TCP: %s", strerror(-rc)) : 0;
}

/* Until the prober hangs up. */
static void echo(struct probe_shared *shared, int word_fd)
{
    uint8_t bytes[PROBE_BYTES];
    int listener = listen_at(shared, PORT_ECHO);
    probe_ready(shared, word_fd);
    int fd = accept_at(shared, listener);
    while (receive_all(fd, bytes, sizeof(bytes)) == 0 && send_all(fd, bytes, sizeof(bytes)) == 0)
        ;
    _exit(EXIT_SUCCESS);
}

struct sink {
    struct probe_shared *shared;
    int listener;
};

static void *receive_stream(void *arg)
{
    struct sink *sink = arg;
    struct probe_shared *shared = sink->shared;
    uint8_t *bytes = malloc(shared->settings.stream_bytes);
    int fd = accept_at(shared, sink->listener);
    while (bytes && receive_all(fd, bytes, shared->settings.stream_bytes) == 0)
        atomic_fetch_add_explicit(&shared->streamed, 1, memory_order_relaxed);
    probe_fail(shared, "the stream over TCP has ended");
}

static void stream(struct probe_shared *shared, int word_fd)
{
    struct sink sink = {.shared = shared, .listener = listen_at(shared, PORT_STREAM)};
    pthread_t thread;
    uint8_t *bytes = calloc(1, shared->settings.stream_bytes);
    int fd = connect_to(shared, PORT_STREAM);
    if (!bytes || fd < 0 || pthread_create(&thread, NULL, receive_stream, &sink))
        probe_fail(shared, "no stream over TCP");
    probe_ready(shared, word_fd);
    uint64_t start = pace_machine.now(NULL);
    int rc = 0;
    for (uint64_t i = 0; !rc; i++) {
        probe_stream_wait(shared, start, i);
        rc = send_all(fd, bytes, shared->settings.stream_bytes);
    }
    probe_fail(shared, "streaming over TCP: %s", strerror(-rc));
}

const struct probe_transport probe_tcp = {
    .open = open_prober, .trip = trip, .echo = echo, .stream = stream};
