/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Reading back operations, slots and served operations; see upper_state.h. */
#include "engines/pony/fetch.h"
#include "engines/pony/incoming.h"
#include "engines/pony/onesided.h"
#include "engines/pony/ping.h"
#include "engines/pony/served.h"
#include "engines/pony/upper_state.h"

#include <string.h>

static void wrong(struct state_reader *reader)
{
    state_reader_fail(reader, -EPROTO);
}

/* Which commands can be in which state. */
static bool kind_fits(const struct operation *operation)
{
    switch (operation->state) {
    case OPERATION_OPENING:
        return operation->op == SADDLE_CMD_CONNECT;
    case OPERATION_CLOSING:
        return operation->op == SADDLE_CMD_CLOSE;
    case OPERATION_QUEUED:
    case OPERATION_BEGUN:
        return operation->op == SADDLE_CMD_SEND && operation->stream;
    case OPERATION_POSTED:
    case OPERATION_FILLING:
        return operation->op == SADDLE_CMD_POST_RECV;
    case OPERATION_WANTED:
    case OPERATION_ISSUED:
        return onesided_fits(operation);
    default:
        return false;
    }
}

/* Does it send data of its application's? */
static bool brings(const struct operation *operation)
{
    return operation->op == SADDLE_CMD_SEND || operation->op == SADDLE_CMD_WRITE;
}

/* Nothing is left of a message that the peer has answered, but that SKIP has to be sent. */
static bool answer_fits(const struct operation *operation)
{
    return !operation->answered ||
           (operation->state == OPERATION_BEGUN && !operation->session && operation->skip &&
            (operation->flags & SADDLE_ENTRY_UNORDERED) && !list_empty(&operation->sending));
}

/* Memory and progress: nothing outside the application's heap, nothing past the end. */
static bool extent_fits(const struct operation *operation)
{
    const struct pony_session *session = operation->session;
    size_t name = strnlen((const char *)operation->payload, sizeof(operation->payload));

    if (operation->state == OPERATION_OPENING)
        return session && name > 0 && name < sizeof(operation->payload);
    if (operation->state == OPERATION_CLOSING)
        return session != NULL;
    if (operation->len == 0 || operation->sent > operation->len || !answer_fits(operation))
        return false;
    if (operation->flags & SADDLE_ENTRY_INLINE)
        return operation->len <= SADDLE_INLINE_BYTES && !operation->gather &&
               (brings(operation) || operation->op == SADDLE_CMD_COMPARE_SWAP ||
                operation->op == SADDLE_CMD_FETCH_ADD);
    if (session && (operation->flags & SADDLE_ENTRY_GATHER))
        return operation->gather && brings(operation);
    if (session)
        return !operation->gather && session_owns(session, operation->buf, operation->len);
    return operation->state == OPERATION_BEGUN ||
           (operation->state == OPERATION_ISSUED && operation->op == SADDLE_CMD_WRITE);
}

static void enlist_message(struct operation *operation)
{
    struct stream *stream = operation->stream;

    operation->connection->unanswered += !operation->answered;
    if (operation->state == OPERATION_QUEUED) {
        list_push(&stream->queue, &operation->node);
        stream_schedule(stream);
        return;
    }
    list_push(&stream->begun, &operation->node);
    if (operation->len <= SADDLE_EAGER_MAX || operation->answered)
        return;
    stream_offer(stream, operation);
    if (operation->sent > 0 || (!operation->skip && !list_empty(&operation->sending)))
        stream_pulled(stream, operation);
}

