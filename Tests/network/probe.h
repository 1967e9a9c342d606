/* probe: a client and an echo gateway over libjumping's C ABI. See probe.c. */
#ifndef NETWORK_PROBE_H
#define NETWORK_PROBE_H

#include <jumping.h>

#include <stddef.h>
#include <stdint.h>

#define TRANSPORT_COUNT 2
#define DATAGRAM_CAPACITY 2048
#define PAYLOAD_SIZE 64
#define STATES_MAX 256
#define INPUT_CAPACITY 4096
#define SUMMARY_CAPACITY 65536 /* more than STATES_MAX transitions and switches need */

/* ---------------------------------------------------------------- options */

struct options {
    uint32_t role;             /**< JMP_ROLE_* */
    const char *namespace_path;/**< entered before any socket is made, or NULL */
    char local[TRANSPORT_COUNT][16];  /**< dotted IPv4 of udp:A and udp:B */
    char remote[TRANSPORT_COUNT][16]; /**< client: the gateway's */
    uint16_t port;             /**< the gateway's, on both transports */
    uint64_t rate;             /**< payloads per second this side sends; 0: none */
    uint64_t duration_us;      /**< of sending */
    uint64_t linger_us;        /**< how long to listen afterwards */
    uint64_t capacity;         /**< payload records to keep */
    uint32_t watches_links;    /**< 1: netlink tells of interfaces going down */
    uint32_t is_one_way;       /**< client: payloads come from the gateway, none go there */
    uint32_t is_alone;         /**< client: there is no standby */
    uint32_t is_protected;     /**< both sides send protected payloads, nothing is echoed */
    uint32_t is_bulk;          /**< of these, the client as many as the library takes */
    size_t payload_size;       /**< bytes of each payload */
    uint32_t mtu;              /**< largest datagram of both transports, 0: the library's default */
    uint32_t buffer;           /**< bytes of send and receive buffer, 0: the library's default */
    int priority;              /**< SCHED_FIFO priority, 0: an ordinary process */
    jmp_policy policy;
};

/** Reads the command line; ends the program with a message when it is wrong. */
void options_read(struct options *options, int argc, char **argv);

/* ----------------------------------------------------------------- output */

/** One line of JSON to standard output, at once, with a line end. */
void print_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** Ends the program because of a failed call. */
void fail(const char *what) __attribute__((noreturn));
/** The same when a library call failed. */
void require(jmp_status status, const char *what);

/* ------------------------------------------------------------------- host */

struct transport {
    const char *name;
    int fd;
    uint32_t number;          /**< the library's */
    unsigned interface_index; /**< of the local address */
    int is_down;              /**< as hinted last */
};

struct stream;

struct transition {
    jmp_time time;
    uint32_t from, to, reason;
};

/** Sockets, clock and event loop around one endpoint. */
struct host {
    jmp_endpoint *endpoint;
    struct transport transports[TRANSPORT_COUNT];
    int epoll_fd, netlink_fd;
    int input_closed;                  /**< standard input ended, or said stop */
    jmp_session session;               /**< the latest that was established */
    int is_established, is_terminated;
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    unsigned session_ids;              /**< different ones seen in established sessions */
    char bound_address[64];
    uint32_t bound_transport;
    jmp_time worst_wake_us;            /**< longest time between due and awake */
    uint64_t event_counts[64], events_dropped, unsent;
    jmp_time switch_times[STATES_MAX];
    struct transition states[STATES_MAX];
    size_t state_count, switch_count;
    struct stream *stream;             /**< of protected payloads, NULL: there are none */
    void *owner;
    /** A payload has come; it lies in the host's buffer. */
    void (*on_payload)(struct host *, jmp_session, uint8_t *payload, size_t length, uint32_t transport, jmp_time now);
    /** A line came on standard input; "stop" is handled by the host. */
    void (*on_line)(struct host *, const char *line);
};

