/* Calls that move datagrams and time. */
#include "keys.h"
#include "model.h"

enum { BUFFER = 2048, ITEMS = 4 };

static size_t overhead(const jmp_session_info *info)
{
    return info->suite == JMP_SUITE_AEGIS_256 ? JMP_DATAGRAM_OVERHEAD + 16 : JMP_DATAGRAM_OVERHEAD;
}

/* What forbids sending `length` bytes with `room` bytes of buffer, beyond the arguments. */
static void add_send_faults(struct call *call, size_t length, size_t room)
{
    if (!call->exists) return;
    call_needs_live(call);
    bool is_early = call->info.state == JMP_STATE_BIRTH || !call->info.confirmed;
    call_fault(call, is_early && call->info.state != JMP_STATE_TERMINATED, JMP_ERR_STATE);
    call_fault(call, length > call->info.max_payload, JMP_ERR_TOO_LONG);
    call_fault(call, room < length || room - length < overhead(&call->info) + JMP_FRAME_RESERVE, JMP_ERR_BUFFER_TOO_SMALL);
    bool has_path = call->info.active_path != JMP_PATH_NONE || call->info.state == JMP_STATE_RECOVERING;
    call_fault(call, !has_path && !is_early && call->info.state != JMP_STATE_TERMINATED, JMP_ERR_NO_PATH);
}

static void call_send(struct call *call)
{
    static uint8_t buffer[BUFFER];
    static const size_t huge[] = { SIZE_MAX, (size_t)INT64_MAX, BUFFER - 1 };
    uint8_t payload[BUFFER];
    size_t length = call->block.d % 1500, room = sizeof buffer;
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    const uint8_t *from = payload;
    memset(payload, call->block.a, sizeof payload);
    call_session(call);
    if (is_hostile(call, HOSTILE_RANGE)) length = huge[call->block.f / 2 % 3];
    if (is_hostile(call, HOSTILE_OTHER)) room = call->block.f & 2 ? call->block.a : length + 71;
    if (is_hostile(call, HOSTILE_STRUCT_SIZE)) datagram.struct_size = 8;
    call_fault(call, is_hostile(call, HOSTILE_STRUCT_SIZE), JMP_ERR_STRUCT_SIZE);
    bool is_null = is_hostile(call, HOSTILE_NULL);
    uint8_t *into = is_null && call->block.f / 2 % 3 == 0 ? NULL : buffer;
    if (is_null && call->block.f / 2 % 3 == 1) from = length ? NULL : from;
    jmp_datagram *out = is_null && call->block.f / 2 % 3 == 2 ? NULL : &datagram;
    call_fault(call, !into || !out || !from, JMP_ERR_NULL);
    /* Inside the buffer is allowed. */
    if (from && into && call->block.a & 1 && length < BUFFER / 2) from = memmove(buffer + call->block.a, payload, length);
    add_send_faults(call, length, room);
    jmp_policy policy = { .struct_size = sizeof policy };
    if (!call->fault_count && jmp_session_get_policy(call->endpoint, call->session, &policy) == JMP_OK && policy.control_expendable) {
        call_may(call, JMP_AGAIN);
        call->changes_on_error = true;      /* Writable is to follow */
    }
    uint32_t path_count = call->info.path_count;
    if (JUDGE(call, jmp_send(call->endpoint, call->session, from, length, call->now, into, room, out)) != JMP_OK) return;
    /* A payload alone does without the frame type. */
    REQUIRE(datagram.length >= length + overhead(&call->info) - 1 && datagram.length <= length + overhead(&call->info) + JMP_FRAME_RESERVE,
            "%u bytes for a payload of %zu", datagram.length, length);
    REQUIRE(datagram.session == call->session && datagram.path != JMP_PATH_NONE && path_count, "a datagram of nobody");
    call->stage->nodes[call->who].sent_datagrams++;
    if (call->who == GATEWAY) check_account(call->stage, datagram.transport, &datagram.to, 0, datagram.length);
    /* The payload is where the wire document says: the peer opens it. */
    const uint8_t *seen = NULL;
    if (datagram.transport >= LINKS || call->block.a & 2) return;
    jmp_address source = call->who == CLIENT ? stage_client_address(call->stage, datagram.transport) : stage_gateway_address(datagram.transport);
    uint8_t copy[BUFFER];
    memcpy(copy, buffer, datagram.length);
    jmp_received received = stage_receive(call->stage, !call->who, datagram.transport, &source, copy, datagram.length, &seen);
    if (received.kind != JMP_RECEIVED_PAYLOAD) return;
    REQUIRE(received.payload_length == length, "%u bytes of %zu arrived", received.payload_length, length);
    for (size_t i = 0; i < length; i++) REQUIRE(seen[i] == call->block.a, "byte %zu changed", i);
}

