/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Inbox: messages from any number of threads to one, without a wait on either side.
 *
 * A message is an item that its owner embeds in what it speaks of, so sending allocates nothing and
 * no inbox is ever full. Whoever sends an item gives it away; whoever takes it owns it, may change
 * it, and may send it on. An item is in one inbox at a time.
 *
 * Sending pushes by compare-and-exchange: it repeats only when another sender came first. Taking
 * gets all that is there, by one exchange, so an item that comes back cannot be mistaken for the
 * one that was there before. The order is that of nobody: items of one batch come last first.
 *
 * Sleeping is as with doorbells (doorbell.h): the receiver arms, looks once more, and sleeps; a
 * sender that finds it armed rings its descriptor.
 *
 * Ownership: embedded in the receiver, whose descriptor it borrows. Threads: any number of senders,
 * one receiver. Trust: all are the daemon.
 */
#ifndef MAILBOX_INBOX_H
#define MAILBOX_INBOX_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <saddle/abi.h>

struct inbox_item {
    struct inbox_item *next; /* in a batch; the sender's and the receiver's business */
};

struct inbox {
    alignas(SADDLE_CACHE_LINE) _Atomic(struct inbox_item *) first;
    uint32_t armed; /* the receiver sleeps */
    int wake_fd;    /* eventfd, watched by the receiver */
};

void inbox_init(struct inbox *inbox, int wake_fd);

/* Any thread: gives the item away. Makes one system call if the receiver sleeps. */
void inbox_send(struct inbox *inbox, struct inbox_item *item);

/* The receiver: all that was sent, linked by `next`; NULL if nothing was. Read `next` of an item
 * before it is sent on. */
struct inbox_item *inbox_take(struct inbox *inbox);

/* The receiver, before sleeping: true if armed and nothing was sent; false, and not armed, if
 * something was. */
bool inbox_arm(struct inbox *inbox);
void inbox_disarm(struct inbox *inbox);

#endif
