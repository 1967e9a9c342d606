#include "hostile.h"

#include <string.h>

struct world victim;

void victim_open(void)
{
    world_begin(&victim, (struct world_options){ .seed = 77 });
    victim.nodes[CLIENT].send_interval_us = 0;
    world_run(&victim, 1 * SECOND);
}

void victim_close(void)
{
    world_close(&victim);
}

struct snapshot victim_snapshot(void)
{
    struct snapshot s;
    memset(&s, 0, sizeof s);
    for (int who = 0; who < NODES; who++) {
        jmp_endpoint *endpoint = victim.nodes[who].endpoint;
        jmp_session session = victim.nodes[who].session;
        s.endpoint[who] = world_stats(&victim, who);
        s.info[who] = world_info(&victim, who);
        s.stats[who] = world_session_stats(&victim, who);
        s.policy[who].struct_size = sizeof s.policy[who];
        CHECK_OK(jmp_session_get_policy(endpoint, session, &s.policy[who]));
        CHECK_OK(jmp_session_get_paths(endpoint, session, s.paths[who], JMP_MAX_PATHS, &s.path_count[who]));
        CHECK_OK(jmp_next_timeout(endpoint, &s.deadline[who]));
    }
    return s;
}

void victim_check_unchanged(const struct snapshot *before, const char *file, int line, const char *call)
{
    struct snapshot after = victim_snapshot();
    uint8_t bytes[WORLD_DATAGRAM_SIZE];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_event event = { .struct_size = sizeof event };
    if (!check_that(!memcmp(before, &after, sizeof after), file, line, "nothing changed")) printf("    after %s\n", call);
    for (int who = 0; who < NODES; who++) {
        check_equal(jmp_poll_transmit(victim.nodes[who].endpoint, victim.now, bytes, sizeof bytes, &datagram), JMP_AGAIN, file, line, call);
        check_equal(jmp_poll_event(victim.nodes[who].endpoint, &event), JMP_AGAIN, file, line, call);
    }
}

/* ------------------------------------------- one right call of each function */

static uint8_t call_bytes[WORLD_DATAGRAM_SIZE];
static const uint8_t call_key[JMP_KEY_SIZE] = { 1, 2, 3 };

#define CALL(name) static jmp_status call_##name(jmp_endpoint *e, jmp_session s, jmp_time now)
#define UNUSED (void)e, (void)s, (void)now