static void call_send_batch(struct call *call)
{
    uint8_t payloads[256] = { 7 }, buffer[1024];
    jmp_send_item items[ITEMS];
    size_t count = call->block.d % (ITEMS + 1), done = SIZE_MAX, good = 0;
    call_session(call);
    call->fault_count -= !call->exists;     /* each item has a status of its own */
    memset(items, 0, sizeof items);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i].session = call->session;
        items[i].payload_offset = (uint32_t)(i * 16);
        items[i].payload_length = 16;
        items[i].buffer_offset = (uint32_t)(i * 256);
        items[i].buffer_capacity = 256;
        items[i].datagram.struct_size = sizeof items[i].datagram;
    }
    if (is_hostile(call, HOSTILE_RANGE)) {
        uint32_t *fields[] = { &items[0].payload_offset, &items[0].payload_length, &items[0].buffer_offset, &items[0].buffer_capacity };
        *fields[call->block.f / 2 % 4] = UINT32_MAX - call->block.a % 2;
    }
    if (is_hostile(call, HOSTILE_STRUCT_SIZE)) items[0].datagram.struct_size = 0;
    if (is_hostile(call, HOSTILE_OTHER)) count = SIZE_MAX - call->block.a;
    bool is_null = is_hostile(call, HOSTILE_NULL);
    call_fault(call, is_null, JMP_ERR_NULL);
    call_fault(call, is_hostile(call, HOSTILE_OTHER), JMP_ERR_ARGUMENT);
    jmp_status status = JUDGE(call, jmp_send_batch(call->endpoint, items, count, payloads, sizeof payloads, call->now, buffer, sizeof buffer,
                                                   is_null ? NULL : &done));
    if (status != JMP_OK) return;
    for (size_t i = 0; i < count; i++) {
        bool is_broken = !i && (is_hostile(call, HOSTILE_RANGE) || is_hostile(call, HOSTILE_STRUCT_SIZE));
        REQUIRE(!is_broken || items[i].status == JMP_ERR_ARGUMENT || items[i].status == JMP_ERR_STRUCT_SIZE, "item %zu: %d", i, items[i].status);
        if (!is_broken && !call->exists) REQUIRE(items[i].status == JMP_ERR_SESSION, "item %zu: %d", i, items[i].status);
        if (items[i].status == JMP_OK) {
            good++;
            REQUIRE(items[i].datagram.length <= 256, "%u bytes", items[i].datagram.length);
            if (call->who != GATEWAY) continue;
            check_account(call->stage, items[i].datagram.transport, &items[i].datagram.to, 0, items[i].datagram.length);
        }
    }
    REQUIRE(done == good, "%zu done, %zu succeeded", done, good);
    call->stage->nodes[call->who].sent_datagrams += good;
}

/* The newest genuine datagram for this node, or raw bytes. */
static size_t choose_datagram(struct call *call, struct input *input, uint8_t bytes[DATAGRAM_MAX])
{
    struct stage *stage = call->stage;
    for (uint32_t i = 0; i < HISTORY && i < stage->history_count && call->block.a & 1; i++) {
        const struct flight *flight = &stage->history[(stage->history_count - 1 - i) % HISTORY];
        if (flight->from == call->who) continue;
        memcpy(bytes, flight->bytes, flight->length);
        return flight->length;
    }
    input_bytes(input, bytes, call->block.d % 64);
    return call->block.d % 64;
}

