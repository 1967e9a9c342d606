/* Fuzz target: bytes into jmp_receive in every session state, past authentication too. The first block chooses the state both
 * endpoints begin in (states.h); each further one is a step: deliver, lose, copy or alter a genuine datagram, forge one that is
 * authentic, let time pass, ask something of the host. What the endpoints send goes to the peer. */
#include "frames.h"
#include "keys.h"
#include "states.h"

enum { STEPS_MAX = 200, FORGED_MAX = 1400, ADDRESS_KINDS = 4 };

/* Where a datagram seems to come from. */
static jmp_address source_of(const struct stage *stage, int from, uint32_t link, uint8_t choice)
{
    jmp_address address = from == CLIENT ? stage_client_address(stage, link) : stage_gateway_address(link);
    if (choice % 8 >= ADDRESS_KINDS) return address;
    if (choice % 8 == 1) address.bytes[5] = (uint8_t)(0xA0 + choice / 8 % 4);
    if (choice % 8 == 2) address.length = (uint8_t)(1 + choice / 8), address.prefix_length = 0;
    if (choice % 8 == 3) address.bytes[3] = (uint8_t)(choice / 8);
    return address;
}

/* ---------------------------------------------------------- genuine datagrams */

static void step_deliver(struct stage *stage, const struct block *block)
{
    if (!stage->flight_count) return;
    uint32_t number = block->a % stage->flight_count;
    struct flight flight = stage->flights[number];
    switch (block->b % 8) {
    case 4:     /* twice */
        stage_deliver(stage, number);
        stage_receive(stage, !flight.from, flight.link, &flight.source, flight.bytes, flight.length, NULL);
        break;
    case 5: stage_drop(stage, number); break;
    case 6: case 7: {   /* from elsewhere */
        jmp_address source = source_of(stage, flight.from, flight.link, block->c);
        stage_drop(stage, number);
        stage_receive(stage, !flight.from, block->e % (LINKS + 1), &source, flight.bytes, flight.length, NULL);
        break;
    }
    default: stage_deliver(stage, number); break;
    }
}

/* A datagram that nobody with the keys has made, or one that came before: no session may change. */
static void receive_unproven(struct stage *stage, int to, uint32_t link, const jmp_address *source, const uint8_t *bytes, size_t length)
{
    struct snapshot before, after;
    stage_timeout(stage, to);       /* not late, and nothing due */
    check_take(stage, to, &before);
    uint64_t sequence = stage->nodes[to].sequence;
    jmp_received received = stage_receive(stage, to, link, source, bytes, length, NULL);
    check_take(stage, to, &after);
    bool is_data = length && (bytes[0] & 0xC0) == 0x40;
    REQUIRE(received.kind == JMP_RECEIVED_NOTHING, "a forged datagram was delivered");
    if (!is_data) return;
    REQUIRE(stage->nodes[to].sequence <= sequence + 1, "a forged datagram made events");
    check_same(&before, &after, "a forged datagram");
}

static void step_mutated(struct stage *stage, const struct block *block, struct input *input)
{
    if (!stage->history_count) return;
    uint32_t kept = stage->history_count < HISTORY ? stage->history_count : HISTORY;
    struct flight flight = stage->history[(stage->history_count - 1 - block->a % kept) % HISTORY];
    jmp_address source = source_of(stage, flight.from, flight.link, block->c);
    size_t length = flight.length;
    uint8_t splice[16];
    switch (block->b % 5) {
    case 0: flight.bytes[block->d % length] ^= (uint8_t)(block->e ? block->e : 1); break;
    case 1: length = block->d % length; break;
    case 2:
        length += 1 + block->e % 64;
        if (length > DATAGRAM_MAX) return;
        memset(flight.bytes + flight.length, block->f, length - flight.length);
        break;
    case 3:
        input_bytes(input, splice, sizeof splice);
        for (size_t i = 0; i < sizeof splice && block->d % length + i < length; i++) flight.bytes[block->d % length + i] ^= splice[i];
        if (!splice[0]) return;
        break;
    default:    /* an old one again, just as it was: perhaps for the first time, then it is simply late */
        stage_receive(stage, !flight.from, flight.link, &source, flight.bytes, length, NULL);
        break;
    }
    receive_unproven(stage, !flight.from, flight.link, &source, flight.bytes, length);
}

