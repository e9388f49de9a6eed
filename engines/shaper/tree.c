/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/shaper/tree.h"

#include "engines/elements/ipv6.h"
#include "engines/elements/vlan.h"
#include "mailbox/words.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>

#define CACHE_LINE 64u
#define BANDS      (SHAPE_BANDS + 1) /* the first is control's */
/* Of a tag, for a byte at weight 1. Divided by the largest weight, the smallest frame still counts
 * a hundred: the error is below a percent. */
#define TAG_SHIFT 12u

/* The children of one priority that may send: a heap by start tag. */
struct band {
    uint16_t *heap; /* places */
    uint16_t count;
    uint64_t now; /* start tag of the child that sent last */
};

struct node {
    struct wheel_timer timer; /* first: for when the bucket is full enough */
    struct tree *tree;
    struct tree_slot *slot;
    uint64_t serial;
    uint64_t start, finish; /* tags in the parent's band */
    uint64_t rate, burst;
    uint16_t place, parent;
    uint16_t at; /* in the parent's heap */
    uint16_t weight;
    uint8_t band;
    uint8_t level;
    bool leaf, active, throttled;
    uint8_t shut;          /* shared, written by the shaper: a leaf may not be sent to */
    uint16_t active_bands; /* a bit for each that is not empty */
    uint16_t quota;
    uint32_t queued;
    struct rte_mbuf *first, *last; /* packets in a leaf, linked by their tags */
    struct band bands[BANDS];
};

_Static_assert(BANDS <= 16, "a bit for each");

/* What one member sent to a leaf, and what of it left: on lines of their own. */
struct share {
    uint32_t *sent, *left;
};

struct tree {
    struct wheel *wheel; /* NULL: not begun */
    uint32_t places, members, frame_max;
    uint32_t queued;
    uint32_t move_next; /* place that tree_move empties next */
    uint16_t generation;
    bool opened;
    uint32_t rule_count;
    struct shape_rule *rules;    /* their entries are places */
    struct shape_class *classes; /* by place: their words */
    uint16_t *heaps;
    struct share *shares; /* of each member */
    uint8_t *shares_memory;
    struct node *nodes;
};

static void count(uint64_t *counter, uint64_t value)
{
    __atomic_store_n(counter, value, __ATOMIC_RELAXED);
}

