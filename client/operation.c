/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/operation.h"

#include "client/channel.h"
#include "client/error.h"
#include "client/gather.h"
#include "mailbox/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OPERATION_ADDRESS_BYTES (2u * SADDLE_NAME_BYTES) /* host and service, each with its NUL */
/* Bytes of struct saddle_op that the first version of this header had. */
#define OPERATION_OP_BYTES_MIN (offsetof(struct saddle_op, stream) + sizeof(uint16_t))
/* Bytes of one that says its flags. */
#define OPERATION_OP_BYTES_FLAGS (offsetof(struct saddle_op, flags) + sizeof(uint64_t))

SADDLE_STATIC_ASSERT(offsetof(struct saddle_op, flags) >= 32,
                     "behind what programs built without it take for the size");

SADDLE_STATIC_ASSERT(SADDLE_BATCH_ITEMS == SADDLE_BATCH_MAX &&
                         SADDLE_SCAN_ENTRIES == SADDLE_SCAN_ENTRIES_MAX &&
                         sizeof(struct saddle_read_item) == sizeof(struct saddle_item),
                     "the same for the application and the daemon");
SADDLE_STATIC_ASSERT(sizeof(struct saddle_pointer) == 24 && sizeof(struct saddle_match) == 32,
                     "what peers read of a table");
SADDLE_STATIC_ASSERT(SADDLE_READABLE == SADDLE_RIGHT_READ &&
                         SADDLE_WRITABLE == SADDLE_RIGHT_WRITE &&
                         SADDLE_ATOMIC == SADDLE_RIGHT_ATOMIC,
                     "rights have the same bits for the application and the daemon");

struct client_address {
    struct client_address *next;
    char *names; /* arena: host, NUL, service, NUL */
    size_t len;
};

/* 0, or -EOPNOTSUPP if the daemon's version of the ABI is older than this. */
static int operation_since(const struct saddle_channel *channel, const char *what, uint32_t version)
{
    if (channel->session->abi >= version)
        return 0;
    return client_errorf(-EOPNOTSUPP,
                         "%s: the daemon speaks version %u of the ABI, this came with version %u",
                         what, channel->session->abi, version);
}

static int operation_flags(const struct saddle_channel *channel, enum saddle_command_op code,
                           const struct saddle_op *op, struct saddle_command *command)
{
    uint64_t flags = op->size >= OPERATION_OP_BYTES_FLAGS ? op->flags : 0;

    if (flags == 0)
        return 0;
    if (flags != SADDLE_UNORDERED || code != SADDLE_CMD_SEND)
        return client_errorf(-EINVAL, "op->flags is %#llx; only what is sent may be %#x, unordered",
                             (unsigned long long)flags, SADDLE_UNORDERED);
    command->flags = SADDLE_ENTRY_UNORDERED;
    return operation_since(channel, "unordered messages", SADDLE_ABI_MESSAGES);
}

/* Starts a command with what every operation carries: 0, or the error to return. Nothing is
 * submitted before client_channel_publish. */
static int operation_begin(struct saddle_channel *channel, enum saddle_command_op code,
                           const struct saddle_op *op, struct saddle_command **command)
{
    int error = session_check(channel->session);

    if (error)
        return error;
    error = client_channel_reserve(channel, command);
    if (error)
        return error;
    (*command)->op = (uint8_t)code;
    if (!op)
        return 0;
    if (op->size < OPERATION_OP_BYTES_MIN || op->size > sizeof(*op))
        return client_errorf(-EINVAL, "op->size is %zu; it has to be sizeof(struct saddle_op), %zu",
                             op->size, sizeof(*op));
    if (client_errand_tag(op->tag) && !client_errand_waited(channel, op->tag))
        return client_errorf(-EINVAL, "op->tag is %#llx; from %#llx up tags are the library's",
                             (unsigned long long)op->tag, SADDLE_TAG_LIBRARY);
    if (op->stream >= SADDLE_STREAMS_MAX)
        return client_errorf(-EINVAL, "op->stream is %u; streams are 0 to %u", op->stream,
                             SADDLE_STREAMS_MAX - 1);
    (*command)->tag = op->tag;
    (*command)->stream = op->stream;
    (*command)->timeout_ns = op->timeout_ns;
    return operation_flags(channel, code, op, *command);
}

