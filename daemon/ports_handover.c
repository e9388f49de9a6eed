/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/carrier.h"
#include "daemon/port_handover.h"
#include "daemon/port_tap.h"
#include "daemon/ports_private.h"
#include "daemon/reserve.h"

#include <errno.h>
#include <string.h>

#define NAME_MAX_BYTES 128u /* SCHEMA_TEXT_BYTES */
#define PLAIN_VERSION  1u   /* of records that no driver adds to */

static const char *name_of(const struct ports *ports, uint32_t index)
{
    return config_port(ports->config, index)->name.text;
}

static void put_text(struct state_writer *state, const char *text)
{
    state_put_bytes(state, text, (uint32_t)strlen(text));
}

/* Does the text come next? */
static bool text_is(struct state_reader *state, const char *wanted)
{
    uint32_t length = 0;
    const void *text = state_get_bytes(state, NAME_MAX_BYTES, &length);

    return text && length == strlen(wanted) && !memcmp(text, wanted, length);
}

int ports_expect(const struct ports *ports, uint16_t type, uint32_t index)
{
    struct state_reader *state = &ports->parcel->state;
    uint16_t found = 0, version = 0;

    if (!state_record_next(state, &found, &version) || found != type ||
        !text_is(state, name_of(ports, index)) || state->error)
        return reason_set(ports->reason, -EBADMSG,
                          "port %s: what was handed over of it is damaged, or another port's",
                          name_of(ports, index));
    return 0;
}

static void begin(struct state_writer *state, enum ports_record type, const char *name,
                  const struct port_handover_ops *ops)
{
    state_record_begin(state, (uint16_t)type, ops ? ops->version : PLAIN_VERSION);
    put_text(state, name);
}

/* ---- The one that has them ---- */

static void offer_one(const struct ports *ports, uint32_t index, struct parcel_draft *draft)
{
    const struct port *device = ports->device[index];
    const struct port_handover_ops *ops = port_handover_of(device);

    begin(&draft->state, PORTS_RECORD_DEVICE, name_of(ports, index), ops);
    if (ops)
        ops->offer(device, draft);
    state_record_end(&draft->state);
    if (ports->tap[index]) {
        begin(&draft->state, PORTS_RECORD_TAP, name_of(ports, index), &port_tap_handover);
        port_tap_handover.offer(ports->tap[index], draft);
        state_record_end(&draft->state);
    }
    if (ports->reserve[index]) {
        begin(&draft->state, PORTS_RECORD_RESERVE, name_of(ports, index), NULL);
        reserve_offer(ports->reserve[index], draft);
        state_record_end(&draft->state);
    }
}

void ports_offer(const struct ports *ports, uint64_t which, struct parcel_draft *draft)
{
    for (uint32_t i = 0; i < ports->config->ports.count; i++) {
        if (ports_has(which, i))
            offer_one(ports, i, draft);
    }
}

void ports_leave(const struct ports *ports, uint64_t which, struct parcel_draft *draft)
{
    for (uint32_t i = 0; i < ports->config->ports.count; i++) {
        const struct port_handover_ops *ops;

        if (!ports_has(which, i))
            continue;
        ops = port_handover_of(ports->device[i]);
        if (ops) {
            begin(&draft->state, PORTS_RECORD_DEVICE_STATE, name_of(ports, i), ops);
            ops->leave(ports->device[i], &draft->state);
            state_record_end(&draft->state);
        }
        if (ports->tap[i]) {
            begin(&draft->state, PORTS_RECORD_TAP_STATE, name_of(ports, i), &port_tap_handover);
            port_tap_handover.leave(ports->tap[i], &draft->state);
            state_record_end(&draft->state);
        }
    }
}

static int resume_one(const struct ports *ports, struct port *port, uint32_t index,
                      const struct reason *reason)
{
    const struct port_handover_ops *ops = port ? port_handover_of(port) : NULL;
    char line[PORTS_LINE_BYTES];
    int error = ops ? ops->resume(port, &(struct reason){line, sizeof(line)}) : 0;

    return error ? reason_set(reason, error, "port %s: %s", name_of(ports, index), line) : 0;
}

