/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/channel.h"

#include "client/error.h"
#include "client/gather.h"
#include "client/operation.h"
#include "mailbox/doorbell.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Polls in a row that find nothing before one looks whether the daemon lives: an application that
 * only spins has no other way to learn of it. At some 10 ns per poll the look costs nothing and
 * comes within a millisecond. */
#define CHANNEL_IDLE_POLLS 65536u
#define CHANNEL_HELD_BITS  64u /* slots per word of channel->held */
#define NS_PER_MS          1000000
#define NS_PER_S           1000000000ll

bool client_channel_layout_ok(const struct saddle_channel_layout *layout, uint64_t bytes)
{
    const uint64_t offsets[] = {layout->command_offset, layout->completion_offset};
    const uint32_t entries[] = {layout->command_entries, layout->completion_entries};

    for (uint32_t side = 0; side < 2; side++) {
        uint32_t count = entries[side];
        uint64_t size;

        if (count == 0 || count > SADDLE_QUEUE_MAX || (count & (count - 1)) != 0)
            return false;
        size = queue_bytes(count);
        if (offsets[side] % SADDLE_ENTRY_BYTES || size > bytes || offsets[side] > bytes - size)
            return false;
    }
    return true;
}

int client_channel_open(struct saddle_channel *channel, struct saddle_session *session,
                        const struct saddle_channel_layout *layout, const int *bells)
{
    struct queue_attrs attrs = {.name = "command",
                                .capacity = layout->command_entries,
                                .order_sensitive = true};
    struct queue queue;

    memset(channel, 0, sizeof(*channel));
    channel->session = session;
    channel->bell_engine = bells ? bells[0] : -1;
    channel->bell_application = bells ? bells[1] : -1;
    client_stash_open(&channel->stash);
    if (queue_create(&queue, &attrs, session->arena + layout->command_offset) != 0)
        return -EINVAL;
    queue_producer_open(&channel->commands, &queue, 0);
    attrs.name = "completion";
    attrs.capacity = layout->completion_entries;
    if (queue_create(&queue, &attrs, session->arena + layout->completion_offset) != 0)
        return -EINVAL;
    queue_consumer_open(&channel->completions, &queue, 0);
    channel->held =
        (uint64_t *)calloc(session->slots_max / CHANNEL_HELD_BITS + 1, sizeof(*channel->held));
    channel->owed = (uint32_t *)calloc((size_t)session->slots_max + 1, sizeof(*channel->owed));
    return channel->held && channel->owed ? 0 : -ENOMEM;
}

void client_channel_close(struct saddle_channel *channel, bool descriptors)
{
    if (descriptors) {
        close(channel->bell_engine);
        close(channel->bell_application);
    }
    client_errands_close(channel);
    client_stash_close(&channel->stash);
    client_addresses_close(channel);
    client_gather_close(channel);
    free(channel->held);
    free(channel->owed);
}

/* One completion is left to events: the engine promises one to each command that it takes, and if
 * all were promised to commands that wait for a message, the message could not be told of. */
static bool channel_full(const struct saddle_channel *channel)
{
    uint32_t capacity = channel->completions.queue.attrs.capacity;

    return capacity > 1 && channel->outstanding >= capacity - 1;
}

int client_channel_reserve(struct saddle_channel *channel, struct saddle_command **command)
{
    void *entry = queue_reserve(&channel->commands);

    if (entry && channel_full(channel))
        return client_error(-EAGAIN, "too many operations are outstanding: poll, then try again");
    if (!entry) {
        if (queue_room(&channel->commands) < 0)
            return session_break(channel->session, &session_fault_protocol);
        return client_error(-EAGAIN, "the command queue is full: poll, then try again");
    }
    *command = &channel->draft;
    memset(*command, 0, QUEUE_PAYLOAD_OFFSET);
    return 0;
}

/* ---- Receive slots ---- */

static uint64_t *channel_held_word(struct saddle_channel *channel, uint32_t slot, uint64_t *bit)
{
    *bit = 1ull << slot % CHANNEL_HELD_BITS;
    return &channel->held[slot / CHANNEL_HELD_BITS];
}