/* Puts it in the list of its state: false if its place is taken. */
static bool enlist(struct operation *operation)
{
    struct connection *connection = operation->connection;

    switch (operation->state) {
    case OPERATION_OPENING:
        if (connection->opening || connection->state != CONNECTION_OPENING)
            return false;
        connection->opening = operation;
        return true;
    case OPERATION_CLOSING:
        if (connection->closing)
            return false;
        connection->closing = operation;
        return true;
    case OPERATION_POSTED:
    case OPERATION_FILLING: /* until its message claims it */
        list_push(&connection->posted, &operation->node);
        connection->posted_most = UINT32_MAX;
        return true;
    case OPERATION_WANTED:
        list_push(&connection->wanted, &operation->node);
        return true;
    case OPERATION_ISSUED:
        list_push(&connection->issued, &operation->node);
        connection->issued_count++;
        return true;
    default:
        enlist_message(operation);
        return true;
    }
}

/* May it be where fill looks for bytes to send? */
static bool sending_fits(const struct operation *operation)
{
    if (operation->session && !operation->skip && operation->sent == operation->len)
        return false;
    if (operation->state == OPERATION_ISSUED)
        return operation->op == SADDLE_CMD_WRITE;
    return operation->state == OPERATION_BEGUN &&
           (operation->skip || (operation->session && operation->len > SADDLE_EAGER_MAX));
}

static void get_fields(struct operation *operation, struct state_reader *reader)
{
    uint32_t length = 0;

    operation->tag = state_get_u64(reader);
    operation->buf = state_get_u64(reader);
    operation->key = state_get_u64(reader);
    operation->remote_offset = state_get_u64(reader);
    operation->handle = state_get_u32(reader);
    operation->len = state_get_u32(reader);
    operation->sent = state_get_u32(reader);
    operation->received = state_get_u32(reader);
    operation->id = state_get_u32(reader);
    operation->skip = state_get_u8(reader);
    bool sending = state_get_u8(reader);
    const void *payload = state_get_bytes(reader, sizeof(operation->payload), &length);
    if (payload)
        memcpy(operation->payload, payload, length);
    if (length != sizeof(operation->payload) || (sending && !sending_fits(operation)))
        wrong(reader);
    else if (sending)
        list_push(&operation->connection->sending, &operation->sending);
}

/* What came with a later version: if it says so, and of what pieces it is made. */
static void get_more(struct operation *operation, struct state_reader *reader)
{
    struct saddle_gather pieces[SADDLE_SEGMENTS_MAX] = {{0}};

    if (!upper_loaded_more(reader))
        return;
    operation->answered = state_get_u8(reader);
    uint32_t count = state_get_u32(reader);
    if (count > SADDLE_SEGMENTS_MAX) {
        wrong(reader);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        pieces[i].offset = state_get_u64(reader);
        pieces[i].len = state_get_u32(reader);
    }
    if (count && (!operation->session || gather_make(operation->session, pieces, count,
                                                     operation->len, &operation->gather)))
        wrong(reader);
}

static void set_deadline(struct operation *operation, uint64_t remaining)
{
    struct upper *upper = operation->upper;

    if (remaining && upper->now + remaining > upper->now)
        wheel_set(upper->wheel, &operation->timer, upper->now + remaining);
}

void upper_load_operation(struct upper *upper, struct state_reader *reader)
{
    uint32_t index = state_get_u32(reader);
    uint8_t state = state_get_u8(reader);
    struct connection *connection = upper_loaded_connection(upper, reader, state_get_u32(reader));

    if (reader->error || index >= pool_end(&upper->operation_pool) ||
        upper->operations[index].state != OPERATION_FREE || !connection->session) {
        wrong(reader);
        return;
    }
    struct operation *operation = &upper->operations[index];
    struct pony_session *session = connection->session;
    operation_init(operation, upper);
    operation->connection = connection;
    operation->session = state_get_u8(reader) ? session : NULL;
    operation->channel = state_get_u8(reader);
    operation->op = state_get_u8(reader);
    operation->flags = state_get_u8(reader);
    operation->number = state_get_u16(reader);
    uint64_t remaining = state_get_u64(reader);
    if (operation->op == SADDLE_CMD_SEND)
        operation->stream = stream_find(connection, operation->number);
    operation->state = state;
    get_fields(operation, reader);
    get_more(operation, reader);
    if (reader->error || operation->channel >= session->config.channel_count ||
        !kind_fits(operation) || !extent_fits(operation) ||
        (operation->op == SADDLE_CMD_READ && operation->received > operation->len) ||
        !enlist(operation)) {
        list_remove(&operation->sending);
        operation->state = OPERATION_FREE;
        wrong(reader);
        return;
    }
    counter_add(&upper->counters.operations, 1);
    upper->expected += onesided_expected(operation);
    if (!operation->session)
        return;
    operation_own(operation, session);
    set_deadline(operation, remaining);
}

