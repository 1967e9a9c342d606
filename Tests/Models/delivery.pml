/* Protected delivery in one direction: a sender, a receiver, and a network that does what it likes. Model.md tells what stands for what.
 *
 * A step is one call at one end, or one whim of the world, which chooses it; the rest of a step is deterministic. */

#include "payloads.pml"

#ifdef LIVE
bit calm, carrier_is_dead, standby_is_dead, copies_go;
unsigned fired : 7;
#define CALM calm
#define CARRIER_WORKS (!calm || !carrier_is_dead)
#define STANDBY_WORKS (!calm || !standby_is_dead)
#define PROBES_LEFT (calm -> 2 : 0)
#else
#define CALM false
#define CARRIER_WORKS true
#define STANDBY_WORKS true
#define PROBES_LEFT 0           /* the window is the world's choice */
#endif
#define STORM !CALM
#define MAY_SURPRISE (!CALM && whims > 0)

#include "sender.pml"
#include "receiver.pml"

#define CAN_ARRIVE(n) (n < count && packet[n].is_flying)
#define CAN_BE_ACKNOWLEDGED(n) (n < count && packet[n].has_arrived && packet[n].fate != ACKNOWLEDGED && packet[n].fate != FORGOTTEN)
#define IS_PASSED_OVER(n) (IS(n, IN_FLIGHT) && (n < 1 && IS(1, ACKNOWLEDGED) || n < 2 && IS(2, ACKNOWLEDGED) || n < 3 && PACKETS > 3 && IS(3, ACKNOWLEDGED) || n < 4 && PACKETS > 4 && IS(4, ACKNOWLEDGED)))
#define CAN_BE_COPIED(n) (IS(n, IN_FLIGHT) && !packet[n].is_copied)
#define MAY_COPY (HAS_ROOM && (CAN_BE_COPIED(0) || CAN_BE_COPIED(1) || CAN_BE_COPIED(2) || PACKETS > 3 && CAN_BE_COPIED(3) || PACKETS > 4 && CAN_BE_COPIED(4)))
#define MAY_OFFER (s_offered < PAYLOADS && s_buffered + CHARGE(1 << s_offered) <= SEND_BUFFER)

inline surprise() { whims-- }

inline choose_age() {
    if
    :: choice = 0
    :: IS(0, DECIDED) || IS(1, DECIDED) || IS(2, DECIDED) || IS(0, COPY) || IS(1, COPY) || IS(2, COPY) -> choice = 1
    fi
}

inline choose_frames() {
    if
    :: choice = 1
    :: choice = FRAMES
    fi;
    if
    :: AGAIN & 1 -> first = 1
    :: AGAIN & 2 -> first = 2
    :: AGAIN & 4 -> first = 4
    :: AGAIN & 8 -> first = 8
    :: AGAIN & 16 -> first = 16
    :: AGAIN & 32 -> first = 32
    :: AGAIN & 64 -> first = 64
    :: else -> first = 0
    fi
}

inline invariants() {
    /* Buffers within their caps. */
    assert(s_buffered == CHARGE(s_live) && s_buffered <= SEND_BUFFER);
    assert(r_buffered == CHARGE(r_held) && r_buffered <= MEMORY_LIMIT);
    assert(REMEMBERED <= LEDGER);
    /* The credit holds, and is never more than there is room for. */
    assert(BEGUN < s_credit + LARGEST);
    assert(r_released + r_buffered <= BEGUN);
    assert(s_credit <= r_announced && r_announced <= r_released + RECEIVE_BUFFER);
    /* One report at most. */
    assert((g_acknowledged & g_expired) == 0);
    /* Nothing that is whole waits but for what comes before it in its own channel. */
    assert(!(HAS(r_held, 0) && !HAS(r_done, 0) && IS_WHOLE(0)));
    assert(!(HAS(r_held, 1) && !HAS(r_done, 1) && IS_WHOLE(1) && IS_FLOOR(1)));
    assert(!(HAS(r_held, 2) && !HAS(r_done, 2) && IS_WHOLE(2) && IS_FLOOR(2)));
    /* What is acknowledged stays until the host has it. */
    assert((PARTS_IN(g_acknowledged) & ~(PARTS_IN(g_delivered) | r_parts)) == 0)
}

#ifdef LIVE
inline calm_down() {
    calm = 1; whims = 0; r_is_held = 0;
    i = 0;
    do
    :: i < count ->
        packet[i].is_flying = 0;
        if
        :: choice && packet[i].fate != ACKNOWLEDGED -> packet[i].has_arrived = 0
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0;
    if
    :: credit_is_flying -> credit_is_flying = 0; credit_is_lost = 1
    :: else
    fi
}

inline begin_round() {
    fired = 0;
    i = 0;
    do
    :: i < count ->
        if
        :: packet[i].fate == COPY -> packet[i].fate = OLD_COPY
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}
#endif

