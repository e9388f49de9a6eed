/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/demo-parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The receiving half of a copy. */
struct tcp_receiver {
    int socket;
    int output;
    uint64_t bytes;
    uint8_t *buffer;
};

struct tcp_echo {
    int socket;
    uint32_t rounds;
};

/* A socket that belongs to a network namespace, for ever; NULL: to this process's own. */
static int tcp_socket(const char *space)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = space ? open(space, O_RDONLY | O_CLOEXEC) : -1;
    int made;

    if (space && (home < 0 || there < 0 || setns(there, CLONE_NEWNET) != 0))
        demo_fail("%s: %s", space, strerror(errno));
    made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0 || (space && setns(home, CLONE_NEWNET) != 0))
        demo_fail("a TCP socket: %s", strerror(errno));
    if (there >= 0)
        close(there);
    if (home >= 0)
        close(home);
    return made;
}

/* Two ends of a connection, left's and right's, without Nagle's delay. */
static void tcp_pair(const struct demo_options *options, int ends[DEMO_SIDES])
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    const int on = 1;
    int listener = tcp_socket(options->spaces[1]);

    ends[0] = tcp_socket(options->spaces[0]);
    if (inet_pton(AF_INET, options->address, &address.sin_addr) != 1)
        demo_fail("%s is no IPv4 address", options->address);
    if (bind(listener, (struct sockaddr *)&address, len) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &len) != 0 ||
        connect(ends[0], (struct sockaddr *)&address, len) != 0)
        demo_fail("TCP to %s: %s", options->address, strerror(errno));
    ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (ends[1] < 0)
        demo_fail("TCP to %s: %s", options->address, strerror(errno));
    close(listener);
    for (uint32_t end = 0; end < DEMO_SIDES; end++)
        setsockopt(ends[end], IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void tcp_send(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t count = send(fd, bytes, len, MSG_NOSIGNAL);

        if (count <= 0)
            demo_fail("sending over TCP: %s", strerror(errno));
        bytes += count;
        len -= (size_t)count;
    }
}

static void tcp_receive(int fd, uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t count = recv(fd, bytes, len, MSG_WAITALL);

        if (count <= 0)
            demo_fail("receiving over TCP: %s", count < 0 ? strerror(errno) : "hung up");
        bytes += count;
        len -= (size_t)count;
    }
}

static size_t tcp_chunk(uint64_t left)
{
    return left < DEMO_CHUNK_BYTES ? (size_t)left : DEMO_CHUNK_BYTES;
}

static void *tcp_take(void *argument)
{
    struct tcp_receiver *receiver = (struct tcp_receiver *)argument;

    for (uint64_t at = 0; at < receiver->bytes;) {
        size_t len = tcp_chunk(receiver->bytes - at);

        tcp_receive(receiver->socket, receiver->buffer, len);
        demo_write_at(receiver->output, receiver->buffer, len, at);
        at += len;
    }
    return NULL;
}

static void tcp_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    int error = pthread_create(thread, NULL, run, argument);

    if (error)
        demo_fail("no second thread: %s", strerror(error));
}

struct demo_copy demo_tcp_copy(const struct demo_options *options)
{
    struct demo_copy copy;
    struct tcp_receiver receiver;
    uint8_t *buffer = (uint8_t *)malloc(DEMO_CHUNK_BYTES);
    int source = demo_open_source(options->file, &copy.bytes);
    uint64_t start_ns;
    uint64_t cpu_ns;
    pthread_t thread;
    int ends[DEMO_SIDES];

    receiver.buffer = (uint8_t *)malloc(DEMO_CHUNK_BYTES);
    if (!buffer || !receiver.buffer)
        demo_fail("no memory for the copy over TCP");
    tcp_pair(options, ends);
    receiver.socket = ends[1];
    receiver.output = demo_open_output(options->output);
    receiver.bytes = copy.bytes;
    start_ns = demo_now_ns();
    cpu_ns = demo_cpu_ns(options->daemons);
    tcp_start(&thread, tcp_take, &receiver);
    for (uint64_t at = 0; at < copy.bytes;) {
        size_t len = tcp_chunk(copy.bytes - at);

        demo_read_at(source, buffer, len, at);
        tcp_send(ends[0], buffer, len);
        at += len;
        demo_progress("copy over TCP", at, copy.bytes);
    }
    pthread_join(thread, NULL);
    copy.cpu_s_per_gb = (double)(demo_cpu_ns(options->daemons) - cpu_ns) / (double)copy.bytes;
    copy.gbps = (double)copy.bytes * 8 / (double)(demo_now_ns() - start_ns);
    close(ends[0]);
    close(ends[1]);
    close(source);
    close(receiver.output);
    free(receiver.buffer);
    free(buffer);
    return copy;
}

static void *tcp_echo(void *argument)
{
    const struct tcp_echo *echo = (const struct tcp_echo *)argument;
    uint8_t bytes[DEMO_PING_BYTES];

    for (uint32_t round = 0; round < echo->rounds; round++) {
        tcp_receive(echo->socket, bytes, sizeof(bytes));
        tcp_send(echo->socket, bytes, sizeof(bytes));
    }
    return NULL;
}

struct demo_times demo_tcp_rtt(const struct demo_options *options)
{
    const uint32_t rounds = options->rounds;
    uint32_t *samples = (uint32_t *)calloc(rounds, sizeof(*samples));
    uint8_t bytes[DEMO_PING_BYTES] = {0};
    struct demo_times times;
    struct tcp_echo echo = {.rounds = rounds};
    pthread_t thread;
    int ends[DEMO_SIDES];

    if (!samples)
        demo_fail("no memory for %u samples", rounds);
    tcp_pair(options, ends);
    echo.socket = ends[1];
    tcp_start(&thread, tcp_echo, &echo);
    for (uint32_t round = 0; round < rounds; round++) {
        uint64_t start_ns = demo_now_ns();

        tcp_send(ends[0], bytes, sizeof(bytes));
        tcp_receive(ends[0], bytes, sizeof(bytes));
        samples[round] = (uint32_t)(demo_now_ns() - start_ns);
        demo_progress("round trips over TCP", round + 1, rounds);
    }
    pthread_join(thread, NULL);
    close(ends[0]);
    close(ends[1]);
    times = demo_percentiles(samples, rounds);
    free(samples);
    return times;
}
