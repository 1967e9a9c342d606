/* Reattach storm: the transport under all sessions of a gateway dies at one moment, another comes up, and every client asks
 * from an address the gateway has never seen, so that each jump takes a challenge. Other sessions, on a transport of their own,
 * go on exchanging data meanwhile. Twice: each client asks as soon as the gateway's socket holds fewer than 128 datagrams,
 * which gives the rate; and all ask in the same instant, where those who wait too long ask again. (With a longer queue they would do so
 * in the first case too: their round trips are less than a millisecond.)
 *
 * The gateway's host takes up to 64 datagrams of the storm and those of 4 other sessions at a time, then drains transmits and
 * events and lets time pass. Only the gateway's calls are measured; virtual time passes as its CPU time does, so that a
 * client that waits too long asks again, at the gateway's cost.
 *
 * Floor: the same numbers of opens and seals of the same mean sizes under one hot key, the other sessions' included, SipHash of
 * each tag, and 8 random bytes for each challenge. */
#include "aead.h"
#include "pair.h"

#include <stdlib.h>

enum { DEAD = 0, FRESH = 1, OTHER = 2, AT_ONCE = 64, OTHERS_AT_ONCE = 4, OTHERS = 1000, SLOT = 512, PAYLOAD = 64, RING = 1 << 18, STEP = 4000, PATIENCE = 30000000, BACKLOG = 128 };

struct packet {
    uint16_t length;
    uint8_t transport;      /* the client's */
    bool is_data;           /* another session's payload */
    uint32_t session;       /* slot number of the client's session: makes its address */
    uint8_t bytes[320];     /* what jmp_poll_transmit wants for a control datagram */
};

struct storm {
    jmp_endpoint *client, *gateway;
    jmp_session *sessions, others[OTHERS];
    jmp_session *at_gateway;    /* the gateway's handles, by slot number of the client's session, once it has been heard of */
    uint32_t count, asked;   /* sessions, and how many of them know of the fresh transport */
    uint32_t reattached;     /* how many clients have said that they moved */
    jmp_time now, lasted;
    struct packet *ring;
    uint32_t head, tail;
    struct packet answers[8 * AT_ONCE];
    int answer_count;
    uint32_t next_other;
    /* What the gateway did while it lasted. */
    double spent;             /* CPU nanoseconds, the storm's clock */
    double work;              /* the part of it with datagrams of the storm */
    double batch_began, previous_batch_began;
    uint64_t opens, open_bytes, seals, seal_bytes;
    double *delays;
    size_t delay_count, delay_capacity;
};

/* The client's address as the gateway sees it, and the gateway's as the client does. */
static jmp_address client_address(uint32_t session, uint32_t transport)
{
    return (jmp_address) { .length = 7, .prefix_length = 5,
        .bytes = { 10, (uint8_t)transport, (uint8_t)(session >> 16), (uint8_t)(session >> 8), (uint8_t)session, 1, 1 } };
}

static jmp_address gateway_address(uint32_t transport)
{
    return (jmp_address) { .length = 6, .bytes = { 192, 0, 2, (uint8_t)transport, 1, 1 } };
}

static void push(struct storm *storm, const jmp_datagram *out, const uint8_t *bytes)
{
    if (storm->tail - storm->head == RING) return;   /* as a full socket buffer does */
    struct packet *packet = &storm->ring[storm->tail++ % RING];
    packet->length = (uint16_t)out->length;
    packet->transport = (uint8_t)out->transport;
    packet->is_data = false;
    packet->session = (uint32_t)out->session;
    if (out->length > sizeof packet->bytes) fail("a datagram is longer than expected");
    memcpy(packet->bytes, bytes, out->length);
}

static void take_client_events(struct storm *storm)
{
    jmp_event event = { .struct_size = sizeof event };
    while (jmp_poll_event(storm->client, &event) == JMP_OK) {
        if (event.type == JMP_EVENT_TRANSPORT_SWITCH) storm->reattached++;
    }
}

static void drain_client(struct storm *storm)
{
    uint8_t bytes[SLOT];
    jmp_datagram out = { .struct_size = sizeof out };
    while (jmp_poll_transmit(storm->client, storm->now, bytes, sizeof bytes, &out) == JMP_OK) {
        if (out.transport != DEAD) push(storm, &out, bytes);
    }
    take_client_events(storm);
}

/* ---- before the storm: unmeasured, one session after the other */

