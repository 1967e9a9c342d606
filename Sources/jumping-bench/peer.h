#ifndef PEER_H
#define PEER_H

#include "bench.h"

#include <sys/types.h>

/* The clients of a measured gateway, in a process of their own, so that their memory is not the gateway's. They answer
 * strictly: a request with datagrams for them, a reply with datagrams of theirs. */

/* Datagrams one after the other, each behind its length (2 bytes). Never grows beyond what it was made with. */
struct batch {
    uint32_t capacity, length;
    uint8_t *bytes;
};
void batch_init(struct batch *batch, uint32_t capacity);
void batch_free(struct batch *batch);
void batch_add(struct batch *batch, const uint8_t *datagram, uint32_t length);
/* The next datagram from *offset on, or NULL. */
uint8_t *batch_next(struct batch *batch, uint32_t *offset, uint32_t *length);

enum peer_command {
    PEER_DELIVER,   /* nothing but the datagrams */
    PEER_TICK,      /* time passes */
    PEER_CONNECT,   /* `count` more sessions */
    PEER_SEND,      /* a payload of each of `count` sessions from `first` on */
    PEER_CLOSE,     /* ends those sessions */
    PEER_QUIT
};

struct peer {
    pid_t process;
    int socket;
};
/* Forks. `sessions` is how many may live at a time; later ones take the places of the first. */
void peer_start(struct peer *peer, uint32_t suite, uint32_t sessions, jmp_time now);
/* Gives `datagrams` to the clients, does the command, and replaces `datagrams` by what the clients send. */
void peer_exchange(struct peer *peer, enum peer_command command, uint32_t first, uint32_t count, jmp_time now, struct batch *datagrams);
void peer_stop(struct peer *peer);

#endif
