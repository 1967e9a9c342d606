/* Proves that the observers can see: a correct life of two real endpoints passes every rule, and each rule fails on a doctored event or
 * look, with its own name and no other. Also tries the AEAD recorder on real endpoints with every suite there is.
 *
 * Built and run by Tests/Simulation/run:
 *
 *     cc -std=gnu11 -O2 -Wall -Wextra -Werror -I INCLUDE observer_test.c doctored.c doctored_events.c doctored_datagrams.c \
 *        doctored_payloads.c doctored_deliveries.c observer.c trail.c state.c bounds.c hostile.c amplification.c delivery.c deliveries.c linkage.c \
 *        liveness.c ledger.c \
 *        nonces.c attacker.c flooder.c -rdynamic -o OUT -L LIBRARY -ljumping -ldl
 *     OUT
 *
 * The last line is `N passed, N failed`; exit 0 only when none failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "attacker.h"
#include "nonces.h"
#include "observer_test.h"

int passed, failed;

bool check(bool condition, const char *what)
{
    if (condition) {
        passed++;
    } else {
        failed++;
        fprintf(stderr, "FAILED: %s\n", what);
    }
    return condition;
}

/* ------------------------------------------------------------------------------------------------------ a world in memory */

enum { CLIENT, GATEWAY, ENDS };
#define LINKS_HERE 2u
#define DELAY_US 20000u
#define LARGEST 2048u
#define IN_FLIGHT 4096u

struct flying {
    jmp_time due;
    int to;
    uint32_t link, length;
    jmp_address from;
    uint8_t bytes[LARGEST];
};

/* A client and a gateway, two links, 20 ms each way, and an attacker who sits where he is told to. */
static struct {
    jmp_time now;
    jmp_endpoint *endpoints[ENDS];
    struct observer *observers[ENDS];
    struct ledger *ledger;
    struct attacker *attacker;
    jmp_session sessions[ENDS];
    bool is_black_hole[LINKS_HERE];
    uint64_t sent[ENDS], delivered[ENDS];
    struct flying *flying;
    size_t flying_count;
    int violations;
} world;

static void report(void *context, const char *rule, const char *text)
{
    (void)context;
    world.violations++;
    fprintf(stderr, "%s: %s\n", rule, text);
}

static jmp_address address_of(int who, uint32_t link)
{
    jmp_address address = { .length = 6, .prefix_length = 4, .bytes = { 192, 0, (uint8_t)(2 + link), (uint8_t)(1 + who), 0x13, 0x37 } };
    return address;
}

static void fly(int to, uint32_t link, const jmp_address *from, const uint8_t *bytes, uint32_t length, uint64_t delay)
{
    if (world.flying_count == IN_FLIGHT) return;
    struct flying *flying = &world.flying[world.flying_count++];
    *flying = (struct flying){ .due = world.now + delay, .to = to, .link = link, .length = length, .from = *from };
    memcpy(flying->bytes, bytes, length);
}

static void put(int who, const jmp_datagram *datagram, const uint8_t *bytes)
{
    jmp_address from = address_of(who, datagram->transport);
    struct wire_datagram wire = { datagram->transport, who == CLIENT, from, datagram->to, datagram->length, bytes };
    observer_sent(world.observers[who], datagram, bytes, world.now);
    if (world.is_black_hole[datagram->transport]) return;
    if (world.attacker && attacker_owns(world.attacker, &datagram->to)) {
        attacker_caught(world.attacker, &wire, world.now);
        return;
    }
    if (world.attacker && !attacker_see(world.attacker, &wire, world.now)) return;
    fly(!who, datagram->transport, &from, bytes, datagram->length, DELAY_US);
}

static void drain(int who)
{
    uint8_t bytes[LARGEST];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_event event = { .struct_size = sizeof event };
    while (jmp_poll_transmit(world.endpoints[who], world.now, bytes, sizeof bytes, &datagram) == JMP_OK) put(who, &datagram, bytes);
    while (jmp_poll_event(world.endpoints[who], &event) == JMP_OK) {
        if (event.type == JMP_EVENT_SESSION_CREATED) world.sessions[who] = event.session;
        if (event.type == JMP_EVENT_TRANSPORT_SWITCH && world.attacker) attacker_jumped(world.attacker, world.now);
        observer_event(world.observers[who], &event, world.now);
    }
    observer_step(world.observers[who], true, world.now);
}

