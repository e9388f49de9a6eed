/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * What an XDP port writes down of itself, and what another one makes of it: over rings that lie in
 * the test's memory, and a kernel that the test plays.
 */
#include "daemon/port_xdp_private.h"
#include "tests/unit/eal.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUFFERS      63u
#define CHUNKS       2u
#define LEVEL        16u
#define SLOTS        64u
#define FRAMES_BYTES ((size_t)BUFFERS * CHUNKS * XSK_CHUNK_BYTES)
#define RECEIVED_AT  256u /* behind what is reserved: what the kernel leaves free */
#define RECORD       9u
#define BODY         32u /* where the record's fields begin: behind two headers */
#define SIZE         28u /* where its length is */
#define REASON_BYTES 256u

struct fake_ring {
    uint32_t producer, consumer, flags;
    struct xdp_desc packets[SLOTS];
    uint64_t addresses[SLOTS];
};

/* The kernel's half. */
struct kernel {
    struct fake_ring rx, tx, fill, done;
};

static struct kernel kernel;
static uint8_t *memory; /* the kernel's own view of it */
static struct port_xdp *old, *new;
static struct rte_mbuf *kept[2]; /* packets that the old one's engine has */
static char why[REASON_BYTES];
static const struct reason reason = {why, sizeof(why)};
static const struct port_handover_ops *const ops = &port_xdp_handover;

static struct xsk_ring ring_on(struct fake_ring *fake, bool packets)
{
    return (struct xsk_ring){
        .slots = SLOTS,
        .producer = &fake->producer,
        .consumer = &fake->consumer,
        .flags = &fake->flags,
        .entries = packets ? (void *)fake->packets : (void *)fake->addresses,
    };
}

static struct port_xdp *make_port(void)
{
    struct port_xdp *made = calloc(1, sizeof(*made) + sizeof(made->queues[0]));
    struct xsk *xsk = &made->queues[0].xsk;

    made->port.ops = &port_xdp_ops;
    made->port.mtu = 1500;
    made->port.wake_fd = -1;
    made->program.link = -1;
    made->chunks = CHUNKS;
    made->level = LEVEL;
    made->retry_ns = UINT64_MAX;
    made->frame_max = CHUNKS * XSK_CHUNK_BYTES - frames_reserved() - RTE_PKTMBUF_HEADROOM;
    made->queue_count = 1;
    made->posted = calloc(BUFFERS, sizeof(made->posted[0]));
    ck_assert_int_eq(flights_create(&made->flights, BUFFERS, SLOTS), 0);
    *xsk = (struct xsk){
        .fd = -1,
        .rx = ring_on(&kernel.rx, true),
        .tx = ring_on(&kernel.tx, true),
        .fill = ring_on(&kernel.fill, false),
        .done = ring_on(&kernel.done, false),
    };
    return made;
}

static bool all_are(const uint8_t *bytes, uint32_t length, uint8_t byte)
{
    for (uint32_t i = 0; i < length; i++) {
        if (bytes[i] != byte)
            return false;
    }
    return true;
}

/* ---- The kernel ---- */

static void kernel_receives(uint32_t length, uint8_t byte, bool more)
{
    uint64_t address = kernel.fill.addresses[kernel.fill.consumer++ % SLOTS];

    ck_assert_int_le(kernel.fill.consumer, kernel.fill.producer);
    address += frames_reserved() + RECEIVED_AT;
    memset(memory + address, byte, length);
    kernel.rx.packets[kernel.rx.producer++ % SLOTS] =
        (struct xdp_desc){address, length, more ? XDP_PKT_CONTD : 0};
}

/* Sends one descriptor, whose bytes are all the same. */
static void kernel_sends(uint8_t byte)
{
    const struct xdp_desc *sent = &kernel.tx.packets[kernel.tx.consumer++ % SLOTS];

    ck_assert_int_le(kernel.tx.consumer, kernel.tx.producer);
    ck_assert(all_are(memory + sent->addr, sent->len, byte));
    kernel.done.addresses[kernel.done.producer++ % SLOTS] = sent->addr;
}

/* ---- Ports ---- */

static void expect(struct rte_mbuf *packet, uint32_t length, uint16_t pieces, uint8_t byte)
{
    ck_assert_uint_eq(rte_pktmbuf_pkt_len(packet), length);
    ck_assert_uint_eq(packet->nb_segs, pieces);
    for (const struct rte_mbuf *piece = packet; piece; piece = piece->next)
        ck_assert(all_are(rte_pktmbuf_mtod(piece, const uint8_t *), piece->data_len, byte));
}

