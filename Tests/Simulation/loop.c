/* The loop every host runs: after a call, send all there is, read the events, ask for the next deadline. */
#include "host_parts.h"

#include <string.h>

void host_expect_ok(struct host *host, const char *call, jmp_status status)
{
    if (status != JMP_OK) world_fail(host->world, "unexpected_status", "%s: jmp_%s gave %d (%s)", host->name, call, status, jmp_strerror(status));
}

uint32_t host_link_of(const struct host *host, uint32_t transport)
{
    for (uint32_t l = 0; l < host->world->links; l++)
        if (host->sockets[l].transport == transport) return l;
    return NETWORK_MAX_LINKS;
}

/* What the host's process learns from its events. */
static void take_event(struct host *host, const jmp_event *event)
{
    struct world *world = host->world;
    if (world->options.plant == PLANT_LOSE_TRANSITION && world->plant_is_armed && event->type == JMP_EVENT_SESSION_STATE_CHANGE) {
        world->plant_is_armed = false;
        return;
    }
    observer_event(host->observer, event, host_clock(host));
    world_take_event(world, host, event);
    protected_take_event(host, event);
    if (event->type == JMP_EVENT_ACCEPT_REQUESTED) host_take_request(host, event);
    if (!host->number && event->type == JMP_EVENT_SESSION_CREATED) host_serve(host, event->session, event->session_id);
    if (!host->number && event->type == JMP_EVENT_SESSION_TERMINATED)
        for (size_t i = 0; i < host->served_count; i++)
            if (host->served[i].session == event->session) {
                memmove(&host->served[i], &host->served[i + 1], (host->served_count - i - 1) * sizeof *host->served);
                host->served_count--;
                break;
            }
}

void host_transmit(struct host *host, const jmp_datagram *datagram, const uint8_t *bytes)
{
    struct world *world = host->world;
    uint32_t link = host_link_of(host, datagram->transport);
    observer_sent(host->observer, datagram, bytes, host_clock(host));
    world_hash(world, &host->number, sizeof host->number);
    world_hash(world, &datagram->transport, sizeof datagram->transport);
    world_hash(world, datagram->to.bytes, sizeof datagram->to.bytes);
    world_hash(world, bytes, datagram->length);
    world->outcome->datagrams++;
    if (link == NETWORK_MAX_LINKS) return;      /* for a socket that was closed meanwhile */
    struct socket *socket = &host->sockets[link];
    if (socket->down_until <= world->now) {
        world_transmit(world, host, link, datagram, bytes);
        return;
    }
    if (!socket->tells_unsent || datagram->packet_number == JMP_PACKET_NUMBER_NONE) return;
    jmp_status status = jmp_unsent(host->endpoint, datagram->session, datagram->packet_number, host_clock(host));
    /* The last word of a session that has ended has no session any more. */
    if (status != JMP_ERR_SESSION) host_expect_ok(host, "unsent", status);
    observer_called(host->observer, "unsent", status, datagram->session, host_clock(host));
}

static void look_at_own_session(struct host *host)
{
    jmp_session_info info = { .struct_size = sizeof info };
    if (!host->number || !host->session) return;
    jmp_status status = jmp_session_get_info(host->endpoint, host->session, &info);
    if (status == JMP_ERR_SESSION || (status == JMP_OK && info.state == JMP_STATE_TERMINATED)) {
        host_end_session(host);
        return;
    }
    host_expect_ok(host, "session_get_info", status);
    memcpy(host->session_id, info.session_id, sizeof host->session_id);
    if (host->is_established || info.state == JMP_STATE_BIRTH) return;
    host->is_established = true;
    host->established_at = host->world->now;
}

void host_drain(struct host *host)
{
    uint8_t bytes[NETWORK_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_event event = { .struct_size = sizeof event };
    jmp_status status;
    unsigned count = 0;
    if (host->protected_traffic) protected_read(host);
    while (!world_has_failed(host->world)
           && (status = jmp_poll_transmit(host->endpoint, host_clock(host), bytes, sizeof bytes, &datagram)) != JMP_AGAIN) {
        host_expect_ok(host, "poll_transmit", status);
        if (status == JMP_OK) host_transmit(host, &datagram, bytes);
        if (++count > WORLD_MAX_TURNS) world_fail(host->world, "endless_transmit", "%s never stops sending", host->name);
    }
    host->has_unread_events = true;
    if (host->slow_until <= host->world->now) {
        host->slow_until = 0;
        while (!world_has_failed(host->world) && (status = jmp_poll_event(host->endpoint, &event)) != JMP_AGAIN) {
            host_expect_ok(host, "poll_event", status);
            if (status == JMP_OK) take_event(host, &event);
        }
        host->has_unread_events = false;
    }
    if (world_has_failed(host->world)) return;
    observer_step(host->observer, !host->has_unread_events, host_clock(host));
    host_expect_ok(host, "next_timeout", jmp_next_timeout(host->endpoint, &host->deadline));
    host->lateness_us = host->late_until > host->world->now ? random_below(&host->random, host->late_us + 1) : 0;
    look_at_own_session(host);
}

void host_called(struct host *host, const char *call, jmp_status status, jmp_session session)
{
    observer_called(host->observer, call, status, session, host_clock(host));
    host_drain(host);
}
