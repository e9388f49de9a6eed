/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "control/arena.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define ARENA_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* One mapped arena, as the SIGBUS guard sees it. `base` is stored last and cleared first. */
struct guarded {
    _Atomic uintptr_t base; /* 0: unused */
    _Atomic uint64_t bytes;
    _Atomic uint64_t page_bytes; /* of the smallest piece that can be mapped anew */
    _Atomic bool broken;
};

static struct guarded guarded[ARENAS_MAX];
static struct sigaction guard_previous;
static bool guard_installed;
static _Atomic int guard_control_fd = -1;

static_assert(sizeof(struct saddle_arena_header) <= ARENA_PAGE_BYTES, "the header is one page");
static_assert(SADDLE_EAGER_MAX % ARENA_PAGE_BYTES == 0, "slots fill pages");
static_assert(ARENA_BYTES_MAX % ARENA_HUGE_BYTES == 0, "rounding up exceeds no quota");

static uint64_t page_up(uint64_t bytes)
{
    return (bytes + ARENA_PAGE_BYTES - 1) & ~(uint64_t)(ARENA_PAGE_BYTES - 1);
}

static int __attribute__((format(printf, 3, 4)))
refuse(struct saddle_attach_reply *reply, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(reply->reason, sizeof(reply->reason), format, args);
    va_end(args);
    reply->error = error;
    return error;
}

static bool terminated(const char *name)
{
    return memchr(name, '\0', SADDLE_NAME_BYTES) != NULL;
}

static bool entries_ok(uint32_t entries)
{
    return entries >= ARENA_QUEUE_ENTRIES_MIN && entries <= SADDLE_QUEUE_MAX &&
           (entries & (entries - 1)) == 0;
}

static int check_version(const struct saddle_attach_request *request,
                         struct saddle_attach_reply *reply)
{
    if (request->magic != SADDLE_ABI_MAGIC)
        return refuse(reply, -EPROTO, "attach: this is no attach request (magic 0x%08x)",
                      request->magic);
    if (request->abi_min > request->abi_max || request->abi_min > SADDLE_ABI_VERSION ||
        request->abi_max < SADDLE_ABI_OLDEST)
        return refuse(reply, -EPROTO, "attach: ABI versions %u to %u asked for, %u to %u served",
                      request->abi_min, request->abi_max, SADDLE_ABI_OLDEST, SADDLE_ABI_VERSION);
    if (request->bytes != sizeof(*request))
        return refuse(reply, -EPROTO, "attach: the request says it has %u bytes, not %zu",
                      request->bytes, sizeof(*request));
    reply->abi =
        request->abi_max < SADDLE_ABI_VERSION ? request->abi_max : (uint16_t)SADDLE_ABI_VERSION;
    return 0;
}

static int check_sizes(const struct saddle_attach_request *request,
                       struct saddle_attach_reply *reply)
{
    if (request->reserved != 0)
        return refuse(reply, -EINVAL, "attach: reserved is %u, not 0", request->reserved);
    if (!terminated(request->engine) || !terminated(request->application))
        return refuse(reply, -EINVAL, "attach: a name is longer than %u bytes",
                      SADDLE_NAME_BYTES - 1);
    if (request->channels == 0 || request->channels > SADDLE_CHANNELS_MAX)
        return refuse(reply, -EINVAL, "attach: %u channels, not 1 to %u", request->channels,
                      SADDLE_CHANNELS_MAX);
    if (!entries_ok(request->command_entries) || !entries_ok(request->completion_entries))
        return refuse(reply, -EINVAL,
                      "attach: queues of %u and %u entries, not powers of two from %u to %u",
                      request->command_entries, request->completion_entries,
                      ARENA_QUEUE_ENTRIES_MIN, SADDLE_QUEUE_MAX);
    if (request->receive_slots == 0 || request->receive_slots > ARENA_SLOTS_MAX)
        return refuse(reply, -EINVAL, "attach: %u receive slots, not 1 to %u",
                      request->receive_slots, ARENA_SLOTS_MAX);
    if (request->heap_bytes > ARENA_BYTES_MAX)
        return refuse(reply, -EDQUOT, "attach: a heap of %llu bytes is over the quota of %llu",
                      (unsigned long long)request->heap_bytes, ARENA_BYTES_MAX);
    return 0;
}