static struct rte_mbuf *fill(struct port_xdp *port, uint16_t length, uint8_t byte)
{
    struct rte_mbuf *packet = rte_pktmbuf_alloc(port->port.pool);

    ck_assert_ptr_nonnull(packet);
    memset(rte_pktmbuf_append(packet, length), byte, length);
    return packet;
}

static void transmit(struct port_xdp *port, struct rte_mbuf *packet)
{
    ck_assert_uint_eq(port->port.ops->tx_burst(&port->port, &packet, 1, 0), 1);
}

static uint16_t receive(struct port_xdp *port, struct rte_mbuf **packets, uint16_t max)
{
    return port->port.ops->rx_burst(&port->port, packets, max, 0);
}

/* Two packets are the engine's, of a third one a piece has come, two more wait; a packet has left,
 * a piece of another one, whose memory is also under way as a clone. */
static void setup(void)
{
    struct rte_mbuf *packet, *clone;

    memset(&kernel, 0, sizeof(kernel));
    old = make_port();
    ck_assert_int_eq(frames_create(&old->frames, "old", BUFFERS, CHUNKS), 0);
    old->port.pool = old->frames.pool;
    memory = mmap(NULL, FRAMES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, old->frames.fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    ck_assert_uint_eq(receive(old, &packet, 1), 0);
    kernel_receives(100, 1, false);
    kernel_receives(200, 2, false);
    kernel_receives(3000, 3, true);
    ck_assert_uint_eq(receive(old, kept, 2), 2);
    ck_assert_uint_eq(receive(old, &packet, 1), 0);
    kernel_receives(1000, 3, false);
    kernel_receives(400, 4, false);
    kernel_receives(500, 5, false);
    transmit(old, fill(old, 600, 6));
    packet = fill(old, 5000, 7);
    clone = rte_pktmbuf_clone(packet, old->port.pool);
    transmit(old, packet);
    transmit(old, clone);
    kernel_sends(6);
    kernel_sends(7);
}

static void teardown(void)
{
    munmap(memory, FRAMES_BYTES);
}

/* What the port that goes on has to come to, whichever it is. */
static void check_on(struct port_xdp *port)
{
    struct rte_mbuf *packets[4];

    ck_assert_uint_eq(receive(port, packets, 4), 3);
    expect(packets[0], 4000, 2, 3);
    expect(packets[1], 400, 1, 4);
    expect(packets[2], 500, 1, 5);
    rte_pktmbuf_free_bulk(packets, 3);
    while (kernel.tx.consumer < kernel.tx.producer)
        kernel_sends(7);
    transmit(port, fill(port, 800, 8));
    kernel_sends(8);
    kernel_receives(900, 9, false);
    ck_assert_uint_eq(receive(port, packets, 4), 1);
    expect(packets[0], 900, 1, 9);
    rte_pktmbuf_free(packets[0]);
    ck_assert_uint_eq(port->flights.room, SLOTS);
    ck_assert_uint_eq(port->queues[0].posted, LEVEL);
}

/* And no buffer is missing then. */
static void destroy(struct port_xdp *port, const char *pool)
{
    port->port.ops->destroy(&port->port);
    ck_assert_ptr_null(rte_mempool_lookup(pool));
}

static void write_down(struct state_writer *writer)
{
    state_writer_init(writer);
    state_record_begin(writer, RECORD, ops->version);
    ops->leave(&old->port, writer);
    state_record_end(writer);
    ck_assert_int_eq(state_writer_finish(writer), 0);
}

static void adopt(void)
{
    new = make_port();
    new->held = calloc(BUFFERS, sizeof(new->held[0]));
    ck_assert_int_eq(frames_adopt(&new->frames, "new", dup(old->frames.fd), BUFFERS, CHUNKS), 0);
    new->port.pool = new->frames.pool;
}

static int enter(const struct state_writer *writer)
{
    struct state_reader reader;
    uint16_t type, version;

    why[0] = '\0';
    ck_assert_int_eq(state_reader_init(&reader, writer->bytes, writer->length), 0);
    ck_assert(state_record_next(&reader, &type, &version));
    return ops->enter(&new->port, &reader, &reason);
}

START_TEST(goes_on)
{
    struct rte_mbuf *loaded[2];
    struct state_writer writer;

    write_down(&writer);
    adopt();
    ck_assert_ptr_null(rte_pktmbuf_alloc(new->port.pool));
    ck_assert_msg(enter(&writer) == 0, "%s", why);
    for (uint32_t i = 0; i < RTE_DIM(loaded); i++)
        loaded[i] = fill(new, 7000, (uint8_t)(20 + i));
    ck_assert_int_eq(ops->begin(&new->port), 0);
    ops->settle(&new->port);
    ops->forget(&old->port);
    check_on(new);
    for (uint32_t i = 0; i < RTE_DIM(loaded); i++) {
        transmit(new, loaded[i]);
        kernel_sends((uint8_t)(20 + i));
        kernel_sends((uint8_t)(20 + i));
    }
    ck_assert_uint_eq(receive(new, loaded, 2), 0);
    state_writer_destroy(&writer);
    destroy(new, "new.pool");
}
END_TEST

/* The kernel says what it has received before it says what it has taken for that. */
START_TEST(a_buffer_is_in_two_rings_for_a_moment)
{
    const uint32_t received = kernel.rx.producer - kernel.rx.consumer;
    struct state_writer writer;

    ck_assert_uint_gt(received, 0);
    kernel.fill.consumer -= received;
    write_down(&writer);
    adopt();
    ck_assert_msg(enter(&writer) == 0, "%s", why);
    kernel.fill.consumer += received;
    ck_assert_int_eq(ops->begin(&new->port), 0);
    ops->settle(&new->port);
    ops->forget(&old->port);
    check_on(new);
    state_writer_destroy(&writer);
    destroy(new, "new.pool");
}
END_TEST

START_TEST(counts_on)
{
    struct state_writer writer;
    struct port_stat stats[2];

    write_down(&writer);
    adopt();
    ck_assert_int_eq(enter(&writer), 0);
    new->port.ops->stats(&new->port, stats, 2);
    ck_assert_str_eq(stats[0].name, "rx_packets");
    ck_assert_uint_eq(stats[0].value, 2);
    ck_assert_str_eq(stats[1].name, "tx_packets");
    ck_assert_uint_eq(stats[1].value, 3);
    state_writer_destroy(&writer);
    destroy(new, "new.pool");
    rte_pktmbuf_free_bulk(kept, 2);
    destroy(old, "old.pool");
}
END_TEST

/* Whatever the other one did before it began, nothing of it is to be seen. */
START_TEST(is_given_back)
{
    struct rte_mbuf *loaded[LEVEL];
    struct state_writer writer;

    write_down(&writer);
    adopt();
    if (_i > 0)
        ck_assert_int_eq(enter(&writer), 0);
    for (uint32_t i = 0; _i > 1 && i < RTE_DIM(loaded); i++)
        loaded[i] = fill(new, 7000, 0x55);
    destroy(new, "new.pool");
    state_writer_destroy(&writer);
    expect(kept[0], 100, 1, 1);
    expect(kept[1], 200, 1, 2);
    rte_pktmbuf_free_bulk(kept, 2);
    check_on(old);
    destroy(old, "old.pool");
}
END_TEST

/* From hand to hand: each is old once. */
START_TEST(goes_on_and_on)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct state_writer writer;
        char name[8];

        write_down(&writer);
        new = make_port();
        new->held = calloc(BUFFERS, sizeof(new->held[0]));
        snprintf(name, sizeof(name), "%u", i);
        ck_assert_int_eq(frames_adopt(&new->frames, name, dup(old->frames.fd), BUFFERS, CHUNKS), 0);
        new->port.pool = new->frames.pool;
        ck_assert_int_eq(enter(&writer), 0);
        ck_assert_int_eq(ops->begin(&new->port), 0);
        ops->settle(&new->port);
        ops->forget(&old->port);
        state_writer_destroy(&writer);
        old = new;
    }
    check_on(old);
    destroy(old, "3.pool");
}
END_TEST

