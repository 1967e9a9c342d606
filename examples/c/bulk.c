/* As many payloads as go from one process to another, and what that costs: a measure, and an example of sending in batches.
 *
 *   cc bulk.c udp_*.c -o bulk -ljumping
 *   ./bulk --listen 127.0.0.1:4000 --psk "a passphrase" &
 *   ./bulk --to 127.0.0.1:4000 --psk "a passphrase" --seconds 5
 *
 * The sender keeps no more on its way than a socket buffer holds: the receiver answers every STRIDE-th payload with its number
 * and how many have come. The receiver serves one session and ends with it. Each prints one line of JSON; `cpu_s` is
 * what its process used from the first payload to the last. Exit status 0 when the session was there and less than 1 % was
 * lost, 1 if not, 2 for a wrong command line. */
#define _GNU_SOURCE
#include "udp_host.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    BURST = 64,                         /* payloads sealed at once */
    STRIDE = 16,
    STALL_US = 20000,                   /* without an answer for so long, what is on its way counts as lost */
    GIVE_UP_US = 10000000               /* the receiver's patience when nothing comes any more */
};

struct options {
    struct sockaddr_storage address;
    const char *passphrase;
    unsigned long seconds, size;
    uint32_t suites;
    bool is_receiver, is_plain;
};

struct answer {
    uint64_t number, received;
};

struct run {
    const struct options *options;
    jmp_session session;
    bool is_established, is_over;
    uint32_t suite;
    uint64_t window;                    /* payloads that may be on their way */
    uint64_t sent, answered, received, bytes;   /* payloads; answered: all below this number have come or are lost */
    jmp_time first_at, last_at;
    double cpu_at_first, cpu_at_last;
};

static double cpu_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* Marks the time of the first payload, then of the latest one looked at. */
static void mark(struct run *run)
{
    run->last_at = udp_host_now();
    run->cpu_at_last = cpu_seconds();
    if (run->first_at) return;
    run->first_at = run->last_at;
    run->cpu_at_first = run->cpu_at_last;
}

/* ---------------------------------------------------------------- callbacks */

static void on_payload_at_receiver(struct udp_host *host, jmp_session session, const uint8_t *bytes, size_t length)
{
    struct run *run = host->context;
    struct answer answer = { .received = ++run->received };
    run->bytes += length;
    if (length < sizeof answer.number) return;
    memcpy(&answer.number, bytes, sizeof answer.number);
    if (run->first_at && (answer.number + 1) % STRIDE) return;
    mark(run);
    udp_host_send(host, session, &answer, sizeof answer, run->last_at);
}

static void on_payload_at_sender(struct udp_host *host, jmp_session session, const uint8_t *bytes, size_t length)
{
    struct run *run = host->context;
    struct answer answer;
    if (session != run->session || length != sizeof answer) return;
    memcpy(&answer, bytes, sizeof answer);
    if (answer.number >= run->sent || answer.received > run->sent) return;
    if (answer.number + 1 > run->answered) run->answered = answer.number + 1;
    if (answer.received > run->received) run->received = answer.received;
}

static void on_event(struct udp_host *host, const jmp_event *event)
{
    struct run *run = host->context;
    if (event->type == JMP_EVENT_SESSION_ESTABLISHED) {
        run->is_established = true;
        run->session = event->session;
        run->suite = event->suite;
    }
    if (event->type == JMP_EVENT_SESSION_TERMINATED) run->is_over = true;
}

/* ------------------------------------------------------------- command line */

static int usage(const char *why)
{
    fprintf(stderr, "bulk: %s\nusage: bulk --listen ADDR:PORT --psk PASSPHRASE [--no-offload]\n"
                    "       bulk --to ADDR:PORT --psk PASSPHRASE [--seconds N] [--size BYTES] [--suite NAME] [--no-offload]\n", why);
    return 2;
}

