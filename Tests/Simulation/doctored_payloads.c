/* Payloads, knowledge of the world and nonces that break a rule, each by its own name and no other. */
#include <string.h>
#include "doctored.h"
#include "nonces.h"

/* A payload of the peer, host 2, in this session or another. */
static void peer_sends(uint64_t number, bool is_ours, bool may_come_twice)
{
    struct payload_header header = { 2, 1, number };
    uint32_t role = fake.glimpse.info.role;
    fake.glimpse.info.role = !role;
    fake.glimpse.info.session_id[15] = is_ours ? 0 : 1;
    if (may_come_twice) add_path(3, JMP_PATH_PROVISIONAL);
    observer_payload_sent(fake.observer, HANDLE, &header, fake.now);
    if (may_come_twice) fake.glimpse.path_count--, fake.glimpse.info.path_count--;
    fake.glimpse.info.role = role;
    fake.glimpse.info.session_id[15] = 0;
}

static void deliver(uint64_t number, int changed_byte)
{
    uint8_t bytes[64];
    struct payload_header header = { 2, 1, number };
    payload_write(&header, bytes, sizeof bytes);
    if (changed_byte) bytes[changed_byte] ^= 1;
    observer_payload_delivered(fake.observer, HANDLE, bytes, sizeof bytes, fake.now);
}

static void delivered_once(void)
{
    peer_sends(0, true, false);
    deliver(0, 0);
}

static void delivered_again(void)
{
    delivered_once();
    deliver(0, 0);
}

static void copies_while_provisional(void)
{
    peer_sends(0, true, true);
    deliver(0, 0);
    deliver(0, 0);
}

static void third_copy(void)
{
    copies_while_provisional();
    deliver(0, 0);
}

static void from_elsewhere(void)
{
    fake.glimpse.policy.strict_binding = 1;
    step();
    fake.observer->arrival.path = 1;
    delivered_once();
    peer_sends(1, true, false);
    fake.observer->arrival.path = 2;
    deliver(1, 0);
}

static void never_sent(void)
{
    delivered_once();
    deliver(1, 0);
}

static void changed_payload(void)
{
    peer_sends(0, true, false);
    deliver(0, 40);
}

static void foreign_payload(void)
{
    peer_sends(0, false, false);
    deliver(0, 0);
}

static void own_payload(void)
{
    struct payload_header header = { 2, 1, 0 };
    observer_payload_sent(fake.observer, HANDLE, &header, fake.now);
    deliver(0, 0);
}

static void delivered_after_end(void)
{
    peer_sends(0, true, false);
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    deliver(0, 0);
}

static void sent_after_end(void)
{
    struct payload_header header = { 1, 1, 0 };
    end_session(JMP_REASON_OPERATOR_TERMINATED);
    observer_payload_sent(fake.observer, HANDLE, &header, fake.now);
}

static void sent_unconfirmed(void)
{
    struct payload_header header = { 1, 1, 0 };
    fake.glimpse.info.confirmed = 0;
    observer_payload_sent(fake.observer, HANDLE, &header, fake.now);
}

static void no_session(void)
{
    static const uint8_t bytes[20];
    observer_payload_delivered(fake.observer, 0, bytes, sizeof bytes, fake.now);
}

static void know(jmp_time usable_since, jmp_time cut_since)
{
    struct network_knowledge knowledge = { usable_since, cut_since, 50000 };
    observer_network(fake.observer, HANDLE, &knowledge, fake.now);
}

static void degrade(void)
{
    move(JMP_STATE_VOLATILE, JMP_REASON_TRANSPORT_DEAD);
    move(JMP_STATE_DEGRADED, JMP_REASON_NO_CANDIDATE_TRANSPORTS);
    step();
}

static void not_attached(void)
{
    degrade();
    know(BEGIN_US, JMP_TIME_NONE);
    fake.now += 200 * SECOND_US;
    know(BEGIN_US, JMP_TIME_NONE);
}

static void not_usable(void)
{
    degrade();
    fake.now += 200 * SECOND_US;
    know(fake.now - SECOND_US, JMP_TIME_NONE);
    know(JMP_TIME_NONE, JMP_TIME_NONE);
}

static void dies_usable(void)
{
    degrade();
    fake.now += 300 * SECOND_US;
    fake.glimpse.info.transport_lost_at = fake.now;
    step();
    fake.now += 30 * SECOND_US;
    end_session(JMP_REASON_TRANSPORT_TTL_EXCEEDED);
    know(BEGIN_US, JMP_TIME_NONE);
}

static void clock_missing(void)
{
    degrade();
    fake.now += 60 * SECOND_US;
    know(JMP_TIME_NONE, fake.now - 45 * SECOND_US);
}

static void never_ends(void)
{
    degrade();
    fake.now += 200 * SECOND_US;
    fake.glimpse.info.transport_lost_at = fake.now;
    know(JMP_TIME_NONE, BEGIN_US);
}

static void same_nonce(void)
{
    extern int crypto_aead_chacha20poly1305_ietf_encrypt(unsigned char *, unsigned long long *, const unsigned char *, unsigned long long,
        const unsigned char *, unsigned long long, const unsigned char *, const unsigned char *, const unsigned char *);
    unsigned char sealed[32], key[32] = { 1 }, nonce[12] = { 2 };
    nonces_reset();
    nonces_report(note_rule, NULL);
    for (int i = 0; i < 2; i++) {
        nonce[11] = (unsigned char)i;
        crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, sealed, 16, NULL, 0, NULL, nonce, key);
        key[0]++;
        crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, sealed, 16, NULL, 0, NULL, nonce, key);
        key[0]--;
    }
    if (!fake.rules[0]) crypto_aead_chacha20poly1305_ietf_encrypt(sealed, NULL, sealed, 16, NULL, 0, NULL, nonce, key);
    nonces_reset();
    nonces_report(NULL, NULL);
}

const struct doctored_case payload_cases[] = {
    { false, from_elsewhere, "strict_binding", "a payload from a path that is not bound, with strict_binding" },
    { false, delivered_once, "", "a payload delivered" },
    { false, delivered_again, "payload_delivered_again", "a payload delivered twice" },
    { false, copies_while_provisional, "", "two copies of a payload while an address is provisional" },
    { false, third_copy, "payload_delivered_again", "three copies of such a payload" },
    { false, never_sent, "payload_never_sent", "a payload nobody sent" },
    { false, changed_payload, "payload_changed", "a payload with a bit changed" },
    { false, foreign_payload, "payload_of_another_session", "a payload of another session" },
    { false, own_payload, "payload_of_another_session", "a payload that comes back" },
    { false, delivered_after_end, "payload_out_of_life", "a payload after the end" },
    { false, sent_after_end, "payload_taken_out_of_life", "a payload taken after the end" },
    { true, sent_unconfirmed, "payload_before_confirmation", "a payload taken before the client has confirmed" },
    { false, no_session, "payload_of_no_session", "a payload of no session" },
    { false, not_attached, "not_attached_with_a_usable_path", "a path that works and is not taken" },
    { false, not_usable, "", "no path that works for long" },
    { false, dies_usable, "ttl_with_a_usable_path", "an end for lack of a transport while one works" },
    { false, clock_missing, "lost_clock_missing", "no path and no lost clock" },
    { false, never_ends, "transportless_too_long", "no path and no end" },
    { false, same_nonce, "nonce_reuse", "a nonce twice under one key" },
};
const size_t payload_case_count = sizeof payload_cases / sizeof *payload_cases;