/* ---- What is not what it says ---- */

static struct kernel kernel_before;
static uint8_t *memory_before;

static void remember(void)
{
    kernel_before = kernel;
    memory_before = malloc(FRAMES_BYTES);
    memcpy(memory_before, memory, FRAMES_BYTES);
}

/* Whoever takes it uses it, and has all buffers in the end. */
static void use(void)
{
    struct rte_mbuf *packets[PORT_BURST];
    uint16_t count;

    ck_assert_int_eq(ops->begin(&new->port), 0);
    while ((count = receive(new, packets, PORT_BURST)))
        rte_pktmbuf_free_bulk(packets, count);
    new->port.ops->tx_room(&new->port);
}

/* Tries a document; is it taken? Then all is as it was. */
static bool try(struct state_writer *writer)
{
    int error;

    ck_assert_int_eq(state_writer_finish(writer), 0);
    adopt();
    error = enter(writer);
    ck_assert(!error == !why[0]);
    ck_assert_mem_eq(memory, memory_before, FRAMES_BYTES);
    ck_assert_mem_eq(&kernel, &kernel_before, sizeof(kernel));
    if (!error)
        use();
    destroy(new, "new.pool");
    kernel = kernel_before;
    memcpy(memory, memory_before, FRAMES_BYTES);
    return !error;
}