static void step_raw(struct stage *stage, const struct block *block, struct input *input)
{
    uint8_t bytes[256];
    int to = block->a & 1;
    uint32_t link = block->b % (LINKS + 1);
    jmp_address source = source_of(stage, !to, link % LINKS, block->c);
    input_bytes(input, bytes, block->f);
    if (block->e & 1) bytes[0] = (uint8_t)(0xC0 | (block->e >> 1 & 7));
    receive_unproven(stage, to, link, &source, bytes, block->f);
}

/* ----------------------------------------------------------- sealed by the harness */

/* The packet number of a forgery: mostly the next one. */
static uint64_t choose_number(uint64_t next, uint8_t choice, uint16_t amount)
{
    switch (choice % 8) {
    case 4: return next + amount % 64;
    case 5: return next - 1 - amount % 1100 % next;
    case 6: return next + amount * UINT64_C(7919);
    case 7: return amount % (next + 1);
    default: return next;
    }
}

/* The low bits of a forgery's first byte: mostly none, for frames; now and then a payload alone, or reserved bits. */
static uint8_t choose_low_bits(const struct block *block)
{
    switch (block->e & 0x0F) {
    case 0: return block->f & 0x0F;
    case 1: case 2: case 3: return FIRST_PAYLOAD;
    default: return 0;
    }
}

/* Seals frames, or a payload alone, as the peer of `to` and delivers them. An authentic, fresh datagram is never taken for a forged one. */
static void deliver_forged(struct stage *stage, int to, const struct block *block, const uint8_t *frames, size_t length)
{
    struct sealer *sealer = keys_sealer(!to, block->e >> 4 & 3);
    uint8_t bytes[DATAGRAM_MAX];
    const uint8_t *payload = NULL;
    uint32_t link = block->c % LINKS;
    if (!sealer || !sealer->has_header_key) return;
    uint64_t *next = &keys_next[!to], number = choose_number(*next, block->b, block->d);
    bool is_fresh = number >= *next && number < *next + 64;
    struct forgery forgery = { sealer->ids[(block->a >> 4) % sealer->id_count], number,
                               (uint8_t)(0x40 | sealer->phase << 4 | choose_low_bits(block)), frames, length };
    bool is_payload = forgery.first & FIRST_PAYLOAD;
    if (number > UINT32_MAX) return;
    if (number >= *next) *next = number + 1;
    TRACE("forged for %s: packet %llu, first byte %02x, %zu bytes from %02x", to == CLIENT ? "client" : "gateway", (unsigned long long)number,
          forgery.first, length, frames[0]);
    size_t total = keys_forge(sealer, &forgery, bytes);
    jmp_address source = source_of(stage, !to, link, (uint8_t)(block->c / LINKS));
    jmp_received received = stage_receive(stage, to, link, &source, bytes, total, &payload);
    if (received.kind == JMP_RECEIVED_PAYLOAD) {
        REQUIRE(!(forgery.first & 0x07), "reserved bits were taken");
        REQUIRE(is_payload ? received.payload_length == length : received.payload_length < length, "frames taken for a payload, or the reverse");
        REQUIRE(!memcmp(payload, frames + length - received.payload_length, received.payload_length), "another payload than was sealed");
    } else if (is_fresh && keys_sealer(!to, 0) == sealer && length)
        REQUIRE(received.drop_cause != JMP_DROP_REPLAYED && received.drop_cause != JMP_DROP_TOO_OLD, "a fresh number was refused");
}

