#include "frames.h"
#include "keys.h"

enum { NEAR = 8, NAME_MAX_BYTES = 20 };

struct writer {
    uint8_t *bytes;
    size_t length, capacity;
};

static void put(struct writer *writer, uint64_t value, size_t count)
{
    for (size_t i = 0; i < count; i++, writer->length++)
        if (writer->length < writer->capacity) writer->bytes[writer->length] = (uint8_t)(value >> 8 * (count - 1 - i));
}

/* The value of a frame of this type that `who` sealed last, from 8 bytes behind its type; 0 when its last datagram has none. */
static uint64_t last_value(int who, uint8_t type)
{
    size_t length;
    const uint8_t *frames = keys_frames(who, &length);
    for (size_t at = 0; at + 9 <= length; at++) {
        if (frames[at] != type) continue;
        uint64_t value = 0;
        for (int i = 1; i <= 8; i++) value = value << 8 | frames[at + i];
        return value;
    }
    return 0;
}

static uint32_t binding(struct stage *stage, int who)
{
    return (uint32_t)stage_info(stage, who, stage->nodes[who].session).binding_version;
}

/* Close to a value, or anywhere. */
static uint64_t near(uint64_t value, uint8_t choice, uint16_t other)
{
    return choice < 128 ? value + choice % NEAR : choice < 192 ? value - choice % NEAR : (uint64_t)other << (choice & 31);
}

static void put_policy(struct writer *writer, struct stage *stage, int who, const struct block *block, struct input *input)
{
    jmp_policy policy = { .struct_size = sizeof policy };
    struct block change = input_block(input);
    if (jmp_session_get_policy(stage_enter(stage, who), stage->nodes[who].session, &policy) != JMP_OK) jmp_policy_init(&policy);
    uint64_t *times = &policy.max_lifetime_us;
    uint32_t *counts = &policy.loss_volatile_threshold_ppm;
    if (change.op & 1) times[change.a % 13] = (uint64_t)change.d << (change.b % 48);
    if (change.op & 2) counts[change.c % 8] = (uint32_t)change.e << (change.f % 25);
    size_t version_length = strnlen(policy.version, sizeof policy.version);
    put(writer, 0x0A, 1);
    put(writer, near(block->a % 4, block->b, block->d), 4);
    put(writer, change.op & 4 ? change.d : 138 + version_length, 2);
    for (int i = 0; i < 13; i++) put(writer, times[i], 8);
    for (int i = 0; i < 8; i++) put(writer, counts[i], 4);
    put(writer, change.op >> 3 & 1, 1);
    put(writer, version_length, 1);
    for (size_t i = 0; i < version_length; i++) put(writer, (uint8_t)policy.version[i], 1);
}

static void put_reattach(struct writer *writer, struct stage *stage, int to, const struct block *block, struct input *input)
{
    static const uint8_t causes[] = { JMP_REASON_NAT_REBINDING, JMP_REASON_STABILITY_WINDOW_MET, JMP_REASON_LOSS_THRESHOLD_EXCEEDED,
                                      JMP_REASON_CONSECUTIVE_DROP_EXCEEDED, JMP_REASON_OPERATOR_REQUESTED, JMP_REASON_TRANSPORT_DEAD };
    uint8_t name[NAME_MAX_BYTES];
    size_t length = block->f % NAME_MAX_BYTES;
    input_bytes(input, name, length);
    put(writer, 0x05, 1);
    put(writer, block->b & 0x80 ? last_value(!to, 0x05) : block->d, 8);
    put(writer, near(binding(stage, to), block->a, block->d), 4);
    put(writer, block->e & 0x80 ? block->e : causes[block->e % sizeof causes], 1);
    put(writer, block->c % 40, 1);
    put(writer, length, 1);
    for (size_t i = 0; i < length; i++) put(writer, name[i], 1);
}

/* Sequence numbers: near the beginning, where most of a program happens, at the edges of the window and of 32 bits, or anywhere. */
static uint32_t sequence(const struct block *block)
{
    static const uint32_t edges[] = { 4095, 4096, 4097, UINT32_MAX, UINT32_MAX - 4095, INT32_MAX, (uint32_t)INT32_MAX + 1 };
    if (block->b < 160) return block->b % 6;
    if (block->b < 220) return edges[block->b % 7] + block->e % 3;
    return (uint32_t)block->d << (block->e & 16);
}

/* A part of a payload: mostly one that is allowed, cut anywhere between blocks, else with a length or a place that is not. */
static void put_fragment(struct writer *writer, const struct block *block, struct input *input)
{
    static const uint32_t wholes[] = { 64, 100, 1000, 20000, 1048576, 1048575, 1048577, UINT32_MAX };
    uint32_t whole = wholes[block->c % 8], start = block->d % (block->c & 0x40 ? 65536 : whole / 16 % 65536 + 1);
    uint32_t length = block->e & 1 ? block->e : block->e / 16u * 16;
    uint8_t bytes[256];
    if (!(block->c & 0x80)) {
        if (whole > 1048576) whole = 48;
        start = start * 16 < whole ? start : 0;
        if (start * 16 + length > whole || !length) length = whole - start * 16 < sizeof bytes ? whole - start * 16 : 16;
    }
    input_bytes(input, bytes, length < 16 ? length : 16);
    put(writer, 0x12, 1), put(writer, block->a < 250 ? block->a % JMP_CHANNELS : block->a, 1);
    put(writer, sequence(block), 4), put(writer, whole, 4), put(writer, start, 2), put(writer, length, 2);
    for (size_t i = 0; i < length; i++) put(writer, i < 16 ? bytes[i] : 0xD5, 1);
}

