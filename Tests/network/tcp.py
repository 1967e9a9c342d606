"""A TCP stream through the emulator, of the kernel's own making: what protected streams are held against."""

import bisect
import socket
import threading

from harness import PATIENCE_S, HarnessError, clock_us

SOURCE, SINK_ADDRESS = ("10.201.1.2", 0), "10.201.1.1"
PIECE = bytes(65536)


class Arrivals:
    """How many bytes had arrived at which time (µs)."""

    def __init__(self, entries=()):
        self._times, self._bytes = [0], [0]
        for at, count in entries:
            self.add(at, count)

    def add(self, at, count):
        """So many by now, altogether."""
        self._times.append(at)
        self._bytes.append(count)

    def mbps(self, start, end):
        """Mbit/s between two times."""
        first, last = (bisect.bisect_right(self._times, at) - 1 for at in (start, end))
        return (self._bytes[last] - self._bytes[first]) * 8 / (end - start)


class TcpStream:
    """Sends over path A from client to gateway as much as TCP lets it, from the moment the `with` block begins.

    :param congestion: the kernel's name of a congestion control, "cubic" or "reno"
    :param open_socket: makes a bound socket in a namespace
    """

    def __init__(self, link, congestion, port, open_socket):
        self.arrivals = Arrivals()
        self._sockets = []
        try:
            listener = self._keep(open_socket(link.gateway_namespace, (SINK_ADDRESS, port), socket.SOCK_STREAM))
            listener.listen(1)
            self._source = self._keep(open_socket(link.client_namespace, SOURCE, socket.SOCK_STREAM))
            self._source.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
            self._source.settimeout(PATIENCE_S)
            self._source.connect((SINK_ADDRESS, port))
            self._sink = self._keep(listener.accept()[0])
        except OSError as error:
            self._close()
            raise HarnessError(f"no TCP stream with {congestion}: {error}") from None
        for end in (self._source, self._sink):
            end.settimeout(None)
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]

    def _keep(self, opened):
        self._sockets.append(opened)
        return opened

    def _send(self):
        try:
            while True:
                self._source.sendall(PIECE)
        except OSError:
            pass  # it was shut down

    def _receive(self):
        buffer, received = bytearray(1 << 18), 0
        try:
            while count := self._sink.recv_into(buffer):
                received += count
                self.arrivals.add(clock_us(), received)
        except OSError:
            pass

    def _close(self):
        for opened in self._sockets:
            opened.close()

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for end in (self._source, self._sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its peer was first
        for thread in self._threads:
            thread.join()
        self._close()
