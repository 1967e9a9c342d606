/* Datagrams that break a rule by what they are, change or leak, each by its own name and no other. */
#include <string.h>
#include "doctored.h"

/* A datagram arrives; `change` is what it does to what the library says. */
static const uint8_t some_data[40] = { 0x45, 1, 2, 3 };
static void receive(const jmp_received *received, void (*change)(void))
{
    jmp_address from = address(1);
    fake.stats.datagrams_received++;
    observer_arrived(fake.observer, 0, &from, some_data, sizeof some_data, fake.now);
    if (change) change();
    observer_received(fake.observer, received, fake.now);
}

static void change_counter(void)
{
    fake.glimpse.stats.datagrams_received++;
}

static void change_drops(void)
{
    fake.glimpse.stats.replayed++;
    fake.glimpse.stats.bad_tag++;
    fake.stats.dropped[JMP_DROP_REPLAYED]++;
}

static void change_path(void)
{
    fake.glimpse.paths[0].bytes_received += 40;
}

static void change_halves(void)
{
    fake.stats.sessions++;
    fake.stats.half_open++;
}

static const jmp_received bad_tag = { .struct_size = sizeof(jmp_received), .session = HANDLE, .drop_cause = JMP_DROP_BAD_TAG };
static const jmp_received replayed = { .struct_size = sizeof(jmp_received), .session = HANDLE, .drop_cause = JMP_DROP_REPLAYED };
static const jmp_received taken = { .struct_size = sizeof(jmp_received), .session = HANDLE };
static const jmp_received payload = { .struct_size = sizeof(jmp_received), .session = HANDLE, .kind = JMP_RECEIVED_PAYLOAD, .payload_length = 20 };
static void sent_before(void)
{
    ledger_datagram_sent(fake.ledger, datagram_hash(some_data, sizeof some_data));
    receive(&taken, change_counter);
}

static void harmless(void)
{
    receive(&bad_tag, change_drops);
    sent_before();
    receive(&replayed, change_drops);
}

static void forged_taken(void)
{
    receive(&taken, NULL);
}

static void forged_delivered(void)
{
    receive(&payload, NULL);
}

static void forged_counted(void)
{
    receive(&bad_tag, change_counter);
}

static void forged_opens(void)
{
    receive(&bad_tag, change_halves);
}

static void copy_taken(void)
{
    sent_before();
    receive(&taken, NULL);
}

static void copy_moves_path(void)
{
    sent_before();
    receive(&replayed, change_path);
}

static void attacker_bound(void)
{
    jmp_address his = address(1);
    ledger_attacker_address(fake.ledger, &his);
    step();
}

static void attacker_relayed(void)
{
    jmp_address his = address(1);
    ledger_attacker_address(fake.ledger, &his);
    ledger_attacker_relays(fake.ledger, &his);
    step();
}

static void attacker_validated(void)
{
    jmp_address his = address(5);
    ledger_attacker_address(fake.ledger, &his);
    add_path(5, JMP_PATH_STANDBY);
    fake.glimpse.paths[1].validated = 1;
    step();
}

static void send_to(uint8_t last, uint32_t length, uint32_t path)
{
    static uint8_t bytes[1500];
    bytes[0] = (uint8_t)++bytes[1];
    jmp_datagram datagram = { .struct_size = sizeof datagram, .to = address(last), .length = length, .path = path, .session = HANDLE };
    observer_sent(fake.observer, &datagram, bytes, fake.now);
}

static void within_three_times(void)
{
    jmp_address from = address(7);
    count_arrived(fake.observer, HANDLE, 0, &from, 100);
    send_to(7, 300, 7);
    send_to(1, 1400, 1);
}

static void over_three_times(void)
{
    within_three_times();
    send_to(7, 1, 7);
}

static void out_of_the_blue(void)
{
    send_to(99, 40, 4);
}