/* How a loaded operation's RESULT was: its items lie in the payload that came with the operation.
 */
static bool result_fits(const struct operation *operation)
{
    return operation->state == OPERATION_ISSUED && onesided_has_result(operation->op) &&
           !operation->result && operation->session;
}

void upper_load_result(struct upper *upper, struct state_reader *reader)
{
    uint32_t index = state_get_u32(reader);
    uint64_t value = state_get_u64(reader);
    uint32_t awaited = state_get_u32(reader);

    if (reader->error || index >= pool_end(&upper->operation_pool) ||
        !result_fits(&upper->operations[index])) {
        wrong(reader);
        return;
    }
    upper->operations[index].result = true;
    upper->operations[index].value = value;
    upper->operations[index].awaited = awaited;
}

/* The posted buffer of a large message, if it can be that. */
static bool bind_buffer(struct slot *slot, struct upper *upper, uint32_t index)
{
    bool needed = slot->large && (slot->state == SLOT_FILLING || slot->state == SLOT_READY);

    if (index == UPPER_STATE_NONE)
        return !needed;
    if (!needed || index >= pool_end(&upper->operation_pool) || !slot->connection)
        return false;
    struct operation *buffer = &upper->operations[index];
    if (buffer->state != OPERATION_FILLING || buffer->connection != slot->connection ||
        !buffer->session || buffer->len < slot->length || list_empty(&buffer->node))
        return false;
    slot->buffer = buffer;
    list_remove(&buffer->node);
    return true;
}

static bool slot_fits(const struct slot *slot, bool in_stream)
{
    bool streamed = slot->state >= SLOT_PARTIAL && slot->state <= SLOT_SKIPPED;
    uint32_t most = slot->large ? SADDLE_MESSAGE_MAX : SADDLE_EAGER_MAX;

    bool by_buffer = slot->state == SLOT_OFFERED || slot->state == SLOT_FILLING;
    bool by_slot = slot->state == SLOT_PARTIAL || slot->state == SLOT_LENT;

    if (slot->state == SLOT_FREE || slot->state > SLOT_SPENT || slot->due > SLOT_DUE_ANSWER ||
        streamed != in_stream || slot->length > most)
        return false;
    if ((by_buffer && !slot->large) || (by_slot && slot->large))
        return false;
    if (slot->state == SLOT_FILLING && slot->received > slot->length)
        return false;
    if (slot->counted ? !slot->unordered || slot->state != SLOT_SKIPPED : slot->offered)
        return false;
    return !(streamed || slot->due != SLOT_DUE_NOTHING) || slot->connection;
}

static bool bind_slot(struct slot *slot, bool in_stream)
{
    if (slot->due != SLOT_DUE_NOTHING)
        list_push(&slot->connection->answers, &slot->answer);
    if (!in_stream)
        return true;
    struct stream *stream = stream_find(slot->connection, slot->number);
    if (!stream || !incoming_insert(stream, slot))
        return false;
    if (slot->state == SLOT_OFFERED)
        stream->unmatched++;
    return true;
}

