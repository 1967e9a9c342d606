#define _GNU_SOURCE
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const jmp_address address = { .length = 6, .prefix_length = 4, .bytes = { 127, 0, 0, 1, 1, 1 } };
static const uint8_t key[JMP_KEY_SIZE] = { 1, 2, 3 };

double cpu_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, int count)
{
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

static jmp_endpoint *make_endpoint(uint32_t suite, uint32_t sessions, jmp_time now)
{
    jmp_config config;
    jmp_policy policy;
    jmp_transport_config transport;
    jmp_endpoint *endpoint;
    uint32_t number;
    jmp_config_init(&config);
    jmp_policy_init(&policy);
    config.suites = suite;
    config.max_sessions = sessions + 16;
    config.cookie_threshold = 65536;
    config.max_half_open = 65536;
    config.source_rate = config.source_burst = 1000000;
    check(jmp_endpoint_new(&config, &policy, now, &endpoint), "jmp_endpoint_new");
    jmp_transport_config_init(&transport);
    strcpy(transport.name, "memory");
    transport.mtu = 2000;
    check(jmp_transport_add(endpoint, &transport, now, &number), "jmp_transport_add");
    check(jmp_endpoint_add_psk(endpoint, NULL, 0, key), "jmp_endpoint_add_psk");
    return endpoint;
}

void pair_open(struct pair *pair, uint32_t suite, uint32_t sessions)
{
    pair->now = 1000000;
    pair->client = make_endpoint(suite, sessions, pair->now);
    pair->gateway = make_endpoint(suite, sessions, pair->now);
}

void pair_close(struct pair *pair)
{
    jmp_endpoint_free(pair->client);
    jmp_endpoint_free(pair->gateway);
}

static int move(jmp_endpoint *from, jmp_endpoint *to, jmp_time now)
{
    uint8_t bytes[2048];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    jmp_event event = { .struct_size = sizeof event };
    int moved = 0;
    while (jmp_poll_transmit(from, now, bytes, sizeof bytes, &out) == JMP_OK) {
        check(jmp_receive(to, 0, &address, bytes, out.length, now, &in), "jmp_receive");
        moved = 1;
    }
    while (jmp_poll_event(from, &event) == JMP_OK) continue;
    return moved;
}

void pair_settle(struct pair *pair)
{
    int moved;
    do {
        moved = move(pair->client, pair->gateway, pair->now);
        moved |= move(pair->gateway, pair->client, pair->now);
    } while (moved);
}

void pair_connect(struct pair *pair, jmp_session *client, jmp_session *gateway)
{
    jmp_connect_config connect;
    uint8_t bytes[2048];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    jmp_connect_config_init(&connect);
    connect.transport = 0;
    connect.remote = address;
    memcpy(connect.psk, key, sizeof key);
    check(jmp_connect(pair->client, &connect, pair->now, client), "jmp_connect");
    pair_settle(pair);
    check(jmp_send(pair->client, *client, bytes, 1, pair->now, bytes, sizeof bytes, &out), "jmp_send");
    check(jmp_receive(pair->gateway, 0, &address, bytes, out.length, pair->now, &in), "jmp_receive");
    *gateway = in.session;
    pair_settle(pair);
}
