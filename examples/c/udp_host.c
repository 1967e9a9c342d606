/* The host loop of udp_host.h; see there. Compiled together with a program: cc gateway.c udp_*.c -ljumping */
#define _GNU_SOURCE
#include "udp_host.h"
#include "udp_messages.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { TIMER_TAG = JMP_MAX_TRANSPORTS, READS_PER_TURN = 16, SOCKET_BUFFER_BYTES = 1 << 20 };

/* ------------------------------------------------------------------ clocks */

static int64_t clock_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

jmp_time udp_host_now(void)
{
    return (jmp_time)clock_us(CLOCK_BOOTTIME);
}

int64_t udp_host_wall_clock_offset(void)
{
    return clock_us(CLOCK_REALTIME) - clock_us(CLOCK_BOOTTIME);
}

/* ----------------------------------------------------------------- sending */

/* Errors after which the network below a socket is known to be gone, as opposed to a full queue. */
static bool is_network_gone(int error)
{
    return error == ENETUNREACH || error == ENETDOWN || error == EHOSTUNREACH || error == EADDRNOTAVAIL || error == ENODEV;
}

/* The kernel refused a datagram: it never left, so it must not count as lost. A network that is gone is hinted as well. */
static void send_failed(struct udp_host *host, struct udp_socket *socket, const jmp_datagram *datagram, int error, jmp_time now)
{
    if (datagram->packet_number != JMP_PACKET_NUMBER_NONE)
        jmp_unsent(host->endpoint, datagram->session, datagram->packet_number, now);
    if (is_network_gone(error) && !socket->down) {
        socket->down = true;
        jmp_transport_hint(host->endpoint, socket->transport, 0, now);
    }
}

/* Sends the queued datagrams first … end - 1, all of one socket; what the kernel refuses is reported, the rest goes on. */
static void send_run(struct udp_host *host, size_t first, size_t end, jmp_time now)
{
    struct udp_batch *out = &host->out;
    struct udp_socket *socket = &host->sockets[out->socket[first]];
    struct udp_messages m;
    if (socket->fd < 0) return;     /* killed: the datagrams vanish, as on a dead link */
    udp_messages_make(&m, out, first, end, socket->has_gso);
    for (size_t done = 0; done < m.count;) {
        int sent = sendmmsg(socket->fd, m.headers + done, (unsigned)(m.count - done), MSG_DONTWAIT);
        if (sent > 0) {
            done += (size_t)sent;
            if (socket->down) {
                socket->down = false;
                jmp_transport_hint(host->endpoint, socket->transport, 1, now);
            }
        } else if (m.headers[done].msg_hdr.msg_iovlen > 1 && udp_messages_is_gso_refused(errno)) {
            socket->has_gso = false;
            udp_messages_make(&m, out, m.first[done], end, false);
            done = 0;
        } else if (errno != EINTR) {
            int error = errno;
            for (size_t i = m.first[done]; i < m.first[done + 1]; i++) send_failed(host, socket, &out->datagram[i], error, now);
            done++;
        }
    }
}

/* Sends the whole batch, one sendmmsg per run of datagrams for the same socket. */
static void flush_batch(struct udp_host *host, jmp_time now)
{
    size_t first = 0, count = host->out.count;
    while (first < count) {
        size_t end = first + 1;
        while (end < count && host->out.socket[end] == host->out.socket[first]) end++;
        send_run(host, first, end, now);
        first = end;
    }
    host->out.count = 0;
}

/* Accepts the datagram that was just written into the batch's next slot. */
static void queue_datagram(struct udp_host *host, const jmp_datagram *datagram)
{
    for (size_t i = 0; i < host->socket_count; i++) {
        if (host->sockets[i].transport != datagram->transport) continue;
        host->out.socket[host->out.count] = i;
        host->out.datagram[host->out.count] = *datagram;
        host->out.count++;
        return;
    }
}

