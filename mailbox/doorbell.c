/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/doorbell.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef DOORBELL_EXCHANGE
/* The one operation that gives store-before-load order; the stress test weakens it to show that it
 * is needed. */
#define DOORBELL_EXCHANGE(word, value) __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST)
#endif

#define DRAIN_BYTES 64u /* rings taken by one read: more than the socket below can hold */
/* Reads in one drain: a writer that never stops cannot hold the reader. */
#define DRAIN_READS 16u
/* Bytes of kernel memory that rings nobody takes may hold; the kernel raises it to its minimum. */
#define BELL_SEND_BUFFER 1

void doorbell_arm(uint32_t *armed)
{
    (void)DOORBELL_EXCHANGE(armed, 1);
}

void doorbell_disarm(uint32_t *armed)
{
    (void)DOORBELL_EXCHANGE(armed, 0);
}

bool doorbell_due(uint32_t *armed)
{
    return DOORBELL_EXCHANGE(armed, 0) != 0;
}

void doorbell_ring_engine(int eventfd)
{
    const uint64_t one = 1;
    ssize_t written = write(eventfd, &one, sizeof(one));

    (void)written;
}

void doorbell_ring_application(int bell)
{
    const uint8_t one = 1;

    send(bell, &one, sizeof(one), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void doorbell_drain(int bell)
{
    uint8_t rings[DRAIN_BYTES];

    for (uint32_t reads = 0; reads < DRAIN_READS; reads++) {
        if (recv(bell, rings, sizeof(rings), MSG_DONTWAIT) < (ssize_t)sizeof(rings))
            return;
    }
}

/* The daemon's end only sends: its receiving half is shut, so that the application cannot park
 * bytes or descriptors in it. */
static int create_bell(int ends[2])
{
    const int bytes = BELL_SEND_BUFFER;
    int error;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    if (setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)) == 0 &&
        shutdown(ends[1], SHUT_RD) == 0)
        return 0;
    error = -errno;
    close(ends[0]);
    close(ends[1]);
    return error;
}

int doorbells_create(struct doorbells *doorbells)
{
    int ends[2];
    int error;

    doorbells->engine = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (doorbells->engine < 0)
        return -errno;
    error = create_bell(ends);
    if (error < 0) {
        close(doorbells->engine);
        return error;
    }
    doorbells->application_read = ends[0];
    doorbells->application_write = ends[1];
    return 0;
}

void doorbells_destroy(struct doorbells *doorbells)
{
    if (!doorbells)
        return;
    close(doorbells->engine);
    close(doorbells->application_read);
    close(doorbells->application_write);
}
