/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/channel.h"
#include "client/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define ATTACH_SOCKET        "/run/saddle/attach.sock"
#define ATTACH_TIMEOUT_MS    5000u
#define ATTACH_ENTRIES       256u
#define ATTACH_RECEIVE_SLOTS 256u
#define ATTACH_HEAP_BYTES    (16ull << 20)
/* The arena, and two doorbells for each channel. */
#define ATTACH_DESCRIPTORS_MAX (1u + 2u * SADDLE_CHANNELS_MAX)
#define MS_PER_S               1000u
#define NS_PER_MS              1000000

/* Bytes of an answer that says no: all up to and with the reason. */
#define ATTACH_REFUSAL_BYTES offsetof(struct saddle_attach_reply, channel)

/* What came with an accepted reply. */
struct attach_descriptors {
    int fd[ATTACH_DESCRIPTORS_MAX];
    uint32_t count;
};

static void attach_drop(struct attach_descriptors *got)
{
    for (uint32_t at = 0; at < got->count; at++)
        close(got->fd[at]);
    got->count = 0;
}

/* ---- The request ---- */

/* What the caller chose, or the environment, or nobody. */
static const char *attach_choice(const char *chosen, const char *variable, const char *otherwise)
{
    if (!chosen)
        chosen = secure_getenv(variable);
    return chosen ? chosen : otherwise;
}

static int attach_name(char *to, const char *name, const char *what)
{
    if (name && strlen(name) >= SADDLE_NAME_BYTES)
        return client_errorf(-EINVAL, "the name of the %s is too long: %u characters at most", what,
                             SADDLE_NAME_BYTES - 1);
    if (name)
        memcpy(to, name, strlen(name) + 1);
    return 0;
}

/* The next power of two, or -EINVAL. */
static int attach_entries(uint32_t entries)
{
    uint32_t power = 1;

    if (entries > SADDLE_QUEUE_MAX)
        return client_errorf(-EINVAL, "queue_entries is %u; at most %u", entries, SADDLE_QUEUE_MAX);
    while (power < entries)
        power <<= 1;
    return (int)power;
}

static int attach_request(struct saddle_attach_request *request,
                          const struct saddle_attach_options *options)
{
    int entries = attach_entries(options->queue_entries ? options->queue_entries : ATTACH_ENTRIES);
    char application[SADDLE_NAME_BYTES];
    int error;

    if (entries < 0)
        return entries;
    if (options->channels > SADDLE_CHANNELS_MAX)
        return client_errorf(-EINVAL, "channels is %u; at most %u", options->channels,
                             SADDLE_CHANNELS_MAX);
    memset(request, 0, sizeof(*request));
    request->magic = SADDLE_ABI_MAGIC;
    request->bytes = sizeof(*request);
    request->abi_min = SADDLE_ABI_OLDEST;
    request->abi_max = SADDLE_ABI_VERSION;
    request->channels = options->channels ? options->channels : 1;
    request->command_entries = (uint32_t)entries;
    request->completion_entries = (uint32_t)entries;
    request->receive_slots = options->receive_slots ? options->receive_slots : ATTACH_RECEIVE_SLOTS;
    request->heap_bytes = options->heap_bytes ? options->heap_bytes : ATTACH_HEAP_BYTES;
    error = attach_name(request->engine, attach_choice(options->engine, "SADDLE_ENGINE", NULL),
                        "engine");
    if (error)
        return error;
    /* The program's own name is only for operators: a long one is cut. */
    snprintf(application, sizeof(application), "%s", program_invocation_short_name);
    return attach_name(request->application,
                       options->application ? options->application : application, "application");
}

/* ---- The socket ---- */

static int attach_unreachable(int error, const char *path)
{
    switch (error) {
    case ENOENT:
        return client_errorf(-ENOENT, "%s: no such socket; is saddled running?", path);
    case ECONNREFUSED:
        return client_errorf(-ECONNREFUSED, "%s: no daemon listens on this socket", path);
    case EACCES:
        return client_errorf(-EACCES, "%s: no permission to use this socket", path);
    case EAGAIN:
        return client_errorf(-ETIMEDOUT, "%s: the daemon takes no new connection", path);
    default:
        return client_errorf(-error, "%s: %s", path, strerrordesc_np(error));
    }
}

