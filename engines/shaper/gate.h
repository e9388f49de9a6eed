/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * A gate: the port of one member of a fan whose packets are shaped. It is the fan's own, and says
 * besides for which packets there is room, by the tree of classes (tree.h).
 *
 *   member's thread                         shaper's thread
 *   tx_room_for: room in the leaf?          tree_pop: a packet leaves, or a leaf opens
 *   tx_burst: tag says leaf  --- ring --->  tree_push
 *                            <-- offers --  another tree: gate_offer
 *                            -- returns ->  (control) the tree before: gate_returned
 *
 * Trees are lent: a member goes over to a new one between two bursts, and gives the old one back.
 * Who was refused sleeps until gate_turn, which rings; as with every doorbell, arming and ringing
 * are exchanges, and each side looks once more after its own. A turn is published
 * (mailbox/words.h): who sees it sees the room that came back before it, so what was refused is
 * refused of an earlier turn.
 *
 * The leaf of a kind of packet is looked up once, and kept. Peers and applications have a say in
 * what kinds there are, so the hash is keyed (SipHash-2-4): nobody can aim at another's place, and
 * have the rules walked for each packet.
 *
 * Ownership: control's; the fan and the trees are lent. Threads: the port's functions on the
 * member's thread, gate_offer and gate_turn on the shaper's, gate_returned on control's.
 */
#ifndef ENGINES_SHAPER_GATE_H
#define ENGINES_SHAPER_GATE_H

#include "engines/port.h"
#include "engines/shaper/tree.h"

#define GATE_KEY_BYTES 16u /* of SipHash */

struct gate;

/* The port that `inner`, a member's by this number, is behind. 0, -ENOMEM, or a negative errno. */
int gate_create(struct gate **gate, struct port *inner, uint32_t member, struct tree *tree,
                const uint8_t key[GATE_KEY_BYTES]);
/* NULL is fine. */
void gate_destroy(struct gate *gate);
struct port *gate_port(struct gate *gate);

/* The member is to go over to this tree; at most one is on offer. */
void gate_offer(struct gate *gate, struct tree *tree);
/* Rings the member once after an offer. Any thread. */
void gate_wake(struct gate *gate);
/* Room may have come back. */
void gate_turn(struct gate *gate);
/* Takes back a tree that the member does not use any more; NULL: there is none. */
struct tree *gate_returned(struct gate *gate);

#endif
