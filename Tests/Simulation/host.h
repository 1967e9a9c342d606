/* A host: one process with one endpoint, a socket per link, a clock of its own, and the loop every host runs (make a call, drain
 * datagrams and events, ask for the next deadline). The gateway is host 0; clients are hosts 1 and up. */
#ifndef SIMULATION_HOST_H
#define SIMULATION_HOST_H

#include "network.h"
#include "observer.h"

struct world;

enum { HOST_MAX_SERVED = 512, HOST_MAX_REQUESTS = 64, HOST_SOCKET_BUFFER = 256 };

/* What a client sends through, one per link. A gateway has them too, always open and up. */
struct socket {
    uint32_t transport;             /* number in the endpoint; JMP_TRANSPORT_NONE while it is closed */
    uint32_t path;                  /* of the session (client); JMP_PATH_NONE: not offered */
    jmp_time opens_at, offers_at;   /* closed or withdrawn: until when */
    jmp_time down_until;            /* the interface carries nothing */
    bool tells_hints, tells_unsent; /* what the host says about that */
    bool is_hinted_down;
    jmp_time hints_up_at;
};

/* Payloads of one kind that a host sends by itself. */
struct traffic {
    jmp_time interval_us;           /* 0: none */
    uint64_t bytes;
    jmp_time next_at;
    uint64_t own_interval_us, own_bytes;    /* of the scenario, when what the schedule says has ended */
    jmp_time until;
};

/* Protected payloads that a host sends in one of its sessions. */
struct protected_traffic {
    jmp_time interval_us;           /* on average; 0: none */
    jmp_time next_at;
    uint64_t count;
    bool is_blocked;                /* until Writable */
    struct random random;
};

/* A session that a gateway has. */
struct served {
    jmp_session session;
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    uint32_t connection;
    uint32_t client;                /* host number, 0 while unknown */
    uint64_t sent;
    jmp_time orphaned_at;           /* the client's process ended then; JMP_TIME_NONE: it lives */
};

/* A new session that a gateway was asked about. */
struct request {
    jmp_session session;
    uint32_t client, pattern;       /* client 0: nobody it knows */
    jmp_time at;                    /* when it answers, on the world's clock */
};

struct host {
    struct world *world;
    uint32_t number;
    char name[32];
    uint32_t process;               /* + 1 per start */
    jmp_endpoint *endpoint;         /* NULL: the process is not running */
    struct observer *observer;
    bool has_unread_events;
    jmp_time deadline;              /* jmp_next_timeout after the last call, on the host's clock */
    jmp_time starts_at;             /* when it is not running: when it starts */

    jmp_time clock_base_us;         /* no two hosts' clocks have the same beginning */
    jmp_time clock_back_us, clock_back_until;
    jmp_time suspended_until, slow_until, late_until;
    jmp_time late_us, lateness_us;  /* at most; of the next deadline */
    bool loses_datagrams;           /* while suspended */
    uint32_t waiting;               /* datagrams in its sockets while it is suspended */
    jmp_time disturbed_until;       /* up to then it was or will be late, asleep, slow or wrong about the time */
    struct random random;

    struct socket sockets[NETWORK_MAX_LINKS];
    struct traffic traffic;         /* client: up */
    struct traffic downstream;      /* client: what the gateway sends it */
    struct protected_traffic *protected_traffic;    /* client: one; gateway: by connection, modulo HOST_MAX_SERVED; NULL: none */
    struct random reading;
    jmp_time reading_changes_at;    /* protected payloads are read, or not, from then on; 0: always */
    bool is_reading_paused;

    jmp_session session;            /* client */
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    bool is_established;
    jmp_time connect_at;            /* when there is no session */
    jmp_time connected_at;          /* jmp_connect */
    jmp_time held_since;            /* congestion control has let no expendable payload leave since; 0 when the last one left */
    jmp_time established_at;
    uint32_t connection;
    uint64_t sent;
    uint64_t counted_from, counted; /* payloads with this number or a greater one that the gateway has got */

    struct served *served;          /* gateway */
    size_t served_count;
    struct request requests[HOST_MAX_REQUESTS];
    size_t request_count;
};

void host_init(struct host *host, struct world *world, uint32_t number);
/* Starts the process: endpoint, transports, keys. */
void host_start(struct host *host);
/* Ends it without a word. */
void host_kill(struct host *host);

/* What its clock shows now. */
jmp_time host_clock(const struct host *host);
/* When it must get a turn, on the world's clock. */
jmp_time host_wakes_at(struct host *host);
/* Does everything that is due. */
void host_turn(struct host *host);
/* A datagram reached one of its sockets. */
void host_receive(struct host *host, const struct packet *packet);
/* After any call: sends all there is, reads events unless it is slow, tells the observer. */
void host_drain(struct host *host);
/* observer_called and host_drain. */
void host_called(struct host *host, const char *call, jmp_status status, jmp_session session);

/* Opens and closes the socket of a link, offers and withdraws its path. */
void host_open_socket(struct host *host, uint32_t link);
void host_close_socket(struct host *host, uint32_t link);
void host_offer_path(struct host *host, uint32_t link);
void host_withdraw_path(struct host *host, uint32_t link);
void host_hint(struct host *host, uint32_t link, bool is_up);

/* Which link a transport of this host is, or NETWORK_MAX_LINKS: numbers change when sockets are closed and opened anew. */
uint32_t host_link_of(const struct host *host, uint32_t transport);
/* The gateway's session for a client's present one, or NULL. */
struct served *host_served_for(struct host *gateway, const struct host *client);
/* Sends one payload of `bytes` bytes in a session the host has. */
void host_send_payload(struct host *host, jmp_session session, uint32_t connection, uint64_t *number, uint64_t bytes);

#endif
