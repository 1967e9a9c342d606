/* Many datagrams per system call. Everything the kernel needs pointers for is built on the C stack, so that Go passes
 * plain bytes only and owns all memory. */
#ifndef JUMPING_GO_UDP_MESSAGES_H
#define JUMPING_GO_UDP_MESSAGES_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define JUMPING_UDP_BATCH 32
#define JUMPING_UDP_ADDRESS 32

/* One datagram: its bytes lie in slot number i of the buffer of the call. The address has the form of
 * jumping.AddressFromAddrPort. */
typedef struct jumping_udp_message {
    uint32_t length;
    int32_t error; /* 0, or the errno this datagram met */
    uint8_t address_length;
    uint8_t address_prefix;
    uint8_t address[JUMPING_UDP_ADDRESS];
} jumping_udp_message;

/* AF_INET or AF_INET6 of a socket, or -errno. */
static inline int jumping_udp_family(int socket) {
    int family = 0;
    socklen_t size = sizeof family;
    if (getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) return -errno;
    return family;
}

static inline void jumping_udp_read_address(const struct sockaddr_storage *from, jumping_udp_message *message) {
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)from;
        memcpy(message->address, &four->sin_addr, 4);
        memcpy(message->address + 4, &four->sin_port, 2);
        message->address_length = 6;
        message->address_prefix = 4;
        return;
    }
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        memcpy(message->address, (const uint8_t *)&six->sin6_addr + 12, 4);
        memcpy(message->address + 4, &six->sin6_port, 2);
        message->address_length = 6;
        message->address_prefix = 4;
        return;
    }
    memcpy(message->address, &six->sin6_addr, 16);
    memcpy(message->address + 16, &six->sin6_port, 2);
    message->address_length = 18;
    message->address_prefix = 8;
    if (six->sin6_scope_id != 0) {
        char zone[IF_NAMESIZE];
        size_t length = if_indextoname(six->sin6_scope_id, zone) ? strlen(zone) : 0;
        if (length <= JUMPING_UDP_ADDRESS - 18) {
            memcpy(message->address + 18, zone, length);
            message->address_length = (uint8_t)(18 + length);
        }
    }
}

