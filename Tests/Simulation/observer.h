/* Observers: judges that watch an endpoint from the outside, through the public interface alone, and report every rule of the
 * protocol that is broken. The world tells an observer all that it hands to its endpoint and gets from it; the observer compares that
 * with what the events say, with what jmp_session_get_info, _stats, _paths and _policy say, and with what the other ends did.
 *
 * One `ledger` a world: what is true between hosts (which datagrams and payloads were really sent, by whom, in which session).
 * One `observer` an endpoint: a process that restarts gets a new endpoint and a new observer on the same ledger.
 *
 * The host loop, with the observer's calls in their places:
 *
 *     observer_arrived(…);  jmp_receive(…);  observer_received(…);       for a datagram
 *     observer_payload_delivered(…);                                    when received.kind is JMP_RECEIVED_PAYLOAD
 *     jmp_session_close(…); observer_called(…);                         for any other call that changes state, jmp_handle_timeout too
 *     jmp_send(…); observer_payload_sent(…); observer_sent(…);          for a payload (both only when the status is JMP_OK)
 *     jmp_send_protected(…); observer_protected_taken(…);               or observer_protected_refused when it gave JMP_AGAIN
 *     jmp_poll_payload(…); observer_protected_delivered(…);             until JMP_AGAIN, and for JMP_RECEIVED_PROTECTED (protected.h)
 *     jmp_poll_transmit(…); observer_sent(…);                           until JMP_AGAIN
 *     jmp_poll_event(…); observer_event(…);                             until JMP_AGAIN, or as far as a slow host gets
 *     observer_network(…);                                              whenever the world's knowledge changes, and now and then
 *     observer_step(…);                                                 after every drain
 *
 * A slow host that leaves events in the queue calls everything else all the same and says so in observer_step.
 *
 * `now` is the time as the host's own clock tells it (what is passed to the library): a host whose clock goes backwards passes that.
 * All memory is bounded but for one byte per payload and sixteen per datagram sent in a world (the ledger). */
#ifndef SIMULATION_OBSERVER_H
#define SIMULATION_OBSERVER_H

#include <jumping.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** A broken rule: `rule` is a short stable name ("version_plus_one", "nonce_reuse" …), by which the shrinker recognises the same
 *  failure; `text` is one line for people. Both are only valid during the call. */
typedef void observer_report(void *context, const char *rule, const char *text);

/* ------------------------------------------------------------------------------------------------------------------- ledger */

/** What is true between the hosts of a world. */
struct ledger;

/** A ledger for one world. */
struct ledger *ledger_new(void);
/** Ends a ledger; every observer on it has ended before. */
void ledger_free(struct ledger *ledger);
/** Tells that `address` is an attacker's own: no gateway may bind a session to it, unless the attacker answers from there for
 *  the client (ledger_attacker_relays). */
void ledger_attacker_address(struct ledger *ledger, const jmp_address *address);
/** Tells that from now on the attacker carries datagrams both ways between its address and the client's: it is a path then, like any
 *  router (ThreatModel, "Not defended"), and binding to it is no fault. */
void ledger_attacker_relays(struct ledger *ledger, const jmp_address *address);

/** What the first PAYLOAD_HEADER_SIZE bytes of every payload say; the rest is filled by payload_write too. */
struct payload_header {
    uint32_t sender;        /**< number of the sending host in the world */
    uint32_t connection;    /**< which of its connections, + 1 per session the host begins or accepts, restarts included */
    uint64_t number;        /**< from 0, + 1 per payload that jmp_send took */
};
#define PAYLOAD_HEADER_SIZE 16u

/** Writes a whole payload of `length` bytes, PAYLOAD_HEADER_SIZE at least: the header, then bytes that follow from it. */
void payload_write(const struct payload_header *header, uint8_t *payload, size_t length);
/** Reads a payload's header; false when it is too short or a byte behind the header is not what payload_write writes. */
bool payload_read(const uint8_t *payload, size_t length, struct payload_header *header);

/* ----------------------------------------------------------------------------------------------------------------- observer */