/* What came with a later version: on whose account it is, and of what order. */
static void load_account(struct pony_session *session, struct slot *slot,
                         struct state_reader *reader)
{
    if (!upper_loaded_more(reader))
        return;
    slot->owner = state_get_u32(reader);
    slot->unordered = state_get_u8(reader);
    slot->counted = state_get_u8(reader);
    slot->offered = state_get_u8(reader);
    struct connection *owner = connection_find(session->upper, slot->owner);
    if (owner && owner->session == session && owner->state != CONNECTION_INCOMING)
        owner->held++;
}

void upper_load_slot(struct upper *upper, struct state_reader *reader)
{
    struct pony_session *session = upper_loaded_session(upper, reader, state_get_u32(reader));
    uint32_t index = state_get_u32(reader);

    if (reader->error || index >= session->config.slot_count ||
        session->slots[index].state != SLOT_FREE) {
        wrong(reader);
        return;
    }
    struct slot *slot = &session->slots[index];
    uint8_t state = state_get_u8(reader);
    slot->due = state_get_u8(reader);
    uint32_t owner = state_get_u32(reader);
    bool in_stream = state_get_u8(reader);
    slot->number = state_get_u16(reader);
    slot->status = state_get_u16(reader);
    slot->id = state_get_u32(reader);
    slot->length = state_get_u32(reader);
    slot->received = state_get_u32(reader);
    slot->large = state_get_u8(reader);
    slot->waiting = state_get_u8(reader);
    slot->told = state_get_u32(reader);
    uint32_t buffer = state_get_u32(reader);
    load_account(session, slot, reader);
    slot->connection =
        owner == UPPER_STATE_NONE ? NULL : upper_loaded_connection(upper, reader, owner);
    slot->state = state;
    if (slot->state == SLOT_FILLING)
        upper->expected += slot->length - slot->received;
    list_remove(&slot->node);
    session->free_count--;
    if (reader->error || (slot->connection && slot->connection->session != session) ||
        !slot_fits(slot, in_stream) || !bind_buffer(slot, upper, buffer) ||
        !bind_slot(slot, in_stream))
        wrong(reader);
}

/* A place for an operation that is served, or NULL with the reader failed. */
static struct served *loaded_served(struct upper *upper, struct state_reader *reader)
{
    struct connection *connection = upper_loaded_connection(upper, reader, state_get_u32(reader));

    if (reader->error || !connection->session || !connection->path ||
        !served_has_room(upper, connection->path, connection, 1)) {
        wrong(reader);
        return NULL;
    }
    struct served *served = &upper->served[pool_take(&upper->served_pool)];
    served_init(served, connection, WIRE_OP_READ);
    return served;
}

/* Gives it the name that the document says: false if another one has it. */
static bool load_served_name(struct served *served, uint32_t id)
{
    if (served_find(served->connection, id))
        return false;
    served_name(served, id);
    return true;
}

static void load_table(struct fetch *fetch, struct state_reader *reader)
{
    fetch->table = state_get_u64(reader);
    fetch->match = state_get_u64(reader);
    fetch->entries = state_get_u32(reader);
    fetch->looked = state_get_u32(reader);
    fetch->most = state_get_u32(reader);
    fetch->count = state_get_u8(reader);
    fetch->at = state_get_u8(reader);
    for (uint32_t i = 0; i < WIRE_ITEMS_MAX; i++) {
        fetch->offsets[i] = state_get_u64(reader);
        fetch->items[i].status = state_get_u32(reader);
        fetch->items[i].length = state_get_u32(reader);
    }
}

/* Of an atomic operation nothing is left but its answer. */
static bool answered_fits(const struct served *served)
{
    if (fetch_is(served))
        return fetch_fits(served) && served->status == 0;
    return (served->type == WIRE_OP_COMPARE_SWAP || served->type == WIRE_OP_FETCH_ADD) &&
           served->answer && !served->begun;
}

