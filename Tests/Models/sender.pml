/* DeliverySender.swift and SentLedger.swift, function by function; the table in Model.md names them. */

#define NEEDED ((PARTS_IN(s_live) & ~s_done) | NOTICES(s_notice))
#define AGAIN (s_pending & ~PARTS_IN(s_fresh))          /* goes before anything new, whatever the credit */
#define BEGUN CHARGE(s_started)
#define HEAD LOWEST(s_fresh)
#define NEW_MAY_GO (s_fresh != 0 && ((HEAD & s_started) || BEGUN < s_credit))
#define HAS_PENDING (AGAIN != 0 || NEW_MAY_GO)
#define IS(n, what) (n < count && packet[n].fate == what)
#define IS_IN_FLIGHT (IS(0, IN_FLIGHT) || IS(1, IN_FLIGHT) || IS(2, IN_FLIGHT) || PACKETS > 3 && IS(3, IN_FLIGHT) || PACKETS > 4 && IS(4, IN_FLIGHT))
#define IS_REMEMBERED(n) (n < count && packet[n].fate != FORGOTTEN)
#define REMEMBERED (IS_REMEMBERED(0) + IS_REMEMBERED(1) + IS_REMEMBERED(2) + (PACKETS > 3 && IS_REMEMBERED(3)) + (PACKETS > 4 && IS_REMEMBERED(4)))
#define HAS_ROOM (REMEMBERED < LEDGER)
#define HAS_ROOM_FOR_TWO(besides) (REMEMBERED + 2 <= LEDGER + besides)

inline remove(at) {
    j = at;
    do
    :: j + 1 < count ->
        packet[j].fate = packet[j + 1].fate; packet[j].frames = packet[j + 1].frames; packet[j].is_flying = packet[j + 1].is_flying;
        packet[j].has_arrived = packet[j + 1].has_arrived; packet[j].is_copied = packet[j + 1].is_copied;
        j++
    :: else -> break
    od;
    count--;
    packet[count].fate = FORGOTTEN; packet[count].frames = 0; packet[count].is_flying = 0; packet[count].has_arrived = 0; packet[count].is_copied = 0;
    j = 0
}

