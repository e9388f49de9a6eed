/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "engines/shaper/shaping.h"

#include "engines/elements/burst.h"
#include "engines/shaper/shaper.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_errno.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NAP_NS       (NSEC_PER_MSEC / 4) /* between looks whether a tree has come back */
#define TREES        4u                  /* places of a ring; one tree is on its way at a time */
#define FRAMES_MIN   2u                  /* of the largest size, that a burst has room for */
#define FRAME_HEADER (RTE_ETHER_HDR_LEN + PACKET_VLAN_MAX * sizeof(struct rte_vlan_hdr))

/* Who has a slot. */
struct tenant {
    char name[SHAPE_NAME_BYTES]; /* "": nobody */
    uint64_t serial;
    uint8_t trees; /* a bit for each of the two trees there may be */
};

struct shaping {
    struct fan *fan;
    uint32_t members;
    struct gate *gates[FAN_MEMBERS_MAX + 1]; /* the rest's is the last */
    struct rte_ring *moved;                  /* empty trees, from the shaper */
    struct tree *tree, *before;
    uint32_t awaited; /* how many have not given the one before back */
    uint64_t serial;  /* of the next tenant */
    uint16_t generation;
    uint8_t turn; /* which bit the newest tree has */
    struct tenant tenants[TREE_SLOTS_MAX];
    struct tree_slot slots[TREE_SLOTS_MAX];
};

uint32_t shaping_packets(uint32_t pool_packets)
{
    return pool_packets / SHAPING_POOL_PART;
}

struct fan *shaping_fan(const struct shaping *shaping)
{
    return shaping->fan;
}

const struct tree *shaping_tree(const struct shaping *shaping)
{
    return shaping->tree;
}

struct tree *shaping_first(struct shaping *shaping)
{
    return shaping->tree;
}

struct port *shaping_port(struct shaping *shaping, uint32_t member)
{
    return gate_port(shaping->gates[member]);
}

uint32_t shaping_members(const struct shaping *shaping)
{
    return shaping->members;
}

/* ---- Slots ---- */

/* What is needed to build a tree, and too much for a stack. */
struct building {
    struct shape_plan plan;
    struct tree_lease leases[SHAPE_PLACES_MAX];
    const char *names[SHAPE_PLACES_MAX]; /* by place */
};

static void collect_names(struct building *building, const struct shape *policy)
{
    static const char *const built_in[] = {
        [SHAPE_ROOT] = "root",
        [SHAPE_CONTROL] = "control",
        [SHAPE_DEFAULT] = "default",
    };

    for (uint32_t i = 0; i < SHAPE_BUILT_IN; i++)
        building->names[i] = built_in[i];
    for (uint32_t i = 0; i < policy->class_count; i++)
        building->names[building->plan.place[i]] = policy->classes[i].name;
}

static uint32_t find_tenant(const struct shaping *shaping, const char *name)
{
    uint32_t i = 0;

    while (i < TREE_SLOTS_MAX && strcmp(shaping->tenants[i].name, name) != 0)
        i++;
    return i;
}

/* Gives each class its slot: there are enough for all of two trees. */
static void lease(struct shaping *shaping, struct building *building, uint8_t bit)
{
    for (uint32_t i = 0; i < building->plan.places; i++) {
        uint32_t slot = find_tenant(shaping, building->names[i]);
        struct tenant *tenant;

        if (slot == TREE_SLOTS_MAX)
            slot = find_tenant(shaping, "");
        tenant = &shaping->tenants[slot];
        if (!tenant->name[0]) {
            snprintf(tenant->name, sizeof(tenant->name), "%s", building->names[i]);
            tenant->serial = ++shaping->serial;
        }
        tenant->trees |= bit;
        building->leases[i] = (struct tree_lease){slot, tenant->serial};
    }
}

/* A tree is gone: who was in it alone gives up the slot. */
static void release(struct shaping *shaping, uint8_t bit)
{
    for (uint32_t i = 0; i < TREE_SLOTS_MAX; i++) {
        struct tenant *tenant = &shaping->tenants[i];

        tenant->trees &= (uint8_t)~bit;
        if (!tenant->trees)
            tenant->name[0] = '\0';
    }
}

/* ---- Trees ---- */

static uint32_t frame_max(const struct port *port)
{
    return shape_wire_bytes((uint32_t)(port->mtu + FRAME_HEADER));
}

static bool bursts_fit(const struct shape *policy, uint32_t frame)
{
    for (uint32_t i = 0; i < policy->class_count; i++) {
        if (policy->classes[i].rate && policy->classes[i].burst < FRAMES_MIN * frame)
            return false;
    }
    return true;
}

static int build(struct shaping *shaping, const struct shape *policy, struct tree **tree)
{
    const struct port *port = fan_port(shaping->fan);
    struct building *building = calloc(1, sizeof(*building));
    uint8_t bit = (uint8_t)(1u << !shaping->turn);
    uint32_t entry;
    int error = -EINVAL;

    if (!building)
        return -ENOMEM;
    if (shape_plan(policy, &building->plan, &entry) == SHAPE_FINE &&
        bursts_fit(policy, frame_max(port))) {
        const struct tree_config config = {
            .policy = policy,
            .plan = &building->plan,
            .leases = building->leases,
            .slots = shaping->slots,
            .members = shaping->members,
            .packets_max = shaping_packets(port->pool->size),
            .frame_max = frame_max(port),
            .generation = (uint16_t)(shaping->generation + 1),
        };

        collect_names(building, policy);
        lease(shaping, building, bit);
        error = tree_create(tree, &config);
        if (error)
            release(shaping, bit);
    }
    free(building);
    return error;
}

