/* An echo gateway on UDP: accepts sessions by one passphrase, on any number of sockets, and sends every payload back: a protected
 * one as a protected one, through its channel.
 *
 *   cc gateway.c udp_*.c -o gateway -ljumping
 *   ./gateway --listen 127.0.0.1:4000 --listen [::1]:4000 --psk "a passphrase"
 *
 * Listen on concrete addresses: answers leave from the address that was asked. Port 0 picks a free one, which is printed.
 * Ends on SIGINT or SIGTERM, closes its sessions and exits 0; 2 is a wrong command line or a socket that cannot be had. */
#define _GNU_SOURCE
#include "udp_host.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_LISTEN = 26,            /* udp:A … udp:Z */
    SEND_BUFFER = 4 << 20       /* bytes of a session's protected echoes on their way: half of it holds the longest payload and a batch */
};

struct options {
    struct sockaddr_storage listen[MAX_LISTEN];
    size_t listen_count;
    const char *passphrase, *hint, *realm, *node_id, *trace;
};

struct gateway {
    jmp_session *sessions;      /* those that live, for a clean end */
    size_t count, capacity;
    uint64_t echoed;
};

static volatile sig_atomic_t is_asked_to_stop;

static void stop(int signal_number)
{
    (void)signal_number;
    is_asked_to_stop = 1;
}

static void echo(struct udp_host *host, jmp_session session, const uint8_t *bytes, size_t length)
{
    struct gateway *gateway = host->context;
    if (udp_host_send(host, session, bytes, length, udp_host_now()) == JMP_OK) gateway->echoed++;
}

/* Whether the echoes that a client has not acknowledged take more than this part, 1 / n, of what jmp_send_protected takes. */
static bool take_more_than(struct udp_host *host, jmp_session session, uint32_t n)
{
    jmp_session_info info = { .struct_size = sizeof info };
    return jmp_session_get_info(host->endpoint, session, &info) == JMP_OK
           && (info.send_buffered > SEND_BUFFER / n || info.protected_count > JMP_PROTECTED_COUNT_MAX / n);
}

/* A client that sends faster than it takes its echoes has to wait: when there is half of the room left for them, the library keeps what
 * comes, and then the client's, until there is more. */
static void echo_protected(struct udp_host *host, jmp_session session, uint32_t channel, const uint8_t *bytes, size_t length)
{
    struct gateway *gateway = host->context;
    jmp_payload_options options;
    jmp_time now = udp_host_now();
    jmp_payload_options_init(&options);
    options.channel = channel;
    options.report = 1;
    if (jmp_send_protected(host->endpoint, session, bytes, length, &options, now) == JMP_OK) gateway->echoed++;
    if (take_more_than(host, session, 2)) jmp_session_hold_payloads(host->endpoint, session, 1, now);
}

static void remember(struct gateway *gateway, jmp_session session)
{
    if (gateway->count == gateway->capacity) {
        size_t capacity = gateway->capacity ? 2 * gateway->capacity : 64;
        jmp_session *grown = realloc(gateway->sessions, capacity * sizeof *grown);
        if (!grown) return;     /* this one ends without a word when the gateway stops */
        gateway->sessions = grown;
        gateway->capacity = capacity;
    }
    gateway->sessions[gateway->count++] = session;
}

static void forget(struct gateway *gateway, jmp_session session)
{
    for (size_t i = 0; i < gateway->count; i++) {
        if (gateway->sessions[i] != session) continue;
        gateway->sessions[i] = gateway->sessions[--gateway->count];
        return;
    }
}

static void tell(struct udp_host *host, const jmp_event *event)
{
    char from[UDP_HOST_NAME_SIZE] = "", to[UDP_HOST_NAME_SIZE] = "";
    switch (event->type) {
    case JMP_EVENT_PAYLOAD_ACKNOWLEDGED:
        if (!take_more_than(host, event->session, 4))
            jmp_session_hold_payloads(host->endpoint, event->session, 0, udp_host_now());
        return;
    case JMP_EVENT_SESSION_ESTABLISHED:
        remember(host->context, event->session);
        printf("session %016llx established\n", (unsigned long long)event->session);
        break;
    case JMP_EVENT_TRANSPORT_SWITCH:
        if (event->from_address.length) udp_host_format(&event->from_address, from);
        if (event->to_address.length) udp_host_format(&event->to_address, to);
        printf("session %016llx jumped: %s %s -> %s %s\n", (unsigned long long)event->session, event->from_transport, from,
               event->to_transport, to);
        break;
    case JMP_EVENT_SESSION_TERMINATED:
        forget(host->context, event->session);
        printf("session %016llx ended: %s\n", (unsigned long long)event->session, jmp_reason_name(event->reason));
        break;
    default:
        return;
    }
    fflush(stdout);
}

