/* The client: connects over udp:A, offers udp:B as standby, sends payloads and
 * notes what comes back. */
#include "probe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct client {
    struct host host;
    struct ledger ledger;
    struct stream stream;
    const struct options *options;
    jmp_time sending_since, sending_until, next_send;
    uint64_t skipped, refused;
    int has_begun, is_warm;
};

static void on_payload(struct host *host, jmp_session session, uint8_t *payload, size_t length, uint32_t transport, jmp_time now) {
    struct client *client = host->owner;
    (void)session;
    ledger_note(&client->ledger, payload, length, transport, now);
}

static void on_line(struct host *host, const char *line) {
    struct client *client = host->owner;
    ledger_line(&client->ledger, line);
}

static void begin(struct client *client) {
    static const uint8_t hint[] = "probe";
    jmp_connect_config config;
    require(jmp_connect_config_init(&config), "jmp_connect_config_init");
    config.transport = client->host.transports[0].number;
    address_make(&config.remote, client->options->remote[0], client->options->port);
    config.hint_length = sizeof hint - 1;
    memcpy(config.hint, hint, sizeof hint - 1);
    for (size_t i = 0; i < JMP_KEY_SIZE; i++) config.psk[i] = (uint8_t)(i + 1);
    snprintf(config.label, sizeof config.label, "network-test");
    jmp_session session;
    require(jmp_connect(client->host.endpoint, &config, clock_us(), &session), "jmp_connect");
    host_drain(&client->host);
}

/* Once established: offers udp:B and begins to send. Says when the standby is validated, or at once when there is none. */
static void grow(struct client *client, jmp_time now) {
    struct host *host = &client->host;
    if (!host->is_established || client->is_warm || host->is_terminated) return;
    if (!client->has_begun && !client->options->is_alone) {
        jmp_address remote;
        uint32_t path;
        address_make(&remote, client->options->remote[1], client->options->port);
        require(jmp_path_add(host->endpoint, host->session, host->transports[1].number, &remote, now, &path), "jmp_path_add");
        host_drain(host);
    }
    if (!client->has_begun) {
        client->has_begun = 1;
        client->sending_since = client->next_send = now;
        client->sending_until = now + client->options->duration_us;
    }
    jmp_session_info info = {.struct_size = sizeof info};
    require(jmp_session_get_info(host->endpoint, host->session, &info), "jmp_session_get_info");
    if (info.candidate_count == 0 && !client->options->is_alone) return;
    client->is_warm = 1;
    host->worst_wake_us = 0; /* the machine's lateness matters from here on */
    print_line("{\"t\":%" PRIu64 ",\"warm\":true}", now);
}

/* Sends when it is time. A payload whose time passed while the host was away is not sent late: that is what a source of
 * live data does. */
static void send_due(struct client *client, jmp_time now) {
    struct host *host = &client->host;
    jmp_time interval = 1000000 / client->options->rate;
    if (now < client->next_send || host->is_terminated || client->ledger.sent >= client->ledger.capacity) return;
    uint64_t missed = (now - client->next_send) / interval;
    client->skipped += missed;
    client->next_send += (missed + 1) * interval;
    uint8_t payload[PAYLOAD_SIZE];
    uint64_t sequence = client->ledger.sent;
    payload_fill(payload, sizeof payload, sequence, now);
    client->ledger.records[sequence].sent_at = now;
    jmp_status status = host_send(host, host->session, payload, sizeof payload);
    if (status == JMP_ERR_TERMINATED || status == JMP_ERR_SESSION) return;
    if (status != JMP_OK && status != JMP_AGAIN && status != JMP_ERR_NO_PATH) require(status, "jmp_send");
    client->ledger.sent++; /* what the library or the socket refused is lost to the application */
    client->refused += status != JMP_OK;
}

static void print_summary(struct client *client) {
    static char text[SUMMARY_CAPACITY];
    size_t used;
    if (client->options->is_protected) {
        used = stream_summary(&client->stream, text, sizeof text);
    } else {
        used = ledger_summary(&client->ledger, (int)client->options->is_one_way, text, sizeof text);
        used += (size_t)snprintf(text + used, sizeof text - used, ",\"skipped\":%" PRIu64 ",\"refused\":%" PRIu64, client->skipped,
                                 client->refused);
    }
    text[used++] = ',';
    host_summary(&client->host, text + used, sizeof text - used);
    print_line("{\"t\":%" PRIu64 ",\"summary\":{\"role\":\"client\",%s}}", clock_us(), text);
}

/* Sends until its time is over or it is told to stop; gives the time. */
static jmp_time run(struct client *client) {
    struct host *host = &client->host;
    jmp_time now = clock_us(), give_up = now + 15000000;
    while (!host->input_closed) {
        int sends = client->has_begun && client->options->rate > 0 && !client->options->is_one_way && !client->options->is_protected;
        jmp_time wake_at = client->has_begun ? client->sending_until : give_up;
        if (sends && client->next_send < wake_at && !host->is_terminated) wake_at = client->next_send;
        if (client->has_begun && client->options->is_protected) {
            jmp_time next = stream_send(&client->stream, host);
            if (next < wake_at) wake_at = next;
        }
        now = host_wait(host, wake_at);
        grow(client, now);
        if (now >= (client->has_begun ? client->sending_until : give_up)) break;
        if (sends) send_due(client, clock_us());
    }
    return now;
}

int client_run(const struct options *options) {
    static struct client client;
    client.options = options;
    client.host.owner = &client;
    client.host.on_payload = on_payload;
    client.host.on_line = on_line;
    ledger_open(&client.ledger, options->capacity, PAYLOAD_SIZE);
    if (options->is_protected) stream_open(&client.stream, &client.host, options);
    jmp_config config;
    require(jmp_config_init(&config), "jmp_config_init");
    config.flags = JMP_CONFIG_INITIATE;
    snprintf(config.node_id, sizeof config.node_id, "client");
    host_open(&client.host, options, &config);
    begin(&client);
    client.ledger.sending_ended_at = run(&client);
    jmp_time linger_until = client.ledger.sending_ended_at + options->linger_us;
    while (clock_us() < linger_until) host_wait(&client.host, linger_until);
    print_summary(&client);
    require(jmp_endpoint_free(client.host.endpoint), "jmp_endpoint_free");
    return 0;
}
