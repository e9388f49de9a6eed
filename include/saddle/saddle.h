/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * libsaddle: reliable messages, streams and one-sided operations between hosts, through saddled.
 *
 * Shape. An application attaches to the daemon and gets a session: a piece of memory shared with
 * the daemon (the arena) and one or more channels. Operations are submitted on a channel and each
 * accepted one completes exactly once, as an event polled from the same channel. Data moves between
 * the application's buffers in the arena and the engine without a copy.
 *
 * Threads. A channel belongs to one thread at a time; different channels of a session may be used
 * by different threads at once. saddle_alloc and saddle_free may be called from any thread. Attach
 * and detach belong to one thread, with no channel in use. Connections, listeners and regions are
 * used through the channel that made or accepted them.
 *
 * Fork. A child must not touch a session it inherited: the memory is not inherited (the mapping is
 * marked so) and every call on it answers -ECHILD. It may attach for itself.
 *
 * Blocking. Only saddle_attach, saddle_wait and the calls that end in _wait block. The library
 * starts no thread, installs no signal handler and never writes to standard output or error.
 *
 * Results. 0 or a count, or a negative errno. saddle_strerror(session) says in words what the last
 * failed call on that thread tripped over.
 *
 * Buffers. A buffer comes from saddle_alloc (or lies in memory that does). It is the application's
 * until the operation is accepted, the engine's until its completion, and the application's again
 * then. A buffer changed while the engine holds it harms nobody but its owner.
 *
 * Doorbells. Submitting does not wake a sleeping engine; saddle_flush does, and so do saddle_poll
 * and saddle_wait. So a batch of operations costs at most one system call.
 */
#ifndef SADDLE_SADDLE_H
#define SADDLE_SADDLE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SADDLE_VERSION_MAJOR 0
#define SADDLE_VERSION_MINOR 1
#define SADDLE_VERSION_PATCH 0

#if defined(__GNUC__)
#define SADDLE_API __attribute__((visibility("default")))
#else
#define SADDLE_API
#endif

struct saddle_session;
struct saddle_channel;

/* A connection or listener of one channel, with a generation: a stale one is refused. 0 is none. */
typedef uint32_t saddle_handle;
/* Names an exposed region to peers. May be sent by any means. 0 is none. */
typedef uint64_t saddle_key;

/* Version of the library at run time, as (major << 16 | minor << 8 | patch). */
SADDLE_API uint32_t saddle_version(void);

/* ---- Sessions ---- */

struct saddle_attach_options {
    size_t size;             /* sizeof(struct saddle_attach_options) */
    const char *socket;      /* path; NULL: $SADDLE_SOCKET, else /run/saddle/attach.sock */
    const char *engine;      /* of the daemon (a host); NULL: $SADDLE_ENGINE, else the first */
    const char *application; /* a name for operators; NULL: the program's */
    uint32_t channels;       /* 0: 1; at most 32 */
    uint32_t queue_entries;  /* of each queue, rounded up to a power of two; 0: 256 */
    uint32_t receive_slots;  /* messages up to 16 KiB that may wait here; 0: 256; at most 32768 */
    uint32_t timeout_ms;     /* for the handshake; 0: 5000 */
    uint64_t heap_bytes;     /* memory for saddle_alloc; 0: 16 MiB */
};

/* Attaches to the daemon. Where a service manager keeps the socket for a daemon that is started
 * again, it waits for that one. `options` may be NULL. On success *session is to be given to
 * saddle_detach. On failure *session is NULL and `reason` (if not NULL, `reason_bytes` long) gets
 * one line that names the cause.
 * Errors: -ENOENT no socket, -ECONNREFUSED no daemon behind it, -EACCES policy, -EPROTO no common
 * ABI version, -ENODEV no such engine, -EDQUOT a quota, -ECONNRESET hung up instead of answering,
 * -ETIMEDOUT, -ENOMEM, -EMFILE, -EINVAL. */
SADDLE_API int saddle_attach(struct saddle_session **session,
                             const struct saddle_attach_options *options, char *reason,
                             size_t reason_bytes);

/* Ends the session: outstanding operations are dropped, peers see the connections close. NULL is
 * fine. Events and buffers of the session are gone. */
SADDLE_API void saddle_detach(struct saddle_session *session);

