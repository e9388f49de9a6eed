/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/kernel_resolver.h"

#include "control/log.h"
#include "daemon/netlink.h"
#include "daemon/reason.h"
#include "mailbox/doorbell.h"

#include <assert.h>
#include <errno.h>
#include <rte_common.h>
#include <rte_ring.h>
#include <rte_ring_elem.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* As long as the kernel waits before it probes a neighbour in use (delay_first_probe_time in
 * arp(7)). Also heals what was announced to nobody. */
#define TICK_NS (5 * NSEC_PER_SEC)
/* Between two looks at everything: routing daemons change routes by the thousand. */
#define PAUSE_NS (50 * NSEC_PER_MSEC)
/* How soon a full mailbox is tried again: it is emptied between two batches. */
#define RETRY_NS       NSEC_PER_MSEC
#define ANSWERS_MAX    256u /* on their way to the engine; a power of two */
#define ANSWERS_BATCH  16u  /* handed over by one piece of mailbox work, which is to be short */
#define V4_PREFIX_HINT 24u  /* in advice, where the configuration has no prefix */
#define V6_PREFIX_HINT 64u

/* What the engine asks for. */
struct wish {
    struct address address;
    uint32_t wanted; /* 0: dropped */
};

/* One address that the engine sends to. */
struct entry {
    struct address address;
    struct netlink_route route; /* if there is no error */
    int error;                  /* of the way there, as in struct hop */
    struct netlink_neighbour neighbour;
    uint64_t since_ns; /* when `neighbour` was news */
    struct hop hop;    /* what the engine knows, or is told next */
    bool known;        /* `hop` means something */
    bool due;          /* the engine is to be told */
};

/* Where a link stands, and the link that packets leave by: the same, or a VLAN interface on it. */
struct place {
    struct netlink_link port;
    struct netlink_link out;
    bool up;
};

struct kernel_resolver {
    struct resolver face;     /* first: what the engine holds */
    uint32_t armed;           /* the control thread wants to be rung */
    int wake_fd;              /* eventfd, rung by the engine */
    struct rte_ring *wishes;  /* struct wish, from the engine */
    struct rte_ring *answers; /* struct hop, to the engine */

    /* The control thread's alone. */
    struct engine *engine;
    struct netlink *netlink;
    struct place place;
    char interface[IFNAMSIZ];
    uint16_t vlan;
    uint16_t mtu;
    bool fresh;
    bool has_v4, has_v6;
    struct address v4, v6; /* what packets of each family come from */
    int epoll_fd;          /* all that wakes it */
    int timer_fd;
    uint64_t tick_at;  /* ENGINE_NEVER: no entries */
    uint64_t sync_at;  /* ENGINE_NEVER: nothing has changed */
    uint64_t retry_at; /* ENGINE_NEVER: the engine has been told all */
    uint64_t synced;   /* when everything was last looked at */
    uint32_t hops_max;
    uint32_t count;
    struct entry entries[];
};

/* DPDK's rings hold whole words. */
static_assert(sizeof(struct wish) % sizeof(uint32_t) == 0, "a wish is whole words");
static_assert(sizeof(struct hop) % sizeof(uint32_t) == 0, "an answer is whole words");

static struct kernel_resolver *from_face(struct resolver *face)
{
    return (struct kernel_resolver *)face;
}

/* The engine's thread. A wish leaves room for as many drops as there can be addresses: a drop
 * cannot fail. */
static int want(struct resolver *face, const struct address *address)
{
    struct kernel_resolver *self = from_face(face);
    struct wish wish = {.address = *address, .wanted = 1};

    if (rte_ring_count(self->wishes) >= self->hops_max ||
        rte_ring_sp_enqueue_elem(self->wishes, &wish, sizeof(wish)))
        return -EAGAIN;
    if (doorbell_due(&self->armed))
        doorbell_ring_engine(self->wake_fd);
    return 0;
}

static void drop(struct resolver *face, const struct address *address)
{
    struct kernel_resolver *self = from_face(face);
    struct wish wish = {.address = *address, .wanted = 0};

    rte_ring_sp_enqueue_elem(self->wishes, &wish, sizeof(wish));
    if (doorbell_due(&self->armed))
        doorbell_ring_engine(self->wake_fd);
}

static const struct resolver_ops ops = {.want = want, .drop = drop};

/* Mailbox work: hands over some of the answers. */
static int deliver(void *engine, void *argument)
{
    struct kernel_resolver *self = argument;
    struct hop hop;

    (void)engine;
    for (unsigned i = 0; i < ANSWERS_BATCH; i++) {
        if (rte_ring_sc_dequeue_elem(self->answers, &hop, sizeof(hop)))
            break;
        if (self->face.answer)
            self->face.answer(self->face.context, &hop);
    }
    return 0;
}

