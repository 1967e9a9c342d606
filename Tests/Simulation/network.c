#include "network.h"

#include <stdlib.h>
#include <string.h>

enum {
    BAD_SPELL_LOSS_PPM = 800000,    /* Gilbert-Elliott: loss in the bad state */
    FIRST_PORT = 40000,
    LAST_PORT = 60000,
    SLOWEST_PROBES_US = 20000000    /* an idle session keeps a mapping alive that is not forgotten sooner (idle_heartbeat 15 s) */
};

const uint32_t network_classes[NETWORK_MAX_LINKS] = { JMP_CLASS_WIFI, JMP_CLASS_CELLULAR, JMP_CLASS_WIRED, JMP_CLASS_SATELLITE };

/* ------------------------------------------------------------------ addresses */

static jmp_address address_of(uint32_t link, uint32_t host, uint16_t port)
{
    jmp_address address = { .length = 6, .prefix_length = 4,
                            .bytes = { 10, (uint8_t)link, 0, (uint8_t)host, (uint8_t)(port >> 8), (uint8_t)port } };
    return address;
}

jmp_address network_gateway_address(uint32_t link)
{
    return address_of(link, 1, NETWORK_GATEWAY_PORT);
}

bool network_same_address(const jmp_address *left, const jmp_address *right)
{
    return left->length == right->length && !memcmp(left->bytes, right->bytes, left->length);
}

/* The same host under a port nobody on this link had lately. */
static void take_another_port(struct network *network, uint32_t link, jmp_address *address)
{
    uint16_t port = network->next_port[link]++;
    if (network->next_port[link] == LAST_PORT) network->next_port[link] = FIRST_PORT;
    address->bytes[4] = (uint8_t)(port >> 8);
    address->bytes[5] = (uint8_t)port;
}

/* ---------------------------------------------------------- beginning and end */

void network_open(struct network *network, uint32_t clients, uint32_t links, uint64_t seed)
{
    memset(network, 0, sizeof *network);
    network->clients = clients;
    network->links = links;
    for (uint32_t l = 0; l < links; l++) network->next_port[l] = FIRST_PORT;
    for (uint32_t c = 0; c < clients; c++)
        for (uint32_t l = 0; l < links; l++) {
            struct link *link = &network->link[c][l];
            link->nat.address = address_of(l, 2 + c, 0);
            take_another_port(network, l, &link->nat.address);
            for (int d = 0; d < DIRECTIONS; d++)
                link->directions[d].random = random_stream(seed, 1000 + (c * NETWORK_MAX_LINKS + l) * DIRECTIONS + (uint32_t)d);
        }
}

void network_close(struct network *network)
{
    for (size_t i = 0; i < network->count; i++) free(network->heap[i]);
    while (network->free) {
        struct packet *packet = network->free;
        network->free = packet->next_free;
        free(packet);
    }
    free(network->heap);
    memset(network, 0, sizeof *network);
}

/* ----------------------------------------------------------------- the queue */

static bool is_before(const struct packet *left, const struct packet *right)
{
    return left->due != right->due ? left->due < right->due : left->order < right->order;
}

static struct packet *new_packet(struct network *network)
{
    struct packet *packet = network->free;
    if (packet) network->free = packet->next_free;
    else if (!(packet = malloc(sizeof *packet))) abort();
    return packet;
}

void network_release(struct network *network, struct packet *packet)
{
    packet->next_free = network->free;
    network->free = packet;
}

static void push(struct network *network, struct packet *packet)
{
    if (network->count == network->capacity) {
        network->capacity = network->capacity ? 2 * network->capacity : 256;
        network->heap = realloc(network->heap, network->capacity * sizeof *network->heap);
        if (!network->heap) abort();
    }
    packet->order = network->order++;
    size_t at = network->count++;
    while (at > 0 && is_before(packet, network->heap[(at - 1) / 2])) {
        network->heap[at] = network->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    network->heap[at] = packet;
}

jmp_time network_next(const struct network *network)
{
    return network->count ? network->heap[0]->due : JMP_TIME_NONE;
}

struct packet *network_take(struct network *network, jmp_time now)
{
    if (!network->count || network->heap[0]->due > now) return NULL;
    struct packet *first = network->heap[0], *last = network->heap[--network->count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= network->count) break;
        if (child + 1 < network->count && is_before(network->heap[child + 1], network->heap[child])) child++;
        if (!is_before(network->heap[child], last)) break;
        network->heap[at] = network->heap[child];
        at = child;
    }
    if (network->count) network->heap[at] = last;
    return first;
}

