/* A file, or any stream, from one process to another as protected payloads: whole and in order, also when a path dies under it.
 *
 *   cc transfer.c udp_*.c -o transfer -ljumping
 *   ./transfer --listen 127.0.0.1:4000 --listen 127.0.0.1:4001 --psk "a passphrase" >copy &
 *   ./transfer --to 127.0.0.1:4000 --to 127.0.0.1:4001 --psk "a passphrase" --kill-after 5000000 <file
 *
 * One path per address. The sender reads its standard input; --kill-after closes its first socket after so many bytes, telling nobody.
 * The receiver serves one session, writes to its standard output, and ends with the stream. Both tell the rest on standard error. Exit
 * status 0 when all of it arrived, 1 if not, 2 for a wrong command line. */
#define _GNU_SOURCE
#include "udp_host.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    CHANNEL = 1,                        /* 1 and above: in order */
    PIECE = 16384,                      /* bytes of a payload; an empty one is the end of the stream */
    MAX_PATHS = 4,
    FAREWELL_US = 5000000               /* how long the receiver answers, after the end, a sender that does not know it yet */
};

struct options {
    struct sockaddr_storage address[MAX_PATHS];
    size_t count;
    const char *passphrase;
    unsigned long kill_after;
    bool is_receiver;
};

struct run {
    const struct options *options;
    jmp_session session;
    bool is_established, is_over, has_failed;
    bool is_full;                       /* the library takes no more until it says Writable */
    bool is_at_end;                     /* the end of the stream was sent, or has come */
    unsigned switches;
    unsigned long bytes;
    size_t piece_length;                /* of a piece that was read and not taken yet */
    bool has_piece;
    uint8_t piece[PIECE];
};

/* ---------------------------------------------------------------- callbacks */

static void write_piece(struct udp_host *host, jmp_session session, uint32_t channel, const uint8_t *bytes, size_t length)
{
    struct run *run = host->context;
    if (!run->session) run->session = session;      /* its first datagram may bring a piece already; its events follow */
    if (session != run->session || channel != CHANNEL) return;
    if (length == 0) run->is_at_end = true;
    if (fwrite(bytes, 1, length, stdout) != length) run->has_failed = true;
    run->bytes += length;
}

static void on_event(struct udp_host *host, const jmp_event *event)
{
    struct run *run = host->context;
    if (!run->session) run->session = event->session;
    if (event->session != run->session) return;
    if (event->type == JMP_EVENT_SESSION_ESTABLISHED) run->is_established = true;
    if (event->type == JMP_EVENT_SESSION_TERMINATED) run->is_over = true;
    if (event->type == JMP_EVENT_TRANSPORT_SWITCH) run->switches++;
    if (event->type == JMP_EVENT_WRITABLE) run->is_full = false;
}

/* ------------------------------------------------------------- command line */

static int usage(const char *why)
{
    fprintf(stderr, "transfer: %s\nusage: transfer --listen ADDR:PORT [--listen ADDR:PORT ...] --psk PASSPHRASE >FILE\n"
                    "       transfer --to ADDR:PORT [--to ADDR:PORT ...] --psk PASSPHRASE [--kill-after BYTES] <FILE\n", why);
    return 2;
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option known[] = {
        { "listen", 1, NULL, 'l' }, { "to", 1, NULL, 't' }, { "psk", 1, NULL, 'p' }, { "kill-after", 1, NULL, 'k' }, { NULL, 0, NULL, 0 } };
    int option;
    *options = (struct options){ .count = 0 };
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        char *rest = "";
        switch (option) {
        case 'l':
        case 't':
            if (options->count == MAX_PATHS) return usage("at most 4 addresses");
            if (options->count && options->is_receiver != (option == 'l')) return usage("either --listen or --to");
            if (udp_host_parse_address(optarg, true, &options->address[options->count++]))
                return usage("expected ADDR:PORT, with brackets around an IPv6 address");
            options->is_receiver = option == 'l';
            break;
        case 'p': options->passphrase = optarg; break;
        case 'k': options->kill_after = strtoul(optarg, &rest, 10); break;
        default: return usage("unknown option");
        }
        if (*rest || (option == 'k' && !options->kill_after)) return usage("--kill-after: expected a number of bytes");
    }
    if (optind != argc) return usage("unexpected argument");
    if (!options->count) return usage("--listen or --to is missing");
    return options->passphrase ? 0 : usage("--psk is missing");
}

/* ------------------------------------------------------------------ sending */

/* Gives the library as much of the input as it takes. */
static void send_pieces(struct udp_host *host, struct run *run, jmp_time now)
{
    jmp_payload_options options;
    jmp_payload_options_init(&options);
    options.channel = CHANNEL;
    while (!run->is_full && !run->is_at_end && !run->has_failed) {
        if (!run->has_piece) run->piece_length = fread(run->piece, 1, PIECE, stdin);
        run->has_piece = true;
        jmp_status status = jmp_send_protected(host->endpoint, run->session, run->piece, run->piece_length, &options, now);
        if (status == JMP_OK) {
            run->has_piece = false;
            run->bytes += run->piece_length;
            run->is_at_end = run->piece_length == 0;
        } else if (status == JMP_AGAIN) {
            run->is_full = true;
        } else {
            run->has_failed = true;
        }
        if (run->options->kill_after && run->bytes >= run->options->kill_after) udp_host_kill_socket(host, 0);
    }
}

