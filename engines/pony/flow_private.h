/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the lower layer share: a flow, a peer, the transport, and which file does what.
 *
 *   transport.c        creation, the receive and send loops
 *   pmtu_flow.c        what size of packet passes: questions, answers, consequences
 *   peer.c             peers by address and name, and the way to each
 *   mapper.c           flows by token, number, and the addresses and ports of both ends
 *   flow.c             a flow's life: opening, references, keeping alive, ending
 *   hello.c            the exchange that opens a flow
 *   input.c            a packet of a flow: acknowledgement, duplicates, delivery
 *   recovery.c         acknowledgements received, losses, the retransmission timer
 *   output.c           packets made and sent
 *   tagging.c          and whose each of them is
 *   transport_view.c   what operators see
 *   transport_state.c  save and load
 *   tx_window.c, rx_window.c, rtt.c, pmtu.c, parts.c, cc_*.c  the arithmetic, which knows nothing
 *                      of these structures
 *
 * Ownership and threads as in transport.h. Never included from outside the lower layer.
 */
#ifndef ENGINES_PONY_FLOW_PRIVATE_H
#define ENGINES_PONY_FLOW_PRIVATE_H

#include "engines/address_map.h"
#include "engines/elements/decap.h"
#include "engines/elements/encap.h"
#include "engines/packet_tag.h"
#include "engines/pony/parts.h"
#include "engines/pony/pmtu.h"
#include "engines/pony/rtt.h"
#include "engines/pony/rx_window.h"
#include "engines/pony/transport.h"
#include "engines/pony/tx_window.h"
#include "engines/pony/wire.h"

#include <sodium/crypto_shorthash.h>
#include <stdalign.h>
#include <sys/queue.h>

/* A flow's number modulo this is its place in the table: the same after a load into a table of
 * another size. */
#define FLOWS_LIMIT 4096u
#define FLOW_ID_ANY UINT32_MAX /* no flow's number */

#define MTU_MIN   576u /* what every IPv4 host accepts (RFC 791); less is of no use */
#define ACK_EVERY 4u   /* packets acknowledged at once, without waiting for ack_delay */
/* What may be in flight beyond the window, of those who have nothing there: a part of the window,
 * so that congestion control hardly notices, and none of one that stands for a path that is full.
 */
#define MARGIN_PART        8u
#define MARGIN_MOST        8u                 /* packets */
#define SHARED_NS          (1 * NSEC_PER_SEC) /* since others came: places are kept for them */
#define FLOW_QUANTUM       16u /* packets a flow sends before the next flow's turn: one burst */
#define REORDER_MIN        3u  /* transmissions that overtake a lost packet (RFC 9002, 6.1.1) */
#define REORDER_MAX        64u /* a quarter of the window: beyond it only time tells */
#define REORDER_EIGHTHS    9u  /* of a round trip (RFC 9002 section 6.1.2), plus one per raise */
#define EIGHTHS_MAX        16u /* two round trips */
#define FORGET_NS          (30 * NSEC_PER_SEC)  /* an unreferenced, silent flow is kept so long */
#define HELLO_RETRY_NS     (10 * NSEC_PER_MSEC) /* first repetition of a CALL; doubles */
#define HELLO_RETRY_MAX_NS (200 * NSEC_PER_MSEC)
#define COOKIE_SLOT_NS     (2 * NSEC_PER_SEC)   /* a cookie is good for one to two of these */
#define RESETS_PER_MS      16u                  /* answers to packets of unknown flows */
#define BLOCKED_RETRY_NS   (20 * NSEC_PER_USEC) /* port full or pool empty: look again after this */
/* A paced flow that comes late, because its thread did, may make up for as much, but not by a burst
 * of more than a quantum. */
#define PACE_SLACK_NS  (50 * NSEC_PER_USEC)
#define PACKET_COST_NS 100u /* charged to a modelled clock for each packet in or out */
/* What a packet weighs in a burst beside its bytes: about as much as a KiB, by measurement. */
#define PACKET_WEIGHT 1024u

enum flow_state {
    FLOW_FREE,
    FLOW_CALLING, /* HELLO under way */
    FLOW_OPEN,
    FLOW_ENDED, /* waits for its references to go */
};

