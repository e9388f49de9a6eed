/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/memif_channel.h"

#include "control/log.h"
#include "sched/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define EVENTS_PER_TURN 32u /* then others have their turn; level-triggered, so none is lost */
#define RETRY_NS        (100 * NSEC_PER_MSEC) /* a client, until there is a server */
#define PATIENCE_NS     (2 * NSEC_PER_SEC)    /* from a connection until it is up */
#define CLIENT_LOG2     10u                   /* slots of each ring: 1024, as net_memif has */
#define NAME            "saddle"

enum source { LISTENER, CONNECTION, TIMER, ALARM };

static int watch(const struct memif_channel *channel, int fd, enum source source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = source};

    return epoll_ctl(channel->poll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* At once: as soon as can be. 0: not any more. */
static void set_timer(const struct memif_channel *channel, uint64_t ns)
{
    const struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC)}};

    timerfd_settime(channel->timer_fd, 0, &when, NULL);
}

/* ---- Messages ---- */

static struct memif_message message_of(enum memif_type type)
{
    return (struct memif_message){.type = (uint16_t)type};
}

static void put_name(uint8_t name[MEMIF_NAME_BYTES], const char *text)
{
    snprintf((char *)name, MEMIF_NAME_BYTES, "%s", text);
}

/* With a descriptor; -1: none. 0 or a negative errno. */
static int say(const struct memif_channel *channel, const struct memif_message *message, int fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = sizeof(*message)};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd >= 0) {
        envelope.msg_control = &control;
        envelope.msg_controllen = sizeof(control.bytes);
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
                                          .cmsg_level = SOL_SOCKET,
                                          .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    }
    return sendmsg(channel->fd, &envelope, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*message)
               ? 0
               : -EPIPE;
}

static void close_rest(const struct msghdr *envelope, int *fd)
{
    struct msghdr *mutable = (struct msghdr *)(uintptr_t)envelope;

    for (struct cmsghdr *one = CMSG_FIRSTHDR(mutable); one; one = CMSG_NXTHDR(mutable, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = 0; at + sizeof(int) <= one->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
            int found;

            memcpy(&found, CMSG_DATA(one) + at, sizeof(found));
            if (*fd < 0)
                *fd = found;
            else
                close(found);
        }
    }
}

/* The next message and its descriptor. 0; -EAGAIN; -EPIPE the other side is gone; -EBADMSG. */
static int hear(const struct memif_channel *channel, struct memif_message *message, int *fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(2 * sizeof(int))]; /* what is more the kernel drops */
    } control;
    struct iovec part = {.iov_base = message, .iov_len = sizeof(*message)};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control)};
    ssize_t bytes = recvmsg(channel->fd, &envelope, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    *fd = -1;
    if (bytes < 0)
        return errno == EAGAIN || errno == EINTR ? -EAGAIN : -EPIPE;
    close_rest(&envelope, fd);
    if (bytes == sizeof(*message) && !(envelope.msg_flags & MSG_TRUNC))
        return 0;
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
    return bytes == 0 ? -EPIPE : -EBADMSG;
}

/* ---- Ends of a connection ---- */

void memif_channel_abandon(struct memif_channel *channel)
{
    if (channel->fd < 0)
        return;
    bool known = channel->stage != MEMIF_NOBODY;

    if (channel->stage == MEMIF_UP)
        channel->ops->down(channel->context);
    memif_rings_destroy(channel->rings);
    channel->rings = NULL;
    /* Another process may have the same one open: it would be watched on. */
    epoll_ctl(channel->poll_fd, EPOLL_CTL_DEL, channel->fd, NULL);
    close(channel->fd);
    channel->fd = -1;
    channel->stage = MEMIF_NOBODY;
    if (known)
        set_timer(channel, channel->config.server ? 0 : RETRY_NS);
}

/* Ends it, with the reason for the log and, unless it is gone, the other side. */
static void disconnect(struct memif_channel *channel, const char *why)
{
    struct memif_message message = message_of(MEMIF_DISCONNECT);

    /* A client that is refused comes again and again. */
    if (channel->config.server || !channel->told || channel->stage == MEMIF_UP)
        log_limited(channel->stage == MEMIF_UP ? LOG_INFO : LOG_WARNING,
                    "port %s: the memif connection ends: %s", channel->config.name, why);
    channel->told = channel->stage != MEMIF_UP;
    snprintf((char *)message.body.disconnect.reason, MEMIF_REASON_BYTES, "%s", why);
    say(channel, &message, -1);
    memif_channel_abandon(channel);
}

