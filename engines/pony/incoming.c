/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/incoming.h"

#include "engines/pony/dialogue.h"
#include "engines/pony/payload.h"

#define ANSWERS_PER_OPERATION 32u /* entries of one DELIVERED: its bytes lie on the stack */
#define SLOTS_SPARE_SHARE     2u  /* with fewer free than this part of all they are scarce */

/* Something has to be said to the peer about this message. */
static void due(struct slot *slot, enum slot_due what)
{
    slot->due = (uint8_t)what;
    if (list_empty(&slot->answer))
        list_push(&slot->connection->answers, &slot->answer);
}

static void answer(struct slot *slot, uint16_t status)
{
    slot->status = status;
    due(slot, SLOT_DUE_ANSWER);
    connection_schedule(slot->connection);
}

/* Does the application expect to be given `a` before `b`? It was told of it earlier. */
static bool told_before(const struct slot *a, const struct slot *b)
{
    if (!a->told || !b->told)
        return a->told && !b->told;
    return (int32_t)(a->told - b->told) < 0;
}

/* Walking a stream's slots: have all predecessors of this one begun? *expected starts as the id of
 * the first ordered one. An unordered one has no predecessors. */
static bool in_turn(const struct slot *slot, uint32_t *expected)
{
    if (slot->unordered)
        return true;
    if (slot->id != *expected)
        return false;
    (*expected)++;
    return true;
}

/* The offer that a buffer of `length` bytes is for, of those whose predecessors have all begun.
 * Finds out the least of these, too. */
static struct slot *offer_for(struct connection *connection, uint32_t length)
{
    struct list *stream_node, *node;
    struct slot *best = NULL;
    uint32_t least = UINT32_MAX;

    LIST_EACH(stream_node, &connection->streams)
    {
        struct stream *stream = LIST_OF(stream_node, struct stream, node);
        uint32_t expected = stream->receive_next;
        if (stream->unmatched == 0)
            continue;
        LIST_EACH(node, &stream->incoming)
        {
            struct slot *slot = LIST_OF(node, struct slot, node);
            if (!in_turn(slot, &expected) || slot->state != SLOT_OFFERED)
                continue;
            if (slot->length < least)
                least = slot->length;
            if (slot->length <= length && (!best || told_before(slot, best)))
                best = slot;
        }
    }
    connection->offer_least = least;
    return best;
}

static bool offers_wait(const struct connection *connection)
{
    const struct list *node;

    LIST_EACH(node, &connection->streams)
    {
        if (LIST_OF(node, struct stream, node)->unmatched > 0)
            return true;
    }
    return false;
}

/* Gives a posted buffer to the offer that it is for: false if there is none. */
static bool match_buffer(struct connection *connection, struct operation *buffer)
{
    struct slot *slot =
        buffer->len < connection->offer_least ? NULL : offer_for(connection, buffer->len);

    if (!slot)
        return false;
    buffer->state = OPERATION_FILLING;
    list_remove(&buffer->node);
    slot->buffer = buffer;
    slot->state = SLOT_FILLING;
    connection->upper->expected += slot->length;
    slot->waiting = false;
    slot->stream->unmatched--;
    due(slot, SLOT_DUE_PULL);
    connection_schedule(connection);
    return true;
}

/* Gives posted buffers, in their order, to the offers that wait. Afterwards every buffer left is
 * smaller than offer_least, which rises with each offer that is given one: so offers are looked at
 * twice for each of these, and once more, however many buffers are too small. */
static void match(struct connection *connection)
{
    struct list *node, *after;
    uint32_t most = 0;

    if (connection->offer_least > connection->posted_most || !offers_wait(connection))
        return;
    LIST_EACH_SAFE(node, after, &connection->posted)
    {
        struct operation *buffer = LIST_OF(node, struct operation, node);
        if (!match_buffer(connection, buffer) && buffer->len > most)
            most = buffer->len;
    }
    connection->posted_most = most;
}

/* A buffer is there (again): no other one fits what waits. */
static void posted(struct connection *connection, struct operation *buffer)
{
    if (buffer->len > connection->posted_most)
        connection->posted_most = buffer->len;
    if (connection->offer_least <= buffer->len && offers_wait(connection))
        match_buffer(connection, buffer);
}

