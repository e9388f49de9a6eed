/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Pony's wire format: what lies behind the UDP header. docs/wire.md specifies it; this header and
 * wire_version.c, which holds what differs from version to version, are its only expression in
 * code. All fields are big-endian and unaligned; encode and decode copy them to and from host
 * structures.
 *
 * Flow packet:  flow header (24) { operation header (24), operation payload }*
 * Ack packet:   flow header (24), SACK bitmap (32, or as many bytes of it as are needed)
 * Hello packet: hello header, parameters, padding
 * Reset packet: flow header (24) with the offending token, seq 0, ack 0
 * Search packet: flow header (24), padding; answered by Found: flow header (24)
 * Part packet:  flow header (24), part header (4), a slice of what follows a DATA's flow header
 *
 * A flow header and the first operation header are 48 bytes, the most that is added beyond UDP.
 *
 * Checksums are CRC32C. `header_crc` covers the pseudo-header (source address, destination address,
 * ports, UDP length; addresses as 16 bytes, IPv4 mapped), the flow header with this field zero, the
 * SACK bitmap, and every operation header; of a HELLO, all of it. It is checked by the flow layer.
 * `payload_crc` covers one operation's payload and is checked by the operation layer.
 *
 * Threads: pure functions. Trust: decode reads hostile bytes and checks every length first.
 */
#ifndef ENGINES_PONY_WIRE_H
#define ENGINES_PONY_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#define WIRE_VERSION_MIN 1u
#define WIRE_VERSION_MAX 2u
#define WIRE_UDP_PORT    50707u /* default: a dynamic port (RFC 6335), which no NIC claims */
#define WIRE_UDP_PORTS   64u    /* of one host's engines: from the configured one on, */
#define WIRE_ENGINES     16u    /* of which it has at most so many */

#define WIRE_FLOW_BYTES    24u
#define WIRE_OP_BYTES      24u
#define WIRE_SACK_BYTES    32u /* bitmap: bit i of byte j is packet ack + 1 + 8j + i */
#define WIRE_SACK_BITS     (8u * WIRE_SACK_BYTES)
#define WIRE_OPS_MAX       64u    /* operations of one packet: bounds the work it can cause */
#define WIRE_DELAY_UNIT_NS 64u    /* of ack_delay: 16 bits reach 4 ms, and saturate */
#define WIRE_PACKET_MAX    65507u /* what UDP over IPv4 can carry */
#define WIRE_HELLO_VERSION 0u     /* of HELLO packets: their layout is the same in all versions */

enum wire_type {
    WIRE_DATA = 1,  /* operations; consumes a sequence number */
    WIRE_ACK = 2,   /* SACK bitmap, no operations, consumes none; seq: duplicates seen so far */
    WIRE_PROBE = 3, /* no operations, but consumes a sequence number: asks for an ack */
    WIRE_HELLO = 4,
    WIRE_RESET = 5, /* "no such flow": echoes the token of the packet it answers */
    /* Since version 2. The first two consume no sequence number and are never repeated. */
    WIRE_SEARCH = 6, /* does a packet of this size pass? seq: number of the question */
    WIRE_FOUND = 7,  /* it did; seq: that number */
    WIRE_PART = 8,   /* a part of DATA packet `seq`, which is larger than what passes now */
};

/* Flags of the flow header. */
#define WIRE_FLAG_ECN_ECHO 0x01u /* congestion was experienced on a packet now acknowledged */
#define WIRE_FLAG_KEY      0x02u /* reserved: key phase of an encrypted flow; must be 0 */
#define WIRE_FLAGS_KNOWN   (WIRE_FLAG_ECN_ECHO)

struct wire_flow {
    uint8_t version; /* 4 bits */
    uint8_t type;    /* 4 bits, enum wire_type */
    uint8_t flags;
    uint16_t ack_delay; /* since the newest packet acknowledged here arrived, in 64 ns */
    uint32_t header_crc;
    uint64_t token; /* chosen by the receiver of this packet, names its flow */
    uint32_t seq;   /* packet number; a retransmission keeps it */
    uint32_t ack;   /* all packets before this one have arrived */
};

/* Each message begun (first MESSAGE, OFFER or SKIP of its id) uses one credit and is answered by
 * exactly one entry of DELIVERED, also when it failed. */
