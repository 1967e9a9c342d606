/* What the files of the observer share: the judge of one endpoint, what it keeps of each session, and the parts of a judgement. Each
 * rule takes what it judges from a `struct glimpse`, which comes from the library through `take_glimpse`, so that tests can show it doctored ones. */
#ifndef SIMULATION_OBSERVER_PARTS_H
#define SIMULATION_OBSERVER_PARTS_H

#include "observer.h"
#include "protected.h"

#define MINUTE_US 60000000ull
#define SECOND_US 1000000ull
/** Switches kept per session: one more than any policy allows in a minute. */
#define SWITCHES_KEPT 61u
/** Attempts whose cause is remembered per session. */
#define ATTEMPTS_KEPT 16u
/** Connection ids remembered per session. */
#define IDS_KEPT 32u
/** Former policies remembered per session. */
#define POLICIES_KEPT 8u
/** Sessions judged at each endpoint-wide call; the others follow in later ones. */
#define SESSIONS_PER_STEP 8u
/** Addresses per gateway whose bytes are counted for the amplification rule. */
#define ADDRESSES_KEPT 4096u

/** Everything the library tells of one session at one moment. */
struct glimpse {
    jmp_status status;              /**< of the first call that failed, else JMP_OK */
    jmp_session_info info;
    jmp_session_stats stats;
    jmp_policy policy;
    jmp_path_info paths[JMP_MAX_PATHS];
    size_t path_count;
};

/** What the polled events of a session say: nothing here comes from any other call. */
struct trail {
    bool has_begun;
    /** Events were dropped since the last transition: state and version may have moved. */
    bool is_broken;
    /** Events were dropped since all were last polled and compared: binds, switches, rekeys and paths may be missing. */
    bool is_partial;
    bool has_ended;
    uint32_t state, last_reason, key_phase;
    uint64_t version, binding, binding_of_last_bind;
    jmp_time entered_at;            /**< when the present state began */
    jmp_time recovering_since;      /**< when the present or last RECOVERING began */
    uint32_t active_path;           /**< or JMP_PATH_NONE */
    jmp_address active_address;
    char active_transport[JMP_NAME_SIZE];
    /** The active path was reported dead as its transport's or the path's end may report it. */
    bool is_active_gone;
    uint64_t switches;              /**< TransportSwitch events of changed paths */
    uint64_t switches_missed;       /**< and those whose events were dropped */
    jmp_time switch_times[SWITCHES_KEPT];
    jmp_time last_switch_at;
    /** Whether the present RECOVERING is a choice (loss_recovery, policy_forced_recovery), bound by the cooldown. */
    bool is_voluntary;
    bool has_active_died;           /**< declared dead since it was bound (it may live again since: no event tells that) */
    struct { uint64_t id; uint32_t cause; } attempts[ATTEMPTS_KEPT];
    uint32_t next_attempt;
    uint32_t bound_cause;           /**< cause of the attempt that succeeded last ... */
    uint32_t bound_path;            /**< ... and the path it was for */
    uint64_t terminated_events;
};

/** A connection id that a client has used, and the path it was for. */
struct seen_id {
    uint64_t id;
    uint32_t path;
    bool is_answered;               /**< the path has given two-way evidence */
    jmp_time used_at;               /**< 0: free */
};

/** A session as the observer knows it. */
struct watched {
    jmp_session handle;
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    uint32_t role;
    struct trail trail;
    struct glimpse last;            /**< at the last step that looked at it */
    bool has_glimpse, is_dirty, is_gone;
    /** The policy before the last change, and those before it, until when each was lived by: some limits were judged under them. */
    jmp_policy former_policy;
    jmp_time policy_changed_at;
    struct { jmp_time until; uint32_t switches; uint64_t cooldown, volatile_bound; } past[POLICIES_KEPT];
    uint32_t next_past;
    /** TERMINATED as jmp_session_get_info tells it. */
    bool is_terminated;
    jmp_time terminated_at, farewell_at;
    uint64_t arrived_at_farewell;
    struct seen_id seen_ids[IDS_KEPT];
    struct network_knowledge network;
    bool has_network;
    /** Until when the switches of its minute were spent. */
    jmp_time limited_until;
    /** When it was seen in ATTACHED, or not born yet, last. */
    jmp_time attached_until;
    /** When jmp_send was refused by congestion control last; 0 when never. */
    jmp_time held_at;
    /** The newest Writable that has been read, and the one before. */
    jmp_time writable_at, earlier_writable_at;
    /** jmp_send_protected was refused, and no Writable has come since. */
    bool is_refused;
    jmp_time refused_at;
    uint64_t refused_length;
};

