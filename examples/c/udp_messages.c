/* Messages of udp_messages.h; see there. */
#define _GNU_SOURCE
#include "udp_messages.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>

enum { MAX_SEGMENTS = 64, MAX_BYTES = 65000 };      /* the kernel's limits for a message with GSO */

void udp_messages_offload(struct udp_socket *socket)
{
    const int on = 1, unset = 0;                    /* each message tells its own segment size */
    socket->has_gso = setsockopt(socket->fd, SOL_UDP, UDP_SEGMENT, &unset, sizeof unset) == 0;
    socket->has_gro = setsockopt(socket->fd, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
}

/* ----------------------------------------------------------------- sending */

/* How many datagrams from `first` on fit one message: all to one address and of one length, but for a shorter last one. */
static size_t count_segments(const struct udp_batch *out, size_t first, size_t end)
{
    const jmp_datagram *head = &out->datagram[first];
    size_t bytes = head->length, next = first + 1;
    while (next < end && next - first < MAX_SEGMENTS) {
        const jmp_datagram *datagram = &out->datagram[next];
        bytes += datagram->length;
        if (datagram->length > head->length || bytes > MAX_BYTES || memcmp(&datagram->to, &head->to, sizeof head->to)) break;
        next++;
        if (datagram->length < head->length) break;
    }
    return next - first;
}

void udp_messages_make(struct udp_messages *m, struct udp_batch *out, size_t first, size_t end, bool has_gso)
{
    m->count = 0;
    for (size_t i = first; i < end;) {
        size_t segments = has_gso ? count_segments(out, i, end) : 1, n = m->count++;
        struct msghdr *header = &m->headers[n].msg_hdr;
        *header = (struct msghdr){ .msg_name = &m->address[n], .msg_iov = &m->pieces[i], .msg_iovlen = segments };
        header->msg_namelen = udp_host_from_jumping(&out->datagram[i].to, &m->address[n]);
        if (segments > 1) {
            const uint16_t size = (uint16_t)out->datagram[i].length;
            header->msg_control = &m->control[n];
            header->msg_controllen = CMSG_SPACE(sizeof size);
            struct cmsghdr *control = CMSG_FIRSTHDR(header);
            control->cmsg_level = SOL_UDP;
            control->cmsg_type = UDP_SEGMENT;
            control->cmsg_len = CMSG_LEN(sizeof size);
            memcpy(CMSG_DATA(control), &size, sizeof size);
        }
        m->first[n] = i;
        for (; segments > 0; segments--, i++)
            m->pieces[i] = (struct iovec){ .iov_base = out->bytes[i], .iov_len = out->datagram[i].length };
    }
    m->first[m->count] = end;
}

bool udp_messages_is_gso_refused(int error)
{
    return error == EIO || error == EINVAL || error == EMSGSIZE || error == EOPNOTSUPP;
}

/* --------------------------------------------------------------- receiving */

size_t udp_messages_make_room(struct udp_messages *m, uint8_t *buffer, size_t length, bool has_gro)
{
    /* Without GRO a buffer holds one datagram: it can be smaller, and there can be more of them. */
    const size_t size = has_gro ? UDP_HOST_READ_SIZE : UDP_HOST_DATAGRAM_SIZE, room = length / size;
    m->count = room < UDP_HOST_BATCH ? room : UDP_HOST_BATCH;
    for (size_t i = 0; i < m->count; i++) {
        m->pieces[i] = (struct iovec){ .iov_base = buffer + i * size, .iov_len = size };
        m->headers[i].msg_hdr = (struct msghdr){
            .msg_name = &m->address[i], .msg_namelen = sizeof m->address[i], .msg_iov = &m->pieces[i], .msg_iovlen = 1,
            .msg_control = &m->control[i], .msg_controllen = sizeof m->control[i] };
    }
    return m->count;
}

uint32_t udp_messages_segment_size(struct mmsghdr *message)
{
    struct msghdr *header = &message->msg_hdr;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control)) {
        int size;
        if (control->cmsg_level != SOL_UDP || control->cmsg_type != UDP_GRO) continue;
        memcpy(&size, CMSG_DATA(control), sizeof size);
        if (size > 0) return (uint32_t)size;
    }
    return message->msg_len ? message->msg_len : 1;
}