START_TEST(believes_no_truncation)
{
    struct state_writer writer;
    size_t length;

    write_down(&writer);
    length = writer.length;
    remember();
    for (uint32_t size = 0; size < length - BODY; size++) {
        writer.length = BODY + size;
        memcpy(writer.bytes + SIZE, &size, sizeof(size));
        ck_assert_msg(!try(&writer), "%u bytes were taken", size);
    }
    state_writer_destroy(&writer);
    free(memory_before);
}
END_TEST

START_TEST(survives_every_flip)
{
    static const uint8_t masks[] = {0x01, 0x03, 0x80, 0xff};
    struct state_writer writer;
    uint32_t refused = 0;

    write_down(&writer);
    remember();
    for (size_t at = BODY; at < writer.length; at++) {
        for (size_t i = 0; i < RTE_DIM(masks); i++) {
            writer.bytes[at] ^= masks[i];
            refused += !try(&writer);
            writer.bytes[at] ^= masks[i];
        }
    }
    /* Counters may be anything. */
    ck_assert_uint_gt(refused, RTE_DIM(masks) * (writer.length - BODY) / 3);
    ck_assert(try(&writer));
    state_writer_destroy(&writer);
    free(memory_before);
}
END_TEST

/* A record as `leave` writes it, but for what a test says. */
struct claims {
    uint32_t posted;    /* of the queue */
    uint32_t more_bits; /* buffers that are said to be posted beyond those that are */
    uint32_t flying;    /* which buffer is said to fly */
    uint32_t landing;   /* as how many descriptors */
    uint64_t piece;     /* where a piece of a packet is said to be; 0: none */
    uint32_t piece_size;
};

static void write_claims(struct state_writer *writer, const struct claims *claims)
{
    const struct xsk *xsk = &old->queues[0].xsk;
    const uint32_t positions[] = {xsk->rx.position, xsk->tx.position, xsk->fill.position,
                                  xsk->done.position};
    uint8_t bits[(BUFFERS + 7) / 8] = {0};

    for (uint32_t i = 0; i < BUFFERS; i++)
        bits[i / 8] = (uint8_t)(bits[i / 8] | old->posted[i] << i % 8);
    if (claims->more_bits < sizeof(bits) * 8)
        bits[claims->more_bits / 8] =
            (uint8_t)(bits[claims->more_bits / 8] | 1u << claims->more_bits % 8);
    state_writer_init(writer);
    state_record_begin(writer, RECORD, ops->version);
    state_put_counters(writer, NULL, 0);
    state_put_counters(writer, NULL, 0);
    state_put_u32(writer, 1);
    state_put_u32(writer, claims->posted);
    for (uint32_t i = 0; i < RTE_DIM(positions); i++)
        state_put_u32(writer, positions[i]);
    state_put_u32(writer, claims->piece > 0);
    if (claims->piece > 0) {
        state_put_u64(writer, claims->piece);
        state_put_u32(writer, claims->piece_size);
    }
    state_put_bytes(writer, bits, sizeof(bits));
    state_put_u32(writer, claims->landing > 0);
    if (claims->landing > 0) {
        state_put_u32(writer, claims->flying);
        state_put_u32(writer, claims->landing);
    }
    state_record_end(writer);
}

static bool claimed(const struct claims *claims)
{
    struct state_writer writer;
    bool taken;

    write_claims(&writer, claims);
    taken = try(&writer);
    state_writer_destroy(&writer);
    return taken;
}

