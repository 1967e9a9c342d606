/* Writes the first seeds of every target's corpus: `seeds FOLDER` makes FOLDER/receive, calls and parse. Programs for each state
 * that a stage can begin in; events and datagrams as real runs make them. The committed corpora grew from these by fuzzing. */
#include "states.h"

#include <sys/stat.h>

enum { PROGRAM_MAX = 1024, PATH_SIZE = 512 };

struct program {
    uint8_t bytes[PROGRAM_MAX];
    size_t length;
};

static const char *folder;
static unsigned event_count;

static void write_file(const char *target, const char *name, unsigned number, const void *bytes, size_t length)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s/%s-%02u", folder, target, name, number);
    FILE *file = fopen(path, "wb");
    REQUIRE(file && fwrite(bytes, 1, length, file) == length && !fclose(file), "cannot write %s", path);
}

static void add(struct program *program, uint8_t op, uint8_t a, uint8_t b, uint8_t c, uint16_t d, uint8_t e, uint8_t f)
{
    const uint8_t block[BLOCK_SIZE] = { op, a, b, c, (uint8_t)d, (uint8_t)(d >> 8), e, f };
    REQUIRE(program->length + BLOCK_SIZE <= PROGRAM_MAX, "a long program");
    memcpy(program->bytes + program->length, block, BLOCK_SIZE);
    program->length += BLOCK_SIZE;
}

/* Every kind of frame, forged for either end, in every state. */
static void write_receive_seeds(void)
{
    for (uint8_t start = 0; start < STARTS; start++) {
        struct program frames = { .length = 0 }, genuine = { .length = 0 }, delivery = { .length = 0 };
        add(&frames, start, 0x40, 0, 0, 0, 0, 0);
        add(&genuine, start, (uint8_t)(start * 0x11), 0, 0, 0, 0, 0);
        add(&delivery, start, 0x40, 0, 0, 0, 0, 0);
        for (uint8_t kind = 0; kind < 16; kind++) {     /* protected delivery, forged and genuine */
            add(&delivery, 4, (kind & 1) | 2, 0, 0, 0, 0, 0);
            add(&delivery, (uint8_t)(16 + kind % 8), kind % 4, 1, (uint8_t)(kind * 5), kind, 32, 0);
            add(&delivery, 0, 1, 2, 3, 4, 5, 6);
            add(&delivery, (uint8_t)(16 + (kind + 3) % 8), kind % 4, 0, 0x11, 0, 16, 0);
            add(&delivery, 15, (uint8_t)(kind % 8), kind, kind, (uint16_t)(kind * 400), kind, kind);
            if (kind % 4 == 3) add(&delivery, 11, 0, 0, 0, 60, 0, 0);
        }
        for (uint8_t type = 0; type < 16; type++) {
            add(&frames, 4, type & 1, 0, 0, 0, 0, 0);
            add(&frames, type, type == 12 ? 0 : 1, 0, 1, 7, 0, 4);
            add(&frames, 11, 0, 0, 0, 20, 0, 0);
        }
        for (uint8_t i = 0; i < 4; i++) {   /* payloads alone, empty and of one block */
            add(&frames, 2, i & 1, 0, 0, 0, 1, i < 2 ? 0 : BLOCK_SIZE);
            if (i >= 2) add(&frames, 0x10, i, 0, 0, 0, 0, 0);
        }
        for (uint8_t kind = 0; kind < 12; kind++) {
            add(&genuine, 0, 0, kind, kind, 0, 0, 0);
            add(&genuine, 8, kind, kind, kind, (uint16_t)(kind * 9), kind, 0);
            add(&genuine, 12, kind & 1, 0, 0, (uint16_t)(100 * kind), 0, 0);
            add(&genuine, 13, kind, 3, kind, 0, 0, 0);
            add(&genuine, 14, kind, kind & 1, 1, kind, 1, 1);
            add(&genuine, 9, 4, 3, 0, (uint16_t)(150 * kind), 0, 0);
        }
        write_file("receive", "frames", start, frames.bytes, frames.length);
        write_file("receive", "genuine", start, genuine.bytes, genuine.length);
        write_file("receive", "delivery", start, delivery.bytes, delivery.length);
    }
}

/* Every call, clean and with every hostile bit, in every state. */
static void write_calls_seeds(void)
{
    for (uint8_t start = 0; start < STARTS; start++) {
        for (uint8_t family = 1; family < 4; family++) {
            struct program program = { .length = 0 };
            add(&program, start, 0, 0, 0, 0, 0, 0);
            for (uint8_t call = 0; call < 17; call++) {
                add(&program, (uint8_t)(call * 4 + family), call, call & 1, start, call, 0, 0);
                add(&program, (uint8_t)(call * 4 + family), call, call & 1, start, call, (uint8_t)(1u << (call + start) % 8), (uint8_t)(1 + 2 * start));
                add(&program, 0, 0, 0, 0, 30, 0, 0);
            }
            write_file("calls", family == 1 ? "settings" : family == 2 ? "sessions" : "datagrams", start, program.bytes, program.length);
        }
    }
}

static void keep_event(const jmp_event *event)
{
    uint8_t bytes[BLOCK_SIZE + sizeof *event] = { 4, 0, 0, 0, 100 };
    memcpy(bytes + BLOCK_SIZE, event, sizeof *event);
    if (event_count % 7 == 0) write_file("parse", "event", event_count / 7, bytes, sizeof bytes);
    event_count++;
}

static void write_parse_seeds(void)
{
    static struct stage stage;
    jmp_policy policy;
    uint8_t bytes[BLOCK_SIZE + DATAGRAM_MAX] = { 0, 3 };
    stage_event_tap = keep_event;
    for (uint8_t start = 0; start < STARTS; start++) {
        states_begin(&stage, start, 0);
        bytes[0] = 5;
        if (stage.history_count) {
            memcpy(bytes + BLOCK_SIZE, stage.history[0].bytes, stage.history[0].length);
            write_file("parse", "datagram", start, bytes, BLOCK_SIZE + stage.history[0].length);
        }
        stage_close(&stage);
        struct program handshake = { .length = 0 };
        add(&handshake, 6, start, 0, 0, 0, 0, 0);
        for (uint8_t i = 0; i < 8; i++) add(&handshake, (uint8_t)(1 << i), i, i, 0, (uint16_t)(31 * i), i, 40);
        write_file("parse", "handshake", start, handshake.bytes, handshake.length);
        struct program changes = { .length = 0 };
        add(&changes, start < 8 ? 0 : 2 + start % 2, (uint8_t)(start * 4), start, 0, 100, 0, 0);
        for (uint8_t i = 0; i < 8; i++) add(&changes, i, (uint8_t)(start * 4 + i), i, 0, 1000, 0, 0);
        write_file("parse", "description", start, changes.bytes, changes.length);
    }
    jmp_policy_init(&policy);
    bytes[0] = 0;
    memcpy(bytes + BLOCK_SIZE, &policy, sizeof policy);
    write_file("parse", "policy", 0, bytes, BLOCK_SIZE + sizeof policy);
}

int main(int count, char **arguments)
{
    static const char *const targets[] = { "receive", "calls", "parse" };
    char path[PATH_SIZE];
    REQUIRE(count == 2, "usage: seeds FOLDER");
    folder = arguments[1];
    mkdir(folder, 0777);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, targets[i]);
        mkdir(path, 0777);
    }
    write_receive_seeds();
    write_calls_seeds();
    write_parse_seeds();
    return 0;
}