static int operation_length(const struct saddle_channel *channel, const char *what, size_t len)
{
    uint32_t most =
        channel->session->abi < SADDLE_ABI_MESSAGES ? SADDLE_MESSAGE_MAX_2 : SADDLE_MESSAGE_MAX;

    if (len >= 1 && len <= most)
        return 0;
    return client_errorf(-EINVAL, "%s: %zu bytes; it takes 1 to %u", what, len, most);
}

/* Names the piece of the heap at `memory`. */
static int operation_memory(struct saddle_channel *channel, struct saddle_command *command,
                            const char *what, const void *memory, size_t len)
{
    const struct saddle_session *session = channel->session;

    if (!client_heap_holds(&session->heap, memory, len))
        return client_errorf(-EINVAL, "%s: %zu bytes at %p do not lie in memory of saddle_alloc",
                             what, len, memory);
    command->buf = (uint64_t)((uintptr_t)memory - (uintptr_t)session->arena);
    command->len = (uint32_t)len;
    return 0;
}

/* Copies up to SADDLE_INLINE_BYTES into the entry, or names a piece of the heap. */
static int operation_data(struct saddle_channel *channel, struct saddle_command *command,
                          const char *what, const void *data, size_t len)
{
    int error = operation_length(channel, what, len);

    if (error)
        return error;
    if (len > SADDLE_INLINE_BYTES)
        return operation_memory(channel, command, what, data, len);
    if (!data)
        return client_errorf(-EINVAL, "%s: the data is NULL", what);
    memcpy(client_channel_payload(channel), data, len);
    command->flags |= SADDLE_ENTRY_INLINE;
    command->len = (uint32_t)len;
    return 0;
}

/* The bytes of all segments together, each with some: 0, or -EINVAL. */
static int operation_sum(const char *what, const struct saddle_segment *segments, uint32_t count,
                         size_t *sum)
{
    *sum = 0;
    if (count == 0 || count > SADDLE_SEGMENTS_MAX)
        return client_errorf(-EINVAL, "%s: %u segments; it takes 1 to %u", what, count,
                             SADDLE_SEGMENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        if (segments[i].len == 0 || segments[i].len > SIZE_MAX - *sum || !segments[i].data)
            return client_errorf(-EINVAL, "%s: segment %u has %zu bytes at %p", what, i,
                                 segments[i].len, segments[i].data);
        *sum += segments[i].len;
    }
    return 0;
}

/* As operation_data, for what lies in several places. */
static int operation_gather(struct saddle_channel *channel, struct saddle_command *command,
                            const char *what, const struct saddle_segment *segments, uint32_t count)
{
    struct saddle_gather *array;
    size_t len, at = 0;
    int error = operation_sum(what, segments, count, &len);

    if (!error)
        error = operation_length(channel, what, len);
    if (!error && count > 1 && len > SADDLE_INLINE_BYTES)
        error = operation_since(channel, what, SADDLE_ABI_MESSAGES);
    if (error)
        return error;
    if (count == 1)
        return operation_data(channel, command, what, segments[0].data, len);
    if (len <= SADDLE_INLINE_BYTES) {
        for (uint32_t i = 0; i < count; at += segments[i++].len)
            memcpy(client_channel_payload(channel) + at, segments[i].data, segments[i].len);
        command->flags |= SADDLE_ENTRY_INLINE;
        command->len = (uint32_t)len;
        return 0;
    }
    error = client_gather_reserve(channel, &array);
    for (uint32_t i = 0; i < count && !error; i++) {
        error = operation_memory(channel, command, what, segments[i].data, segments[i].len);
        array[i] = (struct saddle_gather){.offset = command->buf, .len = command->len};
    }
    if (!error)
        error = operation_memory(channel, command, what, array, count * sizeof(array[0]));
    if (error)
        return error;
    command->flags |= SADDLE_ENTRY_GATHER;
    command->slot = count;
    command->len = (uint32_t)len;
    client_gather_keep(channel);
    return 0;
}

