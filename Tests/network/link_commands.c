/* The emulator's commands: one line in, one line out. The answer is
 * "ok TIME ..." or "error TIME what is wrong"; TIME is CLOCK_BOOTTIME in
 * microseconds, taken just before the command took effect: the kernel tells
 * others of an interface that goes down while the command still runs. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 24

/** A number in lowest ... highest. 0, or -1. */
static int parse_number(const char *word, uint64_t lowest, uint64_t highest, uint64_t *value) {
    char *end;
    if (word == NULL || *word < '0' || *word > '9') return -1;
    errno = 0;
    unsigned long long number = strtoull(word, &end, 10);
    if (errno != 0 || *end != 0 || number < lowest || number > highest) return -1;
    *value = number;
    return 0;
}

/** "A", "B" or "AB" as a set of bits. 0 for anything else. */
static unsigned parse_paths(const char *word) {
    if (word == NULL) return 0;
    if (strcmp(word, "A") == 0) return 1;
    if (strcmp(word, "B") == 0) return 2;
    return strcmp(word, "AB") == 0 ? 3 : 0;
}

static unsigned parse_directions(const char *word) {
    if (word == NULL) return 0;
    if (strcmp(word, "up") == 0) return 1u << DIRECTION_UP;
    if (strcmp(word, "down") == 0) return 1u << DIRECTION_DOWN;
    return strcmp(word, "both") == 0 ? 3 : 0;
}

struct setting {
    const char *name;
    size_t offset;
    uint64_t highest;
};

static const struct setting settings[] = {
    {"delay", offsetof(struct lane, delay_us), 60000000},
    {"jitter", offsetof(struct lane, jitter_us), 60000000},
    {"loss", offsetof(struct lane, loss_ppm), 1000000},
    {"duplicate", offsetof(struct lane, duplicate_ppm), 1000000},
    {"blackhole", offsetof(struct lane, blackhole), 1},
    {"reorder", offsetof(struct lane, reorder), 1},
    {"rate", offsetof(struct lane, rate_kbps), 10000000},
    {"queue", offsetof(struct lane, queue_bytes), 1000000000},
};

static const struct setting *find_setting(const char *name) {
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        if (strcmp(settings[i].name, name) == 0) return &settings[i];
    return NULL;
}

/* set A|B|AB up|down|both NAME VALUE ... : nothing changes unless all is well. */
static const char *command_set(struct emulator *emulator, char **words, int count) {
    unsigned paths = count > 1 ? parse_paths(words[1]) : 0;
    unsigned directions = count > 2 ? parse_directions(words[2]) : 0;
    if (paths == 0 || directions == 0 || count < 5 || count % 2 == 0)
        return "expected: set A|B|AB up|down|both NAME VALUE ...";
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 3; i < count; i += 2) {
            const struct setting *setting = find_setting(words[i]);
            uint64_t value;
            if (setting == NULL) return "set: unknown name (delay, jitter, loss, duplicate, blackhole, reorder, rate, queue)";
            if (parse_number(words[i + 1], 0, setting->highest, &value) < 0) return "set: value out of range";
            if (pass == 0) continue;
            for (unsigned lane = 0; lane < 4; lane++) {
                if (!(paths >> (lane / 2) & 1) || !(directions >> (lane % 2) & 1)) continue;
                char *base = (char *)&emulator->paths[lane / 2].lanes[lane % 2];
                uint32_t narrow = (uint32_t)value;
                memcpy(base + setting->offset, &narrow, sizeof narrow);
            }
        }
    }
    return NULL;
}

/* nat A|B|AB on|off|rebind|move */
static const char *command_nat(struct emulator *emulator, char **words, int count) {
    unsigned paths = count == 3 ? parse_paths(words[1]) : 0;
    if (paths == 0) return "expected: nat A|B|AB on|off|rebind|move";
    int is_move = strcmp(words[2], "move") == 0, is_on = strcmp(words[2], "on") == 0;
    int is_rebind = is_move || strcmp(words[2], "rebind") == 0;
    if (!is_rebind && !is_on && strcmp(words[2], "off") != 0) return "expected: nat A|B|AB on|off|rebind|move";
    for (int path = 0; path < PATH_COUNT; path++) {
        if (!(paths >> path & 1)) continue;
        struct translator *translator = &emulator->paths[path].translator;
        if (is_rebind && !translator->is_on) return "nat: this path has no translation to rebind";
        if (is_move) translator_move(translator);
        else translator_rebind(translator);
        if (!is_rebind) translator->is_on = is_on;
    }
    return NULL;
}

/* interface A|B|AB up|down : the client's own end. */
static const char *command_interface(struct emulator *emulator, char **words, int count) {
    unsigned paths = count == 3 ? parse_paths(words[1]) : 0;
    int is_up = count == 3 && strcmp(words[2], "up") == 0;
    if (paths == 0 || (!is_up && strcmp(words[2], "down") != 0)) return "expected: interface A|B|AB up|down";
    for (int path = 0; path < PATH_COUNT; path++)
        if (paths >> path & 1 && side_set_up(&emulator->sides[SIDE_CLIENT], path, is_up) < 0)
            return "interface: the kernel refused";
    return NULL;
}