void network_put(struct network *network, const struct packet *packet, jmp_time due)
{
    struct packet *copy = new_packet(network);
    memcpy(copy, packet, offsetof(struct packet, bytes) + packet->length);
    copy->due = due;
    push(network, copy);
}

/* ---------------------------------------------------------------------- NATs */

static jmp_time idle_limit(const struct nat *nat, jmp_time now)
{
    return nat->idle_limit_until > now ? nat->idle_limit_us : nat->own_idle_limit_us;
}

static bool has_mapping(const struct nat *nat, jmp_time now)
{
    jmp_time limit = idle_limit(nat, now);
    return !nat->is_forgotten && (!limit || !nat->last_used_at || now - nat->last_used_at <= limit);
}

jmp_address network_pass_out(struct network *network, uint32_t client, uint32_t link, jmp_time now)
{
    struct link *own = &network->link[client][link];
    if (!has_mapping(&own->nat, now)) {
        network_rebind(network, client, link, false);
        if (own->broken_until < now) own->broken_until = now;
    }
    own->nat.is_forgotten = false;
    own->nat.last_used_at = now;
    return own->nat.address;
}

uint32_t network_owner(struct network *network, uint32_t link, const jmp_address *address, jmp_time now)
{
    for (uint32_t c = 0; c < network->clients; c++) {
        struct nat *nat = &network->link[c][link].nat;
        if (network_same_address(address, &nat->address)) return has_mapping(nat, now) ? c : NETWORK_MAX_CLIENTS;
        if (nat->old_address.length && network_same_address(address, &nat->old_address)) return c;
    }
    return NETWORK_MAX_CLIENTS;
}

void network_rebind(struct network *network, uint32_t client, uint32_t link, bool keeps_old)
{
    struct nat *nat = &network->link[client][link].nat;
    nat->old_address = nat->address;
    if (!keeps_old) nat->old_address.length = 0;
    take_another_port(network, link, &nat->address);
}

void network_forget(struct network *network, uint32_t client, uint32_t link)
{
    network->link[client][link].nat.is_forgotten = true;
    network->link[client][link].nat.old_address.length = 0;
}

void network_swap(struct network *network, uint32_t one, uint32_t other, uint32_t link)
{
    struct nat *left = &network->link[one][link].nat, *right = &network->link[other][link].nat;
    jmp_address address = left->address;
    left->address = right->address;
    right->address = address;
    left->old_address.length = right->old_address.length = 0;
}

/* --------------------------------------------------------------- impairments */

void network_impair(struct network *network, uint32_t client, uint32_t link, int direction, enum impairment_kind kind,
                    uint64_t value, uint64_t extra, jmp_time until)
{
    struct direction *way = &network->link[client][link].directions[direction];
    way->impairments[kind] = (struct impairment){ value, extra, until };
    if (kind == IMPAIR_BURST) way->is_in_bad_spell = false;
}

void network_clear(struct network *network, uint32_t client, uint32_t link)
{
    for (int d = 0; d < DIRECTIONS; d++)
        memset(network->link[client][link].directions[d].impairments, 0,
               sizeof network->link[client][link].directions[d].impairments);
}

static const struct impairment *active(const struct direction *direction, enum impairment_kind kind, jmp_time now)
{
    return direction->impairments[kind].until > now ? &direction->impairments[kind] : NULL;
}

/* The average loss of a Gilbert-Elliott channel: the share of bad spells times the loss in them. */
static uint64_t burst_loss_ppm(const struct impairment *burst)
{
    uint64_t length = burst->extra ? burst->extra : 1, bad = burst->value * length;
    return bad * BAD_SPELL_LOSS_PPM / (bad + 1000000);
}

static jmp_time longest_time_on_the_way(const struct link *link, int direction, jmp_time now)
{
    const struct direction *way = &link->directions[direction];
    const struct impairment *impairment;
    jmp_time delay = link->delay_us[direction] + link->jitter_us[direction];
    if ((impairment = active(way, IMPAIR_DELAY, now))) delay += impairment->value + impairment->extra;
    if ((impairment = active(way, IMPAIR_REORDER, now)) && impairment->value) delay += impairment->extra;
    return delay;
}

jmp_time network_round_trip(const struct network *network, uint32_t client, uint32_t link, jmp_time now)
{
    const struct link *own = &network->link[client][link];
    return longest_time_on_the_way(own, UP, now) + longest_time_on_the_way(own, DOWN, now);
}

