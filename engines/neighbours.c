/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/neighbours.h"

#include "engines/wheel.h"
#include "sched/clock.h"

#include <errno.h>
#include <rte_common.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define WANTS_DEFAULT 8192u /* above what an engine with the largest tables wants */
#define TRIES_DEFAULT 3u    /* RFC 4861 section 10 */
#define RETRY_NS      NSEC_PER_SEC
#define REACHABLE_NS  (30 * NSEC_PER_SEC)
#define NEGATIVE_NS   (3 * NSEC_PER_SEC)
#define CLAIM_NS      NSEC_PER_SEC /* claims about one neighbour make us ask this often */
#define ASKS_PER_MS   8u           /* so that many wants do not flood the link */
#define ASK_LATER_NS  NSEC_PER_MSEC
#define ANSWERS_A_RUN 64u
#define TIMERS_A_RUN  64u

enum state {
    STATE_IDLE,    /* was given up some time ago, or never asked */
    STATE_ASKED,   /* also while a known one is asked again */
    STATE_KNOWN,   /* believed */
    STATE_GIVEN_UP /* no use to ask */
};

struct neighbour {
    struct address_node node; /* first */
    struct neighbours *all;
    struct address source;
    struct rte_ether_addr mac; /* if known */
    uint8_t state;             /* enum state */
    bool known;                /* there is a link-layer address; it is used while asked again */
    uint32_t sent;             /* questions since it was last known */
    uint64_t claim_ns;         /* of the last claim that made us ask */
    uint64_t since_ns;         /* when it came into its state, or was confirmed */
    struct wheel_timer timer;
    LIST_HEAD(, want) wants;
    TAILQ_ENTRY(neighbour) spare_entry; /* while nobody wants it */
};

struct want {
    struct address_node node;    /* first */
    struct neighbour *neighbour; /* NULL: there is no way */
    bool due;
    LIST_ENTRY(want) neighbour_entry;
    TAILQ_ENTRY(want) due_entry;
    struct want *free_next;
};

struct neighbours {
    struct resolver resolver; /* first */
    struct neighbours_config config;
    struct neighbours_stats stats;
    struct wheel wheel;
    uint64_t now;
    uint64_t ask_ms; /* the millisecond of `asks` */
    uint32_t asks;
    struct address_map neighbour_map, want_map;
    struct neighbour *neighbours; /* as many as wants: each may need its own */
    uint32_t used;                /* of them, ever */
    struct want *wants, *free_wants;
    TAILQ_HEAD(, neighbour) spare; /* known, asked or given up, but not wanted; oldest first */
    TAILQ_HEAD(, want) due;        /* to be answered */
};

