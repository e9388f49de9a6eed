/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/attach.h"

#include "control/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_SUFFIX   ".lock"
#define LOCK_BYTES    (sizeof(((struct sockaddr_un *)0)->sun_path) + sizeof(LOCK_SUFFIX))
#define LOCK_ATTEMPTS 8 /* each fails only if a daemon ended just then */
#define BACKLOG       64
#define OWNER_ONLY    0177 /* umask until the socket has its own permission bits */

static void lock_path(const char *path, char lock[LOCK_BYTES])
{
    snprintf(lock, LOCK_BYTES, "%s%s", path, LOCK_SUFFIX);
}

/* Opens and locks the lock file; sure that the locked file is still the one at its path. */
static int lock_take(const char *path)
{
    char name[LOCK_BYTES];
    struct stat opened, named;

    lock_path(path, name);
    for (int attempt = 0; attempt < LOCK_ATTEMPTS; attempt++) {
        int fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR);
        int error;

        if (fd < 0)
            return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB)) {
            error = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
            close(fd);
            return error;
        }
        if (!fstat(fd, &opened) && !stat(name, &named) && opened.st_ino == named.st_ino &&
            opened.st_dev == named.st_dev)
            return fd;
        close(fd);
    }
    return -EADDRINUSE;
}

static void lock_release(const char *path, int fd)
{
    char name[LOCK_BYTES];

    lock_path(path, name);
    unlink(name);
    close(fd);
}

/* Removes what a dead daemon left; whoever holds the lock may. */
static int remove_stale(const char *path)
{
    struct stat found;

    if (lstat(path, &found))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(found.st_mode))
        return -EEXIST;
    return unlink(path) ? -errno : 0;
}

static int listen_at(struct attach_socket *attach, int type, mode_t mode)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t before;
    int error = 0;

    memcpy(address.sun_path, attach->path, sizeof(address.sun_path));
    attach->fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (attach->fd < 0)
        return -errno;
    before = umask(OWNER_ONLY);
    if (bind(attach->fd, (struct sockaddr *)&address, sizeof(address)))
        error = -errno;
    umask(before);
    if (!error && (chmod(attach->path, mode) || listen(attach->fd, BACKLOG))) {
        error = -errno;
        unlink(attach->path);
    }
    if (error) {
        close(attach->fd);
        attach->fd = -1;
    }
    return error;
}

static bool has_value(int fd, int option, int wanted)
{
    int value;
    socklen_t bytes = sizeof(value);

    return !getsockopt(fd, SOL_SOCKET, option, &value, &bytes) && value == wanted;
}

/* Why it is no socket that listens at that path; NULL: it is. */
static const char *deaf(int fd, int type, const char *path)
{
    struct sockaddr_un address = {0};
    socklen_t bytes = sizeof(address);

    if (getsockname(fd, (struct sockaddr *)&address, &bytes) || address.sun_family != AF_UNIX ||
        !has_value(fd, SO_TYPE, type))
        return "it is no Unix socket of the right type";
    if (strncmp(address.sun_path, path, sizeof(address.sun_path)) != 0)
        return "it is not bound to that path";
    return has_value(fd, SO_ACCEPTCONN, 1) ? NULL : "it does not listen";
}

/* The same of one that nobody has looked after for a while. */
static const char *misfit(int fd, int type, const char *path)
{
    const char *why = deaf(fd, type, path);
    socklen_t bytes = sizeof(struct ucred);
    struct ucred owner;
    struct stat named;

    if (why)
        return why;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &bytes) || owner.uid != geteuid())
        return "it is another user's";
    if (lstat(path, &named) || !S_ISSOCK(named.st_mode) || named.st_uid != geteuid())
        return "it is not at its path any more";
    return NULL;
}

/* The lock of that path, and locked by nobody else? */
static bool locks(int fd, const char *path)
{
    char name[LOCK_BYTES];
    struct stat opened, named;

    lock_path(path, name);
    return !fstat(fd, &opened) && !stat(name, &named) && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev && !flock(fd, LOCK_EX | LOCK_NB);
}

/* Whoever connects from now on is told who listens. 0, or -1 with errno. */
static int listen_again(int fd, const char *path, mode_t mode)
{
    return chmod(path, mode) || fcntl(fd, F_SETFL, O_NONBLOCK) || listen(fd, BACKLOG) ? -1 : 0;
}

static const char *explain(int error)
{
    if (error == -EADDRINUSE)
        return "another saddled serves it";
    if (error == -EEXIST)
        return "something that is no socket stands there";
    return strerror(-error);
}

/* The kept socket or lock, in *fd, is no good. */
static void refuse_kept(struct attach_kept *kept, int *fd, const char *path, const char *why)
{
    log_line(LOG_WARNING, "socket %s: what was kept as \"%s\" is refused: %s", path, kept->name,
             why);
    close(*fd);
    *fd = -1;
    kept->refused = true;
}

static int take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* Without the lock somebody else may have had the path meanwhile. */
static void open_kept(struct attach_socket *attach, int type, mode_t mode, struct attach_kept *kept)
{
    const char *why = NULL;

    if (kept->lock_fd >= 0 && !locks(kept->lock_fd, attach->path))
        refuse_kept(kept, &kept->lock_fd, attach->path, "it is not the lock of that path");
    attach->lock_fd = take(&kept->lock_fd);
    if (kept->fd < 0)
        return;
    why = attach->lock_fd < 0 ? "its lock is not there" : misfit(kept->fd, type, attach->path);
    if (!why && listen_again(kept->fd, attach->path, mode))
        why = strerror(errno);
    if (why)
        refuse_kept(kept, &kept->fd, attach->path, why);
    attach->fd = take(&kept->fd);
    /* Should this daemon not come so far as to serve, it is there for the next one. */
    attach->stays = attach->fd >= 0;
}

