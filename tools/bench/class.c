/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tools/bench/class.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define LOOKS     200u    /* of */
#define LOOK_NS   1000000 /* each: together far above any period of a budget */
#define NICE_BEST -20
#define NICE_OWN  100 /* none that there is: this process's own */
#define COMM_MAX  17u /* a thread's name, the end of the line, and of the text */
#define PATH_MAX_ 64u

#ifndef SCHED_DEADLINE
#define SCHED_DEADLINE 6 /* linux/sched.h */
#endif

struct class
{
    const char *name;
    int policy;
    int nice;
};

static const struct class classes[] = {
    {"ordinary", SCHED_OTHER, NICE_OWN},
    {"nice", SCHED_OTHER, NICE_BEST},
    {"fifo", SCHED_FIFO, 0},
    {"deadline", SCHED_DEADLINE, 0},
};

static const char *policy_name(int policy)
{
    switch (policy) {
    case SCHED_OTHER:
        return "SCHED_OTHER";
    case SCHED_FIFO:
        return "SCHED_FIFO";
    case SCHED_RR:
        return "SCHED_RR";
    case SCHED_DEADLINE:
        return "SCHED_DEADLINE";
    default:
        return "another policy";
    }
}

/* What is ordinary is as whoever started it is, who may be nice himself. */
static bool is_in(const struct class *class, int policy, int nice)
{
    int wanted = class->nice == NICE_OWN ? getpriority(PRIO_PROCESS, 0) : class->nice;
    return policy == class->policy && (policy != SCHED_OTHER || nice == wanted);
}

int class_check(pid_t tid, const char *name, char *reason, size_t reason_bytes)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    const struct class *class = NULL;
    int policy = 0, nice = 0;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strcmp(classes[i].name, name) == 0)
            class = &classes[i];
    for (uint32_t look = 0; class && look < LOOKS; look++) {
        policy = sched_getscheduler(tid) & ~SCHED_RESET_ON_FORK;
        nice = getpriority(PRIO_PROCESS, (id_t)tid);
        if (is_in(class, policy, nice))
            return 0;
        nanosleep(&pause, NULL);
    }
    snprintf(reason, reason_bytes, "the engines' thread is under %s, nice %d", policy_name(policy),
             nice);
    return -EPERM;
}

static bool thread_is(pid_t pid, const char *tid, const char *prefix)
{
    char path[PATH_MAX_], name[COMM_MAX] = "";
    snprintf(path, sizeof(path), "/proc/%d/task/%.16s/comm", (int)pid, tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool read = fgets(name, sizeof(name), file) != NULL;
    fclose(file);
    return read && strncmp(name, prefix, strlen(prefix)) == 0;
}

int class_check_process(pid_t pid, const char *prefix, const char *class, char *reason,
                        size_t reason_bytes)
{
    char path[PATH_MAX_];
    int rc = -ESRCH;
    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    DIR *threads = opendir(path);
    snprintf(reason, reason_bytes, "the daemon has no thread %s", prefix);
    if (!threads)
        return rc;
    for (struct dirent *entry; (entry = readdir(threads)) && (rc == 0 || rc == -ESRCH);)
        if (entry->d_name[0] != '.' && thread_is(pid, entry->d_name, prefix))
            rc = class_check((pid_t)strtol(entry->d_name, NULL, 10), class, reason, reason_bytes);
    closedir(threads);
    return rc;
}
