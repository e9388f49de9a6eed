/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* How connections end; see connection.h. */
#include "engines/pony/connection.h"
#include "engines/pony/dialogue.h"
#include "engines/pony/incoming.h"
#include "engines/pony/payload.h"
#include "engines/pony/served.h"
#include "engines/pony/service.h"

/* What is still said once nothing goes on in it any more. */
#define SAY_LAST (CONNECTION_SAY_OPENED | CONNECTION_SAY_CLOSE | CONNECTION_SAY_CLOSED)

void connection_leave(struct connection *connection)
{
    struct path *path = connection->path;

    if (!path)
        return;
    list_remove(&connection->ring);
    list_remove(&connection->path_node);
    connection->path = NULL;
    path_settle(connection->upper, path);
    connection_bury(connection);
}

/* Takes it out of its session's hands. */
static void orphan(struct connection *connection)
{
    struct pony_session *session = connection->session;

    if (!session)
        return;
    session_credit_return(connection);
    list_remove(&connection->session_node);
    list_remove(&connection->notice);
    if (!connection->path)
        list_remove(&connection->path_node);
    share_give(&connection->upper->connection_share, &session->connection_count);
    connection->session = NULL;
    connection->events = 0;
    if (list_empty(&connection->ring))
        return;
    /* What is left to say is not said in the session's turn any more. */
    list_remove(&connection->ring);
    path_schedule(connection);
}

static void free_streams(struct connection *connection)
{
    struct list *node, *after;

    LIST_EACH_SAFE(node, after, &connection->streams)
    {
        struct stream *stream = LIST_OF(node, struct stream, node);
        if (list_empty(&stream->incoming))
            stream_free(stream);
    }
}

static void forget_answers(struct connection *connection)
{
    struct list *node;

    while ((node = list_first(&connection->answers))) {
        struct slot *slot = LIST_OF(node, struct slot, answer);
        slot->due = SLOT_DUE_NOTHING;
        list_remove(node);
        session_slot_settle(connection->session, slot);
    }
}

/* Ends all that goes on in it. What the application has not heard of yet, and may, is kept if
 * `keep`. */
static void end_traffic(struct connection *connection, bool keep, int status)
{
    struct list *node;

    LIST_EACH(node, &connection->streams)
    {
        struct stream *stream = LIST_OF(node, struct stream, node);
        list_remove(&stream->ready);
        operation_finish_all(&stream->queue, status);
        operation_finish_all(&stream->begun, status);
        incoming_purge(stream, keep, status);
    }
    operation_finish_all(&connection->posted, status);
    operation_finish_all(&connection->wanted, status);
    operation_finish_all(&connection->issued, status);
    connection->issued_count = 0;
    connection->unanswered = 0;
    while ((node = list_first(&connection->served)))
        served_free(LIST_OF(node, struct served, node));
    if (connection->session)
        session_credit_return(connection);
    connection->say &= SAY_LAST;
    free_streams(connection);
}

void connection_free(struct connection *connection)
{
    struct upper *upper = connection->upper;

    if (connection->opening)
        operation_free(connection->opening);
    if (connection->closing)
        operation_free(connection->closing);
    connection->opening = NULL;
    connection->closing = NULL;
    if (connection->session) {
        end_traffic(connection, false, -ECONNRESET);
        forget_answers(connection);
        if (connection->service)
            service_remove(connection);
    }
    orphan(connection);
    connection_leave(connection);
    dialogue_end(connection);
    names_give(&upper->names, connection->name);
    connection->name = 0;
    connection->state = CONNECTION_FREE;
    pool_give(&upper->connection_pool, connection->number & HANDLE_INDEX_MASK);
    counter_sub(&upper->counters.connections, 1);
}

void connection_bury(struct connection *connection)
{
    if (connection->state != CONNECTION_DEAD || connection->path || connection->events ||
        !connection->session || !list_empty(&connection->path_node))
        return;
    free_streams(connection);
    list_push(&connection->upper->dead, &connection->path_node);
    list_move(&connection->session->dead, &connection->session_node);
}

/* It is over, and the application is told in its turn. */
static void die(struct connection *connection, int error)
{
    counter_add(&connection->upper->counters.connections_closed, 1);
    session_credit_return(connection);
    connection->state = CONNECTION_DEAD;
    connection->error = error;
    connection->events |= CONNECTION_EVENT_CLOSED;
    connection_notice(connection);
}

static void finish_closing(struct connection *connection, int status)
{
    struct operation *closing = connection->closing;

    connection->closing = NULL;
    operation_finish(closing, status);
}