static void go_up(struct memif_channel *channel)
{
    channel->stage = MEMIF_UP;
    __atomic_store_n(&channel->number, channel->number + 1, __ATOMIC_RELAXED);
    channel->told = false;
    set_timer(channel, 0);
    log_limited(LOG_INFO, "port %s: a memif %s is connected", channel->config.name,
                channel->config.server ? "client" : "server");
    channel->ops->up(channel->context, channel->rings);
}

/* ---- The client's part ---- */

static int connect_socket(const struct memif_channel *channel)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    memcpy(address.sun_path, channel->path, strlen(channel->path));
    if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

/* A connection that has just been made, and the message that it begins with. */
static int begin(struct memif_channel *channel, int fd, enum memif_stage stage)
{
    int error = watch(channel, fd, CONNECTION);

    if (error) {
        close(fd);
        return error;
    }
    channel->fd = fd;
    channel->stage = stage;
    channel->since_ns = clock_now(&clock_machine);
    set_timer(channel, PATIENCE_NS);
    return 0;
}

static void try_connect(struct memif_channel *channel)
{
    int fd = connect_socket(channel);
    int error = fd < 0 ? fd : begin(channel, fd, MEMIF_CLIENT_HELLO);

    if (!error)
        return;
    if (!channel->told)
        log_line(LOG_INFO, "port %s: no memif server at %s yet: %s", channel->config.name,
                 channel->path, strerror(-error));
    channel->told = true;
    set_timer(channel, RETRY_NS);
}

/* What is said once the message before it was answered. */
static int say_next(struct memif_channel *channel)
{
    const struct memif_rings *rings = channel->rings;
    bool to_server = channel->stage == MEMIF_CLIENT_REGION;
    const struct memif_side *side = to_server ? &rings->tx : &rings->rx;
    struct memif_message message;

    switch (channel->stage++) {
    case MEMIF_CLIENT_INIT:
        message = message_of(MEMIF_ADD_REGION);
        message.body.region.bytes = rings->regions[0].bytes;
        return say(channel, &message, rings->regions[0].fd);
    case MEMIF_CLIENT_REGION:
    case MEMIF_CLIENT_TO_SERVER:
        message = message_of(MEMIF_ADD_RING);
        message.body.ring.flags = to_server ? MEMIF_RING_TO_SERVER : 0;
        message.body.ring.offset = side->offset;
        message.body.ring.log2 = (uint8_t)__builtin_ctz(side->mask + 1u);
        return say(channel, &message, side->bell);
    default:
        message = message_of(MEMIF_CONNECT);
        put_name(message.body.connect.name, channel->config.name);
        return say(channel, &message, -1);
    }
}

/* Takes the server's HELLO; 0, or a negative errno with why. */
static int take_hello(struct memif_channel *channel, const struct memif_message *heard,
                      const char **why)
{
    struct memif_message message = message_of(MEMIF_INIT);
    uint16_t oldest = heard->body.hello.version_min, newest = heard->body.hello.version_max;
    uint8_t log2 = RTE_MIN(heard->body.hello.log2_max, (uint8_t)CLIENT_LOG2);
    int error;

    *why = "no common version of memif";
    if (oldest > MEMIF_VERSION || newest < MEMIF_VERSION)
        return -EPROTO;
    *why = "no memory for its rings";
    error = memif_rings_create(&channel->rings, log2, channel->config.buffer_bytes);
    if (error)
        return error;
    message.body.init.version = MEMIF_VERSION;
    message.body.init.id = channel->config.id;
    message.body.init.mode = MEMIF_MODE_ETHERNET;
    put_name(message.body.init.name, NAME);
    channel->stage = MEMIF_CLIENT_INIT;
    *why = "its server is gone";
    return say(channel, &message, -1);
}

static int take_as_client(struct memif_channel *channel, const struct memif_message *heard,
                          const char **why)
{
    *why = "a message out of turn";
    if (channel->stage == MEMIF_CLIENT_HELLO)
        return heard->type == MEMIF_HELLO ? take_hello(channel, heard, why) : -EPROTO;
    if (channel->stage == MEMIF_CLIENT_CONNECT && heard->type == MEMIF_CONNECTED) {
        memif_rings_post(channel->rings);
        go_up(channel);
        return 0;
    }
    if (heard->type != MEMIF_ACK || channel->stage >= MEMIF_CLIENT_CONNECT)
        return -EPROTO;
    *why = "its server is gone";
    return say_next(channel);
}

/* ---- The server's part ---- */

static int say_hello(const struct memif_channel *channel)
{
    struct memif_message message = message_of(MEMIF_HELLO);

    put_name(message.body.hello.name, NAME);
    message.body.hello.version_min = message.body.hello.version_max = MEMIF_VERSION;
    message.body.hello.region_max = MEMIF_REGIONS_MAX - 1;
    message.body.hello.log2_max = MEMIF_LOG2_MAX;
    return say(channel, &message, -1);
}

