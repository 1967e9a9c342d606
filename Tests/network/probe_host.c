/* The loop every host of the library has: call, drain transmits and events, ask
 * for the next timeout; input before timeouts whenever the loop wakes late. */
#define _GNU_SOURCE
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEY_INPUT 100
#define KEY_NETLINK 101
#define RECEIVE_BUFFER_BYTES (1 << 20)

jmp_time clock_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (jmp_time)now.tv_sec * 1000000u + (jmp_time)now.tv_nsec / 1000;
}

static int64_t wall_clock_offset_us(void) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000000 + wall.tv_nsec / 1000 - (int64_t)clock_us();
}

/* ---------------------------------------------------------------- addresses */

void address_make(jmp_address *address, const char *dotted, uint16_t port) {
    memset(address, 0, sizeof *address);
    address->length = 6;
    address->prefix_length = 4;
    if (inet_pton(AF_INET, dotted, address->bytes) != 1) fail("inet_pton");
    address->bytes[4] = (uint8_t)(port >> 8);
    address->bytes[5] = (uint8_t)port;
}

void address_text(const jmp_address *address, char *text, size_t capacity) {
    const uint8_t *b = address->bytes;
    if (address->length != 6) text[0] = 0;
    else snprintf(text, capacity, "%u.%u.%u.%u:%u", b[0], b[1], b[2], b[3], (unsigned)(b[4] << 8 | b[5]));
}

static void to_internet(const jmp_address *address, struct sockaddr_in *internet) {
    memset(internet, 0, sizeof *internet);
    internet->sin_family = AF_INET;
    memcpy(&internet->sin_addr, address->bytes, 4);
    memcpy(&internet->sin_port, address->bytes + 4, 2);
}

static void from_internet(const struct sockaddr_in *internet, jmp_address *address) {
    memset(address, 0, sizeof *address);
    address->length = 6;
    address->prefix_length = 4;
    memcpy(address->bytes, &internet->sin_addr, 4);
    memcpy(address->bytes + 4, &internet->sin_port, 2);
}

static unsigned interface_of(const char *dotted) {
    struct ifaddrs *list, *item;
    struct in_addr wanted;
    unsigned index = 0;
    if (inet_pton(AF_INET, dotted, &wanted) != 1 || getifaddrs(&list) < 0) return 0;
    for (item = list; item != NULL; item = item->ifa_next) {
        if (item->ifa_addr == NULL || item->ifa_addr->sa_family != AF_INET) continue;
        if (((struct sockaddr_in *)(void *)item->ifa_addr)->sin_addr.s_addr == wanted.s_addr) index = if_nametoindex(item->ifa_name);
    }
    freeifaddrs(list);
    return index;
}

/* ------------------------------------------------------------------ opening */

static void watch(const struct host *host, int fd, uint32_t key) {
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = key};
    if (epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
}