static bool parse_number(const char *text, unsigned long low, unsigned long high, unsigned long *number)
{
    char *rest;
    if (*text < '0' || *text > '9') return false;
    *number = strtoul(text, &rest, 10);
    return !*rest && *number >= low && *number <= high;
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        { "listen", 1, NULL, 'l' }, { "to", 1, NULL, 't' }, { "psk", 1, NULL, 'p' }, { "seconds", 1, NULL, 'n' },
        { "size", 1, NULL, 's' }, { "suite", 1, NULL, 'u' }, { "no-offload", 0, NULL, 'o' }, { NULL, 0, NULL, 0 } };
    int option;
    *options = (struct options){ .seconds = 5, .size = 1200, .suites = JMP_SUITE_ALL };
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        switch (option) {
        case 'l':
        case 't':
            if (options->address.ss_family) return usage("one --listen or --to is enough");
            if (udp_host_parse_address(optarg, true, &options->address)) return usage("expected ADDR:PORT, with brackets around an IPv6 address");
            options->is_receiver = option == 'l';
            break;
        case 'p': options->passphrase = optarg; break;
        case 'o': options->is_plain = true; break;
        case 'n':
            if (!parse_number(optarg, 1, 3600, &options->seconds)) return usage("--seconds: expected 1 ... 3600");
            break;
        case 's':
            if (!parse_number(optarg, sizeof(struct answer), UDP_HOST_MTU, &options->size)) return usage("--size: expected 16 ... the mtu");
            break;
        case 'u':
            for (options->suites = 1; options->suites & JMP_SUITE_ALL && strcmp(optarg, jmp_suite_name(options->suites));) options->suites *= 2;
            if (!(options->suites & JMP_SUITE_ALL)) return usage("--suite: expected AEGIS-256, AES-256-GCM or ChaCha20-Poly1305");
            break;
        default: return usage("unknown option");
        }
    }
    if (optind != argc) return usage("unexpected argument");
    if (!options->address.ss_family) return usage("--listen or --to is missing");
    return options->passphrase ? 0 : usage("--psk is missing");
}

/* ---------------------------------------------------------------- two roles */

static jmp_status make_endpoint(const struct options *options, uint8_t psk[JMP_KEY_SIZE], jmp_endpoint **endpoint)
{
    jmp_config config;
    jmp_status status = jmp_config_init(&config);
    config.flags = options->is_receiver ? JMP_CONFIG_ACCEPT : JMP_CONFIG_INITIATE;
    config.suites = options->suites;
    if (status == JMP_OK) status = jmp_endpoint_new(&config, NULL, udp_host_now(), endpoint);
    if (status == JMP_OK)
        status = jmp_psk_from_passphrase((const uint8_t *)options->passphrase, strlen(options->passphrase), NULL, 0, NULL, 0, psk);
    if (status == JMP_OK && options->is_receiver) status = jmp_endpoint_add_psk(*endpoint, NULL, 0, psk);
    return status;
}

/* Tells where it listens, then serves one session to its end. */
static void receive_all(struct udp_host *host, struct run *run)
{
    struct sockaddr_storage bound;
    socklen_t length = sizeof bound;
    jmp_address address;
    char text[UDP_HOST_NAME_SIZE];
    if (getsockname(host->sockets[0].fd, (struct sockaddr *)&bound, &length)) return;
    udp_host_to_jumping(&bound, &address);
    printf("listens on %s\n", udp_host_format(&address, text));
    fflush(stdout);
    while (!run->is_over && (!run->first_at || udp_host_now() < run->last_at + GIVE_UP_US))
        if (udp_host_run_once(host, udp_host_now() + GIVE_UP_US)) return;
}

/* Half of what a socket buffer like our own holds: the kernel counts a datagram with up to twice its bytes, and its own records. */
static uint64_t window_of(int fd, size_t size)
{
    int buffer = 0;
    socklen_t length = sizeof buffer;
    getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, &length);
    uint64_t window = (uint64_t)buffer / 2 / (2 * size + 512);
    return window < BURST ? BURST : window;
}

/* Sends bursts while the window is open; sleeps while it is not. */
static void send_all(struct udp_host *host, struct run *run)
{
    static uint8_t payloads[BURST * UDP_HOST_DATAGRAM_SIZE];
    const size_t size = run->options->size;
    run->window = window_of(host->sockets[0].fd, size);
    while (!run->is_over && !run->is_established)
        if (udp_host_run_once(host, JMP_TIME_NONE)) return;
    mark(run);
    const jmp_time end = run->first_at + run->options->seconds * 1000000;
    jmp_time now = run->first_at, answered_at = now;
    for (uint64_t answered = 0; !run->is_over && now < end; now = udp_host_now()) {
        if (run->answered != answered) answered = run->answered, answered_at = now;
        if (now > answered_at + STALL_US) run->answered = answered = run->sent, answered_at = now;
        while (run->sent - run->answered + BURST <= run->window) {
            for (uint64_t i = 0; i < BURST; i++) {
                const uint64_t number = run->sent + i;
                memcpy(payloads + i * size, &number, sizeof number);
            }
            if (udp_host_send_many(host, run->session, payloads, size, BURST, now) != BURST) run->is_over = true;
            run->sent += BURST;
            if (run->is_over) break;
            udp_host_flush(host, now);
        }
        if (udp_host_run_once(host, answered_at + STALL_US + 1)) return;
    }
    const jmp_time give_up = now + STALL_US;
    while (!run->is_over && run->received < run->sent && udp_host_now() < give_up)
        if (udp_host_run_once(host, give_up)) return;
    mark(run);
    run->bytes = run->received * size;
}

