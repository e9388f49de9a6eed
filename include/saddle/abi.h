/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared-memory ABI between libsaddle and saddled.
 *
 * Purpose: the attach handshake, the layout of a session's arena, and the two kinds of queue entry
 * (command and completion). Everything here is frozen per SADDLE_ABI_* version; the daemon serves
 * the current version and the one before it.
 *
 * Ownership: the daemon creates the arena (a sealed memfd) and the doorbells, and passes the
 * descriptors over the attach socket. A command queue is written by the application and read by one
 * engine; a completion queue the other way round.
 *
 * Threads: each queue has one producer and one consumer. A channel (one queue of each kind) belongs
 * to one application thread and one engine.
 *
 * Trust: the daemon trusts nothing in the arena. It copies an entry once, checks the copy and uses
 * only the copy. It never reads geometry back from shared memory. All offsets count from the start
 * of the arena; no pointer of either side is ever stored in it. All fields are in host byte order:
 * both sides run on one host.
 */
#ifndef SADDLE_ABI_H
#define SADDLE_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SADDLE_ABI_VERSION 3u          /* the version this header describes */
#define SADDLE_ABI_OLDEST  2u          /* the oldest version the daemon still serves */
#define SADDLE_ABI_MAGIC   0x4c444153u /* "SADL" on a little-endian host */

#define SADDLE_CACHE_LINE   64u    /* bytes; what two writers must not share */
#define SADDLE_ENTRY_BYTES  128u   /* one queue entry: two cache lines, fetched as a pair */
#define SADDLE_INLINE_BYTES 64u    /* payload carried in an entry: its second cache line */
#define SADDLE_CHANNELS_MAX 32u    /* per session: two descriptors each, below SCM_MAX_FD (253) */
#define SADDLE_QUEUE_MAX    32768u /* entries of a queue; always a power of two */
#define SADDLE_NAME_BYTES   64u    /* service, host and application names, with the final NUL */
#define SADDLE_REASON_BYTES 192u   /* one line for a human, with the final NUL */
#define SADDLE_MESSAGE_MAX  UINT32_MAX /* bytes of one message or one-sided operation */
#define SADDLE_EAGER_MAX    16384u     /* bytes; a longer message waits for a posted buffer */
#define SADDLE_STREAMS_MAX  64u /* streams of a connection are numbered 0 to this, less one */
#define SADDLE_SEGMENTS_MAX 16u /* pieces of memory that one SADDLE_ENTRY_GATHER names */
/* Bytes of one message or one-sided operation, for sessions of version 2. */
#define SADDLE_MESSAGE_MAX_2 (64u << 20)

/* What a queue shares between its two sides, in front of its entries. Each word has a cache line of
 * its own: `consumed` is written by the consumer, now and then; `armed` by both, by exchange. */
struct saddle_queue_header {
    uint32_t consumed; /* position the consumer has reached; lags, never leads */
    uint8_t pad0[SADDLE_CACHE_LINE - sizeof(uint32_t)];
    uint32_t armed; /* 1: the consumer sleeps, or is about to, and wants its doorbell rung */
    uint8_t pad1[SADDLE_CACHE_LINE - sizeof(uint32_t)];
};

/* Entry flags, the same bit in commands and completions. */
#define SADDLE_ENTRY_INLINE 0x01u /* the payload is in the entry: `len` bytes, at most 64 */
/* Completion only: `buf` names a receive slot that the application gives back with
 * SADDLE_CMD_RELEASE. */
#define SADDLE_ENTRY_SLOT 0x02u
/* SEND and WRITE, since version 3: `buf` is the place of an array of `slot` struct saddle_gather,
 * whose pieces follow each other in the message; `len` is their sum. The array is read once, before
 * the next command is taken: from then on its memory is free. */
#define SADDLE_ENTRY_GATHER 0x04u
/* SEND, since version 3: the message waits for no other of its stream, and none waits for it. Also
 * on the completion that brings such a message. */
