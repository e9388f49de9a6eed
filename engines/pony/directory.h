/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The directory of one host with several engines: which of them offers which service. So a service
 * has one engine, and a caller that comes to another one is told where to go.
 *
 * Names are kept as keyed hashes of 64 bits: two that collide, which nobody can bring about, would
 * keep a service from being offered, or send a caller to an engine that refuses it.
 *
 * Ownership: the daemon's, longer than its engines'. Threads: an engine writes its own row and
 * reads all, on its thread, without waiting (mailbox/roll.h); made and destroyed by control. Trust:
 * names come from applications and peers.
 */
#ifndef ENGINES_PONY_DIRECTORY_H
#define ENGINES_PONY_DIRECTORY_H

#include "engines/pony/wire.h"

#include <stdint.h>

#define DIRECTORY_ENGINES_MAX WIRE_ENGINES
#define DIRECTORY_KEY_BYTES   16u

struct directory;

/* Of engines that receive at these UDP ports; each is a row, in this order. 0, -EINVAL, -ENOMEM. */
int directory_create(struct directory **directory, const uint16_t *udp_ports, uint32_t count,
                     const uint8_t key[DIRECTORY_KEY_BYTES]);
/* NULL is fine. */
void directory_destroy(struct directory *directory);

/* Enters the service at `index` of an engine's table, or says -EADDRINUSE: another engine of the
 * host has one of this name. When two enter a name at the same moment, both may be told so. */
int directory_enter(struct directory *directory, uint32_t row, uint32_t index, const char *name,
                    uint32_t length);
void directory_leave(struct directory *directory, uint32_t row, uint32_t index);
/* The UDP port of the other engine that offers a service, or 0. */
uint16_t directory_find(const struct directory *directory, uint32_t row, const char *name,
                        uint32_t length);

#endif
