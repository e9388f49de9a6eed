/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The compiled XDP program (claim.bpf.c), an ELF object put into the daemon when it is built.
 *
 * Ownership: constant data. Threads: any.
 */
#ifndef DAEMON_XDP_CLAIM_OBJECT_H
#define DAEMON_XDP_CLAIM_OBJECT_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t claim_object[];
extern const size_t claim_object_bytes;

#endif
