/* What the host sends, what the two ends know of it, the datagrams between them, the bounds. Model.md tells what stands for what. */

/* Steps. */
mtype = {
    no_event,
    HOST_OFFERS, SENDS, COPIES, ARRIVES, IS_ACKNOWLEDGED, IS_TAKEN_FOR_LOST, PROBES, EXPIRES, JUMPS, CREDIT_ARRIVES, CREDIT_IS_LOST,
    HOST_TAKES, HOST_HOLDS, HOST_LETS_GO, MEMORY_ENDS, MEMORY_RETURNS, WORLD_CALMS, NEXT_ROUND
};

#ifndef WHIMS
#define WHIMS 2         /* how often the world may surprise. Loss, reordering and late acknowledgements are free. */
#endif
#ifndef LEDGER
#define LEDGER 3        /* datagrams the sender remembers (4,096 in the code) */
#endif
#ifndef FRAMES
#define FRAMES 2        /* frames in a datagram (64) */
#endif
#ifndef SEND_BUFFER
#define SEND_BUFFER 4
#endif
#ifndef RECEIVE_BUFFER
#define RECEIVE_BUFFER 2
#endif
#ifndef MORTAL
#define MORTAL 0        /* payloads with a time to live */
#endif
#ifndef LAST_CHANNEL
#define LAST_CHANNEL 0  /* of payload 2 */
#endif
#define PACKETS (LEDGER + 1)    /* and one that is still on its way when its sender has forgotten it */
#define INITIAL_CREDIT 1
#define SCARCE 1                /* what a session may hold when the endpoint's memory is short */

/* Three payloads, in the order in which the host offers them: 0 has two parts, 1 and 2 have one; 0 and 1 are of one ordered channel. A frame is
 * a bit: the parts of 0, of 1, of 2, then an ABANDONED for each. Sets of payloads are bits too. A part counts 1 against buffers and credit. */
#define PAYLOADS 3
#define ALL 7
#define PARTS_IN(set) (((set) & 1) * 3 | ((set) & 6) << 1)
#define PAYLOAD_OF(part) ((part) < 4 -> 0 : ((part) == 4 -> 1 : 2))
#define CHARGE(set) (((set) & 1) * 2 + (((set) >> 1) & 1) + (((set) >> 2) & 1))
#define LARGEST 2
#define ALL_PARTS 15
#define NOTICES(set) ((set) << 4)
#define HAS(set, p) (((set) >> (p)) & 1)
#define IS_ORDERED(p) ((p) < 2 || LAST_CHANNEL != 0)
#define EARLIER(p) ((p) == 1 -> 1 : ((p) == 2 && LAST_CHANNEL == 1 -> 3 : 0))   /* of the same channel */
#define LOWEST(set) ((set) & (0 - (set)))

/* What became of a datagram at its sender (LedgerEntry.Fate). */
#define FORGOTTEN 0
#define IN_FLIGHT 1
#define ACKNOWLEDGED 2
#define DECIDED 3               /* lost or superseded: what it carried goes again */
#define COPY 4
#define OLD_COPY 5              /* of three probe timeouts ago */

/* One position is one packet number, later ones are higher. */
typedef Packet {
    unsigned fate : 3;
    unsigned frames : 7;
    bit is_flying;              /* may arrive; it may also never */
    bit has_arrived;            /* in the receiver's replay window: it may be acknowledged */
    bit is_copied;
};
Packet packet[PACKETS];
unsigned count : 3;

/* ------------------------------------------------------------------ sender */
unsigned s_offered : 2;         /* how many the host has given */
unsigned s_live : 3;            /* neither acknowledged nor given up */
unsigned s_notice : 3;          /* given up, and the peer does not know it yet */
unsigned s_fresh : 3;           /* not sent to its end */
unsigned s_started : 3;         /* counts against the credit */
unsigned s_pending : 7;         /* frames to be sent, or sent again */
unsigned s_done : 4;            /* parts that were acknowledged */
unsigned s_buffered : 3;
unsigned s_last : 7;            /* frame that was sent again last */
unsigned s_probes : 2;          /* datagrams that may leave whatever the window says */
byte s_credit = INITIAL_CREDIT;

/* ---------------------------------------------------------------- receiver */
unsigned r_parts : 4;           /* parts in memory */
unsigned r_held : 3;            /* payloads that have memory */
unsigned r_done : 3;            /* handed out, in line for the host, or given up */
unsigned r_buffered : 3;
unsigned r_exempt : 2;          /* 1 + the one that was given memory beyond the share */
byte r_line[PAYLOADS];          /* complete, for the host */
unsigned r_waiting : 2;
bit r_has_received, r_is_held, r_is_short;
byte r_released, r_announced = INITIAL_CREDIT;
bit credit_is_flying, credit_is_lost;

unsigned whims : 3 = WHIMS;     /* left */

/* Ghosts: what the specification remembers. */
unsigned g_delivered : 3;
unsigned g_given_up : 3;        /* by the receiver */
unsigned g_acknowledged : 3;    /* reported */
unsigned g_expired : 3;         /* reported */

/* ------------------------------------------------- scratch of a single step, 0 between steps */
mtype event = no_event;
byte i, j, p, n, choice;
byte part, frames, need, first;
bit may_deliver, is_refused, is_credit_due, is_short;
