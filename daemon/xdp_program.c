/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/xdp_program.h"

#include "control/log.h"
#include "daemon/xdp/claim_object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <rte_byteorder.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM_NAME "saddle_claim"
#define LINE_BYTES   256u

static int __attribute__((format(printf, 2, 0)))
log_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
    char line[LINE_BYTES];

    vsnprintf(line, sizeof(line), format, args);
    line[strcspn(line, "\n")] = '\0';
    if (level != LIBBPF_DEBUG)
        log_line(LOG_DEBUG, "%s", line);
    return 0;
}

/* How a foreign program was attached, in the words of `ip link`. */
static const char *removal(uint8_t attach_mode)
{
    if (attach_mode == XDP_ATTACHED_SKB)
        return "xdpgeneric";
    return attach_mode == XDP_ATTACHED_HW ? "xdpoffload" : "xdp";
}

static uint32_t attached_program(const struct bpf_xdp_query_opts *found)
{
    if (found->prog_id)
        return found->prog_id;
    if (found->drv_prog_id)
        return found->drv_prog_id;
    return found->skb_prog_id ? found->skb_prog_id : found->hw_prog_id;
}

int xdp_program_check(const struct nic *nic, const struct reason *reason)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, found);
    struct bpf_prog_info info = {0};
    uint32_t length = sizeof(info);
    const char *how;
    int fd, error;
    uint32_t id;

    libbpf_set_print(log_libbpf);
    error = bpf_xdp_query((int)nic->index, 0, &found);
    if (error)
        return reason_set(reason, error, "%s: its XDP programs cannot be asked for: %s", nic->name,
                          strerror(-error));
    id = attached_program(&found);
    if (id == 0)
        return 0;
    how = removal(found.attach_mode);
    fd = bpf_prog_get_fd_by_id(id);
    error = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &length);
    if (fd >= 0)
        close(fd);
    if (error)
        return reason_set(reason, -EBUSY,
                          "%s has an XDP program already, perhaps of another saddled (bpftool prog "
                          "show id %u); to remove it: ip link set dev %s %s off",
                          nic->name, id, nic->name, how);
    if (!strcmp(info.name, PROGRAM_NAME))
        return reason_set(reason, -EBUSY,
                          "%s is held by another saddled (XDP program %u, loaded by user %u): stop "
                          "that one first",
                          nic->name, id, info.created_by_uid);
    return reason_set(reason, -EBUSY,
                      "%s has an XDP program already, \"%s\" (id %u, loaded by user %u); to remove "
                      "it: ip link set dev %s %s off",
                      nic->name, info.name, id, info.created_by_uid, nic->name, how);
}

static int map_fd(const struct xdp_program *program, const char *name)
{
    return bpf_object__find_map_fd_by_name(program->object, name);
}

static struct bpf_program *find_program(const struct xdp_program *program)
{
    return bpf_object__find_program_by_name(program->object, PROGRAM_NAME);
}

int xdp_program_load(struct xdp_program *program, uint32_t sockets, bool frags,
                     const struct reason *reason)
{
    int error;

    *program = (struct xdp_program){.link = -1};
    libbpf_set_print(log_libbpf);
    program->object = bpf_object__open_mem(claim_object, claim_object_bytes, NULL);
    if (!program->object)
        return reason_set(reason, -errno, "the XDP program cannot be read: %s", strerror(errno));
    error =
        bpf_map__set_max_entries(bpf_object__find_map_by_name(program->object, "sockets"), sockets);
    if (!error && frags)
        error = bpf_program__set_flags(find_program(program), BPF_F_XDP_HAS_FRAGS);
    if (!error)
        error = bpf_object__load(program->object);
    if (!error)
        return 0;
    xdp_program_close(program);
    if (error == -EPERM)
        return reason_set(reason, error,
                          "the kernel refuses to load the XDP program: it takes CAP_BPF, "
                          "CAP_NET_ADMIN and CAP_NET_RAW");
    return reason_set(reason, error, "the kernel refuses to load the XDP program: %s",
                      strerror(-error));
}

int xdp_program_claim(const struct xdp_program *program, const struct claim *claim, uint16_t vlan,
                      uint32_t base, uint32_t queues)
{
    struct claim_target target = {base, queues};
    struct claim_key key = {
        .port = rte_cpu_to_be_16(claim->port),
        .vlan = vlan,
        .protocol = claim->protocol,
    };

    memcpy(key.address, claim->address.bytes, sizeof(key.address));
    return bpf_map_update_elem(map_fd(program, "claims"), &key, &target, BPF_NOEXIST);
}

int xdp_program_set_socket(const struct xdp_program *program, uint32_t index, int fd)
{
    return bpf_map_update_elem(map_fd(program, "sockets"), &index, &fd, BPF_ANY);
}

