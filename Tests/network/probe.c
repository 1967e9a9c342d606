/* probe: payloads over a libjumping session, each noted with its times.
 *
 *     probe gateway --netns FILE --local A,B [options]
 *     probe client  --netns FILE --local A,B --remote A,B [options]
 *
 * The gateway echoes every payload at once, and with --rate sends payloads of
 * its own. The client sends --rate payloads a second of 64 bytes (sequence
 * number, time, pattern) for --duration seconds over udp:A with udp:B as warm
 * standby, then listens for --linger seconds more.
 *
 *     --netns FILE       network namespace to enter first
 *     --local A,B        own IPv4 addresses of udp:A and udp:B
 *     --remote A,B       the gateway's
 *     --port N           the gateway's port (default 7000)
 *     --rate N           payloads per second, 0 ... 10000 (default 0)
 *     --duration S, --linger S
 *     --protected        both: protected payloads, --rate of them in each direction,
 *                        noted where they come; nothing is echoed
 *     --bulk             with it: only the client sends, as much as the library takes
 *     --size N           bytes of a protected payload (default 64)
 *     --buffer N         bytes of send_buffer and receive_buffer
 *     --mtu N            bytes of the largest datagram
 *     --alone            client: offers no standby
 *     --one-way          client: sends nothing, notes what the gateway sends
 *     --netlink          client: hints from netlink when an interface goes down
 *     --priority N       SCHED_FIFO priority, 0: none
 *     --policy NAME=N    a field of jmp_policy, any number of times
 *
 * Prints JSON lines: {"event":...} for every event of the library, {"bound":...}
 * when the active path changes, {"warm":...} once a standby is validated, in bulk
 * {"progress":BYTES} every 50 ms at the receiver, at the end {"summary":...}. Every line has "t", CLOCK_BOOTTIME in microseconds.
 *
 * Standard input: "fault FROM UNTIL" says between which times (CLOCK_BOOTTIME,
 * microseconds) the network was disturbed; "hint A|B up|down" tells the library
 * about a transport; "quiet" ends the sending of protected payloads, answered by
 * {"settled":...} when all were acknowledged or 10 s have passed; "stop", or the end of input, ends the program with its
 * summary. */
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SPARE_RECORDS 4096

void print_line(const char *format, ...) {
    static char line[SUMMARY_CAPACITY + 4096];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    if (length < 0) return;
    if ((size_t)length > sizeof line - 2) length = (int)sizeof line - 2;
    line[length++] = '\n';
    for (int written = 0; written < length;) {
        ssize_t count = write(STDOUT_FILENO, line + written, (size_t)(length - written));
        if (count < 0 && errno != EINTR) exit(1); /* nobody reads any more */
        if (count > 0) written += (int)count;
    }
}

void fail(const char *what) {
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(1);
}

void require(jmp_status status, const char *what) {
    if (status == JMP_OK) return;
    fprintf(stderr, "probe: %s: %s (%d)\n", what, jmp_strerror(status), (int)status);
    exit(1);
}

static void usage(const char *problem) {
    fprintf(stderr, "probe: %s; see the head of probe.c\n", problem);
    exit(2);
}

static uint64_t read_number(const char *text, uint64_t highest) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != 0 || value > highest) usage("a number is out of range");
    return value;
}

static uint64_t read_seconds(const char *text) {
    char *end;
    double seconds = strtod(text, &end);
    if (end == text || *end != 0 || !(seconds >= 0 && seconds <= 100000)) usage("seconds out of range");
    return (uint64_t)(seconds * 1e6);
}

static void read_pair(char pair[TRANSPORT_COUNT][16], const char *text) {
    const char *comma = strchr(text, ',');
    struct in_addr address;
    if (comma == NULL || comma - text > 15 || strlen(comma + 1) > 15) usage("expected two addresses: A,B");
    snprintf(pair[0], 16, "%.*s", (int)(comma - text), text);
    snprintf(pair[1], 16, "%s", comma + 1);
    for (int i = 0; i < TRANSPORT_COUNT; i++)
        if (inet_pton(AF_INET, pair[i], &address) != 1) usage("not an IPv4 address");
}

struct policy_field {
    const char *name;
    size_t offset, size;
};

#define FIELD(name) {#name, offsetof(jmp_policy, name), sizeof(((jmp_policy *)0)->name)}
static const struct policy_field policy_fields[] = {
    FIELD(strict_binding), FIELD(max_lifetime_us), FIELD(transport_lost_ttl_us), FIELD(heartbeat_interval_us),
    FIELD(idle_heartbeat_us), FIELD(heartbeat_volatile_us), FIELD(loss_window_us), FIELD(volatile_to_degraded_us),
    FIELD(switch_cooldown_us), FIELD(recovery_window_us), FIELD(proof_max_age_us), FIELD(latency_volatile_threshold_us),
    FIELD(stability_window_us), FIELD(key_max_age_us), FIELD(loss_volatile_threshold_ppm), FIELD(max_consecutive_drops),
    FIELD(max_switches_per_min), FIELD(switch_improvement_ppm), FIELD(max_candidates), FIELD(replay_window), FIELD(suites),
    FIELD(redundancy), FIELD(redundancy_share_ppm), FIELD(control_expendable),
};

