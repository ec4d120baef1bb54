"""A receiver of spans by OTLP over HTTP, with answers of the test's choosing."""

import collections
import http.server
import threading
import time

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from tests.e2e import annalsd

Request = collections.namedtuple("Request", "path headers body message")


def attributes(holder):
    """The attributes of a span or a resource as a dict."""
    found = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in holder.attributes}
    assert len(found) == len(holder.attributes), holder
    return found


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Who hangs up on a receiver that is slow, or has no certificate, is right."""


class Receiver:
    """Listens on a port of its own. A context manager."""

    def __init__(self, context=None, taken=None):
        """context: of TLS. taken: a socket that has a port already, and does not listen yet."""
        self.requests = []
        self.answers = collections.deque()  # (status, headers, body) of the next; then 200
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.changed = threading.Condition()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                receiver.take(self)

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler, bind_and_activate=taken is None)
        if taken is not None:
            self.server.socket.close()
            self.server.socket = taken
            self.server.server_address = taken.getsockname()
            self.server.server_activate()
        if context is not None:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.endpoint = "%s://127.0.0.1:%d" % ("https" if context else "http",
                                               self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        message = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
        with self.changed:
            self.requests.append(Request(handler.path, handler.headers, body, message))
            status, headers, answer = self.answers.popleft() if self.answers else (200, {}, b"")
            self.changed.notify_all()
        self.may_answer.wait()
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(answer)

    def wait(self, condition):
        """Waits until something is so, and gives it."""
        end = time.monotonic() + annalsd.WAIT_S
        with self.changed:
            while True:
                found = condition()
                if found:
                    return found
                left = end - time.monotonic()
                assert left > 0, self.requests
                self.changed.wait(left)

    def all_spans(self):
        return [span for request in self.requests for resource in request.message.resource_spans
                for scope in resource.scope_spans for span in scope.spans]

    def spans(self, count):
        """All spans, as soon as there are so many."""
        return self.wait(lambda: len(self.all_spans()) >= count and self.all_spans())

    def close(self):
        self.may_answer.set()
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
