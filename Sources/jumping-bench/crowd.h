#ifndef CROWD_H
#define CROWD_H

#include "pair.h"

/* Many sessions between two endpoints, each call timed. Their policy lets few timers fire but those a row is about: heartbeats
 * every 10 min, no rekey; all end at the age of 5 min. The client has a second transport. */
struct crowd {
    struct pair pair;
    uint32_t count;
    jmp_session *client, *gateway;
    jmp_time first_created_at;
    uint64_t next;          /* of crowd_visit */
    double gateway_spent;   /* CPU nanoseconds of the gateway's calls in crowd_settle */
    uint64_t gateway_sent;  /* datagrams */
};

/* us: the age they end at, the time between two births, and when the first heartbeat of the last born is over */
enum { CROWD_LIFETIME = 300000000, CROWD_PACE = 100, CROWD_STRIDE = 7919, CROWD_FIRST_HEARTBEAT = 62000000 };

void crowd_open(struct crowd *crowd, uint32_t count);
/* Another session each time until all have been: a stride that no population here has as a factor. */
uint32_t crowd_visit(struct crowd *crowd);
void crowd_close(struct crowd *crowd);
jmp_session crowd_connect(struct crowd *crowd, jmp_session *gateway);
void crowd_settle(struct crowd *crowd);
/* Takes what one end has to say, and nobody hears it. */
void crowd_discard(struct crowd *crowd, jmp_endpoint *end);
/* Lets time pass at both ends, in steps short enough that no call is late. */
void crowd_wait(struct crowd *crowd, jmp_time until);
/* Walks through more memory than the caches hold. */
void evict_caches(void);

#endif