static void read_policy(jmp_policy *policy, const char *text) {
    const char *equals = strchr(text, '=');
    if (equals == NULL) usage("expected --policy NAME=NUMBER");
    for (size_t i = 0; i < sizeof policy_fields / sizeof policy_fields[0]; i++) {
        const struct policy_field *field = &policy_fields[i];
        if (strlen(field->name) != (size_t)(equals - text) || strncmp(field->name, text, strlen(field->name)) != 0) continue;
        uint64_t wide = read_number(equals + 1, field->size == 4 ? UINT32_MAX : UINT64_MAX);
        uint32_t narrow = (uint32_t)wide;
        memcpy((char *)policy + field->offset, field->size == 4 ? (void *)&narrow : (void *)&wide, field->size);
        return;
    }
    usage("unknown policy field");
}

/* Reads one option and its value; how many words it took. */
static int read_option(struct options *options, const char *name, const char *value) {
    if (strcmp(name, "--one-way") == 0) { options->is_one_way = 1; return 1; }
    if (strcmp(name, "--netlink") == 0) { options->watches_links = 1; return 1; }
    if (strcmp(name, "--alone") == 0) { options->is_alone = 1; return 1; }
    if (strcmp(name, "--protected") == 0) { options->is_protected = 1; return 1; }
    if (strcmp(name, "--bulk") == 0) { options->is_bulk = 1; return 1; }
    if (value == NULL) usage("an option lacks its value");
    if (strcmp(name, "--netns") == 0) options->namespace_path = value;
    else if (strcmp(name, "--local") == 0) read_pair(options->local, value);
    else if (strcmp(name, "--remote") == 0) read_pair(options->remote, value);
    else if (strcmp(name, "--port") == 0) options->port = (uint16_t)read_number(value, 65535);
    else if (strcmp(name, "--rate") == 0) options->rate = read_number(value, 10000);
    else if (strcmp(name, "--duration") == 0) options->duration_us = read_seconds(value);
    else if (strcmp(name, "--linger") == 0) options->linger_us = read_seconds(value);
    else if (strcmp(name, "--size") == 0) options->payload_size = (size_t)read_number(value, JMP_PROTECTED_PAYLOAD_MAX);
    else if (strcmp(name, "--buffer") == 0) options->buffer = (uint32_t)read_number(value, 64 << 20);
    else if (strcmp(name, "--mtu") == 0) options->mtu = (uint32_t)read_number(value, DATAGRAM_CAPACITY);
    else if (strcmp(name, "--priority") == 0) options->priority = (int)read_number(value, 50);
    else if (strcmp(name, "--policy") == 0) read_policy(&options->policy, value);
    else usage("unknown option");
    return 2;
}

void options_read(struct options *options, int argc, char **argv) {
    memset(options, 0, sizeof *options);
    options->port = 7000;
    options->duration_us = 10000000;
    options->linger_us = 500000;
    options->payload_size = PAYLOAD_SIZE;
    require(jmp_policy_init(&options->policy), "jmp_policy_init");
    if (argc < 2) usage("expected client or gateway");
    if (strcmp(argv[1], "gateway") == 0) options->role = JMP_ROLE_GATEWAY;
    else if (strcmp(argv[1], "client") == 0) options->role = JMP_ROLE_CLIENT;
    else usage("expected client or gateway");
    for (int i = 2; i < argc;) i += read_option(options, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
    if (options->local[0][0] == 0) usage("--local is missing");
    if (options->role == JMP_ROLE_CLIENT && options->remote[0][0] == 0) usage("--remote is missing");
    if (options->payload_size < PAYLOAD_SIZE) usage("--size must be 64 or more");
    /* A one-way receiver does not know its peer's rate: room for the highest. */
    uint64_t rate = options->rate > 0 ? options->rate : 1000;
    options->capacity = rate * (options->duration_us / 1000000 + 1) + SPARE_RECORDS;
}

/* Best effort: a probe that may not be punctual still measures, only with the machine's noise. The limit ends a
 * real-time process that never sleeps before it starves a core. */
static void become_punctual(int priority) {
    struct sched_param parameter = {.sched_priority = priority};
    struct rlimit limit = {.rlim_cur = 3000000, .rlim_max = 3000000};
    setrlimit(RLIMIT_RTTIME, &limit);
    if (priority == 0 || sched_setscheduler(0, SCHED_FIFO, &parameter) < 0) prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) { /* page faults then cost microseconds */ }
}

int main(int argc, char **argv) {
    static struct options options;
    if (jmp_abi_version() != JMP_ABI_VERSION) {
        fprintf(stderr, "probe: library and header disagree about the ABI\n");
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* even while it is stopped */
    options_read(&options, argc, argv);
    if (options.namespace_path != NULL) {
        int fd = open(options.namespace_path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) fail(options.namespace_path);
        close(fd);
    }
    become_punctual(options.priority);
    return options.role == JMP_ROLE_CLIENT ? client_run(&options) : gateway_run(&options);
}
