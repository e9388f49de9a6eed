/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Topology: the machine's memory nodes (NUMA), whose CPUs and devices each has. What a port's
 * packets go through, the pool, the engines and their threads, is to be on the node of its device.
 *
 * A machine with one node, or a kernel that knows none, has nothing to choose: then CPUs stay free
 * and memory is where it is.
 *
 * Ownership: plain data. Threads: control's; a preference is of the thread that sets it. Trust: the
 * kernel is believed. What is asked for is a table of functions, so that tests have machines that
 * are not there.
 */
#ifndef DAEMON_TOPOLOGY_H
#define DAEMON_TOPOLOGY_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#define TOPOLOGY_NODES_MAX  64   /* a bit each in a word */
#define TOPOLOGY_ANY        (-1) /* no node in particular, as the kernel has it */
#define TOPOLOGY_TEXT_BYTES 32u

struct topology_ops {
    /* Whether there is a node of this number. */
    bool (*has)(int node);
    /* Or TOPOLOGY_ANY. */
    int (*node_of_cpu)(int cpu);
    /* The number in a file of sysfs, or TOPOLOGY_ANY. */
    int (*read_node)(const char *path);
    /* Memory that this thread touches first comes from that node, if it can; TOPOLOGY_ANY: from
     * where the thread runs. */
    void (*prefer)(int node);
};

/* By libnuma. */
extern const struct topology_ops topology_machine;

struct topology {
    const struct topology_ops *ops;
    uint64_t nodes; /* a bit for each that there is */
};

void topology_init(struct topology *topology, const struct topology_ops *ops);
/* How many nodes there are to choose from; 0: the kernel knows none. */
uint32_t topology_count(const struct topology *topology);

/* The node of a device, or TOPOLOGY_ANY: by the name of the kernel's interface, or by its PCI
 * address in full. */
int topology_of_interface(const struct topology *topology, const char *interface);
int topology_of_pci(const struct topology *topology, const char *address);

/* Of these CPUs, the ones of these nodes; empty: there is no reason to choose any. */
void topology_cpus(const struct topology *topology, uint64_t nodes, const cpu_set_t *of,
                   cpu_set_t *cpus);
/* The nodes of these CPUs. */
uint64_t topology_nodes(const struct topology *topology, const cpu_set_t *cpus);

/* For what is made until the next one; does nothing where there is no choice. */
void topology_prefer(const struct topology *topology, int node);

/* A bit for one node, none for TOPOLOGY_ANY. */
uint64_t topology_bit(int node);
/* "0-1,3"; "any" for none, unless there is only one. Returns `text`. */
const char *topology_format(const struct topology *topology, uint64_t nodes,
                            char text[TOPOLOGY_TEXT_BYTES]);

#endif