jmp_status udp_host_send(struct udp_host *host, jmp_session session, const void *payload, size_t length, jmp_time now)
{
    jmp_datagram datagram = { .struct_size = sizeof datagram };
    if (host->out.count == UDP_HOST_BATCH) flush_batch(host, now);
    jmp_status status = jmp_send(host->endpoint, session, payload, length, now, host->out.bytes[host->out.count],
                                 UDP_HOST_DATAGRAM_SIZE, &datagram);
    if (status == JMP_OK) queue_datagram(host, &datagram);
    return status;
}

size_t udp_host_send_many(struct udp_host *host, jmp_session session, const uint8_t *payloads, size_t length, size_t count,
                          jmp_time now)
{
    jmp_send_item items[UDP_HOST_BATCH];
    size_t taken = 0, done = 0;
    for (size_t batch; count > 0; count -= batch, payloads += batch * length) {
        if (host->out.count == UDP_HOST_BATCH) flush_batch(host, now);
        size_t first = host->out.count;
        batch = count < UDP_HOST_BATCH - first ? count : UDP_HOST_BATCH - first;
        for (size_t i = 0; i < batch; i++)
            items[i] = (jmp_send_item){ .session = session, .payload_offset = (uint32_t)(i * length), .payload_length = (uint32_t)length,
                                        .buffer_offset = (uint32_t)((first + i) * UDP_HOST_DATAGRAM_SIZE),
                                        .buffer_capacity = UDP_HOST_DATAGRAM_SIZE, .datagram.struct_size = sizeof items[i].datagram };
        if (jmp_send_batch(host->endpoint, items, batch, payloads, batch * length, now, host->out.bytes[0], sizeof host->out.bytes, &done)) break;
        for (size_t i = 0; i < batch; i++) {
            if (items[i].status != JMP_OK) continue;
            size_t slot = host->out.count;      /* behind one that was refused, a datagram moves up */
            if (slot != first + i) memmove(host->out.bytes[slot], host->out.bytes[first + i], items[i].datagram.length);
            queue_datagram(host, &items[i].datagram);
        }
        taken += done;
    }
    return taken;
}

static void drain_events(struct udp_host *host)
{
    jmp_event event = { .struct_size = sizeof event };
    char json[2048];
    size_t length;
    while (jmp_poll_event(host->endpoint, &event) == JMP_OK) {
        if (host->trace && jmp_event_to_json(&event, json, sizeof json, &length) == JMP_OK)
            fprintf(host->trace, "%s\n", json);
        if (host->callbacks.event) host->callbacks.event(host, &event);
    }
}

static void take_payload(struct udp_host *host, jmp_session session, uint32_t channel, const uint8_t *bytes, size_t length)
{
    if (host->callbacks.protected_payload) host->callbacks.protected_payload(host, session, channel, bytes, length);
    else if (host->callbacks.payload) host->callbacks.payload(host, session, bytes, length);
}

/* Protected payloads that jmp_receive did not hand out. */
static void drain_payloads(struct udp_host *host, jmp_time now)
{
    jmp_payload payload = { .struct_size = sizeof payload };
    while (jmp_poll_payload(host->endpoint, now, host->payload, sizeof host->payload, &payload) == JMP_OK)
        take_payload(host, payload.session, payload.channel, host->payload, payload.length);
}

void udp_host_flush(struct udp_host *host, jmp_time now)
{
    /* Payloads queued by udp_host_send lie in the batch already, before the control datagrams that follow them. A refused
     * datagram or an event callback can give the library more to send, hence the outer loop; it is bounded all the same. */
    for (int round = 0; round < 8; round++) {
        jmp_datagram datagram = { .struct_size = sizeof datagram };
        drain_payloads(host, now);      /* first: their peers are told that there is room again */
        for (;;) {
            if (host->out.count == UDP_HOST_BATCH) flush_batch(host, now);
            if (jmp_poll_transmit(host->endpoint, now, host->out.bytes[host->out.count], UDP_HOST_DATAGRAM_SIZE, &datagram)) break;
            queue_datagram(host, &datagram);
        }
        drain_events(host);
        if (host->out.count == 0) break;
        flush_batch(host, now);
    }
}

