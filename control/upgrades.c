/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/upgrades.h"

#include "sched/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum record {
    RECORD_UPGRADES = UPGRADES_RECORD_FIRST, /* the next number; how many ended how */
    RECORD_UPGRADE,                          /* one, the oldest first */
    RECORD_SET,                              /* one of the upgrade before */
};
#define RECORD_VERSION 1u

struct upgrades {
    uint64_t next;  /* number */
    uint64_t added; /* the ring's: at % UPGRADES_KEPT */
    uint64_t ended[UPGRADE_OUTCOME_END];
    struct upgrade_record kept[UPGRADES_KEPT];
};

static const char *const outcomes[UPGRADE_OUTCOME_END] = {
    [UPGRADE_UNTOUCHED] = "untouched", [UPGRADE_CHECKED] = "checked", [UPGRADE_MOVED] = "moved",
    [UPGRADE_CAME_BACK] = "came_back", [UPGRADE_SPLIT] = "split",     [UPGRADE_ALONE] = "alone",
};

static bool is_outcome(unsigned number)
{
    return number > 0 && number < UPGRADE_OUTCOME_END;
}

const char *upgrade_outcome_name(enum upgrade_outcome outcome)
{
    return is_outcome(outcome) ? outcomes[outcome] : "unknown";
}

int upgrades_create(struct upgrades **upgrades)
{
    struct upgrades *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->next = 1;
    *upgrades = made;
    return 0;
}

void upgrades_destroy(struct upgrades *upgrades)
{
    free(upgrades);
}

/* ---- The history ---- */

static void make_plain(char *text, size_t bytes)
{
    text[bytes - 1] = '\0';
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            *text = '?';
    }
}

static void make_all_plain(struct upgrade_record *upgrade)
{
    make_plain(upgrade->release, sizeof(upgrade->release));
    make_plain(upgrade->step, sizeof(upgrade->step));
    make_plain(upgrade->set, sizeof(upgrade->set));
    make_plain(upgrade->reason, sizeof(upgrade->reason));
    for (uint32_t i = 0; i < upgrade->set_count; i++) {
        make_plain(upgrade->sets[i].name, UPGRADES_NAME_BYTES);
        make_plain(upgrade->sets[i].step, UPGRADES_STEP_BYTES);
        make_plain(upgrade->sets[i].reason, UPGRADES_REASON_BYTES);
    }
}

static uint64_t wall_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static void tell_end(struct events *events, const struct upgrade_record *upgrade)
{
    events_add(events, EVENT_UPGRADE_DONE, NULL, "%s process %u: %s; %u sets, %llu ms%s%s",
               upgrade->newcomer ? "from" : "to", upgrade->peer,
               upgrade_outcome_name(upgrade->outcome), upgrade->set_count,
               (unsigned long long)(upgrade->total_ns / NSEC_PER_MSEC),
               upgrade->reason[0] ? ": " : "", upgrade->reason);
}

uint64_t upgrades_add(struct upgrades *upgrades, struct events *events,
                      const struct upgrade_record *upgrade)
{
    struct upgrade_record *kept;

    tell_end(events, upgrade);
    if (!upgrades)
        return 0;
    kept = &upgrades->kept[upgrades->added++ % UPGRADES_KEPT];
    *kept = *upgrade;
    if (kept->set_count > UPGRADES_SETS_MAX)
        kept->set_count = UPGRADES_SETS_MAX;
    make_all_plain(kept);
    kept->number = upgrades->next++;
    kept->time_ns = wall_clock();
    kept->pid = (uint32_t)getpid();
    if (is_outcome(kept->outcome))
        upgrades->ended[kept->outcome]++;
    return kept->number;
}

static struct upgrade_record *find(struct upgrades *upgrades, uint64_t number)
{
    for (uint32_t i = 0; i < upgrades_count(upgrades); i++) {
        if (upgrades->kept[i].number == number)
            return &upgrades->kept[i];
    }
    return NULL;
}

void upgrades_complete(struct upgrades *upgrades, uint64_t number,
                       const struct upgrade_record *upgrade)
{
    struct upgrade_record *kept = find(upgrades, number);

    if (!kept)
        return;
    for (uint32_t i = 0; i < kept->set_count && i < upgrade->set_count; i++) {
        kept->sets[i].missed = upgrade->sets[i].missed;
        kept->sets[i].retransmitted = upgrade->sets[i].retransmitted;
    }
}

