/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/daemon/handover_bed.h"

#include "sched/clock.h"
#include "tests/unit/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORK_NS   (5 * NSEC_PER_MSEC) /* between two pieces of work */
#define LOOK_NS   NSEC_PER_MSEC       /* between two looks at what processes do */
#define PATIENCE  (40 * NSEC_PER_SEC) /* for all of one run */
#define RECORD    9u
#define STRUCK_NS (100 * NSEC_PER_MSEC) /* for a signal to be seen */

/* ---- One of the two processes ---- */

static struct bed_shared *shared;
static const struct bed_plan *plan;
static enum bed_side self;
static struct {
    pthread_t thread;
    _Atomic bool works;
    bool left, adopted;
    int fd; /* what came with it */
} here[BED_SETS];

static void broken(const char *rule, uint32_t set)
{
    if (atomic_fetch_add(&shared->broken, 1) == 0)
        snprintf(shared->rule, sizeof(shared->rule), "%s: %s, set %u",
                 self == BED_OLD ? "old" : "new", rule, set);
}

static void nap(uint64_t ns)
{
    const struct timespec time = {(time_t)(ns / NSEC_PER_SEC), (long)(ns % NSEC_PER_SEC)};

    nanosleep(&time, NULL);
}

static void *work(void *context)
{
    uint32_t set = (uint32_t)(uintptr_t)context;

    while (atomic_load(&here[set].works)) {
        if (atomic_load(&shared->sets[set].owner) != (int)self)
            broken("two run one set", set);
        atomic_fetch_add(&shared->sets[set].work, 1);
        nap(WORK_NS);
    }
    return NULL;
}

static void start(uint32_t set)
{
    int nobody = BED_NOBODY;

    if (!atomic_compare_exchange_strong(&shared->sets[set].owner, &nobody, (int)self))
        broken("a set is run that another one runs", set);
    atomic_store(&here[set].works, true);
    if (pthread_create(&here[set].thread, NULL, work, (void *)(uintptr_t)set))
        abort();
}

static void stop(uint32_t set)
{
    int mine = (int)self;

    atomic_store(&here[set].works, false);
    pthread_join(here[set].thread, NULL);
    if (!atomic_compare_exchange_strong(&shared->sets[set].owner, &mine, BED_NOBODY))
        broken("a set that was run here was another one's", set);
}

static int fails(enum bed_call call, uint32_t set, const struct reason *why)
{
    for (int i = 0; i < 2; i++) {
        if (plan->fail[i].side != self || plan->fail[i].call != call || plan->fail[i].set != set)
            continue;
        if (plan->fail[i].slow)
            nap(plan->blackout_ns * 5 / 4);
        else
            return reason_set(why, -EIO, "call %d of set %d fails as planned", (int)call, (int)set);
    }
    return 0;
}

static int look_at(void *context, const struct handover_greeting *theirs, uint32_t version,
                   const struct reason *why)
{
    (void)context;
    if (version != 3 || strcmp(theirs->release, self == BED_OLD ? "new one" : "old one") != 0)
        broken("a greeting is not what was sent", version);
    if (strcmp(theirs->configuration, self == BED_OLD ? "" : "engines: some\n") != 0)
        broken("the configuration is not what was sent", 0);
    return fails(BED_CHECK, HANDOVER_NO_SET, why);
}

static uint32_t count_sets(void *context)
{
    (void)context;
    return BED_SETS;
}

static const char *name_set(void *context, uint32_t set)
{
    static const char *const names[BED_SETS] = {"zero", "one", "two"};

    (void)context;
    return names[set];
}

static void put_number(struct parcel_draft *draft, uint64_t number)
{
    state_record_begin(&draft->state, RECORD, 1);
    state_put_u64(&draft->state, number);
    state_record_end(&draft->state);
}

static uint64_t get_number(struct parcel *parcel)
{
    uint16_t type = 0, version = 0;

    if (!state_record_next(&parcel->state, &type, &version) || type != RECORD)
        broken("a parcel is not what was sent", type);
    return state_get_u64(&parcel->state);
}

