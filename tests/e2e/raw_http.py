"""HTTP over bare sockets: sends exactly what it is told, and takes answers apart strictly."""

import json
import re
import socket

from tests.e2e import annalsd

TARGET = b"X-Amz-Target: AWSStepFunctions.GetExecutionHistory\r\n"
TYPE = b"Content-Type: application/x-amz-json-1.0\r\n"
HOST = b"Host: localhost\r\n"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
DATE = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) " \
       r"\d{4} \d\d:\d\d:\d\d GMT"


def head(line=b"POST / HTTP/1.1", *headers, host=HOST):
    return line + b"\r\n" + host + TARGET + TYPE + b"".join(headers) + b"\r\n"


def request(body, *headers, line=b"POST / HTTP/1.1", host=HOST):
    """A request as an SDK sends it, with more headers."""
    return head(line, *headers, b"Content-Length: %d\r\n" % len(body), host=host) + body


class Answer:
    """One answer. It has what every answer of the gateway has, or is refused."""

    def __init__(self, status_line, fields, body):
        self.status_line, self.fields, self.body = status_line, fields, body
        self.status = int(status_line.split(" ")[1])

    @property
    def error(self):
        """Type and message, of a body that is nothing but these two."""
        parsed = json.loads(self.body)
        assert self.body == b'{"__type":%s,"message":%s}' % tuple(
            json.dumps(parsed[k], ensure_ascii=False).encode() for k in ("__type", "message"))
        return parsed["__type"], parsed["message"]

    @property
    def closing(self):
        return self.fields.get("connection", "").lower() == "close"


class Connection:
    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), annalsd.WAIT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ConnectionError:
            pass  # it has said what it had to say, and closed

    def finish(self):
        self.socket.shutdown(socket.SHUT_WR)

    def fill(self):
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionError:
            return False
        self.unread += data
        return bool(data)

    def take(self, size):
        while len(self.unread) < size:
            assert self.fill(), (size, self.unread)
        taken, self.unread = self.unread[:size], self.unread[size:]
        return taken

    def head(self):
        """The status line and the fields of an answer; None at the end of the connection."""
        while b"\r\n\r\n" not in self.unread:
            if not self.fill():
                assert self.unread == b"", self.unread
                return None
        lines = self.take(self.unread.index(b"\r\n\r\n") + 4).decode("ascii").split("\r\n")[:-2]
        assert re.fullmatch(r"HTTP/1\.1 \d{3} [ -~]+", lines[0]), lines
        pairs = [line.split(": ", 1) for line in lines[1:]]
        fields = {name.lower(): value for name, value in pairs}
        assert len(fields) == len(pairs), lines
        return lines[0], fields

    def answer(self, body=True):
        """The next answer; None at the end of the connection. body: whether it brings one."""
        found = self.head()
        if found is None:
            return None
        status_line, fields = found
        assert set(fields) - {"connection"} == {"date", "content-type", "content-length",
                                                "x-amzn-requestid"}, fields
        assert re.fullmatch(UUID, fields["x-amzn-requestid"]), fields
        assert re.fullmatch(DATE, fields["date"]), fields
        assert fields["content-type"] == "application/x-amz-json-1.0", fields
        assert fields["connection"] in ("close", "Keep-Alive") if "connection" in fields else True
        return Answer(status_line, fields, self.take(int(fields["content-length"])) if body else b"")

    def closed(self):
        """Whether the server has closed, waiting for it to, and has said no more."""
        return not self.fill() and self.unread == b""


def exchange(address, data):
    """All answers on a connection of its own, which must end by itself."""
    with Connection(address) as connection:
        connection.send(data)
        answers = []
        while True:
            answer = connection.answer()
            if answer is None:
                return answers
            answers.append(answer)


def ask(address, data):
    """The one answer to a request, which leaves the connection open unless it says otherwise."""
    with Connection(address) as connection:
        connection.send(data)
        answer = connection.answer()
        if answer.closing:
            assert connection.closed()
        return answer
