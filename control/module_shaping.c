/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/module.h"
#include "control/page.h"
#include "engines/shaper/shaper.h"
#include "saddle_v1_shaping.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BITS    8u
#define DECIMAL 10

struct entry {
    Saddle__V1__ShapingClass message;
    struct tree_view view; /* whose texts the message has */
};

struct listing {
    const struct plant *plant;
    const char *wanted; /* engine; "": all */
    struct page page;
    struct entry *entries;
    Saddle__V1__ShapingClass **list;
    uint32_t count;
};

/* The next shaper by name, from `from` on or, not `here`, behind it; NULL: none. */
static const struct engine *next_engine(const struct listing *listing, const char *from, bool here)
{
    const struct engine *next = NULL;

    for (uint32_t i = 0; i < listing->plant->engine_count; i++) {
        const struct engine *engine = listing->plant->engines[i].engine;
        int order = strcmp(engine->name, from);

        if (shaper_shaping(engine) && (order > 0 || (order == 0 && here)) &&
            (!*listing->wanted || !strcmp(engine->name, listing->wanted)) &&
            (!next || strcmp(engine->name, next->name) < 0))
            next = engine;
    }
    return next;
}

static void fill(struct entry *entry, const struct engine *engine, uint16_t place)
{
    const struct tree *tree = shaping_tree(shaper_shaping(engine));
    Saddle__V1__ShapingClass *to = &entry->message;
    struct tree_view *from = &entry->view;

    tree_view(tree, place, from);
    saddle__v1__shaping_class__init(to);
    to->engine = rpc_text(engine->name);
    to->name = from->class.name;
    to->parent = from->class.parent;
    to->level = from->level;
    to->rate = from->class.rate * BITS;
    to->burst = from->class.rate ? from->class.burst : 0;
    to->priority = from->class.priority;
    to->weight = from->class.weight;
    to->packets = from->packets;
    to->bytes = from->bytes;
    to->queued = from->queued;
    to->queue_max = from->quota;
    to->delayed_ns = from->delayed_ns;
    to->tokens = from->tokens;
    to->exhausted = from->shut;
}

/* Goes through shapers as far as there is room; *engine and *place are where the next page begins.
 */
static void scan(struct listing *listing, const struct engine **engine, uint32_t *place)
{
    while (*engine && listing->count < listing->page.size) {
        if (*place >= tree_places(shaping_tree(shaper_shaping(*engine)))) {
            *engine = next_engine(listing, (*engine)->name, false);
            *place = 0;
            continue;
        }
        fill(&listing->entries[listing->count], *engine, (uint16_t)*place);
        listing->list[listing->count] = &listing->entries[listing->count].message;
        listing->count++;
        ++*place;
    }
}

static int parse_place(const char *text, uint32_t *place)
{
    char *end;
    unsigned long number = strtoul(text, &end, DECIMAL);

    if (text[0] < '0' || text[0] > '9' || *end || number >= SHAPE_PLACES_MAX)
        return -EINVAL;
    *place = (uint32_t)number;
    return 0;
}

static void answer_list(struct listing *listing, struct rpc_call *call)
{
    const struct engine *engine = next_engine(listing, listing->page.owner, true);
    Saddle__V1__ListClassesResponse response = SADDLE__V1__LIST_CLASSES_RESPONSE__INIT;
    char token[PAGE_TOKEN_BYTES], text[PAGE_PLACE_BYTES];
    uint32_t place = 0;

    if (!listing->page.first && parse_place(listing->page.place, &place)) {
        page_wrong_token(call);
        return;
    }
    if (engine && strcmp(engine->name, listing->page.owner) != 0)
        place = 0;
    scan(listing, &engine, &place);
    snprintf(text, sizeof(text), "%u", place);
    page_token(token, engine ? engine->name : NULL, text);
    response.classes = listing->list;
    response.n_classes = listing->count;
    response.next_page_token = token;
    rpc_answer(call, &response.base);
}

/* False after it ended the call; "" is any engine. */
static bool check_engine(const struct module_world *world, struct rpc_call *call, const char *name)
{
    int index = *name ? plant_find_engine(world->plant, name) : 0;

    if (index < 0)
        rpc_end(call, RPC_NOT_FOUND, "there is no engine \"%s\"", name);
    else if (*name && !shaper_shaping(world->plant->engines[index].engine))
        rpc_end(call, RPC_FAILED_PRECONDITION, "engine %s is of kind %s, not " SHAPER_KIND, name,
                world->plant->engines[index].engine->ops->kind);
    else
        return true;
    return false;
}

static void list_classes(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__ListClassesRequest *given = (const void *)request;
    const struct module_world *world = state;
    struct listing listing = {.plant = world->plant, .wanted = given->engine};

    if (page_parse(&listing.page, call, given->page_size, given->page_token) ||
        !check_engine(world, call, given->engine))
        return;
    listing.entries = calloc(listing.page.size, sizeof(listing.entries[0]));
    listing.list = calloc(listing.page.size, sizeof(listing.list[0]));
    if (listing.entries && listing.list)
        answer_list(&listing, call);
    else
        rpc_end(call, RPC_RESOURCE_EXHAUSTED, "out of memory");
    free(listing.entries);
    free(listing.list);
}

static void set_class(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__SetClassRequest *wanted = (const void *)request;
    Saddle__V1__SetClassResponse response = SADDLE__V1__SET_CLASS_RESPONSE__INIT;
    const struct steward_edit edit = {
        .kind = STEWARD_SET_CLASS,
        .name = wanted->engine,
        .text = wanted->class_,
    };

    if (check_engine(state, call, wanted->engine) && module_edit(state, call, &edit))
        rpc_answer(call, &response.base);
}

static void remove_class(void *state, struct rpc_call *call, const ProtobufCMessage *request)
{
    const Saddle__V1__RemoveClassRequest *wanted = (const void *)request;
    Saddle__V1__RemoveClassResponse response = SADDLE__V1__REMOVE_CLASS_RESPONSE__INIT;
    const struct steward_edit edit = {
        .kind = STEWARD_REMOVE_CLASS,
        .name = wanted->engine,
        .class = wanted->class_,
    };

    if (check_engine(state, call, wanted->engine) && module_edit(state, call, &edit))
        rpc_answer(call, &response.base);
}

static const struct rpc_method methods[] = {
    {.name = "saddle.v1.Shaping/ListClasses",
     .request = &saddle__v1__list_classes_request__descriptor,
     .handle = list_classes},
    {.name = "saddle.v1.Shaping/SetClass",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__set_class_request__descriptor,
     .handle = set_class},
    {.name = "saddle.v1.Shaping/RemoveClass",
     .role = LINK_ROLE_OPERATE,
     .request = &saddle__v1__remove_class_request__descriptor,
     .handle = remove_class},
};

const struct module module_shaping = {
    .name = "shaping",
    .about = "in which order and how fast packets leave",
    .methods = methods,
    .method_count = sizeof(methods) / sizeof(methods[0]),
};