static void exchange_until_silent(struct storm *storm)
{
    uint8_t bytes[SLOT];
    jmp_datagram out = { .struct_size = sizeof out };
    jmp_received in = { .struct_size = sizeof in };
    bool has_moved = true;
    while (has_moved) {
        has_moved = false;
        while (jmp_poll_transmit(storm->client, storm->now, bytes, sizeof bytes, &out) == JMP_OK) {
            jmp_address from = client_address((uint32_t)out.session, out.transport);
            check(jmp_receive(storm->gateway, 0, &from, bytes, out.length, storm->now, &in), "jmp_receive");
            has_moved = true;
        }
        while (jmp_poll_transmit(storm->gateway, storm->now, bytes, sizeof bytes, &out) == JMP_OK) {
            jmp_address from = gateway_address(out.to.bytes[1]);
            check(jmp_receive(storm->client, out.to.bytes[1], &from, bytes, out.length, storm->now, &in), "jmp_receive");
            has_moved = true;
        }
        drop_events(storm->client);
        drop_events(storm->gateway);
    }
}

static jmp_session connect_over(struct storm *storm, uint32_t transport)
{
    jmp_connect_config connect;
    jmp_session session;
    usual_connect_config(&connect, JMP_PATTERN_NNPSK0);
    connect.transport = transport;
    connect.remote = gateway_address(transport);
    check(jmp_connect(storm->client, &connect, storm->now, &session), "jmp_connect");
    exchange_until_silent(storm);
    storm->now += 20;
    return session;
}

static void storm_open(struct storm *storm, uint32_t count)
{
    jmp_config config;
    memset(storm, 0, sizeof *storm);
    usual_config(&config, usual_suite(), count + OTHERS);
    config.event_capacity = 65536;
    storm->now = 1000000;
    storm->count = count;
    storm->client = make_endpoint(&config, NULL, "dead", storm->now);
    add_transport(storm->client, "fresh", storm->now);
    add_transport(storm->client, "other", storm->now);
    storm->gateway = make_endpoint(&config, NULL, "gateway", storm->now);
    storm->sessions = allocate(count, sizeof *storm->sessions);
    storm->at_gateway = allocate(count + OTHERS, sizeof *storm->at_gateway);
    storm->ring = allocate(RING, sizeof *storm->ring);
    storm->delay_capacity = 1 << 20;
    storm->delays = allocate(storm->delay_capacity, sizeof *storm->delays);
    for (uint32_t i = 0; i < count; i++) storm->sessions[i] = connect_over(storm, DEAD);
    for (int i = 0; i < OTHERS; i++) storm->others[i] = connect_over(storm, OTHER);
}

static void storm_close(struct storm *storm)
{
    check(jmp_endpoint_free(storm->client), "jmp_endpoint_free");
    check(jmp_endpoint_free(storm->gateway), "jmp_endpoint_free");
    free(storm->sessions);
    free(storm->at_gateway);
    free(storm->ring);
    free(storm->delays);
}

/* ---- the gateway's host, measured */

/* What came for the gateway in one go: of the storm, then of the others. */
static int collect(struct storm *storm, struct packet *packets)
{
    static const uint8_t payload[PAYLOAD];
    uint8_t bytes[SLOT];
    jmp_datagram out = { .struct_size = sizeof out };
    int count = 0;
    while (count < AT_ONCE && storm->head != storm->tail) packets[count++] = storm->ring[storm->head++ % RING];
    for (int i = 0; i < OTHERS_AT_ONCE; i++) {
        jmp_session session = storm->others[storm->next_other++ % OTHERS];
        check(jmp_send(storm->client, session, payload, PAYLOAD, storm->now, bytes, sizeof bytes, &out), "jmp_send");
        struct packet *packet = &packets[count++];
        *packet = (struct packet) { .length = (uint16_t)out.length, .transport = OTHER, .is_data = true, .session = (uint32_t)session };
        memcpy(packet->bytes, bytes, out.length);
    }
    return count;
}

static void serve(struct storm *storm, struct packet *packets, jmp_receive_item *items, int count)
{
    double start = thread_cpu_now();
    jmp_datagram out = { .struct_size = sizeof out };
    for (int i = 0; i < count; i++) {
        items[i] = (jmp_receive_item) { .offset = (uint32_t)((const uint8_t *)packets[i].bytes - (const uint8_t *)packets), .length = packets[i].length,
            .from = client_address(packets[i].session, packets[i].transport) };
        items[i].received.struct_size = sizeof items[i].received;
    }
    check(jmp_receive_batch(storm->gateway, items, (size_t)count, (uint8_t *)packets, (size_t)count * sizeof *packets, storm->now), "jmp_receive_batch");
    /* At worst a payload came the moment the host had begun with the batch before, and at best it is delivered with all of this one. */
    double delay = storm->spent + thread_cpu_now() - start - storm->previous_batch_began;
    for (int i = 0; i < count; i++) {
        check(items[i].status, "jmp_receive_batch");
        if (!packets[i].is_data) continue;
        if (items[i].received.kind != JMP_RECEIVED_PAYLOAD) fail("another session's payload was not delivered");
        if (storm->delay_count < storm->delay_capacity) storm->delays[storm->delay_count++] = delay;
    }
    while (storm->answer_count < 8 * AT_ONCE) {
        struct packet *answer = &storm->answers[storm->answer_count];
        if (jmp_poll_transmit(storm->gateway, storm->now, answer->bytes, sizeof answer->bytes, &out) == JMP_ERR_BUFFER_TOO_SMALL) fail("a datagram is longer than expected");
        if (out.length == 0) break;
        answer->length = (uint16_t)out.length;
        answer->transport = out.to.bytes[1];
        answer->session = 0;
        storm->answer_count++;
        out.length = 0;
    }
    drop_events(storm->gateway);
    check(jmp_handle_timeout(storm->gateway, storm->now), "jmp_handle_timeout");
    storm->spent += thread_cpu_now() - start;
}

