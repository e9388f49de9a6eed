/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "daemon/nic.h"

#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OFFLOADS_MAX   1024u /* kernels know some 70 */
#define BLOCK_BITS     32u   /* of ethtool's bit sets */
#define PATH_BYTES     64u
#define RX_QUEUE_ENTRY "rx-"

static int ask(int fd, const struct nic *nic, unsigned long what, struct ifreq *request)
{
    memset(request, 0, sizeof(*request));
    memcpy(request->ifr_name, nic->name, sizeof(request->ifr_name));
    return ioctl(fd, what, request) ? -errno : 0;
}

static int ask_ethtool(int fd, const struct nic *nic, void *command)
{
    struct ifreq request = {.ifr_data = command};

    memcpy(request.ifr_name, nic->name, sizeof(request.ifr_name));
    return ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

/* For drivers that do not tell ethtool. 0 if that cannot be seen either. */
static uint32_t count_queue_entries(const struct nic *nic)
{
    char path[PATH_BYTES];
    const struct dirent *entry;
    uint32_t count = 0;
    DIR *folder;

    snprintf(path, sizeof(path), "/sys/class/net/%s/queues", nic->name);
    folder = opendir(path);
    while (folder && (entry = readdir(folder)))
        count += !strncmp(entry->d_name, RX_QUEUE_ENTRY, strlen(RX_QUEUE_ENTRY));
    if (folder)
        closedir(folder);
    return count;
}

static int read_queues(int fd, struct nic *nic)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};

    if (!ask_ethtool(fd, nic, &channels))
        nic->rx_queues = channels.combined_count + channels.rx_count;
    if (nic->rx_queues == 0)
        nic->rx_queues = count_queue_entries(nic);
    return nic->rx_queues ? 0 : -ENODATA;
}

static int read_all(int fd, struct nic *nic)
{
    struct ifreq request;
    int error = ask(fd, nic, SIOCGIFINDEX, &request);

    nic->index = (uint32_t)request.ifr_ifindex;
    if (!error)
        error = ask(fd, nic, SIOCGIFHWADDR, &request);
    if (!error && request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
        error = -ENOTSUP;
    memcpy(&nic->mac, request.ifr_hwaddr.sa_data, sizeof(nic->mac));
    if (!error)
        error = ask(fd, nic, SIOCGIFMTU, &request);
    nic->mtu = (uint32_t)request.ifr_mtu;
    return error ? error : read_queues(fd, nic);
}

int nic_read(struct nic *nic, const char *name)
{
    size_t length = name ? strlen(name) : 0;
    int fd, error;

    memset(nic, 0, sizeof(*nic));
    if (length == 0 || length >= sizeof(nic->name))
        return -EINVAL;
    memcpy(nic->name, name, length);
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    error = read_all(fd, nic);
    close(fd);
    return error;
}

/* The position of an offload in the kernel's list, which is `count` long. */
static int find_offload(int fd, const struct nic *nic, const char *offload, uint32_t *count)
{
    union {
        struct ethtool_sset_info info;
        uint8_t bytes[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
    } sets = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};
    struct ethtool_gstrings *names;
    int result = ask_ethtool(fd, nic, &sets);

    if (result || !sets.info.sset_mask)
        return result ? result : -EOPNOTSUPP;
    *count = RTE_MIN(sets.info.data[0], OFFLOADS_MAX);
    names = calloc(1, sizeof(*names) + (size_t)*count * ETH_GSTRING_LEN);
    if (!names)
        return -ENOMEM;
    *names = (struct ethtool_gstrings){ETHTOOL_GSTRINGS, ETH_SS_FEATURES, *count};
    result = ask_ethtool(fd, nic, names);
    for (uint32_t i = 0; !result && i < *count; i++) {
        if (!strncmp((const char *)names->data + (size_t)i * ETH_GSTRING_LEN, offload,
                     ETH_GSTRING_LEN)) {
            free(names);
            return (int)i;
        }
    }
    free(names);
    return result ? result : -ENOENT;
}

static int read_offload(int fd, const struct nic *nic, const char *offload)
{
    union {
        struct ethtool_gfeatures all;
        uint8_t bytes[sizeof(struct ethtool_gfeatures) +
                      OFFLOADS_MAX / BLOCK_BITS * sizeof(struct ethtool_get_features_block)];
    } features = {.all = {.cmd = ETHTOOL_GFEATURES}};
    uint32_t count = 0;
    int index = find_offload(fd, nic, offload, &count);
    int error;

    if (index < 0)
        return index;
    features.all.size = (count + BLOCK_BITS - 1) / BLOCK_BITS;
    error = ask_ethtool(fd, nic, &features);
    if (error)
        return error;
    return (features.all.features[(uint32_t)index / BLOCK_BITS].active >>
            ((uint32_t)index % BLOCK_BITS)) &
           1u;
}

int nic_offload(const struct nic *nic, const char *offload)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int result;

    if (fd < 0)
        return -errno;
    result = read_offload(fd, nic, offload);
    close(fd);
    return result == -ENOENT || result == -EOPNOTSUPP ? 0 : result;
}