/* What its sender has forgotten and what cannot arrive any more is nothing. */
inline forget_datagrams() {
    i = 0;
    do
    :: i < count && packet[i].fate == FORGOTTEN && (!packet[i].is_flying || packet[i].has_arrived) -> remove(i)
    :: i < count && !(packet[i].fate == FORGOTTEN && (!packet[i].is_flying || packet[i].has_arrived)) ->
        if
        :: packet[i].fate == ACKNOWLEDGED -> packet[i].frames = 0; packet[i].is_copied = 0; packet[i].has_arrived = 0
        :: packet[i].fate != ACKNOWLEDGED && packet[i].fate != IN_FLIGHT -> packet[i].is_copied = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

inline append(fate_of_it, frames_of_it, goes) {
    if
    :: count == PACKETS -> assert(packet[0].fate == FORGOTTEN); remove(0)
    :: else
    fi;
    packet[count].fate = fate_of_it; packet[count].frames = frames_of_it; packet[count].is_flying = goes;
    count++
}

/* The oldest leave when their fate is known; a decided one waits, since it may be acknowledged late, as long as there is room. */
#ifdef KEEP_COPIES
#define GIVES_WAY(n) (packet[n].fate == DECIDED)
#else
#define GIVES_WAY(n) (packet[n].fate == DECIDED || packet[n].fate == COPY || packet[n].fate == OLD_COPY)
#endif
inline retire(are_old) {
    j = 0;
    do
    :: j < count && (packet[j].fate == FORGOTTEN || packet[j].fate == ACKNOWLEDGED || are_old && packet[j].fate == DECIDED || GIVES_WAY(j) && !HAS_ROOM_FOR_TWO(0)) ->
        packet[j].fate = FORGOTTEN; j++
    :: else -> break
    od;
    j = 0
}

inline offer() {
    s_live = s_live | 1 << s_offered; s_fresh = s_fresh | 1 << s_offered;
    s_pending = s_pending | PARTS_IN(1 << s_offered);
    s_buffered = s_buffered + CHARGE(1 << s_offered);
    s_offered++
}

/* `choice` frames at most, `first` before all others. The code's list is first in, first out: on fair days each has its turn. */
#define ABOVE(set, frame) ((set) & ~((frame) * 2 - 1))
inline write_datagram() {
    frames = 0; n = 0;
    do
    :: n < choice && AGAIN != 0 ->
        if
        :: first & AGAIN -> part = first
        :: !(first & AGAIN) && ABOVE(AGAIN, s_last) -> part = LOWEST(ABOVE(AGAIN, s_last))
        :: else -> part = LOWEST(AGAIN)
        fi;
        s_last = (CALM && (AGAIN & ~part) -> part : 0);
        s_pending = s_pending & ~part; frames = frames | part; n++
    :: n < choice && AGAIN == 0 && NEW_MAY_GO ->
        part = LOWEST(s_pending & PARTS_IN(HEAD));
        s_started = s_started | HEAD;
        s_pending = s_pending & ~part; frames = frames | part; n++;
        if
        :: (s_pending & PARTS_IN(HEAD)) == 0 -> s_fresh = s_fresh & ~HEAD
        :: else
        fi
    :: else -> break
    od;
    append(IN_FLIGHT, frames, CARRIER_WORKS);
    if
    :: s_probes > 0 -> s_probes--
    :: else
    fi
}

/* The oldest in flight that was not copied, with what of it is still wanted. */
inline write_copy() {
    i = 0;
    do
    :: i < count && !(packet[i].fate == IN_FLIGHT && !packet[i].is_copied) -> i++
    :: else -> break
    od;
    packet[i].is_copied = 1;
    frames = packet[i].frames & (PARTS_IN(s_live) | NOTICES(s_notice));
    if
    :: frames != 0 -> append(COPY, frames, STANDBY_WORKS)
    :: else
    fi
}

#ifdef ABANDON_ONCE
#define TO_SEND_AGAIN(n) (packet[n].frames & ALL_PARTS)
#else
#define TO_SEND_AGAIN(n) packet[n].frames
#endif
inline send_again(frames_of_it) { s_pending = s_pending | (frames_of_it) & NEEDED }


/* settle, for every frame of a datagram that has arrived. */
inline settle(at) {
    frames = packet[at].frames;
    s_done = s_done | frames & PARTS_IN(s_live);
    s_pending = s_pending & ~(frames & PARTS_IN(s_live));
#ifdef COUNT_ABANDONED
    g_acknowledged = g_acknowledged | (((frames & PARTS_IN(s_notice & 1)) == 3) * 1) | ((frames & PARTS_IN(s_notice & 6)) >> 1);
#endif
    p = 0;
    do
    :: p < PAYLOADS ->
        if
        :: HAS(s_live, p) && (PARTS_IN(1 << p) & ~s_done) == 0 ->
            /* Acknowledged is only what the receiver has as a whole. */
            assert(!HAS(g_given_up, p) && (HAS(r_done, p) || (PARTS_IN(1 << p) & ~r_parts) == 0));
            g_acknowledged = g_acknowledged | 1 << p;
            s_live = s_live & ~(1 << p); s_fresh = s_fresh & ~(1 << p);
            s_done = s_done & ~PARTS_IN(1 << p);
            s_buffered = s_buffered - CHARGE(1 << p)
        :: HAS(s_notice, p) && (frames & NOTICES(1 << p)) ->
            s_notice = s_notice & ~(1 << p); s_pending = s_pending & ~NOTICES(1 << p)
        :: else
        fi;
        p++
    :: else -> break
    od;
    p = 0
}

/* `choice`: datagrams of unknown fate are old. */
inline acknowledge(at) {
    settle(at);
    packet[at].fate = ACKNOWLEDGED;
    j = 0;
    do
    :: j < count ->
        if
        :: packet[j].fate == OLD_COPY || packet[j].fate == COPY && choice -> packet[j].fate = DECIDED
        :: else
        fi;
        j++
    :: else -> break
    od;
    retire(choice)
}

inline take_for_lost(at) {
    send_again(TO_SEND_AGAIN(at));
    packet[at].fate = DECIDED;
    retire(false)
}

/* resendOldest(2) and makeRoomForProbes. */
inline probe() {
    i = 0; n = 2;
    do
    :: i < count && n > 0 ->
        if
        :: packet[i].fate == IN_FLIGHT && (packet[i].frames & NEEDED) -> send_again(TO_SEND_AGAIN(i)); n--
        :: packet[i].fate == IN_FLIGHT && !(packet[i].frames & NEEDED) -> packet[i].fate = DECIDED
        :: else
        fi;
        i++
    :: else -> break
    od;
#ifndef HOLD_PROBES
    i = 0; n = 0;
    do
    :: i < count && !HAS_ROOM_FOR_TWO(n) ->
        if
        :: packet[i].fate == IN_FLIGHT -> send_again(TO_SEND_AGAIN(i)); packet[i].fate = DECIDED
        :: else
        fi;
        n = n + (packet[i].fate != FORGOTTEN);
        i++
    :: else -> break
    od;
    if
    :: n > 0 -> retire(false)
    :: else
    fi;
#endif
    i = 0;
    s_probes = PROBES_LEFT
}

/* `i` is given up: only a notice stays. */
inline expire() {
    g_expired = g_expired | 1 << i;
    s_live = s_live & ~(1 << i); s_fresh = s_fresh & ~(1 << i); s_notice = s_notice | 1 << i;
    s_pending = s_pending & ~PARTS_IN(1 << i) | NOTICES(1 << i);
    s_done = s_done & ~PARTS_IN(1 << i);
    s_buffered = s_buffered - CHARGE(1 << i)
}

/* All that is in flight goes again. */
inline move() {
    i = 0;
    do
    :: i < count ->
        if
        :: packet[i].fate == IN_FLIGHT ->
#ifndef FORGET_IN_FLIGHT
            send_again(TO_SEND_AGAIN(i));
#endif
            packet[i].fate = DECIDED
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0;
    retire(false);
    s_probes = 0
}
