/* Endpoints on two threads share nothing: two processors must do almost twice the work of one. Floor: what the raw AEAD gains
 * on the same two processors, where processors share an execution unit, a cache or a clock less than twice. Throughput is by
 * each thread's own CPU time, so that other programs do not count; the memory-bandwidth-bound case is the row with random
 * sessions of 1,350 bytes. */
#define _GNU_SOURCE
#include "aead.h"
#include "pair.h"

#include <pthread.h>
#include <stdlib.h>

enum { ROUNDS = 9, CHUNK = 192, SLOT = 2048 };

struct worker {
    pthread_t thread;
    int processor, length, count;
    uint32_t sessions;
    bool is_raw;
    struct pair pair;
    jmp_session *client;
    uint64_t random;
    pthread_barrier_t *barrier;
    double cost;   /* CPU nanoseconds a datagram */
};

static double raw_chunks(struct worker *worker)
{
    uint8_t buffer[SLOT] = { 0 };
    static const uint8_t extra[16];
    struct aead aead;
    aead_init(&aead, usual_suite(), 1);
    double start = thread_cpu_now();
    for (int i = 0; i < worker->count; i++) {
        aead_seal(&aead, buffer, worker->length, extra, i);
        if (aead_open(&aead, buffer, worker->length + aead.tag_length, extra, i)) fail("libsodium does not open what it sealed");
    }
    return (thread_cpu_now() - start) / worker->count;
}

static double datagram_chunks(struct worker *worker)
{
    uint8_t payload[SLOT] = { 0 }, buffer[SLOT];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    struct pair *pair = &worker->pair;
    double spent = 0;
    for (int done = 0; done < worker->count; done += CHUNK) {
        double start = thread_cpu_now();
        for (int i = 0; i < CHUNK; i++) {
            jmp_session session = worker->client[next_random(&worker->random) % worker->sessions];
            pair->now += 10;
            check(jmp_send(pair->client, session, payload, worker->length, pair->now, buffer, sizeof buffer, &out), "jmp_send");
            check(jmp_receive(pair->gateway, 0, &usual_address, buffer, out.length, pair->now, &in), "jmp_receive");
            if (in.payload_length != (uint32_t)worker->length) fail("a datagram was not delivered");
        }
        spent += thread_cpu_now() - start;
        pair_settle(pair);
        pair_tick(pair);
    }
    return spent / worker->count;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    pin_to_processor(worker->processor);
    if (worker->barrier) pthread_barrier_wait(worker->barrier);
    worker->cost = worker->is_raw ? raw_chunks(worker) : datagram_chunks(worker);
    return NULL;
}

/* Datagrams per second of the first `count` workers together. */
static double run(struct worker *workers, int count, bool is_raw)
{
    pthread_barrier_t barrier;
    double rate = 0;
    pthread_barrier_init(&barrier, NULL, count);
    for (int i = 0; i < count; i++) {
        workers[i].is_raw = is_raw;
        workers[i].barrier = &barrier;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i])) fail("pthread_create failed");
    }
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        rate += 1e9 / workers[i].cost;
    }
    pthread_barrier_destroy(&barrier);
    return rate;
}

static void bench_case(struct worker *workers, uint32_t sessions, int length, double seconds)
{
    double one[ROUNDS], two[ROUNDS], raw_one[ROUNDS], raw_two[ROUNDS];
    for (int i = 0; i < 2; i++) {
        struct worker *worker = &workers[i];
        worker->sessions = sessions;
        worker->length = length;
        worker->count = (int)(seconds * 1e9 / 4000 / ROUNDS) / CHUNK * CHUNK + CHUNK;
        worker->random = 88172645463325252u + (uint64_t)i;
        worker->client = allocate(sessions, sizeof *worker->client);
        pair_open(&worker->pair, usual_suite(), sessions);
        for (uint32_t s = 0; s < sessions; s++) {
            pair_connect(&worker->pair, JMP_PATTERN_NNPSK0, &worker->client[s]);
            worker->pair.now += 100;
            if (s % 32 == 0) pair_tick(&worker->pair);
        }
    }
    run(workers, 2, false);
    for (int r = 0; r < ROUNDS; r++) {
        one[r] = run(workers + r % 2, 1, false);
        two[r] = run(workers, 2, false);
        raw_one[r] = run(workers + r % 2, 1, true);
        raw_two[r] = run(workers, 2, true);
    }
    double gain = median(two, ROUNDS) / median(one, ROUNDS), raw_gain = median(raw_two, ROUNDS) / median(raw_one, ROUNDS);
    report(gain, "x", raw_gain, VALUE_AT_LEAST, 1.9, "two cores, datagrams of %d B, %s%s", length, sessions == 1 ? "one session each" : "random of ",
           sessions == 1 ? "" : grouped(sessions));
    for (int i = 0; i < 2; i++) {
        pair_close(&workers[i].pair);
        free(workers[i].client);
    }
}

void bench_cores(const struct options *options)
{
    struct worker workers[2] = { 0 };
    int processors[2];
    if (usable_processors(processors, 2) < 2) {
        report_heading("  only one processor is to be had: no figure");
        return;
    }
    for (int i = 0; i < 2; i++) workers[i].processor = processors[i];
    bench_case(workers, 1, 64, options->seconds);
    bench_case(workers, options->is_full ? 10000 : 2000, 64, options->seconds);
    bench_case(workers, options->is_full ? 10000 : 2000, 1350, options->seconds);
}
