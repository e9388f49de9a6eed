/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/ask.h"
#include "control/module.h"
#include "control/page.h"
#include "saddle_v1_pony.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_DIGITS (2 * sizeof(struct address))

_Static_assert(HEX_DIGITS < PAGE_PLACE_BYTES, "a token holds a cursor");

struct entry {
    Saddle__V1__Neighbour message;
    char address[ADDRESS_TEXT_BYTES], mac[RTE_ETHER_ADDR_FMT_SIZE];
};

struct listing {
    struct ask ask;
    const struct plant *plant;
    const char *wanted; /* a port; "": all */
    struct page page;
    struct neighbour_page found;
    struct entry *entries;
    Saddle__V1__Neighbour **list;
    uint32_t count, asks;
    Saddle__V1__Link links[PLANT_MAX], *link_list[PLANT_MAX];
    size_t link_count;
};

/* Mailbox work. */
struct errand {
    const struct plant_neighbours *neighbours;
    struct neighbour_page *page;
};

static int view(void *engine, void *argument)
{
    const struct errand *errand = argument;

    (void)engine;
    errand->neighbours->view(errand->neighbours->context, errand->page);
    return 0;
}

/* ---- Ports, in the order of their names ---- */

static bool is_wanted(const struct listing *listing, const struct plant_port *port)
{
    return !*listing->wanted || !strcmp(port->name, listing->wanted);
}

/* The next one with neighbours, by name, from `from` on or, not `here`, behind it; NULL: none. */
static const struct plant_port *next_port(const struct listing *listing, const char *from,
                                          bool here)
{
    const struct plant_port *next = NULL;

    for (uint32_t i = 0; i < listing->plant->port_count; i++) {
        const struct plant_port *port = &listing->plant->ports[i];
        int order = strcmp(port->name, from);

        if (port->neighbours.view && is_wanted(listing, port) &&
            (order > 0 || (order == 0 && here)) && (!next || strcmp(port->name, next->name) < 0))
            next = port;
    }
    return next;
}

static void show_links(struct listing *listing)
{
    for (uint32_t i = 0; i < listing->plant->port_count; i++) {
        const struct plant_port *port = &listing->plant->ports[i];
        Saddle__V1__Link *to = &listing->links[listing->link_count];

        if (!is_wanted(listing, port))
            continue;
        saddle__v1__link__init(to);
        to->port = rpc_text(port->name);
        to->owner = rpc_text(port->owner);
        to->engine = rpc_text(port->engine);
        listing->link_list[listing->link_count++] = to;
    }
}

/* ---- Cursors as texts ---- */

