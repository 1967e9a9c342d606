/* Two ends of one session, a network that does what it likes, and an attacker. Model.md tells what stands for what.
 *
 * A step is one host call at one end (datagram, timer, host's wish) with everything that leaves it, or one whim of the world. The
 * world chooses the step and what the model leaves open (`choice`); the rest of a step is deterministic. */

#include "table.pml"
#include "variables.pml"

#define CLIENT 0
#define GATEWAY 1
#define NOBODY 2

#ifdef TRACE
#include "trace.pml"
#else
#define OBSERVE_STATE(who, from, to, reason) skip
#define OBSERVE_ATTEMPT(who, id, cause, path) skip
#define OBSERVE_RESULT(who, id, reason) skip
#define OBSERVE_SWITCH(who, path) skip
#define OBSERVE_BINDING skip
#define OBSERVE_FOLLOWED(lag) skip
#define NEW_ATTEMPT_ID(target, who) fresh_attempt_id(target)
#endif
#ifdef TRACE
#define CHECK_INVARIANTS if :: refused :: else -> invariants() fi
#else
#define CHECK_INVARIANTS invariants()
#endif
/* A recorded run has its own policy. */
#ifdef TRACE
#define CLIENT_LIMIT_REACHED (choice & 4)
#define COUNT_CLIENT_SWITCH c_switches = 1
#else
#define CLIENT_LIMIT_REACHED (c_switches >= LIMIT)
#define COUNT_CLIENT_SWITCH c_switches++; assert(c_switches <= LIMIT)
#endif

#ifdef LIVE
bit calm, usable[PATHS];
int fired;
#define STORM !calm
#define MAY_SURPRISE !calm && whims > 0
#ifdef NO_TTL
#define HAS_TTL false
#else
#define HAS_TTL true
#endif
#ifdef NO_REPORTS
#define HAS_REPORTS false
#else
#define HAS_REPORTS true
#endif
#define HAS_FIRED(n) ((fired >> n) & 1)
#define DUE(n, condition) (calm && up_count == 0 && down_count == 0 && !HAS_FIRED(n) && (condition))
#define fire(n) fired = fired | (1 << n)
#define GOES_UP(p) (!calm || usable[p])
#define GOES_DOWN(s) (!calm || (usable[((s) == PROVISIONAL -> g_active : (s)) % PATHS] && g_address[s] == CURRENT(((s) == PROVISIONAL -> g_active : (s)))))
#define COMES_UP (usable[up[0].path] && up[0].source == CURRENT(up[0].path))
#define COMES_DOWN (usable[down[0].path] && down[0].target == CURRENT(down[0].path))
#else
#define GOES_UP(p) true
#define GOES_DOWN(s) true
#endif

#include "network.pml"
#include "client.pml"
#include "gateway.pml"


#define TROUBLED(state) (state == VOLATILE || state == DEGRADED)

#ifdef TRACE
#define surprise() skip
#else
#define surprise() whims--
#endif

/* The world storms as long as it likes; then, in a model built for liveness, it may calm down for good: no more surprises, a path
 * either carries every datagram or none, and every timer that is armed fires once a round, in any order, when nothing is on its way. */
#ifdef LIVE
#define TWO_WAY(p) (usable[(p) % PATHS] && ALIVE(gateway_state))
#define IS_HEARD (usable[g_active % PATHS] && g_address[g_active % PATHS] == CURRENT(g_active % PATHS) && ALIVE(client_state))
inline choose_usable() {
    if
    :: usable[0] = 1
    :: usable[1] = 1
    :: usable[0] = 1; usable[1] = 1
    :: skip
    fi
}
#else
#define STORM true
#define MAY_SURPRISE whims > 0
#endif

/* One of the first `count` datagrams. */
inline choose(count) {
    if
    :: i = 0
    :: count > 1 -> i = 1
    :: count > 2 -> i = 2
    fi
}

/* The attacker brings what it got to the client; nobody else can. */
#ifdef WITH_ATTACKER
#define CAN_ARRIVE(n) true
#else
#define CAN_ARRIVE(n) (down[n].target != ATTACKER)
#endif

