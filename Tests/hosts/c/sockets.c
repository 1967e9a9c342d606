/* The host of examples/c on real sockets in one process: what GSO and GRO join and cut arrives as it was sent, with either, both
 * or none of them; a message the kernel refuses is sent again in pieces, or its datagrams are reported as unsent.
 *
 * Linked with --wrap=sendmmsg and --wrap=jmp_unsent, to look at what goes to the kernel and to refuse it. */
#define _GNU_SOURCE
#include "check.h"
#include "udp_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CLIENT, GATEWAY, NODES, PAYLOADS = 4000, MOST_SEGMENTS = 64, MOST_BYTES = 65000,
       PROTECTED_CHANNEL = 3, PROTECTED_STEP = 2503, PROTECTED_PAYLOADS = 60 };

static struct udp_host hosts[NODES];

/* ----------------------------------------------------- the system, overheard */

static struct {
    int refuse_with;                /* errno of the next messages … */
    unsigned refuse_count;          /* … this many of them, and only those with several datagrams if … */
    bool refuse_segmented;
    unsigned messages, segmented, datagrams_refused, unsent;    /* segmented: the client's; a busy gateway joins acknowledgements */
} kernel;

int __real_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags);
jmp_status __real_jmp_unsent(jmp_endpoint *endpoint, jmp_session session, uint64_t packet_number, jmp_time now);
jmp_status __wrap_jmp_unsent(jmp_endpoint *endpoint, jmp_session session, uint64_t packet_number, jmp_time now);

jmp_status __wrap_jmp_unsent(jmp_endpoint *endpoint, jmp_session session, uint64_t packet_number, jmp_time now)
{
    kernel.unsent++;
    return __real_jmp_unsent(endpoint, session, packet_number, now);
}

/* Every datagram of a message has the size the message names, but for a last one that may be shorter. */
static void look_at(int fd, const struct mmsghdr *message)
{
    const struct msghdr *header = &message->msg_hdr;
    const struct cmsghdr *control = CMSG_FIRSTHDR(header);
    uint16_t size = 0;
    size_t bytes = 0;
    kernel.messages++;
    CHECK(header->msg_iovlen >= 1 && header->msg_iovlen <= MOST_SEGMENTS);
    CHECK_EQUAL(control != NULL, header->msg_iovlen > 1);
    if (!control) return;
    kernel.segmented += fd == hosts[CLIENT].sockets[0].fd;
    CHECK(control->cmsg_level == SOL_UDP && control->cmsg_type == UDP_SEGMENT && control->cmsg_len == CMSG_LEN(sizeof size));
    memcpy(&size, CMSG_DATA(control), sizeof size);
    for (size_t i = 0; i < header->msg_iovlen; i++) {
        const size_t length = header->msg_iov[i].iov_len;
        CHECK(i + 1 < header->msg_iovlen ? length == size : length > 0 && length <= size);
        bytes += length;
    }
    CHECK(bytes <= MOST_BYTES);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    unsigned passed = 0;
    while (passed < count && !(kernel.refuse_count && (!kernel.refuse_segmented || messages[passed].msg_hdr.msg_iovlen > 1))) passed++;
    if (passed == 0) {
        kernel.refuse_count--;
        kernel.datagrams_refused += (unsigned)messages[0].msg_hdr.msg_iovlen;
        errno = kernel.refuse_with;
        return -1;
    }
    for (unsigned i = 0; i < passed; i++) look_at(fd, &messages[i]);
    return __real_sendmmsg(fd, messages, passed, flags);
}

/* ------------------------------------------------------------------- two hosts */

static jmp_session sessions[NODES];
static uint8_t seen[PAYLOADS];
static unsigned arrived, damaged;

/* Payload `number` is its number and bytes that follow from it; shorter than the number it is only counted. */
static void write_payload(uint8_t *bytes, size_t length, uint32_t number)
{
    for (size_t i = 0; i < length; i++) bytes[i] = (uint8_t)(number * 31 + i);
    if (length >= sizeof number) memcpy(bytes, &number, sizeof number);
}

