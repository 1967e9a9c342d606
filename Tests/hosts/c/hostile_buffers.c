/* Hostile host calls, part three: lengths of zero and of all the memory there is, buffers that are too small, offsets outside
 * them, keys and texts of no use. Every refusal changes nothing, and what did not fit is still there. */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>

#define C victim.nodes[CLIENT].endpoint
#define G victim.nodes[GATEWAY].endpoint
#define S victim.nodes[CLIENT].session
#define NOW victim.now

static void sendRefusesWhatDoesNotFit(void)
{
    uint8_t payload[WORLD_DATAGRAM_SIZE] = { 0 }, bytes[WORLD_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    victim_open();
    uint32_t largest = world_info(&victim, CLIENT).max_payload;
    CHECK(largest >= 1200);
    const size_t too_long[] = { largest + 1, 65536, (size_t)UINT32_MAX, (size_t)UINT32_MAX + 1, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX };
    for (int i = 0; i < 7; i++) REFUSED(jmp_send(C, S, payload, too_long[i], NOW, bytes, sizeof bytes, &datagram), JMP_ERR_TOO_LONG);
    const size_t lengths[] = { 0, 1, 100, largest };
    for (int i = 0; i < 4; i++) {
        size_t enough = lengths[i] + JMP_DATAGRAM_OVERHEAD + JMP_FRAME_RESERVE;
        for (size_t capacity = 0; capacity < lengths[i] + JMP_DATAGRAM_OVERHEAD; capacity += 7)
            REFUSED(jmp_send(C, S, payload, lengths[i], NOW, bytes, capacity, &datagram), JMP_ERR_BUFFER_TOO_SMALL);
        uint8_t *exact = malloc(enough);        /* so that memory checkers see a write past it */
        if (!exact) abort();
        CHECK_OK(jmp_send(C, S, payload, lengths[i], NOW, exact, enough, &datagram));
        CHECK(datagram.length >= lengths[i] + SHORTEST_DATA && datagram.length <= enough);
        CHECK(datagram.length <= JMP_DEFAULT_MTU);
        free(exact);
        world_drain(&victim, CLIENT);
    }
    victim_close();
}

/* The payload may lie in the buffer the datagram is written to, anywhere. */
static void sendWorksInPlace(void)
{
    victim_open();
    for (size_t offset = 0; offset <= 120; offset += 5) {
        uint8_t bytes[WORLD_DATAGRAM_SIZE] = { 0 };
        jmp_datagram datagram = { .struct_size = sizeof datagram };
        uint64_t header[2] = { 100000 + offset, 0 };
        uint64_t received = victim.nodes[GATEWAY].received;
        memcpy(bytes + offset, header, sizeof header);
        CHECK_OK(jmp_send(C, S, bytes + offset, 64, NOW, bytes, sizeof bytes, &datagram));
        jmp_address from = world_client_address(&victim, datagram.transport);
        CHECK_EQUAL(world_inject(&victim, GATEWAY, datagram.transport, &from, bytes, datagram.length).payload_length, 64);
        CHECK_EQUAL(victim.nodes[GATEWAY].received, received + 1);
        CHECK(victim.nodes[GATEWAY].seen[100000 + offset] == 1);
        world_drain(&victim, CLIENT);
    }
    victim_close();
}

static void sendBatchRefusesItemsOutsideItsBuffers(void)
{
    enum { PAYLOADS = 256, ROOM = 512 };
    uint8_t payloads[PAYLOADS] = { 0 }, buffer[ROOM];
    size_t done = 99;
    victim_open();
    const struct { uint32_t po, pl, bo, bc; } wrong[] = {
        { PAYLOADS + 1, 0, 0, ROOM }, { 0, PAYLOADS + 1, 0, ROOM }, { PAYLOADS, 1, 0, ROOM }, { 1, UINT32_MAX, 0, ROOM },
        { UINT32_MAX, 1, 0, ROOM }, { UINT32_MAX, UINT32_MAX, 0, ROOM }, { 0, 1, ROOM + 1, 0 }, { 0, 1, 1, ROOM },
        { 0, 1, UINT32_MAX, UINT32_MAX }, { 0, 1, ROOM, UINT32_MAX }, { 0, 1, 0, UINT32_MAX } };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        jmp_send_item item = { .session = S, .payload_offset = wrong[i].po, .payload_length = wrong[i].pl,
                               .buffer_offset = wrong[i].bo, .buffer_capacity = wrong[i].bc,
                               .datagram = { .struct_size = sizeof item.datagram } };
        REFUSED(jmp_send_batch(C, &item, 1, payloads, sizeof payloads, NOW, buffer, sizeof buffer, &done), JMP_OK);
        CHECK_EQUAL(item.status, JMP_ERR_ARGUMENT);
        CHECK_EQUAL(done, 0);
    }
    const size_t counts[] = { SIZE_MAX, SIZE_MAX / 2 + 1 };
    jmp_send_item item = { .session = S };
    for (int i = 0; i < 2; i++) {
        REFUSED(jmp_send_batch(C, &item, counts[i], payloads, sizeof payloads, NOW, buffer, sizeof buffer, &done), JMP_ERR_ARGUMENT);
        REFUSED(jmp_send_batch(C, &item, 1, payloads, counts[i], NOW, buffer, sizeof buffer, &done), JMP_ERR_ARGUMENT);
        REFUSED(jmp_send_batch(C, &item, 1, payloads, sizeof payloads, NOW, buffer, counts[i], &done), JMP_ERR_ARGUMENT);
    }
    /* A wrong item does not hinder the right ones around it. */
    jmp_send_item items[3];
    memset(items, 0, sizeof items);
    for (int i = 0; i < 3; i++) {
        items[i] = (jmp_send_item){ .session = i == 1 ? S + 12345 : S, .payload_length = 16, .buffer_offset = (uint32_t)i * 150,
                                    .buffer_capacity = 150, .datagram = { .struct_size = sizeof items[i].datagram } };
    }
    CHECK_OK(jmp_send_batch(C, items, 3, payloads, sizeof payloads, NOW, buffer, sizeof buffer, &done));
    CHECK_EQUAL(done, 2);
    CHECK_EQUAL(items[0].status, JMP_OK);
    CHECK_EQUAL(items[1].status, JMP_ERR_SESSION);
    CHECK_EQUAL(items[2].status, JMP_OK);
    CHECK(items[2].datagram.packet_number > items[0].datagram.packet_number);
    victim_close();
}