/* One client at a time: others are told so. */
static void refuse(struct memif_channel *channel, int fd)
{
    struct memif_channel stranger = {.fd = fd};
    struct memif_message message = message_of(MEMIF_DISCONNECT);

    snprintf((char *)message.body.disconnect.reason, MEMIF_REASON_BYTES,
             "port %s has another client", channel->config.name);
    say(&stranger, &message, -1);
    close(fd);
}

/* Without a descriptor for whoever knocks: he waits. */
static void pause_listening(const struct memif_channel *channel)
{
    epoll_ctl(channel->poll_fd, EPOLL_CTL_DEL, channel->listener.fd, NULL);
    set_timer(channel, RETRY_NS);
}

static void take_client(struct memif_channel *channel)
{
    int fd = accept4(channel->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            pause_listening(channel);
        return;
    }
    if (channel->fd >= 0) {
        refuse(channel, fd);
        return;
    }
    if (begin(channel, fd, MEMIF_SERVER_INIT))
        return;
    if (memif_rings_expect(&channel->rings) || say_hello(channel))
        memif_channel_abandon(channel);
}

static int take_init(struct memif_channel *channel, const struct memif_message *heard,
                     const char **why)
{
    *why = "no common version of memif";
    if (heard->type != MEMIF_INIT || heard->body.init.version != MEMIF_VERSION)
        return -EPROTO;
    *why = "there is no interface of that id";
    if (heard->body.init.id != channel->config.id)
        return -ENOENT;
    *why = "only Ethernet is spoken here";
    if (heard->body.init.mode != MEMIF_MODE_ETHERNET)
        return -EPROTO;
    channel->stage = MEMIF_SERVER_MEMORY;
    return 0;
}

static int take_memory(struct memif_channel *channel, const struct memif_message *heard, int fd,
                       const char **why)
{
    int error;

    if (heard->type == MEMIF_ADD_REGION) {
        error = memif_rings_add_region(channel->rings, heard->body.region.index,
                                       heard->body.region.bytes, fd);
        *why = error == -EPERM ? "a region whose memory could be taken away"
                               : "a region that cannot be";
        return error;
    }
    *why = "a ring that cannot be";
    error = memif_rings_add_ring(channel->rings, heard->body.ring.flags & MEMIF_RING_TO_SERVER,
                                 heard->body.ring.region, heard->body.ring.offset,
                                 heard->body.ring.log2, fd);
    return error || heard->body.ring.index == 0 ? error : -EINVAL;
}

static int take_as_server(struct memif_channel *channel, const struct memif_message *heard, int *fd,
                          const char **why)
{
    struct memif_message message = message_of(MEMIF_ACK);
    int error;

    *why = "a message out of turn";
    if (channel->stage == MEMIF_SERVER_INIT) {
        error = take_init(channel, heard, why);
    } else if (channel->stage != MEMIF_SERVER_MEMORY) {
        error = -EPROTO;
    } else if (heard->type == MEMIF_ADD_REGION || heard->type == MEMIF_ADD_RING) {
        error = take_memory(channel, heard, *fd, why);
        *fd = -1;
    } else if (heard->type == MEMIF_CONNECT) {
        *why = "no rings, or none of memif";
        error = memif_rings_check(channel->rings);
        message = message_of(MEMIF_CONNECTED);
        put_name(message.body.connect.name, channel->config.name);
    } else {
        error = -EPROTO;
    }
    if (error)
        return error;
    *why = "its client is gone";
    error = say(channel, &message, -1);
    if (!error && message.type == MEMIF_CONNECTED)
        go_up(channel);
    return error;
}

/* ---- Both ---- */

static void take_message(struct memif_channel *channel)
{
    char reason[MEMIF_REASON_BYTES + 1] = "";
    struct memif_message heard;
    const char *why = "a message of another length";
    int fd, error = hear(channel, &heard, &fd);

    if (error == -EAGAIN)
        return;
    if (error == -EPIPE) {
        why = "the other side is gone";
    } else if (!error && heard.type == MEMIF_DISCONNECT) {
        memcpy(reason, heard.body.disconnect.reason, MEMIF_REASON_BYTES);
        why = reason;
        error = -ECONNRESET;
    } else if (!error) {
        error = channel->config.server ? take_as_server(channel, &heard, &fd, &why)
                                       : take_as_client(channel, &heard, &why);
    }
    if (fd >= 0)
        close(fd);
    if (error)
        disconnect(channel, why);
}