static void break_address(struct call *call, jmp_address *address)
{
    if (!is_hostile(call, HOSTILE_RANGE)) return;
    if (call->block.f & 2) address->length = 0;
    else address->reserved[0] = 1;
    call_fault(call, true, JMP_ERR_ARGUMENT);
}

static void call_receive(struct call *call, struct input *input)
{
    uint8_t bytes[DATAGRAM_MAX], *pointer = bytes;
    size_t length = choose_datagram(call, input, bytes);
    uint32_t transport = is_hostile(call, HOSTILE_OTHER) ? JMP_MAX_TRANSPORTS : call->block.c % 4u;
    jmp_address from = call->who == CLIENT ? stage_gateway_address(transport % LINKS) : stage_client_address(call->stage, transport % LINKS);
    jmp_received received = { .struct_size = sizeof received };
    break_address(call, &from);
    if (is_hostile(call, HOSTILE_STRUCT_SIZE)) received.struct_size = sizeof received + 8;
    call_fault(call, is_hostile(call, HOSTILE_STRUCT_SIZE), JMP_ERR_STRUCT_SIZE);
    if (is_hostile(call, HOSTILE_NULL) && length) pointer = NULL;
    call_fault(call, !pointer, JMP_ERR_NULL);
    call_fault(call, transport >= JMP_MAX_TRANSPORTS || !call->models[call->who].has_transport[transport], JMP_ERR_TRANSPORT);
    if (call->who == GATEWAY) check_account(call->stage, transport, &from, length, 0);
    jmp_status status = JUDGE(call, jmp_receive(call->endpoint, transport, &from, pointer, length, call->now, &received));
    if (call->who == GATEWAY) check_proven(call->stage, received.session);
    if (status == JMP_OK)
        REQUIRE(received.kind != JMP_RECEIVED_PAYLOAD || (size_t)received.payload_offset + received.payload_length <= length, "payload outside");
}

static void call_receive_batch(struct call *call, struct input *input)
{
    uint8_t *buffer = malloc(DATAGRAM_MAX);
    jmp_receive_item items[2];
    uint8_t bytes[DATAGRAM_MAX];
    size_t length = choose_datagram(call, input, bytes), count = 2;
    REQUIRE(buffer, "memory");
    memcpy(buffer, bytes, DATAGRAM_MAX);
    memset(items, 0, sizeof items);
    for (int i = 0; i < 2; i++) {
        items[i].length = (uint32_t)length;
        items[i].from = call->who == CLIENT ? stage_gateway_address(0) : stage_client_address(call->stage, 0);
        items[i].received.struct_size = sizeof items[i].received;
        items[i].status = 99;
    }
    items[1].offset = DATAGRAM_MAX - (uint32_t)length;
    if (is_hostile(call, HOSTILE_RANGE)) items[0].offset = UINT32_MAX, items[1].length = DATAGRAM_MAX + 1u;
    if (is_hostile(call, HOSTILE_OTHER)) count = SIZE_MAX;
    call_fault(call, is_hostile(call, HOSTILE_OTHER), JMP_ERR_ARGUMENT);
    call_fault(call, is_hostile(call, HOSTILE_NULL), JMP_ERR_NULL);
    jmp_address first = items[0].from;
    if (call->who == GATEWAY) check_account(call->stage, 0, &first, 2 * length, 0);
    jmp_status status = JUDGE(call, jmp_receive_batch(call->endpoint, is_hostile(call, HOSTILE_NULL) ? NULL : items, count, buffer, DATAGRAM_MAX,
                                                      call->now));
    for (int i = 0; i < 2 && call->who == GATEWAY; i++) check_proven(call->stage, items[i].received.session);
    bool has_first = call->models[call->who].has_transport[0];
    for (int i = 0; i < 2 && status == JMP_OK; i++) {
        jmp_status expected = is_hostile(call, HOSTILE_RANGE) ? JMP_ERR_ARGUMENT : has_first ? JMP_OK : JMP_ERR_TRANSPORT;
        REQUIRE(items[i].status == expected, "item %d gives %d", i, items[i].status);
    }
    free(buffer);
}

