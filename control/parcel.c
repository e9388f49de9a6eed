/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/parcel.h"

#include "sched/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PARCEL_MAGIC 0x53445043u /* "CPDS" in memory; of one host, so in its byte order */
#define PARCEL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
#define FIRST_FDS    64u
#define PIECE_MAX    (1u << 30) /* bytes of one write */

/* The first datagram. */
struct head {
    uint32_t magic;
    uint32_t kind;
    uint64_t length;
    uint32_t fds;
    uint32_t reserved; /* 0 */
};

/* Room for the descriptors of any datagram. */
union rights {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(PARCEL_FDS_EACH * sizeof(int))];
};

void parcel_draft_init(struct parcel_draft *draft)
{
    *draft = (struct parcel_draft){0};
    state_writer_init(&draft->state);
}

static int make_room(struct parcel_draft *draft)
{
    uint32_t room = draft->room ? 2 * draft->room : FIRST_FDS;
    int *fds;

    if (draft->count < draft->room)
        return 0;
    if (room > PARCEL_FDS_MAX)
        return -E2BIG;
    fds = realloc(draft->fds, room * sizeof(fds[0]));
    if (!fds)
        return -ENOMEM;
    draft->fds = fds;
    draft->room = room;
    return 0;
}

void parcel_put_fd(struct parcel_draft *draft, int fd)
{
    int error = make_room(draft);

    if (error) {
        if (!draft->state.error)
            draft->state.error = error;
        return;
    }
    state_put_u32(&draft->state, draft->count);
    draft->fds[draft->count++] = fd;
}

void parcel_draft_destroy(struct parcel_draft *draft)
{
    state_writer_destroy(&draft->state);
    free(draft->fds);
    *draft = (struct parcel_draft){0};
}

