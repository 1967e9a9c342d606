/* Events and looks at a session that break a rule, each by its own name and no other. */
#include <stdio.h>
#include <string.h>
#include "doctored.h"

static void life(void)
{
    jump(JMP_REASON_DEAD_TRANSPORT_RECOVERY);
    end_session(JMP_REASON_OPERATOR_TERMINATED);
}

static void sequence(void)
{
    fake.event.sequence++;
    tell_other(JMP_EVENT_TELEMETRY_TICK, 0);
}

static void time_back(void)
{
    tell_other(JMP_EVENT_TELEMETRY_TICK, 0);
    fake.now -= 500;
    tell_other(JMP_EVENT_TELEMETRY_TICK, 0);
}

static void no_birth(void)
{
    fake.observer->sessions[0]->trail.has_begun = false;
    tell_other(JMP_EVENT_TELEMETRY_TICK, 0);
}

static void outside_table(void)
{
    move(JMP_STATE_RECOVERING, JMP_REASON_LOSS_RECOVERY);
}

static void wrong_reason(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_REATTACH_SUCCESS);
}

static void broken_chain(void)
{
    fake.glimpse.info.state = JMP_STATE_VOLATILE;
    move(JMP_STATE_RECOVERING, JMP_REASON_LOSS_RECOVERY);
}

static void version_skips(void)
{
    fake.glimpse.info.state_version++;
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
}

static void version_without_count(void)
{
    fake.glimpse.info.state = JMP_STATE_DEGRADED;
    step_undrained();
}

static void binding_back(void)
{
    jump(JMP_REASON_DEAD_TRANSPORT_RECOVERY);
    fake.glimpse.info.binding_version = 0;
    tell_other(JMP_EVENT_TELEMETRY_TICK, 0);
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
}

static void binding_stands(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    move(JMP_STATE_RECOVERING, JMP_REASON_DEAD_TRANSPORT_RECOVERY);
    move(JMP_STATE_ATTACHED, JMP_REASON_REATTACH_SUCCESS);
}

static void bind_in_place(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    move(JMP_STATE_RECOVERING, JMP_REASON_DEAD_TRANSPORT_RECOVERY);
    tell_other(JMP_EVENT_REATTACH_RESULT, JMP_REASON_REATTACH_SUCCESS);
    move(JMP_STATE_ATTACHED, JMP_REASON_REATTACH_SUCCESS);
}

static void binding_by_two(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    move(JMP_STATE_RECOVERING, JMP_REASON_DEAD_TRANSPORT_RECOVERY);
    fake.glimpse.info.binding_version += 2;
    move(JMP_STATE_ATTACHED, JMP_REASON_REATTACH_SUCCESS);
}

static void other_id(void)
{
    fake.event.session_id[3] = 9;
    tell_other(JMP_EVENT_TELEMETRY_TICK, 0);
}

static void other_id_in_info(void)
{
    fake.glimpse.info.session_id[3] = 9;
    step_undrained();
}

static void born_again(void)
{
    fake.glimpse.info.created_at++;
    step();
}

static void shared(void)
{
    struct observer *other = observer_new("other", false, NULL, NULL, fake.ledger, note_rule, NULL);
    other->take_glimpse = fake_glimpse;
    other->get_stats = fake_stats;
    fake.event.state_version = fake.event.binding_version = 0;
    fake.event.sequence = 1;
    fake.event.type = JMP_EVENT_SESSION_CREATED;
    fake.event.new_state = fake.event.previous_state = JMP_STATE_BIRTH;
    observer_event(other, &fake.event, fake.now);
    observer_free(other, fake.now);
}

static void phase_skips(void)
{
    fake.event.key_phase = 2;
    tell_other(JMP_EVENT_KEY_ROTATED, 0);
}

static void end_alone(void)
{
    tell_other(JMP_EVENT_SESSION_TERMINATED, JMP_REASON_OPERATOR_TERMINATED);
}

static void rejected(void)
{
    tell_other(JMP_EVENT_TRANSITION_REJECTED, 0);
}

static void after_end(void)
{
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    tell_other(JMP_EVENT_TELEMETRY_TICK, 0);
}

static void no_end_event(void)
{
    move(JMP_STATE_TERMINATED, JMP_REASON_OPERATOR_TERMINATED);
    step();
}