static void receiveChecksItsArguments(void)
{
    jmp_address from = world_gateway_address(0);
    jmp_received received = { .struct_size = sizeof received };
    uint8_t *bytes = calloc(1, 70000);
    if (!bytes) abort();
    victim_open();
    REFUSED(jmp_receive(C, 0, &from, bytes, SIZE_MAX, NOW, &received), JMP_ERR_ARGUMENT);
    REFUSED(jmp_receive(C, 0, &from, bytes, SIZE_MAX / 2 + 1, NOW, &received), JMP_ERR_ARGUMENT);
    for (int i = 0; i < 3; i++) {
        jmp_address wrong = from;
        if (i == 0) wrong.length = 0;
        if (i == 1) wrong.length = JMP_ADDRESS_MAX + 1;
        if (i == 2) wrong.prefix_length = wrong.length + 1;
        uint32_t path;
        REFUSED(jmp_receive(C, 0, &wrong, bytes, 40, NOW, &received), JMP_ERR_ARGUMENT);
        REFUSED(jmp_path_add(C, S, 1, &wrong, NOW, &path), JMP_ERR_ARGUMENT);
    }
    const struct { size_t length; uint32_t cause; } dropped[] = {
        { 0, JMP_DROP_TOO_SHORT }, { 65508, JMP_DROP_TOO_LONG }, { 70000, JMP_DROP_TOO_LONG } };
    for (int i = 0; i < 3; i++) {
        uint64_t before = world_stats(&victim, CLIENT).dropped[dropped[i].cause];
        CHECK_OK(jmp_receive(C, 0, &from, i ? bytes : NULL, dropped[i].length, NOW, &received));
        CHECK_EQUAL(received.kind, JMP_RECEIVED_NOTHING);
        CHECK_EQUAL(received.drop_cause, dropped[i].cause);
        CHECK_EQUAL(world_stats(&victim, CLIENT).dropped[dropped[i].cause], before + 1);
    }
    const struct { uint32_t offset, length; } wrong[] = {
        { 101, 0 }, { 0, 101 }, { 100, 1 }, { UINT32_MAX, 1 }, { 1, UINT32_MAX }, { UINT32_MAX, UINT32_MAX } };
    for (int i = 0; i < 6; i++) {
        jmp_receive_item item = { .transport = 0, .offset = wrong[i].offset, .length = wrong[i].length, .from = from,
                                  .received = { .struct_size = sizeof item.received } };
        REFUSED(jmp_receive_batch(C, &item, 1, bytes, 100, NOW), JMP_OK);
        CHECK_EQUAL(item.status, JMP_ERR_ARGUMENT);
        REFUSED(jmp_receive_batch(C, &item, SIZE_MAX, bytes, 100, NOW), JMP_ERR_ARGUMENT);
        REFUSED(jmp_receive_batch(C, &item, 1, bytes, SIZE_MAX, NOW), JMP_ERR_ARGUMENT);
    }
    free(bytes);
    victim_close();
}