/** Bytes to and from one address of one session, while it has not validated it; session 0: all that came from there. */
struct address_count {
    bool is_used;
    jmp_session session;
    uint32_t transport;
    jmp_address address;
    uint64_t arrived, sent, largest_arrived;
    jmp_time last_used;
};

struct observer {
    char name[32];
    bool is_gateway;
    jmp_endpoint *endpoint;
    jmp_config config;
    struct ledger *ledger;
    observer_report *report;
    void *context;
    /** Fills a glimpse of a session; replaced by tests. */
    void (*take_glimpse)(struct observer *observer, jmp_session session, struct glimpse *glimpse);
    /** jmp_next_timeout; replaced by tests. */
    jmp_time (*next_deadline)(struct observer *observer);
    /** jmp_endpoint_get_stats; replaced by tests. */
    jmp_status (*get_stats)(struct observer *observer, jmp_endpoint_stats *stats);

    /** Time as the library takes it: never going backwards. */
    jmp_time now;
    /** By slot: the low 32 bits of a handle. */
    struct watched **sessions;
    uint32_t session_capacity, session_count, step_cursor;
    bool is_everything_dirty;

    uint64_t last_sequence, last_dropped;
    uint64_t events_in_a_row;       /**< polled since the last other call */
    jmp_time last_event_time;

    /** The datagram between observer_arrived and observer_received. */
    struct arrival {
        bool is_open, is_data, is_known, is_repeated;
        uint64_t hash;
        uint32_t transport;
        jmp_address from;
        size_t length;
        uint32_t path;              /**< what jmp_receive says it came on */
        uint32_t snapshot_count;
        jmp_endpoint_stats stats;
    } arrival;
    struct { jmp_session session; struct glimpse glimpse; } before[SESSIONS_PER_STEP];
    uint32_t before_cursor;
    /** Hashes of the datagrams that were accepted: a set, and the generation before it. */
    struct hash_set *accepted;
    struct address_count *addresses;
    /** What the present call is: "receive", "handle_timeout" … */
    char call[24];
    struct observer_counts counts;
};

