/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/privileges.h"

#include "control/log.h"
#include "daemon/xsk.h"

#include <cap-ng.h>
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <rte_alarm.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BIT(capability) (1ull << (capability))

/* Hugepage memory may have to be locked, engine threads may ask for priority. */
#define ALWAYS (BIT(CAP_IPC_LOCK) | BIT(CAP_SYS_NICE))
/* Sockets for frames, settings of interfaces, programs in the kernel. */
#define SOCKETS  BIT(CAP_NET_RAW)
#define SETTINGS BIT(CAP_NET_ADMIN)
#define PROGRAMS BIT(CAP_BPF)

#define LIST_BYTES     256u
#define ALARM_US       1u /* at once */
#define PATIENCE_S     5  /* for EAL's thread, which has nothing else to do */
#define MEBIBYTE_SHIFT 20

/* What DPDK's drivers need to open a device; others, and those of PCI devices, get what any may. */
static const struct {
    const char *driver; /* the device's name begins so */
    uint64_t needs;
} devices[] = {
    {"net_af_packet", SOCKETS | SETTINGS}, /* which sets the interface's MTU, if it is its own */
    {"net_tap", SETTINGS},
    {"net_memif", 0},
    {"net_null", 0},
    {"net_ring", 0},
    {"net_af_xdp", SOCKETS | SETTINGS | PROGRAMS},
};

static uint64_t device_needs(const char *device)
{
    for (unsigned i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (!strncmp(device, devices[i].driver, strlen(devices[i].driver)))
            return devices[i].needs;
    }
    return SOCKETS | SETTINGS;
}

static uint64_t port_needs(const struct config_port *port)
{
    switch (port->driver) {
    case CONFIG_XDP:
        return SOCKETS | SETTINGS | PROGRAMS;
    case CONFIG_ETHDEV:
        return device_needs(port->device.text);
    default:
        return 0;
    }
}

static int plan_user(struct privileges *privileges, const struct config *config,
                     const struct reason *reason)
{
    const char *name = config->user.text;
    const struct passwd *user;

    privileges->uid = geteuid();
    privileges->gid = getegid();
    if (!name[0])
        return 0;
    user = getpwnam(name);
    if (!user)
        return reason_set(reason, -ENOENT, "user: there is no user \"%s\"", name);
    if (user->pw_uid == privileges->uid)
        return 0;
    if (privileges->uid != 0)
        return reason_set(reason, -EPERM, "user: only root can become \"%s\"", name);
    privileges->change = true;
    privileges->uid = user->pw_uid;
    privileges->gid = user->pw_gid;
    return 0;
}

int privileges_plan(struct privileges *privileges, const struct config *config,
                    const struct reason *reason)
{
    memset(privileges, 0, sizeof(*privileges));
    for (uint32_t i = 0; i < config->ports.count; i++) {
        const struct config_port *port = config_port(config, i);

        privileges->open |= port_needs(port);
        if (config_kernel_on(config, port->name.text))
            privileges->open |= SETTINGS;
        if (config_link_owner(config, port) == CONFIG_OWNER_KERNEL)
            privileges->serve |= SETTINGS;
        if (port->driver == CONFIG_XDP)
            privileges->locked += port->packets * XSK_CHUNK_BYTES;
    }
    if (config->upgrade.socket.text[0])
        privileges->serve |= privileges->open;
    return plan_user(privileges, config, reason);
}

/* Those that this thread has, as bits. */
static uint64_t permitted(void)
{
    uint64_t found = 0;

    if (capng_get_caps_process())
        return 0;
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        if (capng_have_capability(CAPNG_PERMITTED, i))
            found |= BIT(i);
    }
    return found;
}

/* Describes the set to libcap-ng; returns what it is for this thread. */
static uint64_t select_set(uint64_t wanted)
{
    const uint64_t kept = permitted() & wanted;

    capng_clear(CAPNG_SELECT_BOTH);
    for (unsigned i = 0; i <= CAP_LAST_CAP; i++) {
        if (kept & BIT(i))
            capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i);
    }
    return kept;
}

