/* An echo client on UDP that keeps its session when a socket dies: sends numbered payloads at a rate, measures what
 * comes back, and can close its first socket half way without telling anyone.
 *
 *   cc client.c udp_*.c -o client -ljumping
 *   ./client --gateway 127.0.0.1:4000 --psk "a passphrase" --rate 200 --count 1000 --kill-after 500
 *
 * One path per --gateway or --local, whichever are more, two at least; the shorter list is used again from its
 * beginning. With --protected none gets lost, however the paths fare: what is on its way when a socket dies comes later.
 * Exit status 0 only if all that was expected happened: the session was established, every payload came back but at most
 * --max-lost, the session id never changed, and after a kill the session jumped; 1 if not, 2 for a wrong command line. */
#define _GNU_SOURCE
#include "udp_host.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_PATHS = 4,                      /* the default policy: one active path and three candidates */
    HEADER_BYTES = 16,                  /* number and time of sending, in front of every payload */
    BURST = 16,                         /* payloads sent at once when the loop is late */
    WARM_UP_US = 1000000,               /* how long to wait for the standby paths before the first payload */
    LINGER_US = 2000000,                /* how long to wait for the last echoes */
    KILL_LOSS_US = 250000               /* traffic that a kill may cost, unless --max-lost says otherwise */
};

struct options {
    struct sockaddr_storage gateway[MAX_PATHS], local[MAX_PATHS];
    char interface[MAX_PATHS][JMP_NAME_SIZE];
    size_t gateway_count, local_count;
    const char *passphrase, *hint, *realm, *label, *trace;
    unsigned long rate, size, count, kill_after;
    long max_lost;                      /* -1: not given */
    bool announce_kill, protected_payloads, json;
};

struct run {
    const struct options *options;
    jmp_session session;
    uint8_t session_id[JMP_SESSION_ID_SIZE];
    bool is_established, is_over, id_changed;
    bool is_full;                       /* the library takes no more protected payloads until it says Writable */
    uint32_t end_reason;
    unsigned long sent, echoed, duplicates, switches;
    uint32_t *rtt_us;                   /* by payload number; 0: not back yet */
    jmp_time last_echo_at, longest_gap_us;
};

/* ---------------------------------------------------------------- callbacks */

static void on_payload(struct udp_host *host, jmp_session session, const uint8_t *bytes, size_t length)
{
    struct run *run = host->context;
    uint64_t header[2];
    jmp_time now = udp_host_now();
    if (session != run->session || length < HEADER_BYTES) return;
    memcpy(header, bytes, sizeof header);
    if (header[0] >= run->sent || header[1] > now) return;
    if (run->rtt_us[header[0]]) {
        run->duplicates++;
        return;
    }
    run->rtt_us[header[0]] = now > header[1] ? (uint32_t)(now - header[1]) : 1;
    run->echoed++;
    if (run->last_echo_at && now - run->last_echo_at > run->longest_gap_us) run->longest_gap_us = now - run->last_echo_at;
    run->last_echo_at = now;
}

static void on_event(struct udp_host *host, const jmp_event *event)
{
    struct run *run = host->context;
    static const uint8_t none[JMP_SESSION_ID_SIZE];
    if (event->session != run->session) return;
    if (memcmp(event->session_id, none, sizeof none)) {
        if (!memcmp(run->session_id, none, sizeof none)) memcpy(run->session_id, event->session_id, sizeof none);
        run->id_changed |= memcmp(run->session_id, event->session_id, sizeof none) != 0;
    }
    switch (event->type) {
    case JMP_EVENT_SESSION_ESTABLISHED: run->is_established = true; break;
    case JMP_EVENT_TRANSPORT_SWITCH: run->switches++; break;
    case JMP_EVENT_WRITABLE: run->is_full = false; break;
    case JMP_EVENT_SESSION_TERMINATED: run->is_over = true, run->end_reason = event->reason; break;
    default: break;
    }
    if (run->options->json) return;
    if (event->type == JMP_EVENT_SESSION_STATE_CHANGE)
        printf("%s -> %s (%s)\n", jmp_state_name(event->previous_state), jmp_state_name(event->new_state),
               jmp_reason_name(event->reason));
    if (event->type == JMP_EVENT_TRANSPORT_SWITCH)
        printf("jumped from %s to %s after %lu payloads\n", event->from_transport, event->to_transport, run->sent);
}

/* ------------------------------------------------------------- command line */