static uint64_t get(const uint64_t *counter)
{
    return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- Heaps ---- */

static bool before(const struct tree *tree, uint16_t a, uint16_t b)
{
    int64_t ahead = (int64_t)(tree->nodes[a].start - tree->nodes[b].start);

    return ahead != 0 ? ahead < 0 : a < b;
}

static void put_at(struct tree *tree, struct band *band, uint16_t at, uint16_t place)
{
    band->heap[at] = place;
    tree->nodes[place].at = at;
}

static void sift_up(struct tree *tree, struct band *band, uint16_t at)
{
    uint16_t place = band->heap[at];

    while (at > 0 && before(tree, place, band->heap[(at - 1) / 2])) {
        put_at(tree, band, at, band->heap[(at - 1) / 2]);
        at = (uint16_t)((at - 1) / 2);
    }
    put_at(tree, band, at, place);
}

static void sift_down(struct tree *tree, struct band *band, uint16_t at)
{
    uint16_t place = band->heap[at];

    for (uint32_t child = 2u * at + 1; child < band->count; child = 2u * at + 1) {
        if (child + 1 < band->count && before(tree, band->heap[child + 1], band->heap[child]))
            child++;
        if (!before(tree, band->heap[child], place))
            break;
        put_at(tree, band, at, band->heap[child]);
        at = (uint16_t)child;
    }
    put_at(tree, band, at, place);
}

static struct band *band_of(struct tree *tree, const struct node *node)
{
    return &tree->nodes[node->parent].bands[node->band];
}

static void heap_add(struct tree *tree, struct node *node)
{
    struct band *band = band_of(tree, node);

    tree->nodes[node->parent].active_bands |= (uint16_t)(1u << node->band);
    band->heap[band->count] = node->place;
    sift_up(tree, band, band->count++);
    node->active = true;
}

static void heap_remove(struct tree *tree, struct node *node)
{
    struct band *band = band_of(tree, node);
    uint16_t last = band->heap[--band->count];

    node->active = false;
    if (band->count == 0)
        tree->nodes[node->parent].active_bands &= (uint16_t) ~(1u << node->band);
    if (last == node->place)
        return;
    put_at(tree, band, node->at, last);
    sift_up(tree, band, node->at);
    sift_down(tree, band, tree->nodes[last].at);
}

/* ---- Buckets ---- */

/* Somebody may be looking. */
static void forget(struct tree_slot *slot)
{
    count(&slot->packets, 0);
    count(&slot->bytes, 0);
    count(&slot->delayed_ns, 0);
    count(&slot->shut, 0);
    count(&slot->queued, 0);
    count(&slot->tokens, 0);
}

static void bring_up(const struct tree *tree, const struct node *node, struct tree_slot *slot,
                     uint64_t now)
{
    if (slot->serial != node->serial) {
        forget(slot);
        slot->counted_ns = now;
        token_bucket_init(&slot->bucket, node->rate, node->burst, now);
        slot->generation = tree->generation;
        words_publish(&slot->serial, node->serial);
    } else if (slot->generation != tree->generation) {
        token_bucket_set(&slot->bucket, node->rate, node->burst, now);
        slot->generation = tree->generation;
    } else {
        token_bucket_refill(&slot->bucket, now);
    }
}

struct tree_slot *tree_touch(struct tree *tree, uint16_t place, uint64_t now)
{
    struct node *node = &tree->nodes[place];

    bring_up(tree, node, node->slot, now);
    return node->slot;
}

struct tree_slot tree_look(const struct tree *tree, uint16_t place, uint64_t now)
{
    const struct node *node = &tree->nodes[place];
    struct tree_slot slot = *node->slot;

    bring_up(tree, node, &slot, now);
    return slot;
}

static void set_shut(struct node *node, bool shut)
{
    if (node->leaf)
        __atomic_store_n(&node->shut, shut, __ATOMIC_RELAXED);
}

/* True if the bucket does not hold the largest packet: then the wheel tells when it does. */
static bool throttle(struct tree *tree, struct node *node, struct tree_slot *slot)
{
    if (token_bucket_has(&slot->bucket, tree->frame_max))
        return false;
    if (!node->throttled)
        count(&slot->shut, slot->shut + 1);
    node->throttled = true;
    set_shut(node, true);
    wheel_set(tree->wheel, &node->timer, token_bucket_when(&slot->bucket, tree->frame_max));
    return true;
}

static bool has_something(const struct node *node)
{
    return node->leaf ? node->queued > 0 : node->active_bands != 0;
}

/* A class has something again, or may send again: it and those above it, as far as they may, get
 * their places. */
static void activate(struct tree *tree, struct node *node, uint64_t now)
{
    while (has_something(node) && !node->active && !node->throttled) {
        struct band *band;
        uint64_t lead;

        if (node->rate && throttle(tree, node, tree_touch(tree, node->place, now)))
            return;
        if (node->place == SHAPE_ROOT)
            return;
        /* What it had sent too much before it fell silent is at most one packet. */
        band = band_of(tree, node);
        lead = node->finish - band->now;
        if (lead <= ((uint64_t)tree->frame_max << TAG_SHIFT) / node->weight)
            node->start = node->finish;
        else
            node->start = band->now;
        heap_add(tree, node);
        node = &tree->nodes[node->parent];
    }
}

static void fire(struct wheel_timer *timer, uint64_t now)
{
    struct node *node = (struct node *)timer;
    struct tree *tree = node->tree;

    node->throttled = false;
    if (node->rate && throttle(tree, node, tree_touch(tree, node->place, now)))
        return;
    set_shut(node, false);
    tree->opened |= node->leaf;
    activate(tree, node, now);
}

/* ---- Leaves ---- */

static void count_queued(struct node *node, struct tree_slot *slot, int change, uint64_t now)
{
    if (now > slot->counted_ns) {
        /* What each packet waits adds up to how many wait at each moment. */
        count(&slot->delayed_ns, slot->delayed_ns + (now - slot->counted_ns) * slot->queued);
        slot->counted_ns = now;
    }
    node->queued += (uint32_t)change;
    node->tree->queued += (uint32_t)change;
    count(&slot->queued, slot->queued + (uint64_t)change);
}

static void append(struct node *node, struct rte_mbuf *packet)
{
    packet_tag(packet)->next = NULL;
    if (node->last)
        packet_tag(node->last)->next = packet;
    else
        node->first = packet;
    node->last = packet;
}

static struct rte_mbuf *take_first(struct node *node)
{
    struct rte_mbuf *packet = node->first;

    node->first = packet_tag(packet)->next;
    if (!node->first)
        node->last = NULL;
    return packet;
}

static void count_left(struct tree *tree, const struct packet_tag *tag, int change)
{
    uint32_t *left = &tree->shares[tag->member].left[tag->leaf];

    __atomic_store_n(left, *left + (uint32_t)change, __ATOMIC_RELAXED);
}

void tree_push(struct tree *tree, struct rte_mbuf *packet, uint64_t now)
{
    struct packet_tag *tag = packet_tag(packet);
    struct node *node;

    if (tag->generation != tree->generation) {
        struct packet_way way;

        /* Sent by an older policy: its member never counted it here. */
        tree_way(packet, &way);
        tag->leaf = tree_leaf(tree, tag, &way);
        tag->generation = tree->generation;
        count_left(tree, tag, -1);
    }
    node = &tree->nodes[tag->leaf];
    append(node, packet);
    count_queued(node, tree_touch(tree, node->place, now), 1, now);
    activate(tree, node, now);
}

static struct node *choose(struct tree *tree)
{
    struct node *node = &tree->nodes[SHAPE_ROOT];

    if (node->throttled || node->active_bands == 0)
        return NULL;
    while (!node->leaf) {
        const struct band *band = &node->bands[__builtin_ctz(node->active_bands)];

        node = &tree->nodes[band->heap[0]];
    }
    return node;
}

/* A class has sent so many bytes: it pays, and has its next place among its siblings, if any. */
static void charge(struct tree *tree, struct node *node, uint32_t bytes, uint64_t now)
{
    struct tree_slot *slot = tree_touch(tree, node->place, now);
    struct band *band;

    token_bucket_take(&slot->bucket, bytes);
    count(&slot->packets, slot->packets + 1);
    count(&slot->bytes, slot->bytes + bytes);
    count(&slot->tokens, (uint64_t)(slot->bucket.level / BUCKET_BYTE));
    if (node->rate)
        throttle(tree, node, slot);
    if (node->place == SHAPE_ROOT)
        return;
    band = band_of(tree, node);
    band->now = node->start;
    node->finish = node->start + ((uint64_t)bytes << TAG_SHIFT) / node->weight;
    if (node->throttled || !has_something(node)) {
        heap_remove(tree, node);
        return;
    }
    node->start = node->finish;
    sift_down(tree, band, node->at);
}

struct rte_mbuf *tree_pop(struct tree *tree, uint64_t now)
{
    struct node *leaf = choose(tree), *node = leaf;
    struct rte_mbuf *packet;
    uint32_t bytes;

    if (!leaf)
        return NULL;
    packet = take_first(leaf);
    bytes = shape_wire_bytes(rte_pktmbuf_pkt_len(packet));
    count_queued(leaf, tree_touch(tree, leaf->place, now), -1, now);
    count_left(tree, packet_tag(packet), 1);
    for (;; node = &tree->nodes[node->parent]) {
        charge(tree, node, bytes, now);
        if (node->place == SHAPE_ROOT)
            return packet;
    }
}

bool tree_pending(const struct tree *tree)
{
    const struct node *root = &tree->nodes[SHAPE_ROOT];

    return !root->throttled && root->active_bands != 0;
}

uint32_t tree_queued(const struct tree *tree)
{
    return tree->queued;
}

bool tree_opened(struct tree *tree)
{
    bool opened = tree->opened;

    tree->opened = false;
    return opened;
}

bool tree_move(struct tree *from, struct tree *to, uint32_t max, uint64_t now)
{
    for (uint32_t i = 0; i < max && from->move_next < from->places; i++) {
        struct node *node = &from->nodes[from->move_next];

        if (!node->first) {
            from->move_next++;
            continue;
        }
        struct rte_mbuf *packet = take_first(node);

        /* Its slot may be the new tree's by now, which alone touches it. */
        count_queued(node, node->slot, -1, now);
        tree_push(to, packet, now);
    }
    return from->move_next < from->places;
}

/* ---- A member's side ---- */

uint16_t tree_leaf(const struct tree *tree, const struct packet_tag *tag,
                   const struct packet_way *way)
{
    if (tag->kind == PACKET_CONTROL)
        return SHAPE_CONTROL;
    for (uint32_t i = 0; i < tree->rule_count; i++) {
        if (shape_rule_met(&tree->rules[i], tag, way))
            return tree->rules[i].entry;
    }
    return SHAPE_DEFAULT;
}

uint32_t tree_room(const struct tree *tree, uint32_t member, uint16_t leaf)
{
    const struct node *node = &tree->nodes[leaf];
    const struct share *share = &tree->shares[member];
    int32_t inside =
        (int32_t)(share->sent[leaf] - __atomic_load_n(&share->left[leaf], __ATOMIC_RELAXED));

    if (__atomic_load_n(&node->shut, __ATOMIC_RELAXED) || inside >= node->quota)
        return 0;
    return (uint32_t)(node->quota - inside);
}

void tree_sent(struct tree *tree, uint32_t member, uint16_t leaf)
{
    tree->shares[member].sent[leaf]++;
}

/* Past Ethernet and its tags. */
static uint32_t skip_ethernet(const struct rte_mbuf *packet, uint16_t *ether_type)
{
    uint32_t at = 2 * RTE_ETHER_ADDR_LEN;

    *ether_type = 0;
    for (uint32_t tags = 0; tags <= PACKET_VLAN_MAX; tags++) {
        uint16_t copy;
        const void *type = rte_pktmbuf_read(packet, at, sizeof(copy), &copy);

        if (!type)
            return 0;
        memcpy(&copy, type, sizeof(copy));
        *ether_type = rte_be_to_cpu_16(copy);
        at += sizeof(copy);
        if (!vlan_is_tag(*ether_type))
            return at;
        at += sizeof(struct rte_vlan_hdr) - sizeof(copy);
    }
    return 0;
}

void tree_way(const struct rte_mbuf *packet, struct packet_way *way)
{
    uint16_t ether_type;
    uint32_t at = skip_ethernet(packet, &ether_type);
    struct rte_ipv4_hdr v4;
    struct rte_ipv6_hdr v6;
    const void *header;

    memset(way, 0, sizeof(*way));
    if (ether_type == RTE_ETHER_TYPE_IPV4) {
        header = rte_pktmbuf_read(packet, at, sizeof(v4), &v4);
        if (!header)
            return;
        memcpy(&v4, header, sizeof(v4));
        address_from_v4(&way->peer, (const uint8_t *)&v4.dst_addr);
        way->dscp = (uint8_t)(v4.type_of_service >> IP_DSCP_SHIFT);
    } else if (ether_type == RTE_ETHER_TYPE_IPV6) {
        header = rte_pktmbuf_read(packet, at, sizeof(v6), &v6);
        if (!header)
            return;
        memcpy(&v6, header, sizeof(v6));
        memcpy(way->peer.bytes, v6.dst_addr, sizeof(way->peer.bytes));
        way->dscp =
            (uint8_t)((rte_be_to_cpu_32(v6.vtc_flow) >> (IPV6_CLASS_SHIFT + IP_DSCP_SHIFT)) &
                      IP_DSCP_LAST);
    }
}

/* ---- What is seen of it ---- */

uint16_t tree_generation(const struct tree *tree)
{
    return tree->generation;
}

uint32_t tree_places(const struct tree *tree)
{
    return tree->places;
}

uint32_t tree_frame_max(const struct tree *tree)
{
    return tree->frame_max;
}

const char *tree_name(const struct tree *tree, uint16_t place)
{
    return tree->classes[place].name;
}

void tree_view(const struct tree *tree, uint16_t place, struct tree_view *view)
{
    const struct node *node = &tree->nodes[place];
    const struct tree_slot *slot = node->slot;

    *view = (struct tree_view){
        .class = tree->classes[place],
        .level = node->level,
        .leaf = node->leaf,
        .quota = node->quota,
    };
    if (words_first(&slot->serial) != node->serial)
        return; /* it has had nothing yet */
    view->packets = get(&slot->packets);
    view->bytes = get(&slot->bytes);
    view->delayed_ns = get(&slot->delayed_ns);
    view->shut = get(&slot->shut);
    view->queued = get(&slot->queued);
    view->tokens = get(&slot->tokens);
}

/* ---- Its life ---- */

static void describe(struct tree *tree, uint16_t place, const struct shape_class *from)
{
    struct node *node = &tree->nodes[place];

    tree->classes[place] = *from;
    node->rate = from->rate;
    node->burst = from->burst;
    node->weight = (uint16_t)from->weight;
    node->band = (uint8_t)(from->priority + 1);
}

static void name_built_in(struct tree *tree)
{
    static const struct shape_class all[] = {
        [SHAPE_ROOT] = {.name = "root", .weight = 1},
        [SHAPE_CONTROL] = {.name = "control", .weight = 1},
        [SHAPE_DEFAULT] = {.name = "default", .weight = 1},
    };

    for (uint16_t i = 0; i < SHAPE_BUILT_IN; i++)
        describe(tree, i, &all[i]);
    tree->nodes[SHAPE_CONTROL].band = 0;
}

static void link_nodes(struct tree *tree, const struct tree_config *config)
{
    for (uint32_t i = 0; i < tree->places; i++) {
        struct node *node = &tree->nodes[i];

        wheel_timer_init(&node->timer, fire);
        node->tree = tree;
        node->place = (uint16_t)i;
        node->parent = config->plan->parent[i];
        node->level = config->plan->level[i];
        node->leaf = !config->plan->inner[i];
        node->slot = &config->slots[config->leases[i].slot];
        node->serial = config->leases[i].serial;
    }
}

/* Each band's heap is as long as the children it may have. */
static void share_heaps(struct tree *tree)
{
    uint16_t *next = tree->heaps;

    for (uint32_t i = 1; i < tree->places; i++)
        band_of(tree, &tree->nodes[i])->count++;
    for (uint32_t i = 0; i < tree->places; i++) {
        for (uint32_t band = 0; band < BANDS; band++) {
            tree->nodes[i].bands[band].heap = next;
            next += tree->nodes[i].bands[band].count;
            tree->nodes[i].bands[band].count = 0;
        }
    }
}

static void set_quotas(struct tree *tree, uint32_t most)
{
    for (uint32_t i = 0; i < tree->places; i++) {
        struct node *node = &tree->nodes[i];
        uint64_t rate = UINT64_MAX, packets = TREE_QUOTA_MAX;
        uint32_t least = node->rate ? 1 : TREE_QUOTA_MIN;

        for (const struct node *at = node;; at = &tree->nodes[at->parent]) {
            if (at->rate && at->rate < rate)
                rate = at->rate;
            if (at->place == SHAPE_ROOT)
                break;
        }
        if (i != SHAPE_CONTROL && rate != UINT64_MAX)
            packets = rate * TREE_WAIT_NS / (uint64_t)BUCKET_BYTE / tree->frame_max;
        packets = RTE_MIN(RTE_MAX(packets, least), RTE_MIN(most, TREE_QUOTA_MAX));
        node->quota = node->leaf ? (uint16_t)packets : 0;
    }
}

static void copy_rules(struct tree *tree, const struct tree_config *config)
{
    for (uint32_t i = 0; i < tree->rule_count; i++) {
        tree->rules[i] = config->policy->rules[i];
        tree->rules[i].entry = config->plan->place[tree->rules[i].entry];
    }
}

static int allocate(struct tree *tree)
{
    size_t row = RTE_ALIGN_CEIL(tree->places * sizeof(uint32_t), CACHE_LINE);
    size_t bytes = row * 2 * tree->members;

    tree->nodes = calloc(tree->places, sizeof(*tree->nodes));
    tree->classes = calloc(tree->places, sizeof(*tree->classes));
    tree->heaps = calloc(tree->places, sizeof(*tree->heaps));
    tree->rules = calloc(tree->rule_count + 1, sizeof(*tree->rules));
    tree->shares = calloc(tree->members, sizeof(*tree->shares));
    tree->shares_memory = aligned_alloc(CACHE_LINE, bytes);
    if (!tree->nodes || !tree->classes || !tree->heaps || !tree->rules || !tree->shares ||
        !tree->shares_memory)
        return -ENOMEM;
    memset(tree->shares_memory, 0, bytes);
    for (uint32_t i = 0; i < tree->members; i++) {
        tree->shares[i].sent = (uint32_t *)(void *)(tree->shares_memory + row * (2 * i));
        tree->shares[i].left = (uint32_t *)(void *)(tree->shares_memory + row * (2 * i + 1));
    }
    return 0;
}

int tree_create(struct tree **tree, const struct tree_config *config)
{
    uint32_t most = config->packets_max / (config->members * config->plan->leaves);
    struct tree *made;

    if (most == 0)
        return -EINVAL;
    made = calloc(1, sizeof(*made));
    if (!made)
        return -ENOMEM;
    made->places = config->plan->places;
    made->members = config->members;
    made->frame_max = config->frame_max;
    made->generation = config->generation;
    made->rule_count = config->policy->rule_count;
    if (allocate(made)) {
        tree_destroy(made);
        return -ENOMEM;
    }
    name_built_in(made);
    for (uint32_t i = 0; i < config->policy->class_count; i++)
        describe(made, config->plan->place[i], &config->policy->classes[i]);
    link_nodes(made, config);
    share_heaps(made);
    set_quotas(made, most);
    copy_rules(made, config);
    *tree = made;
    return 0;
}

void tree_begin(struct tree *tree, struct wheel *wheel, uint64_t now)
{
    tree->wheel = wheel;
    tree_touch(tree, SHAPE_ROOT, now);
}

void tree_end(struct tree *tree)
{
    for (uint32_t i = 0; i < tree->places; i++)
        wheel_cancel(tree->wheel, &tree->nodes[i].timer);
}

void tree_destroy(struct tree *tree)
{
    if (!tree)
        return;
    for (uint32_t i = 0; i < tree->places && tree->nodes; i++) {
        while (tree->nodes[i].first)
            rte_pktmbuf_free(take_first(&tree->nodes[i]));
    }
    free(tree->nodes);
    free(tree->classes);
    free(tree->heaps);
    free(tree->rules);
    free(tree->shares);
    free(tree->shares_memory);
    free(tree);
}
