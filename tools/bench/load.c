/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/load.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define HOGS_PER_CORE 2u
#define MMAP_BYTES    50000000u            /* SOSP'19 section 5.3 */
#define START_NS      (30 * 1000000000ull) /* far above any start of a process */

struct place {
    enum plan_load kind;
    uint32_t cpu;
};

static void __attribute__((noreturn)) map_for_ever(void)
{
    for (;;) {
        void *memory = mmap(NULL, MMAP_BYTES, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory != MAP_FAILED)
            munmap(memory, MMAP_BYTES);
    }
}

static void __attribute__((noreturn)) spin_for_ever(void)
{
    for (volatile uint64_t turns = 0;;)
        turns = turns + 1;
}

static void be_busy(void *arg, int word_fd)
{
    const struct place *place = arg;
    const struct sched_param none = {0};
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(place->cpu, &set);
    sched_setscheduler(0, SCHED_OTHER, &none);
    if (sched_setaffinity(0, sizeof(set), &set) || write(word_fd, "", 1) != 1)
        _exit(EXIT_FAILURE);
    if (place->kind == PLAN_MMAP)
        map_for_ever();
    spin_for_ever();
}

static int start_on(struct load *load, enum plan_load kind, const cpu_set_t *cpus)
{
    uint32_t each = kind == PLAN_HOGS ? HOGS_PER_CORE : 1;
    for (uint32_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        for (uint32_t i = 0; CPU_ISSET(cpu, cpus) && i < each; i++) {
            struct place place = {.kind = kind, .cpu = cpu};
            struct actor *actor = &load->actors[load->count];
            int rc = actor_start(actor, SIGKILL, be_busy, &place);
            if (rc)
                return rc;
            load->count++;
            if ((rc = actor_wait(actor, START_NS)))
                return rc;
        }
    }
    return 0;
}

int load_start(struct load *load, enum plan_load kind)
{
    cpu_set_t cpus;
    *load = (struct load){0};
    if (kind == PLAN_IDLE)
        return 0;
    if (sched_getaffinity(0, sizeof(cpus), &cpus))
        return -errno;
    load->actors = calloc((size_t)CPU_COUNT(&cpus) * HOGS_PER_CORE, sizeof(load->actors[0]));
    if (!load->actors)
        return -ENOMEM;
    int rc = start_on(load, kind, &cpus);
    if (rc)
        load_stop(load);
    return rc;
}

void load_stop(struct load *load)
{
    for (uint32_t i = 0; i < load->count; i++)
        actor_kill(&load->actors[i]);
    free(load->actors);
    *load = (struct load){0};
}