static void on_payload(struct udp_host *host, jmp_session session, const uint8_t *bytes, size_t length)
{
    uint8_t expected[UDP_HOST_DATAGRAM_SIZE];
    uint32_t number = 0;
    if (host != &hosts[GATEWAY] || session != sessions[GATEWAY]) return;
    arrived++;
    if (length < sizeof number) return;
    memcpy(&number, bytes, sizeof number);
    write_payload(expected, length, number);
    if (number >= PAYLOADS || seen[number]++ || memcmp(bytes, expected, length)) damaged++;
}

/* Protected payload `number` is that many times PROTECTED_STEP bytes long, and comes in its turn. */
static void on_protected(struct udp_host *host, jmp_session session, uint32_t channel, const uint8_t *bytes, size_t length)
{
    if (host != &hosts[GATEWAY] || session != sessions[GATEWAY]) return;
    bool is_right = channel == PROTECTED_CHANNEL && length == (size_t)arrived * PROTECTED_STEP;
    for (size_t i = 0; i < length && is_right; i++) is_right = bytes[i] == (uint8_t)(arrived * 31 + i);
    damaged += !is_right;
    arrived++;
}

static void on_event(struct udp_host *host, const jmp_event *event)
{
    if (event->type == JMP_EVENT_SESSION_ESTABLISHED) sessions[host == &hosts[GATEWAY]] = event->session;
}

/* Both loops for a while, until `arrived` payloads are there. */
static void run_until(unsigned payloads, jmp_time patience_us)
{
    for (jmp_time end = udp_host_now() + patience_us; udp_host_now() < end && arrived < payloads;)
        for (int who = 0; who < NODES; who++) CHECK_EQUAL(udp_host_run_once(&hosts[who], 0), 0);
}

static void open_hosts(bool client_is_plain, bool gateway_is_plain)
{
    static const uint8_t psk[JMP_KEY_SIZE] = "pre-shared key of these sockets";
    struct sockaddr_in loopback = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_storage local = { 0 };
    socklen_t length = sizeof local;
    jmp_connect_config connect;
    jmp_time now = udp_host_now();
    memset(&kernel, 0, sizeof kernel);
    memset(seen, 0, sizeof seen);
    arrived = damaged = 0;
    memcpy(&local, &loopback, sizeof loopback);
    for (int who = 0; who < NODES; who++) {
        jmp_endpoint *endpoint = NULL;
        struct udp_host_callbacks callbacks = { .payload = on_payload, .protected_payload = on_protected, .event = on_event };
        CHECK_OK(jmp_endpoint_new(NULL, NULL, now, &endpoint));
        CHECK_OK(jmp_endpoint_add_psk(endpoint, NULL, 0, psk));
        CHECK_EQUAL(udp_host_open(&hosts[who], endpoint, callbacks, NULL), 0);
        hosts[who].is_plain = who == CLIENT ? client_is_plain : gateway_is_plain;
        CHECK_EQUAL(udp_host_add_socket(&hosts[who], &local, NULL, "udp:A", 0), 0);
        sessions[who] = 0;
    }
    CHECK_EQUAL(getsockname(hosts[GATEWAY].sockets[0].fd, (struct sockaddr *)&local, &length), 0);
    CHECK_OK(jmp_connect_config_init(&connect));
    connect.transport = hosts[CLIENT].sockets[0].transport;
    memcpy(connect.psk, psk, sizeof psk);
    udp_host_to_jumping(&local, &connect.remote);
    CHECK_OK(jmp_connect(hosts[CLIENT].endpoint, &connect, now, &sessions[CLIENT]));
    for (jmp_time end = udp_host_now() + 5000000; udp_host_now() < end && !(sessions[CLIENT] && sessions[GATEWAY]);) run_until(1, 1000);
    CHECK(sessions[CLIENT] && sessions[GATEWAY]);
}

static void close_hosts(void)
{
    for (int who = 0; who < NODES; who++) udp_host_close(&hosts[who]);
}

static jmp_session_stats stats_of(int who)
{
    jmp_session_stats stats = { .struct_size = sizeof stats };
    CHECK_OK(jmp_session_get_stats(hosts[who].endpoint, sessions[who], &stats));
    return stats;
}