static void count(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/* ---- Answers ---- */

static void make_due(struct neighbours *all, struct want *want)
{
    if (want->due)
        return;
    want->due = true;
    TAILQ_INSERT_TAIL(&all->due, want, due_entry);
}

static void tell_all(struct neighbour *neighbour)
{
    struct want *want;

    LIST_FOREACH(want, &neighbour->wants, neighbour_entry)
    make_due(neighbour->all, want);
}

static void answer(struct neighbours *all, const struct want *want)
{
    const struct neighbour *neighbour = want->neighbour;
    struct hop hop = {.address = want->node.address};

    if (!neighbour)
        hop.error = -ENETUNREACH;
    else if (neighbour->known)
        hop.mac = neighbour->mac;
    else if (neighbour->state == STATE_GIVEN_UP)
        hop.error = -EHOSTDOWN;
    else
        return;
    all->resolver.answer(all->resolver.context, &hop);
}

/* The engine may want and drop in between. */
static void answer_due(struct neighbours *all)
{
    struct want *want;

    for (uint32_t i = 0; i < ANSWERS_A_RUN && (want = TAILQ_FIRST(&all->due)); i++) {
        TAILQ_REMOVE(&all->due, want, due_entry);
        want->due = false;
        answer(all, want);
    }
}

/* ---- Asking ---- */

static void start_asking(struct neighbour *neighbour)
{
    neighbour->state = STATE_ASKED;
    neighbour->since_ns = neighbour->all->now;
    neighbour->sent = 0;
    wheel_set(&neighbour->all->wheel, &neighbour->timer, neighbour->all->now);
}

static void believe(struct neighbour *neighbour, const struct rte_ether_addr *mac)
{
    struct neighbours *all = neighbour->all;
    bool moved = neighbour->known && !rte_is_same_ether_addr(&neighbour->mac, mac);
    bool news = moved || !neighbour->known;

    if (moved)
        count(&all->stats.moved);
    if (!neighbour->known)
        count(&all->stats.resolved);
    neighbour->mac = *mac;
    neighbour->known = true;
    neighbour->state = STATE_KNOWN;
    neighbour->since_ns = all->now;
    wheel_set(&all->wheel, &neighbour->timer, all->now + all->config.reachable_ns);
    if (news)
        tell_all(neighbour);
}

static void give_up(struct neighbour *neighbour)
{
    struct neighbours *all = neighbour->all;

    count(&all->stats.failed);
    neighbour->known = false;
    neighbour->state = STATE_GIVEN_UP;
    neighbour->since_ns = all->now;
    wheel_set(&all->wheel, &neighbour->timer, all->now + all->config.negative_ns);
    tell_all(neighbour);
}

static bool may_ask(struct neighbours *all)
{
    if (all->ask_ms != all->now / NSEC_PER_MSEC) {
        all->ask_ms = all->now / NSEC_PER_MSEC;
        all->asks = 0;
    }
    return all->asks++ < ASKS_PER_MS;
}

/* First where it was last, then everywhere. */
static void ask(struct neighbour *neighbour)
{
    struct neighbours *all = neighbour->all;
    uint32_t tries = all->config.tries;

    if (neighbour->sent == (neighbour->known ? 2 * tries : tries)) {
        give_up(neighbour);
        return;
    }
    if (!may_ask(all)) {
        wheel_set(&all->wheel, &neighbour->timer, all->now + ASK_LATER_NS);
        return;
    }
    all->config.ask(all->config.context, &neighbour->node.address, &neighbour->source,
                    neighbour->known && neighbour->sent < tries ? &neighbour->mac : NULL);
    count(&all->stats.asked);
    neighbour->sent++;
    wheel_set(&all->wheel, &neighbour->timer, all->now + all->config.retry_ns);
}

static void timer_fire(struct wheel_timer *timer, uint64_t now)
{
    struct neighbour *neighbour = container_of(timer, struct neighbour, timer);
    bool wanted = !LIST_EMPTY(&neighbour->wants);

    (void)now;
    if (wanted && neighbour->state == STATE_ASKED) {
        ask(neighbour);
    } else if (wanted && neighbour->state == STATE_KNOWN) {
        start_asking(neighbour);
    } else {
        neighbour->state = STATE_IDLE;
        neighbour->known = false;
    }
}

void neighbours_heard(struct neighbours *all, const struct address *address,
                      const struct rte_ether_addr *mac, enum neighbours_news news, bool override,
                      uint64_t now)
{
    struct neighbour *neighbour =
        (struct neighbour *)address_map_find(&all->neighbour_map, address);
    bool asked, other;

    if (!neighbour)
        return;
    all->now = RTE_MAX(all->now, now);
    asked = neighbour->state == STATE_ASKED;
    other = mac && neighbour->known && !rte_is_same_ether_addr(&neighbour->mac, mac);
    if (asked && news == NEIGHBOURS_ANSWER && !mac && neighbour->known)
        believe(neighbour, &neighbour->mac);
    else if (asked && news == NEIGHBOURS_ANSWER && mac && (!other || override))
        believe(neighbour, mac);
    else if (asked && news == NEIGHBOURS_CALL && mac && !neighbour->known)
        believe(neighbour, mac);
    else if (neighbour->state == STATE_KNOWN && other &&
             all->now - neighbour->claim_ns >= CLAIM_NS) {
        neighbour->claim_ns = all->now;
        count(&all->stats.claims);
        start_asking(neighbour);
    }
}

/* ---- The resolver ---- */

/* A place in the table: a fresh one, or that of a neighbour which nobody has wanted for longest.
 * There are as many as wants, so one of the two exists. */
static struct neighbour *take_place(struct neighbours *all)
{
    struct neighbour *neighbour;

    if (all->used < all->config.wants_max)
        return &all->neighbours[all->used++];
    neighbour = TAILQ_FIRST(&all->spare);
    TAILQ_REMOVE(&all->spare, neighbour, spare_entry);
    wheel_cancel(&all->wheel, &neighbour->timer);
    address_map_remove(&all->neighbour_map, &neighbour->node);
    return neighbour;
}

static struct neighbour *neighbour_for(struct neighbours *all, const struct address *address,
                                       const struct address *source)
{
    struct neighbour *neighbour =
        (struct neighbour *)address_map_find(&all->neighbour_map, address);

    if (neighbour) {
        if (LIST_EMPTY(&neighbour->wants))
            TAILQ_REMOVE(&all->spare, neighbour, spare_entry);
        return neighbour;
    }
    neighbour = take_place(all);
    *neighbour = (struct neighbour){.node.address = *address, .all = all, .source = *source};
    wheel_timer_init(&neighbour->timer, timer_fire);
    address_map_add(&all->neighbour_map, &neighbour->node);
    return neighbour;
}

static struct want *take_want(struct neighbours *all, const struct address *address)
{
    struct want *want = all->free_wants;
    struct address hop, source;

    if (!want)
        return NULL;
    all->free_wants = want->free_next;
    *want = (struct want){.node.address = *address};
    address_map_add(&all->want_map, &want->node);
    if (subnets_next_hop(&all->config.subnets, address, &hop, &source) == 0) {
        want->neighbour = neighbour_for(all, &hop, &source);
        LIST_INSERT_HEAD(&want->neighbour->wants, want, neighbour_entry);
    }
    return want;
}

static int neighbours_want(struct resolver *resolver, const struct address *address)
{
    struct neighbours *all = (struct neighbours *)resolver;
    struct want *want = (struct want *)address_map_find(&all->want_map, address);

    if (!want)
        want = take_want(all, address);
    if (!want)
        return -EAGAIN;
    if (want->neighbour && want->neighbour->state == STATE_IDLE)
        start_asking(want->neighbour);
    make_due(all, want);
    return 0;
}

static void neighbours_drop(struct resolver *resolver, const struct address *address)
{
    struct neighbours *all = (struct neighbours *)resolver;
    struct want *want = (struct want *)address_map_find(&all->want_map, address);

    if (!want)
        return;
    if (want->due)
        TAILQ_REMOVE(&all->due, want, due_entry);
    if (want->neighbour) {
        LIST_REMOVE(want, neighbour_entry);
        if (LIST_EMPTY(&want->neighbour->wants))
            TAILQ_INSERT_TAIL(&all->spare, want->neighbour, spare_entry);
    }
    address_map_remove(&all->want_map, &want->node);
    want->free_next = all->free_wants;
    all->free_wants = want;
}

static const struct resolver_ops neighbours_ops = {
    .want = neighbours_want,
    .drop = neighbours_drop,
};

/* ---- Life ---- */

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value != 0 ? value : otherwise;
}

