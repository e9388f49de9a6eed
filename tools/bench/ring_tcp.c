/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The same work over the kernel's TCP, on the loopback device or between two namespaces, without
 * Nagle's delay: two threads of one process, each on a processor of its own. Who polls asks again
 * and again with a call that does not block; who waits, blocks. Or by io_uring (ring_uring.h).
 */
#include "tools/bench/bench.h"
#include "tools/bench/ramp.h"
#include "tools/bench/ring_meter.h"
#include "tools/bench/ring_uring.h"
#include "tools/bench/space.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define BUSY_POLL_US 50 /* of the kernel, where the device supports it */
#define MS_PER_S     1000u

struct tcp {
    struct ring_shared *shared;
    int near, far;                             /* the two ends of one connection, */
    struct ring_uring *near_uring, *far_uring; /* and what is used instead of calls, or NULL */
    uint8_t *out, *in;                         /* `slots` pieces each */
    _Atomic uint64_t arrived;
    int far_rc; /* of the far thread, once it has ended */
};

/* ---- Sockets ---- */

static int set_up(const struct tcp *tcp, int fd)
{
    const int on = 1, busy_us = BUSY_POLL_US;
    const struct timeval patience = {.tv_sec = RING_PATIENCE_MS / MS_PER_S};
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)))
        return -errno;
    /* Takes a right that not everybody has; the loopback device has nothing to poll anyway. */
    if (!tcp->shared->what.waits)
        (void)setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &busy_us, sizeof(busy_us));
    return 0;
}

/* A host's socket. The thread stays there, which matters to nothing but more sockets. */
static int open_at(const struct ring_host *host)
{
    int rc = space_enter(host->space);
    if (!rc)
        return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    errno = -rc;
    return -1;
}

static int join(struct tcp *tcp)
{
    const struct ring_host *hosts = tcp->shared->hosts;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = inet_addr(hosts[RING_RIGHT].address)};
    socklen_t len = sizeof(address);
    int rc = 0, listener = open_at(&hosts[RING_RIGHT]);
    if (listener < 0 || (tcp->near = open_at(&hosts[RING_LEFT])) < 0 ||
        bind(listener, (struct sockaddr *)&address, len) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &len) ||
        connect(tcp->near, (struct sockaddr *)&address, len) ||
        (tcp->far = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
        rc = -errno;
    if (listener >= 0)
        close(listener);
    if (!rc)
        rc = set_up(tcp, tcp->near);
    if (!rc)
        rc = set_up(tcp, tcp->far);
    return rc ? ring_error(tcp->shared, rc, "a TCP connection: %s", strerror(-rc)) : 0;
}

static struct ring_uring *uring_of(const struct tcp *tcp, int fd)
{
    return fd == tcp->near ? tcp->near_uring : tcp->far_uring;
}

/* In the thread that is to use it. */
static int open_uring(struct tcp *tcp, int fd, struct ring_uring **uring)
{
    return tcp->shared->what.place == RING_URING ? ring_uring_open(uring, tcp->shared, fd) : 0;
}

static int send_all(const struct tcp *tcp, int fd, const uint8_t *bytes, size_t len)
{
    struct ring_uring *uring = uring_of(tcp, fd);
    if (uring)
        return uring->send(uring, bytes, len);
    while (len > 0) {
        ssize_t sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent < 0)
            return -errno;
        bytes += sent;
        len -= (size_t)sent;
    }
    return 0;
}

/* 1: the other side has ended, before the first byte. */
static int receive_all(const struct tcp *tcp, int fd, uint8_t *bytes, size_t len)
{
    int flags = tcp->shared->what.waits ? MSG_WAITALL : MSG_DONTWAIT;
    struct ring_uring *uring = uring_of(tcp, fd);
    size_t got = 0;
    if (uring)
        return uring->receive(uring, bytes, len);
    while (got < len) {
        ssize_t more = recv(fd, bytes + got, len - got, flags);
        if (more == 0)
            return got ? -ECONNRESET : 1;
        if (more > 0)
            got += (size_t)more;
        else if (flags != MSG_DONTWAIT || errno != EAGAIN)
            return -errno;
    }
    return 0;
}

/* ---- There and back ---- */

static void *echo(void *arg)
{
    struct tcp *tcp = arg;
    uint32_t bytes = tcp->shared->what.bytes;
    bench_pin(tcp->shared->far_cpu);
    int rc = open_uring(tcp, tcp->far, &tcp->far_uring);
    if (!rc)
        rc = receive_all(tcp, tcp->far, tcp->in, bytes);
    while (!rc) {
        rc = send_all(tcp, tcp->far, tcp->in, bytes);
        if (!rc)
            rc = receive_all(tcp, tcp->far, tcp->in, bytes);
    }
    tcp->far_rc = rc < 0 ? rc : 0;
    shutdown(tcp->far, SHUT_RDWR);
    return NULL;
}