int arena_plan(const struct saddle_attach_request *request, struct saddle_attach_reply *reply,
               uint64_t *slots_offset)
{
    uint64_t offset = ARENA_PAGE_BYTES;
    int error;

    memset(reply, 0, sizeof(*reply));
    reply->magic = SADDLE_ABI_MAGIC;
    reply->bytes = sizeof(*reply);
    error = check_version(request, reply);
    if (!error)
        error = check_sizes(request, reply);
    if (error)
        return error;
    for (uint32_t i = 0; i < request->channels; i++) {
        struct saddle_channel_layout *channel = &reply->channel[i];

        channel->command_entries = request->command_entries;
        channel->completion_entries = request->completion_entries;
        channel->command_offset = offset;
        offset += page_up(queue_bytes(request->command_entries));
        channel->completion_offset = offset;
        offset += page_up(queue_bytes(request->completion_entries));
    }
    *slots_offset = offset;
    offset += (uint64_t)request->receive_slots * SADDLE_EAGER_MAX;
    reply->heap_offset = offset;
    reply->heap_bytes = page_up(request->heap_bytes);
    reply->arena_bytes = offset + reply->heap_bytes;
    reply->channels = (uint16_t)request->channels;
    if (reply->arena_bytes > ARENA_BYTES_MAX)
        return refuse(reply, -EDQUOT, "attach: an arena of %llu bytes is over the quota of %llu",
                      (unsigned long long)reply->arena_bytes, ARENA_BYTES_MAX);
    return 0;
}

void arena_plan_huge(struct saddle_attach_reply *plan)
{
    uint64_t over = plan->arena_bytes % ARENA_HUGE_BYTES;
    uint64_t more = over ? ARENA_HUGE_BYTES - over : 0;

    plan->heap_bytes += more;
    plan->arena_bytes += more;
}

int arena_check(const struct saddle_attach_reply *plan, uint64_t slots_offset)
{
    const struct saddle_attach_request request = {
        .magic = SADDLE_ABI_MAGIC,
        .bytes = sizeof(request),
        .abi_min = plan->abi,
        .abi_max = plan->abi,
        .channels = plan->channels,
        .command_entries = plan->channel[0].command_entries,
        .completion_entries = plan->channel[0].completion_entries,
        .receive_slots = (uint32_t)((plan->heap_offset - slots_offset) / SADDLE_EAGER_MAX),
        .heap_bytes = plan->heap_bytes,
    };
    struct saddle_attach_reply again;
    uint64_t again_slots;

    if (arena_plan(&request, &again, &again_slots) || again_slots != slots_offset ||
        again.arena_bytes != plan->arena_bytes || again.heap_offset != plan->heap_offset ||
        again.heap_bytes != plan->heap_bytes ||
        memcmp(again.channel, plan->channel, sizeof(again.channel)) != 0)
        return -EINVAL;
    return 0;
}

static int describe_channel(struct channel_config *config, uint8_t *arena,
                            const struct saddle_channel_layout *layout)
{
    const struct queue_attrs command = {.name = "command",
                                        .capacity = layout->command_entries,
                                        .order_sensitive = true};
    const struct queue_attrs completion = {.name = "completion",
                                           .capacity = layout->completion_entries,
                                           .order_sensitive = true};
    int error = queue_create(&config->command, &command, arena + layout->command_offset);

    if (!error)
        error = queue_create(&config->completion, &completion, arena + layout->completion_offset);
    config->command_position = 0;
    config->completion_position = 0;
    config->doorbell_fd = -1;
    return error;
}

void arena_format(uint8_t *arena, const struct saddle_attach_reply *plan)
{
    struct saddle_arena_header *header = (struct saddle_arena_header *)arena;

    for (uint32_t i = 0; i < plan->channels; i++) {
        struct channel_config config;

        if (describe_channel(&config, arena, &plan->channel[i]))
            return;
        queue_format(&config.command, 0);
        queue_format(&config.completion, 0);
    }
    header->magic = SADDLE_ABI_MAGIC;
    header->abi = plan->abi;
    header->error = 0;
    __atomic_store_n(&header->state, SADDLE_SESSION_OPEN, __ATOMIC_RELEASE);
}

