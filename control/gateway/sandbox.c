/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/gateway/sandbox.h"

#include "control/gateway/access.h"

#include <cap-ng.h>
#include <errno.h>
#include <numa.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define DATA_MAX (1u << 30) /* bytes: what a leak or a bomb may take before the process ends */

/* A sanitizer's shadow is terabytes of memory that is never touched, and counts nevertheless. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SHADOW
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SHADOW
#endif

int sandbox_cpus(const char *list)
{
    struct bitmask *parsed = numa_parse_cpustring_all(list);
    cpu_set_t cpus;

    if (!parsed)
        return -EINVAL;
    CPU_ZERO(&cpus);
    for (unsigned i = 0; i < parsed->size && i < CPU_SETSIZE; i++) {
        if (numa_bitmask_isbitset(parsed, i))
            CPU_SET(i, &cpus);
    }
    numa_bitmask_free(parsed);
    return sched_setaffinity(0, sizeof(cpus), &cpus) ? -errno : 0;
}

static int drop_capabilities(void)
{
    bool bounds;

    if (capng_get_caps_process())
        return -EPERM;
    /* The bounding set takes a capability to empty. */
    bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
    capng_clear(CAPNG_SELECT_ALL);
    if (bounds && capng_apply(CAPNG_SELECT_BOUNDS))
        return -EPERM;
    return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

static int limit_memory(void)
{
#ifdef HAS_SHADOW
    return 0;
#else
    const struct rlimit memory = {DATA_MAX, DATA_MAX};

    return setrlimit(RLIMIT_DATA, &memory) ? -errno : 0;
#endif
}

int sandbox_enter(int link_fd)
{
    const struct rlimit none = {0, 0};
    struct rlimit files;
    socklen_t length = sizeof(int);
    int type;

    if (getsockopt(link_fd, SOL_SOCKET, SO_TYPE, &type, &length) || type != SOCK_SEQPACKET)
        return -ENOTSOCK;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_DUMPABLE, 0))
        return -errno;
    if (getrlimit(RLIMIT_NOFILE, &files))
        return -errno;
    if (files.rlim_max > ACCESS_FDS_MAX)
        files.rlim_max = ACCESS_FDS_MAX;
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_CORE, &none) || limit_memory())
        return -errno;
    /* It ends with the link alone: whoever stops the daemon stops this. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    return drop_capabilities();
}