/* --------------------------------------------------------------- receiving */

/* Hands datagrams to the library, their payloads to the program, and sends what that brought about. */
static void hand_over(struct udp_host *host, jmp_receive_item *items, size_t count)
{
    jmp_time now = udp_host_now();
    jmp_receive_batch(host->endpoint, items, count, host->in, sizeof host->in, now);
    for (size_t i = 0; i < count; i++) {
        const jmp_received *received = &items[i].received;
        const uint8_t *bytes = host->in + items[i].offset + received->payload_offset;
        if (items[i].status != JMP_OK) continue;
        if (received->kind == JMP_RECEIVED_PAYLOAD && host->callbacks.payload)
            host->callbacks.payload(host, received->session, bytes, received->payload_length);
        if (received->kind == JMP_RECEIVED_PROTECTED)
            take_payload(host, received->session, received->channel, bytes, received->payload_length);
    }
    udp_host_flush(host, now);
}

/* One recvmmsg. Returns whether there may be more. */
static bool receive_batch(struct udp_host *host, struct udp_socket *socket)
{
    struct udp_messages m;
    jmp_receive_item items[UDP_HOST_BATCH];
    size_t waiting = 0, room = udp_messages_make_room(&m, host->in, sizeof host->in, socket->has_gro);
    int count = recvmmsg(socket->fd, m.headers, (unsigned)room, MSG_DONTWAIT, NULL);
    if (count <= 0) return false;   /* empty, or an error left by an earlier datagram (ICMP): nothing to hand over */
    for (size_t i = 0; i < (size_t)count; i++) {
        const uint32_t end = m.headers[i].msg_len, segment = udp_messages_segment_size(&m.headers[i]);
        uint32_t offset = 0;
        jmp_address from;
        udp_host_to_jumping(&m.address[i], &from);
        do {                        /* at least once: a datagram can be empty */
            if (waiting == UDP_HOST_BATCH) hand_over(host, items, waiting), waiting = 0;
            items[waiting++] = (jmp_receive_item){
                .transport = socket->transport, .from = from,
                .offset = (uint32_t)((uint8_t *)m.pieces[i].iov_base - host->in) + offset,
                .length = end - offset < segment ? end - offset : segment, .received.struct_size = sizeof items[0].received };
            offset += segment;
        } while (offset < end);
    }
    hand_over(host, items, waiting);
    return (size_t)count == room;
}

/* Reads a socket until it is empty, within a bound so that a flood on one cannot starve the others. */
static void drain_socket(struct udp_host *host, struct udp_socket *socket)
{
    for (int i = 0; i < READS_PER_TURN && socket->fd >= 0; i++)
        if (!receive_batch(host, socket)) return;
}

/* -------------------------------------------------------------------- loop */

