/* Addresses of udp_host.h: as text, as the system has them, and as the library has them (address and port in network order). */
#define _GNU_SOURCE
#include "udp_host.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

int udp_host_parse_address(const char *text, bool port_required, struct sockaddr_storage *address)
{
    char host[INET6_ADDRSTRLEN];
    const char *begin = text, *end, *port = NULL;
    unsigned long number = 0;
    if (*text == '[') {
        begin = text + 1;
        end = strchr(begin, ']');
        if (!end || (end[1] && end[1] != ':')) return -1;
        if (end[1]) port = end + 2;
    } else {
        end = strchr(text, ':');
        if (end && strchr(end + 1, ':')) end = NULL;    /* a bare IPv6 address, no port */
        if (end) port = end + 1;
        else end = text + strlen(text);
    }
    if ((size_t)(end - begin) >= sizeof host || (port_required && !port)) return -1;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = 0;
    if (port) {
        char *rest;
        if (*port < '0' || *port > '9') return -1;
        number = strtoul(port, &rest, 10);
        if (*rest || number > 65535) return -1;
    }
    memset(address, 0, sizeof *address);
    struct sockaddr_in *v4 = (struct sockaddr_in *)address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
    if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)number);
        return 0;
    }
    if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)number);
        return 0;
    }
    return -1;
}

void udp_host_to_jumping(const struct sockaddr_storage *address, jmp_address *out)
{
    memset(out, 0, sizeof *out);
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        out->length = 6, out->prefix_length = 4;
        memcpy(out->bytes, &v4->sin_addr, 4);
        memcpy(out->bytes + 4, &v4->sin_port, 2);
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        out->length = 18, out->prefix_length = 8;
        memcpy(out->bytes, &v6->sin6_addr, 16);
        memcpy(out->bytes + 16, &v6->sin6_port, 2);
    }
}

socklen_t udp_host_from_jumping(const jmp_address *address, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof *out);
    if (address->length == 6) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, address->bytes, 4);
        memcpy(&v4->sin_port, address->bytes + 4, 2);
        return sizeof *v4;
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    memcpy(&v6->sin6_addr, address->bytes, 16);
    memcpy(&v6->sin6_port, address->bytes + 16, 2);
    return sizeof *v6;
}

const char *udp_host_format(const jmp_address *address, char text[UDP_HOST_NAME_SIZE])
{
    char host[INET6_ADDRSTRLEN];
    bool v4 = address->length == 6;
    const uint8_t *port = address->bytes + (v4 ? 4 : 16);
    inet_ntop(v4 ? AF_INET : AF_INET6, address->bytes, host, sizeof host);
    snprintf(text, UDP_HOST_NAME_SIZE, v4 ? "%s:%d" : "[%s]:%d", host, port[0] << 8 | port[1]);
    return text;
}