static void transport_open(struct host *host, int index, const struct options *options) {
    static const char *const names[TRANSPORT_COUNT] = {"udp:A", "udp:B"};
    struct transport *transport = &host->transports[index];
    transport->name = names[index];
    transport->interface_index = interface_of(options->local[index]);
    transport->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (transport->fd < 0) fail("socket");
    int bytes = RECEIVE_BUFFER_BYTES;
    setsockopt(transport->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    jmp_address address;
    struct sockaddr_in internet;
    address_make(&address, options->local[index], options->role == JMP_ROLE_GATEWAY ? options->port : 0);
    to_internet(&address, &internet);
    if (bind(transport->fd, (struct sockaddr *)&internet, sizeof internet) < 0) fail("bind");
    jmp_transport_config config;
    require(jmp_transport_config_init(&config), "jmp_transport_config_init");
    snprintf(config.name, sizeof config.name, "%s", transport->name);
    if (options->mtu != 0) config.mtu = options->mtu;
    require(jmp_transport_add(host->endpoint, &config, clock_us(), &transport->number), "jmp_transport_add");
    watch(host, transport->fd, (uint32_t)index);
}

void host_open(struct host *host, const struct options *options, const jmp_config *given) {
    jmp_config config = *given;
    if (options->buffer != 0) config.send_buffer = config.receive_buffer = options->buffer;
    config.wall_clock_offset_us = wall_clock_offset_us();
    require(jmp_endpoint_new(&config, &options->policy, clock_us(), &host->endpoint), "jmp_endpoint_new");
    host->bound_transport = JMP_TRANSPORT_NONE;
    host->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (host->epoll_fd < 0) fail("epoll_create1");
    for (int i = 0; i < TRANSPORT_COUNT; i++) transport_open(host, i, options);
    if (fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK) < 0) fail("standard input");
    watch(host, STDIN_FILENO, KEY_INPUT);
    host->netlink_fd = -1;
    if (!options->watches_links) return;
    host->netlink_fd = netlink_open(host);
    watch(host, host->netlink_fd, KEY_NETLINK);
}

/* ------------------------------------------------------------------- events */

static void note_event(struct host *host, const jmp_event *event) {
    if (event->type < 64) host->event_counts[event->type]++;
    host->events_dropped = event->dropped;
    if (event->type == JMP_EVENT_SESSION_ESTABLISHED) {
        if (host->session_ids == 0 || memcmp(host->session_id, event->session_id, JMP_SESSION_ID_SIZE) != 0) host->session_ids++;
        memcpy(host->session_id, event->session_id, JMP_SESSION_ID_SIZE);
        host->session = event->session;
        host->is_established = 1;
        host->worst_wake_us = 0; /* the machine's lateness matters from here on */
    }
    if (event->type == JMP_EVENT_SESSION_TERMINATED) host->is_terminated = 1;
    if (event->type == JMP_EVENT_WRITABLE && host->stream != NULL) host->stream->is_full = 0;
    if (event->type == JMP_EVENT_TRANSPORT_SWITCH && host->switch_count < STATES_MAX)
        host->switch_times[host->switch_count++] = event->time;
    if (event->type == JMP_EVENT_SESSION_STATE_CHANGE && host->state_count < STATES_MAX)
        host->states[host->state_count++] = (struct transition){event->time, event->previous_state, event->new_state, event->reason};
}

static void print_event(const jmp_event *event) {
    char json[2048], from[64] = "", to[64] = "";
    size_t length = 0;
    require(jmp_event_to_json(event, json, sizeof json, &length), "jmp_event_to_json");
    address_text(&event->from_address, from, sizeof from);
    address_text(&event->to_address, to, sizeof to);
    print_line("{\"t\":%" PRIu64 ",\"type\":\"%s\",\"from_address\":\"%s\",\"to_address\":\"%s\",\"event\":%s}", event->time,
               jmp_event_name(event->type), from, to, json);
}

/* Says where the session is bound whenever that has changed. */
static void note_binding(struct host *host) {
    jmp_path_info paths[JMP_MAX_PATHS];
    size_t count = 0;
    if (host->session == 0 || jmp_session_get_paths(host->endpoint, host->session, paths, JMP_MAX_PATHS, &count) != JMP_OK) return;
    for (size_t i = 0; i < count; i++) {
        if (paths[i].role != JMP_PATH_ACTIVE) continue;
        char address[64];
        address_text(&paths[i].address, address, sizeof address);
        if (paths[i].transport == host->bound_transport && strcmp(address, host->bound_address) == 0) return;
        host->bound_transport = paths[i].transport;
        snprintf(host->bound_address, sizeof host->bound_address, "%s", address);
        print_line("{\"t\":%" PRIu64 ",\"bound\":\"%s\",\"transport\":\"%.16s\"}", clock_us(), address, paths[i].name);
    }
}

/* ------------------------------------------------------------------ sending */

