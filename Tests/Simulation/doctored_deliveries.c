/* Protected payloads that break a rule, each by its own name and no other. */
#include <string.h>
#include "doctored.h"
#include "protected.h"

/* The end of this role takes a payload for the other one. */
static void take(uint32_t role, uint64_t number, uint32_t length, uint32_t channel, bool has_report, uint64_t time_to_live_us)
{
    struct payload_header header = { (role + 1) | PROTECTED_SENDER, 1, number };
    struct protected_payload payload = { number, time_to_live_us, 0, length, channel, has_report };
    uint32_t own = fake.glimpse.info.role;
    fake.glimpse.info.role = role;
    observer_protected_taken(fake.observer, HANDLE, &header, &payload, fake.now);
    fake.glimpse.info.role = own;
}

/* The peer's payload comes out here. */
static void come(uint64_t number, uint32_t length, uint32_t channel, uint64_t sequence, int changed_byte)
{
    uint8_t bytes[64];
    struct payload_header header = { (!fake.glimpse.info.role + 1) | PROTECTED_SENDER, 1, number };
    protected_write(&header, bytes, length);
    if (changed_byte) bytes[changed_byte] ^= 1;
    observer_protected_delivered(fake.observer, HANDLE, bytes, length, channel, sequence, fake.now);
}

static void peer_takes(uint64_t number, uint32_t channel)
{
    take(!fake.glimpse.info.role, number, 40, channel, false, 0);
}

/* An event of one's own payload. */
static void report(uint32_t type, uint64_t number, uint32_t channel)
{
    fake.event.payload_tag = number;
    fake.event.payload_sequence = number;
    fake.event.payload_length = 40;
    fake.event.channel = channel;
    tell_other(type, JMP_REASON_NONE);
}

static void own_takes(bool has_report, uint64_t time_to_live_us)
{
    take(fake.glimpse.info.role, 0, 40, 0, has_report, time_to_live_us);
    fake.glimpse.stats.protected_sent = 1;
    fake.glimpse.info.protected_count = 1;
    fake.glimpse.info.send_buffered = 104;
}

static void come_once(void)
{
    peer_takes(0, 0);
    peer_takes(1, 3);
    come(1, 40, 3, 0, 0);
    come(0, 40, 0, UINT64_MAX, 0);
}

static void come_again(void)
{
    come_once();
    come(0, 40, 0, UINT64_MAX, 0);
}

static void short_ones(void)
{
    for (uint64_t i = 0; i < 2; i++) take(!fake.glimpse.info.role, i, 5, 0, false, 0);
    for (int i = 0; i < 2; i++) come(0, 5, 0, UINT64_MAX, 0);
}

static void short_one_again(void)
{
    short_ones();
    come(0, 5, 0, UINT64_MAX, 0);
}

static void changed(void)
{
    peer_takes(0, 0);
    come(0, 40, 0, UINT64_MAX, 30);
}

static void wrong_channel(void)
{
    peer_takes(0, 0);
    come(0, 40, 1, UINT64_MAX, 0);
}

static void wrong_number(void)
{
    peer_takes(0, 0);
    come(0, 40, 0, 1, 0);
}

static void never_taken(void)
{
    peer_takes(0, 0);
    come(1, 40, 0, UINT64_MAX, 0);
}

static void back_again(void)
{
    own_takes(false, 0);
    come(0, 40, 0, UINT64_MAX, 0);
}

static void unordered(void)
{
    for (uint64_t i = 0; i < 3; i++) peer_takes(i, 0);
    come(2, 40, 0, 2, 0);
    come(0, 40, 0, UINT64_MAX, 0);
    come(1, 40, 0, 1, 0);
}

static void passed_over(void)
{
    for (uint64_t i = 0; i < 3; i++) peer_takes(i, 1);
    come(0, 40, 1, 0, 0);
    come(2, 40, 1, 2, 0);
}

