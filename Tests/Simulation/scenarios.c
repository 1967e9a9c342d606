#include "scenarios.h"
#include "attacker.h"

#include <string.h>

#define MS 1000u
#define SECOND 1000000u

/* The least that jmp_config.delivery_memory may be. */
#define SMALLEST_MEMORY (4ull << 20)

enum {
    WARM_US = 3000000               /* handshakes are done; storms that should meet them begin at once instead */
};

/* ------------------------------------------------------------------- policies */

/* Short limits, so that all of them are reached within a minute. */
static void short_limits(jmp_policy *policy, uint64_t seed)
{
    policy->max_lifetime_us = (40 + seed % 40) * SECOND;
    policy->transport_lost_ttl_us = (2 + seed % 7) * SECOND;
    policy->recovery_window_us = (1 + seed % 3) * SECOND;
    policy->volatile_to_degraded_us = 500 * MS;
    policy->key_max_age_us = (1 + seed % 5) * SECOND;
    policy->max_switches_per_min = 3;
}

static void small_replay_window(jmp_policy *policy, uint64_t seed)
{
    policy->replay_window = 64u << seed % 4;
}

static void strict(jmp_policy *policy, uint64_t seed)
{
    policy->strict_binding = 1;
    policy->max_candidates = 1 + (uint32_t)(seed % 3);
}

static void restless(jmp_policy *policy, uint64_t seed)
{
    policy->switch_cooldown_us = seed % 3 * 500 * MS;
    policy->stability_window_us = 200 * MS;
    policy->latency_volatile_threshold_us = 100 * MS;
    policy->switch_improvement_ppm = 1000000;
    policy->max_switches_per_min = 60;
}

static void quick_keys(jmp_policy *policy, uint64_t seed)
{
    policy->key_max_age_us = (1 + seed % 3) * SECOND;
}

static void short_lost_ttl(jmp_policy *policy, uint64_t seed)
{
    policy->transport_lost_ttl_us = (5 + seed % 6) * SECOND;
}

/* ----------------------------------------------------------------- protected payloads */

/* Every buffer as small as it may be, in two worlds of three; windows too small for what is under way in every other. */
static void cramped(jmp_config *config, uint32_t host, uint64_t seed)
{
    (void)host;
    if (seed % 3 != 0) config->send_buffer = 65536;
    if (seed % 3 != 1) config->receive_buffer = 65536;
    config->delivery_memory = seed % 4 < 2 ? SMALLEST_MEMORY : 256ull << 20;
    config->event_capacity = 64;
}

static void roomy(jmp_config *config, uint32_t host, uint64_t seed)
{
    config->send_buffer = 8u << 20;
    config->receive_buffer = (host + seed) % 2 ? 4u << 20 : 1u << 20;
}

static void cramped_policy(jmp_policy *policy, uint64_t seed)
{
    if (seed % 2) policy->replay_window = 64;
    policy->strict_binding = seed / 2 % 2;
    policy->control_expendable = seed / 4 % 2;
}

static void restless_delivery(jmp_policy *policy, uint64_t seed)
{
    policy->key_max_age_us = (1 + seed % 3) * SECOND;
    policy->strict_binding = seed % 2;
    policy->control_expendable = seed / 2 % 2;
    policy->switch_cooldown_us = 0;
    policy->max_switches_per_min = 60;
}

/* ------------------------------------------------------------------ scenarios */

#define ANY(kind, weight) { kind, weight, 0, 0, 0, 0, 0, 0 }

