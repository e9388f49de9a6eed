/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <unistd.h>

#ifndef DOORBELL_EXCHANGE
/* The one operation that gives store-before-load order; the stress test weakens it to show that it
 * is needed. */
#define DOORBELL_EXCHANGE(word, value) __atomic_exchange_n(word, value, __ATOMIC_SEQ_CST)
#endif

#define DRAIN_BYTES 4096u /* one page: what a read of the pipe takes at once */
/* Reads in one drain: a pipe of the default size, so that a writer that never stops cannot hold
 * the reader. */
#define DRAIN_READS 16u

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

static void ring(int fd, const void *bytes, size_t count)
{
    ssize_t written;

    do {
        written = write(fd, bytes, count);
    } while (written < 0 && errno == EINTR);
}

void doorbell_ring_engine(int eventfd)
{
    const uint64_t one = 1;

    ring(eventfd, &one, sizeof(one));
}

void doorbell_ring_application(int pipe_write)
{
    const uint8_t one = 1;

    ring(pipe_write, &one, sizeof(one));
}

void doorbell_drain(int pipe_read)
{
    uint8_t bytes[DRAIN_BYTES];

    for (uint32_t reads = 0; reads < DRAIN_READS; reads++) {
        ssize_t count = read(pipe_read, bytes, sizeof(bytes));

        if (count < 0 && errno == EINTR)
            continue;
        if (count < (ssize_t)sizeof(bytes))
            return;
    }
}

int doorbells_create(struct doorbells *doorbells)
{
    int ends[2];
    int error;

    doorbells->engine = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (doorbells->engine < 0)
        return -errno;
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) {
        error = -errno;
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
