/* How a world of world.h begins, ends and is looked at from outside. */
#include "world.h"
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t world_psk[JMP_KEY_SIZE] = "pre-shared key of this world";
static const char *const node_names[NODES] = { "client", "gateway" };

/* ------------------------------------------------------------- begin and end */

static void open_node(struct world *world, int who, const struct world_options *options, const uint8_t *secret_key)
{
    struct world_node *node = &world->nodes[who];
    uint8_t seed[JMP_KEY_SIZE] = { options->seed, (uint8_t)who, 0x5e, 0xed };
    const jmp_policy *policy = who == GATEWAY ? options->policy : NULL;
    jmp_config config;
    CHECK_OK(jmp_config_init(&config));
    config.flags = who == CLIENT ? JMP_CONFIG_INITIATE : options->flags ? options->flags : JMP_CONFIG_ACCEPT;
    config.suites = who == GATEWAY && options->gateway_suites ? options->gateway_suites
                    : options->suites ? options->suites : JMP_SUITE_CHACHA20_POLY1305;
    config.event_capacity = 4096;
    strcpy(config.node_id, node_names[who]);
    node->payload_bytes = 64;
    node->seen = calloc(1, WORLD_MAX_NUMBERS);
    if (!node->seen) abort();
    jmp_status status = options->is_unseeded ? jmp_endpoint_new(&config, policy, world->now, &node->endpoint)
                                             : jmp_endpoint_new_seeded(&config, policy, seed, world->now, &node->endpoint);
    if (!CHECK_OK(status)) abort();
    for (uint32_t i = 0; i < world->link_count; i++) {
        jmp_transport_config transport;
        uint32_t number = JMP_TRANSPORT_NONE;
        CHECK_OK(jmp_transport_config_init(&transport));
        snprintf(transport.name, sizeof transport.name, "udp:%c", (char)('A' + i));
        CHECK_OK(jmp_transport_add(node->endpoint, &transport, world->now, &number));
        CHECK_EQUAL(number, i);
    }
    CHECK_OK(jmp_endpoint_set_static_key(node->endpoint, secret_key));
}

void world_open(struct world *world, struct world_options options)
{
    static const uint8_t secret_keys[NODES][JMP_KEY_SIZE] = { "X25519 secret of the client", "X25519 secret of the gateway" };
    uint8_t client_key[JMP_KEY_SIZE];
    memset(world, 0, sizeof *world);
    world->now = WORLD_START_US;
    world->link_count = options.links ? options.links : 2;
    world->offered_links = options.offered_links ? options.offered_links : world->link_count;
    world->random = 0x9e3779b97f4a7c15u + options.seed;
    world->hash = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < world->link_count; i++) {
        world->links[i].client_port = (uint16_t)(50000 + i);
        for (int from = 0; from < NODES; from++) world->links[i].delay_us[from] = options.delay_us ? options.delay_us : 20 * MS;
    }
    for (int who = 0; who < NODES; who++) open_node(world, who, &options, secret_keys[who]);
    CHECK_OK(jmp_public_key(secret_keys[GATEWAY], world->gateway_public_key));
    CHECK_OK(jmp_public_key(secret_keys[CLIENT], client_key));
    CHECK_OK(jmp_endpoint_add_client_key(world->nodes[GATEWAY].endpoint, client_key, NULL));
    CHECK_OK(jmp_endpoint_add_psk(world->nodes[GATEWAY].endpoint, NULL, 0, world_psk));
    world->nodes[GATEWAY].is_echoing = true;
}

void world_connect_config(struct world *world, uint32_t pattern, jmp_connect_config *config)
{
    CHECK_OK(jmp_connect_config_init(config));
    config->pattern = pattern ? pattern : JMP_PATTERN_NNPSK0;
    config->transport = 0;
    config->remote = world_gateway_address(0);
    strcpy(config->label, "world");
    if (config->pattern == JMP_PATTERN_NNPSK0) memcpy(config->psk, world_psk, sizeof world_psk);
    else memcpy(config->gateway_key, world->gateway_public_key, sizeof config->gateway_key);
}

bool world_connect(struct world *world, uint32_t pattern)
{
    struct world_node *client = &world->nodes[CLIENT];
    jmp_connect_config config;
    world_connect_config(world, pattern, &config);
    if (!CHECK_OK(jmp_connect(client->endpoint, &config, world->now, &client->session))) return false;
    for (uint32_t i = 1; i < world->offered_links; i++) {
        jmp_address remote = world_gateway_address(i);
        uint32_t path = JMP_PATH_NONE;
        CHECK_OK(jmp_path_add(client->endpoint, client->session, i, &remote, world->now, &path));
    }
    world_drain(world, CLIENT);
    for (int i = 0; i < 500; i++) {
        world_run(world, 10 * MS);
        jmp_session_info info = world_info(world, CLIENT);
        if (info.state == JMP_STATE_ATTACHED && info.candidate_count + 1 == world->offered_links
            && world_info(world, GATEWAY).confirmed) return true;
    }
    return CHECK(!"connected and warm within 5 s");
}

bool world_begin(struct world *world, struct world_options options)
{
    world_open(world, options);
    if (!world_connect(world, options.pattern)) return false;
    world->nodes[CLIENT].send_interval_us = 5 * MS;
    world->nodes[CLIENT].next_send_at = world->now;
    world_run(world, 2 * SECOND);       /* long enough for round trip times to settle */
    world->nodes[CLIENT].longest_gap_us = world->nodes[GATEWAY].longest_gap_us = 0;
    return CHECK(world->nodes[CLIENT].received > 0);
}

void world_close(struct world *world)
{
    for (int who = 0; who < NODES; who++) {
        CHECK_OK(jmp_endpoint_free(world->nodes[who].endpoint));
        free(world->nodes[who].seen);
        free(world->nodes[who].events);
    }
    free(world->packets);
}

void world_set_black_hole(struct world *world, uint32_t link, bool is_black_hole)
{
    world->links[link].is_black_hole[CLIENT] = world->links[link].is_black_hole[GATEWAY] = is_black_hole;
}

/* -------------------------------------------------------------------- looking */

jmp_session_info world_info(const struct world *world, int node)
{
    jmp_session_info info = { .struct_size = sizeof info };
    if (world->nodes[node].session)
        CHECK_OK(jmp_session_get_info(world->nodes[node].endpoint, world->nodes[node].session, &info));
    return info;
}

jmp_session_stats world_session_stats(const struct world *world, int node)
{
    jmp_session_stats stats = { .struct_size = sizeof stats };
    CHECK_OK(jmp_session_get_stats(world->nodes[node].endpoint, world->nodes[node].session, &stats));
    return stats;
}

jmp_endpoint_stats world_stats(const struct world *world, int node)
{
    jmp_endpoint_stats stats = { .struct_size = sizeof stats };
    CHECK_OK(jmp_endpoint_get_stats(world->nodes[node].endpoint, &stats));
    return stats;
}

jmp_path_info world_active_path(const struct world *world, int node)
{
    jmp_path_info paths[JMP_MAX_PATHS], none = { .role = JMP_PATH_CANDIDATE };
    size_t count = 0;
    CHECK_OK(jmp_session_get_paths(world->nodes[node].endpoint, world->nodes[node].session, paths, JMP_MAX_PATHS, &count));
    for (size_t i = 0; i < count && i < JMP_MAX_PATHS; i++)
        if (paths[i].role == JMP_PATH_ACTIVE) return paths[i];
    return none;
}
