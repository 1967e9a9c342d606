/* Two endpoints, three links, one virtual clock, nothing random: what the targets play on. After every call everything an
 * endpoint wants to send is taken and put on the links, every event is read, and check.c looks whether all that must hold does. */
#ifndef STAGE_H
#define STAGE_H

#include "input.h"
#include "require.h"

#include <jumping.h>

enum { CLIENT, GATEWAY, NODES };
enum {
    LINKS = 3,
    DATAGRAM_MAX = 1600,
    FLIGHTS = 64,                   /* datagrams under way; more are lost */
    HISTORY = 16,                   /* newest datagrams kept for replay and mutation */
    TRAILS = 8,                     /* sessions watched per node */
    ADDRESSES = 64,                 /* addresses whose bytes are counted at the gateway */
    TURNS_MAX = 150,                /* of stage_run: a long time may be cut short */
    MS = 1000,
    SECOND = 1000000,
    LATENCY_US = 10 * MS
};

struct flight {
    jmp_time due;
    int from;
    uint32_t link;
    jmp_address source;             /* as the receiver sees it */
    uint32_t length;
    uint8_t bytes[DATAGRAM_MAX];
};

/* What the events of one session have told. */
struct trail {
    jmp_session session;
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    uint64_t version;
    uint64_t binds;                 /* RECOVERING → ATTACHED so far */
    uint32_t state, switches;       /* within the last minute */
    jmp_time entered_at, policy_changed_at;
    bool has_new_policy;            /* not looked at yet */
    bool is_gone;                   /* its handle was stale once */
};

struct node {
    jmp_endpoint *endpoint;
    jmp_session session;            /* the first of this node; 0 while there is none */
    jmp_session waiting;            /* asked for by AcceptRequested */
    uint32_t waiting_pattern;
    uint64_t sequence, events_dropped;
    bool has_sequence;
    struct trail trails[TRAILS];
    uint32_t trail_count;
    uint64_t sent_datagrams;
    bool is_reading_paused;         /* protected payloads stay in the library */
};

/* Bytes between the gateway and one address. */
struct account {
    uint32_t transport;
    jmp_address address;
    uint64_t received, sent;
    bool is_proven;
};

struct link_state {
    bool is_black_hole[NODES];      /* by sender */
    uint8_t port;                   /* the NAT's; changes when it rebinds */
};

struct stage {
    jmp_time now;
    struct node nodes[NODES];
    struct link_state links[LINKS];
    struct flight flights[FLIGHTS];
    uint32_t flight_count;
    struct flight history[HISTORY];
    uint32_t history_count;
    struct account accounts[ADDRESSES];
    uint32_t account_count;
    uint32_t max_sessions, allowed_classes;
    uint64_t hash;                  /* of every datagram and event that came out */
    bool ignores_accounts;          /* the table was full once */
};

/* How a stage begins. */
struct stage_options {
    uint32_t suites, gateway_flags, cookie_threshold, telemetry_ms;
    const jmp_policy *policy;       /* the gateway's and the client's; NULL: defaults */
};

/* Sees every event before it is checked; NULL for nobody. */
extern void (*stage_event_tap)(const jmp_event *event);
extern const uint8_t stage_psk[JMP_KEY_SIZE];

void stage_open(struct stage *stage, const struct stage_options *options);
void stage_close(struct stage *stage);
bool stage_connect(struct stage *stage, uint32_t pattern);
jmp_status stage_add_path(struct stage *stage, uint32_t link);

/* Must be called before every call into a node's endpoint, and after it stage_settle. */
jmp_endpoint *stage_enter(struct stage *stage, int who);
void stage_settle(struct stage *stage, int who);

/* Delivers bytes now; they are copied into memory of just that length. */
jmp_received stage_receive(struct stage *stage, int to, uint32_t link, const jmp_address *source, const uint8_t *bytes, size_t length,
                           const uint8_t **payload);
void stage_deliver(struct stage *stage, uint32_t number);
void stage_drop(struct stage *stage, uint32_t number);
void stage_timeout(struct stage *stage, int who);
/* Lets time pass, with the network at work. */
void stage_run(struct stage *stage, jmp_time duration_us);
jmp_status stage_send(struct stage *stage, int who, size_t length);
/* Protected payloads: one of a length, with the options in `choice`; all that the node's library has for the host, which takes no more than
 * `many` of them. */
jmp_status stage_send_protected(struct stage *stage, int who, size_t length, const struct block *choice);
void stage_take(struct stage *stage, int who, unsigned many);

jmp_address stage_client_address(const struct stage *stage, uint32_t link);
jmp_address stage_gateway_address(uint32_t link);
jmp_session_info stage_info(struct stage *stage, int who, jmp_session session);
uint64_t stage_hash(uint64_t hash, const void *bytes, size_t length);

/* --- check.c */

/* Puts an event behind the others of its session and checks that it may follow. */
void check_event(struct stage *stage, int who, const jmp_event *event);
/* Everything that can be looked at fits what was told before. */
void check_node(struct stage *stage, int who);
/* After a jmp_handle_timeout: nothing is left undone. */
void check_deadlines(struct stage *stage, int who);
/* Addresses that a session of the gateway holds for validated: what arrived may have proven one, and the answer be as long as it likes. `session`
 * is the one that something arrived for, of which no event may have told yet; 0 for none. */
void check_proven(struct stage *stage, jmp_session session);
/* Counts bytes between the gateway and an address, and holds it to three times what came (RFC 9000 §8). */
void check_account(struct stage *stage, uint32_t transport, const jmp_address *address, uint64_t received, uint64_t sent);
bool check_allows(uint32_t from, uint32_t to, uint32_t reason);

/* What a datagram that is not authentic, or a replay, must leave as it was. */
struct snapshot {
    jmp_session_info info[TRAILS];
    jmp_session_stats stats[TRAILS];
    jmp_policy policy[TRAILS];
    jmp_path_info paths[TRAILS][JMP_MAX_PATHS];
    size_t path_counts[TRAILS];
    uint32_t trail_count;
    jmp_endpoint_stats endpoint;
};
void check_take(struct stage *stage, int who, struct snapshot *snapshot);
void check_same(const struct snapshot *before, const struct snapshot *after, const char *what);

#endif
