#include "bench.h"

#include <sodium.h>
#include <string.h>

/* NNpsk0, both sides: two key pairs and two shared secrets. */
static double floor_round(int count)
{
    uint8_t a[32], b[32], public_a[32], public_b[32], shared[32];
    randombytes_buf(a, sizeof a);
    randombytes_buf(b, sizeof b);
    double start = cpu_now();
    for (int i = 0; i < count; i++) {
        a[0] = (uint8_t)i;
        crypto_scalarmult_base(public_a, a);
        crypto_scalarmult_base(public_b, b);
        if (crypto_scalarmult(shared, a, public_b) || crypto_scalarmult(shared, b, public_a)) return 0;
    }
    return (cpu_now() - start) / count;
}

void bench_handshakes(double seconds)
{
    enum { ROUNDS = 5 };
    double ours[ROUNDS], floors[ROUNDS];
    int count = (int)(seconds * 1e6 / 250) / ROUNDS + 20;
    struct pair pair;
    for (int r = 0; r < ROUNDS; r++) {
        pair_open(&pair, JMP_SUITE_CHACHA20_POLY1305, count);
        double start = cpu_now();
        for (int i = 0; i < count; i++) {
            jmp_session client, gateway;
            pair_connect(&pair, &client, &gateway);
            pair.now += 1000;
        }
        ours[r] = (cpu_now() - start) / count;
        pair_close(&pair);
        floors[r] = floor_round(count);
    }
    report("handshake NNpsk0 and first payload, both sides", median(ours, ROUNDS) / 1000, "us", median(floors, ROUNDS) / 1000);
}