int arena_describe(struct pony_session_config *config, uint8_t *arena,
                   const struct saddle_attach_reply *plan, uint64_t slots_offset,
                   const int *doorbells)
{
    memset(config, 0, sizeof(*config));
    config->id = plan->session;
    config->abi = plan->abi;
    config->arena = arena;
    config->arena_bytes = plan->arena_bytes;
    config->heap_offset = plan->heap_offset;
    config->heap_bytes = plan->heap_bytes;
    config->slots_offset = slots_offset;
    config->slot_count = (uint32_t)((plan->heap_offset - slots_offset) / SADDLE_EAGER_MAX);
    config->channel_count = plan->channels;
    for (uint32_t i = 0; i < plan->channels; i++) {
        int error = describe_channel(&config->channels[i], arena, &plan->channel[i]);

        if (error)
            return error;
        if (doorbells)
            config->channels[i].doorbell_fd = doorbells[i];
    }
    return 0;
}

void arena_close(uint8_t *arena, int error, const char *reason)
{
    struct saddle_arena_header *header = (struct saddle_arena_header *)arena;
    char line[SADDLE_REASON_BYTES] = {0}; /* formatted in private, then copied out */

    snprintf(line, sizeof(line), "%s", reason);
    memcpy(header->reason, line, sizeof(line));
    header->error = error;
    __atomic_store_n(&header->state, SADDLE_SESSION_CLOSED, __ATOMIC_RELEASE);
}

static struct guarded *guard_find(const uint8_t *arena)
{
    for (uint32_t i = 0; i < ARENAS_MAX; i++) {
        if (atomic_load_explicit(&guarded[i].base, memory_order_acquire) == (uintptr_t)arena)
            return &guarded[i];
    }
    return NULL;
}

static int guard_add(uint8_t *arena, uint64_t bytes, uint64_t page_bytes)
{
    struct guarded *entry = guard_find(NULL);

    if (!entry)
        return -ENFILE;
    atomic_store_explicit(&entry->bytes, bytes, memory_order_relaxed);
    atomic_store_explicit(&entry->page_bytes, page_bytes, memory_order_relaxed);
    atomic_store_explicit(&entry->broken, false, memory_order_relaxed);
    atomic_store_explicit(&entry->base, (uintptr_t)arena, memory_order_release);
    return 0;
}

static int sealed_memfd(uint64_t bytes, const char *name, unsigned int flags)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    int error;

    if (fd < 0)
        return -errno;
    if (ftruncate(fd, (off_t)bytes) == 0 && fcntl(fd, F_ADD_SEALS, ARENA_SEALS) == 0)
        return fd;
    error = -errno;
    close(fd);
    return error;
}

/* Maps the memory and puts it under guard. */
static int map_guarded(int memfd, uint64_t bytes, uint64_t page_bytes, int flags, uint8_t **arena)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | flags, memfd, 0);
    int error;

    if (memory == MAP_FAILED)
        return -errno;
    error = madvise(memory, bytes, MADV_DONTDUMP) ? -errno : guard_add(memory, bytes, page_bytes);
    if (error) {
        munmap(memory, bytes);
        return error;
    }
    *arena = memory;
    return 0;
}

int arena_create(uint64_t bytes, const char *name, int *fd, uint8_t **arena)
{
    int memfd = sealed_memfd(bytes, name, 0);
    int error;

    if (memfd < 0)
        return memfd;
    error = map_guarded(memfd, bytes, ARENA_PAGE_BYTES, 0, arena);
    if (error)
        close(memfd);
    else
        *fd = memfd;
    return error;
}

/* Spares engines the faults by which pages that are there get mapped. A kernel before 5.14 does not
 * know how, and one cannot for a page that was taken away: then they have them after all. */
static void map_pages(uint8_t *arena, uint64_t bytes)
{
    madvise(arena, bytes, MADV_POPULATE_WRITE);
}

int arena_create_huge(uint64_t bytes, const char *name, int *fd, uint8_t **arena)
{
    int memfd = sealed_memfd(bytes, name, MFD_HUGETLB | MFD_HUGE_2MB);
    uint8_t *memory = NULL;
    int error;

    if (memfd < 0)
        return memfd;
    /* Mapping reserves the pages, and takes none if there are too few. With pages that are only
     * reserved a fault can still fail, by the limit of a cgroup: so all are brought into being. */
    error = map_guarded(memfd, bytes, ARENA_HUGE_BYTES, 0, &memory);
    if (!error && fallocate(memfd, 0, 0, (off_t)bytes))
        error = -errno;
    if (error) {
        arena_destroy(memory, bytes);
        close(memfd);
        return error;
    }
    map_pages(memory, bytes);
    *arena = memory;
    *fd = memfd;
    return 0;
}