uint32_t upgrades_count(const struct upgrades *upgrades)
{
    if (!upgrades)
        return 0;
    return upgrades->added < UPGRADES_KEPT ? (uint32_t)upgrades->added : UPGRADES_KEPT;
}

const struct upgrade_record *upgrades_at(const struct upgrades *upgrades, uint32_t index)
{
    return &upgrades->kept[(upgrades->added - upgrades_count(upgrades) + index) % UPGRADES_KEPT];
}

uint64_t upgrades_ended(const struct upgrades *upgrades, enum upgrade_outcome outcome)
{
    return upgrades && is_outcome(outcome) ? upgrades->ended[outcome] : 0;
}

/* ---- Writing ---- */

static void put_text(struct state_writer *writer, const char *text)
{
    state_put_bytes(writer, text, (uint32_t)strlen(text));
}

static void write_set(const struct upgrade_set *set, struct state_writer *writer)
{
    state_record_begin(writer, RECORD_SET, RECORD_VERSION);
    put_text(writer, set->name);
    state_put_u8(writer, (uint8_t)set->place);
    state_put_u64(writer, set->brownout_ns);
    state_put_u64(writer, set->blackout_ns);
    state_put_u64(writer, set->offer_bytes);
    state_put_u64(writer, set->state_bytes);
    state_put_u64(writer, set->missed);
    state_put_u64(writer, set->retransmitted);
    put_text(writer, set->step);
    put_text(writer, set->reason);
    state_put_u64(writer, set->blackout_at_ns);
    state_record_end(writer);
}

static void write_one(const struct upgrade_record *upgrade, struct state_writer *writer)
{
    state_record_begin(writer, RECORD_UPGRADE, RECORD_VERSION);
    state_put_u64(writer, upgrade->number);
    state_put_u64(writer, upgrade->time_ns);
    state_put_u64(writer, upgrade->total_ns);
    state_put_u8(writer, (uint8_t)upgrade->outcome);
    state_put_u8(writer, upgrade->newcomer);
    state_put_u8(writer, upgrade->killed);
    state_put_u32(writer, upgrade->pid);
    state_put_u32(writer, upgrade->peer);
    put_text(writer, upgrade->release);
    put_text(writer, upgrade->step);
    put_text(writer, upgrade->set);
    put_text(writer, upgrade->reason);
    state_record_end(writer);
    for (uint32_t i = 0; i < upgrade->set_count; i++)
        write_set(&upgrade->sets[i], writer);
}

void upgrades_write(const struct upgrades *upgrades, struct state_writer *writer)
{
    if (!upgrades)
        return;
    state_record_begin(writer, RECORD_UPGRADES, RECORD_VERSION);
    state_put_u64(writer, upgrades->next);
    state_put_counters(writer, upgrades->ended, UPGRADE_OUTCOME_END);
    state_record_end(writer);
    for (uint32_t i = 0; i < upgrades_count(upgrades); i++)
        write_one(upgrades_at(upgrades, i), writer);
}

/* ---- Reading ---- */

static void get_text(struct state_reader *reader, char *text, uint32_t bytes)
{
    uint32_t length;
    const char *from = state_get_bytes(reader, bytes - 1, &length);

    if (!from)
        return;
    memcpy(text, from, length);
    text[length] = '\0';
}

/* Whether whoever wrote the record knew the fields that were added to it. */
static bool has_more(const struct state_reader *reader)
{
    return !reader->error && reader->position < reader->record_end;
}

static void read_set(struct upgrade_set *set, struct state_reader *reader)
{
    get_text(reader, set->name, sizeof(set->name));
    set->place = state_get_u8(reader);
    set->brownout_ns = state_get_u64(reader);
    set->blackout_ns = state_get_u64(reader);
    set->offer_bytes = state_get_u64(reader);
    set->state_bytes = state_get_u64(reader);
    set->missed = state_get_u64(reader);
    set->retransmitted = state_get_u64(reader);
    get_text(reader, set->step, sizeof(set->step));
    get_text(reader, set->reason, sizeof(set->reason));
    if (has_more(reader))
        set->blackout_at_ns = state_get_u64(reader);
    if (set->place == 0 || set->place >= UPGRADE_PLACE_END)
        state_reader_fail(reader, -EPROTO);
}

