/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/link.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FIRST_PRINTABLE '!'
#define LAST_PRINTABLE  '~'

int link_pair(struct link ends[2])
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds))
        return -errno;
    ends[0].fd = fds[0];
    ends[1].fd = fds[1];
    return 0;
}

void link_close(struct link *link)
{
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

int link_send(struct link *link, const struct link_frame *frame, const void *body)
{
    struct link_frame head = *frame;
    struct iovec parts[] = {{&head, sizeof(head)}, {(void *)(uintptr_t)body, frame->length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = frame->length ? 2 : 1};

    if (frame->length > LINK_BODY_MAX)
        return -EMSGSIZE;
    while (sendmsg(link->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        if (errno == EINTR)
            continue;
        /* The socket's buffer is full, or the machine is short of memory for a moment. */
        if (errno == EAGAIN || errno == ENOBUFS)
            return -EAGAIN;
        return errno == ECONNRESET ? -EPIPE : -errno;
    }
    return 0;
}

/* Bytes of body that a kind of frame may have. */
static bool length_fits(uint8_t kind, uint32_t length)
{
    switch (kind) {
    case LINK_CALL:
        return length > sizeof(struct link_caller) &&
               length <= sizeof(struct link_caller) + LINK_METHOD_MAX;
    case LINK_MESSAGE:
        return length <= LINK_BODY_MAX;
    case LINK_END:
        return length <= LINK_TEXT_MAX;
    case LINK_REFUSED:
        return length == sizeof(struct link_refusals);
    case LINK_FINISHED:
    case LINK_CANCEL:
    case LINK_CREDIT:
        return length == 0;
    default:
        return false;
    }
}

int link_check(const void *datagram, size_t bytes)
{
    struct link_frame frame;

    if (bytes < sizeof(frame))
        return -EPROTO;
    memcpy(&frame, datagram, sizeof(frame));
    if (frame.length != bytes - sizeof(frame) || !length_fits(frame.kind, frame.length))
        return -EPROTO;
    if (frame.call >= LINK_CALLS_MAX || (frame.flags & ~LINK_MORE))
        return -EPROTO;
    if (frame.flags && frame.kind != LINK_MESSAGE)
        return -EPROTO;
    /* A piece that announces another one carries something, or a message would never end. */
    if (frame.flags && frame.length == 0)
        return -EPROTO;
    return frame.status && frame.kind != LINK_END ? -EPROTO : 0;
}

int link_receive(struct link *link, struct link_frame *frame, void *body)
{
    uint8_t datagram[sizeof(*frame) + LINK_BODY_MAX];
    struct iovec whole = {datagram, sizeof(datagram)};
    struct msghdr message = {.msg_iov = &whole, .msg_iovlen = 1};
    ssize_t got;

    do {
        got = recvmsg(link->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return -EAGAIN;
    if (got < 0)
        return errno == ECONNRESET ? -EPIPE : -errno;
    /* An empty datagram cannot be told from the end; nobody sends one. */
    if (got == 0)
        return -EPIPE;
    /* No room is given for descriptors, so that the kernel drops those that come. */
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
        return -EPROTO;
    if (link_check(datagram, (size_t)got))
        return -EPROTO;
    memcpy(frame, datagram, sizeof(*frame));
    memcpy(body, datagram + sizeof(*frame), frame->length);
    return 0;
}

bool link_is_method(const void *text, size_t length)
{
    const char *letters = text;

    for (size_t i = 0; i < length; i++) {
        if (letters[i] < FIRST_PRINTABLE || letters[i] > LAST_PRINTABLE)
            return false;
    }
    return length > 0 && length <= LINK_METHOD_MAX;
}

int link_read_call(const struct link_frame *frame, const void *body, struct link_caller *caller,
                   char method[LINK_METHOD_MAX + 1])
{
    uint32_t length = frame->length - (uint32_t)sizeof(*caller);

    memcpy(caller, body, sizeof(*caller));
    memcpy(method, (const char *)body + sizeof(*caller), length);
    method[length] = '\0';
    return caller->role < LINK_ROLE_COUNT && link_is_method(method, length) ? 0 : -EPROTO;
}