/* The peer's own CLOSE may be here, put off until all of its answers are: nothing will be waited
 * for any more, so it is answered too. */
static void say_close(struct connection *connection)
{
    connection->say |= CONNECTION_SAY_CLOSE;
    if (connection->close_received)
        connection->say |= CONNECTION_SAY_CLOSED;
    connection_schedule(connection);
}

/* Goes through the handshake without the application. */
static void close_alone(struct connection *connection, int error)
{
    orphan(connection);
    connection->state = CONNECTION_CLOSING;
    connection->error = error;
    say_close(connection);
}

void connection_refuse(struct connection *connection, int error)
{
    service_remove(connection);
    orphan(connection);
    connection->state = CONNECTION_REFUSING;
    connection->error = error;
    connection->say = CONNECTION_SAY_OPENED;
    connection_schedule(connection);
}

/* Everything sent is answered: the handshake. Answers that are due leave before it. */
static void start_close(struct connection *connection)
{
    end_traffic(connection, false, -ECANCELED);
    connection->state = CONNECTION_CLOSING;
    connection->error = 0;
    say_close(connection);
}

static void peer_closed(struct connection *connection)
{
    end_traffic(connection, true, -ECONNRESET);
    forget_answers(connection);
    connection->say |= CONNECTION_SAY_CLOSED;
    connection_schedule(connection);
    if (!connection->closing) {
        die(connection, connection->error);
        return;
    }
    finish_closing(connection, 0);
    end_traffic(connection, false, -ECONNRESET);
    orphan(connection);
    connection->state = CONNECTION_LEAVING;
}

void connection_advance(struct connection *connection)
{
    if (connection->state != CONNECTION_OPEN)
        return;
    if (connection->close_received &&
        (int32_t)(connection->answers_taken - connection->close_answers) >= 0)
        peer_closed(connection);
    else if (connection->closing && connection->unanswered == 0 &&
             list_empty(&connection->wanted) && list_empty(&connection->issued))
        start_close(connection);
}

void connection_on_close(struct upper *upper, struct path *path, const struct wire_op *op,
                         const uint8_t *payload)
{
    struct connection *connection = connection_find(upper, op->connection);
    struct wire_close close;

    if (!connection || connection->path != path) {
        counter_add(&upper->counters.strays, 1);
        path_reply(path, WIRE_OP_CLOSED, op->id, 0);
        return;
    }
    payload_get_close(&close, payload);
    switch (connection->state) {
    case CONNECTION_OPENING:
    case CONNECTION_OPEN:
        if (connection->close_received)
            break;
        connection->close_received = true;
        connection->close_answers = close.answers;
        connection->error = status_of_wire(close.reason);
        connection_advance(connection);
        break;
    case CONNECTION_CLOSING:
    case CONNECTION_DEAD:
        connection->say |= CONNECTION_SAY_CLOSED;
        connection_schedule(connection);
        break;
    default:
        break;
    }
}

void connection_on_closed(struct connection *connection)
{
    if (connection->state == CONNECTION_DEAD && connection->close_wanted) {
        connection->close_wanted = false;
        if (!connection->say)
            connection_leave(connection);
        return;
    }
    if (connection->state != CONNECTION_CLOSING || (connection->say & CONNECTION_SAY_CLOSE))
        return;
    if (connection->closing) {
        counter_add(&connection->upper->counters.connections_closed, 1);
        finish_closing(connection, 0);
    }
    if (connection->say & CONNECTION_SAY_CLOSED) {
        if (connection->session)
            forget_answers(connection);
        orphan(connection);
        connection->state = CONNECTION_LEAVING;
        return;
    }
    connection_free(connection);
}

void connection_abort(struct connection *connection, int error)
{
    counter_add(&connection->upper->counters.peer_violations, 1);
    if (connection->state == CONNECTION_OPENING) {
        struct operation *opening = connection->opening;
        connection->opening = NULL;
        operation_finish(opening, error);
        connection_free(connection);
        return;
    }
    if (connection->state != CONNECTION_OPEN)
        return;
    end_traffic(connection, true, error);
    forget_answers(connection);
    if (connection->closing) {
        finish_closing(connection, error);
        end_traffic(connection, false, error);
        close_alone(connection, error);
        return;
    }
    die(connection, error);
    connection->close_wanted = true;
    say_close(connection);
}

