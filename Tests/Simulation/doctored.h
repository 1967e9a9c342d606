/* A life made up for the observers' test: events and looks that tests doctor before they show them to an observer. */
#ifndef SIMULATION_DOCTORED_H
#define SIMULATION_DOCTORED_H

#include "observer_test.h"

#define HANDLE 0x100000000ull
#define BEGIN_US 5000000ull

/** What the doctored library says, and which rules were reported. */
struct doctored_life {
    struct glimpse glimpse;
    jmp_endpoint_stats stats;
    jmp_time deadline;
    struct ledger *ledger;
    struct observer *observer;
    jmp_event event;            /**< the last one, which the next copies */
    jmp_time now;
    char rules[256];            /**< each once, joined by commas */
};
extern struct doctored_life fake;

/** One way to break a life, and the rule that must see it ("": none). */
struct doctored_case {
    bool is_gateway;
    void (*act)(void);
    const char *rule, *what;
};
/** doctored_events.c: events and looks. */
extern const struct doctored_case event_cases[];
extern const size_t event_case_count;
/** doctored_datagrams.c: datagrams. */
extern const struct doctored_case datagram_cases[];
extern const size_t datagram_case_count;
/** doctored_payloads.c: payloads, what the world knows, nonces. */
extern const struct doctored_case payload_cases[];
extern const size_t payload_case_count;
/** doctored_deliveries.c: protected payloads. */
extern const struct doctored_case delivery_cases[];
extern const size_t delivery_case_count;

/** Notes a reported rule in fake.rules. */
void note_rule(void *context, const char *rule, const char *text);
/** jmp_session_get_* and jmp_endpoint_get_stats of the doctored library. */
void fake_glimpse(struct observer *observer, jmp_session session, struct glimpse *glimpse);
jmp_status fake_stats(struct observer *observer, jmp_endpoint_stats *stats);

/** The address 10.0.0.`last`. */
jmp_address address(uint8_t last);
/** A look at every session, all events polled. */
void step(void);
/** The same with events left in the queue. */
void step_undrained(void);
/** A transition, in the events and in what the library says. */
void move(uint32_t to, uint32_t reason);
/** Another event of the session as it is. */
void tell_other(uint32_t type, uint32_t reason);
/** A session of version 0 in BIRTH. */
void begin(bool is_gateway);
/** BIRTH to ATTACHED, path 1 active. */
void attach(void);
/** A jump to another path, as both ends log it, and two seconds. */
void jump(uint32_t reason);
/** To TERMINATED, with its event. */
void end_session(uint32_t reason);
/** Another path in what the library says. */
void add_path(uint32_t id, uint32_t role);

#endif
