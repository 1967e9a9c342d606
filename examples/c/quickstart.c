/* A session that outlives its transport, in one process and virtual time: a client and a gateway, an in-memory link with
 * two paths of 10 ms each. One path dies and nobody is told. Prints the audit trail as JSON lines and a verdict.
 *
 *   cc quickstart.c -o quickstart -ljumping        or        cc quickstart.c -o quickstart $(pkg-config --cflags --libs jumping)
 */
#include <jumping.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENT, GATEWAY, DELAY_US = 10000, SLOTS = 256 };
static struct flight { jmp_time due; int from; jmp_datagram datagram; uint8_t bytes[JMP_DEFAULT_MTU]; } flights[SLOTS];
static unsigned first, last, delivered, jumps;          /* flights first … last - 1 are under way */
static jmp_endpoint *node[2];
static jmp_time now = 1000000;                          /* microseconds; the library reads no clock */
static uint32_t dead = JMP_TRANSPORT_NONE;              /* this transport swallows everything */

static void must(jmp_status status)
{
    if (status != JMP_OK) fprintf(stderr, "%s\n", jmp_strerror(status)), exit(2);
}

static jmp_address path_address(uint32_t transport)     /* opaque to the library: any bytes will do */
{
    jmp_address address = { .length = 1, .bytes = { (uint8_t)(1 + transport) } };
    return address;
}

static void put_on_link(int from, const jmp_datagram *datagram, const uint8_t *bytes)
{
    struct flight *flight = &flights[last % SLOTS];
    if (datagram->transport == dead || last - first == SLOTS) return;
    *flight = (struct flight){ .due = now + DELAY_US, .from = from, .datagram = *datagram };
    memcpy(flight->bytes, bytes, datagram->length);
    last++;
}

static void drain(int who)                              /* what every host does after every call */
{
    uint8_t bytes[JMP_DEFAULT_MTU];
    char json[2048];
    size_t length;
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    jmp_event event = { .struct_size = sizeof event };
    while (jmp_poll_transmit(node[who], now, bytes, sizeof bytes, &datagram) == JMP_OK) put_on_link(who, &datagram, bytes);
    while (jmp_poll_event(node[who], &event) == JMP_OK) {
        must(jmp_event_to_json(&event, json, sizeof json, &length));
        puts(json);
        jumps += who == CLIENT && event.type == JMP_EVENT_TRANSPORT_SWITCH;
    }
}

static void let_time_pass(void)                         /* a millisecond: what is due arrives, then timers run */
{
    now += 1000;
    for (; first != last && flights[first % SLOTS].due <= now; first++) {
        struct flight *flight = &flights[first % SLOTS];
        jmp_address source = path_address(flight->datagram.transport);
        jmp_received received = { .struct_size = sizeof received };
        must(jmp_receive(node[!flight->from], flight->datagram.transport, &source, flight->bytes, flight->datagram.length, now, &received));
        delivered += received.kind == JMP_RECEIVED_PAYLOAD;
        drain(!flight->from);
    }
    for (int who = CLIENT; who <= GATEWAY; who++) must(jmp_handle_timeout(node[who], now)), drain(who);
}

int main(void)
{
    const uint8_t psk[JMP_KEY_SIZE] = "a demonstration key, not secret";
    uint32_t number, path;
    jmp_session session;
    jmp_connect_config connect;
    for (int who = CLIENT; who <= GATEWAY; who++) {
        jmp_config config;
        must(jmp_config_init(&config));
        strcpy(config.node_id, who == CLIENT ? "client" : "gateway");
        must(jmp_endpoint_new(&config, NULL, now, &node[who]));
        for (int i = 0; i < 2; i++) {
            jmp_transport_config transport;
            must(jmp_transport_config_init(&transport));
            strcpy(transport.name, i == 0 ? "udp:A" : "udp:B");
            must(jmp_transport_add(node[who], &transport, now, &number));
        }
    }
    must(jmp_endpoint_add_psk(node[GATEWAY], NULL, 0, psk));

    must(jmp_connect_config_init(&connect));
    connect.transport = 0;
    connect.remote = path_address(0);
    memcpy(connect.psk, psk, sizeof psk);
    must(jmp_connect(node[CLIENT], &connect, now, &session));
    jmp_address second = path_address(1);
    must(jmp_path_add(node[CLIENT], session, 1, &second, now, &path));
    drain(CLIENT);

    jmp_session_info before = { .struct_size = sizeof before }, after = before;
    for (int i = 0; i < 200; i++) let_time_pass();                              /* handshake; both paths become warm */
    must(jmp_session_get_info(node[CLIENT], session, &before));
    for (uint32_t sent = 0; sent < 500; sent++) {                               /* 200 payloads a second */
        uint8_t bytes[JMP_DEFAULT_MTU];
        jmp_datagram datagram = { .struct_size = sizeof datagram };
        if (sent == 200 && jumps == 0) dead = 0;                                /* udp:A dies */
        must(jmp_send(node[CLIENT], session, (const uint8_t *)&sent, sizeof sent, now, bytes, sizeof bytes, &datagram));
        put_on_link(CLIENT, &datagram, bytes);
        drain(CLIENT);
        for (int i = 0; i < 5; i++) let_time_pass();
    }
    must(jmp_session_get_info(node[CLIENT], session, &after));
    int same = !memcmp(before.session_id, after.session_id, sizeof before.session_id);
    int passed = same && dead == 0 && jumps == 1 && after.active_transport == 1 && after.state == JMP_STATE_ATTACHED && delivered >= 480;
    printf("verdict: %s: %u jump, session id %s, %s on %s, %u of 500 payloads delivered\n", passed ? "passed" : "FAILED", jumps,
           same ? "the same" : "CHANGED", jmp_state_name(after.state), after.active_transport ? "udp:B" : "udp:A", delivered);
    for (int who = CLIENT; who <= GATEWAY; who++) must(jmp_endpoint_free(node[who]));
    return !passed;
}