/* A candidate's probe, the gateway's challenge and its answer, all three arrived: in one step, for nothing hangs on them singly. */
#define CAN_BE_PROVED(p) (p != g_active && g_pending_slot != p && ALIVE(gateway_state) && ALIVE(client_state) && (g_address[p] != CURRENT(p) || !g_valid[p]))

inline choose_for_recovery() {
    if
    :: choice = 0
    :: choice = 1
    :: c_switches > 0 -> choice = 3
#ifdef TRACE
    :: choice = 5
#endif
    fi
}

/* A recorded run has its own policy. */
#ifdef TRACE
inline choose_limit() {
    if
    :: choice = 0
    :: choice = 4
    fi
}
#else
#define choose_limit() skip
#endif

inline choose_for_client() {
    if
    :: choice = 0
    :: down[i].report != 0 || client_state == TERMINATED -> choice = 1
    :: down[i].report != 0 && c_switches > 0 -> choice = 2
    :: down[i].report != 0 -> choice = 3
#ifdef TRACE
    :: down[i].nudge -> choice = 1
    :: down[i].report != 0 || down[i].answer == REJECT -> choice = 4
    :: down[i].report != 0 -> choice = 5
#endif
    fi
}

/* What a host closes a session with. */
inline choose_close() {
    if
    :: why = operator_terminated
    :: why = security_failure
    fi
}

inline choose_end() {
    if
    :: choose_close()
    :: why = session_lifetime_exceeded
    fi
}

inline choose_death() {
    if
    :: why = consecutive_drop_exceeded
#ifdef TRACE
    :: why = heartbeat_timeout
    :: why = transport_dead
#endif
    fi
}

inline choose_trouble() {
    if
    :: why = loss_threshold_exceeded
#ifdef TRACE
    :: why = latency_threshold_exceeded
#endif
    fi
}

inline invariants() {
    /* TERMINATED absorbs, nothing returns to BIRTH. */
    assert(c_before != TERMINATED || client_state == TERMINATED);
    assert(g_before != TERMINATED || gateway_state == TERMINATED);
    assert(client_state != BIRTH || c_before == BIRTH);
    assert(gateway_state != BIRTH || g_before == BIRTH);
    /* No dual binding. */
    assert(c_is_active[0] + c_is_active[1] <= 1);
    assert(g_is_active[0] + g_is_active[1] <= 1);
    assert(client_state != ATTACHED || c_is_active[c_active]);
    assert(gateway_state != ATTACHED || g_is_active[g_active]);
    /* Both ends agree on what a version bound. */
    assert(!(client_state == ATTACHED && gateway_state == ATTACHED && c_lag == 0) || c_active == g_active);
    /* No binding without proof. */
    assert(!ALIVE(gateway_state) || proved[g_address[g_active]]);
    /* RECOVERING has an attempt, at the gateway it does not last; the lost clock never runs while ATTACHED. */
    assert((client_state == RECOVERING) == (c_attempt != 0));
    assert(gateway_state != RECOVERING);
    assert(!(c_lost && (client_state == ATTACHED || client_state == BIRTH)));
    assert(!(g_lost && (gateway_state == ATTACHED || gateway_state == BIRTH)));
}