int ports_resume(struct ports *ports, uint64_t which, const struct reason *reason)
{
    int error = 0;

    for (uint32_t i = 0; i < ports->config->ports.count; i++) {
        if (!ports_has(which, i))
            continue;
        int one = resume_one(ports, ports->device[i], i, reason);
        if (!one)
            one = resume_one(ports, ports->tap[i], i, reason);
        error = error ? error : one;
    }
    return error;
}

/* Closes what only this daemon has of it. Elements above a port that went over would destroy it as
 * well: they stay, without it. */
static void forget_one(struct ports *ports, uint32_t index)
{
    const struct port_handover_ops *ops = port_handover_of(ports->device[index]);

    if (ports->tap[index]) {
        carriers_remove(ports->carriers, ports->tap[index]);
        port_tap_handover.forget(ports->tap[index]);
    }
    ports_leave_alone(ports, index);
    if (ops)
        ops->forget(ports->device[index]);
    else
        ports->port[index]->ops->destroy(ports->port[index]);
    reserve_destroy(ports->reserve[index]);
    ports->left[index] = (struct ports_left){ops ? ports->port[index] : NULL, ports->share[index]};
    ports->port[index] = ports->device[index] = ports->tap[index] = NULL;
    ports->share[index] = NULL;
    ports->resolver[index] = NULL;
    ports->reserve[index] = NULL;
}

void ports_forget(struct ports *ports, uint64_t which)
{
    for (uint32_t i = 0; i < ports->config->ports.count; i++) {
        if (ports_has(which, i))
            forget_one(ports, i);
    }
}

/* ---- The one that is to have them ---- */

int ports_adopt(struct ports *ports, uint64_t which, struct parcel *parcel,
                const struct reason *reason)
{
    int error;

    ports->reason = reason;
    ports->parcel = parcel;
    error = ports_make_some(ports, which);
    ports->parcel = NULL;
    if (error)
        ports_end(ports, which);
    return error;
}

static int enter_one(struct ports *ports, struct port *port, uint32_t index, uint16_t type)
{
    const struct port_handover_ops *ops = port ? port_handover_of(port) : NULL;
    char line[PORTS_LINE_BYTES];
    int error;

    if (!ops)
        return 0;
    error = ports_expect(ports, type, index);
    if (error)
        return error;
    error = ops->enter(port, &ports->parcel->state, &(struct reason){line, sizeof(line)});
    return error ? reason_set(ports->reason, error, "port %s: %s", name_of(ports, index), line) : 0;
}

int ports_enter(struct ports *ports, uint64_t which, struct parcel *parcel,
                const struct reason *reason)
{
    int error = 0;

    ports->reason = reason;
    ports->parcel = parcel;
    for (uint32_t i = 0; i < ports->config->ports.count && !error; i++) {
        if (!ports_has(which, i))
            continue;
        error = enter_one(ports, ports->device[i], i, PORTS_RECORD_DEVICE_STATE);
        if (!error)
            error = enter_one(ports, ports->tap[i], i, PORTS_RECORD_TAP_STATE);
    }
    ports->parcel = NULL;
    return error;
}

static int begin_one(struct port *port)
{
    const struct port_handover_ops *ops = port ? port_handover_of(port) : NULL;

    return ops ? ops->begin(port) : 0;
}

int ports_begin(struct ports *ports, uint64_t which)
{
    int error = 0;

    for (uint32_t i = 0; i < ports->config->ports.count && !error; i++) {
        if (!ports_has(which, i))
            continue;
        error = begin_one(ports->device[i]);
        if (!error)
            error = begin_one(ports->tap[i]);
    }
    return error;
}

static void settle_one(struct port *port)
{
    const struct port_handover_ops *ops = port ? port_handover_of(port) : NULL;

    if (ops)
        ops->settle(port);
}

void ports_settle(struct ports *ports, uint64_t which)
{
    for (uint32_t i = 0; i < ports->config->ports.count; i++) {
        if (!ports_has(which, i))
            continue;
        settle_one(ports->device[i]);
        settle_one(ports->tap[i]);
    }
}
