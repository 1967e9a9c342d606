#define _GNU_SOURCE
#include "peer.h"
#include "pair.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BATCH_CAPACITY = 32 << 20, PAYLOAD = 64 };

struct request {
    uint32_t command, first, count, length;
    jmp_time now;
};

void batch_init(struct batch *batch, uint32_t capacity)
{
    batch->capacity = capacity;
    batch->length = 0;
    batch->bytes = allocate(capacity, 1);
    memset(batch->bytes, 1, capacity);   /* resident from now on: it must not count as growth */
}

void batch_free(struct batch *batch)
{
    free(batch->bytes);
}

void batch_add(struct batch *batch, const uint8_t *datagram, uint32_t length)
{
    if (batch->length + length + 2 > batch->capacity) fail("too many datagrams at once");
    batch->bytes[batch->length] = (uint8_t)(length >> 8);
    batch->bytes[batch->length + 1] = (uint8_t)length;
    memcpy(batch->bytes + batch->length + 2, datagram, length);
    batch->length += length + 2;
}

uint8_t *batch_next(struct batch *batch, uint32_t *offset, uint32_t *length)
{
    if (*offset >= batch->length) return NULL;
    uint8_t *datagram = batch->bytes + *offset + 2;
    *length = (uint32_t)batch->bytes[*offset] << 8 | batch->bytes[*offset + 1];
    *offset += *length + 2;
    return datagram;
}

static void write_all(int socket, const void *bytes, size_t count)
{
    const uint8_t *next = bytes;
    while (count > 0) {
        ssize_t written = write(socket, next, count);
        if (written <= 0) fail("the other process is gone");
        next += written;
        count -= written;
    }
}

static void read_all(int socket, void *bytes, size_t count)
{
    uint8_t *next = bytes;
    while (count > 0) {
        ssize_t got = read(socket, next, count);
        if (got <= 0) fail("the other process is gone");
        next += got;
        count -= got;
    }
}

/* ---- the clients' process */

struct clients {
    jmp_endpoint *endpoint;
    jmp_session *sessions;
    uint32_t capacity, connected;
    struct batch in, out;
};

static void connect_more(struct clients *clients, uint32_t count, jmp_time now)
{
    jmp_connect_config connect;
    usual_connect_config(&connect, JMP_PATTERN_NNPSK0);
    for (uint32_t i = 0; i < count; i++) {
        check(jmp_connect(clients->endpoint, &connect, now, &clients->sessions[clients->connected++ % clients->capacity]), "jmp_connect");
    }
}

static void send_payloads(struct clients *clients, uint32_t first, uint32_t count, jmp_time now)
{
    static const uint8_t payload[PAYLOAD];
    uint8_t bytes[512];
    jmp_datagram out = { .struct_size = sizeof out };
    for (uint32_t i = first; i < first + count; i++) {
        check(jmp_send(clients->endpoint, clients->sessions[i % clients->capacity], payload, PAYLOAD, now, bytes, sizeof bytes, &out), "jmp_send");
        batch_add(&clients->out, bytes, out.length);
    }
}

static void obey(struct clients *clients, const struct request *request)
{
    uint8_t bytes[2048];
    uint32_t offset = 0, length;
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    clients->out.length = 0;
    for (uint8_t *datagram; (datagram = batch_next(&clients->in, &offset, &length));) {
        check(jmp_receive(clients->endpoint, 0, &usual_address, datagram, length, request->now, &in), "jmp_receive");
    }
    switch (request->command) {
    case PEER_TICK: pass_time(clients->endpoint, request->now); break;
    case PEER_CONNECT: connect_more(clients, request->count, request->now); break;
    case PEER_SEND: send_payloads(clients, request->first, request->count, request->now); break;
    case PEER_CLOSE:
        for (uint32_t i = request->first; i < request->first + request->count; i++) {
            check(jmp_session_close(clients->endpoint, clients->sessions[i % clients->capacity], JMP_REASON_OPERATOR_TERMINATED, request->now), "jmp_session_close");
        }
        break;
    }
    while (jmp_poll_transmit(clients->endpoint, request->now, bytes, sizeof bytes, &out) == JMP_OK) batch_add(&clients->out, bytes, out.length);
    drop_events(clients->endpoint);
}

static void run_clients(int socket, uint32_t suite, uint32_t sessions, jmp_time now)
{
    struct clients clients = { .sessions = allocate(sessions, sizeof(jmp_session)), .capacity = sessions };
    struct request request;
    jmp_config config;
    usual_config(&config, suite, sessions + 2048);
    clients.endpoint = make_endpoint(&config, NULL, "memory", now);
    batch_init(&clients.in, BATCH_CAPACITY);
    batch_init(&clients.out, BATCH_CAPACITY);
    for (;;) {
        read_all(socket, &request, sizeof request);
        if (request.command == PEER_QUIT) _exit(0);
        clients.in.length = request.length;
        read_all(socket, clients.in.bytes, request.length);
        obey(&clients, &request);
        write_all(socket, &clients.out.length, sizeof clients.out.length);
        write_all(socket, clients.out.bytes, clients.out.length);
    }
}

/* ---- the gateway's side */

void peer_start(struct peer *peer, uint32_t suite, uint32_t sessions, jmp_time now)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) fail("socketpair failed");
    fflush(stdout);
    peer->process = fork();
    if (peer->process < 0) fail("fork failed");
    if (peer->process == 0) {
        cpu_set_t all;
        memset(&all, 0xFF, sizeof all);
        sched_setaffinity(0, sizeof all, &all);   /* the pinned processor is the gateway's */
        close(sockets[0]);
        run_clients(sockets[1], suite, sessions, now);
    }
    close(sockets[1]);
    peer->socket = sockets[0];
}

void peer_exchange(struct peer *peer, enum peer_command command, uint32_t first, uint32_t count, jmp_time now, struct batch *datagrams)
{
    struct request request = { command, first, count, datagrams->length, now };
    write_all(peer->socket, &request, sizeof request);
    write_all(peer->socket, datagrams->bytes, datagrams->length);
    read_all(peer->socket, &datagrams->length, sizeof datagrams->length);
    if (datagrams->length > datagrams->capacity) fail("too many datagrams at once");
    read_all(peer->socket, datagrams->bytes, datagrams->length);
}

void peer_stop(struct peer *peer)
{
    struct request request = { .command = PEER_QUIT };
    write_all(peer->socket, &request, sizeof request);
    close(peer->socket);
    waitpid(peer->process, NULL, 0);
}
