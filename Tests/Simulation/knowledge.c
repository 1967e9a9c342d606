/* What the world itself knows about paths: since when one works, since when none can. The observers judge liveness by it, so
 * it promises nothing while anything is in doubt. */
#include "world.h"
#include "protected.h"

#include <inttypes.h>
#include <string.h>

#define SECOND 1000000u

enum {
    HELD_TIME_US = 10000000,        /* a probe timeout that has doubled through a storm, and one more */
    CONNECT_TIME_US = 20000000,     /* a handshake that began in the storm may end, and another one begin */
    DELIVERY_TIME_US = 30000000     /* what waits for buffers of 64 KiB, and a probe timeout that has doubled through a storm */
};

/* The moment `time` of the world on a host's clock. */
static jmp_time on_clock(const struct host *host, jmp_time time)
{
    jmp_time clock = host_clock(host), ago = host->world->now - time;
    return time == JMP_TIME_NONE ? time : ago < clock ? clock - ago : 0;
}

static bool is_offered(const struct host *client, uint32_t link)
{
    return client->sockets[link].path != JMP_PATH_NONE && client->sockets[link].transport != JMP_TRANSPORT_NONE;
}

static bool is_cut(const struct world *world, const struct host *client, uint32_t link)
{
    return !is_offered(client, link) || client->sockets[link].down_until > world->now
        || network_is_cut(&world->network, client->number - 1, link, world->now);
}

/* Since when a link works; JMP_TIME_NONE: it does not. */
static jmp_time works_since(struct world *world, const struct host *client, uint32_t link, uint32_t classes)
{
    struct link *own = &world->network.link[client->number - 1][link];
    const struct socket *socket = &client->sockets[link];
    if (!network_is_good(&world->network, client->number - 1, link, world->now) && own->broken_until < world->now)
        own->broken_until = world->now;
    if (socket->is_hinted_down || !(classes & (1u << network_classes[link])) || !is_offered(client, link)) own->broken_until = world->now;
    jmp_time since = own->broken_until > world->hostile_until[link] ? own->broken_until : world->hostile_until[link];
    return since < world->now || since == 0 ? since : JMP_TIME_NONE;
}

static struct network_knowledge learn(struct world *world, const struct host *client, const struct host *gateway, const jmp_policy *policy)
{
    struct network_knowledge knowledge = { JMP_TIME_NONE, JMP_TIME_NONE, 0 };
    jmp_time disturbed = client->disturbed_until > gateway->disturbed_until ? client->disturbed_until : gateway->disturbed_until;
    jmp_time *cut_since = &world->cut_since[client->number - 1];
    bool is_all_cut = true, is_any_broken = false;
    for (uint32_t l = 0; l < world->links; l++) {
        jmp_time since = works_since(world, client, l, policy->allowed_classes);
        if (!is_cut(world, client, l)) is_all_cut = false;
        if (since == JMP_TIME_NONE) is_any_broken = true;
        else if (since < knowledge.usable_since) knowledge.usable_since = since;
        jmp_time round_trip = network_round_trip(&world->network, client->number - 1, l, world->now);
        if (since != JMP_TIME_NONE && round_trip > knowledge.round_trip_us) knowledge.round_trip_us = round_trip;
    }
    if (!is_all_cut) *cut_since = JMP_TIME_NONE;
    else if (*cut_since == JMP_TIME_NONE) *cut_since = world->now;
    knowledge.cut_since = *cut_since;
    /* With fewer places than paths the gateway may have forgotten the one that works. */
    if (policy->max_candidates + 1 < world->links && is_any_broken) knowledge.usable_since = JMP_TIME_NONE;
    if (disturbed >= world->now) knowledge.usable_since = JMP_TIME_NONE;
    else if (knowledge.usable_since != JMP_TIME_NONE && knowledge.usable_since < disturbed) knowledge.usable_since = disturbed;
    if (disturbed >= *cut_since) knowledge.cut_since = JMP_TIME_NONE;
    return knowledge;
}

static void tell(struct host *host, jmp_session session, const struct network_knowledge *knowledge)
{
    struct network_knowledge own = { on_clock(host, knowledge->usable_since), on_clock(host, knowledge->cut_since), knowledge->round_trip_us };
    if (host->suspended_until <= host->world->now) observer_network(host->observer, session, &own, host_clock(host));
}