/* Brings due answers on their way, as many as there is room for. */
static void tell(struct kernel_resolver *self, uint64_t now)
{
    bool left = false;

    for (uint32_t i = 0; i < self->count; i++) {
        struct entry *entry = &self->entries[i];

        if (entry->due && !rte_ring_sp_enqueue_elem(self->answers, &entry->hop, sizeof(entry->hop)))
            entry->due = false;
        left |= entry->due;
    }
    if (!rte_ring_empty(self->answers)) {
        mailbox_post(&self->engine->mailbox, deliver, self);
        left = true;
    }
    self->retry_at = left ? now + RETRY_NS : ENGINE_NEVER;
}

static uint16_t entry_mtu(const struct kernel_resolver *self, const struct entry *entry)
{
    uint32_t mtu = RTE_MIN((uint32_t)self->mtu, self->place.out.mtu);

    return (uint16_t)(entry->route.mtu ? RTE_MIN(mtu, entry->route.mtu) : mtu);
}

/* What is known of the way; false as long as the neighbour is being asked. */
static bool conclude(const struct kernel_resolver *self, const struct entry *entry, struct hop *hop)
{
    memset(hop, 0, sizeof(*hop));
    hop->address = entry->address;
    hop->error = entry->error;
    if (entry->error)
        return true;
    switch (entry->neighbour.reach) {
    case NETLINK_REACHED:
        hop->mac = entry->neighbour.mac;
        hop->mtu = entry_mtu(self, entry);
        return true;
    case NETLINK_FAILED:
        hop->error = -EHOSTDOWN;
        return true;
    default:
        return false;
    }
}

static bool same(const struct hop *a, const struct hop *b)
{
    return a->error == b->error && a->mtu == b->mtu && rte_is_same_ether_addr(&a->mac, &b->mac);
}

static void settle(const struct kernel_resolver *self, struct entry *entry)
{
    struct hop hop;

    if (!conclude(self, entry, &hop) || (entry->known && same(&hop, &entry->hop)))
        return;
    entry->hop = hop;
    entry->known = true;
    entry->due = true;
}

static int find_way(struct kernel_resolver *self, struct entry *entry)
{
    const bool v4 = address_is_v4(&entry->address);
    const struct netlink_link *out = &self->place.out;
    int error;

    if (!self->place.up)
        return -ENETDOWN;
    if (!(v4 ? self->has_v4 : self->has_v6))
        return -ENETUNREACH;
    error = netlink_route(self->netlink, &entry->address, v4 ? &self->v4 : &self->v6, out->index,
                          &entry->route);
    return error || entry->route.interface != out->index ? -ENETUNREACH : 0;
}

/* Looks the neighbour up and has it confirmed. One that failed is asked once more: until there is
 * an answer it is neither there nor gone. */
static void meet(struct kernel_resolver *self, struct entry *entry)
{
    struct netlink_neighbour *neighbour = &entry->neighbour;

    if (netlink_neighbour(self->netlink, entry->route.interface, &entry->route.next, neighbour))
        memset(neighbour, 0, sizeof(*neighbour));
    if (neighbour->kept)
        return;
    if (netlink_ask(self->netlink, entry->route.interface, &entry->route.next)) {
        if (neighbour->reach != NETLINK_REACHED)
            neighbour->reach = NETLINK_FAILED;
    } else if (neighbour->reach == NETLINK_FAILED) {
        neighbour->reach = NETLINK_UNDECIDED;
    }
}

static bool is_news(const struct netlink_neighbour *a, const struct netlink_neighbour *b)
{
    return a->reach != b->reach || a->stale != b->stale ||
           !rte_is_same_ether_addr(&a->mac, &b->mac);
}

static void look_up(struct kernel_resolver *self, struct entry *entry)
{
    const struct netlink_neighbour before = entry->neighbour;

    entry->error = find_way(self, entry);
    if (!entry->error)
        meet(self, entry);
    if (!entry->since_ns || is_news(&before, &entry->neighbour))
        entry->since_ns = clock_now(&clock_machine);
    settle(self, entry);
}

static struct entry *find(struct kernel_resolver *self, const struct address *address)
{
    for (uint32_t i = 0; i < self->count; i++) {
        if (address_equal(&self->entries[i].address, address))
            return &self->entries[i];
    }
    return NULL;
}