void host_hint(struct host *host, struct transport *transport, int is_up, const char *source) {
    if (transport->is_down == !is_up) return;
    transport->is_down = !is_up;
    jmp_time now = clock_us();
    print_line("{\"t\":%" PRIu64 ",\"hint\":\"%s\",\"transport\":\"%s\",\"source\":\"%s\"}", now, is_up ? "up" : "down",
               transport->name, source);
    require(jmp_transport_hint(host->endpoint, transport->number, (uint32_t)is_up, now), "jmp_transport_hint");
}

static struct transport *find_transport(struct host *host, uint32_t number) {
    for (int i = 0; i < TRANSPORT_COUNT; i++)
        if (host->transports[i].number == number) return &host->transports[i];
    fprintf(stderr, "probe: the library named transport %u, which does not exist\n", (unsigned)number);
    fail("transport");
}

static int is_link_error(int error) {
    return error == ENETDOWN || error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL || error == ENODEV;
}

/* 1 when the datagram left. Otherwise the library is told so, and of a link that is gone. */
static int transmit(struct host *host, const jmp_datagram *datagram, const uint8_t *bytes) {
    struct transport *transport = find_transport(host, datagram->transport);
    struct sockaddr_in to;
    to_internet(&datagram->to, &to);
    if (sendto(transport->fd, bytes, datagram->length, 0, (struct sockaddr *)&to, sizeof to) >= 0) {
        if (transport->is_down && host->netlink_fd < 0) host_hint(host, transport, 1, "sendto");
        return 1;
    }
    int error = errno;
    host->unsent++;
    if (datagram->session != 0 && datagram->packet_number != JMP_PACKET_NUMBER_NONE) {
        jmp_status status = jmp_unsent(host->endpoint, datagram->session, datagram->packet_number, clock_us());
        if (status != JMP_ERR_SESSION) require(status, "jmp_unsent"); /* a session may have ended meanwhile */
    }
    if (is_link_error(error)) host_hint(host, transport, 0, "sendto");
    else if (error != EAGAIN && error != ENOBUFS && error != EINTR) fail("sendto");
    return 0;
}

void host_drain(struct host *host) {
    static uint8_t buffer[DATAGRAM_CAPACITY];
    jmp_datagram datagram = {.struct_size = sizeof datagram};
    jmp_event event = {.struct_size = sizeof event};
    jmp_status status;
    /* Bounded: a host never owes the library more than this many datagrams at a time. */
    for (int i = 0; i < 4096; i++) {
        status = jmp_poll_transmit(host->endpoint, clock_us(), buffer, sizeof buffer, &datagram);
        if (status == JMP_AGAIN) break;
        require(status, "jmp_poll_transmit");
        transmit(host, &datagram, buffer);
    }
    while ((status = jmp_poll_event(host->endpoint, &event)) == JMP_OK) {
        note_event(host, &event);
        print_event(&event);
    }
    if (status != JMP_AGAIN) require(status, "jmp_poll_event");
    note_binding(host);
}

jmp_status host_send(struct host *host, jmp_session session, const uint8_t *payload, size_t length) {
    static uint8_t buffer[DATAGRAM_CAPACITY];
    for (int attempt = 0; attempt < 2; attempt++) {
        jmp_datagram datagram = {.struct_size = sizeof datagram};
        jmp_status status = jmp_send(host->endpoint, session, payload, length, clock_us(), buffer, sizeof buffer, &datagram);
        if (status != JMP_OK) return status;
        int has_left = transmit(host, &datagram, buffer);
        host_drain(host);
        if (has_left) return JMP_OK;
    }
    return JMP_AGAIN;
}

/* ---------------------------------------------------------------- receiving */

