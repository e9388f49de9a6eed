/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/pony_entry.h"

#include "control/rpc.h"
#include "engines/pony/wire.h"

#include <stdio.h>
#include <string.h>

static char *plain(char to[ENTRY_TEXT_BYTES], const char *from)
{
    uint32_t at = 0;

    for (; at < ENTRY_TEXT_BYTES - 1 && from[at]; at++)
        to[at] = (char)(from[at] < ' ' || from[at] > '~' ? '?' : from[at]);
    to[at] = '\0';
    return to;
}

static char *reason(char to[ENTRY_ERROR_BYTES], int error)
{
    to[0] = '\0';
    if (error)
        snprintf(to, ENTRY_ERROR_BYTES, "%s", strerror(-error));
    return to;
}

static char *address_text(char to[ADDRESS_TEXT_BYTES], const struct address *address)
{
    return rpc_text(address_format(address, to));
}

void entry_of_peer(void *entry, const struct view_page *page, uint32_t index, const char *engine)
{
    static const Saddle__V1__Peer__Hello hellos[] = {
        [VIEW_FLOW_NONE] = SADDLE__V1__PEER__HELLO__HELLO_NONE,
        [VIEW_FLOW_CALLING] = SADDLE__V1__PEER__HELLO__HELLO_CALLING,
        [VIEW_FLOW_OPEN] = SADDLE__V1__PEER__HELLO__HELLO_OPEN,
        [VIEW_FLOW_ENDED] = SADDLE__V1__PEER__HELLO__HELLO_NONE,
    };
    static const struct {
        uint32_t bit;
        const char *name;
    } features[ENTRY_FEATURES] = {
        {WIRE_FEATURE_ECHO, "echo"},         {WIRE_FEATURE_ONESIDED, "onesided"},
        {WIRE_FEATURE_MESSAGES, "messages"}, {WIRE_FEATURE_SIBLINGS, "siblings"},
        {WIRE_FEATURE_GRANTS, "grants"},
    };
    const struct view_peer *from = &page->peers[index];
    struct peer_entry *to = entry;
    Saddle__V1__Peer *message = &to->message;

    saddle__v1__peer__init(message);
    message->engine = rpc_text(engine);
    message->name = plain(to->name, from->name);
    message->address = address_text(to->address, &from->address);
    message->hello = hellos[from->state];
    message->version = from->version;
    message->features = to->features;
    for (uint32_t i = 0; i < ENTRY_FEATURES; i++)
        if (from->features & features[i].bit)
            to->features[message->n_features++] = rpc_text(features[i].name);
    message->flows = from->flows;
    message->round_trip_ns = from->smoothed_ns;
    message->silent_ns = from->silent_ns;
    if (from->known)
        rte_ether_format_addr(to->mac, sizeof(to->mac), &from->mac);
    message->mac = to->mac;
    message->mtu = from->mtu;
    message->way_error = reason(to->way_error, from->way_error);
    message->last_error = reason(to->last_error, from->ended_error);
    message->last_error_age_ns = from->ended_ns;
    message->configured = from->configured;
}

static void fill_flow_numbers(Saddle__V1__Flow *message, const struct view_flow *from)
{
    message->age_ns = from->age_ns;
    message->silent_ns = from->silent_ns;
    message->round_trip_ns = from->smoothed_ns;
    message->variation_ns = from->variation_ns;
    message->round_trip_min_ns = from->min_ns;
    message->rto_ns = from->rto_ns;
    message->window = from->window;
    message->base_ns = from->base_ns;
    message->target_ns = from->target_ns;
    message->pacing_ns = from->gap_ns;
    message->in_flight = from->in_flight;
    message->lost = from->lost;
    message->packets_sent = from->sent;
    message->packets_received = from->received;
    message->bytes_sent = from->bytes_sent;
    message->bytes_received = from->bytes_received;
    message->retransmissions = from->resent;
    message->fast_retransmissions = from->fast_resent;
    message->timeouts = from->timeouts;
    message->ecn_marks = from->ecn_marks;
    message->ecn_echoes = from->ecn_echoes;
    message->references = from->references;
}