/* An engine never wants more than it said: the table has room. */
static struct entry *add(struct kernel_resolver *self, const struct address *address)
{
    struct entry *entry;

    if (self->count == self->hops_max)
        return NULL;
    entry = &self->entries[self->count++];
    memset(entry, 0, sizeof(*entry));
    entry->address = *address;
    return entry;
}

static void fulfil(struct kernel_resolver *self, const struct wish *wish)
{
    struct entry *entry = find(self, &wish->address);

    if (!wish->wanted) {
        if (entry)
            *entry = self->entries[--self->count];
        return;
    }
    if (!entry)
        entry = add(self, &wish->address);
    if (!entry)
        return;
    /* Whoever asks again is answered again. */
    entry->known = false;
    look_up(self, entry);
}

static void take_wishes(struct kernel_resolver *self)
{
    const uint32_t limit = rte_ring_count(self->wishes);
    struct wish wish;
    uint64_t rings;

    if (read(self->wake_fd, &rings, sizeof(rings)) < 0 && errno != EAGAIN)
        log_line(LOG_ERROR, "resolver eventfd: %s", strerror(errno));
    for (uint32_t i = 0; i < limit; i++) {
        if (!rte_ring_sc_dequeue_elem(self->wishes, &wish, sizeof(wish)))
            fulfil(self, &wish);
    }
    doorbell_arm(&self->armed);
    if (!rte_ring_empty(self->wishes))
        doorbell_ring_engine(self->wake_fd);
}

/* Listens to changes. */

static void change(struct kernel_resolver *self)
{
    if (self->sync_at == ENGINE_NEVER)
        self->sync_at = self->synced + PAUSE_NS;
}

static void hear_link(void *context, uint32_t interface, uint32_t parent)
{
    struct kernel_resolver *self = context;
    const struct place *place = &self->place;

    if (interface == place->port.index || interface == place->out.index ||
        parent == place->port.index)
        change(self);
}

static void hear_change(void *context)
{
    change(context);
}

static void hear_neighbour(void *context, const struct netlink_neighbour *neighbour)
{
    struct kernel_resolver *self = context;

    for (uint32_t i = 0; i < self->count; i++) {
        struct entry *entry = &self->entries[i];

        if (entry->error || entry->route.interface != neighbour->interface ||
            !address_equal(&entry->route.next, &neighbour->address))
            continue;
        entry->neighbour = *neighbour;
        entry->since_ns = clock_now(&clock_machine);
        settle(self, entry);
    }
}

static void listen_kernel(struct kernel_resolver *self)
{
    const struct netlink_listener listener = {
        .link = hear_link,
        .routes = hear_change,
        .neighbour = hear_neighbour,
        .lost = hear_change,
        .context = self,
    };
    int error = netlink_listen(self->netlink, &listener);

    if (error)
        log_line(LOG_ERROR, "netlink: %s", strerror(-error));
}

/* A VLAN interface may have been made anew. */
static bool look_at_vlan(struct kernel_resolver *self)
{
    struct place *place = &self->place;
    struct netlink_link out;

    if (netlink_link(self->netlink, NULL, place->out.index, &out) &&
        netlink_vlan(self->netlink, place->port.index, self->vlan, &out))
        return false;
    place->out = out;
    return out.up;
}

static void look_at_links(struct kernel_resolver *self)
{
    struct place *place = &self->place;
    struct netlink_link port;
    bool up = false;

    if (!netlink_link(self->netlink, NULL, place->port.index, &port)) {
        place->port = port;
        up = port.up;
    }
    if (!self->vlan)
        place->out = place->port;
    else if (!look_at_vlan(self))
        up = false;
    if (up != place->up)
        log_line(LOG_INFO, "interface %s is %s", place->out.name, up ? "up" : "down");
    place->up = up;
}

static void look_at_all(struct kernel_resolver *self, uint64_t now)
{
    self->synced = now;
    self->sync_at = ENGINE_NEVER;
    look_at_links(self);
    for (uint32_t i = 0; i < self->count; i++)
        look_up(self, &self->entries[i]);
}

