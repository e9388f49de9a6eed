/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "client/session.h"

#include "client/channel.h"
#include "client/error.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SESSION_GUARD_BYTES 4096u /* the smallest mapping there is: one page */

const struct session_fault session_fault_gone = {
    -ECONNRESET, "the daemon is gone: it closed the attach socket without saying why"};
const struct session_fault session_fault_protocol = {
    -EPROTO, "the daemon broke the protocol: a queue of this session holds nonsense"};

uint32_t saddle_version(void)
{
    return SADDLE_VERSION_MAJOR << 16 | SADDLE_VERSION_MINOR << 8 | SADDLE_VERSION_PATCH;
}

uint32_t saddle_abi(const struct saddle_session *session)
{
    return session->abi;
}

int session_inherited(void)
{
    return client_error(-ECHILD, "the session was inherited by fork; attach again in the child");
}

int session_break(struct saddle_session *session, const struct session_fault *fault)
{
    const struct session_fault *none = NULL;

    __atomic_compare_exchange_n(&session->fault, &none, fault, false, __ATOMIC_RELAXED,
                                __ATOMIC_RELAXED);
    return session_error(session);
}

int session_error(const struct saddle_session *session)
{
    const struct saddle_arena_header *header = (const struct saddle_arena_header *)session->arena;
    const struct session_fault *fault = __atomic_load_n(&session->fault, __ATOMIC_RELAXED);
    char reason[SADDLE_REASON_BYTES];
    int error;

    /* The daemon's own word comes first: it knows more than that it fell silent. */
    if (__atomic_load_n(&header->state, __ATOMIC_ACQUIRE) == SADDLE_SESSION_CLOSED) {
        memcpy(reason, header->reason, sizeof(reason));
        reason[sizeof(reason) - 1] = '\0';
        error = header->error < 0 ? header->error : -ECONNRESET;
        return client_errorf(error, "the daemon closed the session: %s", reason);
    }
    return fault ? client_error(fault->error, fault->line) : 0;
}

int session_look(struct saddle_session *session)
{
    struct pollfd sign = {.fd = session->socket, .events = POLLRDHUP};

    if (sign.fd >= 0 && poll(&sign, 1, 0) > 0)
        return session_break(session, &session_fault_gone);
    return 0;
}

static bool session_layout_ok(const struct saddle_attach_reply *reply)
{
    uint64_t bytes = reply->arena_bytes;

    if (reply->channels == 0 || reply->channels > SADDLE_CHANNELS_MAX ||
        bytes < sizeof(struct saddle_arena_header))
        return false;
    if (reply->heap_bytes > bytes || reply->heap_offset > bytes - reply->heap_bytes)
        return false;
    for (uint32_t index = 0; index < reply->channels; index++)
        if (!client_channel_layout_ok(&reply->channel[index], bytes))
            return false;
    return true;
}

static const volatile uint32_t *session_guard_open(void)
{
    uint32_t *guard = (uint32_t *)mmap(NULL, SESSION_GUARD_BYTES, PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (guard == MAP_FAILED)
        return NULL;
    *guard = 1;
    madvise(guard, SESSION_GUARD_BYTES, MADV_WIPEONFORK);
    return guard;
}

static int session_open_parts(struct saddle_session *session,
                              const struct saddle_attach_reply *reply, const int (*doorbells)[2])
{
    int error =
        client_heap_open(&session->heap, session->arena + reply->heap_offset, reply->heap_bytes);

    if (error)
        return client_error(error, "the arena's heap cannot be managed");
    session->alive = session_guard_open();
    session->channels =
        (struct saddle_channel *)aligned_alloc(SADDLE_CACHE_LINE,
                                               reply->channels * sizeof(*session->channels));
    if (!session->alive || !session->channels)
        return client_error(-ENOMEM, "no memory for the session");
    for (uint32_t index = 0; index < reply->channels; index++) {
        error = client_channel_open(&session->channels[index], session, &reply->channel[index],
                                    doorbells ? doorbells[index] : NULL);
        session->channel_count++;
        if (error)
            return client_error(error, "the queues of a channel cannot be used");
    }
    return 0;
}

int session_open(struct saddle_session **session, const struct saddle_attach_reply *reply,
                 void *arena, const int (*doorbells)[2])
{
    struct saddle_session *made;
    int error;

    *session = NULL;
    if (!session_layout_ok(reply))
        return client_error(-EINVAL, "the layout of the arena makes no sense");
    made = (struct saddle_session *)calloc(1, sizeof(*made));
    if (!made)
        return client_error(-ENOMEM, "no memory for the session");
    made->arena = (uint8_t *)arena;
    made->arena_bytes = reply->arena_bytes;
    made->abi = reply->abi;
    made->slots_max = (uint32_t)((reply->arena_bytes - reply->heap_bytes) / SADDLE_EAGER_MAX);
    made->socket = -1;
    error = session_open_parts(made, reply, doorbells);
    if (error) {
        saddle_detach(made);
        return error;
    }
    *session = made;
    return 0;
}

void saddle_detach(struct saddle_session *session)
{
    if (!session)
        return;
    for (uint32_t index = 0; index < session->channel_count; index++)
        client_channel_close(&session->channels[index], session->attached);
    free(session->channels);
    client_heap_close(&session->heap);
    if (session->attached) {
        /* A child has no such mapping, and something else may lie there by now. */
        if (*session->alive)
            munmap(session->arena, session->arena_bytes);
        close(session->socket);
    }
    if (session->alive)
        munmap((void *)(uintptr_t)session->alive, SESSION_GUARD_BYTES);
    free(session);
}

int saddle_status(const struct saddle_session *session)
{
    int error = session_check(session);

    return error ? error : session_look((struct saddle_session *)(uintptr_t)session);
}

const char *saddle_strerror(const struct saddle_session *session)
{
    const char *line = client_error_line();

    if (*line == '\0' && session && session_check(session) != 0)
        line = client_error_line();
    return line;
}

struct saddle_channel *saddle_channel(struct saddle_session *session, uint32_t index)
{
    if (index < session->channel_count)
        return &session->channels[index];
    client_errorf(-EINVAL, "channel %u: the session has %u", index, session->channel_count);
    return NULL;
}

void *saddle_alloc(struct saddle_session *session, size_t bytes)
{
    void *memory;

    if (!*session->alive) {
        session_inherited();
        return NULL;
    }
    memory = client_heap_alloc(&session->heap, bytes);
    if (!memory)
        client_errorf(-ENOMEM, "no %zu bytes in a row in a heap of %llu (heap_bytes at attach)",
                      bytes, (unsigned long long)session->heap.granules * CLIENT_HEAP_GRANULE);
    return memory;
}

void saddle_free(struct saddle_session *session, void *memory)
{
    if (!memory)
        return;
    if (!*session->alive)
        session_inherited();
    else if (client_heap_free(&session->heap, memory) != 0)
        client_errorf(-EINVAL, "saddle_free(%p): not memory of saddle_alloc, or freed before",
                      memory);
}
