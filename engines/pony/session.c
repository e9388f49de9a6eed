/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/session.h"

#include "engines/pony/cancel.h"
#include "engines/pony/connection.h"
#include "engines/pony/incoming.h"
#include "engines/pony/message.h"
#include "engines/pony/onesided.h"
#include "engines/pony/ping.h"
#include "engines/pony/region.h"
#include "engines/pony/service.h"
#include "engines/pony/stream.h"
#include "mailbox/doorbell.h"
#include "mailbox/notice.h"

#include <stdlib.h>
#include <string.h>

static bool geometry_fits(const struct pony_session_config *config)
{
    uint64_t slots = (uint64_t)config->slot_count * SADDLE_EAGER_MAX;

    return config->abi >= SADDLE_ABI_OLDEST && config->abi <= SADDLE_ABI_VERSION && config->arena &&
           config->slot_count > 0 && config->channel_count > 0 &&
           config->channel_count <= SADDLE_CHANNELS_MAX &&
           config->arena_bytes >= sizeof(struct saddle_arena_header) &&
           config->heap_bytes <= config->arena_bytes &&
           config->heap_offset <= config->arena_bytes - config->heap_bytes &&
           slots <= config->arena_bytes && config->slots_offset <= config->arena_bytes - slots;
}

static void open_channel(struct pony_session *session, uint32_t index)
{
    const struct pony_session_config *config = &session->config;
    struct session_channel *side = &session->channels[index];
    struct channel_config channel = config->channels[index];

    /* Before, there was no CANCEL. */
    channel.kept = config->abi < SADDLE_ABI_MESSAGES ? 0 : 1;
    list_init(&side->notices);
    list_init(&side->operations);
    list_init(&side->cancels);
    side->spare = &session->spares[index];
    channel_open(&side->channel, &channel);
}

int pony_session_create(struct pony_session **result, const struct pony_session_config *config)
{
    if (!geometry_fits(config))
        return -EINVAL;
    struct pony_session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->config = *config;
    session->slots = calloc(config->slot_count, sizeof(session->slots[0]));
    session->spares = calloc(config->channel_count, sizeof(session->spares[0]));
    session->channels = calloc(config->channel_count, sizeof(session->channels[0]));
    if (!session->slots || !session->spares || !session->channels) {
        pony_session_destroy(session);
        return -ENOMEM;
    }
    list_init(&session->staged);
    list_init(&session->free_slots);
    list_init(&session->thirst);
    list_init(&session->thirst_more);
    list_init(&session->connections);
    list_init(&session->dead);
    list_init(&session->pings);
    fair_init(session);
    for (uint32_t i = 0; i < config->slot_count; i++) {
        list_init(&session->slots[i].answer);
        list_init(&session->slots[i].node);
        list_push(&session->free_slots, &session->slots[i].node);
    }
    session->free_count = config->slot_count;
    for (uint32_t i = 0; i < config->channel_count; i++)
        open_channel(session, i);
    *result = session;
    return 0;
}

void pony_session_destroy(struct pony_session *session)
{
    if (!session)
        return;
    free(session->slots);
    free(session->spares);
    free(session->channels);
    free(session);
}

static uint64_t bytes_of(const uint32_t *count, size_t each)
{
    return (uint64_t)__atomic_load_n(count, __ATOMIC_RELAXED) * each;
}

void pony_session_usage(const struct pony_session *session, struct pony_usage *usage)
{
    *usage = (struct pony_usage){
        .cpu_ns = account_ns(&session->account),
        .throttled_ns = account_ns(&session->fair.throttled_ns),
        .throttled = fair_throttled(session),
        .connection_bytes =
            bytes_of(&session->connection_count, sizeof(struct connection) + sizeof(struct stream)),
        .operation_bytes = bytes_of(&session->operation_count, sizeof(struct operation)) +
                           bytes_of(&session->gather_count, sizeof(struct gather)),
        .region_bytes = bytes_of(&session->region_count, sizeof(struct region)),
        .record_bytes = sizeof(*session) + session->config.slot_count * sizeof(session->slots[0]) +
                        session->config.channel_count * sizeof(session->channels[0]),
    };
}