struct peer {
    struct address_node node; /* first */
    struct transport *transport;
    struct peer *free_next;
    struct rte_ether_addr mac; /* of the next hop, if known */
    uint16_t mtu;              /* bytes of an IP packet on the way; 0: the port's */
    uint16_t uses;             /* flows that name it, also ended ones, and functions at work */
    bool configured;           /* has its place for ever */
    bool fixed;                /* mac is configured, never resolved */
    bool known;                /* there is, or was, a way */
    bool wanted;               /* the resolver has been asked, and tells of changes */
    int error;                 /* why the resolver knows no way; 0: it has not said so */
    uint32_t load;             /* see flow_host_load */
    const struct cc_ops *cc;   /* NULL: the transport's */
    struct wheel_timer ask_timer;
    char name[sizeof(((struct transport_peer *)0)->name)];
    int ended_error;         /* of the flow that ended last; 0: none yet */
    uint64_t ended_ns;       /* when it did */
    LIST_HEAD(, flow) flows; /* not ended; one per local address and engine of the peer */
};

/* What operators see and nothing else needs. It begins anew with a load. */
struct flow_seen {
    uint64_t received;                   /* packets that consume a number */
    uint64_t bytes_sent, bytes_received; /* of operations in them, without repetitions */
    uint64_t fast_resent, timeouts;
    uint64_t ecn_marks, ecn_echoes;
};

struct flow {
    struct transport *transport;
    struct peer *peer;
    TAILQ_ENTRY(flow) ready_entry;
    LIST_ENTRY(flow) peer_entry;
    LIST_ENTRY(flow) shut_entry;
    struct flow *token_next;
    void *context;
    uint32_t id;
    uint32_t references;
    uint8_t state;    /* enum flow_state */
    uint8_t version;  /* of the wire, settled by HELLO */
    bool ready;       /* is in the transport's list */
    bool shut;        /* is in that of flows which the port refused something */
    bool wants_fill;  /* the layer above has something */
    bool said_all;    /* it has said that it has no more, in the last `fill` */
    bool wants_light; /* and perhaps of somebody who has nothing in flight */
    bool past;        /* the window is used up: what is filled now is beyond it */
    bool answered;    /* opened by the peer's call: nonce is the peer's */
    bool hello_due;   /* a CALL, or when open a WELCOME, is to be sent */
    bool probe_due;   /* a PROBE is to be sent */
    bool ack_due;     /* an acknowledgement is to be sent */
    bool sack_due;    /* and needs the bitmap */
    bool ecn_pending; /* a mark has to be echoed */
    bool tail_probed; /* since the last progress */

    struct address local;
    uint16_t peer_port;        /* where the peer's engine receives */
    uint16_t source_port;      /* entropy for the network's load balancing */
    uint16_t mtu;              /* bytes of the IP packet: what passes, as far as known */
    uint16_t agreed_mtu;       /* what both sides can receive */
    uint64_t token;            /* ours: what packets to us carry */
    uint64_t peer_token;       /* what packets to the peer carry */
    struct wire_addresses out; /* checksum seed of packets sent */
    struct encap encap;

    uint64_t nonce;
    uint64_t cookie;    /* 0: not yet given one */
    uint32_t first_seq; /* ours, as HELLO says it */
    uint64_t peer_epoch;
    uint32_t features; /* settled by HELLO: WIRE_FEATURE_* */
    uint64_t hello_deadline;
    uint64_t hello_retry_ns;

    uint64_t heard_ns;        /* last packet from the peer */
    uint64_t outstanding_ns;  /* since when something has been unacknowledged */
    uint64_t rto_start_ns;    /* the retransmission time-out counts from here */
    uint64_t loss_deadline;   /* when an overtaken packet is lost; UINT64_MAX: none */
    uint64_t arrival_ns;      /* newest packet taken: when it may have come, at the earliest */
    uint64_t referenced_ns;   /* last seen with references */
    uint64_t pace_ns;         /* earliest time of the next packet */
    uint64_t shared_ns;       /* somebody last came to it whose turn it was not by himself */
    uint64_t recovery;        /* losses of transmissions before this one have been told to cc */
    uint32_t unacked;         /* packets taken since the last acknowledgement sent */
    uint32_t reorder;         /* transmissions that must overtake a packet for it to be lost */
    uint32_t unjudged;        /* fast retransmissions not yet known to be right or wrong */
    uint32_t peer_duplicates; /* as last reported */
    uint64_t sent, resent;    /* packets that consume a number, since the flow opened */
    struct flow_seen seen;
    uint64_t made_ns; /* or loaded */
    int error;        /* with which it ended */
    struct rtt rtt;
    struct rx_window rx;
    struct pmtu pmtu;
    uint32_t part_seq;    /* packet that is being sent in parts, */
    uint32_t part_offset; /* and where the next part begins; 0: none */

    struct wheel_timer recovery_timer; /* HELLO, losses, time-out, dead peer */
    struct wheel_timer ack_timer;
    struct wheel_timer idle_timer;
    struct wheel_timer pace_timer;
    struct wheel_timer search_timer;
    const struct cc_ops *cc_ops; /* set when it opens */
    alignas(8) uint8_t cc[CC_STATE_BYTES];
    struct tx_window tx;
};