#define SADDLE_ENTRY_UNORDERED 0x08u

/* Commands: what an application asks of an engine. */
enum saddle_command_op {
    SADDLE_CMD_NOP = 0,       /* completes at once; proves that the engine is alive */
    SADDLE_CMD_LISTEN = 1,    /* payload: service '\0'; `len` counts it, as below */
    SADDLE_CMD_CONNECT = 2,   /* payload: host '\0' service '\0', at `buf`, or inline if it fits */
    SADDLE_CMD_ACCEPT = 3,    /* handle: the incoming connection */
    SADDLE_CMD_REJECT = 4,    /* handle: the incoming connection */
    SADDLE_CMD_CLOSE = 5,     /* handle: connection or listener */
    SADDLE_CMD_SEND = 6,      /* handle, stream, buf, len (or inline) */
    SADDLE_CMD_POST_RECV = 7, /* handle, buf, len: a buffer for one message over the eager size */
    SADDLE_CMD_RELEASE = 8,   /* slot: give a receive slot back; never completes */
    SADDLE_CMD_EXPOSE = 9,    /* buf, len, rights in `key`: completion carries the region key */
    SADDLE_CMD_REVOKE = 10,   /* key */
    SADDLE_CMD_READ = 11,     /* handle, key, remote_offset, buf, len */
    SADDLE_CMD_WRITE = 12,    /* handle, key, remote_offset, buf, len (or inline) */
    /* payload: host '\0'; key: bytes to be echoed. The completion carries a struct
     * saddle_ping_answer inline, filled as far as known if it failed. */
    SADDLE_CMD_PING = 13,
    /* Since version 3; they and SADDLE_RIGHT_ATOMIC. Those that have a payload have it inline, and
     * `len` counts it. */
    SADDLE_CMD_READ_INDIRECT = 14, /* handle, key and remote_offset of an entry, buf, len */
    /* handle, key of the table, remote_offset: bytes for each item, buf: that many for each;
     * payload: uint64_t offsets of 1 to SADDLE_BATCH_MAX entries. The completion carries as many
     * struct saddle_item inline. */
    SADDLE_CMD_READ_BATCH = 15,
    /* handle, key and remote_offset of the first entry, buf; payload: struct saddle_scan. `value`
     * of the completion is the index of the entry that matched. */
    SADDLE_CMD_SCAN_READ = 16,
    /* handle, key, remote_offset; payload: uint64_t expected, desired. `value` of the completion is
     * what was there before. */
    SADDLE_CMD_COMPARE_SWAP = 17,
    SADDLE_CMD_FETCH_ADD = 18, /* handle, key, remote_offset; payload: uint64_t; `value` likewise */
    /* Since version 3. key: a tag. Ends all operations of this channel that were accepted before,
     * carry that tag and are not complete; the completion's `value` says how many there were. */
    SADDLE_CMD_CANCEL = 19,
    SADDLE_CMD_COUNT
};

/* The version that brought SADDLE_CMD_READ_INDIRECT and the rest. */
#define SADDLE_ABI_ONESIDED 3u
/* The version that brought SADDLE_CMD_CANCEL, GATHER, UNORDERED, and longer messages. */
#define SADDLE_ABI_MESSAGES 3u

/* Completions: what an engine tells an application. Those up to SADDLE_EVT_DONE answer a command,
 * exactly one each; the others announce something. */
enum saddle_event_type {
    SADDLE_EVT_DONE = 1, /* the command with this tag ended with `status` */
    SADDLE_EVT_INCOMING =
        2, /* a connection waits on a listener: handle new, `value` the listener */
    SADDLE_EVT_MESSAGE =
        3, /* a message: handle, stream, buf or inline, len; tag of the connection */
    SADDLE_EVT_WAITING = 4, /* a message over the eager size (`value` bytes) waits for a buffer */
    SADDLE_EVT_CLOSED = 5,  /* the peer closed, or died: status says which */
};