static int link_to(struct xdp_program *program, const struct nic *nic, uint32_t flags)
{
    LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flags);
    int fd =
        bpf_link_create(bpf_program__fd(find_program(program)), (int)nic->index, BPF_XDP, &options);

    if (fd < 0)
        return fd;
    program->link = fd;
    program->generic = flags == XDP_FLAGS_SKB_MODE;
    return 0;
}

static int explain(const struct nic *nic, int error, const struct reason *reason)
{
    switch (error) {
    case -ERANGE:
        return reason_set(reason, error,
                          "%s, or the other end of it, has an MTU too large for XDP: ip link set "
                          "dev %s mtu %u (a veth's other end too)",
                          nic->name, nic->name, XDP_PROGRAM_MTU_MAX);
    case -EPERM:
        return reason_set(reason, error, "%s: attaching the XDP program takes CAP_NET_ADMIN",
                          nic->name);
    case -EBUSY:
    case -EEXIST:
        return reason_set(reason, -EBUSY, "%s has been given another XDP program meanwhile",
                          nic->name);
    default:
        return reason_set(reason, error, "%s: the XDP program cannot be attached: %s", nic->name,
                          strerror(-error));
    }
}

/* Does it say that the driver cannot, rather than that something else is wrong? Drivers also use
 * these two for rings and settings that do not allow XDP. */
static bool driver_cannot(int error)
{
    return error == -EOPNOTSUPP || error == -EINVAL || error == -ENOSPC;
}

int xdp_program_attach(struct xdp_program *program, const struct nic *nic, enum xdp_mode mode,
                       const struct reason *reason)
{
    int error = -EOPNOTSUPP;

    if (mode != XDP_MODE_GENERIC)
        error = link_to(program, nic, XDP_FLAGS_DRV_MODE);
    if (mode == XDP_MODE_NATIVE && error == -EOPNOTSUPP)
        return reason_set(reason, error,
                          "%s: its driver has no XDP of its own (xdp_mode: generic works with any "
                          "driver, slowly)",
                          nic->name);
    if (mode == XDP_MODE_AUTO && driver_cannot(error))
        log_line(LOG_WARNING, "%s: no XDP in its driver (%s): using the generic one, which is slow",
                 nic->name, strerror(-error));
    if (mode != XDP_MODE_NATIVE && driver_cannot(error))
        error = link_to(program, nic, XDP_FLAGS_SKB_MODE);
    return error ? explain(nic, error, reason) : 0;
}

/* Is it a link of XDP on that interface, and how is its program attached? */
static int check_link(int link, const struct nic *nic, bool *generic)
{
    LIBBPF_OPTS(bpf_xdp_query_opts, found);
    struct bpf_link_info info = {0};
    uint32_t length = sizeof(info);
    int error = bpf_obj_get_info_by_fd(link, &info, &length);

    if (error == -EINVAL || error == -EBADF)
        return -EINVAL;
    if (!error)
        error = bpf_xdp_query((int)nic->index, 0, &found);
    if (error)
        return error;
    if (info.type != BPF_LINK_TYPE_XDP || info.xdp.ifindex != nic->index ||
        info.prog_id != attached_program(&found))
        return -EINVAL;
    *generic = found.attach_mode == XDP_ATTACHED_SKB;
    return 0;
}

int xdp_program_replace(struct xdp_program *program, int link, const struct nic *nic,
                        const struct reason *reason)
{
    bool generic = false;
    int error = check_link(link, nic, &generic);

    if (error == -EINVAL)
        return reason_set(reason, error,
                          "what was handed over is not what holds the XDP program "
                          "of %s",
                          nic->name);
    if (!error)
        error = bpf_link_update(link, bpf_program__fd(find_program(program)), NULL);
    if (error)
        return reason_set(reason, error, "%s: its XDP program cannot be replaced: %s", nic->name,
                          strerror(-error));
    program->link = link;
    program->generic = generic;
    return 0;
}

int xdp_program_return(const struct xdp_program *program)
{
    return bpf_link_update(program->link, bpf_program__fd(find_program(program)), NULL);
}

int xdp_program_counts(const struct xdp_program *program, uint64_t counts[CLAIM_COUNTERS])
{
    int processors = libbpf_num_possible_cpus();
    uint64_t *values = processors > 0 ? calloc((size_t)processors, sizeof(*values)) : NULL;
    int error = 0;
    int fd;

    memset(counts, 0, CLAIM_COUNTERS * sizeof(counts[0]));
    if (!values || !program->object) {
        free(values);
        return program->object ? -ENOMEM : -ENOENT;
    }
    fd = map_fd(program, "counters");
    for (uint32_t i = 0; i < CLAIM_COUNTERS && !error; i++) {
        error = bpf_map_lookup_elem(fd, &i, values);
        for (int cpu = 0; cpu < processors && !error; cpu++)
            counts[i] += values[cpu];
    }
    free(values);
    return error;
}

void xdp_program_close(struct xdp_program *program)
{
    if (!program->object)
        return;
    if (program->link >= 0)
        close(program->link);
    bpf_object__close(program->object);
    *program = (struct xdp_program){.link = -1};
}