struct transport {
    struct transport_config config; /* without zeroes; peers is NULL */
    struct port *port;
    const struct clock *clock;
    struct meter *meter; /* of the engine; NULL: nobody measures */
    struct rng *rng;
    struct wheel *wheel;
    const struct flow_upper_ops *ops;
    void *upper;
    uint16_t mtu;
    uint64_t now;        /* latest time seen: it never goes back, though callers' may be stale */
    uint64_t emptied_ns; /* the port was last found empty, or watched */
    uint64_t waited_ns;  /* what packets of this burst may have waited for the engine */
    uint64_t epoch;
    uint64_t token_secret;
    uint8_t cookie_key[crypto_shorthash_KEYBYTES];
    uint8_t peer_key[crypto_shorthash_KEYBYTES];

    struct peer *peers; /* the configured ones, then places for others */
    uint32_t peers_size;
    struct peer *free_peers;
    struct address_map peer_map;
    uint16_t *name_slots; /* hash of names: place in peers plus one */
    uint32_t name_mask;

    struct flow *flows; /* flows_max of them */
    uint32_t flows_used;
    uint32_t flows_cursor; /* where the next free place is looked for */
    struct flow **buckets; /* by token */
    uint32_t bucket_mask;
    TAILQ_HEAD(ready_list, flow) ready;
    LIST_HEAD(, flow) shut;

    struct parts parts;
    struct decap decap;
    struct rte_mbuf *tx[PORT_BURST];
    uint16_t tx_count;
    uint16_t room;                           /* what the port still takes */
    bool tagged;                             /* it looks at whose packets are */
    struct packet_tag control_tag, fill_tag; /* of nobody's; of the one being filled */
    uint64_t reset_ms;
    uint32_t resets; /* in that millisecond */
    struct wheel_timer blocked_timer;
    struct transport_stats stats;
};

static inline uint64_t transport_time(struct transport *transport, uint64_t now)
{
    if (now > transport->now)
        transport->now = now;
    return transport->now;
}

/* Written by the engine's thread alone, read by others. */
static inline void transport_count(uint64_t *counter, uint64_t add)
{
    __atomic_store_n(counter, *counter + add, __ATOMIC_RELAXED);
}

/* A packet of the present burst is done with; the layer above has noted who has a part in it. */
static inline void transport_weigh(struct transport *transport, const struct rte_mbuf *packet)
{
    meter_item(transport->meter, PACKET_WEIGHT + rte_pktmbuf_pkt_len(packet));
}

/* peer.c */
int peers_init(struct transport *transport, const struct transport_peer *peers, uint32_t count);
void peers_fini(struct transport *transport);
struct peer *peer_find(const struct transport *transport, const struct address *address);
struct peer *peer_find_name(const struct transport *transport, const char *name);
/* The peer with that address, held; made if there is a resolver. NULL: unknown, or no place. */
struct peer *peer_take(struct transport *transport, const struct address *address);
void peer_hold(struct peer *peer);
/* One that is not configured is forgotten with its last use. */
void peer_release(struct peer *peer);
/* A flow needs the way. */
void peer_want(struct peer *peer, uint64_t now);
/* Its last flow is over. */
void peer_idle(struct peer *peer);
/* A proven call has come from there: a way, if none is known. */
void peer_heard(struct peer *peer, const struct rte_ether_addr *mac);

/* mapper.c */
int mapper_init(struct transport *transport);
void mapper_fini(struct transport *transport);
bool mapper_is_local(const struct transport *transport, const struct address *address);
struct flow *mapper_by_token(const struct transport *transport, uint64_t token);
/* The two ends of a flow but for our UDP port, of which an engine has one. */
struct pair {
    const struct address *local;
    uint16_t peer_port;
};
struct flow *mapper_by_pair(const struct peer *peer, const struct pair *pair);
/* The flow for which we are calling with this nonce. */
struct flow *mapper_by_nonce(const struct peer *peer, const struct address *local, uint64_t nonce);
/* The open flow whose packets to the peer carry this token. */
struct flow *mapper_by_peer_token(const struct peer *peer, const struct address *local,
                                  uint64_t token);
/* Whether an engine of a host may receive at this port. */
bool mapper_port_fits(const struct transport *transport, uint16_t udp_port);
/* May a host that calls have one more flow to a local address? It has at most as many as there are
 * engines of a host; of its own, one that nobody uses gives way. */
bool mapper_admits(const struct peer *peer, const struct address *local);
/* A fresh flow between two ends, entered everywhere but for its token; NULL if there is no place.
 * `id` may be FLOW_ID_ANY. */
struct flow *mapper_add(struct transport *transport, struct peer *peer, const struct pair *pair,
                        uint32_t id);
