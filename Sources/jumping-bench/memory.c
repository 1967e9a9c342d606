/* Resident memory of a gateway: growth of this process while its sessions come, talk, fall silent and go. The clients live in
 * another process, and each population is measured in a fresh one. Time is virtual and passes in steps of 4 ms, short enough
 * that no call is late.
 *
 *   idle     established over 100 s, then 60 s without a payload: nothing but heartbeats, answered
 *   active   then a payload each way, three times, of every session
 *   idle again  then another 60 s of silence
 *
 * The floor of an active session is what libsodium needs to be ready for it, two expanded AES-256-GCM keys; of an idle one
 * what both directions' keys take: secret, packet key, IV, header key, connection id key. */
#define _GNU_SOURCE
#include "pair.h"
#include "peer.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP = 4000, CONNECT_STEPS = 25000, SILENCE_STEPS = 15000, ACTIVE_PASSES = 3, IDLE_FLOOR = 2 * (32 + 32 + 12 + 16 + 16) };

/* What the measuring process tells; shared with its parent. */
struct result {
    double idle, active, idle_again;
    double heap_idle, heap_active;
    double churn_growth, churn_heap_growth;
    bool is_complete;
};

enum reaction {
    ONLY_TAKE,
    ANSWER,     /* a payload by a payload */
    CLOSE       /* a payload by the end of its session */
};

struct gateway {
    jmp_endpoint *endpoint;
    struct peer peer;
    struct batch batch, inbound;
    jmp_time now;
    enum reaction reaction;
    uint64_t payloads;
};

static void react(struct gateway *gateway, const jmp_received *in)
{
    static const uint8_t payload[64];
    uint8_t bytes[512];
    jmp_datagram out = { .struct_size = sizeof out };
    gateway->payloads++;
    if (gateway->reaction == ANSWER) {
        check(jmp_send(gateway->endpoint, in->session, payload, sizeof payload, gateway->now, bytes, sizeof bytes, &out), "jmp_send");
        batch_add(&gateway->batch, bytes, out.length);
    } else if (gateway->reaction == CLOSE) {
        check(jmp_session_close(gateway->endpoint, in->session, JMP_REASON_OPERATOR_TERMINATED, gateway->now), "jmp_session_close");
    }
}

static void drain(struct gateway *gateway)
{
    uint8_t bytes[2048];
    jmp_datagram out = { .struct_size = sizeof out };
    while (jmp_poll_transmit(gateway->endpoint, gateway->now, bytes, sizeof bytes, &out) == JMP_OK) batch_add(&gateway->batch, bytes, out.length);
    drop_events(gateway->endpoint);
}

/* A command for the clients, then datagrams to and fro until both are silent. */
static void command(struct gateway *gateway, enum peer_command what, uint32_t first, uint32_t count)
{
    jmp_received in = { .struct_size = sizeof in };
    gateway->batch.length = 0;
    do {
        peer_exchange(&gateway->peer, what, first, count, gateway->now, &gateway->batch);
        what = PEER_DELIVER;
        struct batch swap = gateway->inbound;
        gateway->inbound = gateway->batch;
        gateway->batch = swap;
        gateway->batch.length = 0;
        uint32_t offset = 0, length;
        for (uint8_t *datagram; (datagram = batch_next(&gateway->inbound, &offset, &length));) {
            check(jmp_receive(gateway->endpoint, 0, &usual_address, datagram, length, gateway->now, &in), "jmp_receive");
            if (in.kind == JMP_RECEIVED_PAYLOAD) react(gateway, &in);
            drain(gateway);
        }
    } while (gateway->batch.length > 0);
}

static void step(struct gateway *gateway)
{
    gateway->now += STEP;
    command(gateway, PEER_TICK, 0, 0);
    pass_time(gateway->endpoint, gateway->now);
    gateway->batch.length = 0;
    drain(gateway);
    /* What the gateway's timers want said goes with the next request. */
    while (gateway->batch.length > 0) {
        struct batch said = gateway->batch;
        jmp_received in = { .struct_size = sizeof in };
        peer_exchange(&gateway->peer, PEER_DELIVER, 0, 0, gateway->now, &said);
        gateway->batch = gateway->inbound;
        gateway->inbound = said;
        gateway->batch.length = 0;
        uint32_t offset = 0, length;
        for (uint8_t *datagram; (datagram = batch_next(&gateway->inbound, &offset, &length));) {
            check(jmp_receive(gateway->endpoint, 0, &usual_address, datagram, length, gateway->now, &in), "jmp_receive");
            drain(gateway);
        }
    }
}

static void gateway_open(struct gateway *gateway, uint32_t sessions)
{
    jmp_config config;
    memset(gateway, 0, sizeof *gateway);
    gateway->now = 1000000000;
    usual_config(&config, usual_suite(), sessions + 2048);
    peer_start(&gateway->peer, usual_suite(), sessions, gateway->now);
    gateway->endpoint = make_endpoint(&config, NULL, "memory", gateway->now);
    batch_init(&gateway->batch, 32 << 20);
    batch_init(&gateway->inbound, 32 << 20);
}

static void gateway_close(struct gateway *gateway)
{
    peer_stop(&gateway->peer);
    check(jmp_endpoint_free(gateway->endpoint), "jmp_endpoint_free");
    batch_free(&gateway->batch);
    batch_free(&gateway->inbound);
}

