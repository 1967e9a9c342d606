/* Every call at a large population, for the sake of its longest. What it does to each session is told with the functions. */
#include "calls.h"
#include "pauses.h"

#include <string.h>

enum { BATCH = 32, ROUNDS = 1000 };

/* Sessions as they come: what changes little. */
static void look_around(struct crowd *crowd)
{
    static const uint8_t payload[64];
    jmp_endpoint *client = crowd->pair.client, *gateway = crowd->pair.gateway;
    jmp_session_stats stats = { .struct_size = sizeof stats };
    jmp_policy policy = { .struct_size = sizeof policy };
    jmp_path_info paths[JMP_MAX_PATHS];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_address second = path_address(1);
    uint8_t bytes[512];
    char text[1024];
    size_t count;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t visited = crowd_visit(crowd), path;
        jmp_session at_client = crowd->client[visited], at_gateway = crowd->gateway[visited];
        TIMED(CALL_GET_SESSION_STATS, jmp_session_get_stats(gateway, at_gateway, &stats));
        TIMED(CALL_GET_PATHS, jmp_session_get_paths(gateway, at_gateway, paths, JMP_MAX_PATHS, &count));
        TIMED(CALL_GET_POLICY, jmp_session_get_policy(gateway, at_gateway, &policy));
        TIMED(CALL_EXPLAIN, jmp_session_explain(gateway, at_gateway, crowd->pair.now, text, sizeof text));
        TIMED(CALL_SEND, jmp_send(client, at_client, payload, sizeof payload, crowd->pair.now, bytes, sizeof bytes, &out));
        TIMED(CALL_UNSENT, jmp_unsent(client, at_client, out.packet_number, crowd->pair.now));
        TIMED(CALL_SET_POLICY, jmp_session_set_policy(gateway, at_gateway, &policy, crowd->pair.now));
        TIMED(CALL_PATH_ADD, jmp_path_add(client, at_client, 1, &second, crowd->pair.now, &path));
        TIMED(CALL_PATH_REMOVE, jmp_path_remove(client, at_client, path, crowd->pair.now));
        TIMED(CALL_REKEY, jmp_session_rekey(client, at_client, crowd->pair.now));
        TIMED(CALL_ADD_PSK, jmp_endpoint_add_psk(gateway, (const uint8_t *)&i, sizeof i, usual_psk));
        crowd_settle(crowd);
    }
    for (uint32_t i = 0; i < ROUNDS; i++) TIMED(CALL_REMOVE_PSK, jmp_endpoint_remove_psk(gateway, (const uint8_t *)&i, sizeof i));
}

static void send_batches(struct crowd *crowd)
{
    static uint8_t payloads[64], bytes[BATCH * 512];
    static jmp_send_item sent[BATCH];
    static jmp_receive_item received[BATCH];
    size_t done;
    for (int i = 0; i < ROUNDS; i++) {
        for (uint32_t j = 0; j < BATCH; j++) {
            sent[j] = (jmp_send_item) { .session = crowd->client[crowd_visit(crowd)], .payload_length = sizeof payloads, .buffer_offset = j * 512,
                                        .buffer_capacity = 512, .datagram = { .struct_size = sizeof sent[j].datagram } };
        }
        TIMED(CALL_SEND_BATCH, jmp_send_batch(crowd->pair.client, sent, BATCH, payloads, sizeof payloads, crowd->pair.now, bytes, sizeof bytes, &done));
        if (done != BATCH) fail("not all of a batch was sealed");
        for (uint32_t j = 0; j < BATCH; j++) {
            received[j] = (jmp_receive_item) { .offset = j * 512, .length = sent[j].datagram.length, .from = path_address(sent[j].datagram.transport),
                                               .received = { .struct_size = sizeof received[j].received } };
        }
        TIMED(CALL_RECEIVE_BATCH, jmp_receive_batch(crowd->pair.gateway, received, BATCH, bytes, sizeof bytes, crowd->pair.now));
        if (i % 16 == 0) crowd_wait(crowd, crowd->pair.now + 4000);
    }
    crowd_wait(crowd, crowd->pair.now + 100000);
}

/* Sessions come and go. */
static void disturb(struct crowd *crowd)
{
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    for (int i = 0; i < 2000; i++) {
        jmp_session client, gateway;
        client = crowd_connect(crowd, &gateway);
        struct watch watch = pause_begin();
        jmp_status status = jmp_session_close(i % 2 ? crowd->pair.gateway : crowd->pair.client, i % 2 ? gateway : client, JMP_REASON_OPERATOR_TERMINATED,
                                              crowd->pair.now);
        pause_end(CALL_CLOSE, watch);
        check(status, "jmp_session_close");
        crowd_wait(crowd, crowd->pair.now + 1000);
        watch = pause_begin();
        status = jmp_endpoint_get_stats(crowd->pair.gateway, &stats);
        pause_end(CALL_GET_STATS, watch);
        check(status, "jmp_endpoint_get_stats");
    }
}

/* A host's turns until what was said of a transport has reached every session, or that often. Nothing arrives anywhere meanwhile. */
static void spread(struct crowd *crowd, jmp_endpoint *end, uint32_t turns)
{
    jmp_time next = 0;
    for (uint32_t i = 0; i < turns && next <= crowd->pair.now; i++) {
        TIMED(CALL_SWEEP, jmp_handle_timeout(end, crowd->pair.now));
        crowd_discard(crowd, end);
        crowd->pair.now += 200;
        TIMED(CALL_NEXT_TIMEOUT, jmp_next_timeout(end, &next));
    }
}

/* Last, for after it every session is in trouble: first of a transport that few use, then of the one that all do. */
void call_transports(struct crowd *crowd)
{
    jmp_endpoint *client = crowd->pair.client, *gateway = crowd->pair.gateway;
    uint32_t turns = crowd->count / 16 + 100, number;   /* a turn serves 32 at least, and a pass may have to be made twice */
    jmp_transport_config transport;
    check(jmp_transport_config_init(&transport), "jmp_transport_config_init");
    transport.mtu = 2000;
    for (int i = 0; i < 16; i++) {
        strcpy(transport.name, "second");
        transport.cost = (uint32_t)i + 1;
        TIMED(CALL_TRANSPORT_SET, jmp_transport_set(client, 1, &transport, crowd->pair.now));
        spread(crowd, client, i % 4 ? 3 : turns);
        TIMED(CALL_TRANSPORT_HINT, jmp_transport_hint(client, 1, (uint32_t)i % 2, crowd->pair.now));
        spread(crowd, client, i % 4 ? 3 : turns);
        strcpy(transport.name, "third");
        TIMED(CALL_TRANSPORT_ADD, jmp_transport_add(client, &transport, crowd->pair.now, &number));
        TIMED(CALL_TRANSPORT_REMOVE, jmp_transport_remove(client, number, crowd->pair.now));
    }
    for (uint32_t up = 0; up < 2; up++) {
        TIMED(CALL_TRANSPORT_HINT, jmp_transport_hint(gateway, 0, up, crowd->pair.now));
        spread(crowd, gateway, up ? turns : turns / 2);
    }
    TIMED(CALL_TRANSPORT_REMOVE, jmp_transport_remove(gateway, 0, crowd->pair.now));
    spread(crowd, gateway, turns);
    if (jmp_transport_add(gateway, &transport, crowd->pair.now, &number) != JMP_OK || number != 0) fail("not every session has left its transport");
}

void call_sessions(struct crowd *crowd)
{
    look_around(crowd);
    send_batches(crowd);
    disturb(crowd);
}