static void out_of_order(void)
{
    take(!fake.glimpse.info.role, 0, 40, 1, false, 5);
    peer_takes(1, 1);
    come(1, 40, 1, 1, 0);
    come(0, 40, 1, 0, 0);
}

static void one_given_up(void)
{
    take(!fake.glimpse.info.role, 0, 40, 1, false, 5);
    peer_takes(1, 1);
    come(1, 40, 1, 1, 0);
}

static void from_a_datagram_after_the_end(void)
{
    peer_takes(0, 0);
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    come(0, 40, 0, UINT64_MAX, 0);
}

static void read_after_the_end(void)
{
    peer_takes(0, 0);
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    come(0, 40, 0, 0, 0);
}

static void taken_after_the_end(void)
{
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    own_takes(false, 0);
}

static void of_nobody(void)
{
    observer_protected_delivered(fake.observer, 0, (const uint8_t *)"", 0, 0, 0, fake.now);
}

static void reported(void)
{
    own_takes(true, 0);
    report(JMP_EVENT_PAYLOAD_ACKNOWLEDGED, 0, 0);
    fake.glimpse.info.protected_count = fake.glimpse.info.send_buffered = 0;
    step();
}

static void reported_twice(void)
{
    own_takes(true, SECOND_US);
    report(JMP_EVENT_PAYLOAD_ACKNOWLEDGED, 0, 0);
    fake.now += 2 * SECOND_US;
    report(JMP_EVENT_PAYLOAD_EXPIRED, 0, 0);
}

static void reported_unasked(void)
{
    own_takes(false, 0);
    report(JMP_EVENT_PAYLOAD_ACKNOWLEDGED, 0, 0);
}

static void reported_as_another(void)
{
    own_takes(true, 0);
    report(JMP_EVENT_PAYLOAD_ACKNOWLEDGED, 0, 4);
}

static void given_up_early(void)
{
    own_takes(false, 100 * SECOND_US);
    report(JMP_EVENT_PAYLOAD_EXPIRED, 0, 0);
}

static void given_up(void)
{
    own_takes(false, SECOND_US);
    fake.now += 2 * SECOND_US;
    report(JMP_EVENT_PAYLOAD_EXPIRED, 0, 0);
}

static void never_reported(void)
{
    own_takes(true, 0);
    fake.glimpse.info.protected_count = fake.glimpse.info.send_buffered = 0;
    step();
}

/* The ledger is the world's: what the peer was told is held against what is here. */
static void acknowledged_to_the_peer(uint32_t here)
{
    uint32_t own = fake.glimpse.info.role;
    take(!own, 0, 40, 0, true, 0);
    fake.event.role = !own;
    struct watched *session = watch_session(fake.observer, HANDLE);
    jmp_event event = fake.event;
    event.type = JMP_EVENT_PAYLOAD_ACKNOWLEDGED;
    event.payload_tag = event.payload_sequence = 0;
    event.payload_length = 40;
    event.channel = 0;
    judge_delivery_event(fake.observer, session, &event);
    fake.event.role = own;
    fake.glimpse.info.receive_buffered = here;
    step();
}

static void acknowledged_and_here(void)
{
    acknowledged_to_the_peer(104);
}

static void acknowledged_and_not_here(void)
{
    acknowledged_to_the_peer(64);
}

static void acknowledged_and_lost(void)
{
    acknowledged_to_the_peer(104);
    ledger_judge_deliveries(fake.ledger, note_rule, NULL);
}

static void too_much_received(void)
{
    fake.glimpse.info.receive_buffered = (1u << 20) + JMP_PROTECTED_PAYLOAD_MAX + JMP_PROTECTED_CHARGE + 1;
    step();
}

static void too_much_taken(void)
{
    fake.glimpse.info.send_buffered = (1u << 20) + 1;
    fake.glimpse.info.protected_count = 1;
    step();
}

static void wrong_count(void)
{
    fake.glimpse.info.protected_count = 2;
    fake.glimpse.info.send_buffered = 127;
    step();
}

