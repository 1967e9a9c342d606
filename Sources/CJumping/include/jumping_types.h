/* The C types and constants of libjumping: the one source for the public
 * header, the Swift core and the constants of the Python and Go bindings.
 *
 * Conventions: integers have fixed widths; times are microseconds; there is no
 * pointer inside a struct; a struct that begins with struct_size is filled by
 * its *_init function or by setting struct_size = sizeof; reserved bytes are 0.
 * Structs only ever grow at their end. Every function that takes an endpoint gives
 * JMP_ERR_NULL for NULL, JMP_ERR_ENDPOINT for one that is not alive. */
#ifndef JUMPING_TYPES_H
#define JUMPING_TYPES_H

#include <stddef.h>
#include <stdint.h>

/** The ABI this header describes; compare with jmp_abi_version(). */
#define JMP_ABI_VERSION 1

/** 0 is success; errors are negative (see JMP_ERR_*). */
typedef int32_t jmp_status;
/** Microseconds of a monotonic clock that counts through suspend
 *  (CLOCK_BOOTTIME on Linux). Every call that needs the time takes it. A time before
 *  that of an earlier call counts as that one (and is counted); times above 2^62
 *  count as 2^62; JMP_TIME_NONE keeps the time of the call before. */
typedef uint64_t jmp_time;
/** Session handle: an index and a generation. 0 is never valid; a handle of a
 *  session that is gone is an error (JMP_ERR_SESSION), never a crash. */
typedef uint64_t jmp_session;
/** Endpoint handle. Never dereferenced: a wrong or freed one is an error. */
typedef struct jmp_endpoint jmp_endpoint;

/** "no time": no timeout is armed, or never. */
#define JMP_TIME_NONE 0xFFFFFFFFFFFFFFFFull
/** "no packet number". */
#define JMP_PACKET_NUMBER_NONE 0xFFFFFFFFFFFFFFFFull
/** "no path". */
#define JMP_PATH_NONE UINT32_MAX
/** "no transport". */
#define JMP_TRANSPORT_NONE UINT32_MAX

/* ------------------------------------------------------------------ sizes */

#define JMP_ADDRESS_MAX 32          /**< bytes of a remote address */
#define JMP_NAME_SIZE 16            /**< transport name, with its final 0 */
#define JMP_LABEL_SIZE 32           /**< label, node id, policy version, with final 0 */
#define JMP_HINT_MAX 32             /**< bytes of a PSK identity hint */
#define JMP_KEY_SIZE 32             /**< bytes of PSK, X25519 key, seed */
#define JMP_SESSION_ID_SIZE 16      /**< bytes of a session id */
#define JMP_MAX_PATHS 8             /**< paths a session can know at once */
#define JMP_MAX_TRANSPORTS 64       /**< transports of an endpoint */
#define JMP_MAX_ENDPOINTS 4096      /**< endpoints of a process */
#define JMP_MAX_CREDENTIALS 65536   /**< PSKs, and as many client keys, of an endpoint */
#define JMP_MIN_MTU 1200            /**< smallest datagram size of a transport */
#define JMP_MAX_MTU 65507           /**< largest datagram size of a transport */
#define JMP_DEFAULT_MTU 1400        /**< datagram size unless told */
#define JMP_DATAGRAM_OVERHEAD 30    /**< header 13, type 1 unless the payload is alone, tag 16 (46 with AEGIS-256) */
#define JMP_FRAME_RESERVE 42        /**< room kept for an acknowledgement and a reattach */
#define JMP_DROP_CAUSES 32          /**< length of the counters by cause */
#define JMP_PROTECTED_PAYLOAD_MAX 1048576 /**< bytes of a protected payload, whatever the path's datagrams hold */
#define JMP_PROTECTED_CHARGE 64     /**< what each protected payload counts for in buffers beside its bytes */
#define JMP_CHANNELS 16             /**< channels of protected payloads: 0 … 15 */
#define JMP_PROTECTED_COUNT_MAX 4096 /**< protected payloads of a session on their way at once */

/* --------------------------------------------------------------- statuses */