/* What each step does. SPIN bounds the length of one d_step, so a step is a few of them in one atomic. */
inline perform() {
    c_before = client_state; g_before = gateway_state;
    if
    :: event == UP_ARRIVES -> d_step {
        gateway_receive();
        if
        :: closes -> send_close(m_path, m_source, operator_terminated); closes = 0
        :: else
        fi
    }
    :: event == UP_IS_LOST -> d_step { remove_up(i); i = 0 }
    :: event == DOWN_ARRIVES -> d_step { 
        arrive_down(i); i = 0;
        client_receive();
        if
        :: closes -> send_close_up(m_path, operator_terminated); closes = 0
        :: else
        fi
    }
    :: event == DOWN_IS_LOST -> d_step { remove_down(i); i = 0 }
    :: event == CLIENT_HANDSHAKE -> d_step {
        c_active = 0; c_is_active[0] = 1; c_valid[0] = 1;
        client_transition(ATTACHED, handshake_ok);
        c_sends[0] = 1
    }
    :: event == CLIENT_DEAD -> d_step { client_declares_dead() }
    :: event == CLIENT_LOSSY -> d_step { client_becomes_volatile() }
    :: event == CLIENT_PERSISTED -> d_step { client_transition(DEGRADED, volatile_persisted); recovers = 1 }
    :: event == CLIENT_RETRY -> d_step { c_tried[0] = 0; c_tried[1] = 0; recovers = 1 }
    :: event == CLIENT_CALM -> d_step { begin(c_active, stability_window_met, stability_window_met, 1) }
    :: event == CLIENT_REPEATS -> d_step { c_sends[c_attempt_path] = 1 }
    :: event == CLIENT_TIMED_OUT -> d_step { why = timed_out; fail_attempt() }
    :: event == CLIENT_WINDOW -> d_step {
        OBSERVE_RESULT(CLIENT, c_attempt, recovery_window_exceeded);
        remember_attempt(); start_lost_clock();
        client_transition(DEGRADED, recovery_window_exceeded)
    }
        :: event == CLIENT_EVIDENCE -> d_step { client_evidence(i); i = 0 }
    :: event == CLIENT_PROBE_LOST -> d_step { c_valid[i] = 0; c_dead[i] = 1; start_lost_clock(); i = 0 }
    :: event == CLIENT_SWITCH -> d_step {
        client_transition(VOLATILE, operator_requested);
        c_operator = 1; recovers = 1
    }
    :: event == CLIENT_TTL || event == CLIENT_ENDS -> d_step {
        if
        :: client_state != BIRTH -> send_close_up(c_active, why)
        :: else
        fi;
        client_terminate(why)
    }
    :: event == CLIENT_SENDS -> d_step { c_sends[c_active] = 1 }
    :: event == CLIENT_ASKS_AGAIN -> d_step { c_sends[c_active] = 1; c_asks_rebind = 1 }    /* requestRebinding */
    :: event == CLIENT_RESIGNS -> d_step { c_rebind = 0 }
    :: event == CLIENT_MINUTE -> d_step { c_switches-- }
    :: event == GATEWAY_HALF_OPEN -> d_step { gateway_state = TERMINATED; g_address[0] = NO_ADDRESS }   /* without a trace */
    :: event == GATEWAY_DEAD -> d_step { g_dead = 1; g_lost = 1; gateway_becomes_volatile() }
    :: event == GATEWAY_LOSSY -> d_step { gateway_becomes_volatile() }
    :: event == GATEWAY_PERSISTED -> d_step { gateway_transition(DEGRADED, volatile_persisted) }
    :: event == GATEWAY_REPORTS -> d_step { reports = 1 }
    :: event == GATEWAY_EXPIRES -> d_step { expire_paths() }
    :: event == GATEWAY_ASKS_AGAIN -> d_step { request_challenge(PROVISIONAL); out_nudge[PROVISIONAL] = 1; out_nudge[g_active] = 1 }
    :: event == GATEWAY_TTL || event == GATEWAY_ENDS -> d_step {
        k = g_active; slot = g_address[g_active];
        gateway_terminate(why);
        send_close(k, slot, why); k = 0; slot = 0
    }
    :: event == GATEWAY_EVIDENCE -> d_step { gateway_evidence() }
    :: event == GATEWAY_SWITCH -> d_step { g_operator = 1; gateway_becomes_volatile() }
    :: event == GATEWAY_MINUTE -> d_step { g_switches-- }
#ifdef LIVE
    :: event == WORLD_CALMS -> d_step { calm = 1; whims = 0 }
    :: event == NEXT_ROUND -> d_step { fired = 0 }
#endif
    :: event == NAT_FORGETS -> d_step { nat_rebound = 1 - nat_rebound }
    :: event == STANDBY_PROVED -> d_step { g_address[i] = CURRENT(i); g_valid[i] = 1; g_challenged[i] = 0; proved[CURRENT(i)] = 1; i = 0 }
    fi;
    d_step { client_epilogue() };
    d_step {
        gateway_epilogue();
        forget_message();
        choice = 0;
        if
        :: client_state == TERMINATED && gateway_state == TERMINATED -> empty_network()
        :: else
        fi;
        forget_idle_datagrams();
        CHECK_INVARIANTS;
        event = no_event; c_before = none; g_before = none
    }
}