/* What does not fit a small buffer is still there for a larger one. */
static void pollTransmitLosesNothing(void)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_connect_config config;
    jmp_session session;
    victim_open();
    world_connect_config(&victim, JMP_PATTERN_NNPSK0, &config);
    CHECK_OK(jmp_connect(C, &config, NOW, &session));
    for (size_t capacity = 0; capacity < 60; capacity++)
        CHECK_EQUAL(jmp_poll_transmit(C, NOW, bytes, capacity, &datagram), JMP_ERR_BUFFER_TOO_SMALL);
    CHECK_OK(jmp_poll_transmit(C, NOW, bytes, JMP_DEFAULT_MTU, &datagram));
    CHECK_EQUAL(bytes[0], 0xc1);
    CHECK_EQUAL(datagram.session, session);
    CHECK_EQUAL(jmp_poll_transmit(C, NOW, bytes, JMP_DEFAULT_MTU, &datagram), JMP_AGAIN);
    victim_close();
}

static void protectedPayloadsHaveTheirLimits(void)
{
    static uint8_t large[JMP_PROTECTED_PAYLOAD_MAX + 1], out[5000];
    jmp_payload payload = { .struct_size = sizeof payload };
    jmp_payload_options options;
    victim_open();
    CHECK_OK(jmp_payload_options_init(&options));
    CHECK_EQUAL(options.channel, 0);
    REFUSED(jmp_send_protected(C, S, large, sizeof large, NULL, NOW), JMP_ERR_TOO_LONG);
    REFUSED(jmp_send_protected(C, S, large, world_info(&victim, CLIENT).max_protected_payload + 1, NULL, NOW), JMP_ERR_TOO_LONG);
    REFUSED(jmp_send_protected(C, S, large, SIZE_MAX, NULL, NOW), JMP_ERR_TOO_LONG);
    REFUSED(jmp_session_hold_payloads(C, S, 2, NOW), JMP_ERR_ARGUMENT);
    for (int i = 0; i < 2; i++) {
        options.channel = i ? UINT32_MAX : JMP_CHANNELS, options.report = 0;
        REFUSED(jmp_send_protected(C, S, large, 1, &options, NOW), JMP_ERR_ARGUMENT);
        options.channel = 0, options.report = i ? UINT32_MAX : 2;
        REFUSED(jmp_send_protected(C, S, large, 1, &options, NOW), JMP_ERR_ARGUMENT);
    }
    REFUSED(jmp_poll_payload(G, NOW, NULL, 0, &payload), JMP_AGAIN);
    CHECK_OK(jmp_session_hold_payloads(G, victim.nodes[GATEWAY].session, 1, NOW));   /* nobody else is to take it */
    CHECK_OK(jmp_send_protected(C, S, large, sizeof out, NULL, NOW));
    world_drain(&victim, CLIENT);
    world_run(&victim, 1 * SECOND);
    CHECK_OK(jmp_session_hold_payloads(G, victim.nodes[GATEWAY].session, 0, NOW));
    for (size_t capacity = 0; capacity < sizeof out; capacity += 499) {
        REFUSED(jmp_poll_payload(G, NOW, capacity ? out : NULL, capacity, &payload), JMP_ERR_BUFFER_TOO_SMALL);
        CHECK_EQUAL(payload.length, sizeof out);
    }
    CHECK_OK(jmp_poll_payload(G, NOW, out, sizeof out, &payload));
    CHECK_EQUAL(payload.session, victim.nodes[GATEWAY].session);
    CHECK_EQUAL(jmp_poll_payload(G, NOW, out, sizeof out, &payload), JMP_AGAIN);
    victim_close();
}

static void textsNeedTheirRoom(void)
{
    jmp_path_info paths[JMP_MAX_PATHS];
    char json[2048], small[2048];
    size_t length = 0, count = 0;
    victim_open();
    CHECK(victim.nodes[CLIENT].event_count > 0);
    const jmp_event *event = &victim.nodes[CLIENT].events[victim.nodes[CLIENT].event_count - 1];
    CHECK_OK(jmp_event_to_json(event, json, sizeof json, &length));
    CHECK_EQUAL(strlen(json), length);
    CHECK(json[0] == '{' && json[length - 1] == '}' && !strchr(json, '\n'));
    for (size_t capacity = 0; capacity <= length; capacity++)
        REFUSED(jmp_event_to_json(event, small, capacity, &count), JMP_ERR_BUFFER_TOO_SMALL);
    CHECK_OK(jmp_event_to_json(event, small, length + 1, &count));
    CHECK(!strcmp(json, small));
    REFUSED(jmp_session_get_paths(C, S, paths, 1, &count), JMP_ERR_BUFFER_TOO_SMALL);
    CHECK_EQUAL(count, 2);
    REFUSED(jmp_session_get_paths(C, S, NULL, 0, &count), JMP_ERR_BUFFER_TOO_SMALL);
    CHECK_EQUAL(count, 2);
    REFUSED(jmp_session_explain(C, S, NOW, small, 0), JMP_ERR_ARGUMENT);
    victim_close();
}