/** The judge of one endpoint. */
struct observer;

/** Begins to watch `endpoint`, directly after it was made. `config` is what it was made with (NULL: the defaults); `name` (copied)
 *  stands before every text. The endpoint must live until observer_free. */
struct observer *observer_new(const char *name, bool is_gateway, jmp_endpoint *endpoint, const jmp_config *config,
                              struct ledger *ledger, observer_report *report, void *context);
/** End-of-life checks, then the observer is gone; call it before jmp_endpoint_free. */
void observer_free(struct observer *observer, jmp_time now);

/** A session that the host began by jmp_connect; directly after the call. (Sessions of a gateway show themselves by their events.) */
void observer_connected(struct observer *observer, jmp_session session, jmp_time now);
/** A datagram that jmp_send or jmp_poll_transmit handed out; `bytes` are datagram->length long. */
void observer_sent(struct observer *observer, const jmp_datagram *datagram, const uint8_t *bytes, jmp_time now);
/** Just before jmp_receive of these bytes. */
void observer_arrived(struct observer *observer, uint32_t transport, const jmp_address *from, const uint8_t *bytes, size_t length,
                      jmp_time now);
/** Just after that jmp_receive (when it returned JMP_OK; for a transport that is gone call observer_called instead). */
void observer_received(struct observer *observer, const jmp_received *received, jmp_time now);
/** A payload that the host took with jmp_send in `session`: right after it, with the header the payload begins with. */
void observer_payload_sent(struct observer *observer, jmp_session session, const struct payload_header *header, jmp_time now);
/** A payload that jmp_receive handed out, right after observer_received. */
void observer_payload_delivered(struct observer *observer, jmp_session session, const uint8_t *payload, size_t length, jmp_time now);
/** Every polled event, in order. */
void observer_event(struct observer *observer, const jmp_event *event, jmp_time now);
/** A host call that may change state, just after it: `call` is its name without "jmp_" ("handle_timeout", "session_close",
 *  "session_rekey", "session_request_switch", "session_set_policy", "transport_hint", "path_add" …); session 0 for endpoint-wide ones. */
void observer_called(struct observer *observer, const char *call, jmp_status status, jmp_session session, jmp_time now);

/** The world's own knowledge about the paths of one session. */
struct network_knowledge {
    /** Since when, on the host's clock, at least one path that the client has offered, that the policy's classes allow and that no
     *  transport hint calls down, has worked both ways without interruption: loss below 5 %, delay and jitter bounded and steady,
     *  nothing throttled, both hosts awake, on time and polling. JMP_TIME_NONE: none does. */
    jmp_time usable_since;
    /** Since when no datagram has been able to pass both ways on any path of the session. JMP_TIME_NONE: one does. */
    jmp_time cut_since;
    /** Largest round trip time of the usable paths, jitter included, µs. */
    uint64_t round_trip_us;
};

/** Tells what the world knows, for the rules of liveness; judged at once. Call it at both ends whenever it changes and at least every
 *  second of virtual time. */
void observer_network(struct observer *observer, jmp_session session, const struct network_knowledge *knowledge, jmp_time now);
/** After every drain: compares info, stats, paths and policy with what the events said, and checks the bounds in time.
 *  `events_are_drained`: jmp_poll_event has returned JMP_AGAIN since the last other call. */
void observer_step(struct observer *observer, bool events_are_drained, jmp_time now);

/** What an observer has judged so far, for reports and for tests that check that the rules were exercised. */
struct observer_counts {
    uint64_t events, transitions, switches, terminations, binds;
    uint64_t datagrams_sent, datagrams_arrived, payloads_sent, payloads_delivered, copies_delivered;
    uint64_t replays_judged, forgeries_judged, replayed_handshakes_judged;
    uint64_t amplification_judged, liveness_judged, events_dropped;
    uint64_t protected_sent, protected_delivered, reports;
};
/** Adds the observer's counts to `*total`. */
void observer_add_counts(const struct observer *observer, struct observer_counts *total);

#endif