/* 0 while the daemon serves the session, else the negative errno it was closed with: -ECONNRESET if
 * the daemon died, and could not say anything. Whoever sleeps (saddle_wait, the calls that end in
 * _wait, saddle_fd) is woken by that; who only polls is told within 65536 polls in a row that find
 * nothing; this call looks at once. A session does not come back: after saddle_detach
 * saddle_attach makes another one, with memory, connections and regions of its own. */
SADDLE_API int saddle_status(const struct saddle_session *session);

/* One line about the calling thread's last failed call, or about why the daemon closed the session
 * (`session` may be NULL). Valid until that thread's next call. */
SADDLE_API const char *saddle_strerror(const struct saddle_session *session);

/* Version of the shared-memory ABI (abi.h) that daemon and library agreed on. */
SADDLE_API uint32_t saddle_abi(const struct saddle_session *session);

/* Channel `index` of the session, or NULL if there are not that many. */
SADDLE_API struct saddle_channel *saddle_channel(struct saddle_session *session, uint32_t index);

/* ---- Memory ---- */

/* `bytes` of arena memory aligned to 64, or NULL when the heap is exhausted. Contents undefined. */
SADDLE_API void *saddle_alloc(struct saddle_session *session, size_t bytes);
/* Gives memory back; NULL is fine. No operation may still use it. */
SADDLE_API void saddle_free(struct saddle_session *session, void *memory);

/* ---- Operations ---- */

/* Tags from here up are the library's own (for the calls that end in _wait). */
#define SADDLE_TAG_LIBRARY 0xffffffff00000000ull

/* What every operation carries. NULL stands for all zeroes. */
struct saddle_op {
    size_t size;         /* sizeof(struct saddle_op) */
    uint64_t tag;        /* the caller's, below SADDLE_TAG_LIBRARY; comes back in the completion */
    uint64_t timeout_ns; /* fail with -ETIMEDOUT after this; 0: only a dead peer ends it */
    uint16_t stream; /* messages of one stream arrive in order; streams do not wait for others */
    uint64_t flags;  /* SADDLE_UNORDERED, of a message */
};

/* The message waits for no other of its stream, and none waits for it: it arrives as soon as it is
 * complete. In the event's `value` it says so. */
#define SADDLE_UNORDERED 0x1u

/* All of these queue one operation and return 0 (accepted), -EAGAIN (the queue is full, or all but
 * one of its completions are for operations already outstanding: poll, then
 * try again), -EINVAL (an argument: see saddle_strerror), -ENOTCONN or the session's error if it is
 * closed. Once accepted the outcome arrives as a SADDLE_DONE event with the operation's tag. */

/* Offers `service` to peers. DONE carries the listener's handle; then each caller is announced by
 * SADDLE_INCOMING. -EADDRINUSE if another session offers it, -EACCES the daemon's policy gives this
 * user no right to listen, -EDQUOT the session's quota of listeners. */
SADDLE_API int saddle_listen(struct saddle_channel *channel, const char *service,
                             const struct saddle_op *op);
/* Connects to a service of a host: an address (IPv4 or IPv6), or a name the daemon knows. DONE
 * carries the connection's handle. -ECONNREFUSED no such service or rejected, -EPROTONOSUPPORT no
 * common version. When the host cannot be reached: -ENETDOWN the link is down, -ENETUNREACH no
 * route, or no local address of that family, -EHOSTDOWN no neighbour answers for the next hop,
 * -EHOSTUNREACH the host itself does not answer, or is not known. -EACCES the daemon's policy gives
 * this user no right to connect, -EDQUOT the session's quota of connections. */
SADDLE_API int saddle_connect(struct saddle_channel *channel, const char *host, const char *service,
                              const struct saddle_op *op);
/* Takes or turns away the caller announced by SADDLE_INCOMING. After accepting, `op->tag` is on all
 * messages and on the close of this connection. */
SADDLE_API int saddle_accept(struct saddle_channel *channel, saddle_handle incoming,
                             const struct saddle_op *op);
SADDLE_API int saddle_reject(struct saddle_channel *channel, saddle_handle incoming,
                             const struct saddle_op *op);
/* Closes a connection or listener. A connection first delivers what was sent; what the peer
 * sends meanwhile may be dropped. Accepted, nothing more can be done with the handle. */
SADDLE_API int saddle_close(struct saddle_channel *channel, saddle_handle handle,
                            const struct saddle_op *op);

/* Sends `len` bytes (1 byte to 4 GiB - 1) as one message. Up to 64 bytes may lie anywhere and are
 * copied at once; more must lie in the arena. DONE with status 0 means that the message lies in
 * the peer session's memory. -EMSGSIZE: it is longer than the peer's heap; -EOPNOTSUPP: it is
 * unordered, or over 64 MiB, and the peer's daemon is older than that; -ETIMEDOUT or -ECANCELED of
 * one over 16 KiB also if the peer took its buffer back. */
