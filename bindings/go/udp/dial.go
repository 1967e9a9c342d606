package udp

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"jumping"
)

// Listen makes a gateway: a host that accepts sessions until ctx ends or Close is called. Errors: as NewHost.
func Listen(ctx context.Context, config Config) (*Host, error) {
	if config.Endpoint == nil {
		endpoint := jumping.DefaultConfig()
		endpoint.Flags = jumping.ConfigAccept
		config.Endpoint = &endpoint
	}
	h, err := NewHost(ctx, config)
	if err != nil {
		return nil, err
	}
	go func() {
		select {
		case <-ctx.Done():
			h.Close()
		case <-h.done:
		}
	}()
	return h, nil
}

// Dial makes a host of its own and begins a session with it. ctx bounds the dialling, not the session. It returns when
// the session is established; its other paths are then being validated. Errors: ErrNoGateway, name resolution's,
// those of NewHost, the library's for keys, a [*EndedError] when every path failed, ctx's.
func Dial(ctx context.Context, config DialConfig) (*Session, error) {
	if len(config.Gateways) == 0 {
		return nil, ErrNoGateway
	}
	gateways, err := resolve(ctx, config.Gateways)
	if err != nil {
		return nil, err
	}
	if len(config.Sockets) == 0 {
		config.Sockets = socketsFor(gateways)
	}
	if config.Endpoint == nil {
		endpoint := jumping.DefaultConfig()
		endpoint.Flags = jumping.ConfigInitiate
		config.Endpoint = &endpoint
	}
	h, err := NewHost(ctx, config.Config)
	if err != nil {
		return nil, err
	}
	session, err := h.dialPaths(ctx, pathsOver(config.Sockets, gateways), &config)
	if err != nil {
		h.Close()
		return nil, err
	}
	session.ownsHost = true
	return session, nil
}

// path is a socket, by name, and the gateway's address there.
type path struct {
	socketName string
	gateway    netip.AddrPort
}

// resolve takes the first address of each name.
func resolve(ctx context.Context, names []string) ([]netip.AddrPort, error) {
	gateways := make([]netip.AddrPort, len(names))
	for i, name := range names {
		if literal, err := netip.ParseAddrPort(name); err == nil {
			gateways[i] = literal
			continue
		}
		host, service, err := net.SplitHostPort(name)
		if err != nil {
			return nil, fmt.Errorf("udp: gateway %q: %w", name, err)
		}
		port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
		if err != nil {
			return nil, fmt.Errorf("udp: gateway %q: %w", name, err)
		}
		addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		if err != nil {
			return nil, fmt.Errorf("udp: gateway %q: %w", name, err)
		}
		gateways[i] = netip.AddrPortFrom(addresses[0].Unmap(), uint16(port))
	}
	return gateways, nil
}

// socketsFor is a socket per gateway, of the gateway's address family.
func socketsFor(gateways []netip.AddrPort) []Socket {
	sockets := make([]Socket, len(gateways))
	for i, gateway := range gateways {
		sockets[i] = Socket{Name: DefaultSocketName(i), Listen: "[::]:0"}
		if gateway.Addr().Unmap().Is4() {
			sockets[i].Listen = "0.0.0.0:0"
		}
	}
	return sockets
}

// pathsOver pairs the i-th socket with the i-th gateway; the shorter list begins again.
func pathsOver(sockets []Socket, gateways []netip.AddrPort) []path {
	count := len(sockets)
	if len(gateways) > count {
		count = len(gateways)
	}
	paths := make([]path, count)
	for i := range paths {
		name := sockets[i%len(sockets)].Name
		if name == "" {
			name = DefaultSocketName(i % len(sockets))
		}
		paths[i] = path{name, gateways[i%len(gateways)]}
	}
	return paths
}

// dialPaths begins the session on the first path that answers and offers it the others.
func (h *Host) dialPaths(ctx context.Context, paths []path, config *DialConfig) (*Session, error) {
	var failure error
	for i, first := range paths {
		session, err := h.connect(ctx, first, config)
		if err != nil {
			failure = fmt.Errorf("udp: dial %v through %s: %w", first.gateway, first.socketName, err)
			if ctx.Err() != nil {
				return nil, failure
			}
			continue
		}
		for j, other := range paths {
			if j == i {
				continue
			}
			if _, err := session.AddPath(ctx, other.socketName, other.gateway); err != nil {
				return nil, fmt.Errorf("udp: path to %v through %s: %w", other.gateway, other.socketName, err)
			}
		}
		return session, nil
	}
	return nil, failure
}

// connect makes one handshake.
func (h *Host) connect(ctx context.Context, first path, config *DialConfig) (*Session, error) {
	remote, err := jumping.AddressFromAddrPort(first.gateway)
	if err != nil {
		return nil, err
	}
	var session *Session
	err = h.withSocket(ctx, first.socketName, func(socket *socket, now jumping.Time) error {
		connect := jumping.DefaultConnectConfig(socket.transport, remote)
		connect.Hint, connect.PSK, connect.GatewayKey, connect.Label = config.Hint, config.PSK, config.GatewayKey, config.Label
		if config.Pattern != 0 {
			connect.Pattern = config.Pattern
		}
		if config.HandshakeTimeout != 0 {
			connect.HandshakeTimeout = config.HandshakeTimeout
		}
		begun, err := h.endpoint.Connect(connect, now)
		if err == nil {
			session = h.sessionWith(begun.Handle(), jumping.RoleClient)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	select {
	case <-session.established:
		return session, nil
	case <-session.ended:
		return nil, session.endError()
	case <-ctx.Done():
		session.Close()
		return nil, ctx.Err()
	}
}
