#include "pair.h"

#include <string.h>

const jmp_address usual_address = { .length = 6, .prefix_length = 4, .bytes = { 127, 0, 0, 1, 1, 1 } };
const uint8_t usual_psk[JMP_KEY_SIZE] = { 1, 2, 3 };
/* All endpoints here have the same static key, so that one public key serves as the gateway's and as every client's. */
static const uint8_t static_key[JMP_KEY_SIZE] = { 4, 5, 6 };

uint32_t usual_suite(void)
{
    uint32_t available;
    check(jmp_suites_available(&available), "jmp_suites_available");
    return available & JMP_SUITE_AES_256_GCM ? JMP_SUITE_AES_256_GCM : JMP_SUITE_CHACHA20_POLY1305;
}

void usual_config(jmp_config *config, uint32_t suite, uint32_t sessions)
{
    check(jmp_config_init(config), "jmp_config_init");
    config->suites = suite;
    config->max_sessions = sessions + 16;
    config->cookie_threshold = 65536;
    config->max_half_open = 65536;
    config->source_rate = config->source_burst = 1000000;
}

uint32_t add_transport(jmp_endpoint *endpoint, const char *name, jmp_time now)
{
    jmp_transport_config transport;
    uint32_t number;
    check(jmp_transport_config_init(&transport), "jmp_transport_config_init");
    strcpy(transport.name, name);
    transport.mtu = 2000;
    check(jmp_transport_add(endpoint, &transport, now, &number), "jmp_transport_add");
    return number;
}

jmp_endpoint *make_endpoint(const jmp_config *config, const jmp_policy *policy, const char *transport_name, jmp_time now)
{
    jmp_endpoint *endpoint;
    uint8_t public_key[JMP_KEY_SIZE];
    check(jmp_endpoint_new(config, policy, now, &endpoint), "jmp_endpoint_new");
    add_transport(endpoint, transport_name, now);
    check(jmp_endpoint_add_psk(endpoint, NULL, 0, usual_psk), "jmp_endpoint_add_psk");
    check(jmp_endpoint_set_static_key(endpoint, static_key), "jmp_endpoint_set_static_key");
    check(jmp_public_key(static_key, public_key), "jmp_public_key");
    check(jmp_endpoint_add_client_key(endpoint, public_key, usual_psk), "jmp_endpoint_add_client_key");
    return endpoint;
}

void usual_connect_config(jmp_connect_config *connect, uint32_t pattern)
{
    check(jmp_connect_config_init(connect), "jmp_connect_config_init");
    connect->pattern = pattern;
    connect->transport = 0;
    connect->remote = usual_address;
    memcpy(connect->psk, usual_psk, sizeof usual_psk);
    if (pattern == JMP_PATTERN_IKPSK2) check(jmp_public_key(static_key, connect->gateway_key), "jmp_public_key");
}

void pair_open(struct pair *pair, uint32_t suite, uint32_t sessions)
{
    jmp_config config;
    usual_config(&config, suite, sessions);
    pair->now = 1000000;
    pair->client = make_endpoint(&config, NULL, "memory", pair->now);
    pair->gateway = make_endpoint(&config, NULL, "memory", pair->now);
}

void pair_close(struct pair *pair)
{
    check(jmp_endpoint_free(pair->client), "jmp_endpoint_free");
    check(jmp_endpoint_free(pair->gateway), "jmp_endpoint_free");
}

void drop_events(jmp_endpoint *endpoint)
{
    jmp_event event = { .struct_size = sizeof event };
    while (jmp_poll_event(endpoint, &event) == JMP_OK) continue;
}

jmp_address path_address(uint32_t transport)
{
    jmp_address address = usual_address;
    address.bytes[5] = (uint8_t)(address.bytes[5] + transport);
    return address;
}

static bool move_control(jmp_endpoint *from, jmp_endpoint *to, jmp_time now)
{
    uint8_t bytes[2048];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    bool has_moved = false;
    while (jmp_poll_transmit(from, now, bytes, sizeof bytes, &out) == JMP_OK) {
        check(jmp_receive(to, 0, &usual_address, bytes, out.length, now, &in), "jmp_receive");
        has_moved = true;
    }
    drop_events(from);
    return has_moved;
}

void pair_settle(struct pair *pair)
{
    bool has_moved = true;
    while (has_moved) {
        has_moved = move_control(pair->client, pair->gateway, pair->now);
        has_moved |= move_control(pair->gateway, pair->client, pair->now);
    }
}

void pair_tick(struct pair *pair)
{
    jmp_time of_client, of_gateway;
    do {
        check(jmp_handle_timeout(pair->client, pair->now), "jmp_handle_timeout");
        check(jmp_handle_timeout(pair->gateway, pair->now), "jmp_handle_timeout");
        pair_settle(pair);
        check(jmp_next_timeout(pair->client, &of_client), "jmp_next_timeout");
        check(jmp_next_timeout(pair->gateway, &of_gateway), "jmp_next_timeout");
    } while (of_client <= pair->now || of_gateway <= pair->now);   /* a call handles only so many */
}

void pair_connect(struct pair *pair, uint32_t pattern, jmp_session *client)
{
    jmp_connect_config connect;
    usual_connect_config(&connect, pattern);
    check(jmp_connect(pair->client, &connect, pair->now, client), "jmp_connect");
    pair_settle(pair);
}

jmp_session pair_gateway_session(struct pair *pair, jmp_session client)
{
    uint8_t bytes[256] = { 0 };
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    check(jmp_send(pair->client, client, bytes, 1, pair->now, bytes, sizeof bytes, &out), "jmp_send");
    check(jmp_receive(pair->gateway, 0, &usual_address, bytes, out.length, pair->now, &in), "jmp_receive");
    if (in.kind != JMP_RECEIVED_PAYLOAD) fail("a payload was not delivered");
    pair_settle(pair);
    return in.session;
}

void pass_time(jmp_endpoint *endpoint, jmp_time now)
{
    jmp_time next = 0;
    while (next <= now) {
        check(jmp_handle_timeout(endpoint, now), "jmp_handle_timeout");
        check(jmp_next_timeout(endpoint, &next), "jmp_next_timeout");
    }
}