static int parse_cursor(const char *place, struct address *cursor)
{
    if (strlen(place) != HEX_DIGITS || strspn(place, "0123456789abcdef") != HEX_DIGITS)
        return -EINVAL;
    for (size_t i = 0; i < sizeof(cursor->bytes); i++) {
        const char digits[] = {place[2 * i], place[2 * i + 1], '\0'};

        cursor->bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return 0;
}

static void format_cursor(const struct address *cursor, char place[PAGE_PLACE_BYTES])
{
    for (size_t i = 0; i < sizeof(cursor->bytes); i++)
        snprintf(place + 2 * i, PAGE_PLACE_BYTES - 2 * i, "%02x", cursor->bytes[i]);
}

/* ---- A page ---- */

static void fill(struct entry *entry, const struct plant_port *port,
                 const struct neighbour_entry *from)
{
    static const Saddle__V1__Neighbour__State states[] = {
        [NEIGHBOUR_REACHABLE] = SADDLE__V1__NEIGHBOUR__STATE__STATE_REACHABLE,
        [NEIGHBOUR_STALE] = SADDLE__V1__NEIGHBOUR__STATE__STATE_STALE,
        [NEIGHBOUR_PENDING] = SADDLE__V1__NEIGHBOUR__STATE__STATE_PENDING,
        [NEIGHBOUR_FAILED] = SADDLE__V1__NEIGHBOUR__STATE__STATE_FAILED,
    };
    bool placed = from->state == NEIGHBOUR_REACHABLE || from->state == NEIGHBOUR_STALE;
    Saddle__V1__Neighbour *message = &entry->message;

    saddle__v1__neighbour__init(message);
    message->port = rpc_text(port->name);
    message->owner = rpc_text(port->owner);
    message->engine = rpc_text(port->engine);
    message->address = rpc_text(address_format(&from->address, entry->address));
    if (placed)
        rte_ether_format_addr(entry->mac, sizeof(entry->mac), &from->mac);
    message->mac = entry->mac;
    message->state = states[from->state];
    message->age_ns = from->age_ns;
    message->used = from->used;
}

/* 0, or a negative errno after it ended the call. */
static int ask_port(struct listing *listing, const struct plant_port *port)
{
    struct errand errand = {&port->neighbours, &listing->found};
    int engine = plant_find_engine(listing->plant, port->engine);
    int result;

    listing->asks++;
    listing->found.now = clock_now(&clock_machine);
    listing->found.most = listing->page.size - listing->count;
    if (port->neighbours.by_engine && engine >= 0)
        return ask_engine(&listing->ask, (uint32_t)engine, view, &errand, &result);
    return view(NULL, &errand);
}

static bool has_room(const struct listing *listing)
{
    return listing->count < listing->page.size && listing->asks < PAGE_ASKS_MAX;
}

/* Goes through ports as far as there is room; *port is where the next page begins, or NULL. */
static int scan_ports(struct listing *listing, const struct plant_port **port)
{
    struct neighbour_page *found = &listing->found;

    while (*port && has_room(listing)) {
        int error = ask_port(listing, *port);

        if (error)
            return error;
        for (uint32_t i = 0; i < found->count; i++) {
            struct entry *entry = &listing->entries[listing->count];

            fill(entry, *port, &found->entries[i]);
            listing->list[listing->count++] = &entry->message;
        }
        if (!found->done)
            continue;
        memset(found, 0, sizeof(*found));
        *port = next_port(listing, (*port)->name, false);
    }
    return 0;
}

static void answer_list(struct listing *listing)
{
    const struct plant_port *port = next_port(listing, listing->page.owner, true);
    Saddle__V1__ListNeighboursResponse response = SADDLE__V1__LIST_NEIGHBOURS_RESPONSE__INIT;
    char token[PAGE_TOKEN_BYTES], place[PAGE_PLACE_BYTES];
    struct address cursor = {{0}};

    if (listing->page.first) {
        show_links(listing);
    } else if (parse_cursor(listing->page.place, &cursor)) {
        page_wrong_token(listing->ask.call);
        return;
    }
    if (port && !strcmp(port->name, listing->page.owner))
        listing->found.cursor = cursor;
    if (scan_ports(listing, &port))
        return;
    format_cursor(&listing->found.cursor, place);
    page_token(token, port ? port->name : NULL, place);
    response.neighbours = listing->list;
    response.n_neighbours = listing->count;
    response.next_page_token = token;
    response.links = listing->link_list;
    response.n_links = listing->link_count;
    rpc_answer(listing->ask.call, &response.base);
}

static bool port_known(const struct plant *plant, const char *name)
{
    for (uint32_t i = 0; i < plant->port_count; i++) {
        if (!strcmp(plant->ports[i].name, name))
            return true;
    }
    return *name == '\0';
}

static void list_neighbours(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListNeighboursRequest *given = (const void *)request;
    const struct module_world *world = state;
    struct listing listing = {.plant = world->plant, .wanted = given->port};

    if (page_parse(&listing.page, call, given->page_size, given->page_token))
        return;
    if (!port_known(world->plant, given->port)) {
        rpc_end(call, RPC_NOT_FOUND, "there is no port \"%s\"", given->port);
        return;
    }
    listing.entries = calloc(listing.page.size, sizeof(listing.entries[0]));
    listing.list = calloc(listing.page.size, sizeof(listing.list[0]));
    ask_start(&listing.ask, world, call);
    if (listing.entries && listing.list)
        answer_list(&listing);
    else
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
    free(listing.entries);
    free(listing.list);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Neighbours/List",
     .request = &saddle__v1__list_neighbours_request__descriptor,
     .handle = list_neighbours},
};

const struct module module_neighbours = {
    .name = "neighbours",
    .about = "hosts on the links of ports",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
