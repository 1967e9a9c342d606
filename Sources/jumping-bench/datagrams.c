#include "bench.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 9, CHUNK = 200 };

static const jmp_address address = { .length = 6, .prefix_length = 4, .bytes = { 127, 0, 0, 1, 1, 1 } };

/* The AEAD alone: seal and open the same bytes with a ready key schedule and 16 bytes of additional data. */
static double floor_round(uint32_t suite, int length, int count)
{
    static crypto_aead_aes256gcm_state state;
    static uint8_t key[32], buffer[4096];
    uint8_t nonce[12] = { 0 }, extra[16] = { 0 };
    if (suite == JMP_SUITE_AES_256_GCM) crypto_aead_aes256gcm_beforenm(&state, key);
    double start = cpu_now();
    for (int i = 0; i < count; i++) {
        memcpy(nonce, &i, sizeof i);
        if (suite == JMP_SUITE_AES_256_GCM) {
            crypto_aead_aes256gcm_encrypt_afternm(buffer, NULL, buffer, length, extra, 16, NULL, nonce, &state);
            if (crypto_aead_aes256gcm_decrypt_afternm(buffer, NULL, NULL, buffer, length + 16, extra, 16, nonce, &state)) abort();
        } else {
            crypto_aead_chacha20poly1305_ietf_encrypt(buffer, NULL, buffer, length, extra, 16, NULL, nonce, key);
            if (crypto_aead_chacha20poly1305_ietf_decrypt(buffer, NULL, NULL, buffer, length + 16, extra, 16, nonce, key)) abort();
        }
    }
    return (cpu_now() - start) / count;
}

struct world {
    struct pair pair;
    jmp_session *client, *gateway;
    int sessions;
    uint32_t random;
};

static uint32_t next_random(struct world *world)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 17;
    world->random ^= world->random << 5;
    return world->random;
}

static double datagram_round(struct world *world, int length, int count)
{
    static uint8_t payload[2048], buffer[4096];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    double spent = 0;
    for (int done = 0; done < count; done += CHUNK) {
        double start = cpu_now();
        for (int i = 0; i < CHUNK; i++) {
            int which = world->sessions == 1 ? 0 : next_random(world) % world->sessions;
            world->pair.now += 10;
            if (jmp_send(world->pair.client, world->client[which], payload, length, world->pair.now, buffer, sizeof buffer, &out) != JMP_OK
                || jmp_receive(world->pair.gateway, 0, &address, buffer, out.length, world->pair.now, &in) != JMP_OK
                || in.payload_length != (uint32_t)length) {
                fprintf(stderr, "jumping-bench: a datagram was not delivered (%s)\n", jmp_drop_name(in.drop_cause));
                exit(1);
            }
        }
        spent += cpu_now() - start;
        pair_settle(&world->pair);   /* acknowledgements flow, outside the measured time */
        jmp_handle_timeout(world->pair.client, world->pair.now);
        jmp_handle_timeout(world->pair.gateway, world->pair.now);
        pair_settle(&world->pair);
    }
    return spent / count;
}

static void bench_suite(uint32_t suite, int sessions, double seconds)
{
    static const int sizes[] = { 64, 256, 1350 };
    struct world world = { .sessions = sessions, .random = 2463534242u };
    world.client = calloc(sessions, sizeof *world.client);
    world.gateway = calloc(sessions, sizeof *world.gateway);
    pair_open(&world.pair, suite, sessions);
    for (int i = 0; i < sessions; i++) pair_connect(&world.pair, &world.client[i], &world.gateway[i]);
    for (int s = 0; s < 3; s++) {
        double ours[ROUNDS], floors[ROUNDS];
        int count = (int)(seconds * 1e9 / 2000 / ROUNDS) / CHUNK * CHUNK + CHUNK;
        datagram_round(&world, sizes[s], count);
        for (int r = 0; r < ROUNDS; r++) {
            ours[r] = datagram_round(&world, sizes[s], count);
            floors[r] = floor_round(suite, sizes[s], count);
        }
        char name[96];
        snprintf(name, sizeof name, "datagram %s, %d B, %s", jmp_suite_name(suite), sizes[s], sessions == 1 ? "one session" : "random of 10,000");
        report(name, median(ours, ROUNDS), "ns", median(floors, ROUNDS));
    }
    pair_close(&world.pair);
    free(world.client);
    free(world.gateway);
}

void bench_datagrams(double seconds)
{
    uint32_t available;
    check(jmp_suites_available(&available), "jmp_suites_available");
    if (available & JMP_SUITE_AES_256_GCM) bench_suite(JMP_SUITE_AES_256_GCM, 1, seconds);
    if (available & JMP_SUITE_AES_256_GCM) bench_suite(JMP_SUITE_AES_256_GCM, 10000, seconds);
    bench_suite(JMP_SUITE_CHACHA20_POLY1305, 1, seconds);
}