static int connect_session(struct udp_host *host, struct run *run, const uint8_t psk[JMP_KEY_SIZE])
{
    jmp_connect_config connect;
    jmp_connect_config_init(&connect);
    connect.transport = host->sockets[0].transport;
    udp_host_to_jumping(&run->options->address, &connect.remote);
    memcpy(connect.psk, psk, sizeof connect.psk);
    jmp_status status = jmp_connect(host->endpoint, &connect, udp_host_now(), &run->session);
    explicit_bzero(connect.psk, sizeof connect.psk);
    if (status != JMP_OK) fprintf(stderr, "bulk: %s\n", jmp_strerror(status));
    return status == JMP_OK ? 0 : -1;
}

/* One line of JSON. Returns whether all went well. */
static bool summarize(struct udp_host *host, const struct run *run)
{
    jmp_session_info info = { .struct_size = sizeof info };
    jmp_session_stats stats = { .struct_size = sizeof stats };
    const double seconds = (double)(run->last_at - run->first_at) / 1e6, cpu_s = run->cpu_at_last - run->cpu_at_first;
    const uint64_t lost = run->options->is_receiver ? 0 : run->sent - run->received;
    const bool passed = run->is_established && run->received > 0 && lost * 100 <= run->sent;
    jmp_session_get_info(host->endpoint, run->session, &info);
    jmp_session_get_stats(host->endpoint, run->session, &stats);
    printf("{\"role\":\"%s\",\"suite\":\"%s\",\"gso\":%s,\"gro\":%s,\"payloads\":%llu,\"bytes\":%llu,\"lost\":%llu,\"seconds\":%.6f,"
           "\"gbit_per_s\":%.3f,\"cpu_s\":%.6f,\"datagrams_sent\":%llu,\"datagrams_received\":%llu,\"srtt_us\":%u,\"passed\":%s}\n",
           run->options->is_receiver ? "receiver" : "sender", jmp_suite_name(run->suite), host->sockets[0].has_gso ? "true" : "false",
           host->sockets[0].has_gro ? "true" : "false", (unsigned long long)run->received, (unsigned long long)run->bytes,
           (unsigned long long)lost, seconds, seconds > 0 ? (double)run->bytes * 8 / seconds / 1e9 : 0, cpu_s,
           (unsigned long long)stats.datagrams_sent, (unsigned long long)stats.datagrams_received, info.srtt_us, passed ? "true" : "false");
    return passed;
}

int main(int argc, char **argv)
{
    static struct udp_host host;        /* its buffers are too large for some stacks */
    struct options options;
    uint8_t psk[JMP_KEY_SIZE];
    jmp_endpoint *endpoint;
    if (parse(argc, argv, &options)) return 2;
    struct run run = { .options = &options };
    struct sockaddr_storage local = { .ss_family = options.address.ss_family };
    jmp_status status = make_endpoint(&options, psk, &endpoint);
    if (status != JMP_OK) return usage(jmp_strerror(status));
    struct udp_host_callbacks callbacks = { .event = on_event,
                                            .payload = options.is_receiver ? on_payload_at_receiver : on_payload_at_sender };
    if (udp_host_open(&host, endpoint, callbacks, &run)) return usage(strerror(errno));
    host.is_plain = options.is_plain;
    if (udp_host_add_socket(&host, options.is_receiver ? &options.address : &local, NULL, "udp:A", JMP_CLASS_UNSPECIFIED) < 0) return 2;

    if (options.is_receiver) receive_all(&host, &run);
    else if (connect_session(&host, &run, psk) == 0) send_all(&host, &run);
    explicit_bzero(psk, sizeof psk);
    bool passed = summarize(&host, &run);
    if (!run.is_over) jmp_session_close(endpoint, run.session, JMP_REASON_OPERATOR_TERMINATED, udp_host_now());
    udp_host_flush(&host, udp_host_now());
    udp_host_close(&host);
    return passed ? 0 : 1;
}