/* Everything to its end: the last piece was taken, and the peer has acknowledged every one. */
static bool send_all(struct udp_host *host, struct run *run)
{
    jmp_session_info info = { .struct_size = sizeof info };
    while (!run->is_over && !run->has_failed) {
        if (run->is_established) send_pieces(host, run, udp_host_now());
        if (jmp_session_get_info(host->endpoint, run->session, &info) == JMP_OK && run->is_at_end && info.protected_count == 0) return true;
        if (udp_host_run_once(host, JMP_TIME_NONE)) break;
    }
    return false;
}

static bool receive_all(struct udp_host *host, struct run *run)
{
    jmp_time end = JMP_TIME_NONE;
    while (!run->is_over && !run->has_failed && udp_host_now() < end) {
        if (udp_host_run_once(host, end)) break;
        if (run->is_at_end && end == JMP_TIME_NONE) end = udp_host_now() + FAREWELL_US;
    }
    return run->is_at_end && !run->has_failed && fflush(stdout) == 0;
}

/* ---------------------------------------------------------------- beginning */

/* One socket for each address; the receiver tells where it listens, the sender connects by the first and offers the others. */
static jmp_status begin(struct udp_host *host, struct run *run, const uint8_t psk[JMP_KEY_SIZE])
{
    const struct options *options = run->options;
    jmp_connect_config connect;
    jmp_status status = jmp_connect_config_init(&connect);
    memcpy(connect.psk, psk, sizeof connect.psk);
    if (options->is_receiver) status = jmp_endpoint_add_psk(host->endpoint, NULL, 0, psk);
    for (size_t i = 0; i < options->count && status == JMP_OK; i++) {
        struct sockaddr_storage local = { .ss_family = options->address[i].ss_family };
        socklen_t length = sizeof local;
        char name[] = "udp:A", text[UDP_HOST_NAME_SIZE];
        jmp_address address;
        uint32_t path;
        name[4] = (char)('A' + i);
        if (options->is_receiver) local = options->address[i];
        int index = udp_host_add_socket(host, &local, NULL, name, JMP_CLASS_UNSPECIFIED);
        if (index < 0) return JMP_ERR_TRANSPORT;
        udp_host_to_jumping(&options->address[i], &address);
        if (options->is_receiver && getsockname(host->sockets[index].fd, (struct sockaddr *)&local, &length) == 0) {
            udp_host_to_jumping(&local, &address);
            fprintf(stderr, "%s listens on %s\n", name, udp_host_format(&address, text));
        } else if (i == 0) {
            connect.transport = host->sockets[index].transport;
            connect.remote = address;
            status = jmp_connect(host->endpoint, &connect, udp_host_now(), &run->session);
        } else {
            status = jmp_path_add(host->endpoint, run->session, host->sockets[index].transport, &address, udp_host_now(), &path);
        }
    }
    explicit_bzero(connect.psk, sizeof connect.psk);
    return status;
}

int main(int argc, char **argv)
{
    static struct udp_host host;        /* its buffers are too large for some stacks */
    static struct run run;
    struct options options;
    uint8_t psk[JMP_KEY_SIZE];
    jmp_config config;
    jmp_endpoint *endpoint;
    if (parse(argc, argv, &options)) return 2;
    run.options = &options;
    jmp_status status = jmp_config_init(&config);
    config.flags = options.is_receiver ? JMP_CONFIG_ACCEPT : JMP_CONFIG_INITIATE;
    if (status == JMP_OK) status = jmp_endpoint_new(&config, NULL, udp_host_now(), &endpoint);
    if (status == JMP_OK)
        status = jmp_psk_from_passphrase((const uint8_t *)options.passphrase, strlen(options.passphrase), NULL, 0, NULL, 0, psk);
    if (status != JMP_OK) return usage(jmp_strerror(status));
    struct udp_host_callbacks callbacks = { .protected_payload = write_piece, .event = on_event };
    if (udp_host_open(&host, endpoint, callbacks, &run)) return usage(strerror(errno));
    status = begin(&host, &run, psk);
    explicit_bzero(psk, sizeof psk);
    if (status != JMP_OK) return usage(jmp_strerror(status));

    bool passed = options.is_receiver ? receive_all(&host, &run) : send_all(&host, &run);
    fprintf(stderr, "%s: %lu bytes %s, %u jumps\n", passed ? "passed" : "FAILED", run.bytes, options.is_receiver ? "received" : "sent", run.switches);
    if (!run.is_over) jmp_session_close(endpoint, run.session, JMP_REASON_OPERATOR_TERMINATED, udp_host_now());
    udp_host_flush(&host, udp_host_now());
    udp_host_close(&host);
    return passed ? 0 : 1;
}