/* Whom the datagrams were from, as the gateway names them. */
static void note_sessions(struct storm *storm, const struct packet *packets, const jmp_receive_item *items, int count)
{
    for (int i = 0; i < count; i++) {
        if (packets[i].session < storm->count + OTHERS && items[i].received.drop_cause == JMP_DROP_NONE) storm->at_gateway[packets[i].session] = items[i].received.session;
    }
}

static void count_work(struct storm *storm, const struct packet *packets, int count)
{
    storm->work += storm->spent - storm->batch_began;
    for (int i = 0; i < count; i++) {
        storm->opens++;
        storm->open_bytes += packets[i].length;
    }
    for (int i = 0; i < storm->answer_count; i++) {
        storm->seals++;
        storm->seal_bytes += storm->answers[i].length;
    }
}

static void deliver_answers(struct storm *storm)
{
    jmp_received in = { .struct_size = sizeof in };
    for (int i = 0; i < storm->answer_count; i++) {
        struct packet *answer = &storm->answers[i];
        if (answer->transport == DEAD) continue;
        jmp_address from = gateway_address(answer->transport);
        check(jmp_receive(storm->client, answer->transport, &from, answer->bytes, answer->length, storm->now, &in), "jmp_receive");
    }
    storm->answer_count = 0;
    pass_time(storm->client, storm->now);
    drain_client(storm);
}

static uint64_t attached_over(struct storm *storm, uint32_t transport, uint64_t *most_switches)
{
    uint64_t attached = 0;
    for (uint32_t i = 0; i < storm->count; i++) {
        jmp_session_info info = { .struct_size = sizeof info };
        check(jmp_session_get_info(storm->client, storm->sessions[i], &info), "jmp_session_get_info");
        if (info.state == JMP_STATE_ATTACHED && info.active_transport == transport) attached++;
        if (info.switches_last_minute > *most_switches) *most_switches = info.switches_last_minute;
    }
    return attached;
}

/* As the gateway sees them: how many are not attached, and the most switches of one. */
static uint64_t lost_at_gateway(struct storm *storm, uint64_t *most_switches)
{
    uint64_t lost = 0;
    for (uint32_t i = 0; i < storm->count; i++) {
        jmp_session_info info = { .struct_size = sizeof info };
        jmp_session handle = storm->at_gateway[(uint32_t)storm->sessions[i]];
        if (jmp_session_get_info(storm->gateway, handle, &info) != JMP_OK || info.state != JMP_STATE_ATTACHED) lost++;
        if (info.switches_last_minute > *most_switches) *most_switches = info.switches_last_minute;
    }
    return lost;
}

/* Time passes in steps short enough that no call is late. */
static void calm(struct storm *storm, int steps)
{
    for (int i = 0; i < steps; i++) {
        storm->now += STEP;
        pass_time(storm->client, storm->now);
        pass_time(storm->gateway, storm->now);
        exchange_until_silent(storm);
    }
}

/* Hosts of further clients learn of the fresh transport, until so many datagrams wait for the gateway. */
static void ask(struct storm *storm, uint32_t backlog)
{
    jmp_address fresh = gateway_address(FRESH);
    uint32_t path;
    while (storm->asked < storm->count && storm->tail - storm->head < backlog) {
        check(jmp_path_add(storm->client, storm->sessions[storm->asked++], FRESH, &fresh, storm->now, &path), "jmp_path_add");
        drain_client(storm);
    }
}

/* Until every client has moved to the fresh transport and is attached there, or its patience (the transport-lost TTL) is at an end. While
 * nobody asks the gateway waits: repeated requests are on their way. */
