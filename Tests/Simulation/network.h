/* The network between a gateway and its clients: for every client a few links, each of two directions with their own
 * impairments, and a NAT in front of the client. Datagrams are delivered in order of (due time, order of sending), so that a
 * world depends on nothing but its seed and its schedule. */
#ifndef SIMULATION_NETWORK_H
#define SIMULATION_NETWORK_H

#include "random.h"

#include <jumping.h>
#include <stddef.h>

enum {
    NETWORK_MAX_CLIENTS = 16,
    NETWORK_MAX_LINKS = 4,          /* per client */
    NETWORK_DATAGRAM_SIZE = 2048,   /* bytes; the largest the simulated hosts send is JMP_DEFAULT_MTU */
    NETWORK_GATEWAY_PORT = 4000,
    NETWORK_GOOD_LOSS_PPM = 50000,  /* a path with more loss than this promises nothing */
    NETWORK_GOOD_DELAY_US = 250000  /* nor does one with a longer way in one direction */
};

enum { UP, DOWN, DIRECTIONS };      /* client to gateway, gateway to client */

/* What can be wrong with one direction of a link. `value` and `extra` as in the schedule (schedule.h). */
enum impairment_kind {
    IMPAIR_DELAY,                   /* value: added us, extra: jitter us */
    IMPAIR_LOSS,                    /* value: ppm */
    IMPAIR_BURST,                   /* value: ppm of entering a bad spell, extra: datagrams it lasts on average */
    IMPAIR_REORDER,                 /* value: ppm held back, extra: by how many us */
    IMPAIR_DUPLICATE,               /* value: ppm */
    IMPAIR_CORRUPT,                 /* value: ppm */
    IMPAIR_MTU,                     /* value: largest datagram in bytes */
    IMPAIR_BLACK_HOLE,
    IMPAIRMENTS
};

struct impairment {
    uint64_t value, extra;
    jmp_time until;                 /* of the world's clock; 0: never began */
};

struct direction {
    struct impairment impairments[IMPAIRMENTS];
    bool is_in_bad_spell;           /* Gilbert-Elliott */
    struct random random;
};

/* Between a client's link and the gateway: under which address the gateway sees the client, and for how long. */
struct nat {
    jmp_address address, old_address;   /* old.length 0: none; else it still leads to the client */
    jmp_time last_used_at;          /* the last datagram out */
    jmp_time idle_limit_us;         /* a mapping not used for longer is forgotten; 0: never */
    jmp_time idle_limit_until;      /* until then idle_limit_us comes from the schedule */
    jmp_time own_idle_limit_us;     /* the topology's */
    bool is_forgotten;              /* nothing gets in until something goes out, from another port */
};

struct link {
    jmp_time delay_us[DIRECTIONS], jitter_us[DIRECTIONS];   /* of the topology */
    struct direction directions[DIRECTIONS];
    struct nat nat;
    jmp_time broken_until;          /* up to then it did or will not work both ways, or its address changes */
};

struct packet {
    jmp_time due;
    uint64_t order;
    bool is_to_gateway;
    uint32_t client;                /* whose link it travels on; on the way down the address decides who gets it */
    uint32_t link;
    jmp_address source, to;
    uint32_t length;
    struct packet *next_free;
    uint8_t bytes[NETWORK_DATAGRAM_SIZE];
};

struct network {
    uint32_t clients, links;
    struct link link[NETWORK_MAX_CLIENTS][NETWORK_MAX_LINKS];
    uint16_t next_port[NETWORK_MAX_LINKS];
    struct packet **heap;
    size_t count, capacity;
    struct packet *free;
    uint64_t order;
    uint64_t delivered, lost;       /* datagrams, in all */
};

/* Transport class of each link, the same for every client. */
extern const uint32_t network_classes[NETWORK_MAX_LINKS];

void network_open(struct network *network, uint32_t clients, uint32_t links, uint64_t seed);
void network_close(struct network *network);

jmp_address network_gateway_address(uint32_t link);
bool network_same_address(const jmp_address *left, const jmp_address *right);

/* A datagram of `client` passes its NAT on the way out: keeps the mapping, or makes another. The address it has then. */
jmp_address network_pass_out(struct network *network, uint32_t client, uint32_t link, jmp_time now);

/* Puts a datagram of `client` (UP) or for it (DOWN) on a link. What the impairments leave of it comes out later. */
void network_send(struct network *network, uint32_t client, uint32_t link, int direction, const jmp_address *to,
                  const uint8_t *bytes, size_t length, jmp_time now);

/* Puts a datagram into the queue past every impairment and NAT; for attackers and for sockets that keep datagrams. */
void network_put(struct network *network, const struct packet *packet, jmp_time due);

/* When the next datagram comes out, or JMP_TIME_NONE. */
jmp_time network_next(const struct network *network);

/* Takes the datagram that is due first, if one is due at `now`; give it back with network_release. */
struct packet *network_take(struct network *network, jmp_time now);
void network_release(struct network *network, struct packet *packet);

/* Which client has this address on this link now: its number, or NETWORK_MAX_CLIENTS when nobody has. */
uint32_t network_owner(struct network *network, uint32_t link, const jmp_address *address, jmp_time now);

/* Begins an impairment of one direction. */
void network_impair(struct network *network, uint32_t client, uint32_t link, int direction, enum impairment_kind kind,
                    uint64_t value, uint64_t extra, jmp_time until);
/* Ends every impairment of a link. */
void network_clear(struct network *network, uint32_t client, uint32_t link);

/* NATs: another port from now on; a mapping forgotten; two clients that swap their addresses. */
void network_rebind(struct network *network, uint32_t client, uint32_t link, bool keeps_old);
void network_forget(struct network *network, uint32_t client, uint32_t link);
void network_swap(struct network *network, uint32_t one, uint32_t other, uint32_t link);

/* Whether the link works both ways at this moment, with little loss and delay. */
bool network_is_good(const struct network *network, uint32_t client, uint32_t link, jmp_time now);
/* Whether no datagram can pass in one direction at least. */
bool network_is_cut(const struct network *network, uint32_t client, uint32_t link, jmp_time now);
/* The longest round trip of a link at this moment, jitter and reordering included. */
jmp_time network_round_trip(const struct network *network, uint32_t client, uint32_t link, jmp_time now);

#endif
