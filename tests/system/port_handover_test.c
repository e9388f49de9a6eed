/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * An XDP port that goes from process to process while packets are sent to it and by it: none is
 * lost, none comes twice. The test is the other end of the cable; daemons are processes of their
 * own, which do what they are told. Needs root.
 */
#include "daemon/nic.h"
#include "daemon/port_xdp.h"
#include "sched/clock.h"
#include "tests/system/stream.h"
#include "tests/system/xdp_bed.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMONS      3u
#define LOADED       STREAM_EXTRA /* frames that a newcomer makes before the port is its */
#define SLEEPS       100u
#define SOME         1000u
#define RECORD_PORT  1u
#define RECORD_STATE 2u
#define KIND_OFFER   1u
#define KIND_STATE   2u
#define SHIFT_BYTES  (3u << 20) /* no two processes have things at the same addresses */

/* ---- A daemon ---- */

enum command {
    CREATE, /* a port, new */
    GIVE,
    TAKE,
    QUIET,
    BURST, /* frames are put into the ring, whatever becomes of them */
    TALK,
    SLEEP, /* again and again, until the port wakes it */
    REPORT,
    END,
};

/* Where a newcomer fails. */
enum fault {
    NOWHERE,
    BEFORE_ADOPT,
    AFTER_ADOPT,
    AFTER_ENTER,
    FAULTS,
};

struct order {
    enum command command;
    uint32_t wire; /* between the two */
    enum fault fault;
    bool dies; /* of the fault */
};

struct answer {
    struct stream stream;
    bool has_port;
};

static int orders[DAEMONS][2];
static int wires[DAEMONS][2];
static pid_t daemons[DAEMONS];
static const struct reason reason = {bed_why, sizeof(bed_why)};
static const struct port_handover_ops *const ops = &port_xdp_handover;

static uint64_t later(void)
{
    return clock_now(&clock_machine) + BED_PATIENCE_S * NSEC_PER_SEC;
}

static void say(int fd, char word)
{
    ck_assert_int_eq(send(fd, &word, 1, 0), 1);
}

/* The next word, or 0 if there is none. */
static char hear(int fd, int milliseconds)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};
    char word = 0;

    if (poll(&one, 1, milliseconds) == 1)
        ck_assert_int_eq(recv(fd, &word, 1, 0), 1);
    return word;
}

static void draft_state(struct parcel_draft *draft, const struct stream *stream)
{
    uint64_t start = bed_now();

    state_record_begin(&draft->state, RECORD_PORT, ops->version);
    ops->leave(bed_ports[LEFT], &draft->state);
    state_record_end(&draft->state);
    printf("leave %lu us, ", (unsigned long)((bed_now() - start) / NSEC_PER_USEC));
    fflush(stdout);
    state_record_begin(&draft->state, RECORD_STATE, 1);
    state_put_u64(&draft->state, start);
    state_put_bytes(&draft->state, stream, sizeof(*stream));
    state_record_end(&draft->state);
}

static char leave(struct stream *stream, int wire)
{
    struct parcel_draft draft;
    char word;

    parcel_draft_init(&draft);
    draft_state(&draft, stream);
    ck_assert_int_eq(parcel_send(wire, KIND_STATE, &draft, later()), 0);
    parcel_draft_destroy(&draft);
    word = hear(wire, BED_PATIENCE_S * 1000);
    ck_assert_int_ne(word, 0);
    return word;
}

static void give(struct stream *stream, int wire)
{
    struct parcel_draft draft;
    char word;

    parcel_draft_init(&draft);
    state_record_begin(&draft.state, RECORD_PORT, ops->version);
    ops->offer(bed_ports[LEFT], &draft);
    state_record_end(&draft.state);
    ck_assert_int_eq(parcel_send(wire, KIND_OFFER, &draft, later()), 0);
    parcel_draft_destroy(&draft);
    while (!(word = hear(wire, 0)))
        stream_step(stream, LEFT);
    if (word == 'R')
        word = leave(stream, wire);
    if (word == 'A') {
        ops->forget(bed_ports[LEFT]);
        bed_ports[LEFT] = NULL;
    } else {
        char line[BED_REASON_BYTES];

        ck_assert_int_eq(ops->resume(bed_ports[LEFT], &(struct reason){line, sizeof(line)}), 0);
    }
}

/* What a newcomer has in its hands. */
struct newcomer {
    struct port *port;
    struct stream stream;
    struct rte_mbuf *loaded[LOADED];
    uint64_t start; /* of the blackout */
};

