#include "attacker.h"
#include "check.h"

#include <stdlib.h>
#include <string.h>

const jmp_address attacker_address = { .length = 6, .prefix_length = 4, .bytes = { 203, 0, 113, 9, 0x66, 0x66 } };

static void keep(struct attacker *attacker, int from, const jmp_datagram *datagram, const uint8_t *bytes)
{
    if (attacker->count == ATTACKER_MAX_COPIES) return;
    struct attacker_copy *copy = &attacker->copies[attacker->count++];
    copy->from = from, copy->link = datagram->transport, copy->length = datagram->length;
    memcpy(copy->bytes, bytes, datagram->length);
}

jmp_received attacker_send(struct attacker *attacker, struct world *world, uint32_t link, const uint8_t *bytes, size_t length)
{
    attacker->bytes_from_it += length;
    return world_inject(world, GATEWAY, link, &attacker_address, bytes, length);
}

static bool tap(struct world *world, int from, const jmp_datagram *datagram, const uint8_t *bytes)
{
    struct attacker *attacker = world->tap_context;
    if (from == GATEWAY && world_same_address(&datagram->to, &attacker_address)) {
        attacker->bytes_to_it += datagram->length;
        CHECK(attacker->bytes_to_it <= 3 * attacker->bytes_from_it || attacker->relays);    /* RFC 9000, section 8 */
        if (attacker->relays) {
            jmp_address gateway = world_gateway_address(datagram->transport);
            world_inject(world, CLIENT, datagram->transport, &gateway, bytes, datagram->length);
        }
        return true;
    }
    if (from != attacker->keeps_from || (attacker->keeps_link != WORLD_LINKS && datagram->transport != attacker->keeps_link)) return false;
    keep(attacker, from, datagram, bytes);
    if (attacker->races_left) {
        attacker->races_left--;
        attacker_send(attacker, world, datagram->transport, bytes, datagram->length);
    }
    return attacker->swallows;
}

void attacker_enter(struct attacker *attacker, struct world *world)
{
    *attacker = (struct attacker){ .keeps_from = -1, .keeps_link = WORLD_LINKS };
    attacker->copies = calloc(ATTACKER_MAX_COPIES, sizeof *attacker->copies);
    if (!attacker->copies) abort();
    world->tap = tap;
    world->tap_context = attacker;
}

void attacker_leave(struct attacker *attacker, struct world *world)
{
    world->tap = NULL;
    free(attacker->copies);
}

struct attacker_copy attacker_fresh_datagram(struct attacker *attacker, struct world *world)
{
    attacker->count = 0;
    attacker->keeps_from = CLIENT;
    attacker->swallows = true;
    CHECK_OK(world_send(world, CLIENT));
    attacker->keeps_from = -1;
    attacker->swallows = false;
    CHECK(attacker->count >= 1);
    return attacker->copies[0];
}

struct picture take_picture(const struct world *world, int who)
{
    struct picture picture;
    memset(&picture, 0, sizeof picture);
    picture.info = world_info(world, who);
    picture.stats = world_session_stats(world, who);
    picture.endpoint = world_stats(world, who);
    picture.payloads = world->nodes[who].received + world->nodes[who].duplicates;
    picture.state_changes = world_count(world, who, JMP_EVENT_SESSION_STATE_CHANGE);
    picture.established = world_count(world, who, JMP_EVENT_SESSION_ESTABLISHED);
    return picture;
}

void check_unchanged(const struct picture *before, const struct picture *after)
{
    struct picture was = *before, is = *after;
    memset(was.endpoint.dropped, 0, sizeof was.endpoint.dropped);
    memset(is.endpoint.dropped, 0, sizeof is.endpoint.dropped);
    was.endpoint.datagrams_received = is.endpoint.datagrams_received = 0;
    was.stats.replayed = was.stats.too_old = was.stats.bad_tag = 0;
    is.stats.replayed = is.stats.too_old = is.stats.bad_tag = 0;
    CHECK(!memcmp(&was.info, &is.info, sizeof was.info));
    CHECK(!memcmp(&was.stats, &is.stats, sizeof was.stats));
    CHECK(!memcmp(&was.endpoint, &is.endpoint, sizeof was.endpoint));
    CHECK_EQUAL(is.payloads, was.payloads);
    CHECK_EQUAL(is.state_changes, was.state_changes);
    CHECK_EQUAL(is.established, was.established);
}

uint64_t all_drops(const jmp_endpoint_stats *stats)
{
    uint64_t sum = 0;
    for (int i = 1; i < JMP_DROP_CAUSES; i++) sum += stats->dropped[i];
    return sum;
}