/* attack A|B ADDRESS PORT DELAY_US COUNT, or attack A|B off */
static const char *command_attack(struct emulator *emulator, char **words, int count) {
    unsigned paths = count > 2 ? parse_paths(words[1]) : 0;
    if (paths != 1 && paths != 2) return "expected: attack A|B ADDRESS PORT DELAY_US COUNT, or attack A|B off";
    struct attacker *attacker = &emulator->paths[paths - 1].attacker;
    if (count == 3 && strcmp(words[2], "off") == 0) {
        attacker->copies_left = 0;
        return NULL;
    }
    struct in_addr address;
    uint64_t port, delay_us, copies;
    if (count != 6 || inet_pton(AF_INET, words[2], &address) != 1 || parse_number(words[3], 1, 65535, &port) < 0
        || parse_number(words[4], 0, 60000000, &delay_us) < 0 || parse_number(words[5], 1, UINT64_MAX, &copies) < 0)
        return "expected: attack A|B ADDRESS PORT DELAY_US COUNT, or attack A|B off";
    attacker->address = ntohl(address.s_addr);
    attacker->port = (uint16_t)port;
    attacker->delay_us = (uint32_t)delay_us;
    attacker->copies_left = copies;
    return NULL;
}

static uint64_t lateness_quantile(const struct emulator *emulator, unsigned per_thousand) {
    uint64_t wanted = emulator->lateness_count * per_thousand / 1000, seen = 0;
    for (size_t i = 0; i <= LATENESS_BUCKETS; i++) {
        seen += emulator->lateness[i];
        if (seen > wanted) return (i + 1) * LATENESS_BUCKET_US;
    }
    return 0;
}

/** Appends to a line; what does not fit is cut off. */
#define APPEND(...) (used += used < capacity ? (size_t)snprintf(answer + used, capacity - used, __VA_ARGS__) : 0)

/* stats: one JSON object with every counter. Lateness is that since the last time. */
static void write_stats(struct emulator *emulator, uint64_t now_us, char *answer, size_t capacity) {
    size_t used = 0;
    APPEND("ok %" PRIu64 " {\"ignored\":%" PRIu64 ",\"overflow\":%" PRIu64, now_us, emulator->ignored, emulator->overflow);
    APPEND(",\"lateness_us\":{\"count\":%" PRIu64 ",\"median\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}",
           emulator->lateness_count, lateness_quantile(emulator, 500), lateness_quantile(emulator, 990),
           emulator->lateness_max_us);
    for (int path = 0; path < PATH_COUNT; path++) {
        const struct path_state *state = &emulator->paths[path];
        APPEND(",\"%c\":{\"nat_dropped\":%" PRIu64 ",\"attacker\":{\"sent_packets\":%" PRIu64 ",\"sent_bytes\":%" PRIu64
               ",\"received_packets\":%" PRIu64 ",\"received_bytes\":%" PRIu64 "}",
               'A' + path, state->translator.dropped, state->attacker.sent_packets, state->attacker.sent_bytes,
               state->attacker.received_packets, state->attacker.received_bytes);
        for (int direction = 0; direction < 2; direction++) {
            const struct lane *lane = &state->lanes[direction];
            APPEND(",\"%s\":{\"entered\":%" PRIu64 ",\"delivered\":%" PRIu64 ",\"lost\":%" PRIu64 ",\"blackholed\":%" PRIu64
                   ",\"duplicated\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"overrun\":%" PRIu64 ",\"bytes\":%" PRIu64
                   ",\"delivered_bytes\":%" PRIu64 "}",
                   direction == DIRECTION_UP ? "up" : "down", lane->entered, lane->delivered, lane->lost,
                   lane->blackholed, lane->duplicated, lane->refused, lane->overrun, lane->bytes, lane->delivered_bytes);
        }
        APPEND("}");
    }
    APPEND("}");
    memset(emulator->lateness, 0, sizeof emulator->lateness);
    emulator->lateness_count = emulator->lateness_max_us = 0;
}

static const char *command_seed(struct emulator *emulator, char **words, int count) {
    uint64_t seed;
    if (count != 2 || parse_number(words[1], 0, UINT64_MAX, &seed) < 0) return "expected: seed NUMBER";
    emulator_seed(emulator, seed);
    return NULL;
}

int command_run(struct emulator *emulator, char *line, char *answer, size_t capacity) {
    char *words[WORDS_MAX], *rest = line;
    int count = 0;
    uint64_t now_us = clock_us();
    while (count < WORDS_MAX && (words[count] = strtok_r(count == 0 ? line : NULL, " \t\r", &rest)) != NULL) count++;
    const char *problem = "expected one of: set nat interface attack seed stats quit";
    if (count > 0 && strcmp(words[0], "stats") == 0) {
        write_stats(emulator, now_us, answer, capacity);
        return 0;
    }
    int is_quit = count == 1 && strcmp(words[0], "quit") == 0;
    if (is_quit) problem = NULL;
    else if (count > 0 && strcmp(words[0], "set") == 0) problem = command_set(emulator, words, count);
    else if (count > 0 && strcmp(words[0], "nat") == 0) problem = command_nat(emulator, words, count);
    else if (count > 0 && strcmp(words[0], "interface") == 0) problem = command_interface(emulator, words, count);
    else if (count > 0 && strcmp(words[0], "attack") == 0) problem = command_attack(emulator, words, count);
    else if (count > 0 && strcmp(words[0], "seed") == 0) problem = command_seed(emulator, words, count);
    snprintf(answer, capacity, "%s %" PRIu64 "%s%s", problem == NULL ? "ok" : "error", now_us,
             problem == NULL ? "" : " ", problem == NULL ? "" : problem);
    return is_quit;
}