/* A dead connection that the application has done with. */
static void dismiss(struct connection *connection)
{
    end_traffic(connection, false, -ECONNRESET);
    forget_answers(connection);
    orphan(connection);
    if (!connection->path)
        connection_free(connection);
    else
        connection->state = connection->close_wanted ? CONNECTION_CLOSING : CONNECTION_LEAVING;
}

void connection_disown(struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_OPENING:
        connection_free(connection);
        break;
    case CONNECTION_INCOMING:
        connection_refuse(connection, -ECONNREFUSED);
        break;
    case CONNECTION_OPEN:
        end_traffic(connection, false, -ECONNRESET);
        forget_answers(connection);
        if (connection->closing)
            finish_closing(connection, -ECONNRESET);
        close_alone(connection, -ECONNRESET);
        break;
    case CONNECTION_CLOSING:
        forget_answers(connection);
        if (connection->closing)
            finish_closing(connection, -ECONNRESET);
        orphan(connection);
        break;
    default:
        dismiss(connection);
        break;
    }
}

bool connection_disowned(const struct connection *connection, struct connection *left)
{
    *left = *connection;
    list_init(&left->thirst);
    left->session = NULL;
    left->service = NULL;
    left->events = 0;
    left->parched = false;
    switch (connection->state) {
    case CONNECTION_INCOMING:
        left->state = CONNECTION_REFUSING;
        left->error = -ECONNREFUSED;
        left->say = CONNECTION_SAY_OPENED;
        break;
    case CONNECTION_OPEN:
        left->state = CONNECTION_CLOSING;
        left->error = -ECONNRESET;
        left->say = (left->say & SAY_LAST) | CONNECTION_SAY_CLOSE |
                    (left->close_received ? CONNECTION_SAY_CLOSED : 0);
        break;
    case CONNECTION_DEAD:
        left->state = left->close_wanted ? CONNECTION_CLOSING : CONNECTION_LEAVING;
        left->say &= SAY_LAST;
        break;
    default:
        break;
    }
    return connection->path && connection->state != CONNECTION_OPENING;
}

void connection_lost(struct connection *connection, int error)
{
    struct operation *opening = connection->opening;

    /* The peer did not know the flow: it was started anew, or had given it up. Who calls has no
     * answer yet, and can ask for one on another. */
    if (opening && error == -ECONNRESET && connection_call_again(connection))
        return;
    list_remove(&connection->ring);
    list_remove(&connection->path_node);
    served_leave(connection);
    connection->path = NULL;
    connection->say = 0;
    connection->close_wanted = false;
    if (connection->state == CONNECTION_DEAD) {
        connection_bury(connection);
        return;
    }
    if (opening) {
        connection->opening = NULL;
        operation_finish(opening, error);
    }
    if (connection->state == CONNECTION_INCOMING)
        service_remove(connection);
    bool open = connection->state == CONNECTION_OPEN;
    if (open) {
        end_traffic(connection, true, error);
        forget_answers(connection);
    }
    if (connection->announced && !connection->closing &&
        (open || connection->state == CONNECTION_INCOMING)) {
        die(connection, error);
        return;
    }
    if (connection->closing)
        finish_closing(connection, open ? error : 0);
    connection_free(connection);
}

void connection_close(struct pony_session *session, uint32_t channel,
                      const struct saddle_command *command)
{
    struct connection *connection = connection_find(session->upper, command->handle);

    if (connection && connection->session == session && connection->state == CONNECTION_INCOMING) {
        connection_reject(session, channel, command);
        return;
    }
    if (!connection || connection->session != session || !connection->announced ||
        connection->channel != channel) {
        session_answer(session, channel, command, -EBADF, 0, 0);
        return;
    }
    if (connection->state == CONNECTION_DEAD) {
        dismiss(connection);
        session_answer(session, channel, command, 0, 0, 0);
        return;
    }
    if (connection->state != CONNECTION_OPEN || connection->closing) {
        session_answer(session, channel, command, -ENOTCONN, 0, 0);
        return;
    }
    connection->closing = operation_take(session, channel, command);
    connection->closing->connection = connection;
    connection->closing->state = OPERATION_CLOSING;
    incoming_refuse(connection);
    connection_advance(connection);
}

/* Gives up before the peer has answered: its answer will find nobody, and be closed. */
void connection_open_give_up(struct operation *operation, int status)
{
    struct connection *connection = operation->connection;

    connection->opening = NULL;
    operation_finish(operation, status);
    connection_free(connection);
}

void connection_close_give_up(struct operation *operation, int status)
{
    struct connection *connection = operation->connection;

    finish_closing(connection, status);
    connection_disown(connection);
}
