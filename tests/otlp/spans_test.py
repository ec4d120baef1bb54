#!/usr/bin/python3
"""Spans of calls, as a receiver of OTLP gets them, and receivers that are slow, gone or refuse."""

import json
import os
import socket
import ssl
import time
import unittest

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from tests import unittest_xml
from tests.e2e import annalsd
from tests.e2e.annalsd import Annalsd, CallError, passed, started
from tests.monitoring import scrape
from tests.otlp.receiver import Receiver, attributes
from tests.security import certificates

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SAMPLED = "00-%s-%s-01" % (TRACE, PARENT)
NOT_SAMPLED = "00-%s-%s-00" % (TRACE, PARENT)
SERVICE = "annals.v1.HistoryService"
TOKEN = "Bearer a-secret-of-the-receiver's"
SERVER, INTERNAL = trace_pb2.Span.SPAN_KIND_SERVER, trace_pb2.Span.SPAN_KIND_INTERNAL


class SpansTest(unittest.TestCase):
    maxDiff = None

    def receive(self, **more):
        self.receiver = Receiver(**more)
        self.addCleanup(self.receiver.close)

    def serve(self, *args, endpoint=None, env=None, **more):
        endpoint = endpoint or self.receiver.endpoint
        self.server = Annalsd("--otlp-endpoint", endpoint, *args, env=env, **more)
        self.addCleanup(self.server.stop)
        self.arn = annalsd.arn("a")
        self.client = annalsd.Client(self.server.grpc, metadata=(("traceparent", SAMPLED),))
        self.addCleanup(self.client.close)

    def spans(self, count):
        """All spans, of a server that stops as soon as there are so many."""
        if count:
            self.receiver.spans(count)
        self.assertEqual(self.server.stop(), 0)
        spans = self.receiver.all_spans()
        self.assertEqual(len(spans), count)
        return spans

    def missing(self, client=None):
        """One call, which fails."""
        with self.assertRaises(CallError):
            (client or self.client).page(self.arn)

    def counted(self, **expected):
        """Waits until so many spans are counted: exported, dropped, failed."""
        scrape.wait(self.server, lambda scrape: expected == {
            result: scrape.get("annals_spans_total", result=result) for result in expected},
                    "annals_spans_total")

    def logged(self, message):
        end = time.monotonic() + annalsd.WAIT_S
        while True:
            lines = [json.loads(line) for line in self.server.log().splitlines(True)
                     if line.endswith("\n")]
            found = [line for line in lines if line["message"] == message]
            if found:
                return found
            self.assertLess(time.monotonic(), end, lines)
            time.sleep(0.01)

    def of_server(self, address, **more):
        host, port = address.rsplit(":", 1)
        return {"server.address": host, "server.port": int(port), **more}

    def test_grpc(self):
        self.receive()
        self.serve(env={"OTEL_SERVICE_NAME": "histories"})
        before = time.time_ns()
        self.client.append(self.arn, [started(), passed(2)])
        metadata = (("traceparent", SAMPLED), ("x-request-id", "of-the-client"))
        with annalsd.Client(self.server.grpc, metadata=metadata) as client:
            with self.assertRaises(CallError):
                client.append(self.arn, [passed(9)])
        append, gap = self.spans(2)
        for span in append, gap:
            self.assertEqual((span.trace_id.hex(), span.parent_span_id.hex()), (TRACE, PARENT))
            self.assertEqual((span.name, span.kind, span.flags),
                             (SERVICE + "/AppendHistoryEvents", SERVER, 0x301))
            self.assertFalse(span.HasField("status"))
            self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)
        # The clock of spans has microseconds.
        self.assertLessEqual(before // 1000, append.start_time_unix_nano // 1000)
        expected = self.of_server(self.server.grpc, **{
            "rpc.system": "grpc", "rpc.service": SERVICE, "rpc.method": "AppendHistoryEvents",
            "rpc.grpc.status_code": 0, "annals.arn": self.arn})
        self.assertEqual(attributes(append), expected)
        expected.update({"rpc.grpc.status_code": 9, "error.type": "EVENT_GAP",
                         "annals.request_id": "of-the-client"})
        self.assertEqual(attributes(gap), expected)
        request = self.receiver.requests[0]
        self.assertEqual((request.path, request.headers["Content-Type"]),
                         ("/v1/traces", "application/x-protobuf"))
        resource = attributes(request.message.resource_spans[0].resource)
        self.assertEqual(set(resource), {"service.name", "service.version", "service.instance.id",
                                         "host.name"})
        self.assertEqual(resource["service.name"], "histories")

    def test_http(self):
        self.receive()
        self.serve()
        with annalsd.Gateway(self.server.gateway) as gateway:
            status, headers, _ = gateway.post({"executionArn": self.arn}, traceparent=SAMPLED)
            self.assertEqual(status, 400)
            status, _, _ = gateway.post({}, target="AWSStepFunctions.Nothing", traceparent=SAMPLED)
            self.assertEqual(status, 400)
        span, unknown = self.spans(2)
        self.assertEqual((span.trace_id.hex(), span.parent_span_id.hex()), (TRACE, PARENT))
        self.assertEqual(headers["traceparent"], "00-%s-%s-01" % (TRACE, span.span_id.hex()))
        self.assertEqual((span.name, span.kind), ("SFN/GetExecutionHistory", SERVER))
        self.assertFalse(span.HasField("status"))
        expected = self.of_server(self.server.gateway, **{
            "http.request.method": "POST", "http.response.status_code": 400, "url.path": "/",
            "url.scheme": "http"})
        self.assertEqual(attributes(span), {
            **expected, "rpc.system": "aws-api", "rpc.service": "SFN",
            "rpc.method": "GetExecutionHistory", "error.type": "ExecutionDoesNotExist",
            "annals.request_id": headers["x-amzn-RequestId"], "annals.arn": self.arn})
        self.assertEqual(unknown.name, "POST")
        of_unknown = attributes(unknown)
        self.assertTrue(of_unknown.pop("annals.request_id"))
        self.assertTrue(of_unknown.pop("error.type"))
        self.assertEqual(of_unknown, expected)

    def test_appends_of_streams(self):
        self.receive()
        self.serve()
        requests = [annalsd.history_service_pb2.AppendHistoryEventsStreamRequest(
            append=annalsd.history_service_pb2.AppendHistoryEventsRequest(
                execution_arn=self.arn, events=[event])).SerializeToString()
            for event in (started(), passed(9))]
        stub = self.client.channel.stream_stream("/%s/AppendHistoryEventsStream" % SERVICE)
        self.assertEqual(len(list(stub(iter(requests), timeout=annalsd.WAIT_S,
                                       metadata=self.client.metadata))), 2)
        spans = self.spans(3)
        [stream] = [span for span in spans if span.kind == SERVER]
        self.assertEqual((stream.trace_id.hex(), stream.parent_span_id.hex()), (TRACE, PARENT))
        parts = [span for span in spans if span.kind == INTERNAL]
        self.assertEqual(len({span.span_id for span in spans}), 3)
        for part in parts:
            self.assertEqual((part.name, part.trace_id, part.parent_span_id, part.flags),
                             (stream.name, stream.trace_id, stream.span_id, 0x101))
        self.assertEqual([attributes(part)["rpc.grpc.status_code"] for part in parts], [0, 9])

    def test_what_is_sampled(self):
        """A caller's word counts; who says nothing is sampled one in so many times."""
        self.receive()
        self.serve("--trace-sample", "2")
        with annalsd.Client(self.server.grpc, metadata=(("traceparent", NOT_SAMPLED),)) as client:
            self.missing(client)
        with annalsd.Client(self.server.grpc) as client:
            for _ in range(4):
                self.missing(client)
        first, second = self.spans(2)
        self.assertNotEqual(first.trace_id, second.trace_id)
        self.assertEqual((first.parent_span_id, first.flags), (b"", 0x101))

    def test_nothing_unless_asked(self):
        server = Annalsd("--trace-sample", "1", env={"OTEL_SERVICE_NAME": "x"})
        self.addCleanup(server.stop)
        self.arn = annalsd.arn("a")
        with annalsd.Client(server.grpc) as client:
            self.missing(client)
        self.assertNotIn("annals_spans_", scrape.text(server))
        self.assertNotIn("annals-otlp\n", self.thread_names(server))

    def thread_names(self, server):
        task = "/proc/%d/task" % server.process.pid
        names = []
        for thread in os.listdir(task):
            try:
                with open(os.path.join(task, thread, "comm"), encoding="utf-8") as f:
                    names.append(f.read())
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has ended since
        return names

    def test_environment(self):
        self.receive()
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": self.receiver.endpoint + "/otlp/",
               "OTEL_EXPORTER_OTLP_HEADERS": "x-key=of%20variable",
               "OTEL_RESOURCE_ATTRIBUTES": "k8s.pod.name=annals-0"}
        with Annalsd(env=env) as server:
            with annalsd.Client(server.grpc, metadata=(("traceparent", SAMPLED),)) as client:
                self.arn = annalsd.arn("a")
                self.missing(client)
                self.receiver.spans(1)
        [request] = self.receiver.requests
        self.assertEqual((request.path, request.headers["x-key"]),
                         ("/otlp/v1/traces", "of variable"))
        resource = attributes(request.message.resource_spans[0].resource)
        self.assertEqual(resource["k8s.pod.name"], "annals-0")

    def test_wrong_options(self):
        for args, why in (
                (("--otlp-endpoint", "collector:4318"),
                 "--otlp-endpoint: it is not a URL of http or https"),
                (("--otlp-endpoint", "http://c", "--otlp-headers-file", "/nothing"), "/nothing")):
            done = annalsd.run_server("--data-dir", annalsd.new_dir(), "--grpc-listen",
                                      "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0",
                                      "--ops-listen", "127.0.0.1:0", *args)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn(why, done.stderr)

    def test_headers_of_a_file(self):
        self.receive()
        path = os.path.join(annalsd.new_dir(), "headers")
        certificates.put(path, b"# who may send\nAuthorization: %s\n" % TOKEN.encode())
        self.serve("--otlp-headers-file", path)
        self.missing()
        self.receiver.spans(1)
        self.assertEqual(self.receiver.requests[0].headers["Authorization"], TOKEN)
        certificates.put(path, b"Authorization: another\n")
        self.server.reload("OTLP headers reloaded")
        self.missing()
        self.receiver.spans(2)
        self.assertEqual(self.receiver.requests[1].headers["Authorization"], "another")
        certificates.put(path, b"another\n")
        self.server.reload("OTLP headers stay as they were")
        self.assertNotIn("another", self.server.log())
        self.assertNotIn(TOKEN, self.server.log())

    def test_tls(self):
        ca = certificates.Ca()
        files = certificates.Files(ca.server())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert, files.key)
        self.receive(context=context)
        ca_path = os.path.join(files.folder, "collector.crt")
        certificates.put(ca_path, ca.pem)
        self.serve("--otlp-ca", ca_path)
        self.missing()
        self.spans(1)
        self.serve()  # without: nobody whom the system trusts has issued it
        self.missing()
        [line] = self.logged("spans are not exported")
        self.server.stop()
        self.assertRegex(line["error"], "certificate")
        self.assertEqual(len(self.receiver.all_spans()), 1)

    def test_another_name(self):
        ca = certificates.Ca()
        files = certificates.Files(ca.server(ips=["127.0.0.2"]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.cert, files.key)
        self.receive(context=context)
        ca_path = os.path.join(files.folder, "collector.crt")
        certificates.put(ca_path, ca.pem)
        self.serve("--otlp-ca", ca_path)
        self.missing()
        self.spans(0)
        self.logged("spans are not exported")

    def test_what_comes_later(self):
        """An answer that says so has spans sent again, the same ones."""
        self.receive()
        self.receiver.answers.append((503, {"Retry-After": "1"}, b"busy"))
        self.serve()
        self.missing()
        self.counted(exported=1, failed=0, dropped=0)
        first, second = self.receiver.requests
        self.assertEqual(first.body, second.body)
        [line] = self.logged("spans are not exported")
        self.assertEqual((line["level"], line["http_status"], line["url"]),
                         ("warning", 503, self.receiver.endpoint + "/v1/traces"))
        self.logged("spans are exported again")

    def test_what_is_refused(self):
        self.receive()
        self.receiver.answers.append((302, {"Location": "/elsewhere"}, b"no"))
        self.serve()
        self.missing()
        self.counted(exported=0, failed=1, dropped=0)
        self.spans(1)
        [line] = self.logged("spans are not exported")
        self.assertEqual(line["http_status"], 302)

    def test_what_is_taken_in_part(self):
        self.receive()
        answer = trace_service_pb2.ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = 1
        answer.partial_success.error_message = "one was too old"
        self.receiver.answers.append((200, {}, answer.SerializeToString()))
        self.serve()
        with annalsd.Client(self.server.grpc, metadata=self.client.metadata) as client:
            for _ in range(3):
                self.missing(client)
        self.receiver.spans(3)
        self.counted(exported=2, failed=1, dropped=0)
        [line] = self.logged("the receiver of spans complains")
        self.assertEqual((line["level"], line["rejected"]), ("warning", 1))
        self.assertNotIn("too old", self.server.log())
        self.assertEqual(len({r.body for r in self.receiver.requests}), len(self.receiver.requests))

    def test_nobody_there(self):
        """Calls go on, and spans get there as soon as somebody is."""
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))  # and does not listen
        self.serve(endpoint="http://127.0.0.1:%d" % taken.getsockname()[1])
        self.client.append(self.arn, [started()])
        for _ in range(50):
            self.client.page(self.arn)
        self.logged("spans are not exported")
        self.receive(taken=taken)
        self.assertEqual(len(self.receiver.spans(51)), 51)
        self.logged("spans are exported again")

    def test_no_answer(self):
        """A receiver that hangs holds up neither calls nor the end of the server for long."""
        self.receive()
        self.receiver.may_answer.clear()
        self.serve()
        self.missing()
        self.receiver.wait(lambda: self.receiver.requests)
        self.client.append(self.arn, [started()])
        for _ in range(50):
            self.client.page(self.arn)
        begin = time.monotonic()
        self.assertEqual(self.server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 60)

    def test_span_and_log_line(self):
        """One leads to the other, and neither to a payload."""
        self.receive()
        self.serve("--log-sample", "1")
        self.client.append(self.arn, [started()])
        [span] = self.spans(1)
        [line] = self.logged("call")
        self.assertEqual((line["trace_id"], line["span_id"]),
                         (span.trace_id.hex(), span.span_id.hex()))
        self.assertNotIn(annalsd.MARKER.encode(), self.receiver.requests[0].body)


if __name__ == "__main__":
    unittest_xml.main()
