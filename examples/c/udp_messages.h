/* What udp_host.c gives sendmmsg and recvmmsg. With GSO and GRO, which Linux has since 4.18 and 5.0, a message carries many
 * datagrams of equal size at the cost of one walk through the network stack; without them it carries one. */
#ifndef UDP_MESSAGES_H
#define UDP_MESSAGES_H

#include "udp_host.h"

struct udp_messages {
    size_t count;
    struct mmsghdr headers[UDP_HOST_BATCH];
    size_t first[UDP_HOST_BATCH + 1];           /* sending: the queued datagram each message begins with; then the end */
    struct iovec pieces[UDP_HOST_BATCH];        /* one per datagram to send, one per buffer to read into */
    struct sockaddr_storage address[UDP_HOST_BATCH];
    struct {
        _Alignas(struct cmsghdr) char bytes[CMSG_SPACE(sizeof(int))];
    } control[UDP_HOST_BATCH];
};

/* Asks the kernel for GSO and GRO on a socket and notes what it grants. */
void udp_messages_offload(struct udp_socket *socket);

/* Makes messages of the queued datagrams first … end - 1. */
void udp_messages_make(struct udp_messages *m, struct udp_batch *out, size_t first, size_t end, bool has_gso);

/* Whether a send failed for being a message of several datagrams: the network below cannot cut it, or the pieces do not fit it. */
bool udp_messages_is_gso_refused(int error);

/* Makes messages that read into a buffer. Returns how many. */
size_t udp_messages_make_room(struct udp_messages *m, uint8_t *buffer, size_t length, bool has_gro);

/* The size of the datagrams in a message that was read, but for the last, which may be shorter. At least 1. */
uint32_t udp_messages_segment_size(struct mmsghdr *message);

#endif
