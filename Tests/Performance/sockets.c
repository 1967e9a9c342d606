/* The floor under examples/c/bulk.c: the same pair of processes on bare UDP. Same window, answers, batches, GSO, GRO, epoll and
 * output; no library, no encryption, no second copy of a payload.
 *
 *   sockets --listen 127.0.0.1:0 [--no-offload]
 *   sockets --to 127.0.0.1:PORT [--seconds N] [--size BYTES] [--no-offload]
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    BURST = 64, STRIDE = 16, STALL_US = 20000, GIVE_UP_MS = 10000,
    READS = 8, READ_SIZE = 65536, MAX_SIZE = 9000, MAX_BYTES = 65000, BUFFER_BYTES = 1 << 20
};

struct answer {
    uint64_t number, received;
};

static struct {
    int fd, epoll_fd;
    bool has_gso, has_gro, is_over;
    struct sockaddr_in peer;
    uint64_t sent, answered, received, bytes;
    int64_t first_at, last_at;
    double cpu_at_first, cpu_at_last;
} run;

static uint8_t in[READS * READ_SIZE], payloads[BURST * MAX_SIZE];

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void mark(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    run.last_at = now_us();
    run.cpu_at_last = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    if (run.first_at) return;
    run.first_at = run.last_at;
    run.cpu_at_first = run.cpu_at_last;
}

/* Sends `count` datagrams of `size` bytes that lie one behind the other to the peer. */
static void send_many(const uint8_t *bytes, size_t size, size_t count)
{
    struct mmsghdr messages[BURST];
    struct iovec pieces[BURST];
    struct { _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(uint16_t))]; } control[BURST];
    const size_t each = run.has_gso ? (MAX_BYTES / size < BURST ? MAX_BYTES / size : BURST) : 1;
    unsigned n = 0;
    for (size_t i = 0; i < count; i += each, n++) {
        const size_t segments = count - i < each ? count - i : each;
        pieces[n] = (struct iovec){ .iov_base = (void *)(uintptr_t)(bytes + i * size), .iov_len = segments * size };
        messages[n].msg_hdr = (struct msghdr){ .msg_name = &run.peer, .msg_namelen = sizeof run.peer, .msg_iov = &pieces[n], .msg_iovlen = 1 };
        if (segments < 2) continue;
        const uint16_t segment = (uint16_t)size;
        messages[n].msg_hdr.msg_control = &control[n];
        messages[n].msg_hdr.msg_controllen = sizeof control[n];
        struct cmsghdr *header = CMSG_FIRSTHDR(&messages[n].msg_hdr);
        header->cmsg_level = SOL_UDP;
        header->cmsg_type = UDP_SEGMENT;
        header->cmsg_len = CMSG_LEN(sizeof segment);
        memcpy(CMSG_DATA(header), &segment, sizeof segment);
    }
    for (unsigned done = 0; done < n;) {
        int sent = sendmmsg(run.fd, messages + done, n - done, MSG_DONTWAIT);
        done += sent > 0 ? (unsigned)sent : errno != EINTR;     /* what cannot be sent is lost */
    }
}

static size_t segment_size(struct msghdr *header, size_t length)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        int size;
        if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO) continue;
        memcpy(&size, CMSG_DATA(control), sizeof size);
        if (size > 0) return (size_t)size;
    }
    return length ? length : 1;
}

/* Reads until the socket is empty, within a bound; `take` sees each datagram, `after` follows each recvmmsg. */
static void receive_many(void (*take)(const uint8_t *, size_t), void (*after)(void))
{
    const size_t size = run.has_gro ? READ_SIZE : 9216;
    const unsigned buffers = sizeof in / size;     /* at most BURST */
    struct mmsghdr messages[BURST];
    struct iovec pieces[BURST];
    struct sockaddr_in from[BURST];
    struct { _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))]; } control[BURST];
    for (int turn = 0; turn < 16; turn++) {
        for (unsigned i = 0; i < buffers; i++) {
            pieces[i] = (struct iovec){ .iov_base = in + i * size, .iov_len = size };
            messages[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &pieces[i], .msg_iovlen = 1,
                                                   .msg_control = &control[i], .msg_controllen = sizeof control[i] };
        }
        int count = recvmmsg(run.fd, messages, buffers, MSG_DONTWAIT, NULL);
        if (count <= 0) return;
        for (int i = 0; i < count; i++) {
            const size_t length = messages[i].msg_len, segment = segment_size(&messages[i].msg_hdr, length);
            run.peer = from[i];
            size_t offset = 0;
            do take((const uint8_t *)pieces[i].iov_base + offset, length - offset < segment ? length - offset : segment);
            while ((offset += segment) < length);
        }
        after();
        if ((unsigned)count < buffers) return;
    }
}

static void wait_for_input(int timeout_ms)
{
    struct epoll_event ready;
    if (epoll_wait(run.epoll_fd, &ready, 1, timeout_ms) == 0 && timeout_ms == GIVE_UP_MS) run.is_over = true;
}

/* ---------------------------------------------------------------- two roles */

static struct answer answers[BURST];
static size_t answer_count;

