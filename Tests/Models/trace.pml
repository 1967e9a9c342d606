/* The model bound to a recorded trace: what a step shows must be what the trace says next at that end, else the step leads nowhere
 * (`refused`). Two events of different ends may swap only when they carry the same time. The trace is read at the start from the
 * file `recorded`, which `trace.py` writes: one checker serves all traces. */

#define STATE 1
#define ATTEMPT 2
#define RESULT 3
#define SWITCH 4
#define UNSEEN 31      /* id of a request that no gateway event names */
#define TRACE_ROOM 2000

/* The trace itself stays outside the state. */
hidden short client_events, gateway_events, rebindings;
hidden byte c_kind[TRACE_ROOM], c_first[TRACE_ROOM], c_second[TRACE_ROOM], c_path[TRACE_ROOM];
hidden byte g_kind[TRACE_ROOM], g_first[TRACE_ROOM], g_second[TRACE_ROOM], g_path[TRACE_ROOM];
hidden short c_binding[TRACE_ROOM], c_needs[TRACE_ROOM], g_binding[TRACE_ROOM], g_needs[TRACE_ROOM];
hidden byte rebind_id[TRACE_ROOM];
short c_next, g_next, rebind_next;  /* events shown so far, rebinding requests used so far */
short g_count, c_count;             /* binding_version of both ends */
bit refused;

c_code {
    static void read_event(FILE *file, int n, uchar *kind, uchar *first, uchar *second, uchar *path, short *binding, short *needs) {
        if (n >= TRACE_ROOM || fscanf(file, "%hhu %hhu %hhu %hhu %hd %hd", &kind[n], &first[n], &second[n], &path[n], &binding[n], &needs[n]) != 6) exit(1);
    }
    static void read_recorded(void) {
        FILE *file = fopen("recorded", "r");
        char end;
        if (file == NULL) exit(1);
        while (fscanf(file, " %c", &end) == 1) {
            if (end == 'c') read_event(file, client_events++, c_kind, c_first, c_second, c_path, c_binding, c_needs);
            else if (end == 'g') read_event(file, gateway_events++, g_kind, g_first, g_second, g_path, g_binding, g_needs);
            else if (end != 'r' || rebindings >= TRACE_ROOM || fscanf(file, "%hhu", &rebind_id[rebindings++]) != 1) exit(1);
        }
        fclose(file);
        if (client_events + gateway_events == 0) exit(1);
    }
};

/* `binding` is checked where the code's event carries the version the model has at that point. */
inline expect(who, kind, one, two, path) {
    if
    :: who == CLIENT ->
        if
        :: c_next < client_events && c_kind[c_next] == kind && c_first[c_next] == one && c_second[c_next] == two && (path == NO_PATH || c_path[c_next] == path) && c_needs[c_next] <= g_next && c_binding[c_next] == c_count -> c_next++
        :: else -> refused = 1
        fi
    :: else ->
        if
        :: g_next < gateway_events && g_kind[g_next] == kind && g_first[g_next] == one && g_second[g_next] == two && (path == NO_PATH || g_path[g_next] == path) && g_needs[g_next] <= c_next && g_binding[g_next] == g_count -> g_next++
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
    :: who == CLIENT && c_next < client_events && c_kind[c_next] == ATTEMPT -> target = c_first[c_next]
    :: who == NOBODY && (choice & 1) -> target = UNSEEN
    :: who == NOBODY && !(choice & 1) && rebind_next < rebindings -> target = rebind_id[rebind_next]; rebind_next++
    :: else -> refused = 1
    fi
}

/* An error of this assertion is the acceptance of the trace. */
inline compare_with_trace() {
    assert(refused || c_next != client_events || g_next != gateway_events)
}