/** Success; everything below is an error and nothing was changed. */
#define JMP_OK 0
/* usage: -1 … -99 */
#define JMP_ERR_NULL (-1)             /**< a pointer that must not be NULL is */
#define JMP_ERR_ARGUMENT (-2)         /**< an argument is out of its range */
#define JMP_ERR_STRUCT_SIZE (-3)      /**< struct_size is not one this library knows, or reserved bytes are not 0 */
#define JMP_ERR_BUFFER_TOO_SMALL (-4) /**< the output buffer is too small */
#define JMP_ERR_ENDPOINT (-5)         /**< not a live endpoint */
#define JMP_ERR_SESSION (-6)          /**< not a live session handle of this endpoint */
#define JMP_ERR_TRANSPORT (-7)        /**< not a transport of this endpoint */
#define JMP_ERR_PATH (-8)             /**< not a path of this session */
#define JMP_ERR_TOO_LONG (-9)         /**< the payload exceeds the session's max_payload or max_protected_payload */
#define JMP_ERR_FORKED (-10)          /**< the endpoint was made before fork(): keys and nonces would repeat */
#define JMP_ERR_EXISTS (-11)          /**< it is there already (transport name, path, key) */
#define JMP_ERR_NOT_FOUND (-12)       /**< no such key or hint */
/* state and policy: -100 … -199 */
#define JMP_ERR_STATE (-100)          /**< not possible in the session's present state */
#define JMP_ERR_POLICY (-101)         /**< the policy is invalid or forbids it */
#define JMP_ERR_TERMINATED (-102)     /**< the session is TERMINATED; info tells why */
#define JMP_ERR_NO_PATH (-103)        /**< no path to send on */
#define JMP_ERR_SWITCH_DENIED (-104)  /**< the switch was refused; TransportSwitchDenied tells why */
#define JMP_ERR_ROLE (-105)           /**< the endpoint or session does not have this role */
/* limits: -200 … -299 */
#define JMP_AGAIN (-200)              /**< nothing to hand out now, or no room to take more; not a fault */
#define JMP_ERR_SESSION_LIMIT (-201)  /**< config.max_sessions are in use */
#define JMP_ERR_TRANSPORT_LIMIT (-202)/**< JMP_MAX_TRANSPORTS are in use */
#define JMP_ERR_PATH_LIMIT (-203)     /**< the session's paths are in use */
#define JMP_ERR_CREDENTIAL_LIMIT (-204)/**< JMP_MAX_CREDENTIALS are in use */
#define JMP_ERR_ENDPOINT_LIMIT (-205) /**< JMP_MAX_ENDPOINTS are in use */
#define JMP_ERR_RATE_LIMITED (-206)   /**< too soon; try later */
/* cryptography: -300 … -399 */
#define JMP_ERR_CRYPTO (-300)         /**< libsodium could not be initialised */
#define JMP_ERR_SUITE (-301)          /**< no allowed cipher suite is available here */
#define JMP_ERR_KEY (-302)            /**< a key is missing, weak or does not fit */
/* internal: -400 … -499 */
#define JMP_ERR_INTERNAL (-400)       /**< a broken invariant; please report it */
#define JMP_ERR_MEMORY (-401)         /**< out of memory */

/* -------------------------------------------------- states, reasons, roles */

#define JMP_STATE_BIRTH 0
#define JMP_STATE_ATTACHED 1
#define JMP_STATE_VOLATILE 2
#define JMP_STATE_DEGRADED 3
#define JMP_STATE_RECOVERING 4
#define JMP_STATE_TERMINATED 5

#define JMP_REASON_NONE 0
#define JMP_REASON_HANDSHAKE_OK 1
#define JMP_REASON_ADOPTION_OK 2
#define JMP_REASON_LOSS_THRESHOLD_EXCEEDED 3
#define JMP_REASON_CONSECUTIVE_DROP_EXCEEDED 4
#define JMP_REASON_HEARTBEAT_TIMEOUT 5
#define JMP_REASON_LATENCY_THRESHOLD_EXCEEDED 6
#define JMP_REASON_TRANSPORT_DEAD 7
#define JMP_REASON_PEER_REPORTED_VOLATILITY 8
#define JMP_REASON_OPERATOR_REQUESTED 9
#define JMP_REASON_LOSS_RECOVERY 10
#define JMP_REASON_DEAD_TRANSPORT_RECOVERY 11
#define JMP_REASON_POLICY_FORCED_RECOVERY 12
#define JMP_REASON_STABILITY_WINDOW_MET 13
#define JMP_REASON_VOLATILE_PERSISTED 14
#define JMP_REASON_SWITCH_RATE_LIMITED 15
#define JMP_REASON_COOLDOWN_ACTIVE 16
#define JMP_REASON_NO_CANDIDATE_TRANSPORTS 17
#define JMP_REASON_REATTACH_SUCCESS 18
#define JMP_REASON_REATTACH_VALIDATION_FAILED 19
#define JMP_REASON_POLICY_DENIED 20
#define JMP_REASON_RECOVERY_WINDOW_EXCEEDED 21
#define JMP_REASON_HANDSHAKE_FAILED 22
#define JMP_REASON_SESSION_LIFETIME_EXCEEDED 23
#define JMP_REASON_TRANSPORT_TTL_EXCEEDED 24
#define JMP_REASON_SECURITY_FAILURE 25
#define JMP_REASON_OPERATOR_TERMINATED 26
#define JMP_REASON_PEER_TERMINATED 27
#define JMP_REASON_OWNERSHIP_MOVED 28
/* reattach results (first failed check), also on the wire in REATTACH_REJECT */
#define JMP_REASON_UNKNOWN_SESSION 32
#define JMP_REASON_BAD_PROOF 33
#define JMP_REASON_REPLAY_DETECTED 34
#define JMP_REASON_STALE_REQUEST 35
#define JMP_REASON_SESSION_EXPIRED 36
#define JMP_REASON_INVALID_STATE_FOR_REATTACH 37
#define JMP_REASON_STALE_STATE_VERSION 38
#define JMP_REASON_INVALID_TRANSPORT_CANDIDATE 39
#define JMP_REASON_TIMED_OUT 40
/* causes a REATTACH carries besides the volatility reasons */
#define JMP_REASON_NAT_REBINDING 48