bool network_is_good(const struct network *network, uint32_t client, uint32_t link, jmp_time now)
{
    const struct link *own = &network->link[client][link];
    jmp_time limit = idle_limit(&own->nat, now);
    if (own->nat.is_forgotten || (limit && limit <= SLOWEST_PROBES_US)) return false;
    for (int d = 0; d < DIRECTIONS; d++) {
        const struct direction *way = &own->directions[d];
        const struct impairment *impairment;
        uint64_t loss = 0;
        if (active(way, IMPAIR_BLACK_HOLE, now) || active(way, IMPAIR_MTU, now)) return false;
        if ((impairment = active(way, IMPAIR_LOSS, now))) loss += impairment->value;
        if ((impairment = active(way, IMPAIR_CORRUPT, now))) loss += impairment->value;
        if ((impairment = active(way, IMPAIR_BURST, now))) loss += burst_loss_ppm(impairment);
        if (loss >= NETWORK_GOOD_LOSS_PPM || longest_time_on_the_way(own, d, now) > NETWORK_GOOD_DELAY_US) return false;
    }
    return true;
}

bool network_is_cut(const struct network *network, uint32_t client, uint32_t link, jmp_time now)
{
    const struct direction *ways = network->link[client][link].directions;
    return active(&ways[UP], IMPAIR_BLACK_HOLE, now) || active(&ways[DOWN], IMPAIR_BLACK_HOLE, now);
}

/* Whether the direction swallows a datagram of this length. */
static bool swallows(struct direction *way, size_t length, jmp_time now)
{
    const struct impairment *impairment;
    bool is_lost = false;
    if (active(way, IMPAIR_BLACK_HOLE, now)) is_lost = true;
    if ((impairment = active(way, IMPAIR_MTU, now)) && length > impairment->value) is_lost = true;
    if ((impairment = active(way, IMPAIR_LOSS, now)) && random_chance(&way->random, impairment->value)) is_lost = true;
    if ((impairment = active(way, IMPAIR_BURST, now))) {
        uint64_t change = way->is_in_bad_spell ? 1000000 / (impairment->extra ? impairment->extra : 1) : impairment->value;
        if (random_chance(&way->random, change)) way->is_in_bad_spell = !way->is_in_bad_spell;
        if (way->is_in_bad_spell && random_chance(&way->random, BAD_SPELL_LOSS_PPM)) is_lost = true;
    }
    return is_lost;
}

static jmp_time time_on_the_way(const struct link *link, int direction, struct direction *way, jmp_time now)
{
    const struct impairment *impairment;
    jmp_time delay = link->delay_us[direction], jitter = link->jitter_us[direction];
    if ((impairment = active(way, IMPAIR_DELAY, now))) {
        delay += impairment->value;
        jitter += impairment->extra;
    }
    if (jitter) delay += random_below(&way->random, jitter + 1);
    if ((impairment = active(way, IMPAIR_REORDER, now)) && random_chance(&way->random, impairment->value))
        delay += impairment->extra;
    return delay;
}

void network_send(struct network *network, uint32_t client, uint32_t link, int direction, const jmp_address *to,
                  const uint8_t *bytes, size_t length, jmp_time now)
{
    struct link *own = &network->link[client][link];
    struct direction *way = &own->directions[direction];
    const struct impairment *impairment;
    if (length > NETWORK_DATAGRAM_SIZE || swallows(way, length, now)) {
        network->lost++;
        return;
    }
    unsigned copies = 1;
    if ((impairment = active(way, IMPAIR_DUPLICATE, now)) && random_chance(&way->random, impairment->value)) copies++;
    while (copies-- > 0) {
        struct packet *packet = new_packet(network);
        packet->due = now + time_on_the_way(own, direction, way, now);
        packet->is_to_gateway = direction == UP;
        packet->client = client;
        packet->link = link;
        packet->source = direction == UP ? own->nat.address : network_gateway_address(link);
        packet->to = *to;
        packet->length = (uint32_t)length;
        memcpy(packet->bytes, bytes, length);
        if (length && (impairment = active(way, IMPAIR_CORRUPT, now)) && random_chance(&way->random, impairment->value))
            packet->bytes[random_below(&way->random, length)] ^= (uint8_t)(1u << random_below(&way->random, 8));
        push(network, packet);
    }
}