CALL(get_stats) { UNUSED; jmp_endpoint_stats out = { .struct_size = sizeof out }; return jmp_endpoint_get_stats(e, &out); }
CALL(set_wall_clock) { UNUSED; return jmp_endpoint_set_wall_clock(e, 0); }
CALL(set_static_key) { UNUSED; return jmp_endpoint_set_static_key(e, call_key); }
CALL(add_psk) { UNUSED; return jmp_endpoint_add_psk(e, (const uint8_t *)"hint", 4, call_key); }
CALL(remove_psk) { UNUSED; return jmp_endpoint_remove_psk(e, (const uint8_t *)"hint", 4); }
CALL(add_client_key) { UNUSED; return jmp_endpoint_add_client_key(e, call_key, NULL); }
CALL(remove_client_key) { UNUSED; return jmp_endpoint_remove_client_key(e, call_key); }
CALL(transport_add)
{
    UNUSED;
    jmp_transport_config config;
    uint32_t number;
    jmp_transport_config_init(&config);
    strcpy(config.name, "new");
    return jmp_transport_add(e, &config, now, &number);
}
CALL(transport_set)
{
    UNUSED;
    jmp_transport_config config;
    jmp_transport_config_init(&config);
    strcpy(config.name, "udp:A");
    return jmp_transport_set(e, 0, &config, now);
}
CALL(transport_remove) { UNUSED; return jmp_transport_remove(e, 1, now); }
CALL(transport_hint) { UNUSED; return jmp_transport_hint(e, 1, 1, now); }
CALL(connect)
{
    UNUSED;
    jmp_connect_config config;
    jmp_session session;
    world_connect_config(&victim, JMP_PATTERN_NNPSK0, &config);
    return jmp_connect(e, &config, now, &session);
}
CALL(accept) { UNUSED; return jmp_accept(e, s, call_key, now); }
CALL(refuse) { UNUSED; return jmp_refuse(e, s, now); }
CALL(unsent) { UNUSED; return jmp_unsent(e, s, 1, now); }
CALL(close) { UNUSED; return jmp_session_close(e, s, JMP_REASON_OPERATOR_TERMINATED, now); }
CALL(get_info) { UNUSED; jmp_session_info out = { .struct_size = sizeof out }; return jmp_session_get_info(e, s, &out); }
CALL(get_session_stats) { UNUSED; jmp_session_stats out = { .struct_size = sizeof out }; return jmp_session_get_stats(e, s, &out); }
CALL(get_policy) { UNUSED; jmp_policy out = { .struct_size = sizeof out }; return jmp_session_get_policy(e, s, &out); }
CALL(get_paths)
{
    UNUSED;
    jmp_path_info paths[JMP_MAX_PATHS];
    size_t count;
    return jmp_session_get_paths(e, s, paths, JMP_MAX_PATHS, &count);
}
CALL(set_policy)
{
    UNUSED;
    jmp_policy policy;
    jmp_policy_init(&policy);
    return jmp_session_set_policy(e, s, &policy, now);
}
CALL(path_add)
{
    UNUSED;
    jmp_address remote = world_gateway_address(3);
    uint32_t path;
    return jmp_path_add(e, s, 1, &remote, now, &path);
}
CALL(path_remove) { UNUSED; return jmp_path_remove(e, s, 0, now); }
CALL(request_switch) { UNUSED; return jmp_session_request_switch(e, s, JMP_PATH_NONE, now); }
CALL(rekey) { UNUSED; return jmp_session_rekey(e, s, now); }
CALL(explain) { UNUSED; char text[256]; return jmp_session_explain(e, s, now, text, sizeof text); }
CALL(send)
{
    UNUSED;
    jmp_datagram out = { .struct_size = sizeof out };
    return jmp_send(e, s, call_key, sizeof call_key, now, call_bytes, sizeof call_bytes, &out);
}
CALL(send_protected) { UNUSED; return jmp_send_protected(e, s, call_key, sizeof call_key, NULL, now); }
CALL(hold_payloads) { UNUSED; return jmp_session_hold_payloads(e, s, 1, now); }
CALL(poll_payload)
{
    UNUSED;
    jmp_payload out = { .struct_size = sizeof out };
    return jmp_poll_payload(e, now, call_bytes, sizeof call_bytes, &out);
}
CALL(send_batch) { UNUSED; size_t done; return jmp_send_batch(e, NULL, 0, NULL, 0, now, NULL, 0, &done); }
CALL(receive)
{
    UNUSED;
    jmp_address from = world_gateway_address(0);
    jmp_received out = { .struct_size = sizeof out };
    return jmp_receive(e, 0, &from, call_bytes, 40, now, &out);
}
CALL(receive_batch) { UNUSED; return jmp_receive_batch(e, NULL, 0, NULL, 0, now); }
CALL(poll_transmit)
{
    UNUSED;
    jmp_datagram out = { .struct_size = sizeof out };
    return jmp_poll_transmit(e, now, call_bytes, sizeof call_bytes, &out);
}
CALL(poll_event) { UNUSED; jmp_event out = { .struct_size = sizeof out }; return jmp_poll_event(e, &out); }
CALL(next_timeout) { UNUSED; jmp_time deadline; return jmp_next_timeout(e, &deadline); }
CALL(handle_timeout) { UNUSED; return jmp_handle_timeout(e, now); }

#define ENTRY(name, takes_session) { #name, takes_session, call_##name }
const struct endpoint_call endpoint_calls[] = {
    ENTRY(get_stats, false), ENTRY(set_wall_clock, false), ENTRY(set_static_key, false), ENTRY(add_psk, false),
    ENTRY(remove_psk, false), ENTRY(add_client_key, false), ENTRY(remove_client_key, false), ENTRY(transport_add, false),
    ENTRY(transport_set, false), ENTRY(transport_remove, false), ENTRY(transport_hint, false), ENTRY(connect, false),
    ENTRY(accept, true), ENTRY(refuse, true), ENTRY(unsent, true), ENTRY(close, true), ENTRY(get_info, true),
    ENTRY(get_session_stats, true), ENTRY(get_policy, true), ENTRY(get_paths, true), ENTRY(set_policy, true),
    ENTRY(path_add, true), ENTRY(path_remove, true), ENTRY(request_switch, true), ENTRY(rekey, true), ENTRY(explain, true),
    ENTRY(send, true), ENTRY(send_batch, false), ENTRY(receive, false), ENTRY(receive_batch, false),
    ENTRY(send_protected, true), ENTRY(hold_payloads, true), ENTRY(poll_payload, false), ENTRY(poll_transmit, false),
    ENTRY(poll_event, false), ENTRY(next_timeout, false), ENTRY(handle_timeout, false) };
const size_t endpoint_call_count = sizeof endpoint_calls / sizeof endpoint_calls[0];