/* Short buffers lose nothing: what could not be taken comes with the next call. */
static void call_poll(struct call *call)
{
    uint8_t buffer[DATAGRAM_MAX];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_event event = { .struct_size = sizeof event };
    struct stage *stage = call->stage;
    bool is_null = is_hostile(call, HOSTILE_NULL), is_sized = is_hostile(call, HOSTILE_STRUCT_SIZE);
    if (is_sized) datagram.struct_size = event.struct_size = 1;
    if (call->hostile & (HOSTILE_NULL | HOSTILE_STRUCT_SIZE | HOSTILE_ENDPOINT)) {
        call_fault(call, is_null, JMP_ERR_NULL);
        call_fault(call, is_sized, JMP_ERR_STRUCT_SIZE);
        if (call->block.a & 1) JUDGE(call, jmp_poll_event(call->endpoint, is_null ? NULL : &event));
        else JUDGE(call, jmp_poll_transmit(call->endpoint, call->now, is_null ? NULL : buffer, sizeof buffer, &datagram));
        return;
    }
    jmp_time deadline = JMP_TIME_NONE;
    REQUIRE(jmp_next_timeout(call->endpoint, &deadline) == JMP_OK, "no deadline");
    if (deadline != JMP_TIME_NONE && deadline > stage->now) stage->now = deadline;
    REQUIRE(jmp_handle_timeout(call->endpoint, stage->now) == JMP_OK, "no timeout");
    jmp_status first = jmp_poll_transmit(call->endpoint, stage->now, buffer, call->block.a % 30, &datagram);
    REQUIRE(first == JMP_AGAIN || first == JMP_ERR_BUFFER_TOO_SMALL, "%d with a short buffer", first);
    uint64_t sent = stage->nodes[call->who].sent_datagrams;
    stage_settle(stage, call->who);
    REQUIRE((first == JMP_ERR_BUFFER_TOO_SMALL) == (stage->nodes[call->who].sent_datagrams > sent), "a short buffer lost a datagram");
}

static void call_unsent(struct call *call)
{
    uint64_t number = is_hostile(call, HOSTILE_RANGE) ? JMP_PACKET_NUMBER_NONE - call->block.d : call->block.d % 256u;
    struct sealer *sealer = keys_sealer(call->who, 0);
    call_session(call);
    call_fault(call, is_hostile(call, HOSTILE_RANGE), JMP_ERR_ARGUMENT);
    /* The first session's numbers are known here; those of others and of ended ones are not. */
    if (sealer && number <= sealer->newest && call->exists && call->info.state != JMP_STATE_TERMINATED
        && call->stage->nodes[call->who].trail_count == 1) call->possible_count = 0;
    else call_may(call, JMP_ERR_ARGUMENT);
    JUDGE(call, jmp_unsent(call->endpoint, call->session, number, call->now));
}

static void call_send_protected(struct call *call)
{
    static uint8_t payload[JMP_PROTECTED_PAYLOAD_MAX + 1];
    static const size_t huge[] = { SIZE_MAX, (size_t)INT64_MAX, sizeof payload };
    size_t length = call->block.a & 1 ? call->block.d : call->block.d % 1500;
    jmp_payload_options options;
    const jmp_payload_options *given = call->block.a & 2 ? &options : NULL;
    const uint8_t *from = payload;
    REQUIRE(jmp_payload_options_init(&options) == JMP_OK, "no options");
    options.channel = call->block.a / 4 % JMP_CHANNELS;
    options.report = call->block.c & 1;
    options.tag = call->block.d;
    options.time_to_live_us = call->block.c & 2 ? UINT64_MAX >> call->block.c % 64 : 0;
    call_session(call);
    if (is_hostile(call, HOSTILE_RANGE)) length = huge[call->block.f / 2 % 3];
    if (is_hostile(call, HOSTILE_NULL)) from = NULL;
    call_fault(call, !from && length, JMP_ERR_NULL);
    if (given && is_hostile(call, HOSTILE_OTHER)) {
        if (call->block.f & 2) options.channel = JMP_CHANNELS + call->block.c;
        else options.report = 2 + call->block.c;
        call_fault(call, true, JMP_ERR_ARGUMENT);
    }
    if (given && is_hostile(call, HOSTILE_STRUCT_SIZE)) {
        options.struct_size = call->block.c % sizeof options;
        call_fault(call, true, JMP_ERR_STRUCT_SIZE);
    }
    if (given && is_hostile(call, HOSTILE_RESERVED)) {
        options.reserved[call->block.c % 4] = 1;
        call_fault(call, true, JMP_ERR_STRUCT_SIZE);
    }
    call_needs_live(call);
    if (call->exists) {
        bool is_early = call->info.state == JMP_STATE_BIRTH || !call->info.confirmed;
        call_fault(call, is_early && call->info.state != JMP_STATE_TERMINATED, JMP_ERR_STATE);
        call_fault(call, length > call->info.max_protected_payload, JMP_ERR_TOO_LONG);
    }
    call_may(call, JMP_AGAIN);
    uint32_t count = call->info.protected_count;
    if (JUDGE(call, jmp_send_protected(call->endpoint, call->session, from, length, given, call->now)) != JMP_OK) return;
    REQUIRE(stage_info(call->stage, call->who, call->session).protected_count == count + 1, "a payload was taken and is not there");
}