int pony_session_error(const struct pony_session *session)
{
    return atomic_load_explicit(&session->error, memory_order_relaxed);
}

bool pony_session_attached(const struct pony_session *session)
{
    return session->upper != NULL;
}

void session_violate(struct pony_session *session, int error, const char *reason)
{
    if (pony_session_error(session))
        return;
    session->reason = reason;
    atomic_store_explicit(&session->error, error, memory_order_relaxed);
    session->upper->violated = true;
    counter_add(&session->upper->counters.violations, 1);
}

static struct list *first_left(struct pony_session *session)
{
    struct list *node = list_first(&session->connections);

    return node ? node : list_first(&session->dead);
}

bool session_finish(struct pony_session *session)
{
    struct list *node;

    for (uint32_t i = 0; i < SESSION_ENDS_PER_TURN && (node = first_left(session)); i++)
        connection_disown(LIST_OF(node, struct connection, session_node));
    return !first_left(session);
}

void session_drop(struct pony_session *session)
{
    struct upper *upper = session->upper;

    service_drop(session);
    region_drop(session);
    ping_drop(session);
    cancel_drop(session);
    session_publish(session);
    session->dropped = true;
    fair_leave(session);
    if (!pony_session_error(session))
        return;
    notice_closed((struct saddle_arena_header *)(void *)session->config.arena,
                  pony_session_error(session), session->reason);
    for (uint32_t i = 0; i < session->config.channel_count; i++) {
        int fd = session->channels[i].channel.doorbell_fd;
        if (fd >= 0)
            doorbell_ring_application(fd);
    }
    if (upper->control_fd >= 0)
        doorbell_ring_engine(upper->control_fd);
}

/* It has an event that is to be written into a queue. */
static void stage(struct pony_session *session)
{
    counter_add(&session->upper->counters.events, 1);
    if (list_empty(&session->staged))
        list_push(&session->upper->staged, &session->staged);
}

void session_publish(struct pony_session *session)
{
    list_remove(&session->staged);
    for (uint32_t i = 0; i < session->config.channel_count; i++)
        channel_publish(&session->channels[i].channel);
}

void session_complete(struct pony_session *session, uint32_t channel,
                      const struct saddle_event *event)
{
    if (pony_session_error(session) || session->dropped)
        return;
    if (channel_complete(&session->channels[channel].channel, event))
        session_violate(session, -EPROTO, "the completion queue's consumed position is absurd");
    else
        stage(session);
}

bool session_announce(struct pony_session *session, uint32_t channel,
                      const struct saddle_event *event)
{
    if (pony_session_error(session) || session->dropped)
        return false;
    int error = channel_announce(&session->channels[channel].channel, event);
    if (error == -EAGAIN)
        return false;
    if (error) {
        session_violate(session, -EPROTO, "the completion queue's consumed position is absurd");
        return false;
    }
    stage(session);
    return true;
}

void session_answer(struct pony_session *session, uint32_t channel,
                    const struct saddle_command *command, int status, uint32_t handle,
                    uint64_t value)
{
    struct saddle_event event = {
        .type = SADDLE_EVT_DONE,
        .op = command->op,
        .tag = command->tag,
        .handle = handle ? handle : command->handle,
        .status = status,
        .stream = command->stream,
        .value = value,
    };
    session_complete(session, channel, &event);
}

uint32_t session_message_max(const struct pony_session *session)
{
    uint32_t most =
        session->config.abi < SADDLE_ABI_MESSAGES ? SADDLE_MESSAGE_MAX_2 : SADDLE_MESSAGE_MAX;

    return session->config.heap_bytes < most ? (uint32_t)session->config.heap_bytes : most;
}

