/* Interfaces that go down or come up, as the kernel tells every host that asks
 * (rtnetlink(7), group RTMGRP_LINK). */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

int netlink_open(const struct host *host) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("netlink");
    for (int i = 0; i < TRANSPORT_COUNT; i++)
        if (host->transports[i].interface_index == 0) fail("no interface has the local address");
    return fd;
}

static void note_link(struct host *host, const struct ifinfomsg *link) {
    for (int i = 0; i < TRANSPORT_COUNT; i++) {
        if (host->transports[i].interface_index != (unsigned)link->ifi_index) continue;
        host_hint(host, &host->transports[i], (link->ifi_flags & IFF_UP) != 0, "netlink");
    }
}

void netlink_read(struct host *host) {
    static union {
        struct nlmsghdr header;
        char bytes[16384];
    } buffer;
    for (;;) {
        ssize_t length = recv(host->netlink_fd, buffer.bytes, sizeof buffer.bytes, 0);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (length <= 0) fail("netlink");
        int left = (int)length;
        for (struct nlmsghdr *header = &buffer.header; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left))
            if (header->nlmsg_type == RTM_NEWLINK) note_link(host, NLMSG_DATA(header));
    }
    host_drain(host);
}