static void read_one(const struct upgrades *upgrades, struct upgrade_record *upgrade,
                     struct state_reader *reader)
{
    uint32_t count = upgrades_count(upgrades);

    upgrade->number = state_get_u64(reader);
    upgrade->time_ns = state_get_u64(reader);
    upgrade->total_ns = state_get_u64(reader);
    upgrade->outcome = state_get_u8(reader);
    upgrade->newcomer = state_get_u8(reader) != 0;
    upgrade->killed = state_get_u8(reader) != 0;
    upgrade->pid = state_get_u32(reader);
    upgrade->peer = state_get_u32(reader);
    get_text(reader, upgrade->release, sizeof(upgrade->release));
    get_text(reader, upgrade->step, sizeof(upgrade->step));
    get_text(reader, upgrade->set, sizeof(upgrade->set));
    get_text(reader, upgrade->reason, sizeof(upgrade->reason));
    if (!is_outcome(upgrade->outcome) || upgrade->number >= upgrades->next ||
        (count && upgrade->number <= upgrades_at(upgrades, count - 1)->number))
        state_reader_fail(reader, -EPROTO);
}

static void read_upgrade(struct upgrades *upgrades, struct state_reader *reader)
{
    struct upgrade_record *read = calloc(1, sizeof(*read));

    if (!read) {
        state_reader_fail(reader, -ENOMEM);
        return;
    }
    read_one(upgrades, read, reader);
    make_all_plain(read);
    if (!reader->error)
        upgrades->kept[upgrades->added++ % UPGRADES_KEPT] = *read;
    free(read);
}

static void read_set_of_last(struct upgrades *upgrades, struct state_reader *reader)
{
    struct upgrade_record *last;
    struct upgrade_set set = {0};

    read_set(&set, reader);
    if (reader->error)
        return;
    last = upgrades->added ? &upgrades->kept[(upgrades->added - 1) % UPGRADES_KEPT] : NULL;
    if (!last || last->set_count == UPGRADES_SETS_MAX) {
        state_reader_fail(reader, -EPROTO);
        return;
    }
    last->sets[last->set_count++] = set;
    make_all_plain(last);
}

/* First of all, and once: what is added here has later numbers. */
static void read_head(struct upgrades *upgrades, struct state_reader *reader)
{
    uint64_t ended[UPGRADE_OUTCOME_END] = {0};
    uint64_t next = state_get_u64(reader);

    state_get_counters(reader, ended, UPGRADE_OUTCOME_END);
    if (next == 0 || upgrades->next != 1 || upgrades->added)
        state_reader_fail(reader, -EPROTO);
    if (reader->error)
        return;
    upgrades->next = next;
    memcpy(upgrades->ended, ended, sizeof(ended));
}

void upgrades_read(struct upgrades *upgrades, struct state_reader *reader, uint16_t type)
{
    if (!upgrades)
        return;
    if (type == RECORD_UPGRADES)
        read_head(upgrades, reader);
    else if (type == RECORD_UPGRADE)
        read_upgrade(upgrades, reader);
    else if (type == RECORD_SET)
        read_set_of_last(upgrades, reader);
}

/* ---- Told while it goes on ---- */

void upgrades_tell_start(struct events *events, bool newcomer, uint32_t peer, bool check)
{
    events_add(events, EVENT_UPGRADE_STARTED, NULL, "%s process %u%s", newcomer ? "from" : "to",
               peer, check ? ", as a check: nothing moves" : "");
}

void upgrades_tell_set(struct events *events, const char *set, bool back, uint64_t blackout_ns)
{
    events_add(events, back ? EVENT_UPGRADE_SET_BACK : EVENT_UPGRADE_SET_MOVED, NULL,
               "set %s: %s; nobody ran it for %llu us", set,
               back ? "came back" : "moved to the new daemon",
               (unsigned long long)(blackout_ns / NSEC_PER_USEC));
}