/** Reports a broken rule; the text is formatted as by printf. */
void broken(struct observer *observer, const struct watched *session, const char *rule, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/** The session of a handle; NULL when it is not watched. */
struct watched *find_session(struct observer *observer, jmp_session handle);
/** The same, beginning to watch it. NULL for 0. */
struct watched *watch_session(struct observer *observer, jmp_session handle);
/** Whether two addresses are the same bytes. */
bool is_same_address(const jmp_address *a, const jmp_address *b);
/** Moves the observer's clock as the library does. */
void advance(struct observer *observer, jmp_time now);

/* trail.c */
/** Judges an event and makes it part of the trail. */
void judge_event(struct observer *observer, const jmp_event *event);
/** Events alone rebuild what the library tells (DESIGN section 10); only when every event has been polled. */
void judge_trail(struct observer *observer, struct watched *session, const struct glimpse *now);
/** Whether the documented table has this transition (StateMachine, "Table"). */
bool is_in_table(uint32_t from, uint32_t to, uint32_t reason);

/* state.c */
/** What must hold between two looks at a session, and at each. */
void judge_glimpse(struct observer *observer, struct watched *session, const struct glimpse *now);
/** The caps of the endpoint. */
void judge_endpoint(struct observer *observer);

/* bounds.c */
/** How long states, silences and lives may last. Only when every timer that is due has run. */
void judge_times(struct observer *observer, struct watched *session, const struct glimpse *now);
/** A completed switch, by its event: switches per minute and cooldown. */
void judge_switch(struct observer *observer, struct watched *session, const jmp_event *event);
/** A transition to TERMINATED, by its event: not before its time. */
void judge_end(struct observer *observer, struct watched *session, const jmp_event *event);

/* hostile.c */
/** Remembers what must not change if the datagram of `arrival` is a copy or no one's. */
void begin_arrival(struct observer *observer);
/** Judges what did change. */
void end_arrival(struct observer *observer, const jmp_received *received);
/** A gateway must never be bound to an attacker's address. */
void judge_binding(struct observer *observer, struct watched *session, const struct glimpse *now);

/* amplification.c */
/** A datagram that arrived, as belonging to this session (0: to none that is known). */
void count_arrived(struct observer *observer, jmp_session session, uint32_t transport, const jmp_address *from, size_t length);
void count_sent(struct observer *observer, const jmp_datagram *datagram);
/** Notes the addresses that a session has proven. */
void note_proven(struct observer *observer, jmp_session session, const struct glimpse *now);

/* delivery.c */
/** A datagram that leaves: only the kept CLOSE after the end. */
void judge_sent(struct observer *observer, const jmp_datagram *datagram);

/* deliveries.c */
/** Protected payloads of a world, part of its ledger. */
struct deliveries;
struct deliveries *deliveries_new(void);
void deliveries_free(struct deliveries *deliveries);
struct deliveries *ledger_deliveries(struct ledger *ledger);
/** PayloadAcknowledged, PayloadExpired, Writable. */
void judge_delivery_event(struct observer *observer, struct watched *session, const jmp_event *event);
/** Buffers, counts and what the host must have been told. */
void judge_delivery(struct observer *observer, struct watched *session, const struct glimpse *now, bool events_are_drained, bool timers_have_run);

/* linkage.c */
/** A datagram that leaves, as anyone on the way sees it. */
void judge_appearance(struct observer *observer, const jmp_datagram *datagram, const uint8_t *bytes);
/** Notes which paths have given evidence. */
void note_answered(struct watched *session, const struct glimpse *now);

/* liveness.c */
void judge_liveness(struct observer *observer, struct watched *session, const struct glimpse *now);

/* ledger.c */
/** A set of 64-bit hashes that forgets the older half when it is full. */
struct hash_set;
struct hash_set *hash_set_new(uint32_t largest);
void hash_set_free(struct hash_set *set);
void hash_set_add(struct hash_set *set, uint64_t hash);
bool hash_set_has(const struct hash_set *set, uint64_t hash);
/** Whether it has forgotten anything: then absence proves nothing. */
bool hash_set_is_partial(const struct hash_set *set);
/** A hash of a datagram's bytes; never 0. */
uint64_t datagram_hash(const uint8_t *bytes, size_t length);

void ledger_datagram_sent(struct ledger *ledger, uint64_t hash);
/** Whether no endpoint of the world ever sent it. */
bool ledger_is_foreign(const struct ledger *ledger, uint64_t hash);
/** Whether binding to this address is a fault. */
bool ledger_is_attacker(const struct ledger *ledger, const jmp_address *address);

/** What the world knows of one identity, by session id and role. */
struct identity {
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    uint64_t binding[2];                    /**< by JMP_ROLE_* */
    const struct observer *owner[2];        /**< who has it alive, or NULL */
};
/** The record of a session id, made when there is none. Valid until the next call. */
struct identity *ledger_identity(struct ledger *ledger, const uint8_t *session_id);

/** One direction of one connection: what its sender sent. */
struct stream {
    uint32_t sender, connection, role;
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    uint64_t count, capacity;
    uint8_t *copies;                        /**< by number: low 4 bits copies delivered, bit 4 two are allowed */
};
/** The stream of a header; `is_new`: made when there is none, else NULL. Valid until the next call. */
struct stream *ledger_stream(struct ledger *ledger, const struct payload_header *header, bool is_new);

#endif