void incoming_post(struct pony_session *session, uint32_t channel,
                   const struct saddle_command *command)
{
    struct connection *connection;
    int error = connection_of_handle(session, channel, command->handle, &connection);

    if (!error && (command->len == 0 || (command->flags & SADDLE_ENTRY_INLINE) ||
                   !session_owns(session, command->buf, command->len)))
        error = -EINVAL;
    if (error) {
        session_answer(session, channel, command, error, 0, 0);
        return;
    }
    struct operation *operation = operation_take(session, channel, command);
    operation->state = OPERATION_POSTED;
    operation->connection = connection;
    list_push(&connection->posted, &operation->node);
    posted(connection, operation);
}

/* Of a large message, as it ends before its time. */
static void expect_no_more(const struct slot *slot)
{
    if (slot->state == SLOT_FILLING)
        slot->connection->upper->expected -= slot->length - slot->received;
}

/* The message will not be: its turn passes, and the peer is told. A buffer goes back to where it
 * was, before all others. */
static void fail(struct slot *slot, uint16_t status)
{
    struct connection *connection = slot->connection;
    struct operation *buffer = slot->buffer;

    if (slot->state == SLOT_OFFERED)
        slot->stream->unmatched--;
    expect_no_more(slot);
    slot->state = SLOT_SKIPPED;
    slot->waiting = false;
    slot->buffer = NULL;
    counter_add(&connection->upper->counters.messages_failed, 1);
    answer(slot, status);
    connection_notice(connection);
    if (!buffer)
        return;
    buffer->state = OPERATION_POSTED;
    list_after(&connection->posted, &buffer->node);
    posted(connection, buffer);
}

void incoming_refuse(struct connection *connection)
{
    struct list *stream_node, *node;

    LIST_EACH(stream_node, &connection->streams)
    {
        struct stream *stream = LIST_OF(stream_node, struct stream, node);
        LIST_EACH(node, &stream->incoming)
        {
            struct slot *slot = LIST_OF(node, struct slot, node);
            if (slot->state == SLOT_OFFERED)
                fail(slot, ECONNRESET);
        }
    }
}

void incoming_give_up(struct operation *operation, int status)
{
    struct connection *connection = operation->connection;
    struct list *stream_node, *node;

    LIST_EACH(stream_node, &connection->streams)
    {
        struct stream *stream = LIST_OF(stream_node, struct stream, node);
        LIST_EACH(node, &stream->incoming)
        {
            struct slot *slot = LIST_OF(node, struct slot, node);
            if (slot->buffer != operation)
                continue;
            if (slot->state == SLOT_READY) /* it only waits for its turn */
                return;
            slot->buffer = NULL;
            fail(slot, (uint16_t)-status);
            operation_finish(operation, status);
            return;
        }
    }
    operation_finish(operation, status);
}

/* May the news of a message that has come wait for the application's own? Not if there is other
 * news, nor where slots are scarce. */
static bool may_wait(const struct connection *connection)
{
    const struct pony_session *session = connection->session;

    return list_empty(&connection->answers) &&
           session->free_count > session->config.slot_count / SLOTS_SPARE_SHARE;
}

/* Complete: the bytes lie in the application's memory. */
static void arrived(struct slot *slot)
{
    struct connection *connection = slot->connection;
    struct upper *upper = connection->upper;

    counter_add(&upper->counters.messages_received, 1);
    counter_add(&upper->counters.message_bytes_received, slot->length);
    if (!dialogue_hear(connection) || !may_wait(connection)) {
        answer(slot, 0);
        return;
    }
    due(slot, SLOT_DUE_ANSWER);
    dialogue_wait(connection);
}

static void ready(struct slot *slot)
{
    slot->state = SLOT_READY;
    arrived(slot);
    connection_notice(slot->connection);
}

/* The message of this stream that an operation speaks of. */
static struct slot *find(struct stream *stream, uint32_t id, bool unordered)
{
    for (struct list *node = stream->incoming.prev; node != &stream->incoming; node = node->prev) {
        struct slot *slot = LIST_OF(node, struct slot, node);
        if (slot->unordered && !unordered)
            continue;
        if (slot->unordered == unordered && slot->id == id)
            return slot;
        if (unordered ? !slot->unordered
                      : id - stream->receive_next > slot->id - stream->receive_next)
            return NULL;
    }
    return NULL;
}

