/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's inside, for host.c and host_apply.c: what one configuration's engines and groups are,
 * and how each of them is made.
 *
 * Ownership: a layout's parts are the host's; while a configuration is applied, two layouts share
 * those that stay. Threads: the control thread.
 */
#ifndef DAEMON_HOST_PRIVATE_H
#define DAEMON_HOST_PRIVATE_H

#include "daemon/host.h"
#include "daemon/kernel_resolver.h"
#include "daemon/ports.h"
#include "engines/pony/transport.h"
#include "sched/group.h"

struct host_engine {
    struct engine *engine;
    struct kernel_resolver *resolver; /* NULL: its port needs none */
    struct group *group;              /* where it runs; NULL: nowhere */
    struct transport_peer *peers;     /* those it was made with */
    uint32_t peer_count;
};

/* By position in the configuration. */
struct host_layout {
    const struct config *config;
    struct host_engine engines[CONFIG_ENGINES_MAX];
    struct group *groups[CONFIG_GROUPS_MAX];
    uint64_t nodes[CONFIG_GROUPS_MAX]; /* of each group's CPUs, as of topology_nodes */
};

/* What a change that failed could not take back, as an engine did not answer: new engines that
 * hang, and new groups that have an engine, old or new. The engines are asked again before the next
 * change, and the groups end with it. */
struct host_left {
    struct host_left *next;
    struct host_engine engines[CONFIG_ENGINES_MAX];
    struct group *groups[CONFIG_GROUPS_MAX];
};

struct host {
    struct topology topology;
    const struct config *opened; /* what the ports were opened for */
    struct ports *ports;
    struct server *server;
    struct host_layout running;
    struct host_left *left; /* a list, mostly empty */
    /* Engines that another daemon has by now. They never run again, and destroying them would touch
     * what they share with the other one: they are left as they are until the process ends. */
    struct host_engine gone[CONFIG_ENGINES_MAX];
    struct engine *list[CONFIG_ENGINES_MAX]; /* of the running ones that are here */
    uint32_t listed;
    uint16_t hosts[CONFIG_ENGINES_MAX]; /* of each in the list, as server_set_hosts has it */
};

/* Makes the engine at `index`, in no group yet. 0, or a negative errno with one line in `reason`;
 * host_end_engine is due in both cases. */
int host_make_engine(const struct host *host, struct host_layout *layout, uint32_t index,
                     const struct reason *reason);
/* The engine is in no group, or was never made. */
void host_end_engine(const struct host *host, struct host_engine *engine);
/* The engine at `index` of what runs is another daemon's by now, and in no group here: gives up its
 * descriptors, and lets it lie. */
void host_forget_engine(struct host *host, uint32_t index);
/* Makes the group at `index`, without engines: 0, or a negative errno with one line in `reason`.
 * One that may run anywhere is kept to the nodes of its engines' ports. */
int host_make_group(const struct host *host, struct host_layout *layout, uint32_t index,
                    const struct reason *reason);
/* What the group at `index` of the layout's configuration is to be, and the nodes that it is on
 * then. 0, or a negative errno with one line in `reason`. */
int host_describe_group(const struct host *host, struct host_layout *layout, uint32_t index,
                        struct group_config *group, const struct reason *reason);
/* Says in the log if the kernel refuses a group's threads their class. Once the group has its
 * engines: it may not have its threads before. */
void host_tell_class(const struct group *group);
/* Adds the engines at these positions, at least one, to their group of the layout, which is the
 * same for all. 0, or the first error with one line in `reason`; those that could be added are. */
int host_join_group(struct host_layout *layout, const uint32_t *indices, uint32_t count,
                    const struct reason *reason);
/* Lists the engines of a layout that are here, and tells the server which of them are one host. */
void host_list(struct host *host, const struct host_layout *layout);
/* The position of the group that has the engine at `index`. */
uint32_t host_group_index(const struct config *config, uint32_t index);

/* Ends new engines that were left. 0, or -ETIMEDOUT with one line in `reason`: one hangs still. */
int host_end_left(struct host *host, const struct reason *reason);
/* Ends the groups that were left; there is no engine in them any more. */
void host_end_left_groups(struct host *host);

/* The peers of an engine: those that are listed, then the engine at the other end of the ring,
 * unless it is among them. Returns how many. */
uint32_t host_collect_peers(const struct config *config, const struct config_engine *engine,
                            struct transport_peer peers[TRANSPORT_PEERS_MAX]);

/* Sets a line that ends with what the error means. */
int host_fail(const struct reason *reason, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