/* The size of the socket address, 0 when this family cannot reach it. */
static inline socklen_t jumping_udp_write_address(const jumping_udp_message *message, int family,
                                                  struct sockaddr_storage *to) {
    memset(to, 0, sizeof(struct sockaddr_in6));
    if (family == AF_INET) {
        struct sockaddr_in *four = (struct sockaddr_in *)to;
        if (message->address_length != 6) return 0;
        four->sin_family = AF_INET;
        memcpy(&four->sin_addr, message->address, 4);
        memcpy(&four->sin_port, message->address + 4, 2);
        return sizeof *four;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
    six->sin6_family = AF_INET6;
    if (message->address_length == 6) {
        uint8_t *mapped = (uint8_t *)&six->sin6_addr;
        mapped[10] = mapped[11] = 0xff;
        memcpy(mapped + 12, message->address, 4);
        memcpy(&six->sin6_port, message->address + 4, 2);
        return sizeof *six;
    }
    if (message->address_length < 18 || message->address_length > JUMPING_UDP_ADDRESS) return 0;
    memcpy(&six->sin6_addr, message->address, 16);
    memcpy(&six->sin6_port, message->address + 16, 2);
    if (message->address_length > 18) {
        char zone[JUMPING_UDP_ADDRESS] = {0};
        memcpy(zone, message->address + 18, message->address_length - 18u);
        six->sin6_scope_id = if_nametoindex(zone);
    }
    return sizeof *six;
}

/* Takes what waits in the socket, at most count (≤ JUMPING_UDP_BATCH) datagrams, without waiting. Returns how many, or
 * -errno. A datagram longer than its slot gets error EMSGSIZE. */
static inline int jumping_udp_receive(int socket, uint8_t *buffer, uint32_t slot_size, jumping_udp_message *messages,
                                      uint32_t count) {
    struct mmsghdr headers[JUMPING_UDP_BATCH];
    struct iovec vectors[JUMPING_UDP_BATCH];
    struct sockaddr_storage addresses[JUMPING_UDP_BATCH];
    if (count > JUMPING_UDP_BATCH) count = JUMPING_UDP_BATCH;
    memset(headers, 0, count * sizeof headers[0]);
    for (uint32_t i = 0; i < count; i++) {
        vectors[i].iov_base = buffer + (size_t)i * slot_size;
        vectors[i].iov_len = slot_size;
        headers[i].msg_hdr.msg_iov = &vectors[i];
        headers[i].msg_hdr.msg_iovlen = 1;
        headers[i].msg_hdr.msg_name = &addresses[i];
        headers[i].msg_hdr.msg_namelen = sizeof addresses[i];
    }
    int received = recvmmsg(socket, headers, count, MSG_DONTWAIT, NULL);
    if (received < 0) return -errno;
    for (int i = 0; i < received; i++) {
        messages[i].length = headers[i].msg_len;
        messages[i].error = headers[i].msg_hdr.msg_flags & MSG_TRUNC ? EMSGSIZE : 0;
        jumping_udp_read_address(&addresses[i], &messages[i]);
    }
    return received;
}

/* Sends count (≤ JUMPING_UDP_BATCH) datagrams without waiting; each one's error is 0 or why it never left. Returns how
 * many failed. */
static inline int jumping_udp_send(int socket, int family, uint8_t *buffer, uint32_t slot_size,
                                   jumping_udp_message *messages, uint32_t count) {
    struct mmsghdr headers[JUMPING_UDP_BATCH];
    struct iovec vectors[JUMPING_UDP_BATCH];
    struct sockaddr_storage addresses[JUMPING_UDP_BATCH];
    uint32_t indices[JUMPING_UDP_BATCH];
    uint32_t ready = 0, sent = 0;
    int failed = 0;
    if (count > JUMPING_UDP_BATCH) count = JUMPING_UDP_BATCH;
    memset(headers, 0, count * sizeof headers[0]);
    for (uint32_t i = 0; i < count; i++) {
        socklen_t size = jumping_udp_write_address(&messages[i], family, &addresses[ready]);
        messages[i].error = size == 0 ? EAFNOSUPPORT : 0;
        if (size == 0) {
            failed++;
            continue;
        }
        vectors[ready].iov_base = buffer + (size_t)i * slot_size;
        vectors[ready].iov_len = messages[i].length;
        headers[ready].msg_hdr.msg_iov = &vectors[ready];
        headers[ready].msg_hdr.msg_iovlen = 1;
        headers[ready].msg_hdr.msg_name = &addresses[ready];
        headers[ready].msg_hdr.msg_namelen = size;
        indices[ready++] = i;
    }
    while (sent < ready) { /* sendmmsg stops at the first datagram that fails, and tells why only when called again */
        int result = sendmmsg(socket, headers + sent, ready - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (result > 0) {
            sent += (uint32_t)result;
        } else if (errno != EINTR) {
            messages[indices[sent++]].error = errno;
            failed++;
        }
    }
    return failed;
}

/* A timer of the clock that counts through suspend: -errno, or its descriptor. */
static inline int jumping_udp_timer_new(void) {
    int timer = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    return timer < 0 ? -errno : timer;
}

/* Arms it at a moment of CLOCK_BOOTTIME in microseconds (at once when that is past). Returns 0 or -errno. */
static inline int jumping_udp_timer_arm(int timer, uint64_t at_us) {
    struct itimerspec when = {{0, 0}, {0, 0}};
    if (at_us == 0) at_us = 1; /* zero would disarm it */
    when.it_value.tv_sec = (time_t)(at_us / 1000000u);
    when.it_value.tv_nsec = (long)(at_us % 1000000u) * 1000;
    return timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL) == 0 ? 0 : -errno;
}

static inline int jumping_udp_close(int descriptor) { return close(descriptor); }

#endif
