/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What size of packet passes on a flow's path: found out with packets that carry nothing, and
 * doubted when packets that carry something get lost again and again. After RFC 8899.
 *
 * A flow begins with PMTU_BASE and asks at once whether the size passes that both sides agreed on:
 * where it does, that is used one round trip later. If not, the sizes in between are halved. What
 * was found below the limit is asked for again after PMTU_RAISE_NS.
 *
 * Doubt: when packets larger than some have been lost repeatedly, the present size and smaller ones
 * are asked for side by side, in rounds. If the present one is answered, all is well. If a smaller
 * one is, and the present one is not, for PMTU_STRIKES rounds, the path has become a black hole for
 * what is larger, and the largest size that passed is used. When nothing is answered, the peer is
 * away, which says nothing about sizes.
 *
 * Questions have numbers: a round of questions in the upper bits, the place in the round in the
 * lower ones. All rounds for the same sizes count, so a late answer is as good as any.
 *
 * Plain data, embedded in the flow. Threads: the engine's. Pure computation: who uses it sends the
 * questions and has a timer for `deadline`. Trust: a peer that lies about what passes harms but
 * what is sent to itself; every count here is bounded.
 */
#ifndef ENGINES_PONY_PMTU_H
#define ENGINES_PONY_PMTU_H

#include <stdbool.h>
#include <stdint.h>

#define PMTU_LEAST 576u  /* what every IPv4 host accepts (RFC 791); less is of no use */
#define PMTU_BASE  1280u /* what every IPv6 link carries (RFC 8200), and nearly every IPv4 path */
#define PMTU_USUAL 1500u /* of most networks: asked for before sizes are halved */
#define PMTU_STEP  16u   /* bytes: it is not worth looking closer */
#define PMTU_TRIES 3u    /* questions of one size (RFC 8899 section 5.1.2) */
/* Rounds in which only smaller sizes passed: at 10 % loss one verdict in some thousands is wrong,
 * and a wrong one costs some round trips of search. */
#define PMTU_STRIKES      4u
#define PMTU_ROUNDS       16u /* of one doubt: then it ends without a verdict, */
#define PMTU_SILENT       3u  /* and so it does after so many without any answer */
#define PMTU_SIZES        3u
#define PMTU_RAISE_NS     10000000000ull /* a search is a few packets: cheap enough for that */
#define PMTU_DOUBT_GAP_NS 50000000ull    /* between the end of a doubt and the next one, */
#define PMTU_QUIET_GAP_NS 1000000000ull  /* and when nothing was heard since */

enum pmtu_state {
    PMTU_OFF, /* nothing is asked: the limit is used */
    PMTU_SETTLED,
    PMTU_SEARCHING,
    PMTU_DOUBTING,
};

struct pmtu {
    uint8_t state;     /* enum pmtu_state */
    uint8_t count;     /* of sizes asked for in a round */
    uint8_t unsent;    /* a bit for each that was not sent yet */
    uint8_t rounds;    /* for these sizes, so far */
    uint8_t strikes;   /* of them, that a smaller size alone survived */
    uint8_t silent;    /* of them, in a row that nothing did */
    bool smaller;      /* a smaller size was answered in this round */
    uint16_t mtu;      /* bytes of an IP packet that pass, as far as known */
    uint16_t limit;    /* what both sides and the way allow */
    uint16_t fallback; /* the largest smaller size that was answered in this doubt */
    uint32_t high;     /* the least size that does not pass; limit + 1 if all might */
    uint16_t sizes[PMTU_SIZES];
    uint32_t first, round; /* of these sizes, and the present one */
    uint64_t doubted_ns;   /* when the last doubt ended */
    uint64_t deadline;     /* when to call pmtu_timer; UINT64_MAX: never */
};

/* Begins; `mtu` is known to pass, 0: nothing is. */
void pmtu_begin(struct pmtu *pmtu, uint16_t mtu, uint16_t limit, uint64_t now);
/* Another limit: a smaller one holds at once, a larger one is asked for. */
void pmtu_set_limit(struct pmtu *pmtu, uint16_t limit, uint64_t now);

/* The next question to send: its size and number. False: none. */
bool pmtu_next(const struct pmtu *pmtu, uint16_t *size, uint32_t *number);
/* It was sent; its round's answers are waited for `wait_ns`, or longer after silence. */
void pmtu_sent(struct pmtu *pmtu, uint64_t now, uint64_t wait_ns);
/* The peer has seen the question of this number. */
void pmtu_found(struct pmtu *pmtu, uint32_t number, uint64_t now);
/* The deadline has passed. */
void pmtu_timer(struct pmtu *pmtu, uint64_t now);
/* A packet of this size was lost again and again; the peer was last heard then. True: that is a
 * fresh doubt. */
bool pmtu_doubt(struct pmtu *pmtu, uint16_t size, uint64_t heard_ns, uint64_t now);
/* True if a larger size than now is being asked for. */
bool pmtu_searching(const struct pmtu *pmtu);

#endif
