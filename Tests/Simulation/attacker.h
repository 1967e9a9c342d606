/* Attackers: one on the path and one off it. They hold no keys. Everything they do follows from their seed, what passes by, and how
 * strong each of their attacks is set, which schedules change in time.
 *
 * The world gives every datagram that crosses a tapped link to attacker_see, at the place between the client's NAT and the gateway
 * (so with the addresses the gateway sees), at the moment it is put on the link; gives datagrams that are addressed to one of the
 * attacker's own addresses to attacker_caught when they arrive there; and puts the datagrams that attacker_next hands out on
 * the link they name, as if the named source had sent them, without loss or delay of the link when `is_racing` is set. */
#ifndef SIMULATION_ATTACKER_H
#define SIMULATION_ATTACKER_H

#include <jumping.h>
#include <stdbool.h>
#include <stdint.h>
#include "observer.h"

/** What attackers do; the number after each is what an intensity means: ppm of the datagrams seen, or datagrams a second. */
enum attack {
    ATTACK_REPLAY_NOW,          /**< ppm: a second copy right behind the original */
    ATTACK_REPLAY_LATER,        /**< ppm: a recorded datagram again, 10 ms … 60 s after it passed */
    ATTACK_REPLAY_AFTER_JUMP,   /**< ppm of the record, most recent first, at each attacker_jumped */
    ATTACK_REPLAY_HANDSHAKE,    /**< per second: recorded INIT, RESP and COOKIE again, also from other addresses */
    ATTACK_RACE,                /**< ppm: a copy from the attacker's own address that arrives before the original */
    ATTACK_RACE_ONLY_LONG,      /**< ppm: the same, for the datagrams long enough for a REATTACH beside nothing else (50 … 120 bytes) */
    ATTACK_HOLD_BACK,           /**< ppm: swallowed, and sent on 10 ms … 20 s later from where it came */
    ATTACK_REDIRECT,            /**< ppm: swallowed, and sent over another link or from another source address */
    ATTACK_TRUNCATE,            /**< ppm: a copy cut short */
    ATTACK_FLIP,                /**< ppm: a copy with one to three bits changed */
    ATTACK_FORGE,               /**< ppm: random bytes behind the connection id of the datagram seen */
    ATTACK_SWALLOW,             /**< ppm: swallowed */
    ATTACK_RELAY,               /**< 1: carries all datagrams of clients from its own address, and the answers back */
    ATTACK_RELAY_COPIES,        /**< 1: the relay lets the originals pass and races its copies ahead of them */
    ATTACK_FLOOD_RANDOM,        /**< per second: random bytes, from random addresses, to the targets */
    ATTACK_FLOOD_DATA,          /**< per second: DATA with foreign connection ids */
    ATTACK_FLOOD_INIT,          /**< per second: INITs that do not open, without a cookie */
    ATTACK_FLOOD_INIT_COOKIE,   /**< per second: the same with made-up cookies */
    ATTACK_FLOOD_REPLIES,       /**< per second: made-up RESP and COOKIE towards the clients' addresses seen last */
    ATTACK_COUNT
};

/** Stable name of an attack, for schedules ("replay_now" …). */
const char *attack_name(enum attack attack);
/** The attack of a name; ATTACK_COUNT for none. */
enum attack attack_from_name(const char *name);
/** An upper bound for sensible intensities of this attack, for schedules made from a seed: ppm, per second, or 1. */
uint32_t attack_strongest(enum attack attack);

struct attacker;

/** An attacker with its own randomness from `seed`. Its addresses are told to the ledger. */
struct attacker *attacker_new(uint64_t seed, struct ledger *ledger);
/** Ends it. */
void attacker_free(struct attacker *attacker);

/** Sits down on a link, or leaves it. */
void attacker_tap(struct attacker *attacker, uint32_t link, bool is_tapped);
/** A gateway's address on a link: where floods and redirected datagrams go. Without one, the attacker learns from what it sees. */
void attacker_target(struct attacker *attacker, uint32_t link, const jmp_address *gateway);
/** Sets how strong an attack is; 0 ends it. What is already on its way still comes. */
void attacker_set(struct attacker *attacker, enum attack attack, uint32_t intensity, jmp_time now);

/** A datagram on a link, between NAT and gateway. */
struct wire_datagram {
    uint32_t link;
    bool is_toward_gateway;
    jmp_address from, to;
    uint32_t length;
    const uint8_t *bytes;
};

/** A datagram crosses a link (links that are not tapped are ignored). True: it passes; false: the attacker swallowed it. */
bool attacker_see(struct attacker *attacker, const struct wire_datagram *datagram, jmp_time now);
/** Whether an address is the attacker's own: datagrams to it end at attacker_caught. */
bool attacker_owns(const struct attacker *attacker, const jmp_address *address);
/** A datagram arrived at one of its own addresses. */
void attacker_caught(struct attacker *attacker, const struct wire_datagram *datagram, jmp_time now);
/** A session jumped: the moment for replays of what was recorded before. */
void attacker_jumped(struct attacker *attacker, jmp_time now);

/** A datagram to put on a link; `bytes` are the attacker's until the next call to it. */
struct injection {
    struct wire_datagram datagram;
    enum attack attack;         /**< why */
    bool is_racing;             /**< must arrive before everything that is on the link: at once, without the link's loss */
};

/** When attacker_next has something; JMP_TIME_NONE: never. */
jmp_time attacker_due(const struct attacker *attacker);
/** The next datagram due at `now`; false: none. */
bool attacker_next(struct attacker *attacker, jmp_time now, struct injection *injection);

/** How many datagrams were injected for each attack, added to counts[ATTACK_COUNT]. */
void attacker_add_counts(const struct attacker *attacker, uint64_t *counts);

#endif