static int usage(const char *why)
{
    fprintf(stderr, "client: %s\nusage: client --gateway ADDR:PORT [--gateway ADDR:PORT ...] --psk PASSPHRASE [--hint HINT] "
                    "[--realm REALM]\n  [--local ADDR[%%INTERFACE] ...] [--rate PER_SECOND] [--size BYTES] [--count N] "
                    "[--kill-after N [--announce-kill]]\n  [--protected] [--max-lost N] [--label TEXT] [--trace FILE] [--json]\n", why);
    return 2;
}

/* A number in a range; false when it is none. */
static bool parse_number(const char *text, unsigned long low, unsigned long high, unsigned long *number)
{
    char *rest;
    if (*text < '0' || *text > '9') return false;
    *number = strtoul(text, &rest, 10);
    return !*rest && *number >= low && *number <= high;
}

/* ADDR, ADDR%INTERFACE or %INTERFACE. */
static int parse_local(const char *text, struct options *options)
{
    size_t i = options->local_count;
    const char *percent = strchr(text, '%');
    char address[UDP_HOST_NAME_SIZE];
    size_t length = percent ? (size_t)(percent - text) : strlen(text);
    if (i == MAX_PATHS || length >= sizeof address || (percent && strlen(percent + 1) >= sizeof options->interface[i])) return -1;
    memcpy(address, text, length);
    address[length] = 0;
    if (percent) strcpy(options->interface[i], percent + 1);
    if (length && udp_host_parse_address(address, false, &options->local[i])) return -1;
    options->local_count++;
    return 0;
}

static int parse_option(int option, const char *argument, struct options *options)
{
    unsigned long number;
    switch (option) {
    case 'g':
        if (options->gateway_count == MAX_PATHS) return usage("--gateway: at most 4");
        if (udp_host_parse_address(argument, true, &options->gateway[options->gateway_count++]))
            return usage("--gateway: expected ADDR:PORT, with brackets around an IPv6 address");
        return 0;
    case 'l': return parse_local(argument, options) ? usage("--local: expected ADDR, ADDR%INTERFACE or %INTERFACE, at most 4") : 0;
    case 'p': options->passphrase = argument; return 0;
    case 'h': options->hint = argument; return 0;
    case 'R': options->realm = argument; return 0;
    case 'L': options->label = argument; return 0;
    case 't': options->trace = argument; return 0;
    case 'a': options->announce_kill = true; return 0;
    case 'P': options->protected_payloads = true; return 0;
    case 'j': options->json = true; return 0;
    case 'r': return parse_number(argument, 1, 100000, &options->rate) ? 0 : usage("--rate: expected 1 ... 100000");
    case 's': return parse_number(argument, HEADER_BYTES, 1300, &options->size) ? 0 : usage("--size: expected 16 ... 1300");
    case 'c': return parse_number(argument, 1, 10000000, &options->count) ? 0 : usage("--count: expected 1 ... 10000000");
    case 'k': return parse_number(argument, 1, 10000000, &options->kill_after) ? 0 : usage("--kill-after: expected 1 ... 10000000");
    case 'm':
        if (!parse_number(argument, 0, 10000000, &number)) return usage("--max-lost: expected 0 ... 10000000");
        options->max_lost = (long)number;
        return 0;
    default: return usage("unknown option");
    }
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        { "gateway", 1, NULL, 'g' }, { "local", 1, NULL, 'l' }, { "psk", 1, NULL, 'p' }, { "hint", 1, NULL, 'h' },
        { "realm", 1, NULL, 'R' }, { "label", 1, NULL, 'L' }, { "trace", 1, NULL, 't' }, { "rate", 1, NULL, 'r' },
        { "size", 1, NULL, 's' }, { "count", 1, NULL, 'c' }, { "kill-after", 1, NULL, 'k' }, { "max-lost", 1, NULL, 'm' },
        { "announce-kill", 0, NULL, 'a' }, { "protected", 0, NULL, 'P' }, { "json", 0, NULL, 'j' }, { NULL, 0, NULL, 0 } };
    int option;
    *options = (struct options){ .hint = "", .realm = "", .label = "client", .rate = 200, .size = 200, .count = 1000, .max_lost = -1 };
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (parse_option(option, optarg, options)) return 2;
    if (optind != argc) return usage("unexpected argument");
    if (!options->gateway_count) return usage("--gateway is missing");
    if (!options->passphrase) return usage("--psk is missing");
    if (strlen(options->hint) > JMP_HINT_MAX) return usage("--hint: at most 32 bytes");
    if (strlen(options->label) >= JMP_LABEL_SIZE) return usage("--label: at most 31 bytes");
    if (options->kill_after >= options->count && options->kill_after) return usage("--kill-after: expected less than --count");
    return 0;
}

/* -------------------------------------------------------------- the session */