/* Connects within the timeout: a descriptor or an error. */
static int attach_connect(const char *path, uint32_t timeout_ms)
{
    const struct timeval timeout = {timeout_ms / MS_PER_S,
                                    (suseconds_t)(timeout_ms % MS_PER_S) * MS_PER_S};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path))
        return client_errorf(-EINVAL, "%s: the path of a socket has at most %zu characters", path,
                             sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return client_errorf(-errno, "no socket to be had: %s", strerrordesc_np(errno));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = attach_unreachable(errno, path);

        close(fd);
        return error;
    }
    return fd;
}

/* Waits for the reply: 0 or -ETIMEDOUT. */
static int attach_await(int fd, uint32_t timeout_ms)
{
    int64_t end_ns = client_channel_end_ns((int)timeout_ms);
    struct pollfd reply = {.fd = fd, .events = POLLIN};
    int ready;

    do {
        int64_t left_ns = end_ns - client_channel_end_ns(0);
        struct timespec left = {0, 0};

        if (left_ns > 0) {
            left.tv_sec = left_ns / ((int64_t)NS_PER_MS * MS_PER_S);
            left.tv_nsec = left_ns % ((int64_t)NS_PER_MS * MS_PER_S);
        }
        ready = ppoll(&reply, 1, &left, NULL);
    } while (ready < 0 && errno == EINTR);
    if (ready > 0)
        return 0;
    return client_errorf(-ETIMEDOUT, "the daemon did not answer within %u ms", timeout_ms);
}

static void attach_collect(struct msghdr *message, struct attach_descriptors *got)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        size_t bytes = part->cmsg_len - CMSG_LEN(0);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(int) <= bytes && got->count < ATTACH_DESCRIPTORS_MAX;
             at += sizeof(int))
            memcpy(&got->fd[got->count++], CMSG_DATA(part) + at, sizeof(int));
    }
}

/* Takes the reply with its descriptors: 0, or an error with *got yet to be dropped. */
static int attach_receive(int fd, struct saddle_attach_reply *reply, struct attach_descriptors *got)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int) * ATTACH_DESCRIPTORS_MAX)];
    } control;
    struct iovec vector = {reply, sizeof(*reply)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             /* Without the padding, which is room for one descriptor more. */
                             .msg_controllen = CMSG_LEN(sizeof(int) * ATTACH_DESCRIPTORS_MAX)};
    ssize_t bytes;

    memset(reply, 0, sizeof(*reply));
    do {
        bytes = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    } while (bytes < 0 && errno == EINTR);
    if (bytes < 0)
        return client_errorf(-errno, "no reply of the daemon: %s", strerrordesc_np(errno));
    attach_collect(&message, got);
    if (bytes == 0)
        return client_error(-ECONNRESET, "the daemon hung up instead of answering");
    if ((size_t)bytes < ATTACH_REFUSAL_BYTES || reply->magic != SADDLE_ABI_MAGIC)
        return client_error(-EPROTO, "whoever listens on the socket is not saddled");
    reply->reason[sizeof(reply->reason) - 1] = '\0';
    if (reply->error)
        return client_errorf(reply->error < 0 ? reply->error : -EPROTO, "%s",
                             reply->reason[0] ? reply->reason : "refused without a reason");
    if ((size_t)bytes < sizeof(*reply))
        return client_error(-EPROTO, "the reply of the daemon is too short");
    if (message.msg_flags & MSG_CTRUNC)
        return client_error(-EMFILE, "descriptors of the session were lost: too many open files?");
    return 0;
}

/* Does the whole exchange: 0, or an error with *got yet to be dropped. */
static int attach_exchange(int fd, const struct saddle_attach_request *request, uint32_t timeout_ms,
                           struct saddle_attach_reply *reply, struct attach_descriptors *got)
{
    int error;

    if (send(fd, request, sizeof(*request), MSG_NOSIGNAL) != (ssize_t)sizeof(*request))
        return client_errorf(-errno, "the daemon does not take the request: %s",
                             strerrordesc_np(errno));
    error = attach_await(fd, timeout_ms);
    if (error)
        return error;
    error = attach_receive(fd, reply, got);
    if (error)
        return error;
    if (reply->abi < SADDLE_ABI_OLDEST || reply->abi > SADDLE_ABI_VERSION)
        return client_errorf(-EPROTO, "the daemon chose version %u of the ABI; this library has %u",
                             reply->abi, SADDLE_ABI_VERSION);
    if (reply->channels != request->channels || got->count != 1 + 2 * request->channels)
        return client_errorf(-EPROTO, "the daemon answered with %u channels and %u descriptors",
                             reply->channels, got->count);
    return 0;
}

