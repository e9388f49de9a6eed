/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/* Lies in the words that two sides share: sequence, position, armed; and doorbells. */
#include "tests/system/attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const uint32_t absurd[] = {0,        2,          RAW_ENTRIES,   RAW_ENTRIES + 1,
                                  1u << 31, UINT32_MAX, UINT32_MAX / 2};

static void case_sequence_word(void)
{
    for (size_t i = 0; i < sizeof(absurd) / sizeof(absurd[0]); i++) {
        struct raw raw;

        raw_attach(&raw, attack_path, "alpha");
        __atomic_store_n(&raw_command(&raw)->seq, absurd[i], __ATOMIC_RELEASE);
        raw_ring(&raw);
        attack_want_closed(&raw);
        raw_leave(&raw);
    }
}

/* Also after honest work, backwards: the word of a lap that is over. */
static void case_sequence_word_backwards(void)
{
    struct raw raw;

    raw_attach(&raw, attack_path, "alpha");
    for (uint32_t i = 0; i < 3 * RAW_ENTRIES + 5; i++)
        attack_want("nop", raw_nop(&raw), 0);
    __atomic_store_n(&raw_command(&raw)->seq, raw.commands + 1 - 2 * RAW_ENTRIES, __ATOMIC_RELEASE);
    raw_ring(&raw);
    attack_want_closed(&raw);
    raw_leave(&raw);
}

/* Positions it never reached, or left long ago; looked at when the engine has used up the room it
 * knows of. */
static void case_consumed_word(void)
{
    static const uint32_t ahead[] = {1, RAW_ENTRIES, 1u << 31, UINT32_MAX - RAW_ENTRIES};

    for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
        struct raw raw;
        struct saddle_event event;
        int error = 0;

        raw_attach(&raw, attack_path, "alpha");
        for (uint32_t j = 0; j < 2 * RAW_ENTRIES; j++)
            attack_want("nop", raw_nop(&raw), 0);
        for (uint32_t j = 0; j < 2 * RAW_ENTRIES && !error; j++) {
            __atomic_store_n(&raw_completion_queue(&raw)->consumed, raw.events + ahead[i],
                             __ATOMIC_RELEASE);
            raw_command(&raw)->op = SADDLE_CMD_NOP;
            raw_publish(&raw);
            error = raw_event(&raw, &event);
        }
        attack_want("session", error, -EPROTO);
        attack_want_hang_up(&raw);
        raw_leave(&raw);
    }
}

static void case_armed_word(void)
{
    struct raw raw;
    uint64_t state = ATTACK_SEED;

    raw_attach(&raw, attack_path, "alpha");
    for (int i = 0; i < 500; i++) {
        __atomic_store_n(&raw_command_queue(&raw)->armed, (uint32_t)attack_random(&state),
                         __ATOMIC_SEQ_CST);
        attack_want("nop", raw_nop(&raw), 0);
        __atomic_store_n(&raw_completion_queue(&raw)->armed, (uint32_t)attack_random(&state),
                         __ATOMIC_SEQ_CST);
    }
    raw_leave(&raw);
}

/* The header is the daemon's to write and nobody's to believe. */
static void case_header_overwritten(void)
{
    struct raw raw;

    raw_attach(&raw, attack_path, "alpha");
    memset(raw.arena, 0xff, sizeof(struct saddle_arena_header));
    attack_want("nop", raw_nop(&raw), 0);
    raw_leave(&raw);
}

static void case_never_reaps(void)
{
    struct raw raw;
    struct saddle_event event;

    raw_attach(&raw, attack_path, "alpha");
    for (uint32_t i = 0; i < RAW_ENTRIES; i++) {
        raw_command(&raw)->op = SADDLE_CMD_NOP;
        raw_publish(&raw);
    }
    /* The completion queue is full now, but for the entry that is kept for a CANCEL: what comes on
     * top waits, and nothing is lost. */
    while (__atomic_load_n(&raw_command_queue(&raw)->consumed, __ATOMIC_ACQUIRE) != RAW_ENTRIES - 1)
        raw_ring(&raw);
    for (uint32_t i = 0; i < RAW_ENTRIES - 1; i++) {
        raw_command(&raw)->op = SADDLE_CMD_NOP;
        raw_publish(&raw);
    }
    for (uint32_t i = 0; i < 2 * RAW_ENTRIES - 1; i++) {
        raw_ring(&raw);
        attack_want("event", raw_event(&raw, &event), 0);
        if (event.tag != i)
            raw_die("completion %u has tag %llu", i, (unsigned long long)event.tag);
        raw_ring(&raw);
    }
    raw_leave(&raw);
}

static void case_doorbell_storm(void)
{
    struct raw raw;
    const uint64_t most = UINT64_MAX - 1;
    uint64_t count;

    raw_attach(&raw, attack_path, "alpha");
    for (int i = 0; i < ATTACK_STORM; i++)
        raw_ring(&raw);
    attack_want("nop", raw_nop(&raw), 0);
    /* The counter filled to the brim, and made to block: the engine neither reads nor writes it. */
    if (read(raw.engine_bell, &count, sizeof(count)) != sizeof(count) ||
        write(raw.engine_bell, &most, sizeof(most)) != sizeof(most) ||
        fcntl(raw.engine_bell, F_SETFL, 0))
        raw_die("doorbell: %s", strerror(errno));
    raw_leave(&raw);
}

static void case_doorbell_never_drained(void)
{
    struct raw raw;
    struct saddle_event event;
    char byte = 0;

    raw_attach(&raw, attack_path, "alpha");
    /* Its own end filled from behind, then left alone while the engine rings and rings. */
    while (send(raw.bell, &byte, sizeof(byte), MSG_DONTWAIT) == sizeof(byte))
        continue;
    for (int i = 0; i < ATTACK_STORM; i++) {
        __atomic_exchange_n(&raw_completion_queue(&raw)->armed, 1, __ATOMIC_SEQ_CST);
        raw_command(&raw)->op = SADDLE_CMD_NOP;
        raw_publish(&raw);
        while (!raw_poll(&raw, &event))
            continue;
    }
    raw_leave(&raw);
}

static void case_doorbell_closed(void)
{
    struct raw raw;
    struct saddle_event event;

    raw_attach(&raw, attack_path, "alpha");
    shutdown(raw.bell, SHUT_RDWR);
    close(raw.bell);
    raw.bell = -1;
    for (int i = 0; i < 1000; i++) {
        __atomic_exchange_n(&raw_completion_queue(&raw)->armed, 1, __ATOMIC_SEQ_CST);
        raw_command(&raw)->op = SADDLE_CMD_NOP;
        raw_publish(&raw);
        while (!raw_poll(&raw, &event))
            continue;
    }
    raw_leave(&raw);
}

const struct attack attacks_on_queues[] = {
    {"sequence-word", case_sequence_word},
    {"sequence-word-backwards", case_sequence_word_backwards},
    {"consumed-word", case_consumed_word},
    {"armed-word", case_armed_word},
    {"header-overwritten", case_header_overwritten},
    {"never-reaps", case_never_reaps},
    {"doorbell-storm", case_doorbell_storm},
    {"doorbell-never-drained", case_doorbell_never_drained},
    {"doorbell-closed", case_doorbell_closed},
    {NULL, NULL},
};