static int give_first(void *context, struct parcel_draft *draft, const struct reason *why)
{
    (void)context;
    put_number(draft, 1);
    return fails(BED_GIVE_FIRST, HANDOVER_NO_SET, why);
}

static int give_last(void *context, struct parcel_draft *draft, const struct reason *why)
{
    (void)context;
    put_number(draft, 2);
    return fails(BED_GIVE_LAST, HANDOVER_NO_SET, why);
}

static int take_first(void *context, struct parcel *parcel, const struct reason *why)
{
    (void)context;
    if (get_number(parcel) != 1)
        broken("the first parcel is not the first", 0);
    return fails(BED_TAKE_FIRST, HANDOVER_NO_SET, why);
}

static int take_last(void *context, struct parcel *parcel, const struct reason *why)
{
    (void)context;
    if (get_number(parcel) != 2)
        broken("the last parcel is not the last", 0);
    return fails(BED_TAKE_LAST, HANDOVER_NO_SET, why);
}

static int offer(void *context, uint32_t set, struct parcel_draft *draft, const struct reason *why)
{
    (void)context;
    if (!atomic_load(&here[set].works))
        broken("a set is offered that is not here", set);
    state_record_begin(&draft->state, RECORD, 1);
    state_put_u64(&draft->state, set);
    parcel_put_fd(draft, here[set].fd);
    state_record_end(&draft->state);
    return fails(BED_OFFER, set, why);
}

static int leave(void *context, uint32_t set, struct parcel_draft *draft, const struct reason *why)
{
    (void)context;
    stop(set);
    here[set].left = true;
    put_number(draft, atomic_load(&shared->sets[set].work));
    return fails(BED_LEAVE, set, why);
}

static int resume(void *context, uint32_t set, const struct reason *why)
{
    int error = fails(BED_RESUME, set, why);

    (void)context;
    if (here[set].left && !error)
        start(set);
    here[set].left = false;
    return error;
}

static void let_go(uint32_t set)
{
    close(here[set].fd);
    here[set].fd = -1;
}

static void forget(void *context, uint32_t set)
{
    (void)context;
    if (!here[set].left)
        broken("a set is forgotten that was not left", set);
    here[set].left = false;
    let_go(set);
}

static int adopt(void *context, uint32_t set, struct parcel *parcel, const struct reason *why)
{
    int error = fails(BED_ADOPT, set, why);

    (void)context;
    if (error)
        return error;
    if (get_number(parcel) != set || here[set].adopted || atomic_load(&here[set].works))
        broken("a set is adopted that is here, or another one", set);
    here[set].fd = parcel_get_fd(parcel);
    if (here[set].fd < 0)
        broken("a descriptor did not come", set);
    here[set].adopted = true;
    return 0;
}

static int enter(void *context, uint32_t set, struct parcel *parcel, const struct reason *why)
{
    (void)context;
    if (!here[set].adopted)
        broken("a set is entered that was not adopted", set);
    if (get_number(parcel) != atomic_load(&shared->sets[set].work))
        broken("a set was worked on after it was written down", set);
    return fails(BED_ENTER, set, why);
}

static int run(void *context, uint32_t set, const struct reason *why)
{
    int error = fails(BED_RUN, set, why);

    (void)context;
    here[set].adopted = false;
    if (!error)
        start(set);
    return error;
}

static void settle(void *context, uint32_t set)
{
    (void)context;
    if (here[set].adopted)
        broken("a set is settled that was not to run", set);
}

static void abandon(void *context, uint32_t set)
{
    (void)context;
    if (!here[set].adopted)
        broken("a set is abandoned that was not adopted", set);
    here[set].adopted = false;
    let_go(set);
}

static void meanwhile(void *context)
{
    (void)context;
    atomic_fetch_add(&shared->turns, 1);
}

/* ---- Strikes ---- */