static void arrive(const struct flying *flying)
{
    struct flying copy = *flying;
    jmp_received received = { .struct_size = sizeof received };
    struct observer *observer = world.observers[copy.to];
    observer_arrived(observer, copy.link, &copy.from, copy.bytes, copy.length, world.now);
    if (jmp_receive(world.endpoints[copy.to], copy.link, &copy.from, copy.bytes, copy.length, world.now, &received) != JMP_OK) return;
    observer_received(observer, &received, world.now);
    if (received.kind == JMP_RECEIVED_PAYLOAD) {
        world.delivered[copy.to]++;
        observer_payload_delivered(observer, received.session, copy.bytes + received.payload_offset, received.payload_length, world.now);
    }
    drain(copy.to);
}

static void send_payload(int who)
{
    uint8_t payload[100], bytes[LARGEST];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    struct payload_header header = { (uint32_t)who, 1, world.sent[who] };
    payload_write(&header, payload, sizeof payload);
    if (jmp_send(world.endpoints[who], world.sessions[who], payload, sizeof payload, world.now, bytes, sizeof bytes, &datagram) != JMP_OK) return;
    world.sent[who]++;
    observer_payload_sent(world.observers[who], world.sessions[who], &header, world.now);
    put(who, &datagram, bytes);
    drain(who);
}

static void take_injections(void)
{
    struct injection injection;
    while (world.attacker && attacker_next(world.attacker, world.now, &injection)) {
        const struct wire_datagram *wire = &injection.datagram;
        if (wire->length > LARGEST || wire->link >= LINKS_HERE || world.is_black_hole[wire->link]) continue;
        jmp_address gateway = address_of(GATEWAY, wire->link), client = address_of(CLIENT, wire->link);
        bool is_for_gateway = is_same_bytes(&wire->to, &gateway);
        if (!is_for_gateway && !is_same_bytes(&wire->to, &client)) continue;
        fly(is_for_gateway ? GATEWAY : CLIENT, wire->link, &wire->from, wire->bytes, wire->length, injection.is_racing ? 1000 : DELAY_US);
    }
}

/* Runs for a while, a payload each way every `interval`. */
static void run(uint64_t duration, uint64_t interval)
{
    for (jmp_time end = world.now + duration, next_send = world.now; world.now < end; world.now += 1000) {
        take_injections();
        for (size_t i = 0; i < world.flying_count;) {
            struct flying flying = world.flying[i];
            if (flying.due > world.now) {
                i++;
                continue;
            }
            memmove(world.flying + i, world.flying + i + 1, (world.flying_count - i - 1) * sizeof *world.flying);
            world.flying_count--;
            arrive(&flying);
        }
        for (int who = 0; who < ENDS; who++) {
            jmp_time due = JMP_TIME_NONE;
            jmp_next_timeout(world.endpoints[who], &due);
            if (due <= world.now) {
                jmp_status status = jmp_handle_timeout(world.endpoints[who], world.now);
                observer_called(world.observers[who], "handle_timeout", status, 0, world.now);
                drain(who);
            }
            if (interval && world.now >= next_send && world.sessions[who]) send_payload(who);
        }
        if (interval && world.now >= next_send) next_send += interval;
    }
}