enum wire_op_type {
    WIRE_OP_OPEN = 1,       /* open a connection; payload: struct wire_open */
    WIRE_OP_OPENED = 2,     /* accepted or refused; payload: struct wire_opened */
    WIRE_OP_CLOSE = 3,      /* id: sender's number; payload: struct wire_close */
    WIRE_OP_CLOSED = 4,     /* answer to CLOSE: nothing more will come for this connection */
    WIRE_OP_MESSAGE = 5,    /* a fragment of an eager message; `id` counts in its stream */
    WIRE_OP_OFFER = 6,      /* a large message wants a buffer; offset: its length */
    WIRE_OP_PULL = 7,       /* a buffer is there: send the large message `id` */
    WIRE_OP_BULK = 8,       /* a fragment of a large message */
    WIRE_OP_DELIVERED = 9,  /* messages are in the receiver's memory, or failed; payload: entries;
                             * offset: as in CREDIT, or 0 */
    WIRE_OP_CREDIT = 10,    /* offset: the total of messages allowed since opening */
    WIRE_OP_STARVED = 11,   /* the sender wants credits; offset: the total it knows and has used */
    WIRE_OP_SKIP = 12,      /* message `id`, begun, will not be completed by its sender. Of one that
                             * is unordered, offset: its bytes that were sent; LAST: so was OFFER */
    WIRE_OP_READ = 13,      /* payload: struct wire_access */
    WIRE_OP_READ_DATA = 14, /* a fragment of the answer to READ `id`, at `offset` */
    WIRE_OP_WRITE = 15,     /* payload: struct wire_access, then data at `offset` of the whole; if
                             * the LAST one ends before access.length, its sender gave it up */
    WIRE_OP_DONE = 16, /* one-sided operation `id` ended; offset: errno number, 0 for success */
    WIRE_OP_ECHO = 17, /* of no connection (0): asks for ECHOED with this `id` and length */
    WIRE_OP_ECHOED = 18,
    WIRE_OP_READ_INDIRECT = 19, /* payload: struct wire_access of a table's entry; length: the most
                                 * to be read of what it points to */
    WIRE_OP_READ_BATCH = 20,    /* payload: struct wire_batch */
    WIRE_OP_SCAN_READ = 21,     /* payload: struct wire_scan */
    WIRE_OP_COMPARE_SWAP = 22,  /* payload: struct wire_atomic */
    WIRE_OP_FETCH_ADD = 23,     /* payload: struct wire_atomic without `expected` */
    WIRE_OP_RESULT = 24,        /* operation `id` of the above was carried out; offset: bytes of
                                 * READ_DATA for it, in all; payload: struct wire_result */
    /* 25 to 27 are not in use. */
    WIRE_OP_ELSEWHERE =
        28, /* answer to OPEN: the engine of this host at UDP port `offset` has it */
    WIRE_OP_COUNT
};

/* Bits of `features` in HELLO: what both sides have may be used on the flow. */
#define WIRE_FEATURE_ECHO     0x1u /* ECHO is answered */
#define WIRE_FEATURE_ONESIDED 0x2u /* indirect reads, scans and atomic operations are served */
/* Messages that are not ordered in their stream, and more than WIRE_MESSAGE_BASE bytes. */
#define WIRE_FEATURE_MESSAGES 0x4u
#define WIRE_FEATURE_SIBLINGS 0x8u  /* ELSEWHERE is understood */
#define WIRE_FEATURE_GRANTS   0x10u /* what DELIVERED says of credits is heard */
#define WIRE_FEATURES_KNOWN                                                                        \
    (WIRE_FEATURE_ECHO | WIRE_FEATURE_ONESIDED | WIRE_FEATURE_MESSAGES | WIRE_FEATURE_SIBLINGS |   \
     WIRE_FEATURE_GRANTS)
#define WIRE_MESSAGE_BASE (64u << 20) /* bytes of a message or one-sided operation */
#define WIRE_ECHOES_MAX   32u         /* of one side, not answered yet, on a flow */

#define WIRE_OP_LAST        0x01u /* the last fragment: offset + length is the whole */
#define WIRE_OP_UNORDERED   0x02u /* the id is of a message that has no place in its stream */
#define WIRE_OP_TAGGED      0x80u /* reserved: a 10-byte request tag precedes the payload; is 0 */
#define WIRE_OP_FLAGS_KNOWN (WIRE_OP_LAST | WIRE_OP_UNORDERED)