/** Who began the session. */
#define JMP_ROLE_CLIENT 0
#define JMP_ROLE_GATEWAY 1

/** What a path is to its session. */
#define JMP_PATH_ACTIVE 0       /**< bound: carries payloads */
#define JMP_PATH_STANDBY 1      /**< validated candidate, kept warm */
#define JMP_PATH_CANDIDATE 2    /**< known, not (or no longer) validated */
#define JMP_PATH_PENDING 3      /**< a reattach from it waits for the challenge's answer */
#define JMP_PATH_PROVISIONAL 4  /**< the active path's possible new address (NAT rebinding) */

/** Transport classes 0 … 31; 6 and above are the host's own. */
#define JMP_CLASS_UNSPECIFIED 0
#define JMP_CLASS_WIRED 1
#define JMP_CLASS_WIFI 2
#define JMP_CLASS_CELLULAR 3
#define JMP_CLASS_SATELLITE 4
#define JMP_CLASS_RELAY 5

/** Handshake patterns (Noise revision 34). */
#define JMP_PATTERN_NNPSK0 1    /**< Noise_NNpsk0_25519_ChaChaPoly_SHA256 */
#define JMP_PATTERN_IKPSK2 2    /**< Noise_IKpsk2_25519_ChaChaPoly_SHA256 */

/** Cipher suites, as bits of a set; a session has exactly one. */
#define JMP_SUITE_CHACHA20_POLY1305 1u
#define JMP_SUITE_AES_256_GCM 2u
#define JMP_SUITE_AEGIS_256 4u
#define JMP_SUITE_ALL 7u

/* ----------------------------------------------------------------- events */

#define JMP_EVENT_SESSION_CREATED 1
#define JMP_EVENT_SESSION_ESTABLISHED 2
#define JMP_EVENT_SESSION_STATE_CHANGE 3
#define JMP_EVENT_TRANSPORT_ATTACHED 4
#define JMP_EVENT_TRANSPORT_DEAD 5
#define JMP_EVENT_TRANSPORT_SWITCH 6
#define JMP_EVENT_TRANSPORT_SWITCH_DENIED 7
#define JMP_EVENT_REATTACH_ATTEMPT 8
#define JMP_EVENT_REATTACH_RESULT 9
#define JMP_EVENT_VOLATILITY_SIGNAL 10
#define JMP_EVENT_SESSION_TERMINATED 11
#define JMP_EVENT_SECURITY_REPLAY_DETECTED 12
#define JMP_EVENT_SECURITY_VALIDATION_FAILED 13
#define JMP_EVENT_RATE_LIMITED 14
#define JMP_EVENT_KEY_ROTATED 15
#define JMP_EVENT_POLICY_CHANGED 16
#define JMP_EVENT_OWNERSHIP_REQUIRED 17
#define JMP_EVENT_OWNERSHIP_MOVED 18
#define JMP_EVENT_TELEMETRY_TICK 19
#define JMP_EVENT_ACCEPT_REQUESTED 20
#define JMP_EVENT_TRANSITION_REJECTED 21
#define JMP_EVENT_PAYLOAD_ACKNOWLEDGED 22   /**< the peer has a protected payload whose report was asked for */
#define JMP_EVENT_PAYLOAD_EXPIRED 23        /**< its time to live ended before that was known */
#define JMP_EVENT_WRITABLE 24               /**< after JMP_AGAIN: the call that was refused takes payloads again */
#define JMP_EVENT_FLOW_CONTROL_UPDATE 25    /**< the congestion window has moved by a quarter or more */
#define JMP_EVENT_REDUNDANCY_STARTED 26     /**< copies of protected payloads go to to_transport as well */
#define JMP_EVENT_REDUNDANCY_STOPPED 27     /**< … no longer */