/* With a connection that is not up yet. */
static void look_at_patience(struct memif_channel *channel)
{
    uint64_t now = clock_now(&clock_machine), end = channel->since_ns + PATIENCE_NS;

    if (channel->fd < 0 || channel->stage == MEMIF_UP)
        return;
    if (now >= end)
        disconnect(channel, "it took too long");
    else
        set_timer(channel, end - now);
}

static void drain(int fd)
{
    uint64_t number;

    while (read(fd, &number, sizeof(number)) == sizeof(number))
        ;
}

static void dispatch(struct memif_channel *channel, enum source source)
{
    switch (source) {
    case LISTENER:
        take_client(channel);
        break;
    case CONNECTION:
        take_message(channel);
        break;
    case TIMER:
        drain(channel->timer_fd);
        if (channel->config.server)
            watch(channel, channel->listener.fd, LISTENER); /* if it is not */
        else if (channel->fd < 0)
            try_connect(channel);
        look_at_patience(channel);
        break;
    case ALARM:
        drain(channel->alarm_fd);
        if (channel->stage == MEMIF_UP &&
            __atomic_load_n(&channel->rings->broken, __ATOMIC_RELAXED))
            disconnect(channel, "positions in a ring that cannot be");
        break;
    }
}

void memif_channel_work(struct memif_channel *channel)
{
    struct epoll_event event;

    for (uint32_t i = 0; i < EVENTS_PER_TURN; i++) {
        if (epoll_wait(channel->poll_fd, &event, 1, 0) != 1)
            return;
        dispatch(channel, (enum source)event.data.u32);
    }
}

/* ---- Its life ---- */

int memif_channel_init(struct memif_channel *channel, const struct memif_channel_config *config,
                       const struct memif_channel_ops *ops, void *context)
{
    int error;

    *channel = (struct memif_channel){
        .config = *config,
        .ops = ops,
        .context = context,
        .listener = {.fd = -1, .lock_fd = -1},
        .poll_fd = epoll_create1(EPOLL_CLOEXEC),
        .timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
        .alarm_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
        .fd = -1,
    };
    channel->config.path = channel->path;
    if (snprintf(channel->path, sizeof(channel->path), "%s", config->path) >=
        (int)sizeof(channel->path))
        error = -ENAMETOOLONG;
    else if (channel->poll_fd < 0 || channel->timer_fd < 0 || channel->alarm_fd < 0)
        error = -errno;
    else
        error = watch(channel, channel->timer_fd, TIMER);
    if (!error)
        error = watch(channel, channel->alarm_fd, ALARM);
    if (error)
        memif_channel_fini(channel);
    return error;
}

int memif_channel_start(struct memif_channel *channel, const struct reason *reason)
{
    int error;

    if (!channel->config.server) {
        try_connect(channel);
        return 0;
    }
    error = attach_open(&channel->listener, SOCK_SEQPACKET, channel->path, channel->config.mode,
                        reason->text, reason->bytes);
    if (error)
        return error;
    error = watch(channel, channel->listener.fd, LISTENER);
    return error ? reason_set(reason, error, "socket %s: %s", channel->path, strerror(-error)) : 0;
}

int memif_channel_resume(struct memif_channel *channel)
{
    int error = 0;

    if (channel->config.server) {
        attach_claim(&channel->listener);
        error = watch(channel, channel->listener.fd, LISTENER);
    }
    if (!error && channel->fd >= 0)
        error = watch(channel, channel->fd, CONNECTION);
    if (error)
        return error;
    if (channel->fd >= 0) {
        channel->stage = MEMIF_UP;
        channel->ops->up(channel->context, channel->rings);
    } else if (!channel->config.server) {
        set_timer(channel, RETRY_NS);
    }
    return 0;
}

static void close_own(struct memif_channel *channel)
{
    const int fds[] = {channel->poll_fd, channel->timer_fd, channel->alarm_fd};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    channel->poll_fd = channel->timer_fd = channel->alarm_fd = -1;
}

void memif_channel_fini(struct memif_channel *channel)
{
    struct memif_message message = message_of(MEMIF_DISCONNECT);

    if (!channel->ops)
        return;
    if (channel->fd >= 0) {
        snprintf((char *)message.body.disconnect.reason, MEMIF_REASON_BYTES, "the port is closed");
        say(channel, &message, -1);
        memif_channel_abandon(channel);
    }
    attach_close(&channel->listener);
    close_own(channel);
    channel->ops = NULL;
}

void memif_channel_forget(struct memif_channel *channel)
{
    memif_channel_abandon(channel);
    attach_forget(&channel->listener);
    close_own(channel);
    channel->ops = NULL;
}
