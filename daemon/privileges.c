/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Hugepage memory may have to be locked, engine threads may ask for priority. */
static const unsigned int kept[] = {CAP_IPC_LOCK, CAP_SYS_NICE};
/* What devices of the kernel's are opened with. */
static const unsigned int for_devices[] = {CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static int raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0;
}

/* Those of the list that are there, as bits. */
static uint64_t find(const unsigned int *list, size_t count)
{
    uint64_t found = 0;

    for (size_t i = 0; i < count; i++) {
        if (capng_have_capability(CAPNG_PERMITTED, list[i]))
            found |= 1ull << list[i];
    }
    return found;
}

static int drop_capabilities(bool devices)
{
    capng_select_t what;
    uint64_t keep;

    if (capng_have_capabilities(CAPNG_SELECT_CAPS) <= CAPNG_NONE)
        return 0;
    keep = find(kept, COUNT(kept));
    if (devices)
        keep |= find(for_devices, COUNT(for_devices));
    /* The bounding set can only be changed by those who may. */
    what =
        capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
    capng_clear(what);
    for (unsigned int i = 0; i <= CAP_LAST_CAP; i++) {
        if (keep >> i & 1)
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i);
    }
    return capng_apply(what) ? -EPERM : 0;
}

int privileges_settle(bool debuggable, bool devices)
{
    int error = raise_descriptors();

    if (error)
        return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    error = drop_capabilities(devices);
    if (!error && !debuggable && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        error = -errno;
    return error;
}
