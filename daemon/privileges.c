/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Hugepage memory may have to be locked, engine threads may ask for priority. */
static const unsigned int kept[] = {CAP_IPC_LOCK, CAP_SYS_NICE};

static int raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) ? -errno : 0;
}

static int drop_capabilities(void)
{
    bool had[sizeof(kept) / sizeof(kept[0])];
    capng_select_t what;

    if (capng_have_capabilities(CAPNG_SELECT_CAPS) <= CAPNG_NONE)
        return 0;
    for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
    /* The bounding set can only be changed by those who may. */
    what =
        capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS;
    capng_clear(what);
    for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        if (had[i])
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, kept[i]);
    }
    return capng_apply(what) ? -EPERM : 0;
}

int privileges_settle(bool debuggable)
{
    int error = raise_descriptors();

    if (error)
        return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -errno;
    error = drop_capabilities();
    if (!error && !debuggable && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
        error = -errno;
    return error;
}
