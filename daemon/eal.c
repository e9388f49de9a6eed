/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/eal.h"

#include "control/log.h"
#include "daemon/port_ethdev.h"
#include "daemon/privileges.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define ARGUMENTS_MAX  (16 + 2 * CONFIG_PORTS_MAX) /* each port may be a device of its own */
#define ARGUMENT_BYTES SCHEMA_TEXT_BYTES
#define MEBIBYTE       (1ull << 20)

struct arguments {
    int count;
    char text[ARGUMENTS_MAX][ARGUMENT_BYTES];
    char *pointers[ARGUMENTS_MAX + 1];
};

static void __attribute__((format(printf, 2, 3)))
add(struct arguments *arguments, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(arguments->text[arguments->count], ARGUMENT_BYTES, format, args);
    va_end(args);
    arguments->pointers[arguments->count] = arguments->text[arguments->count];
    arguments->count++;
}

/* Whether that much memory can be had in hugepages: the kernel reserves them for a mapping, or
 * refuses it. EAL itself could not be asked twice. */
static bool hugepages_there(uint64_t bytes)
{
    void *memory =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

    if (memory == MAP_FAILED)
        return false;
    munmap(memory, bytes);
    return true;
}

static int choose_hugepages(const struct config *config, bool *huge, char *reason,
                            size_t reason_bytes)
{
    *huge = config->hugepages != CONFIG_HUGEPAGES_OFF && hugepages_there(config->memory);
    if (*huge || config->hugepages == CONFIG_HUGEPAGES_OFF)
        return 0;
    if (config->hugepages == CONFIG_HUGEPAGES_REQUIRED) {
        snprintf(reason, reason_bytes,
                 "hugepages: required, but %llu MiB of them are not free (vm.nr_hugepages)",
                 (unsigned long long)(config->memory / MEBIBYTE));
        return -ENOMEM;
    }
    log_line(LOG_INFO, "hugepages: %llu MiB of them are not free, using ordinary memory",
             (unsigned long long)(config->memory / MEBIBYTE));
    return 0;
}

static int first_cpu(const cpu_set_t *cpus)
{
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, cpus))
            return cpu;
    }
    return 0;
}

/* PCI devices are looked for only where the configuration names some, and then for those alone. */
static void add_devices(struct arguments *arguments, const struct config *config)
{
    bool pci = false;

    for (uint32_t i = 0; i < config->ports.count; i++) {
        const struct config_port *port = config_port(config, i);

        if (port->driver != CONFIG_ETHDEV || !port_ethdev_is_pci(port->device.text))
            continue;
        add(arguments, "--allow");
        add(arguments, "%s", port->device.text);
        pci = true;
    }
    if (!pci)
        add(arguments, "--no-pci");
}

/* One lcore, the main thread's; devices only as the configuration makes them. */
static void build(struct arguments *arguments, const struct config *config, bool huge, bool quiet,
                  const cpu_set_t *cpus)
{
    add(arguments, "saddled");
    add(arguments, "--lcores=0@%d", first_cpu(cpus));
    add_devices(arguments, config);
    add(arguments, "--no-telemetry");
    add(arguments, "-m%llu", (unsigned long long)(config->memory / MEBIBYTE));
    add(arguments, "--iova-mode=va");
    if (huge) {
        add(arguments, "--in-memory");
    } else {
        add(arguments, "--no-huge");
        add(arguments, "--no-shconf");
    }
    if (quiet)
        add(arguments, "--log-level=*:error");
}

int eal_start(const struct config *config, bool quiet, char *reason, size_t reason_bytes)
{
    struct arguments arguments = {0};
    cpu_set_t cpus;
    bool huge;
    int error = choose_hugepages(config, &huge, reason, reason_bytes);

    if (error)
        return error;
    if (sched_getaffinity(0, sizeof(cpus), &cpus)) {
        error = -errno;
        snprintf(reason, reason_bytes, "CPU affinity: %s", strerror(-error));
        return error;
    }
    build(&arguments, config, huge, quiet, &cpus);
    if (rte_eal_init(arguments.count, arguments.pointers) < 0) {
        error = rte_errno ? -rte_errno : -EIO;
        snprintf(reason, reason_bytes, "DPDK: %s (see --verbose)", strerror(-error));
        return error;
    }
    if (sched_setaffinity(0, sizeof(cpus), &cpus)) {
        error = -errno;
        snprintf(reason, reason_bytes, "CPU affinity: %s", strerror(-error));
        return error;
    }
    return 0;
}

int eal_thread_start(void *arg)
{
    int error = privileges_of_engines();

    (void)arg;
    if (!error && rte_thread_register())
        error = -rte_errno;
    return error;
}

static void flush(struct rte_mempool *pool, void *arg)
{
    (void)arg;
    rte_mempool_cache_flush(rte_mempool_default_cache(pool, rte_lcore_id()), pool);
}

void eal_flush(void)
{
    rte_mempool_walk(flush, NULL);
}

void eal_thread_stop(void *arg)
{
    (void)arg;
    eal_flush();
    rte_thread_unregister();
}
