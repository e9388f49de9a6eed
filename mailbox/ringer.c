/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "mailbox/ringer.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ANSWERS 64u           /* that the kernel keeps; then they are taken */
#define TAKE_AT (ANSWERS / 2) /* well before it keeps no more */

int ringer_init(struct ringer *ringer)
{
    *ringer = (struct ringer){.ready = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (ringer->ready >= 0 && syscall(SYS_io_setup, ANSWERS, &ringer->context) == 0)
        return 0;

    int error = -errno;

    if (ringer->ready >= 0)
        close(ringer->ready);
    *ringer = (struct ringer){0};
    return error;
}

void ringer_fini(struct ringer *ringer)
{
    if (ringer->context == 0)
        return;
    syscall(SYS_io_destroy, ringer->context);
    close(ringer->ready);
    *ringer = (struct ringer){0};
}

/* All of them are there: a request is done when io_submit returns. */
static void take_answers(struct ringer *ringer)
{
    const struct timespec at_once = {0};
    struct io_event events[ANSWERS];
    long taken = syscall(SYS_io_getevents, ringer->context, 0L, (long)ANSWERS, events, &at_once);

    if (taken > 0)
        ringer->answers -= (uint32_t)taken;
}

int ringer_ring(struct ringer *ringer, int bell)
{
    struct iocb request = {
        .aio_lio_opcode = IOCB_CMD_POLL,
        .aio_fildes = (uint32_t)ringer->ready,
        .aio_buf = POLLIN,
        .aio_flags = IOCB_FLAG_RESFD,
        .aio_resfd = (uint32_t)bell,
    };
    struct iocb *requests[] = {&request};

    if (ringer->answers >= TAKE_AT)
        take_answers(ringer);
    if (syscall(SYS_io_submit, ringer->context, 1L, requests) != 1)
        return -errno;
    ringer->answers++;
    return 0;
}