const struct scenario scenarios[] = {
    { .name = "black_holes", .what = "links go dark, one way or both", .clients = 1, .links = 2, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 10, .interval_ms = 20, .is_echoing = true,
      .mixes = { ANY(ACTION_BLACK_HOLE, 1) } },
    { .name = "loss", .what = "random and bursty loss", .clients = 1, .links = 3, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 15, .interval_ms = 10, .is_echoing = true,
      .mixes = { ANY(ACTION_LOSS, 2), ANY(ACTION_BURST, 2), ANY(ACTION_BLACK_HOLE, 1) } },
    { .name = "jitter", .what = "delay, jitter, reordering, duplication", .clients = 1, .links = 2, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 20, .interval_ms = 10, .is_echoing = true,
      .mixes = { ANY(ACTION_DELAY, 2), ANY(ACTION_REORDER, 2), ANY(ACTION_DUPLICATE, 1), ANY(ACTION_LOSS, 1) } },
    { .name = "leaps", .what = "delays that leap and stay, on one link or all", .clients = 1, .links = 2, .duration_s = 150, .calm_s = 75,
      .actions_per_minute = 3, .interval_ms = 20, .is_echoing = true, .delay_ms = { 5, 3 },
      .mixes = { { ACTION_LEAP, 1, MS, 5 * MS, 0, 0, 0, 0 }, { ACTION_LEAP, 3, 150 * MS, 220 * MS, 0, 0, 0, 0 }, ANY(ACTION_BLACK_HOLE, 1),
                 ANY(ACTION_TRAFFIC, 1) } },
    { .name = "one_link", .what = "a client with a single path: nowhere to go but through", .clients = 2, .links = 1, .duration_s = 150, .calm_s = 75,
      .actions_per_minute = 15, .interval_ms = 20, .is_echoing = true,
      .mixes = { ANY(ACTION_BLACK_HOLE, 3), ANY(ACTION_LOSS, 2), ANY(ACTION_BURST, 1), ANY(ACTION_DELAY, 1), ANY(ACTION_REBIND, 2), ANY(ACTION_FLAP, 2),
                 ANY(ACTION_SUSPEND, 1), ANY(ACTION_SWITCH, 1), ANY(ACTION_SWAP, 1) } },
    { .name = "dirt", .what = "corruption, MTU drops, duplicates", .clients = 1, .links = 2, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 15, .interval_ms = 20, .bytes = 900, .is_echoing = true,
      .mixes = { ANY(ACTION_CORRUPT, 2), ANY(ACTION_MTU, 2), ANY(ACTION_DUPLICATE, 1), ANY(ACTION_BLACK_HOLE, 1) } },
    { .name = "flaps", .what = "interfaces that come and go, told and untold; sockets closed; paths withdrawn", .clients = 1, .links = 3,
      .duration_s = 120, .calm_s = 75, .actions_per_minute = 20, .interval_ms = 20, .is_echoing = true,
      .mixes = { ANY(ACTION_FLAP, 4), ANY(ACTION_FALSE_HINT, 1), ANY(ACTION_SOCKET, 2), ANY(ACTION_PATH_REMOVE, 2) } },
    { .name = "nats", .what = "NATs that rebind, forget and expire, with sparse traffic", .clients = 2, .links = 2, .duration_s = 180,
      .calm_s = 75, .actions_per_minute = 20, .interval_ms = 100, .downstream_interval_ms = 150,
      .mixes = { ANY(ACTION_REBIND, 3), ANY(ACTION_NAT_EXPIRY, 2), ANY(ACTION_NAT_FORGET, 2), ANY(ACTION_LOSS, 1), ANY(ACTION_TRAFFIC, 1) } },
    { .name = "swaps", .what = "clients that swap their addresses", .clients = 3, .links = 2, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 15, .interval_ms = 30, .is_echoing = true,
      .mixes = { ANY(ACTION_SWAP, 4), ANY(ACTION_REBIND, 1), ANY(ACTION_BLACK_HOLE, 1) } },
    { .name = "sleepers", .what = "hosts that sleep, call late, and whose clocks go backwards", .clients = 1, .links = 2, .duration_s = 150,
      .calm_s = 75, .actions_per_minute = 12, .interval_ms = 20, .is_echoing = true,
      .mixes = { ANY(ACTION_SUSPEND, 3), ANY(ACTION_LATE, 2), ANY(ACTION_CLOCK_BACK, 2), ANY(ACTION_BLACK_HOLE, 1) } },
    { .name = "slow_consumers", .what = "hosts that do not read their events for a minute", .clients = 2, .links = 2, .duration_s = 180,
      .calm_s = 75, .actions_per_minute = 30, .interval_ms = 20, .is_echoing = true, .event_capacity = 64, .adjust_policy = restless, .delay_ms = { 10, 25 },
      .mixes = { ANY(ACTION_SLOW_CONSUMER, 3), ANY(ACTION_BLACK_HOLE, 2), ANY(ACTION_DELAY, 3), ANY(ACTION_SWITCH, 3), ANY(ACTION_REKEY, 2),
                 ANY(ACTION_POLICY, 1) } },
    { .name = "restarts", .what = "client processes that die and come back, operators that close", .clients = 3, .links = 2, .duration_s = 180,
      .calm_s = 75, .actions_per_minute = 15, .interval_ms = 50, .is_echoing = true, .adjust_policy = short_lost_ttl,
      .mixes = { ANY(ACTION_RESTART, 3), ANY(ACTION_CLOSE, 2), ANY(ACTION_BLACK_HOLE, 2), ANY(ACTION_LOSS, 1) } },
    { .name = "operators", .what = "switches, rekeys, policies, paths, all in flight", .clients = 2, .links = 3, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 40, .interval_ms = 20, .is_echoing = true,
      .mixes = { ANY(ACTION_SWITCH, 4), ANY(ACTION_REKEY, 3), { ACTION_POLICY, 2, 0, 6, 0, 0, 0, 0 }, ANY(ACTION_PATH_REMOVE, 1),
                 ANY(ACTION_LOSS, 1), ANY(ACTION_BLACK_HOLE, 1), ANY(ACTION_SOCKET, 1) } },
    { .name = "limits", .what = "lifetimes, lost clocks and recovery windows that run out", .clients = 2, .links = 2, .duration_s = 180, .calm_s = 75,
      .actions_per_minute = 12, .interval_ms = 50, .is_echoing = true, .adjust_policy = short_limits,
      .mixes = { { ACTION_BLACK_HOLE, 4, 0, 0, 0, 0, SECOND, 40 * SECOND }, ANY(ACTION_SUSPEND, 1), ANY(ACTION_POLICY, 1), ANY(ACTION_FLAP, 1) } },
    { .name = "darkness", .what = "all links dark for long: sessions end at the transport-lost TTL and not before", .clients = 1, .links = 2,
      .duration_s = 200, .calm_s = 75, .actions_per_minute = 4, .interval_ms = 50, .is_echoing = true,
      .mixes = { { ACTION_BLACK_HOLE, 3, 0, 0, 0, 0, 20 * SECOND, 60 * SECOND }, { ACTION_FLAP, 1, 0, 1, 0, 1, 20 * SECOND, 60 * SECOND } } },
    { .name = "idle", .what = "sessions without traffic, NATs that forget after a while", .clients = 2, .links = 2, .duration_s = 900, .calm_s = 200,
      .actions_per_minute = 1, .nat_idle_s = 30,
      .mixes = { ANY(ACTION_BLACK_HOLE, 2), ANY(ACTION_REBIND, 2), ANY(ACTION_SUSPEND, 1), ANY(ACTION_NAT_FORGET, 1), ANY(ACTION_TRAFFIC, 1) } },
    { .name = "one_way_traffic", .what = "only the gateway sends, or only the client", .clients = 2, .links = 2, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 12, .downstream_interval_ms = 20,
      .mixes = { ANY(ACTION_BLACK_HOLE, 3), ANY(ACTION_LOSS, 2), ANY(ACTION_TRAFFIC, 1), ANY(ACTION_DOWNSTREAM, 1), ANY(ACTION_FLAP, 1) } },
    { .name = "narrow_windows", .what = "small replay windows under heavy reordering", .clients = 1, .links = 2, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 15, .interval_ms = 5, .is_echoing = true, .adjust_policy = small_replay_window,
      .mixes = { { ACTION_REORDER, 3, 100000, 500000, 10 * MS, 300 * MS, 0, 0 }, ANY(ACTION_DUPLICATE, 2), ANY(ACTION_DELAY, 1), ANY(ACTION_SWITCH, 1) } },
    { .name = "strict_binding", .what = "nothing is delivered but from the bound path", .clients = 1, .links = 3, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 12, .interval_ms = 20, .is_echoing = true, .adjust_policy = strict,
      .mixes = { ANY(ACTION_BLACK_HOLE, 2), ANY(ACTION_REBIND, 2), ANY(ACTION_LOSS, 1), ANY(ACTION_SWITCH, 1) } },
    { .name = "rekeys", .what = "a new key phase every second, through loss, jumps and sleep", .clients = 1, .links = 2, .duration_s = 120,
      .calm_s = 75, .actions_per_minute = 25, .interval_ms = 15, .is_echoing = true, .adjust_policy = quick_keys,
      .mixes = { ANY(ACTION_REKEY, 4), ANY(ACTION_BLACK_HOLE, 2), ANY(ACTION_LOSS, 1), ANY(ACTION_REORDER, 1), ANY(ACTION_SUSPEND, 1) } },
    { .name = "restless", .what = "every limit wide open: latency alarms, no cooldown, 60 switches a minute", .clients = 1, .links = 4,
      .duration_s = 120, .calm_s = 75, .actions_per_minute = 30, .interval_ms = 10, .is_echoing = true, .adjust_policy = restless,
      .delay_ms = { 10, 15, 20, 12 },
      .mixes = { ANY(ACTION_DELAY, 4), ANY(ACTION_LOSS, 2), ANY(ACTION_BLACK_HOLE, 2), ANY(ACTION_SWITCH, 2) } },
    { .name = "replays", .what = "an attacker on the path records, replays and forges copies", .clients = 2, .links = 2, .duration_s = 120,
      .calm_s = 75, .actions_per_minute = 15, .interval_ms = 20, .is_echoing = true,
      .mixes = { { ACTION_ATTACK, 3, ATTACK_REPLAY_NOW, ATTACK_REPLAY_HANDSHAKE, 0, 0, 0, 0 },
                 { ACTION_ATTACK, 3, ATTACK_TRUNCATE, ATTACK_FORGE, 0, 0, 0, 0 }, ANY(ACTION_BLACK_HOLE, 2), ANY(ACTION_REKEY, 1),
                 ANY(ACTION_RESTART, 1) } },
    { .name = "races", .what = "an attacker on the path races, holds back, redirects, relays", .clients = 2, .links = 2, .duration_s = 120,
      .calm_s = 75, .actions_per_minute = 12, .interval_ms = 20, .is_echoing = true,
      .mixes = { { ACTION_ATTACK, 4, ATTACK_RACE, ATTACK_REDIRECT, 0, 0, 0, 0 }, { ACTION_ATTACK, 1, ATTACK_SWALLOW, ATTACK_SWALLOW, 0, 0, 0, 0 },
                 { ACTION_ATTACK, 1, ATTACK_RELAY, ATTACK_RELAY_COPIES, 0, 0, 0, 0 }, ANY(ACTION_BLACK_HOLE, 2), ANY(ACTION_REBIND, 1),
                 ANY(ACTION_SWITCH, 1) } },
    { .name = "floods", .what = "handshakes and garbage from everywhere while clients come and go", .clients = 3, .links = 2, .duration_s = 100,
      .calm_s = 75, .actions_per_minute = 15, .interval_ms = 50, .is_echoing = true,
      .mixes = { { ACTION_ATTACK, 4, ATTACK_FLOOD_RANDOM, ATTACK_FLOOD_REPLIES, 0, 0, 0, 0 }, ANY(ACTION_RESTART, 1), ANY(ACTION_CLOSE, 1),
                 ANY(ACTION_BLACK_HOLE, 1) } },
    { .name = "cookies", .what = "a gateway that always asks for cookies, lossy handshakes", .clients = 4, .links = 2, .duration_s = 120, .calm_s = 75,
      .actions_per_minute = 25, .interval_ms = 100, .is_echoing = true, .cookie_threshold_plus_1 = 1, .adjust_policy = short_lost_ttl,
      .mixes = { ANY(ACTION_RESTART, 3), ANY(ACTION_LOSS, 3), ANY(ACTION_DUPLICATE, 1), ANY(ACTION_REORDER, 1), ANY(ACTION_CORRUPT, 1) } },
    { .name = "doorman", .what = "a gateway whose host decides about every session, slowly", .clients = 4, .links = 2, .duration_s = 130, .calm_s = 75,
      .actions_per_minute = 20, .interval_ms = 100, .is_echoing = true, .asks = true, .adjust_policy = short_lost_ttl,
      .mixes = { ANY(ACTION_RESTART, 3), ANY(ACTION_CLOSE, 2), ANY(ACTION_LOSS, 2), ANY(ACTION_SLOW_CONSUMER, 1), ANY(ACTION_SUSPEND, 1),
                 { ACTION_ATTACK, 2, ATTACK_FLOOD_INIT, ATTACK_FLOOD_INIT_COOKIE, 1, 50, 0, 0 },
                 { ACTION_ATTACK, 1, ATTACK_REPLAY_HANDSHAKE, ATTACK_REPLAY_HANDSHAKE, 0, 0, 0, 0 } } },
    { .name = "crowd", .what = "many clients, a little of everything", .clients = 8, .links = 2, .duration_s = 110, .calm_s = 75,
      .actions_per_minute = 40, .interval_ms = 60, .is_echoing = true,
      .mixes = { ANY(ACTION_BLACK_HOLE, 3), ANY(ACTION_LOSS, 2), ANY(ACTION_REBIND, 2), ANY(ACTION_SWAP, 2), ANY(ACTION_RESTART, 1),
                 ANY(ACTION_FLAP, 2), ANY(ACTION_CLOSE, 1), ANY(ACTION_SWITCH, 1), ANY(ACTION_SUSPEND, 1) } },
    { .name = "everything", .what = "all faults at once, friends and foes", .clients = 2, .links = 3, .duration_s = 150, .calm_s = 75,
      .actions_per_minute = 40, .interval_ms = 20, .is_echoing = true,
      .mixes = { ANY(ACTION_DELAY, 2), ANY(ACTION_LEAP, 1), ANY(ACTION_LOSS, 2), ANY(ACTION_BURST, 2), ANY(ACTION_REORDER, 2), ANY(ACTION_DUPLICATE, 1),
                 ANY(ACTION_CORRUPT, 1), ANY(ACTION_MTU, 1), ANY(ACTION_BLACK_HOLE, 3), ANY(ACTION_CLEAR, 2), ANY(ACTION_REBIND, 2),
                 ANY(ACTION_NAT_EXPIRY, 1), ANY(ACTION_NAT_FORGET, 1), ANY(ACTION_SWAP, 1), ANY(ACTION_FLAP, 2), ANY(ACTION_FALSE_HINT, 1),
                 ANY(ACTION_SOCKET, 1), ANY(ACTION_PATH_REMOVE, 1), ANY(ACTION_SUSPEND, 1), ANY(ACTION_LATE, 1), ANY(ACTION_CLOCK_BACK, 1),
                 ANY(ACTION_SLOW_CONSUMER, 1), ANY(ACTION_RESTART, 1), ANY(ACTION_TRAFFIC, 1), ANY(ACTION_DOWNSTREAM, 1), ANY(ACTION_SWITCH, 1),
                 ANY(ACTION_REKEY, 1), ANY(ACTION_CLOSE, 1), ANY(ACTION_POLICY, 1), ANY(ACTION_ATTACK, 3) } },
    { .name = "deliveries", .what = "protected payloads both ways under loss, reordering, duplication, blackholes", .clients = 1, .links = 3,
      .duration_s = 130, .calm_s = 80, .actions_per_minute = 20, .interval_ms = 50, .is_echoing = true, .protected_interval_ms = 40,
      .mtu = { 1400, 1200, 2000 },
      .mixes = { ANY(ACTION_LOSS, 3), ANY(ACTION_BURST, 2), ANY(ACTION_REORDER, 2), ANY(ACTION_DUPLICATE, 2), ANY(ACTION_DELAY, 1), ANY(ACTION_BLACK_HOLE, 2),
                 ANY(ACTION_MTU, 1), ANY(ACTION_CORRUPT, 1) } },
    { .name = "dark_deliveries", .what = "protected payloads over a single path that goes dark for long", .clients = 1, .links = 1, .duration_s = 150,
      .calm_s = 80, .actions_per_minute = 8, .interval_ms = 100, .is_echoing = true, .protected_interval_ms = 30, .adjust_config = roomy,
      .mixes = { { ACTION_BLACK_HOLE, 3, 0, 0, 0, 0, SECOND, 25 * SECOND }, ANY(ACTION_LOSS, 1), ANY(ACTION_SUSPEND, 1), ANY(ACTION_REBIND, 1) } },
    { .name = "cramped", .what = "protected payloads through the smallest buffers, to hosts that stop reading", .clients = 2, .links = 2, .duration_s = 130,
      .calm_s = 80, .actions_per_minute = 15, .interval_ms = 100, .is_echoing = true, .protected_interval_ms = 60, .adjust_config = cramped,
      .adjust_policy = cramped_policy,
      .mixes = { ANY(ACTION_LOSS, 2), ANY(ACTION_REORDER, 2), ANY(ACTION_BLACK_HOLE, 1), ANY(ACTION_SLOW_CONSUMER, 1), ANY(ACTION_SUSPEND, 1), ANY(ACTION_SWITCH, 1) } },
    { .name = "moving_deliveries", .what = "protected payloads through jumps, rebindings, key phases and policies", .clients = 2, .links = 3, .duration_s = 130,
      .calm_s = 80, .actions_per_minute = 40, .interval_ms = 50, .is_echoing = true, .protected_interval_ms = 60, .adjust_policy = restless_delivery,
      .mtu = { 1300, 2000, 1200 },
      .mixes = { ANY(ACTION_SWITCH, 4), ANY(ACTION_REKEY, 2), ANY(ACTION_REBIND, 3), ANY(ACTION_NAT_FORGET, 1), ANY(ACTION_SWAP, 1), ANY(ACTION_FLAP, 2), ANY(ACTION_SOCKET, 1),
                 ANY(ACTION_PATH_REMOVE, 1), ANY(ACTION_BLACK_HOLE, 2), { ACTION_POLICY, 1, 0, 6, 0, 0, 0, 0 } } },
    { .name = "besieged", .what = "protected payloads among attackers, restarts and all faults", .clients = 2, .links = 3, .duration_s = 130, .calm_s = 80,
      .actions_per_minute = 30, .interval_ms = 50, .is_echoing = true, .protected_interval_ms = 60, .mtu = { 1400, 1200, 1300 },
      .mixes = { ANY(ACTION_DELAY, 2), ANY(ACTION_LEAP, 1), ANY(ACTION_LOSS, 2), ANY(ACTION_REORDER, 2), ANY(ACTION_DUPLICATE, 2), ANY(ACTION_BLACK_HOLE, 2),
                 ANY(ACTION_REBIND, 1), ANY(ACTION_SUSPEND, 2), ANY(ACTION_LATE, 1), ANY(ACTION_CLOCK_BACK, 1), ANY(ACTION_SLOW_CONSUMER, 1), ANY(ACTION_RESTART, 1),
                 ANY(ACTION_SWITCH, 1), ANY(ACTION_REKEY, 1), ANY(ACTION_CLOSE, 1), ANY(ACTION_ATTACK, 5) } },
};

