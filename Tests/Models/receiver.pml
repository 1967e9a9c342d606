/* DeliveryReceiver.swift and the part of Delivering.swift that decides whether a datagram counts as arrived. */

#define MEMORY_LIMIT (RECEIVE_BUFFER + LARGEST)
#define SHARE (r_is_short -> SCARCE : MEMORY_LIMIT)
#define IS_FLOOR(p) ((EARLIER(p) & ~r_done) == 0)
#define IS_WHOLE(p) ((PARTS_IN(1 << (p)) & ~r_parts) == 0)
#ifdef OVERTAKE_WAITING
#define IS_TURN(p) (!IS_ORDERED(p) || IS_FLOOR(p))
#else
#define IS_TURN(p) (!IS_ORDERED(p) || IS_FLOOR(p) && (EARLIER(p) & r_held) == 0)
#endif
#define FITS(p) (r_buffered + CHARGE(1 << (p)) <= MEMORY_LIMIT)
#define HAS_MEMORY(p) (FITS(p) && r_buffered + CHARGE(1 << (p)) <= SHARE)
#ifdef NO_ROOM_FOR_AWAITED
#define IS_EXEMPT(p) false
#else
#define IS_EXEMPT(p) (r_exempt == 0 && IS_FLOOR(p) && FITS(p))
#endif

inline note_first() {
    if
    :: !r_has_received -> r_has_received = 1; is_credit_due = 1
    :: else
    fi
}

inline release(charge) {
    r_released = r_released + charge;
    if
    :: r_released + RECEIVE_BUFFER > r_announced -> is_credit_due = 1
    :: else
    fi
}

inline give_back(at) {
    if
    :: r_exempt == (at) + 1 -> r_exempt = 0
    :: else
    fi;
    r_held = r_held & ~(1 << (at)); r_parts = r_parts & ~PARTS_IN(1 << (at));
    r_buffered = r_buffered - CHARGE(1 << (at))
}

/* The host has it: once, and in its channel's order. */
inline hand_out(at) {
    assert(!HAS(g_delivered, at));
    assert(!IS_ORDERED(at) || (EARLIER(at) & ~(g_delivered | g_given_up)) == 0);
    g_delivered = g_delivered | 1 << (at);
    release(CHARGE(1 << (at)))
}

/* releaseInOrder and finish: what is whole and has its turn stands in line for the host. */
inline line_up() {
    j = 0;
    do
    :: j < PAYLOADS ->
        if
        :: HAS(r_held, j) && !HAS(r_done, j) && IS_WHOLE(j) && (!IS_ORDERED(j) || IS_FLOOR(j)) ->
            r_done = r_done | 1 << j; r_line[r_waiting] = j; r_waiting++
        :: else
        fi;
        j++
    :: else -> break
    od;
    j = 0
}

inline take_first() {
    i = r_line[0];
    r_line[0] = r_line[1]; r_line[1] = r_line[2]; r_line[2] = 0;
    r_waiting--;
    hand_out(i);
    give_back(i);
    i = 0
}

/* `part` of payload `p`. */
#ifdef FORGET_DELIVERED
#define IS_DONE(p) false
#else
#define IS_DONE(p) HAS(r_done, p)
#endif
inline receive_part() {
    if
    :: IS_DONE(p)
    :: !IS_DONE(p) && HAS(r_held, p) -> r_parts = r_parts | part; line_up()
    :: !IS_DONE(p) && !HAS(r_held, p) ->
        if
        :: part == PARTS_IN(1 << p) && may_deliver && IS_TURN(p) ->
            may_deliver = 0;
            note_first(); r_done = r_done | 1 << p; hand_out(p); line_up()
        :: !(part == PARTS_IN(1 << p) && may_deliver && IS_TURN(p)) && (HAS_MEMORY(p) || IS_EXEMPT(p)) ->
            note_first();
            if
            :: HAS_MEMORY(p)
            :: else -> r_exempt = p + 1
            fi;
            r_held = r_held | 1 << p; r_parts = r_parts | part;
            r_buffered = r_buffered + CHARGE(1 << p);
            line_up()
        :: else -> is_refused = 1
        fi
    fi
}

#ifdef NO_CREDIT_BACK
#define GIVES_CREDIT_BACK false
#else
#define GIVES_CREDIT_BACK true
#endif
/* Payload `p` will never come, or never be whole. */
inline abandon() {
    note_first();
    if
    :: HAS(r_done, p)
    :: !HAS(r_done, p) && HAS(r_held, p) && IS_WHOLE(p)
    :: else ->
        g_given_up = g_given_up | 1 << p;
        if
        :: HAS(r_held, p) -> give_back(p)
        :: else
        fi;
        if
        :: HAS(s_started, p) && GIVES_CREDIT_BACK -> release(CHARGE(1 << p))       /* the notice says whether it was begun */
        :: else
        fi;
        r_done = r_done | 1 << p;
        line_up()
    fi
}

/* refusal: what a datagram needs when memory is short; one payload may be handed out from where it lies, unless the host holds them. */
#ifdef PROMISE_WHILE_HELD
#define MAY_DELIVER true
#else
#define MAY_DELIVER !r_is_held
#endif
inline find_need() {
    need = 0; may_deliver = MAY_DELIVER;
    part = 1;
    do
    :: part <= 8 ->
        p = PAYLOAD_OF(part);
        if
        :: (frames & part) && !HAS(r_done, p) && !HAS(r_held, p) ->
            if
            :: may_deliver && part == PARTS_IN(1 << p) && IS_TURN(p) -> may_deliver = 0
            :: else -> need = need + CHARGE(1 << p)
            fi
        :: else
        fi;
        part = part << 1
    :: else -> break
    od
}

inline act_on_frames() {
    part = 1;
    do
    :: part <= 8 ->
        p = PAYLOAD_OF(part);
        if
        :: frames & part -> receive_part()
        :: else
        fi;
        part = part << 1
    :: else -> break
    od;
    p = 0;
    do
    :: p < PAYLOADS ->
        if
        :: frames & NOTICES(1 << p) -> abandon()
        :: else
        fi;
        p++
    :: else -> break
    od;
    p = 0
}

/* The number is seen: it will be acknowledged, and copies of it are replays. */
inline mark(at) {
    packet[at].is_flying = 0; packet[at].has_arrived = 1;
    /* Nothing is acknowledged that is not kept, handed out or given up. */
    assert((frames & ALL_PARTS & ~(r_parts | PARTS_IN(r_done))) == 0);
    assert(((frames >> 4) & ~(r_done | r_held)) == 0)
}

#ifdef ACKNOWLEDGE_BEFORE_KEPT
#define COUNTS true
#else
#define COUNTS !(is_short && is_refused)
#endif
/* A datagram with something in it that could not be kept does not count as arrived; what of it can be is kept all the same. */
inline receive_datagram(at) {
    frames = packet[at].frames;
    find_need();
    is_short = r_is_short && need > 0 && r_buffered + need > SHARE;
    may_deliver = !is_short && !r_is_held;
    act_on_frames();
    if
    :: COUNTS -> mark(at)
    :: else -> packet[at].is_flying = !CALM         /* another copy of it may still come */
    fi;
    is_refused = 0; is_short = 0; may_deliver = 0; need = 0
}