/* Its turn in the stream is past: a late fragment or SKIP of it means nothing. */
static bool is_past(const struct stream *stream, const struct wire_op *op)
{
    return !(op->flags & WIRE_OP_UNORDERED) && (int32_t)(op->id - stream->receive_next) < 0;
}

/* Puts a slot in its place among those of a stream, where there is none that is called so. */
static void insert(struct stream *stream, struct slot *slot)
{
    struct list *place = stream->incoming.prev;
    uint32_t distance = slot->id - stream->receive_next;

    for (; place != &stream->incoming && !slot->unordered; place = place->prev)
        if (!LIST_OF(place, struct slot, node)->unordered)
            break;
    for (; !slot->unordered && place != &stream->incoming; place = place->prev) {
        uint32_t other = LIST_OF(place, struct slot, node)->id - stream->receive_next;
        if (other < distance)
            break;
    }
    list_remove(&slot->node);
    list_after(place, &slot->node);
    slot->stream = stream;
}

bool incoming_insert(struct stream *stream, struct slot *slot)
{
    if (find(stream, slot->id, slot->unordered))
        return false;
    insert(stream, slot);
    return true;
}

/* The slot of the message that an operation speaks of, begun if it is new. NULL if it has passed,
 * or a rule was broken; then the connection is over. */
static struct slot *slot_of(struct connection *connection, const struct wire_op *op, bool *fresh)
{
    struct stream *stream = stream_get(connection, op->stream);

    *fresh = false;
    if (!stream) {
        connection_abort(connection, op->stream < SADDLE_STREAMS_MAX ? -ENOMEM : -EPROTO);
        return NULL;
    }
    bool unordered = op->flags & WIRE_OP_UNORDERED;
    if (is_past(stream, op))
        return NULL;
    struct slot *slot = find(stream, op->id, unordered);
    if (slot)
        return slot;
    if (!session_credit_use(connection)) {
        connection_abort(connection, -EPROTO);
        return NULL;
    }
    slot = session_slot_take(connection);
    slot->id = op->id;
    slot->number = op->stream;
    slot->unordered = unordered;
    slot->state = SLOT_PARTIAL;
    insert(stream, slot);
    if (stream->unmatched > 0) { /* those behind it may wait for a buffer from now on */
        if (!unordered)
            connection->offer_least = 0;
        connection_notice(connection);
    }
    *fresh = true;
    return slot;
}

/* Takes a slot out of its stream. */
static void leave(struct slot *slot)
{
    list_remove(&slot->node);
    slot->stream = NULL;
}

/* A failed message's slot is of no more use once nothing of it can come any more. */
static void settle_failed(struct slot *slot)
{
    struct pony_session *session = slot->connection->session;

    if (!slot->unordered || !slot->counted || slot->received < slot->length ||
        (slot->offered && !slot->large))
        return;
    leave(slot);
    slot->counted = false;
    slot->offered = false;
    slot->state = SLOT_SPENT;
    session_slot_settle(session, slot);
}

/* More of a message that has failed. */
static void drop_fragment(struct slot *slot, const struct wire_op *op)
{
    if (op->length > UINT32_MAX - slot->received) {
        connection_abort(slot->connection, -EPROTO);
        return;
    }
    slot->received += op->length;
    settle_failed(slot);
}

/* What its event says, but for the bytes. */
static void describe(struct saddle_event *event, const struct connection *connection,
                     uint16_t stream, uint32_t length)
{
    channel_event(event, SADDLE_EVT_MESSAGE);
    event->stream = stream;
    event->tag = connection->tag;
    event->handle = connection->number;
    event->len = length;
}

/* Is it an ordered message, whole, short, and the very next of its stream, and may its application
 * be told right now? Not before others of the channel that wait for room; but also while its
 * session is in debt: to keep it for a later round costs more than to hand it over. */
static bool is_next(const struct connection *connection, const struct stream *stream,
                    const struct wire_op *op)
{
    const struct session_channel *side = &connection->session->channels[connection->channel];

    return !side->full && op->flags == WIRE_OP_LAST && op->offset == 0 &&
           op->length <= SADDLE_INLINE_BYTES && op->id == stream->receive_next &&
           list_empty(&stream->incoming) && connection->announced &&
           list_empty(&connection->notice) && !fair_throttled(connection->session) &&
           session_credit_left(connection);
}