/* Enters the flow under flow->token; false if that token is taken. */
bool mapper_set_token(struct flow *flow);
/* Takes the flow out of all tables but the one of numbers. */
void mapper_remove(struct flow *flow);
/* Gives its place back. */
void mapper_free(struct flow *flow);

/* flow.c */
void flow_init_timers(struct flow *flow);
/* Prepares addresses, ports and encapsulation. 0 or a negative errno. */
int flow_init_path(struct flow *flow, uint16_t source_port);
/* Takes over what is known of the way to the peer. */
void flow_set_way(struct flow *flow);
/* Bytes before what is behind UDP: IP and UDP. */
uint32_t flow_headers(const struct flow *flow);
void flow_make_ready(struct flow *flow);
void flow_opened(struct flow *flow, uint64_t now);
void flow_end(struct flow *flow, int error, uint64_t now);
/* Asks the peer for a sign of life. */
void flow_probe(struct flow *flow);

/* pmtu_flow.c */
void search_init(struct flow *flow);
/* The flow is open, or was read back open: pmtu.mtu is known to pass, if it is not 0. */
void search_begin(struct flow *flow, uint64_t now);
/* What both sides and the way allow has changed. */
void search_limit(struct flow *flow, uint16_t limit, uint64_t now);
void search_found(struct flow *flow, uint32_t number, uint64_t now);
/* A packet that was lost is about to be sent again. */
void search_lost(struct flow *flow, const struct tx_slot *slot, uint64_t now);
/* Sends what is to be asked. False: there was no room. */
bool search_send(struct flow *flow, uint64_t now);

/* hello.c */
/* Gives a new flow what HELLO tells the peer. 0 or a negative errno. */
int hello_init(struct flow *flow);
/* Calls the peer. */
void hello_start(struct flow *flow, uint64_t now);
void hello_timer(struct flow *flow, uint64_t now);
void hello_input(struct transport *transport, const uint8_t *packet, const struct packet_meta *meta,
                 uint64_t now);
/* The CALL or WELCOME that is due, as bytes. */
void hello_due_packet(const struct flow *flow, uint8_t bytes[WIRE_HELLO_BYTES]);

/* input.c */
void input_packet(struct flow *flow, const struct wire_flow *header, const uint8_t *body,
                  uint32_t bytes, bool marked, uint64_t now);

/* recovery.c */
/* An open flow's congestion control begins. */
void recovery_begin(struct flow *flow, uint64_t now);
int recovery_ack(struct flow *flow, const struct wire_flow *header, const uint8_t *sack,
                 uint64_t now);
void recovery_arm(struct flow *flow);
void recovery_timer(struct flow *flow, uint64_t now);
/* How many more packets may be in flight now. */
uint32_t recovery_window(const struct flow *flow);
/* The same for those who have nothing in flight, when the window is used up. */
uint32_t recovery_margin(const struct flow *flow);

/* output.c */
enum output_result {
    OUTPUT_DONE,    /* nothing more to say */
    OUTPUT_MORE,    /* the quantum is used up */
    OUTPUT_BLOCKED, /* the port is full or the pool empty */
};
enum output_result output_flow(struct flow *flow, uint64_t now);
/* A SEARCH of `bytes` behind UDP. False if there is no room. */
bool output_search(struct flow *flow, uint32_t bytes, uint32_t number, uint64_t now);
/* The answer to one. Lost if there is no room. */
void output_found(struct flow *flow, uint32_t number, uint64_t now);
/* Sends a packet that belongs to no flow (yet). Lost if there is no room. */
void output_single(struct transport *transport, const struct encap *encap, const uint8_t *bytes,
                   uint32_t length, uint64_t now);
/* Is there room for one more packet? */
bool output_has_room(struct transport *transport, uint64_t now);
void output_flush(struct transport *transport, uint64_t now);
/* The addresses and the encapsulation of an answer to a received packet, to this UDP port of its
 * sender. 0 or a negative errno. */
int output_answer_path(const struct transport *transport, const struct packet_meta *meta,
                       uint16_t udp_port, struct wire_addresses *addresses, struct encap *encap);

/* tagging.c */
void tagging_init(struct transport *transport);
/* Room for a packet that is nobody's, whose tag transport->control_tag then is. */
bool tagging_has_control_room(struct transport *transport);
/* The packet is nobody's. */
void tagging_control(const struct transport *transport, struct rte_mbuf *packet);
/* The flow is over. */
void tagging_forget(struct flow *flow);
/* Room may have come back: flows that were refused some try again. */
void tagging_reopen(struct transport *transport);
/* May one of the lost packets be sent now? It is the first then. */
bool tagging_may_resend(struct flow *flow);

#endif