static void require_attached(struct gateway *gateway, uint32_t sessions)
{
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    check(jmp_endpoint_get_stats(gateway->endpoint, &stats), "jmp_endpoint_get_stats");
    if (stats.sessions != sessions || stats.half_open != 0) fail("not all sessions are established");
}

static void measure_population(struct result *result, uint32_t sessions)
{
    struct gateway gateway;
    gateway_open(&gateway, sessions);
    double resident = resident_bytes(), heap = heap_in_use();
    uint64_t connected = 0;
    for (uint64_t i = 1; i <= CONNECT_STEPS; i++) {
        uint64_t wanted = sessions * i / CONNECT_STEPS;
        if (wanted > connected) command(&gateway, PEER_CONNECT, 0, (uint32_t)(wanted - connected));
        connected = wanted;
        step(&gateway);
    }
    for (int i = 0; i < SILENCE_STEPS; i++) step(&gateway);
    require_attached(&gateway, sessions);
    result->idle = (resident_bytes() - resident) / sessions;
    result->heap_idle = (heap_in_use() - heap) / sessions;
    gateway.reaction = ANSWER;
    for (int pass = 0; pass < ACTIVE_PASSES; pass++) {
        for (uint32_t first = 0; first < sessions; first += 1000) {
            command(&gateway, PEER_SEND, first, sessions - first < 1000 ? sessions - first : 1000);
            step(&gateway);
        }
    }
    if (gateway.payloads != (uint64_t)ACTIVE_PASSES * sessions) fail("payloads got lost");
    result->active = (resident_bytes() - resident) / sessions;
    result->heap_active = (heap_in_use() - heap) / sessions;
    for (int i = 0; i < SILENCE_STEPS; i++) step(&gateway);
    require_attached(&gateway, sessions);
    result->idle_again = (resident_bytes() - resident) / sessions;
    gateway_close(&gateway);
    result->is_complete = true;
}

/* Sessions come and go, ended by client and gateway in turn; about a thousand live or linger at a time. */
static void measure_churn(struct result *result, uint32_t creations)
{
    enum { AT_ONCE = 100, FIRST = 20000 };   /* until then tables still grow to what such a coming and going needs */
    struct gateway gateway;
    double resident = 0, heap = 0;
    gateway_open(&gateway, AT_ONCE);
    for (uint32_t i = 0; i < (FIRST + creations) / AT_ONCE; i++) {
        if (i == FIRST / AT_ONCE) {
            resident = resident_bytes();
            heap = heap_in_use();
        }
        gateway.reaction = i % 2 ? CLOSE : ANSWER;
        command(&gateway, PEER_CONNECT, 0, AT_ONCE);
        command(&gateway, PEER_SEND, i * AT_ONCE, AT_ONCE);
        if (i % 2 == 0) command(&gateway, PEER_CLOSE, i * AT_ONCE, AT_ONCE);
        for (int j = 0; j < 4; j++) step(&gateway);
    }
    result->churn_growth = resident_bytes() - resident;
    result->churn_heap_growth = heap_in_use() - heap;
    gateway_close(&gateway);
    result->is_complete = true;
}

static struct result in_fresh_process(void (*measure)(struct result *, uint32_t), uint32_t count)
{
    struct result *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("out of memory");
    fflush(stdout);
    pid_t process = fork();
    if (process < 0) fail("fork failed");
    if (process == 0) {
        measure(shared, count);
        _exit(0);
    }
    waitpid(process, NULL, 0);
    struct result result = *shared;
    munmap(shared, sizeof *shared);
    if (!result.is_complete) fail("a measurement of memory did not complete");
    return result;
}

void bench_memory(const struct options *options)
{
    static const uint32_t populations[] = { 10000, 100000, 1000000 };
    double active_floor = 2 * sizeof(crypto_aead_aes256gcm_state);
    for (int i = 0; i < (options->is_full && !options->sessions ? 3 : 1); i++) {
        uint32_t sessions = options->sessions ? options->sessions : populations[i];
        struct result result = in_fresh_process(measure_population, sessions);
        const char *count = grouped(sessions);
        report(result.idle, "B", IDLE_FLOOR, VALUE_AT_MOST, 1024, "resident bytes of an idle session at the gateway, %s sessions", count);
        report(result.active, "B", active_floor, VALUE_AT_MOST, 3072, "resident bytes of an active session at the gateway, %s sessions", count);
        report(result.idle_again, "B", IDLE_FLOOR, NO_TARGET, 0, "  of one that was active and is idle again, %s sessions", count);
        report(result.heap_idle, "B", IDLE_FLOOR, NO_TARGET, 0, "  heap in use, idle, %s sessions", count);
        report(result.heap_active, "B", active_floor, NO_TARGET, 0, "  heap in use, active, %s sessions", count);
    }
    uint32_t creations = options->is_full ? 1000000 : 20000;
    struct result churn = in_fresh_process(measure_churn, creations);
    report(churn.churn_growth / 1024, "KiB", NO_FLOOR, VALUE_AT_MOST, 64, "resident growth over %s creations and terminations, after the first 20,000", grouped(creations));
    report(churn.churn_heap_growth / 1024, "KiB", NO_FLOOR, VALUE_AT_MOST, 64, "  heap growth");
}
