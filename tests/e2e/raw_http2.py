"""HTTP/2 over bare sockets: sends exactly what it is told, also what no gRPC client would."""

import socket
import struct

from tests.e2e import annalsd

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = (
    0, 1, 3, 4, 6, 7, 8, 9)
ACK = END_STREAM = 1
END_HEADERS = 4
SETTING_INITIAL_WINDOW = 4
FRAME_BYTES_MAX = 16384


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def integer(value, bits):
    """An integer of HPACK, behind flags that are 0."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([value])
    return bytes([limit]) + annalsd.varint(value - limit)


def field(name, value):
    """A header field as literals, not to be indexed."""
    return b"\0" + b"".join(integer(len(part), 7) + part for part in (name, value))


def headers(method, *more, service="annals.v1.HistoryService"):
    """The header of a gRPC call."""
    path = "/%s/%s" % (service, method)
    return b"".join(field(*pair) for pair in (
        (b":method", b"POST"), (b":scheme", b"http"), (b":path", path.encode()),
        (b":authority", b"localhost"), (b"te", b"trailers"), (b"content-type", b"application/grpc"),
        *more))


def message(content, compressed=False, size=None):
    """A message as gRPC frames it. size: what is claimed, if not the truth."""
    return struct.pack(">BI", compressed, len(content) if size is None else size) + content


class Connection:
    """A connection that keeps to flow control, and notes what becomes of its streams."""

    def __init__(self, address, answer_window=65535):
        """answer_window: how many bytes of messages each stream takes."""
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), annalsd.WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        self.window = self.initial_window = 65535
        self.windows = {}
        self.ended = {}  # how each stream did: None, or the error code of RST_STREAM
        self.received = {}  # bytes of messages
        self.gone = False  # GOAWAY has come, or the connection's end
        self.closed = False  # that end has come
        self.settled = False
        self.pongs = 0
        self.send(PREFACE + frame(SETTINGS, 0, 0, struct.pack(
            ">HI", SETTING_INITIAL_WINDOW, answer_window)))
        self.read_until(lambda: self.settled)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            while not self.gone:  # what the server has said before
                self.read()

    def open(self, stream, method, *more, flags=END_HEADERS, **where):
        """Begins a call. Streams of clients have odd numbers."""
        self.windows[stream] = self.initial_window
        self.send(frame(HEADERS, flags, stream, headers(method, *more, **where)))

    def read_until(self, holds):
        """Reads until that holds or the connection is gone. Tells whether it holds."""
        while not holds() and not self.gone:
            self.read()
        return holds()

    def read(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            data = b""
        self.closed = not data
        self.gone = self.gone or self.closed
        self.unread += data
        while len(self.unread) >= 9:
            size = int.from_bytes(self.unread[:3], "big")
            if len(self.unread) < 9 + size:
                return
            kind, flags, stream = struct.unpack(">BBI", self.unread[3:9])
            payload = self.unread[9:9 + size]
            self.unread = self.unread[9 + size:]
            self.take(kind, flags, stream, payload)

    def take(self, kind, flags, stream, payload):
        if kind == SETTINGS and not flags & ACK:
            for at in range(0, len(payload), 6):
                self.take_setting(*struct.unpack(">HI", payload[at:at + 6]))
            self.settled = True
            self.send(frame(SETTINGS, ACK, 0))
        elif kind == WINDOW_UPDATE and stream == 0:
            self.window += int.from_bytes(payload, "big")
        elif kind == WINDOW_UPDATE and stream in self.windows:
            self.windows[stream] += int.from_bytes(payload, "big")
        elif kind == PING and flags & ACK:
            self.pongs += 1
        elif kind == PING:
            self.send(frame(PING, ACK, 0, payload))
        elif kind == GOAWAY:
            self.gone = True
        elif kind == RST_STREAM:
            self.ended.setdefault(stream, int.from_bytes(payload, "big"))
        elif kind == DATA:
            self.received[stream] = self.received.get(stream, 0) + len(payload)
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended.setdefault(stream, None)

    def take_setting(self, name, value):
        if name == SETTING_INITIAL_WINDOW:
            self.windows = {s: w + value - self.initial_window for s, w in self.windows.items()}
            self.initial_window = value

    def send_data(self, stream, data, last=False):
        """Sends data as windows allow it, until the stream ends. Returns how much was sent."""
        sent = 0
        while sent < len(data) and stream not in self.ended and not self.gone:
            size = min(len(data) - sent, self.window, self.windows[stream], FRAME_BYTES_MAX)
            if size <= 0:
                self.read()
                continue
            end = END_STREAM if last and sent + size == len(data) else 0
            self.send(frame(DATA, end, stream, data[sent:sent + size]))
            self.window -= size
            self.windows[stream] -= size
            sent += size
        return sent