const char *arena_huge_reason(int error)
{
    return error == -ENOMEM || error == -ENOSPC ? "too few are free" : strerror(-error);
}

/* What its pages have, or 0 if it is no memory that a daemon makes for sessions. */
static uint64_t page_bytes_of(int fd)
{
    struct statfs system;

    if (fstatfs(fd, &system))
        return 0;
    if (system.f_type == TMPFS_MAGIC)
        return ARENA_PAGE_BYTES;
    if (system.f_type == HUGETLBFS_MAGIC && (uint64_t)system.f_bsize == ARENA_HUGE_BYTES)
        return ARENA_HUGE_BYTES;
    return 0;
}

int arena_adopt(int fd, uint64_t bytes, uint8_t **arena)
{
    int seals = fcntl(fd, F_GET_SEALS);
    uint64_t page_bytes = page_bytes_of(fd);
    struct stat status;
    int error;

    if (seals < 0 || (seals & ARENA_SEALS) != ARENA_SEALS || fstat(fd, &status) ||
        (uint64_t)status.st_size != bytes || !page_bytes || bytes % page_bytes)
        return -EBADMSG;
    if (page_bytes == ARENA_PAGE_BYTES)
        return map_guarded(fd, bytes, page_bytes, 0, arena);
    /* The pages are there. Where a hole was punched a reservation might be refused, and with it
     * the whole take-over; without one it is a fault of that session alone. */
    error = map_guarded(fd, bytes, page_bytes, MAP_NORESERVE, arena);
    if (!error)
        map_pages(*arena, bytes);
    return error;
}

bool arena_huge(const uint8_t *arena)
{
    const struct guarded *entry = guard_find(arena);

    return entry &&
           atomic_load_explicit(&entry->page_bytes, memory_order_relaxed) == ARENA_HUGE_BYTES;
}

void arena_destroy(uint8_t *arena, uint64_t bytes)
{
    struct guarded *entry;

    if (!arena)
        return;
    entry = guard_find(arena);
    if (entry)
        atomic_store_explicit(&entry->base, 0, memory_order_release);
    munmap(arena, bytes);
}

bool arena_broken(const uint8_t *arena)
{
    const struct guarded *entry = guard_find(arena);

    return entry && atomic_load_explicit(&entry->broken, memory_order_acquire);
}

static bool is_inside(const struct guarded *entry, uintptr_t address)
{
    uintptr_t base = atomic_load_explicit(&entry->base, memory_order_acquire);

    return base && address >= base &&
           address - base < atomic_load_explicit(&entry->bytes, memory_order_relaxed);
}

/* Maps zeroes over the whole page: of a huge one a part cannot be mapped anew. */
static bool map_zeroes(const struct guarded *entry, uintptr_t address)
{
    uint64_t bytes = atomic_load_explicit(&entry->page_bytes, memory_order_relaxed);

    return mmap((void *)(address & ~(uintptr_t)(bytes - 1)), bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

/* Only async-signal-safe calls: mmap of a page, write, sigaction. */
static void guard_handle(int signal, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    int saved = errno;

    (void)signal;
    (void)context;
    for (uint32_t i = 0; i < ARENAS_MAX; i++) {
        uint64_t one = 1;

        if (!is_inside(&guarded[i], address))
            continue;
        if (!map_zeroes(&guarded[i], address))
            break;
        atomic_store_explicit(&guarded[i].broken, true, memory_order_release);
        /* A failed ring means a full eventfd: control is already on its way. */
        if (write(atomic_load_explicit(&guard_control_fd, memory_order_relaxed), &one,
                  sizeof(one)) < 0)
            errno = saved;
        errno = saved;
        return;
    }
    /* Not ours: the fault happens again, under whoever handled it before. */
    sigaction(SIGBUS, &guard_previous, NULL);
    errno = saved;
}

int arena_guard_install(int control_fd)
{
    struct sigaction action = {.sa_sigaction = guard_handle, .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    atomic_store_explicit(&guard_control_fd, control_fd, memory_order_relaxed);
    if (sigaction(SIGBUS, &action, &guard_previous))
        return -errno;
    guard_installed = true;
    return 0;
}

void arena_guard_remove(void)
{
    if (guard_installed)
        sigaction(SIGBUS, &guard_previous, NULL);
    guard_installed = false;
}