static int usage(const char *why)
{
    fprintf(stderr, "gateway: %s\nusage: gateway --listen ADDR:PORT [--listen ADDR:PORT ...] --psk PASSPHRASE [--hint HINT] "
                    "[--realm REALM] [--node-id ID] [--trace FILE]\n", why);
    return 2;
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        { "listen", required_argument, NULL, 'l' }, { "psk", required_argument, NULL, 'p' },
        { "hint", required_argument, NULL, 'h' },   { "realm", required_argument, NULL, 'r' },
        { "node-id", required_argument, NULL, 'n' }, { "trace", required_argument, NULL, 't' },
        { NULL, 0, NULL, 0 } };
    int option;
    *options = (struct options){ .hint = "", .realm = "", .node_id = "gateway" };
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'l':
            if (options->listen_count == MAX_LISTEN) return usage("--listen: at most 26");
            if (udp_host_parse_address(optarg, true, &options->listen[options->listen_count++]))
                return usage("--listen: expected ADDR:PORT, with brackets around an IPv6 address");
            break;
        case 'p': options->passphrase = optarg; break;
        case 'h': options->hint = optarg; break;
        case 'r': options->realm = optarg; break;
        case 'n': options->node_id = optarg; break;
        case 't': options->trace = optarg; break;
        default: return usage("unknown option");
        }
    }
    if (optind != argc) return usage("unexpected argument");
    if (!options->listen_count) return usage("--listen is missing");
    if (!options->passphrase) return usage("--psk is missing");
    if (strlen(options->node_id) >= JMP_LABEL_SIZE) return usage("--node-id: at most 31 bytes");
    return 0;
}

static jmp_status make_endpoint(const struct options *options, jmp_endpoint **endpoint)
{
    uint8_t psk[JMP_KEY_SIZE];
    jmp_config config;
    jmp_status status = jmp_config_init(&config);
    config.flags = JMP_CONFIG_ACCEPT;
    config.send_buffer = SEND_BUFFER;
    config.wall_clock_offset_us = udp_host_wall_clock_offset();
    snprintf(config.node_id, sizeof config.node_id, "%s", options->node_id);
    if (status == JMP_OK) status = jmp_endpoint_new(&config, NULL, udp_host_now(), endpoint);
    if (status != JMP_OK) return status;
    status = jmp_psk_from_passphrase((const uint8_t *)options->passphrase, strlen(options->passphrase),
                                     (const uint8_t *)options->realm, strlen(options->realm),
                                     (const uint8_t *)options->hint, strlen(options->hint), psk);
    if (status == JMP_OK)
        status = jmp_endpoint_add_psk(*endpoint, (const uint8_t *)options->hint, strlen(options->hint), psk);
    explicit_bzero(psk, sizeof psk);
    if (status != JMP_OK) jmp_endpoint_free(*endpoint);
    return status;
}

static int listen_all(struct udp_host *host, const struct options *options)
{
    for (size_t i = 0; i < options->listen_count; i++) {
        struct sockaddr_storage bound;
        socklen_t length = sizeof bound;
        jmp_address address;
        char name[] = "udp:A", text[UDP_HOST_NAME_SIZE];
        name[4] = (char)('A' + i);
        int index = udp_host_add_socket(host, &options->listen[i], NULL, name, JMP_CLASS_UNSPECIFIED);
        if (index < 0 || getsockname(host->sockets[index].fd, (struct sockaddr *)&bound, &length) < 0) return -1;
        udp_host_to_jumping(&bound, &address);
        printf("%s listens on %s\n", name, udp_host_format(&address, text));
    }
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    static struct udp_host host;        /* its buffers are too large for some stacks */
    struct gateway gateway = { 0 };
    struct options options;
    jmp_endpoint *endpoint;
    sigset_t signals;
    if (parse(argc, argv, &options)) return 2;
    jmp_status status = make_endpoint(&options, &endpoint);
    if (status != JMP_OK) return usage(jmp_strerror(status));
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    sigaction(SIGINT, &(struct sigaction){ .sa_handler = stop }, NULL);
    sigaction(SIGTERM, &(struct sigaction){ .sa_handler = stop }, NULL);

    FILE *trace = options.trace ? fopen(options.trace, "w") : NULL;
    if (options.trace && !trace) return usage(strerror(errno));
    struct udp_host_callbacks callbacks = { .payload = echo, .protected_payload = echo_protected, .event = tell };
    if (udp_host_open(&host, endpoint, callbacks, &gateway)) return usage(strerror(errno));
    if (trace) setlinebuf(trace);       /* readable while the gateway runs */
    host.trace = trace;
    int result = listen_all(&host, &options) ? 2 : 0;
    while (!result && !is_asked_to_stop)
        if (udp_host_run_once(&host, JMP_TIME_NONE)) result = 1;

    for (size_t i = gateway.count; i > 0; i--)
        jmp_session_close(endpoint, gateway.sessions[i - 1], JMP_REASON_OPERATOR_TERMINATED, udp_host_now());
    udp_host_flush(&host, udp_host_now());
    printf("%llu payloads echoed\n", (unsigned long long)gateway.echoed);
    udp_host_close(&host);
    if (trace) fclose(trace);
    free(gateway.sessions);
    return result;
}
