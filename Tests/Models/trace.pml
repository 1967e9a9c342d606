/* The model bound to a recorded trace: what a step shows must be what the trace says next at that end, else the step leads nowhere
 * (`refused`). Two events of different ends may swap only when they carry the same time. `trace.py` writes recorded.pml. */

#define STATE 1
#define ATTEMPT 2
#define RESULT 3
#define SWITCH 4
#define UNSEEN 31      /* id of a request that no gateway event names */

#include "recorded.pml"

/* The trace itself is written once and stays outside the state. */
hidden byte c_kind[TRACE_ROOM], c_first[TRACE_ROOM], c_second[TRACE_ROOM], c_path[TRACE_ROOM], c_binding[TRACE_ROOM], c_needs[TRACE_ROOM];
hidden byte g_kind[TRACE_ROOM], g_first[TRACE_ROOM], g_second[TRACE_ROOM], g_path[TRACE_ROOM], g_binding[TRACE_ROOM], g_needs[TRACE_ROOM];
hidden byte rebind_id[TRACE_ROOM];
byte c_next, g_next, rebind_next;   /* events shown so far, rebinding requests used so far */
byte g_count, c_count;              /* binding_version of both ends */
bit refused;

/* `binding` is checked where the code's event carries the version the model has at that point. */
inline expect(who, kind, one, two, path) {
    if
    :: who == CLIENT ->
        if
        :: c_next < CLIENT_EVENTS && c_kind[c_next] == kind && c_first[c_next] == one && c_second[c_next] == two && (path == NO_PATH || c_path[c_next] == path) && c_needs[c_next] <= g_next && c_binding[c_next] == c_count -> c_next++
        :: else -> refused = 1
        fi
    :: else ->
        if
        :: g_next < GATEWAY_EVENTS && g_kind[g_next] == kind && g_first[g_next] == one && g_second[g_next] == two && (path == NO_PATH || g_path[g_next] == path) && g_needs[g_next] <= c_next && g_binding[g_next] == g_count -> g_next++
        :: else -> refused = 1
        fi
    fi
}

#define OBSERVE_STATE(who, from, next, reason) expect(who, STATE, next, reason, NO_PATH)
#define OBSERVE_ATTEMPT(who, id, cause, path) expect(who, ATTEMPT, id, cause, path)
#define OBSERVE_RESULT(who, id, reason) expect(who, RESULT, id, reason, NO_PATH)
#define OBSERVE_SWITCH(who, path) expect(who, SWITCH, path, 0, NO_PATH)
#define OBSERVE_BINDING g_count++
#define OBSERVE_FOLLOWED(lag) c_count = g_count - lag

/* The client's attempt is the one the trace announces next; a rebinding request is announced by the gateway only, if at all. */
inline NEW_ATTEMPT_ID(target, who) {
    if
    :: who == CLIENT && c_next < CLIENT_EVENTS && c_kind[c_next] == ATTEMPT -> target = c_first[c_next]
    :: who == NOBODY && (choice & 1) -> target = UNSEEN
    :: who == NOBODY && !(choice & 1) && rebind_next < REBINDINGS -> target = rebind_id[rebind_next]; rebind_next++
    :: else -> refused = 1
    fi
}

/* An error of this assertion is the acceptance of the trace. */
inline compare_with_trace() {
    assert(refused || c_next != CLIENT_EVENTS || g_next != GATEWAY_EVENTS)
}
