/* The made-up life, and every case played on it. */
#include <stdio.h>
#include <string.h>
#include "doctored.h"

struct doctored_life fake;

void note_rule(void *context, const char *rule, const char *text)
{
    (void)context;
    (void)text;
    if (!strcmp(fake.rules, rule)) return;
    size_t used = strlen(fake.rules);
    snprintf(fake.rules + used, sizeof fake.rules - used, "%s%s", used ? ", " : "", rule);
}

void fake_glimpse(struct observer *observer, jmp_session session, struct glimpse *glimpse)
{
    (void)observer;
    *glimpse = fake.glimpse;
    if (session != HANDLE) glimpse->status = JMP_ERR_SESSION;
}

static jmp_time fake_deadline(struct observer *observer)
{
    (void)observer;
    return fake.deadline;
}

jmp_status fake_stats(struct observer *observer, jmp_endpoint_stats *stats)
{
    (void)observer;
    *stats = fake.stats;
    return JMP_OK;
}

/* ------------------------------------------------------------------------------------------------------- a life to break */

jmp_address address(uint8_t last)
{
    jmp_address made = { .length = 6, .prefix_length = 4, .bytes = { 10, 0, 0, last, 1, 1 } };
    return made;
}

void step(void)
{
    fake.observer->is_everything_dirty = true;
    observer_step(fake.observer, true, fake.now);
}

void step_undrained(void)
{
    fake.observer->is_everything_dirty = true;
    observer_step(fake.observer, false, fake.now);
}

/* The next event: as the last one, with another type. */
static jmp_event *next_event(uint32_t type)
{
    fake.event.type = type;
    fake.event.sequence++;
    fake.event.time = fake.now;
    return &fake.event;
}

static void tell(void)
{
    observer_event(fake.observer, &fake.event, fake.now);
}

/* A transition, in the events and in what the library says. */
void move(uint32_t to, uint32_t reason)
{
    jmp_event *event = next_event(JMP_EVENT_SESSION_STATE_CHANGE);
    event->previous_state = fake.glimpse.info.state;
    event->new_state = fake.glimpse.info.state = to;
    event->reason = fake.glimpse.info.last_reason = reason;
    event->state_version = ++fake.glimpse.info.state_version;
    event->binding_version = fake.glimpse.info.binding_version;
    tell();
}

void tell_other(uint32_t type, uint32_t reason)
{
    jmp_event *event = next_event(type);
    event->reason = reason;
    event->previous_state = event->new_state = fake.glimpse.info.state;
    event->state_version = fake.glimpse.info.state_version;
    event->binding_version = fake.glimpse.info.binding_version;
    tell();
}

void begin(bool is_gateway)
{
    static const jmp_event no_event = { .struct_size = sizeof(jmp_event) };
    memset(&fake.glimpse, 0, sizeof fake.glimpse);
    memset(&fake.stats, 0, sizeof fake.stats);
    fake.rules[0] = 0;
    fake.now = BEGIN_US;
    fake.deadline = JMP_TIME_NONE;
    fake.ledger = ledger_new();
    fake.observer = observer_new("doctored", is_gateway, NULL, NULL, fake.ledger, note_rule, NULL);
    fake.observer->take_glimpse = fake_glimpse;
    fake.observer->next_deadline = fake_deadline;
    fake.observer->get_stats = fake_stats;
    jmp_policy_init(&fake.glimpse.policy);
    jmp_session_info *info = &fake.glimpse.info;
    info->role = is_gateway ? JMP_ROLE_GATEWAY : JMP_ROLE_CLIENT;
    info->session_id[0] = 0x5e;
    info->created_at = BEGIN_US;
    info->transport_lost_at = JMP_TIME_NONE;
    info->active_path = JMP_PATH_NONE;
    info->confirmed = 1;
    fake.event = no_event;
    fake.event.session = HANDLE;
    fake.event.role = info->role;
    fake.event.session_id[0] = 0x5e;
    tell_other(JMP_EVENT_SESSION_CREATED, JMP_REASON_NONE);
}

void attach(void)
{
    jmp_path_info *path = &fake.glimpse.paths[0];
    move(JMP_STATE_ATTACHED, JMP_REASON_HANDSHAKE_OK);
    path->path = 1;
    path->role = JMP_PATH_ACTIVE;
    path->validated = 1;
    path->address = address(1);
    strcpy(path->name, "udp:A");
    fake.glimpse.path_count = fake.glimpse.info.path_count = 1;
    fake.glimpse.info.active_path = 1;
    fake.event.path = 1;
    fake.event.from_address = path->address;
    strcpy(fake.event.from_transport, "udp:A");
    tell_other(JMP_EVENT_TRANSPORT_ATTACHED, JMP_REASON_HANDSHAKE_OK);
    fake.now += 1000;
    step();
}

/* A jump to another path, as both ends log it. */
void jump(uint32_t reason)
{
    jmp_path_info *path = &fake.glimpse.paths[0];
    move(JMP_STATE_VOLATILE, JMP_REASON_CONSECUTIVE_DROP_EXCEEDED);
    move(JMP_STATE_RECOVERING, reason);
    fake.glimpse.info.binding_version++;
    move(JMP_STATE_ATTACHED, JMP_REASON_REATTACH_SUCCESS);
    fake.glimpse.stats.switches++;
    path->path++;
    path->address = address((uint8_t)path->path);
    fake.glimpse.info.active_path = path->path;
    fake.event.path = path->path;
    fake.event.to_address = fake.event.from_address = path->address;
    strcpy(fake.event.to_transport, "udp:A");
    tell_other(JMP_EVENT_TRANSPORT_SWITCH, JMP_REASON_REATTACH_SUCCESS);
    tell_other(JMP_EVENT_TRANSPORT_ATTACHED, JMP_REASON_REATTACH_SUCCESS);
    step();
    fake.now += 2 * SECOND_US;
}

void end_session(uint32_t reason)
{
    move(JMP_STATE_TERMINATED, reason);
    tell_other(JMP_EVENT_SESSION_TERMINATED, reason);
    step();
}

void add_path(uint32_t id, uint32_t role)
{
    jmp_path_info *path = &fake.glimpse.paths[fake.glimpse.path_count++];
    memset(path, 0, sizeof *path);
    path->path = id;
    path->role = role;
    path->address = address((uint8_t)id);
    fake.glimpse.info.path_count++;
}

/* ---------------------------------------------------------------------------------------------------------------- playing */

static void play(const struct doctored_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char what[400];
        begin(cases[i].is_gateway);
        attach();
        if (fake.rules[0]) check(false, "the beginning of each life breaks no rule");
        cases[i].act();
        snprintf(what, sizeof what, "%s: \"%s\" expected, got \"%s\"", cases[i].what, cases[i].rule, fake.rules);
        check(!strcmp(fake.rules, cases[i].rule), what);
        fake.stats = (jmp_endpoint_stats){ 0 };
        observer_free(fake.observer, fake.now);
        ledger_free(fake.ledger);
    }
}

void every_rule_can_fail(void)
{
    play(event_cases, event_case_count);
    play(datagram_cases, datagram_case_count);
    play(payload_cases, payload_case_count);
    play(delivery_cases, delivery_case_count);
}
