/* SPDX-FileCopyrightText: 2026 The Saddle authors
 * SPDX-License-Identifier: Apache-2.0 */
/*
 * The smallest program: `hello` waits for a message and prints it, `hello HOST` sends one there.
 */
#include <stdio.h>

#include <saddle/saddle.h>

int main(int argc, char **argv)
{
    struct saddle_session *session;
    saddle_handle listener, peer;
    char text[200] = "";

    if (saddle_attach(&session, NULL, text, sizeof(text)) != 0)
        return fprintf(stderr, "hello: %s\n", text), 1;
    struct saddle_channel *channel = saddle_channel(session, 0);
    if (argc > 1 ? saddle_connect_wait(channel, argv[1], "hello", 5000, &peer) != 0 ||
                       saddle_send_wait(channel, peer, "Hello, world", 13, 5000) != 0
                 : saddle_listen_wait(channel, "hello", -1, &listener) != 0 ||
                       saddle_accept_wait(channel, listener, -1, &peer) != 0 ||
                       saddle_recv_wait(channel, peer, text, sizeof(text) - 1, -1) < 0)
        return fprintf(stderr, "hello: %s\n", saddle_strerror(session)), 1;
    puts(argc > 1 ? "sent" : text);
    saddle_close_wait(channel, peer, 5000);
    saddle_detach(session);
    return 0;
}