/* ---- The session ---- */

/* Makes this process the one that brings the arena's pages into being, so that its own memory
 * account carries them: 0 or -ENOMEM. */
static int attach_populate(uint8_t *arena, uint64_t bytes)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

    if (madvise(arena, bytes, MADV_POPULATE_WRITE) == 0)
        return 0;
    if (errno != EINVAL)
        return client_errorf(-ENOMEM, "no memory for an arena of %llu bytes",
                             (unsigned long long)bytes);
    /* A kernel before 5.14: reading brings a page of shared memory into being too. */
    for (uint64_t at = 0; at < bytes; at += page)
        (void)*(const volatile uint8_t *)(arena + at);
    return 0;
}

/* Maps what the daemon sent. A memory that somebody could still shrink is not believed: touching
 * it beyond its end would kill the application. */
static int attach_map(int fd, uint64_t bytes, uint8_t **arena)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    void *memory;
    int error;

    if (fstat(fd, &status) != 0 || (uint64_t)status.st_size < bytes || seals < 0 ||
        !(seals & F_SEAL_SHRINK))
        return client_error(-EPROTO, "the arena is shorter than promised, or not sealed");
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        return client_errorf(-ENOMEM, "an arena of %llu bytes cannot be mapped",
                             (unsigned long long)bytes);
    madvise(memory, bytes, MADV_DONTFORK);
    /* Before there are any pages. Here alone: where the daemon brings one into being it is not to
     * be charged two megabytes for it. It maps as they are the large ones that come of this. */
    madvise(memory, bytes, MADV_HUGEPAGE);
    error = attach_populate((uint8_t *)memory, bytes);
    if (error) {
        munmap(memory, bytes);
        return error;
    }
    *arena = (uint8_t *)memory;
    return 0;
}

/* Turns a good reply into a session, which then owns socket and doorbells. */
static int attach_adopt(struct saddle_session **session, int fd,
                        const struct saddle_attach_reply *reply, struct attach_descriptors *got)
{
    int bells[SADDLE_CHANNELS_MAX][2];
    uint8_t *arena = NULL;
    int error = attach_map(got->fd[0], reply->arena_bytes, &arena);

    if (error)
        return error;
    for (uint32_t index = 0; index < reply->channels; index++) {
        bells[index][0] = got->fd[1 + 2 * index];
        bells[index][1] = got->fd[2 + 2 * index];
    }
    error = session_open(session, reply, arena, (const int(*)[2])bells);
    if (error) {
        munmap(arena, reply->arena_bytes);
        return error == -EINVAL ? -EPROTO : error;
    }
    (*session)->socket = fd;
    (*session)->attached = true;
    close(got->fd[0]);
    got->count = 0;
    return 0;
}

static int attach(struct saddle_session **session, const struct saddle_attach_options *options)
{
    uint32_t timeout_ms = options->timeout_ms ? options->timeout_ms : ATTACH_TIMEOUT_MS;
    struct saddle_attach_request request;
    struct saddle_attach_reply reply = {0};
    struct attach_descriptors got = {.count = 0};
    int error = attach_request(&request, options);
    int fd;

    if (error)
        return error;
    fd = attach_connect(attach_choice(options->socket, "SADDLE_SOCKET", ATTACH_SOCKET), timeout_ms);
    if (fd < 0)
        return fd;
    error = attach_exchange(fd, &request, timeout_ms, &reply, &got);
    if (!error)
        error = attach_adopt(session, fd, &reply, &got);
    if (error) {
        attach_drop(&got);
        close(fd);
    }
    return error;
}

int saddle_attach(struct saddle_session **session, const struct saddle_attach_options *options,
                  char *reason, size_t reason_bytes)
{
    static const struct saddle_attach_options standard = {.size = sizeof(standard)};
    int error;

    *session = NULL;
    if (options && options->size != sizeof(*options))
        error = client_errorf(-EINVAL,
                              "options->size is %zu; it has to be "
                              "sizeof(struct saddle_attach_options), %zu",
                              options->size, sizeof(*options));
    else
        error = attach(session, options ? options : &standard);
    if (error && reason && reason_bytes > 0)
        snprintf(reason, reason_bytes, "%s", client_error_line());
    return error;
}