SADDLE_API int saddle_send(struct saddle_channel *channel, saddle_handle connection,
                           const void *data, size_t len, const struct saddle_op *op);
/* A piece of what is sent. */
struct saddle_segment {
    const void *data;
    size_t len; /* 1 at least */
};

/* As saddle_send, of up to 16 pieces that follow each other in the message. 64 bytes in all may lie
 * anywhere; more must lie in the arena, and are the engine's until the completion; `segments`
 * itself is read before the call returns. Also -ENOBUFS: too many gathered operations of this
 * session are outstanding; and at once -EOPNOTSUPP: the daemon is older than this call, and
 * -ENOMEM: the heap has no room for the lists of pieces that the library keeps in it. */
SADDLE_API int saddle_sendv(struct saddle_channel *channel, saddle_handle connection,
                            const struct saddle_segment *segments, uint32_t count,
                            const struct saddle_op *op);
/* Posts arena memory for one message over 16 KiB (SADDLE_WAITING announces one that finds no
 * buffer; buffers are used in the order posted, each by the next such message that fits it). DONE
 * carries the message's length and stream. Smaller messages need none. */
SADDLE_API int saddle_post_recv(struct saddle_channel *channel, saddle_handle connection,
                                void *buffer, size_t len, const struct saddle_op *op);

#define SADDLE_READABLE 0x1u
#define SADDLE_WRITABLE 0x2u
#define SADDLE_ATOMIC   0x4u /* saddle_compare_swap, saddle_fetch_add */

/* Exposes arena memory to peers. DONE carries the region key. -EACCES the daemon's policy gives
 * this user no right to expose, -EDQUOT the session's quota of regions, or of bytes in them.
 * -EOPNOTSUPP at once: SADDLE_ATOMIC of a daemon that is older than it. */
SADDLE_API int saddle_expose(struct saddle_channel *channel, void *memory, size_t len,
                             uint32_t rights, const struct saddle_op *op);
/* Withdraws a region. After DONE no peer reads or writes it any more. */
SADDLE_API int saddle_revoke(struct saddle_channel *channel, saddle_key key,
                             const struct saddle_op *op);
/* Reads or writes a peer's region, without its application: 1 byte to 4 GiB - 1 (to a daemon that
 * is older than that, 64 MiB: else -EOPNOTSUPP). Local memory must lie in the arena (up to 64 bytes
 * to write may lie anywhere). -EACCES: the key is unknown, revoked or lacks the right; -ERANGE:
 * outside the region. A read's buffer is undefined after an error. */
SADDLE_API int saddle_read(struct saddle_channel *channel, saddle_handle connection, saddle_key key,
                           uint64_t remote_offset, void *buffer, size_t len,
                           const struct saddle_op *op);
SADDLE_API int saddle_write(struct saddle_channel *channel, saddle_handle connection,
                            saddle_key key, uint64_t remote_offset, const void *data, size_t len,
                            const struct saddle_op *op);

/* As saddle_write, of up to 16 pieces; see saddle_sendv. */
SADDLE_API int saddle_writev(struct saddle_channel *channel, saddle_handle connection,
                             saddle_key key, uint64_t remote_offset,
                             const struct saddle_segment *segments, uint32_t count,
                             const struct saddle_op *op);

/* ---- One-sided operations by way of a table, and atomic ones ----
 *
 * They too are carried out by the peer's engine alone. -EOPNOTSUPP at once: the daemon is older
 * than these calls; in the event: the peer's is. Other errors of the event: those of saddle_read,
 * and -EINVAL for what is not aligned. docs/client.md says which of them are atomic toward what,
 * and in which order things happen.
 *
 * A table is exposed memory (SADDLE_READABLE) that the exposing application fills with entries, in
 * its own byte order, each at a multiple of 8 bytes. An entry points to bytes of a region that the
 * same session exposes (SADDLE_READABLE). An entry that points elsewhere leads nobody there: what
 * reads through it ends with -EACCES or -ERANGE. */

/* An entry for saddle_read_indirect and saddle_read_batch. */
struct saddle_pointer {
    uint64_t key;      /* of the region; 0: the entry is empty, reading through it is -ENOENT */
    uint64_t offset;   /* bytes into it */
    uint32_t length;   /* bytes; may be 0 */
    uint32_t reserved; /* 0 */
};
/* An entry for saddle_scan_read. */
struct saddle_match {
    uint64_t match; /* what is looked for */
    struct saddle_pointer pointer;
};