static void tell_of_client(struct world *world, struct host *client)
{
    struct host *gateway = &world->hosts[0];
    jmp_policy policy = { .struct_size = sizeof policy };
    uint32_t *allowed = &world->allowed_classes[client->number - 1];
    if (!client->endpoint || !client->session) {
        world->cut_since[client->number - 1] = JMP_TIME_NONE;
        *allowed = UINT32_MAX;
        return;
    }
    if (jmp_session_get_policy(client->endpoint, client->session, &policy) != JMP_OK) return;
    if (policy.allowed_classes != *allowed)
        for (uint32_t l = 0; l < world->links; l++) world->network.link[client->number - 1][l].broken_until = world->now;
    *allowed = policy.allowed_classes;
    struct network_knowledge knowledge = learn(world, client, gateway, &policy);
    tell(client, client->session, &knowledge);
    struct served *served = host_served_for(gateway, client);
    if (served && !world_has_failed(world)) tell(gateway, served->session, &knowledge);
}

void world_tell_knowledge(struct world *world)
{
    struct host *gateway = &world->hosts[0];
    for (uint32_t h = 1; h <= world->clients && !world_has_failed(world); h++) tell_of_client(world, &world->hosts[h]);
    for (size_t i = 0; i < gateway->served_count && !world_has_failed(world); i++) {
        const struct served *served = &gateway->served[i];
        struct network_knowledge knowledge = { JMP_TIME_NONE, served->orphaned_at, 0 };
        if (served->orphaned_at == JMP_TIME_NONE) continue;
        if (gateway->disturbed_until >= served->orphaned_at) knowledge.cut_since = JMP_TIME_NONE;
        tell(gateway, served->session, &knowledge);
    }
}

/* -------------------------------------------------------------------- deliveries */

/* Whether nothing hinders the client's protected payloads: no fault any more, both ends ATTACHED, and both hosts read. */
static bool is_fair(const struct world *world, const struct host *client, const struct served *served)
{
    const struct host *gateway = &world->hosts[0];
    jmp_session_info own = { .struct_size = sizeof own }, its = { .struct_size = sizeof its };
    jmp_time disturbed = client->disturbed_until > gateway->disturbed_until ? client->disturbed_until : gateway->disturbed_until;
    if (!world->is_calm_long_enough || world->now < world->calm_at || disturbed >= world->now || !client->endpoint || !client->session || !served) return false;
    if (client->is_reading_paused || gateway->is_reading_paused) return false;
    return jmp_session_get_info(client->endpoint, client->session, &own) == JMP_OK
        && jmp_session_get_info(gateway->endpoint, served->session, &its) == JMP_OK
        && own.state == JMP_STATE_ATTACHED && its.state == JMP_STATE_ATTACHED;
}

static void judge_direction(struct world *world, const struct host *client, uint32_t role, jmp_time fair_since)
{
    jmp_time taken_at;
    uint64_t number;
    if (!ledger_oldest_undelivered(world->ledger, client->session_id, role, &taken_at, &number)) return;
    jmp_time since = taken_at > fair_since ? taken_at : fair_since;
    if (world->now - since > DELIVERY_TIME_US)
        world_fail(world, "protected_not_delivered", "%s: payload %" PRIu64 " of the %s was taken %" PRIu64 " us ago, and for %" PRIu64 " us nothing has hindered it",
                   client->name, number, role == JMP_ROLE_CLIENT ? "client" : "gateway", world->now - taken_at, world->now - since);
}

void world_judge_deliveries(struct world *world)
{
    for (uint32_t h = 1; h <= world->clients && world->scenario->protected_interval_ms && !world_has_failed(world); h++) {
        struct host *client = &world->hosts[h];
        jmp_time *fair_since = &world->fair_since[h - 1];
        if (!is_fair(world, client, host_served_for(&world->hosts[0], client))) {
            *fair_since = 0;
            continue;
        }
        if (!*fair_since) *fair_since = world->now;
        judge_direction(world, client, JMP_ROLE_CLIENT, *fair_since);
        judge_direction(world, client, JMP_ROLE_GATEWAY, *fair_since);
    }
}

/* ------------------------------------------------------------------ clear sky */