/* Rights of an exposed region. */
#define SADDLE_RIGHT_READ  0x1u
#define SADDLE_RIGHT_WRITE 0x2u
/* COMPARE_SWAP and FETCH_ADD, which both show and change 8 aligned bytes. */
#define SADDLE_RIGHT_ATOMIC 0x4u

/* One command. Bytes that an operation does not use are 0. */
struct saddle_command {
    uint32_t seq;           /* position + 1, stored last, with release */
    uint8_t op;             /* enum saddle_command_op */
    uint8_t flags;          /* SADDLE_ENTRY_INLINE, _GATHER, _UNORDERED */
    uint16_t stream;        /* ordering domain in the connection */
    uint64_t tag;           /* the caller's; comes back in the completion */
    uint32_t handle;        /* connection or listener, with its generation */
    uint32_t len;           /* bytes */
    uint64_t buf;           /* arena offset */
    uint64_t timeout_ns;    /* the operation fails after this; 0: only when the peer is dead */
    uint64_t key;           /* region key, or rights; of CANCEL, a tag */
    uint64_t remote_offset; /* bytes into the remote region */
    uint32_t slot;          /* receive slot of SADDLE_CMD_RELEASE; with GATHER, how many pieces */
    uint32_t reserved;      /* 0 */
    uint8_t payload[SADDLE_INLINE_BYTES];
};

/* One piece of memory of SADDLE_ENTRY_GATHER: 1 to SADDLE_SEGMENTS_MAX of them, none empty. */
struct saddle_gather {
    uint64_t offset;   /* arena offset */
    uint32_t len;      /* bytes */
    uint32_t reserved; /* 0 */
};

/* One completion. */
struct saddle_event {
    uint32_t seq;  /* position + 1, stored last, with release */
    uint8_t type;  /* enum saddle_event_type */
    uint8_t flags; /* SADDLE_ENTRY_INLINE, _SLOT, _UNORDERED */
    uint16_t stream;
    uint64_t tag;
    uint32_t handle;
    int32_t status;       /* 0 or negative errno */
    uint64_t buf;         /* arena offset of the payload, if not inline */
    uint32_t len;         /* bytes of payload */
    uint32_t slot;        /* what to release, with SADDLE_ENTRY_SLOT */
    uint64_t value;       /* region key, listener handle, waiting bytes, or as the command says */
    uint8_t op;           /* SADDLE_EVT_DONE: the command's op */
    uint8_t reserved[15]; /* 0 */
    uint8_t payload[SADDLE_INLINE_BYTES];
};

#define SADDLE_BATCH_MAX        8u    /* items of a READ_BATCH */
#define SADDLE_SCAN_ENTRIES_MAX 1024u /* entries that one SCAN_READ looks at */

/* Payload of SCAN_READ. */
struct saddle_scan {
    uint64_t match;   /* what is looked for */
    uint32_t entries; /* from remote_offset on */
    uint32_t bytes;   /* at `buf` */
};

/* What became of one item of a READ_BATCH. */
struct saddle_item {
    int32_t status;  /* 0 or negative errno */
    uint32_t length; /* bytes read; with -EMSGSIZE: that there are */
};

#define SADDLE_PINGS_MAX 32u /* outstanding in one session; another completes with -EBUSY */

#define SADDLE_PING_CALLED 0x1u /* the flow to the host was not open yet: HELLO had to be made */

/* What an engine knows of a host that it pinged, and of its flow to it. What it does not know is
 * 0. */
struct saddle_ping_answer {
    uint64_t round_trip_ns; /* of this ping: from the packet's making to the answer's arrival */
    uint64_t smoothed_ns;   /* the flow's smoothed round trip */
    uint64_t sent;          /* packets, on this flow since it opened: each counted once */
    uint64_t resent;        /* and how often one of them was sent again */
    uint8_t address[16];    /* of the host; IPv4 as ::ffff:a.b.c.d */
    uint16_t mtu;           /* bytes of the largest IP packet that both sides take */
    uint16_t payload_max;   /* bytes of the largest ping that fits into it */
    uint16_t udp_port;      /* that the host is spoken to at */
    uint8_t wire_version;
    uint8_t flags; /* SADDLE_PING_CALLED */
};