/* Fill entries in an order that suits peers which read them at the same time: an empty entry is
 * found empty or whole. An entry that was not empty may be found partly as it was; a word of it is
 * old or new. So change one word, or let what is read say by itself whether it is meant. `match`,
 * or `key`, is written last, with release; what was written before that to the memory it points to
 * is seen by whoever finds it. */
SADDLE_API void saddle_pointer_set(struct saddle_pointer *entry, saddle_key key, uint64_t offset,
                                   uint32_t length);
SADDLE_API void saddle_match_set(struct saddle_match *entry, uint64_t match, saddle_key key,
                                 uint64_t offset, uint32_t length);

/* Reads what the entry at `entry_offset` of the region `table` points to. DONE's `len` says how
 * many bytes that were. -EMSGSIZE: they are more than `len`; DONE's `len` says how many, and
 * nothing was read. -ENOENT the entry is empty. */
SADDLE_API int saddle_read_indirect(struct saddle_channel *channel, saddle_handle connection,
                                    saddle_key table, uint64_t entry_offset, void *buffer,
                                    size_t len, const struct saddle_op *op);

#define SADDLE_BATCH_ITEMS 8u /* at most */

/* What became of one item of a batch, as of one saddle_read_indirect. */
struct saddle_read_item {
    int32_t status;  /* 0 or negative errno */
    uint32_t length; /* bytes read; with -EMSGSIZE: that there are */
};

/* Reads what up to SADDLE_BATCH_ITEMS entries of a table point to: for each up to `stride` bytes,
 * those of item i at `buffer` + i * `stride`; in all 1 byte to 4 GiB - 1. DONE's status is 0 when
 * the batch was carried out, whatever became of its items: see saddle_read_items. */
SADDLE_API int saddle_read_batch(struct saddle_channel *channel, saddle_handle connection,
                                 saddle_key table, const uint64_t *entry_offsets, uint32_t count,
                                 void *buffer, size_t stride, const struct saddle_op *op);

#define SADDLE_SCAN_ENTRIES 1024u /* at most */

/* Looks at `entries` entries (struct saddle_match), from `offset` of the region `table` on, for the
 * first one whose `match` is this, and reads what it points to. DONE's `value` is its index, from
 * 0, and `len` the bytes read. -ENOENT none matches, or the one that does has key 0; -EMSGSIZE as
 * for saddle_read_indirect. */
SADDLE_API int saddle_scan_read(struct saddle_channel *channel, saddle_handle connection,
                                saddle_key table, uint64_t offset, uint32_t entries, uint64_t match,
                                void *buffer, size_t len, const struct saddle_op *op);

/* Atomic operations on the 8 bytes at `offset` of a region with SADDLE_ATOMIC, at an address that
 * is a multiple of 8; values are in the byte order of the peer's host there and in that of the
 * caller's here. DONE's `value` is what was there before; saddle_compare_swap has stored `desired`
 * if that is `expected`. Each is carried out once, or, if it fails with -EACCES, -ERANGE or
 * -EINVAL, not at all; one that fails otherwise (-ETIMEDOUT, -ECANCELED, the connection ended) may
 * have been or not. */
SADDLE_API int saddle_compare_swap(struct saddle_channel *channel, saddle_handle connection,
                                   saddle_key key, uint64_t offset, uint64_t expected,
                                   uint64_t desired, const struct saddle_op *op);
SADDLE_API int saddle_fetch_add(struct saddle_channel *channel, saddle_handle connection,
                                saddle_key key, uint64_t offset, uint64_t addend,
                                const struct saddle_op *op);
/* Cancels all operations of this channel that were submitted before and carry `tag`. Each still
 * ends with its own DONE: -ECANCELED, or its outcome if that was first; its memory is then the
 * application's. DONE of the cancellation comes after those (but for a buffer that holds its
 * message already, and waits for earlier ones of the stream); its `value` says how many it found. A
 * connection whose saddle_close is cancelled is closed at once, without delivering. -EOPNOTSUPP at
 * once: the daemon is older than this call. */
SADDLE_API int saddle_cancel(struct saddle_channel *channel, uint64_t tag,
                             const struct saddle_op *op);