static jmp_status make_endpoint(jmp_endpoint **endpoint)
{
    jmp_config config;
    jmp_status status = jmp_config_init(&config);
    config.flags = JMP_CONFIG_INITIATE;
    config.wall_clock_offset_us = udp_host_wall_clock_offset();
    strcpy(config.node_id, "client");
    return status == JMP_OK ? jmp_endpoint_new(&config, NULL, udp_host_now(), endpoint) : status;
}

/* One socket per path: opens them, connects on the first and offers the others. Returns 0 or -1. */
static int connect_session(struct udp_host *host, struct run *run)
{
    const struct options *options = run->options;
    size_t paths = options->gateway_count > options->local_count ? options->gateway_count : options->local_count;
    jmp_connect_config connect;
    jmp_status status = jmp_connect_config_init(&connect);
    if (paths < 2) paths = 2;
    connect.hint_length = (uint32_t)strlen(options->hint);
    memcpy(connect.hint, options->hint, connect.hint_length);
    strcpy(connect.label, options->label);
    if (status == JMP_OK)
        status = jmp_psk_from_passphrase((const uint8_t *)options->passphrase, strlen(options->passphrase),
                                         (const uint8_t *)options->realm, strlen(options->realm),
                                         connect.hint, connect.hint_length, connect.psk);
    for (size_t i = 0; i < paths && status == JMP_OK; i++) {
        const struct sockaddr_storage *gateway = &options->gateway[i % options->gateway_count];
        struct sockaddr_storage local = { .ss_family = gateway->ss_family };
        size_t l = options->local_count ? i % options->local_count : 0;
        char name[] = "udp:A";
        jmp_address remote;
        uint32_t path;
        name[4] = (char)('A' + i);
        if (options->local_count && options->local[l].ss_family) local = options->local[l];
        int index = udp_host_add_socket(host, &local, options->local_count ? options->interface[l] : NULL, name, JMP_CLASS_UNSPECIFIED);
        if (index < 0) return -1;
        udp_host_to_jumping(gateway, &remote);
        if (i == 0) {
            connect.transport = host->sockets[index].transport;
            connect.remote = remote;
            status = jmp_connect(host->endpoint, &connect, udp_host_now(), &run->session);
            explicit_bzero(connect.psk, sizeof connect.psk);
        } else {
            status = jmp_path_add(host->endpoint, run->session, host->sockets[index].transport, &remote, udp_host_now(), &path);
        }
    }
    if (status != JMP_OK) fprintf(stderr, "client: %s\n", jmp_strerror(status));
    return status == JMP_OK ? 0 : -1;
}

/* Runs the loop until the session is established and, for a while, until its standby paths are warm. */
static void warm_up(struct udp_host *host, struct run *run)
{
    jmp_session_info info = { .struct_size = sizeof info };
    jmp_time give_up = JMP_TIME_NONE;
    while (!run->is_over && udp_host_now() < give_up) {
        if (udp_host_run_once(host, give_up == JMP_TIME_NONE ? give_up : udp_host_now() + 5000)) return;
        if (!run->is_established) continue;
        if (give_up == JMP_TIME_NONE) give_up = udp_host_now() + WARM_UP_US;
        if (jmp_session_get_info(host->endpoint, run->session, &info) == JMP_OK && info.candidate_count + 1 >= host->socket_count) return;
    }
}

static void send_one(struct udp_host *host, struct run *run, uint8_t *payload, jmp_time now)
{
    uint64_t header[2] = { run->sent, now };
    memcpy(payload, header, sizeof header);
    if (run->options->protected_payloads)
        run->is_full = jmp_send_protected(host->endpoint, run->session, payload, run->options->size, NULL, now) == JMP_AGAIN;
    else
        udp_host_send(host, run->session, payload, run->options->size, now);
    if (run->is_full) return;
    run->sent++;        /* a payload the library refuses for another reason is a lost one */
    if (run->sent != run->options->kill_after) return;
    udp_host_flush(host, now);
    udp_host_kill_socket(host, 0);
    if (run->options->announce_kill) jmp_transport_remove(host->endpoint, host->sockets[0].transport, now);
    if (!run->options->json) printf("closed the socket of udp:A after %lu payloads\n", run->sent);
}

/* Sends everything at its rate, then waits for the last echoes. */
static void exchange(struct udp_host *host, struct run *run)
{
    const struct options *options = run->options;
    uint8_t payload[UDP_HOST_DATAGRAM_SIZE] = { 0 };
    jmp_time start = udp_host_now(), give_up = JMP_TIME_NONE;
    while (!run->is_over && run->echoed < options->count) {
        jmp_time now = udp_host_now(), next = give_up;
        for (int i = 0; i < BURST && run->sent < options->count && !run->is_full && start + run->sent * 1000000 / options->rate <= now; i++)
            send_one(host, run, payload, now);
        if (run->is_full) next = JMP_TIME_NONE;
        else if (run->sent < options->count) next = start + run->sent * 1000000 / options->rate;
        else if (give_up == JMP_TIME_NONE) next = give_up = now + LINGER_US;
        else if (now >= give_up) return;
        if (udp_host_run_once(host, next)) return;
    }
}

