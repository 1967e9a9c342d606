/* The link emulator: two paths, A and B, between a client and a gateway that
 * live in network namespaces of their own. See link.c for its commands. */
#ifndef NETWORK_LINK_H
#define NETWORK_LINK_H

#include <stddef.h>
#include <stdint.h>

#define PATH_COUNT 2
#define DIRECTION_UP 0   /* from the client to the gateway */
#define DIRECTION_DOWN 1 /* from the gateway to the client */
#define SIDE_CLIENT 0
#define SIDE_GATEWAY 1
#define PACKET_CAPACITY 2048
#define QUEUE_CAPACITY 8192
#define NAT_MAPPINGS 4
#define LATENESS_BUCKETS 10000 /* of 10 microseconds: up to 100 ms */
#define LATENESS_BUCKET_US 10

/* ------------------------------------------------------------- namespaces */

/** One end: a network namespace with one TUN device per path. */
struct side {
    int namespace_fd;          /**< keeps the namespace alive; probes enter through it */
    int control_fd;            /**< a socket inside, for interface flags */
    int device_fd[PATH_COUNT]; /**< raw IPv4 packets */
};

/** Makes a namespace with devices pathA and pathB (10.201.1.HOST/24 and
 *  10.201.2.HOST/24) and leaves the process inside it. 0, or -1 with errno. */
int side_open(struct side *side, int host);
/** Sets the interface of a path up or down. 0, or -1 with errno. */
int side_set_up(const struct side *side, int path, int is_up);
/** IPv4 address (host byte order) of a side's host number on a path. */
uint32_t path_address(int path, int host);

#define CLIENT_HOST 2
#define GATEWAY_HOST 1

/* ---------------------------------------------------------------- packets */

/** Where the fields of a UDP or TCP packet lie; see packet_parse. */
struct packet_fields {
    uint8_t *ip;
    uint8_t *ports;    /**< the header after IP's: both begin with the ports */
    uint8_t *checksum; /**< in that header */
    int is_udp;
    uint32_t source_address, destination_address; /* host byte order */
    uint16_t source_port, destination_port;
};

/** Reads an IPv4 packet of UDP or TCP that is not a fragment. 0, or -1 for anything else. */
int packet_parse(uint8_t *bytes, size_t length, struct packet_fields *fields);
/** Rewrite one end of the packet and mend both checksums (RFC 1624). */
void packet_set_source(struct packet_fields *fields, uint32_t address, uint16_t port);
void packet_set_destination(struct packet_fields *fields, uint32_t address, uint16_t port);

/* ------------------------------------------------------------------ queue */

/** A packet on its way. */
struct queued {
    uint64_t due_us; /**< when it leaves the emulator */
    uint64_t order;  /**< of two that are due at once the earlier goes first */
    uint16_t length;
    uint8_t path;
    uint8_t direction;
    uint8_t is_copy; /**< an attacker's: no address translation on delivery */
    uint8_t bytes[PACKET_CAPACITY];
};

/** Room for one packet, or NULL when QUEUE_CAPACITY are under way. Follow with
 *  queue_push or queue_release. */
struct queued *queue_take(void);
void queue_push(struct queued *packet);
void queue_release(struct queued *packet);
/** The packet that is due first, or NULL. */
struct queued *queue_first(void);
/** Takes the first packet out; release it when it is delivered. */
struct queued *queue_pop(void);
void queue_open(void);

/* ------------------------------------------------------------------ state */

/** One direction of one path. */
struct lane {
    uint32_t delay_us;
    uint32_t jitter_us; /**< added on top of delay_us, uniform in 0 ... jitter_us */
    uint32_t loss_ppm;
    uint32_t duplicate_ppm;
    uint32_t blackhole; /**< 1: everything that enters is dropped without a word */
    uint32_t reorder;   /**< 0: jitter never lets a packet overtake another */
    uint32_t rate_kbps; /**< of the bottleneck, in bits of whole IP packets; 0: there is none */
    uint32_t queue_bytes; /**< how much may wait for it; what finds no room is dropped (drop-tail); 0: any amount */
    uint64_t last_due_us;
    uint64_t free_at_ns; /**< when the bottleneck has sent all that has entered */
    uint64_t random_state;
    uint64_t entered, delivered, delivered_bytes, lost, blackholed, duplicated, refused, overrun, bytes;
};

struct mapping {
    uint16_t inside_port, outside_port;
};

/** Source address and port translation at the gateway's end of a path, so that
 *  a new one takes effect for both directions at one moment. */
struct translator {
    int is_on;
    int outside_host; /**< host number of the client as others see it */
    uint16_t next_port;
    unsigned count;
    struct mapping mappings[NAT_MAPPINGS];
    uint64_t dropped; /**< packets to a port that is no longer mapped */
};

/** Someone on the path who copies the client's packets and sends the copies
 *  from an address of his own. */
struct attacker {
    uint32_t address; /**< 0: there is none */
    uint16_t port;
    uint32_t delay_us;        /**< of the copies; the originals take the lane's */
    uint64_t copies_left;     /**< how many more to copy */
    uint64_t sent_packets, sent_bytes, received_packets, received_bytes;
};

struct path_state {
    struct lane lanes[2];
    struct translator translator;
    struct attacker attacker;
};

struct emulator {
    struct side sides[2];
    struct path_state paths[PATH_COUNT];
    uint64_t ignored;  /**< packets that are neither UDP nor TCP over IPv4 */
    uint64_t overflow; /**< packets dropped because the queue was full */
    uint64_t lateness[LATENESS_BUCKETS + 1];
    uint64_t lateness_count, lateness_max_us;
};

/** Microseconds of CLOCK_BOOTTIME. */
uint64_t clock_us(void);
/** Lets one packet read from a device enter its lane. */
void emulator_enter(struct emulator *emulator, int path, int direction, struct queued *packet, uint64_t now_us);
/** Delivers everything that is due. */
void emulator_deliver(struct emulator *emulator);
/** Defaults: no delay, no loss; seeds every lane. */
void emulator_reset(struct emulator *emulator, uint64_t seed);
/** Seeds every lane's randomness. */
void emulator_seed(struct emulator *emulator, uint64_t seed);
/** Forgets a path's address translation and takes new ports from now on. */
void translator_rebind(struct translator *translator);
/** The same, and the client comes from another address. */
void translator_move(struct translator *translator);
/** Does what one line says and writes the answer (one line, no line end).
 *  1 when the line asks the emulator to end. */
int command_run(struct emulator *emulator, char *line, char *answer, size_t capacity);

#endif