static void keysAndPassphrasesAreChecked(void)
{
    uint8_t key[JMP_KEY_SIZE] = { 9 }, other[JMP_KEY_SIZE] = { 0 }, zeros[JMP_KEY_SIZE] = { 0 }, text[2048] = { 'x' };
    victim_open();
    REFUSED(jmp_psk_from_passphrase(text, 0, NULL, 0, NULL, 0, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_psk_from_passphrase(text, 1025, NULL, 0, NULL, 0, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_psk_from_passphrase(text, SIZE_MAX, NULL, 0, NULL, 0, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_psk_from_passphrase(text, 1, text, 256, NULL, 0, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_psk_from_passphrase(text, 1, NULL, 0, text, JMP_HINT_MAX + 1, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_endpoint_add_psk(G, text, JMP_HINT_MAX + 1, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_endpoint_add_psk(G, text, SIZE_MAX, key), JMP_ERR_ARGUMENT);
    REFUSED(jmp_endpoint_remove_psk(G, text, SIZE_MAX), JMP_ERR_ARGUMENT);
    REFUSED(jmp_endpoint_add_psk(G, text, 1, zeros), JMP_ERR_KEY);
    REFUSED(jmp_endpoint_add_psk(G, NULL, 0, key), JMP_ERR_EXISTS);
    REFUSED(jmp_endpoint_remove_psk(G, text, 5), JMP_ERR_NOT_FOUND);
    REFUSED(jmp_endpoint_remove_client_key(G, key), JMP_ERR_NOT_FOUND);
    REFUSED(jmp_endpoint_add_client_key(G, zeros, NULL), JMP_ERR_KEY);      /* a point of small order */
    REFUSED(jmp_endpoint_set_static_key(G, zeros), JMP_ERR_KEY);
    CHECK_OK(jmp_public_key(key, other));
    CHECK_OK(jmp_endpoint_add_client_key(G, other, NULL));
    REFUSED(jmp_endpoint_add_client_key(G, other, key), JMP_ERR_EXISTS);
    CHECK_OK(jmp_endpoint_remove_client_key(G, other));
    victim_close();
}

static void routeKnowsItsOwnDatagramsOnly(void)
{
    uint8_t bytes[WORLD_DATAGRAM_SIZE] = { 0 };
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    victim_open();
    CHECK_OK(jmp_send(C, S, bytes, 16, NOW, bytes, sizeof bytes, &datagram));
    for (int first = 0; first < 256; first++) {
        for (size_t length = 0; length < 60; length++) {
            jmp_route route = { .struct_size = sizeof route };
            bytes[0] = (uint8_t)first;
            jmp_status status = jmp_route_datagram(bytes, length, &route);
            bool is_data = first >> 6 == 1, is_handshake = first >= 0xc1 && first <= 0xc4;
            CHECK(status == JMP_OK || status == JMP_ERR_ARGUMENT);
            if (status == JMP_OK) {
                CHECK(length >= 9 && (is_data || is_handshake));
                CHECK(is_data ? route.kind == JMP_DATAGRAM_DATA : route.kind == (uint32_t)first - 0xc0);
            }
            if (is_data) CHECK_EQUAL(status, length >= SHORTEST_DATA ? JMP_OK : JMP_ERR_ARGUMENT);
        }
    }
    jmp_route route = { .struct_size = sizeof route };
    CHECK_EQUAL(jmp_route_datagram(bytes, SIZE_MAX, &route), JMP_ERR_ARGUMENT);
    victim_close();
}

int main(void)
{
    RUN(sendRefusesWhatDoesNotFit);
    RUN(sendWorksInPlace);
    RUN(sendBatchRefusesItemsOutsideItsBuffers);
    RUN(receiveChecksItsArguments);
    RUN(pollTransmitLosesNothing);
    RUN(protectedPayloadsHaveTheirLimits);
    RUN(textsNeedTheirRoom);
    RUN(keysAndPassphrasesAreChecked);
    RUN(routeKnowsItsOwnDatagramsOnly);
    return check_summary();
}
