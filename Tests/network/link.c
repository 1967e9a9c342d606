/* link: two emulated paths between a client's and a gateway's network namespace.
 *
 *     link [--seed NUMBER]
 *
 * Makes both namespaces, with TUN devices pathA (10.201.1.0/24) and pathB
 * (10.201.2.0/24) in each; the client is .2, the gateway .1. Forwards UDP and TCP
 * over IPv4 between the devices of one path and does to it what it is told. Prints
 *
 *     ready PID CLIENT_FD GATEWAY_FD
 *
 * first: a program enters a namespace through /proc/PID/fd/CLIENT_FD. The
 * namespaces have no names and vanish with the last program inside them.
 *
 * Commands on standard input, one a line, each answered by one line (see
 * link_commands.c); the end of input ends the emulator:
 *
 *     set A|B|AB up|down|both NAME VALUE ...
 *         delay US, jitter US (added, uniform in 0 ... US), loss PPM,
 *         duplicate PPM, blackhole 0|1 (what has entered already still
 *         arrives), reorder 0|1 (may jitter let packets overtake? default 1),
 *         rate KBPS (of whole IP packets; 0: no limit), queue BYTES (what may
 *         wait for it, drop-tail; 0: no limit)
 *     nat A|B|AB on|off|rebind|move
 *         source ports are rewritten at the gateway's end; rebind forgets every
 *         mapping at once: new ports for the client, nothing to the old ones;
 *         move gives it another address as well
 *     interface A|B|AB up|down
 *         the client's own interface
 *     attack A|B ADDRESS PORT DELAY_US COUNT, attack A|B off
 *         copies the next COUNT of the client's packets and sends the copies
 *         DELAY_US later (0: ahead of the originals) from ADDRESS:PORT
 *     seed NUMBER     stats (lateness since the last time)     quit
 *
 * Sleeps in epoll until a packet or its due time comes; takes SCHED_FIFO when
 * it may, so that it is on time on a busy machine. */
#define _GNU_SOURCE
#include "link.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define LINK_PRIORITY 20
#define INPUT_CAPACITY 1024
#define ANSWER_CAPACITY 4096
#define EVENT_TIMER 100
#define EVENT_INPUT 101

static struct emulator emulator;

static void fail(const char *what) {
    fprintf(stderr, "link: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Best effort: without the right to it the emulator is only less punctual. The
 * limit ends a real-time process that never sleeps before it starves a core. */
static void become_punctual(void) {
    struct sched_param parameter = {.sched_priority = LINK_PRIORITY};
    struct rlimit limit = {.rlim_cur = 2000000, .rlim_max = 2000000};
    setrlimit(RLIMIT_RTTIME, &limit);
    if (sched_setscheduler(0, SCHED_FIFO, &parameter) < 0) prctl(PR_SET_TIMERSLACK, 1ul, 0ul, 0ul, 0ul);
    if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0) { /* page faults then cost microseconds */ }
}

static void watch(int epoll_fd, int fd, uint32_t key) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = key};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void read_device(int path, int side) {
    for (;;) {
        struct queued *packet = queue_take();
        if (packet == NULL) { /* full: read it away all the same, or the device would back up */
            uint8_t lost[PACKET_CAPACITY];
            if (read(emulator.sides[side].device_fd[path], lost, sizeof lost) <= 0) return;
            emulator.overflow++;
            continue;
        }
        ssize_t length = read(emulator.sides[side].device_fd[path], packet->bytes, PACKET_CAPACITY);
        if (length <= 0) {
            queue_release(packet);
            return;
        }
        packet->length = (uint16_t)length;
        emulator_enter(&emulator, path, side == SIDE_CLIENT ? DIRECTION_UP : DIRECTION_DOWN, packet, clock_us());
    }
}

static void set_timer(int timer_fd) {
    static uint64_t armed_us;
    const struct queued *first = queue_first();
    uint64_t due_us = first == NULL ? 0 : first->due_us;
    if (due_us == armed_us) return;
    armed_us = due_us;
    struct itimerspec when = {.it_value = {(time_t)(due_us / 1000000), (long)(due_us % 1000000) * 1000}};
    if (timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL) < 0) fail("timerfd_settime");
}

/* Runs every whole line that has come. 1: the emulator is to end. */
static int read_commands(void) {
    static char input[INPUT_CAPACITY];
    static size_t used;
    ssize_t count = read(STDIN_FILENO, input + used, sizeof input - used);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return 0;
    if (count <= 0) return 1;
    used += (size_t)count;
    char *end;
    while ((end = memchr(input, '\n', used)) != NULL) {
        char answer[ANSWER_CAPACITY];
        *end = 0;
        int is_end = command_run(&emulator, input, answer, sizeof answer);
        printf("%s\n", answer);
        fflush(stdout);
        if (is_end) return 1;
        used -= (size_t)(end + 1 - input);
        memmove(input, end + 1, used);
    }
    if (used == sizeof input) used = 0; /* a line longer than any command */
    return 0;
}

static int forward(int epoll_fd, int timer_fd) {
    for (;;) {
        struct epoll_event events[8];
        set_timer(timer_fd);
        int count = epoll_wait(epoll_fd, events, 8, -1);
        if (count < 0 && errno != EINTR) fail("epoll_wait");
        emulator_deliver(&emulator);
        for (int i = 0; i < count; i++) {
            uint32_t key = events[i].data.u32;
            uint64_t expirations;
            if (key == EVENT_INPUT) {
                if (read_commands()) return 0;
            } else if (key == EVENT_TIMER) {
                if (read(timer_fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN) fail("timer");
            } else {
                read_device((int)key / 2, (int)key % 2);
            }
        }
        emulator_deliver(&emulator);
    }
}

int main(int argc, char **argv) {
    uint64_t seed = 1;
    if (argc == 3 && strcmp(argv[1], "--seed") == 0) seed = strtoull(argv[2], NULL, 10);
    else if (argc != 1) {
        fprintf(stderr, "usage: link [--seed NUMBER]\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* whatever ends the orchestrator ends this */
    queue_open();
    emulator_reset(&emulator, seed);
    if (side_open(&emulator.sides[SIDE_CLIENT], CLIENT_HOST) < 0) fail("client namespace");
    if (side_open(&emulator.sides[SIDE_GATEWAY], GATEWAY_HOST) < 0) fail("gateway namespace");
    become_punctual();
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (epoll_fd < 0 || timer_fd < 0) fail("epoll");
    for (int path = 0; path < PATH_COUNT; path++)
        for (int side = 0; side < 2; side++)
            watch(epoll_fd, emulator.sides[side].device_fd[path], (uint32_t)(path * 2 + side));
    watch(epoll_fd, timer_fd, EVENT_TIMER);
    watch(epoll_fd, STDIN_FILENO, EVENT_INPUT);
    printf("ready %d %d %d\n", (int)getpid(), emulator.sides[SIDE_CLIENT].namespace_fd,
           emulator.sides[SIDE_GATEWAY].namespace_fd);
    fflush(stdout);
    return forward(epoll_fd, timer_fd);
}
