/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What hosts send, as a file in the format of libpcap, with virtual times in nanoseconds: the
 * frames that links are given, before anything happens to them there.
 *
 * Ownership: the caller's, from pcap_open to pcap_close. Threads: one.
 */
#ifndef TESTS_SIM_PCAP_H
#define TESTS_SIM_PCAP_H

#include <rte_mbuf.h>
#include <stdint.h>

struct pcap;

/* A new file, or NULL with errno set. */
struct pcap *pcap_open(const char *path);
/* Adds a whole frame. A file that cannot be written is noticed when it is closed. NULL is fine. */
void pcap_add(struct pcap *pcap, const struct rte_mbuf *frame, uint64_t now);
/* 0, or a negative errno if not everything was written. NULL is fine. */
int pcap_close(struct pcap *pcap);

#endif