const size_t scenario_count = sizeof scenarios / sizeof *scenarios;

const struct scenario *scenario_named(const char *name)
{
    for (size_t i = 0; i < scenario_count; i++)
        if (!strcmp(scenarios[i].name, name)) return &scenarios[i];
    return NULL;
}

uint64_t scenario_luck(const struct scenario *scenario, uint64_t seed)
{
    uint64_t luck = seed;
    for (const char *letter = scenario->name; *letter; letter++) luck = random_mix(luck ^ (uint8_t)*letter);
    return luck;
}

void scenario_schedule(const struct scenario *scenario, uint64_t seed, jmp_time duration_us, struct schedule *schedule)
{
    jmp_time calm = (jmp_time)scenario->calm_s * SECOND;
    if (calm > duration_us / 2) calm = duration_us / 2;
    struct schedule_plan plan = { scenario->mixes, scenario->clients, scenario->links, scenario->actions_per_minute, 0,
                                  duration_us > calm ? duration_us - calm : 0 };
    /* One seed in four storms from the first moment on, into the handshakes. */
    if (seed % 4) plan.from = WARM_US < plan.to ? WARM_US : 0;
    schedule_free(schedule);
    if (plan.to > plan.from) schedule_generate(schedule, &plan, scenario_luck(scenario, seed));
}
