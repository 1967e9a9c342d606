/* A session that outlives its transport: client and gateway in one process, two paths in memory, virtual time. One path dies and
 * nobody is told. Prints the audit trail as JSON lines and a verdict.
 *   cc quickstart.c -o quickstart -ljumping        or        cc quickstart.c -o quickstart $(pkg-config --cflags --libs jumping) */
#include <jumping.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(call) do { jmp_status s = (call); if (s) fprintf(stderr, "%s: %s\n", #call, jmp_strerror(s)), exit(2); } while (0)
enum { CLIENT, GATEWAY };
static const jmp_address address[2] = { { .length = 1, .bytes = "A" }, { .length = 1, .bytes = "B" } };     /* any bytes will do */
static jmp_endpoint *node[2];
static jmp_time now = 1000000;                      /* microseconds; the library reads no clock */
static unsigned delivered, jumps;

static void deliver(int to, const jmp_datagram *datagram, uint8_t *bytes)
{
    jmp_received received = { .struct_size = sizeof received };
    if (datagram->transport == 0 && now > 2000000) return;              /* udp:A is dead after a second */
    now += 200;                                     /* so long is the way */
    MUST(jmp_receive(node[to], datagram->transport, &address[datagram->transport], bytes, datagram->length, now, &received));
    delivered += received.kind == JMP_RECEIVED_PAYLOAD;
}

static void take_turns(void)                        /* what hosts do after every call: timers, datagrams out, events */
{
    uint8_t bytes[JMP_DEFAULT_MTU];
    char json[2048];
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_event event = { .struct_size = sizeof event };
    for (int who = CLIENT, idle = 0; idle < 2; idle++, who = !who) {
        MUST(jmp_handle_timeout(node[who], now));
        for (; jmp_poll_transmit(node[who], now, bytes, sizeof bytes, &datagram) == JMP_OK; idle = 0) deliver(!who, &datagram, bytes);
        for (size_t length; jmp_poll_event(node[who], &event) == JMP_OK; puts(json)) {
            MUST(jmp_event_to_json(&event, json, sizeof json, &length));
            jumps += who == CLIENT && event.type == JMP_EVENT_TRANSPORT_SWITCH;
        }
    }
}

int main(void)
{
    jmp_session session;
    jmp_session_info before = { .struct_size = sizeof before }, after = before;
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_connect_config connect;
    uint8_t bytes[JMP_DEFAULT_MTU];
    uint32_t number;
    for (int who = CLIENT; who <= GATEWAY; who++) {
        jmp_config config;
        jmp_transport_config transport;
        MUST(jmp_config_init(&config));
        strcpy(config.node_id, who == CLIENT ? "client" : "gateway");
        MUST(jmp_endpoint_new(&config, NULL, now, &node[who]));
        for (int i = 0; i < 2; i++) {
            MUST(jmp_transport_config_init(&transport));
            strcpy(transport.name, i == 0 ? "udp:A" : "udp:B");
            MUST(jmp_transport_add(node[who], &transport, now, &number));
        }
    }
    MUST(jmp_connect_config_init(&connect));
    connect.transport = 0, connect.remote = address[0];
    memcpy(connect.psk, "a demonstration key, not secret", JMP_KEY_SIZE);
    MUST(jmp_endpoint_add_psk(node[GATEWAY], NULL, 0, connect.psk));
    MUST(jmp_connect(node[CLIENT], &connect, now, &session));
    MUST(jmp_path_add(node[CLIENT], session, 1, &address[1], now, &number));
    MUST(jmp_session_get_info(node[CLIENT], session, &before));
    take_turns();                                   /* the whole handshake */
    for (int ms = 0; ms < 2500; ms++, now += 1000, take_turns()) {
        if (ms % 5 != 0) continue;                  /* 200 payloads a second */
        MUST(jmp_send(node[CLIENT], session, (const uint8_t *)"hello", 5, now, bytes, sizeof bytes, &datagram));
        deliver(GATEWAY, &datagram, bytes);
        take_turns();
    }
    MUST(jmp_session_get_info(node[CLIENT], session, &after));
    int same = !memcmp(before.session_id, after.session_id, sizeof before.session_id);
    int passed = same && jumps == 1 && after.active_transport == 1 && after.state == JMP_STATE_ATTACHED && delivered >= 480;
    printf("verdict: %s: %u jump, session id %s, %s on %s, %u of 500 payloads delivered\n", passed ? "passed" : "FAILED", jumps,
           same ? "the same" : "CHANGED", jmp_state_name(after.state), after.active_transport ? "udp:B" : "udp:A", delivered);
    return jmp_endpoint_free(node[CLIENT]) || jmp_endpoint_free(node[GATEWAY]) || !passed;
}