int session_text(const struct pony_session *session, const struct saddle_command *command,
                 char *text, uint32_t size)
{
    if (command->len == 0 || command->len > size)
        return -EINVAL;
    if (command->flags & SADDLE_ENTRY_INLINE)
        memcpy(text, command->payload, command->len);
    else if (session_owns(session, command->buf, command->len))
        memcpy(text, session->config.arena + command->buf, command->len);
    else
        return -EINVAL;
    return text[0] != '\0' && text[command->len - 1] == '\0' ? 0 : -EINVAL;
}

static void release(struct pony_session *session, uint32_t channel,
                    const struct saddle_command *command)
{
    channel_unreserve(&session->channels[channel].channel);
    if (command->slot >= session->config.slot_count ||
        session->slots[command->slot].state != SLOT_LENT) {
        session_violate(session, -EPROTO, "released a receive slot that was not lent");
        return;
    }
    struct slot *slot = &session->slots[command->slot];
    slot->state = SLOT_SPENT;
    session_slot_settle(session, slot);
}

static void close_handle(struct pony_session *session, uint32_t channel,
                         const struct saddle_command *command)
{
    struct service *service = service_by_handle(session->upper, command->handle);

    if (!service || service->session != session || service->channel != channel) {
        connection_close(session, channel, command);
        return;
    }
    service_free(session->upper, service);
    session_answer(session, channel, command, 0, 0, 0);
}

static void nop(struct pony_session *session, uint32_t channel,
                const struct saddle_command *command)
{
    session_answer(session, channel, command, 0, 0, 0);
}

typedef void command_fn(struct pony_session *session, uint32_t channel,
                        const struct saddle_command *command);

static command_fn *const commands[SADDLE_CMD_COUNT] = {
    [SADDLE_CMD_NOP] = nop,
    [SADDLE_CMD_LISTEN] = service_listen,
    [SADDLE_CMD_CONNECT] = connection_connect,
    [SADDLE_CMD_ACCEPT] = connection_accept,
    [SADDLE_CMD_REJECT] = connection_reject,
    [SADDLE_CMD_CLOSE] = close_handle,
    [SADDLE_CMD_SEND] = message_send,
    [SADDLE_CMD_POST_RECV] = incoming_post,
    [SADDLE_CMD_RELEASE] = release,
    [SADDLE_CMD_EXPOSE] = region_expose,
    [SADDLE_CMD_REVOKE] = region_revoke,
    [SADDLE_CMD_READ] = onesided_command,
    [SADDLE_CMD_WRITE] = onesided_command,
    [SADDLE_CMD_PING] = ping_command,
    [SADDLE_CMD_READ_INDIRECT] = onesided_command,
    [SADDLE_CMD_READ_BATCH] = onesided_command,
    [SADDLE_CMD_SCAN_READ] = onesided_command,
    [SADDLE_CMD_COMPARE_SWAP] = onesided_command,
    [SADDLE_CMD_FETCH_ADD] = onesided_command,
    [SADDLE_CMD_CANCEL] = cancel_command,
};

/* Flags that a command takes besides SADDLE_ENTRY_INLINE, since version 3. */
static const uint8_t flags[SADDLE_CMD_COUNT] = {
    [SADDLE_CMD_SEND] = SADDLE_ENTRY_GATHER | SADDLE_ENTRY_UNORDERED,
    [SADDLE_CMD_WRITE] = SADDLE_ENTRY_GATHER,
};

/* What a command takes. All others take none but a handle or a key that the session already has. */
static const uint32_t rights[SADDLE_CMD_COUNT] = {
    [SADDLE_CMD_LISTEN] = PONY_RIGHT_LISTEN,
    [SADDLE_CMD_CONNECT] = PONY_RIGHT_CONNECT,
    [SADDLE_CMD_EXPOSE] = PONY_RIGHT_EXPOSE,
};

static void deny(struct pony_session *session, uint32_t channel,
                 const struct saddle_command *command)
{
    counter_add(&session->upper->counters.commands_denied, 1);
    session_answer(session, channel, command, -EACCES, 0, 0);
}

