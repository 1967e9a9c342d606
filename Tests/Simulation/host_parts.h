/* What the files of a host share. */
#ifndef SIMULATION_HOST_PARTS_H
#define SIMULATION_HOST_PARTS_H

#include "world.h"
#include "protected.h"

#define MS 1000u
#define SECOND 1000000u

/* Fails the world when a call that must succeed did not. */
void host_expect_ok(struct host *host, const char *call, jmp_status status);

/* clock (host.c) */
static inline bool is_suspended(const struct host *host)
{
    return host->suspended_until > host->world->now;
}

/* connections (connections.c) */

/* What the host `number` of this world knows: its PSK, its X25519 secret, and the hint that names the PSK. */
void host_secrets(const struct world *world, uint32_t number, uint8_t *psk, uint8_t *secret_key, uint8_t *hint);
/* Begins a session through the first socket that is open. */
void host_connect(struct host *host);
/* The client's session is over; the next one begins a little later. */
void host_end_session(struct host *host);
/* The gateway's entry for a session, made when there is none. */
struct served *host_serve(struct host *host, jmp_session session, const uint8_t *session_id);

/* loop (loop.c): what leaves the endpoint, from jmp_send or jmp_poll_transmit. */
void host_transmit(struct host *host, const jmp_datagram *datagram, const uint8_t *bytes);

/* requests (accepting.c) */
void host_take_request(struct host *host, const jmp_event *event);
void host_answer_requests(struct host *host);

/* payloads (payloads.c) */
void host_take_payload(struct host *host, jmp_session session, const uint8_t *payload, size_t length);
void host_send_traffic(struct host *host, struct traffic *traffic, bool is_down);

/* protected payloads (protected.c) */
void protected_open(struct host *host);
/* Of a new session. */
void protected_begin(struct host *host, uint32_t connection);
jmp_time protected_wakes_at(const struct host *host);
void protected_turn(struct host *host);
/* All that jmp_poll_payload has, unless the host does not read. */
void protected_read(struct host *host);
/* One that jmp_receive handed out. */
void protected_take(struct host *host, const jmp_received *received, const uint8_t *payload);
void protected_take_event(struct host *host, const jmp_event *event);

#endif