static int allocate(struct neighbours *all)
{
    struct neighbours_config *config = &all->config;

    all->neighbours = calloc(config->wants_max, sizeof(struct neighbour));
    all->wants = calloc(config->wants_max, sizeof(struct want));
    if (!all->neighbours || !all->wants ||
        address_map_init(&all->neighbour_map, config->wants_max, config->key) != 0 ||
        address_map_init(&all->want_map, config->wants_max, config->key) != 0)
        return -ENOMEM;
    for (uint32_t i = config->wants_max; i > 0; i--) {
        all->wants[i - 1].free_next = all->free_wants;
        all->free_wants = &all->wants[i - 1];
    }
    return 0;
}

int neighbours_create(struct neighbours **neighbours, const struct neighbours_config *config)
{
    struct neighbours *all;
    int error = subnets_check(&config->subnets);

    if (error)
        return error;
    all = calloc(1, sizeof(*all));
    if (!all)
        return -ENOMEM;
    all->resolver.ops = &neighbours_ops;
    all->config = *config;
    all->config.wants_max = (uint32_t)or_default(config->wants_max, WANTS_DEFAULT);
    all->config.tries = (uint32_t)or_default(config->tries, TRIES_DEFAULT);
    all->config.retry_ns = or_default(config->retry_ns, RETRY_NS);
    all->config.reachable_ns = or_default(config->reachable_ns, REACHABLE_NS);
    all->config.negative_ns = or_default(config->negative_ns, NEGATIVE_NS);
    all->now = config->now;
    wheel_init(&all->wheel, config->now);
    TAILQ_INIT(&all->spare);
    TAILQ_INIT(&all->due);
    error = allocate(all);
    if (error) {
        neighbours_destroy(all);
        return error;
    }
    *neighbours = all;
    return 0;
}

