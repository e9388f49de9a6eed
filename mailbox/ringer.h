/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings an eventfd that a stranger has open as well, without ever waiting for him.
 *
 * A write to an eventfd waits while its counter is full, if the descriptor says so; and what it
 * says is whoever's to change who has it open. The kernel's own signal does not wait: here it is
 * that of an asynchronous request for something that is so already (io_submit with
 * IOCB_FLAG_RESFD), which takes no descriptor but an eventfd. One system call for a ring.
 *
 * Ownership: a kernel context and a descriptor. Threads: made and ended by control; rung by one
 * thread at a time. Trust: the bell is a stranger's.
 */
#ifndef MAILBOX_RINGER_H
#define MAILBOX_RINGER_H

#include <linux/aio_abi.h>
#include <stdint.h>

struct ringer {
    aio_context_t context; /* 0: none */
    int ready;             /* an eventfd that always is */
    uint32_t answers;      /* that the kernel has kept for us */
};

/* 0 or a negative errno. */
int ringer_init(struct ringer *ringer);
/* Fine for one that is all zero. */
void ringer_fini(struct ringer *ringer);

/* 0; -EINVAL or -EBADF: that is no eventfd; or another negative errno. */
int ringer_ring(struct ringer *ringer, int bell);

#endif