static int trip(void *context, uint64_t number)
{
    struct tcp *tcp = context;
    uint32_t bytes = tcp->shared->what.bytes;
    uint64_t stamp = ramp_stamp(0, number);
    ramp_fill(tcp->out, bytes, stamp);
    int rc = send_all(tcp, tcp->near, tcp->out, bytes);
    if (!rc)
        rc = receive_all(tcp, tcp->near, tcp->out, bytes);
    if (rc)
        return ring_error(tcp->shared, rc < 0 ? rc : -ECONNRESET, "a round trip over TCP: %s",
                          strerror(rc < 0 ? -rc : ECONNRESET));
    if (!ramp_check(tcp->out, bytes, stamp))
        return ring_error(tcp->shared, -EBADMSG, "round trip %llu over TCP brought wrong bytes",
                          (unsigned long long)number);
    return 0;
}

/* ---- One way ---- */

static void *sink(void *arg)
{
    struct tcp *tcp = arg;
    const struct ring_case *what = &tcp->shared->what;
    bench_pin(tcp->shared->far_cpu);
    int rc = open_uring(tcp, tcp->far, &tcp->far_uring);
    for (uint64_t number = 0; !rc; number++) {
        uint8_t *bytes = tcp->in + number % what->slots * what->bytes;
        rc = receive_all(tcp, tcp->far, bytes, what->bytes);
        if (rc)
            break;
        if (!ramp_check(bytes, what->bytes, ramp_stamp(0, number)))
            rc = -EBADMSG;
        else
            atomic_fetch_add_explicit(&tcp->arrived, 1, memory_order_relaxed);
    }
    tcp->far_rc = rc < 0 ? rc : 0;
    shutdown(tcp->far, SHUT_RDWR);
    return NULL;
}

static uint64_t arrived(struct tcp *tcp)
{
    return atomic_load_explicit(&tcp->arrived, memory_order_relaxed);
}

static int send_until(struct tcp *tcp, uint64_t *number, uint64_t until_ns)
{
    const struct ring_case *what = &tcp->shared->what;
    uint64_t least = arrived(tcp) + RING_LEAST;
    int rc = 0;
    for (; !rc && (bench_now() < until_ns || arrived(tcp) < least); (*number)++) {
        uint8_t *bytes = tcp->out + *number % what->slots * what->bytes;
        ramp_fill(bytes, what->bytes, ramp_stamp(0, *number));
        rc = send_all(tcp, tcp->near, bytes, what->bytes);
    }
    return rc ? ring_error(tcp->shared, rc, "sending over TCP: %s", strerror(-rc)) : 0;
}

static int measure_messages(struct tcp *tcp)
{
    struct ring_meter meter;
    uint64_t sent = 0;
    int rc = send_until(tcp, &sent, bench_now() + ring_warm_up_ns(tcp->shared));
    if (rc)
        return rc;
    meter_start(&meter, tcp->shared, arrived(tcp));
    rc = send_until(tcp, &sent, bench_now() + ring_length_ns(tcp->shared));
    meter_stop(&meter, tcp->shared, arrived(tcp));
    tcp->shared->result.checked = sent; /* if the other side says so */
    return rc;
}

/* ---- Both ---- */

static int open_tcp(struct tcp *tcp, pthread_t *thread)
{
    const struct ring_case *what = &tcp->shared->what;
    tcp->out = calloc(what->slots, what->bytes);
    tcp->in = calloc(what->slots, what->bytes);
    if (!tcp->out || !tcp->in) {
        ring_error(tcp->shared, -ENOMEM, "no memory");
        return -ENOMEM;
    }
    int rc = join(tcp);
    if (!rc)
        rc = open_uring(tcp, tcp->near, &tcp->near_uring);
    if (rc)
        return rc;
    rc = pthread_create(thread, NULL, what->work == RING_TRIPS ? echo : sink, tcp);
    if (rc)
        ring_error(tcp->shared, -rc, "starting a thread: %s", strerror(rc));
    return -rc;
}

static int run(struct tcp *tcp)
{
    struct ring_shared *shared = tcp->shared;
    pthread_t thread = 0;
    int rc = open_tcp(tcp, &thread);
    if (rc)
        return rc;
    bool trips = shared->what.work == RING_TRIPS;
    rc = trips ? ring_measure_trips(shared, trip, tcp) : measure_messages(tcp);
    shutdown(tcp->near, SHUT_WR);
    pthread_join(thread, NULL);
    uint64_t got = arrived(tcp);
    /* Of two errors the one that is no consequence of the other. */
    if (tcp->far_rc && (!rc || tcp->far_rc == -EBADMSG))
        rc = ring_error(shared, tcp->far_rc, "receiving over TCP: %s", strerror(-tcp->far_rc));
    if (!rc && !trips && got != shared->result.checked)
        rc = ring_error(shared, -EBADMSG, "%llu pieces went over TCP, %llu arrived",
                        (unsigned long long)shared->result.checked, (unsigned long long)got);
    return rc;
}

/* The process ends with it, and takes what it has with it. */
void ring_work_tcp(void *arg, int word_fd)
{
    struct tcp tcp = {.shared = arg, .near = -1, .far = -1};
    bench_pin(tcp.shared->cpu);
    if (run(&tcp) || write(word_fd, "", 1) != 1)
        _exit(EXIT_FAILURE);
}