/* Whose doing a step is when the old one gives: by the table in handover.h. */
static const enum bed_side doer[HANDOVER_STEPS] = {
    [HANDOVER_HELLO] = BED_NEW,  [HANDOVER_WELCOME] = BED_OLD,    [HANDOVER_ACCEPT] = BED_NEW,
    [HANDOVER_FIRST] = BED_OLD,  [HANDOVER_TAKE_FIRST] = BED_NEW, [HANDOVER_OFFER] = BED_OLD,
    [HANDOVER_ADOPT] = BED_NEW,  [HANDOVER_LEAVE] = BED_OLD,      [HANDOVER_ENTER] = BED_NEW,
    [HANDOVER_ACTIVE] = BED_NEW, [HANDOVER_RUN] = BED_NEW,        [HANDOVER_FORGET] = BED_OLD,
    [HANDOVER_LAST] = BED_OLD,   [HANDOVER_TAKE_LAST] = BED_NEW,  [HANDOVER_END] = BED_OLD,
};

bool bed_has_step(enum handover_step step, bool waiter)
{
    return !waiter || (step != HANDOVER_ACTIVE && step != HANDOVER_RUN && step != HANDOVER_FORGET);
}

static bool stopped(int pid)
{
    char path[64], text[512];
    FILE *file;
    bool is = false;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "re");
    if (file && fgets(text, sizeof(text), file)) {
        const char *after = strrchr(text, ')');

        is = after && after[1] && after[2] == 'T';
    }
    if (file)
        fclose(file);
    return is;
}

/* Returns when it is dead, or stopped and perhaps continued again. */
static void strike(int pid, int signal)
{
    int pidfd = pidfd_open(pid, 0);
    struct pollfd one = {.fd = pidfd, .events = POLLIN};

    if (pidfd < 0 || kill(pid, signal)) {
        if (pidfd >= 0)
            close(pidfd);
        return;
    }
    if (signal == SIGKILL)
        poll(&one, 1, -1);
    for (uint64_t waited = 0; signal == SIGSTOP && waited < STRUCK_NS && !stopped(pid);
         waited += LOOK_NS)
        nap(LOOK_NS);
    close(pidfd);
}

static void at(void *context, enum handover_step step, uint32_t set, bool back)
{
    bool does = back ? doer[step] != self : doer[step] == self;
    int none = 0;

    (void)context;
    /* From ACTIVE on, of which the giver may know before the taker goes on. */
    if (step == HANDOVER_RUN)
        atomic_store(&shared->sets[set].entitled, (int)self);
    if (step == HANDOVER_FORGET)
        atomic_store(&shared->sets[set].entitled, self == BED_OLD ? BED_NEW : BED_OLD);
    if (!plan->strike.signal || plan->strike.step != step || plan->strike.set != set ||
        plan->strike.back != back || does == plan->strike.waiter ||
        !atomic_compare_exchange_strong(&shared->struck, &none, 1))
        return;
    for (int side = BED_OLD; side <= BED_NEW; side++) {
        if (side != (int)self && plan->strike.victims & 1u << side)
            strike(atomic_load(&shared->pid[side]), plan->strike.signal);
    }
    if (plan->strike.victims & 1u << self)
        kill(getpid(), plan->strike.signal);
}

static const struct handover_ops ops = {
    .check = look_at,
    .sets = count_sets,
    .set_name = name_set,
    .give_first = give_first,
    .offer = offer,
    .leave = leave,
    .resume = resume,
    .forget = forget,
    .give_last = give_last,
    .take_first = take_first,
    .adopt = adopt,
    .enter = enter,
    .run = run,
    .settle = settle,
    .abandon = abandon,
    .take_last = take_last,
    .at = at,
    .meanwhile = meanwhile,
};

