/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * Thousands of connections between two applications, on hosts alpha and beta, in one thread.
 *
 *     thousands ALPHA BETA CONNECTIONS
 *
 * ALPHA and BETA are the sockets of their daemons, which may be one. Opens one connection and
 * prints "ready". Then each line on standard input is something to do:
 *
 *     one COUNT   questions, each answered, over the first connection
 *     open        CONNECTIONS more
 *     use         a question over each of them, answered
 *     close       all of them, from both sides
 *
 * and prints "done" after it. Ends in order at the end of input; any error or wrong byte ends it
 * with a line on standard error.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <saddle/saddle.h>

#define PATIENCE_MS 60000 /* for one event; far above what a busy machine takes */
#define WINDOW      32u   /* of these at a time: fewer than callers may wait to be accepted */
#define LINE_BYTES  32
#define EVENTS      16

struct side {
    struct saddle_session *session;
    struct saddle_channel *channel;
};

struct question {
    uint32_t connection, round;
    uint64_t answer; /* 0 when asked */
};

static struct side left, right;
static saddle_handle *handles; /* of left's connections; the first is for `one` */
static uint32_t count, round_number;
static uint32_t finished[2];           /* of what goes on, on the left and on the right */
static uint32_t open_left, open_right; /* connections */

static void require(int ok, const char *what, long result)
{
    if (ok)
        return;
    fprintf(stderr, "thousands: %s: %ld (%s)\n", what, result, saddle_strerror(NULL));
    exit(1);
}

static uint64_t answer_to(const struct question *question)
{
    return (question->connection + 1) * 0x9e3779b97f4a7c15ull ^ question->round;
}

static void attach(struct side *side, const char *socket, const char *engine)
{
    const struct saddle_attach_options options = {
        .size = sizeof(options), .socket = socket, .engine = engine, .application = "thousands"};
    int error = saddle_attach(&side->session, &options, NULL, 0);

    require(error == 0, "attach", error);
    side->channel = saddle_channel(side->session, 0);
}

static struct question question_of(const struct saddle_completion *event)
{
    struct question question;

    require(event->len == sizeof(question), "length", (long)event->len);
    memcpy(&question, event->data, sizeof(question));
    return question;
}

static void on_left(const struct saddle_completion *event)
{
    struct question question;

    require(event->status == 0, "left", event->status);
    if (event->kind == SADDLE_MESSAGE) {
        question = question_of(event);
        require(question.answer == answer_to(&question) && question.round == round_number &&
                    handles[question.connection] == event->handle,
                "a wrong answer", question.connection);
        finished[0]++;
    } else if (event->tag) { /* connecting or closing; questions have no tag */
        saddle_handle *handle = &handles[event->tag - 1];
        open_left += *handle ? (uint32_t)-1 : 1;
        *handle = *handle ? 0 : event->handle;
        finished[0]++;
    }
}

/* Accepts what calls, answers what asks, closes what is closed. */
static void on_right(const struct saddle_completion *event)
{
    const struct saddle_op counted = {.size = sizeof(counted), .tag = 1};
    struct question question;
    int error = 0;

    require(event->status == 0, "right", event->status);
    if (event->kind == SADDLE_INCOMING) {
        open_right++;
        error = saddle_accept(right.channel, event->handle, &counted);
    } else if (event->kind == SADDLE_MESSAGE) {
        question = question_of(event);
        question.answer = answer_to(&question);
        error = saddle_send(right.channel, event->handle, &question, sizeof(question), &counted);
    } else if (event->kind == SADDLE_CLOSED) {
        open_right--;
        error = saddle_close(right.channel, event->handle, &counted);
    } else if (event->kind == SADDLE_DONE && event->tag) {
        finished[1]++;
    }
    require(error == 0, "to go on", error);
}

