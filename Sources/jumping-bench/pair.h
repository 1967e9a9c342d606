#ifndef PAIR_H
#define PAIR_H

#include "bench.h"

/* Endpoints and the memory between them. */

/* The best suite here that libsodium 1.0.18 has too: AES-256-GCM, else ChaCha20-Poly1305. */
uint32_t usual_suite(void);

/* Fills what every endpoint here has: room for the sessions, no limits on handshakes but where a row is about them. */
void usual_config(jmp_config *config, uint32_t suite, uint32_t sessions);
/* An endpoint with one transport of that name, the PSK of the empty hint, and a static key that the others let in. */
jmp_endpoint *make_endpoint(const jmp_config *config, const jmp_policy *policy, const char *transport_name, jmp_time now);
uint32_t add_transport(jmp_endpoint *endpoint, const char *name, jmp_time now);
/* How a client connects to such a gateway over transport 0. */
void usual_connect_config(jmp_connect_config *connect, uint32_t pattern);
/* The address both ends are at. */
extern const jmp_address usual_address;
/* The same for the path over another of the client's transports; the last byte tells which. */
jmp_address path_address(uint32_t transport);
/* The PSK of the empty hint. */
extern const uint8_t usual_psk[JMP_KEY_SIZE];

/* Two endpoints joined by memory. */
struct pair {
    jmp_endpoint *client, *gateway;
    jmp_time now;
};
void pair_open(struct pair *pair, uint32_t suite, uint32_t sessions);
void pair_close(struct pair *pair);
/* Connects one session until the gateway is attached and both ends are silent. */
void pair_connect(struct pair *pair, uint32_t pattern, jmp_session *client);
/* Sends one payload so that the gateway tells its handle. */
jmp_session pair_gateway_session(struct pair *pair, jmp_session client);
/* Moves control datagrams and drops events until both are silent. */
void pair_settle(struct pair *pair);
/* Lets both ends handle their timers at the pair's time. */
void pair_tick(struct pair *pair);
void drop_events(jmp_endpoint *endpoint);
/* Everything that is due at that time, in as many calls as it takes. */
void pass_time(jmp_endpoint *endpoint, jmp_time now);

#endif
