/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/pony/view.h"

#include "engines/pony/connection.h"
#include "engines/pony/region.h"
#include "engines/pony/service.h"

#include <string.h>

#define REGION_ID_MASK UINT32_MAX /* of a key: what is not random */

static bool session_wanted(const struct pony_session *session, const struct view_scan *scan)
{
    return !scan->session || (session && session->config.id == scan->session);
}

/* ---- Connections and listeners ---- */

static enum view_connection_state state_of(const struct connection *connection)
{
    switch (connection->state) {
    case CONNECTION_OPENING:
        return VIEW_CONNECTION_OPENING;
    case CONNECTION_INCOMING:
        return VIEW_CONNECTION_INCOMING;
    case CONNECTION_OPEN:
        return connection->closing ? VIEW_CONNECTION_CLOSING : VIEW_CONNECTION_OPEN;
    case CONNECTION_REFUSING:
        return VIEW_CONNECTION_REFUSING;
    case CONNECTION_CLOSING:
        return VIEW_CONNECTION_CLOSING;
    case CONNECTION_LEAVING:
        return VIEW_CONNECTION_LEAVING;
    default:
        return VIEW_CONNECTION_DEAD;
    }
}

static void view_way(const struct connection *connection, struct view_connection *to)
{
    const struct flow *flow = connection->path ? connection->path->flow : NULL;

    if (!flow)
        return;
    to->has_flow = true;
    to->flow = flow_id(flow);
    to->address = *flow_peer(flow);
    strncpy(to->peer, flow_peer_name(flow), sizeof(to->peer) - 1);
}

static void view_connection(const struct connection *connection, struct view_connection *to)
{
    const struct pony_session *session = connection->session;

    *to = (struct view_connection){
        .handle = connection->number,
        .peer_handle = connection->peer,
        .session = session ? session->config.id : 0,
        .state = state_of(connection),
        .channel = connection->channel,
        .sent = connection->credits_used - connection->upper->credit_first,
        .received = connection->credits_consumed - connection->upper->credit_first,
        .queued = connection->unanswered,
        .operations = connection->issued_count,
        .served = connection->served_count,
        .credits = connection->credits_allowed - connection->credits_used,
        .promised = connection->credits_granted - connection->credits_consumed,
        .streams = connection->stream_count,
        .error = connection->error,
    };
    if (session)
        memcpy(to->application, session->config.application, sizeof(to->application));
    memcpy(to->service, names_text(&connection->upper->names, connection->name),
           strlen(names_text(&connection->upper->names, connection->name)));
    view_way(connection, to);
}

static void view_listener(const struct service *service, struct view_connection *to)
{
    *to = (struct view_connection){
        .handle = service->number,
        .session = service->session->config.id,
        .state = VIEW_CONNECTION_LISTENING,
        .channel = service->channel,
        .waiting = service->waiting,
    };
    memcpy(to->application, service->session->config.application, sizeof(to->application));
    memcpy(to->service, service->name, sizeof(to->service));
}

static bool connection_wanted(const struct connection *connection, const struct view_scan *scan)
{
    if (connection->state == CONNECTION_FREE || !session_wanted(connection->session, scan))
        return false;
    if (scan->by_id && connection->number != scan->id)
        return false;
    return !scan->of_peer ||
           (connection->path && address_equal(flow_peer(connection->path->flow), &scan->peer));
}

/* Listeners have no peer. */
static bool listener_wanted(const struct service *service, const struct view_scan *scan)
{
    return service->session && session_wanted(service->session, scan) && !scan->of_peer &&
           (!scan->by_id || service->number == scan->id);
}

/* One place: connections lie below HANDLE_LISTENERS, listeners from there on. */
static void look_at(const struct upper *upper, uint32_t place, struct view_scan *scan,
                    struct view_connection connections[VIEW_ENTRIES])
{
    if (place < HANDLE_LISTENERS) {
        const struct connection *connection = &upper->connections[place];

        if (connection_wanted(connection, scan))
            view_connection(connection, &connections[scan->count++]);
    } else {
        const struct service *service = &upper->services[place - HANDLE_LISTENERS];

        if (listener_wanted(service, scan))
            view_listener(service, &connections[scan->count++]);
    }
}

void view_connections(const struct upper *upper, struct view_scan *scan,
                      struct view_connection connections[VIEW_ENTRIES])
{
    uint32_t end = HANDLE_LISTENERS + UPPER_LISTENERS, looked = 0;

    scan->count = 0;
    if (scan->by_id) {
        scan->position = scan->id & HANDLE_INDEX_MASK;
        end = scan->position < end ? scan->position + 1 : end;
    }
    while (view_goes_on(scan, &looked, end)) {
        if (scan->position >= upper->connections_max && scan->position < HANDLE_LISTENERS) {
            scan->position = HANDLE_LISTENERS;
            continue;
        }
        look_at(upper, scan->position++, scan, connections);
    }
    if (scan->by_id || scan->position >= end)
        scan->position = VIEW_END;
}

/* ---- Regions ---- */

static void view_region(const struct region *region, struct view_region *to)
{
    *to = (struct view_region){
        .session = region->session->config.id,
        .id = (uint32_t)(region->key & REGION_ID_MASK),
        .length = region->len,
        .rights = region->rights,
        .reads = region->reads,
        .writes = region->writes,
        .bytes = region->bytes,
    };
    memcpy(to->application, region->session->config.application, sizeof(to->application));
}

static bool region_wanted(const struct region *region, const struct view_scan *scan)
{
    return region->session && session_wanted(region->session, scan) &&
           (!scan->by_id || (uint32_t)(region->key & REGION_ID_MASK) == scan->id);
}

void view_regions(const struct upper *upper, struct view_scan *scan,
                  struct view_region regions[VIEW_ENTRIES])
{
    uint32_t end = upper->regions_max, looked = 0;

    scan->count = 0;
    if (scan->by_id) {
        scan->position = scan->id & REGION_INDEX_MASK;
        end = scan->position < end ? scan->position + 1 : end;
    }
    while (view_goes_on(scan, &looked, end)) {
        const struct region *region = &upper->regions[scan->position++];

        if (region_wanted(region, scan))
            view_region(region, &regions[scan->count++]);
    }
    if (scan->position >= end)
        scan->position = VIEW_END;
}