/* Sends `count` payloads whose lengths `length_of` tells, through udp_host_send, in bursts that fit a socket buffer. */
static void send_each(uint32_t first, uint32_t count, size_t (*length_of)(uint32_t))
{
    uint8_t payload[UDP_HOST_DATAGRAM_SIZE];
    for (uint32_t i = first; i < first + count; i++) {
        const size_t length = length_of(i);
        write_payload(payload, length, i);
        CHECK_OK(udp_host_send(&hosts[CLIENT], sessions[CLIENT], payload, length, udp_host_now()));
        if ((i + 1) % 100 == 0) run_until(i + 1, 2000000);
    }
    run_until(first + count, 2000000);
}

static size_t full(uint32_t number) { return (void)number, 1200; }
static size_t tiny(uint32_t number) { return number % 3; }
static size_t falling(uint32_t number) { return 1200 - number % 7; }
static size_t rising(uint32_t number) { return 100 + number % 1100; }
static size_t mixed(uint32_t number) { return number * 2654435761u % 1301; }
static size_t in_runs(uint32_t number) { return number / 10 % 2 ? 40 : 1300; }

/* ----------------------------------------------------------------------- tests */

static void everySizeArrivesWithAndWithoutOffload(void)
{
    static size_t (*const shapes[])(uint32_t) = { full, tiny, falling, rising, mixed, in_runs };
    for (int how = 0; how < 4; how++) {
        open_hosts(how & 1, how & 2);
        const uint32_t each = PAYLOADS / (sizeof shapes / sizeof shapes[0]);
        for (uint32_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) send_each(s * each, each, shapes[s]);
        CHECK_EQUAL(arrived, each * (sizeof shapes / sizeof shapes[0]));
        CHECK_EQUAL(damaged, 0);
        CHECK_EQUAL(kernel.segmented > 0, hosts[CLIENT].sockets[0].has_gso);
        CHECK_EQUAL(kernel.unsent, 0);
        CHECK_EQUAL(stats_of(GATEWAY).bad_tag, 0);
        close_hosts();
    }
}

static void aBatchArrives(void)
{
    static uint8_t payloads[300 * 1200];
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        open_hosts(is_plain, is_plain);
        for (uint32_t i = 0; i < 300; i++) write_payload(payloads + i * 1200, 1200, i);
        CHECK_EQUAL(udp_host_send_many(&hosts[CLIENT], sessions[CLIENT], payloads, 1200, 300, udp_host_now()), 300);
        run_until(300, 2000000);
        CHECK_EQUAL(arrived, 300);
        CHECK_EQUAL(damaged, 0);
        CHECK_EQUAL(udp_host_send_many(&hosts[CLIENT], sessions[CLIENT], payloads, 1200, 0, udp_host_now()), 0);
        CHECK_EQUAL(udp_host_send_many(&hosts[CLIENT], sessions[CLIENT], payloads, 20000, 3, udp_host_now()), 0);     /* too long */
        CHECK_EQUAL(udp_host_send_many(&hosts[CLIENT], 12345, payloads, 1200, 3, udp_host_now()), 0);                 /* no session */
        CHECK_EQUAL(udp_host_send_many(&hosts[CLIENT], sessions[CLIENT], payloads, 0, 3, udp_host_now()), 3);
        run_until(303, 2000000);
        CHECK_EQUAL(arrived, 303);
        close_hosts();
    }
}

/* More of them, and longer ones, than fit the send buffer or a datagram. */
static void protectedPayloadsArriveWholeAndInOrder(void)
{
    static uint8_t payload[PROTECTED_PAYLOADS * PROTECTED_STEP];
    jmp_payload_options options;
    CHECK_OK(jmp_payload_options_init(&options));
    options.channel = PROTECTED_CHANNEL;
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        open_hosts(is_plain, is_plain);
        for (uint32_t number = 0; number < PROTECTED_PAYLOADS; number++) {
            jmp_status status;
            for (size_t i = 0; i < (size_t)number * PROTECTED_STEP; i++) payload[i] = (uint8_t)(number * 31 + i);
            while ((status = jmp_send_protected(hosts[CLIENT].endpoint, sessions[CLIENT], payload, (size_t)number * PROTECTED_STEP, &options,
                                                udp_host_now())) == JMP_AGAIN)
                run_until(PROTECTED_PAYLOADS, 1000);
            CHECK_OK(status);
        }
        run_until(PROTECTED_PAYLOADS, 10000000);
        CHECK_EQUAL(arrived, PROTECTED_PAYLOADS);
        CHECK_EQUAL(damaged, 0);
        close_hosts();
    }
}

