/* The sockets of a host: opened, closed, offered to the session as paths, withdrawn, hinted up and down. */
#include "host_parts.h"

#include <stdio.h>

void host_open_socket(struct host *host, uint32_t link)
{
    struct socket *socket = &host->sockets[link];
    jmp_transport_config config;
    socket->opens_at = 0;
    socket->is_hinted_down = false;
    socket->hints_up_at = 0;
    if (socket->transport != JMP_TRANSPORT_NONE) return;
    jmp_transport_config_init(&config);
    config.transport_class = network_classes[link];
    if (host->world->scenario->mtu[link]) config.mtu = host->world->scenario->mtu[link];
    snprintf(config.name, sizeof config.name, "udp:%c", (char)('A' + link));
    jmp_status status = jmp_transport_add(host->endpoint, &config, host_clock(host), &socket->transport);
    host_expect_ok(host, "transport_add", status);
    host_called(host, "transport_add", status, 0);
}

void host_close_socket(struct host *host, uint32_t link)
{
    struct socket *socket = &host->sockets[link];
    uint32_t transport = socket->transport;
    if (transport == JMP_TRANSPORT_NONE) return;
    socket->transport = JMP_TRANSPORT_NONE;
    socket->path = JMP_PATH_NONE;
    socket->is_hinted_down = false;
    socket->hints_up_at = 0;
    jmp_status status = jmp_transport_remove(host->endpoint, transport, host_clock(host));
    host_expect_ok(host, "transport_remove", status);
    /* The next socket has another port, and so another place in the NAT. */
    network_rebind(&host->world->network, host->number - 1, link, false);
    host_called(host, "transport_remove", status, 0);
}

void host_offer_path(struct host *host, uint32_t link)
{
    struct socket *socket = &host->sockets[link];
    jmp_address remote = network_gateway_address(link);
    socket->offers_at = 0;
    if (!host->session || socket->transport == JMP_TRANSPORT_NONE || socket->path != JMP_PATH_NONE) return;
    jmp_status status = jmp_path_add(host->endpoint, host->session, socket->transport, &remote, host_clock(host), &socket->path);
    if (status != JMP_OK) socket->path = JMP_PATH_NONE;
    /* The policy's class, or more paths than there is room for while old ones fade, are good reasons. */
    if (status == JMP_ERR_POLICY || status == JMP_ERR_PATH_LIMIT) socket->offers_at = host->world->now + SECOND;
    else if (status != JMP_ERR_TERMINATED && status != JMP_ERR_EXISTS) host_expect_ok(host, "path_add", status);
    struct link *own = &host->world->network.link[host->number - 1][link];
    if (own->broken_until < host->world->now) own->broken_until = host->world->now;
    host_called(host, "path_add", status, host->session);
}

void host_withdraw_path(struct host *host, uint32_t link)
{
    struct socket *socket = &host->sockets[link];
    uint32_t path = socket->path;
    socket->path = JMP_PATH_NONE;
    if (!host->session || path == JMP_PATH_NONE) return;
    jmp_status status = jmp_path_remove(host->endpoint, host->session, path, host_clock(host));
    if (status != JMP_ERR_PATH && status != JMP_ERR_TERMINATED) host_expect_ok(host, "path_remove", status);
    host_called(host, "path_remove", status, host->session);
}

void host_hint(struct host *host, uint32_t link, bool is_up)
{
    struct socket *socket = &host->sockets[link];
    if (is_up) socket->hints_up_at = 0;
    if (socket->transport == JMP_TRANSPORT_NONE) return;
    socket->is_hinted_down = !is_up;
    jmp_status status = jmp_transport_hint(host->endpoint, socket->transport, is_up, host_clock(host));
    host_expect_ok(host, "transport_hint", status);
    host_called(host, "transport_hint", status, 0);
}
