/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/ring_uring.h"

#ifdef SADDLE_URING

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ENTRIES 4u /* one at a time, rounded up */

/* One thread submits, and does itself, when it looks for completions, what is left to do for them:
 * no interrupt takes it there. */
#define FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG)

struct uring {
    struct ring_uring base;
    struct io_uring ring;
    int fd;
    bool waits;
};

/* Hands over what was prepared: its result, once it is complete. */
static int complete(struct uring *uring)
{
    struct io_uring_cqe *cqe = NULL;
    int rc = io_uring_submit_and_wait(&uring->ring, uring->waits ? 1 : 0);
    if (rc < 0)
        return rc;
    do
        rc = io_uring_peek_cqe(&uring->ring, &cqe);
    while (rc == -EAGAIN);
    if (rc)
        return rc;
    rc = cqe->res;
    io_uring_cqe_seen(&uring->ring, cqe);
    return rc;
}

static int send_all(struct ring_uring *base, const uint8_t *bytes, size_t len)
{
    struct uring *uring = (struct uring *)base;
    while (len > 0) {
        struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);
        io_uring_prep_send(entry, uring->fd, bytes, len, MSG_NOSIGNAL | MSG_WAITALL);
        int sent = complete(uring);
        if (sent < 0)
            return sent;
        bytes += sent;
        len -= (size_t)sent;
    }
    return 0;
}

static int receive_all(struct ring_uring *base, uint8_t *bytes, size_t len)
{
    struct uring *uring = (struct uring *)base;
    size_t got = 0;
    while (got < len) {
        struct io_uring_sqe *entry = io_uring_get_sqe(&uring->ring);
        io_uring_prep_recv(entry, uring->fd, bytes + got, len - got, MSG_WAITALL);
        int more = complete(uring);
        if (more < 0)
            return more;
        if (more == 0)
            return got ? -ECONNRESET : 1;
        got += (size_t)more;
    }
    return 0;
}

static int init(struct io_uring *ring)
{
    int rc = io_uring_queue_init(ENTRIES, ring, FLAGS);
    /* Kernels before 6.1 do not know them. */
    return rc == -EINVAL ? io_uring_queue_init(ENTRIES, ring, 0) : rc;
}

int ring_uring_open(struct ring_uring **made, struct ring_shared *shared, int fd)
{
    struct uring *uring = calloc(1, sizeof(*uring));
    if (!uring)
        return ring_error(shared, -ENOMEM, "no memory");
    *uring = (struct uring){.base = {.send = send_all, .receive = receive_all},
                            .fd = fd,
                            .waits = shared->what.waits};
    int rc = init(&uring->ring);
    if (!rc) {
        *made = &uring->base;
        return 0;
    }
    free(uring);
    if (rc == -ENOSYS || rc == -EPERM || rc == -EACCES)
        return ring_missing(shared, "the kernel refuses io_uring: %s", strerror(-rc));
    return ring_error(shared, rc, "io_uring: %s", strerror(-rc));
}

#else

int ring_uring_open(struct ring_uring **made, struct ring_shared *shared, int fd)
{
    (void)made;
    (void)fd;
    return ring_missing(shared, "saddle-bench was built without liburing (Debian: liburing-dev)");
}

#endif