static void expect_record(struct parcel *parcel, uint16_t wanted)
{
    uint16_t type, version;

    ck_assert(state_record_next(&parcel->state, &type, &version));
    ck_assert_uint_eq(type, wanted);
}

static void adopt(struct newcomer *newcomer, struct parcel *parcel)
{
    struct port_xdp_config config = bed_config(LEFT);
    uint64_t start = bed_now();

    ck_assert_msg(port_xdp_adopt(&newcomer->port, &config, parcel, &reason) == 0, "%s", bed_why);
    printf("adopt %lu us, ", (unsigned long)((bed_now() - start) / NSEC_PER_USEC));
    fflush(stdout);
}

/* Reads the state, and makes packets as an engine does that is loaded. */
static void enter(struct newcomer *newcomer, struct parcel *parcel)
{
    const void *bytes;
    uint64_t start = bed_now();
    uint32_t length;

    expect_record(parcel, RECORD_PORT);
    ck_assert_msg(ops->enter(newcomer->port, &parcel->state, &reason) == 0, "%s", bed_why);
    printf("enter %lu us, ", (unsigned long)((bed_now() - start) / NSEC_PER_USEC));
    expect_record(parcel, RECORD_STATE);
    newcomer->start = state_get_u64(&parcel->state);
    bytes = state_get_bytes(&parcel->state, sizeof(newcomer->stream), &length);
    ck_assert_uint_eq(length, sizeof(newcomer->stream));
    memcpy(&newcomer->stream, bytes, length);
    bed_ports[LEFT] = newcomer->port;
    for (uint32_t i = 0; i < LOADED; i++)
        newcomer->loaded[i] = stream_next(&newcomer->stream, LEFT);
}

static void begin(struct newcomer *newcomer)
{
    struct port *port = newcomer->port;
    uint64_t start = bed_now(), end;

    ck_assert_int_eq(ops->begin(port), 0);
    end = bed_now();
    printf("begin %lu us, blackout %lu us", (unsigned long)((end - start) / NSEC_PER_USEC),
           (unsigned long)((end - newcomer->start) / NSEC_PER_USEC));
    for (uint32_t i = 0; i < LOADED; i++)
        bed_send(LEFT, newcomer->loaded[i]);
    start = bed_now();
    ops->settle(port);
    printf(", settle %lu us\n", (unsigned long)((bed_now() - start) / NSEC_PER_USEC));
    fflush(stdout);
}

static void give_up(struct newcomer *newcomer, const struct order *order, int wire)
{
    if (order->dies) {
        say(wire, 'F');
        raise(SIGKILL);
    }
    bed_ports[LEFT] = NULL;
    if (order->fault == AFTER_ENTER)
        rte_pktmbuf_free_bulk(newcomer->loaded, LOADED);
    if (newcomer->port)
        newcomer->port->ops->destroy(newcomer->port);
    ck_assert_ptr_null(rte_mempool_lookup("left.pool"));
    printf("given up\n");
    say(wire, 'F');
}

static void take(struct stream *stream, const struct order *order, int wire)
{
    struct newcomer newcomer = {0};
    struct parcel parcel;

    ck_assert_int_eq(parcel_receive(wire, &parcel, later()), 0);
    expect_record(&parcel, RECORD_PORT);
    if (order->fault != BEFORE_ADOPT)
        adopt(&newcomer, &parcel);
    parcel_destroy(&parcel);
    if (order->fault == BEFORE_ADOPT || order->fault == AFTER_ADOPT) {
        give_up(&newcomer, order, wire);
        return;
    }
    say(wire, 'R');
    ck_assert_int_eq(parcel_receive(wire, &parcel, later()), 0);
    enter(&newcomer, &parcel);
    parcel_destroy(&parcel);
    if (order->fault == AFTER_ENTER) {
        give_up(&newcomer, order, wire);
        return;
    }
    say(wire, 'A');
    begin(&newcomer);
    *stream = newcomer.stream;
}

/* The ring is filled; the kernel takes nothing of it now. */
static void burst(struct stream *stream)
{
    struct port *port = bed_ports[LEFT];
    uint32_t until = stream->sent + STREAM_WINDOW / 2;

    while (stream->sent < until) {
        struct rte_mbuf *packet = stream_next(stream, LEFT);

        ck_assert_uint_eq(port->ops->tx_burst(port, &packet, 1, bed_now()), 1);
    }
}

/* As an engine sleeps. A wake-up that is lost ends in the time-out: the other side waits as well.
 */