struct wire_op {
    uint8_t type; /* enum wire_op_type */
    uint8_t flags;
    uint16_t length;     /* bytes of payload that follow this header */
    uint32_t connection; /* the receiver's number for it; of OPEN, the sender's */
    uint16_t stream;
    uint16_t reserved;    /* 0 */
    uint32_t id;          /* message in its stream, or operation in its connection or flow */
    uint32_t offset;      /* of this fragment in the whole; or see the type */
    uint32_t payload_crc; /* of `length` bytes; 0 when there are none */
};

/* Payload of OPEN: fixed part, then the service name (1 to 63 bytes, no NUL). */
#define WIRE_OPEN_BYTES 4u
struct wire_open {
    uint32_t credits; /* messages the other side may send to the caller */
};
/* Payload of OPENED. */
#define WIRE_OPENED_BYTES 12u
struct wire_opened {
    uint32_t connection; /* the answerer's number for it */
    uint32_t credits;
    uint32_t error; /* errno number, 0: open */
};
/* Payload of CLOSE. Packets overtake each other: the receiver first awaits all `answers` that the
 * sender has given (entries of DELIVERED, READ_DATA, DONE and RESULT), so that it knows what was
 * done. */
#define WIRE_CLOSE_BYTES 8u
struct wire_close {
    uint32_t reason; /* errno number, 0 orderly */
    uint32_t answers;
};
/* Payload of DELIVERED: entries of 8 bytes, stream (2), status as errno number (2), id (4). */
#define WIRE_DELIVERED_BYTES     8u
#define WIRE_DELIVERED_UNORDERED 0x8000u /* in `stream`: the id is of an unordered message */
struct wire_delivered {
    uint16_t stream;
    uint16_t status;
    uint32_t id;
};
/* Payload of READ, and start of the payload of WRITE. */
#define WIRE_ACCESS_BYTES 20u
struct wire_access {
    uint64_t key;
    uint64_t offset; /* into the region, of the whole operation */
    uint32_t length; /* of the whole operation */
};
/* Payload of READ_BATCH: fixed part, then 1 to WIRE_ITEMS_MAX offsets of entries (8 each). */
#define WIRE_BATCH_BYTES  12u
#define WIRE_OFFSET_BYTES 8u
#define WIRE_ITEMS_MAX    8u
#define WIRE_BATCH_MOST   (WIRE_BATCH_BYTES + WIRE_ITEMS_MAX * WIRE_OFFSET_BYTES)
struct wire_batch {
    uint64_t key;    /* of the table */
    uint32_t length; /* the most to be read by each */
    uint64_t offsets[WIRE_ITEMS_MAX];
};
/* Payload of SCAN_READ. */
#define WIRE_SCAN_BYTES   32u
#define WIRE_SCAN_ENTRIES 1024u /* at most in one: 32 KiB, 512 cache lines */
struct wire_scan {
    uint64_t key;    /* of the table */
    uint64_t offset; /* of the first entry to be looked at */
    uint64_t match;
    uint32_t entries;
    uint32_t length; /* the most to be read */
};
/* Payload of COMPARE_SWAP; of FETCH_ADD without `expected`. Values are those of 8 bytes in the byte
 * order of the host that serves. */
#define WIRE_ATOMIC_BYTES 24u
#define WIRE_SWAP_BYTES   32u
struct wire_atomic {
    uint64_t key;
    uint64_t offset;
    uint64_t operand; /* what is added, or stored */
    uint64_t expected;
};
/* Payload of RESULT: fixed part, then 0 to WIRE_ITEMS_MAX items (8 each). */
#define WIRE_RESULT_BYTES 8u
#define WIRE_ITEM_BYTES   8u
#define WIRE_RESULT_MOST  (WIRE_RESULT_BYTES + WIRE_ITEMS_MAX * WIRE_ITEM_BYTES)
struct wire_item {
    uint32_t status; /* errno number */
    uint32_t length; /* bytes read; with EMSGSIZE: that there are */
};
struct wire_result {
    uint64_t value; /* before an atomic operation; or the index that a scan found */
    struct wire_item items[WIRE_ITEMS_MAX];
};

/* A PART's slice begins at a multiple of WIRE_PART_UNIT, and ends at one or at the end. */
#define WIRE_PART_BYTES 4u
#define WIRE_PART_UNIT  128u
struct wire_part {
    uint16_t total;  /* bytes of all operations of the DATA packet */
    uint16_t offset; /* of the slice in them */
};