/* ------------------------------------------------------------------ summary */

static int compare(const void *left, const void *right)
{
    uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;
    return (l > r) - (l < r);
}

/* Prints what happened. Returns whether it is what was expected. */
static bool summarize(struct run *run, uint32_t state)
{
    const struct options *options = run->options;
    unsigned long lost = run->sent - run->echoed, returned = 0;
    unsigned long allowed = options->kill_after && !options->protected_payloads ? options->rate * KILL_LOSS_US / 1000000 + 1 : 0;
    char id[2 * JMP_SESSION_ID_SIZE + 1];
    for (unsigned long i = 0; i < run->sent; i++)
        if (run->rtt_us[i]) run->rtt_us[returned++] = run->rtt_us[i];
    if (returned) qsort(run->rtt_us, returned, sizeof run->rtt_us[0], compare);
    double median_ms = returned ? run->rtt_us[returned / 2] / 1e3 : 0, worst_ms = returned ? run->rtt_us[returned - 1] / 1e3 : 0;
    double gap_ms = run->longest_gap_us / 1e3;
    if (options->max_lost >= 0) allowed = (unsigned long)options->max_lost;
    bool passed = run->is_established && run->sent == options->count && lost <= allowed && !run->id_changed && !run->is_over
                  && !run->duplicates && (!options->kill_after || run->switches >= 1);
    for (int i = 0; i < JMP_SESSION_ID_SIZE; i++) snprintf(id + 2 * i, 3, "%02x", run->session_id[i]);
    if (options->json)
        printf("{\"sent\":%lu,\"echoed\":%lu,\"lost\":%lu,\"duplicates\":%lu,\"gap_ms\":%.3f,\"rtt_median_ms\":%.3f,\"rtt_max_ms\":%.3f,"
               "\"switches\":%lu,\"session_id\":\"%s\",\"session_id_constant\":%s,\"state\":\"%s\",\"end_reason\":\"%s\",\"passed\":%s}\n",
               run->sent, run->echoed, lost, run->duplicates, gap_ms, median_ms, worst_ms, run->switches, id,
               run->id_changed ? "false" : "true", jmp_state_name(state), jmp_reason_name(run->end_reason), passed ? "true" : "false");
    else
        printf("%s: %lu sent, %lu echoed, %lu lost; RTT %.3f ms median, %.3f ms at most; longest gap %.3f ms; %lu jumps; "
               "session %s%s, %s%s%s\n",
               passed ? "passed" : "FAILED", run->sent, run->echoed, lost, median_ms, worst_ms, gap_ms, run->switches, id,
               run->id_changed ? " CHANGED" : " throughout", jmp_state_name(state), run->is_over ? ": " : "",
               run->is_over ? jmp_reason_name(run->end_reason) : "");
    return passed;
}

int main(int argc, char **argv)
{
    static struct udp_host host;        /* its buffers are too large for some stacks */
    struct options options;
    if (parse(argc, argv, &options)) return 2;
    struct run run = { .options = &options, .rtt_us = calloc(options.count, sizeof *run.rtt_us) };
    FILE *trace = options.trace ? fopen(options.trace, "w") : NULL;
    jmp_endpoint *endpoint;
    if (!run.rtt_us || (options.trace && !trace)) return usage(strerror(errno));
    jmp_status status = make_endpoint(&endpoint);
    if (status != JMP_OK) return usage(jmp_strerror(status));
    struct udp_host_callbacks callbacks = { .payload = on_payload, .event = on_event };
    if (udp_host_open(&host, endpoint, callbacks, &run)) return usage(strerror(errno));
    host.trace = trace;

    jmp_session_info info = { .struct_size = sizeof info };
    bool passed = false;
    if (connect_session(&host, &run) == 0) {
        warm_up(&host, &run);
        if (run.is_established) exchange(&host, &run);
        jmp_session_get_info(endpoint, run.session, &info);
        passed = summarize(&run, info.state);
        if (!run.is_over) jmp_session_close(endpoint, run.session, JMP_REASON_OPERATOR_TERMINATED, udp_host_now());
        udp_host_flush(&host, udp_host_now());
    }
    udp_host_close(&host);
    if (trace) fclose(trace);
    free(run.rtt_us);
    return passed ? 0 : 1;
}
