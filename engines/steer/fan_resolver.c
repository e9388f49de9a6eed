/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/steer/fan_resolver.h"

#include "mailbox/doorbell.h"

#include <assert.h>
#include <errno.h>
#include <rte_common.h>
#include <rte_errno.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define WISHES_A_RUN  16u  /* of one member */
#define ANSWERS_A_RUN 16u  /* addresses; also answers that a member takes at a time */
#define ANSWERS_MAX   256u /* on their way to a member; a power of two */

struct wish {
    struct address address;
    uint32_t wanted; /* 0: dropped */
};

/* An address that members want. */
struct asked {
    struct address_node node; /* first */
    union {
        struct asked *free_next;
        TAILQ_ENTRY(asked) due_entry;
    };
    struct hop hop;
    uint32_t wanted, due; /* sets of 1 << member: who wants it, and who is to be told */
    bool known;           /* `hop` has been answered */
};

struct line {
    struct resolver face; /* first: what the engine holds */
    struct fan_bell steer, member;
    struct rte_ring *wishes;  /* struct wish, from the engine */
    struct rte_ring *answers; /* struct hop, to the engine */
    uint32_t hops_max;
};

struct fan_resolver {
    struct resolver *below;
    struct address_map map;
    struct asked *asked, *free_asked;
    TAILQ_HEAD(, asked) due; /* with a member to be told */
    uint32_t members;
    struct line lines[FAN_RESOLVER_MEMBERS];
};

/* DPDK's rings hold whole words. */
static_assert(sizeof(struct wish) % sizeof(uint32_t) == 0, "a wish is whole words");
static_assert(sizeof(struct hop) % sizeof(uint32_t) == 0, "an answer is whole words");

static void ring(const struct fan_bell *bell)
{
    if (doorbell_due(bell->armed))
        doorbell_ring_engine(bell->fd);
}

/* ---- A member's side ---- */

/* A wish leaves room for as many drops as there can be addresses: a drop cannot fail. */
static int want(struct resolver *face, const struct address *address)
{
    const struct line *line = (const struct line *)face;
    struct wish wish = {.address = *address, .wanted = 1};

    if (rte_ring_count(line->wishes) >= line->hops_max ||
        rte_ring_sp_enqueue_elem(line->wishes, &wish, sizeof(wish)))
        return -EAGAIN;
    ring(&line->steer);
    return 0;
}

static void drop(struct resolver *face, const struct address *address)
{
    const struct line *line = (const struct line *)face;
    struct wish wish = {.address = *address, .wanted = 0};

    rte_ring_sp_enqueue_elem(line->wishes, &wish, sizeof(wish));
    ring(&line->steer);
}

static const struct resolver_ops ops = {.want = want, .drop = drop};

struct resolver *fan_resolver_face(struct fan_resolver *self, uint32_t member)
{
    return &self->lines[member].face;
}

void fan_resolver_take(struct fan_resolver *self, uint32_t member)
{
    struct line *line = &self->lines[member];
    uint32_t taken = 0;
    struct hop hop;

    for (; taken < ANSWERS_A_RUN; taken++) {
        if (rte_ring_sc_dequeue_elem(line->answers, &hop, sizeof(hop)))
            break;
        if (line->face.answer)
            line->face.answer(line->face.context, &hop);
    }
    /* The steering engine may sleep on more, if it found no room before this. */
    if (taken > 0)
        ring(&line->steer);
}

bool fan_resolver_waits(const struct fan_resolver *self, uint32_t member)
{
    return !rte_ring_empty(self->lines[member].answers);
}

/* ---- The steering engine's side ---- */

static void make_due(struct fan_resolver *self, struct asked *asked, uint32_t members)
{
    if (!asked->due && members)
        TAILQ_INSERT_TAIL(&self->due, asked, due_entry);
    asked->due |= members;
}

static void forget_due(struct fan_resolver *self, struct asked *asked, uint32_t members)
{
    if (asked->due && !(asked->due & ~members))
        TAILQ_REMOVE(&self->due, asked, due_entry);
    asked->due &= ~members;
}

static void take_answer(void *context, const struct hop *hop)
{
    struct fan_resolver *self = context;
    struct asked *asked = (struct asked *)address_map_find(&self->map, &hop->address);

    if (!asked)
        return;
    asked->hop = *hop;
    asked->known = true;
    make_due(self, asked, asked->wanted);
}

/* There are as many as all members may want. */
static struct asked *take_place(struct fan_resolver *self, const struct address *address)
{
    struct asked *asked = self->free_asked;

    if (!asked)
        return NULL;
    self->free_asked = asked->free_next;
    *asked = (struct asked){.node.address = *address};
    address_map_add(&self->map, &asked->node);
    return asked;
}

/* Whoever asks again for one that failed has it asked for again. */
static void fulfil_want(struct fan_resolver *self, const struct address *address, uint32_t member)
{
    struct asked *asked = (struct asked *)address_map_find(&self->map, address);

    if (!asked)
        asked = take_place(self, address);
    if (!asked)
        return;
    asked->wanted |= member;
    if (asked->known && asked->hop.error == 0) {
        make_due(self, asked, member);
    } else if (self->below->ops->want(self->below, address)) {
        asked->hop = (struct hop){.address = *address, .error = -EHOSTDOWN};
        make_due(self, asked, member);
    }
}