/* A port at rest: all that the kernel has is in `fill`. */
START_TEST(each_buffer_is_in_one_place)
{
    const struct claims right = {.posted = LEVEL, .more_bits = UINT32_MAX};
    struct claims wrong = right;
    uint32_t free_buffer = 0, posted = 0;
    struct rte_mbuf *packet;
    uint64_t in_free;

    rte_pktmbuf_free_bulk(kept, 2);
    destroy(old, "old.pool");
    memset(&kernel, 0, sizeof(kernel));
    old = make_port();
    ck_assert_int_eq(frames_create(&old->frames, "rest", BUFFERS, CHUNKS), 0);
    old->port.pool = old->frames.pool;
    munmap(memory, FRAMES_BYTES);
    memory = mmap(NULL, FRAMES_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, old->frames.fd, 0);
    ck_assert_ptr_ne(memory, MAP_FAILED);
    receive(old, &packet, 1);
    remember();
    while (old->posted[free_buffer])
        free_buffer++;
    while (!old->posted[posted])
        posted++;
    in_free = (uint64_t)free_buffer * CHUNKS * XSK_CHUNK_BYTES + frames_reserved();
    ck_assert_msg(claimed(&right), "%s", why);

    wrong.posted = LEVEL - 1;
    ck_assert(!claimed(&wrong));
    wrong = right;
    wrong.more_bits = free_buffer;
    ck_assert(!claimed(&wrong));
    wrong.posted = LEVEL + 1; /* more than the port posts */
    ck_assert(!claimed(&wrong));
    wrong = right;
    wrong.more_bits = BUFFERS; /* one more than there are */
    ck_assert(!claimed(&wrong));

    wrong = right;
    wrong.landing = 1;
    wrong.flying = free_buffer;
    ck_assert(claimed(&wrong));
    wrong.flying = posted;
    ck_assert(!claimed(&wrong));
    wrong.flying = BUFFERS;
    ck_assert(!claimed(&wrong));
    wrong.flying = free_buffer;
    wrong.landing = SLOTS + 1;
    ck_assert(!claimed(&wrong));

    wrong = right;
    wrong.piece = in_free;
    wrong.piece_size = 100;
    ck_assert(claimed(&wrong));
    wrong.landing = 1; /* the same buffer */
    wrong.flying = free_buffer;
    ck_assert(!claimed(&wrong));
    wrong.landing = 0;
    wrong.piece = in_free - 1; /* in the mbuf */
    ck_assert(!claimed(&wrong));
    wrong.piece = in_free;
    wrong.piece_size = CHUNKS * XSK_CHUNK_BYTES - frames_reserved() + 1;
    ck_assert(!claimed(&wrong));
    wrong.piece_size = 0;
    ck_assert(!claimed(&wrong));
    wrong.piece_size = 100;
    wrong.piece = FRAMES_BYTES + frames_reserved();
    ck_assert(!claimed(&wrong));
    free(memory_before);
    destroy(old, "rest.pool");
}
END_TEST

/* Entries of rings that are not what the document says. */
START_TEST(believes_no_ring)
{
    struct state_writer writer;

    write_down(&writer);
    remember();
    kernel.fill.addresses[kernel.fill.consumer % SLOTS] = FRAMES_BYTES;
    kernel_before = kernel;
    ck_assert(!try(&writer));
    kernel.fill.addresses[kernel.fill.consumer % SLOTS] = frames_address(&old->frames, kept[0]);
    kernel_before = kernel;
    ck_assert(!try(&writer));
    kernel.fill.addresses[kernel.fill.consumer % SLOTS] =
        kernel.fill.addresses[(kernel.fill.consumer + 1) % SLOTS];
    kernel.tx.packets[kernel.tx.consumer % SLOTS].addr = frames_address(&old->frames, kept[0]);
    kernel_before = kernel;
    ck_assert(!try(&writer));
    kernel.rx.producer += SLOTS + 1;
    kernel_before = kernel;
    ck_assert(!try(&writer));
    state_writer_destroy(&writer);
    free(memory_before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("port_xdp_handover");
    TCase *tcase = tcase_create("port_xdp_handover");
    SRunner *runner;
    int failed;

    tcase_add_unchecked_fixture(tcase, test_eal_start, NULL);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, goes_on);
    tcase_add_test(tcase, a_buffer_is_in_two_rings_for_a_moment);
    tcase_add_test(tcase, counts_on);
    tcase_add_loop_test(tcase, is_given_back, 0, 3);
    tcase_add_test(tcase, goes_on_and_on);
    tcase_add_test(tcase, believes_no_truncation);
    tcase_add_test(tcase, survives_every_flip);
    tcase_add_test(tcase, each_buffer_is_in_one_place);
    tcase_add_test(tcase, believes_no_ring);
    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