static void put_ranges(struct writer *writer, const struct block *block, uint64_t newest, struct input *input)
{
    uint8_t count = block->c % 40;
    put(writer, 0x13, 1);
    put(writer, near(newest, (uint8_t)(block->a ^ 0x80), block->d), 4);
    put(writer, block->e * 256u, 2);
    put(writer, count, 1);
    put(writer, block->b & 1 ? near(0, block->b, block->d) : 1 + block->b / 32u, 2);
    for (uint8_t i = 0; i < count; i += 2) {
        struct block range = i % 4 ? (struct block){ .a = 1, .b = 1, .c = 1, .e = 1 } : input_block(input);
        put(writer, range.op & 1 ? range.d : range.a % 4u, 2), put(writer, range.op & 2 ? range.d : range.b % 4u, 2);
        if (i + 1 < count) put(writer, 1 + range.c % 3u, 2), put(writer, 1 + range.e % 3u, 2);
    }
}

/* PROTECTED, FRAGMENT, ACK_RANGES, MAX_DATA, ABANDONED (WireProtocol, "Protected delivery"). */
static void put_delivery(struct writer *writer, unsigned kind, const struct block *block, uint64_t newest, struct input *input)
{
    static const uint64_t limits[] = { 0, 65536, 65537, 1u << 20, UINT32_MAX, UINT64_MAX, UINT64_MAX - 1, INT64_MAX };
    static const uint32_t credits[] = { 0, 64, 65, 1048640, 1048641, UINT32_MAX, 1000, 1 };
    uint8_t bytes[8];
    uint8_t channel = block->a < 250 ? block->a % JMP_CHANNELS : block->a;
    switch (kind) {
    case 0: case 1: case 2:
        input_bytes(input, bytes, sizeof bytes);
        put(writer, 0x11, 1), put(writer, channel, 1), put(writer, sequence(block), 4);
        put(writer, block->c == 0xFF ? UINT16_MAX : block->c, 2);
        for (size_t i = 0; i < block->c; i++) put(writer, bytes[i % 8], 1);
        break;
    case 3: case 4: put_fragment(writer, block, input); break;
    case 5: put_ranges(writer, block, newest, input); break;
    case 6: put(writer, 0x14, 1), put(writer, block->b & 1 ? limits[block->c % 8] : block->d, 8); break;
    default:
        put(writer, 0x15, 1), put(writer, channel, 1), put(writer, sequence(block), 4);
        put(writer, block->c & 8 ? block->d : credits[block->c % 8], 4);
        break;
    }
}

size_t frames_write(struct stage *stage, int from, const struct block *block, struct input *input, uint8_t *out, size_t capacity)
{
    struct writer writer = { out, 0, capacity };
    uint8_t raw[64];
    int to = !from;
    struct sealer *own = keys_sealer(to, 0);
    if (block->op % 32 >= 16 && block->op % 32 < 24) {
        put_delivery(&writer, block->op % 8, block, own ? own->newest : 0, input);
        return writer.length <= capacity ? writer.length : 0;
    }
    switch (block->op % 16) {
    case 0: put(&writer, 0, 1u + block->a % 4); break;
    case 1: put(&writer, 0x01, 1); break;
    case 2:
        put(&writer, 0x02, 1);
        put(&writer, near(own ? own->newest : 0, (uint8_t)(block->a ^ 0x80), block->d), 4);
        put(&writer, block->e * 256u + block->b, 2);
        put(&writer, block->c & 1 ? UINT32_MAX : (uint32_t)block->d << (block->f % 17), 4);
        break;
    case 3: put(&writer, 0x03, 1), put(&writer, block->d, 8); break;
    case 4: put(&writer, 0x04, 1), put(&writer, block->a & 1 ? block->d : last_value(to, 0x03), 8); break;
    case 5: put_reattach(&writer, stage, to, block, input); break;
    case 6: case 7:
        put(&writer, block->op % 16, 1);
        put(&writer, block->b & 1 ? block->d : last_value(to, 0x05), 8);
        put(&writer, near(binding(stage, to), block->a, block->d), 4);
        put(&writer, block->op % 16 == 6 ? block->c & 3 : block->c, 1);
        break;
    case 8: put(&writer, 0x08, 1), put(&writer, near(binding(stage, to), block->a, block->d), 4); break;
    case 9:
        put(&writer, 0x09, 1);
        put(&writer, near(binding(stage, to), block->a, block->d), 4);
        put(&writer, block->b, 1), put(&writer, block->c & 1, 1), put(&writer, (uint32_t)block->d << (block->e % 17), 4);
        break;
    case 10: put_policy(&writer, stage, to, block, input); break;
    case 11: put(&writer, 0x0B, 1), put(&writer, near(0, block->a, block->d), 4); break;
    case 12:
        /* A CLOSE ends most programs; it must be wanted. */
        if (block->a != 0xC1) break;
        put(&writer, 0x0C, 1), put(&writer, block->b, 1);
        break;
    case 13: put(&writer, 0x10, 1), put(&writer, block->d, block->a % 9); break;
    default:
        input_bytes(input, raw, block->f % sizeof raw);
        for (size_t i = 0; i < block->f % sizeof raw; i++) put(&writer, raw[i], 1);
        break;
    }
    return writer.length <= capacity ? writer.length : 0;
}