/* What does not fit stays. */
static void call_poll_payload(struct call *call)
{
    static uint8_t buffer[JMP_PROTECTED_PAYLOAD_MAX];
    jmp_payload first = { .struct_size = sizeof first }, second = first, *out = &first;
    size_t capacity = call->block.d;
    uint8_t *into = buffer;
    struct node *node = &call->stage->nodes[call->who];
    node->is_reading_paused = call->block.a & 1;
    if (is_hostile(call, HOSTILE_STRUCT_SIZE)) first.struct_size = sizeof first - 1;
    call_fault(call, is_hostile(call, HOSTILE_STRUCT_SIZE), JMP_ERR_STRUCT_SIZE);
    if (is_hostile(call, HOSTILE_NULL)) {
        if (call->block.f & 2) out = NULL;
        else into = NULL;
    }
    call_fault(call, !out || (!into && capacity), JMP_ERR_NULL);
    call_may(call, JMP_AGAIN), call_may(call, JMP_ERR_BUFFER_TOO_SMALL);
    jmp_status status = JUDGE(call, jmp_poll_payload(call->endpoint, call->now, into, capacity, out));
    if (status == JMP_OK) REQUIRE(first.length <= capacity && first.channel < JMP_CHANNELS && first.session, "%u bytes", first.length);
    if (status != JMP_ERR_BUFFER_TOO_SMALL || call->fault_count || !node->is_reading_paused) return;
    REQUIRE(first.length > capacity, "%u bytes do not fit into %zu", first.length, capacity);
    status = jmp_poll_payload(call->endpoint, call->stage->now, buffer, sizeof buffer, &second);
    REQUIRE(status == JMP_OK && second.length == first.length && second.session == first.session && second.sequence == first.sequence,
            "%d: a payload of %u bytes after one of %u", status, second.length, first.length);
}

static void call_time(struct call *call)
{
    jmp_time deadline = 0;
    bool is_null = is_hostile(call, HOSTILE_NULL);
    if (call->block.a & 1) {
        call_fault(call, is_null, JMP_ERR_NULL);
        JUDGE(call, jmp_next_timeout(call->endpoint, is_null ? NULL : &deadline));
    } else {
        JUDGE(call, jmp_handle_timeout(call->endpoint, call->now));
    }
}

void call_datagrams(struct stage *stage, struct model *models, const struct block *block, struct input *input)
{
    struct call call = call_begin(stage, models, block);
    switch (block->op / 4 % 16) {
    case 0: case 1: case 2: case 3: call_send(&call); break;
    case 4: case 5: call_send_batch(&call); break;
    case 6: case 7: call_receive(&call, input); break;
    case 8: case 9: call_receive_batch(&call, input); break;
    case 10: case 11: call_poll(&call); break;
    case 12: call_unsent(&call); break;
    case 14: call_send_protected(&call); break;
    case 15: call_poll_payload(&call); break;
    default: call_time(&call); break;
    }
    for (int who = 0; who < NODES; who++) stage_settle(stage, who);
}