/* HELLO: three packets, CALL -> COOKIE -> CALL with the cookie -> WELCOME (or REFUSE). The
 * answering side keeps nothing until the caller has shown the cookie. Every CALL is padded to
 * WIRE_HELLO_BYTES so that no answer is longer than its question. */
#define WIRE_HELLO_BYTES 96u
enum wire_hello_kind {
    WIRE_HELLO_CALL = 1, /* cookie 0: the first; else the proof */
    WIRE_HELLO_COOKIE = 2,
    WIRE_HELLO_WELCOME = 3,
    WIRE_HELLO_REFUSE = 4, /* error says why */
};
struct wire_hello {
    uint8_t kind;        /* enum wire_hello_kind */
    uint8_t version_min; /* of the sender; of WELCOME both are the chosen one */
    uint8_t version_max;
    uint16_t error;    /* REFUSE: errno number */
    uint16_t mtu;      /* largest IP packet the sender can receive */
    uint32_t features; /* CALL: offered; WELCOME: those of them that both sides have */
    uint32_t seq;      /* first packet number the sender will use */
    uint16_t udp_port; /* CALL, WELCOME: where the sender receives; 0: at the configured port */
    uint64_t token;    /* the sender's: what it wants to see in packets to it */
    uint64_t nonce;    /* the caller's, echoed by every answer */
    uint64_t cookie;   /* the answerer's proof of address */
    uint64_t epoch;    /* random, new with each start of the sender's engine */
};

/* What the header checksum is seeded with. */
struct wire_addresses {
    uint8_t source[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint8_t destination[16];
    uint16_t source_port; /* host order */
    uint16_t destination_port;
};

void wire_flow_encode(const struct wire_flow *flow, uint8_t *bytes);
void wire_op_encode(const struct wire_op *op, uint8_t *bytes);
void wire_hello_encode(const struct wire_hello *hello, uint8_t bytes[WIRE_HELLO_BYTES]);
void wire_part_encode(const struct wire_part *part, uint8_t bytes[WIRE_PART_BYTES]);
void wire_flow_decode(struct wire_flow *flow, const uint8_t *bytes);
void wire_op_decode(struct wire_op *op, const uint8_t *bytes);
void wire_hello_decode(struct wire_hello *hello, const uint8_t bytes[WIRE_HELLO_BYTES]);
void wire_part_decode(struct wire_part *part, const uint8_t bytes[WIRE_PART_BYTES]);

/* Walks the operations of a packet. True with the next one and its payload, false at the end.
 * *at starts at 0. Only for packets that wire_check accepted. */
bool wire_op_next(const uint8_t *ops, uint32_t bytes, uint32_t *at, struct wire_op *op,
                  const uint8_t **payload);

/* One to WIRE_OPS_MAX whole operations and nothing else? */
bool wire_operations_fit(const uint8_t *ops, uint32_t bytes);

/* What differs between versions. `body` is what follows the flow header. */
struct wire_codec {
    /* Is this a packet of the version? Of any type but HELLO, `bytes` of body. */
    bool (*fits)(const struct wire_flow *flow, const uint8_t *body, uint32_t bytes);
    /* Body of an ACK: writes the bitmap, returns its bytes; reads the one of a packet that fits. */
    uint32_t (*put_sack)(const uint8_t sack[WIRE_SACK_BYTES], uint8_t *body);
    void (*get_sack)(const uint8_t *body, uint32_t bytes, uint8_t sack[WIRE_SACK_BYTES]);
    bool searches; /* it has SEARCH, FOUND and PART */
};
/* NULL: there is no such version. */
const struct wire_codec *wire_codec(uint8_t version);

/* Completes a packet of `bytes`, at least WIRE_FLOW_BYTES (everything behind UDP): computes and
 * stores header_crc. */
void wire_seal(uint8_t *packet, uint32_t bytes, const struct wire_addresses *addresses);
/* Checks shape and header_crc of what came behind a UDP header: 0, -EBADMSG (damaged or malformed),
 * -EPROTONOSUPPORT (a version this build does not speak). Fills *flow. */
int wire_check(const uint8_t *packet, uint32_t bytes, const struct wire_addresses *addresses,
               struct wire_flow *flow);

#endif