#ifdef ANNOUNCE_ONCE
#define CREDIT_GOES_AGAIN 0
#else
#define CREDIT_GOES_AGAIN 1
#endif
inline perform() {
#ifdef SHOW
    printm(event); printf(" %d %d %d\n", i, choice, first);
#endif
    d_step {
        if
        :: event == HOST_OFFERS -> offer()
        :: event == SENDS -> write_datagram()
        :: event == COPIES -> write_copy()
        :: event == ARRIVES -> receive_datagram(i)
        :: event == IS_ACKNOWLEDGED -> acknowledge(i)
        :: event == IS_TAKEN_FOR_LOST -> take_for_lost(i)
        :: event == PROBES -> probe()
        :: event == EXPIRES -> expire()
        :: event == JUMPS -> move()
        :: event == CREDIT_ARRIVES -> credit_is_flying = 0; s_credit = r_announced
        :: event == CREDIT_IS_LOST -> credit_is_lost = 0; is_credit_due = CREDIT_GOES_AGAIN
        :: event == HOST_TAKES -> take_first()
        :: event == HOST_HOLDS -> r_is_held = 1
        :: event == HOST_LETS_GO -> r_is_held = 0
        :: event == MEMORY_ENDS -> r_is_short = 1
        :: event == MEMORY_RETURNS -> r_is_short = 0
#ifdef LIVE
        :: event == WORLD_CALMS -> calm_down()
        :: event == NEXT_ROUND -> begin_round()
#endif
        fi;
        if
        :: is_credit_due -> is_credit_due = 0; r_announced = r_released + RECEIVE_BUFFER; credit_is_flying = 1; credit_is_lost = 0
        :: else
        fi;
        forget_datagrams();
        i = 0; j = 0; p = 0; n = 0; choice = 0; part = 0; frames = 0; first = 0;
        invariants();
        event = no_event
    }
}

/* Fair days: every datagram arrives that takes a path that works, so does its acknowledgement, and each timer that is armed fires once a
 * round, in any order, when nothing is on its way. */
#ifdef LIVE
#define IS_QUIET (!credit_is_flying && !CAN_ARRIVE(0) && !CAN_ARRIVE(1) && !CAN_ARRIVE(2) && !(PACKETS > 3 && CAN_ARRIVE(3)) && !(PACKETS > 4 && CAN_ARRIVE(4)) && !CAN_BE_ACKNOWLEDGED(0) && !CAN_BE_ACKNOWLEDGED(1) && !CAN_BE_ACKNOWLEDGED(2) && !(PACKETS > 3 && CAN_BE_ACKNOWLEDGED(3)) && !(PACKETS > 4 && CAN_BE_ACKNOWLEDGED(4)))
#define DUE(n, condition) (calm && !((fired >> n) & 1) && IS_QUIET && (condition))
#define READY(condition) (calm && IS_QUIET && (condition))
#define fire(n) fired = fired | (1 << n)
#endif