/** Microseconds of CLOCK_BOOTTIME. */
jmp_time clock_us(void);
/** Makes the endpoint, its two transports and their sockets. */
void host_open(struct host *host, const struct options *options, const jmp_config *config);
/** Waits until `wake_at` at the latest and handles whatever comes: input first, then timeouts. Gives the time. */
jmp_time host_wait(struct host *host, jmp_time wake_at);
/** Sends what the library has to send, prints its events, notes the active path. */
void host_drain(struct host *host);
/** Sends one payload. When the socket refuses the datagram the library is told and one more attempt is made: the
 *  session may have jumped. JMP_OK, or the library's error, or JMP_AGAIN when it never left. */
jmp_status host_send(struct host *host, jmp_session session, const uint8_t *payload, size_t length);
/** The fields of a summary that both roles have, as JSON without braces. */
size_t host_summary(struct host *host, char *text, size_t capacity);
/** The address as the library wants it. */
void address_make(jmp_address *address, const char *dotted, uint16_t port);
void address_text(const jmp_address *address, char *text, size_t capacity);
/** Hints the library about a transport, when that is news. */
void host_hint(struct host *host, struct transport *transport, int is_up, const char *source);

/* netlink: tells the host of interfaces that go down or come up. */
int netlink_open(const struct host *host);
void netlink_read(struct host *host);

/* -------------------------------------------------------------- payloads */

/** When each payload was sent and came (back). */
struct record {
    jmp_time sent_at, arrived_at;
};

struct arrival {
    jmp_time time;
    uint32_t sequence, transport;
};

struct ledger {
    struct record *records;   /**< by sequence number */
    struct arrival *arrivals; /**< in order of arrival, duplicates left out */
    size_t payload_size;
    size_t capacity, sent, arrived;
    uint64_t duplicates, damaged;
    jmp_time fault_from, fault_until; /**< as the orchestrator told; 0: no fault */
    jmp_time sending_ended_at;
};

void ledger_open(struct ledger *ledger, size_t capacity, size_t payload_size);
/** A payload: sequence number, time, and bytes made from the number. */
void payload_fill(uint8_t *payload, size_t length, uint64_t sequence, jmp_time now);
/** Notes a payload that came; counts it as damaged or duplicate where it is. */
void ledger_note(struct ledger *ledger, const uint8_t *payload, size_t length, uint32_t transport, jmp_time now);
/** "fault FROM UNTIL": when the network was disturbed. Other lines are left alone. */
void ledger_line(struct ledger *ledger, const char *line);
/** Gaps, losses and round trip times as JSON without braces. */
size_t ledger_summary(const struct ledger *ledger, int is_one_way, char *text, size_t capacity);

/* ----------------------------------------------------- protected payloads */

/** Those that this end sends, and in the ledger those that come from the other: `ledger.sent` is how many of ours the
 *  library accepted, all else there is about the other's. */
struct stream {
    struct ledger ledger;
    const struct options *options;
    uint64_t rate, skipped, refused, received_bytes;
    int sends_bulk, has_held, is_full, is_over, is_quiet, has_settled;
    jmp_time next_at, progress_at;
    uint8_t *held;   /**< the payload that the library has not taken yet */
    uint8_t *buffer; /**< for those that it hands out */
};

void stream_open(struct stream *stream, struct host *host, const struct options *options);
/** Sends what is due and the library takes; gives when to call again. */
jmp_time stream_send(struct stream *stream, struct host *host);
/** Notes one that has come. */
void stream_note(struct stream *stream, const uint8_t *payload, size_t length, uint32_t transport, jmp_time now);
/** Takes and notes those that wait in the library. */
void stream_poll(struct stream *stream, struct host *host, uint32_t transport);
/** A line of standard input: "quiet" ends the sending, and "settled" is printed when all was acknowledged. */
void stream_line(struct stream *stream, const char *line);
/** Delays, gaps and counts as JSON without braces. */
size_t stream_summary(const struct stream *stream, char *text, size_t capacity);

int client_run(const struct options *options);
int gateway_run(const struct options *options);

#endif