/* -------------------------------------------------- causes of a dropped datagram */

#define JMP_DROP_NONE 0
#define JMP_DROP_TOO_SHORT 1              /**< shorter than any datagram of its kind */
#define JMP_DROP_UNKNOWN_TYPE 2           /**< first byte is none of ours */
#define JMP_DROP_UNKNOWN_CONNECTION_ID 3  /**< no session has this connection id */
#define JMP_DROP_BAD_TAG 4                /**< authentication failed */
#define JMP_DROP_REPLAYED 5               /**< packet number seen before */
#define JMP_DROP_TOO_OLD 6                /**< packet number left of the replay window */
#define JMP_DROP_MALFORMED 7              /**< authentic or clear bytes that do not parse */
#define JMP_DROP_BAD_VERSION 8            /**< INIT of another protocol version */
#define JMP_DROP_HANDSHAKE_REJECTED 9     /**< unknown hint, wrong PSK, unknown key, wrong pattern */
#define JMP_DROP_RATE_LIMITED 10          /**< the source's token bucket is empty */
#define JMP_DROP_HALF_OPEN_FULL 11        /**< too many half-open sessions */
#define JMP_DROP_COOKIE_REQUIRED 12       /**< under load: answered with a COOKIE */
#define JMP_DROP_COOKIE_INVALID 13        /**< the echoed cookie is wrong or old */
#define JMP_DROP_SESSION_LIMIT 14         /**< config.max_sessions are in use */
#define JMP_DROP_STRICT_BINDING 15        /**< policy strict_binding and not the bound path */
#define JMP_DROP_DUPLICATE_HANDSHAKE 16   /**< INIT of a session that is already established */
#define JMP_DROP_NOT_ACCEPTING 17         /**< the endpoint does not accept sessions */
#define JMP_DROP_UNEXPECTED 18            /**< RESP or COOKIE nobody waits for */
#define JMP_DROP_SESSION_CLOSED 19        /**< the session is TERMINATED */
#define JMP_DROP_TOO_LONG 20              /**< longer than any datagram */
#define JMP_DROP_SUITE 21                 /**< no cipher suite in common */
#define JMP_DROP_NO_MEMORY 22             /**< no room for its protected payloads: not acknowledged, so it comes again */

/* ---------------------------------------------------------------- structs */

/** A remote address as the host writes it: opaque bytes, compared as a whole.
 *  The bindings and examples use IPv4 4 + port 2 and IPv6 16 + port 2 (big endian).
 *  prefix_length is how many leading bytes name one source for rate limits
 *  (IPv4: 4, IPv6: 8, a /64); 0 means all of them. */
typedef struct jmp_address {
    uint8_t length;               /**< 1 … JMP_ADDRESS_MAX */
    uint8_t prefix_length;        /**< 0 … length */
    uint8_t bytes[JMP_ADDRESS_MAX];
    uint8_t reserved[6];
} jmp_address;

/** Copies of protected payloads on a validated standby path. */
#define JMP_REDUNDANCY_NEVER 0          /**< none */
#define JMP_REDUNDANCY_WHILE_VOLATILE 1 /**< while the active path is suspect or recovering */
#define JMP_REDUNDANCY_ALWAYS 2         /**< of every one: the first copy to arrive is handed out */

/** How a session behaves; checked as a whole (jmp_policy_check). The gateway's is
 *  authoritative and travels to the client. Times in microseconds, ratios in
 *  parts per million. */