/* Nothing was taken for long enough: nothing is under way, and nothing lies anywhere. */
static void judge_outstanding(struct world *world, const struct host *client, const jmp_session_info *own, const jmp_session_info *its)
{
    jmp_time taken_at;
    uint64_t number = 0;
    bool is_undelivered = ledger_oldest_undelivered(world->ledger, client->session_id, JMP_ROLE_CLIENT, &taken_at, &number)
        || ledger_oldest_undelivered(world->ledger, client->session_id, JMP_ROLE_GATEWAY, &taken_at, &number);
    if (is_undelivered || own->protected_count || its->protected_count || own->receive_buffered || its->receive_buffered)
        world_fail(world, "clear_sky_deliveries", "%s: %" PRIu32 " payloads under way up, %" PRIu32 " down; %" PRIu32 " bytes wait at the client, %" PRIu32
                   " at the gateway%s", client->name, own->protected_count, its->protected_count, own->receive_buffered, its->receive_buffered,
                   is_undelivered ? "; some were never handed out" : "");
}


/* Every path the client has offered is known to work, as far as there is room for it. */
static void judge_paths(struct world *world, const struct host *client)
{
    jmp_path_info paths[JMP_MAX_PATHS];
    jmp_policy policy = { .struct_size = sizeof policy };
    size_t count = 0;
    if (jmp_session_get_paths(client->endpoint, client->session, paths, JMP_MAX_PATHS, &count) != JMP_OK
        || jmp_session_get_policy(client->endpoint, client->session, &policy) != JMP_OK || policy.max_candidates + 1 < world->links) return;
    for (size_t i = 0; i < count; i++)
        if ((policy.allowed_classes & (1u << paths[i].transport_class)) && (!paths[i].validated || paths[i].dead))
            world_fail(world, "clear_sky_paths", "%s: path %" PRIu32 " (%s) is %s, %svalidated%s, round trip %" PRIu32 " us", client->name, paths[i].path,
                       paths[i].name, jmp_path_role_name(paths[i].role), paths[i].validated ? "" : "not ", paths[i].dead ? ", dead" : "",
                       paths[i].srtt_us);
}

static void judge_client(struct world *world, struct host *client)
{
    struct host *gateway = &world->hosts[0];
    jmp_session_info own = { .struct_size = sizeof own }, its = { .struct_size = sizeof its };
    struct served *served = host_served_for(gateway, client);
    if (!client->endpoint || (!client->session && client->connect_at + CONNECT_TIME_US > world->now)
        || client->connected_at + CONNECT_TIME_US > world->now) return;
    if (!client->session || !served || jmp_session_get_info(client->endpoint, client->session, &own) != JMP_OK
        || jmp_session_get_info(gateway->endpoint, served->session, &its) != JMP_OK) {
        world_fail(world, "clear_sky_session", "%s has no session long after the faults ended", client->name);
        return;
    }
    if (own.state != JMP_STATE_ATTACHED || its.state != JMP_STATE_ATTACHED)
        world_fail(world, "clear_sky_attached", "%s: %s at the client, %s at the gateway", client->name, jmp_state_name(own.state),
                   jmp_state_name(its.state));
    else if (own.binding_version != its.binding_version || host_link_of(client, own.active_transport) != host_link_of(gateway, its.active_transport))
        world_fail(world, "clear_sky_binding", "%s: binding %" PRIu64 " on %" PRIu32 " at the client, %" PRIu64 " on %" PRIu32 " at the gateway",
                   client->name, own.binding_version, host_link_of(client, own.active_transport), its.binding_version,
                   host_link_of(gateway, its.active_transport));
    else if (own.transport_lost_at != JMP_TIME_NONE || its.transport_lost_at != JMP_TIME_NONE)
        world_fail(world, "clear_sky_lost_clock", "%s: the transport-lost clock runs", client->name);
    else if (client->held_since && world->now - client->held_since > HELD_TIME_US)
        world_fail(world, "clear_sky_held", "%s: no expendable payload may leave for %" PRIu64 " us", client->name, world->now - client->held_since);
    else if (client->counted != client->sent - client->counted_from)
        world_fail(world, "clear_sky_payloads", "%s: %" PRIu64 " of %" PRIu64 " payloads arrived", client->name, client->counted,
                   client->sent - client->counted_from);
    if (!world_has_failed(world) && world->scenario->protected_interval_ms) judge_outstanding(world, client, &own, &its);
    if (!world_has_failed(world)) judge_paths(world, client);
}

void world_judge_clear_sky(struct world *world)
{
    for (uint32_t h = 1; h <= world->clients && !world_has_failed(world); h++) judge_client(world, &world->hosts[h]);
}