active proctype world() {
end:
    do
    :: atomic {
        if
        :: STORM && MAY_OFFER -> event = HOST_OFFERS
        :: STORM && HAS_PENDING && HAS_ROOM -> event = SENDS; choose_frames()
        :: STORM && CAN_ARRIVE(0) -> event = ARRIVES; i = 0
        :: STORM && CAN_ARRIVE(1) -> event = ARRIVES; i = 1
        :: STORM && CAN_ARRIVE(2) -> event = ARRIVES; i = 2
        :: STORM && PACKETS > 3 && CAN_ARRIVE(3) -> event = ARRIVES; i = 3
        :: STORM && PACKETS > 4 && CAN_ARRIVE(4) -> event = ARRIVES; i = 4
        :: STORM && CAN_BE_ACKNOWLEDGED(0) -> event = IS_ACKNOWLEDGED; i = 0; choose_age()
        :: STORM && CAN_BE_ACKNOWLEDGED(1) -> event = IS_ACKNOWLEDGED; i = 1; choose_age()
        :: STORM && CAN_BE_ACKNOWLEDGED(2) -> event = IS_ACKNOWLEDGED; i = 2; choose_age()
        :: STORM && PACKETS > 3 && CAN_BE_ACKNOWLEDGED(3) -> event = IS_ACKNOWLEDGED; i = 3; choose_age()
        :: STORM && PACKETS > 4 && CAN_BE_ACKNOWLEDGED(4) -> event = IS_ACKNOWLEDGED; i = 4; choose_age()
        :: STORM && credit_is_flying -> event = CREDIT_ARRIVES
        :: STORM && r_waiting > 0 && !r_is_held -> event = HOST_TAKES
        :: STORM && HAS(s_live & MORTAL, 0) -> event = EXPIRES; i = 0
        :: STORM && HAS(s_live & MORTAL, 1) -> event = EXPIRES; i = 1
        :: STORM && HAS(s_live & MORTAL, 2) -> event = EXPIRES; i = 2
        :: MAY_SURPRISE && IS_PASSED_OVER(0) -> event = IS_TAKEN_FOR_LOST; i = 0; surprise()
        :: MAY_SURPRISE && IS_PASSED_OVER(1) -> event = IS_TAKEN_FOR_LOST; i = 1; surprise()
        :: MAY_SURPRISE && IS_PASSED_OVER(2) -> event = IS_TAKEN_FOR_LOST; i = 2; surprise()
        :: MAY_SURPRISE && PACKETS > 4 && IS_PASSED_OVER(3) -> event = IS_TAKEN_FOR_LOST; i = 3; surprise()
        :: MAY_SURPRISE && IS_IN_FLIGHT -> event = PROBES; surprise()
        :: MAY_SURPRISE && IS_IN_FLIGHT -> event = JUMPS; surprise()
#ifdef WITH_COPIES
        :: MAY_SURPRISE && MAY_COPY -> event = COPIES; surprise()
#endif
#ifdef WITH_MEMORY
        :: MAY_SURPRISE && !r_is_held -> event = HOST_HOLDS; surprise()
        :: STORM && r_is_held -> event = HOST_LETS_GO
        :: MAY_SURPRISE && !r_is_short -> event = MEMORY_ENDS; surprise()
        :: STORM && r_is_short -> event = MEMORY_RETURNS
#endif
#ifdef LIVE
        :: STORM -> event = WORLD_CALMS;
            if
            :: choice = 0
            :: CAN_BE_ACKNOWLEDGED(0) || CAN_BE_ACKNOWLEDGED(1) || CAN_BE_ACKNOWLEDGED(2) -> choice = 1
            fi;
            if
            :: carrier_is_dead = 1
            :: standby_is_dead = 1
            :: skip
            fi;
#ifdef WITH_COPIES
            if
            :: copies_go = 1
            :: skip
            fi
#endif
        :: calm && credit_is_flying -> event = CREDIT_ARRIVES
        :: calm && CAN_ARRIVE(0) -> event = ARRIVES; i = 0
        :: calm && !CAN_ARRIVE(0) && CAN_ARRIVE(1) -> event = ARRIVES; i = 1
        :: calm && !CAN_ARRIVE(0) && !CAN_ARRIVE(1) && CAN_ARRIVE(2) -> event = ARRIVES; i = 2
        :: calm && PACKETS > 3 && !CAN_ARRIVE(0) && !CAN_ARRIVE(1) && !CAN_ARRIVE(2) && CAN_ARRIVE(3) -> event = ARRIVES; i = 3
        :: calm && CAN_BE_ACKNOWLEDGED(0) -> event = IS_ACKNOWLEDGED; i = 0
        :: calm && !CAN_BE_ACKNOWLEDGED(0) && CAN_BE_ACKNOWLEDGED(1) -> event = IS_ACKNOWLEDGED; i = 1
        :: calm && !CAN_BE_ACKNOWLEDGED(0) && !CAN_BE_ACKNOWLEDGED(1) && CAN_BE_ACKNOWLEDGED(2) -> event = IS_ACKNOWLEDGED; i = 2
        :: calm && PACKETS > 3 && !CAN_BE_ACKNOWLEDGED(0) && !CAN_BE_ACKNOWLEDGED(1) && !CAN_BE_ACKNOWLEDGED(2) && CAN_BE_ACKNOWLEDGED(3) -> event = IS_ACKNOWLEDGED; i = 3
        :: DUE(0, MAY_OFFER) -> event = HOST_OFFERS; fire(0)
        :: READY(HAS_PENDING && HAS_ROOM && (!IS_IN_FLIGHT || s_probes > 0)) -> event = SENDS; choice = FRAMES
        :: DUE(1, copies_go && MAY_COPY) -> event = COPIES; fire(1)
        :: DUE(2, IS_IN_FLIGHT) -> event = PROBES; fire(2)
        :: DUE(3, IS_PASSED_OVER(0)) -> event = IS_TAKEN_FOR_LOST; fire(3); i = 0
        :: DUE(3, !IS_PASSED_OVER(0) && IS_PASSED_OVER(1)) -> event = IS_TAKEN_FOR_LOST; fire(3); i = 1
        :: DUE(3, !IS_PASSED_OVER(0) && !IS_PASSED_OVER(1) && IS_PASSED_OVER(2)) -> event = IS_TAKEN_FOR_LOST; fire(3); i = 2
        :: DUE(4, r_waiting > 0) -> event = HOST_TAKES; fire(4)
        :: DUE(5, carrier_is_dead) -> event = JUMPS; fire(5); carrier_is_dead = 0; standby_is_dead = 1
        :: DUE(6, credit_is_lost) -> event = CREDIT_IS_LOST; fire(6)
        :: else -> event = NEXT_ROUND
#endif
        fi;
        perform()
    }
    od
}

#ifdef LIVE
#define IS_SETTLED (s_offered == PAYLOADS && s_live == 0 && s_notice == 0 && r_held == 0 && (g_delivered | g_expired) == ALL && (g_acknowledged & ~g_delivered) == 0)
ltl delivers_or_reports { [] (calm -> <> [] IS_SETTLED) }
#endif
