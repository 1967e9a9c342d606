#include "states.h"

/* Policies that let a short program see every clock run out. */
static void choose_policy(jmp_policy *policy, uint8_t variant)
{
    jmp_policy_init(policy);
    switch (variant % 4) {
    case 1:
        policy->max_lifetime_us = 20 * SECOND;
        policy->transport_lost_ttl_us = 2 * SECOND;
        policy->recovery_window_us = 500 * MS;
        policy->volatile_to_degraded_us = 200 * MS;
        policy->stability_window_us = 100 * MS;
        policy->switch_cooldown_us = 0;
        policy->key_max_age_us = 1 * SECOND;
        break;
    case 2:
        policy->strict_binding = 1;
        policy->max_switches_per_min = 1;
        policy->max_candidates = 6;
        policy->replay_window = 64;
        policy->latency_volatile_threshold_us = 30 * MS;
        break;
    case 3:
        policy->max_consecutive_drops = 2;
        policy->loss_volatile_threshold_ppm = 1000;
        policy->heartbeat_interval_us = policy->heartbeat_volatile_us = 20 * MS;
        policy->idle_heartbeat_us = 20 * MS;
        policy->max_candidates = 1;
        policy->replay_window = 65536;
        policy->allowed_classes = 0x0E;
        break;
    default: break;
    }
}

static void set_black_holes(struct stage *stage, bool first, bool others)
{
    for (uint32_t i = 0; i < LINKS; i++)
        stage->links[i].is_black_hole[CLIENT] = stage->links[i].is_black_hole[GATEWAY] = i ? others : first;
}

/* Runs until the client's session is in a state, at most so long. */
static void run_until(struct stage *stage, uint32_t state, jmp_time limit_us)
{
    for (jmp_time end = stage->now + limit_us; stage->now < end;) {
        if (stage_info(stage, CLIENT, stage->nodes[CLIENT].session).state == state) return;
        stage_send(stage, CLIENT, 20);
        stage_run(stage, 20 * MS);
    }
}

static void close_session(struct stage *stage, int who)
{
    jmp_session_close(stage_enter(stage, who), stage->nodes[who].session, JMP_REASON_OPERATOR_TERMINATED, stage->now);
    stage_settle(stage, who);
}

/* From an established session on. */
static void go_on(struct stage *stage, uint8_t start)
{
    switch (start) {
    case START_WARM:
        for (uint32_t i = 1; i < LINKS; i++) stage_add_path(stage, i);
        stage_run(stage, 100 * MS);
        break;
    case START_VOLATILE:
        for (int i = 0; i < 10; i++) stage_send(stage, CLIENT, 100);
        stage->links[0].is_black_hole[CLIENT] = true;
        run_until(stage, JMP_STATE_VOLATILE, 3 * SECOND);
        break;
    case START_DEGRADED:
        set_black_holes(stage, true, true);
        run_until(stage, JMP_STATE_DEGRADED, 10 * SECOND);
        break;
    case START_RECOVERING:
        stage_add_path(stage, 1);
        stage_run(stage, 100 * MS);
        set_black_holes(stage, true, true);
        run_until(stage, JMP_STATE_RECOVERING, 10 * SECOND);
        break;
    case START_TERMINATED:
        close_session(stage, CLIENT);
        stage_run(stage, 50 * MS);
        break;
    case START_TERMINATED_GATEWAY:
        close_session(stage, GATEWAY);
        break;
    case START_PROVISIONAL:
        stage->links[0].port++;
        stage_send(stage, CLIENT, 50);
        if (stage->flight_count) stage_deliver(stage, stage->flight_count - 1);
        break;
    case START_PENDING:     /* a jump to a path that the gateway has not heard of */
        stage->links[1].is_black_hole[GATEWAY] = true;
        stage_add_path(stage, 1);
        jmp_transport_hint(stage_enter(stage, CLIENT), 0, 0, stage->now);
        stage_settle(stage, CLIENT);
        while (stage->flight_count) stage_deliver(stage, 0);
        break;
    case START_REKEY:
        stage_run(stage, 1 * SECOND);
        jmp_session_rekey(stage_enter(stage, CLIENT), stage->nodes[CLIENT].session, stage->now);
        stage_settle(stage, CLIENT);
        break;
    default: break;
    }
}

void states_begin(struct stage *stage, uint8_t start, uint8_t variant)
{
    static uint32_t available;
    jmp_policy policy;
    struct stage_options options = { .suites = JMP_SUITE_CHACHA20_POLY1305, .cookie_threshold = 8, .policy = &policy };
    if (!available) jmp_suites_available(&available);
    if (variant & 0x10) options.suites = available & JMP_SUITE_AES_256_GCM ? JMP_SUITE_AES_256_GCM : JMP_SUITE_CHACHA20_POLY1305;
    choose_policy(&policy, variant);
    start %= STARTS;
    if (start == START_WAITING) options.gateway_flags = JMP_CONFIG_ACCEPT | JMP_CONFIG_ASK;
    if (start == START_COOKIE) options.cookie_threshold = 0;
    if (start == START_TELEMETRY) options.telemetry_ms = 100;
    stage_open(stage, &options);
    stage_connect(stage, start == START_IKPSK2 || variant & 0x20 ? JMP_PATTERN_IKPSK2 : JMP_PATTERN_NNPSK0);
    if (start == START_BIRTH) return;
    stage_deliver(stage, 0);                                    /* INIT */
    if (start == START_WAITING || start == START_COOKIE) return;
    if (start == START_HALF_OPEN) {
        stage_deliver(stage, 0);                                /* RESP; what the client says next is under way */
        return;
    }
    stage_run(stage, 100 * MS);
    go_on(stage, start);
}