static void doze(struct stream *stream)
{
    struct port *port = bed_ports[LEFT];
    struct pollfd one = {.fd = port->wake_fd, .events = POLLIN};

    for (uint32_t i = 0; i < SLEEPS; i++) {
        while (port->ops->arm(port))
            stream_step(stream, LEFT);
        ck_assert_int_eq(poll(&one, 1, BED_PATIENCE_S * 1000), 1);
        port->ops->disarm(port);
        stream_step(stream, LEFT);
    }
}

static void obey(struct stream *stream, const struct order *order)
{
    switch (order->command) {
    case CREATE:
        ck_assert_msg(bed_open(LEFT) == 0, "%s", bed_why);
        break;
    case GIVE:
        give(stream, wires[order->wire][0]);
        break;
    case TAKE:
        take(stream, order, wires[order->wire][1]);
        break;
    case BURST:
        burst(stream);
        break;
    case SLEEP:
        doze(stream);
        break;
    case QUIET:
    case TALK:
        stream->quiet = order->command == QUIET;
        break;
    case REPORT:
        break;
    case END:
        _exit(EXIT_SUCCESS);
    }
}

static void run_daemon(int fd)
{
    struct stream stream = {0};

    bed_ports[LEFT] = NULL;
    for (;;) {
        struct pollfd one = {.fd = fd, .events = POLLIN};
        struct answer answer;
        struct order order;

        if (poll(&one, 1, bed_ports[LEFT] ? 0 : -1) != 1) {
            stream_step(&stream, LEFT);
            continue;
        }
        ck_assert_int_eq(recv(fd, &order, sizeof(order), 0), sizeof(order));
        obey(&stream, &order);
        answer = (struct answer){stream, bed_ports[LEFT] != NULL};
        ck_assert_int_eq(send(fd, &answer, sizeof(answer), 0), sizeof(answer));
    }
}

/* ---- The test's side ---- */

static struct stream here;
static struct port left_end; /* where frames go: its address and MTU */

static void start_daemon(uint32_t index)
{
    daemons[index] = fork();
    ck_assert_int_ge(daemons[index], 0);
    if (daemons[index] > 0)
        return;
    ck_assert_ptr_ne(mmap(NULL, (index + 1) * SHIFT_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
                          -1, 0),
                     MAP_FAILED);
    run_daemon(orders[index][1]);
}

static void setup(void)
{
    bed_setup();
    here = (struct stream){0};
    for (uint32_t i = 0; i < DAEMONS; i++) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, orders[i]), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, wires[i]), 0);
    }
}

/* The cable, this end of it, and daemons at the other one. */
static void build(uint32_t queues, uint32_t mtu)
{
    struct nic nic;

    veth_create(queues, mtu);
    ck_assert_int_eq(nic_read(&nic, "left"), 0);
    ck_assert_msg(bed_open(RIGHT) == 0, "%s", bed_why);
    left_end = (struct port){.mac = nic.mac, .mtu = (uint16_t)nic.mtu};
    bed_ports[LEFT] = &left_end;
    for (uint32_t i = 0; i < DAEMONS; i++)
        start_daemon(i);
}

static void order(uint32_t index, const struct order *order)
{
    ck_assert_int_eq(send(orders[index][0], order, sizeof(*order), 0), sizeof(*order));
}

/* The stream goes on meanwhile. */
static struct answer await(uint32_t index)
{
    struct pollfd one = {.fd = orders[index][0], .events = POLLIN};
    uint64_t end = bed_seconds() + BED_PATIENCE_S;
    struct answer answer;

    while (poll(&one, 1, 0) != 1) {
        stream_step(&here, RIGHT);
        ck_assert_msg(bed_seconds() < end, "daemon %u does not answer", index);
    }
    ck_assert_int_eq(recv(one.fd, &answer, sizeof(answer), 0), sizeof(answer));
    return answer;
}

static struct answer tell(uint32_t index, enum command command)
{
    order(index, &(struct order){.command = command});
    return await(index);
}

/* Nothing is sent to a port that is not there. */
static void create(uint32_t index)
{
    here.quiet = true;
    ck_assert(tell(index, CREATE).has_port);
    here.quiet = false;
}

/* Until that many more have arrived on either side. */
static void run(uint32_t frames)
{
    uint32_t received = here.received, acknowledged = here.acknowledged;
    uint64_t end = bed_seconds() + BED_PATIENCE_S;

    while (here.received - received < frames || here.acknowledged - acknowledged < frames) {
        stream_step(&here, RIGHT);
        ck_assert_msg(bed_seconds() < end,
                      "it stands still: %u received, %u sent, %u of them acknowledged",
                      here.received, here.sent, here.acknowledged);
    }
}