/* Sets the timer to the earlier of the library's deadline and ours; no system call when it is set to that already. */
static void arm_timer(struct udp_host *host, jmp_time wake_at)
{
    jmp_time deadline = JMP_TIME_NONE;
    struct itimerspec timer = { .it_interval = { 0, 0 } };
    jmp_next_timeout(host->endpoint, &deadline);
    if (wake_at < deadline) deadline = wake_at;
    if (deadline == host->timer_at) return;
    host->timer_at = deadline;
    if (deadline != JMP_TIME_NONE) {
        timer.it_value.tv_sec = (time_t)(deadline / 1000000);
        timer.it_value.tv_nsec = (long)(deadline % 1000000) * 1000 + 1;     /* + 1: an all-zero time would disarm it */
    }
    timerfd_settime(host->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

int udp_host_run_once(struct udp_host *host, jmp_time wake_at)
{
    struct epoll_event ready[16];
    jmp_time deadline = JMP_TIME_NONE;
    uint64_t expirations;
    udp_host_flush(host, udp_host_now());
    if (wake_at) arm_timer(host, wake_at);
    int count = epoll_pwait(host->epoll_fd, ready, 16, wake_at ? -1 : 0, &host->awake_signals);
    if (count < 0) return errno == EINTR ? 0 : -1;
    for (int i = 0; i < count; i++) {
        if (ready[i].data.u32 != TIMER_TAG) {
            drain_socket(host, &host->sockets[ready[i].data.u32]);
        } else if (read(host->timer_fd, &expirations, sizeof expirations) > 0) {
            host->timer_at = JMP_TIME_NONE;
        }
    }
    jmp_next_timeout(host->endpoint, &deadline);
    if (deadline > udp_host_now()) return 0;
    /* A silence must be the path's, not ours: what waits in the sockets is read before deadlines are judged. */
    for (size_t i = 0; i < host->socket_count; i++) drain_socket(host, &host->sockets[i]);
    jmp_time now = udp_host_now();
    jmp_handle_timeout(host->endpoint, now);
    udp_host_flush(host, now);
    return 0;
}

int udp_host_open(struct udp_host *host, jmp_endpoint *endpoint, struct udp_host_callbacks callbacks, void *context)
{
    memset(host, 0, sizeof *host);
    host->endpoint = endpoint;
    host->callbacks = callbacks;
    host->context = context;
    host->timer_at = JMP_TIME_NONE;
    sigemptyset(&host->awake_signals);
    host->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    host->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = TIMER_TAG };
    if (host->epoll_fd < 0 || host->timer_fd < 0) return -1;
    return epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, host->timer_fd, &event);
}

/* Opens and binds the socket itself. Returns the descriptor or -1. */
static int open_socket(const struct sockaddr_storage *local, const char *interface)
{
    const int on = 1, size = SOCKET_BUFFER_BYTES;
    socklen_t length = local->ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    int fd = socket(local->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);      /* as much as the system allows; less works too */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if ((local->ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        || (interface && *interface
            && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0)
        || bind(fd, (const struct sockaddr *)local, length) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int udp_host_add_socket(struct udp_host *host, const struct sockaddr_storage *local, const char *interface,
                        const char *name, uint32_t transport_class)
{
    struct udp_socket added = { .family = local->ss_family };
    size_t index = host->socket_count;
    jmp_transport_config config;
    if (index == JMP_MAX_TRANSPORTS) {
        fprintf(stderr, "%s: too many sockets\n", name);
        return -1;
    }
    added.fd = open_socket(local, interface);
    if (added.fd < 0) {
        perror(name);
        return -1;
    }
    if (!host->is_plain) udp_messages_offload(&added);
    jmp_transport_config_init(&config);
    config.transport_class = transport_class;
    config.mtu = UDP_HOST_MTU;
    snprintf(config.name, sizeof config.name, "%s", name);
    jmp_status status = jmp_transport_add(host->endpoint, &config, udp_host_now(), &added.transport);
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)index };
    if (status != JMP_OK || epoll_ctl(host->epoll_fd, EPOLL_CTL_ADD, added.fd, &event) < 0) {
        fprintf(stderr, "%s: %s\n", name, status != JMP_OK ? jmp_strerror(status) : strerror(errno));
        close(added.fd);
        return -1;
    }
    host->sockets[index] = added;
    host->socket_count++;
    return (int)index;
}

void udp_host_kill_socket(struct udp_host *host, size_t index)
{
    if (host->sockets[index].fd >= 0) close(host->sockets[index].fd);
    host->sockets[index].fd = -1;
}

void udp_host_close(struct udp_host *host)
{
    for (size_t i = 0; i < host->socket_count; i++) udp_host_kill_socket(host, i);
    if (host->epoll_fd >= 0) close(host->epoll_fd);
    if (host->timer_fd >= 0) close(host->timer_fd);
    jmp_endpoint_free(host->endpoint);
}