/* Length of a name with its NUL, or -EINVAL. */
static int operation_name(const char *what, const char *name)
{
    size_t len = name ? strnlen(name, SADDLE_NAME_BYTES) : 0;

    if (len >= 1 && len < SADDLE_NAME_BYTES)
        return (int)len + 1;
    return client_errorf(-EINVAL, "%s \"%.70s\": 1 to %u characters", what, name ? name : "",
                         SADDLE_NAME_BYTES - 1);
}

static int operation_handle(struct saddle_channel *channel, enum saddle_command_op code,
                            saddle_handle handle, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, code, op, &command);

    if (error)
        return error;
    if (handle == 0)
        return client_error(-EINVAL, "the handle is 0, which names nothing");
    command->handle = handle;
    client_channel_publish(channel);
    return 0;
}

/* ---- Connections ---- */

int saddle_listen(struct saddle_channel *channel, const char *service, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_LISTEN, op, &command);
    int len;

    if (error)
        return error;
    len = operation_name("service", service);
    if (len < 0)
        return len;
    error = operation_data(channel, command, "service", service, (size_t)len);
    if (error)
        return error;
    client_channel_publish(channel);
    return 0;
}

/* The arena copy of a long address: NULL if there is no memory for it. */
static char *operation_address(struct saddle_channel *channel, const char *names, size_t len)
{
    struct client_address *address = channel->addresses;

    while (address && (address->len != len || memcmp(address->names, names, len) != 0))
        address = address->next;
    if (address)
        return address->names;
    address = (struct client_address *)calloc(1, sizeof(*address));
    if (!address)
        return NULL;
    address->names = (char *)client_heap_alloc(&channel->session->heap, len);
    if (!address->names) {
        free(address);
        return NULL;
    }
    memcpy(address->names, names, len);
    address->len = len;
    address->next = channel->addresses;
    channel->addresses = address;
    return address->names;
}

void client_addresses_close(struct saddle_channel *channel)
{
    while (channel->addresses) {
        struct client_address *address = channel->addresses;

        channel->addresses = address->next;
        free(address);
    }
}

int saddle_connect(struct saddle_channel *channel, const char *host, const char *service,
                   const struct saddle_op *op)
{
    char names[OPERATION_ADDRESS_BYTES];
    const char *at = names;
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_CONNECT, op, &command);
    int host_len;
    int service_len;
    size_t len;

    if (error)
        return error;
    host_len = operation_name("host", host);
    if (host_len < 0)
        return host_len;
    service_len = operation_name("service", service);
    if (service_len < 0)
        return service_len;
    len = (size_t)host_len + (size_t)service_len;
    memcpy(names, host, (size_t)host_len);
    memcpy(names + host_len, service, (size_t)service_len);
    if (len > SADDLE_INLINE_BYTES) {
        at = operation_address(channel, names, len);
        if (!at)
            return client_error(-ENOMEM, "the heap has no room for host and service");
    }
    error = operation_data(channel, command, "host and service", at, len);
    if (error)
        return error;
    client_channel_publish(channel);
    return 0;
}

int saddle_accept(struct saddle_channel *channel, saddle_handle incoming,
                  const struct saddle_op *op)
{
    return operation_handle(channel, SADDLE_CMD_ACCEPT, incoming, op);
}

int saddle_reject(struct saddle_channel *channel, saddle_handle incoming,
                  const struct saddle_op *op)
{
    return operation_handle(channel, SADDLE_CMD_REJECT, incoming, op);
}

int saddle_close(struct saddle_channel *channel, saddle_handle handle, const struct saddle_op *op)
{
    return operation_handle(channel, SADDLE_CMD_CLOSE, handle, op);
}

/* ---- Messages ---- */

int saddle_send(struct saddle_channel *channel, saddle_handle connection, const void *data,
                size_t len, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_SEND, op, &command);

    if (error)
        return error;
    error = operation_data(channel, command, "saddle_send", data, len);
    if (error)
        return error;
    command->handle = connection;
    client_channel_publish(channel);
    return 0;
}