/* Notes a slot that came with a message: false if there can be none such, or it is held already. */
static bool channel_hold(struct saddle_channel *channel, uint32_t slot)
{
    uint64_t bit;
    uint64_t *word;

    if (slot >= channel->session->slots_max)
        return false;
    word = channel_held_word(channel, slot, &bit);
    if (*word & bit)
        return false;
    *word |= bit;
    return true;
}

static bool channel_owes(const struct saddle_channel *channel)
{
    return channel->owed_head != channel->owed_tail;
}

/* Sends the slots owed as far as the queue has room. */
static void channel_pay(struct saddle_channel *channel)
{
    while (channel_owes(channel)) {
        const struct saddle_command command = {.op = SADDLE_CMD_RELEASE,
                                               .slot = channel->owed[channel->owed_head]};

        if (!queue_put_command(&channel->commands, &command))
            return;
        channel->owed_head = (channel->owed_head + 1) % (channel->session->slots_max + 1);
        channel->flush_due = true;
    }
}

int saddle_release(struct saddle_channel *channel, const struct saddle_completion *event)
{
    int error = session_check(channel->session);
    uint64_t bit;
    uint64_t *word;

    if (event->kind != SADDLE_MESSAGE || event->slot == CHANNEL_SLOT_NONE || error)
        return error;
    if (event->slot == CHANNEL_SLOT_HEAP) {
        error = client_heap_free(&channel->session->heap, (void *)(uintptr_t)event->data);
        return error ? client_error(error, "this message was released before") : 0;
    }
    if (event->slot >= channel->session->slots_max)
        return client_errorf(-EINVAL, "there is no receive slot %u", event->slot);
    word = channel_held_word(channel, event->slot, &bit);
    if (!(*word & bit))
        return client_errorf(-EINVAL, "receive slot %u: released before, or of another channel",
                             event->slot);
    *word &= ~bit;
    channel->owed[channel->owed_tail] = event->slot;
    channel->owed_tail = (channel->owed_tail + 1) % (channel->session->slots_max + 1);
    channel_pay(channel);
    return 0;
}

/* ---- Events ---- */

/* Where the payload of a message lies: false if it cannot lie there. */
static bool channel_payload(struct saddle_channel *channel, const struct saddle_event *from,
                            struct saddle_completion *event)
{
    const struct saddle_session *session = channel->session;

    event->slot = CHANNEL_SLOT_NONE;
    if (from->flags & SADDLE_ENTRY_INLINE) {
        if (from->len > SADDLE_INLINE_BYTES)
            return false;
        memcpy(event->bytes, from->payload, sizeof(event->bytes));
        event->data = event->bytes;
    } else {
        if (from->len > session->arena_bytes || from->buf > session->arena_bytes - from->len)
            return false;
        event->data = session->arena + from->buf;
    }
    if (from->flags & SADDLE_ENTRY_SLOT) {
        event->slot = from->slot;
        return channel_hold(channel, from->slot);
    }
    return true;
}

/* What a ping found out comes inline. */
static bool channel_pinged(const struct saddle_event *from, struct saddle_completion *event)
{
    if (from->flags != SADDLE_ENTRY_INLINE || from->len != sizeof(struct saddle_ping_answer))
        return false;
    memcpy(event->bytes, from->payload, sizeof(event->bytes));
    event->data = event->bytes;
    return true;
}

/* What a batch read comes inline. */
static bool channel_items(const struct saddle_event *from, struct saddle_completion *event)
{
    if (from->len == 0)
        return from->status != 0;
    if (from->flags != SADDLE_ENTRY_INLINE || from->len > SADDLE_INLINE_BYTES ||
        from->len % sizeof(struct saddle_item) != 0)
        return false;
    memcpy(event->bytes, from->payload, sizeof(event->bytes));
    event->data = event->bytes;
    return true;
}

/* What is said of a message, wherever it lies: false if it cannot be. */
static bool channel_received(const struct saddle_channel *channel, const struct saddle_event *from,
                             struct saddle_completion *event)
{
    event->value = from->flags & SADDLE_ENTRY_UNORDERED ? SADDLE_UNORDERED : 0;
    return from->len <= channel->session->arena_bytes;
}