typedef struct jmp_policy {
    uint32_t struct_size;
    uint32_t strict_binding;              /**< 0 or 1: deliver only from the bound path */
    uint64_t max_lifetime_us;             /**< 1 s … 7 d; default 8 h */
    uint64_t transport_lost_ttl_us;       /**< 1 s … 1 d; default 30 s */
    uint64_t heartbeat_interval_us;       /**< 20 ms … 60 s; default 500 ms, while active */
    uint64_t idle_heartbeat_us;           /**< heartbeat_interval … 10 min; default 15 s */
    uint64_t heartbeat_volatile_us;       /**< 20 ms … 60 s after an unanswered heartbeat; default 2 s */
    uint64_t loss_window_us;              /**< 100 ms … 60 s; default 2 s */
    uint64_t volatile_to_degraded_us;     /**< 10 ms … 10 min; default 4 s */
    uint64_t switch_cooldown_us;          /**< 0 … 10 min; default 1.5 s; voluntary switches only */
    uint64_t recovery_window_us;          /**< 100 ms … 10 min; default 8 s */
    uint64_t proof_max_age_us;            /**< 100 ms … 60 s; default 5 s */
    uint64_t latency_volatile_threshold_us; /**< 0 is off (default), else 1 ms … 60 s */
    uint64_t stability_window_us;         /**< 10 ms … 60 s; default 2 s */
    uint64_t key_max_age_us;              /**< 1 s … 1 d; default 2 min between key phases */
    uint32_t loss_volatile_threshold_ppm; /**< 1,000 … 1,000,000; default 200,000 */
    uint32_t max_consecutive_drops;       /**< 2 … 32; default 3 */
    uint32_t max_switches_per_min;        /**< 1 … 60; default 8 */
    uint32_t switch_improvement_ppm;      /**< 1,000,000 … 10,000,000; default 1,100,000 (1.10) */
    uint32_t max_candidates;              /**< 0 … 6 besides the active path; default 3 */
    uint32_t allowed_classes;             /**< bit n allows transport class n; default all */
    uint32_t replay_window;               /**< 64 … 65,536 packet numbers, a power of two; default 1,024 */
    uint32_t suites;                      /**< set of JMP_SUITE_*; default all */
    char version[JMP_LABEL_SIZE];         /**< printable ASCII, for the audit trail; default "default-1" */
    uint32_t redundancy;                  /**< JMP_REDUNDANCY_*; default never */
    uint32_t redundancy_share_ppm;        /**< copies at most, of the protected bytes sent, 1,000 … 1,000,000; default 1,000,000 */
    uint32_t control_expendable;          /**< 0 or 1: congestion control holds expendable payloads back too (jmp_send gives JMP_AGAIN); default 0 */
    uint8_t reserved[52];
} jmp_policy;

/** jmp_config.flags */
#define JMP_CONFIG_INITIATE 1u      /**< may call jmp_connect */
#define JMP_CONFIG_ACCEPT 2u        /**< answers INIT datagrams */
#define JMP_CONFIG_ASK 4u           /**< every new session waits for jmp_accept or jmp_refuse */

/** What an endpoint is. Caps bound its memory: tables grow up to them, never past. */
typedef struct jmp_config {
    uint32_t struct_size;
    uint32_t flags;                 /**< JMP_CONFIG_*; default INITIATE | ACCEPT */
    uint32_t max_sessions;          /**< 1 … 4,194,304; default 65,536 */
    uint32_t max_half_open;         /**< 1 … 65,536; default 256 */
    uint32_t max_waiting;           /**< 1 … 4,096 waiting for jmp_accept; default 64 */
    uint32_t event_capacity;        /**< 64 … 65,536 events; default 1,024 */
    uint32_t cookie_threshold;      /**< half-open sessions, or INITs within a second, beyond which a cookie is asked for; 0: always; default 32 */
    uint32_t source_rate;           /**< INITs per second and source, 1 … 1,000,000; default 20 */
    uint32_t source_burst;          /**< INITs at once per source, 1 … 1,000,000; default 40 */
    uint32_t telemetry_interval_ms; /**< TelemetryTick per session; 0 is off (default), else ≥ 100 */
    uint32_t suites;                /**< set of JMP_SUITE_* this host allows; default all */
    uint16_t node_tag;              /**< first two bytes of connection ids it hands out, for balancers */
    uint16_t reserved0;
    int64_t wall_clock_offset_us;   /**< wall clock (Unix) minus jmp_time, for ts_ms in events */
    char node_id[JMP_LABEL_SIZE];   /**< printable ASCII, in every event; default "node" */
    uint32_t send_buffer;           /**< bytes of a session's protected payloads until they are acknowledged, 64 KiB … 64 MiB; default 1 MiB */
    uint32_t receive_buffer;        /**< bytes of a session's protected payloads until the host takes them, 64 KiB … 64 MiB; default 1 MiB (and one payload) */
    uint64_t delivery_memory;       /**< bytes of all sessions' protected payloads together, both ways, 4 MiB … 1 TiB; default 256 MiB */
    uint8_t reserved[48];
} jmp_config;

/** Something the host can send datagrams through. */
typedef struct jmp_transport_config {
    uint32_t struct_size;
    uint32_t transport_class;       /**< JMP_CLASS_*, 0 … 31 */
    uint32_t cost;                  /**< 1 … 1,000,000; 1 is cheapest (default) */
    uint32_t mtu;                   /**< largest datagram, JMP_MIN_MTU … JMP_MAX_MTU; default 1,400 */
    char name[JMP_NAME_SIZE];       /**< 1 … 15 printable ASCII bytes, unique, e.g. "udp:A" */
    uint8_t reserved[32];
} jmp_transport_config;

/** How to begin a session (client side). The key is wiped from the library's copy
 *  when the handshake ends; wiping this struct is the host's part. */