static void fulfil_drop(struct fan_resolver *self, const struct address *address, uint32_t member)
{
    struct asked *asked = (struct asked *)address_map_find(&self->map, address);

    if (!asked)
        return;
    forget_due(self, asked, member);
    asked->wanted &= ~member;
    if (asked->wanted)
        return;
    self->below->ops->drop(self->below, address);
    address_map_remove(&self->map, &asked->node);
    asked->free_next = self->free_asked;
    self->free_asked = asked;
}

static uint32_t take_wishes(struct fan_resolver *self, uint32_t index)
{
    uint32_t taken = 0;
    struct wish wish;

    for (; taken < WISHES_A_RUN; taken++) {
        if (rte_ring_sc_dequeue_elem(self->lines[index].wishes, &wish, sizeof(wish)))
            break;
        if (wish.wanted)
            fulfil_want(self, &wish.address, 1u << index);
        else
            fulfil_drop(self, &wish.address, 1u << index);
    }
    return taken;
}

/* Tells all that are to be told of an address and have room; returns who was. */
static uint32_t tell(struct fan_resolver *self, struct asked *asked)
{
    uint32_t told = 0;

    for (uint32_t i = 0; i < self->members; i++) {
        struct line *line = &self->lines[i];

        if ((asked->due & 1u << i) &&
            rte_ring_sp_enqueue_elem(line->answers, &asked->hop, sizeof(asked->hop)) == 0)
            told |= 1u << i;
    }
    return told;
}

static uint32_t tell_due(struct fan_resolver *self)
{
    struct asked *asked = TAILQ_FIRST(&self->due);
    uint32_t told = 0, count = 0;

    for (uint32_t i = 0; asked && i < ANSWERS_A_RUN; i++) {
        struct asked *next = TAILQ_NEXT(asked, due_entry);
        uint32_t now = tell(self, asked);

        told |= now;
        count += now != 0;
        /* Those that are full are not in the way of others. */
        TAILQ_REMOVE(&self->due, asked, due_entry);
        asked->due &= ~now;
        if (asked->due)
            TAILQ_INSERT_TAIL(&self->due, asked, due_entry);
        asked = next;
    }
    for (uint32_t i = 0; i < self->members; i++) {
        if (told & 1u << i)
            ring(&self->lines[i].member);
    }
    return count;
}

uint32_t fan_resolver_work(struct fan_resolver *self)
{
    uint32_t work = 0;

    for (uint32_t i = 0; i < self->members; i++)
        work += take_wishes(self, i);
    return work + tell_due(self);
}

bool fan_resolver_pending(const struct fan_resolver *self)
{
    const struct asked *asked = TAILQ_FIRST(&self->due);
    uint32_t room = 0;

    for (uint32_t i = 0; i < self->members; i++) {
        if (!rte_ring_empty(self->lines[i].wishes))
            return true;
        room |= (uint32_t)!rte_ring_full(self->lines[i].answers) << i;
    }
    /* A member that has no room rings once it has. */
    while (asked && !(asked->due & room))
        asked = TAILQ_NEXT(asked, due_entry);
    return asked != NULL;
}

/* ---- Their life ---- */

static int make_ring(struct rte_ring **made, const struct fan_resolver *self, uint32_t index,
                     char way, unsigned int bytes, uint32_t count)
{
    char name[RTE_RING_NAMESIZE];

    snprintf(name, sizeof(name), "resolver%p.%u.%c", (const void *)self, index, way);
    *made = rte_ring_create_elem(name, bytes, rte_align32pow2(count + 1), SOCKET_ID_ANY,
                                 RING_F_SP_ENQ | RING_F_SC_DEQ);
    return *made ? 0 : -rte_errno;
}

static int make_line(struct fan_resolver *self, uint32_t index,
                     const struct fan_resolver_config *config)
{
    struct line *line = &self->lines[index];
    int error;

    line->face.ops = &ops;
    line->steer = config->steer[index];
    line->member = config->member[index];
    line->hops_max = config->hops_max;
    error = make_ring(&line->wishes, self, index, 'w', sizeof(struct wish), 2 * config->hops_max);
    return error ? error
                 : make_ring(&line->answers, self, index, 'a', sizeof(struct hop), ANSWERS_MAX - 1);
}

int fan_resolver_create(struct fan_resolver **resolver, const struct fan_resolver_config *config)
{
    uint32_t places = config->members * config->hops_max;
    struct fan_resolver *self = calloc(1, sizeof(*self));
    int error;

    if (!self)
        return -ENOMEM;
    TAILQ_INIT(&self->due);
    self->members = config->members;
    self->below = config->below;
    self->asked = calloc(places, sizeof(self->asked[0]));
    error = self->asked ? address_map_init(&self->map, places, config->key) : -ENOMEM;
    for (uint32_t i = 0; i < config->members && !error; i++)
        error = make_line(self, i, config);
    if (error) {
        fan_resolver_destroy(self);
        return error;
    }
    for (uint32_t i = places; i > 0; i--) {
        self->asked[i - 1].free_next = self->free_asked;
        self->free_asked = &self->asked[i - 1];
    }
    self->below->answer = take_answer;
    self->below->context = self;
    *resolver = self;
    return 0;
}

void fan_resolver_destroy(struct fan_resolver *self)
{
    if (!self)
        return;
    for (uint32_t i = 0; i < self->members; i++) {
        rte_ring_free(self->lines[i].wishes);
        rte_ring_free(self->lines[i].answers);
    }
    address_map_fini(&self->map);
    free(self->asked);
    free(self);
}
