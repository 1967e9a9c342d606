/* What each action of a schedule does to the world. Actions that make no sense at their moment (a switch without a session, a
 * call by a host that sleeps) do nothing, so that any of them can be left out. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define MS 1000u
#define SECOND 1000000u

static void later(jmp_time *time, jmp_time at)
{
    if (at > *time) *time = at;
}

static bool can_call(const struct host *host)
{
    return host->endpoint && host->suspended_until <= host->world->now;
}

static bool is_one_of(jmp_status status, const jmp_status *allowed)
{
    for (; *allowed != JMP_OK; allowed++)
        if (status == *allowed) return true;
    return status == JMP_OK;
}

/* The library may refuse what an operator asks, for the reasons its header names and no others. */
static void finish_call(struct host *host, const char *call, jmp_status status, jmp_session session)
{
    static const jmp_status refusals[] = { JMP_ERR_STATE, JMP_ERR_TERMINATED, JMP_ERR_SESSION, JMP_ERR_SWITCH_DENIED, JMP_ERR_PATH,
                                           JMP_ERR_RATE_LIMITED, JMP_ERR_POLICY, JMP_OK };
    if (!is_one_of(status, refusals))
        world_fail(host->world, "unexpected_status", "%s: jmp_%s gave %d (%s)", host->name, call, status, jmp_strerror(status));
    else host_called(host, call, status, session);
}

/* ----------------------------------------------------------------- the network */

static void impair(struct world *world, const struct action *action, jmp_time until)
{
    uint32_t client = action->host - 1;
    struct link *link = &world->network.link[client][action->link];
    for (int d = 0; d < DIRECTIONS; d++)
        if (action->directions & (1u << d))
            network_impair(&world->network, client, action->link, d, (enum impairment_kind)action->kind, action->value, action->extra, until);
    later(&link->broken_until, world->now);
    if (!network_is_good(&world->network, client, action->link, world->now)) later(&link->broken_until, until);
}

static void change_link(struct world *world, const struct action *action, jmp_time until)
{
    uint32_t client = action->host - 1, other = (uint32_t)action->value - 1;
    struct link *link = &world->network.link[client][action->link];
    later(&link->broken_until, world->now);
    switch (action->kind) {
    case ACTION_LEAP:
        for (int d = 0; d < DIRECTIONS; d++)
            if (action->directions & (1u << d)) link->delay_us[d] = action->value < 220 * MS ? action->value : 220 * MS;
        break;
    case ACTION_CLEAR: network_clear(&world->network, client, action->link); break;
    case ACTION_REBIND: network_rebind(&world->network, client, action->link, action->value); break;
    case ACTION_NAT_FORGET: network_forget(&world->network, client, action->link); break;
    case ACTION_NAT_EXPIRY:
        link->nat.idle_limit_us = action->value ? action->value : 1;
        link->nat.idle_limit_until = until;
        if (!network_is_good(&world->network, client, action->link, world->now)) later(&link->broken_until, until);
        break;
    default:
        if (action->value == 0 || action->value > world->clients || other == client) return;
        network_swap(&world->network, client, other, action->link);
        later(&world->network.link[other][action->link].broken_until, world->now);
        break;
    }
}

static void change_link_end(struct world *world, const struct action *action, jmp_time until)
{
    struct host *host = &world->hosts[action->host];
    struct socket *socket = &host->sockets[action->link];
    later(&world->network.link[action->host - 1][action->link].broken_until, until);
    switch (action->kind) {
    case ACTION_FLAP:
        socket->down_until = until;
        socket->tells_unsent = action->extra;
        if (!action->value || !can_call(host)) return;
        socket->hints_up_at = until;
        host_hint(host, action->link, false);
        break;
    case ACTION_FALSE_HINT:
        if (!can_call(host)) return;
        socket->hints_up_at = until;
        host_hint(host, action->link, false);
        break;
    case ACTION_SOCKET:
        if (!can_call(host)) return;
        socket->opens_at = until;
        host_close_socket(host, action->link);
        break;
    default:
        if (!can_call(host)) return;
        socket->offers_at = until;
        host_withdraw_path(host, action->link);
        break;
    }
}

/* ------------------------------------------------------------------- the hosts */

static void change_traffic(struct traffic *traffic, const struct action *action, jmp_time now, jmp_time until)
{
    traffic->interval_us = action->value < MS ? 0 : action->value;
    traffic->bytes = action->extra > 1200 ? 1200 : action->extra;
    traffic->next_at = now;
    traffic->until = until;
}

static void change_host(struct world *world, const struct action *action, jmp_time until)
{
    struct host *host = &world->hosts[action->host];
    switch (action->kind) {
    case ACTION_SUSPEND:
        later(&host->suspended_until, until);
        host->loses_datagrams = action->value;
        later(&host->disturbed_until, until);
        break;
    case ACTION_LATE:
        host->late_us = action->value;
        host->late_until = until;
        later(&host->disturbed_until, until + action->value);
        break;
    case ACTION_CLOCK_BACK:
        host->clock_back_us = action->value < 10 * SECOND ? action->value : 10 * SECOND;
        host->clock_back_until = until;
        later(&host->disturbed_until, until);
        break;
    case ACTION_SLOW_CONSUMER:
        later(&host->slow_until, until);
        later(&host->disturbed_until, until);
        break;
    case ACTION_RESTART:
        if (host->endpoint) host_kill(host);
        host->starts_at = until;
        later(&host->disturbed_until, until);
        break;
    case ACTION_TRAFFIC: change_traffic(&host->traffic, action, world->now, until); break;
    default: change_traffic(&host->downstream, action, world->now, until); break;
    }
}

