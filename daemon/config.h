/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's configuration: one YAML file, checked as a whole before anything is started.
 *
 * Ownership: config_load fills a structure that config_free empties. Nothing else keeps pointers
 * into it but the daemon it configures.
 * Threads: any one. Trust: the file is the operator's; it is checked, not trusted.
 */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include "daemon/schema.h"
#include "engines/address.h"
#include "sched/quanta.h"

#include <rte_ether.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CONFIG_BYTES_MAX   (256u << 10) /* a longer file is a mistake */
#define CONFIG_ENGINES_MAX 64u          /* GROUP_ENGINES_MAX */
#define CONFIG_PORTS_MAX   64u
#define CONFIG_GROUPS_MAX  16u
#define CONFIG_MATES_MAX   16u   /* engines on one port: FAN_MEMBERS_MAX, DIRECTORY_ENGINES_MAX */
#define CONFIG_CLASSES_MAX 2048u /* of a shaper: SHAPE_LISTED_MAX */
#define CONFIG_MATCHES_MAX 64u   /* of a class */
#define CONFIG_CALLERS_MAX 16u   /* of each role, by uid and gid, and by names in certificates */
#define CONFIG_MTU_MIN     1280u /* bytes: what IPv6 needs (RFC 8200 section 5) */
#define CONFIG_MTU_MAX     9000u /* bytes: the usual jumbo frame */
#define CONFIG_PREFIX_NONE UINT8_MAX
#define CONFIG_MEMIF_MODE  0600u /* permission bits of a server's socket, by default */

enum config_hugepages {
    CONFIG_HUGEPAGES_AUTO,
    CONFIG_HUGEPAGES_OFF,
    CONFIG_HUGEPAGES_REQUIRED,
};

enum config_driver {
    CONFIG_NET_RING,
    CONFIG_NET_NULL,
    CONFIG_ETHDEV,
    CONFIG_XDP,
    CONFIG_MEMIF,
};

enum config_role {
    CONFIG_CLIENT,
    CONFIG_SERVER,
};

enum config_kind {
    CONFIG_PONY,
    CONFIG_STEER,
    CONFIG_SHAPER,
    CONFIG_KERNEL,
};

/* As in the kernel's words; the values are those of daemon/xdp_program.h. */
enum config_xdp_mode {
    CONFIG_XDP_AUTO,
    CONFIG_XDP_NATIVE,
    CONFIG_XDP_GENERIC,
};

enum config_zerocopy {
    CONFIG_ZEROCOPY_AUTO,
    CONFIG_ZEROCOPY_OFF,
    CONFIG_ZEROCOPY_REQUIRED,
};

/* Congestion control; of a peer also CONFIG_AS_ENGINE. */
enum config_congestion {
    CONFIG_SWIFT,
    CONFIG_TIMELY,
    CONFIG_WINDOW,
    CONFIG_AS_ENGINE,
};

/* Who has the addresses, routes and neighbours of what a port leads to. */
enum config_owner {
    CONFIG_OWNER_NOBODY, /* there are none but the configured peers */
    CONFIG_OWNER_KERNEL, /* the interface beneath the port is the kernel's */
    CONFIG_OWNER_SADDLE,
};

/* Whether a session shares its engine with others. */
enum config_engines {
    CONFIG_SHARED,
    CONFIG_EXCLUSIVE,
};

enum config_mode {
    CONFIG_DEDICATED,
    CONFIG_SPREADING,
    CONFIG_COMPACTING,
};

/* How a spinning thread pauses. */
enum config_pause {
    CONFIG_PAUSE_AUTO,
    CONFIG_PAUSE_OFF,
};

/* Faults a port is to cause: shares in parts per million, times in ns. */
struct config_impair {
    struct schema_place place;
    uint64_t loss, duplicate, reorder, corrupt;
    uint64_t burst_enter, burst_leave, burst_loss;
    uint64_t reorder_by, delay, jitter;
    uint64_t seed;
};

struct config_port {
    struct schema_place place;
    struct schema_text name;
    uint64_t driver;              /* enum config_driver */
    struct schema_text peer;      /* net_ring: the port at the other end */
    struct schema_text device;    /* ethdev: DPDK's name of it, with arguments for a virtual one */
    struct schema_text interface; /* the kernel's interface beneath; xdp: it; may be empty else */
    uint64_t xdp_mode;            /* xdp: enum config_xdp_mode */
    uint64_t zerocopy;            /* xdp: enum config_zerocopy */
    struct schema_text socket;    /* memif: its path */
    uint64_t role;                /* memif: enum config_role */
    uint64_t id;                  /* memif: of the interface */
    uint64_t mode;                /* memif: of a server's socket */
    struct schema_text
        mac;          /* empty: the device's own, else made up from the position in the list */
    uint64_t mtu;     /* bytes of the IP packet; SCHEMA_UNSET: as the interface has it */
    uint64_t packets; /* in its pool */
    struct config_impair impair;
};