/* The tree just built is the one in use. */
static void use(struct shaping *shaping, struct tree *tree)
{
    shaping->tree = tree;
    shaping->generation++;
    shaping->turn = !shaping->turn;
}

/* ---- Another policy ---- */

void shaping_offer(struct shaping *shaping, struct tree *tree)
{
    for (uint32_t i = 0; i < shaping->members; i++)
        gate_offer(shaping->gates[i], tree);
}

void shaping_moved(struct shaping *shaping, struct tree *tree)
{
    rte_ring_sp_enqueue(shaping->moved, tree);
}

void shaping_turn(struct shaping *shaping, uint32_t members)
{
    for (uint32_t i = 0; i < shaping->members; i++) {
        if (members >> i & 1)
            gate_turn(shaping->gates[i]);
    }
}

/* Frees the tree before if it has come back from everybody. */
static bool collect(struct shaping *shaping)
{
    void *tree;

    if (!shaping->before)
        return true;
    for (uint32_t i = 0; i < shaping->members; i++)
        shaping->awaited -= gate_returned(shaping->gates[i]) != NULL;
    shaping->awaited -= rte_ring_sc_dequeue(shaping->moved, &tree) == 0;
    if (shaping->awaited > 0)
        return false;
    tree_destroy(shaping->before);
    shaping->before = NULL;
    release(shaping, (uint8_t)(1u << !shaping->turn));
    return true;
}

static bool wait_for_return(struct shaping *shaping, uint64_t timeout_ns)
{
    const struct timespec nap = {.tv_nsec = (long)NAP_NS};

    for (uint64_t waited = 0; !collect(shaping); waited += NAP_NS) {
        if (waited >= timeout_ns)
            return false;
        nanosleep(&nap, NULL);
    }
    return true;
}

int shaping_prepare(struct shaping *shaping, const struct shape *policy, struct tree **tree)
{
    return collect(shaping) ? build(shaping, policy, tree) : -EBUSY;
}

void shaping_give_up(struct shaping *shaping, struct tree *tree)
{
    tree_destroy(tree);
    release(shaping, (uint8_t)(1u << !shaping->turn));
}

void shaping_settle(struct shaping *shaping, struct tree *tree)
{
    shaping->before = shaping->tree;
    shaping->awaited = shaping->members + 1;
    use(shaping, tree);
    for (uint32_t i = 0; i < shaping->members; i++)
        gate_wake(shaping->gates[i]);
}

int shaping_replace(struct shaping *shaping, struct engine *engine, const struct shape *policy,
                    uint64_t timeout_ns)
{
    struct tree *tree = NULL;
    int error, result;

    if (!wait_for_return(shaping, timeout_ns))
        return -ETIMEDOUT;
    error = shaping_prepare(shaping, policy, &tree);
    if (error)
        return error;
    error = mailbox_call(&engine->mailbox, shaper_mailbox_adopt, tree, timeout_ns, &result);
    if (error) { /* it never started */
        shaping_give_up(shaping, tree);
        return error;
    }
    shaping_settle(shaping, tree);
    return 0;
}

/* ---- Its life ---- */

static int make_gates(struct shaping *shaping, const uint8_t key[GATE_KEY_BYTES])
{
    int error = 0;

    for (uint32_t i = 0; i < shaping->members && !error; i++)
        error = gate_create(&shaping->gates[i], fan_member(shaping->fan, i), i, shaping->tree, key);
    return error;
}

static int make_ring(struct shaping *shaping)
{
    static uint64_t made;
    char name[RTE_RING_NAMESIZE];

    snprintf(name, sizeof(name), "shaping.%" PRIu64, made++);
    shaping->moved = rte_ring_create(name, TREES, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    return shaping->moved ? 0 : -rte_errno;
}

int shaping_create(struct shaping **shaping, const struct shaping_config *config)
{
    struct shaping *made = calloc(1, sizeof(*made));
    struct tree *tree;
    int error;

    if (!made)
        return -ENOMEM;
    made->fan = config->fan;
    made->members = config->members;
    error = packet_tag_init();
    if (!error)
        error = build(made, config->policy, &tree);
    if (!error) {
        use(made, tree);
        error = make_ring(made);
    }
    if (!error)
        error = make_gates(made, config->key);
    if (error) {
        shaping_destroy(made);
        return error;
    }
    *shaping = made;
    return 0;
}

void shaping_destroy(struct shaping *shaping)
{
    if (!shaping)
        return;
    for (uint32_t i = 0; i < shaping->members; i++)
        gate_destroy(shaping->gates[i]);
    rte_ring_free(shaping->moved);
    tree_destroy(shaping->before);
    tree_destroy(shaping->tree);
    free(shaping);
}
