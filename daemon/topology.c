/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/topology.h"

#include <limits.h>
#include <numa.h>
#include <numaif.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES   128u
#define NUMBER_BYTES 16
#define NODES_BITS   (TOPOLOGY_NODES_MAX + 1) /* the kernel takes one off: mbind(2) */

/* ---- The machine's ---- */

static bool machine_has(int node)
{
    return numa_available() >= 0 && numa_bitmask_isbitset(numa_all_nodes_ptr, (unsigned)node);
}

static int machine_node_of_cpu(int cpu)
{
    return numa_available() < 0 ? TOPOLOGY_ANY : numa_node_of_cpu(cpu);
}

static int machine_read_node(const char *path)
{
    FILE *file = fopen(path, "re");
    char text[NUMBER_BYTES], *end = text;
    long node = TOPOLOGY_ANY;

    if (!file)
        return TOPOLOGY_ANY;
    if (fgets(text, sizeof(text), file))
        node = strtol(text, &end, 10);
    fclose(file);
    return end == text || node < INT_MIN || node > INT_MAX ? TOPOLOGY_ANY : (int)node;
}

/* libnuma's own function prints a warning where the kernel refuses. A refusal costs speed alone. */
static void machine_prefer(int node)
{
    const unsigned long mask = topology_bit(node);

    if (node == TOPOLOGY_ANY)
        (void)set_mempolicy(MPOL_DEFAULT, NULL, 0);
    else
        (void)set_mempolicy(MPOL_PREFERRED, &mask, NODES_BITS);
}

const struct topology_ops topology_machine = {
    .has = machine_has,
    .node_of_cpu = machine_node_of_cpu,
    .read_node = machine_read_node,
    .prefer = machine_prefer,
};

/* ---- What follows from it ---- */

uint64_t topology_bit(int node)
{
    return node < 0 || node >= TOPOLOGY_NODES_MAX ? 0 : 1ull << node;
}

void topology_init(struct topology *topology, const struct topology_ops *ops)
{
    topology->ops = ops;
    topology->nodes = 0;
    for (int node = 0; node < TOPOLOGY_NODES_MAX; node++)
        topology->nodes |= ops->has(node) ? topology_bit(node) : 0;
}

uint32_t topology_count(const struct topology *topology)
{
    return (uint32_t)__builtin_popcountll(topology->nodes);
}

/* A node without memory is none. */
static int known(const struct topology *topology, int node)
{
    return topology_bit(node) & topology->nodes ? node : TOPOLOGY_ANY;
}

int topology_of_interface(const struct topology *topology, const char *interface)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/sys/class/net/%s/device/numa_node", interface);
    return known(topology, topology->ops->read_node(path));
}

int topology_of_pci(const struct topology *topology, const char *address)
{
    char path[PATH_BYTES];

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", address);
    return known(topology, topology->ops->read_node(path));
}

void topology_cpus(const struct topology *topology, uint64_t nodes, const cpu_set_t *of,
                   cpu_set_t *cpus)
{
    CPU_ZERO(cpus);
    if (topology_count(topology) < 2)
        return;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, of) && (topology_bit(topology->ops->node_of_cpu(cpu)) & nodes))
            CPU_SET(cpu, cpus);
    }
}

uint64_t topology_nodes(const struct topology *topology, const cpu_set_t *cpus)
{
    uint64_t nodes = 0;

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, cpus))
            nodes |= topology_bit(topology->ops->node_of_cpu(cpu));
    }
    return nodes;
}

void topology_prefer(const struct topology *topology, int node)
{
    if (topology_count(topology) >= 2)
        topology->ops->prefer(node);
}

/* The last of the nodes that follow this one without a gap. */
static int last_of_run(uint64_t nodes, int node)
{
    while (topology_bit(node + 1) & nodes)
        node++;
    return node;
}

const char *topology_format(const struct topology *topology, uint64_t nodes,
                            char text[TOPOLOGY_TEXT_BYTES])
{
    size_t used = 0;

    if (topology_count(topology) == 1)
        nodes = topology->nodes;
    snprintf(text, TOPOLOGY_TEXT_BYTES, "any");
    for (int node = 0; node < TOPOLOGY_NODES_MAX && used < TOPOLOGY_TEXT_BYTES; node++) {
        int last;

        if (!(topology_bit(node) & nodes))
            continue;
        last = last_of_run(nodes, node);
        used += (size_t)snprintf(text + used, TOPOLOGY_TEXT_BYTES - used,
                                 last > node ? "%s%d-%d" : "%s%d", used ? "," : "", node, last);
        node = last;
    }
    return text;
}
