/* What the two ends, the network between them and the attacker know. Everything is bounded; how, Model.md says. */

/* Steps. */
mtype = {
    no_event,
    UP_ARRIVES, UP_IS_LOST, DOWN_ARRIVES, DOWN_IS_LOST, CLIENT_HANDSHAKE, CLIENT_DEAD, CLIENT_LOSSY, CLIENT_PERSISTED,
    CLIENT_RETRY, CLIENT_CALM, CLIENT_REPEATS, CLIENT_TIMED_OUT, CLIENT_WINDOW, CLIENT_TTL, CLIENT_EVIDENCE,
    CLIENT_PROBE_LOST, CLIENT_SWITCH, CLIENT_ENDS, CLIENT_SENDS, CLIENT_MINUTE, CLIENT_ASKS_AGAIN, CLIENT_RESIGNS, GATEWAY_DEAD, GATEWAY_LOSSY,
    GATEWAY_PERSISTED, GATEWAY_REPORTS, GATEWAY_EXPIRES, GATEWAY_ASKS_AGAIN, GATEWAY_TTL, GATEWAY_EVIDENCE,
    GATEWAY_SWITCH, GATEWAY_ENDS, GATEWAY_MINUTE, NAT_FORGETS, STANDBY_PROVED, GATEWAY_HALF_OPEN, WORLD_CALMS, NEXT_ROUND
};

#ifndef UP
#define UP 2            /* datagrams in flight to the gateway, copies the attacker keeps included */
#endif
#ifndef DOWN
#define DOWN 2          /* datagrams in flight to the client */
#endif
#ifndef WHIMS
#define WHIMS 3         /* how often the world may surprise: a path declared dead or bad, a probe or an attempt without answer, a wish, a
                           minute gone by, a NAT that forgets, a copy by the attacker. Loss, doubling and reordering are free. */
#endif
#ifndef EARLIER
#define EARLIER 1       /* attempts given up that may still be answered (4 in the code) */
#endif
#ifndef LIMIT
#define LIMIT 1         /* switches in a minute */
#endif

#ifdef TRACE
#define ID_BITS 5
#else
#define ID_BITS 3       /* attempt ids: as many as can be told apart at a time */
#endif
#define PATHS 2
#define NO_PATH 2       /* of a path number */
#define PROVISIONAL 2   /* the gateway's third slot: the active path's possible new address */
#define NO_SLOT 3

/* Addresses the gateway may see: path 0 before and after its NAT forgot, path 1, the attacker. */
#define FIRST 0
#define REBOUND 1
#define SECOND 2
#define ATTACKER 3
#define NO_ADDRESS 4

#ifndef LAG_MAX
#define LAG_MAX 2       /* a version that is this far behind, or further */
#endif

/* Kinds of answers. */
#define ACK 1
#define REJECT 2
/* What a report says of the active path. */
#define REPORT_ALIVE 1
#define REPORT_CUT_OFF 2

/* Versions are kept as their distance behind the gateway's binding_version: all grow by one when it binds. So the count never
 * ends, and equal and newer are exact below LAG_MAX. */

/* ------------------------------------------------------------------ client */
mtype client_state = BIRTH;
bit c_is_active[PATHS];         /* role active */
unsigned c_active : 2 = NO_PATH;
unsigned c_lag : 2;             /* bindingVersion */
bit c_valid[PATHS], c_dead[PATHS], c_tried[PATHS];
bit c_lost, c_cut_off, c_operator;
mtype c_trigger = none;         /* episode.trigger */
unsigned c_attempt : ID_BITS;         /* attempt id; 0 is none */
unsigned c_attempt_path : 1;
bit c_attempt_same;
mtype c_attempt_cause = none;
byte c_earlier_id[EARLIER];
bit c_earlier_path[EARLIER];
unsigned c_rebind : ID_BITS;          /* rebindAttemptID */
unsigned c_switches : 2;        /* in the last minute */

/* ----------------------------------------------------------------- gateway */
mtype gateway_state = BIRTH;
bit g_is_active[PATHS];
unsigned g_active : 2 = NO_PATH;
byte g_address[3];           /* of path 0, path 1 and the provisional one */
bit g_valid[3], g_challenged[3];
bit g_dead, g_lost, g_operator;
unsigned g_pending_slot : 2 = NO_SLOT;
unsigned g_pending_id : ID_BITS;
unsigned g_pending_lag : 2;
mtype g_pending_cause = none;
unsigned g_last_id : ID_BITS;         /* lastAttemptID, lastAttemptSlot and its answer */
unsigned g_last_slot : 2 = NO_SLOT;
unsigned g_last_answer : 2;
unsigned g_last_lag : 2;
mtype g_last_reason = none;
unsigned g_switches : 2;

/* ----------------------------------------------------------------- network */
typedef Upward {                /* a datagram of the client; one position is one packet number, later ones are higher */
    bit path;
    unsigned source : 2;
    unsigned attempt : ID_BITS;       /* REATTACH; 0 is none */
    unsigned lag : 1;           /* of its binding_version: any lag is stale */
    mtype cause;
    unsigned response : 3;      /* PATH_RESPONSE: 1 + the address the challenge went to; 0 is none */
    bit close;                  /* its reason is in `cause` */
    bit is_overtaken;           /* a higher packet number has been accepted */
    bit is_used;                /* accepted already: any further copy is a replay */
};
typedef Downward {              /* a datagram of the gateway */
    bit path;
    unsigned target : 2;
    unsigned answer : 2;        /* ACK, REJECT; 0 is none */
    unsigned attempt : ID_BITS;
    unsigned answer_lag : 2;
    mtype reason;               /* of a REJECT */
    bit challenge;              /* its value is as good as the address it goes to: unguessable, one an address */
    bit nudge;
    unsigned report : 2;
    bit report_operator;
    unsigned lag : 2;           /* binding_version of nudge and report */
    bit close;
};
Upward up[UP];
Downward down[DOWN];
unsigned up_count : 3;
unsigned down_count : 3;
bit nat_rebound;
unsigned whims : 4 = WHIMS;     /* left */

/* Ghosts: what the specification, not the code, remembers. */
bit proved[4];                  /* this address has answered a challenge, or carried the handshake */

/* ------------------------------------------------- scratch of a single step, 0 between steps */
mtype event = no_event;
byte i, j, choice;
int k;
mtype why = none, m_cause = none, m_reason = none;
byte m_path, m_source, m_attempt, m_lag, m_response, m_target, m_answer, m_answer_lag, m_report, slot;
bit m_overtaken, m_used, m_challenge, m_nudge, m_report_operator, m_close;
bit recovers, begins, starts, reports, closes, is_switch, binds;
byte b_path, found;
bit b_same;
mtype b_reason = none, b_cause = none;
bit c_sends[PATHS], c_asks_rebind;
byte c_response[PATHS];
bit out_answer[3], out_challenge[3], out_nudge[3], out_report[3];
byte a_answer, a_attempt, a_lag;
mtype a_reason = none, c_before = none, g_before = none;

#define CURRENT(p) ((p) == 0 -> (nat_rebound -> REBOUND : FIRST) : SECOND)
#define OTHER(p) (1 - (p))
#define ALIVE(state) (state != BIRTH && state != TERMINATED)
