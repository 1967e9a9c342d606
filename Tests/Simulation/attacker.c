/* The attacker on the path: it sees, records, copies, holds back, bends and relays. It has no keys. */
#include <stdlib.h>
#include <string.h>
#include "attacker_parts.h"

const struct attack_traits attack_traits[ATTACK_COUNT] = {
    [ATTACK_REPLAY_NOW] = { "replay_now", 300000, false },
    [ATTACK_REPLAY_LATER] = { "replay_later", 300000, false },
    [ATTACK_REPLAY_AFTER_JUMP] = { "replay_after_jump", 500000, false },
    [ATTACK_REPLAY_HANDSHAKE] = { "replay_handshake", 20, true },
    [ATTACK_RACE] = { "race", 300000, false },
    [ATTACK_RACE_ONLY_LONG] = { "race_only_long", 1000000, false },
    [ATTACK_HOLD_BACK] = { "hold_back", 50000, false },
    [ATTACK_REDIRECT] = { "redirect", 50000, false },
    [ATTACK_TRUNCATE] = { "truncate", 300000, false },
    [ATTACK_FLIP] = { "flip", 300000, false },
    [ATTACK_FORGE] = { "forge", 300000, false },
    [ATTACK_SWALLOW] = { "swallow", 50000, false },
    [ATTACK_RELAY] = { "relay", 1, false },
    [ATTACK_RELAY_COPIES] = { "relay_copies", 1, false },
    [ATTACK_FLOOD_RANDOM] = { "flood_random", 500, true },
    [ATTACK_FLOOD_DATA] = { "flood_data", 500, true },
    [ATTACK_FLOOD_INIT] = { "flood_init", 300, true },
    [ATTACK_FLOOD_INIT_COOKIE] = { "flood_init_cookie", 300, true },
    [ATTACK_FLOOD_REPLIES] = { "flood_replies", 100, true },
};

const char *attack_name(enum attack attack)
{
    return attack < ATTACK_COUNT ? attack_traits[attack].name : "none";
}

enum attack attack_from_name(const char *name)
{
    int i = 0;
    while (i < ATTACK_COUNT && strcmp(attack_traits[i].name, name)) i++;
    return (enum attack)i;
}

uint32_t attack_strongest(enum attack attack)
{
    return attack < ATTACK_COUNT ? attack_traits[attack].strongest : 0;
}

/* ------------------------------------------------------------------------------------------------------------- randomness */