void entry_of_flow(void *entry, const struct view_page *page, uint32_t index, const char *engine)
{
    static const Saddle__V1__Flow__State states[] = {
        [VIEW_FLOW_NONE] = SADDLE__V1__FLOW__STATE__STATE_UNSPECIFIED,
        [VIEW_FLOW_CALLING] = SADDLE__V1__FLOW__STATE__STATE_CALLING,
        [VIEW_FLOW_OPEN] = SADDLE__V1__FLOW__STATE__STATE_OPEN,
        [VIEW_FLOW_ENDED] = SADDLE__V1__FLOW__STATE__STATE_ENDED,
    };
    const struct view_flow *from = &page->flows[index];
    struct flow_entry *to = entry;
    Saddle__V1__Flow *message = &to->message;

    saddle__v1__flow__init(message);
    message->engine = rpc_text(engine);
    message->id = from->id;
    message->peer = plain(to->peer, from->peer);
    message->local_address = address_text(to->local, &from->local);
    message->local_port = from->local_port;
    message->address = address_text(to->address, &from->address);
    message->port = from->udp_port;
    message->state = states[from->state];
    message->answered = from->answered;
    message->version = from->version;
    message->mtu = from->mtu;
    message->congestion = plain(to->congestion, from->congestion ? from->congestion : "");
    message->error = reason(to->error, from->error);
    fill_flow_numbers(message, from);
}

static void fill_connection_numbers(Saddle__V1__Connection *message,
                                    const struct view_connection *from)
{
    message->handle = from->handle;
    message->peer_handle = from->peer_handle;
    message->session = from->session;
    message->flow = from->flow;
    message->channel = from->channel;
    message->messages_sent = from->sent;
    message->messages_received = from->received;
    message->queued = from->queued;
    message->operations = from->operations;
    message->served = from->served;
    message->credits = from->credits;
    message->credits_granted = from->promised;
    message->streams = from->streams;
    message->waiting = from->waiting;
}

void entry_of_connection(void *entry, const struct view_page *page, uint32_t index,
                         const char *engine)
{
    static const Saddle__V1__Connection__State states[] = {
        [VIEW_CONNECTION_LISTENING] = SADDLE__V1__CONNECTION__STATE__STATE_LISTENING,
        [VIEW_CONNECTION_OPENING] = SADDLE__V1__CONNECTION__STATE__STATE_OPENING,
        [VIEW_CONNECTION_INCOMING] = SADDLE__V1__CONNECTION__STATE__STATE_INCOMING,
        [VIEW_CONNECTION_OPEN] = SADDLE__V1__CONNECTION__STATE__STATE_OPEN,
        [VIEW_CONNECTION_REFUSING] = SADDLE__V1__CONNECTION__STATE__STATE_REFUSING,
        [VIEW_CONNECTION_CLOSING] = SADDLE__V1__CONNECTION__STATE__STATE_CLOSING,
        [VIEW_CONNECTION_LEAVING] = SADDLE__V1__CONNECTION__STATE__STATE_LEAVING,
        [VIEW_CONNECTION_DEAD] = SADDLE__V1__CONNECTION__STATE__STATE_DEAD,
    };
    const struct view_connection *from = &page->connections[index];
    struct connection_entry *to = entry;
    Saddle__V1__Connection *message = &to->message;

    saddle__v1__connection__init(message);
    message->engine = rpc_text(engine);
    message->application = plain(to->application, from->application);
    message->service = plain(to->service, from->service);
    message->peer = plain(to->peer, from->peer);
    if (from->has_flow)
        message->address = address_text(to->address, &from->address);
    message->state = states[from->state];
    message->error = reason(to->error, from->error);
    fill_connection_numbers(message, from);
}

void entry_of_region(void *entry, const struct view_page *page, uint32_t index, const char *engine)
{
    const struct view_region *from = &page->regions[index];
    struct region_entry *to = entry;
    Saddle__V1__Region *message = &to->message;

    saddle__v1__region__init(message);
    message->engine = rpc_text(engine);
    message->id = from->id;
    message->session = from->session;
    message->application = plain(to->application, from->application);
    message->length = from->length;
    message->rights = to->rights;
    if (from->rights & SADDLE_RIGHT_READ)
        to->rights[message->n_rights++] = rpc_text("read");
    if (from->rights & SADDLE_RIGHT_WRITE)
        to->rights[message->n_rights++] = rpc_text("write");
    if (from->rights & SADDLE_RIGHT_ATOMIC)
        to->rights[message->n_rights++] = rpc_text("atomic");
    message->reads = from->reads;
    message->writes = from->writes;
    message->bytes = from->bytes;
}