static void silent_transition(void)
{
    fake.glimpse.info.state = JMP_STATE_VOLATILE;
    fake.glimpse.info.state_version++;
    step();
}

static void silent_session(void)
{
    fake.observer->sessions[0]->trail.has_begun = false;
    step();
}

static void silent_bind(void)
{
    fake.glimpse.info.binding_version++;
    step();
}

static void silent_switch(void)
{
    fake.glimpse.stats.switches++;
    step();
}

static void silent_rekey(void)
{
    fake.glimpse.info.key_phase++;
    step();
}

static void silent_path(void)
{
    fake.glimpse.paths[0].address = address(77);
    step();
}

static void silent_loss_of_path(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    fake.glimpse.path_count = fake.glimpse.info.path_count = 0;
    fake.glimpse.info.active_path = JMP_PATH_NONE;
    step();
}

static void resurrected(void)
{
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    fake.glimpse.info.binding_version++;
    step_undrained();
}

static void client_ahead(void)
{
    struct identity *identity = ledger_identity(fake.ledger, fake.event.session_id);
    identity->owner[JMP_ROLE_GATEWAY] = fake.observer;
    jump(JMP_REASON_DEAD_TRANSPORT_RECOVERY);
    identity = ledger_identity(fake.ledger, fake.event.session_id);
    identity->owner[JMP_ROLE_GATEWAY] = NULL;
}

static void two_active(void)
{
    add_path(9, JMP_PATH_ACTIVE);
    fake.glimpse.info.active_path = 9;
    step_undrained();
}

static void none_active(void)
{
    fake.glimpse.paths[0].role = JMP_PATH_STANDBY;
    step_undrained();
}

static void twin_ids(void)
{
    add_path(1, JMP_PATH_STANDBY);
    fake.glimpse.paths[1].address = address(9);
    step();
}

static void twin_paths(void)
{
    add_path(9, JMP_PATH_STANDBY);
    fake.glimpse.paths[1].address = address(1);
    step();
}

static void two_provisional(void)
{
    add_path(8, JMP_PATH_PROVISIONAL);
    add_path(9, JMP_PATH_PROVISIONAL);
    step();
}

static void many_paths(void)
{
    for (uint32_t i = 2; i < 8; i++) add_path(i, JMP_PATH_STANDBY);
    step();
}

static void lingering(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    move(JMP_STATE_RECOVERING, JMP_REASON_LOSS_RECOVERY);
    step();
}

static void vanished(void)
{
    fake.glimpse.status = JMP_ERR_SESSION;
    step();
}

static void too_many_sessions(void)
{
    fake.stats.sessions = 70000;
    step();
}

static void half_open_overflow(void)
{
    fake.stats.sessions = 300;
    fake.stats.half_open = 257;
    step();
}

static void too_old(void)
{
    fake.now += 8 * 3600 * SECOND_US + 1;
    step();
}

static void ttl_late(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    move(JMP_STATE_DEGRADED, JMP_REASON_NO_CANDIDATE_TRANSPORTS);
    fake.glimpse.info.transport_lost_at = fake.now;
    step();
    fake.now += 30 * SECOND_US + 1;
    step();
}

static void lost_and_attached(void)
{
    fake.glimpse.info.transport_lost_at = fake.now;
    step();
}

static void recovering_long(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    move(JMP_STATE_RECOVERING, JMP_REASON_DEAD_TRANSPORT_RECOVERY);
    fake.now += 8 * SECOND_US + 1;
    step();
}

static void volatile_long(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    fake.now += 4 * SECOND_US + 1;
    step();
}

static void nine_switches(void)
{
    for (int i = 0; i < 9; i++) jump(JMP_REASON_DEAD_TRANSPORT_RECOVERY);
}

static void hasty(void)
{
    jump(JMP_REASON_DEAD_TRANSPORT_RECOVERY);
    fake.now -= SECOND_US;
    jump(JMP_REASON_LOSS_RECOVERY);
}

static void ends_young(void)
{
    end_session(JMP_REASON_SESSION_LIFETIME_EXCEEDED);
}

static void ttl_early(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    fake.glimpse.info.transport_lost_at = fake.now;
    step();
    fake.now += 2 * SECOND_US;
    end_session(JMP_REASON_TRANSPORT_TTL_EXCEEDED);
}