int saddle_sendv(struct saddle_channel *channel, saddle_handle connection,
                 const struct saddle_segment *segments, uint32_t count, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_SEND, op, &command);

    if (error)
        return error;
    error = operation_gather(channel, command, "saddle_sendv", segments, count);
    if (error)
        return error;
    command->handle = connection;
    client_channel_publish(channel);
    return 0;
}

int saddle_post_recv(struct saddle_channel *channel, saddle_handle connection, void *buffer,
                     size_t len, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_POST_RECV, op, &command);

    if (error)
        return error;
    error = operation_length(channel, "saddle_post_recv", len);
    if (!error)
        error = operation_memory(channel, command, "saddle_post_recv", buffer, len);
    if (error)
        return error;
    command->handle = connection;
    client_channel_publish(channel);
    return 0;
}

/* ---- One-sided operations ---- */

int saddle_expose(struct saddle_channel *channel, void *memory, size_t len, uint32_t rights,
                  const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_EXPOSE, op, &command);

    if (error)
        return error;
    if (len == 0 || len > UINT32_MAX)
        return client_errorf(-EINVAL, "a region of %zu bytes; it takes 1 to %u", len, UINT32_MAX);
    if (rights == 0 || (rights & ~(SADDLE_READABLE | SADDLE_WRITABLE | SADDLE_ATOMIC)) != 0)
        return client_errorf(
            -EINVAL, "rights %#x: a set of SADDLE_READABLE, SADDLE_WRITABLE and SADDLE_ATOMIC",
            rights);
    error =
        rights & SADDLE_ATOMIC ? operation_since(channel, "SADDLE_ATOMIC", SADDLE_ABI_ONESIDED) : 0;
    if (error)
        return error;
    error = operation_memory(channel, command, "saddle_expose", memory, len);
    if (error)
        return error;
    command->key = rights;
    client_channel_publish(channel);
    return 0;
}

int saddle_revoke(struct saddle_channel *channel, saddle_key key, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_REVOKE, op, &command);

    if (error)
        return error;
    command->key = key;
    client_channel_publish(channel);
    return 0;
}

/* A buffer for what is read. */
static int operation_buffer(struct saddle_channel *channel, struct saddle_command *command,
                            const char *what, const void *buffer, size_t len)
{
    int error = operation_length(channel, what, len);

    return error ? error : operation_memory(channel, command, what, buffer, len);
}

/* Starts a command for a region of the peer's. */
static int operation_remote(struct saddle_channel *channel, enum saddle_command_op code,
                            saddle_handle connection, saddle_key key, uint64_t offset,
                            const struct saddle_op *op, struct saddle_command **command)
{
    int error = operation_begin(channel, code, op, command);

    if (error)
        return error;
    (*command)->handle = connection;
    (*command)->key = key;
    (*command)->remote_offset = offset;
    return 0;
}

int saddle_read(struct saddle_channel *channel, saddle_handle connection, saddle_key key,
                uint64_t remote_offset, void *buffer, size_t len, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error =
        operation_remote(channel, SADDLE_CMD_READ, connection, key, remote_offset, op, &command);

    if (!error)
        error = operation_buffer(channel, command, "saddle_read", buffer, len);
    if (error)
        return error;
    client_channel_publish(channel);
    return 0;
}

int saddle_write(struct saddle_channel *channel, saddle_handle connection, saddle_key key,
                 uint64_t remote_offset, const void *data, size_t len, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error =
        operation_remote(channel, SADDLE_CMD_WRITE, connection, key, remote_offset, op, &command);

    if (!error)
        error = operation_data(channel, command, "saddle_write", data, len);
    if (error)
        return error;
    client_channel_publish(channel);
    return 0;
}

int saddle_writev(struct saddle_channel *channel, saddle_handle connection, saddle_key key,
                  uint64_t remote_offset, const struct saddle_segment *segments, uint32_t count,
                  const struct saddle_op *op)
{
    struct saddle_command *command;
    int error =
        operation_remote(channel, SADDLE_CMD_WRITE, connection, key, remote_offset, op, &command);

    if (!error)
        error = operation_gather(channel, command, "saddle_writev", segments, count);
    if (error)
        return error;
    client_channel_publish(channel);
    return 0;
}