/* Is it an operation of the session's version of the ABI? */
static bool is_known(const struct pony_session *session, uint8_t op)
{
    uint8_t end =
        session->config.abi < SADDLE_ABI_MESSAGES ? SADDLE_CMD_PING + 1 : SADDLE_CMD_COUNT;

    return op < end && commands[op];
}

static bool flags_fit(const struct pony_session *session, const struct saddle_command *command)
{
    uint8_t more = session->config.abi < SADDLE_ABI_MESSAGES ? 0 : flags[command->op];

    return !(command->flags & ~(SADDLE_ENTRY_INLINE | more)) &&
           (command->flags & (SADDLE_ENTRY_INLINE | SADDLE_ENTRY_GATHER)) !=
               (SADDLE_ENTRY_INLINE | SADDLE_ENTRY_GATHER);
}

void session_command(struct pony_session *session, uint32_t channel,
                     const struct saddle_command *command)
{
    if (!is_known(session, command->op))
        session_violate(session, -EPROTO, "unknown command");
    else if (!flags_fit(session, command))
        session_violate(session, -EPROTO, "a flag in a command that it does not take");
    else if (command->reserved != 0)
        session_violate(session, -EPROTO, "reserved field of a command is not 0");
    else if ((command->flags & SADDLE_ENTRY_INLINE) && command->len > SADDLE_INLINE_BYTES)
        session_violate(session, -EPROTO, "inline length over 64");
    else if (rights[command->op] & ~session->config.grant.rights)
        deny(session, channel, command);
    else
        commands[command->op](session, channel, command);
}

/* Takes a command that may be run now: 1, 0 or -EPROTO. A CANCEL needs no operation of the table,
 * so that what it is to end cannot stand in its way. */
static int next_command(struct pony_session *session, struct session_channel *side,
                        struct saddle_command *command)
{
    if (operation_available(session->upper, session))
        return channel_take(&side->channel, command);
    if (operation_spare_free(side))
        return channel_take_cancel(&side->channel, command);
    return 0;
}

/* Fetches ahead what the next commands are about: of the second the connection, of the first, whose
 * connection is here by now, the stream. */
static void expect_next(const struct upper *upper, const struct channel *channel)
{
    uint32_t first = channel_expected(channel, 0), second = channel_expected(channel, 1);

    if (second)
        connection_expect(upper, second);
    if (first)
        connection_expect_stream(upper, first);
}

/* Takes and runs up to `most` commands of a channel; returns how many. */
static uint32_t channel_commands(struct pony_session *session, uint32_t index, uint32_t most)
{
    struct saddle_command command;
    uint32_t taken = 0;

    while (taken < most && !pony_session_error(session)) {
        int result = next_command(session, &session->channels[index], &command);
        if (result < 0)
            session_violate(session, -EPROTO, "a queue's sequence word or position is absurd");
        if (result <= 0)
            break;
        taken++;
        session_charge(session->upper, session);
        if (connection_expects(session->upper))
            expect_next(session->upper, &session->channels[index].channel);
        session_command(session, index, &command);
    }
    return taken;
}

/* Is there something that it would do if it might? */
static bool wants(struct pony_session *session)
{
    bool more = operation_available(session->upper, session);

    for (uint32_t i = 0; i < session->config.channel_count; i++) {
        struct session_channel *side = &session->channels[i];
        if ((more && channel_pending(&side->channel)) ||
            (!list_empty(&side->notices) && channel_room(&side->channel) != 0))
            return true;
    }
    return false;
}

/* The channel that is `ahead` of another one, at most once round. */
static uint32_t channel_after(uint32_t channel, uint32_t ahead, uint32_t count)
{
    return channel + ahead < count ? channel + ahead : channel + ahead - count;
}

bool session_quiet(const struct pony_session *session)
{
    /* Debts are paid, and quotas refilled, by rounds. */
    bool quiet = !session->dropped && fair_may(session) && !fair_limited(session) &&
                 list_empty(&session->fair.parked);

    for (uint32_t i = 0; i < session->config.channel_count && quiet; i++) {
        const struct session_channel *side = &session->channels[i];
        quiet = channel_quiet(&side->channel) && list_empty(&side->notices) &&
                list_empty(&side->cancels);
    }
    return quiet;
}