const struct doctored_case event_cases[] = {
    { false, life, "", "a client's life" },
    { true, life, "", "a gateway's life" },
    { false, sequence, "event_sequence", "a gap in the sequence that no drop explains" },
    { false, time_back, "event_time", "an event before the last one" },
    { false, no_birth, "birth", "a session that begins with another event" },
    { false, outside_table, "transition_table", "ATTACHED -> RECOVERING" },
    { false, wrong_reason, "transition_table", "a transition for a reason of another" },
    { false, broken_chain, "transition_chain", "a transition from where the session is not" },
    { false, version_skips, "version_plus_one", "a version left out" },
    { false, version_without_count, "version_plus_one", "another state under the same version" },
    { false, binding_back, "binding_monotone", "binding_version going back" },
    { false, binding_stands, "binding_plus_one", "a client's bind without a new binding_version" },
    { true, binding_stands, "binding_plus_one", "a gateway's bind without a new binding_version" },
    { false, bind_in_place, "", "a client's bind in place that changed nothing" },
    { true, bind_in_place, "binding_plus_one", "a gateway's bind in place without a new binding_version" },
    { true, binding_by_two, "binding_plus_one", "a gateway's bind that counts two" },
    { false, binding_by_two, "", "a client that learns of two binds at once" },
    { false, other_id, "identity", "an event with another session id" },
    { false, other_id_in_info, "identity", "info with another session id" },
    { false, born_again, "identity", "another time of birth" },
    { false, shared, "identity_shared", "one id alive at two hosts" },
    { false, phase_skips, "key_phase_plus_one", "a key phase left out" },
    { false, end_alone, "end_without_transition", "SessionTerminated without a transition" },
    { false, rejected, "transition_rejected", "a transition the library refused itself" },
    { false, after_end, "event_after_end", "an event after the end" },
    { false, no_end_event, "end_event", "TERMINATED without its event" },
    { false, silent_transition, "events_rebuild_state", "a transition without an event" },
    { false, silent_session, "events_rebuild_state", "a session without events" },
    { true, silent_bind, "events_rebuild_binding", "a bind without an event" },
    { false, silent_switch, "events_rebuild_switches", "a switch without an event" },
    { false, silent_rekey, "events_rebuild_keys", "a rekey without an event" },
    { false, silent_path, "events_rebuild_path", "another active address without an event" },
    { false, silent_loss_of_path, "events_rebuild_path", "an active path lost without an event" },
    { false, resurrected, "terminated_absorbs", "a bind after the end" },
    { false, client_ahead, "binding_ahead", "a client ahead of its gateway" },
    { false, two_active, "one_active_path", "two active paths" },
    { false, none_active, "one_active_path", "ATTACHED without an active path" },
    { false, twin_paths, "paths_are_distinct", "a client with two paths to one address" },
    { true, twin_paths, "", "a gateway with two paths to one address" },
    { true, twin_ids, "paths_are_distinct", "two paths of one number" },
    { true, two_provisional, "one_provisional_path", "two provisional paths" },
    { true, many_paths, "path_cap", "more paths than the policy allows" },
    { true, lingering, "gateway_recovering", "a gateway that stays in RECOVERING" },
    { false, vanished, "session_vanished", "a live session that is gone" },
    { false, too_many_sessions, "endpoint_cap", "more sessions than configured" },
    { true, half_open_overflow, "endpoint_cap", "more half-open sessions than configured" },
    { false, too_old, "lifetime_exceeded", "a life beyond max_lifetime" },
    { false, ttl_late, "transport_ttl_overrun", "no transport beyond the TTL" },
    { false, lost_and_attached, "transport_lost_while_attached", "the lost clock in ATTACHED" },
    { false, recovering_long, "recovery_window_overrun", "RECOVERING beyond its window" },
    { false, volatile_long, "volatile_overrun", "VOLATILE beyond its bound" },
    { false, nine_switches, "switches_per_minute", "nine switches in a minute" },
    { false, hasty, "cooldown", "a choice within the cooldown" },
    { false, ends_young, "lifetime_early", "an end for age before its time" },
    { false, ttl_early, "transport_ttl_early", "an end for lack of a transport before its time" },
};
const size_t event_case_count = sizeof event_cases / sizeof *event_cases;