static void open_world(uint32_t suite, const jmp_policy *policy)
{
    static const uint8_t psk[JMP_KEY_SIZE] = { "a pre-shared key of this test" };
    memset(&world, 0, sizeof world);
    world.now = 1000000;
    world.ledger = ledger_new();
    world.flying = malloc(IN_FLIGHT * sizeof *world.flying);
    for (int who = 0; who < ENDS; who++) {
        jmp_config config;
        uint8_t seed[JMP_KEY_SIZE] = { (uint8_t)(1 + who), (uint8_t)suite };
        jmp_config_init(&config);
        config.suites = suite;
        config.flags = who == CLIENT ? JMP_CONFIG_INITIATE : JMP_CONFIG_ACCEPT;
        jmp_endpoint_new_seeded(&config, policy, seed, world.now, &world.endpoints[who]);
        for (uint32_t link = 0; link < LINKS_HERE; link++) {
            jmp_transport_config transport;
            uint32_t number;
            jmp_transport_config_init(&transport);
            snprintf(transport.name, sizeof transport.name, "udp:%c", (char)('A' + (int)link));
            jmp_transport_add(world.endpoints[who], &transport, world.now, &number);
        }
        world.observers[who] = observer_new(who == CLIENT ? "client" : "gateway", who == GATEWAY, world.endpoints[who], &config, world.ledger,
                                            report, NULL);
    }
    jmp_endpoint_add_psk(world.endpoints[GATEWAY], NULL, 0, psk);
    jmp_connect_config connect;
    jmp_connect_config_init(&connect);
    memcpy(connect.psk, psk, sizeof psk);
    connect.transport = 0;
    connect.remote = address_of(GATEWAY, 0);
    jmp_status connected = jmp_connect(world.endpoints[CLIENT], &connect, world.now, &world.sessions[CLIENT]);
    if (!check(connected == JMP_OK, jmp_strerror(connected))) return;
    observer_connected(world.observers[CLIENT], world.sessions[CLIENT], world.now);
    jmp_address second = address_of(GATEWAY, 1);
    uint32_t path;
    jmp_status status = jmp_path_add(world.endpoints[CLIENT], world.sessions[CLIENT], 1, &second, world.now, &path);
    observer_called(world.observers[CLIENT], "path_add", status, world.sessions[CLIENT], world.now);
    drain(CLIENT);
}

static void close_world(void)
{
    for (int who = 0; who < ENDS; who++) {
        observer_free(world.observers[who], world.now);
        jmp_endpoint_free(world.endpoints[who]);
    }
    attacker_free(world.attacker);
    ledger_free(world.ledger);
    free(world.flying);
}

static struct observer_counts counts_of(int who)
{
    struct observer_counts counts = { 0 };
    observer_add_counts(world.observers[who], &counts);
    return counts;
}

/* ------------------------------------------------------------------------------------------------------------------ lives */

/* Birth, a jump off a dead path, a rekey, a new policy, an operator's switch, the end: nothing of it breaks a rule. */
static void a_correct_life_passes(uint32_t suite)
{
    char name[128];
    jmp_policy policy;
    nonces_reset();
    nonces_report(report, NULL);
    open_world(suite, NULL);
    run(3 * 1000000, 10000);
    world.is_black_hole[0] = true;
    run(6 * 1000000, 10000);
    world.is_black_hole[0] = false;
    run(3 * 1000000, 10000);
    jmp_status status = jmp_session_rekey(world.endpoints[CLIENT], world.sessions[CLIENT], world.now);
    observer_called(world.observers[CLIENT], "session_rekey", status, world.sessions[CLIENT], world.now);
    drain(CLIENT);
    run(2 * 1000000, 10000);
    jmp_policy_init(&policy);
    policy.max_switches_per_min = 4;
    jmp_session_set_policy(world.endpoints[GATEWAY], world.sessions[GATEWAY], &policy, world.now);
    observer_called(world.observers[GATEWAY], "session_set_policy", JMP_OK, world.sessions[GATEWAY], world.now);
    drain(GATEWAY);
    run(2 * 1000000, 10000);
    jmp_session_request_switch(world.endpoints[CLIENT], world.sessions[CLIENT], JMP_PATH_NONE, world.now);
    observer_called(world.observers[CLIENT], "session_request_switch", JMP_OK, world.sessions[CLIENT], world.now);
    drain(CLIENT);
    run(3 * 1000000, 10000);
    struct observer_counts client = counts_of(CLIENT), gateway = counts_of(GATEWAY);
    jmp_session_close(world.endpoints[CLIENT], world.sessions[CLIENT], JMP_REASON_OPERATOR_TERMINATED, world.now);
    observer_called(world.observers[CLIENT], "session_close", JMP_OK, world.sessions[CLIENT], world.now);
    drain(CLIENT);
    run(1000000, 0);
    snprintf(name, sizeof name, "a correct life with %s breaks no rule", jmp_suite_name(suite));
    check(world.violations == 0, name);
    check(client.switches == 2 && gateway.switches == 2 && client.binds >= 2, "both switches were judged at both ends");
    check(client.payloads_delivered > 500 && gateway.payloads_delivered > 500, "payloads were judged");
    check(counts_of(CLIENT).terminations == 1 && counts_of(GATEWAY).terminations == 1, "the end was judged at both ends");
    struct nonce_counts nonces = nonces_count();
    snprintf(name, sizeof name, "%s seals past the recorder, with keys of two ends and two phases, and no nonce twice", jmp_suite_name(suite));
    check(nonces_are_recorded() && nonces.sealings >= client.datagrams_sent + gateway.datagrams_sent - 4 && nonces.keys >= 4 && !nonces.repeats, name);
    close_world();
}

