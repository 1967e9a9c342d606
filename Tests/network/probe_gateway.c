/* The gateway: accepts the client, echoes each payload at once; with a rate it
 * sends payloads of its own instead. Protected ones it notes. */
#include "probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct gateway {
    struct host host;
    struct stream stream;
    const struct options *options;
    uint64_t echoed, refused, pushed;
    jmp_time next_push;
};

/* Errors that a session in trouble may give; all others are mistakes of this program or the library. */
static void note_send(struct gateway *gateway, jmp_status status) {
    if (status == JMP_OK) return;
    if (status != JMP_AGAIN && status != JMP_ERR_NO_PATH && status != JMP_ERR_TERMINATED && status != JMP_ERR_SESSION)
        require(status, "jmp_send");
    gateway->refused++;
}

static void on_payload(struct host *host, jmp_session session, uint8_t *payload, size_t length, uint32_t transport, jmp_time now) {
    struct gateway *gateway = host->owner;
    (void)transport;
    (void)now;
    if (length > PAYLOAD_SIZE) return;
    uint8_t echo[PAYLOAD_SIZE];
    memcpy(echo, payload, length);
    note_send(gateway, host_send(host, session, echo, length));
    gateway->echoed++;
}

static void on_line(struct host *host, const char *line) {
    (void)host;
    (void)line;
}

/* Sends what is due of its own payloads; gives when the next one is. */
static jmp_time push_due(struct gateway *gateway) {
    struct host *host = &gateway->host;
    if (gateway->options->rate == 0 || !host->is_established || host->is_terminated) return JMP_TIME_NONE;
    jmp_time now = clock_us(), interval = 1000000 / gateway->options->rate;
    if (gateway->next_push == 0) gateway->next_push = now;
    if (now < gateway->next_push) return gateway->next_push;
    gateway->next_push += ((now - gateway->next_push) / interval + 1) * interval;
    uint8_t payload[PAYLOAD_SIZE];
    payload_fill(payload, sizeof payload, gateway->pushed, now);
    note_send(gateway, host_send(host, host->session, payload, sizeof payload));
    gateway->pushed++;
    return gateway->next_push;
}

static void print_summary(struct gateway *gateway) {
    static char text[SUMMARY_CAPACITY];
    size_t used;
    if (gateway->options->is_protected)
        used = stream_summary(&gateway->stream, text, sizeof text);
    else
        used = (size_t)snprintf(text, sizeof text, "\"echoed\":%" PRIu64 ",\"pushed\":%" PRIu64 ",\"refused\":%" PRIu64, gateway->echoed,
                                gateway->pushed, gateway->refused);
    text[used++] = ',';
    host_summary(&gateway->host, text + used, sizeof text - used);
    print_line("{\"t\":%" PRIu64 ",\"summary\":{\"role\":\"gateway\",%s}}", clock_us(), text);
}

int gateway_run(const struct options *options) {
    static struct gateway gateway;
    static const uint8_t hint[] = "probe";
    uint8_t psk[JMP_KEY_SIZE];
    for (size_t i = 0; i < JMP_KEY_SIZE; i++) psk[i] = (uint8_t)(i + 1);
    gateway.options = options;
    gateway.host.owner = &gateway;
    gateway.host.on_payload = on_payload;
    gateway.host.on_line = on_line;
    if (options->is_protected) stream_open(&gateway.stream, &gateway.host, options);
    jmp_config config;
    require(jmp_config_init(&config), "jmp_config_init");
    config.flags = JMP_CONFIG_ACCEPT;
    snprintf(config.node_id, sizeof config.node_id, "gateway");
    host_open(&gateway.host, options, &config);
    require(jmp_endpoint_add_psk(gateway.host.endpoint, hint, sizeof hint - 1, psk), "jmp_endpoint_add_psk");
    print_line("{\"t\":%" PRIu64 ",\"listening\":true}", clock_us());
    jmp_time wake_at = clock_us(), end = wake_at + options->duration_us;
    while (!gateway.host.input_closed && clock_us() < end) {
        host_wait(&gateway.host, wake_at < end ? wake_at : end);
        if (!options->is_protected) wake_at = push_due(&gateway);
        else wake_at = gateway.host.is_established ? stream_send(&gateway.stream, &gateway.host) : JMP_TIME_NONE;
    }
    print_summary(&gateway);
    require(jmp_endpoint_free(gateway.host.endpoint), "jmp_endpoint_free");
    return 0;
}
