/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's side of one attached application: its channels, its receive slots and the credits
 * promised from them, and its end when it breaks a rule.
 *
 * Receive slots. Slot i is SADDLE_EAGER_MAX bytes of the arena. Who owns it is known here alone:
 * a slot is free; or it stands for one message that a peer has begun (a large one too, whose bytes
 * go to a posted buffer); or it is lent to the application; and it is free again only when the
 * application has released it and the peer has been told what became of the message. So slots bound
 * everything that peers can make the engine remember about messages.
 *
 * Credits. A peer may begin as many messages on a connection as it was granted. The sum of all
 * grants not yet used never exceeds the free slots. A connection holds the credits that its peer
 * has not used and the slots of its messages, until the application has released them. So that one
 * whose messages nobody takes stalls itself alone:
 * - it holds at most half of the slots;
 * - one that holds something gets more only from what is left beyond an eighth of the slots, or
 *   beyond one for each connection that holds nothing if that is more, up to half of the slots;
 * - one that holds nothing gets a credit, when its peer asks, as long as there is a free slot, and
 *   before all others.
 * And so that few have to ask, which takes a round trip: a connection whose messages are taken gets
 * credits unasked, up to its equal share of the slots, or up to CREDIT_BATCH if it has run out of
 * them while there were plenty; never a single one, which a peer with no use for it gives back.
 *
 * Rules whose breach closes the session (-EPROTO), because no honest library does it: an absurd
 * sequence word or consumed position; an operation unknown to the session's version of the ABI; a
 * flag that is unknown to it, or that the operation does not take; a reserved field that is not 0;
 * an inline length over 64; the release of a slot that is not lent. All else is an application's
 * mistake and is answered in the completion: -EINVAL (length, stream, buffer outside the heap,
 * names), -EBADF (a handle that is stale or another's), -ENOTCONN (a connection that is over),
 * -EACCES (a region key), and what saddle.h lists. What the session has no right to is answered
 * with -EACCES before anything else is looked at, and what is beyond its quotas with -EDQUOT.
 *
 * Ownership: control allocates and frees; between attach and detach the engine alone uses it.
 * Threads: the engine's, but for `error`. Trust: the arena is the application's to scribble on.
 */
#ifndef ENGINES_PONY_SESSION_H
#define ENGINES_PONY_SESSION_H

#include "engines/pony/fair.h"
#include "engines/pony/pony.h"
#include "engines/pony/upper.h"

#include <stdatomic.h>

#define SESSION_COMMANDS_PER_TURN 16u /* of all channels, before the next session's turn */
#define SESSION_LOOKS_PER_TURN    64u /* operations that cancels of all channels look at */
#define SESSION_NOTICES_PER_TURN  64u /* connections of all channels whose events are looked at */
#define SESSION_ENDS_PER_TURN     64u /* connections of a dropped one that are ended */
#define SESSION_SLOTS_RESERVED    8u  /* one in this many is kept for those that hold none */
#define SESSION_SLOTS_PLENTY      8u  /* if one in this many is left nobody gets less for it */
#define SESSION_SLOTS_SHARE       2u  /* one connection may hold one in this many, at most */
#define CREDIT_BATCH              16u /* unused credits that a busy connection holds at most */
#define CREDITS_FIRST             4u  /* what one holds that has not asked for more */
#define CREDITS_UNASKED           2u  /* at least: a single one that nobody needs is given back */

enum slot_state {
    SLOT_FREE,
    SLOT_PARTIAL, /* a small message is being assembled */
    SLOT_OFFERED, /* a large message waits for a buffer */
    SLOT_FILLING, /* its bytes go to `buffer` */
    SLOT_READY,   /* complete, waits for its turn in the stream */
    /* Failed or given up. An ordered one's turn passes without a trace; an unordered one stays
     * until all that its sender has sent of it is here, and cannot be taken for a new message. */
    SLOT_SKIPPED,
    SLOT_LENT,  /* the application's, until it releases it */
    SLOT_SPENT, /* nobody's, but the peer's answer is still due */
};

enum slot_due {
    SLOT_DUE_NOTHING,
    SLOT_DUE_PULL,
    SLOT_DUE_ANSWER, /* an entry of DELIVERED with `status` */
};

struct slot {
    struct list node;   /* the session's free slots, or its stream's incoming messages by id */
    struct list answer; /* the connection's, while something is due */
    struct connection *connection; /* to which something is due, or whose message it is */
    struct stream *stream;         /* while in its incoming list */
    struct operation *buffer;      /* posted, of a large message */
    uint32_t owner;                /* number of the connection on whose account it is */
    uint32_t id;
    uint32_t length;   /* bytes; 0 until the last fragment told */
    uint32_t received; /* bytes */
    uint32_t told;   /* which of the connection's offers the application was told of; 0: not yet */
    uint16_t number; /* of the stream */
    uint16_t status; /* errno number of the answer */
    uint8_t state;   /* enum slot_state */
    uint8_t due;     /* enum slot_due */
    bool unordered;
    bool counted; /* an unordered one, failed: `length` says how many bytes there will have been */
    bool offered; /* and that an OFFER is one of what comes */
    bool large;   /* its OFFER is here */
    bool waiting; /* the application is to be told that a buffer is wanted */
};

struct session_channel {
    struct channel channel;
    struct list notices;      /* connections with events */
    bool full;                /* the first of them found no room: they go before all others */
    struct list operations;   /* outstanding, in the order accepted */
    struct list cancels;      /* CANCELs in progress */
    struct list *cancel_next; /* the operation that the first of them looks at next; or NULL */
    struct operation *spare;  /* for a CANCEL, when the session has none left */
};

struct pony_session {
    struct pony_session_config config;
    struct list staged;     /* the engine's, while events of it are not in their queues yet */
    struct upper *upper;    /* NULL while not attached */
    struct account account; /* of the engine's time */
    struct fair fair;
    uint32_t index;
    _Atomic int32_t error; /* 0 while served */
    const char *reason;
    bool dropped; /* its memory is not touched any more; what connections it has end in turn */
    struct slot *slots;
    struct operation *spares; /* one for each channel */
    struct list free_slots;
    uint32_t free_count;
    uint32_t promised;       /* credits granted and not used */
    uint32_t receivers;      /* connections that may be sent messages */
    uint32_t share;          /* credits, unused, that each of them may hold without asking */
    uint32_t holders;        /* those of them that hold slots or credits */
    struct list thirst;      /* connections whose peers want credits: those that hold no slot */
    struct list thirst_more; /* and those that do */
    struct list connections;
    struct list dead; /* those of them that are over, and nobody has to be told: oldest first */
    struct list pings;
    uint32_t ping_count;
    /* Shares of the tables. */
    uint32_t connection_count, operation_count, region_count, gather_count;
    uint32_t listener_count;
    uint64_t exposed;                                /* bytes in its regions */
    uint32_t ring_turn;                              /* channel rung last */
    uint32_t command_turn, notice_turn, cancel_turn; /* channels that are looked at first */
    uint64_t rings;
    struct session_channel *channels; /* as many as its configuration says */
};

/* The engine's time is a session's from now on, or nobody's (NULL). */
static inline void session_charge(struct upper *upper, struct pony_session *session)
{
    meter_switch(upper->meter, session ? &session->account : meter_nobody(upper->meter));
}

/* Has nothing come, and nothing stayed, that it would do if it were asked to? */
bool session_quiet(const struct pony_session *session);
/* Writes its events into their queues. */
void session_publish(struct pony_session *session);
/* Takes and runs commands, a bounded number, of its channels in turn; returns how many. */
uint32_t session_commands(struct pony_session *session);
/* Runs one command, already taken from `channel`. */
void session_command(struct pony_session *session, uint32_t channel,
                     const struct saddle_command *command);
/* Announces events of connections that have some, while there is room. */
void session_notices(struct pony_session *session);
/* Rings at most one of its doorbells. */
void session_ring(struct pony_session *session);
/* False if something waits that could be done. */
bool session_arm(struct pony_session *session);
void session_disarm(struct pony_session *session);

/* Marks the session as broken; it is dropped at the end of the current step. `reason` is static. */
void session_violate(struct pony_session *session, int error, const char *reason);
/* Forgets all that it had in the engine but its connections. If it broke a rule, tells it so in its
 * arena. */
void session_drop(struct pony_session *session);
/* Closes some connections of a dropped one toward their peers: true if it has none left. */
bool session_finish(struct pony_session *session);

/* May a session that has `count` of something have another, by this quota of its grant? */
static inline bool session_quota_allows(uint32_t count, uint32_t quota)
{
    return quota == 0 || count < quota;
}

/* Memory: `len` bytes at `buf` lie in the heap? */
static inline bool session_owns(const struct pony_session *session, uint64_t buf, uint64_t len)
{
    uint64_t at = buf - session->config.heap_offset;
    return buf >= session->config.heap_offset && len <= session->config.heap_bytes &&
           at <= session->config.heap_bytes - len;
}

/* Bytes of the longest message or one-sided operation that it may send or be sent. */
uint32_t session_message_max(const struct pony_session *session);

static inline uint8_t *session_slot_bytes(const struct pony_session *session,
                                          const struct slot *slot)
{
    return session->config.arena + session->config.slots_offset +
           (uint64_t)(slot - session->slots) * SADDLE_EAGER_MAX;
}

/* A copy of the text that a command carries, inline or in the heap, at most `size` bytes with its
 * final NUL: 0 or -EINVAL. */
int session_text(const struct pony_session *session, const struct saddle_command *command,
                 char *text, uint32_t size);
/* Completes an accepted command that needed no operation. */
void session_answer(struct pony_session *session, uint32_t channel,
                    const struct saddle_command *command, int status, uint32_t handle,
                    uint64_t value);
/* Publishes: from a reservation, or unasked (false if there is no room). */
void session_complete(struct pony_session *session, uint32_t channel,
                      const struct saddle_event *event);
bool session_announce(struct pony_session *session, uint32_t channel,
                      const struct saddle_event *event);

/* Slots and credits. */
/* Has the peer a credit of this connection that it has not used? */
bool session_credit_left(const struct connection *connection);
/* A slot for a message that used a credit of this connection, so there is one. */
struct slot *session_slot_take(struct connection *connection);
/* Frees the slot if nobody needs it any more, and lets a thirsty peer have the credit. */
void session_slot_settle(struct pony_session *session, struct slot *slot);
/* A new connection of the session. */
void session_credit_join(struct connection *connection);
/* Its first credits, to be told to the peer with OPEN or OPENED. */
void session_credit_first(struct connection *connection);
/* The peer begins a message: false if it was not allowed to. */
bool session_credit_use(struct connection *connection);
/* The peer has used `total` credits and wants more. */
void session_credit_thirst(struct connection *connection, uint32_t total);
/* Gives credits to those that wait for some, as far as there are any. */
void session_credit_quench(struct pony_session *session);
/* The connection is over: what it did not use is free for others. */
void session_credit_return(struct connection *connection);
/* A connection was loaded that may be sent messages, and its slots; parched: its peer wants
 * credits. */
void session_credit_loaded(struct connection *connection);

#endif
