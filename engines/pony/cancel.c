/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/cancel.h"

void cancel_command(struct pony_session *session, uint32_t channel,
                    const struct saddle_command *command)
{
    struct saddle_command kept = *command;

    kept.timeout_ns = 0; /* it waits for nobody but this engine */
    struct operation *operation = operation_take(session, channel, &kept);
    operation->state = OPERATION_CANCELLING;
    list_push(&session->channels[channel].cancels, &operation->node);
}

/* Goes on with those of a channel, likewise. */
static uint32_t step(struct session_channel *side, uint32_t most)
{
    struct list *node;
    uint32_t looks = 0;

    for (; looks < most && (node = list_first(&side->cancels)); looks++) {
        struct operation *cancel = LIST_OF(node, struct operation, node);
        if (!side->cancel_next)
            side->cancel_next = list_first(&side->operations);
        struct operation *operation = LIST_OF(side->cancel_next, struct operation, owned);
        if (operation == cancel) {
            side->cancel_next = NULL;
            operation_finish(cancel, 0);
            continue;
        }
        /* Never the end: the CANCEL itself lies behind. */
        side->cancel_next = operation->owned.next;
        if (operation->tag != cancel->key)
            continue;
        cancel->found++;
        operation_give_up(operation, -ECANCELED);
    }
    return looks;
}

uint32_t cancel_step(struct pony_session *session, uint32_t most)
{
    uint32_t count = session->config.channel_count, first = session->cancel_turn;
    uint32_t looks = 0;

    for (uint32_t i = 0; i < count && looks < most; i++) {
        uint32_t index = first + i < count ? first + i : first + i - count;
        looks += step(&session->channels[index], most - looks);
        session->cancel_turn = index + 1 < count ? index + 1 : 0;
    }
    return looks;
}

void cancel_drop(struct pony_session *session)
{
    struct list *node;

    for (uint32_t i = 0; i < session->config.channel_count; i++)
        while ((node = list_first(&session->channels[i].cancels)))
            operation_free(LIST_OF(node, struct operation, node));
}