/* A short message goes from its packet into the queue: neither its slot's memory nor a turn of
 * notices is needed, and the slot stands for the credit and the answer alone. False if it has to
 * take the long way, where what is wrong with it is found out, too. */
static bool hand_over(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload)
{
    struct pony_session *session = connection->session;
    struct stream *stream = stream_find(connection, op->stream);
    struct saddle_event event;

    if (!stream || !is_next(connection, stream, op))
        return false;
    describe(&event, connection, op->stream, op->length);
    event.flags = SADDLE_ENTRY_INLINE;
    memcpy(event.payload, payload, op->length);
    memset(event.payload + op->length, 0, SADDLE_INLINE_BYTES - op->length);
    if (crc32c_update(CRC32C_START, payload, op->length) != op->payload_crc ||
        !session_announce(session, connection->channel, &event))
        return false;
    clock_charge(connection->upper->clock, UPPER_COST_NOTICE_NS);
    if (fair_may(session))
        fair_work(session);
    stream->receive_next++;
    session_credit_use(connection);
    struct slot *slot = session_slot_take(connection);
    slot->id = op->id;
    slot->number = op->stream;
    slot->length = op->length;
    slot->state = SLOT_SPENT;
    arrived(slot);
    return true;
}

void incoming_on_fragment(struct connection *connection, const struct wire_op *op,
                          const uint8_t *payload)
{
    bool fresh;

    if (hand_over(connection, op, payload))
        return;
    struct slot *slot = slot_of(connection, op, &fresh);

    if (!slot)
        return;
    if (fresh && !slot->unordered) /* nobody waits for the turn of another one */
        match(connection);
    if (slot->state == SLOT_SKIPPED) {
        drop_fragment(slot, op);
        return;
    }
    uint64_t end = (uint64_t)op->offset + op->length;
    if (slot->state != SLOT_PARTIAL || end > SADDLE_EAGER_MAX ||
        slot->received + op->length > SADDLE_EAGER_MAX ||
        (slot->length && (end > slot->length || (op->flags & WIRE_OP_LAST)))) {
        connection_abort(connection, -EPROTO);
        return;
    }
    uint8_t *to = session_slot_bytes(connection->session, slot) + op->offset;
    slot->received += op->length;
    if (crc32c_copy_own(CRC32C_START, to, payload, op->length) != op->payload_crc) {
        counter_add(&connection->upper->counters.payload_damaged, 1);
        fail(slot, EBADMSG);
        return;
    }
    if (op->flags & WIRE_OP_LAST)
        slot->length = (uint32_t)end;
    if (slot->length && slot->received >= slot->length)
        ready(slot);
}

void incoming_on_offer(struct connection *connection, const struct wire_op *op)
{
    bool fresh;
    struct slot *slot = slot_of(connection, op, &fresh);

    if (!slot)
        return;
    if (!fresh && slot->state == SLOT_SKIPPED && !slot->large) {
        slot->large = true;
        settle_failed(slot);
        return;
    }
    if (!fresh || op->offset <= SADDLE_EAGER_MAX) {
        connection_abort(connection, -EPROTO);
        return;
    }
    slot->large = true;
    slot->state = SLOT_OFFERED;
    slot->length = op->offset;
    slot->waiting = true;
    slot->stream->unmatched++;
    if (slot->length < connection->offer_least)
        connection->offer_least = slot->length;
    if (slot->length > session_message_max(connection->session)) {
        fail(slot, EMSGSIZE);
        return;
    }
    match(connection);
    if (slot->state == SLOT_OFFERED && connection->closing)
        fail(slot, ECONNRESET);
    else if (slot->waiting)
        connection_notice(connection);
}

void incoming_on_bulk(struct connection *connection, const struct wire_op *op,
                      const uint8_t *payload)
{
    struct upper *upper = connection->upper;
    struct stream *stream = stream_find(connection, op->stream);
    struct slot *slot = stream ? find(stream, op->id, op->flags & WIRE_OP_UNORDERED) : NULL;

    if (stream && is_past(stream, op))
        return;
    if (slot && slot->state == SLOT_SKIPPED) {
        drop_fragment(slot, op);
        return;
    }
    uint64_t end = (uint64_t)op->offset + op->length;
    if (!slot || slot->state != SLOT_FILLING || end > slot->length ||
        op->length > slot->length - slot->received) {
        connection_abort(connection, -EPROTO);
        return;
    }
    uint8_t *to = operation_buffer(slot->buffer, op->offset);
    slot->received += op->length;
    upper_came(upper, op->length);
    if (crc32c_copy_own(CRC32C_START, to, payload, op->length) != op->payload_crc) {
        counter_add(&upper->counters.payload_damaged, 1);
        fail(slot, EBADMSG);
        return;
    }
    if (slot->received >= slot->length)
        ready(slot);
}

