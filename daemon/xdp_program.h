/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The XDP program of a port, loaded and attached: it steers claimed packets to sockets.
 *
 * It is attached by a bpf_link that nothing but this process holds, and never pinned: when the
 * process ends, by any way, the kernel closes the link and gets every packet again. A process that
 * takes the interface over is passed the link, and puts its own program there: no packet meets
 * none. The one before it may take that back, as long as it has its own end of the link.
 *
 * Ownership: the program, its maps and its link go with the structure. Sockets are borrowed.
 * Threads: control's; xdp_program_counts on any while it is open.
 */
#ifndef DAEMON_XDP_PROGRAM_H
#define DAEMON_XDP_PROGRAM_H

#include "daemon/nic.h"
#include "daemon/reason.h"
#include "daemon/xdp/claim.h"
#include "engines/elements/classify.h"

/* Bytes of the largest IP packet that fits into a page, as native XDP without packets of several
 * pieces demands: beside it the kernel keeps 256 bytes in front and some 320 behind, and there is
 * room for Ethernet and two tags. */
#define XDP_PROGRAM_MTU_MAX 3498u

struct bpf_object;

enum xdp_mode {
    XDP_MODE_AUTO,    /* native, and generic where the driver has no XDP of its own */
    XDP_MODE_NATIVE,  /* in the driver */
    XDP_MODE_GENERIC, /* in the kernel's receive path, of any driver */
};

struct xdp_program {
    struct bpf_object *object; /* NULL: not loaded */
    int link;                  /* -1: not attached */
    bool generic;
};

/* -EBUSY with the reason if the interface has an XDP program already; 0 if not. */
int xdp_program_check(const struct nic *nic, const struct reason *reason);

/* Loads the program with room for `sockets`. With `frags` it takes packets that do not fit into one
 * page. 0 or a negative errno with the reason. */
int xdp_program_load(struct xdp_program *program, uint32_t sockets, bool frags,
                     const struct reason *reason);
/* Gives packets of a claim to the sockets from `base` on, one for each of `queues` queues. */
int xdp_program_claim(const struct xdp_program *program, const struct claim *claim, uint16_t vlan,
                      uint32_t base, uint32_t queues);
int xdp_program_set_socket(const struct xdp_program *program, uint32_t index, int fd);
/* 0 or a negative errno with the reason. */
int xdp_program_attach(struct xdp_program *program, const struct nic *nic, enum xdp_mode mode,
                       const struct reason *reason);
/* Puts the loaded program in the place of the one that `link`, another process's end of it, has on
 * the interface. The link is the program's then. 0; -EINVAL it is no link of XDP on that interface;
 * or another negative errno, with the reason: then all is as it was. */
int xdp_program_replace(struct xdp_program *program, int link, const struct nic *nic,
                        const struct reason *reason);
/* Puts the program back where another process has put its own; nothing happens if none has. 0 or a
 * negative errno: then the other one stays, and works. */
int xdp_program_return(const struct xdp_program *program);
/* What the program counted on all processors. 0 or a negative errno: -ENOENT if none is loaded. */
int xdp_program_counts(const struct xdp_program *program, uint64_t counts[CLAIM_COUNTERS]);
/* The kernel gets every packet again. Accepts one that is not loaded. */
void xdp_program_close(struct xdp_program *program);

#endif
