/* What the ledger knows of protected payloads: each that was taken, what became of it at both ends, and the rules of their delivery
 * (WireProtocol, "Protected delivery"; jumping.h, jmp_send_protected and jmp_poll_payload). */
#ifndef SIMULATION_PROTECTED_H
#define SIMULATION_PROTECTED_H

#include "observer.h"

/** Set in a payload header's sender: the payload is protected. */
#define PROTECTED_SENDER 0x80000000u

/** A payload that jmp_send_protected took. `number` counts them in one direction of one session, and is the tag as well. */
struct protected_payload {
    uint64_t number;
    uint64_t time_to_live_us;       /**< 0: never given up */
    jmp_time taken_at;              /**< of the world's clock */
    uint32_t length, channel;
    bool has_report;
};

/** Writes the bytes of a payload: a header and what follows from it, as far as there is room. */
void protected_write(const struct payload_header *header, uint8_t *payload, size_t length);

/** jmp_send_protected took it in `session`: right after the call. */
void observer_protected_taken(struct observer *observer, jmp_session session, const struct payload_header *header,
                              const struct protected_payload *payload, jmp_time now);
/** jmp_send gave JMP_AGAIN. */
void observer_payload_refused(struct observer *observer, jmp_session session, jmp_time now);
/** jmp_send_protected gave JMP_AGAIN. */
void observer_protected_refused(struct observer *observer, jmp_session session, size_t length, jmp_time now);
/** A payload that jmp_receive (`sequence` UINT64_MAX) or jmp_poll_payload handed out. */
void observer_protected_delivered(struct observer *observer, jmp_session session, const uint8_t *payload, size_t length, uint32_t channel,
                                  uint64_t sequence, jmp_time now);

/** The oldest payload of one direction of a session that has neither been handed out nor been given up; false when there is none. */
bool ledger_oldest_undelivered(struct ledger *ledger, const uint8_t *session_id, uint32_t sender_role, jmp_time *taken_at, uint64_t *number);
/** The process that receives in this role has died with all that its library had. */
void ledger_receiver_died(struct ledger *ledger, const uint8_t *session_id, uint32_t receiver_role);
/** At the end of a world, after every host has read: what was acknowledged has been handed out. */
void ledger_judge_deliveries(struct ledger *ledger, observer_report *report, void *context);

#endif