void incoming_on_skip(struct connection *connection, const struct wire_op *op)
{
    bool fresh;
    struct slot *slot = slot_of(connection, op, &fresh);

    if (!slot)
        return;
    if (slot->state == SLOT_PARTIAL || slot->state == SLOT_OFFERED || slot->state == SLOT_FILLING) {
        fail(slot, ECANCELED);
        match(connection);
    }
    if (!slot->unordered)
        return;
    if (slot->state != SLOT_SKIPPED || slot->counted) {
        connection_abort(connection, -EPROTO);
        return;
    }
    slot->counted = true;
    slot->offered = op->flags & WIRE_OP_LAST;
    slot->length = op->offset;
    settle_failed(slot);
}

/* What its events say of its order; older libraries do not know of it. */
static uint8_t order_flag(const struct pony_session *session, const struct slot *slot)
{
    return slot->unordered && session->config.abi >= SADDLE_ABI_MESSAGES ? SADDLE_ENTRY_UNORDERED
                                                                         : 0;
}

/* A message whose turn it is: false if the channel has no room. */
static bool announce_message(struct stream *stream, struct slot *slot)
{
    struct connection *connection = stream->connection;
    struct pony_session *session = connection->session;

    if (slot->large) {
        struct operation *buffer = slot->buffer;
        slot->buffer = NULL;
        buffer->number = slot->number;
        buffer->flags |= order_flag(session, slot);
        operation_answer(buffer, 0, slot->length);
        operation_free(buffer);
        slot->state = SLOT_SPENT;
        return true;
    }
    const uint8_t *bytes = session_slot_bytes(session, slot);
    struct saddle_event event;
    describe(&event, connection, slot->number, slot->length);
    event.flags = order_flag(session, slot);
    bool in_entry = slot->length <= SADDLE_INLINE_BYTES;
    if (in_entry) {
        event.flags |= SADDLE_ENTRY_INLINE;
        memcpy(event.payload, bytes, sizeof(event.payload)); /* the slot is larger */
    } else {
        event.flags |= SADDLE_ENTRY_SLOT;
        event.buf = (uint64_t)(bytes - session->config.arena);
        event.slot = (uint32_t)(slot - session->slots);
    }
    if (!session_announce(session, connection->channel, &event))
        return false;
    slot->state = in_entry ? SLOT_SPENT : SLOT_LENT;
    return true;
}

/* Tells of offers without a buffer, those alone that a buffer would be given to. */
static bool announce_waiting(struct stream *stream)
{
    struct connection *connection = stream->connection;
    uint32_t expected = stream->receive_next;
    struct list *node;

    if (stream->unmatched == 0)
        return true;
    LIST_EACH(node, &stream->incoming)
    {
        struct slot *slot = LIST_OF(node, struct slot, node);
        struct saddle_event event = {
            .type = SADDLE_EVT_WAITING,
            .stream = slot->number,
            .tag = connection->tag,
            .handle = connection->number,
            .value = slot->length,
        };
        if (!in_turn(slot, &expected) || !slot->waiting)
            continue;
        if (!session_announce(connection->session, connection->channel, &event))
            return false;
        slot->waiting = false;
        if (++connection->told == 0) /* which stands for never */
            connection->told++;
        slot->told = connection->told;
    }
    return true;
}

/* Those unordered ones that are complete; they are the last of the list. */
static bool announce_unordered(struct stream *stream)
{
    struct pony_session *session = stream->connection->session;
    struct list *first = &stream->incoming;

    while (first->prev != &stream->incoming && LIST_OF(first->prev, struct slot, node)->unordered)
        first = first->prev;
    while (first != &stream->incoming) {
        struct slot *slot = LIST_OF(first, struct slot, node);
        first = first->next;
        if (slot->state != SLOT_READY)
            continue;
        if (!announce_message(stream, slot))
            return false;
        leave(slot);
        session_slot_settle(session, slot);
    }
    return true;
}