void upper_load_fetch(struct upper *upper, struct state_reader *reader)
{
    struct served *served = loaded_served(upper, reader);

    if (!served)
        return;
    served->type = state_get_u8(reader);
    bool named = load_served_name(served, state_get_u32(reader));
    served->status = state_get_u16(reader);
    served->begun = state_get_u8(reader);
    served->answer = state_get_u8(reader);
    served->value = state_get_u64(reader);
    served->access.key = state_get_u64(reader);
    served->access.offset = state_get_u64(reader);
    served->access.length = state_get_u32(reader);
    served->sent = state_get_u32(reader);
    served->total = state_get_u32(reader);
    load_table(&served->fetch, reader);
    /* Of what is not being read nothing has been sent. */
    uint32_t sent_end = served->begun ? served->access.length : 1;
    if (reader->error || !named || !answered_fits(served) || served->sent >= sent_end)
        wrong(reader);
    else
        served_schedule(served);
}

void upper_load_served(struct upper *upper, struct state_reader *reader)
{
    struct served *served = loaded_served(upper, reader);

    if (!served)
        return;
    served->access.key = state_get_u64(reader);
    served->access.offset = state_get_u64(reader);
    served->access.length = state_get_u32(reader);
    bool named = load_served_name(served, state_get_u32(reader));
    served->sent = state_get_u32(reader);
    served->received = state_get_u32(reader);
    served->whole = state_get_u32(reader);
    served->status = state_get_u16(reader);
    bool write = state_get_u8(reader);
    served->known = state_get_u8(reader);
    served->begun = state_get_u8(reader);
    served->answer = state_get_u8(reader);
    served->type = write ? WIRE_OP_WRITE : WIRE_OP_READ;
    if (!write)
        served->begun = true;
    if (!named || served->sent > served->access.length ||
        (!write && !served->answer && served->sent == served->access.length))
        wrong(reader);
    else if (served->answer || !write)
        served_schedule(served);
}

void upper_load_echoes(struct upper *upper, struct state_reader *reader)
{
    struct path *path = upper_loaded_path(upper, reader, state_get_u32(reader));
    uint32_t echoes = state_get_u32(reader);

    if (reader->error || path->error || path->echoes || echoes == 0 || echoes > WIRE_ECHOES_MAX)
        wrong(reader);
    else
        path->echoes = echoes;
}

/* A question that was asked is one of those unanswered. */
static bool asked_fits(const struct path *path)
{
    const struct list *node;
    uint32_t count = 0;

    LIST_EACH(node, &path->asked)
    count++;
    return count < path->echoes;
}

static bool ping_fits(const struct operation *operation, const struct path *path,
                      const struct pony_session *session)
{
    uint32_t index = (uint32_t)(operation - operation->upper->operations);

    if (operation->state != OPERATION_ASKING &&
        !(operation->state == OPERATION_ASKED && asked_fits(path)))
        return false;
    return !path->error && !session->dropped && session->ping_count < SADDLE_PINGS_MAX &&
           operation->channel < session->config.channel_count &&
           operation->len <= WIRE_PACKET_MAX && (operation->id & OPERATION_INDEX_MASK) == index;
}

void upper_load_ping(struct upper *upper, struct state_reader *reader)
{
    uint32_t index = state_get_u32(reader);
    uint8_t state = state_get_u8(reader);
    struct path *path = upper_loaded_path(upper, reader, state_get_u32(reader));
    struct pony_session *session = upper_loaded_session(upper, reader, state_get_u32(reader));

    if (reader->error || index >= pool_end(&upper->operation_pool) ||
        upper->operations[index].state != OPERATION_FREE) {
        wrong(reader);
        return;
    }
    struct operation *operation = &upper->operations[index];
    operation_init(operation, upper);
    operation->state = state;
    operation->op = SADDLE_CMD_PING;
    operation->channel = state_get_u8(reader);
    operation->number = state_get_u16(reader);
    uint64_t remaining = state_get_u64(reader);
    operation->tag = state_get_u64(reader);
    operation->handle = state_get_u32(reader);
    operation->len = state_get_u32(reader);
    operation->id = state_get_u32(reader);
    operation->asked_ns = upper->now - state_get_u64(reader);
    operation->called = state_get_u8(reader);
    if (reader->error || !ping_fits(operation, path, session)) {
        operation->state = OPERATION_FREE;
        wrong(reader);
        return;
    }
    counter_add(&upper->counters.operations, 1);
    operation_own(operation, session);
    ping_enlist(operation, session, path);
    set_deadline(operation, remaining);
}