/* The same seed again without a reset seals the same datagrams under the same keys: the recorder must see it. */
static void a_nonce_used_twice_is_seen(uint32_t suite)
{
    char name[128];
    nonces_reset();
    nonces_report(NULL, NULL);
    for (int i = 0; i < 2; i++) {
        open_world(suite, NULL);
        run(500000, 10000);
        close_world();
    }
    snprintf(name, sizeof name, "%s: a second run of one seed repeats nonces, and the recorder sees them", jmp_suite_name(suite));
    check(nonces_count().repeats > 50, name);
    nonces_reset();
}

/* All that an attacker without keys can do, one after the other, on a session with a jump: no rule breaks, and the copies and forgeries
 * were judged. */
static void attacks_break_no_rule(void)
{
    static const enum attack attacks[] = { ATTACK_REPLAY_NOW, ATTACK_REPLAY_LATER, ATTACK_REPLAY_AFTER_JUMP, ATTACK_REPLAY_HANDSHAKE, ATTACK_RACE,
        ATTACK_RACE_ONLY_LONG, ATTACK_TRUNCATE, ATTACK_FLIP, ATTACK_FORGE, ATTACK_FLOOD_RANDOM, ATTACK_FLOOD_DATA, ATTACK_FLOOD_INIT,
        ATTACK_FLOOD_INIT_COOKIE, ATTACK_FLOOD_REPLIES, ATTACK_HOLD_BACK, ATTACK_REDIRECT };
    uint64_t injected[ATTACK_COUNT] = { 0 };
    nonces_reset();
    nonces_report(report, NULL);
    open_world(JMP_SUITE_CHACHA20_POLY1305, NULL);
    world.attacker = attacker_new(7, world.ledger);
    for (uint32_t link = 0; link < LINKS_HERE; link++) {
        jmp_address target = address_of(GATEWAY, link);
        attacker_tap(world.attacker, link, true);
        attacker_target(world.attacker, link, &target);
    }
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        attacker_set(world.attacker, attacks[i], attack_strongest(attacks[i]), world.now);
        run(2000000, 10000);
        world.is_black_hole[i & 1] = true;
        run(2000000, 10000);
        world.is_black_hole[i & 1] = false;
        run(2000000, 10000);
        if (attacks[i] != ATTACK_REPLAY_LATER) attacker_set(world.attacker, attacks[i], 0, world.now);
    }
    attacker_add_counts(world.attacker, injected);
    check(world.violations == 0, "an attacker without keys breaks no rule");
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++)
        if (!check(injected[attacks[i]] > 0, "each attack injected something")) fprintf(stderr, "  not: %s\n", attack_name(attacks[i]));
    struct observer_counts gateway = counts_of(GATEWAY);
    check(gateway.replays_judged > 100 && gateway.forgeries_judged > 100 && gateway.replayed_handshakes_judged > 10, "copies and forgeries were judged");
    check(gateway.amplification_judged > 10, "answers to unproven addresses were judged");
    close_world();
}

int main(void)
{
    uint32_t available = 0;
    jmp_suites_available(&available);
    for (uint32_t suite = 1; suite <= JMP_SUITE_AEGIS_256; suite *= 2) {
        if (!(available & suite)) continue;
        a_correct_life_passes(suite);
        a_nonce_used_twice_is_seen(suite);
    }
    attacks_break_no_rule();
    every_rule_can_fail();
    printf("%d passed, %d failed\n", passed, failed);
    return failed ? 1 : 0;
}