void neighbours_destroy(struct neighbours *all)
{
    if (!all)
        return;
    address_map_fini(&all->neighbour_map);
    address_map_fini(&all->want_map);
    free(all->neighbours);
    free(all->wants);
    free(all);
}

struct resolver *neighbours_resolver(struct neighbours *all)
{
    return &all->resolver;
}

void neighbours_run(struct neighbours *all, uint64_t now)
{
    all->now = RTE_MAX(all->now, now);
    wheel_advance(&all->wheel, all->now, TIMERS_A_RUN);
    answer_due(all);
}

uint64_t neighbours_deadline(const struct neighbours *all)
{
    return TAILQ_EMPTY(&all->due) ? wheel_next(&all->wheel) : 0;
}

/* ---- For operators ---- */

static enum neighbour_state shown_state(const struct neighbour *neighbour)
{
    switch (neighbour->state) {
    case STATE_KNOWN:
        return NEIGHBOUR_REACHABLE;
    case STATE_ASKED:
        return neighbour->known ? NEIGHBOUR_STALE : NEIGHBOUR_PENDING;
    default:
        return NEIGHBOUR_FAILED;
    }
}

static void show(const struct neighbour *neighbour, uint64_t now, struct neighbour_entry *to)
{
    *to = (struct neighbour_entry){
        .address = neighbour->node.address,
        .state = shown_state(neighbour),
        .used = !LIST_EMPTY(&neighbour->wants),
        .age_ns = RTE_MAX(now, neighbour->all->now) - neighbour->since_ns,
    };
    if (neighbour->known)
        to->mac = neighbour->mac;
}

/* The cursor is a place in the table, which a neighbour keeps. */
void neighbours_view(const struct neighbours *all, struct neighbour_page *page)
{
    uint32_t place;

    memcpy(&place, page->cursor.bytes, sizeof(place));
    page->count = 0;
    for (uint32_t looked = 0;
         looked < NEIGHBOUR_LOOKED && !neighbour_page_full(page) && place < all->used; looked++) {
        const struct neighbour *neighbour = &all->neighbours[place++];

        if (neighbour->state != STATE_IDLE)
            show(neighbour, page->now, &page->entries[page->count++]);
    }
    page->done = place >= all->used;
    memcpy(page->cursor.bytes, &place, sizeof(place));
}

const struct neighbours_stats *neighbours_stats(const struct neighbours *all)
{
    return &all->stats;
}
