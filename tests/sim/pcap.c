/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/sim/pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* In the writer's byte order, by which a reader knows it; this one says that times are in ns. */
#define MAGIC_NS      0xa1b23c4du
#define VERSION_MAJOR 2
#define VERSION_MINOR 4
#define SNAP_BYTES    262144u /* longer frames would be cut; there are none */
#define LINK_ETHERNET 1u
#define SECOND_NS     1000000000ull

struct pcap {
    FILE *file;
};

struct file_header {
    uint32_t magic;
    uint16_t version_major, version_minor;
    uint32_t zone, accuracy;
    uint32_t snap_bytes;
    uint32_t link;
};

struct record_header {
    uint32_t seconds, nanoseconds;
    uint32_t captured, length;
};

struct pcap *pcap_open(const char *path)
{
    const struct file_header header = {
        .magic = MAGIC_NS,
        .version_major = VERSION_MAJOR,
        .version_minor = VERSION_MINOR,
        .snap_bytes = SNAP_BYTES,
        .link = LINK_ETHERNET,
    };
    struct pcap *pcap = malloc(sizeof(*pcap));

    if (!pcap)
        return NULL;
    pcap->file = fopen(path, "wb");
    if (!pcap->file) {
        free(pcap);
        return NULL;
    }
    fwrite(&header, sizeof(header), 1, pcap->file);
    return pcap;
}

void pcap_add(struct pcap *pcap, const struct rte_mbuf *frame, uint64_t now)
{
    if (!pcap)
        return;
    const struct record_header header = {
        .seconds = (uint32_t)(now / SECOND_NS),
        .nanoseconds = (uint32_t)(now % SECOND_NS),
        .captured = rte_pktmbuf_pkt_len(frame),
        .length = rte_pktmbuf_pkt_len(frame),
    };

    fwrite(&header, sizeof(header), 1, pcap->file);
    for (const struct rte_mbuf *part = frame; part; part = part->next)
        fwrite(rte_pktmbuf_mtod(part, const void *), rte_pktmbuf_data_len(part), 1, pcap->file);
}

int pcap_close(struct pcap *pcap)
{
    int error = 0;

    if (!pcap)
        return 0;
    if (fflush(pcap->file) != 0 || ferror(pcap->file))
        error = errno ? -errno : -EIO;
    fclose(pcap->file);
    free(pcap);
    return error;
}