static void taken_uncounted(void)
{
    own_takes(false, 0);
    fake.glimpse.stats.protected_sent = 0;
    step();
}

static void refused_and_told(void)
{
    observer_protected_refused(fake.observer, HANDLE, 40, fake.now);
    tell_other(JMP_EVENT_WRITABLE, JMP_REASON_NONE);
    step();
}

static void refused_and_not_told(void)
{
    observer_protected_refused(fake.observer, HANDLE, 40, fake.now);
    step();
}

static void told_unasked(void)
{
    tell_other(JMP_EVENT_WRITABLE, JMP_REASON_NONE);
}

static void held_back_and_told(void)
{
    fake.glimpse.policy.control_expendable = 1;
    observer_payload_refused(fake.observer, HANDLE, fake.now);
    tell_other(JMP_EVENT_WRITABLE, JMP_REASON_NONE);
    step();
}

static void held_back_unasked(void)
{
    observer_payload_refused(fake.observer, HANDLE, fake.now);
}

const struct doctored_case delivery_cases[] = {
    { false, come_once, "", "protected payloads handed out" },
    { false, come_again, "protected_handed_out_again", "a protected payload handed out twice" },
    { false, short_ones, "", "two short ones that are alike" },
    { false, short_one_again, "protected_handed_out_again", "three short ones where two were taken" },
    { false, changed, "protected_changed", "a protected payload with a bit changed" },
    { false, wrong_channel, "protected_changed", "a protected payload on another channel" },
    { false, wrong_number, "protected_changed", "a protected payload with another number" },
    { false, never_taken, "protected_never_sent", "a protected payload that nobody sent" },
    { false, back_again, "protected_never_sent", "a protected payload that comes back" },
    { false, unordered, "", "channel 0 in any order" },
    { false, passed_over, "protected_passed_over", "an ordered channel with one passed over" },
    { false, out_of_order, "protected_out_of_order", "an ordered channel in another order" },
    { false, one_given_up, "", "an ordered channel without one whose time was over" },
    { false, from_a_datagram_after_the_end, "protected_out_of_life", "a protected payload from a datagram after the end" },
    { false, read_after_the_end, "", "a complete payload read after the end" },
    { false, taken_after_the_end, "protected_taken_out_of_life", "a protected payload taken after the end" },
    { false, of_nobody, "protected_of_no_session", "a protected payload of no session" },
    { false, reported, "", "a protected payload and its report" },
    { false, reported_twice, "report_again", "two reports of one payload" },
    { false, reported_unasked, "report_unasked", "a report that nobody asked for" },
    { false, reported_as_another, "report_of_another", "a report with another channel" },
    { false, given_up_early, "expired_early", "a payload given up before its time" },
    { false, given_up, "", "a payload given up in time" },
    { false, never_reported, "report_missing", "a payload gone without its report" },
    { false, acknowledged_and_here, "", "a payload acknowledged that waits for the host" },
    { false, acknowledged_and_not_here, "acknowledged_not_there", "a payload acknowledged that is not here" },
    { false, acknowledged_and_lost, "acknowledged_and_lost", "a payload acknowledged and never handed out" },
    { false, too_much_received, "receive_buffer_cap", "more for the host than receive_buffer and one payload" },
    { false, too_much_taken, "send_buffer_cap", "more taken than send_buffer" },
    { false, wrong_count, "send_buffer_count", "fewer bytes than payloads" },
    { false, taken_uncounted, "protected_count", "a payload that is not counted" },
    { false, refused_and_told, "", "Writable after a refusal" },
    { false, refused_and_not_told, "writable_missing", "room after a refusal, and no Writable" },
    { false, told_unasked, "writable_unasked", "Writable without a refusal" },
    { false, held_back_and_told, "", "an expendable payload held back, then Writable" },
    { false, held_back_unasked, "held_back_unasked", "an expendable payload held back although the policy does not ask" },
};
const size_t delivery_case_count = sizeof delivery_cases / sizeof *delivery_cases;