/* Makes an event of a private copy of the entry: false if it is nonsense. */
static bool channel_translate(struct saddle_channel *channel, const struct saddle_event *from,
                              struct saddle_completion *event)
{
    event->kind = from->type;
    event->op = from->op;
    event->stream = from->stream;
    event->status = from->status;
    event->tag = from->tag;
    event->handle = from->handle;
    event->slot = CHANNEL_SLOT_NONE;
    event->data = NULL;
    event->len = from->len;
    event->value = from->value;
    if (from->status > 0)
        return false;
    switch (from->type) {
    case SADDLE_EVT_DONE:
        if (from->op == SADDLE_CMD_PING)
            return channel_pinged(from, event);
        if (from->op == SADDLE_CMD_READ_BATCH)
            return channel_items(from, event);
        return from->op < SADDLE_CMD_COUNT &&
               (from->op != SADDLE_CMD_POST_RECV || channel_received(channel, from, event));
    case SADDLE_EVT_MESSAGE:
        return from->len > 0 && channel_received(channel, from, event) &&
               channel_payload(channel, from, event);
    case SADDLE_EVT_WAITING:
        return from->value > 0 && from->value <= SADDLE_MESSAGE_MAX;
    case SADDLE_EVT_INCOMING:
    case SADDLE_EVT_CLOSED:
        return true;
    default:
        return false;
    }
}

int client_channel_next(struct saddle_channel *channel, struct saddle_completion *event)
{
    struct saddle_event copy;

    for (;;) {
        int ready = queue_poll(&channel->completions);

        if (ready == 0) {
            /* All that was seen is given back: the engine may need that room to say more, when all
             * else is promised to commands. */
            if (queue_consumed(&channel->completions, true))
                channel->flush_due = true;
            return 0;
        }
        if (ready < 0)
            return session_break(channel->session, &session_fault_protocol);
        queue_pop(&channel->completions, &copy);
        /* An engine that waits for room in this queue has to be woken, like for a command. */
        if (queue_consumed(&channel->completions, false))
            channel->flush_due = true;
        channel->outstanding -= copy.type == SADDLE_EVT_DONE && channel->outstanding > 0;
        if (!channel_translate(channel, &copy, event))
            return session_break(channel->session, &session_fault_protocol);
        if (!client_errand_tag(event->tag))
            return 1;
        if (event->kind == SADDLE_DONE) {
            if (client_errand_settle(channel, event))
                return 1;
        } else {
            /* A connection that a blocking call made has no tag of the application's. */
            event->tag = 0;
            return 1;
        }
    }
}

void saddle_completion_copy(struct saddle_completion *to, const struct saddle_completion *from)
{
    *to = *from;
    if (from->data == from->bytes)
        to->data = to->bytes;
}

int saddle_flush(struct saddle_channel *channel)
{
    int error = session_check(channel->session);

    if (error)
        return error;
    if (channel_owes(channel))
        channel_pay(channel);
    if (channel->errands.first)
        client_errands_tidy(channel);
    if (channel->flush_due) {
        channel->flush_due = false;
        if (doorbell_due(&channel->commands.queue.header->armed) && channel->bell_engine >= 0)
            doorbell_ring_engine(channel->bell_engine);
    }
    return 0;
}

int saddle_poll(struct saddle_channel *channel, struct saddle_completion *events, int max)
{
    int over = saddle_flush(channel);
    int count = 0;
    int more = 1;

    if (over == -ECHILD)
        return over;
    while (count < max && !client_stash_empty(&channel->stash))
        client_stash_take(&channel->stash, NULL, NULL, &events[count++]);
    while (count < max && more > 0) {
        more = client_channel_next(channel, &events[count]);
        if (more > 0)
            count++;
    }
    if (count > 0) {
        channel->idle = 0;
        return count;
    }
    if (more < 0 || over)
        return more < 0 ? more : over;
    if (++channel->idle < CHANNEL_IDLE_POLLS)
        return 0;
    channel->idle = 0;
    return session_look(channel->session);
}

/* ---- Sleeping ---- */

