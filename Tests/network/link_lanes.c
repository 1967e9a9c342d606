/* What happens to a packet between the two ends: loss, a bottleneck, delay,
 * duplication, address translation and the attacker's copies. */
#include "link.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define MILLION 1000000u
#define FIRST_OUTSIDE_PORT 42000

uint64_t clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * MILLION + (uint64_t)now.tv_nsec / 1000;
}

/* SplitMix64: one 64-bit state per lane, so that one lane's traffic does not
 * change what happens to another's. */
static uint64_t random_next(struct lane *lane) {
    uint64_t z = lane->random_state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t random_below(struct lane *lane, uint32_t bound) {
    return bound == 0 ? 0 : (uint32_t)(random_next(lane) % bound);
}

void emulator_seed(struct emulator *emulator, uint64_t seed) {
    for (int path = 0; path < PATH_COUNT; path++)
        for (int direction = 0; direction < 2; direction++)
            emulator->paths[path].lanes[direction].random_state
                = seed * 0x2545f4914f6cdd1du + (uint64_t)(path * 2 + direction) * 0x632be59bd9b4e019u;
}

void emulator_reset(struct emulator *emulator, uint64_t seed) {
    memset(emulator->paths, 0, sizeof emulator->paths);
    for (int path = 0; path < PATH_COUNT; path++) {
        emulator->paths[path].lanes[DIRECTION_UP].reorder = 1;
        emulator->paths[path].lanes[DIRECTION_DOWN].reorder = 1;
        emulator->paths[path].translator.next_port = FIRST_OUTSIDE_PORT;
        emulator->paths[path].translator.outside_host = CLIENT_HOST;
    }
    emulator_seed(emulator, seed);
}

/* ------------------------------------------------------- address translation */

void translator_rebind(struct translator *translator) {
    translator->count = 0;
}

void translator_move(struct translator *translator) {
    translator_rebind(translator);
    translator->outside_host++;
}

static uint16_t outside_port(struct translator *translator, uint16_t inside_port) {
    for (unsigned i = 0; i < translator->count; i++)
        if (translator->mappings[i].inside_port == inside_port) return translator->mappings[i].outside_port;
    if (translator->count == NAT_MAPPINGS) translator->count = 0;
    struct mapping *mapping = &translator->mappings[translator->count++];
    mapping->inside_port = inside_port;
    mapping->outside_port = translator->next_port++;
    return mapping->outside_port;
}

/* 0 when nobody inside has the port. */
static uint16_t inside_port(const struct translator *translator, uint16_t outside) {
    for (unsigned i = 0; i < translator->count; i++)
        if (translator->mappings[i].outside_port == outside) return translator->mappings[i].inside_port;
    return 0;
}

/* ------------------------------------------------------------------- lanes */

/* Packets leave the bottleneck one after the other. When this one will have left it; 0 when its queue has no room. */
static uint64_t through_bottleneck(struct lane *lane, size_t length, uint64_t now_us) {
    uint64_t now_ns = now_us * 1000;
    if (lane->rate_kbps == 0) return now_us;
    if (lane->free_at_ns < now_ns) lane->free_at_ns = now_ns;
    uint64_t waiting_bytes = (lane->free_at_ns - now_ns) * lane->rate_kbps / 8000000;
    if (lane->queue_bytes != 0 && waiting_bytes + length > lane->queue_bytes) return 0;
    lane->free_at_ns += length * 8000000 / lane->rate_kbps;
    return (lane->free_at_ns + 999) / 1000;
}

static void schedule(struct lane *lane, struct queued *packet, uint64_t now_us) {
    uint64_t left_us = through_bottleneck(lane, packet->length, now_us);
    if (left_us == 0) {
        lane->overrun++;
        queue_release(packet);
        return;
    }
    packet->due_us = left_us + lane->delay_us + random_below(lane, lane->jitter_us + 1);
    if (!lane->reorder && packet->due_us < lane->last_due_us) packet->due_us = lane->last_due_us;
    if (packet->due_us > lane->last_due_us) lane->last_due_us = packet->due_us;
    queue_push(packet);
}

static struct queued *copy_of(struct emulator *emulator, const struct queued *packet) {
    struct queued *copy = queue_take();
    if (copy == NULL) {
        emulator->overflow++;
        return NULL;
    }
    memcpy(copy, packet, offsetof(struct queued, bytes) + packet->length);
    return copy;
}

/* What the limit of RFC 9000 §8 counts: UDP payload. A reply of many short datagrams has more headers than the few it answers. */
static size_t payload_length(const struct queued *packet, const struct packet_fields *fields) {
    return packet->length - (size_t)(fields->ports - packet->bytes) - 8;
}

static void attack(struct emulator *emulator, struct attacker *attacker, const struct queued *packet, uint64_t now_us) {
    if (attacker->address == 0 || attacker->copies_left == 0) return;
    struct queued *copy = copy_of(emulator, packet);
    if (copy == NULL) return;
    struct packet_fields fields;
    if (packet_parse(copy->bytes, copy->length, &fields) < 0 || !fields.is_udp) {
        queue_release(copy);
        return;
    }
    packet_set_source(&fields, attacker->address, attacker->port);
    copy->is_copy = 1;
    copy->due_us = now_us + attacker->delay_us;
    attacker->copies_left--;
    attacker->sent_packets++;
    attacker->sent_bytes += payload_length(copy, &fields);
    queue_push(copy);
}

/* Packets to anyone but the client end here: only the attacker listens there.
 * With translation on, those to a forgotten port end here too. 1: goes on. */
static int passes_gateway_end(struct path_state *path, int path_index, struct queued *packet) {
    struct packet_fields fields;
    if (packet_parse(packet->bytes, packet->length, &fields) < 0) return 0;
    int host = path->translator.is_on ? path->translator.outside_host : CLIENT_HOST;
    if (fields.destination_address != path_address(path_index, host)) {
        path->attacker.received_packets++;
        path->attacker.received_bytes += payload_length(packet, &fields);
        return 0;
    }
    if (!path->translator.is_on) return 1;
    uint16_t port = inside_port(&path->translator, fields.destination_port);
    if (port == 0) {
        path->translator.dropped++;
        return 0;
    }
    packet_set_destination(&fields, path_address(path_index, CLIENT_HOST), port);
    return 1;
}

void emulator_enter(struct emulator *emulator, int path_index, int direction, struct queued *packet, uint64_t now_us) {
    struct path_state *path = &emulator->paths[path_index];
    struct lane *lane = &path->lanes[direction];
    struct packet_fields fields;
    packet->path = (uint8_t)path_index;
    packet->direction = (uint8_t)direction;
    packet->is_copy = 0;
    if (packet_parse(packet->bytes, packet->length, &fields) < 0) {
        emulator->ignored++;
        queue_release(packet);
        return;
    }
    if (direction == DIRECTION_DOWN && !passes_gateway_end(path, path_index, packet)) {
        queue_release(packet);
        return;
    }
    lane->entered++;
    lane->bytes += packet->length;
    if (direction == DIRECTION_UP) attack(emulator, &path->attacker, packet, now_us);
    if (lane->blackhole) {
        lane->blackholed++;
        queue_release(packet);
        return;
    }
    if (random_below(lane, MILLION) < lane->loss_ppm) {
        lane->lost++;
        queue_release(packet);
        return;
    }
    if (random_below(lane, MILLION) < lane->duplicate_ppm) {
        struct queued *copy = copy_of(emulator, packet);
        if (copy != NULL) {
            lane->duplicated++;
            schedule(lane, copy, now_us);
        }
    }
    schedule(lane, packet, now_us);
}

static void note_lateness(struct emulator *emulator, uint64_t due_us, uint64_t now_us) {
    uint64_t late_us = now_us > due_us ? now_us - due_us : 0;
    uint64_t bucket = late_us / LATENESS_BUCKET_US;
    emulator->lateness[bucket > LATENESS_BUCKETS ? LATENESS_BUCKETS : bucket]++;
    emulator->lateness_count++;
    if (late_us > emulator->lateness_max_us) emulator->lateness_max_us = late_us;
}

void emulator_deliver(struct emulator *emulator) {
    struct queued *packet;
    while ((packet = queue_first()) != NULL) {
        uint64_t now_us = clock_us();
        if (packet->due_us > now_us) return;
        queue_pop();
        note_lateness(emulator, packet->due_us, now_us);
        struct path_state *path = &emulator->paths[packet->path];
        struct lane *lane = &path->lanes[packet->direction];
        int side = packet->direction == DIRECTION_UP ? SIDE_GATEWAY : SIDE_CLIENT;
        struct packet_fields fields;
        if (packet->direction == DIRECTION_UP && path->translator.is_on && !packet->is_copy
            && packet_parse(packet->bytes, packet->length, &fields) == 0)
            packet_set_source(&fields, path_address(packet->path, path->translator.outside_host),
                              outside_port(&path->translator, fields.source_port));
        /* A device that is down refuses the packet: lost, as on a real link. */
        if (write(emulator->sides[side].device_fd[packet->path], packet->bytes, packet->length) < 0) {
            lane->refused++;
        } else {
            lane->delivered++;
            lane->delivered_bytes += packet->length;
        }
        queue_release(packet);
    }
}