/* Asks whether a host can be reached (named as for saddle_connect): its engine answers, no
 * application is needed there. `payload` bytes travel there and back, in one packet each way. DONE
 * carries what saddle_pinged takes out, filled as far as known if the ping failed.
 * -EOPNOTSUPP the host's daemon is older than this call.
 * -EMSGSIZE `payload` is more than a packet to that host carries, -EBUSY 32 pings of this session
 * are outstanding; -ENETDOWN the link is down, -ENETUNREACH no route, or no own address of that
 * family, -EHOSTDOWN no neighbour answers for the next hop, -EHOSTUNREACH the host does not answer
 * or is not known, -EPROTONOSUPPORT no common version of the wire. */
SADDLE_API int saddle_ping(struct saddle_channel *channel, const char *host, size_t payload,
                           const struct saddle_op *op);

/* ---- Events ---- */

enum saddle_event_kind {
    SADDLE_DONE = 1,     /* an accepted operation ended with `status` */
    SADDLE_INCOMING = 2, /* `handle` wants to connect to listener `value` */
    SADDLE_MESSAGE = 3,  /* `data`, `len`: to be given to saddle_release */
    SADDLE_WAITING = 4,  /* a message of `value` bytes waits for saddle_post_recv */
    SADDLE_CLOSED = 5,   /* the connection ended: status 0 closed by the peer, else why */
};

struct saddle_completion {
    uint8_t kind; /* enum saddle_event_kind */
    uint8_t op;   /* DONE: which operation, enum saddle_command_op of abi.h */
    uint16_t stream;
    int32_t status; /* 0 or negative errno */
    uint64_t tag;
    saddle_handle handle;
    uint32_t slot;     /* the library's */
    const void *data;  /* MESSAGE: the payload, until saddle_release; PING: see saddle_pinged */
    size_t len;        /* bytes of payload; of POST_RECV, the message's length; or bytes read */
    uint64_t value;    /* EXPOSE: the key; WAITING: bytes; INCOMING: the listener; SCAN_READ: the
                        * index; COMPARE_SWAP, FETCH_ADD: what was there before; CANCEL: how many;
                        * MESSAGE, POST_RECV: SADDLE_UNORDERED or 0 */
    uint8_t bytes[64]; /* the library's: where `data` of a message up to 64 bytes points */
};

/* What a ping found out. What is not known is 0. */
struct saddle_ping_info {
    size_t size;             /* sizeof(struct saddle_ping_info), set by the caller */
    uint64_t round_trip_ns;  /* of this ping, measured by the engine; 0 if it failed */
    uint64_t smoothed_ns;    /* of the flow to the host, smoothed */
    uint64_t packets_sent;   /* on this flow since it opened, each counted once */
    uint64_t packets_resent; /* how often one of them was lost, or seemed so, and was sent again */
    uint8_t address[16];     /* the host's; IPv4 as ::ffff:a.b.c.d */
    uint32_t mtu;            /* bytes of the largest IP packet that both sides take */
    uint32_t payload_max;    /* bytes of the largest ping that fits into it */
    uint32_t udp_port;       /* that the host is spoken to at */
    uint32_t wire_version;   /* spoken with the host */
    uint32_t called;         /* 1: there was no open flow, HELLO was exchanged first */
};

/* Takes a ping's DONE apart: 0, or -EINVAL (no ping's DONE, info->size). */
SADDLE_API int saddle_pinged(const struct saddle_completion *event, struct saddle_ping_info *info);
/* Takes a batch's DONE apart: how many items it had, or -EINVAL (no batch's DONE, one that failed
 * as a whole, or more than `max` items). */
SADDLE_API int saddle_read_items(const struct saddle_completion *event,
                                 struct saddle_read_item *items, uint32_t max);

/* Makes submitted operations visible: rings the engine's doorbell if it sleeps. 0 or an error. */
SADDLE_API int saddle_flush(struct saddle_channel *channel);
/* Takes up to `max` events without blocking, after a flush. Returns how many, 0 for none, or the
 * session's error once it is closed and drained. `data` of a small message points into the
 * completion itself: copy the structure only with saddle_completion_copy. */
SADDLE_API int saddle_poll(struct saddle_channel *channel, struct saddle_completion *events,
                           int max);
/* Flushes, then sleeps until an event can be polled: 1, or 0 after `timeout_ms` (-1: for ever), or
 * the session's error. Spurious wake-ups do not show. -EINTR if a signal arrived. */
