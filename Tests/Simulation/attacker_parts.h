/* What the attacker's files share: what it remembers and what it is about to send. */
#ifndef SIMULATION_ATTACKER_PARTS_H
#define SIMULATION_ATTACKER_PARTS_H

#include "attacker.h"
#include "observer_parts.h"

#define LINKS 64u
#define FLOWS 32u
#define DATAGRAM_CAP 1500u
#define RECORD_CAP 512u
#define HANDSHAKES_KEPT 32u
#define REPLAYED_AT_JUMP 64u
#define QUEUE_CAP 4096u

/** What an attack is called, how strong it sensibly gets, and in which unit. */
struct attack_traits {
    const char *name;
    uint32_t strongest;
    bool is_per_second;
};
extern const struct attack_traits attack_traits[ATTACK_COUNT];

/** A datagram that waits to be injected. */
struct waiting {
    struct injection injection;
    jmp_time due;
    uint64_t order;
    uint8_t bytes[DATAGRAM_CAP];
};

/** A datagram that passed. */
struct recorded {
    struct wire_datagram datagram;
    uint8_t bytes[DATAGRAM_CAP];
};

/** A client seen on a link, and the two addresses the attacker speaks for it from: one that only sends, one that relays. */
struct flow {
    bool is_used;
    uint32_t link;
    jmp_address client, gateway, sender, relay;
};

struct attacker {
    uint64_t random;
    struct ledger *ledger;
    bool is_tapped[LINKS];
    jmp_address target[LINKS];
    uint32_t intensity[ATTACK_COUNT];
    jmp_time next_flood[ATTACK_COUNT];
    uint64_t injected[ATTACK_COUNT];
    struct waiting *queue[QUEUE_CAP];
    size_t queue_count;
    uint64_t order;
    struct waiting *handed_out;
    struct flow flows[FLOWS];
    uint32_t next_flow;
    struct recorded record[RECORD_CAP], handshakes[HANDSHAKES_KEPT];
    uint32_t record_count, handshake_count;
    uint8_t node_tag[2];
    jmp_address last_client;
    uint32_t last_link;
};

uint64_t attacker_random(struct attacker *attacker);
uint64_t attacker_random_below(struct attacker *attacker, uint64_t bound);
/** Queues a copy of a datagram; when the queue is full, nothing. */
void attacker_inject(struct attacker *attacker, enum attack attack, const struct wire_datagram *datagram, jmp_time due, bool is_racing);

/* flooder.c */
/** When the next datagram of a flood is due. */
jmp_time flood_due(const struct attacker *attacker);
/** Queues what the floods send until `now`. */
void flood_until(struct attacker *attacker, jmp_time now);

#endif