/* A host that an engine knows by name; without `mac`, the port's owner finds that out. */
struct config_peer {
    struct schema_place place;
    struct schema_text name, address, mac;
    uint64_t congestion; /* enum config_congestion */
};

/* A class of a shaper. */
struct config_class {
    struct schema_place place;
    struct schema_text name, parent;
    uint64_t rate;  /* bits per second, or SCHEMA_UNSET */
    uint64_t burst; /* bytes, or SCHEMA_UNSET */
    uint64_t priority, weight;
    struct schema_list match; /* struct schema_text, as config_shape_make reads it */
};

struct config_engine {
    struct schema_place place;
    struct schema_text name;
    uint64_t kind; /* enum config_kind */
    struct schema_text port;
    struct schema_text interface; /* kernel: of the kernel, to be made */
    struct schema_list addresses; /* struct schema_text, as config_subnet reads it */
    struct schema_list gateways;  /* struct schema_text, at most one of each family */
    struct schema_list peers;     /* struct config_peer */
    struct schema_list classes;   /* struct config_class */
    uint64_t udp_port, vlan, dscp, window;
    uint64_t wire_min, wire_max;
    uint64_t congestion; /* enum config_congestion */
    uint64_t rto_min, rto_max, dead_after, keepalive, hello_timeout, ack_delay;
    uint64_t sessions, connections, operations, regions, flows;
};

struct config_group {
    struct schema_place place;
    struct schema_text name;
    uint64_t mode; /* enum config_mode */
    struct schema_text cpus;
    uint64_t threads;
    uint64_t class; /* enum quanta_class */
    uint64_t runtime, period;
    uint64_t idle;       /* ns, SCHEMA_NEVER, or SCHEMA_UNSET: as the mode has it */
    uint64_t moderation; /* ns, or SCHEMA_NEVER */
    uint64_t slo;
    uint64_t pause;             /* enum config_pause */
    struct schema_list engines; /* struct schema_text */
};

/* One rule: exactly one of uid, gid and any is given. */
struct config_rule {
    struct schema_place place;
    uint64_t uid, gid;  /* or SCHEMA_UNSET */
    uint64_t any;       /* 1: everybody */
    uint64_t allow;     /* a bit for each word; see config_rights */
    uint64_t engines;   /* enum config_engines */
    uint64_t weight;    /* of sessions, beside others of their engine */
    uint64_t hugepages; /* enum policy_hugepages */
};

/* Who may call: exactly one of them is given. */
struct config_caller {
    struct schema_place place;
    uint64_t uid, gid; /* or SCHEMA_UNSET */
    uint64_t any;      /* 1: everybody */
};

/* Metrics for whoever reaches the address. */
struct config_http {
    struct schema_place place;
    struct schema_text address; /* as endpoint_parse reads it; empty: there is none */
};

/* gRPC for clients that show a certificate. */
struct config_tls {
    struct schema_place place;
    struct schema_text address;                     /* as endpoint_parse reads it; empty: none */
    struct schema_text certificate, key, authority; /* files */
    struct schema_list observe, operate;            /* struct schema_text: names in certificates */
};

/* How operators reach the daemon. */
struct config_control {
    struct schema_place place;
    struct schema_text path; /* of the control socket; empty: there is none */
    uint64_t mode;
    struct schema_text cpus;    /* of saddle-control, as config_cpus reads it */
    struct schema_text program; /* saddle-control */
    struct schema_list observe; /* struct config_caller */
    struct schema_list operate; /* struct config_caller */
    struct config_http http;
    struct config_tls tls;
};

/* How a newer daemon takes over from this one. */
struct config_upgrade {
    struct schema_place place;
    struct schema_text socket; /* where it knocks; empty: it cannot */
    uint64_t blackout;         /* ns that a set may stand still */
};

struct config_socket {
    struct schema_place place;
    struct schema_text path;
    uint64_t mode;
};