uint32_t session_commands(struct pony_session *session)
{
    uint32_t count = session->config.channel_count, first = session->command_turn;
    struct upper *upper = session->upper;
    uint32_t total = 0;

    if (!fair_may(session)) {
        if (!fair_throttled(session) && wants(session))
            fair_wait(session);
        return 0;
    }
    for (uint32_t i = 0; i < count && total < SESSION_COMMANDS_PER_TURN; i++) {
        uint32_t index = channel_after(first, i, count);
        total += channel_commands(session, index, SESSION_COMMANDS_PER_TURN - total);
        session->command_turn = channel_after(index, 1, count);
    }
    uint32_t looks = cancel_step(session, SESSION_LOOKS_PER_TURN);
    counter_add(&upper->counters.commands, total);
    clock_charge(upper->clock, (total + looks) * UPPER_COST_COMMAND_NS);
    session_charge(upper, NULL);
    if (total + looks > 0)
        fair_work(session);
    return total + looks;
}

/* Announces events of up to `most` connections of a channel; returns how many it looked at. */
static uint32_t channel_notices(struct pony_session *session, uint32_t index, uint32_t most)
{
    struct session_channel *side = &session->channels[index];
    uint32_t looked = 0;

    while (looked < most) {
        struct list *node = list_first(&side->notices);
        side->full = false;
        if (!node || pony_session_error(session))
            break;
        looked++;
        session_charge(session->upper, session);
        clock_charge(session->upper->clock, UPPER_COST_NOTICE_NS);
        side->full = !connection_announce(LIST_OF(node, struct connection, notice));
        if (side->full)
            break;
        fair_work(session);
    }
    return looked;
}

void session_notices(struct pony_session *session)
{
    uint32_t count = session->config.channel_count, first = session->notice_turn;
    uint32_t looked = 0;

    if (!fair_may(session))
        return;
    for (uint32_t i = 0; i < count && looked < SESSION_NOTICES_PER_TURN; i++) {
        uint32_t index = channel_after(first, i, count);
        looked += channel_notices(session, index, SESSION_NOTICES_PER_TURN - looked);
        session->notice_turn = channel_after(index, 1, count);
    }
    session_charge(session->upper, NULL);
}

void session_ring(struct pony_session *session)
{
    uint32_t count = session->config.channel_count;

    for (uint32_t i = 1; i <= count; i++) {
        uint32_t turn = channel_after(session->ring_turn, i, count);
        if (!session->channels[turn].channel.ring_due)
            continue;
        session_charge(session->upper, session);
        if (!channel_ring(&session->channels[turn].channel))
            continue;
        session->ring_turn = turn;
        session->rings++;
        counter_add(&session->upper->counters.rings, 1);
        clock_charge(session->upper->clock, UPPER_COST_RING_NS);
        break;
    }
    session_charge(session->upper, NULL);
}

bool session_arm(struct pony_session *session)
{
    bool idle = !session->dropped || !first_left(session);

    /* It waits for its bucket, whose timer wakes the engine, and for nothing else. */
    if (fair_throttled(session))
        return idle;
    idle = idle && list_empty(&session->fair.parked);
    for (uint32_t i = 0; i < session->config.channel_count && idle && !session->dropped; i++) {
        struct session_channel *side = &session->channels[i];
        idle = list_empty(&side->cancels);
        if (!channel_arm(&side->channel)) {
            /* What cannot be taken for want of operations waits for their end, not for a turn. */
            idle = idle && !operation_available(session->upper, session) &&
                   !channel_cancel_pending(&side->channel);
            continue;
        }
        if (side->channel.ring_due ||
            (!list_empty(&side->notices) && channel_room(&side->channel) != 0))
            idle = false;
    }
    return idle;
}

void session_disarm(struct pony_session *session)
{
    for (uint32_t i = 0; i < session->config.channel_count; i++)
        channel_disarm(&session->channels[i].channel);
}