bool incoming_announce(struct stream *stream)
{
    struct pony_session *session = stream->connection->session;
    struct list *node;

    while ((node = list_first(&stream->incoming))) {
        struct slot *slot = LIST_OF(node, struct slot, node);
        if (slot->unordered || slot->id != stream->receive_next)
            break;
        if (slot->state == SLOT_SKIPPED)
            slot->state = SLOT_SPENT;
        else if (slot->state != SLOT_READY)
            break;
        else if (!announce_message(stream, slot))
            return false;
        stream->receive_next++;
        leave(slot);
        session_slot_settle(session, slot);
    }
    return announce_unordered(stream) && announce_waiting(stream);
}

static bool fill_pull(struct connection *connection, struct slot *slot, struct packet *packet)
{
    struct wire_op op = {
        .type = WIRE_OP_PULL,
        .flags = slot->unordered ? WIRE_OP_UNORDERED : 0,
        .connection = connection->peer,
        .stream = slot->number,
        .id = slot->id,
    };

    if (!packet_put(packet, &op, NULL))
        return false;
    slot->due = SLOT_DUE_NOTHING;
    list_remove(&slot->answer);
    return true;
}

static bool fill_delivered(struct connection *connection, struct packet *packet)
{
    uint8_t payload[ANSWERS_PER_OPERATION * WIRE_DELIVERED_BYTES];
    struct wire_op op = {.type = WIRE_OP_DELIVERED, .connection = connection->peer};
    int64_t room = packet_payload_room(packet) / (int64_t)WIRE_DELIVERED_BYTES;
    struct list *node;

    for (uint32_t i = 0; i < ANSWERS_PER_OPERATION && i < room; i++) {
        node = list_first(&connection->answers);
        struct slot *slot = node ? LIST_OF(node, struct slot, answer) : NULL;
        if (!slot || slot->due != SLOT_DUE_ANSWER)
            break;
        uint16_t order = slot->unordered ? WIRE_DELIVERED_UNORDERED : 0;
        const struct wire_delivered entry = {.stream = slot->number | order,
                                             .status = slot->status,
                                             .id = slot->id};
        payload_put_delivered(payload + op.length, &entry);
        op.length += WIRE_DELIVERED_BYTES;
        slot->due = SLOT_DUE_NOTHING;
        list_remove(node);
        connection->answers_given++;
        session_slot_settle(connection->session, slot);
    }
    if ((connection->say & CONNECTION_SAY_CREDIT) &&
        path_has(connection->path, WIRE_FEATURE_GRANTS))
        op.offset = connection->credits_granted;
    if (!op.length || !packet_put(packet, &op, payload))
        return false;
    if (op.offset != 0)
        connection->say &= (uint8_t)~CONNECTION_SAY_CREDIT;
    return true;
}

bool incoming_fill(struct connection *connection, struct packet *packet)
{
    struct list *node;

    while ((node = list_first(&connection->answers))) {
        struct slot *slot = LIST_OF(node, struct slot, answer);
        if (!(slot->due == SLOT_DUE_PULL ? fill_pull(connection, slot, packet)
                                         : fill_delivered(connection, packet)))
            return false;
    }
    dialogue_end(connection);
    return true;
}

void incoming_purge(struct stream *stream, bool keep, int status)
{
    struct pony_session *session = stream->connection->session;
    uint32_t expected = stream->receive_next;
    bool gap = false; /* in what is complete of the ordered ones */
    struct list *node, *after;

    stream->unmatched = 0;
    LIST_EACH_SAFE(node, after, &stream->incoming)
    {
        struct slot *slot = LIST_OF(node, struct slot, node);
        bool ready = slot->state == SLOT_READY;
        if (!slot->unordered)
            gap = gap || !(ready || slot->state == SLOT_SKIPPED) || !in_turn(slot, &expected);
        slot->due = SLOT_DUE_NOTHING;
        slot->waiting = false;
        list_remove(&slot->answer);
        if (keep && (slot->unordered ? ready : !gap))
            continue;
        if (slot->buffer)
            operation_finish(slot->buffer, status);
        expect_no_more(slot);
        slot->buffer = NULL;
        slot->state = SLOT_SPENT;
        leave(slot);
        session_slot_settle(session, slot);
    }
}
