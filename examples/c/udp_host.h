/* A host of libjumping on Linux: UDP sockets, epoll, one timer. Copy udp_*.c and udp_*.h into your own program.
 *
 * One thread runs one host; a program with several cores runs several hosts. A host owns one endpoint and up to
 * JMP_MAX_TRANSPORTS sockets; each socket is one transport of the endpoint. The loop keeps the library's contract:
 * after every call that changes something, drain what it wants sent and what it has to tell, then ask when it wants
 * to be called next. */
#ifndef UDP_HOST_H
#define UDP_HOST_H

#include <jumping.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>

/* Largest datagram of every socket, bytes; for a network with jumbo frames e.g. cc -DUDP_HOST_MTU=8900. */
#ifndef UDP_HOST_MTU
#define UDP_HOST_MTU JMP_DEFAULT_MTU
#endif

enum {
    UDP_HOST_BATCH = 64,           /* datagrams of one sendmmsg, and of one jmp_receive_batch */
    UDP_HOST_DATAGRAM_SIZE = (UDP_HOST_MTU + 1023) / 1024 * 1024,   /* room for one datagram, bytes: those of protected payloads fill the mtu */
    UDP_HOST_READS = 8,            /* buffers of one recvmmsg; with GRO each holds up to 64 KiB of datagrams */
    UDP_HOST_READ_SIZE = 65536,
    UDP_HOST_NAME_SIZE = 64        /* "[address]:port", bytes */
};

struct udp_host;

/* What the program wants to hear. Called from udp_host_run_once; they may call udp_host_send and any jmp_ function. */
struct udp_host_callbacks {
    /* A payload arrived; the bytes live until the callback returns. NULL: nobody wants them. */
    void (*payload)(struct udp_host *host, jmp_session session, const uint8_t *bytes, size_t length);
    /* A protected payload arrived (jmp_send_protected), this once; NULL: it goes where the others go. */
    void (*protected_payload)(struct udp_host *host, jmp_session session, uint32_t channel, const uint8_t *bytes, size_t length);
    /* Something happened to a session; NULL when the program does not care. */
    void (*event)(struct udp_host *host, const jmp_event *event);
};

/* One UDP socket, one transport. */
struct udp_socket {
    int fd;                 /* -1: closed; what the library sends through it is lost */
    uint32_t transport;     /* the library's number for it */
    int family;             /* AF_INET or AF_INET6 */
    bool down;              /* the kernel said the network is gone, and the library was told */
    bool has_gso;           /* the kernel cuts one buffer into datagrams of equal size (UDP_SEGMENT) */
    bool has_gro;           /* and joins such datagrams into one buffer (UDP_GRO) */
};

/* Datagrams that wait for the next sendmmsg. */
struct udp_batch {
    size_t count;
    size_t socket[UDP_HOST_BATCH];          /* index into sockets */
    jmp_datagram datagram[UDP_HOST_BATCH];
    uint8_t bytes[UDP_HOST_BATCH][UDP_HOST_DATAGRAM_SIZE];
};

struct udp_host {
    jmp_endpoint *endpoint;
    struct udp_host_callbacks callbacks;
    void *context;                          /* the program's own */
    FILE *trace;                            /* every event as one line of JSON, or NULL */
    int epoll_fd, timer_fd;
    jmp_time timer_at;                      /* what timer_fd is set to */
    sigset_t awake_signals;                 /* blocked while the loop sleeps; empty: a signal the program blocks elsewhere
                                             * arrives exactly here, so none is missed between a check and the sleep */
    size_t socket_count;
    struct udp_socket sockets[JMP_MAX_TRANSPORTS];
    struct udp_batch out;
    uint8_t in[UDP_HOST_READS * UDP_HOST_READ_SIZE];
    uint8_t payload[JMP_PROTECTED_PAYLOAD_MAX];     /* where jmp_poll_payload puts what did not come in one piece, or in its turn */
    bool is_plain;                          /* set before sockets are added: none of them uses GSO or GRO */
};

/* The time every jmp_ call wants: CLOCK_BOOTTIME in microseconds, which counts through suspend. */
jmp_time udp_host_now(void);

/* Wall clock minus udp_host_now, for jmp_config.wall_clock_offset_us. */
int64_t udp_host_wall_clock_offset(void);

/* Takes the endpoint over (udp_host_close frees it). Returns 0, or -1 with errno set. */
int udp_host_open(struct udp_host *host, jmp_endpoint *endpoint, struct udp_host_callbacks callbacks, void *context);

/* Opens a UDP socket bound to `local` (and to a network interface unless NULL or empty) and adds it as a transport with
 * the given name and class. Returns its index in host->sockets, or -1 with the reason on stderr. */
int udp_host_add_socket(struct udp_host *host, const struct sockaddr_storage *local, const char *interface,
                        const char *name, uint32_t transport_class);

/* Closes a socket and tells nobody: to the library its path has become a black hole. */
void udp_host_kill_socket(struct udp_host *host, size_t index);

/* Seals a payload and queues its datagram; it leaves with the next flush, at the latest before the loop sleeps. */
jmp_status udp_host_send(struct udp_host *host, jmp_session session, const void *payload, size_t length, jmp_time now);

/* The same for `count` payloads of `length` bytes that lie one behind the other. Returns how many the library took. */
size_t udp_host_send_many(struct udp_host *host, jmp_session session, const uint8_t *payloads, size_t length, size_t count,
                          jmp_time now);

/* One turn of the loop: sleep until a datagram, the library's deadline or `wake_at` (JMP_TIME_NONE: no limit of ours; 0: do
 * not sleep), hand over what arrived, let time pass, send what is to be sent. Returns 0, or -1 with errno set. */
int udp_host_run_once(struct udp_host *host, jmp_time wake_at);

/* Drains the library and flushes: call it after jmp_ calls made outside the callbacks. */
void udp_host_flush(struct udp_host *host, jmp_time now);

/* Frees the endpoint and closes every descriptor; the trace stays the caller's. */
void udp_host_close(struct udp_host *host);

/* "1.2.3.4:5", "[::1]:5" into a socket address; `port_required` false also takes an address alone (port 0).
 * Returns 0 or -1. */
int udp_host_parse_address(const char *text, bool port_required, struct sockaddr_storage *address);

/* Between the kernel's addresses and the library's opaque ones: IPv4 4 + 2 bytes, IPv6 16 + 2 bytes, big endian;
 * the prefix that names one source is the whole IPv4 address, or the /64. */
void udp_host_to_jumping(const struct sockaddr_storage *address, jmp_address *out);
socklen_t udp_host_from_jumping(const jmp_address *address, struct sockaddr_storage *out);

/* An address for people; returns `text`. */
const char *udp_host_format(const jmp_address *address, char text[UDP_HOST_NAME_SIZE]);

#endif