/* An operation that belongs to a channel; `place` as upper_save has it. NULL: there is none. */
static struct operation *operation_at(struct session_channel *side, struct upper *upper,
                                      uint32_t place)
{
    if (place == UPPER_STATE_NONE)
        return side->spare;
    return place < pool_end(&upper->operation_pool) ? &upper->operations[place] : NULL;
}

void upper_load_cancel(struct upper *upper, struct state_reader *reader)
{
    uint32_t place = state_get_u32(reader);
    struct pony_session *session = upper_loaded_session(upper, reader, state_get_u32(reader));
    uint8_t channel = state_get_u8(reader);

    if (reader->error || session->dropped || channel >= session->config.channel_count) {
        wrong(reader);
        return;
    }
    struct session_channel *side = &session->channels[channel];
    struct operation *cancel = operation_at(side, upper, place);
    if (!cancel || cancel->state != OPERATION_FREE) {
        wrong(reader);
        return;
    }
    operation_init(cancel, upper);
    cancel->spare = place == UPPER_STATE_NONE;
    cancel->state = OPERATION_CANCELLING;
    cancel->op = SADDLE_CMD_CANCEL;
    cancel->channel = channel;
    cancel->flags = state_get_u8(reader);
    cancel->number = state_get_u16(reader);
    cancel->tag = state_get_u64(reader);
    cancel->key = state_get_u64(reader);
    cancel->handle = state_get_u32(reader);
    cancel->len = state_get_u32(reader);
    cancel->found = state_get_u32(reader);
    if (!cancel->spare)
        counter_add(&upper->counters.operations, 1);
    operation_own(cancel, session);
    list_push(&side->cancels, &cancel->node);
}

/* Whatever was not named stays in front, CANCELs too: so they lie in both lists in one order. */
static void load_places(struct session_channel *side, struct pony_session *session,
                        struct state_reader *reader, uint32_t next)
{
    uint32_t count = state_get_u32(reader), channel = (uint32_t)(side - session->channels);

    for (uint32_t i = 0; i < count && !reader->error; i++) {
        struct operation *operation = operation_at(side, session->upper, state_get_u32(reader));
        if (!operation || operation->session != session || operation->channel != channel) {
            wrong(reader);
            return;
        }
        list_move(&side->operations, &operation->owned);
        if (operation->state == OPERATION_CANCELLING)
            list_move(&side->cancels, &operation->node);
        if (i == next)
            side->cancel_next = &operation->owned;
    }
}

/* The first CANCEL must come before the end does, which is no operation. */
static bool next_fits(const struct session_channel *side)
{
    const struct list *node = side->cancel_next, *first = list_first(&side->cancels);

    if (!node)
        return true;
    while (node != &side->operations && first &&
           LIST_OF(first, struct operation, node) != LIST_OF(node, struct operation, owned))
        node = node->next;
    return first && node != &side->operations;
}

void upper_load_order(struct upper *upper, struct state_reader *reader)
{
    struct pony_session *session = upper_loaded_session(upper, reader, state_get_u32(reader));
    uint8_t channel = state_get_u8(reader);
    uint32_t next = state_get_u32(reader);

    if (reader->error || channel >= session->config.channel_count ||
        session->channels[channel].cancel_next) {
        wrong(reader);
        return;
    }
    load_places(&session->channels[channel], session, reader, next);
    if (!reader->error && !next_fits(&session->channels[channel]))
        wrong(reader);
}