typedef struct jmp_connect_config {
    uint32_t struct_size;
    uint32_t pattern;               /**< JMP_PATTERN_NNPSK0 (default) or JMP_PATTERN_IKPSK2 */
    uint32_t transport;             /**< first path: its transport … */
    uint32_t hint_length;           /**< 0 … JMP_HINT_MAX */
    jmp_address remote;             /**< … and the gateway's address */
    uint8_t hint[JMP_HINT_MAX];     /**< names the PSK to the gateway, sent in clear */
    uint8_t psk[JMP_KEY_SIZE];      /**< NNpsk0: required; IKpsk2: zeros when there is none */
    uint8_t gateway_key[JMP_KEY_SIZE]; /**< IKpsk2: the gateway's X25519 public key */
    uint64_t handshake_timeout_us;  /**< 100 ms … 10 min; default 10 s */
    char label[JMP_LABEL_SIZE];     /**< audit label, printable ASCII, told to the gateway (encrypted) */
    uint8_t reserved[64];
} jmp_connect_config;

/** A datagram to put on the network. struct_size is set by the host. */
typedef struct jmp_datagram {
    uint32_t struct_size;
    uint32_t transport;             /**< send through this transport … */
    jmp_address to;                 /**< … to this address … */
    uint32_t length;                /**< … this many bytes of the buffer */
    uint32_t path;                  /**< path id, or JMP_PATH_NONE */
    jmp_session session;            /**< 0 for COOKIE datagrams */
    uint64_t packet_number;         /**< for jmp_unsent, or JMP_PACKET_NUMBER_NONE */
    uint64_t reserved[2];
} jmp_datagram;

/** jmp_received.kind */
#define JMP_RECEIVED_NOTHING 0      /**< consumed (control), or dropped with drop_cause */
#define JMP_RECEIVED_PAYLOAD 1      /**< a payload lies at payload_offset in the host's buffer */
#define JMP_RECEIVED_PROTECTED 2    /**< the same, of a protected one: the only time it is handed out */

/** What a received datagram was. struct_size is set by the host. */
typedef struct jmp_received {
    uint32_t struct_size;
    uint32_t kind;                  /**< JMP_RECEIVED_* */
    jmp_session session;            /**< 0 when it belongs to none */
    uint32_t payload_offset;        /**< bytes from the start of the datagram's buffer */
    uint32_t payload_length;
    uint32_t path;                  /**< path id it came on, or JMP_PATH_NONE */
    uint32_t drop_cause;            /**< JMP_DROP_* */
    uint64_t packet_number;         /**< or JMP_PACKET_NUMBER_NONE */
    uint32_t channel;               /**< JMP_RECEIVED_PROTECTED: 0 … JMP_CHANNELS - 1 */
    uint32_t waiting;               /**< 1 when jmp_poll_payload has payloads of this session */
} jmp_received;

/** How a protected payload is to be delivered (jmp_send_protected). */
typedef struct jmp_payload_options {
    uint32_t struct_size;
    uint32_t channel;               /**< 0: unordered (default); 1 … JMP_CHANNELS - 1: in order among those of its channel */
    uint64_t time_to_live_us;       /**< given up, and reported, when it is not acknowledged after so long; 0: never (default) */
    uint64_t tag;                   /**< the host's own number, in the events about it */
    uint32_t report;                /**< 1: PayloadAcknowledged when the peer has it; default 0. PayloadExpired is always told */
    uint32_t reserved0;
    uint64_t reserved[4];
} jmp_payload_options;

/** A protected payload that jmp_poll_payload hands out. struct_size is set by the host. */
typedef struct jmp_payload {
    uint32_t struct_size;
    uint32_t channel;
    jmp_session session;
    uint64_t sequence;              /**< its number in its channel, from 0 */
    uint32_t length;                /**< bytes; also when the buffer was too small */
    uint32_t reserved0;
    uint64_t reserved[2];
} jmp_payload;

/** One of jmp_send_batch; offsets are into the two buffers of the call. */
typedef struct jmp_send_item {
    jmp_session session;
    uint32_t payload_offset;
    uint32_t payload_length;
    uint32_t buffer_offset;         /**< where the datagram is written … */
    uint32_t buffer_capacity;       /**< … and its room */
    jmp_status status;              /**< out: JMP_OK or why not */
    uint32_t reserved;
    jmp_datagram datagram;          /**< out; struct_size set by the host */
} jmp_send_item;

/** One of jmp_receive_batch; offset is into the buffer of the call. */
typedef struct jmp_receive_item {
    uint32_t transport;
    uint32_t offset;
    uint32_t length;
    jmp_status status;              /**< out: JMP_OK or the error of this item's arguments */
    jmp_address from;
    jmp_received received;          /**< out; struct_size set by the host */
} jmp_receive_item;

