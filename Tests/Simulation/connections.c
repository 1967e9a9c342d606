/* Sessions of a host: how a client begins and ends its own, and which ones the gateway has. */
#include "host_parts.h"

#include <string.h>

/* ----------------------------------------------------------- beginning and end */

void host_secrets(const struct world *world, uint32_t number, uint8_t *psk, uint8_t *secret_key, uint8_t *hint)
{
    struct random random = random_stream(world->luck, 300 + number);
    for (int i = 0; i < JMP_KEY_SIZE; i++) psk[i] = (uint8_t)random_next(&random);
    for (int i = 0; i < JMP_KEY_SIZE; i++) secret_key[i] = (uint8_t)random_next(&random);
    snprintf((char *)hint, 8, "c%u", (unsigned)number);
}

/* -------------------------------------------------------------------- turns */

void host_connect(struct host *host)
{
    struct world *world = host->world;
    jmp_connect_config config;
    uint8_t secret[JMP_KEY_SIZE];
    uint32_t first = NETWORK_MAX_LINKS;
    for (uint32_t l = world->links; l-- > 0; )
        if (host->sockets[l].transport != JMP_TRANSPORT_NONE) first = l;
    host->connect_at = world->now + SECOND;
    if (first == NETWORK_MAX_LINKS) return;
    jmp_connect_config_init(&config);
    config.pattern = world->pattern;
    config.transport = host->sockets[first].transport;
    config.remote = network_gateway_address(first);
    host_secrets(world, host->number, config.psk, secret, config.hint);
    if (config.pattern == JMP_PATTERN_NNPSK0) config.hint_length = (uint32_t)strlen((char *)config.hint);
    else {
        memset(config.hint, 0, sizeof config.hint);
        if (host->number % 2 == 0) memset(config.psk, 0, sizeof config.psk);
        memcpy(config.gateway_key, world->gateway_key, sizeof config.gateway_key);
    }
    strcpy(config.label, host->name);
    jmp_status status = jmp_connect(host->endpoint, &config, host_clock(host), &host->session);
    host_expect_ok(host, "connect", status);
    if (status != JMP_OK) return;
    host->connection++;
    host->sent = host->counted_from = host->counted = 0;
    host->connected_at = world->now;
    host->sockets[first].path = 0;
    observer_connected(host->observer, host->session, host_clock(host));
    protected_begin(host, host->connection);
    host_drain(host);
    for (uint32_t l = 0; l < world->links; l++)
        if (l != first) host_offer_path(host, l);
}

void host_end_session(struct host *host)
{
    if (host->is_established) host->world->outcome->session_us += host->world->now - host->established_at;
    host->is_established = false;
    host->session = 0;
    host->connect_at = host->world->now + 500 * MS + random_below(&host->random, 2 * SECOND);
    for (uint32_t l = 0; l < host->world->links; l++) host->sockets[l].path = JMP_PATH_NONE;
}

/* ------------------------------------------------------------------- draining */

struct served *host_serve(struct host *host, jmp_session session, const uint8_t *session_id)
{
    for (size_t i = 0; i < host->served_count; i++)
        if (host->served[i].session == session) return &host->served[i];
    if (host->served_count == HOST_MAX_SERVED) {
        /* The oldest has long ended: no scenario begins so many sessions within the life of one. */
        memmove(host->served, host->served + 1, (HOST_MAX_SERVED - 1) * sizeof *host->served);
        host->served_count--;
    }
    struct served *served = &host->served[host->served_count++];
    memset(served, 0, sizeof *served);
    served->session = session;
    served->connection = ++host->connection;
    served->orphaned_at = JMP_TIME_NONE;
    memcpy(served->session_id, session_id, sizeof served->session_id);
    protected_begin(host, served->connection);
    return served;
}

struct served *host_served_for(struct host *gateway, const struct host *client)
{
    for (size_t i = gateway->served_count; client->session && i-- > 0; )
        if (!memcmp(gateway->served[i].session_id, client->session_id, JMP_SESSION_ID_SIZE)) return &gateway->served[i];
    return NULL;
}
