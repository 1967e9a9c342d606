/* Payloads: each says who sent it and which one it is, so that the observers can tell every copy. */
#include "host_parts.h"

void host_send_payload(struct host *host, jmp_session session, uint32_t connection, uint64_t *number, uint64_t length)
{
    uint8_t payload[NETWORK_DATAGRAM_SIZE], bytes[NETWORK_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    struct payload_header header = { host->number, connection, *number };
    if (length < PAYLOAD_HEADER_SIZE) length = PAYLOAD_HEADER_SIZE;
    payload_write(&header, payload, length);
    jmp_status status = jmp_send(host->endpoint, session, payload, length, host_clock(host), bytes, sizeof bytes, &datagram);
    if (status == JMP_OK) {
        ++*number;
        host->held_since = 0;
        observer_payload_sent(host->observer, session, &header, host_clock(host));
        host_transmit(host, &datagram, bytes);
    } else if (status == JMP_AGAIN) {
        observer_payload_refused(host->observer, session, host_clock(host));
        if (!host->held_since) host->held_since = host->world->now;
    } else if (status != JMP_ERR_STATE && status != JMP_ERR_TERMINATED && status != JMP_ERR_NO_PATH && status != JMP_ERR_SESSION) {
        host_expect_ok(host, "send", status);
    }
    host_drain(host);
}

void host_take_payload(struct host *host, jmp_session session, const uint8_t *payload, size_t length)
{
    struct world *world = host->world;
    struct payload_header header;
    observer_payload_delivered(host->observer, session, payload, length, host_clock(host));
    if (world->options.plant == PLANT_DELIVER_TWICE && world->plant_is_armed && host->number == 0) {
        world->plant_is_armed = false;
        observer_payload_delivered(host->observer, session, payload, length, host_clock(host));
    }
    if (host->number || !payload_read(payload, length, &header) || !header.sender || header.sender > world->clients) return;
    struct host *client = &world->hosts[header.sender];
    jmp_session_info info = { .struct_size = sizeof info };
    if (jmp_session_get_info(host->endpoint, session, &info) != JMP_OK) return;
    struct served *served = host_serve(host, session, info.session_id);
    served->client = header.sender;
    if (header.connection == client->connection && header.number >= client->counted_from) client->counted++;
    if (!world->scenario->is_echoing) return;
    uint64_t number = served->sent;
    uint32_t connection = served->connection;
    host_send_payload(host, session, connection, &number, length);
    /* The table may have moved while the answer was drained. */
    for (size_t i = 0; i < host->served_count; i++)
        if (host->served[i].connection == connection) host->served[i].sent = number;
}

void host_send_traffic(struct host *host, struct traffic *traffic, bool is_down)
{
    jmp_time now = host->world->now;
    if (!traffic->interval_us || traffic->next_at > now) return;
    traffic->next_at += traffic->interval_us;
    if (traffic->next_at <= now) traffic->next_at = now + traffic->interval_us;
    if (!is_down && host->session && host->is_established)
        host_send_payload(host, host->session, host->connection, &host->sent, traffic->bytes);
    struct host *gateway = &host->world->hosts[0];
    struct served *served = is_down && !is_suspended(gateway) ? host_served_for(gateway, host) : NULL;
    if (!served) return;
    uint64_t number = served->sent;
    uint32_t connection = served->connection;
    host_send_payload(gateway, served->session, connection, &number, traffic->bytes);
    for (size_t i = 0; i < gateway->served_count; i++)
        if (gateway->served[i].connection == connection) gateway->served[i].sent = number;
}