/** What happened. Flat: fields a type does not use are 0. */
typedef struct jmp_event {
    uint32_t struct_size;
    uint32_t type;                  /**< JMP_EVENT_* */
    uint64_t sequence;              /**< +1 per event of the endpoint, kept or dropped */
    uint64_t dropped;               /**< events dropped so far because the queue was full */
    jmp_time time;                  /**< the host's clock */
    int64_t ts_ms;                  /**< wall clock, Unix milliseconds */
    jmp_session session;            /**< handle, 0 for events of the endpoint */
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    uint64_t state_version;
    uint64_t binding_version;
    uint64_t attempt_id;            /**< reattach attempt */
    uint64_t age_us;                /**< SessionTerminated: age of the session */
    uint64_t payloads_sent;
    uint64_t payloads_received;
    uint32_t role;                  /**< JMP_ROLE_* */
    uint32_t previous_state;        /**< JMP_STATE_* */
    uint32_t new_state;             /**< JMP_STATE_* */
    uint32_t reason;                /**< JMP_REASON_* */
    uint32_t cause;                 /**< JMP_REASON_* a reattach carries, or JMP_DROP_* of security events */
    uint32_t explicit_switch;       /**< TransportSwitch: 1 */
    uint32_t auditable;             /**< TransportSwitch: 1 */
    uint32_t candidate_count;
    uint32_t loss_ppm;
    uint32_t latency_us;            /**< smoothed RTT */
    uint32_t key_phase;
    uint32_t suite;                 /**< JMP_SUITE_* */
    uint32_t path;                  /**< path id, or JMP_PATH_NONE */
    uint32_t pattern;               /**< AcceptRequested: JMP_PATTERN_* */
    uint32_t hint_length;           /**< AcceptRequested */
    uint32_t seeded;                /**< 1 when randomness is seeded: not secret, for tests only */
    char from_transport[JMP_NAME_SIZE];
    char to_transport[JMP_NAME_SIZE];
    jmp_address from_address;
    jmp_address to_address;
    char node_id[JMP_LABEL_SIZE];
    char policy_version[JMP_LABEL_SIZE];
    char label[JMP_LABEL_SIZE];
    uint8_t hint[JMP_HINT_MAX];     /**< AcceptRequested */
    uint8_t peer_key[JMP_KEY_SIZE]; /**< AcceptRequested with IKpsk2: the client's public key */
    uint64_t payload_tag;           /**< PayloadAcknowledged, PayloadExpired: the host's number */
    uint64_t payload_sequence;      /**< … and its number in its channel */
    uint64_t congestion_window;     /**< FlowControlUpdate: bytes */
    uint64_t pacing_rate;           /**< FlowControlUpdate: bytes a second */
    uint64_t bytes_in_flight;       /**< FlowControlUpdate: bytes */
    uint32_t channel;               /**< PayloadAcknowledged, PayloadExpired */
    uint32_t payload_length;        /**< PayloadAcknowledged, PayloadExpired: bytes */
    uint8_t reserved[16];
} jmp_event;

/** A session at one moment. struct_size is set by the host. */
typedef struct jmp_session_info {
    uint32_t struct_size;
    uint32_t state;                 /**< JMP_STATE_* */
    uint32_t role;                  /**< JMP_ROLE_* */
    uint32_t last_reason;           /**< of the last transition */
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    uint64_t state_version;
    uint64_t binding_version;
    jmp_time created_at;
    jmp_time expires_at;            /**< end of max_lifetime */
    jmp_time transport_lost_at;     /**< when the transport-lost TTL began to run, or JMP_TIME_NONE */
    uint32_t active_path;           /**< path id, or JMP_PATH_NONE */
    uint32_t active_transport;      /**< or JMP_TRANSPORT_NONE */
    uint32_t path_count;
    uint32_t candidate_count;       /**< validated standby paths */
    uint32_t max_payload;           /**< largest payload jmp_send takes now, bytes */
    uint32_t suite;                 /**< JMP_SUITE_* */
    uint32_t key_phase;
    uint32_t srtt_us;               /**< active path; 0 while unknown */
    uint32_t rttvar_us;
    uint32_t loss_ppm;
    uint32_t switches_last_minute;
    uint32_t confirmed;             /**< 1 once the peer has proved its keys */
    char label[JMP_LABEL_SIZE];
    char policy_version[JMP_LABEL_SIZE];
    uint8_t peer_key[JMP_KEY_SIZE]; /**< IKpsk2: the peer's static public key, else zeros */
    uint32_t max_protected_payload; /**< largest payload jmp_send_protected takes, bytes */
    uint32_t send_buffered;         /**< bytes and charges of protected payloads not acknowledged yet */
    uint32_t receive_buffered;      /**< … that have arrived and wait to be complete, for their turn or for the host */
    uint32_t protected_count;       /**< protected payloads not acknowledged yet */
    uint64_t congestion_window;     /**< bytes; 0 before the first protected payload */
    uint64_t pacing_rate;           /**< bytes a second; 0 before the first protected payload */
    uint64_t bytes_in_flight;
    uint8_t reserved[24];
} jmp_session_info;

