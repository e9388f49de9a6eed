/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/channel.h"

#include "mailbox/doorbell.h"

#include <errno.h>

void channel_open(struct channel *channel, const struct channel_config *config)
{
    queue_consumer_open(&channel->commands, &config->command, config->command_position);
    queue_producer_open(&channel->completions, &config->completion, config->completion_position);
    channel->reserved = config->reserved;
    channel->kept = config->kept;
    channel->doorbell_fd = config->doorbell_fd;
    channel->ring_due = false;
    channel->staged = 0;
}

void channel_resume(struct channel *channel, const struct channel_config *config)
{
    channel_open(channel, config);
    queue_consumer_resume(&channel->commands, &config->command, config->command_position);
    channel->ring_due = true;
}

/* What is left of this many free slots for what nobody was promised. */
static int beyond(const struct channel *channel, uint32_t room)
{
    uint32_t taken = channel->staged + channel->reserved;

    return room > taken ? (int)(room - taken) : 0;
}

/* Unpromised completion slots. Looks at shared memory only when those it knows of are used up. */
static int unpromised(struct channel *channel)
{
    uint32_t room = queue_room_known(&channel->completions);

    if (room <= channel->staged + channel->reserved + channel->kept) {
        int seen = queue_room(&channel->completions);

        if (seen < 0)
            return seen;
        room = (uint32_t)seen;
    }
    return beyond(channel, room);
}

/* Can the next command be taken, if it need not, or need, be a CANCEL? 1, 0 or -EPROTO. What is
 * seen of the command here is not used, but compared with the copy once it is taken. */
static int takeable(struct channel *channel, bool *cancel)
{
    int ready = queue_poll(&channel->commands);
    int room;

    if (ready <= 0)
        return ready;
    room = unpromised(channel);
    if (room <= 0)
        return room;
    *cancel = *cancel || (uint32_t)room <= channel->kept;
    return !*cancel || queue_next_op(&channel->commands) == SADDLE_CMD_CANCEL;
}

static int take(struct channel *channel, struct saddle_command *command, bool cancel)
{
    int result = takeable(channel, &cancel);

    if (result <= 0)
        return result;
    queue_pop(&channel->commands, command);
    queue_expect(&channel->commands);
    /* Changed after it was handed over. */
    if (cancel && command->op != SADDLE_CMD_CANCEL)
        return -EPROTO;
    queue_consumed(&channel->commands, false);
    channel->reserved++;
    return 1;
}

int channel_take(struct channel *channel, struct saddle_command *command)
{
    return take(channel, command, false);
}

int channel_take_cancel(struct channel *channel, struct saddle_command *command)
{
    return take(channel, command, true);
}

bool channel_cancel_pending(struct channel *channel)
{
    bool cancel = true;

    return takeable(channel, &cancel) != 0;
}

uint32_t channel_expected(const struct channel *channel, uint32_t ahead)
{
    return queue_expected_handle(&channel->commands, ahead);
}

void channel_unreserve(struct channel *channel)
{
    if (channel->reserved > 0)
        channel->reserved--;
}

int channel_room(struct channel *channel)
{
    int room = queue_room(&channel->completions);

    return room < 0 ? room : beyond(channel, (uint32_t)room);
}

void channel_publish(struct channel *channel)
{
    for (uint32_t i = 0; i < channel->staged; i++)
        queue_intend(&channel->completions, i, channel->stage[i].flags);
    for (uint32_t i = 0; i < channel->staged; i++)
        queue_put_event(&channel->completions, &channel->stage[i]);
    channel->staged = 0;
}

/* False if there is no room, by what the application says now. */
static bool stage(struct channel *channel, const struct saddle_event *event)
{
    if (queue_room_known(&channel->completions) <= channel->staged &&
        queue_room(&channel->completions) <= (int)channel->staged)
        return false;
    if (channel->staged == CHANNEL_STAGE)
        channel_publish(channel);
    struct saddle_event *to = &channel->stage[channel->staged++];
    queue_move_payload(to->payload, event->payload, event->flags);
    queue_move_event(to, event);
    channel->ring_due = true;
    return true;
}

int channel_complete(struct channel *channel, const struct saddle_event *event)
{
    if (channel->reserved == 0 || !stage(channel, event))
        return -EPROTO;
    channel->reserved--;
    return 0;
}

int channel_announce(struct channel *channel, const struct saddle_event *event)
{
    int room = unpromised(channel);

    if (room < 0)
        return room;
    return room > 0 && stage(channel, event) ? 0 : -EAGAIN;
}

bool channel_ring(struct channel *channel)
{
    if (!channel->ring_due)
        return false;
    channel->ring_due = false;
    channel_publish(channel);
    if (!doorbell_due(&channel->completions.queue.header->armed) || channel->doorbell_fd < 0)
        return false;
    doorbell_ring_application(channel->doorbell_fd);
    return true;
}

bool channel_arm(struct channel *channel)
{
    queue_consumed(&channel->commands, true);
    doorbell_arm(&channel->commands.queue.header->armed);
    if (!channel_pending(channel))
        return true;
    channel_disarm(channel);
    return false;
}

void channel_disarm(struct channel *channel)
{
    doorbell_disarm(&channel->commands.queue.header->armed);
}

bool channel_pending(struct channel *channel)
{
    bool cancel = false;

    return takeable(channel, &cancel) != 0;
}
