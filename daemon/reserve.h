/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps claimed UDP ports taken in the kernel as well, where it owns the interface: nobody else can
 * bind them, and for packets that reach the kernel all the same it sends no ICMP error, which would
 * end the peer's flow.
 *
 * One socket for each claim, with a filter that lets no packet in.
 *
 * Ownership: the sockets. Threads: control's. Trust: claims are the operator's; a socket
 * that is handed over is asked what it is bound to.
 */
#ifndef DAEMON_RESERVE_H
#define DAEMON_RESERVE_H

#include "control/parcel.h"
#include "daemon/reason.h"
#include "engines/elements/classify.h"

struct reserve;

/* `interface` is where link-local addresses are. 0, or a negative errno with the reason:
 * -EADDRINUSE if another program has a port, -EINVAL if a claim is not for UDP. */
int reserve_create(struct reserve **reserve, const struct claim *claims, uint32_t count,
                   const char *interface, const struct reason *reason);
/* Describes them in the open record of a parcel. The sockets stay this process's too: whoever
 * closes his last releases nothing as long as another has them. */
void reserve_offer(const struct reserve *reserve, struct parcel_draft *draft);
/* Takes over what the open record of a parcel describes, if it is for these claims. As
 * reserve_create; -EBADMSG if it is damaged. */
int reserve_adopt(struct reserve **reserve, const struct claim *claims, uint32_t count,
                  const char *interface, struct parcel *parcel, const struct reason *reason);
void reserve_destroy(struct reserve *reserve);

#endif