static void set_timer(struct kernel_resolver *self)
{
    uint64_t next = RTE_MIN(self->tick_at, RTE_MIN(self->sync_at, self->retry_at));
    struct itimerspec when = {0};

    /* Zero, as it stands, disarms. */
    if (next != ENGINE_NEVER) {
        when.it_value.tv_sec = (time_t)(next / NSEC_PER_SEC);
        when.it_value.tv_nsec = (long)(next % NSEC_PER_SEC);
    }
    timerfd_settime(self->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

void kernel_resolver_work(void *resolver)
{
    struct kernel_resolver *self = resolver;
    uint64_t now = clock_now(&clock_machine);
    uint64_t expired;

    if (read(self->timer_fd, &expired, sizeof(expired)) < 0 && errno != EAGAIN)
        log_line(LOG_ERROR, "resolver timer: %s", strerror(errno));
    listen_kernel(self);
    take_wishes(self);
    if (now >= self->tick_at || now >= self->sync_at)
        look_at_all(self, now);
    if (self->count == 0)
        self->tick_at = ENGINE_NEVER;
    else if (now >= self->tick_at || self->tick_at == ENGINE_NEVER)
        self->tick_at = now + TICK_NS;
    tell(self, now);
    set_timer(self);
}

/* For operators. */

static int compare(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* An entry by way of the neighbour that comes after this one in the order of addresses; NULL: there
 * is none. */
static const struct entry *entry_after(const struct kernel_resolver *self,
                                       const struct address *address)
{
    const struct entry *next = NULL;

    for (uint32_t i = 0; i < self->count; i++) {
        const struct entry *entry = &self->entries[i];

        if (!entry->error && compare(&entry->route.next, address) > 0 &&
            (!next || compare(&entry->route.next, &next->route.next) < 0))
            next = entry;
    }
    return next;
}

static enum neighbour_state shown_state(const struct netlink_neighbour *neighbour)
{
    if (neighbour->reach == NETLINK_FAILED)
        return NEIGHBOUR_FAILED;
    if (neighbour->reach != NETLINK_REACHED)
        return NEIGHBOUR_PENDING;
    return neighbour->stale ? NEIGHBOUR_STALE : NEIGHBOUR_REACHABLE;
}

/* The cursor is the neighbour seen last. Entries change places; addresses are what stays. */
void kernel_resolver_view(void *resolver, struct neighbour_page *page)
{
    const struct kernel_resolver *self = resolver;
    const struct entry *entry = entry_after(self, &page->cursor);

    page->count = 0;
    while (entry && !neighbour_page_full(page)) {
        struct neighbour_entry *to = &page->entries[page->count++];

        *to = (struct neighbour_entry){
            .address = entry->route.next,
            .state = shown_state(&entry->neighbour),
            .used = true,
            .age_ns = RTE_MAX(page->now, entry->since_ns) - entry->since_ns,
        };
        if (entry->neighbour.reach == NETLINK_REACHED)
            to->mac = entry->neighbour.mac;
        page->cursor = to->address;
        entry = entry_after(self, &page->cursor);
    }
    page->done = !entry;
}

/* Making and ending one. */

/* Until there is such an interface, the link is down. */
static int await_vlan(struct kernel_resolver *self)
{
    const char *name = self->interface;

    memset(&self->place.out, 0, sizeof(self->place.out));
    snprintf(self->place.out.name, sizeof(self->place.out.name), "%s", name);
    log_line(LOG_WARNING,
             "interface %s has no VLAN %u yet (ip link add link %s name %.10s.%u type vlan id %u)",
             name, self->vlan, name, name, self->vlan, self->vlan);
    return 0;
}

static int find_place(struct kernel_resolver *self, const struct reason *reason)
{
    struct place *place = &self->place;
    const char *name = self->interface;
    int error = netlink_link(self->netlink, name, 0, &place->port);

    if (error)
        return reason_set(reason, error, "interface %s: %s", name, strerror(-error));
    if (!place->port.ethernet)
        return reason_set(reason, -EAFNOSUPPORT, "interface %s is no Ethernet", name);
    place->out = place->port;
    if (self->vlan)
        error = netlink_vlan(self->netlink, place->port.index, self->vlan, &place->out);
    if (error && self->fresh)
        return await_vlan(self);
    if (error)
        return reason_set(
            reason, error,
            "interface %s has no VLAN %u (ip link add link %s name %s.%u type vlan id %u)", name,
            self->vlan, name, name, self->vlan, self->vlan);
    place->up = place->port.up && place->out.up;
    if (!place->up)
        log_line(LOG_WARNING, "interface %s is down (ip link set dev %s up)", place->out.name,
                 place->out.name);
    return 0;
}

static int check_address(struct kernel_resolver *self, const struct config_subnet *subnet,
                         const struct reason *reason)
{
    const bool v4 = address_is_v4(&subnet->address);
    const char *name = self->place.out.name;
    char text[ADDRESS_TEXT_BYTES];
    unsigned prefix = subnet->prefix;
    int error = netlink_address(self->netlink, self->place.out.index, &subnet->address);

    address_format(&subnet->address, text);
    if (prefix == CONFIG_PREFIX_NONE)
        prefix = v4 ? V4_PREFIX_HINT : V6_PREFIX_HINT;
    if (error == -EADDRNOTAVAIL && self->fresh) {
        log_line(LOG_WARNING, "%s is no address of interface %s yet (ip address add %s/%u dev %s)",
                 text, name, text, prefix, name);
        return 0;
    }
    if (error == -EADDRNOTAVAIL)
        return reason_set(reason, error,
                          "%s is no address of interface %s (ip address add %s/%u dev %s)", text,
                          name, text, prefix, name);
    if (error)
        return reason_set(reason, error, "interface %s: %s", name, strerror(-error));
    return 0;
}

/* Packets of a family come from the first address of it. */
static int take_addresses(struct kernel_resolver *self, const struct kernel_resolver_config *config,
                          const struct reason *reason)
{
    int error = 0;

    for (uint32_t i = 0; i < config->address_count && !error; i++) {
        const struct address *address = &config->addresses[i].address;

        error = check_address(self, &config->addresses[i], reason);
        if (address_is_v4(address) && !self->has_v4)
            self->v4 = *address;
        else if (!address_is_v4(address) && !self->has_v6)
            self->v6 = *address;
        self->has_v4 |= address_is_v4(address);
        self->has_v6 |= !address_is_v4(address);
    }
    return error;
}

static int make_ring(struct rte_ring **ring, const char *name, unsigned element, uint32_t entries)
{
    const unsigned size = rte_align32pow2(entries + 1);
    ssize_t bytes = rte_ring_get_memsize_elem(element, size);
    struct rte_ring *made;

    if (bytes < 0)
        return (int)bytes;
    made = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL((size_t)bytes, RTE_CACHE_LINE_SIZE));
    if (!made)
        return -ENOMEM;
    *ring = made;
    return rte_ring_init(made, name, size, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int watch(const struct kernel_resolver *self, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(self->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_descriptors(struct kernel_resolver *self)
{
    int error = netlink_open(&self->netlink);

    if (error)
        return error;
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    self->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (self->wake_fd < 0 || self->timer_fd < 0 || self->epoll_fd < 0)
        return -errno;
    error = watch(self, self->wake_fd);
    if (!error)
        error = watch(self, self->timer_fd);
    return error ? error : watch(self, netlink_fd(self->netlink));
}

static int prepare(struct kernel_resolver *self, const struct kernel_resolver_config *config,
                   const struct reason *reason)
{
    int error = open_descriptors(self);

    if (!error)
        error = make_ring(&self->wishes, "wishes", sizeof(struct wish), 2 * self->hops_max);
    if (!error)
        error = make_ring(&self->answers, "answers", sizeof(struct hop), ANSWERS_MAX - 1);
    if (error)
        return reason_set(reason, error, "resolver: %s", strerror(-error));
    error = find_place(self, reason);
    return error ? error : take_addresses(self, config, reason);
}

int kernel_resolver_create(struct kernel_resolver **resolver,
                           const struct kernel_resolver_config *config, const struct reason *reason)
{
    struct kernel_resolver *made =
        calloc(1, sizeof(*made) + config->hops_max * sizeof(made->entries[0]));
    int error;

    if (!made)
        return reason_set(reason, -ENOMEM, "resolver: out of memory");
    made->face.ops = &ops;
    made->wake_fd = made->timer_fd = made->epoll_fd = -1;
    made->tick_at = made->sync_at = made->retry_at = ENGINE_NEVER;
    made->vlan = config->vlan;
    made->mtu = config->mtu;
    made->fresh = config->fresh;
    made->hops_max = config->hops_max;
    snprintf(made->interface, sizeof(made->interface), "%s", config->interface);
    error = prepare(made, config, reason);
    if (error) {
        kernel_resolver_destroy(made);
        return error;
    }
    doorbell_arm(&made->armed);
    *resolver = made;
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void kernel_resolver_destroy(struct kernel_resolver *resolver)
{
    if (!resolver)
        return;
    netlink_close(resolver->netlink);
    close_fd(resolver->wake_fd);
    close_fd(resolver->timer_fd);
    close_fd(resolver->epoll_fd);
    free(resolver->wishes);
    free(resolver->answers);
    free(resolver);
}

struct resolver *kernel_resolver_lend(struct kernel_resolver *resolver)
{
    return &resolver->face;
}

void kernel_resolver_serve(struct kernel_resolver *resolver, struct engine *engine)
{
    resolver->engine = engine;
}

int kernel_resolver_fd(const struct kernel_resolver *resolver)
{
    return resolver->epoll_fd;
}