static int open_descriptors(void)
{
    int count = 0;

    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void be_old(const char *path, int told)
{
    struct handover_settings settings = {
        .greeting = {{1, 1}, {2, 3}, {2, 3}, "old one", "here", "engines: some\n"},
        .blackout_ns = plan->blackout_ns,
    };
    char text[HANDOVER_REASON_BYTES];
    struct reason why = {text, sizeof(text)};
    struct handover_link link;
    struct attach_socket door;
    struct pollfd one;
    int before, error;

    for (uint32_t set = 0; set < BED_SETS; set++) {
        here[set].fd = eventfd(0, EFD_CLOEXEC);
        start(set);
    }
    if (handover_listen(&door, path, &why))
        abort();
    before = open_descriptors();
    if (write(told, "", 1) != 1)
        abort();
    settings.turned_away = door.fd;
    one = (struct pollfd){.fd = door.fd, .events = POLLIN};
    do {
        poll(&one, 1, -1);
        error = handover_accept(door.fd, &link, &why);
    } while (error == -EAGAIN);
    /* Else it was gone again before it was let in: nothing happened. */
    if (!error)
        handover_give(&link, &settings, &ops, NULL, &shared->report[self]);
    handover_hang_up(&link);
    atomic_store(&shared->held[self], open_descriptors() - before);
    attach_close(&door);
    atomic_store(&shared->reported[self], 1);
    if (shared->report[self].outcome == HANDOVER_MOVED)
        _exit(0);
}

static void be_new(const char *path, int heard)
{
    const struct handover_settings settings = {
        .greeting = {{1, 1}, {2, 4}, {2, 4}, "new one", "here", ""},
        .blackout_ns = plan->blackout_ns,
        .check = plan->check,
        .turned_away = -1,
    };
    char text[HANDOVER_REASON_BYTES], byte;
    struct reason why = {text, sizeof(text)};
    const struct handover_report *report = &shared->report[self];
    struct handover_link link;
    int before = open_descriptors();
    bool here_is_one = false;

    for (uint32_t set = 0; set < BED_SETS; set++)
        here[set].fd = -1;
    if (read(heard, &byte, 1) != 1)
        abort();
    if (handover_connect(path, &link, &why)) {
        /* Whom it met may be dead before it has looked at him: there is nothing to take then. */
        if (atomic_load(&shared->struck))
            _exit(0);
        abort();
    }
    handover_take(&link, &settings, &ops, NULL, &shared->report[self]);
    handover_hang_up(&link);
    atomic_store(&shared->held[self], open_descriptors() - before);
    atomic_store(&shared->reported[self], 1);
    for (uint32_t set = 0; set < report->set_count; set++)
        here_is_one |= report->sets[set].place == HANDOVER_HERE;
    if (!here_is_one)
        _exit(0);
}

static pid_t begin(enum bed_side side, const char *path, const int ends[2])
{
    pid_t pid = fork();

    if (pid)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    self = side;
    atomic_store(&shared->pid[side], getpid());
    close(ends[side == BED_OLD ? 0 : 1]);
    if (side == BED_OLD)
        be_old(path, ends[1]);
    else
        be_new(path, ends[0]);
    for (;;) /* its sets are worked on */
        pause();
}

/* ---- Who watches ---- */

struct watched {
    pid_t pid[BED_SIDES];
    bool dead[BED_SIDES], stopped[BED_SIDES];
    bool hit[BED_SIDES]; /* was stopped, or is dead */
    int status[BED_SIDES];
    uint64_t deadline;
};

/* A signal that was sent has its effect when the kernel comes to it. */
static bool awaits_strike(const struct watched *watched, int side)
{
    return atomic_load(&shared->struck) && plan->strike.victims & 1u << side && !watched->hit[side];
}

static bool settled(const struct watched *watched, int side)
{
    if (awaits_strike(watched, side))
        return false;
    return watched->dead[side] || watched->stopped[side] || atomic_load(&shared->reported[side]);
}

static void look(struct watched *watched)
{
    for (int side = BED_OLD; side <= BED_NEW; side++) {
        int status;

        if (watched->dead[side] ||
            waitpid(watched->pid[side], &status, WNOHANG | WUNTRACED | WCONTINUED) <= 0)
            continue;
        watched->status[side] = status;
        watched->dead[side] = WIFEXITED(status) || WIFSIGNALED(status);
        watched->hit[side] |= watched->dead[side] || WIFSTOPPED(status);
        if (WIFSTOPPED(status) && plan->blink)
            kill(watched->pid[side], SIGCONT);
        else if (WIFSTOPPED(status) || WIFCONTINUED(status))
            watched->stopped[side] = WIFSTOPPED(status);
    }
}

static bool both_settled(const struct watched *watched)
{
    return settled(watched, BED_OLD) && settled(watched, BED_NEW);
}

/* True when both are dead, stopped or done. Who was seen first may have been stopped or killed
 * before the other one was done: they are looked at once more. */
static bool watch(struct watched *watched)
{
    while (clock_now(&clock_machine) < watched->deadline) {
        look(watched);
        if (both_settled(watched)) {
            look(watched);
            if (both_settled(watched))
                return true;
        }
        nap(LOOK_NS);
    }
    return false;
}

static void carry_on(struct watched *watched, enum bed_side side)
{
    if (watched->dead[side] || !watched->stopped[side])
        return;
    kill(watched->pid[side], SIGCONT);
    while (!watched->dead[side] && watched->stopped[side] &&
           clock_now(&clock_machine) < watched->deadline) {
        look(watched);
        nap(LOOK_NS);
    }
}

static int wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int wrong(const char *format, ...)
{
    va_list args;
    char text[512];

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "%s\n", text);
    return 1;
}

