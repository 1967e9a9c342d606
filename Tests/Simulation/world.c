#include "world.h"
#include "nonces.h"
#include "protected.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000u
#define SECOND 1000000u

enum {
    KNOWLEDGE_INTERVAL_US = 250000,
    WAY_TO_ATTACKER_US = 5000,
    KEPT_BYTES = 65536,
    KEPT_PIECES = 262144,
    CALM_TRAFFIC_US = 15000000,
    CALM_SETTLED_US = 40000000,     /* time for estimates and back-offs from before */
    SLOW_TRAFFIC_US = 200000,
    FINAL_DELIVERY_US = 15000000,   /* protected payloads: none is taken any more, and all hosts read */
    FINAL_COUNT_US = 3000000        /* payloads of the last seconds must all arrive … */
};
#define FINAL_SILENCE_US 1000000u   /* … those of the very last second excepted, which are not sent */

void world_fail(struct world *world, const char *rule, const char *format, ...)
{
    struct outcome *outcome = world->outcome;
    va_list arguments;
    if (outcome->is_failed) return;
    snprintf(outcome->rule, sizeof outcome->rule, "%s", rule);
    va_start(arguments, format);
    vsnprintf(outcome->text, sizeof outcome->text, format, arguments);
    va_end(arguments);
    outcome->now = world->now;
    outcome->is_failed = true;
}

void world_report(void *context, const char *rule, const char *text)
{
    world_fail(context, rule, "%s", text);
}