active proctype world() {
#ifdef TRACE
    c_code { read_recorded(); };
#endif
    g_address[0] = FIRST; g_address[1] = NO_ADDRESS; g_address[PROVISIONAL] = NO_ADDRESS; proved[FIRST] = 1;
end:
    do
    :: atomic {
        if
        /* --- the network */
        :: STORM && up_count > 0 -> choose(up_count); event = UP_IS_LOST
        :: STORM && up_count > 0 -> choose(up_count); event = UP_ARRIVES;
            if
            :: choice = 0
            :: up[i].is_overtaken || g_lost || gateway_state == TERMINATED -> choice = 1
            :: up[i].is_overtaken || g_switches > 0 -> choice = 2
#ifdef TRACE
            :: up[i].attempt != 0 || up[i].response != 0 -> choice = 4
#endif
            fi;
            if
            :: d_step { arrive_up(i, up[i].source, false); i = 0 }
#ifdef WITH_ATTACKER
            :: whims > 0 -> surprise(); d_step { arrive_up(i, up[i].source, true); i = 0 }   /* and the attacker keeps a copy */
            :: whims > 0 -> surprise(); d_step { arrive_up(i, ATTACKER, false); i = 0 }
            :: whims > 0 -> surprise(); d_step { arrive_up(i, ATTACKER, true); i = 0 }
#endif
            fi
        :: STORM && down_count > 0 -> choose(down_count); event = DOWN_IS_LOST
        :: STORM && down_count > 0 && CAN_ARRIVE(0) -> i = 0; event = DOWN_ARRIVES; choose_for_client()
        :: STORM && down_count > 1 && CAN_ARRIVE(1) -> i = 1; event = DOWN_ARRIVES; choose_for_client()
#if DOWN > 2
        :: STORM && down_count > 2 && CAN_ARRIVE(2) -> i = 2; event = DOWN_ARRIVES; choose_for_client()
#endif
#ifdef WITH_NAT
        :: MAY_SURPRISE -> event = NAT_FORGETS; surprise()
#endif
        :: STORM && CAN_BE_PROVED(0) -> event = STANDBY_PROVED; i = 0
        :: STORM && CAN_BE_PROVED(1) -> event = STANDBY_PROVED; i = 1

        /* --- the client */
        :: STORM && client_state == BIRTH && gateway_state == BIRTH -> event = CLIENT_HANDSHAKE
        :: STORM && client_state == BIRTH -> event = CLIENT_ENDS; why = handshake_failed
        :: STORM && client_state == BIRTH -> event = CLIENT_ENDS; choose_close()
        :: MAY_SURPRISE && ALIVE(client_state) && c_active != NO_PATH && !c_dead[c_active % PATHS] -> event = CLIENT_DEAD; surprise(); choose_death(); choose_for_recovery()
        :: MAY_SURPRISE && client_state == ATTACHED -> event = CLIENT_LOSSY; surprise(); choose_trouble(); choose_for_recovery()
        :: STORM && client_state == VOLATILE -> event = CLIENT_PERSISTED; choose_for_recovery()
        :: STORM && client_state == DEGRADED -> event = CLIENT_RETRY; choose_for_recovery()
        :: STORM && TROUBLED(client_state) && c_active != NO_PATH && !c_dead[c_active % PATHS] && !c_cut_off -> event = CLIENT_CALM
        :: STORM && client_state == RECOVERING -> event = CLIENT_REPEATS
        :: MAY_SURPRISE && client_state == RECOVERING -> event = CLIENT_TIMED_OUT; surprise(); choose_limit()
        :: STORM && client_state == ATTACHED && c_rebind != 0 -> event = CLIENT_ASKS_AGAIN
        :: MAY_SURPRISE && c_rebind != 0 -> event = CLIENT_RESIGNS; surprise()
        :: MAY_SURPRISE && client_state == RECOVERING -> event = CLIENT_WINDOW; surprise()
        :: STORM && c_lost -> event = CLIENT_TTL; why = transport_ttl_exceeded
        :: STORM && ALIVE(client_state) && (c_dead[0] || !c_valid[0] || c_lost) -> event = CLIENT_EVIDENCE; i = 0
        :: STORM && ALIVE(client_state) && (c_dead[1] || !c_valid[1] || c_lost) -> event = CLIENT_EVIDENCE; i = 1
        :: MAY_SURPRISE && ALIVE(client_state) && c_active != 0 && !c_dead[0] -> event = CLIENT_PROBE_LOST; surprise(); i = 0
        :: MAY_SURPRISE && ALIVE(client_state) && c_active != 1 && !c_dead[1] -> event = CLIENT_PROBE_LOST; surprise(); i = 1
        :: MAY_SURPRISE && client_state == ATTACHED && !CLIENT_LIMIT_REACHED && c_valid[OTHER(c_active % PATHS)] && !c_dead[OTHER(c_active % PATHS)] -> event = CLIENT_SWITCH; surprise()
#if defined(WITH_NAT) || defined(WITH_ATTACKER)
        :: STORM && ALIVE(client_state) && c_active != NO_PATH -> event = CLIENT_SENDS
#endif
        :: MAY_SURPRISE && c_switches > 0 -> event = CLIENT_MINUTE; surprise()
#ifdef WITH_ENDS
        :: MAY_SURPRISE && ALIVE(client_state) -> event = CLIENT_ENDS; surprise(); choose_end()
        :: MAY_SURPRISE && ALIVE(gateway_state) -> event = GATEWAY_ENDS; surprise(); choose_end()
#endif

        /* --- the gateway */
        :: MAY_SURPRISE && ALIVE(gateway_state) && !g_dead && g_address[PROVISIONAL] == NO_ADDRESS -> event = GATEWAY_DEAD; surprise(); choose_death()
        :: STORM && gateway_state == BIRTH -> event = GATEWAY_HALF_OPEN
        :: MAY_SURPRISE && gateway_state == ATTACHED -> event = GATEWAY_LOSSY; surprise(); choose_trouble()
        :: STORM && gateway_state == VOLATILE -> event = GATEWAY_PERSISTED
        :: STORM && TROUBLED(gateway_state) -> event = GATEWAY_REPORTS
        :: STORM && ALIVE(gateway_state) && (g_pending_slot != NO_SLOT || g_address[PROVISIONAL] != NO_ADDRESS) -> event = GATEWAY_EXPIRES
        :: STORM && ALIVE(gateway_state) && g_address[PROVISIONAL] != NO_ADDRESS -> event = GATEWAY_ASKS_AGAIN
        :: STORM && g_lost -> event = GATEWAY_TTL; why = transport_ttl_exceeded
        :: STORM && ALIVE(gateway_state) && (g_dead || g_lost) -> event = GATEWAY_EVIDENCE
        :: MAY_SURPRISE && gateway_state == ATTACHED -> event = GATEWAY_SWITCH; surprise(); why = operator_requested
        :: MAY_SURPRISE && g_switches > 0 -> event = GATEWAY_MINUTE; surprise()
#ifdef LIVE
        /* --- fair days */
        :: STORM -> event = WORLD_CALMS; choose_usable()
        :: calm && up_count > 0 && COMES_UP -> event = UP_ARRIVES; d_step { arrive_up(0, up[0].source, false) }
        :: calm && up_count > 0 && !COMES_UP -> event = UP_IS_LOST
        :: calm && down_count > 0 && COMES_DOWN -> event = DOWN_ARRIVES
        :: calm && down_count > 0 && !COMES_DOWN -> event = DOWN_IS_LOST
        :: DUE(0, client_state == BIRTH && gateway_state == BIRTH && usable[0]) -> event = CLIENT_HANDSHAKE; fire(0)
        :: DUE(0, client_state == BIRTH && !(gateway_state == BIRTH && usable[0])) -> event = CLIENT_ENDS; fire(0); why = handshake_failed
        :: DUE(1, ALIVE(client_state) && !c_dead[c_active % PATHS] && !TWO_WAY(c_active)) -> event = CLIENT_DEAD; fire(1); choose_death()
        :: DUE(2, client_state == VOLATILE) -> event = CLIENT_PERSISTED; fire(2)
        :: DUE(3, client_state == DEGRADED) -> event = CLIENT_RETRY; fire(3)
        :: DUE(4, TROUBLED(client_state) && !c_dead[c_active % PATHS] && !c_cut_off && TWO_WAY(c_active)) -> event = CLIENT_CALM; fire(4)
        :: DUE(5, client_state == RECOVERING) -> event = CLIENT_REPEATS; fire(5)
        :: DUE(6, client_state == RECOVERING && HAS_FIRED(5)) -> event = CLIENT_TIMED_OUT; fire(6)
        :: DUE(7, client_state == RECOVERING && HAS_FIRED(5)) -> event = CLIENT_WINDOW; fire(7)
        :: DUE(8, HAS_TTL && c_lost && !TWO_WAY(0) && !TWO_WAY(1)) -> event = CLIENT_TTL; fire(8); why = transport_ttl_exceeded
        :: DUE(9, ALIVE(client_state) && TWO_WAY(0) && (c_dead[0] || !c_valid[0] || c_lost)) -> event = CLIENT_EVIDENCE; fire(9); i = 0
        :: DUE(10, ALIVE(client_state) && TWO_WAY(1) && (c_dead[1] || !c_valid[1] || c_lost)) -> event = CLIENT_EVIDENCE; fire(10); i = 1
        :: DUE(11, ALIVE(client_state) && c_active != 0 && !c_dead[0] && !TWO_WAY(0)) -> event = CLIENT_PROBE_LOST; fire(11); i = 0
        :: DUE(12, ALIVE(client_state) && c_active != 1 && !c_dead[1] && !TWO_WAY(1)) -> event = CLIENT_PROBE_LOST; fire(12); i = 1
        :: DUE(25, client_state == ATTACHED && c_rebind != 0) -> event = CLIENT_ASKS_AGAIN; fire(25)
        :: DUE(26, c_rebind != 0 && HAS_FIRED(25)) -> event = CLIENT_RESIGNS; fire(26)
        :: DUE(13, ALIVE(client_state)) -> event = CLIENT_SENDS; fire(13)
        :: DUE(14, c_switches > 0) -> event = CLIENT_MINUTE; fire(14)
        :: DUE(15, CAN_BE_PROVED(0) && usable[0]) -> event = STANDBY_PROVED; fire(15); i = 0
        :: DUE(16, CAN_BE_PROVED(1) && usable[1]) -> event = STANDBY_PROVED; fire(16); i = 1
        :: DUE(17, ALIVE(gateway_state) && !g_dead && !IS_HEARD && g_address[PROVISIONAL] == NO_ADDRESS) -> event = GATEWAY_DEAD; fire(17); choose_death()
        :: DUE(18, gateway_state == BIRTH && client_state != BIRTH) -> event = GATEWAY_HALF_OPEN; fire(18)
        :: DUE(19, gateway_state == VOLATILE) -> event = GATEWAY_PERSISTED; fire(19)
        :: DUE(20, HAS_REPORTS && TROUBLED(gateway_state)) -> event = GATEWAY_REPORTS; fire(20)
        :: DUE(21, ALIVE(gateway_state) && (g_pending_slot != NO_SLOT || g_address[PROVISIONAL] != NO_ADDRESS)) -> event = GATEWAY_EXPIRES; fire(21)
        :: DUE(22, HAS_TTL && g_lost && (!usable[0] && !usable[1] || !ALIVE(client_state))) -> event = GATEWAY_TTL; fire(22); why = transport_ttl_exceeded
        :: DUE(23, ALIVE(gateway_state) && (g_dead || g_lost) && IS_HEARD) -> event = GATEWAY_EVIDENCE; fire(23)
        :: DUE(24, g_switches > 0) -> event = GATEWAY_MINUTE; fire(24)
        :: else -> event = NEXT_ROUND
#endif
        fi;
        perform();
#ifdef TRACE
        compare_with_trace();
        if
        :: refused -> goto end_refused
        :: else
        fi
#endif
    }
    od;
#ifdef TRACE
end_refused:
    false
#else
    skip
#endif
}

#ifdef LIVE
#define SETTLED ((client_state == TERMINATED && gateway_state == TERMINATED) || ((usable[0] || usable[1]) && client_state == ATTACHED && gateway_state == ATTACHED))
ltl recovers_or_ends { [] (calm -> <> [] SETTLED) }
#endif