static void long_close(void)
{
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    jmp_address from = address(7);
    count_arrived(fake.observer, HANDLE, 0, &from, 30);
    fake.observer->counts.datagrams_arrived++;
    fake.now += SECOND_US;
    send_to(7, 31, JMP_PATH_NONE);
}

static void data_after_end(void)
{
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    send_to(1, 90, 1);
}

static void closes(uint64_t pause)
{
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    for (int i = 0; i < 2; i++) {
        fake.now += pause;
        fake.observer->counts.datagrams_arrived++;
        send_to(1, 31, JMP_PATH_NONE);
    }
}

static void closes_rarely(void)
{
    closes(100000);
}

static void closes_often(void)
{
    closes(99999);
}

static void close_unasked(void)
{
    closes_rarely();
    fake.now += SECOND_US;
    send_to(1, 31, JMP_PATH_NONE);
}

static void send_under(uint8_t id, uint32_t path)
{
    uint8_t bytes[64] = { 0x41, id };
    jmp_datagram datagram = { .struct_size = sizeof datagram, .to = address(1), .length = sizeof bytes, .path = path, .session = HANDLE };
    observer_sent(fake.observer, &datagram, bytes, fake.now);
}

static void ids_apart(void)
{
    send_under(1, 1);
    step();
    send_under(2, 2);
    send_under(1, 1);
}

static void id_shared(void)
{
    ids_apart();
    send_under(1, 2);
}

static void unanswered_id_again(void)
{
    add_path(2, JMP_PATH_CANDIDATE);
    fake.glimpse.paths[1].last_evidence_at = JMP_TIME_NONE;
    send_under(2, 2);
    step();
    send_under(2, 3);
}

static void too_big(void)
{
    fake.glimpse.paths[0].mtu = 1400;
    step();
    send_to(1, 1401, 1);
}

static void too_many_waiting(void)
{
    for (int i = 0; i < 1025; i++) tell_other(JMP_EVENT_TELEMETRY_TICK, 0);
}

const struct doctored_case datagram_cases[] = {
    { false, harmless, "", "drops that change drop counters only" },
    { false, forged_taken, "forgery_changes_nothing", "a forgery taken" },
    { false, forged_delivered, "forgery_changes_nothing", "a forgery delivered" },
    { true, forged_counted, "forgery_changes_nothing", "a forgery counted as authentic" },
    { true, forged_opens, "forgery_changes_nothing", "a forgery that opens a session" },
    { false, copy_taken, "replay_changes_nothing", "a copy taken" },
    { true, copy_moves_path, "replay_changes_nothing", "a copy that moves a path" },
    { true, attacker_bound, "bound_to_attacker", "a binding to an attacker" },
    { true, attacker_relayed, "", "a binding to a relay" },
    { true, attacker_validated, "validated_attacker", "an attacker's address validated" },
    { true, within_three_times, "", "three times the bytes" },
    { true, over_three_times, "amplification", "more than three times the bytes" },
    { true, out_of_the_blue, "amplification", "bytes to an address that sent none" },
    { true, long_close, "amplification", "a CLOSE longer than what it answers" },
    { false, data_after_end, "sent_after_termination", "a datagram after the end" },
    { false, closes_rarely, "", "a CLOSE every 100 ms" },
    { false, closes_often, "close_too_often", "a CLOSE after less than 100 ms" },
    { false, close_unasked, "close_unasked", "a CLOSE that answers nothing" },
    { false, ids_apart, "", "two connection ids on two paths" },
    { false, id_shared, "connection_id_links_paths", "a connection id on a second path" },
    { false, unanswered_id_again, "", "a connection id that never had an answer on a second path" },
    { false, too_big, "datagram_size", "a datagram that does not fit its path" },
    { false, too_many_waiting, "event_queue_cap", "more events than the queue holds" },
};
const size_t datagram_case_count = sizeof datagram_cases / sizeof *datagram_cases;