void world_hash(struct world *world, const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    uint64_t hash = world->outcome->hash, word;
    for (; length >= sizeof word; length -= sizeof word, byte += sizeof word) {
        memcpy(&word, byte, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    for (; length > 0; length--) hash = (hash ^ *byte++) * 0x100000001b3u;
    world->outcome->hash = hash;
}

/* ---------------------------------------------------------- beginning and end */

static void choose_suite(struct world *world)
{
    uint32_t available = JMP_SUITE_CHACHA20_POLY1305;
    jmp_suites_available(&available);
    world->suite = world->scenario->suite ? world->scenario->suite
        : world->seed / 2 % 2 ? JMP_SUITE_AES_256_GCM : JMP_SUITE_CHACHA20_POLY1305;
    if (!(world->suite & available)) world->suite = JMP_SUITE_CHACHA20_POLY1305;
    world->pattern = world->scenario->pattern ? world->scenario->pattern
        : world->seed % 2 ? JMP_PATTERN_NNPSK0 : JMP_PATTERN_IKPSK2;
}

static void open_links(struct world *world)
{
    const struct scenario *scenario = world->scenario;
    struct random random = random_stream(world->luck, 3);
    for (uint32_t c = 0; c < world->clients; c++)
        for (uint32_t l = 0; l < world->links; l++) {
            struct link *link = &world->network.link[c][l];
            jmp_time delay = scenario->delay_ms[l] ? scenario->delay_ms[l] * MS : random_between(&random, 2 * MS, 60 * MS);
            jmp_time jitter = scenario->jitter_ms[l] ? scenario->jitter_ms[l] * MS : random_between(&random, 0, delay / 8);
            for (int d = 0; d < DIRECTIONS; d++) {
                link->delay_us[d] = delay;
                link->jitter_us[d] = jitter;
            }
            link->nat.own_idle_limit_us = (jmp_time)scenario->nat_idle_s * SECOND;
        }
}

static void begin_traffic(struct traffic *traffic, uint32_t interval_ms, uint32_t bytes, jmp_time first)
{
    traffic->interval_us = traffic->own_interval_us = (jmp_time)interval_ms * MS;
    traffic->bytes = traffic->own_bytes = bytes ? bytes : 64;
    traffic->next_at = first;
}

/* When the last action ends; JMP_TIME_NONE: one never does. */
static jmp_time end_of_schedule(const struct schedule *schedule)
{
    jmp_time end = 0;
    for (size_t i = 0; i < schedule->count; i++) {
        const struct action *action = &schedule->actions[i];
        if (action_form(action->kind)->has_duration && !action->for_us) return JMP_TIME_NONE;
        if (action->at + action->for_us > end) end = action->at + action->for_us;
    }
    return end;
}

static void world_open(struct world *world, const struct world_options *options)
{
    const struct scenario *scenario = options->scenario;
    memset(world, 0, sizeof *world);
    world->options = *options;
    world->scenario = scenario;
    world->seed = options->seed;
    world->luck = scenario_luck(scenario, options->seed);
    world->clients = scenario->clients;
    world->links = scenario->links;
    world->outcome = options->outcome;
    world->outcome->hash = 0xcbf29ce484222325u;
    world->end = options->duration_us;
    world->calm_at = end_of_schedule(options->schedule);
    world->is_calm_long_enough = scenario->calm_s && world->calm_at != JMP_TIME_NONE
        && world->calm_at + (jmp_time)scenario->calm_s * SECOND <= world->end;
    nonces_reset();
    nonces_report(world_report, world);
    choose_suite(world);
    network_open(&world->network, world->clients, world->links, world->luck);
    open_links(world);
    world->ledger = ledger_new();
    world->attacker = attacker_new(random_mix(world->luck ^ 0xa77acca77ac), world->ledger);
    for (uint32_t l = 0; l < world->links; l++) {
        jmp_address gateway = network_gateway_address(l);
        attacker_target(world->attacker, l, &gateway);
    }
    for (uint32_t c = 0; c < world->clients; c++) {
        world->cut_since[c] = JMP_TIME_NONE;
        world->allowed_classes[c] = UINT32_MAX;
    }
    if (!(world->wakes = malloc((options->schedule->count + 8) * sizeof *world->wakes))) abort();
    for (uint32_t h = 0; h <= world->clients; h++) {
        struct host *host = &world->hosts[h];
        host_init(host, world, h);
        if (!world_has_failed(world)) host_start(host);
        if (!h) continue;
        /* Clients come one after the other. */
        host->connect_at = (h - 1) * 50 * MS;
        begin_traffic(&host->traffic, scenario->interval_ms, scenario->bytes, host->connect_at);
        begin_traffic(&host->downstream, scenario->downstream_interval_ms, scenario->bytes, host->connect_at + 3 * MS);
    }
}

/* Nothing of a world outlives it, in the library or here. (Tables that a process keeps once and for all are small.) */
static void judge_memory(struct world *world, size_t before)
{
    nonces_reset();
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;
    /* The allocator keeps a few pieces of every size that was used, and counts them as in use. */
    size_t kept = KEPT_BYTES + (world->scenario->protected_interval_ms ? KEPT_PIECES : 0);
    if (after > before + kept)
        world_fail(world, "memory_left", "%zu bytes are still allocated after the end of every endpoint, %zu before the first", after, before);
}

static void world_close(struct world *world)
{
    for (uint32_t h = world->clients + 1; h-- > 0; ) host_kill(&world->hosts[h]);
    attacker_add_counts(world->attacker, world->outcome->attacks);
    attacker_free(world->attacker);
    ledger_free(world->ledger);
    network_close(&world->network);
    free(world->wakes);
    struct nonce_counts counts = nonces_count();
    world->outcome->sealings = counts.sealings;
    world->outcome->sealing_keys = counts.keys;
    if (counts.sealings == 0 && world->outcome->datagrams) world_fail(world, "nonces_unseen", "no sealing passed the recorder");
}

/* ------------------------------------------------------------------ datagrams */

static bool passes_attacker(struct world *world, uint32_t link, bool is_up, const jmp_address *from, const jmp_address *to,
                            const uint8_t *bytes, uint32_t length)
{
    struct wire_datagram wire = { link, is_up, *from, *to, length, bytes };
    return world->tapped_until[link] <= world->now || attacker_see(world->attacker, &wire, world->now);
}

void world_transmit(struct world *world, struct host *host, uint32_t link, const jmp_datagram *datagram, const uint8_t *bytes)
{
    jmp_address gateway = network_gateway_address(link);
    if (host->number) {
        jmp_address from = network_pass_out(&world->network, host->number - 1, link, world->now);
        if (!network_same_address(&datagram->to, &gateway)) {
            world_fail(world, "address_unknown", "%s sends to an address it was never told", host->name);
            return;
        }
        if (passes_attacker(world, link, true, &from, &gateway, bytes, datagram->length))
            network_send(&world->network, host->number - 1, link, UP, &gateway, bytes, datagram->length, world->now);
        return;
    }
    if (attacker_owns(world->attacker, &datagram->to)) {
        struct packet packet = { .link = link, .source = gateway, .to = datagram->to, .length = datagram->length };
        memcpy(packet.bytes, bytes, datagram->length);
        network_put(&world->network, &packet, world->now + WAY_TO_ATTACKER_US);
        return;
    }
    uint32_t client = network_owner(&world->network, link, &datagram->to, world->now);
    if (client == NETWORK_MAX_CLIENTS) return;
    if (passes_attacker(world, link, false, &gateway, &datagram->to, bytes, datagram->length))
        network_send(&world->network, client, link, DOWN, &datagram->to, bytes, datagram->length, world->now);
}

static void deliver(struct world *world, struct packet *packet)
{
    if (attacker_owns(world->attacker, &packet->to)) {
        struct wire_datagram wire = { packet->link, packet->is_to_gateway, packet->source, packet->to, packet->length, packet->bytes };
        attacker_caught(world->attacker, &wire, world->now);
        return;
    }
    if (packet->is_to_gateway) {
        host_receive(&world->hosts[0], packet);
        return;
    }
    uint32_t client = network_owner(&world->network, packet->link, &packet->to, world->now);
    if (client < NETWORK_MAX_CLIENTS) host_receive(&world->hosts[client + 1], packet);
}

static void let_attacker_inject(struct world *world)
{
    struct injection injection;
    while (!world_has_failed(world) && attacker_next(world->attacker, world->now, &injection)) {
        const struct wire_datagram *wire = &injection.datagram;
        struct packet packet = { .is_to_gateway = wire->is_toward_gateway, .link = wire->link, .source = wire->from, .to = wire->to };
        if (wire->link >= world->links || wire->length > sizeof packet.bytes) continue;
        packet.length = wire->length;
        memcpy(packet.bytes, wire->bytes, wire->length);
        uint32_t client = network_owner(&world->network, wire->link, wire->is_toward_gateway ? &wire->from : &wire->to, world->now);
        if (client == NETWORK_MAX_CLIENTS) client = 0;
        jmp_time delay = world->network.link[client][wire->link].delay_us[wire->is_toward_gateway ? UP : DOWN];
        network_put(&world->network, &packet, world->now + (injection.is_racing ? 0 : delay));
    }
}

void world_take_event(struct world *world, struct host *host, const jmp_event *event)
{
    char json[2048];
    size_t length = 0;
    if (event->type == JMP_EVENT_TRANSPORT_SWITCH) attacker_jumped(world->attacker, world->now);
    /* Nothing is lost any more and delays are steady: a path that is called dead now is called so wrongly. */
    if (event->type == JMP_EVENT_TRANSPORT_DEAD && world->is_calm_long_enough
        && event->time > host->clock_base_us + world->calm_at + CALM_SETTLED_US) {
        world_fail(world, "clear_sky_dead", "%s calls path %u (%s) dead, round trip %u us", host->name, (unsigned)event->path, event->from_transport,
                   (unsigned)event->latency_us);
        return;
    }
    jmp_status status = jmp_event_to_json(event, json, sizeof json, &length);
    if (status != JMP_OK) {
        world_fail(world, "unexpected_status", "%s: jmp_event_to_json gave %d", host->name, status);
        return;
    }
    world_hash(world, json, length);
    if (world->options.trace) fprintf(world->options.trace, "%s\n", json);
}

/* ----------------------------------------------------------------------- time */

void world_wake_at(struct world *world, jmp_time when)
{
    size_t at = world->wake_count++;
    for (; at > 0 && world->wakes[at - 1] < when; at--) world->wakes[at] = world->wakes[at - 1];
    world->wakes[at] = when;        /* the earliest is the last */
}

static jmp_time next_moment(struct world *world)
{
    const struct schedule *schedule = world->options.schedule;
    jmp_time next = world->end, times[4] = { network_next(&world->network), attacker_due(world->attacker), world->knows_at, JMP_TIME_NONE };
    if (world->next_action < schedule->count) times[3] = schedule->actions[world->next_action].at;
    for (int i = 0; i < 4; i++)
        if (times[i] < next) next = times[i];
    if (world->wake_count && world->wakes[world->wake_count - 1] < next) next = world->wakes[world->wake_count - 1];
    for (uint32_t h = 0; h <= world->clients; h++) {
        jmp_time wakes_at = host_wakes_at(&world->hosts[h]);
        if (wakes_at < next) next = wakes_at;
    }
    return next > world->now ? next : world->now;
}

static void end_attacks(struct world *world)
{
    for (int a = 0; a < ATTACK_COUNT; a++)
        if (world->attack_until[a] && world->attack_until[a] <= world->now) {
            world->attack_until[a] = 0;
            attacker_set(world->attacker, (enum attack)a, 0, world->now);
        }
    for (uint32_t l = 0; l < world->links; l++)
        if (world->tapped_until[l] && world->tapped_until[l] <= world->now) {
            world->tapped_until[l] = 0;
            attacker_tap(world->attacker, l, false);
        }
}

static void act(struct world *world)
{
    const struct schedule *schedule = world->options.schedule;
    bool has_changed = world->wake_count && world->wakes[world->wake_count - 1] <= world->now;
    while (world->wake_count && world->wakes[world->wake_count - 1] <= world->now) world->wake_count--;
    if (has_changed) end_attacks(world);
    while (!world_has_failed(world) && world->next_action < schedule->count && schedule->actions[world->next_action].at <= world->now) {
        world_act(world, &schedule->actions[world->next_action++]);
        world->outcome->actions++;
        has_changed = true;
    }
    if (!has_changed && world->knows_at > world->now) return;
    world_tell_knowledge(world);
    world_judge_deliveries(world);
    world->knows_at = world->now + KNOWLEDGE_INTERVAL_US;
}

static void step(struct world *world)
{
    struct packet *packet;
    jmp_time next = next_moment(world);
    world->turns = next == world->now ? world->turns + 1 : 0;
    if (world->turns > WORLD_MAX_TURNS) world_fail(world, "livelock", "a deadline stays in the past");
    world->now = world->outcome->now = next;
    act(world);
    let_attacker_inject(world);
    while (!world_has_failed(world) && (packet = network_take(&world->network, world->now))) {
        deliver(world, packet);
        network_release(&world->network, packet);
    }
    for (uint32_t h = 0; h <= world->clients && !world_has_failed(world); h++)
        if (host_wakes_at(&world->hosts[h]) <= world->now) host_turn(&world->hosts[h]);
}

static void run_until(struct world *world, jmp_time end)
{
    jmp_time whole = world->end;
    world->end = end;
    while (!world_has_failed(world) && world->now < end) step(world);
    world->end = whole;
}

static void slow_down(struct host *host)
{
    if (host->traffic.interval_us && host->traffic.interval_us < SLOW_TRAFFIC_US) host->traffic.interval_us = SLOW_TRAFFIC_US;
    if (host->downstream.interval_us && host->downstream.interval_us < SLOW_TRAFFIC_US) host->downstream.interval_us = SLOW_TRAFFIC_US;
}

/* Every host reads from now on, and takes no protected payload from itself. */
static void end_protected(struct world *world)
{
    world->is_protected_silent = true;
    for (uint32_t h = 0; h <= world->clients && !world_has_failed(world); h++) {
        struct host *host = &world->hosts[h];
        host->is_reading_paused = false;
        if (host->protected_traffic && host->endpoint && host->suspended_until <= world->now) host_drain(host);
    }
}

void world_play(const struct world_options *options)
{
    static struct world world;
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    world_open(&world, options);
    if (world.is_calm_long_enough) {
        run_until(&world, world.calm_at + CALM_TRAFFIC_US < world.end - FINAL_COUNT_US ? world.calm_at + CALM_TRAFFIC_US : world.end - FINAL_COUNT_US);
        /* Most of the calm is waiting for limits that count a minute: half of the worlds spend it with little traffic. */
        for (uint32_t h = 1; h <= world.clients && world.seed % 2 == 0; h++) slow_down(&world.hosts[h]);
        run_until(&world, world.end - FINAL_DELIVERY_US);
        end_protected(&world);
        run_until(&world, world.end - FINAL_COUNT_US);
        for (uint32_t h = 1; h <= world.clients; h++) {
            world.hosts[h].counted_from = world.hosts[h].sent;
            world.hosts[h].counted = 0;
        }
        run_until(&world, world.end - FINAL_SILENCE_US);
        for (uint32_t h = 1; h <= world.clients; h++) world.hosts[h].traffic.interval_us = 0;
    }
    run_until(&world, world.end);
    if (world.is_calm_long_enough && !world_has_failed(&world)) world_judge_clear_sky(&world);
    end_protected(&world);
    if (!world_has_failed(&world)) ledger_judge_deliveries(world.ledger, world_report, &world);
    world_close(&world);
    judge_memory(&world, before);
    world.outcome->is_finished = true;
}