/* This thread's own: neither inherited by other programs nor ambient. */
static int keep(uint64_t wanted)
{
    select_set(wanted);
    return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

/* "net_admin, bpf", each name behind `before`. */
static const char *list(uint64_t set, const char *before, const char *between,
                        char text[LIST_BYTES])
{
    size_t used = 0;

    text[0] = '\0';
    for (unsigned i = 0; i <= CAP_LAST_CAP && used < LIST_BYTES; i++) {
        if (set & BIT(i))
            used += (size_t)snprintf(text + used, LIST_BYTES - used, "%s%s%s", used ? between : "",
                                     before, capng_capability_to_name(i));
    }
    return text;
}

static void warn_missing(uint64_t missing)
{
    char names[LIST_BYTES], listed[LIST_BYTES], program[LIST_BYTES] = "saddled";

    if (!missing)
        return;
    if (readlink("/proc/self/exe", program, sizeof(program) - 1) < 0)
        log_line(LOG_WARNING, "/proc/self/exe: %s", strerror(errno));
    log_line(LOG_WARNING, "capabilities that the ports need are missing: %s (setcap %s+ep %s)",
             list(missing, "", ", ", names), list(missing, "cap_", ",", listed), program);
}

static int raise_limit(int which)
{
    struct rlimit limit;

    if (getrlimit(which, &limit))
        return -errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(which, &limit) ? -errno : 0;
}

/* Who may not lock memory at will has so much of it locked at most. */
static void warn_memory(const struct privileges *privileges, uint64_t held)
{
    struct rlimit limit;
    const uint64_t needed = privileges->locked;

    if (!needed || (held & BIT(CAP_IPC_LOCK)) || getrlimit(RLIMIT_MEMLOCK, &limit) ||
        limit.rlim_cur >= needed)
        return;
    log_line(
        LOG_WARNING,
        "packets of XDP ports take at least %llu MiB of locked memory, RLIMIT_MEMLOCK is %llu MiB "
        "(ulimit -l unlimited, LimitMEMLOCK=infinity, or CAP_IPC_LOCK)",
        (unsigned long long)(needed >> MEBIBYTE_SHIFT),
        (unsigned long long)(limit.rlim_cur >> MEBIBYTE_SHIFT));
}

/* Becomes the user, with what is wanted of root's capabilities, and nothing to regain. */
static int change_user(const struct privileges *privileges, const struct reason *reason)
{
    int result;

    select_set(privileges->open | privileges->serve | ALWAYS);
    result = capng_change_id((int)privileges->uid, (int)privileges->gid,
                             CAPNG_INIT_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
    if (result)
        return reason_set(reason, -EPERM, "user: uid %u cannot be taken (libcap-ng: %d)",
                          privileges->uid, result);
    return 0;
}

static int reduce(const struct privileges *privileges, const struct reason *reason)
{
    /* The bounding set can only be changed by those who may. */
    const bool bounding = permitted() & BIT(CAP_SETPCAP);

    if (privileges->change)
        return change_user(privileges, reason);
    select_set(privileges->open | privileges->serve | ALWAYS);
    if (capng_apply(bounding ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS))
        return reason_set(reason, -EPERM, "capabilities cannot be given up");
    return 0;
}

int privileges_begin(const struct privileges *privileges, bool debuggable,
                     const struct reason *reason)
{
    int error = raise_limit(RLIMIT_NOFILE);

    if (!error)
        error = raise_limit(RLIMIT_MEMLOCK);
    if (error)
        return reason_set(reason, error, "limits: %s", strerror(-error));
    error = reduce(privileges, reason);
    if (error)
        return error;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_DUMPABLE, debuggable ? 1 : 0, 0, 0, 0))
        return reason_set(reason, -errno, "prctl: %s", strerror(errno));
    warn_missing((privileges->open | privileges->serve) & ~permitted());
    warn_memory(privileges, permitted());
    return 0;
}

/* EAL's thread runs alarms. */

struct errand {
    sem_t done;
    int error;
};

static void run_errand(void *context)
{
    struct errand *errand = context;

    errand->error = keep(ALWAYS);
    sem_post(&errand->done);
}

/* The errand stays allocated if the thread does not come: it may come late. */
static int settle_eal(void)
{
    struct errand *errand = calloc(1, sizeof(*errand));
    struct timespec end;
    int error;

    if (!errand)
        return -ENOMEM;
    sem_init(&errand->done, 0, 0);
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += PATIENCE_S;
    error = rte_eal_alarm_set(ALARM_US, run_errand, errand);
    while (!error && sem_timedwait(&errand->done, &end)) {
        if (errno != EINTR)
            return -errno;
    }
    if (!error)
        error = errand->error;
    sem_destroy(&errand->done);
    free(errand);
    return error;
}

/* Whether a thread has more than engines may have. */
static bool has_more(pid_t thread)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, thread};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};
    uint64_t held;

    if (syscall(SYS_capget, &header, data))
        return errno != ESRCH;
    held = (uint64_t)data[1].permitted << 32 | data[0].permitted;
    return (held & ~ALWAYS) != 0;
}

/* Drivers may have made threads of their own. */
static int check_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    const struct dirent *entry;
    int error = 0;

    if (!folder)
        return -errno;
    while ((entry = readdir(folder))) {
        pid_t thread = (pid_t)strtol(entry->d_name, NULL, 10);

        if (thread > 0 && thread != getpid() && has_more(thread))
            error = -EPERM;
    }
    closedir(folder);
    return error;
}

static void say(uint64_t serve)
{
    const struct passwd *user = getpwuid(geteuid());
    char always[LIST_BYTES], control[LIST_BYTES];
    const uint64_t held = permitted();

    log_line(LOG_INFO, "privileges: user %s (%u), capabilities: %s; on the control thread also: %s",
             user ? user->pw_name : "unnamed", geteuid(),
             held & ALWAYS ? list(held & ALWAYS, "", ", ", always) : "none",
             held & serve ? list(held & serve, "", ", ", control) : "none");
    if (geteuid() == 0)
        log_line(LOG_WARNING, "running as root: name an ordinary user in the configuration (user)");
}

int privileges_settle(const struct privileges *privileges, const struct reason *reason)
{
    int error = settle_eal();

    if (error)
        return reason_set(reason, error, "capabilities of EAL's thread: %s", strerror(-error));
    error = check_threads();
    if (error)
        return reason_set(reason, error, "a driver's thread keeps its capabilities: %s",
                          strerror(-error));
    error = keep(privileges->serve | ALWAYS);
    if (error)
        return reason_set(reason, error, "capabilities cannot be given up");
    say(privileges->serve);
    return 0;
}

int privileges_of_engines(void)
{
    return keep(ALWAYS);
}