/* ---- By way of a table ---- */

void saddle_pointer_set(struct saddle_pointer *entry, saddle_key key, uint64_t offset,
                        uint32_t length)
{
    __atomic_store_n(&entry->offset, offset, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->length, length, __ATOMIC_RELAXED);
    __atomic_store_n(&entry->reserved, 0, __ATOMIC_RELAXED);
    words_publish(&entry->key, key);
}

void saddle_match_set(struct saddle_match *entry, uint64_t match, saddle_key key, uint64_t offset,
                      uint32_t length)
{
    saddle_pointer_set(&entry->pointer, key, offset, length);
    words_publish(&entry->match, match);
}

/* The same for one that came with version 3 of the ABI. */
static int operation_remote_3(struct saddle_channel *channel, enum saddle_command_op code,
                              const char *what, saddle_handle connection, saddle_key key,
                              uint64_t offset, const struct saddle_op *op,
                              struct saddle_command **command)
{
    int error = operation_remote(channel, code, connection, key, offset, op, command);

    return error ? error : operation_since(channel, what, SADDLE_ABI_ONESIDED);
}

/* The entry's payload. */
static void operation_inline(const struct saddle_channel *channel, struct saddle_command *command,
                             const void *payload, size_t len)
{
    memcpy(client_channel_payload(channel), payload, len);
    command->flags = SADDLE_ENTRY_INLINE;
    command->len = (uint32_t)len;
}

int saddle_read_indirect(struct saddle_channel *channel, saddle_handle connection, saddle_key table,
                         uint64_t entry_offset, void *buffer, size_t len,
                         const struct saddle_op *op)
{
    const char *what = "saddle_read_indirect";
    struct saddle_command *command;
    int error = operation_remote_3(channel, SADDLE_CMD_READ_INDIRECT, what, connection, table,
                                   entry_offset, op, &command);

    if (!error)
        error = operation_buffer(channel, command, what, buffer, len);
    if (error)
        return error;
    client_channel_publish(channel);
    return 0;
}

int saddle_read_batch(struct saddle_channel *channel, saddle_handle connection, saddle_key table,
                      const uint64_t *entry_offsets, uint32_t count, void *buffer, size_t stride,
                      const struct saddle_op *op)
{
    const char *what = "saddle_read_batch";
    struct saddle_command *command;
    int error = operation_remote_3(channel, SADDLE_CMD_READ_BATCH, what, connection, table, stride,
                                   op, &command);

    if (error)
        return error;
    if (count == 0 || count > SADDLE_BATCH_MAX)
        return client_errorf(-EINVAL, "%s: %u items; it takes 1 to %u", what, count,
                             SADDLE_BATCH_MAX);
    error = operation_length(channel, what, stride);
    if (!error)
        error = operation_buffer(channel, command, what, buffer, count * stride);
    if (error)
        return error;
    operation_inline(channel, command, entry_offsets, count * sizeof(entry_offsets[0]));
    client_channel_publish(channel);
    return 0;
}

int saddle_scan_read(struct saddle_channel *channel, saddle_handle connection, saddle_key table,
                     uint64_t offset, uint32_t entries, uint64_t match, void *buffer, size_t len,
                     const struct saddle_op *op)
{
    const char *what = "saddle_scan_read";
    const struct saddle_scan scan = {.match = match, .entries = entries, .bytes = (uint32_t)len};
    struct saddle_command *command;
    int error = operation_remote_3(channel, SADDLE_CMD_SCAN_READ, what, connection, table, offset,
                                   op, &command);

    if (error)
        return error;
    if (entries == 0 || entries > SADDLE_SCAN_ENTRIES_MAX)
        return client_errorf(-EINVAL, "%s: %u entries; it takes 1 to %u", what, entries,
                             SADDLE_SCAN_ENTRIES_MAX);
    error = operation_buffer(channel, command, what, buffer, len);
    if (error)
        return error;
    operation_inline(channel, command, &scan, sizeof(scan));
    client_channel_publish(channel);
    return 0;
}

