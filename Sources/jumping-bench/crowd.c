#include "crowd.h"
#include "pauses.h"

#include <stdlib.h>
#include <string.h>

enum { STEP = 4000, EVICTED = 512 << 20 };

static jmp_endpoint *make_end(const jmp_policy *policy, uint32_t count, jmp_time now)
{
    jmp_config config;
    usual_config(&config, usual_suite(), count + 4096);
    return make_endpoint(&config, policy, "first", now);
}

static void count_events(jmp_endpoint *endpoint)
{
    jmp_event event = { .struct_size = sizeof event };
    jmp_status status = JMP_OK;
    while (status == JMP_OK) {
        struct watch watch = pause_begin();
        status = jmp_poll_event(endpoint, &event);
        pause_end(CALL_POLL_EVENT, watch);
    }
}

static bool move_timed(struct crowd *crowd, bool is_to_gateway, jmp_session *session)
{
    jmp_endpoint *from = is_to_gateway ? crowd->pair.client : crowd->pair.gateway, *to = is_to_gateway ? crowd->pair.gateway : crowd->pair.client;
    uint8_t bytes[2048];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    for (bool has_moved = false;; has_moved = true) {
        struct watch watch = pause_begin();
        jmp_status status = jmp_poll_transmit(from, crowd->pair.now, bytes, sizeof bytes, &out);
        double spent = pause_end(CALL_POLL_TRANSMIT, watch);
        if (!is_to_gateway) {
            crowd->gateway_spent += spent;
            crowd->gateway_sent += status == JMP_OK;
        }
        if (status != JMP_OK) {
            count_events(from);
            return has_moved;
        }
        uint32_t transport = is_to_gateway ? out.transport : (uint32_t)(out.to.bytes[5] - usual_address.bytes[5]);
        jmp_address address = path_address(transport);
        bool is_data = bytes[0] < 0x80;
        watch = pause_begin();
        status = jmp_receive(to, is_to_gateway ? 0 : transport, &address, bytes, out.length, crowd->pair.now, &in);
        spent = pause_end(is_data ? CALL_RECEIVE_DATA : CALL_RECEIVE_HANDSHAKE, watch);
        check(status, "jmp_receive");
        if (is_to_gateway) crowd->gateway_spent += spent;
        if (is_to_gateway && is_data && session) *session = in.session;
    }
}

static void settle(struct crowd *crowd, jmp_session *session)
{
    bool has_moved = true;
    while (has_moved) {
        has_moved = move_timed(crowd, true, session);
        has_moved |= move_timed(crowd, false, NULL);
    }
}

void crowd_discard(struct crowd *crowd, jmp_endpoint *end)
{
    uint8_t bytes[2048];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_status status = JMP_OK;
    while (status == JMP_OK) {
        struct watch watch = pause_begin();
        status = jmp_poll_transmit(end, crowd->pair.now, bytes, sizeof bytes, &out);
        pause_end(CALL_POLL_TRANSMIT, watch);
    }
    count_events(end);
}

void crowd_settle(struct crowd *crowd)
{
    settle(crowd, NULL);
}

jmp_session crowd_connect(struct crowd *crowd, jmp_session *gateway)
{
    jmp_connect_config connect;
    jmp_session client;
    usual_connect_config(&connect, JMP_PATTERN_NNPSK0);
    struct watch watch = pause_begin();
    jmp_status status = jmp_connect(crowd->pair.client, &connect, crowd->pair.now, &client);
    pause_end(CALL_CONNECT, watch);
    check(status, "jmp_connect");
    *gateway = 0;
    settle(crowd, gateway);
    if (*gateway == 0) fail("a session was not confirmed");
    return client;
}

static void tick(struct crowd *crowd)
{
    jmp_endpoint *ends[] = { crowd->pair.client, crowd->pair.gateway };
    for (int i = 0; i < 2; i++) {
        for (jmp_time next = 0; next <= crowd->pair.now;) {
            TIMED(CALL_HANDLE_TIMEOUT, jmp_handle_timeout(ends[i], crowd->pair.now));
            TIMED(CALL_NEXT_TIMEOUT, jmp_next_timeout(ends[i], &next));
            if (next <= crowd->pair.now) settle(crowd, NULL);
        }
    }
    settle(crowd, NULL);
}

void crowd_wait(struct crowd *crowd, jmp_time until)
{
    while (crowd->pair.now < until) {
        crowd->pair.now += until - crowd->pair.now < STEP ? until - crowd->pair.now : STEP;
        tick(crowd);
    }
}

void crowd_open(struct crowd *crowd, uint32_t count)
{
    jmp_policy policy;
    *crowd = (struct crowd) { .count = count };
    check(jmp_policy_init(&policy), "jmp_policy_init");
    policy.heartbeat_interval_us = 60000000;
    policy.idle_heartbeat_us = 600000000;
    policy.heartbeat_volatile_us = 60000000;
    policy.key_max_age_us = 86400000000;
    policy.max_lifetime_us = CROWD_LIFETIME;
    crowd->pair.now = crowd->first_created_at = 10000000000;   /* long after any payload */
    crowd->client = allocate(count, sizeof *crowd->client);
    crowd->gateway = allocate(count, sizeof *crowd->gateway);
    crowd->pair.client = make_end(&policy, count, crowd->pair.now);
    crowd->pair.gateway = make_end(&policy, count, crowd->pair.now);
    add_transport(crowd->pair.client, "second", crowd->pair.now);
    for (uint32_t i = 0; i < count; i++) {
        crowd->client[i] = crowd_connect(crowd, &crowd->gateway[i]);
        crowd->pair.now += CROWD_PACE;
        if (i % (STEP / CROWD_PACE) == 0) tick(crowd);
    }
}

uint32_t crowd_visit(struct crowd *crowd)
{
    return (uint32_t)(crowd->next++ * CROWD_STRIDE % crowd->count);
}

void crowd_close(struct crowd *crowd)
{
    pair_close(&crowd->pair);
    free(crowd->client);
    free(crowd->gateway);
}

void evict_caches(void)
{
    static uint8_t *memory;
    if (!memory) memory = allocate(EVICTED, 1);
    for (size_t i = 0; i < EVICTED; i += 64) memory[i]++;
}