static void step_forge_raw(struct stage *stage, const struct block *block, struct input *input)
{
    uint8_t frames[256] = { 0 };
    size_t length = block->f % 201u;
    input_bytes(input, frames, length);
    deliver_forged(stage, block->a & 1, block, frames, length);
}

static void step_forge_frames(struct stage *stage, const struct block *block, struct input *input)
{
    uint8_t frames[FORGED_MAX];
    size_t length = 0;
    int to = block->a & 1;
    for (int i = 0; i <= (block->a >> 1 & 3); i++) {
        struct block frame = input_block(input);
        length += frames_write(stage, !to, &frame, input, frames + length, sizeof frames - length);
    }
    if (length) deliver_forged(stage, to, block, frames, length);
}

/* ------------------------------------------------------------- time and network */

static void step_time(struct stage *stage, const struct block *block)
{
    jmp_time deadline = JMP_TIME_NONE, other = JMP_TIME_NONE;
    jmp_next_timeout(stage_enter(stage, CLIENT), &deadline);
    jmp_next_timeout(stage_enter(stage, GATEWAY), &other);
    switch (block->a % 8) {
    case 0: stage->now += block->d; break;
    case 1: stage->now += block->d * (jmp_time)MS; break;
    case 2: if (deadline != JMP_TIME_NONE && deadline > stage->now) stage->now = deadline; break;
    case 3: if (other != JMP_TIME_NONE && other > stage->now) stage->now = other; break;
    case 4: stage_run(stage, block->d % 2000 * (jmp_time)MS); return;
    case 5: stage->now += block->d * (jmp_time)SECOND / 4; break;
    case 6:     /* the host's clock goes back; the endpoint's does not */
        jmp_handle_timeout(stage_enter(stage, block->b & 1), stage->now - block->d);
        stage_settle(stage, block->b & 1);
        return;
    default: break;
    }
    if (block->b & 1) stage_timeout(stage, CLIENT);
    if (block->b & 2) stage_timeout(stage, GATEWAY);
}

static void step_network(struct stage *stage, const struct block *block)
{
    struct link_state *link = &stage->links[block->c % LINKS];
    switch (block->a % 4) {
    case 0: link->is_black_hole[CLIENT] = block->b & 1, link->is_black_hole[GATEWAY] = block->b & 2; break;
    case 1: link->port++; break;
    case 2: while (stage->flight_count) stage_drop(stage, 0); break;
    default: for (uint32_t i = 0; i < LINKS; i++) memset(stage->links[i].is_black_hole, block->b & 1, sizeof stage->links[i].is_black_hole); break;
    }
}

/* ---------------------------------------------------------------------- hosts */

static void set_policy(struct stage *stage, const struct block *block)
{
    jmp_policy policy = { .struct_size = sizeof policy };
    jmp_endpoint *gateway = stage_enter(stage, GATEWAY);
    if (jmp_session_get_policy(gateway, stage->nodes[GATEWAY].session, &policy) != JMP_OK) return;
    uint64_t *times = &policy.max_lifetime_us;
    uint32_t *counts = &policy.loss_volatile_threshold_ppm;
    if (block->e & 1) times[block->c % 13] = block->d * (uint64_t)(block->f % 4 ? 10 * MS : SECOND);
    else counts[block->c % 8] = block->d % (block->f % 2 ? 8 : UINT16_MAX);
    jmp_status status = jmp_session_set_policy(gateway, stage->nodes[GATEWAY].session, &policy, stage->now);
    REQUIRE(status == JMP_OK || status == JMP_ERR_POLICY || status == JMP_ERR_TERMINATED || status == JMP_ERR_STATE || status == JMP_ERR_SESSION,
            "%d", status);
}

