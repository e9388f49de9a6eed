/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The layout of memif 2.0, a wire of shared memory between two processes of one host, as VPP and
 * DPDK's net_memif have it: the messages of its control channel, and its rings.
 *
 * The client makes the memory: a region with a ring for each direction and buffers, and hands it to
 * the server by its descriptors. In both rings the client writes `head` and the server `tail`. In
 * the ring to the server the client fills buffers up to `head`, and the server has taken those
 * before `tail`. In the ring to the client the client has posted empty buffers up to `head`, and
 * the server has filled those before `tail`. Whoever receives from a ring writes its `flags`.
 *
 * Numbers are in the host's byte order. Trust: all of it is written by another process, at any
 * time.
 */
#ifndef DAEMON_MEMIF_ABI_H
#define DAEMON_MEMIF_ABI_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define MEMIF_VERSION       0x0200u /* 2.0 */
#define MEMIF_COOKIE        0x3e31f20u
#define MEMIF_NAME_BYTES    32u
#define MEMIF_SECRET_BYTES  24u
#define MEMIF_REASON_BYTES  96u
#define MEMIF_MESSAGE_BYTES 128u
#define MEMIF_MODE_ETHERNET 0u

enum memif_type {
    MEMIF_ACK = 1,
    MEMIF_HELLO,      /* server: what it can */
    MEMIF_INIT,       /* client: which interface it is for; answered by ACK, as the next two are */
    MEMIF_ADD_REGION, /* client: with the descriptor of a region */
    MEMIF_ADD_RING,   /* client: with the descriptor that rings for it */
    MEMIF_CONNECT,    /* client */
    MEMIF_CONNECTED,  /* server: packets may go */
    MEMIF_DISCONNECT, /* either */
};

#define MEMIF_RING_TO_SERVER 1u /* in `flags` of ADD_RING */

struct memif_message {
    uint16_t type;
    union {
        struct {
            uint8_t name[MEMIF_NAME_BYTES];
            uint16_t version_min, version_max;
            uint16_t region_max; /* the highest index that it takes, as of the next two */
            uint16_t to_client_max, to_server_max;
            uint8_t log2_max; /* of the slots of a ring */
        } __attribute__((packed)) hello;
        struct {
            uint16_t version;
            uint32_t id;
            uint8_t mode;
            uint8_t secret[MEMIF_SECRET_BYTES];
            uint8_t name[MEMIF_NAME_BYTES];
        } __attribute__((packed)) init;
        struct {
            uint16_t index;
            uint64_t bytes;
        } __attribute__((packed)) region;
        struct {
            uint16_t flags;
            uint16_t index;
            uint16_t region;
            uint32_t offset;
            uint8_t log2;
            uint16_t private_bytes;
        } __attribute__((packed)) ring;
        struct {
            uint8_t name[MEMIF_NAME_BYTES];
        } __attribute__((packed)) connect; /* and CONNECTED */
        struct {
            uint32_t code;
            uint8_t reason[MEMIF_REASON_BYTES];
        } __attribute__((packed)) disconnect;
        uint8_t bytes[MEMIF_MESSAGE_BYTES - sizeof(uint16_t)];
    } __attribute__((packed)) body;
} __attribute__((packed));

#define MEMIF_DESCRIPTOR_NEXT 1u /* the packet goes on in the next slot */

struct memif_descriptor {
    uint16_t flags;
    uint16_t region;
    uint32_t length; /* bytes: of data, or of an empty buffer */
    uint32_t offset; /* of the buffer in its region */
    uint32_t metadata;
};

#define MEMIF_LINE_BYTES 64u /* of a cache line */
#define MEMIF_RING_QUIET 1u  /* in `flags`: whoever receives looks by himself, and is not rung */

struct memif_ring {
    uint32_t cookie;
    uint16_t flags;
    uint16_t head; /* free-running */
    uint8_t line[MEMIF_LINE_BYTES - sizeof(uint32_t) - 2 * sizeof(uint16_t)];
    uint16_t tail; /* free-running */
    uint8_t line2[MEMIF_LINE_BYTES - sizeof(uint16_t)];
    struct memif_descriptor slots[];
};

static_assert(sizeof(struct memif_message) == MEMIF_MESSAGE_BYTES, "one size for all");
static_assert(sizeof(struct memif_descriptor) == 16, "a quarter of a cache line");
static_assert(offsetof(struct memif_ring, tail) == MEMIF_LINE_BYTES &&
                  offsetof(struct memif_ring, slots) == (size_t)2 * MEMIF_LINE_BYTES,
              "each side writes a line of its own");

#endif
