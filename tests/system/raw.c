/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/system/raw.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_MS 20000 /* a daemon that says nothing for so long has failed the test */

void raw_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

int raw_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
        raw_die("%s: %s", path, strerror(errno));
    return fd;
}

struct saddle_attach_request raw_request(const char *engine)
{
    struct saddle_attach_request request = {
        .magic = SADDLE_ABI_MAGIC,
        .bytes = sizeof(request),
        .abi_min = SADDLE_ABI_OLDEST,
        .abi_max = SADDLE_ABI_VERSION,
        .channels = 1,
        .command_entries = RAW_ENTRIES,
        .completion_entries = RAW_ENTRIES,
        .receive_slots = RAW_SLOTS,
        .heap_bytes = RAW_HEAP,
        .application = "raw",
    };

    snprintf(request.engine, sizeof(request.engine), "%s", engine);
    return request;
}

static void await_readable(int first, int second)
{
    struct pollfd fds[] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};

    if (poll(fds, 2, PATIENCE_MS) == 0)
        raw_die("nothing from the daemon within %d ms", PATIENCE_MS);
}

int raw_receive(struct raw *raw)
{
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(RAW_DESCRIPTORS_MAX * sizeof(int))];
    } control;
    struct iovec vector = {&raw->reply, sizeof(raw->reply)};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    int fds[3];

    await_readable(raw->socket, -1);
    if (recvmsg(raw->socket, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(raw->reply))
        raw_die("no reply: %s", strerror(errno));
    if (raw->reply.error)
        return raw->reply.error;
    if (!message.msg_controllen || control.header.cmsg_len != CMSG_LEN(sizeof(fds)))
        raw_die("the reply brings no three descriptors");
    memcpy(fds, CMSG_DATA(&control.header), sizeof(fds));
    raw->arena_fd = fds[0];
    raw->engine_bell = fds[1];
    raw->bell = fds[2];
    raw->arena = mmap(NULL, raw->reply.arena_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (raw->arena == MAP_FAILED)
        raw_die("arena: %s", strerror(errno));
    return 0;
}

void raw_attach_as(struct raw *raw, const char *path, const struct saddle_attach_request *request)
{
    memset(raw, 0, sizeof(*raw));
    raw->socket = raw_connect(path);
    if (send(raw->socket, request, sizeof(*request), 0) != (ssize_t)sizeof(*request))
        raw_die("request: %s", strerror(errno));
    if (raw_receive(raw))
        raw_die("refused: %s", raw->reply.reason);
}

void raw_attach(struct raw *raw, const char *path, const char *engine)
{
    const struct saddle_attach_request request = raw_request(engine);

    raw_attach_as(raw, path, &request);
}

void raw_leave(struct raw *raw)
{
    munmap(raw->arena, raw->reply.arena_bytes);
    close(raw->arena_fd);
    close(raw->engine_bell);
    close(raw->bell);
    close(raw->socket);
}

struct saddle_queue_header *raw_command_queue(const struct raw *raw)
{
    return (void *)(raw->arena + raw->reply.channel[0].command_offset);
}

struct saddle_queue_header *raw_completion_queue(const struct raw *raw)
{
    return (void *)(raw->arena + raw->reply.channel[0].completion_offset);
}

static uint8_t *entry(struct saddle_queue_header *queue, uint32_t position)
{
    return (uint8_t *)(queue + 1) + (size_t)(position % RAW_ENTRIES) * SADDLE_ENTRY_BYTES;
}

struct saddle_command *raw_command(struct raw *raw)
{
    struct saddle_command *command = (void *)entry(raw_command_queue(raw), raw->commands);

    memset((uint8_t *)command + sizeof(command->seq), 0, sizeof(*command) - sizeof(command->seq));
    command->tag = raw->commands;
    return command;
}

void raw_ring(const struct raw *raw)
{
    const uint64_t one = 1;

    /* A full counter rings as well. */
    if (write(raw->engine_bell, &one, sizeof(one)) < 0 && errno != EAGAIN)
        raw_die("doorbell: %s", strerror(errno));
}

void raw_publish(struct raw *raw)
{
    struct saddle_command *command = (void *)entry(raw_command_queue(raw), raw->commands);

    raw->commands++;
    __atomic_store_n(&command->seq, raw->commands, __ATOMIC_RELEASE);
    raw_ring(raw);
}

int raw_poll(struct raw *raw, struct saddle_event *event)
{
    struct saddle_queue_header *queue = raw_completion_queue(raw);
    const struct saddle_event *shared = (const void *)entry(queue, raw->events);

    if (__atomic_load_n(&shared->seq, __ATOMIC_ACQUIRE) != raw->events + 1)
        return 0;
    *event = *shared;
    raw->events++;
    __atomic_store_n(&queue->consumed, raw->events, __ATOMIC_RELEASE);
    return 1;
}

/* What the header says: 0 while the session is served. */
static int closed(const struct raw *raw)
{
    const struct saddle_arena_header *header = (const void *)raw->arena;

    if (__atomic_load_n(&header->state, __ATOMIC_ACQUIRE) != SADDLE_SESSION_CLOSED)
        return 0;
    if (header->error >= 0 || !memchr(header->reason, '\0', sizeof(header->reason)) ||
        !header->reason[0])
        raw_die("closed without error or reason");
    return header->error;
}

int raw_event(struct raw *raw, struct saddle_event *event)
{
    struct saddle_queue_header *queue = raw_completion_queue(raw);

    for (;;) {
        char bells[64];

        if (raw_poll(raw, event))
            return 0;
        if (closed(raw))
            return closed(raw);
        __atomic_exchange_n(&queue->armed, 1, __ATOMIC_SEQ_CST);
        if (raw_poll(raw, event))
            return 0;
        await_readable(raw->bell, raw->socket);
        /* The news is in the memory; the bell only has to be silent again. */
        if (recv(raw->bell, bells, sizeof(bells), MSG_DONTWAIT) == 0 && !closed(raw))
            raw_die("the daemon hung up");
    }
}

int raw_call(struct raw *raw, struct saddle_event *event)
{
    uint64_t tag = raw->commands;
    int error;

    raw_publish(raw);
    error = raw_event(raw, event);
    if (error)
        return error;
    if (event->type != SADDLE_EVT_DONE || event->tag != tag)
        raw_die("event %u with tag %llu instead of a completion", event->type,
                (unsigned long long)event->tag);
    return event->status;
}

int raw_nop(struct raw *raw)
{
    struct saddle_event event;

    raw_command(raw)->op = SADDLE_CMD_NOP;
    return raw_call(raw, &event);
}

uint32_t raw_listen(struct raw *raw, const char *service)
{
    struct saddle_command *command = raw_command(raw);
    struct saddle_event event;

    command->op = SADDLE_CMD_LISTEN;
    command->flags = SADDLE_ENTRY_INLINE;
    command->len = (uint32_t)strlen(service) + 1;
    memcpy(command->payload, service, command->len);
    if (raw_call(raw, &event))
        raw_die("listen: %d", event.status);
    return event.handle;
}

void raw_join(struct raw *from, struct raw *to, const char *host, const char *service,
              uint32_t handles[2])
{
    struct saddle_command *command = raw_command(from);
    size_t length = strlen(host) + 1;
    struct saddle_event event;

    command->op = SADDLE_CMD_CONNECT;
    command->flags = SADDLE_ENTRY_INLINE;
    command->len = (uint32_t)(length + strlen(service) + 1);
    memcpy(command->payload, host, length);
    memcpy(command->payload + length, service, command->len - length);
    raw_publish(from);
    if (raw_event(to, &event) || event.type != SADDLE_EVT_INCOMING)
        raw_die("accept: no caller");
    handles[1] = event.handle;
    command = raw_command(to);
    command->op = SADDLE_CMD_ACCEPT;
    command->handle = handles[1];
    if (raw_call(to, &event))
        raw_die("accept: %d", event.status);
    if (raw_event(from, &event) || event.status)
        raw_die("connect: %d", event.status);
    handles[0] = event.handle;
}
