/* Full handshakes, both sides, from jmp_connect until the gateway is attached, both ends are silent and their events are
 * drained; floor: the X25519, hash and cipher calls that the pattern and the key derivations need (noise_floor.c). */
#include "noise_floor.h"
#include "pair.h"

static double handshake_round(uint32_t pattern, int count, double *allocations)
{
    struct pair pair;
    jmp_session client;
    pair_open(&pair, usual_suite(), count + 1);
    pair_connect(&pair, pattern, &client);
    uint64_t allocations_before = allocations_so_far();
    double start = cpu_now();
    for (int i = 0; i < count; i++) {
        pair.now += 1000;
        pair_connect(&pair, pattern, &client);
    }
    double spent = (cpu_now() - start) / count;
    *allocations = (double)(allocations_so_far() - allocations_before) / count;
    jmp_session_info info = { .struct_size = sizeof info };
    check(jmp_session_get_info(pair.client, client, &info), "jmp_session_get_info");
    if (info.state != JMP_STATE_ATTACHED || !info.confirmed) fail("a handshake did not complete");
    pair_close(&pair);
    return spent;
}

static double floor_round(uint32_t pattern, int count)
{
    double start = cpu_now();
    for (int i = 0; i < count; i++) noise_floor(pattern);
    return (cpu_now() - start) / count;
}

static void bench_pattern(uint32_t pattern, const char *name, double seconds)
{
    enum { ROUNDS = 7 };
    double ours[ROUNDS], floors[ROUNDS], allocations = 0;
    int count = (int)(seconds * 1e6 / 500 / ROUNDS) * 2 + 50;
    handshake_round(pattern, count / 4 + 1, &allocations);
    for (int r = 0; r < ROUNDS; r++) {
        ours[r] = handshake_round(pattern, count, &allocations);
        floors[r] = floor_round(pattern, count);
    }
    double value = median(ours, ROUNDS), floor = median(floors, ROUNDS);
    report(value / 1000, "us", floor / 1000, RATIO_AT_MOST, 1.15, "handshake %s, both sides", name);
    report(1e9 / value, "1/s", 1e9 / floor, NO_TARGET, 0, "handshakes per second and core, %s, both sides", name);
    if (allocations_are_counted()) report(allocations, "calls", NO_FLOOR, NO_TARGET, 0, "  allocations per handshake, %s, both sides", name);
}

void bench_handshakes(const struct options *options)
{
    bench_pattern(JMP_PATTERN_NNPSK0, "NNpsk0", options->seconds * 2);
    bench_pattern(JMP_PATTERN_IKPSK2, "IKpsk2", options->seconds * 2);
}
