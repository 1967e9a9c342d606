/* A small world in memory: a client and a gateway, up to four links between them, one virtual clock. Nothing in it reads
 * a real clock or real randomness, so a test gives the same result every time.
 *
 * Link i joins the client's transport i to the gateway's transport i. Each direction can delay, jitter, lose and swallow;
 * a NAT in front of the client decides under which port the gateway sees it. The world keeps every event and checks, for
 * the session of each node, what must hold in every test: versions grow by one, each transition starts where the last one
 * ended, the session id never changes, nothing follows TERMINATED. With WORLD_TRACE in the environment every event is
 * printed to stderr as a line of JSON. */
#ifndef WORLD_H
#define WORLD_H

#include <jumping.h>
#include <stdbool.h>

enum { CLIENT, GATEWAY, NODES };
/* The shortest DATA datagram: a header, no payload, a tag. */
enum { SHORTEST_DATA = 13 + 16 };
enum {
    WORLD_LINKS = 4,
    WORLD_DATAGRAM_SIZE = 2048,     /* bytes */
    WORLD_MAX_NUMBERS = 1 << 18,    /* payloads of a node that are told apart */
    WORLD_START_US = 1000000,       /* virtual time of the beginning */
    MS = 1000,
    SECOND = 1000000
};

struct world;

/* A datagram on its way. */
struct world_packet {
    jmp_time due;
    uint64_t order;                 /* breaks ties: first sent, first delivered */
    int from;                       /* CLIENT or GATEWAY */
    uint32_t link;
    jmp_address source;             /* as the receiver sees it */
    uint32_t length;
    uint8_t bytes[WORLD_DATAGRAM_SIZE];
};

struct world_link {
    jmp_time delay_us[NODES];       /* one way, by sender */
    jmp_time jitter_us[NODES];      /* added, uniform from 0; reorders */
    uint32_t loss_ppm[NODES];
    bool is_black_hole[NODES];
    uint16_t client_port;           /* the NAT's; change it to rebind */
    uint16_t old_port;              /* still leads to the client; 0: none */
};

struct world_node {
    jmp_endpoint *endpoint;
    jmp_session session;            /* the first session of this node */
    jmp_time suspended_until;       /* the whole host stands still; datagrams wait in its sockets */
    bool is_echoing;                /* sends every payload back on the session it came on */
    jmp_time send_interval_us;      /* 0: sends nothing by itself */
    jmp_time next_send_at;
    uint32_t payload_bytes;         /* at least 16; default 64 */
    uint64_t sent, refused;         /* payloads; refused by jmp_send */
    uint64_t received, duplicates;  /* payloads by number: first and further arrivals */
    jmp_time last_received_at, longest_gap_us;
    uint8_t *seen;                  /* one byte per payload number */
    jmp_event *events;
    size_t event_count, event_capacity;
    uint64_t version;               /* of the last transition of `session` */
    uint32_t state;
    uint8_t session_id[JMP_SESSION_ID_SIZE];
};

/* Sees every datagram a node sends, before the link does. True: the tap keeps it, the link never sees it. */
typedef bool world_tap(struct world *world, int from, const jmp_datagram *datagram, const uint8_t *bytes);

struct world {
    jmp_time now;
    uint32_t link_count, offered_links;
    struct world_link links[WORLD_LINKS];
    struct world_node nodes[NODES];
    struct world_packet *packets;
    size_t packet_count, packet_capacity;
    uint64_t order, random;
    bool loses_transports;          /* datagrams for a transport the host removed are lost, as with a closed socket */
    bool ignores_trails;            /* for tests with many sessions: the trail of none is checked */
    uint64_t hash;                  /* of every datagram sent and every event's JSON, in order */
    world_tap *tap;
    void *tap_context;
    uint8_t gateway_public_key[JMP_KEY_SIZE];
};

/* How a world begins. Zero means the default of each. */
struct world_options {
    uint32_t links;                 /* 1 … WORLD_LINKS; default 2 */
    uint32_t offered_links;         /* paths the client knows from the beginning; default all */
    jmp_time delay_us;              /* one way, every link; default 20 ms */
    uint32_t pattern;               /* JMP_PATTERN_*; default NNpsk0 */
    uint32_t suites;                /* default ChaCha20-Poly1305 */
    uint32_t gateway_suites;        /* default those */
    uint8_t seed;                   /* of both endpoints and of the links' luck */
    bool is_unseeded;               /* endpoints take system randomness */
    uint32_t flags;                 /* of the gateway's config; default ACCEPT */
    const jmp_policy *policy;       /* the gateway's */
};

/* Makes both endpoints, their transports and keys. Check failures are counted by check.h. */
void world_open(struct world *world, struct world_options options);

/* The connect description for link 0 that fits the world's keys. */
void world_connect_config(struct world *world, uint32_t pattern, jmp_connect_config *config);

/* Connects, offers the further links as paths and runs until they are warm. False (and a failed check) if that takes
 * more than 5 s. */
bool world_connect(struct world *world, uint32_t pattern);

/* world_open and world_connect, with 200 payloads a second from the client, echoed. */
bool world_begin(struct world *world, struct world_options options);

void world_close(struct world *world);

/* Lets virtual time pass. */
void world_run(struct world *world, jmp_time duration_us);

/* What a host does after calls of its own: sends and reads all there is. */
void world_drain(struct world *world, int node);

/* Sends one payload now; returns jmp_send's status. */
jmp_status world_send(struct world *world, int node);

/* Gives a node a datagram now, from any address, past the links. The copy is opened, `bytes` stay. */
jmp_received world_inject(struct world *world, int to, uint32_t link, const jmp_address *source, const uint8_t *bytes, size_t length);

/* Swallows, or carries again, what both ends send on a link. */
void world_set_black_hole(struct world *world, uint32_t link, bool is_black_hole);

jmp_address world_client_address(const struct world *world, uint32_t link);
jmp_address world_gateway_address(uint32_t link);
bool world_same_address(const jmp_address *left, const jmp_address *right);

jmp_session_info world_info(const struct world *world, int node);
jmp_session_stats world_session_stats(const struct world *world, int node);
jmp_endpoint_stats world_stats(const struct world *world, int node);
/* The active path of a node's session; role is not ACTIVE when there is none. */
jmp_path_info world_active_path(const struct world *world, int node);

size_t world_count(const struct world *world, int node, uint32_t event_type);
/* The nth (from 0) event of a type, or NULL. */
const jmp_event *world_event(const struct world *world, int node, uint32_t event_type, size_t n);
/* True when the node's session went through this transition at or after `since`. */
bool world_went(const struct world *world, int node, uint32_t to_state, uint32_t reason, jmp_time since);

uint64_t world_random(struct world *world);
/* FNV-1a, 64 bits. */
uint64_t world_hash(uint64_t hash, const void *bytes, size_t length);

#endif