/* ---------------------------------------------------------------- the operator */

static void vary_policy(jmp_policy *policy, uint64_t variant)
{
    snprintf(policy->version, sizeof policy->version, "variant-%u", (unsigned)variant);
    switch (variant) {
    case 1: policy->max_switches_per_min = 2; break;
    case 2: policy->allowed_classes = ~(1u << JMP_CLASS_CELLULAR); break;
    case 3:
        policy->heartbeat_interval_us = 50 * MS;
        policy->heartbeat_volatile_us = 200 * MS;
        policy->loss_volatile_threshold_ppm = 50000;
        policy->max_consecutive_drops = 2;
        break;
    case 4: policy->strict_binding = 1; break;
    case 5: policy->transport_lost_ttl_us = 5 * SECOND; break;
    case 6: policy->max_candidates = 1; policy->switch_cooldown_us = 0; break;
    case 7: policy->max_lifetime_us = 60ull * SECOND; policy->key_max_age_us = SECOND; break;
    default: break;
    }
}

static void change_policy(struct world *world, const struct action *action)
{
    struct host *gateway = &world->hosts[0];
    struct served *served = host_served_for(gateway, &world->hosts[action->host]);
    jmp_policy policy;
    if (!served || !can_call(gateway)) return;
    jmp_policy_init(&policy);
    if (world->scenario->adjust_policy) world->scenario->adjust_policy(&policy, world->seed);
    vary_policy(&policy, action->value);
    for (uint32_t l = 0; l < world->links; l++)
        later(&world->network.link[action->host - 1][l].broken_until, world->now);
    jmp_session session = served->session;
    finish_call(gateway, "session_set_policy", jmp_session_set_policy(gateway->endpoint, session, &policy, host_clock(gateway)), session);
}

static void operate(struct world *world, const struct action *action)
{
    struct host *client = &world->hosts[action->host], *host = action->value ? &world->hosts[0] : client;
    struct served *served = host_served_for(&world->hosts[0], client);
    jmp_session session = action->value ? (served ? served->session : 0) : client->session;
    uint32_t path = JMP_PATH_NONE;
    if (!session || !can_call(host)) return;
    switch (action->kind) {
    case ACTION_SWITCH:
        if (!action->value && action->extra && action->extra <= world->links) path = client->sockets[action->extra - 1].path;
        finish_call(host, "session_request_switch", jmp_session_request_switch(host->endpoint, session, path, host_clock(host)), session);
        break;
    case ACTION_REKEY:
        finish_call(host, "session_rekey", jmp_session_rekey(host->endpoint, session, host_clock(host)), session);
        break;
    default:
        finish_call(host, "session_close",
                    jmp_session_close(host->endpoint, session, JMP_REASON_OPERATOR_TERMINATED, host_clock(host)), session);
        break;
    }
}

static void attack(struct world *world, const struct action *action, jmp_time until)
{
    enum attack attack = (enum attack)action->value;
    bool hinders = attack == ATTACK_HOLD_BACK || attack == ATTACK_REDIRECT || attack == ATTACK_SWALLOW || attack == ATTACK_RELAY;
    attacker_tap(world->attacker, action->link, true);
    attacker_set(world->attacker, attack, (uint32_t)action->extra, world->now);
    world->attack_until[attack] = until;
    /* Every tapped link suffers from every attack that is set. */
    later(&world->tapped_until[action->link], until);
    for (uint32_t l = 0; l < world->links && hinders; l++) later(&world->hostile_until[l], until);
}

static void spring_plant(struct world *world)
{
    world->plant_is_armed = true;
    if (world->options.plant == PLANT_CRASH) __builtin_trap();
    if (world->options.plant == PLANT_HANG) for (volatile unsigned turn = 0;; turn++) { }
}

void world_act(struct world *world, const struct action *action)
{
    const struct action_form *form = action_form(action->kind);
    jmp_time until = action->for_us ? world->now + action->for_us : world->end;
    if (form->has_host && (action->host > world->clients || (!action->host && !form->may_be_gateway))) return;
    if (form->has_link && action->link >= world->links) return;
    if (form->has_duration && action->for_us) world_wake_at(world, until);
    if (action->kind == ACTION_REBIND && world->options.plant != PLANT_NONE) spring_plant(world);
    if (action->kind <= ACTION_BLACK_HOLE) impair(world, action, until);
    else if (action->kind <= ACTION_SWAP) change_link(world, action, until);
    else if (action->kind <= ACTION_PATH_REMOVE) change_link_end(world, action, until);
    else if (action->kind <= ACTION_DOWNSTREAM) change_host(world, action, until);
    else if (action->kind <= ACTION_CLOSE) operate(world, action);
    else if (action->kind == ACTION_POLICY) change_policy(world, action);
    else attack(world, action, until);
}