/* Waits until the socket is ready: 0, -ETIMEDOUT or a negative errno. */
static int wait_for(int socket, short events, uint64_t deadline)
{
    struct pollfd one = {.fd = socket, .events = events};

    for (;;) {
        uint64_t now = clock_now(&clock_machine);
        uint64_t left = deadline > now ? deadline - now : 0;
        const struct timespec timeout = {
            .tv_sec = (time_t)(left / NSEC_PER_SEC),
            .tv_nsec = (long)(left % NSEC_PER_SEC),
        };
        int ready = ppoll(&one, 1, &timeout, NULL);

        if (ready > 0)
            return 0;
        if (ready == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int gone(int error)
{
    return error == -ECONNRESET || error == -ENOTCONN ? -EPIPE : error;
}

/* One datagram with its descriptors. */
static int send_one(int socket, const void *bytes, size_t length, const int *fds, uint32_t count,
                    uint64_t deadline)
{
    struct iovec vector = {(void *)(uintptr_t)bytes, length};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union rights rights;

    if (count > 0) {
        memset(&rights, 0, sizeof(rights));
        message.msg_control = rights.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        rights.header.cmsg_level = SOL_SOCKET;
        rights.header.cmsg_type = SCM_RIGHTS;
        rights.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&rights.header), fds, count * sizeof(int));
    }
    for (;;) {
        int error;

        if (sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
            return 0;
        /* Too many descriptors on their way: the other side has to take some first. */
        if (errno != EAGAIN && errno != EINTR && errno != ETOOMANYREFS)
            return gone(-errno);
        error = wait_for(socket, POLLOUT, deadline);
        if (error)
            return error;
        if (clock_now(&clock_machine) >= deadline)
            return -ETIMEDOUT;
    }
}

/* The document in memory that nobody can change any more. */
static int seal(const struct state_writer *writer)
{
    int fd = memfd_create("saddle-parcel", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t written = 0;

    if (fd < 0)
        return -errno;
    while (written < writer->length) {
        size_t left = writer->length - written;
        ssize_t piece = write(fd, writer->bytes + written, left < PIECE_MAX ? left : PIECE_MAX);

        if (piece < 0 && errno == EINTR)
            continue;
        if (piece <= 0) {
            int error = piece < 0 ? -errno : -EIO;

            close(fd);
            return error;
        }
        written += (size_t)piece;
    }
    if (fcntl(fd, F_ADD_SEALS, PARCEL_SEALS)) {
        int error = -errno;

        close(fd);
        return error;
    }
    return fd;
}

int parcel_send(int socket, uint32_t kind, struct parcel_draft *draft, uint64_t deadline)
{
    struct head head = {.magic = PARCEL_MAGIC, .kind = kind, .fds = draft->count};
    int error = state_writer_finish(&draft->state);
    int document;

    if (error)
        return error;
    if (draft->state.length > PARCEL_BYTES_MAX)
        return -E2BIG;
    head.length = draft->state.length;
    document = seal(&draft->state);
    if (document < 0)
        return document;
    error = send_one(socket, &head, sizeof(head), &document, 1, deadline);
    close(document);
    for (uint32_t sent = 0; sent < draft->count && !error;) {
        uint32_t left = draft->count - sent;
        uint32_t count = left < PARCEL_FDS_EACH ? left : PARCEL_FDS_EACH;

        error = send_one(socket, &count, sizeof(count), draft->fds + sent, count, deadline);
        sent += count;
    }
    return error;
}

/* ---- Receiving ---- */

static void close_all(const int *fds, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

/* Takes the descriptors of a message out, at most `max`; the others are closed. Returns how many
 * there were. */
static uint32_t take_rights(struct msghdr *message, int *fds, uint32_t max)
{
    uint32_t count = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header;
         header = CMSG_NXTHDR(message, header)) {
        uint32_t here;

        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        here = (uint32_t)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (uint32_t i = 0; i < here; i++, count++) {
            int fd;

            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
            if (count < max)
                fds[count] = fd;
            else
                close(fd);
        }
    }
    return count;
}

static ssize_t receive_patiently(int socket, struct msghdr *message, uint64_t deadline)
{
    for (;;) {
        int error = wait_for(socket, POLLIN, deadline);
        ssize_t size;

        if (error)
            return error;
        size = recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        if (size > 0)
            return size;
        if (size == 0)
            return -EPIPE;
        if (errno != EAGAIN && errno != EINTR)
            return gone(-errno);
    }
}

/* One datagram of exactly `length` bytes and `count` descriptors. 0; then they are the caller's. */
static int receive_one(int socket, void *bytes, size_t length, int *fds, uint32_t count,
                       uint64_t deadline)
{
    struct iovec vector = {bytes, length};
    union rights rights;
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = rights.bytes,
        .msg_controllen = sizeof(rights.bytes),
    };
    ssize_t size = receive_patiently(socket, &message, deadline);
    uint32_t got;

    if (size < 0)
        return (int)size;
    got = take_rights(&message, fds, count);
    if ((size_t)size == length && got == count && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return 0;
    close_all(fds, got < count ? got : count);
    return message.msg_flags & MSG_CTRUNC ? -EMFILE : -EBADMSG;
}

/* Maps the document, if it is whole and nobody can change it. */
static int map_document(struct parcel *parcel, int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat status;

    if (seals < 0 || (seals & PARCEL_SEALS) != PARCEL_SEALS || fstat(fd, &status) ||
        (uint64_t)status.st_size != parcel->length)
        return -EBADMSG;
    parcel->bytes = mmap(NULL, parcel->length, PROT_READ, MAP_SHARED, fd, 0);
    if (parcel->bytes == MAP_FAILED) {
        parcel->bytes = NULL;
        return -errno;
    }
    return state_reader_init(&parcel->state, parcel->bytes, parcel->length);
}

static int receive_fds(int socket, struct parcel *parcel, uint32_t wanted, uint64_t deadline)
{
    parcel->fds = calloc(wanted + 1, sizeof(parcel->fds[0]));
    if (!parcel->fds)
        return -ENOMEM;
    while (parcel->count < wanted) {
        uint32_t left = wanted - parcel->count;
        uint32_t count = left < PARCEL_FDS_EACH ? left : PARCEL_FDS_EACH;
        uint32_t said;
        int error =
            receive_one(socket, &said, sizeof(said), parcel->fds + parcel->count, count, deadline);

        if (error)
            return error;
        parcel->count += count;
        if (said != count)
            return -EBADMSG;
    }
    return 0;
}

int parcel_receive(int socket, struct parcel *parcel, uint64_t deadline)
{
    struct head head;
    int document = -1;
    int error;

    *parcel = (struct parcel){0};
    error = receive_one(socket, &head, sizeof(head), &document, 1, deadline);
    if (error)
        return error;
    parcel->kind = head.kind;
    if (head.magic != PARCEL_MAGIC || head.reserved || head.length == 0 ||
        head.length > PARCEL_BYTES_MAX || head.fds > PARCEL_FDS_MAX) {
        error = -EBADMSG;
    } else {
        parcel->length = head.length;
        error = map_document(parcel, document);
    }
    close(document);
    if (!error)
        error = receive_fds(socket, parcel, head.fds, deadline);
    if (error)
        parcel_destroy(parcel);
    return error;
}

int parcel_get_fd(struct parcel *parcel)
{
    uint32_t place = state_get_u32(&parcel->state);
    int fd;

    if (parcel->state.error)
        return -1;
    if (place >= parcel->count || parcel->fds[place] < 0) {
        state_reader_fail(&parcel->state, -EBADMSG);
        return -1;
    }
    fd = parcel->fds[place];
    parcel->fds[place] = -1;
    return fd;
}

void parcel_destroy(struct parcel *parcel)
{
    close_all(parcel->fds, parcel->count);
    free(parcel->fds);
    if (parcel->bytes)
        munmap(parcel->bytes, parcel->length);
    *parcel = (struct parcel){0};
}