uint64_t attacker_random(struct attacker *attacker)
{
    uint64_t value = attacker->random += 0x9e3779b97f4a7c15u;    /* splitmix64 */
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

uint64_t attacker_random_below(struct attacker *attacker, uint64_t bound)
{
    return bound ? attacker_random(attacker) % bound : 0;
}

static bool strikes(struct attacker *attacker, enum attack attack)
{
    return attacker->intensity[attack] && attacker_random(attacker) % 1000000 < attacker->intensity[attack];
}

/* Log-uniform, so that short and long delays are tried alike. */
static uint64_t delay_between(struct attacker *attacker, uint64_t least, uint64_t most)
{
    uint64_t delay = least;
    while (delay < most && attacker_random_below(attacker, 4)) delay *= 2;
    delay += attacker_random_below(attacker, delay);
    return delay < most ? delay : most;
}

/* ----------------------------------------------------------------------------------------------------------------- queue */

static bool is_before(const struct waiting *a, const struct waiting *b)
{
    return a->due < b->due || (a->due == b->due && a->order < b->order);
}

static void swap_waiting(struct waiting **a, struct waiting **b)
{
    struct waiting *other = *a;
    *a = *b;
    *b = other;
}

void attacker_inject(struct attacker *attacker, enum attack attack, const struct wire_datagram *datagram, jmp_time due, bool is_racing)
{
    if (attacker->queue_count == QUEUE_CAP || datagram->length > DATAGRAM_CAP) return;
    struct waiting *waiting = malloc(sizeof *waiting);
    if (!waiting) abort();
    waiting->injection = (struct injection){ .datagram = *datagram, .attack = attack, .is_racing = is_racing };
    waiting->due = due;
    waiting->order = attacker->order++;
    if (datagram->length) memcpy(waiting->bytes, datagram->bytes, datagram->length);
    waiting->injection.datagram.bytes = waiting->bytes;
    size_t i = attacker->queue_count++;
    attacker->queue[i] = waiting;
    for (; i > 0 && is_before(attacker->queue[i], attacker->queue[(i - 1) / 2]); i = (i - 1) / 2)
        swap_waiting(&attacker->queue[i], &attacker->queue[(i - 1) / 2]);
}

static struct waiting *take_first(struct attacker *attacker)
{
    struct waiting *first = attacker->queue[0];
    attacker->queue[0] = attacker->queue[--attacker->queue_count];
    for (size_t i = 0;;) {
        size_t least = i, left = 2 * i + 1;
        if (left < attacker->queue_count && is_before(attacker->queue[left], attacker->queue[least])) least = left;
        if (left + 1 < attacker->queue_count && is_before(attacker->queue[left + 1], attacker->queue[least])) least = left + 1;
        if (least == i) return first;
        swap_waiting(&attacker->queue[i], &attacker->queue[least]);
        i = least;
    }
}

jmp_time attacker_due(const struct attacker *attacker)
{
    jmp_time due = attacker->queue_count ? attacker->queue[0]->due : JMP_TIME_NONE;
    jmp_time flood = flood_due(attacker);
    return flood < due ? flood : due;
}

bool attacker_next(struct attacker *attacker, jmp_time now, struct injection *injection)
{
    flood_until(attacker, now);
    if (!attacker->queue_count || attacker->queue[0]->due > now) return false;
    free(attacker->handed_out);
    attacker->handed_out = take_first(attacker);
    *injection = attacker->handed_out->injection;
    attacker->injected[injection->attack]++;
    return true;
}

/* ---------------------------------------------------------------------------------------------------------- begin and end */

struct attacker *attacker_new(uint64_t seed, struct ledger *ledger)
{
    struct attacker *attacker = calloc(1, sizeof *attacker);
    if (!attacker) abort();
    attacker->random = seed;
    attacker->ledger = ledger;
    for (int i = 0; i < ATTACK_COUNT; i++) attacker->next_flood[i] = JMP_TIME_NONE;
    return attacker;
}

void attacker_free(struct attacker *attacker)
{
    if (!attacker) return;
    while (attacker->queue_count) free(take_first(attacker));
    free(attacker->handed_out);
    free(attacker);
}

void attacker_tap(struct attacker *attacker, uint32_t link, bool is_tapped)
{
    if (link < LINKS) attacker->is_tapped[link] = is_tapped;
}

void attacker_target(struct attacker *attacker, uint32_t link, const jmp_address *gateway)
{
    if (link < LINKS) attacker->target[link] = *gateway;
}

void attacker_set(struct attacker *attacker, enum attack attack, uint32_t intensity, jmp_time now)
{
    if (attack >= ATTACK_COUNT) return;
    attacker->intensity[attack] = intensity;
    if (attack_traits[attack].is_per_second) attacker->next_flood[attack] = intensity ? now : JMP_TIME_NONE;
}

void attacker_add_counts(const struct attacker *attacker, uint64_t *counts)
{
    for (int i = 0; i < ATTACK_COUNT; i++) counts[i] += attacker->injected[i];
}

/* ---------------------------------------------------------------------------------------------------------- own addresses */

/* TEST-NET-3 (RFC 5737): .1 sends and never listens, .2 relays. One port a flow. */
static jmp_address own_address(uint8_t host, uint32_t port)
{
    jmp_address address = { .length = 6, .prefix_length = 4, .bytes = { 203, 0, 113, host, (uint8_t)(port >> 8), (uint8_t)port } };
    return address;
}

bool attacker_owns(const struct attacker *attacker, const jmp_address *address)
{
    (void)attacker;
    return address->length == 6 && address->bytes[0] == 203 && address->bytes[1] == 0 && address->bytes[2] == 113;
}

/* The flow of a client on a link; the oldest makes room. */
static struct flow *flow_of(struct attacker *attacker, const struct wire_datagram *datagram)
{
    const jmp_address *client = datagram->is_toward_gateway ? &datagram->from : &datagram->to;
    const jmp_address *gateway = datagram->is_toward_gateway ? &datagram->to : &datagram->from;
    for (uint32_t i = 0; i < FLOWS; i++) {
        struct flow *flow = &attacker->flows[i];
        if (flow->is_used && flow->link == datagram->link && is_same_address(&flow->client, client)) return flow;
    }
    struct flow *flow = &attacker->flows[attacker->next_flow++ % FLOWS];
    *flow = (struct flow){ .is_used = true, .link = datagram->link, .client = *client, .gateway = *gateway };
    /* Ports are never used for another flow: what was relayed once says nothing of the next. */
    flow->sender = own_address(1, 1024 + attacker->next_flow % 60000);
    flow->relay = own_address(2, 1024 + attacker->next_flow % 60000);
    ledger_attacker_address(attacker->ledger, &flow->sender);
    ledger_attacker_address(attacker->ledger, &flow->relay);
    return flow;
}

/* -------------------------------------------------------------------------------------------------------------- attacks */

static void keep_record(struct attacker *attacker, const struct wire_datagram *datagram)
{
    bool is_handshake = datagram->length > 0 && (datagram->bytes[0] & 0xc0) == 0xc0;
    struct recorded *recorded = is_handshake ? &attacker->handshakes[attacker->handshake_count++ % HANDSHAKES_KEPT]
                                             : &attacker->record[attacker->record_count++ % RECORD_CAP];
    recorded->datagram = *datagram;
    memcpy(recorded->bytes, datagram->bytes, datagram->length);
    recorded->datagram.bytes = recorded->bytes;
    if (!is_handshake && datagram->is_toward_gateway && datagram->length >= 3) memcpy(attacker->node_tag, datagram->bytes + 1, 2);
}

static void bend(struct attacker *attacker, const struct wire_datagram *datagram, jmp_time now)
{
    uint8_t bytes[DATAGRAM_CAP];
    struct wire_datagram copy = *datagram;
    copy.bytes = bytes;
    memcpy(bytes, datagram->bytes, datagram->length);
    if (strikes(attacker, ATTACK_TRUNCATE) && datagram->length > 1) {
        copy.length = (uint32_t)attacker_random_below(attacker, datagram->length);
        attacker_inject(attacker, ATTACK_TRUNCATE, &copy, now, attacker_random(attacker) & 1);
        copy.length = datagram->length;
    }
    if (strikes(attacker, ATTACK_FLIP)) {
        for (uint64_t n = 1 + attacker_random_below(attacker, 3); n > 0; n--)
            bytes[attacker_random_below(attacker, datagram->length)] ^= (uint8_t)(1u << attacker_random_below(attacker, 8));
        attacker_inject(attacker, ATTACK_FLIP, &copy, now, attacker_random(attacker) & 1);
        memcpy(bytes, datagram->bytes, datagram->length);
    }
    if (strikes(attacker, ATTACK_FORGE)) {
        copy.length = 30 + (uint32_t)attacker_random_below(attacker, 200);
        for (uint32_t i = datagram->length < 9 ? datagram->length : 9; i < copy.length; i++) bytes[i] = (uint8_t)attacker_random(attacker);
        if (attacker_random(attacker) & 1 && copy.is_toward_gateway) copy.from = flow_of(attacker, datagram)->sender;
        attacker_inject(attacker, ATTACK_FORGE, &copy, now, attacker_random(attacker) & 1);
    }
}

static void replay(struct attacker *attacker, const struct wire_datagram *datagram, jmp_time now)
{
    if (strikes(attacker, ATTACK_REPLAY_NOW))
        attacker_inject(attacker, ATTACK_REPLAY_NOW, datagram, now + attacker_random_below(attacker, 2000), false);
    if (strikes(attacker, ATTACK_REPLAY_LATER)) {
        uint32_t kept = attacker->record_count < RECORD_CAP ? attacker->record_count : RECORD_CAP;
        const struct recorded *recorded = &attacker->record[attacker_random_below(attacker, kept)];
        if (kept) attacker_inject(attacker, ATTACK_REPLAY_LATER, &recorded->datagram, now + delay_between(attacker, 10000, 60000000), false);
    }
    if (!datagram->is_toward_gateway) return;
    bool is_request_sized = datagram->length >= 50 && datagram->length <= 120;
    enum attack race = strikes(attacker, ATTACK_RACE) ? ATTACK_RACE
        : is_request_sized && strikes(attacker, ATTACK_RACE_ONLY_LONG) ? ATTACK_RACE_ONLY_LONG : ATTACK_COUNT;
    if (race == ATTACK_COUNT) return;
    struct wire_datagram copy = *datagram;
    copy.from = flow_of(attacker, datagram)->sender;
    attacker_inject(attacker, race, &copy, now, true);
}

/* Elsewhere: another tapped link, or another source. */
static void redirect(struct attacker *attacker, const struct wire_datagram *datagram, jmp_time now)
{
    struct wire_datagram copy = *datagram;
    uint32_t link = (uint32_t)attacker_random_below(attacker, LINKS);
    for (uint32_t n = 0; n < LINKS; n++, link = (link + 1) % LINKS)
        if (attacker->is_tapped[link] && attacker->target[link].length && link != datagram->link) break;
    bool is_elsewhere = attacker->is_tapped[link] && attacker->target[link].length && attacker_random(attacker) & 1;
    if (is_elsewhere) {
        copy.link = link;
        *(copy.is_toward_gateway ? &copy.to : &copy.from) = attacker->target[link];
    } else {
        copy.from = flow_of(attacker, datagram)->sender;
    }
    attacker_inject(attacker, ATTACK_REDIRECT, &copy, now + attacker_random_below(attacker, 20000), false);
}

static bool relay(struct attacker *attacker, const struct wire_datagram *datagram, jmp_time now)
{
    if (!attacker->intensity[ATTACK_RELAY] || !datagram->is_toward_gateway) return false;
    struct flow *flow = flow_of(attacker, datagram);
    struct wire_datagram copy = *datagram;
    copy.from = flow->relay;
    /* From here on it may answer challenges for the client. */
    ledger_attacker_relays(attacker->ledger, &flow->relay);
    attacker_inject(attacker, ATTACK_RELAY, &copy, now, attacker->intensity[ATTACK_RELAY_COPIES]);
    return !attacker->intensity[ATTACK_RELAY_COPIES];
}

bool attacker_see(struct attacker *attacker, const struct wire_datagram *datagram, jmp_time now)
{
    if (datagram->link >= LINKS || !attacker->is_tapped[datagram->link] || !datagram->length || datagram->length > DATAGRAM_CAP) return true;
    if (datagram->is_toward_gateway && !attacker->target[datagram->link].length) attacker->target[datagram->link] = datagram->to;
    attacker->last_client = datagram->is_toward_gateway ? datagram->from : datagram->to;
    attacker->last_link = datagram->link;
    keep_record(attacker, datagram);
    if (relay(attacker, datagram, now)) return false;
    bend(attacker, datagram, now);
    replay(attacker, datagram, now);
    if (strikes(attacker, ATTACK_SWALLOW)) return false;
    if (strikes(attacker, ATTACK_HOLD_BACK)) {
        attacker_inject(attacker, ATTACK_HOLD_BACK, datagram, now + delay_between(attacker, 10000, 20000000), false);
        return false;
    }
    if (strikes(attacker, ATTACK_REDIRECT)) {
        redirect(attacker, datagram, now);
        return false;
    }
    return true;
}

void attacker_caught(struct attacker *attacker, const struct wire_datagram *datagram, jmp_time now)
{
    if (!attacker->intensity[ATTACK_RELAY]) return;
    for (uint32_t i = 0; i < FLOWS; i++) {
        const struct flow *flow = &attacker->flows[i];
        if (!flow->is_used || !is_same_address(&flow->relay, &datagram->to)) continue;
        struct wire_datagram copy = *datagram;
        copy.to = flow->client;
        copy.is_toward_gateway = false;
        attacker_inject(attacker, ATTACK_RELAY, &copy, now, false);
    }
}

void attacker_jumped(struct attacker *attacker, jmp_time now)
{
    uint32_t kept = attacker->record_count < RECORD_CAP ? attacker->record_count : RECORD_CAP;
    for (uint32_t n = 1; n <= kept && n <= REPLAYED_AT_JUMP; n++) {
        const struct recorded *recorded = &attacker->record[(attacker->record_count - n) % RECORD_CAP];
        if (!strikes(attacker, ATTACK_REPLAY_AFTER_JUMP)) continue;
        struct wire_datagram copy = recorded->datagram;
        if (copy.is_toward_gateway && attacker_random(attacker) & 1) copy.from = flow_of(attacker, &recorded->datagram)->sender;
        attacker_inject(attacker, ATTACK_REPLAY_AFTER_JUMP, &copy, now + attacker_random_below(attacker, 50000), false);
    }
}
