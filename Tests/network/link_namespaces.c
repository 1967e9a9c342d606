/* Network namespaces without names: each lives as long as a descriptor or a
 * process refers to it, so nothing is left behind however a test ends. */
#define _GNU_SOURCE
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

uint32_t path_address(int path, int host) {
    return (10u << 24) | (201u << 16) | ((uint32_t)(path + 1) << 8) | (uint32_t)host;
}

static void device_name(char name[IFNAMSIZ], int path) {
    snprintf(name, IFNAMSIZ, "path%c", 'A' + path);
}

static int set_flags(int control_fd, const char *name, int is_up) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (ioctl(control_fd, SIOCGIFFLAGS, &request) < 0) return -1;
    if (is_up) request.ifr_flags |= IFF_UP;
    else request.ifr_flags = (short)(request.ifr_flags & ~IFF_UP);
    return ioctl(control_fd, SIOCSIFFLAGS, &request);
}

static int set_address(int control_fd, const char *name, unsigned long which, uint32_t address) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    struct sockaddr_in internet = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(address)};
    memcpy(&request.ifr_addr, &internet, sizeof internet);
    return ioctl(control_fd, which, &request);
}

static int device_open(const struct side *side, int path, int host) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -1;
    struct ifreq request;
    memset(&request, 0, sizeof request);
    device_name(request.ifr_name, path);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &request) < 0
        || set_address(side->control_fd, request.ifr_name, SIOCSIFADDR, path_address(path, host)) < 0
        || set_address(side->control_fd, request.ifr_name, SIOCSIFNETMASK, 0xffffff00u) < 0
        || set_flags(side->control_fd, request.ifr_name, 1) < 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* IPv6 would only add packets of its own (neighbour discovery) to the devices. */
static void disable_ipv6(void) {
    int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    if (write(fd, "1", 1) < 0) { /* the emulator ignores those packets anyway */ }
    close(fd);
}

int side_open(struct side *side, int host) {
    if (unshare(CLONE_NEWNET) < 0) return -1;
    disable_ipv6();
    side->namespace_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    side->control_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (side->namespace_fd < 0 || side->control_fd < 0) return -1;
    if (set_flags(side->control_fd, "lo", 1) < 0) return -1;
    for (int path = 0; path < PATH_COUNT; path++) {
        side->device_fd[path] = device_open(side, path, host);
        if (side->device_fd[path] < 0) return -1;
    }
    return 0;
}

int side_set_up(const struct side *side, int path, int is_up) {
    char name[IFNAMSIZ];
    device_name(name, path);
    return set_flags(side->control_fd, name, is_up);
}