/* The set is worked on, now. */
static bool is_worked_on(uint32_t set)
{
    uint64_t before = atomic_load(&shared->sets[set].work);
    uint64_t deadline = clock_now(&clock_machine) + PATIENCE / 4;

    while (atomic_load(&shared->sets[set].work) < before + 2) {
        if (clock_now(&clock_machine) > deadline)
            return false;
        nap(LOOK_NS);
    }
    return true;
}

static bool planned(enum bed_call call)
{
    return plan->fail[0].call == call || plan->fail[1].call == call;
}

static int check_report(const struct watched *watched, int side, uint32_t set)
{
    const struct handover_report *report = &shared->report[side];
    int entitled = atomic_load(&shared->sets[set].entitled);
    enum handover_place place;

    if (!atomic_load(&shared->reported[side]) || set >= report->set_count)
        return 0;
    place = report->sets[set].place;
    if (place == HANDOVER_HERE && entitled != side)
        return wrong("side %d says that it has set %u, which is %d's", side, set, entitled);
    if (place == HANDOVER_THERE && entitled == side)
        return wrong("side %d says that it has not set %u, which is its", side, set);
    if (place == HANDOVER_THERE && report->outcome == HANDOVER_ALONE)
        return wrong("side %d is alone and says that another one has set %u", side, set);
    if (place == HANDOVER_LOST && !watched->dead[entitled] && !planned(BED_RUN) &&
        !planned(BED_RESUME))
        return wrong("side %d says that set %u is lost, which %d has", side, set, entitled);
    return 0;
}

/* What has to be so whenever both are dead, stopped or done. */
static int check(const struct watched *watched)
{
    int found = 0;

    if (atomic_load(&shared->broken))
        found += wrong("%s", shared->rule);
    for (uint32_t set = 0; set < BED_SETS; set++) {
        int entitled = atomic_load(&shared->sets[set].entitled);
        int owner = atomic_load(&shared->sets[set].owner);
        bool lost = shared->report[entitled].sets[set].place == HANDOVER_LOST;

        if (watched->dead[entitled] && owner != BED_NOBODY && owner != entitled)
            found += wrong("set %u is %d's, who is dead, and is run by %d", set, entitled, owner);
        if (!watched->dead[entitled] && !watched->stopped[entitled] && !lost &&
            (owner != entitled || !is_worked_on(set)))
            found += wrong("set %u is %d's, who lives, and is not run by it but by %d", set,
                           entitled, owner);
        found += check_report(watched, BED_OLD, set) + check_report(watched, BED_NEW, set);
    }
    return found;
}