SADDLE_API int saddle_wait(struct saddle_channel *channel, int timeout_ms);
/* Gives the memory of a MESSAGE back to the receive pool; harmless for other events. Every message
 * has to be released, or the sender runs out of credits. */
SADDLE_API int saddle_release(struct saddle_channel *channel,
                              const struct saddle_completion *event);
/* Copies a completion so that `data` stays right. */
SADDLE_API void saddle_completion_copy(struct saddle_completion *to,
                                       const struct saddle_completion *from);

/* For event loops: a descriptor that becomes readable when events arrive after saddle_arm. */
SADDLE_API int saddle_fd(const struct saddle_channel *channel);
/* Prepares to sleep on saddle_fd: 0, sleep now; 1, events are waiting, poll first; or the session's
 * error. Flushes. */
SADDLE_API int saddle_arm(struct saddle_channel *channel);
/* After waking: empties the descriptor. */
SADDLE_API void saddle_disarm(struct saddle_channel *channel);

/* ---- Blocking conveniences: copying, one thing at a time. Events of other operations on the
 * channel are kept for saddle_poll. `timeout_ms` -1 waits for ever.
 *
 * Besides their own errors and the session's they answer -ETIMEDOUT, -EINTR if a signal arrived,
 * and -ENOMEM if the heap has no room for a copy. An operation given up that way is put in order
 * later: what it opened is closed, and a message that was on its way is received by the next call
 * or poll. A connection made here has tag 0: tell events apart by their handle. ---- */

SADDLE_API int saddle_listen_wait(struct saddle_channel *channel, const char *service,
                                  int timeout_ms, saddle_handle *listener);
SADDLE_API int saddle_accept_wait(struct saddle_channel *channel, saddle_handle listener,
                                  int timeout_ms, saddle_handle *connection);
SADDLE_API int saddle_connect_wait(struct saddle_channel *channel, const char *host,
                                   const char *service, int timeout_ms, saddle_handle *connection);
/* Sends `len` bytes from anywhere and waits until the peer session has them. */
SADDLE_API int saddle_send_wait(struct saddle_channel *channel, saddle_handle connection,
                                const void *data, size_t len, int timeout_ms);
/* Receives the next message of any stream into `buffer`: its length, 0 when the peer has closed, or
 * an error; -EMSGSIZE (and the message is dropped) if it does not fit. */
SADDLE_API int64_t saddle_recv_wait(struct saddle_channel *channel, saddle_handle connection,
                                    void *buffer, size_t bytes, int timeout_ms);
/* Pings a host. `info` (if not NULL, its size set) is filled as far as known, on failure too. */
SADDLE_API int saddle_ping_wait(struct saddle_channel *channel, const char *host, size_t payload,
                                int timeout_ms, struct saddle_ping_info *info);
/* Exposes arena memory. */
SADDLE_API int saddle_expose_wait(struct saddle_channel *channel, void *memory, size_t len,
                                  uint32_t rights, int timeout_ms, saddle_key *key);
/* The operations by way of a table, and the atomic ones. `buffer` may lie anywhere. Those that read
 * answer the bytes read; *index, *before and `items` may be NULL. */
SADDLE_API int64_t saddle_read_indirect_wait(struct saddle_channel *channel,
                                             saddle_handle connection, saddle_key table,
                                             uint64_t entry_offset, void *buffer, size_t bytes,
                                             int timeout_ms);
SADDLE_API int saddle_read_batch_wait(struct saddle_channel *channel, saddle_handle connection,
                                      saddle_key table, const uint64_t *entry_offsets,
                                      uint32_t count, void *buffer, size_t stride,
                                      struct saddle_read_item *items, int timeout_ms);
SADDLE_API int64_t saddle_scan_read_wait(struct saddle_channel *channel, saddle_handle connection,
                                         saddle_key table, uint64_t offset, uint32_t entries,
                                         uint64_t match, void *buffer, size_t bytes,
                                         uint32_t *index, int timeout_ms);
SADDLE_API int saddle_compare_swap_wait(struct saddle_channel *channel, saddle_handle connection,
                                        saddle_key key, uint64_t offset, uint64_t expected,
                                        uint64_t desired, int timeout_ms, uint64_t *before);
SADDLE_API int saddle_fetch_add_wait(struct saddle_channel *channel, saddle_handle connection,
                                     saddle_key key, uint64_t offset, uint64_t addend,
                                     int timeout_ms, uint64_t *before);
SADDLE_API int saddle_close_wait(struct saddle_channel *channel, saddle_handle handle,
                                 int timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