/* Some networks take no segmented message, and some devices none of this size: each datagram goes by itself, now and later. */
static void aRefusedSegmentedMessageIsSentInPieces(void)
{
    static const int errors[] = { EIO, EINVAL, EMSGSIZE, EOPNOTSUPP };
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        open_hosts(false, false);
        if (!hosts[CLIENT].sockets[0].has_gso) {
            close_hosts();
            continue;
        }
        kernel.refuse_with = errors[i], kernel.refuse_count = 1, kernel.refuse_segmented = true;
        send_each(0, 200, full);
        CHECK_EQUAL(arrived, 200);
        CHECK_EQUAL(damaged, 0);
        CHECK(kernel.datagrams_refused > 1);
        CHECK_EQUAL(kernel.segmented, 0);
        CHECK_EQUAL(kernel.unsent, 0);
        CHECK(!hosts[CLIENT].sockets[0].has_gso);
        close_hosts();
    }
}

/* A datagram that never left is reported, each one of a message, and is no loss to the session. */
static void whatCannotBeSentIsUnsent(void)
{
    for (int is_plain = 0; is_plain < 2; is_plain++) {
        open_hosts(is_plain, false);
        send_each(0, 100, full);
        kernel.refuse_with = ENOBUFS, kernel.refuse_count = 2;
        send_each(100, 100, full);
        run_until(1u << 30, 200000);
        CHECK(is_plain ? kernel.datagrams_refused == 2 : kernel.datagrams_refused >= 2);
        CHECK_EQUAL(kernel.unsent, kernel.datagrams_refused);
        CHECK_EQUAL(arrived + kernel.datagrams_refused, 200);
        CHECK_EQUAL(stats_of(CLIENT).datagrams_lost, 0);
        jmp_session_info info = { .struct_size = sizeof info };
        CHECK_OK(jmp_session_get_info(hosts[CLIENT].endpoint, sessions[CLIENT], &info));
        CHECK_EQUAL(info.state, JMP_STATE_ATTACHED);
        close_hosts();
    }
}

/* Whatever the sizes of what a stranger lets the kernel join, each datagram is judged by itself. */
static void aStrangersDatagramsAreToldApart(void)
{
    static const struct { uint16_t size; size_t total; unsigned datagrams; } cases[] = {
        { 1, 64, 64 }, { 1, 1, 1 }, { 7, 60, 9 }, { 0, 0, 1 }, { 1400, 64000, 46 }, { 1000, 1001, 2 } };
    static const uint8_t bytes[65000];
    open_hosts(false, false);
    struct sockaddr_storage to = { 0 };
    socklen_t length = sizeof to;
    CHECK_EQUAL(getsockname(hosts[GATEWAY].sockets[0].fd, (struct sockaddr *)&to, &length), 0);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        jmp_endpoint_stats before = { .struct_size = sizeof before }, after = before;
        const int size = cases[i].size;
        if (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof size)) break;       /* a kernel without GSO joins nothing */
        CHECK_OK(jmp_endpoint_get_stats(hosts[GATEWAY].endpoint, &before));
        CHECK_EQUAL(sendto(fd, bytes, cases[i].total, 0, (struct sockaddr *)&to, length), cases[i].total);
        for (int turn = 0; turn < 20; turn++) CHECK_EQUAL(udp_host_run_once(&hosts[GATEWAY], 0), 0);
        CHECK_OK(jmp_endpoint_get_stats(hosts[GATEWAY].endpoint, &after));
        unsigned dropped = 0;
        for (int cause = 1; cause < JMP_DROP_CAUSES; cause++) dropped += (unsigned)(after.dropped[cause] - before.dropped[cause]);
        CHECK_EQUAL(dropped, cases[i].datagrams);
    }
    close(fd);
    send_each(0, 100, mixed);
    CHECK_EQUAL(arrived, 100);
    close_hosts();
}

int main(void)
{
    RUN(everySizeArrivesWithAndWithoutOffload);
    RUN(aBatchArrives);
    RUN(protectedPayloadsArriveWholeAndInOrder);
    RUN(aRefusedSegmentedMessageIsSentInPieces);
    RUN(whatCannotBeSentIsUnsent);
    RUN(aStrangersDatagramsAreToldApart);
    return check_summary();
}