static void read_transport(struct host *host, int index) {
    static uint8_t buffer[65536];
    struct transport *transport = &host->transports[index];
    for (;;) {
        struct sockaddr_in internet;
        socklen_t internet_length = sizeof internet;
        ssize_t length = recvfrom(transport->fd, buffer, sizeof buffer, 0, (struct sockaddr *)&internet, &internet_length);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (length < 0 && is_link_error(errno)) continue; /* the error of an earlier send */
        if (length < 0) fail("recvfrom");
        jmp_time now = clock_us();
        jmp_address from;
        jmp_received received = {.struct_size = sizeof received};
        from_internet(&internet, &from);
        require(jmp_receive(host->endpoint, transport->number, &from, buffer, (size_t)length, now, &received), "jmp_receive");
        if (received.kind == JMP_RECEIVED_PAYLOAD)
            host->on_payload(host, received.session, buffer + received.payload_offset, received.payload_length, (uint32_t)index, now);
        if (received.kind == JMP_RECEIVED_PROTECTED && host->stream != NULL)
            stream_note(host->stream, buffer + received.payload_offset, received.payload_length, (uint32_t)index, now);
        if (received.waiting && host->stream != NULL) stream_poll(host->stream, host, (uint32_t)index);
        host_drain(host);
    }
}

/* hint A|B up|down */
static int read_hint(struct host *host, const char *line) {
    char name, direction[8];
    if (sscanf(line, "hint %c %7s", &name, direction) != 2 || (name != 'A' && name != 'B')) return 0;
    host_hint(host, &host->transports[name - 'A'], strcmp(direction, "up") == 0, "orchestrator");
    host_drain(host);
    return 1;
}

static void read_input(struct host *host) {
    static char input[INPUT_CAPACITY];
    static size_t used;
    ssize_t count = read(STDIN_FILENO, input + used, sizeof input - used);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (count <= 0) {
        host->input_closed = 1;
        epoll_ctl(host->epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        return;
    }
    used += (size_t)count;
    char *end;
    while ((end = memchr(input, '\n', used)) != NULL) {
        *end = 0;
        if (strcmp(input, "stop") == 0) host->input_closed = 1;
        else if (!read_hint(host, input)) {
            if (host->stream != NULL) stream_line(host->stream, input);
            host->on_line(host, input);
        }
        used -= (size_t)(end + 1 - input);
        memmove(input, end + 1, used);
    }
    if (used == sizeof input) used = 0;
}

jmp_time host_wait(struct host *host, jmp_time wake_at) {
    struct epoll_event events[8];
    jmp_time timeout_at, now = clock_us();
    require(jmp_next_timeout(host->endpoint, &timeout_at), "jmp_next_timeout");
    jmp_time until = timeout_at < wake_at ? timeout_at : wake_at;
    jmp_time wait_us = until > now ? until - now : 0;
    struct timespec wait = {(time_t)(wait_us / 1000000), (long)(wait_us % 1000000) * 1000};
    int count = epoll_pwait2(host->epoll_fd, events, 8, &wait, NULL);
    /* A process that was stopped comes back from here with EINTR and does not learn what has come meanwhile. */
    if (count < 0 && errno == EINTR) count = epoll_wait(host->epoll_fd, events, 8, 0);
    if (count < 0 && errno != EINTR) fail("epoll_pwait2");
    jmp_time due = now + wait_us; /* lateness is the machine's: work that made us ask late is not counted */
    now = clock_us();
    if (now > due && now - due > host->worst_wake_us) host->worst_wake_us = now - due;
    for (int i = 0; i < count; i++) {
        uint32_t key = events[i].data.u32;
        if (key < TRANSPORT_COUNT) read_transport(host, (int)key);
        else if (key == KEY_NETLINK) netlink_read(host);
        else read_input(host);
    }
    now = clock_us();
    require(jmp_next_timeout(host->endpoint, &timeout_at), "jmp_next_timeout");
    if (timeout_at <= now) require(jmp_handle_timeout(host->endpoint, now), "jmp_handle_timeout");
    host_drain(host);
    return now;
}