static void send_answers(void)
{
    if (answer_count) send_many((const uint8_t *)answers, sizeof answers[0], answer_count);
    answer_count = 0;
}

static void take_payload(const uint8_t *bytes, size_t length)
{
    struct answer answer = { .received = run.received + 1 };
    if (length < sizeof answer.number) {
        run.is_over = true;
        return;
    }
    run.received++;
    run.bytes += length;
    memcpy(&answer.number, bytes, sizeof answer.number);
    if (run.first_at && (answer.number + 1) % STRIDE) return;
    mark();
    answers[answer_count++] = answer;
    if (answer_count == BURST) send_answers();
}

static void take_answer(const uint8_t *bytes, size_t length)
{
    struct answer answer;
    if (length != sizeof answer) return;
    memcpy(&answer, bytes, sizeof answer);
    if (answer.number >= run.sent) return;
    if (answer.number + 1 > run.answered) run.answered = answer.number + 1;
    if (answer.received > run.received) run.received = answer.received;
}

static void nothing(void)
{
}

static void send_all(int64_t seconds, size_t size)
{
    int buffer = 0;
    socklen_t length = sizeof buffer;
    getsockopt(run.fd, SOL_SOCKET, SO_RCVBUF, &buffer, &length);
    uint64_t window = (uint64_t)buffer / 2 / (2 * size + 512), answered = 0;
    if (window < BURST) window = BURST;
    mark();
    int64_t now = run.first_at, end = now + seconds * 1000000, answered_at = now;
    for (; now < end; now = now_us()) {
        if (run.answered != answered) answered = run.answered, answered_at = now;
        if (now > answered_at + STALL_US) run.answered = answered = run.sent, answered_at = now;
        while (run.sent - run.answered + BURST <= window) {
            for (uint64_t i = 0; i < BURST; i++) {
                const uint64_t number = run.sent + i;
                memcpy(payloads + i * size, &number, sizeof number);
            }
            send_many(payloads, size, BURST);
            run.sent += BURST;
        }
        wait_for_input(STALL_US / 1000);
        receive_many(take_answer, nothing);
    }
    for (int i = 0; i < 10 && run.received < run.sent; i++) wait_for_input(2), receive_many(take_answer, nothing);
    mark();
    run.bytes = run.received * size;
    for (int i = 0; i < 3; i++) send_many(payloads, 1, 1);      /* the end; one arrives */
}

int main(int argc, char **argv)
{
    struct sockaddr_in local = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof local;
    const int on = 1, unset = 0, bytes = BUFFER_BYTES;
    bool is_receiver = false, is_plain = false;
    long seconds = 5, size = 1200;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--no-offload")) is_plain = true;
        else if (i + 1 == argc) return 2;
        else if (!strcmp(argv[i], "--listen")) is_receiver = true, i++;
        else if (!strcmp(argv[i], "--to")) {
            const char *port = strrchr(argv[++i], ':');
            run.peer = local;
            run.peer.sin_port = htons((uint16_t)atoi(port ? port + 1 : ""));
        } else if (!strcmp(argv[i], "--seconds")) seconds = atol(argv[++i]);
        else if (!strcmp(argv[i], "--size")) size = atol(argv[++i]);
        else return 2;
    }
    if (is_receiver == (run.peer.sin_port != 0) || seconds < 1 || size < (long)sizeof(struct answer) || size > MAX_SIZE) return 2;
    run.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    run.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN };
    if (run.fd < 0 || bind(run.fd, (struct sockaddr *)&local, sizeof local) || getsockname(run.fd, (struct sockaddr *)&local, &length)
        || epoll_ctl(run.epoll_fd, EPOLL_CTL_ADD, run.fd, &event)) return 1;
    setsockopt(run.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    setsockopt(run.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    run.has_gso = !is_plain && !setsockopt(run.fd, SOL_UDP, UDP_SEGMENT, &unset, sizeof unset);
    run.has_gro = !is_plain && !setsockopt(run.fd, SOL_UDP, UDP_GRO, &on, sizeof on);
    if (is_receiver) {
        printf("listens on 127.0.0.1:%d\n", ntohs(local.sin_port));
        fflush(stdout);
        while (!run.is_over) wait_for_input(GIVE_UP_MS), receive_many(take_payload, send_answers);
    } else {
        send_all(seconds, (size_t)size);
    }
    const double elapsed = (double)(run.last_at - run.first_at) / 1e6;
    const uint64_t lost = is_receiver ? 0 : run.sent - run.received;
    printf("{\"role\":\"%s\",\"suite\":\"none\",\"gso\":%s,\"gro\":%s,\"payloads\":%llu,\"bytes\":%llu,\"lost\":%llu,\"seconds\":%.6f,"
           "\"gbit_per_s\":%.3f,\"cpu_s\":%.6f}\n", is_receiver ? "receiver" : "sender", run.has_gso ? "true" : "false",
           run.has_gro ? "true" : "false", (unsigned long long)run.received, (unsigned long long)run.bytes, (unsigned long long)lost,
           elapsed, elapsed > 0 ? (double)run.bytes * 8 / elapsed / 1e9 : 0, run.cpu_at_last - run.cpu_at_first);
    return run.received == 0 || lost * 100 > run.sent;
}