/** Counters of a session. struct_size is set by the host. */
typedef struct jmp_session_stats {
    uint32_t struct_size;
    uint32_t replay_window_size;    /**< packet numbers it holds now */
    uint64_t datagrams_sent;
    uint64_t datagrams_received;    /**< authentic and fresh */
    uint64_t bytes_sent;
    uint64_t bytes_received;
    uint64_t payloads_sent;
    uint64_t payloads_received;
    uint64_t datagrams_lost;        /**< ours, as acknowledgements tell; late ones are taken back */
    uint64_t replayed;              /**< dropped: seen before */
    uint64_t too_old;               /**< dropped: left of the replay window */
    uint64_t bad_tag;               /**< dropped: not authentic */
    uint64_t switches;              /**< completed jumps */
    uint64_t switches_denied;
    uint64_t reattach_attempts;
    uint64_t key_rotations;
    uint64_t protected_sent;        /**< protected payloads taken from the host */
    uint64_t protected_acknowledged;
    uint64_t protected_expired;
    uint64_t protected_received;    /**< complete, and in turn */
    uint64_t protected_duplicates;  /**< parts that came again */
    uint64_t protected_datagrams_lost; /**< sent again by loss recovery */
    uint64_t protected_bytes_resent;
    uint64_t reserved[1];
} jmp_session_stats;

/** A path at one moment. */
typedef struct jmp_path_info {
    uint32_t struct_size;           /**< set by the library */
    uint32_t path;                  /**< path id */
    uint32_t transport;
    uint32_t role;                  /**< JMP_PATH_* */
    jmp_address address;
    char name[JMP_NAME_SIZE];       /**< transport name; at a gateway the one the client told */
    uint32_t transport_class;
    uint32_t cost;
    uint32_t mtu;
    uint32_t validated;             /**< 1 when the peer answered a challenge on it */
    uint32_t dead;                  /**< 1 when declared dead and not heard since */
    uint32_t srtt_us;               /**< 0 while unknown */
    uint32_t rttvar_us;
    uint32_t min_rtt_us;
    uint32_t jitter_us;
    uint32_t loss_ppm;
    uint32_t consecutive_drops;
    uint32_t reserved0;
    uint64_t bytes_sent;
    uint64_t bytes_received;
    jmp_time last_evidence_at;      /**< last proof that both directions work, or JMP_TIME_NONE */
    uint64_t reserved[4];
} jmp_path_info;

/** Counters of an endpoint. struct_size is set by the host. */
typedef struct jmp_endpoint_stats {
    uint32_t struct_size;
    uint32_t sessions;              /**< slots in use, half-open and closing included */
    uint32_t half_open;
    uint32_t waiting;               /**< for jmp_accept */
    uint32_t transports;
    uint32_t seeded;                /**< 1 when randomness is seeded */
    uint64_t datagrams_received;
    uint64_t datagrams_sent;
    uint64_t handshakes_completed;
    uint64_t sessions_terminated;
    uint64_t events_dropped;
    uint64_t clock_went_backwards;  /**< calls whose time was earlier than one before */
    uint64_t late_calls;            /**< calls that came late enough to push deadlines */
    uint64_t dropped[JMP_DROP_CAUSES]; /**< by JMP_DROP_* */
    uint64_t reserved[8];
} jmp_endpoint_stats;

/** Kinds of a datagram, for balancers. */
#define JMP_DATAGRAM_DATA 0
#define JMP_DATAGRAM_INIT 1
#define JMP_DATAGRAM_RESP 2
#define JMP_DATAGRAM_COOKIE 3
#define JMP_DATAGRAM_ADOPT 4

/** Where a datagram belongs, told without keys. */
typedef struct jmp_route {
    uint32_t struct_size;
    uint32_t kind;                  /**< JMP_DATAGRAM_* */
    uint64_t connection_id;         /**< DATA; else 0 */
    uint64_t handshake_id;          /**< INIT, RESP, COOKIE, ADOPT; else 0 */
    uint32_t node_tag;              /**< DATA: first two bytes of the connection id; else 0 */
    uint32_t reserved;
} jmp_route;

#endif
