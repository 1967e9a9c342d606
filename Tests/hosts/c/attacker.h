/* An attacker on the network of a world: copies what passes, swallows it, hands it in again from its own address, relays. */
#ifndef ATTACKER_H
#define ATTACKER_H

#include "world.h"

enum { ATTACKER_MAX_COPIES = 4096 };

/* A datagram the attacker keeps. */
struct attacker_copy {
    int from;
    uint32_t link, length;
    uint8_t bytes[WORLD_DATAGRAM_SIZE];
};

/* What the attacker does with datagrams that pass; tests change it as they go. */
struct attacker {
    struct attacker_copy *copies;
    size_t count;
    int keeps_from;                 /* CLIENT or GATEWAY: whose datagrams are copied; -1: none */
    uint32_t keeps_link;            /* WORLD_LINKS: of every link */
    bool swallows;                  /* copied datagrams do not arrive */
    uint32_t races_left;            /* so many copied datagrams are handed to the gateway at once, from attacker_address */
    bool relays;                    /* what the gateway sends to attacker_address is handed to the client at once */
    uint64_t bytes_to_it;           /* sent by the gateway to attacker_address */
    uint64_t bytes_from_it;         /* sent to the gateway from there */
};

extern const jmp_address attacker_address;

/* Puts the attacker on the world's links; attacker_leave frees it. */
void attacker_enter(struct attacker *attacker, struct world *world);
void attacker_leave(struct attacker *attacker, struct world *world);

/* Hands a datagram to the gateway from attacker_address, and counts its bytes. */
jmp_received attacker_send(struct attacker *attacker, struct world *world, uint32_t link, const uint8_t *bytes, size_t length);

/* A datagram of the client with a payload that the gateway has not seen: the attacker swallowed it. */
struct attacker_copy attacker_fresh_datagram(struct attacker *attacker, struct world *world);

/* What no rejected datagram may change at a node. */
struct picture {
    jmp_session_info info;
    jmp_session_stats stats;
    jmp_endpoint_stats endpoint;
    uint64_t payloads;
    size_t state_changes, established;
};

struct picture take_picture(const struct world *world, int node);

/* Checks that two pictures of the same instant differ in counters of what was dropped alone. */
void check_unchanged(const struct picture *before, const struct picture *after);

/* Sum of the counters by cause. */
uint64_t all_drops(const jmp_endpoint_stats *stats);

#endif
