/* The attacker off the path: it sees nothing, and sends anything from anywhere (ThreatModel, "Actors"). */
#include <string.h>
#include "attacker_parts.h"

/* What a flood may be behind by, when the world has slept: the rest is forgotten. */
#define LARGEST_BURST 64u

/* RFC 2544's network for tests; many sources, so that their token buckets are many. */
static jmp_address spoofed_address(struct attacker *attacker)
{
    uint64_t random = attacker_random(attacker);
    jmp_address address = { .length = 6, .prefix_length = 4 };
    address.bytes[0] = 198;
    address.bytes[1] = (uint8_t)(18 + (random & 1));
    address.bytes[2] = (uint8_t)(random >> 8);
    address.bytes[3] = (uint8_t)(random >> 16);
    address.bytes[4] = (uint8_t)(4 + ((random >> 24) & 3));
    address.bytes[5] = (uint8_t)(random >> 32);
    return address;
}

static bool pick_target(struct attacker *attacker, struct wire_datagram *datagram)
{
    uint32_t link = (uint32_t)attacker_random_below(attacker, LINKS);
    for (uint32_t n = 0; n < LINKS; n++, link = (link + 1) % LINKS) {
        if (!attacker->target[link].length) continue;
        datagram->link = link;
        datagram->is_toward_gateway = true;
        datagram->to = attacker->target[link];
        datagram->from = spoofed_address(attacker);
        return true;
    }
    return false;
}

static void fill_random(struct attacker *attacker, uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(attacker_random(attacker) >> 24);
}

/* WireProtocol, "Handshake": right lengths, so that only what needs a key or a cookie is wrong. */
static uint32_t write_init(struct attacker *attacker, uint8_t *bytes, bool has_cookie)
{
    bool is_ik = attacker_random(attacker) & 1;
    static const uint8_t version[] = { 0, 0, 0, 1 };
    uint32_t length = 0;
    bytes[length++] = 0xc1;
    memcpy(bytes + length, version, sizeof version);
    length += sizeof version;
    fill_random(attacker, bytes + length, 8);
    length += 8;
    bytes[length++] = is_ik ? 2 : 1;
    bytes[length++] = 0;
    bytes[length++] = has_cookie ? 17 : 0;
    if (has_cookie) {
        fill_random(attacker, bytes + length, 17);
        bytes[length] = (uint8_t)attacker_random_below(attacker, 4);    /* the slot, likely a present one */
        length += 17;
    }
    fill_random(attacker, bytes + length, is_ik ? 288 : 240);
    return length + (is_ik ? 288 : 240);
}

static uint32_t write_reply(struct attacker *attacker, uint8_t *bytes)
{
    bool is_cookie = attacker_random(attacker) & 1;
    uint32_t kept = attacker->handshake_count < HANDSHAKES_KEPT ? attacker->handshake_count : HANDSHAKES_KEPT;
    const struct recorded *seen = &attacker->handshakes[attacker_random_below(attacker, kept)];
    uint32_t length = is_cookie ? 26 : 198 + (uint32_t)attacker_random_below(attacker, 32);
    fill_random(attacker, bytes, length);
    /* The handshake id of one that passed by, when there is one (so this flood is on the path's side). */
    if (kept && seen->datagram.length >= 13) memcpy(bytes + 1, seen->bytes + (seen->bytes[0] == 0xc1 ? 5 : 1), 8);
    bytes[0] = is_cookie ? 0xc3 : 0xc2;
    return length;
}

static void replay_handshake(struct attacker *attacker, jmp_time due)
{
    uint32_t kept = attacker->handshake_count < HANDSHAKES_KEPT ? attacker->handshake_count : HANDSHAKES_KEPT;
    if (!kept) return;
    struct wire_datagram copy = attacker->handshakes[attacker_random_below(attacker, kept)].datagram;
    if (copy.is_toward_gateway && attacker_random(attacker) & 1) copy.from = spoofed_address(attacker);
    attacker_inject(attacker, ATTACK_REPLAY_HANDSHAKE, &copy, due, false);
}

static void flood_once(struct attacker *attacker, enum attack attack, jmp_time due)
{
    uint8_t bytes[DATAGRAM_CAP];
    struct wire_datagram datagram = { .bytes = bytes };
    if (attack == ATTACK_REPLAY_HANDSHAKE) {
        replay_handshake(attacker, due);
        return;
    }
    if (!pick_target(attacker, &datagram)) return;
    switch (attack) {
    case ATTACK_FLOOD_DATA:
        datagram.length = 30 + (uint32_t)attacker_random_below(attacker, 300);
        fill_random(attacker, bytes, datagram.length);
        bytes[0] = (uint8_t)(0x40 | (bytes[0] & 0x3f));
        if (attacker_random(attacker) & 1) memcpy(bytes + 1, attacker->node_tag, 2);
        break;
    case ATTACK_FLOOD_INIT:
    case ATTACK_FLOOD_INIT_COOKIE:
        datagram.length = write_init(attacker, bytes, attack == ATTACK_FLOOD_INIT_COOKIE);
        break;
    case ATTACK_FLOOD_REPLIES:
        if (!attacker->last_client.length || !attacker->target[attacker->last_link].length) return;
        datagram.link = attacker->last_link;
        datagram.is_toward_gateway = false;
        datagram.from = attacker->target[datagram.link];
        datagram.to = attacker->last_client;
        datagram.length = write_reply(attacker, bytes);
        break;
    default:
        datagram.length = (uint32_t)attacker_random_below(attacker, DATAGRAM_CAP);
        fill_random(attacker, bytes, datagram.length);
        break;
    }
    attacker_inject(attacker, attack, &datagram, due, false);
}

jmp_time flood_due(const struct attacker *attacker)
{
    jmp_time due = JMP_TIME_NONE;
    for (int i = 0; i < ATTACK_COUNT; i++)
        if (attacker->next_flood[i] < due) due = attacker->next_flood[i];
    return due;
}

void flood_until(struct attacker *attacker, jmp_time now)
{
    for (int i = 0; i < ATTACK_COUNT; i++) {
        if (!attack_traits[i].is_per_second || !attacker->intensity[i]) continue;
        uint64_t pause = 1000000 / attacker->intensity[i] + 1;
        for (uint32_t n = 0; attacker->next_flood[i] <= now; n++) {
            if (n == LARGEST_BURST) attacker->next_flood[i] = now;
            flood_once(attacker, (enum attack)i, attacker->next_flood[i]);
            attacker->next_flood[i] += 1 + attacker_random_below(attacker, 2 * pause);
        }
    }
}