/* Arms the bell and looks again: 1 if there is something in the queue, 0 if not, or an error. */
static int channel_arm(struct saddle_channel *channel)
{
    uint32_t *armed = &channel->completions.queue.header->armed;
    int error = session_check(channel->session);

    if (error == -ECHILD)
        return error;
    if (queue_consumed(&channel->completions, true))
        channel->flush_due = true;
    error = saddle_flush(channel);
    if (!queue_empty(&channel->completions))
        return 1;
    if (error)
        return error;
    doorbell_arm(armed);
    if (!queue_empty(&channel->completions)) {
        doorbell_disarm(armed);
        return 1;
    }
    error = session_check(channel->session);
    if (error)
        doorbell_disarm(armed);
    return error;
}

int saddle_fd(const struct saddle_channel *channel)
{
    if (channel->bell_application < 0)
        return client_error(-ENOTSUP, "this session has no doorbells");
    return channel->bell_application;
}

int saddle_arm(struct saddle_channel *channel)
{
    int ready = channel_arm(channel);

    return ready == 0 && !client_stash_empty(&channel->stash) ? 1 : ready;
}

void saddle_disarm(struct saddle_channel *channel)
{
    if (session_check(channel->session) == -ECHILD)
        return;
    doorbell_disarm(&channel->completions.queue.header->armed);
    if (channel->bell_application >= 0)
        doorbell_drain(channel->bell_application);
    session_look(channel->session);
}

static int64_t channel_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t client_channel_end_ns(int timeout_ms)
{
    return timeout_ms < 0 ? CHANNEL_NO_END : channel_now_ns() + (int64_t)timeout_ms * NS_PER_MS;
}

/* Sleeps once on the armed bell and the attach socket: 1 if woken, 0 at the end, or an error. */
static int channel_doze(struct saddle_channel *channel, int64_t end_ns)
{
    struct pollfd watched[] = {
        {.fd = channel->bell_application, .events = POLLIN},
        {.fd = channel->session->socket, .events = POLLRDHUP},
    };
    struct timespec left = {0, 0};
    int64_t left_ns = end_ns == CHANNEL_NO_END ? 0 : end_ns - channel_now_ns();
    int count;

    if (left_ns > 0) {
        left.tv_sec = left_ns / NS_PER_S;
        left.tv_nsec = left_ns % NS_PER_S;
    }
    count = ppoll(watched, 2, end_ns == CHANNEL_NO_END ? NULL : &left, NULL);
    if (count < 0)
        count = client_error(-errno, errno == EINTR ? "a signal arrived" : "poll failed");
    doorbell_disarm(&channel->completions.queue.header->armed);
    if (count <= 0)
        return count;
    if (watched[0].revents & POLLIN)
        doorbell_drain(channel->bell_application);
    /* What arrived before the end is delivered before it. */
    if (queue_empty(&channel->completions) &&
        (watched[1].revents || (watched[0].revents & (POLLHUP | POLLERR | POLLNVAL))))
        return session_break(channel->session, &session_fault_gone);
    return 1;
}

int client_channel_sleep(struct saddle_channel *channel, int64_t end_ns)
{
    for (;;) {
        int ready = channel_arm(channel);

        if (ready)
            return ready;
        if (channel->bell_application < 0) {
            doorbell_disarm(&channel->completions.queue.header->armed);
            return client_error(-ENOTSUP, "this session has no doorbells to sleep on");
        }
        ready = channel_doze(channel, end_ns);
        if (ready <= 0)
            return ready;
    }
}

int saddle_wait(struct saddle_channel *channel, int timeout_ms)
{
    int64_t end_ns = client_channel_end_ns(timeout_ms);
    struct saddle_completion event;
    int ready = 0;

    if (!client_stash_empty(&channel->stash)) {
        ready = saddle_flush(channel);
        return ready == -ECHILD ? ready : 1;
    }
    /* Without errands whatever lies in the queue is an event for the caller. With them it has to be
     * looked at, and what is the caller's is kept for saddle_poll. */
    while (ready == 0) {
        ready = client_channel_sleep(channel, end_ns);
        if (ready <= 0 || channel->errands.count == 0)
            return ready;
        if (client_stash_prepare(&channel->stash) != 0)
            return client_error(-ENOMEM, "no memory to keep an event");
        ready = client_channel_next(channel, &event);
        if (ready > 0)
            client_stash_put(&channel->stash, &event);
    }
    return ready;
}