/* Nobody dies but those who were struck; of two who were, one at most. */
static int check_deaths(const struct watched *watched)
{
    int found = 0, killed = 0;

    for (int side = BED_OLD; side <= BED_NEW; side++) {
        bool died = watched->dead[side] && WIFSIGNALED(watched->status[side]);

        killed += died;
        if (died && WTERMSIG(watched->status[side]) != SIGKILL)
            found += wrong("side %d died of signal %d", side, WTERMSIG(watched->status[side]));
        if (died && !(plan->strike.victims & 1u << side) &&
            !(plan->strike.step == HANDOVER_END && plan->strike.signal))
            found += wrong("side %d was killed, and was not silent", side);
        if (died && plan->blink)
            found += wrong("side %d was killed, and was stopped for a moment", side);
    }
    if (killed == 2 && plan->strike.signal == SIGSTOP)
        found += wrong("both killed one another");
    return found;
}

static int play(struct watched *watched)
{
    enum bed_side first = plan->continued_first ? plan->continued_first : BED_OLD;
    enum bed_side second = first == BED_OLD ? BED_NEW : BED_OLD;
    int found = 0;

    if (!watch(watched))
        return wrong("it does not come to an end");
    found += check(watched);
    if (watched->stopped[first] && watched->stopped[second])
        nap(2 * BED_LIMIT_NS); /* all deadlines pass */
    for (int i = 0; i < 2; i++) {
        carry_on(watched, i == 0 ? first : second);
        if (!watch(watched))
            return found + wrong("it does not come to an end when it is continued");
        found += check(watched);
    }
    look(watched);
    return found + check_deaths(watched);
}

static void make_shared(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        abort();
    for (uint32_t set = 0; set < BED_SETS; set++)
        atomic_store(&shared->sets[set].entitled, BED_OLD);
}

void bed_run(const struct bed_plan *given, struct bed_end *end)
{
    struct watched watched = {.deadline = clock_now(&clock_machine) + PATIENCE};
    char folder[TEST_FOLDER_BYTES], path[sizeof(folder) + 8], lock[sizeof(path) + 8];
    struct bed_plan own = *given;
    int ends[2];

    if (!own.blackout_ns)
        own.blackout_ns = BED_BLACKOUT_NS;
    plan = &own;
    make_shared();
    if (!test_folder_make(folder, "saddle-handover") || pipe(ends))
        abort();
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(lock, sizeof(lock), "%s.lock", path);
    watched.pid[BED_OLD] = begin(BED_OLD, path, ends);
    atomic_store(&shared->pid[BED_OLD], watched.pid[BED_OLD]);
    watched.pid[BED_NEW] = begin(BED_NEW, path, ends);
    atomic_store(&shared->pid[BED_NEW], watched.pid[BED_NEW]);
    close(ends[0]);
    close(ends[1]);
    *end = (struct bed_end){.shared = shared};
    end->wrong = play(&watched);
    for (int side = BED_OLD; side <= BED_NEW; side++) {
        end->status[side] = watched.dead[side] ? watched.status[side] : -1;
        if (watched.dead[side])
            continue;
        kill(watched.pid[side], SIGKILL);
        waitpid(watched.pid[side], NULL, 0);
    }
    unlink(path);
    unlink(lock);
    rmdir(folder);
}

void bed_end_free(struct bed_end *end)
{
    munmap(end->shared, sizeof(*end->shared));
    end->shared = NULL;
}

/* The machine's limits are for machines; the linker puts these in their place. */
uint64_t __wrap_handover_limit(enum handover_step step);
uint64_t __wrap_handover_limit(enum handover_step step)
{
    return step >= HANDOVER_ENTER && step <= HANDOVER_RUN ? BED_LIMIT_NS / 4 : BED_LIMIT_NS;
}