static void step_host(struct stage *stage, const struct block *block)
{
    int who = block->b & 1;
    jmp_session session = stage->nodes[who].session;
    jmp_endpoint *endpoint = stage_enter(stage, who);
    uint32_t link = block->c % LINKS;
    char text[512];
    switch (block->a % 12) {
    case 0: jmp_session_request_switch(endpoint, session, block->e & 1 ? JMP_PATH_NONE : block->d % 8, stage->now); break;
    case 1: stage_add_path(stage, link); break;
    case 2: jmp_path_remove(endpoint, session, block->d % 8, stage->now); break;
    case 3: jmp_transport_hint(endpoint, link, block->e & 1, stage->now); break;
    case 4: if (block->e >= 0xF0) jmp_transport_remove(endpoint, link, stage->now); break;
    case 5: set_policy(stage, block), who = GATEWAY; break;
    case 6: jmp_session_rekey(endpoint, session, stage->now); break;
    case 7: jmp_unsent(endpoint, session, block->d, stage->now); break;
    case 8: if (block->e >= 0xF0) jmp_session_close(endpoint, session, JMP_REASON_OPERATOR_TERMINATED, stage->now); break;
    case 9:
        endpoint = stage_enter(stage, who = GATEWAY);
        if (block->e & 1) jmp_refuse(endpoint, stage->nodes[GATEWAY].waiting, stage->now);
        else jmp_accept(endpoint, stage->nodes[GATEWAY].waiting, stage_psk, stage->now);
        break;
    case 10: stage_connect(stage, block->e & 1 ? JMP_PATTERN_IKPSK2 : JMP_PATTERN_NNPSK0); break;
    default: jmp_session_explain(endpoint, session, stage->now, text, 1 + block->d % sizeof text); break;
    }
    stage_settle(stage, who);
}

/* Protected payloads of the hosts themselves, and hosts that do not read theirs. */
static void step_protected(struct stage *stage, const struct block *block)
{
    int who = block->a & 1;
    struct node *node = &stage->nodes[who];
    switch (block->a >> 1 & 3) {
    case 0: node->is_reading_paused = !node->is_reading_paused; break;
    case 1: stage_take(stage, who, block->b % 4u); break;
    default: stage_send_protected(stage, who, block->b == 0xFF ? JMP_PROTECTED_PAYLOAD_MAX - block->d % 16u : block->d % (block->b & 1 ? 65536 : 1500), block); break;
    }
    stage_settle(stage, who);
}

static void step(struct stage *stage, const struct block *block, struct input *input)
{
    TRACE("%llu step %02x %02x %02x %02x %04x %02x %02x", (unsigned long long)stage->now, block->op, block->a, block->b, block->c, block->d,
          block->e, block->f);
    switch (block->op % 16) {
    case 0: case 1: step_deliver(stage, block); break;
    case 2: case 3: step_forge_raw(stage, block, input); break;
    case 4: case 5: case 6: step_forge_frames(stage, block, input); break;
    case 7: step_raw(stage, block, input); break;
    case 8: step_mutated(stage, block, input); break;
    case 9: case 10: step_time(stage, block); break;
    case 11: stage_run(stage, (1 + block->d % 300) * (jmp_time)MS); break;
    case 12: stage_send(stage, block->a & 1, block->d % 1500); break;
    case 13: step_network(stage, block); break;
    case 15: step_protected(stage, block); break;
    default: step_host(stage, block); break;
    }
}

/* Runs a program; the hash of all that came out. */
static uint64_t play(const uint8_t *data, size_t size)
{
    static struct stage stage;
    struct input input = { data, size, 0 };
    struct block first = input_block(&input);
    states_begin(&stage, first.op, first.a);
    for (int i = 0; i < STEPS_MAX && !input_is_over(&input); i++) {
        struct block block = input_block(&input);
        step(&stage, &block, &input);
    }
    stage_close(&stage);
    return stage.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t hash = play(data, size);
    /* The same inputs give the same outputs, byte for byte. */
    if (size > 1 && data[1] & 0x40) REQUIRE(play(data, size) == hash, "a second run came out differently");
    return 0;
}