int saddle_read_items(const struct saddle_completion *event, struct saddle_read_item *items,
                      uint32_t max)
{
    size_t count = event->len / sizeof(struct saddle_item);

    if (event->kind != SADDLE_DONE || event->op != SADDLE_CMD_READ_BATCH || event->status != 0)
        return client_error(-EINVAL, "saddle_read_items: this event is not the end of a batch");
    if (count > max)
        return client_errorf(-EINVAL,
                             "saddle_read_items: the batch has %zu items, there is room"
                             " for %u",
                             count, max);
    memcpy(items, event->data, count * sizeof(items[0]));
    return (int)count;
}

/* ---- Atomic operations ---- */

int saddle_compare_swap(struct saddle_channel *channel, saddle_handle connection, saddle_key key,
                        uint64_t offset, uint64_t expected, uint64_t desired,
                        const struct saddle_op *op)
{
    const uint64_t values[] = {expected, desired};
    struct saddle_command *command;
    int error = operation_remote_3(channel, SADDLE_CMD_COMPARE_SWAP, "saddle_compare_swap",
                                   connection, key, offset, op, &command);

    if (error)
        return error;
    operation_inline(channel, command, values, sizeof(values));
    client_channel_publish(channel);
    return 0;
}

int saddle_fetch_add(struct saddle_channel *channel, saddle_handle connection, saddle_key key,
                     uint64_t offset, uint64_t addend, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_remote_3(channel, SADDLE_CMD_FETCH_ADD, "saddle_fetch_add", connection,
                                   key, offset, op, &command);

    if (error)
        return error;
    operation_inline(channel, command, &addend, sizeof(addend));
    client_channel_publish(channel);
    return 0;
}

/* ---- Cancelling ---- */

int saddle_cancel(struct saddle_channel *channel, uint64_t tag, const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_CANCEL, op, &command);

    if (!error)
        error = operation_since(channel, "saddle_cancel", SADDLE_ABI_MESSAGES);
    if (error)
        return error;
    if (client_errand_tag(tag))
        return client_errorf(-EINVAL, "the tag is %#llx; from %#llx up tags are the library's",
                             (unsigned long long)tag, SADDLE_TAG_LIBRARY);
    command->key = tag;
    client_channel_publish(channel);
    return 0;
}

/* ---- Pings ---- */

int saddle_ping(struct saddle_channel *channel, const char *host, size_t payload,
                const struct saddle_op *op)
{
    struct saddle_command *command;
    int error = operation_begin(channel, SADDLE_CMD_PING, op, &command);
    int len;

    if (error)
        return error;
    len = operation_name("host", host);
    if (len < 0)
        return len;
    error = operation_data(channel, command, "host", host, (size_t)len);
    if (error)
        return error;
    command->key = payload;
    client_channel_publish(channel);
    return 0;
}

int saddle_pinged(const struct saddle_completion *event, struct saddle_ping_info *info)
{
    struct saddle_ping_answer answer;

    if (event->kind != SADDLE_DONE || event->op != SADDLE_CMD_PING || event->len != sizeof(answer))
        return client_error(-EINVAL, "saddle_pinged: this event is not the end of a ping");
    if (info->size != sizeof(*info))
        return client_errorf(-EINVAL,
                             "info->size is %zu; it has to be sizeof(struct saddle_ping_info), %zu",
                             info->size, sizeof(*info));
    memcpy(&answer, event->data, sizeof(answer));
    info->round_trip_ns = answer.round_trip_ns;
    info->smoothed_ns = answer.smoothed_ns;
    info->packets_sent = answer.sent;
    info->packets_resent = answer.resent;
    memcpy(info->address, answer.address, sizeof(info->address));
    info->mtu = answer.mtu;
    info->payload_max = answer.payload_max;
    info->udp_port = answer.udp_port;
    info->wire_version = answer.wire_version;
    info->called = (answer.flags & SADDLE_PING_CALLED) != 0;
    return 0;
}
