/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/control/toy_pony.h"

#include "engines/pony/view.h"

#include <errno.h>
#include <stdlib.h>

struct pony_session {
    struct pony_session_config config;
};

struct toy_pony toy_pony;

int pony_session_create(struct pony_session **session, const struct pony_session_config *config)
{
    *session = calloc(1, sizeof(**session));
    if (!*session)
        return -ENOMEM;
    (*session)->config = *config;
    toy_pony.last = *config;
    atomic_fetch_add(&toy_pony.made, 1);
    return 0;
}

void pony_session_destroy(struct pony_session *session)
{
    if (session)
        atomic_fetch_sub(&toy_pony.made, 1);
    free(session);
}

int pony_session_error(const struct pony_session *session)
{
    (void)session;
    return atomic_load(&toy_pony.error);
}

void pony_session_usage(const struct pony_session *session, struct pony_usage *usage)
{
    (void)session;
    *usage = (struct pony_usage){.cpu_ns = 1, .throttled_ns = 2, .connection_bytes = 3};
}

bool pony_session_attached(const struct pony_session *session)
{
    (void)session;
    return atomic_load(&toy_pony.loaded);
}

int pony_adopt(struct engine *engine, struct pony_session *session)
{
    (void)engine;
    (void)session;
    return atomic_load(&toy_pony.refusal);
}

int pony_mailbox_attach(void *engine, void *session)
{
    (void)engine;
    (void)session;
    if (atomic_load(&toy_pony.refusal))
        return atomic_load(&toy_pony.refusal);
    atomic_fetch_add(&toy_pony.attached, 1);
    return 0;
}

int pony_mailbox_view(void *engine, void *page)
{
    (void)engine;
    (void)page;
    return -ENOSYS;
}

int pony_mailbox_find_peer(void *engine, void *host)
{
    (void)engine;
    (void)host;
    return -ENOSYS;
}

int pony_mailbox_detach(void *engine, void *session)
{
    (void)engine;
    (void)session;
    atomic_fetch_sub(&toy_pony.attached, 1);
    return 0;
}