static int take(struct side *side, void (*on_event)(const struct saddle_completion *event))
{
    struct saddle_completion events[EVENTS];
    int taken = saddle_poll(side->channel, events, EVENTS);

    require(taken >= 0, "poll", taken);
    for (int i = 0; i < taken; i++) {
        /* A message on an accepted connection has the tag of that: what answers is counted. */
        on_event(&events[i]);
        saddle_release(side->channel, &events[i]);
    }
    saddle_flush(side->channel);
    return taken;
}

static void sleep_both(void)
{
    struct pollfd bells[] = {{.fd = saddle_fd(left.channel), .events = POLLIN},
                             {.fd = saddle_fd(right.channel), .events = POLLIN}};
    int waits[] = {saddle_arm(left.channel), saddle_arm(right.channel)};

    require(waits[0] >= 0 && waits[1] >= 0, "arm", waits[0] + waits[1]);
    if (!waits[0] && !waits[1])
        require(poll(bells, 2, PATIENCE_MS) > 0, "nothing happens", finished[0]);
    saddle_disarm(left.channel);
    saddle_disarm(right.channel);
}

/* Begins something `times` times, WINDOW at once, until both sides have seen the end of all. */
static void repeat(uint32_t times, int (*begin)(uint32_t number), const char *what)
{
    uint32_t begun = 0;

    finished[0] = finished[1] = 0;
    while (finished[0] < times || finished[1] < times) {
        uint32_t done = finished[0] < finished[1] ? finished[0] : finished[1];
        while (begun < times && begun - done < WINDOW) {
            int error = begin(begun);
            require(error == 0, what, error);
            begun++;
        }
        saddle_flush(left.channel);
        if (take(&left, on_left) + take(&right, on_right) == 0)
            sleep_both();
    }
}

static int ask(uint32_t connection)
{
    const struct question question = {.connection = connection, .round = round_number};

    return saddle_send(left.channel, handles[connection], &question, sizeof(question), NULL);
}

static int ask_first(uint32_t number)
{
    (void)number;
    return ask(0);
}

static int ask_one(uint32_t number)
{
    return ask(1 + number);
}

static int connect_to(uint32_t place)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = 1 + place};

    return saddle_connect(left.channel, "beta", "thousands", &op);
}

static int open_first(uint32_t number)
{
    return connect_to(number);
}

static int open_one(uint32_t number)
{
    return connect_to(1 + number);
}

static int close_one(uint32_t number)
{
    const struct saddle_op op = {.size = sizeof(op), .tag = 2 + number};

    return saddle_close(left.channel, handles[1 + number], &op);
}

static void say(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void obey(const char *line)
{
    round_number++;
    if (strncmp(line, "one ", 4) == 0)
        repeat((uint32_t)strtoul(line + 4, NULL, 10), ask_first, "ask");
    else if (strcmp(line, "open\n") == 0)
        repeat(count, open_one, "connect");
    else if (strcmp(line, "use\n") == 0)
        repeat(count, ask_one, "ask");
    else if (strcmp(line, "close\n") == 0)
        repeat(count, close_one, "close");
    else
        require(0, line, 0);
    require(open_left == open_right, "connections differ", (long)open_left - (long)open_right);
}

int main(int argc, char **argv)
{
    char line[LINE_BYTES];
    int error;

    if (argc != 4)
        return 2;
    count = (uint32_t)strtoul(argv[3], NULL, 10);
    handles = calloc(1 + count, sizeof(handles[0]));
    require(handles != NULL, "memory", 0);
    attach(&left, argv[1], "alpha");
    attach(&right, argv[2], "beta");
    error = saddle_listen_wait(right.channel, "thousands", PATIENCE_MS, &(saddle_handle){0});
    require(error == 0, "listen", error);
    repeat(1, open_first, "connect");
    say("ready");
    while (fgets(line, sizeof(line), stdin)) {
        obey(line);
        say("done");
    }
    saddle_detach(left.session);
    saddle_detach(right.session);
    free(handles);
    return 0;
}