/* Both sides have all that the other has sent, and nothing more is coming here. */
static void quiesce(uint32_t index)
{
    uint64_t end = bed_seconds() + BED_PATIENCE_S;
    struct answer there;

    here.quiet = true;
    there = tell(index, QUIET);
    while (there.stream.received != here.sent || there.stream.sent != here.received ||
           here.acknowledged != here.sent) {
        ck_assert_msg(bed_seconds() < end, "%u of %u arrived there, %u of %u here",
                      there.stream.received, here.sent, here.received, there.stream.sent);
        there = tell(index, REPORT);
    }
}

static void end_daemon(uint32_t index, int signal_number)
{
    int status;

    if (signal_number)
        kill(daemons[index], signal_number);
    else
        order(index, &(struct order){.command = END});
    ck_assert_int_eq(waitpid(daemons[index], &status, 0), daemons[index]);
    ck_assert(signal_number ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* From one to the other; the streams go on. */
static void hand_over(uint32_t from, uint32_t to, uint32_t wire)
{
    order(to, &(struct order){.command = TAKE, .wire = wire});
    order(from, &(struct order){.command = GIVE, .wire = wire});
    ck_assert(!await(from).has_port);
    ck_assert(await(to).has_port);
}

/* When the last daemon has ended nothing is left of it. */
static void finish(uint32_t last)
{
    quiesce(last);
    end_daemon(last, 0);
    ck_assert_msg(bed_open(LEFT) == 0, "%s", bed_why);
    bed_exchange(LEFT, BED_SHOTS);
    bed_close_both();
}

/* Each daemon is killed as soon as the next one has the port. */
START_TEST(chain_of_daemons)
{
    static const struct {
        uint32_t queues, mtu;
        enum xdp_mode mode;
    } cases[] = {
        {1, 1500, XDP_MODE_AUTO},
        {4, 1500, XDP_MODE_AUTO},
        {1, 9000, XDP_MODE_AUTO},
        {1, 1500, XDP_MODE_GENERIC},
    };

    bed_settings.mode = cases[_i].mode;
    bed_settings.pool_packets = BED_POOL * cases[_i].queues;
    build(cases[_i].queues, cases[_i].mtu);
    create(0);
    run(SOME);
    for (uint32_t i = 0; i + 1 < DAEMONS; i++) {
        hand_over(i, i + 1, i);
        end_daemon(i, SIGKILL);
        run(SOME);
        tell(i + 1, SLEEP);
    }
    finish(DAEMONS - 1);
}
END_TEST

/* Two, to each other, with as many packets as a port has by default. */
START_TEST(back_and_forth)
{
    bed_settings.pool_packets = 4096;
    build(1, 1500);
    create(0);
    for (uint32_t i = 0; i < 10; i++) {
        run(SOME);
        hand_over(i % 2, 1 - i % 2, 0);
    }
    run(SOME);
    end_daemon(1, 0);
    finish(0);
}
END_TEST

/* A newcomer fails, in good order or dead, and another one takes the port. */
START_TEST(given_back)
{
    const enum fault fault = (enum fault)(_i % FAULTS);
    const bool dies = _i / FAULTS;
    struct answer there;

    if (fault == NOWHERE)
        return;
    build(1, 1500);
    create(0);
    run(SOME);
    order(1, &(struct order){.command = TAKE, .wire = 0, .fault = fault, .dies = dies});
    order(0, &(struct order){.command = GIVE, .wire = 0});
    ck_assert(await(0).has_port);
    if (dies)
        end_daemon(1, SIGKILL);
    else
        ck_assert(!await(1).has_port);
    run(SOME);
    hand_over(0, 2, 1);
    end_daemon(0, SIGKILL);
    run(SOME);
    there = tell(2, REPORT);
    ck_assert_uint_gt(there.stream.received, 2 * SOME);
    finish(2);
}
END_TEST

/* What the kernel has not sent yet is sent on behalf of the next one. */
START_TEST(takes_what_is_under_way)
{
    uint32_t before;

    build(1, 1500);
    create(0);
    run(SOME);
    quiesce(0);
    before = here.received;
    veth_run(LEFT, "ip link set left down");
    tell(0, BURST);
    hand_over(0, 1, 0);
    end_daemon(0, SIGKILL);
    ck_assert_uint_eq(here.received, before);
    veth_run(LEFT, "ip link set left up");
    quiesce(1);
    ck_assert_uint_eq(here.received, before + STREAM_WINDOW / 2 + LOADED);
    here.quiet = false;
    tell(1, TALK);
    run(SOME);
    finish(1);
}
END_TEST

/* ---- What is not what it says ---- */

/* Offers are refused, or taken and given up; how many were taken. */
static void run_skeptic(int fd)
{
    struct port_xdp_config config = bed_config(LEFT);
    struct parcel parcel;

    bed_ports[LEFT] = NULL;
    while (parcel_receive(fd, &parcel, later()) == 0) {
        struct port *port = NULL;
        int error;

        expect_record(&parcel, RECORD_PORT);
        bed_why[0] = '\0';
        error = port_xdp_adopt(&port, &config, &parcel, &reason);
        parcel_destroy(&parcel);
        if (!error)
            port->ops->destroy(port);
        else
            ck_assert_msg(!port && bed_why[0] && !strchr(bed_why, '\n'), "%d: %s", error, bed_why);
        ck_assert_ptr_null(rte_mempool_lookup("left.pool"));
        say(fd, error ? 'n' : 'y');
    }
    _exit(EXIT_SUCCESS);
}

static void draft_offer(struct parcel_draft *draft)
{
    parcel_draft_init(draft);
    state_record_begin(&draft->state, RECORD_PORT, ops->version);
    ops->offer(bed_ports[LEFT], draft);
    state_record_end(&draft->state);
    ck_assert_int_eq(draft->state.error, 0);
}

static bool accepted(int fd, struct parcel_draft *draft)
{
    char word;

    ck_assert_int_eq(parcel_send(fd, KIND_OFFER, draft, later()), 0);
    parcel_draft_destroy(draft);
    word = hear(fd, BED_PATIENCE_S * 1000);
    ck_assert_int_ne(word, 0);
    return word == 'y';
}

#define BODY 32u /* where the record's fields begin: behind two headers */
#define SIZE 28u /* where its length is */

static void check_truncations(int fd, uint32_t length)
{
    for (uint32_t kept = BODY; kept < length; kept++) {
        struct parcel_draft draft;
        uint32_t size = kept - BODY;

        draft_offer(&draft);
        draft.state.length = kept;
        memcpy(draft.state.bytes + SIZE, &size, sizeof(size));
        ck_assert_msg(!accepted(fd, &draft), "an offer of %u bytes was taken", kept);
    }
}

static void check_flips(int fd, uint32_t length)
{
    static const uint8_t masks[] = {0x01, 0x80, 0xff};

    for (uint32_t at = BODY; at < length; at++) {
        for (size_t i = 0; i < RTE_DIM(masks); i++) {
            struct parcel_draft draft;

            draft_offer(&draft);
            draft.state.bytes[at] ^= masks[i];
            accepted(fd, &draft);
        }
    }
}

START_TEST(believes_no_offer)
{
    int *ends = wires[0];
    struct parcel_draft draft;
    uint32_t length;
    pid_t child;

    veth_create(1, 1500);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(ends[0]);
        run_skeptic(ends[1]);
    }
    close(ends[1]);
    for (int side = LEFT; side < SIDES; side++)
        ck_assert_msg(bed_open(side) == 0, "%s", bed_why);
    draft_offer(&draft);
    length = (uint32_t)draft.state.length;
    ck_assert(accepted(ends[0], &draft));
    bed_exchange(LEFT, BED_SHOTS);
    check_truncations(ends[0], length);
    check_flips(ends[0], length);
    bed_exchange(LEFT, BED_SHOTS);
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    bed_exchange(RIGHT, BED_SHOTS);
    char line[BED_REASON_BYTES];
    ck_assert_int_eq(ops->resume(bed_ports[LEFT], &(struct reason){line, sizeof(line)}), 0);
    bed_exchange(RIGHT, BED_SHOTS);
    ck_assert_uint_ge(bed_stat(bed_ports[LEFT], "claimed"), BED_SHOTS);
    bed_close_both();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port_handover");
    TCase *tcase = tcase_create("port_handover");
    SRunner *runner;
    int failed;

    tcase_set_timeout(tcase, 5 * BED_PATIENCE_S);
    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, chain_of_daemons, 0, 4);
    tcase_add_test(tcase, back_and_forth);
    tcase_add_loop_test(tcase, given_back, 0, 2 * FAULTS);
    tcase_add_test(tcase, takes_what_is_under_way);
    tcase_add_test(tcase, believes_no_offer);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