/* What was not kept. */
static int open_rest(struct attach_socket *attach, int type, mode_t mode)
{
    int error;

    if (attach->fd >= 0)
        return 0;
    if (attach->lock_fd < 0)
        attach->lock_fd = lock_take(attach->path);
    error = attach->lock_fd < 0 ? attach->lock_fd : remove_stale(attach->path);
    return error ? error : listen_at(attach, type, mode);
}

int attach_reopen(struct attach_socket *attach, int type, const char *path, mode_t mode,
                  struct attach_kept *kept, char *reason, size_t reason_bytes)
{
    int error = strlen(path) < sizeof(attach->path) ? 0 : -ENAMETOOLONG;

    memset(attach, 0, sizeof(*attach));
    attach->fd = -1;
    attach->lock_fd = -1;
    if (!error) {
        memcpy(attach->path, path, strlen(path));
        if (kept)
            open_kept(attach, type, mode, kept);
        error = open_rest(attach, type, mode);
    }
    if (error) {
        snprintf(reason, reason_bytes, "socket %s: %s", path, explain(error));
        if (attach->lock_fd >= 0)
            lock_release(path, attach->lock_fd);
        attach->lock_fd = -1;
    }
    return error;
}

int attach_open(struct attach_socket *attach, int type, const char *path, mode_t mode, char *reason,
                size_t reason_bytes)
{
    return attach_reopen(attach, type, path, mode, NULL, reason, reason_bytes);
}

void attach_close(struct attach_socket *attach)
{
    if (attach->fd < 0)
        return;
    if (attach->stays) {
        attach_forget(attach);
        return;
    }
    /* A socket that stays is no harm: the next daemon replaces it. */
    if (unlink(attach->path))
        log_line(LOG_WARNING, "socket %s: not removed: %s", attach->path, strerror(errno));
    close(attach->fd);
    lock_release(attach->path, attach->lock_fd);
    attach->fd = -1;
    attach->lock_fd = -1;
}

void attach_offer(const struct attach_socket *attach, struct parcel_draft *draft)
{
    state_put_bytes(&draft->state, attach->path, (uint32_t)strlen(attach->path));
    parcel_put_fd(draft, attach->fd);
    parcel_put_fd(draft, attach->lock_fd);
}

int attach_adopt(struct attach_socket *attach, int type, const char *path, struct parcel *parcel,
                 char *reason, size_t reason_bytes)
{
    uint32_t length;
    const char *named = state_get_bytes(&parcel->state, sizeof(attach->path) - 1, &length);

    memset(attach, 0, sizeof(*attach));
    attach->fd = parcel_get_fd(parcel);
    attach->lock_fd = parcel_get_fd(parcel);
    if (!parcel->state.error && length == strlen(path) && !memcmp(named, path, length) &&
        !deaf(attach->fd, type, path) && locks(attach->lock_fd, path)) {
        memcpy(attach->path, path, length);
        return 0;
    }
    snprintf(reason, reason_bytes, "socket %s: what the other daemon hands over is not that", path);
    attach_forget(attach);
    return -EBADMSG;
}

void attach_claim(const struct attach_socket *attach)
{
    if (attach->fd >= 0 && listen(attach->fd, BACKLOG))
        log_line(LOG_WARNING, "socket %s: %s", attach->path, strerror(errno));
}

void attach_forget(struct attach_socket *attach)
{
    if (attach->fd >= 0)
        close(attach->fd);
    if (attach->lock_fd >= 0)
        close(attach->lock_fd);
    attach->fd = -1;
    attach->lock_fd = -1;
}

int attach_refuse(struct saddle_attach_reply *reply, int error, const char *format, ...)
{
    va_list args;

    memset(reply, 0, sizeof(*reply));
    reply->magic = SADDLE_ABI_MAGIC;
    reply->bytes = sizeof(*reply);
    reply->error = error;
    va_start(args, format);
    vsnprintf(reply->reason, sizeof(reply->reason), format, args);
    va_end(args);
    return error;
}

int attach_check(const void *datagram, size_t bytes, bool descriptors,
                 struct saddle_attach_request *request, struct saddle_attach_reply *reply)
{
    if (descriptors)
        return attach_refuse(reply, -EPROTO, "attach: a request carries no descriptors");
    if (bytes != sizeof(*request))
        return attach_refuse(reply, -EPROTO, "attach: a request of the wrong size, not %zu bytes",
                             sizeof(*request));
    memcpy(request, datagram, sizeof(*request));
    return 0;
}

int attach_receive(int fd, struct saddle_attach_request *request, struct saddle_attach_reply *reply)
{
    uint8_t datagram[sizeof(*request) + 1]; /* one more: to see that it is too long */
    struct iovec vector = {datagram, sizeof(datagram)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t bytes = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    if (bytes < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ECONNRESET;
    if (bytes == 0 && !(message.msg_flags & MSG_CTRUNC))
        return -ECONNRESET;
    return attach_check(datagram, (size_t)bytes, message.msg_flags & MSG_CTRUNC, request, reply);
}

int attach_send(int fd, const struct saddle_attach_reply *reply, const int *fds, uint32_t count)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(ATTACH_FDS_MAX * sizeof(int))];
    } control;
    struct iovec vector = {(void *)(uintptr_t)reply, sizeof(*reply)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};

    if (count) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
    }
    return sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}