/* Start of every arena. Written by the daemon, never read back by it. */
enum saddle_session_state {
    SADDLE_SESSION_OPEN = 1,
    SADDLE_SESSION_CLOSED = 2, /* by the daemon; `error` and `reason` say why */
};

struct saddle_arena_header {
    uint32_t magic;
    uint32_t abi;
    uint32_t state; /* enum saddle_session_state; stored with release after error and reason */
    int32_t error;  /* negative errno, once closed */
    char reason[SADDLE_REASON_BYTES];
};

/* Attach handshake, over a SOCK_SEQPACKET Unix socket: one request, one reply. The connection then
 * stays open as the sign of life of both sides; nothing more is sent on it by the application. */
struct saddle_attach_request {
    uint32_t magic;
    uint32_t bytes; /* sizeof the request as the sender knows it */
    uint16_t abi_min;
    uint16_t abi_max;
    uint32_t channels;
    uint32_t command_entries;            /* per channel, a power of two */
    uint32_t completion_entries;         /* per channel, a power of two */
    uint32_t receive_slots;              /* of SADDLE_EAGER_MAX bytes each, for the session */
    uint32_t reserved;                   /* 0 */
    uint64_t heap_bytes;                 /* memory for the application's own buffers and regions */
    char engine[SADDLE_NAME_BYTES];      /* which engine (host) of the daemon; empty: the first */
    char application[SADDLE_NAME_BYTES]; /* a name for operators to see */
};

/* Where one channel's queues lie. Each queue is a saddle_queue_header, then its entries. */
struct saddle_channel_layout {
    uint64_t command_offset;
    uint64_t completion_offset;
    uint32_t command_entries;
    uint32_t completion_entries;
};

/* With an accepted reply come 1 + 2 * channels descriptors: the arena, then for each channel the
 * engine's doorbell (an eventfd: write 8 bytes) and the application's (a socket: readable when
 * rung). */
struct saddle_attach_reply {
    uint32_t magic;
    uint32_t bytes;
    uint16_t abi; /* chosen */
    uint16_t channels;
    int32_t error;    /* 0 or negative errno; then `reason` says why and no descriptor comes */
    uint64_t session; /* the daemon's number for it, for operators */
    uint64_t arena_bytes;
    uint64_t heap_offset;
    uint64_t heap_bytes;
    char reason[SADDLE_REASON_BYTES];
    struct saddle_channel_layout channel[SADDLE_CHANNELS_MAX];
};

#ifdef __cplusplus
#define SADDLE_STATIC_ASSERT static_assert
#else
#define SADDLE_STATIC_ASSERT _Static_assert
#endif
SADDLE_STATIC_ASSERT(sizeof(struct saddle_command) == SADDLE_ENTRY_BYTES, "two cache lines");
SADDLE_STATIC_ASSERT(sizeof(struct saddle_event) == SADDLE_ENTRY_BYTES, "two cache lines");
SADDLE_STATIC_ASSERT(sizeof(struct saddle_gather) == 16, "no padding");
SADDLE_STATIC_ASSERT(sizeof(struct saddle_ping_answer) <= SADDLE_INLINE_BYTES, "inline");
SADDLE_STATIC_ASSERT(SADDLE_BATCH_MAX * sizeof(struct saddle_item) <= SADDLE_INLINE_BYTES,
                     "inline");
SADDLE_STATIC_ASSERT(sizeof(struct saddle_queue_header) == 2 * SADDLE_CACHE_LINE, "two lines");

#ifdef __cplusplus
}
#endif

#endif