static void rage(struct storm *storm, uint32_t backlog)
{
    static struct packet packets[AT_ONCE + OTHERS_AT_ONCE];
    static jmp_receive_item items[AT_ONCE + OTHERS_AT_ONCE];
    uint64_t most_switches = 0;
    calm(storm, 250);
    check(jmp_transport_hint(storm->client, DEAD, 0, storm->now), "jmp_transport_hint");
    pass_time(storm->client, storm->now);
    drain_client(storm);
    jmp_time began = storm->now, waited = 0;
    while (storm->lasted < PATIENCE) {
        ask(storm, backlog);
        if (storm->head == storm->tail) {
            if (storm->reattached >= storm->count && attached_over(storm, FRESH, &most_switches) == storm->count) return;
            waited += STEP;
        }
        int count = collect(storm, packets);
        storm->previous_batch_began = storm->batch_began;
        storm->batch_began = storm->spent;
        serve(storm, packets, items, count);
        note_sessions(storm, packets, items, count);
        if (count > OTHERS_AT_ONCE) count_work(storm, packets, count);
        storm->lasted = waited + (jmp_time)(storm->spent / 1000);
        storm->now = began + storm->lasted;
        deliver_answers(storm);
    }
}

static double floor_of(const struct storm *storm, uint64_t challenges)
{
    struct aead aead;
    uint8_t buffer[SLOT] = { 0 }, sealed[SLOT] = { 0 }, mask[8], random[8];
    static const uint8_t extra[16], header_key[16];
    aead_init(&aead, usual_suite(), 1);
    size_t open_length = storm->open_bytes / storm->opens - 13, seal_length = storm->seal_bytes / storm->seals - 13 - aead.tag_length;
    aead_seal(&aead, sealed, open_length - aead.tag_length, extra, 1);
    double start = thread_cpu_now();
    for (uint64_t i = 0; i < storm->opens; i++) {
        memcpy(buffer, sealed, open_length);
        crypto_shorthash(mask, buffer + open_length - aead.tag_length, 16, header_key);
        if (aead_open(&aead, buffer, open_length, extra, 1)) fail("libsodium does not open what it sealed");
    }
    for (uint64_t i = 0; i < storm->seals; i++) {
        aead_seal(&aead, buffer, seal_length, extra, i);
        crypto_shorthash(mask, buffer + seal_length, 16, header_key);
    }
    for (uint64_t i = 0; i < challenges; i++) randombytes_buf(random, sizeof random);
    return thread_cpu_now() - start;
}

static void bench_case(uint32_t count, bool is_paced)
{
    static struct storm storm;
    uint64_t most_switches = 0;
    storm_open(&storm, count);
    rage(&storm, is_paced ? BACKLOG : RING);
    uint64_t attached = attached_over(&storm, FRESH, &most_switches), lost = lost_at_gateway(&storm, &most_switches);
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    check(jmp_endpoint_get_stats(storm.gateway, &stats), "jmp_endpoint_get_stats");
    double floor = floor_of(&storm, count);
    const char *size = grouped(count), *how = is_paced ? "" : ", all in one instant";
    if (is_paced) {
        report(count / storm.work * 1e9, "1/s", count / floor * 1e9, RATIO_AT_LEAST, 0.5, "reattaches per second and gateway core, storm of %s", size);
    } else {
        report(storm.lasted / 1e6, "s", floor / 1e9, NO_TARGET, 0, "until the last has reattached, storm of %s%s", size, how);
    }
    report(storm.work / count, "ns", floor / count, NO_TARGET, 0, "  a reattach at the gateway%s", how);
    report((double)(storm.opens + storm.seals) / count, "", NO_FLOOR, NO_TARGET, 0, "  datagrams a reattach, in and out, other sessions' included%s", how);
    report(lost > count - attached ? lost : count - attached, "", NO_FLOOR, VALUE_AT_MOST, 0, "  sessions lost in the storm%s", how);
    report(stats.events_dropped, "", NO_FLOOR, VALUE_AT_MOST, 0, "  events lost in the storm%s", how);
    report(most_switches, "", NO_FLOOR, VALUE_AT_MOST, 1, "  most switches of a session in the storm%s", how);
    report(percentile(storm.delays, storm.delay_count, 0.5) / 1000, "us", NO_FLOOR, NO_TARGET, 0, "  delay of other sessions' data at the gateway, p50%s", how);
    report(percentile(storm.delays, storm.delay_count, 0.99) / 1000, "us", NO_FLOOR, VALUE_AT_MOST, 5000, "  delay of other sessions' data at the gateway, p99%s", how);
    report(percentile(storm.delays, storm.delay_count, 1) / 1000, "us", NO_FLOOR, NO_TARGET, 0, "  delay of other sessions' data at the gateway, max%s", how);
    storm_close(&storm);
}

void bench_storm(const struct options *options)
{
    uint32_t count = options->sessions ? options->sessions : options->is_full ? 100000 : 10000;
    bench_case(count, true);
    bench_case(count, false);
}