/* What one user, and one session, may take. */
struct config_limits {
    struct schema_place place;
    uint64_t sessions_per_uid;
    uint64_t memory_per_uid;    /* bytes of arenas */
    uint64_t handshake_timeout; /* ns */
    uint64_t connections_per_session, listeners_per_session, regions_per_session; /* 0: no bound */
    uint64_t exposed_per_session;          /* bytes; 0: no bound */
    uint64_t operations_per_session;       /* 0: no bound */
    uint64_t cpu_per_session, cpu_per_uid; /* of an engine's time, per million; 0: no bound */
};

struct config {
    struct schema_place place;
    struct config_socket socket;
    struct schema_text user; /* to become when started by root; may be empty */
    uint64_t memory;         /* bytes for packets and DPDK's own use */
    uint64_t hugepages;
    uint64_t deadline_share;    /* parts per million */
    struct schema_list ports;   /* struct config_port */
    struct schema_list engines; /* struct config_engine */
    struct schema_list groups;  /* struct config_group */
    struct schema_list policy;  /* struct config_rule */
    struct config_limits limits;
    struct config_control control;
    struct config_upgrade upgrade;
};

/* Parses and checks. 0, or a negative errno with the line to show in source->error; config_free is
 * due in both cases. */
int config_parse(struct config *config, struct schema_source *source, const char *text,
                 size_t length);
/* The same from a file, whose name is source->file. */
int config_load(struct config *config, struct schema_source *source);
void config_free(struct config *config);
/* Writes the effective configuration: what was given, and every default. */
void config_print(const struct config *config, FILE *stream);

/* Writes in Markdown what a configuration may hold. */
void config_describe(FILE *stream);

/* What a rule grants, as rights of control/policy.h. */
uint32_t config_rights(const struct config_rule *rule);

/* The texts inside a checked configuration, as values. -EINVAL if they are none. */
int config_mac(const char *text, struct rte_ether_addr *mac);
int config_cpus(const char *text, cpu_set_t *cpus);
/* What a group's threads ask of the kernel's scheduler. */
struct quanta_config config_quanta(const struct config *config, const struct config_group *group);

/* "10.0.0.1/24", or without a prefix. */
struct config_subnet {
    struct address address;
    uint8_t prefix; /* bits of the address's own family, or CONFIG_PREFIX_NONE */
};
int config_subnet(const char *text, struct config_subnet *subnet);
/* Whether the address is of that network; never if there is no prefix. */
bool config_subnet_has(const struct config_subnet *subnet, const struct address *address);

const char *config_driver_name(uint64_t driver);
enum config_owner config_owner(const struct config_port *port);
/* The same of the link: where an engine gives the kernel its part of a port that is Saddle's, the
 * kernel has addresses, routes and neighbours there, by an interface of its own. */
enum config_owner config_link_owner(const struct config *config, const struct config_port *port);
/* The kernel's interface to the link, or "". */
const char *config_link_interface(const struct config *config, const struct config_port *port);

/* By position or name; NULL if there is none. */
const struct config_port *config_port(const struct config *config, uint32_t index);
const struct config_engine *config_engine(const struct config *config, uint32_t index);
const struct config_group *config_group(const struct config *config, uint32_t index);
const struct config_port *config_find_port(const struct config *config, const char *name);
const struct config_engine *config_find_engine(const struct config *config, const char *name);
/* How many addresses an engine looks for at a time, at most: its peers, a flow each, one more. */
uint32_t config_hops_max(const struct config_engine *engine);
/* The same of those engines on a port that look for most. */
uint32_t config_hops_on(const struct config *config, const char *port);
/* The engine of the transport whose port has this name, or NULL; of several that share it, the
 * first. */
const struct config_engine *config_engine_on(const struct config *config, const char *port);
/* The engine that shares the port out among others, or NULL: it belongs to one. */
const struct config_engine *config_steer_on(const struct config *config, const char *port);
/* Whether the engine shares its port out: a steer or a shaper. */
static inline bool config_shares(const struct config_engine *engine)
{
    return engine->kind == CONFIG_STEER || engine->kind == CONFIG_SHAPER;
}
/* The engine that gives the kernel what is for none of the others, or NULL. */
const struct config_engine *config_kernel_on(const struct config *config, const char *port);
/* All engines of the transport on a port, in order; returns how many, all of which are at `mates`.
 */
uint32_t config_mates(const struct config *config, const char *port,
                      const struct config_engine *mates[CONFIG_MATES_MAX]);
/* The engine of `config` that has the place of this one: its port, and of one that is shared its
 * UDP port. Or NULL. */
const struct config_engine *config_in_place(const struct config *config,
                                            const struct config_engine *engine);
/* By which applications and other hosts know the host on a port that an engine has. */
const char *config_host_name(const struct config *config, const char *port);

#endif
